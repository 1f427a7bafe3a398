"""``launch.py import``, ``export`` and ``bake``: directions in and out, and a recipe as a model folder."""

from __future__ import annotations

from pathlib import Path

import torch

from core.baking import bake as baking
from core.cli.verb_parser import Arguments
from core.errors import UsageError
from core.exchange import exchange
from core.families import registry
from core.models import loading

#: What says which model; what is done with files needs no device.
_WHOSE = ("family", "base", "post", "stage", "checkpoint", "offline", "trust-remote-code")


def run_import(arguments: list[str]) -> int:
    """Make a vector of another program a direction of a checkpoint, in the user's data folder."""
    parser = Arguments(
        "launch.py import",
        description="Make a vector of another program a direction. Read are GGUF control vectors (llama.cpp, repeng), safetensors with "
        "a tensor direction.N (repeng) or layer_activations.N (steering-vectors) for each layer N, or with one tensor, a tensor of "
        "torch.save (.pt) of shape [width] or [layers, width], and what `launch.py export` writes as safetensors. A strength of 1 adds "
        "the vector as it is in the file.",
    )
    parser.add_argument("file", metavar="FILE", help="the vector's file; what it is follows from what it holds")
    parser.add_argument("--name", metavar="NAME", required=True, help="what recipes call it")
    parser.add_argument("--layer", metavar="L", type=_layer, help="where it acts, counted from 0")
    parser.add_argument(
        "--scale",
        metavar="X",
        type=_number,
        default=1.0,
        help="multiply it by this; some libraries keep vectors of length 1",
    )
    parser.add_model(_WHOSE, checkpoint="whose direction it becomes (default: the family's final checkpoint)")
    options = parser.parse_args(arguments)
    family = registry.load_family(options.family)
    done = exchange.import_vector(
        family, options.checkpoint, Path(options.file), options.name, options.layer, options.scale
    )
    return _say(done)


def run_export(arguments: list[str]) -> int:
    """Write a direction into a file for others."""
    parser = Arguments(
        "launch.py export",
        description="Write a direction as a GGUF control vector, which llama.cpp and repeng read, or as safetensors, which another Tiller "
        "imports with all that is known of it.",
    )
    parser.add_argument("name", metavar="NAME", help="the direction, such as refusal")
    parser.add_argument(
        "--to",
        metavar="FILE",
        required=True,
        help="a file that is not there yet, with .gguf or .safetensors at its end",
    )
    parser.add_model(_WHOSE, checkpoint="whose direction (default: the family's final checkpoint)")
    options = parser.parse_args(arguments)
    family = registry.load_family(options.family)
    return _say(exchange.export_direction(family, options.checkpoint, options.name, Path(options.to)))


def run_bake(arguments: list[str]) -> int:
    """Write a model folder that behaves as a recipe."""
    parser = Arguments(
        "launch.py bake",
        description="Write a model folder that behaves as a recipe without Tiller: directions are removed from everything that writes to "
        "the residual stream, and added by biases where the architecture has them. The weights are read in full precision, and what "
        "the baked model does is measured and written in its README.md.",
    )
    parser.add_argument("--out", metavar="FOLDER", required=True, help="where to; it is made, or empty")
    parser.add_model(
        (*_WHOSE, "recipe", "device", "dtype", "quantize", "threads", "max-memory"),
        checkpoint="what to bake it into (default: the family's final checkpoint)",
        recipe="what the folder is to do, such as '!refusal'",
        dtype="of the weights that are written: float32, bfloat16 or float16 (default: float32)",
        quantize="how you chat with it; whatever it is, what is baked is read in full precision",
    )
    options = parser.parse_args(arguments)
    if not options.recipe:
        raise UsageError("bake needs a recipe, such as --recipe '!refusal'.")
    family = registry.load_family(options.family)
    torch.set_num_threads(options.threads or loading.threads())
    if options.quantize != "none":
        print("The weights are read in full precision, since quantized ones cannot be changed exactly.", flush=True)
    wish = baking.BakeRequest(
        options.checkpoint or family.final.name,
        options.recipe,
        Path(options.out),
        device=options.device,
        dtype="float32" if options.dtype == "auto" else options.dtype,
        max_memory=options.max_memory,
    )
    for sentence in baking.bake(family, wish):
        print(sentence, flush=True)
    return 0


def _say(done: exchange.Exchanged) -> int:
    print(*done.sentences, f"Written to {done.path}", sep="\n")
    return 0


def _layer(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise UsageError(f"--layer takes a whole number from 0, not {text!r}.")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"--scale takes a number, not {text!r}.") from error
