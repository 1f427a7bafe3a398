"""Carrying directions between checkpoints and between families, and what is measured of it."""
