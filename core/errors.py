"""The one error that front ends show as it is, and its two general kinds. Every other kind is defined where it is raised."""

from __future__ import annotations


class TillerError(Exception):
    """Something a person can mend. ``str()`` is one sentence that names the fix, on one line, whatever a file said that it quotes."""

    def __str__(self) -> str:
        return " ".join(super().__str__().splitlines())


class StoreError(TillerError):
    """An artefact that is missing, cut off, of another format, or does not fit the model."""


class UsageError(TillerError):
    """A command line that cannot be read; ``str()`` is one sentence that names the fix, on one line, whatever was typed."""

    def __init__(self, sentence: str) -> None:
        super().__init__(" ".join(sentence.split()))
