"""Learning what a checkpoint lacks, by one button: the engine learns, and the page is told how far it is with its status."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.chat import documents
from app.chat.conversation import Chat, Told
from core.errors import TillerError


class Learning:
    """The handlers of the line that offers to learn."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat

    def learn(self, event: gr.EventData, request: gr.Request) -> tuple[str, Any]:
        """Learn what the selected column's checkpoint lacks; the reply is the status, which says that it has begun, or why it has not."""
        visit, _ = self.chat.heard(event, request)
        try:
            visit.engine.learn(visit.settings.column.checkpoint)
        except TillerError as error:
            visit.notice = str(error)
            with visit.lock:
                return self.chat.status(request), documents.view(visit)
        return self.chat.status(request), gr.skip()

    def cancel(self, event: gr.EventData, request: gr.Request) -> str:
        """End the learning on the selected column's checkpoint."""
        visit, _ = self.chat.heard(event, request)
        visit.engine.cancel_learning(visit.settings.column.checkpoint)
        return self.chat.status(request)

    def learnt(self, event: gr.EventData, request: gr.Request) -> Told:
        """A learning has ended: the sliders and the lenses that there are now."""
        visit, _ = self.chat.heard(event, request)
        with visit.lock:
            # There is something to compare now: a chat that has not begun gets its second column.
            settings = visit.settings
            if len(settings.columns) == 1 and not settings.turns and visit.engine.catalogue.directions():
                visit.session.add_column(settings.column.checkpoint)
        answers: Any = gr.skip() if visit.running else self.chat.everything(visit)
        return documents.view(visit), answers
