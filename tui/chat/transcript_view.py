"""The conversation as the screen shows it: turns, answers coloured by the lens, the legend, the token that is explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.shell import shell
from tui.themes import middle
from tui.widgets.face import Face
from tui.widgets.token_strip import AnswerStrip

if TYPE_CHECKING:
    from core.chat.answers import Answer
    from core.display.lenses import Lens
    from tui.chat.model import ChatModel
    from tui.widgets.legend import Legend
    from tui.widgets.token_panel import TokenPanel
    from tui.widgets.transcript import Transcript

_EMPTY = (
    "Write a message below and press Enter: one column answers as the model is, the other one steered.\n"
    "Ctrl+↑ and Ctrl+↓ steer it. F1 helps wherever you are; t in it begins a short tour."
)
_ALONE = (
    "Write a message below and press Enter. What a slider does to the answer is seen once there is one.\n"
    "F1 helps wherever you are; t in it begins a short tour."
)


class TranscriptView:
    """Draws the session's turns and answers on their widgets."""

    def __init__(self, model: ChatModel, transcript: Transcript, legend: Legend, token_panel: TokenPanel) -> None:
        self.model, self.transcript, self.legend, self.token_panel = model, transcript, legend, token_panel

    def draw(self) -> None:
        """Turns, answers, legend, and the token under the cursor."""
        every, chosen = self.model.lens_choice()
        ground, glyphs = middle(self.transcript.app.current_theme), shell(self.transcript).glyphs
        turns = self.model.settings.turns
        faces = [self._faces(turn, every[chosen], ground, glyphs) for turn in range(len(turns))]
        self.transcript.show(turns, faces, self._empty(), [self._version(turn) for turn in range(len(turns))])
        self.legend.show(every, chosen, ground, glyphs)
        self.draw_token()

    def _version(self, turn: int) -> str:
        """Which version of a turn is shown, where there are several, and what the last one's tokens are drawn with."""
        session = self.model.session
        place, count = session.all_versions[turn] if session.branches else (0, 1)
        sampling = session.settings.sampling
        drawn = sampling.temperature > 0 and turn == len(session.settings.turns) - 1
        return " · ".join([f"{place + 1}/{count}"] * (count > 1) + [f"seed {sampling.seed}"] * drawn)

    def draw_token(self) -> None:
        """The token under the cursor."""
        columns = self.model.settings.columns
        column = columns[min(self.model.cursor[0], len(columns) - 1)]
        self.token_panel.show(column.checkpoint, self.model.token())

    def _empty(self) -> str:
        """What to do where nothing was said yet."""
        return _EMPTY if len(self.model.settings.columns) > 1 else _ALONE

    def strip(self, column: int) -> AnswerStrip | None:
        """A column's last answer, where it is on the screen and its tokens can be gone through."""
        strips = self.transcript.last
        return strips[column] if column < len(strips) and strips[column].can_focus else None

    def _faces(self, turn: int, lens: Lens, ground: str, glyphs: bool) -> list[Face]:
        settings, answers = self.model.settings, self.model.session.answers
        last = turn == len(settings.turns) - 1
        replies = settings.turns[turn].replies
        faces = []
        for index in range(len(settings.columns)):
            answer = answers.get(index) if last else None
            text = replies[index] if index < len(replies) else ""
            running = last and self.model.run is not None and answer is not None and not answer.finished
            selected = last and index == settings.selected
            title, hint = self._title(index, selected), self._hint(index, answer, lens)
            older = last and not running and bool(self.model.session.older(index))
            if answer is not None and answer.older and not answer.tokens and not answer.error:
                # Until something is said, what stood there is shown, as text that is older.
                text, older = answer.older, True
                answer = None
            as_text = shell(self.transcript).text
            faces.append(Face(title, answer, text, lens, ground, glyphs, selected, running, hint, as_text, older))
        return faces

    def _title(self, index: int, selected: bool) -> str:
        column = self.model.settings.columns[index]
        kind = "steered" if column.recipe else "asked" if column.asks else "plain"
        recipe = f" · {column.recipe}" if column.recipe else ""
        return f"{'●' if selected else '○'} {kind} · {column.checkpoint}{recipe}"

    def _hint(self, index: int, answer: Answer | None, lens: Lens) -> str:
        """Said beneath an answer that the column's present recipe did not make, or that is coloured by models without any."""
        if answer is not None and answer.older and not answer.tokens:
            return f"{answer.older_by}; answering anew …" if not answer.finished else answer.older_by
        if answer is None or not answer.finished:
            return ""
        session = self.model.session
        if lens.kind == "stages":
            said = answer.unblamed or answer.awaited
            if said or (index in session.made and session.made[index].column.recipe):
                return said or "coloured by what the unsteered models make of the same tokens"
        older = session.older(index)
        return f"{older}; Ctrl+R answers again" if older else ""
