"""``launch.py trace``: knowledge maps on the command line, as tables, CSV, SVG or JSON."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from typing import Any

import torch

from core.cli import option_types
from core.cli.verb_parser import Arguments
from core.errors import UsageError
from core.families import registry
from core.families.checkpoint import Family
from core.knowledge import facts, map_export, tracing
from core.knowledge.maps import MOST_PAIRS, PAIRS, MapRequest, Traced, map_table
from core.models import loading
from core.models.loading import Loaded
from core.util.files import write_bytes
from core.util.progress import Pace, duration

_BAR = 20


def run_trace(arguments: list[str]) -> int:
    """Trace a pair of sentences or a set, print its maps, and write them to the files that are asked for."""
    options = _parser().parse_args(arguments)
    if options.recipe:
        raise UsageError("trace looks at a checkpoint as it is; leave --recipe out.")
    family = registry.load_family(options.family)
    if options.sets:
        known, _ = facts.load_facts(family)
        print("\n".join(f"{name:<12} {len(facts.facts_of(known, name)):>4} facts" for name in facts.categories(known)))
        return 0
    order = _order(family, options)
    torch.set_num_threads(options.threads or loading.threads())
    traced = _follow(family, order, options)
    _show(traced, options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Arguments(
        "launch.py trace",
        description="Show where a model keeps what it knows: layer × token maps of causal tracing. A residual of the run of a true "
        "sentence is put into the run of a false one, and the map says how much of the answer it brings back.",
    )
    parser.add_argument(
        "sentences", nargs="*", metavar="SENTENCE", help="a true sentence and a false one of as many tokens"
    )
    parser.add_model(
        checkpoint="only this checkpoint (default: the base and the final one, compared)",
        recipe="refused: a checkpoint is traced as it is",
    )
    parser.add_argument("--against", metavar="NAME", help="the checkpoint to compare --checkpoint with")
    parser.add_argument(
        "--set", metavar="NAME", default="", help="average over a set, such as cities, instead of one pair"
    )
    parser.add_argument("--sets", action="store_true", help="list the sets there are")
    parser.add_argument(
        "--pairs",
        metavar="N",
        type=int,
        default=PAIRS,
        help=f"pairs of the set (default: {PAIRS}, at most {MOST_PAIRS})",
    )
    parser.add_argument(
        "--differ",
        choices=("subject", "object"),
        default="subject",
        help="what differs in a set's pairs (default: subject)",
    )
    parser.add_argument(
        "--noise", action="store_true", help="spoil the true sentence's subject by noise, instead of a false sentence"
    )
    parser.add_argument("--subject", metavar="WORDS", default="", help="which words of the sentence are its subject")
    parser.add_argument("--no-question", action="store_true", help='leave out "This statement is:"')
    parser.add_argument(
        "--across", action="store_true", help="also put the residuals of each checkpoint into the other"
    )
    parser.add_argument("--csv", type=option_types.file, metavar="FILE", help="write every cell")
    parser.add_argument("--svg", type=option_types.file, metavar="FILE", help="write a picture")
    parser.add_argument("--json", action="store_true", help="print everything as one JSON document")
    return parser


def _order(family: Family, options: argparse.Namespace) -> MapRequest:
    """What the command line asks for. Raises UsageError and MapError."""
    sentences = options.sentences
    if options.set and sentences:
        raise UsageError("--set averages over its own sentences; leave the sentences out, or leave --set out.")
    if len(sentences) > 2:
        raise UsageError("trace takes two sentences, a true one and a false one; put each in quotes.")
    if options.noise and len(sentences) == 2:
        raise UsageError("--noise spoils the true sentence itself; leave the false one out.")
    one = options.checkpoint or family.checkpoints[0].name
    names = [one, options.against or ("" if options.checkpoint else family.final.name)]
    return MapRequest(
        checkpoints=tuple(dict.fromkeys(family.checkpoint(name).name for name in names if name)),
        set=options.set,
        true=sentences[0] if sentences else "",
        false=sentences[1] if len(sentences) > 1 else "",
        subject=options.subject,
        corruption="noise" if options.noise else "false",
        differ=options.differ,
        question=not options.no_question,
        pairs=options.pairs,
        across=options.across,
    )


def _follow(family: Family, order: MapRequest, options: argparse.Namespace) -> Traced:
    kept: dict[str, Loaded] = {}

    def load(name: str) -> Loaded:
        if name not in kept:
            kept[name] = loading.load_model(
                family,
                name,
                device=options.device,
                dtype=options.dtype,
                quantize=options.quantize,
                max_memory=options.max_memory,
            )
        return kept[name]

    work = tracing.trace(family, order, load)
    pace = Pace(1_000)
    try:
        while True:
            step, traced = next(work)
            if traced.part:
                pace.add(step._replace(tokens=round(traced.part * 1_000) - pace.done))
            else:
                # Loading, and asking which pairs are known, say nothing of how long a map takes.
                pace.go()
            _draw(traced, pace)
    except StopIteration as stop:
        result: Traced = stop.value
        return result
    finally:
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _draw(traced: Traced, pace: Pace) -> None:
    """One line of a terminal; nothing in a pipe."""
    if not sys.stderr.isatty():
        return
    bar = "█" * round(traced.part * _BAR) + "░" * (_BAR - round(traced.part * _BAR))
    left = f" · about {duration(pace.left)} left" if pace.left is not None else ""
    print(f"\r\x1b[K{bar} {traced.part:4.0%}{left} · {traced.sentence}", end="", file=sys.stderr, flush=True)


def _show(traced: Traced, options: argparse.Namespace) -> None:
    if options.csv:
        write_bytes(options.csv, map_export.map_csv(traced).encode())
    if options.svg:
        write_bytes(options.svg, map_export.to_svg(traced).encode())
    if options.json:
        print(json.dumps(_document(traced), ensure_ascii=False))
        return
    for true, false in traced.examples[:1]:
        print(f"{true}  against  {false}\n" if true != false else f"{true}\n")
    for each in traced.maps:
        print(f"{each.title}\n{map_table(each).text()}\n")
    print(*traced.lines, sep="\n")


def _document(traced: Traced) -> dict[str, Any]:
    """Everything that was found, of what JSON can hold: NaN is null."""
    found = dataclasses.asdict(traced)
    maps = [{**each, "title": shown.title} for each, shown in zip(found["maps"], traced.maps, strict=True)]
    told = {"order": found["order"], "maps": maps, "comparison": found["comparison"], "examples": found["examples"]}
    plain: dict[str, Any] = _plain({**told, "notes": traced.lines})
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value
