"""Skiff's world, and everything that is drawn from it: documents, conversations, statements and held-out prompts."""
