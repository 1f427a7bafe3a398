"""The chat on the screen's widgets. Draws; decides nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual.content import Content

from core.chat.screens import tab, what_this_is
from tui.messages import ExampleChosen, FamiliesWanted, Sent
from tui.widgets.examples import Choice, Welcome

if TYPE_CHECKING:
    from textual.screen import Screen
    from textual.widgets import Static

    from tui.chat.model import ChatModel
    from tui.chat.panel_view import PanelView
    from tui.chat.transcript_view import TranscriptView
    from tui.widgets.examples import Chips
    from tui.widgets.notice import Notice

_RECORDED = "recorded · answered earlier; {when}Ctrl+R answers it now."
#: In so many lines what is said first takes nothing from the conversation, and in fewer than these it would leave none.
_ROOMY, _LOW = 32, 20


class ChatView:
    """Examples, banner, conversation, panel, notice; nothing is drawn while the program is being left."""

    def __init__(
        self,
        model: ChatModel,
        screen: Screen[None],
        chips: Chips,
        banner: Static,
        point: Static,
        transcript: TranscriptView,
        panel: PanelView,
        notice: Notice,
    ) -> None:
        self.model, self.screen, self.chips, self.banner = model, screen, chips, banner
        self.point, self.transcript, self.panel, self.notice = point, transcript, panel, notice

    @property
    def drawable(self) -> bool:
        """Whether all of the screen is there to draw on."""
        parts = (self.chips, self.transcript.transcript, self.panel.rows, self.transcript.token_panel)
        return all(part.is_attached for part in parts)

    def draw(self) -> None:
        """Draw the whole session; what did not change is not drawn again."""
        if self.drawable:
            self.chips.show(self._welcome())
            self._draw_banner()
            self._draw_point()
            self.transcript.draw()
            self.panel.draw()

    def _welcome(self) -> Welcome:
        """The examples; the program's purpose and questions too, until the person has asked something of their own where that takes the
        conversation's room."""
        model, family = self.model, self.model.engine.family
        height = self.screen.size.height
        new = model.session.recorded or not model.settings.turns
        whole = height >= _ROOMY or (new and height >= _LOW)
        said = what_this_is(
            family.title, family.about, len(model.settings.columns), bool(model.engine.catalogue.directions())
        )
        examples = tuple(
            Choice(each.title, each.note or each.message, partial(ExampleChosen, each)) for each in family.examples
        )
        questions = tuple(Choice(each, "Ask this.", partial(Sent, each, typed=False)) for each in family.questions)
        real = (
            Choice("a real model …", "Open another model, or get one (Ctrl+F).", FamiliesWanted),
        ) * model.engine.toy
        return Welcome(said if whole else "", (("Try", examples), ("Ask", (*questions, *real))))

    def draw_transcript(self) -> None:
        """Draw the conversation."""
        if self.drawable:
            self.transcript.draw()

    def draw_token(self) -> None:
        """Draw what is said of the token under the cursor."""
        if self.drawable:
            self.transcript.draw_token()

    def _draw_point(self) -> None:
        """Say what the answers show, once they are whole."""
        found = None if self.model.run is not None else self.model.engine.conclude(self.model.session)
        self.point.display = found is not None
        if found is not None:
            where = f" How we know: {tab(found.tab).title} ({tab(found.tab).key.upper()})." if found.tab else ""
            self.point.update(Content.assemble((found.claim, "bold"), f" {found.ground}{where}"))

    def _draw_banner(self) -> None:
        """Say when what is shown was recorded."""
        self.banner.display = self.model.session.recorded
        when = "" if self.model.ready else "once it is loaded, "
        self.banner.update(Content(_RECORDED.format(when=when)))
