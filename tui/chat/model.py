"""What the parts of the Chat screen share: the engine, the chat, and where the person is in it. No widget here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.chat.events import Token
from core.chat.session import Session
from core.chat.slider_cache import Scrubs
from core.display.lenses import Lens, for_cards, usual

if TYPE_CHECKING:
    from core.artefacts.store import Card
    from core.chat.settings import Settings
    from core.engine.engine import Engine
    from core.engine.run import Run


class ChatModel:
    """Changed by the controllers, drawn by the views."""

    def __init__(self, engine: Engine, session: Session) -> None:
        self.engine, self.session = engine, session
        #: The run that answers now.
        self.run: Run | None = None
        self.scrubs = Scrubs(engine.SCRUB_STRENGTHS)
        self.slider = ""
        self.sources: dict[str, str | None] = {}
        #: The recipe line's text while the person writes there.
        self.typed: str | None = None
        #: A column and the token of its last answer that is explained.
        self.cursor: tuple[int, int | None] = (0, None)
        self._cards: dict[str, dict[str, Card]] = {}
        self._sets: dict[str, tuple[str, ...]] = {}
        self._stage_lenses: dict[str, tuple[Lens, ...]] = {}
        self.first_slider()

    @property
    def settings(self) -> Settings:
        """The chat's settings."""
        return self.session.settings

    @property
    def ready(self) -> bool:
        """Whether the model is in memory."""
        return self.engine.status.state in ("ready", "busy")

    def start_over(self) -> None:
        """Another chat, or another step of it, is there: nothing is being typed, no token is explained."""
        self.typed, self.cursor = None, (self.settings.selected, None)

    # ------------------------------------------------------------------------------------------------------ directions

    def first_slider(self) -> None:
        """The slider of the selected column's first term is the active one."""
        directions = [term.direction for term in self.settings.column.recipe.terms]
        self.slider = directions[0] if directions else ""

    def source(self, direction: str) -> str | None:
        """The checkpoint that a slider's direction comes from; ``None``: the steered one's own."""
        term = self.settings.column.recipe.slider(direction)
        return term.source if term is not None else self.sources.get(direction)

    def cards(self, checkpoint: str) -> dict[str, Card]:
        """A checkpoint's directions by name, read once; none where the family has no such checkpoint."""
        if not self._known(checkpoint):
            return {}
        if checkpoint not in self._cards:
            self._cards[checkpoint] = {card.name: card for card in self.engine.directions(checkpoint)}
        return self._cards[checkpoint]

    def forget_cards(self) -> None:
        """Read the directions again: there may be new ones."""
        self._cards, self._sets = {}, {}

    def neuron_sets(self) -> list[str]:
        """Every set of neurons of the family, each name once."""
        for each in self.engine.family.checkpoints:
            if each.name not in self._sets:
                self._sets[each.name] = self.engine.neuron_sets(each.name)
        return list(dict.fromkeys(name for found in self._sets.values() for name in found))

    def direction_names(self) -> list[str]:
        """Every direction of the family, each once."""
        order = [each.name for each in self.engine.family.checkpoints]
        return usual(dict.fromkeys(name for checkpoint in order for name in self.cards(checkpoint)))

    def own_source(self, checkpoint: str) -> str:
        """The checkpoint whose directions a bare name means; the name itself where the family has no such checkpoint."""
        return self.engine.family.directions_of(checkpoint) if self._known(checkpoint) else checkpoint

    def _known(self, checkpoint: str) -> bool:
        return any(each.name == checkpoint for each in self.engine.family.choices)

    # ---------------------------------------------------------------------------------------------------------- lenses

    def lenses(self) -> tuple[Lens, ...]:
        """The lenses of the selected column's checkpoint."""
        checkpoint = self.settings.column.checkpoint
        if checkpoint not in self._stage_lenses:
            self._stage_lenses[checkpoint] = self.engine.stage_lenses(checkpoint)
        return (*for_cards(self.cards(checkpoint).values()), *self._stage_lenses[checkpoint])

    def lens_index(self) -> int:
        """Which of them is chosen; the first one where the chosen one is not there."""
        names = [lens.name for lens in self.lenses()]
        return names.index(self.settings.lens) if self.settings.lens in names else 0

    def token(self) -> Token | None:
        """The token that is explained."""
        column, index = self.cursor
        answer = self.session.answers.get(column)
        return answer.tokens[index] if answer is not None and index is not None and index < len(answer.tokens) else None
