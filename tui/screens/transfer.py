"""The Transfer screen: whether what one checkpoint learnt works on another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import DataTable, Static

from core.chat.screens import tab
from tui.screens.screen import Place
from tui.shell import shell
from tui.widgets.fold import Fold
from tui.widgets.progress import progress

if TYPE_CHECKING:
    from core.transfer.matrix import Shade
    from core.transfer.report import TransferReport
    from tui.chat.screen import ChatScreen

_WATCH_EVERY = 0.5
#: From this width on there is room for intervals in the matrix.
_WIDE = 110


class TransferScreen(Place):
    """Reached with its function key, left with Esc."""

    NAME = "transfer"
    AUTO_FOCUS = "DataTable"
    HELP = (
        "A direction of every checkpoint (rows) on every checkpoint (columns). What it comes to in the cell under the cursor stands above; "
        "d changes the direction, v what the matrix shows, m measures while you chat, x cancels that, Enter tries the cell in Chat. "
        "Tab goes on to what folds out beneath, and Enter opens it: the cell's figures, what was checked, what the matrix shows. "
        "Page Down and Page Up scroll."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "direction", "Direction", id="transfer.direction"),
        Binding("v", "measure", "Value", id="transfer.value"),
        Binding("m", "start", "Measure", id="transfer.measure"),
        Binding("x", "cancel", "Cancel", id="transfer.cancel"),
        # A matrix has few rows, and what is told of a cell is longer than the screen.
        Binding("pagedown", "page(1)", "Further down", show=False, priority=True, id="transfer.down"),
        Binding("pageup", "page(-1)", "Further up", show=False, priority=True, id="transfer.up"),
    ]
    DEFAULT_CSS = """
    TransferScreen {
        & DataTable { height: auto; max-height: 60%; margin: 1 0; background: transparent; }
        & #said { min-height: 3; }
    }
    """

    def __init__(self, chat: ChatScreen) -> None:
        super().__init__(chat)
        self.table: DataTable[Content] = DataTable(cursor_type="cell", fixed_columns=1)
        self.said, self.went, self.shown = Static(id="said"), Static(id="went"), Static(id="shown")
        self.cell, self.checks, self.how = Fold("Every figure"), Fold("What was checked"), Fold("What the matrix shows")
        self.report: TransferReport | None = None
        self.about = "truth"
        self.measure = "cosine"
        self._running = False
        #: How often something was written when it was last looked at.
        self._seen = 0

    def body(self) -> ComposeResult:
        """What it comes to, how far measuring is, the matrix, and what folds out beneath."""
        yield self.said
        yield self.went
        yield self.shown
        yield self.table
        yield self.cell
        yield self.checks
        yield self.how

    def on_mount(self) -> None:
        """Watch what is being measured, here or in the browser."""
        self.set_interval(_WATCH_EVERY, self._watch)

    def opened(self) -> None:
        """Draw the report as it is now."""
        from core.errors import TillerError
        from core.transfer import report
        from core.transfer.task import parted

        if self.engine is None:
            return
        problem = ""
        try:
            self.report = report.find_report(self.engine.family, *parted(self.about))
            problem = self.engine.transfers.stale(self.about) if self.report else ""
        except TillerError as error:
            self.report, problem = None, str(error)
        self.table.clear(columns=True)
        self.shown.display = self.table.display = self.report is not None
        if self.report is None:
            how = self.engine.family.alone or "Nothing has been carried yet: press m, and chat on while it goes."
            self.said.update(f"{tab(self.NAME).about}\n\n{how}")
            for fold in (self.cell, self.checks, self.how):
                fold.show(None)
        else:
            self._draw(self.report)
        if problem:
            self.notice.refuse(f"{problem}")
        self._watch()

    def _draw(self, report: TransferReport) -> None:
        from core.transfer import matrix

        known = matrix.measures(report)
        self.measure = self.measure if self.measure in known else "cosine"
        chosen = known[self.measure]
        self.shown.update(
            Content.assemble(
                "".join(f"{said}\n" for said in report.cautions),
                (f"{self.about}: {chosen.title} · from ↓ to →", "$quiet"),
            )
        )
        self.how.show(Content(chosen.sentence))
        found = matrix.findings(report)
        told = [Content.assemble((line, "bold"), *(f"\n  {part}" for part in parts)) for line, parts in found]
        self.checks.show(Content("\n\n").join(told) if told else None)
        rows = [[self._label(shade) for shade in line] for line in matrix.matrix(report, self.measure)]
        self.table.add_column("", width=max(len(name) for name in report.sources))
        for column, name in enumerate(report.targets):
            self.table.add_column(name, width=max(len(name), *(len(row[column].plain) for row in rows)))
        for source, row in zip(report.sources, rows, strict=True):
            self.table.add_row(Content(source), *row)
        source, target = matrix.opening(report)
        self.table.move_cursor(row=report.sources.index(source), column=report.targets.index(target) + 1)
        self._tell()
        if self.focused is None:
            self.table.focus()
        # A table of automatic height is laid out before it knows of its rows.
        self.call_after_refresh(self.table.refresh, layout=True)
        # The cursor brings its own line into view; what the matrix shows stands above it.
        self.call_after_refresh(self.query_one("#place").scroll_home, animate=False)

    def _label(self, shade: Shade) -> Content:
        """A cell's words, without its interval where there is little room, on its colour, or behind a block where there is none."""
        words = shade.text if self.size.width >= _WIDE else shade.text.partition(" ")[0]
        colours = shade.colours
        if colours is None or self.app.ansi_color or shell(self).glyphs:
            return Content(f"{shade.glyph} {words}")
        return Content.styled(f" {words} ", f"{colours[1]} on {colours[0]}")

    def action_page(self, by: int) -> None:
        """Scroll by a screenful."""
        place = self.query_one("#place")
        place.scroll_relative(y=by * max(1, place.size.height - 2), animate=False)

    def commands(self) -> Iterator[SystemCommand]:
        """What the palette offers here."""
        yield SystemCommand("Carry the direction", "Measure it from every checkpoint to every other", self.action_start)
        yield SystemCommand("Cancel measuring", "What was found out so far is kept", self.action_cancel)

    # ----------------------------------------------------------------------------------------------------------- a cell

    def on_data_table_cell_highlighted(self, _event: DataTable.CellHighlighted) -> None:
        """Tell of the cell under the cursor."""
        self._tell()

    def on_data_table_cell_selected(self, _event: DataTable.CellSelected) -> None:
        """Try the cell in Chat."""
        from core.chat.session import Session
        from core.transfer import matrix

        where = self._where()
        if self.report is None or where is None or self.chat.runs.refuse(self.notice):
            return
        with self.notice.refusing():
            settings = matrix.try_in_chat(self.chat.session.settings, self.report, *where)
            self.chat.conversation.open(Session(settings))
            self.chat.notice.say(f"The direction of {where[0]} on {where[1]}: {settings.column.recipe}")

    def _where(self) -> tuple[str, str] | None:
        row, column = self.table.cursor_coordinate
        if self.report is None or not 1 <= column <= len(self.report.targets) or row >= len(self.report.sources):
            return None
        return self.report.sources[row], self.report.targets[column - 1]

    def _tell(self) -> None:
        from core.transfer import conclusion, matrix

        where = self._where()
        if self.report is None or where is None:
            return
        source, target = where
        why = conclusion.no_use(self.report, source, target)
        said = conclusion.transfer_conclusion(self.report, source, target)
        self.said.update(Content.assemble((said, "bold"), f"\n{why}" if why else ""))
        figures = matrix.describe_cell(self.report, source, target)
        figures += [
            (f"{name}, layer 0 to {len(values) - 1}", _by_layer(values))
            for name, values, _ in matrix.curves(self.report, source, target)
        ]
        lines = [Content.assemble((f"{label}: ", "$quiet"), words) for label, words in figures]
        self.cell.show(Content("\n").join(lines), f"Every figure of {source} → {target}")

    # -------------------------------------------------------------------------------------------------------- measuring

    def action_direction(self) -> None:
        """The next direction, those that were carried from other families after one's own."""
        from core.transfer.task import choices

        if self.engine is not None:
            offered = choices(self.engine.family)
            self.about = (
                offered[(offered.index(self.about) + 1) % len(offered)] if self.about in offered else offered[0]
            )
            self.opened()

    def action_measure(self) -> None:
        """The next value that the matrix can show."""
        from core.transfer import matrix

        if self.report is not None:
            names = list(matrix.measures(self.report))
            self.measure = names[(names.index(self.measure) + 1) % len(names)]
            self.opened()

    def action_start(self) -> None:
        """Measure, while chats go on."""
        if self.engine is not None:
            self.engine.transfers.start(self.about)
            # It may have ended before anybody looks: that is news all the same.
            self._running = True
            self._watch()

    def action_cancel(self) -> None:
        """Stop measuring; what was found out so far is kept."""
        if self.engine is not None:
            self.engine.transfers.cancel(self.about)

    def _watch(self) -> None:
        """Show how far measuring is; once it has ended, what there is now."""
        if self.engine is None or not self.is_active:
            return
        job = self.engine.transfers.view(self.about)
        before, self._running = self._running, job is not None and not job.over
        self.went.display = self._running
        self.went.update(progress(job.part, job.said) if job is not None and not job.over else "")
        news = job is not None and job.written > self._seen
        self._seen = job.written if job is not None else 0
        if job is not None and not job.over and news:
            # What is there so far is shown, and grows sharper.
            self.opened()
        if before and job is not None and job.over:
            wrong = job.state == "failed"
            self.opened()
            self.say(f"✗ {job.said}" if wrong else job.said, wrong=wrong)


def _by_layer(values: object) -> str:
    from core.util.figures import figure_text

    return " ".join(figure_text(float(each)) for each in values)  # type: ignore[attr-defined]
