"""``launch.py precompute``: everything a family's screens show that can be computed beforehand, resumable."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import torch

from core import agreement, contrast, directions, families, loading, store
from core.answers import Answer, fold, settled, to_document
from core.arguments import Arguments
from core.engine import Engine
from core.errors import TillerError
from core.events import Failed
from core.families import Family
from core.loading import Loaded
from core.options import UsageError
from core.store import Direction


def precompute(arguments: list[str]) -> int:
    """Learn the directions of every checkpoint and record the run that is shown while a model loads."""
    options = _parser().parse_args(arguments)
    if options.recipe:
        raise UsageError(
            "precompute learns directions on a checkpoint as it is, since their files belong to its weights; leave --recipe out and "
            "steer by what was learnt."
        )
    family = families.load(options.family)
    root = family.folder.parent if options.ship else store.user_folder()
    torch.set_num_threads(options.threads or loading.threads())
    names = [options.checkpoint] if options.checkpoint else [each.name for each in family.checkpoints]
    for name in names:
        _learn(family, family.checkpoint(name).name, root, options)
    if family.examples and not options.checkpoint:
        _record(family, root / family.name / "recorded.json", options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Arguments(
        "launch.py precompute", description="Learn the truth and refusal directions of every checkpoint of a family."
    )
    parser.add_model(
        checkpoint="only this checkpoint", recipe="refused: a direction is learnt on a checkpoint as it is"
    )
    parser.add_argument("--again", action="store_true", help="learn anew what is already there")
    parser.add_argument("--ship", action="store_true", help="write beside family.toml instead of into your data folder")
    return parser


def _learn(family: Family, name: str, root: Path, options: argparse.Namespace) -> None:
    loaded = None
    for kind in directions.KINDS:
        path = store.artefact_path(root, family.name, name, "direction", kind)
        loaded = loaded or loading.load(
            family,
            name,
            device=options.device,
            dtype=options.dtype,
            quantize=options.quantize,
            max_memory=options.max_memory,
        )
        examples = contrast.load(family, kind)
        if not options.again and _current(path, loaded, examples.digest):
            print(f"{name} {kind}: there already.")
            continue
        unrelated = contrast.load(family, "refusal").part("validation", False, directions.JUDGED)
        direction = _run(f"{name} {kind}", directions.learn(kind, loaded, examples, unrelated))
        _compare(family, direction, path)
        store.save_artefact(
            path,
            {"vectors": direction.vectors, "positive": direction.positive, "negative": direction.negative},
            direction.card.details,
        )
        print(f"{name} {kind}: layer {direction.card.layer}, written to {path}")


def _compare(family: Family, direction: Direction, path: Path) -> None:
    """Say how well a direction agrees with the one that it replaces, where that was learnt on the same weights otherwise quantized."""
    card = direction.card
    before = path if path.is_file() else store.find(family.name, card.checkpoint, "direction", card.name, family.folder)
    try:
        other = store.load_direction(before) if before is not None else None
    except store.StoreError:
        # What cannot be read is replaced; there is nothing to compare.
        return
    if other is not None and agreement.twins(direction, other):
        print(agreement.sentence(direction, other))


def _current(path: Path, loaded: Loaded, digest: str) -> bool:
    """Whether a whole direction lies there that was learnt on these weights, quantized in this way, from these examples."""
    try:
        details = store.load_direction(path).card.details
    except store.StoreError:
        return False
    same = details.get("fingerprint") == loaded.fingerprint and details.get("quantize", "none") == loaded.quantize
    return same and details.get("contrast", {}).get("digest") == digest


def _run(title: str, work: directions.Learning) -> Direction:
    """Run a learning to its end, saying what it does on one line of a terminal."""
    started = time.perf_counter()
    while True:
        try:
            part, sentence = next(work)
        except StopIteration as stop:
            if sys.stderr.isatty():
                print("\r\x1b[K", end="", file=sys.stderr)
            found: Direction = stop.value
            return found
        if sys.stderr.isatty():
            print(
                f"\r\x1b[K{title}: {part:.0%} {sentence} ({time.perf_counter() - started:.0f} s)",
                end="",
                file=sys.stderr,
                flush=True,
            )


def _record(family: Family, path: Path, options: argparse.Namespace) -> None:
    """Run the family's first example and keep its events, to be shown, as recorded, while the model loads."""
    engine = Engine(
        str(family.folder),
        device=options.device,
        dtype=options.dtype,
        threads=options.threads,
        quantize=options.quantize,
        max_memory=options.max_memory,
    )
    engine.start()
    try:
        settings = engine.example(family.examples[0])
        answers: dict[int, Answer] = {}
        for event in engine.submit(settings):
            if isinstance(event, Failed):
                raise TillerError(event.sentence)
            answers = fold(answers, event)
    finally:
        engine.close()
    text = json.dumps(to_document(settled(settings, answers), answers), ensure_ascii=False, separators=(",", ":"))
    store.write_bytes(path, text.encode())
    print(f"Recorded {family.examples[0].title!r}, written to {path}")
