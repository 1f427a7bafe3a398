"""An edited model kept: as one more checkpoint of its family, or as a model folder that transformers and Tiller can load."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import torch

from core.artefacts import store
from core.errors import TillerError
from core.families import edited
from core.families.checkpoint import Family
from core.models import deltas, weights
from core.models.loading import Loaded
from core.undo.fit import Strengths
from core.undo.fit import edited as edited_weights
from core.undo.run import Undone
from core.util.files import check_new_folder


def save_edited(loaded: Loaded, undone: Undone, name: str) -> Path:
    """Keep the edited model as a checkpoint of its family, which Chat then offers by ``name``; gives its file.

    Raises:
        FamilyError: a name that is another checkpoint's, or cannot stand in a recipe.
        TillerError: the checkpoint is one of the Hub or of adapters: keep a model folder instead.
        StoreError: it cannot be written.
    """
    of = loaded.checkpoint
    path = check_checkpoint_name(loaded.family, of.name, name)
    whole, now = {}, {}
    parameters = dict(loaded.model.named_parameters())
    with torch.no_grad():
        for key, parameter in parameters.items():
            whole[key] = parameter.detach().float().cpu()
            part = undone.strengths.part(key).cpu() if key in undone.strengths.rows else 0.0
            now[key] = whole[key] - part
    details = edited.edited_details(
        loaded.family, name, of.name, undone.stage.stage, store.folder_fingerprint(Path(of.source))
    )
    deltas.write_delta(path, deltas.round_delta(now, whole), {**details, "undo": undone.document()})
    return path


def check_checkpoint_name(family: Family, of: str, name: str) -> Path:
    """Where an edited checkpoint would be kept. Raises FamilyError and TillerError as :func:`save_edited`."""
    checkpoint = family.checkpoint(of)
    if not checkpoint.local or checkpoint.adapters:
        raise TillerError(f"{of} is no folder on this computer; save the edited model as a folder with --out instead.")
    return edited.edited_path(family, name)


def save_folder(loaded: Loaded, strengths: Strengths, folder: Path, title: str) -> None:
    """Write the edited model with its tokenizer and a family.toml, in the numbers that its weights are stored in.

    Raises:
        TillerError: the folder is there and not empty, or cannot be written.
    """
    check_new_folder(folder)
    temporary = folder.with_name(f".{folder.name}.new")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        with edited_weights(loaded, strengths):
            model: Any = copy.deepcopy(loaded.model)
        model.to(_stored(loaded)).save_pretrained(temporary)
        tokenizer = copy.deepcopy(loaded.tokenizer)
        if loaded.template:
            tokenizer.chat_template = loaded.template
        tokenizer.save_pretrained(temporary)
        (temporary / "family.toml").write_text(_family(loaded, title), encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        temporary.rename(folder)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise TillerError(
            f"{folder} cannot be written ({error.strerror or error}); free some space or choose another folder."
        ) from error


def _stored(loaded: Loaded) -> torch.dtype:
    """The numbers that most of a checkpoint's weights are stored in."""
    stored = weights.weights_of(loaded.checkpoint)
    return stored[max(stored, key=lambda name: stored.stored[name].elements)].dtype


def _family(loaded: Loaded, title: str) -> str:
    """A family.toml for the model alone."""
    said = title.replace("\\", "").replace('"', "'")
    licence = (loaded.checkpoint.licence or loaded.family.licence).replace("\\", "").replace('"', "'")
    template = f'template = "{loaded.checkpoint.template}"\n' if loaded.checkpoint.template else ""
    if told := loaded.variables:
        template += f"template_vars = {{ {', '.join(f'{key} = {json.dumps(value)}' for key, value in told)} }}\n"
    return f'title = "{said}"\nlicence = "{licence}"\n\n[[checkpoint]]\nname = "edited"\npath = "."\nstage = "edited"\n{template}'
