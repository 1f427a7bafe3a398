"""The checkpoints of one model as a tree of training stages, from family.toml."""
