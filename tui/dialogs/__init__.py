"""What opens over a screen of the terminal and asks for something."""
