"""Tiller's engine. Importing this package imports no torch; each module says what it needs."""
