"""Entropy neurons and calibration of a checkpoint."""
