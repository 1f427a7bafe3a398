"""``launch.py learn``: one direction on one checkpoint, with its card in the end; what was interrupted goes on the next time."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from core.artefacts import store
from core.cli.options import Options
from core.cli.progress import TerminalProgress
from core.directions import card, learn_replies, request
from core.directions.concepts import concept_of
from core.directions.conclusion import first_recipe
from core.directions.effort import BUDGET, EFFORTS
from core.directions.request import KINDS, LearnRequest
from core.directions.written_pairs import pairs_request, pairs_text, read_pairs
from core.engine.precompute import BuildRequest, builder
from core.errors import UsageError
from core.families.checkpoint import Family
from core.families.commands import family_option
from core.models import loading
from core.models.at_hand import open_family
from core.models.loading import Loaded
from core.util.files import read_text, write_bytes
from core.util.program import program
from core.util.progress import Pace, finished


def run_learn(options: Options) -> int:
    """Learn a direction, write it into the user's data folder, and print its card.

    Raises:
        UsageError: a command line that does not say what to learn from.
        TillerError: examples, names and layers that cannot be used; each names the fix. Nothing is written then.
    """
    family = open_family(options.family)
    checkpoint = family.checkpoint(options.checkpoint).name if options.checkpoint else family.final.name
    wish = _wish(options)
    if options.pairs and Path(options.pairs).exists():
        wish = _edited(wish, Path(options.pairs))
    wish.check_free(family, checkpoint)
    loaded = loading.load_model(family, checkpoint, options.placing)
    if options.pairs and wish.contrast is None:
        return _write(wish, loaded, family, Path(options.pairs))
    order = BuildRequest.of(wish, family, checkpoint, EFFORTS[options.effort])
    order = replace(order, budget=options.budget or BUDGET)
    part = builder(wish.kind)
    with TerminalProgress(Pace(part.plan(order, loaded).tokens)) as progress:
        said = finished(part.run(order, loaded), progress.step)
    learnt = store.read_card(order.path(wish.kind))
    print(card.card_text(learnt), *said, sep="\n\n")
    option, recipe = family_option(family), first_recipe(learnt)
    print(f'Steer by it: `{program()} chat "MESSAGE"{option} --checkpoint {checkpoint} --recipe="{recipe}"`')
    return 0


def _wish(options: Options) -> LearnRequest:
    """What the command line asks for."""
    given = [options.positive, options.negative]
    if not any(given) and not options.replies and options.what.strip() not in KINDS:
        concept = concept_of(options.what)
        print(f"{concept.name}: {concept.line}. Learnt from what is said under two system prompts:", file=sys.stderr)
        print(f"  + {concept.wanted}\n  - {concept.unwanted}", file=sys.stderr)
        wish = concept.request(options.again)
        name = request.check_direction_name(options.name) if options.name else wish.name
        return replace(wish, name=name, method=options.method, layer=options.layer)
    kind = request.check_direction_name(options.what)
    if not any(given) and kind in KINDS and not options.replies:
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
        kind, *boxes, options.name or "", options.method, options.layer, options.again, tuple(given), options.replies
    )


def _edited(wish: LearnRequest, path: Path) -> LearnRequest:
    """The wish with the pairs of a file, as a person left them."""
    wanted, unwanted = ("\n".join(_prompts(wish)[side]) for side in (True, False))
    pairs = read_pairs(read_text(path, "give a file that --pairs wrote"))
    return replace(wish, contrast=pairs_request(wish.kind, wanted, unwanted, pairs).contrast)


def _write(wish: LearnRequest, loaded: Loaded, family: Family, path: Path) -> int:
    """Have the model write pairs into a file, for a person to edit."""
    pairs = finished(learn_replies.write_pairs(loaded, family, _prompts(wish)))
    write_bytes(path, f"{pairs_text(pairs)}\n".encode())
    print(
        f"{len(pairs)} pairs are written to {path}; change what you like, and give the same command again to learn from them."
    )
    return 0


def _prompts(wish: LearnRequest) -> Mapping[bool, tuple[str, ...]]:
    if wish.prompts is None:
        raise UsageError("--pairs goes with a word or with --from-replies: pairs are written under two system prompts.")
    return wish.prompts
