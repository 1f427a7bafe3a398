"""Measurements that a person can repeat: ``python launch.py bench``. Each prints ratios of things measured in turn, not only times."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from core.cli.option_types import seconds, whole_number
from core.cli.options import Options
from core.cli.parser import Verb, VerbParser
from core.errors import TillerError

NAMES = {
    "steering": "steered decoding against transformers' own generate, with the same tokens",
    "rows": "a plain, a steered and a shadow row together against one answer of generate",
    "scrubbing": "nine strengths of an answer against one answer of generate",
    "sweeping": "nine strengths of a direction on thirty-two prompts against one prompt at a time",
    "clients": "sixteen clients (--clients) at once against one: tokens a second, waits, and whether each gets what he gets alone",
    "products": "rows times a layer's weights in float32, bfloat16, widened and packed, as they are chosen on this processor",
    "large": "steered decoding of one and of eight answers on random models of 100 M parameters, against generate",
    "first-minute": "a model from a clean data folder (--model): loaded, first token, refusal and truth learnt quickly, steered by",
    "budgets": "maps of a set, confidence, a transfer, a report, the noise level: the time they take beside the time that was estimated",
    "quick": "quick directions against the whole grid: effect on the test split, time, and the time that was estimated",
    "learning": "a direction from 128 + 128 prompts on such models, against a plain loop over padded batches",
    "tracing": "a knowledge map against one forward pass a cell, without and with common tokens before it; maps of Skiff, and their memory",
    "nie": "the truthfulness intervention as the authors of the study run it: its NIE on a category, base and final checkpoint crossed",
    "memory": "what loading pairs of quantized checkpoints takes at most, and whether switching between them grows",
    "accountability-classifiers": "first-order stage effects of small classifiers against retraining; writes benchmarks/figures/",
    "stage-effects": "estimators of stage effects against retraining, on Skiff and its counterfactuals; writes benchmarks/figures/",
    "undoing": "Skiff's planted over-refusal removed: what is promised of it, beside the controls",
    "scorer": "how far the reply classes agree with replies labelled by hand, and how refusals begin; writes benchmarks/figures/",
    "blame": "an answer scored by every model of its path, against plain passes; the wait for its colours; the memory it takes",
    "validation": "intervals, ceilings and controls on data of known truth, beside what earlier versions gave; writes docs/validation.md",
    "faults": "spoilt input, and kills in the middle of writing (when it is named)",
    "visitors": "visitors at once, vanished ones, the memory that a thousand chats and a thousand visitors leave (when it is named)",
    "slices": "how long a person waits for the engine beside every kind of long work (when it is named)",
    "hostile": "an hour of attacks on a public server with three honest visitors; --budget 10m for less (when it is named)",
    "gpu": "a pair of an 8B model's shape on an NVIDIA GPU: loading, steering, colours, maps (when it is named)",
    "page": "from the address to a finished page in a browser, beside the smallest page of Gradio (when it is named: it needs Chromium)",
    "starting": "from the start of the program to the page, to a steered token, to the terminal's first paint",
}

#: The module of a benchmark that has none of its own.
_ROOMS = {"steering": "decoding", "rows": "decoding", "scrubbing": "decoding", "learning": "large"}
#: Those that not every machine can run.
_ASKED_FOR = ("gpu", "faults", "visitors", "slices", "hostile", "page")


def bench(options: Options) -> int:
    """Run the benchmarks named (all when none is); returns 1 when a figure is over its limit or tokens differ."""
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        raise TillerError(f"There is no benchmark {unknown[0]!r}; there is {', '.join(NAMES)}.")
    usual = [name for name in NAMES if name not in _ASKED_FOR]
    good = [_benchmark(name)(options) for name in options.names or usual]
    return 0 if all(good) else 1


def _benchmark(name: str) -> Callable[[Options], bool]:
    # PyTorch is imported by those that need it, so that `--help` and a typing mistake answer at once.
    module = import_module(f"benchmarks.{_ROOMS.get(name, name.replace('-', '_'))}")
    found: Callable[[Options], bool] = getattr(module, name.replace("-", "_"))
    return found


def _declare(parser: VerbParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which (default: all): {', '.join(NAMES)}")
    parser.add_argument("--pairs", metavar="N", type=whole_number(1, 10**6), default=40,
                        help="how often each is timed (default: 40, at least 15)")  # fmt: skip
    parser.add_argument(
        "--clients", metavar="N", type=whole_number(2, 256), default=16, help="clients: how many (default: 16)"
    )
    parser.add_argument(
        "--budget",
        metavar="TIME",
        type=seconds,
        default=None,
        help="hostile: how long (default: 1h); slices: of each kind of work (default: 30s)",
    )
    parser.add_argument(
        "--set", metavar="CATEGORY", default="cities", help="nie: the category that is steered (default: cities)"
    )
    parser.add_argument("--layers", metavar="A-B", default="",
                        help="nie: where the vector of layer B is added (default: a quarter to three eighths of the depth)")  # fmt: skip
    parser.add_argument("--state", type=Path, metavar="FOLDER", help="where stage-effects keeps what it has computed")
    parser.add_argument(
        "--seeds", action="store_true", help="stage-effects: train other seeds without each stage (hours)"
    )
    parser.add_argument(
        "--curvature", action="store_true", help="stage-effects: take later stages' steps again (an hour)"
    )
    parser.add_model(
        checkpoint="default: the family's final one",
        recipe="how to steer, instead of by half a strength of a direction",
        threads="CPU threads (default: as many as there are cores)",
    )


BENCH = Verb(
    "bench",
    "measure speed, as ratios",
    "bench [NAMES] [OPTIONS]",
    (("bench", "every benchmark"), *((f"bench {name}", what) for name, what in NAMES.items())),
    _declare,
    bench,
)
