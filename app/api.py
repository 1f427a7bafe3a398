"""What other programs may call, by name: one answer, streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gradio as gr

from app.chat.conversation import beats
from app.v1.models import alone
from app.visits import Visits, text
from core.chat.answers import Answer, fold
from core.chat.events import Failed
from core.errors import TillerError


def chat_endpoint(visits: Visits) -> Callable[..., Iterator[str]]:
    """The function behind ``/chat``. A session that has a page may steer by what it has learnt there."""

    def chat(request: gr.Request, message: str, recipe: str = "", checkpoint: str = "") -> Iterator[str]:
        """Answer a message, steered by a recipe.

        Parameters:
            message: what you say.
            recipe: one line, such as "1.5*refusal"; empty for the model as it is.
            checkpoint: a checkpoint of the family; empty for its final one.

        Returns:
            The answer so far, again and again until it is whole.
        """
        visit = visits.find(request)
        engine = visit.engine if visit is not None else visits.engine
        # Programs send null for what they leave out.
        said = {"message": message, "recipe": recipe or "", "checkpoint": checkpoint or ""}
        settings = alone(engine, text(said, "checkpoint"), text(said, "recipe")).ask(text(said, "message"))
        run = engine.submit(settings, shadows=False)
        answers: dict[int, Answer] = {}
        try:
            for events in beats(run):
                for event in events:
                    # Before the answer has begun, there is none that could hold it.
                    if isinstance(event, Failed):
                        raise TillerError(event.sentence)
                    answers = fold(answers, event)
                yield answers[0].text if answers else ""
        finally:
            run.cancel()

    return chat
