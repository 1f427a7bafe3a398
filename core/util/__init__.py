"""What every package may use and that knows nothing of models: progress of sliced work, tables of text, whole files, resumable notes."""
