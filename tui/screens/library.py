"""The Library screen: every direction that is here, its card, and learning a new one from two boxes of examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import DataTable, Static

from core.util.text import clean
from tui.screens.library_shelf import LibraryShelf
from tui.screens.screen import Place
from tui.text import clipped
from tui.widgets.progress import progress

if TYPE_CHECKING:
    from core.directions.library import Entry
    from core.directions.request import LearnRequest
    from tui.chat.screen import ChatScreen

_WATCH_EVERY = 0.25
#: Of the library's columns, those that are worth their room where there is not enough for all.
_SHORT = (0, 2, 3, 4, 5, 9)
#: The column that gives way where the others have no room beside it, and what stays of it; the card has it whole.
_METHOD, _LEAST = 3, 16
#: The column of accuracies.
_SCORE = 5
#: The columns that say what kind it is, and of which checkpoint.
_KIND, _WHERE = 1, 2
#: Cells of a row that are no column's: the screen's margins and the scroll bar.
_AROUND = 6


class LibraryScreen(Place):
    """Reached with its function key, left with Esc."""

    NAME = "library"
    AUTO_FOCUS = "DataTable"
    HELP = (
        "Every direction, map and score of this family. s teaches a concept of the shelf, w one of your own word, whose pairs you see and "
        "edit; u opens Chat with the direction under the cursor, t answers a prompt at nine strengths of it, Enter shows its card. k keeps "
        "the recipe of Chat's selected column as a preset, p opens Chat with one. n learns from examples of your own or by another "
        "method, while you chat; x cancels that, and what was found out so far is kept. i imports a "
        "vector of another program, e writes the one under the cursor for llama.cpp or for another Tiller, d deletes one of your own."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "shelf", "Shelf", id="library.shelf"),
        Binding("w", "word", "Word", id="library.word"),
        Binding("u", "use", "Use in Chat", id="library.use"),
        Binding("t", "strengths", "Strengths", id="library.strengths"),
        Binding("p", "presets", "Presets", id="library.presets"),
        Binding("k", "keep", "Keep recipe", show=False, id="library.keep"),
        Binding("ctrl+x", "stop", "Stop", show=False, id="library.stop"),
        Binding("n", "learn", "Learn", id="library.learn"),
        Binding("i", "bring", "Import", id="library.import"),
        Binding("e", "take", "Export", id="library.export"),
        Binding("d", "delete", "Delete", id="library.delete"),
        Binding("x", "cancel", "Cancel learning", id="library.cancel"),
    ]
    DEFAULT_CSS = """
    LibraryScreen {
        & DataTable { height: auto; max-height: 100%; margin: 1 0; background: transparent; }
        & #learning { height: auto; }
    }
    """

    def __init__(self, chat: ChatScreen) -> None:
        super().__init__(chat)
        self.table: DataTable[str] = DataTable(cursor_type="row", zebra_stripes=True)
        self.learning, self.told = Static(id="learning"), Static(id="told")
        self.shelf = LibraryShelf(self, self.begin)
        self.entries: tuple[Entry, ...] = ()
        self._followed: str | None = None
        self._written = 0
        self._asked = ""

    def body(self) -> ComposeResult:
        """What the screen is for, how far a learning is, the list."""
        yield self.told
        yield self.learning
        yield self.table

    def on_mount(self) -> None:
        """Watch what is being learnt, here or in Chat."""
        self.set_interval(_WATCH_EVERY, self._watch)

    def opened(self) -> None:
        """Draw the list as it is now, with the cursor on what is new of one's own; at first on a direction of the model in Chat."""
        from core.directions import library

        if self.engine is None:
            return
        at, before = self.table.cursor_row, {entry.path: entry.card for entry in self.entries}
        self.entries = library.entries(self.engine.family)
        new = [row for row, entry in enumerate(self.entries) if entry.own and entry.card != before.get(entry.path)]
        at = new[0] if before and new else at
        if not before and (begin := library.first(self.engine.family, self.entries)) is not None:
            at = self.entries.index(begin)
        self.table.clear(columns=True)
        rows = [entry.row for entry in self.entries]
        widths = _widths(library.HEADINGS, rows)
        whole = self._over(widths) <= widths[_METHOD] - _LEAST
        if not whole:
            # The interval of the accuracy is read on the card.
            rows = [(*row[:_SCORE], row[_SCORE].partition(" (")[0], *row[_SCORE + 1 :]) for row in rows]
            widths = {index: width for index, width in _widths(library.HEADINGS, rows).items() if index in _SHORT}
        widths[_METHOD] = max(min(_LEAST, widths[_METHOD]), widths[_METHOD] - max(0, self._over(widths)))
        for index, width in widths.items():
            self.table.add_column(library.HEADINGS[index], width=width)
        for entry, row in zip(self.entries, rows, strict=True):
            cells = (Content(_fitted(row, index, width, whole)) for index, width in widths.items())
            self.table.add_row(*cells, key=entry.key)  # type: ignore[arg-type]
        self.table.move_cursor(row=min(at, max(0, len(self.entries) - 1)))
        self._tell()
        self._watch()

    def on_data_table_row_highlighted(self, _event: DataTable.RowHighlighted) -> None:
        """Tell of the entry under the cursor."""
        self._tell()

    def _tell(self) -> None:
        """What the checkpoint can be steered by, and what the direction under the cursor does."""
        from core.directions.conclusion import direction_conclusion, shelf_conclusion

        if self.engine is None:
            return
        final = self.engine.family.final.name
        said = shelf_conclusion(self.engine.catalogue.cards(final), final)
        entry = self._entry()
        does = direction_conclusion(entry.card) if entry and entry.card and entry.kind == "direction" else ""
        about = (
            f"{entry.title}: {does}"
            if entry and does
            else "s teaches a concept, w one of your own word; Enter shows a card."
        )
        self.told.update(Content.assemble((said, "bold"), f"\n{about}"))

    def _over(self, widths: dict[int, int]) -> int:
        """By how many cells columns of such widths are wider than the screen."""
        return sum(width + 2 * self.table.cell_padding for width in widths.values()) + _AROUND - self.size.width

    def commands(self) -> Iterator[SystemCommand]:
        """What the palette offers here."""
        yield SystemCommand("Shelf", "Teach one of fifteen concepts: formal, cheerful, pirate …", self.action_shelf)
        yield SystemCommand("A direction from one word", "The model writes the pairs, you edit them", self.action_word)
        yield SystemCommand("Use in Chat", "The direction under the cursor, beside the plain model", self.action_use)
        yield SystemCommand("Nine strengths", "A table of answers with class and damage", self.action_strengths)
        yield SystemCommand("Presets", "Open Chat with a recipe that you kept", self.action_presets)
        yield SystemCommand("Keep a preset", "The selected column's recipe, under a name", self.action_keep)
        yield SystemCommand("Learn a direction", "From two boxes of examples, by any method", self.action_learn)
        yield SystemCommand("Cancel learning", "What was found out so far is kept", self.action_cancel)
        yield SystemCommand(
            "Import a vector", "Of llama.cpp, repeng, steering-vectors or torch.save", self.action_bring
        )
        yield SystemCommand("Export a direction", "For llama.cpp and repeng, or for another Tiller", self.action_take)
        yield SystemCommand("Delete a direction", "One that you learnt or imported", self.action_delete)

    # ----------------------------------------------------------------------------------------------------------- cards

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Show the card of an entry, or what is wrong with it."""
        from core.directions import card
        from tui.dialogs.dialogs import TextDialog
        from tui.text import shown

        entry = self.entries[event.cursor_row]
        if entry.card is None:
            self.notice.refuse(f"{entry.problem}")
            return
        text = card.card_text(entry.card)
        self.app.push_screen(TextDialog(entry.title, Content(shown(text)), copy=text))

    # ------------------------------------------------------------------------------------------------- shelf and Chat

    def action_shelf(self) -> None:
        """Teach a concept of the shelf."""
        self.shelf.shelf()

    def action_word(self) -> None:
        """Teach one of a person's own word."""
        self.shelf.word()

    def action_use(self) -> None:
        """Open Chat with the direction under the cursor."""
        self.shelf.use(self._entry())

    def action_strengths(self) -> None:
        """Nine strengths of the direction under the cursor."""
        self.shelf.strengths(self._entry())

    def action_presets(self) -> None:
        """Open Chat with a preset."""
        self.shelf.presets()

    def action_keep(self) -> None:
        """Keep the selected column of Chat as a preset."""
        self.shelf.keep()

    def action_stop(self) -> None:
        """Stop what is being written or answered."""
        self.stop_slices()

    # -------------------------------------------------------------------------------------------------------- learning

    def action_learn(self) -> None:
        """Ask what to learn, and begin."""
        from tui.dialogs.learn import LearnDialog

        if self.engine is None:
            self.notice.refuse("The family is still being read; learn in a moment.")
            return
        names = [each.name for each in self.engine.family.present]
        self.app.push_screen(LearnDialog(names, self.chat.model.own_checkpoint, self.begin))

    def begin(self, checkpoint: str, wish: LearnRequest) -> None:
        """Begin, and follow it from now on: it may be over before anybody looks."""
        assert self.engine is not None
        self.engine.learn_requested(checkpoint, wish)
        self._followed = self.engine.family.directions_of(checkpoint)

    def action_cancel(self) -> None:
        """Stop what is being learnt; what was found out so far is kept."""
        if self.engine is not None and self._followed is not None:
            self.engine.cancel_learning(self._followed)

    # -------------------------------------------------------------------------------------------------------- in and out

    def action_bring(self) -> None:
        """Ask for a file, and make it a direction."""
        from tui.dialogs.import_vector import ImportDialog

        if self._ready():
            names = [each.name for each in self.engine.family.present]  # type: ignore[union-attr]
            self.app.push_screen(ImportDialog(names, self.chat.model.own_checkpoint, self._bring), self._changed)

    def action_take(self) -> None:
        """Ask where to, and write the direction under the cursor."""
        from tui.dialogs.dialogs import LineDialog

        entry = self._entry()
        if entry is not None and self._ready():
            hint = "A file that is not there yet: .gguf for llama.cpp and repeng, .safetensors for another Tiller."
            proposed = str(Path.cwd() / f"{entry.name}.{entry.checkpoint}.gguf")
            self.app.push_screen(LineDialog(f"Export {entry.title}", proposed, hint, self._take), self._told)

    def action_delete(self) -> None:
        """Ask whether the one under the cursor is to be deleted."""
        from tui.dialogs.dialogs import PickDialog

        entry = self._entry()
        if entry is None or not self._ready():
            return
        if not entry.own:
            self.notice.refuse(f"{entry.title} came with the family and stays.")
            return
        self._asked = entry.key
        choices = [("keep", "it stays"), ("delete", "for good")]
        self.app.push_screen(PickDialog(f"Delete {entry.title}?", choices, "keep"), self._delete)

    def _entry(self) -> Entry | None:
        at = self.table.cursor_row
        return self.entries[at] if 0 <= at < len(self.entries) else None

    def _ready(self) -> bool:
        """Whether files can be read and written now; else says why not."""
        if self.engine is None or self.engine.status.state == "starting":
            self.notice.refuse("The program is still starting; try again in a moment.")
            return False
        return True

    def _bring(self, path: Path, checkpoint: str, name: str, layer: int | None, scale: float) -> str:
        from core.exchange import exchange

        assert self.engine is not None
        return " ".join(exchange.import_vector(self.engine.family, checkpoint, path, name, layer, scale).sentences)

    def _take(self, text: str) -> str:
        from core.exchange import exchange

        entry = self._entry()
        assert self.engine is not None
        assert entry is not None
        done = exchange.write_direction(self.engine.family, entry.path, Path(clean(text).strip()).expanduser())
        return f"Written to {done.path}"

    def _delete(self, choice: str | None) -> None:
        from core.exchange import exchange

        if choice != "delete" or self.engine is None:
            return
        with self.notice.refusing():
            self._changed(" ".join(exchange.remove(self.engine.family, self._asked).sentences))

    def _changed(self, said: str | None) -> None:
        """The library is another now, and so are Chat's sliders."""
        if said is not None:
            self.opened()
            self.chat.learning.show_new_directions()
            self._told(said)

    def _told(self, said: str | None) -> None:
        if said is not None:
            self.say(said)

    def _watch(self) -> None:
        """Show how far a learning is; once it has ended, what there is now."""
        if self.engine is None or not self.is_active:
            return
        jobs = {each.name: self.engine.learning(each.name) for each in self.engine.family.checkpoints}
        now = next((name for name, job in jobs.items() if job is not None and not job.over), None)
        before, self._followed = self._followed, now
        written = sum(job.written for job in jobs.values() if job is not None)
        news, self._written = written != self._written, written
        self.learning.display = now is not None
        if now is not None and (job := jobs[now]) is not None:
            self.learning.update(progress(job.part, f"{now}: {job.said}"))
            if news:
                self.opened()
        elif before is not None and (ended := jobs.get(before)) is not None:
            self.say(
                f"✗ {ended.sentence}" if ended.state == "failed" else ended.sentence, wrong=ended.state == "failed"
            )
            self.opened()


def _widths(heads: Sequence[str], rows: Sequence[tuple[str, ...]]) -> dict[int, int]:
    """How wide each column wants to be."""
    return {index: max(map(len, each)) for index, each in enumerate(zip(heads, *rows, strict=True))}


def _fitted(row: tuple[str, ...], index: int, width: int, whole: bool) -> str:
    """A cell as it fits: no two rows look alike because of what had no room."""
    text = row[index]
    if index == _WHERE and text == "shared" and not whole:
        # The column of kinds was left out, and of several checkpoints only kinds tell what it is.
        return row[_KIND]
    if index == _METHOD and len(text) > width and "/" in text:
        # Where it is mapped from: the checkpoint stands at the end.
        start = "from …"
        return f"{start}{text[len(start) - width :]}"
    return clipped(text, width)
