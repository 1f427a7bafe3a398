"""``launch.py undo``: removes a stage's part from the final model, as far as two lists of prompts say, beside three controls."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from core.cli import option_types
from core.cli.verb_parser import Arguments
from core.errors import UsageError
from core.families import registry
from core.families.checkpoint import Family, UndoPrompts
from core.families.family_toml import text_of
from core.models import loading
from core.undo import run, save
from core.undo.examples import Prompts
from core.undo.fit import STEPS
from core.undo.run import Undone
from core.util.files import read_prompts, write_bytes
from core.util.progress import Learning


def run_undo(arguments: list[str]) -> int:
    """Fit, print before and after on held-out prompts beside the controls, and keep the edited model where that is asked for."""
    options = _parser().parse_args(arguments)
    if options.recipe:
        raise UsageError("The part of a stage is removed from the weights; leave --recipe out.")
    if options.steps < 1:
        raise UsageError(f"--steps takes 1 or more, not {options.steps}.")
    family = registry.load_family(options.family)
    torch.set_num_threads(options.threads or loading.threads())
    prompts = _prompts(options, family)
    # What the fit would be lost for is refused before it.
    if options.name:
        save.check_checkpoint_name(family, options.checkpoint or family.final.name, options.name)
    if options.out:
        save.check_output_folder(options.out)
    loaded = loading.load_model(
        family, options.checkpoint or family.final.name, device=options.device, dtype=options.dtype,
        quantize=options.quantize, max_memory=options.max_memory, differentiable=True,
    )  # fmt: skip
    undone = _shown(run.undo(loaded, options.stage, prompts, not options.no_controls, options.steps))
    print(undone.how)
    print(*undone.table(), undone.verdict, sep="\n", flush=True)
    if options.name:
        path = save.save_edited(loaded, undone, options.name)
        print(f"Kept as the checkpoint {options.name} in {path}; chat with it by --checkpoint {options.name}.")
    if options.out:
        title = f"{family.title} {loaded.checkpoint.name}, part of {undone.stage.stage} removed"
        save.save_folder(loaded, undone.strengths, options.out, title)
        print(f"Written to {options.out}; chat with it by --family {_as_argument(options.out)}.")
    if options.json:
        write_bytes(options.json, (json.dumps(undone.document(), indent=1) + "\n").encode())
    return 0


def _as_argument(folder: Path) -> str:
    return str(folder) if folder.is_absolute() else f"./{folder}"


def _parser() -> argparse.ArgumentParser:
    parser = Arguments(
        "launch.py undo",
        description="Remove what a training stage did to some behaviour: a strength for every row of its change in the weights is fitted "
        "to prompts whose behaviour is to be lost and kept, and judged on held-out ones beside controls.",
    )
    parser.add_argument(
        "stage", metavar="STAGE", help="the stage that is to blame, as launch.py blame names it, such as safety"
    )
    parser.add_model(checkpoint="the checkpoint to edit (default: the family's final one)", recipe="refused")
    for name, what in (("lose", "whose behaviour is to be lost"), ("keep", "whose behaviour is to be kept")):
        parser.add_argument(
            f"--{name}",
            type=Path,
            metavar="FILE",
            help=f"prompts {what}, one a line (default: the family's own, if it has some)",
        )
        parser.add_argument(
            f"--{name}-held-out", type=Path, metavar="FILE", help="… and those to judge by (default: every fourth)"
        )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write the edited model as a model folder")
    parser.add_argument("--name", metavar="NAME", help="keep the edited model as one more checkpoint of the family")
    parser.add_argument("--json", type=option_types.file, metavar="FILE", help="write the figures as JSON")
    parser.add_argument(
        "--no-controls", action="store_true", help="leave the controls out, which take longer than the fit"
    )
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N", help="steps of the fit (default: %(default)s)")
    return parser


def _prompts(options: argparse.Namespace, family: Family) -> Prompts:
    given = {name: getattr(options, name) for name in ("lose", "keep", "lose_held_out", "keep_held_out")}
    if family.undo and not any(given.values()):
        return own_prompts(family.undo)
    if not (options.lose and options.keep):
        lacking = "keep" if options.lose else "lose"
        raise UsageError(f"undo needs two files of prompts, one a line; add --{lacking} FILE.")
    return Prompts.split(**{name: read_prompts(path) if path else () for name, path in given.items()})


def own_prompts(files: UndoPrompts) -> Prompts:
    """The prompts that a family brings. Raises TillerError when a file cannot be read or holds too few."""
    return Prompts.split(**{name: text_of(path).splitlines() if path else () for name, path in vars(files).items()})


def _shown(work: Learning[Undone]) -> Undone:
    """Run it to its end with what it is at on one line of a terminal."""
    live = sys.stderr.isatty()
    while True:
        try:
            step = next(work)
        except StopIteration as stop:
            if live:
                print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            found: Undone = stop.value
            return found
        if live:
            print(f"\r\x1b[K{step.sentence}", end="", file=sys.stderr, flush=True)
