"""``launch.py evaluate``: each family that this project makes is measured in its own way. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from core.cli import option_types
from core.cli.option_types import one_of
from core.cli.options import Options
from core.cli.parser import Verb, VerbParser
from core.cli.verbs import Doing
from core.errors import UsageError

if TYPE_CHECKING:
    from core.families.checkpoint import Family


@dataclass(frozen=True)
class Evaluation:
    """How families of one kind are measured: what of (``measures``), for which of them, and the function that does it."""

    title: str
    measures: tuple[str, ...]
    suits: Callable[[Family], bool]
    run: Doing

    def chosen(self, only: Sequence[str] | None) -> tuple[str, ...]:
        """What is to be measured. Raises UsageError for what is not."""
        if unknown := [name for name in only or () if name not in self.measures]:
            raise UsageError(f"{self.title} is not measured by {unknown[0]}; choose from {', '.join(self.measures)}.")
        return tuple(only or self.measures)


def evaluate_verb(*evaluations: Evaluation) -> Verb:
    """The verb that measures a family by the last of these that suits it; the first suits any."""
    return Verb(
        "evaluate",
        "measure a family and write its model card",
        "evaluate [OPTIONS]",
        (
            ("evaluate --no-card", "measure Skiff, and print the figures"),
            ("evaluate --family ./skiff-trained", "another Skiff, and write its card"),
            ("evaluate --family smollm2-135m", "SmolLM2 with the stages of ours"),
        ),
        partial(_declare, evaluations=evaluations),
        partial(_evaluate, evaluations=evaluations),
        f"Measure a family that ships, {' or '.join(each.title for each in evaluations)}, and write its model card.",
        options=partial(Options, device="cpu", dtype="float32"),
    )


def _evaluate(options: Options, evaluations: Sequence[Evaluation]) -> int | None:
    # Not needed to read a command line, and it brings numpy.
    from core.families import registry

    family = registry.load_family(options.family)
    found = next(each for each in reversed(evaluations) if each.suits(family))
    found.chosen(options.only)
    return found.run(options)


def _declare(parser: VerbParser, evaluations: Sequence[Evaluation]) -> None:
    every = dict.fromkeys(name for each in evaluations for name in each.measures)
    there = "; ".join(f"of {each.title} {', '.join(each.measures)}" for each in evaluations)
    parser.add_argument("--only", nargs="+", metavar="NAME", type=one_of(*every),
                        help=f"measure or write only these, and no card ({there})")  # fmt: skip
    parser.add_argument("--what", metavar="WHAT", type=one_of("directions"),
                        help="directions: measure instead what they do, and write it into directions.md in the family's "
                        "folder")  # fmt: skip
    parser.add_argument("--json", metavar="FILE", type=option_types.file, help="write the figures to this file as well")
    parser.add_argument(
        "--no-card", action="store_true", help="write neither README.md nor transcripts.md into the family's folder"
    )
    parser.add_model(
        checkpoint="measure only this checkpoint, and write no card",
        recipe="measure the replies of that checkpoint (default: the final one) steered so, and write no card",
        device="where to compute; on another device than the CPU no card is written (default: cpu)",
        dtype="in which numbers; in others than float32 no card is written (default: float32)",
        threads="processor threads; so many measures are made at once (default: as many as this process may use)",
        refused={
            "quantize": "evaluate reads the weights themselves, which quantized ones are not; leave --quantize out."
        },
    )
