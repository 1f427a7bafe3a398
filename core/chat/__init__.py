"""A chat as values, which engine and front ends exchange: settings, events, answers, session, sliders with their answers. No torch."""
