"""How a Skiff family is measured, and the model card that is written from it."""
