"""A checkpoint on disk or on the Hub becomes a model in memory: files, memory plan, loading, quantization, adapters, hook points."""
