"""The environment of the program: .venv, requirements, pip with progress; standard library only."""
