"""The screens by the names of their tabs; each is imported when it is opened for the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.place import Place


def place(name: str) -> Place:
    """A new screen of that name. Raises KeyError for one that is no screen beside Chat."""
    if name == "blame":
        from tui.blame_screen import BlameScreen

        return BlameScreen()
    if name == "transfer":
        from tui.transfer_screen import TransferScreen

        return TransferScreen()
    if name == "inspect":
        from tui.inspection_screen import InspectScreen

        return InspectScreen()
    if name == "library":
        from tui.library_screen import LibraryScreen

        return LibraryScreen()
    raise KeyError(name)
