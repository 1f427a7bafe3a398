"""``launch.py embed``: what each stage left in the final weights. Standard library only; :mod:`core.cli.embedding` does it."""

from __future__ import annotations

from functools import partial

from core.cli import finding_arguments
from core.cli.options import Options
from core.cli.parser import Verb
from core.cli.replay import Replay


def embed_verb(*replays: Replay) -> Verb:
    """The verb, for families whose steps some of these can take again."""
    return Verb(
        "embed",
        "what each stage left in the final weights, for blame",
        "embed [OPTIONS]",
        (
            ("embed --family ./mine", "by the logs of training beside the checkpoints"),
            ("embed --curvature", "Skiff, by taking its later steps again"),
        ),
        finding_arguments.declare_embed,
        partial(_embed, replays=replays),
        "Make the embedding of every stage before the last: its change of the weights, carried through the training after it, which "
        "`blame --question first-order` and the screens take out of the final model.",
        computes=True,
        options=partial(Options, device="cpu", dtype="float32"),
    )


def _embed(options: Options, replays: tuple[Replay, ...]) -> int:
    # It brings torch, which is not needed to read a command line.
    from core.cli.embedding import run_embed

    return run_embed(options, replays)
