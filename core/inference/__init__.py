"""A prompt in, tokens with readings out: rendering, batches, the decode loop, teacher forcing, and metrics of interventions."""
