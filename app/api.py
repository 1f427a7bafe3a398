"""What other programs may call, by name: one answer, streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gradio as gr

from app.chat.conversation import beats
from core.chat.answers import Answer, fold
from core.engine.engine import Engine
from core.errors import TillerError


def chat_endpoint(engine: Engine) -> Callable[[str, str, str], Iterator[str]]:
    """The function behind ``/chat``."""

    def chat(message: str, recipe: str = "", checkpoint: str = "") -> Iterator[str]:
        """Answer a message, steered by a recipe.

        Parameters:
            message: what you say.
            recipe: one line, such as "1.5*refusal"; empty for the model as it is.
            checkpoint: a checkpoint of the family; empty for its final one.

        Returns:
            The answer so far, again and again until it is whole.
        """
        try:
            settings = engine.settings(checkpoint, recipe).drop_column(0).ask(message)
        except TillerError as error:
            raise gr.Error(str(error), print_exception=False) from error
        run = engine.submit(settings)
        answers: dict[int, Answer] = {}
        try:
            for events in beats(run):
                for event in events:
                    answers = fold(answers, event)
                if answers and answers[0].error:
                    raise gr.Error(answers[0].error, print_exception=False)
                yield answers[0].text if answers else ""
        finally:
            run.cancel()

    return chat
