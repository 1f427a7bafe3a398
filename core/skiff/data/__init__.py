"""What Skiff's world says, as files that a person reads and extends."""
