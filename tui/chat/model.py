"""What the parts of the Chat screen share: the engine, the chat, and where the person is in it. No widget here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.chat.events import Token
from core.chat.session import Session
from core.chat.slider_cache import Scrubs
from core.chat.sliders import SLIDER_STRENGTHS, SliderBank
from core.display.lenses import Lens

if TYPE_CHECKING:
    from core.chat.settings import Settings
    from core.engine.engine import Engine
    from core.engine.run import Run


class ChatModel:
    """Changed by the controllers, drawn by the views."""

    def __init__(self, engine: Engine, session: Session) -> None:
        self.engine, self.session = engine, session
        #: The run that answers now.
        self.run: Run | None = None
        self.bank, self.scrubs = SliderBank(engine.catalogue), Scrubs(SLIDER_STRENGTHS)
        #: The direction whose slider the strength keys act on.
        self.slider = ""
        #: The recipe line's text while the person writes there.
        self.typed: str | None = None
        #: A column and the token of its last answer that is explained.
        self.cursor: tuple[int, int | None] = (0, None)
        self.first_slider()

    @property
    def settings(self) -> Settings:
        """The chat's settings."""
        return self.session.settings

    @property
    def ready(self) -> bool:
        """Whether the model is in memory."""
        return self.engine.status.state in ("ready", "busy")

    @property
    def own_checkpoint(self) -> str:
        """The checkpoint whose directions the selected column means by their bare names."""
        return self.engine.catalogue.own(self.settings.column.checkpoint)

    def start_over(self) -> None:
        """Another chat, or another step of it, is there: nothing is being typed, no token is explained, no slider rests."""
        self.typed, self.cursor = None, (self.settings.selected, None)
        self.bank.forget()

    def first_slider(self) -> None:
        """The slider of the selected column's first term is the active one."""
        directions = [term.direction for term in self.settings.column.recipe.terms]
        self.slider = directions[0] if directions else ""

    def lens_choice(self) -> tuple[tuple[Lens, ...], int]:
        """The lenses of both front ends, and which of them is chosen: the first one where the chosen one is not there."""
        lenses = self.engine.lenses(self.settings)
        names = [lens.name for lens in lenses]
        return lenses, names.index(self.settings.lens) if self.settings.lens in names else 0

    def token(self) -> Token | None:
        """The token that is explained."""
        column, index = self.cursor
        answer = self.session.answers.get(column)
        return answer.tokens[index] if answer is not None and index is not None and index < len(answer.tokens) else None
