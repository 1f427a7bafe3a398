"""The top line: the program, the family, and what the engine is doing."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from core.events import Status
from tui.text import clipped

_DOTS = {"starting": ("◌", "$text-warning"), "loading": ("◐", "$text-warning"), "ready": ("●", "$text-success"),
         "busy": ("●", "$text-accent"), "failed": ("✗", "$text-error")}  # fmt: skip


class Header(Widget):
    """One line."""

    DEFAULT_CSS = """
    Header { height: 1; padding: 0 1; background: $panel; color: $text; }
    Header:ansi { background: ansi_default; color: ansi_default; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.status = Status("starting", "Starting.")
        self.place = ""

    def show(self, status: Status, place: str) -> None:
        """Draw this status; ``place`` names the family."""
        if (status, place) != (self.status, self.place):
            self.status, self.place = status, place
            self.refresh()

    def render(self) -> Content:
        """Name and family on the left, the engine on the right."""
        left = Content.assemble(("Tiller", "bold $text-accent"), (f"  {self.place}", ""))
        dot, style = _DOTS[self.status.state]
        room = self.content_size.width - len(left.plain) - 5
        words = clipped(self.sentence(), max(0, room))
        gap = self.content_size.width - len(left.plain) - len(words) - 2
        return Content.assemble(left, " " * max(1, gap), (dot, style), f" {words}")

    def sentence(self) -> str:
        """What the engine is doing, in words."""
        status = self.status
        if status.state in ("starting", "loading", "failed"):
            part = f" {status.progress:.0%}" if status.progress is not None and status.state == "loading" else ""
            return f"{status.detail.rstrip('.') if part else status.detail}{part}"
        if status.state == "ready" and status.detail != "Ready.":
            return status.detail
        speed = f"{status.tokens_per_second:.0f} tok/s" if status.tokens_per_second else ""
        cores = (
            f"{status.threads} thread{'s' * (status.threads != 1)}"
            if status.threads and status.device in ("", "cpu")
            else ""
        )
        words = "answering" if status.state == "busy" else "ready"
        return " · ".join(part for part in (words, status.device, cores, speed) if part)
