"""One file a screen of the terminal, and what a screen is made of."""
