"""Directions in and out of other programs' files (GGUF, safetensors, torch.save)."""
