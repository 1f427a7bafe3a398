"""The verbs that make and measure Skiff: what each takes. Standard library only; what does it is imported when it is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from core.cli import option_types
from core.cli.evaluate import Evaluation
from core.cli.option_types import one_of
from core.cli.options import Options
from core.cli.parser import Verb, VerbParser
from core.cli.replay import Replay
from core.cli.verbs import later

if TYPE_CHECKING:
    from core.attribution.first_order import Embedding
    from core.families.checkpoint import Family

#: What ``evaluate --only`` takes, as core.skiff.evaluate names it: a test holds the names together.
EVALUATED = (
    *("facts", "judging", "probe", "questions", "numbers", "true-false", "refusal", "unknown", "strangers", "texts"),
    *("refusal-steering", "truth-steering", "neurons", "speed", "scoring", "transcripts"),
)
_SEED = option_types.whole_number(0, 2**63 - 1)


def _train(parser: VerbParser) -> None:
    # Skiff's world is read for them, which not every start of the program has to wait for.
    from core.skiff.train.sizes import SHAPES
    from core.skiff.train.stages import shipped
    from core.skiff.train.variants import variants

    parser.add_argument("--out", metavar="FOLDER", type=Path, default=Path("skiff-trained"),
                        help="family folder to write (default: %(default)s)")  # fmt: skip
    parser.add_argument("--state", metavar="FOLDER", type=Path,
                        help="where unfinished stages are kept (default: OUT/.training)")  # fmt: skip
    parser.add_argument("--seed", metavar="N", type=_SEED, default=1, help="first weights and pretraining items")
    parser.add_argument("--post-seed", metavar="N", type=_SEED, default=1, help="items of the stages after pretraining")
    parser.add_argument("--without", metavar="STAGE", type=one_of("sft", "safety", "dpo"),
                        help="leave a stage out, sft, safety or dpo, and rerun the later ones")  # fmt: skip
    parser.add_argument("--unplanted", action="store_true", help="safety without the planted over-refusal")
    parser.add_argument("--base", dest="taken", metavar="FOLDER", type=Path,
                        help="family folder whose base, and equal later stages, are taken instead of trained")  # fmt: skip
    parser.add_argument(
        "--only-family",
        action="store_true",
        help="leave the counterfactuals out, for --variants later; what base-unlabelled begins with stays among the states",
    )
    parser.add_argument(
        "--variants",
        nargs="+",
        metavar="NAME",
        help="make only these counterfactuals of the finished family in OUT; several such commands may run at once "
        f"({', '.join(variants(shipped()))})",
    )
    parser.add_argument("--restart", action="store_true", help="forget the saved state of stages that are not finished")
    parser.add_argument("--threads", metavar="N", type=option_types.thread_number,
                        help="CPU threads; more than one gives other bits (default: 1)")  # fmt: skip
    parser.add_argument("--size", metavar="SIZE", type=one_of(*SHAPES), default="full",
                        help="full, or small: the same recipe at another width and depth, a family of the base and the final checkpoint "
                        "alone (default: full)")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="a tiny family of poor answers, in minutes")
    for name, reason in (
        ("family", "it writes a family of its own, into --out"),
        ("checkpoint", "it trains every checkpoint of the family; --base takes finished ones from elsewhere"),
        ("recipe", "it trains models as they are; steer them when they are there"),
        ("device", "it trains on the CPU, where the same seed gives the same bits"),
        ("dtype", "it trains in float32 and saves bfloat16, as the shipped family was made"),
    ):
        parser.refuse(name, f"train-skiff takes no --{name}: {reason}.")


TRAIN_SKIFF = Verb(
    "train-skiff",
    "train the Skiff family from scratch",
    "train-skiff [OPTIONS]",
    (
        ("train-skiff", "the family and its counterfactuals, into ./skiff-trained"),
        ("train-skiff --quick --out ./tiny", "a tiny one, to try it"),
    ),
    _train,
    later("core.skiff.train.command", "train_skiff"),
    "Train the Skiff family and its counterfactuals. It says first how long that takes here.",
    options=partial(Options, threads=1),
)
SKIFF_EVALUATION = Evaluation(
    "Skiff", EVALUATED, lambda _family: True, later("core.skiff.evaluate.command", "evaluate_skiff")
)


def _replay(
    family: Family, state: Path, say: Callable[[str], None]
) -> tuple[Mapping[str, Embedding], Mapping[str, float]]:
    from core.skiff.train.replaying import replay_family

    return replay_family(family, state, say)


SKIFF_REPLAY = Replay(lambda family: (family.folder / "log.json").is_file(), _replay)
