"""The Library screen: the directions as cards, learning new ones, and beneath everything that is here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import DataTable, Static

from core.errors import TillerError
from core.util.text import clean
from tui.messages import CardChosen
from tui.screens.library_cards import Cards
from tui.screens.library_shelf import LibraryShelf
from tui.screens.library_table import LibraryTable
from tui.screens.screen import Place
from tui.widgets.fold import Fold
from tui.widgets.progress import progress

if TYPE_CHECKING:
    from core.directions.library import Entry
    from core.directions.request import LearnRequest
    from tui.chat.screen import ChatScreen

_WATCH_EVERY = 0.25
#: What can be begun here without anything being chosen first, by the name of its action: the palette offers it on every screen.
OFFERED = (
    ("Shelf", "Teach one of fifteen concepts: formal, cheerful, pirate … (Library, s)", "shelf"),
    ("A direction from one word", "The model writes the pairs, you edit them (Library, w)", "word"),
    ("Nine strengths", "A prompt at nine strengths of a direction, with class and damage (Library, t)", "strengths"),
    ("Presets", "Open Chat with a recipe that you kept, or forget one (Library, p)", "presets"),
    ("Keep a preset", "The selected column's recipe, under a name (Library, k)", "keep"),
    ("Learn a direction", "From two boxes of examples, by any method (Library, n)", "learn"),
    ("Import a vector", "Of llama.cpp, repeng, steering-vectors or torch.save (Library, i)", "bring"),
)
_OF_THE_CHOSEN = (
    ("Use in Chat", "The chosen direction, beside the plain model (u)", "use"),
    ("Cancel learning", "What was found out so far is kept (x)", "cancel"),
    ("Export a direction", "For llama.cpp and repeng, or for another Tiller (e)", "take"),
    ("Delete a direction", "One that you learnt or imported (d)", "delete"),
)


class LibraryScreen(Place):
    """Reached with its function key, left with Esc."""

    NAME = "library"
    AUTO_FOCUS = "DirectionCard"
    HELP = (
        "Every direction, map and score of this family. s teaches a concept of the shelf, w one of your own word, whose pairs you see and "
        "edit; u opens Chat with the chosen direction, t answers a prompt at nine strengths of it, Enter shows its card. k keeps "
        "the recipe of Chat's selected column as a preset, p opens Chat with one. n learns from examples of your own or by another "
        "method, while you chat; x cancels that, and what was found out so far is kept. i imports a "
        "vector of another program, e writes the chosen one for llama.cpp or for another Tiller, d deletes one of your own."
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
        & #learning { height: auto; }
        & #library-all { margin: 1 0 0 0; }
    }
    """

    def __init__(self, chat: ChatScreen) -> None:
        super().__init__(chat)
        self.table, self.cards = LibraryTable(), Cards()
        self.everything = Fold("Everything that is here", self.table, id="library-all")
        self.learning, self.told = Static(id="learning"), Static(id="told")
        self.shelf = LibraryShelf(self, self.begin)
        self.entries: tuple[Entry, ...] = ()
        self._followed: str | None = None
        self._written = 0
        self._asked = ""
        #: The key of the entry that the keys act on.
        self.chosen = ""

    def body(self) -> ComposeResult:
        """What there is to steer by, how far a learning is, the cards, and beneath them the list of everything."""
        yield self.told
        yield self.learning
        yield self.cards
        yield self.everything

    def on_mount(self) -> None:
        """Watch what is being learnt, here or in Chat."""
        self.set_interval(_WATCH_EVERY, self._watch)

    def opened(self) -> None:
        """Draw what is here now, with the focus on what is new of one's own; at first on a direction of the model in Chat."""
        from core.directions import library

        if self.engine is None:
            return
        before = {entry.key for entry in self.entries}
        self.entries = library.entries(self.engine.family)
        # What is only measured further takes the focus from nothing.
        new = [entry.key for entry in self.entries if entry.own and entry.key not in before]
        first = library.first(self.engine.family, self.entries)
        self.chosen = (
            new[0] if before and new else first.key if not before and first else self.chosen if self._entry() else ""
        )
        self.cards.show(library.usable(self.engine.family, self.entries))
        keys = [entry.key for entry in self.entries]
        at = keys.index(self.chosen) if self.chosen in keys else self.table.cursor_row
        self.table.show(self.entries, self.size.width, at)
        self.everything.title = f"Everything that is here ({len(keys)}), to take elsewhere or delete"
        if (not before or new) and not isinstance(self.focused, LibraryTable):
            self.cards.choose(self.chosen)
        self._tell()
        self._watch()

    def on_resize(self) -> None:
        """Another width has room for other columns."""
        if self.entries:
            self.table.show(self.entries, self.size.width, self.table.cursor_row)

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """The keys act on the entry under the cursor."""
        if self.table.has_focus and event.row_key.value:
            self.chosen = event.row_key.value

    def on_descendant_focus(self) -> None:
        """The table has a cursor from before."""
        if self.table.has_focus and 0 <= self.table.cursor_row < len(self.entries):
            self.chosen = self.entries[self.table.cursor_row].key

    def on_card_chosen(self, message: CardChosen) -> None:
        """The keys act on the card that has the focus."""
        self.chosen = message.key

    def _tell(self) -> None:
        """What the checkpoint can be steered by, and how it learns more."""
        from core.directions.conclusion import shelf_conclusion
        from core.directions.request import check_system_prompts

        if self.engine is None:
            return
        final = self.engine.family.final.name
        said = shelf_conclusion(self.engine.catalogue.cards(final), final)
        how = "s teaches a concept, w one of your own word, n from examples of your own."
        try:
            check_system_prompts(self.engine.family)
        except TillerError as error:
            how = f"{error}"
        self.told.update(Content.assemble((said, "bold"), (f"\n{how}", "$quiet")))

    def commands(self) -> Iterator[SystemCommand]:
        """What the palette offers here."""
        for title, about, action in (*OFFERED, *_OF_THE_CHOSEN):
            yield SystemCommand(title, about, getattr(self, f"action_{action}"))

    # ----------------------------------------------------------------------------------------------------------- cards

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter in the table, or a click there."""
        self.chosen = event.row_key.value or ""
        self.action_card()

    def action_card(self) -> None:
        """Show all that is known of an entry, or what is wrong with it."""
        from core.directions import card
        from tui.dialogs.dialogs import TextDialog
        from tui.text import shown

        entry = self._entry()
        if entry is None:
            return
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
        """What the keys act on."""
        return next((each for each in self.entries if each.key == self.chosen), None)

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
