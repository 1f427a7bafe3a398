"""A training stage's part is removed from the weights, judged beside controls."""
