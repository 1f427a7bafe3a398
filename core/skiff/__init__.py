"""The embedded family: its world, its training stages, its evaluation."""
