"""``launch.py learn``: one direction on one checkpoint, with its card in the end; what was interrupted goes on the next time."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from core.artefacts import store
from core.cli.verb_parser import Arguments
from core.directions import card, request
from core.directions.methods import METHODS
from core.directions.request import KINDS, LearnRequest
from core.engine.precompute import BuildRequest, builder
from core.errors import UsageError
from core.families import registry
from core.families.checkpoint import Family
from core.models import loading
from core.util.files import read_text
from core.util.progress import Learning, Pace, bar


def run_learn(arguments: list[str]) -> int:
    """Learn a direction, write it into the user's data folder, and print its card.

    Raises:
        UsageError: a command line that does not say what to learn from.
        TillerError: examples, names and layers that cannot be used; each names the fix. Nothing is written then.
    """
    options = _parser().parse_args(arguments)
    if options.recipe:
        raise UsageError("learn works on a checkpoint as it is; leave --recipe out and steer by what was learnt.")
    wish = _wish(options)
    family = registry.load_family(options.family)
    checkpoint = family.checkpoint(options.checkpoint).name if options.checkpoint else family.final.name
    wish.check_free(family, checkpoint)
    order = BuildRequest.of(wish, family, checkpoint)
    torch.set_num_threads(options.threads or loading.threads())
    said = _run(wish.kind, order, _load(family, checkpoint, options))
    print(card.card_text(store.read_card(order.path(wish.kind))), *said, sep="\n\n")
    print(f'Steer by it: python launch.py chat "MESSAGE" --checkpoint {checkpoint} --recipe="{wish.name}"')
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Arguments(
        "launch.py learn",
        description="Learn a direction on a checkpoint and print its card: layer scores, dose-response, controls, three answers. "
        "refusal and truth bring their own examples; for anything else give yours, one a line. What was interrupted goes on when "
        "the same command is given again.",
    )
    parser.add_argument("what", metavar="WHAT", help="refusal, truth, or a name for what your examples show")
    parser.add_argument("--positive", metavar="FILE", help="a text file with an example of it on every line")
    parser.add_argument("--negative", metavar="FILE", help="a text file with an example of its opposite on every line")
    parser.add_argument(
        "--method",
        metavar="NAME",
        choices=tuple(METHODS),
        default="mean_difference",
        help=f"{', '.join(METHODS)} (default: mean_difference)",
    )
    parser.add_argument("--name", metavar="NAME", help="what recipes will call it (default: WHAT)")
    parser.add_argument("--layer", metavar="N", type=int, help="take this layer instead of the best one")
    parser.add_argument("--again", action="store_true", help="let it take the place of your own direction of that name")
    parser.add_model(checkpoint="the checkpoint to learn it on (default: the last)", recipe="refused")
    return parser


def _wish(options: argparse.Namespace) -> LearnRequest:
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


def _load(family: Family, name: str, options: argparse.Namespace) -> loading.Loaded:
    return loading.load_model(
        family,
        name,
        device=options.device,
        dtype=options.dtype,
        quantize=options.quantize,
        max_memory=options.max_memory,
    )


def _run(kind: str, order: BuildRequest, loaded: loading.Loaded) -> list[str]:
    pace = Pace(builder(kind).plan(order, loaded).tokens)
    work: Learning[object] = builder(kind).run(order, loaded)
    try:
        while True:
            try:
                step = next(work)
            except StopIteration as stop:
                return list(stop.value)
            pace.add(step)
            if sys.stderr.isatty():
                print(f"\r\x1b[K{bar(pace, step.sentence)}", end="", file=sys.stderr, flush=True)
    finally:
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
