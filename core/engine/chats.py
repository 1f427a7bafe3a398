"""Where the terminal and the command line keep their chats. The browser keeps its own."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from core.artefacts.store import user_folder
from core.chat.kept import KeptChats


def kept_chats() -> KeptChats:
    """The chats of the data folder, of whatever family."""
    return _of(user_folder() / "chats")


@cache
def _of(folder: Path) -> KeptChats:
    # One for all who ask, since it knows what this program last kept.
    return KeptChats(folder)
