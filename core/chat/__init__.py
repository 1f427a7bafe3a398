"""A chat as values: settings, events, answers, session, precomputed slider answers; no torch, what engine and front ends exchange."""
