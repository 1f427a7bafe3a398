"""Where the terminal and the command line keep their chats. The browser keeps its own."""

from __future__ import annotations

from core.artefacts.store import user_folder
from core.chat.kept import KeptChats


def kept_chats() -> KeptChats:
    """The chats of the data folder, of whatever family."""
    return KeptChats(user_folder() / "chats")
