"""What trainings of ours share: the half-finished one on disk, and how a command runs one."""
