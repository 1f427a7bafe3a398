"""The screens by the names of their tabs; each is imported when it is opened for the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.chat.screen import ChatScreen
    from tui.screens.screen import Place


def place(name: str, chat: ChatScreen) -> Place:
    """A new screen of that name. Raises KeyError for one that is no screen beside Chat."""
    if name == "blame":
        from tui.screens.blame import BlameScreen

        return BlameScreen(chat)
    if name == "transfer":
        from tui.screens.transfer import TransferScreen

        return TransferScreen(chat)
    if name == "inspect":
        from tui.screens.inspect import InspectScreen

        return InspectScreen(chat)
    if name == "library":
        from tui.screens.library import LibraryScreen

        return LibraryScreen(chat)
    raise KeyError(name)
