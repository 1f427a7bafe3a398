"""Spaces of the Hugging Face Hub: what one is made of, and how it gets there."""
