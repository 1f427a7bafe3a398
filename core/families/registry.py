"""Families: the checkpoints of one model, as a tree, from a ``family.toml``. No torch.

::

    title = "Skiff"
    notes = "…"
    licence = "MIT"          # of every checkpoint that names none of its own
    parameters = "4.3 M"     # how large one checkpoint is, for as long as none is on this computer
    quantize = "none"        # recommended: none, 8bit or 4bit
    memory = "1 GB"          # what the recommended way takes: the two checkpoints of a chat, and some room
    report_opening = "report.md"   # paragraphs of text that a report begins with, in place of the notes

    [undo]                   # prompts of its own for removing what a stage did, in text files beside family.toml, one a line
    lose = "undo/lose.txt"   # whose behaviour is to be lost, …
    keep = "undo/keep.txt"   # … and to be kept
    lose_held_out = "undo/lose_held_out.txt"   # … and those to judge by; without them every fourth of the others
    keep_held_out = "undo/keep_held_out.txt"

    [[checkpoint]]
    name = "base"
    path = "base"            # a folder beside family.toml, or hub = "owner/model", as the Hub spells it
    revision = "v1"          # of a hub model: a branch, tag or commit; without it the main branch
    package = { … }          # of a hub model: a Python package in which the weights lie, too (docs/family-toml.md)
    stage = "pretrain"       # the training that led here from the parent (without it the name), …
    letter = "B"             # … and its letter (without it the stage's first)
    template = "plain"       # a named template, or "own-or-plain"; without it the tokenizer's own
    licence = "…"
    gated = "https://…"      # the page on which the licence has to be accepted before anything can be downloaded
    notes = "…"

    [[checkpoint]]
    name = "sft"
    parent = "base"          # may stand anywhere in the file
    …

    [[checkpoint]]
    name = "mine"
    hub = "me/my-adapter"
    adapter_of = "sft"       # a PEFT adapter (LoRA), added to that one's weights; the parent, too, where none is named
    template_from = "sft"    # the chat template of another checkpoint's tokenizer
    template_vars = { enable_thinking = false }   # variables that the chat template is told

    [[counterfactual]]       # what a checkpoint would be, had its training been another; no part of the tree's stages
    name = "without-safety"
    title = "without safety (retrained)"
    of = "dpo"               # the checkpoint whose twin it is
    file = "counterfactual/without-safety.safetensors"   # its difference to it, or same_as = "safety": that one's weights
    without = "safety"       # the stage that was left out, where one was
    parent = "sft"           # what it was trained from; without it the parent of ``of``
    note = "…"                # one called seed-2, seed-3 … differs from its checkpoint by chance alone: the noise of stage effects

    [[example]]              # a chip of the front ends
    title = "Make it refuse"
    message = "…"
    recipe = "1.5*refusal"
    without = "safety"       # or: beside the plain column the model without this stage, retrained where there is one

Where a file is wrong, :mod:`core.families.family_toml` names the key.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from pathlib import Path

from core.artefacts import store
from core.artefacts.store import SHIPPED, drawer_of, roots, user_folder
from core.families.checkpoint import (
    Family,
    FamilyError,
)
from core.families.edited import with_edited
from core.families.family_toml import read_family

#: How the names of families begin that were put together from models that were named (:mod:`core.models.adhoc_family`).
TOGETHER, ALONE = "pair-", "model-"
_PUT_TOGETHER = re.compile(rf"(?:{TOGETHER}|{ALONE})[a-z0-9.-]+-[0-9a-f]{{8}}")


def names() -> tuple[str, ...]:
    """The families that are at hand, a person's own first."""
    found = (
        path.parent.name
        for root in (user_folder(), SHIPPED)
        if root.is_dir()
        for path in sorted(root.glob("*/family.toml"))
    )
    return tuple(dict.fromkeys(found))


def load_family(name: str) -> Family:
    """A family by its name, or by the path of a folder with a family.toml.

    Raises:
        FamilyError: unknown name, or a family.toml that cannot be used (which line, which key).
    """
    by_path = "/" in name or "\\" in name
    places = [Path(name)] if by_path else [user_folder() / name, SHIPPED / name]
    for folder in places:
        try:
            there = (folder / "family.toml").is_file()
        except OSError:
            # A name that is too long for a file is no family's either.
            there = False
        if there:
            family = read_family(folder / "family.toml")
            return with_edited(replace(family, name=drawer_of(folder)) if by_path else family)
    raise FamilyError(unknown_family(name))


def is_toy(family: Family) -> bool:
    """Whether a family's weights came with the program: beside it, a real model is worth a word."""
    final = family.final
    return final.local and final.package is None and family.folder.parent == store.SHIPPED


def choice_text(family: Family) -> str:
    """What to type for a family: its name, or its folder where that name means none or another one."""
    folders = (root / family.name for root in roots())
    named = next((each for each in folders if (each / "family.toml").is_file()), None)
    return family.name if named is not None and named.resolve() == family.folder else str(family.folder)


def unknown_family(name: str) -> str:
    """That there is no such family, which is meant perhaps, and what there is; of one that was put together on another computer, how to
    do so here."""
    if _PUT_TOGETHER.fullmatch(name):
        how = "--model" if name.startswith(ALONE) else "--base, --stage and --post"
        return (
            f"The family {name} was put together by {how} and is not on this computer; start Tiller with the same {how} here (paths of "
            "folders and files count)."
        )
    shown = name if len(name) <= 100 else name[:100] + "…"
    # Those that were put together are opened by what they were put together from.
    there = [each for each in names() if not _PUT_TOGETHER.fullmatch(each)]
    near = difflib.get_close_matches(name.lower(), there, 1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    known = ", ".join(there) or "none"
    return f"There is no family {shown!r}{meant}; there is {known}. A folder with a family.toml works too, as ./folder."
