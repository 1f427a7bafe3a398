"""The recipe language: one line that says how a model is steered; parse, print, complete, and the same wish in words."""
