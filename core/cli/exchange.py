"""``launch.py import``, ``export`` and ``bake``: directions in and out, and a recipe as a model folder."""

from __future__ import annotations

from pathlib import Path

from core.baking import bake as baking
from core.cli.options import Options
from core.errors import UsageError
from core.exchange import exchange
from core.families import registry


def run_import(options: Options) -> int:
    """Make a vector of another program a direction of a checkpoint, in the user's data folder."""
    family = registry.load_family(options.family)
    done = exchange.import_vector(
        family, options.checkpoint, Path(options.file), options.name, options.layer, options.scale
    )
    return _say(done)


def run_export(options: Options) -> int:
    """Write a direction into a file for others."""
    family = registry.load_family(options.family)
    return _say(exchange.export_direction(family, options.checkpoint, options.name, Path(options.to)))


def run_bake(options: Options) -> int:
    """Write a model folder that behaves as a recipe."""
    if not options.recipe:
        raise UsageError("bake needs a recipe, such as --recipe '!refusal'.")
    family = registry.load_family(options.family)
    if options.quantize != "none":
        print("The weights are read in full precision, since quantized ones cannot be changed exactly.", flush=True)
    wish = baking.BakeRequest(
        options.checkpoint or family.final.name,
        options.recipe,
        Path(options.out),
        device=options.device,
        dtype="float32" if options.dtype == "auto" else options.dtype,
        max_memory=options.max_memory,
        template_vars=options.template_vars,
    )
    for sentence in baking.bake(family, wish):
        print(sentence, flush=True)
    return 0


def _say(done: exchange.Exchanged) -> int:
    print(*done.sentences, f"Written to {done.path}", sep="\n")
    return 0
