"""The recipe of the selected column as one line of text, with what it does, or what is wrong with it, beneath."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.highlighter import Highlighter
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.suggester import Suggester
from textual.widgets import Input

from core.recipes.completion import complete
from tui.messages import RecipeTyped
from tui.widgets.words import Words

if TYPE_CHECKING:
    from rich.text import Text

_NOTHING = "nothing: the model as it is"
#: The cells of a line that says so.
_EMPTY = len(_NOTHING)


class _Names(Suggester):
    """Completes the names of directions, checkpoints, scopes and sets of neurons at the end of the line."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.directions: Sequence[str] = ()
        self.checkpoints: Sequence[str] = ()
        self.sets: Sequence[str] = ()

    async def get_suggestion(self, value: str) -> str | None:
        """The line with the first fitting name in its place; nothing where nothing was begun."""
        found = complete(value, self.directions, self.checkpoints, self.sets)
        begun = value[found.start :] or value[-1:] in ("@", "!", "*", ":", "?")
        return value[: found.start] + found.names[0] if found.names and begun else None


class _Fault(Highlighter):
    """Marks the column at which reading the recipe stopped."""

    def __init__(self) -> None:
        self.column: int | None = None

    def highlight(self, text: Text) -> None:
        """Underline from the column on."""
        if self.column is not None:
            text.stylize("bold red underline", self.column - 1, len(text.plain))


class RecipeInput(Input):
    """The line itself."""

    HELP = (
        "What to do to the selected column while it answers, as one line:\n"
        "  1.5*refusal           add 1.5 strengths of the refusal direction\n"
        "  -0.3*truth@base       against truth, with the direction learnt on the checkpoint base\n"
        "  truth[3-5]:reply      only at layers 3 to 5, only on the answer's tokens\n"
        "  !refusal              take refusal out everywhere        refusal=0    hold it\n"
        "  2*truth?refusal>0.5   only where refusal read above 0.5 at the token before\n"
        "  !neurons:entropy      set the neurons of that set to their means\n"
        "Join terms with + and -. Tab or → accepts a completion, Enter answers again with the recipe."
    )
    DEFAULT_CSS = """
    RecipeInput { width: 1fr; background: $field; }
    RecipeInput.-textual-compact { padding: 0 1; }
    RecipeInput:ansi { background: ansi_default; text-style: underline; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "accept", "Complete", show=False, id="recipe.accept"),
        Binding("enter", "submit", "Answer with it", key_display="⏎", id="recipe.submit"),
    ]

    def action_accept(self) -> None:
        """Take the completion; where there is none, go on to the next widget."""
        if self._suggestion and self._suggestion != self.value:
            self.value = self._suggestion
            self.cursor_position = len(self.value)
        else:
            self.screen.focus_next()


class RecipeLine(Vertical):
    """The line, its label and its verdict."""

    SCOPED_CSS: ClassVar[bool] = False  # The rules look at the screen's width class, which is above the widget.
    DEFAULT_CSS = """
    RecipeLine {
        height: auto; margin: 0 0 1 0;
        & > #recipe-head { color: $quiet; height: 1; }
        & > #recipe-verdict { height: auto; max-height: 4; color: $text-success; padding: 0 0; }
        & > #recipe-verdict.-wrong { color: $text-error; }
        &:ansi > #recipe-head { color: ansi_default; text-style: bold; }
        &:ansi > #recipe-verdict { color: ansi_green; }
        &:ansi > #recipe-verdict.-wrong { color: ansi_red; }
    }
    .-narrow RecipeLine {
        layout: horizontal; margin: 0;
        & > #recipe-head { width: auto; max-width: 30; padding: 0 1 0 0; }
        & > RecipeInput { min-width: 18; max-width: 66%; }
        & > #recipe-verdict { width: 1fr; height: 1; padding: 0 0 0 1; text-align: right; text-wrap: nowrap; text-overflow: ellipsis; }
        /* Whole while one is at it. */
        &:focus-within > #recipe-verdict { height: auto; max-height: 3; text-wrap: wrap; }
        & > #recipe-verdict.-wrong { height: auto; max-height: 3; text-wrap: wrap; }
    }
    .-tiny RecipeLine {
        & > #recipe-verdict { display: none; }
        & > #recipe-verdict.-wrong { display: block; max-width: 20; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.names, self.fault = _Names(), _Fault()
        self._put: str | None = None
        self.head = Words(id="recipe-head")
        self.input = RecipeInput(
            placeholder=_NOTHING,
            suggester=self.names,
            highlighter=self.fault,
            compact=True,
            select_on_focus=False,
        )
        self.verdict = Words(id="recipe-verdict")

    def compose(self) -> ComposeResult:
        """Label, line, verdict."""
        yield self.head
        yield self.input
        yield self.verdict

    def show(
        self,
        label: str,
        text: str | None,
        directions: Sequence[str],
        checkpoints: Sequence[str],
        sets: Sequence[str] = (),
    ) -> None:
        """Name the column; put ``text`` into the line unless it is ``None`` (the person is typing there).

        A text that stands there already is not put again: what was typed since, and is still on its way here, would be lost.
        """
        self.head.update(Content(label))
        self.names.directions, self.names.checkpoints, self.names.sets = directions, checkpoints, sets
        if text is not None and text != self._put:
            with self.input.prevent(Input.Changed):
                self.input.value = text
        self._put = text

    def judge(self, sentence: str, wrong: bool, column: int | None = None) -> None:
        """Say what the recipe does, or what is wrong with it and at which (1-based) column."""
        self.verdict.update(Content(f"{'✗' if wrong else '✓'} {sentence}" if sentence else ""))
        self.verdict.set_class(wrong, "-wrong")
        self.fault.column = column
        self.verdict.tooltip = Content(sentence) if sentence else None
        # On a narrow screen the line takes what its text does, and the verdict the rest.
        narrow = self.screen.has_class("-narrow")
        self.input.styles.width = max(_EMPTY, cell_len(self.input.value)) + 3 if narrow else "1fr"
        self.input.refresh()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Each change is read at once."""
        event.stop()
        self.post_message(RecipeTyped(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter asks for an answer with it."""
        event.stop()
        self.post_message(RecipeTyped(event.value, run=True))
