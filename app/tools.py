"""What programs that think for themselves may use (Model Context Protocol, by Gradio's own server): steer, ask whom a behaviour is owed
to, learn a direction, and see what there is. The docstrings are what such a program reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gradio as gr

from app.v1.models import alone
from app.visits import Visit, Visits
from core.attribution.report import BlameRequest
from core.chat.answers import Answer, fold
from core.chat.events import Failed
from core.directions.concepts import concept_of
from core.directions.conclusion import direction_conclusion, first_recipe
from core.directions.request import learn_request
from core.engine.engine import Engine
from core.errors import TillerError
from core.util.progress import finished


def tools(visits: Visits) -> tuple[Callable[..., str], ...]:
    """The tools of a page's family."""

    def page_of(request: gr.Request) -> Visit | None:
        """The page of whoever asks; a program that speaks to Gradio's tool server has no session, and none."""
        return visits.find(request) if getattr(request, "session_hash", None) else None

    @contextmanager
    def engine_of(request: gr.Request) -> Iterator[Engine]:
        """The engine as whoever asks sees it; a visitor of a public server has one with a budget, until he is answered."""
        if (visit := page_of(request)) is not None:
            yield visit.engine
            return
        view = visits.access.engine(visits.engine, visits.access.owner(request))
        try:
            yield view
        finally:
            visits.access.leave(view)

    def steer(request: gr.Request, message: str, recipe: str = "", checkpoint: str = "") -> str:
        """Ask a checkpoint of the language model one message, with its residual stream steered by a recipe. The tool inspect lists
        the directions that a recipe may name.

        Parameters:
            message: what you say to it.
            recipe: such as "1.5*refusal" (push along a direction) or "!refusal" (ablate it); empty for the model as it is.
            checkpoint: a checkpoint of the family, such as its base; empty for the final one.

        Returns:
            The model's answer.
        """
        with engine_of(request) as engine:
            run = engine.submit(alone(engine, checkpoint, recipe).ask(message), shadows=False)
            answers: dict[int, Answer] = {}
            for event in run:
                if isinstance(event, Failed):
                    raise TillerError(event.sentence)
                answers = fold(answers, event)
            return answers[0].text if answers else ""

    def blame(request: gr.Request, message: str, answer: str = "", checkpoint: str = "") -> str:
        """Find out which training stage (fine-tuning, safety, preference optimization ...) a model owes an answer to.

        Parameters:
            message: what was said to the model.
            answer: what it answered; empty for what it answers now.
            checkpoint: whose answer it is; empty for the family's final one.

        Returns:
            The conclusion in a sentence, then the effect of every stage.
        """
        with engine_of(request) as engine:
            report = finished(engine.study(BlameRequest((message,), answer, checkpoint=checkpoint).checked()))
            # It loads PyTorch, which the page does not wait for.
            from core.cli.blame import table

            return "\n".join(table(report))

    def learn(request: gr.Request, word: str, for_it: str = "", against_it: str = "", checkpoint: str = "") -> str:
        """Learn a direction that the model can then be steered by. What it does is measured afterwards, while nobody asks anything.

        Parameters:
            word: its name, such as "formal"; alone it is enough for a model that follows system prompts.
            for_it: examples of it, one a line, at least five; or empty.
            against_it: examples of its opposite, one a line, at least five; or empty.
            checkpoint: the checkpoint to learn it on; empty for the family's final one.

        Returns:
            The recipe to steer by it.
        """
        with engine_of(request) as engine:
            if page_of(request) is None:
                # What a visitor learns lives with his page, and he has none here.
                engine.allowance.check_owner()
            at = checkpoint or engine.family.final.name
            wish = learn_request(word, for_it, against_it) if for_it or against_it else concept_of(word).request()
            for view in engine.learn_requested(at, wish):
                if view.state in ("failed", "cancelled"):
                    raise TillerError(view.sentence)
                if view.usable:
                    break
            card = engine.catalogue.cards(at)[wish.name]
            return f"Learnt {wish.name} on {at}. Steer with the recipe {first_recipe(card)}."

    def inspect(request: gr.Request) -> str:
        """What there is: the family of checkpoints, each one's directions, and what steering by them was measured to do.

        Returns:
            A line for the family, for every checkpoint and for every direction.
        """
        with engine_of(request) as engine:
            family = engine.family
            lines = [f"{family.title}: {' → '.join(each.name for each in family.path(family.final.name))}"]
            for each in family.present:
                lines.append(f"{each.name}{' (final)' if each.name == family.final.name else ''}")
                lines += [
                    f"  {card.name}: {direction_conclusion(card)}"
                    for card in engine.catalogue.cards(each.name).values()
                ]
            return "\n".join(lines)

    return steer, blame, learn, inspect
