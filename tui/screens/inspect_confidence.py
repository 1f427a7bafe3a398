"""The second section of the Inspect screen: entropy neurons and calibration of a checkpoint, beside its base."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from core.errors import TillerError
from tui.screens.inspect_panel import Panel
from tui.shell import shell

if TYPE_CHECKING:
    from core.confidence.confidence import Confidence

_HEIGHT = 16
_WIDE = 140
_WATCH_EVERY = 0.5


class ConfidencePanel(Panel):
    """Plots, verdicts, and what can be done about them; its keys act while it has the focus."""

    HELP = (
        "Which neurons of the last blocks set how sure the model is, and how well calibrated it is. ← and → choose a checkpoint, m "
        "measures it and its base while you chat, x cancels that, a puts !neurons:entropy into the selected column's recipe or takes "
        "it out, t shows every figure as a table, s saves plots and tables as SVG and CSV."
    )
    ID, TITLE = "confidence", "Confidence"
    KEYS = "m Measure  a Ablate  t Table  s Save  ←→ Checkpoint"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "other(-1)", "Checkpoint", show=False, id="confidence.previous"),
        Binding("right", "other(1)", "Checkpoint", show=False, id="confidence.next"),
        Binding("m", "measure", "Measure", id="confidence.measure"),
        Binding("x", "cancel", "Cancel", id="confidence.cancel"),
        Binding("a", "ablate", "Ablate these", id="confidence.ablate"),
        Binding("t", "table", "Table", id="confidence.table"),
        Binding("s", "save", "Save", id="confidence.save"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.concluded, self.picture = Static(id="confidence-told"), Static(id="confidence-picture")
        self.plots = Static(id="confidence-plots", classes="figures")
        self.words = Static(id="confidence-words", classes="figures")
        self.checkpoint = ""
        self.waiting: list[str] = []
        self.measuring = ""
        #: How often something was written when it was last looked at.
        self.seen = 0

    def compose(self) -> ComposeResult:
        """What it comes to with a small picture, the plots, and what is said of them."""
        yield self.concluded
        yield self.picture
        yield self.plots
        yield self.words

    def on_mount(self) -> None:
        """Watch what is being measured, here or elsewhere."""
        self.set_interval(_WATCH_EVERY, self._watch)

    def on_resize(self) -> None:
        """Plots are as wide as the screen."""
        self.draw()

    # -------------------------------------------------------------------------------------------------------- drawing

    def draw(self) -> None:
        """Everything that is known of the chosen checkpoint and its base."""
        from core.confidence import tables
        from core.confidence.conclusion import confidence_conclusion

        if self.engine is None or not self.is_mounted:
            return
        names = [each.name for each in self.engine.family.present]
        self.checkpoint = self.checkpoint if self.checkpoint in names else self.engine.family.final.name
        self.border_title = Content(f"Confidence: {self.checkpoint}")
        try:
            every = self._known()
            told = [Content.styled(confidence_conclusion(every), "bold")] if every else []
            self.concluded.update(Content("\n").join([*told, *map(Content, self._lacking(every))]))
            self.picture.display = bool(every)
            self.picture.update(self._pictured(every))
            self.plots.update(self._drawn(every) if every else "")
            found = tables.confidence_verdicts(every)
            self.words.update(Content("\n".join(f"{each.claim} {each.sentence} ({each.figures})" for each in found)))
        except TillerError as error:
            self.concluded.update(Content(f"✗ {error}"))

    def _pictured(self, every: list[Confidence]) -> Content:
        from tui.widgets import confidence_plots

        return confidence_plots.sureness(every, max(40, self.content_size.width)) if every else Content("")

    def _drawn(self, every: list[Confidence]) -> Content:
        from tui.widgets import confidence_plots

        glyphs = shell(self).glyphs
        whole = max(40, self.size.width - 2)
        if whole < _WIDE:
            parts = (
                confidence_plots.scatter(every[-1], whole, _HEIGHT, glyphs),
                confidence_plots.reliability(every, whole, _HEIGHT, glyphs),
            )
            return Content("\n").join(parts)
        half = whole // 2
        left = confidence_plots.scatter(every[-1], half, _HEIGHT, glyphs).split("\n")
        right = confidence_plots.reliability(every, half, _HEIGHT, glyphs).split("\n")
        return Content("\n").join([one + other for one, other in zip(left, right, strict=False)])

    def _lacking(self, every: list[Confidence]) -> list[str]:
        """What is not measured yet, or not to its end."""
        lacking = [each for each in self._pair() if each not in {of.checkpoint for of in every}]
        said = [f"{' and '.join(lacking)}: not measured yet; m measures it while you chat."] if lacking else []
        return said + [of.unfinished for of in every if of.unfinished]

    def _watch(self) -> None:
        """Say how far a measurement is; when it has ended, begin the next one or draw what is there now."""
        if self.engine is None or not self.measuring:
            return
        view = self.engine.learning(self.measuring, "confidence")
        if view is None:
            return
        self.say(f"{self.measuring}: {view.said}", wrong=view.state == "failed")
        if view.written > self.seen and not view.over:
            # What is there so far is shown, and grows sharper.
            self.draw()
        self.seen = view.written
        if view.over:
            self.measuring = ""
            if view.state != "done":
                self.waiting = []
            self._begin()
            self.draw()

    # ---------------------------------------------------------------------------------------------------------- doing

    def action_other(self, by: int) -> None:
        """Another checkpoint."""
        if self.engine is not None:
            names = [each.name for each in self.engine.family.present]
            self.checkpoint = (
                names[(names.index(self.checkpoint) + by) % len(names)] if self.checkpoint in names else names[-1]
            )
            self.draw()

    def action_measure(self) -> None:
        """Measure what is lacking of the checkpoint and its base, else the checkpoint anew."""
        if self.engine is None or self.measuring:
            return
        try:
            there = {of.checkpoint for of in self._known() if not of.unfinished}
        except TillerError:
            # What cannot be read is measured again.
            there = set()
        self.waiting = [each for each in self._pair() if each not in there] or [self.checkpoint]
        self._begin()

    def action_cancel(self) -> None:
        """Stop measuring."""
        self.waiting = []
        if self.engine is not None and self.measuring:
            self.engine.cancel_learning(self.measuring, "confidence")

    def action_ablate(self) -> None:
        """Put the set into the selected column's recipe, or take it out, and go to Chat coloured by entropy."""
        from dataclasses import replace

        from core.confidence import confidence

        if self.engine is None:
            return
        chat = self.place.chat
        column = chat.session.settings.column
        own = self.engine.family.directions_of(column.checkpoint)
        on = not confidence.ablates(column.recipe)
        with self.notice.refusing():
            recipe = confidence.switched(column.recipe, on, None if own == self.checkpoint else self.checkpoint)
            self.engine.explain(recipe, column.checkpoint)
            chat.session.settings = replace(chat.session.settings, lens="entropy")
            chat.sliders.use(recipe)
            self.place.action_chat()

    def action_table(self) -> None:
        """Every figure as text."""
        from tui.dialogs.dialogs import TextDialog

        text = "\n\n".join(self._tables())
        if text:
            self.app.push_screen(TextDialog(f"Confidence: {self.checkpoint}", Content(text), copy=text))

    def action_save(self) -> None:
        """Ask for a folder and write plots and tables there."""
        if self._tables():
            hint = "A folder: the plots go there as SVG, the figures as CSV."
            self.ask_where("Save plots and tables", "confidence", hint, self._saved)

    def _saved(self, folder: str) -> str:
        from core.confidence import tables
        from core.util.files import write_bytes

        to = Path(folder).expanduser()
        texts = tables.files(self._known())
        for name, text in texts.items():
            write_bytes(to / name, text.encode())
        return f"{len(texts)} files written to {to}."

    def _tables(self) -> list[str]:
        """Every table as text; says what stands in the way where there is none."""
        from core.confidence import tables

        try:
            found = [each.text() for each in tables.tables(self._known())] if self.engine else []
        except TillerError as error:
            self.notice.refuse(error)
            return []
        if not found:
            self.notice.refuse("Nothing is measured yet; m measures it.")
        return found

    def _begin(self) -> None:
        if self.waiting and self.engine is not None:
            self.measuring = self.waiting.pop(0)
            try:
                self.engine.learn(self.measuring, ("confidence",))
            except TillerError as error:
                self.measuring = ""
                self.notice.refuse(error)

    # ------------------------------------------------------------------------------------------------------ looking up

    def _pair(self) -> list[str]:
        assert self.engine is not None
        return list(dict.fromkeys((self.engine.family.path(self.checkpoint)[0].name, self.checkpoint)))

    def _known(self) -> list[Confidence]:
        from core.confidence import confidence

        assert self.engine is not None
        found = (confidence.stored_confidence(self.engine.family, each) for each in self._pair())
        return [each for each in found if each is not None]
