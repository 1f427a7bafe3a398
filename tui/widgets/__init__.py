"""What the screens of the terminal are put together from."""
