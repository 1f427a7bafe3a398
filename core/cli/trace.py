"""``launch.py trace``: knowledge maps on the command line, as tables, CSV, SVG or JSON."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.cli.options import Options
from core.cli.progress import TerminalProgress, foretold
from core.errors import UsageError
from core.families.checkpoint import Family
from core.knowledge import facts, map_export, tracing
from core.knowledge.conclusion import map_conclusion
from core.knowledge.maps import MapRequest, Traced, map_table
from core.models import loading
from core.models.at_hand import open_family
from core.models.loading import Loaded
from core.util.budget import Budget
from core.util.files import json_text, write_bytes
from core.util.progress import Pace, Step, finished


def run_trace(options: Options) -> int:
    """Trace a pair of sentences or a set, print its maps, and write them to the files that are asked for."""
    family = open_family(options.family)
    if options.sets:
        known, _ = facts.load_facts(family)
        print("\n".join(f"{name:<12} {len(facts.facts_of(known, name)):>4} facts" for name in facts.categories(known)))
        return 0
    order = _order(family, options)
    kept: dict[str, Loaded] = {}

    def load(name: str) -> Loaded:
        if name not in kept:
            kept[name] = loading.load_model(family, name, options.placing)
        return kept[name]

    if order.set:
        said = foretold(tracing.trace_seconds(family, order, load), options.budget)
        # What is asked for is the maps; how long they take is beside them.
        print(said, file=sys.stdout if options.dry_run else sys.stderr, flush=True)
    elif options.dry_run or options.budget:
        raise UsageError("--budget and --dry-run are for a set of pairs; name one with --set, or leave them out.")
    if options.dry_run:
        return 0
    traced = _follow(family, order, load, options)
    _show(traced, options)
    return 0


def _order(family: Family, options: Options) -> MapRequest:
    """What the command line asks for. Raises UsageError and MapError."""
    sentences = options.sentences
    if options.set and sentences:
        raise UsageError("--set averages over its own sentences; leave the sentences out, or leave --set out.")
    if len(sentences) > 2:
        raise UsageError("trace takes two sentences, a true one and a false one; put each in quotes.")
    if options.noise and len(sentences) == 2:
        raise UsageError("--noise spoils the true sentence itself; leave the false one out.")
    one = options.checkpoint or family.present[0].name
    names = [one, options.against or ("" if options.checkpoint else family.final.name)]
    # No set has an ending or a folder in its name.
    named = Path(options.set).expanduser()
    file = named if named.suffix or len(named.parts) > 1 else None
    return MapRequest(
        checkpoints=tuple(dict.fromkeys(family.checkpoint(name).name for name in names if name)),
        set=file.stem if file else options.set,
        true=sentences[0] if sentences else "",
        false=sentences[1] if len(sentences) > 1 else "",
        subject=options.subject,
        corruption="noise" if options.noise else "false",
        differ=options.differ,
        asks="recall" if options.recall else "plain" if options.no_question else "question",
        pairs=options.pairs,
        across=options.across,
        file=str(file or ""),
    )


def _follow(family: Family, order: MapRequest, load: Callable[[str], Loaded], options: Options) -> Traced:
    pace = Pace(1_000)

    def tell(done: tuple[Step, Traced]) -> None:
        step, traced = done
        if traced.part:
            pace.add(step._replace(tokens=round(traced.part * 1_000) - pace.done))
        else:
            # Loading, and asking which pairs are known, say nothing of how long a map takes.
            pace.go()
        progress.say(traced.sentence)

    with TerminalProgress(pace) as progress:
        return finished(tracing.trace(family, order, load, Budget(options.budget)), tell)


def _show(traced: Traced, options: Options) -> None:
    if options.csv:
        write_bytes(options.csv, map_export.map_csv(traced).encode())
    if options.svg:
        write_bytes(options.svg, map_export.to_svg(traced).encode())
    if options.json:
        print(json_text(_document(traced), ensure_ascii=False))
        return
    print(f"{map_conclusion(traced)}\n")
    for true, false in traced.examples[:1]:
        print(f"{true}  against  {false}\n" if true != false else f"{true}\n")
    for each in traced.maps:
        print(f"{each.title}\n{map_table(each).text()}\n")
    print(*traced.lines, sep="\n")


def _document(traced: Traced) -> dict[str, Any]:
    """Everything that was found, of what JSON can hold: NaN is null."""
    found = dataclasses.asdict(traced)
    maps = [{**each, "title": shown.title} for each, shown in zip(found["maps"], traced.maps, strict=True)]
    told = {
        "conclusion": map_conclusion(traced),
        "order": found["order"],
        "maps": maps,
        "comparison": found["comparison"],
        "examples": found["examples"],
    }
    plain: dict[str, Any] = _plain({**told, "notes": traced.lines})
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value
