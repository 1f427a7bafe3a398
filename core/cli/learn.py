"""``launch.py learn``: one direction on one checkpoint, with its card in the end; what was interrupted goes on the next time."""

from __future__ import annotations

from pathlib import Path

from core.artefacts import store
from core.cli.options import Options
from core.cli.program import program
from core.cli.progress import TerminalProgress
from core.directions import card, request
from core.directions.request import KINDS, LearnRequest
from core.engine.precompute import BuildRequest, builder
from core.errors import UsageError
from core.families import registry
from core.models import loading
from core.util.files import read_text
from core.util.progress import Pace, finished


def run_learn(options: Options) -> int:
    """Learn a direction, write it into the user's data folder, and print its card.

    Raises:
        UsageError: a command line that does not say what to learn from.
        TillerError: examples, names and layers that cannot be used; each names the fix. Nothing is written then.
    """
    wish = _wish(options)
    family = registry.load_family(options.family)
    checkpoint = family.checkpoint(options.checkpoint).name if options.checkpoint else family.final.name
    wish.check_free(family, checkpoint)
    order = BuildRequest.of(wish, family, checkpoint)
    loaded = loading.load_model(family, checkpoint, options.placing)
    part = builder(wish.kind)
    with TerminalProgress(Pace(part.plan(order, loaded).tokens)) as progress:
        said = finished(part.run(order, loaded), progress.step)
    print(card.card_text(store.read_card(order.path(wish.kind))), *said, sep="\n\n")
    print(f'Steer by it: {program()} chat "MESSAGE" --checkpoint {checkpoint} --recipe="{wish.name}"')
    return 0


def _wish(options: Options) -> LearnRequest:
    """What the command line asks for."""
    kind = request.check_direction_name(options.what)
    given = [options.positive, options.negative]
    if not any(given) and kind in KINDS:
        return request.learn_request(kind, "", "", options.name or "", options.method, options.layer, options.again)
    if not all(given):
        lacking = " and ".join(
            f"--{side} FILE" for side, file in zip(("positive", "negative"), given, strict=True) if not file
        )
        own = "" if kind in KINDS else f"; only {' and '.join(KINDS)} bring their own examples"
        raise UsageError(f"{kind} is learnt from two files, one example a line: add {lacking}{own}.")
    fix = "give a text file with one example a line"
    boxes = (read_text(Path(options.positive), fix), read_text(Path(options.negative), fix))
    return request.learn_request(
        kind, *boxes, options.name or "", options.method, options.layer, options.again, tuple(given)
    )
