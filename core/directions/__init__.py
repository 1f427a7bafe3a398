"""Learning a direction from a contrast: examples, methods, layer choice, controls, dose-response, its card."""
