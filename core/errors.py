"""The one error that front ends show as it is."""

from __future__ import annotations


class TillerError(Exception):
    """Something a person can mend. ``str()`` is one sentence that names the fix."""
