"""The Library screen: every direction that is here, its card, and learning a new one from two boxes of examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import DataTable, Static

from core.tabs import tab
from tui.place import Place

if TYPE_CHECKING:
    from core.examples import Wish
    from core.jobs import JobView
    from core.library import Entry

_BAR = 10
_WATCH_EVERY = 0.25
#: Of the library's columns, those that are worth their room in 80.
_SHORT = (0, 2, 3, 4, 5, 9)


class LibraryScreen(Place):
    """Reached with its function key, left with Esc."""

    NAME = "library"
    AUTO_FOCUS = "DataTable"
    HELP = (
        "Every direction, map and score of this family. Enter shows the card of the one under the cursor; n learns a new one, from "
        "examples of your own or by another method, while you chat; x cancels that, and what was found out so far is kept."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "learn", "Learn a new one", id="library.learn"),
        Binding("x", "cancel", "Cancel learning", id="library.cancel"),
    ]
    DEFAULT_CSS = """
    LibraryScreen {
        & DataTable { height: auto; max-height: 100%; margin: 1 0; background: transparent; }
        & #learning { height: auto; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.table: DataTable[str] = DataTable(cursor_type="row", zebra_stripes=True)
        self.learning = Static(id="learning")
        self.entries: tuple[Entry, ...] = ()
        self._followed: str | None = None

    def body(self) -> ComposeResult:
        """What the screen is for, how far a learning is, the list."""
        about = f"{tab(self.NAME).about} "
        yield Static(Content.assemble(about, ("Enter shows the card; n learns a new one.", "$quiet")))
        yield self.learning
        yield self.table

    def on_mount(self) -> None:
        """Watch what is being learnt, here or in Chat."""
        self.set_interval(_WATCH_EVERY, self._watch)

    def opened(self) -> None:
        """Draw the list as it is now."""
        from core import library

        if self.engine is None:
            return
        at = self.table.cursor_row
        self.entries = library.entries(self.engine.family)
        shown = _SHORT if self.size.width < 120 else tuple(range(len(library.HEADINGS)))
        self.table.clear(columns=True)
        rows = [entry.row for entry in self.entries]
        for index in shown:
            width = max(len(row[index]) for row in (library.HEADINGS, *rows))
            self.table.add_column(library.HEADINGS[index], width=width)
        for entry, row in zip(self.entries, rows, strict=True):
            self.table.add_row(*(Content(row[index]) for index in shown), key=entry.key)  # type: ignore[arg-type]
        self.table.move_cursor(row=min(at, max(0, len(self.entries) - 1)))
        self._watch()

    def commands(self) -> Iterator[SystemCommand]:
        """What the palette offers here."""
        yield SystemCommand("Learn a direction", "From two boxes of examples, by any method", self.action_learn)
        yield SystemCommand("Cancel learning", "What was found out so far is kept", self.action_cancel)

    # ----------------------------------------------------------------------------------------------------------- cards

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Show the card of an entry, or what is wrong with it."""
        from core import direction_card
        from tui.dialogs import TextDialog
        from tui.text import shown

        entry = self.entries[event.cursor_row]
        if entry.card is None:
            self.say(f"✗ {entry.problem}", wrong=True)
            return
        text = direction_card.text(entry.card)
        self.app.push_screen(TextDialog(entry.title, Content(shown(text)), copy=text))

    # -------------------------------------------------------------------------------------------------------- learning

    def action_learn(self) -> None:
        """Ask what to learn, and begin."""
        from tui.learn_dialog import LearnDialog

        if self.engine is None:
            self.say("✗ The family is still being read; learn in a moment.", wrong=True)
            return
        names = [each.name for each in self.engine.family.checkpoints]
        self.app.push_screen(LearnDialog(names, self.board.own_checkpoint(), self._begin))

    def _begin(self, checkpoint: str, wish: Wish) -> None:
        """Begin, and follow it from now on: it may be over before anybody looks."""
        assert self.engine is not None
        self.engine.learn_wish(checkpoint, wish)
        self._followed = self.engine.family.directions_of(checkpoint)

    def action_cancel(self) -> None:
        """Stop what is being learnt; what was found out so far is kept."""
        if self.engine is not None and self._followed is not None:
            self.engine.cancel_learning(self._followed)

    def _watch(self) -> None:
        """Show how far a learning is; once it has ended, what there is now."""
        if self.engine is None or self.app.screen is not self:
            return
        jobs = {each.name: self.engine.learning(each.name) for each in self.engine.family.checkpoints}
        now = next((name for name, job in jobs.items() if job is not None and not job.over), None)
        before, self._followed = self._followed, now
        if now is not None and (job := jobs[now]) is not None:
            self.learning.update(_far(now, job))
        elif before is not None and (ended := jobs.get(before)) is not None:
            self.learning.update("")
            self.say(
                f"✗ {ended.sentence}" if ended.state == "failed" else ended.sentence, wrong=ended.state == "failed"
            )
            self.opened()


def _far(checkpoint: str, job: JobView) -> Content:
    full = round(job.part * _BAR)
    bar = ("█" * full + "░" * (_BAR - full), "$text-accent")
    return Content.assemble(bar, f" {checkpoint}: {job.said} ", ("x cancels", "$quiet"))
