"""The Chat screen's widgets and how the session is drawn on them. What the keys do is added by running, steering and chat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from core.chat.answers import Answer
from core.chat.events import Token
from core.chat.session import Session
from core.chat.slider_cache import Scrubs, scrub_key
from core.directions import dose_response
from core.display.lenses import Lens, for_cards, usual
from tui.widgets.examples import Chips
from tui.widgets.header import Header
from tui.widgets.key_line import KeyLine
from tui.widgets.learn_line import LearnLine
from tui.widgets.legend import Legend
from tui.widgets.prompt import Prompt
from tui.widgets.recipe_line import RecipeInput, RecipeLine
from tui.widgets.slider import Slider, SliderFace
from tui.widgets.token_panel import TokenPanel
from tui.widgets.token_strip import AnswerStrip, Face
from tui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from core.artefacts.store import Card
    from core.engine.engine import Engine
    from core.engine.run import Run

_RECORDED = "recorded · this was answered earlier; {when}Ctrl+R lets the model answer it now."
_EMPTY = (
    "Write a message below and press Enter: one column answers as the model is, the other one steered.\n"
    "Ctrl+↑ and Ctrl+↓ steer it. F1 helps wherever you are."
)


class Board(Screen[None]):
    """Widgets, session, and drawing."""

    AUTO_FOCUS = "#prompt"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012  Textual declares it as it is.
        (0, "-narrow"),
        (100, "-normal"),
        (128, "-wide"),
    ]
    DEFAULT_CSS = """
    Board {
        layout: vertical; background: $background;
        & > #banner { height: auto; padding: 0 1; background: $warning-muted; color: $text-warning; display: none; }
        & > #body { height: 1fr; }
        & #left { width: 1fr; height: 1fr; }
        & #panel { width: 38; height: 1fr; padding: 1 1 0 1; background: $surface; scrollbar-size-vertical: 1; }
        & #sliders { height: auto; }
        & #notice { height: auto; max-height: 3; padding: 0 1; display: none; color: $text-success; background: $panel; }
        & #notice.-wrong { color: $text-error; }
        & #ask { height: auto; max-height: 5; background: $surface; padding: 0 0 0 1; }
        & #ask > #sign { width: 2; color: $text-accent; text-style: bold; }
        &.-narrow {
            & > #body { layout: vertical; }
            & #panel { width: 1fr; height: auto; padding: 0 1; }
            & #sliders { layout: horizontal; height: auto; max-height: 2; }
            & Transcript { padding: 0 1; }
        }
        &:ansi {
            background: ansi_default;
            & > #banner { background: ansi_default; color: ansi_yellow; text-style: reverse; }
            & #panel, & #ask, & #notice { background: ansi_default; }
            & #panel { border-left: vkey ansi_bright_black; }
            &.-narrow #panel { border-left: none; }
        }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.engine: Engine | None = None
        self.session: Session | None = None
        self.run_now: Run | None = None
        self.scrub_now: Run | None = None
        self.scrubs = Scrubs(())
        self.slider_chosen = ""
        self.sources: dict[str, str | None] = {}
        self.typed: str | None = None
        self.editing = False
        self.cursor: tuple[int, int | None] = (0, None)
        self._cards: dict[str, dict[str, Card]] = {}
        self._sets: dict[str, tuple[str, ...]] = {}
        self._stage_lenses: dict[str, tuple[Lens, ...]] = {}
        self.header, self.chips, self.transcript, self.legend = Header(), Chips(), Transcript(), Legend()
        self.recipe_line, self.token_panel, self.prompt = RecipeLine(), TokenPanel(), Prompt()
        self.learn_line = LearnLine()
        self.banner, self.notice = Static(id="banner"), Static(id="notice")
        self.sliders = Vertical(id="sliders")

    def compose(self) -> ComposeResult:
        """From top to bottom; the panel stands beside the transcript where there is room."""
        yield self.header
        yield self.chips
        yield self.banner
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield self.transcript
                yield self.legend
            with VerticalScroll(id="panel", can_focus=False):
                yield self.recipe_line
                yield self.learn_line
                yield self.sliders
                yield self.token_panel
        yield self.notice
        with Horizontal(id="ask"):
            yield Static("›", id="sign")
            yield self.prompt
        yield KeyLine()

    # -------------------------------------------------------------------------------------------------------- saying

    def say(self, sentence: str, wrong: bool = False) -> None:
        """Show one sentence above the prompt until the next one; an empty one clears the line."""
        self.notice.update(Content(sentence))
        self.notice.set_class(wrong, "-wrong")
        self.notice.display = bool(sentence)

    # ------------------------------------------------------------------------------------------------------- looking up

    @property
    def chat(self) -> Session:
        """The session; only asked for once there is one."""
        assert self.session is not None
        return self.session

    @property
    def ready(self) -> bool:
        """Whether the model is in memory."""
        return self.engine is not None and self.engine.status.state in ("ready", "busy")

    def cards(self, checkpoint: str) -> dict[str, Card]:
        """A checkpoint's directions by name, read once."""
        if checkpoint not in self._cards:
            assert self.engine is not None
            self._cards[checkpoint] = {card.name: card for card in self.engine.directions(checkpoint)}
        return self._cards[checkpoint]

    def forget_cards(self) -> None:
        """Read the directions again: there may be new ones."""
        self._cards, self._sets = {}, {}

    def neuron_sets(self) -> list[str]:
        """Every set of neurons of the family, each name once."""
        assert self.engine is not None
        for each in self.engine.family.checkpoints:
            if each.name not in self._sets:
                self._sets[each.name] = self.engine.neuron_sets(each.name)
        return list(dict.fromkeys(name for found in self._sets.values() for name in found))

    def direction_names(self) -> list[str]:
        """Every direction of the family, each once."""
        assert self.engine is not None
        order = [each.name for each in self.engine.family.checkpoints]
        return usual(dict.fromkeys(name for checkpoint in order for name in self.cards(checkpoint)))

    def lenses(self) -> tuple[Lens, ...]:
        """The lenses of the selected column's checkpoint."""
        assert self.engine is not None
        checkpoint = self.chat.settings.column.checkpoint
        if checkpoint not in self._stage_lenses:
            self._stage_lenses[checkpoint] = self.engine.stage_lenses(checkpoint)
        return (*for_cards(self.cards_or_none(checkpoint).values()), *self._stage_lenses[checkpoint])

    def lens_index(self) -> int:
        """Which of them is chosen; the first one where the chosen one is not there."""
        names = [lens.name for lens in self.lenses()]
        return names.index(self.chat.settings.lens) if self.chat.settings.lens in names else 0

    def token(self) -> Token | None:
        """The token that is explained."""
        column, index = self.cursor
        answer = self.chat.answers.get(column)
        return answer.tokens[index] if answer is not None and index is not None and index < len(answer.tokens) else None

    # -------------------------------------------------------------------------------------------------------- drawing

    @property
    def drawable(self) -> bool:
        """Whether there is something to draw and all of the screen to draw it on: not before the family is read, nor while leaving."""
        parts = (self.chips, self.transcript, self.sliders, self.token_panel)
        return self.session is not None and self.engine is not None and all(part.is_attached for part in parts)

    def draw(self) -> None:
        """Draw the whole session; what did not change is not drawn again."""
        if not self.drawable or self.engine is None:
            return
        self.chips.show(self.engine.family.examples)
        self.draw_banner()
        self.draw_transcript()
        self.draw_panel()

    def draw_banner(self) -> None:
        """Say when what is shown was recorded."""
        self.banner.display = self.chat.recorded
        when = "" if self.ready else "once the model is loaded, "
        self.banner.update(Content(_RECORDED.format(when=when)))

    def draw_transcript(self) -> None:
        """Turns, answers, legend, and the token under the cursor."""
        if not self.drawable:
            return
        chat, every = self.chat, self.lenses()
        chosen, middle, glyphs = self.lens_index(), self.middle(), self.glyphs()
        turns = chat.settings.turns
        faces = [self._faces(index, every[chosen], middle, glyphs) for index in range(len(turns))]
        self.transcript.show(turns, faces, _EMPTY)
        self.legend.show(every, chosen, middle, glyphs)
        column = chat.settings.columns[min(self.cursor[0], len(chat.settings.columns) - 1)]
        self.token_panel.show(column.checkpoint, self.token())

    def _faces(self, turn: int, lens: Lens, middle: str, glyphs: bool) -> list[Face]:
        chat = self.chat
        last = turn == len(chat.settings.turns) - 1
        replies = chat.settings.turns[turn].replies
        faces = []
        for index in range(len(chat.settings.columns)):
            answer = chat.answers.get(index) if last else None
            text = replies[index] if index < len(replies) else ""
            running = last and self.run_now is not None and answer is not None and not answer.finished
            selected = last and index == chat.settings.selected
            faces.append(
                Face(
                    self._title(index, selected),
                    answer,
                    text,
                    lens,
                    middle,
                    glyphs,
                    selected,
                    running,
                    self._hint(index, answer),
                )
            )
        return faces

    def _title(self, index: int, selected: bool) -> str:
        column = self.chat.settings.columns[index]
        kind = "steered" if column.recipe else "asked" if column.asks else "plain"
        recipe = f" · {column.recipe}" if column.recipe else ""
        return f"{'●' if selected else '○'} {kind} · {column.checkpoint}{recipe}"

    def _hint(self, index: int, answer: Answer | None) -> str:
        """Said beneath an answer that the column's present recipe did not make, or that is coloured by models without any."""
        if self.lenses()[self.lens_index()].kind == "stages" and answer is not None and answer.finished:
            if answer.unblamed:
                return answer.unblamed
            if answer.awaited:
                return answer.awaited
            if self.chat.made.get(index):
                return "coloured by what the unsteered models make of the same tokens"
        if answer is None or not answer.finished or not self.chat.stale(index):
            return ""
        return f"answered with {self.chat.made.get(index) or 'no recipe'}; Ctrl+R answers again"

    def draw_panel(self) -> None:
        """Recipe line and sliders of the selected column."""
        if not self.drawable:
            return
        assert self.engine is not None
        settings = self.chat.settings
        column, names = settings.column, self.direction_names()
        label = (
            f"RECIPE of column {settings.selected + 1} · {column.checkpoint}"
            if not self.has_class("-narrow")
            else f"recipe {settings.selected + 1}·{column.checkpoint}"
        )
        text = str(column.recipe) if self.typed is None else None
        self.recipe_line.show(
            label, text, names, [each.name for each in self.engine.family.checkpoints], self.neuron_sets()
        )
        present = {slider.direction: slider for slider in self.sliders.query(Slider)}
        if list(present) != names:
            self.sliders.remove_children()
            present = {name: Slider(name) for name in names}
            self.sliders.mount_all(present.values())
        if self.slider_chosen not in names:
            self.slider_chosen = names[0] if names else ""
        for name, slider in present.items():
            slider.show(self._slider_face(name))

    def choose_slider(self) -> None:
        """The slider of the selected column's first term is the active one."""
        directions = [term.direction for term in self.chat.settings.column.recipe.terms]
        self.slider_chosen = directions[0] if directions else ""

    def source(self, direction: str) -> str | None:
        """The checkpoint that a slider's direction comes from; ``None``: the steered one's own."""
        term = self.chat.settings.column.recipe.slider(direction)
        return term.source if term is not None else self.sources.get(direction)

    def _slider_face(self, name: str) -> SliderFace:
        settings = self.chat.settings
        recipe, source = settings.column.recipe, self.source(name)
        card = self.cards_or_none(source or settings.column.checkpoint).get(name)
        kinds = ("ablate", "hold")
        other = next((term for term in recipe.terms if term.kind in kinds and term.direction == name), None)
        state = "" if other is None else "ablated" if other.kind == "ablate" else f"held at {other.value:g}"
        ready = self.scrubs.ready(scrub_key(settings, settings.selected, name, source)) if settings.turns else ()
        where = source or self.own_source(settings.column.checkpoint)
        return SliderFace(
            recipe.strength(name),
            where,
            name == self.slider_chosen,
            state,
            dose_response.stored_dose_response(card.details) if card else None,
            ready,
            card is None,
        )

    def own_source(self, checkpoint: str) -> str:
        """The checkpoint whose directions a bare name means; the name itself where the family has no such checkpoint."""
        assert self.engine is not None
        known = any(each.name == checkpoint for each in self.engine.family.choices)
        return self.engine.family.directions_of(checkpoint) if known else checkpoint

    def cards_or_none(self, checkpoint: str) -> dict[str, Card]:
        """A checkpoint's directions, none where the family has no such checkpoint."""
        assert self.engine is not None
        known = any(each.name == checkpoint for each in self.engine.family.choices)
        return self.cards(checkpoint) if known else {}

    def on_resize(self) -> None:
        """Another width may want another form."""
        self.call_after_refresh(self.draw_panel_again)

    def draw_panel_again(self) -> None:
        """Draw what depends on the width."""
        if self.drawable:
            self.draw_panel()
            self.token_panel.draw()

    # -------------------------------------------------------------------------------------------------------- looks

    def glyphs(self) -> bool:
        """Whether lenses are drawn as glyphs instead of colours."""
        return bool(getattr(self.app, "glyphs", False))

    def middle(self) -> str:
        """The colour of a signed lens's middle: the screen's ground, black or white where only the terminal knows that."""
        theme = self.app.current_theme
        ground = theme.background or ""
        return ground.lower() if ground.startswith("#") and len(ground) == 7 else "#000000" if theme.dark else "#ffffff"

    def strip(self, column: int) -> AnswerStrip | None:
        """A column's last answer on the screen."""
        strips = self.transcript.last
        return strips[column] if column < len(strips) else None

    @property
    def writing_recipe(self) -> bool:
        """Whether the person is in the recipe line."""
        return isinstance(self.focused, RecipeInput)
