"""The top line: the program, the family, and what the engine is doing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

from core.chat.events import Status
from core.chat.screens import CHAT, TABS
from core.util.figures import percent_text
from tui.shell import shell
from tui.text import clipped

if TYPE_CHECKING:
    from textual.events import Click

    from core.engine.job_list import JobLine

_DOTS = {"starting": ("◌", "$text-warning"), "loading": ("◐", "$text-warning"), "ready": ("●", "$text-success"),
         "busy": ("●", "$text-accent"), "failed": ("✗", "$text-error")}  # fmt: skip
#: So many cells say that a model is ready.
_SPEED = 9
#: So many cells name every screen and leave those for the engine.
_ROOM = sum(len(each.title) + 2 for each in TABS) + _SPEED + 3


class Header(Widget):
    """One line."""

    DEFAULT_CSS = """
    Header { height: 1; padding: 0 1; background: $panel; color: $text; }
    Header:ansi { background: ansi_default; color: ansi_default; }
    """

    def __init__(self, tab: str = CHAT.name) -> None:
        super().__init__()
        self.tab = tab
        self.status = Status("starting", "Starting.")
        self.place = ""
        self.jobs: tuple[JobLine, ...] = ()
        self._spots: list[tuple[int, int, str]] = []
        #: The first cell of what is said of the engine.
        self._engine = 0

    def show(self, status: Status, place: str, jobs: tuple[JobLine, ...] = ()) -> None:
        """Draw this status; ``place`` names the family, ``jobs`` are what goes on."""
        if (status, place, jobs) != (self.status, self.place, self.jobs):
            self.status, self.place, self.jobs = status, place, jobs
            self.refresh()

    def render(self) -> Content:
        """Name and family on the left, then the screens, the engine on the right."""
        left = Content.assemble(("Tiller", "bold $text-accent"), (f"  {self.place}  ", ""))
        screens = self._screens(len(left.plain), self.content_size.width - len(left.plain))
        left = Content.assemble(left, *screens)
        dot, style = _DOTS[self.status.state]
        room = self.content_size.width - len(left.plain) - 3
        words = clipped(self.sentence(room), max(0, room))
        gap = self.content_size.width - len(left.plain) - len(words) - 2
        self._engine = len(left.plain) + max(1, gap)
        return Content.assemble(left, " " * max(1, gap), (dot, style), f" {words}")

    def _screens(self, at: int, room: int) -> list[tuple[str, str]]:
        """The screens, the open one marked; only that one where naming them all would cut off what the engine has to say."""
        self._spots = []
        calm = self.status.state in ("ready", "busy")
        enough = room >= _ROOM + (0 if calm else max(0, len(self.sentence()) - _SPEED))
        wanted = [each for each in TABS if each.name == self.tab or enough]
        parts: list[tuple[str, str]] = []
        for each in wanted:
            words = f" {each.title} "
            parts.append((words, "bold reverse" if each.name == self.tab else "$quiet"))
            self._spots.append((at, at + len(words), each.name))
            at += len(words)
        return parts

    def on_click(self, event: Click) -> None:
        """Open the screen whose name was clicked; what the engine is doing opens the list of all of that."""
        name = next((name for a, b, name in self._spots if a <= event.x - 1 < b), None)
        if name is not None:
            shell(self).go(name)
        elif event.x - 1 >= self._engine:
            shell(self).show_jobs()

    def sentence(self, room: int = 1_000) -> str:
        """What the engine is doing, in words; of a model that is ready as much as has ``room``, the speed before all else."""
        status = self.status
        if status.state in ("starting", "loading", "failed"):
            part = (
                f" {percent_text(status.progress)}" if status.progress is not None and status.state == "loading" else ""
            )
            return f"{status.detail.rstrip('.') if part else status.detail}{part}"
        if status.state == "ready" and status.detail != "Ready.":
            return status.detail
        speed = f"{rate:{'.0f' if rate >= 10 else '.2g'}} tok/s" if (rate := status.tokens_per_second) else ""
        cores = (
            f"{status.threads} thread{'s' * (status.threads != 1)}"
            if status.threads and status.device in ("", "cpu")
            else ""
        )
        words = "answering" if status.state == "busy" else "ready"
        parts = [part for part in (words, status.device, cores, speed) if part]
        for spare in (cores, status.device, words):
            if (speed or spare != words) and spare in parts and len(" · ".join(parts)) > room:
                parts.remove(spare)
        behind = self._behind(room - len(" · ".join(parts)) - 3)
        # Where there is no room beside the speed, that something goes on is worth more.
        return " · ".join([*behind, *parts]) if behind else " · ".join(self._behind(room) or parts)

    def _behind(self, room: int) -> list[str]:
        """What goes on behind the chats, as far as there is room: the first of it, else how much there is."""
        behind = [each for each in self.jobs if not each.chat]
        if not behind:
            return []
        more = f" +{len(behind) - 1}" if len(behind) > 1 else ""
        ways = [f"{behind[0].short}{more}", f"{len(behind)} job{'s' * (len(behind) > 1)}"]
        return next(([way] for way in ways if len(way) <= room), [])
