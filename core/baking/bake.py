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
from core.baking.older_readers import name_for_older_readers, save_tokenizer
from core.baking.promise import Promise, check, promised
from core.baking.weight_edits import BakingError
from core.directions import contrast
from core.families.checkpoint import Checkpoint, Family, TemplateVars
from core.families.commands import how_to_learn
from core.models import loading, memory
from core.models.hooks import locate
from core.models.loading import Loaded
from core.models.placement import Placing
from core.recipes.language import Recipe, parse
from core.steering.interventions import RowEdit, compile_recipe
from core.util.files import check_new_folder, write_bytes


@dataclass(frozen=True)
class BakeRequest:
    """What is to be baked: a recipe into a checkpoint, written to a folder that is not there yet, or empty.

    ``dtype`` is that of the weights that are written; ``device``, ``max_memory`` and ``template_vars`` as for
    :func:`core.models.loading.load_model`.
    """

    checkpoint: str
    recipe: str
    out: Path
    device: str = "auto"
    dtype: str = "float32"
    max_memory: str = ""
    template_vars: TemplateVars = ()


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
    check_new_folder(wish.out)
    directions = _directions(family, wish.checkpoint, recipe)
    if loading.pick_device(wish.device).type == "mps":
        # A Mac's GPU does not know float64.
        wish = replace(wish, device="cpu")
    yield f"Loading {wish.checkpoint} in {wish.dtype}."
    loaded = loading.load_model(family, wish.checkpoint, _placing(wish), unpack=True)
    edits = compile_recipe(recipe, loaded, lambda name, checkpoint: directions[name, checkpoint])
    changes = weight_edits.changes(edits)
    weight_edits.check_model(loaded, changes)
    promise = promised(loaded, edits, changes)
    yield "Asking the plain model, and the same model with the recipe."
    before = _before(loaded, edits)
    with _beside(wish.out) as folder:
        yield "Changing and saving the weights."
        twice = _save(loaded, promise, folder)
        del loaded
        memory.release()
        yield "Asking the model that was saved."
        figures = _again(family, wish, folder, before, promise)
        facts = evaluation.Facts(
            family, family.checkpoint(wish.checkpoint), str(recipe), tuple(directions.values()), wish.dtype
        )
        facts = replace(facts, removed=bool(changes.removed), added=bool(changes.added), twice=twice)
        write_bytes(folder / "README.md", evaluation.card(facts, before.plain, before.steered, figures).encode())
    yield from evaluation.sentences(before.plain, before.steered, figures)
    yield f"Written to {wish.out}"
    return wish.out


def _placing(wish: BakeRequest) -> Placing:
    return Placing(wish.device, wish.dtype, "none", wish.max_memory, wish.template_vars)


def _directions(family: Family, checkpoint: str, recipe: Recipe) -> dict[tuple[str, str], Direction]:
    """Every direction that the recipe needs, by name and the checkpoint that it was learnt on."""
    found: dict[tuple[str, str], Direction] = {}
    for name, source in recipe.directions():
        learnt_on = family.checkpoint(source or family.directions_of(checkpoint)).name
        path = store.find_artefact(family.places, learnt_on, "direction", name)
        if path is None:
            raise BakingError(f"{learnt_on} has no direction {name!r}; {how_to_learn(family)}")
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


def _save(loaded: Loaded, promise: Promise, folder: Path) -> bool:
    """Write the changed model with its tokenizer, once it is known to do what the recipe does; whether it is twice as wide as before."""
    model = weight_edits.operate(loaded, promise.changes)
    check(promise, model, locate(model))
    # The classes are transformers' own; code that the configuration may name beside them is not needed.
    for told in (vars(model.config), loaded.tokenizer.init_kwargs):
        told.pop("auto_map", None)
    wide = int(model.config.get_text_config().hidden_size) != loaded.width
    try:
        model.save_pretrained(folder)
        save_tokenizer(loaded.tokenizer, folder)
        name_for_older_readers(folder / "config.json")
    except (OSError, RuntimeError) as error:
        # safetensors reports a full disk as an error of its own, which is a RuntimeError's child or OSError's by version.
        raise BakingError(f"The model cannot be saved in {folder.parent} ({error}); free some space.") from error
    return wide


def _again(family: Family, wish: BakeRequest, folder: Path, before: _Before, promise: Promise) -> BakedFigures:
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
        mine.template_vars,
    )
    others = tuple(each for each in family.checkpoints if each.name != own.name)
    loaded = loading.load_model(
        replace(family, checkpoints=(own, *others), counterfactuals=()),
        own.name,
        _placing(wish),
        unpack=True,
    )
    check(promise, loaded.model, loaded.anatomy)
    return evaluation.figures(loaded, before.questions)
