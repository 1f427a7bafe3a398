"""The thread that owns the models: what front ends talk to."""
