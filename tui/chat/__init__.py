"""The terminal's chat: its screen and the parts that it owns."""
