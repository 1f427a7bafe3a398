"""Checkpoints that a person has made by removing a stage's part: kept as differences in their data folder, and listed with their family.

``<data folder>/<family>/edited/<name>.safetensors`` is a difference to a checkpoint's weights, as those of retrained ones are
(:mod:`core.models.deltas`): int8 with a scale a row, read only with the weights it belongs to. A whole model folder is written by
:mod:`core.cli.undo`, too, for other programs.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.artefacts import store
from core.artefacts.store import user_folder
from core.errors import StoreError
from core.families.checkpoint import Checkpoint, Counterfactual, Family, FamilyError, Subtracted
from core.util.version import PROGRAM

_log = logging.getLogger(__name__)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
#: What the details of such a file hold beside what a difference needs.
EDITED = "edited"


def edited_folder(family: str) -> Path:
    """Where a family's edited checkpoints lie."""
    return user_folder() / family / EDITED


def edited_path(family: Family, name: str) -> Path:
    """Where a new one goes. Raises FamilyError for a name that cannot stand in a recipe, or is another checkpoint's."""
    if not _NAME.fullmatch(name):
        raise FamilyError(
            f"{name!r} is no name for a checkpoint; use small letters, digits, - and _, such as dpo-mended."
        )
    there = [each.name for each in family.choices if not _is_edited(family, each.name)]
    if name in there:
        raise FamilyError(f"{family.title} has a checkpoint {name!r} already; choose another name.")
    return edited_folder(family.name) / f"{name}.safetensors"


def _is_edited(family: Family, name: str) -> bool:
    return (edited_folder(family.name) / f"{name}.safetensors").is_file()


def menu_group(family: Family, each: Checkpoint) -> str:
    """Under which heading a menu lists one of a family's choices."""
    if isinstance(each, Subtracted):
        return "without a stage, estimated"
    if not isinstance(each, Counterfactual):
        return "stages of training"
    if _is_edited(family, each.name):
        return "changed by you"
    return "trained again without a stage" if each.without else "trained again in another way"


def edited_details(family: Family, name: str, of: str, stage: str, fingerprint: str) -> dict[str, Any]:
    """What the file says of itself; ``fingerprint`` is that of the weights of ``of``."""
    return {
        "name": name,
        "family": family.name,
        "checkpoint": of,
        "fingerprint": fingerprint,
        "program": PROGRAM,
        "title": f"{of}, part of {stage} removed",
        "note": f"The weights of {of} with strengths fitted to a person's prompts for what {stage} changed in them.",
        EDITED: stage,
    }


def with_edited(family: Family) -> Family:
    """A family with what a person has made of its checkpoints. A file that cannot be read, or names no checkpoint of it, is logged."""
    found = []
    for file in sorted(edited_folder(family.name).glob("*.safetensors")):
        try:
            card = store.read_card(file)
            of = family.checkpoint(card.checkpoint)
        except (StoreError, FamilyError) as error:
            _log.warning("%s is left out: %s", file, error)
            continue
        if card.name in [each.name for each in family.checkpoints] or not of.local or of.adapters:
            _log.warning("%s is left out: %s has its own %s.", file, family.title, card.name)
            continue
        title, note = (str(card.details.get(key, "")) for key in ("title", "note"))
        found.append(
            Counterfactual(
                name=card.name, source=of.source, local=True, parent=of.parent, stage=of.stage, letter=of.letter,
                template=of.template, template_from=of.template_from, template_vars=of.template_vars, revision=None, notes=note,
                title=title or card.name, licence=of.licence, of=of.name, without="", difference=file, package=of.package,
            )
        )  # fmt: skip
    known = {each.name for each in found}
    others = tuple(each for each in family.counterfactuals if each.name not in known)
    return replace(family, counterfactuals=(*others, *found)) if found else family
