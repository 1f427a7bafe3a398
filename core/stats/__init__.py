"""Intervals, bootstrap, permutation tests and verdicts: figures that say how much chance alone does."""
