"""``launch.py undo``: removes a stage's part from the final model, as far as two lists of prompts say, beside three controls."""

from __future__ import annotations

from core.cli.options import Options
from core.cli.progress import TerminalProgress
from core.errors import UsageError
from core.families.checkpoint import Family, UndoPrompts
from core.families.commands import as_argument, family_option
from core.families.family_toml import text_of
from core.models import loading
from core.models.at_hand import open_family
from core.undo import run, save
from core.undo.examples import Prompts
from core.util.files import json_text, read_prompts, text_items, write_bytes
from core.util.program import program
from core.util.progress import finished


def run_undo(options: Options) -> int:
    """Fit, print before and after on held-out prompts beside the controls, and keep the edited model where that is asked for."""
    family = open_family(options.family)
    prompts = _prompts(options, family)
    # What the fit would be lost for is refused before it.
    if options.name:
        save.check_checkpoint_name(family, options.checkpoint or family.final.name, options.name)
    name = options.checkpoint or family.final.name
    loaded = loading.load_model(family, name, options.placing, differentiable=True, unpack=True)
    with TerminalProgress() as progress:
        work = run.undo(loaded, options.stage, prompts, not options.no_controls, options.steps)
        undone = finished(work, progress.step)
    print(undone.how)
    print(*undone.table(), undone.verdict, sep="\n", flush=True)
    if options.name:
        path = save.save_edited(loaded, undone, options.name)
        print(f"Kept as the checkpoint {options.name} in {path}.")
        print(f"Chat with it: `{program()} tui{family_option(family)} --checkpoint {options.name}`")
    if options.out:
        title = f"{family.title} {loaded.checkpoint.name}, part of {undone.stage.stage} removed"
        save.save_folder(loaded, undone.strengths, options.out, title)
        print(f"Written to {options.out}. Chat with it: `{program()} tui --family {as_argument(options.out)}`")
    if options.json:
        write_bytes(options.json, (json_text(undone.document(), indent=1) + "\n").encode())
    return 0


def _prompts(options: Options, family: Family) -> Prompts:
    given = {name: getattr(options, name) for name in ("lose", "keep", "lose_held_out", "keep_held_out")}
    if family.undo and not any(given.values()):
        return own_prompts(family.undo)
    if not (options.lose and options.keep):
        lacking = "keep" if options.lose else "lose"
        raise UsageError(f"undo needs two files of prompts, one a line; add --{lacking} FILE.")
    return Prompts.split(**{name: read_prompts(path) if path else () for name, path in given.items()})


def own_prompts(files: UndoPrompts) -> Prompts:
    """The prompts that a family brings. Raises TillerError when a file cannot be read or holds too few."""
    return Prompts.split(**{name: text_items(text_of(path)) if path else () for name, path in vars(files).items()})
