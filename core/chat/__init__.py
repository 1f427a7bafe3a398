"""A chat as values, which engine and front ends exchange: settings, events, answers, session, sliders and their precomputed answers. No torch."""
