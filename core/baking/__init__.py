"""A recipe becomes a model folder."""
