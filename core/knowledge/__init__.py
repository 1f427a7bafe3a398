"""Causal tracing: layer x token maps of where facts are kept, and the logit lens."""
