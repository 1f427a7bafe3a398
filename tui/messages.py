"""Everything the widgets say to the screen, and the workers to both: the whole vocabulary of the terminal app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from core.chat.events import Alternative, Event, PromptView
    from core.engine.engine import Engine
    from core.engine.run import Run
    from core.families.checkpoint import Example


@dataclass
class EngineOpened(Message):
    """The family was read; the model itself may still be loading."""

    engine: Engine


@dataclass
class EngineClosed(Message):
    """The family is given up for another one, which is to be loaded by ``family``: the first one's memory is free."""

    family: str


@dataclass
class Arrived(Message):
    """A run said something."""

    run: Run
    events: list[Event]


@dataclass
class RunOver(Message):
    """A run has said everything."""

    run: Run


@dataclass
class PromptShown(Message):
    """The exact prompt of a column is known."""

    column: int
    view: PromptView


@dataclass
class Sent(Message):
    """The person sent a message: ``typed`` in the prompt, or chosen among questions, beside which what is in the prompt stays."""

    text: str
    typed: bool = True


@dataclass
class VersionWanted(Message):
    """The version of the chat before or after the one that is shown."""

    by: int


@dataclass
class GoOnWanted(Message):
    """A column's answer is to go on where it was cut off."""

    column: int


@dataclass
class RewriteWanted(Message):
    """The person wants to write a column's answer, or how it begins."""

    column: int


@dataclass
class CopyWanted(Message):
    """A column's answer is to be copied."""

    column: int


@dataclass
class EditWanted(Message):
    """The person wants the last message back in the prompt."""


@dataclass
class RecipeTyped(Message):
    """The recipe line's text changed; ``run`` when Enter asked for an answer with it."""

    text: str
    run: bool = False


@dataclass
class SliderMoved(Message):
    """A slider asks for a strength, in gaps."""

    direction: str
    value: float


@dataclass
class SliderChosen(Message):
    """A slider became the active one."""

    direction: str


@dataclass
class SourceWanted(Message):
    """A slider asks for the next checkpoint to take its direction from."""

    direction: str


@dataclass
class AblationToggled(Message):
    """A slider asks to ablate its direction, or to stop that."""

    direction: str


@dataclass
class ColumnChosen(Message):
    """A column got the focus."""

    column: int


@dataclass
class TokenPointed(Message):
    """The cursor (or the mouse) stands on a token of a column's last answer; ``None``: on none."""

    column: int
    index: int | None


@dataclass
class AlternativesWanted(Message):
    """Enter on a token: the person wants to choose among its alternatives."""

    column: int


@dataclass
class AlternativeChosen(Message):
    """Go on from this alternative instead of the token that was said."""

    alternative: Alternative


@dataclass
class LearnWanted(Message):
    """Learn what the selected column's checkpoint lacks."""


@dataclass
class LearningCancelled(Message):
    """Stop learning."""


@dataclass
class LensChosen(Message):
    """Colour by the lens at this place in the list."""

    index: int


@dataclass
class CheckpointWanted(Message):
    """The person wants another checkpoint in a column."""

    column: int


@dataclass
class CloseWanted(Message):
    """The person wants a column closed."""

    column: int


@dataclass
class ExampleChosen(Message):
    """An example chip was pressed."""

    example: Example


@dataclass
class CardChosen(Message):
    """A direction's card has the focus; ``key`` is its entry's in the library."""

    key: str


@dataclass
class FamiliesWanted(Message):
    """The person wants another model."""


@dataclass
class ChoicesWanted(Message):
    """The person wants the whole list of examples and questions."""


@dataclass
class KeepWanted(Message):
    """The state should be stored: an answer is whole."""
