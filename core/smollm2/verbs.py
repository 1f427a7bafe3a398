"""The verbs that train SmolLM2's stages of ours, and measure a family that ships. What does it is imported when it is called."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from core.cli import option_types
from core.cli.evaluate import Evaluation
from core.cli.options import Options
from core.cli.parser import Verb, VerbParser
from core.cli.verbs import later

FAMILY = "smollm2-135m"
#: What ``evaluate --only`` takes of it.
MEASURED_OF_SMOLLM2 = ("refusals", "shift", "lengths", "simple-facts", "blame", "transcripts")


def _train(parser: VerbParser) -> None:
    from core.smollm2.stages import adapter_stages

    parser.add_argument("--out", metavar="FOLDER", type=Path, default=Path("smollm2-trained"),
                        help="folder to write the adapters into, one each (default: %(default)s)")  # fmt: skip
    parser.add_argument("--state", metavar="FOLDER", type=Path,
                        help="where unfinished stages, and the model's own replies, are kept (default: OUT/.training)")  # fmt: skip
    parser.add_argument("--only", nargs="+", metavar="NAME",
                        help=f"make only these, and what they start from ({', '.join(adapter_stages())})")  # fmt: skip
    parser.add_argument("--restart", action="store_true", help="forget the saved state of stages that are not finished")
    parser.add_argument("--threads", metavar="N", type=option_types.thread_number,
                        help="CPU threads; more than one gives other bits (default: 1)")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="two steps of each, to try the command out")
    for name, reason in (
        ("family", f"it trains on {FAMILY}"),
        ("checkpoint", "it trains on instruct; --only chooses stages"),
        ("recipe", "it trains models as they are; steer them when they are there"),
        ("device", "it trains on the CPU, where the same seed gives the same bits"),
        ("dtype", "it trains in float32 and saves bfloat16"),
    ):
        parser.refuse(name, f"train-smollm2 takes no --{name}: {reason}.")


TRAIN_SMOLLM2 = Verb(
    "train-smollm2",
    "train stages of ours on SmolLM2",
    "train-smollm2 [OPTIONS]",
    (
        ("train-smollm2", "safety, dpo and their retrainings, into ./smollm2-trained"),
        ("train-smollm2 --only safety --quick", "two steps of one stage, to try it"),
    ),
    _train,
    later("core.smollm2.command", "train_smollm2"),
    "Train a safety and a preference stage, and retrainings of both, on a chat model, as adapters. It says first how long that takes here.",
    options=partial(Options, threads=1, family=FAMILY),
)
SMOLLM2_EVALUATION = Evaluation(
    "SmolLM2",
    MEASURED_OF_SMOLLM2,
    lambda family: "instruct" in [each.name for each in family.checkpoints],
    later("core.smollm2.evaluate", "evaluate_smollm2"),
)
