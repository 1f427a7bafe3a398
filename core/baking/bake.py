"""Baking: a recipe becomes a model folder, which plain transformers loads and which does by itself what the recipe does.

The weights are read in full precision, changed (:mod:`core.baking.weight_edits`), saved beside the folder that was asked for, and
loaded again from there; what the loaded folder does is compared with the plain model and with the recipe
(:mod:`core.baking.evaluation`), and written in its README.md. Only then does the folder get its name: there is never half a one.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from core.artefacts import store
from core.artefacts.direction import Direction, load_direction
from core.baking import evaluation, weight_edits
from core.baking.evaluation import BakedFigures
from core.baking.weight_edits import BakingError, Changes
from core.directions import contrast
from core.families.checkpoint import Checkpoint, Family
from core.models import loading, memory
from core.models.loading import Loaded
from core.models.placement import Placing
from core.recipes.language import Recipe, parse
from core.steering.interventions import RowEdit, compile_recipe
from core.util.files import write_bytes

#: A float32 model that was ablated by its weights may differ from the recipe by this much, in nats a token (mean KL).
_SAME = 1e-3


@dataclass(frozen=True)
class BakeRequest:
    """What is to be baked: a recipe into a checkpoint, written to a folder that is not there yet, or empty.

    ``dtype`` is that of the weights that are written; ``device`` and ``max_memory`` as for :func:`core.models.loading.load_model`.
    """

    checkpoint: str
    recipe: str
    out: Path
    device: str = "auto"
    dtype: str = "float32"
    max_memory: str = ""


@dataclass(frozen=True)
class _Before:
    """What is known before the weights are changed: the questions, what the plain model does with them, and what the recipe does."""

    questions: evaluation.Questions
    plain: BakedFigures
    steered: BakedFigures


def bake(family: Family, wish: BakeRequest) -> Generator[str, None, Path]:
    """Bake a recipe. Yields what is being done and, at the end, what came of it, in sentences; returns the folder.

    Raises:
        BakingError: a recipe that weights cannot hold, or an architecture that cannot hold it, with the reason; a folder that is there.
        TillerError: no such checkpoint or direction, or too little memory. Nothing is written in either case.
    """
    recipe = parse(wish.recipe)
    weight_edits.check_bakeable(recipe)
    _check_folder(wish.out)
    directions = _directions(family, wish.checkpoint, recipe)
    if loading.pick_device(wish.device).type == "mps":
        # A Mac's GPU does not know float64.
        wish = replace(wish, device="cpu")
    yield f"Loading {wish.checkpoint} in {wish.dtype}."
    loaded = loading.load_model(family, wish.checkpoint, Placing(wish.device, wish.dtype, "none", wish.max_memory))
    edits = compile_recipe(recipe, loaded, lambda name, checkpoint: directions[name, checkpoint])
    changes = weight_edits.changes(edits)
    weight_edits.check_model(loaded, changes)
    yield "Asking the plain model, and the same model with the recipe."
    before = _before(loaded, edits)
    with _beside(wish.out) as folder:
        yield "Changing and saving the weights."
        twice = _save(loaded, changes, folder)
        del loaded
        memory.release()
        yield "Asking the model that was saved."
        figures = _again(family, wish, folder, before)
        _check_same(wish, changes, figures)
        facts = evaluation.Facts(
            family, family.checkpoint(wish.checkpoint), str(recipe), tuple(directions.values()), wish.dtype
        )
        facts = replace(facts, removed=bool(changes.removed), added=bool(changes.added), twice=twice)
        write_bytes(folder / "README.md", evaluation.card(facts, before.plain, before.steered, figures).encode())
    yield from evaluation.sentences(before.plain, before.steered, figures)
    yield f"Written to {wish.out}"
    return wish.out


def _check_folder(out: Path) -> None:
    try:
        free = not out.exists() or (out.is_dir() and not any(out.iterdir()))
    except OSError as error:
        raise BakingError(f"{out} cannot be read ({error.strerror}); choose another folder.") from error
    if not free:
        raise BakingError(f"{out} is there already and not empty; choose another --out, or delete it first.")


def _directions(family: Family, checkpoint: str, recipe: Recipe) -> dict[tuple[str, str], Direction]:
    """Every direction that the recipe needs, by name and the checkpoint that it was learnt on."""
    found: dict[tuple[str, str], Direction] = {}
    for name, source in recipe.directions():
        learnt_on = family.checkpoint(source or family.directions_of(checkpoint)).name
        path = store.find_artefact(family.name, learnt_on, "direction", name, family.folder)
        if path is None:
            raise BakingError(
                f"{learnt_on} has no direction {name!r}; learn it with launch.py precompute, or bring it by launch.py import."
            )
        found[name, learnt_on] = load_direction(path)
    return found


def _before(loaded: Loaded, edits: tuple[RowEdit, ...]) -> _Before:
    questions = evaluation.questions(
        loaded, contrast.load_contrast(loaded.family, "refusal"), contrast.load_contrast(loaded.family, "truth")
    )
    plain = evaluation.figures(loaded, questions)
    steered = evaluation.figures(loaded, questions, edits)
    return _Before(replace(questions, steered=tuple(evaluation.logits(loaded, questions, edits))), plain, steered)


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that gets its name at the end of the ``with``, and is gone if that is not reached."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=out.parent, prefix=".baking-"))
    except OSError as error:
        raise BakingError(f"{out} cannot be written ({error.strerror}); choose another folder.") from error
    try:
        yield folder
        # What was made for one's own eyes becomes an ordinary folder of ordinary files.
        folder.chmod(0o755)
        for path in folder.iterdir():
            path.chmod(0o644)
        if out.is_dir():
            # It was empty; one that is not any more stays, and this ends in a sentence.
            out.rmdir()
        folder.replace(out)
    except OSError as error:
        raise BakingError(
            f"{out} cannot be written ({error.strerror}); free some space or choose another folder."
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _save(loaded: Loaded, changes: Changes, folder: Path) -> bool:
    """Write the changed model with its tokenizer; whether it is twice as wide as before."""
    model = weight_edits.operate(loaded, changes)
    wide = int(model.config.get_text_config().hidden_size) != loaded.width
    try:
        model.save_pretrained(folder)
        loaded.tokenizer.save_pretrained(folder)
    except (OSError, RuntimeError) as error:
        # safetensors reports a full disk as an error of its own, which is a RuntimeError's child or OSError's by version.
        raise BakingError(f"The model cannot be saved beside {folder.parent} ({error}); free some space.") from error
    return wide


def _again(family: Family, wish: BakeRequest, folder: Path, before: _Before) -> BakedFigures:
    """What the folder does, once it is loaded from the disk as any other checkpoint is."""
    mine = family.checkpoint(wish.checkpoint)
    own = Checkpoint(
        mine.name,
        str(folder),
        True,
        None,
        mine.stage,
        mine.letter,
        mine.template,
        None,
        mine.notes,
        mine.title,
        mine.template_from,
    )
    others = tuple(each for each in family.checkpoints if each.name != own.name)
    loaded = loading.load_model(
        replace(family, checkpoints=(own, *others), counterfactuals=()),
        own.name,
        Placing(wish.device, wish.dtype, "none", wish.max_memory),
    )
    return evaluation.figures(loaded, before.questions)


def _check_same(wish: BakeRequest, changes: Changes, figures: BakedFigures) -> None:
    """Refuse a folder that does not do what it should: an ablation in float32 is exact but for rounding."""
    if changes.added or wish.dtype != "float32":
        # A bias acts on the beginning-of-text token too, and rounding has its say: by how much it differs stands in the README.
        return
    if not figures.from_recipe <= _SAME:
        raise BakingError(
            f"What was baked differs from the recipe by {figures.from_recipe:.2g} nats a token, so that it was not kept; this architecture "
            "writes to the residual stream in a way that is not known here: steer it with the recipe."
        )
