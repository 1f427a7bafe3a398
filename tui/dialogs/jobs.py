"""Everything that goes on behind the chats, each with what ends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget

from tui.dialogs.dialogs import Dialog
from tui.text import one_line

if TYPE_CHECKING:
    from textual.events import Click
    from textual.geometry import Size

    from core.engine.job_list import JobLine

_WATCH_EVERY = 0.25
_CANCEL = " Cancel "


class JobRow(Widget, can_focus=True):
    """One of them: what it is, how far, what it is at, and a word that ends it."""

    DEFAULT_CSS = """
    JobRow { height: auto; width: 1fr; padding: 0 1; margin: 0 0 1 0; }
    JobRow:focus { background: $field; }
    """

    def __init__(self, job: JobLine, end: Callable[[str], object]) -> None:
        super().__init__()
        self.job, self._end, self.ending = job, end, job.ends

    def show(self, job: JobLine) -> None:
        """It is further now."""
        if job != self.job:
            self.job = job
            self.refresh(layout=True)

    def end(self) -> None:
        """End it at its next step; it stands there until then."""
        if self.job.key and not self.ending:
            self.ending = True
            self._end(self.job.key)
            self.refresh(layout=True)

    def render(self) -> Content:
        """Its title behind the word that ends it, and what it is at beneath."""
        style = "reverse bold" if self.has_focus else "$text-accent bold"
        word = (" ending ", "$quiet") if self.ending else (_CANCEL, style) if self.job.key else ("", "")
        said = f"\n{one_line(self.job.sentence)}" if self.job.sentence else ""
        return Content.assemble(word, f" {one_line(self.job.short)}", (said, "$quiet"))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as it takes."""
        return self.render().get_height({}, width)

    def on_focus(self) -> None:
        """Draw the mark."""
        self.refresh()

    def on_blur(self) -> None:
        """Draw without the mark."""
        self.refresh()

    def on_click(self, event: Click) -> None:
        """A click on the word ends it."""
        at = event.get_content_offset(self)
        if at is not None and at.y == 0 and at.x < len(_CANCEL):
            self.end()


class JobsDialog(Dialog[None]):
    """The list, as it is at every moment."""

    AUTO_FOCUS = "JobRow"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,x,delete", "end", "Cancel it", key_display="⏎", id="jobs.end"),
        Binding("up", "app.focus_previous", "Before", show=False, id="jobs.before"),
        Binding("down", "app.focus_next", "After", show=False, id="jobs.after"),
        Binding("q", "leave", "Close", show=False, id="jobs.leave"),
    ]
    DEFAULT_CSS = """
    JobsDialog VerticalScroll { height: auto; max-height: 18; scrollbar-size-vertical: 1; }
    """

    def __init__(self, jobs: Callable[[], Sequence[JobLine]], end: Callable[[str], object]) -> None:
        super().__init__("Jobs", "Enter, or a click on Cancel, ends one · Esc closes")
        self.jobs, self._end = jobs, end
        self.list = VerticalScroll(can_focus=False)

    def compose(self) -> ComposeResult:
        """The list."""
        with self.frame:
            yield self.list

    def on_mount(self) -> None:
        """Look at once, and then again and again."""
        self._draw()
        self.set_interval(_WATCH_EVERY, self._draw)

    def _draw(self) -> None:
        present = {row.job.title: row for row in self.list.query(JobRow)}
        there = {each.title: each for each in self.jobs()}
        self.frame.border_subtitle = Content(
            "Enter, or a click on Cancel, ends one · Esc closes" if there else "Nothing goes on · Esc closes"
        )
        for title, row in present.items():
            if title in there:
                row.show(there[title])
            else:
                if row.has_focus:
                    # A key that is pressed while the row goes is the list's.
                    self.set_focus(None)
                row.remove()
        self.list.mount_all(JobRow(job, self._end) for title, job in there.items() if title not in present)
        if self.focused is None:
            self.call_after_refresh(self._focus_first)

    def _focus_first(self) -> None:
        there = {each.title for each in self.jobs()}
        row = next((each for each in self.list.query(JobRow) if each.job.title in there), None)
        if self.focused is None and row is not None:
            row.focus()

    def action_end(self) -> None:
        """End the one that has the focus."""
        if isinstance(self.focused, JobRow):
            self.focused.end()
