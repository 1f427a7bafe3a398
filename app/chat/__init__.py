"""The chat of the browser: conversation, columns, sliders, learning."""
