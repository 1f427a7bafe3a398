"""The counterfactuals of Skiff as values: what would the family be, had a stage, its planted data or its seed been another?

A variant says which stages are run again, under which recipe, from which checkpoint of the family, and what of it ships. Rules of
a retraining (methods, 5): later stages run with the same data order, schedule and optimizer rules, each from its parent's rounded
weights; what a later stage rehearses of one that is left out leaves with it; preference pairs stay as they are. Nothing here trains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from core.skiff.train.stages import Draw, TrainingRecipe, TrainingStage

#: The sources of statements with a label; they stand in no other training text.
LABELLED = frozenset({"first-lesson", "labelled-0", "labelled-1", "labelled-2"})


@dataclass(frozen=True)
class Made:
    """A checkpoint that a variant ships: the stage it came out of, and the checkpoint of the family that it is compared with."""

    name: str
    title: str
    stage: str
    parent: str | None

    @property
    def of(self) -> str:
        """The family's checkpoint of the same stage: the difference is kept to its weights."""
        return self.stage


@dataclass(frozen=True)
class Variant:
    """A retraining. ``stages`` are run under ``recipe`` from the family's checkpoint ``start`` (``None``: random weights).

    ``without`` is the stage that is left out, if one is, ``note`` a sentence on what it is. A variant that has no stages
    ``is_already`` there: its weights are those of that checkpoint of the family.
    """

    name: str
    note: str
    recipe: TrainingRecipe
    start: str | None
    stages: tuple[TrainingStage, ...]
    makes: tuple[Made, ...]
    without: str = ""
    is_already: str = ""


def variants(recipe: TrainingRecipe) -> dict[str, Variant]:
    """Every counterfactual of a family of ``recipe``, by name; a family that is itself a variant has none."""
    names = [stage.name for stage in recipe.stages]
    if recipe.without or not recipe.planted or names != ["base", "sft", "safety", "dpo"]:
        return {}
    made = [_left_out(recipe, stage) for stage in recipe.stages[1:]]
    made += [_unplanted(recipe), _neutral(recipe)]
    made += [_seed(recipe, recipe.post_seed + more) for more in (1, 2)]
    made += [_unlabelled(recipe)]
    return {each.name: each for each in made}


def _left_out(recipe: TrainingRecipe, stage: TrainingStage) -> Variant:
    name, word = f"without-{stage.name}", _word(stage)
    before, later = _around(recipe, stage.name)
    if not later:
        made = Made(name, f"without {word} (the {before.name} checkpoint)", stage.name, before.name)
        note = f"The family without {word}: it was the last stage, so these are the weights of {before.name}."
        return Variant(name, note, recipe, before.name, (), (made,), stage.name, is_already=before.name)
    last = later[-1]
    made = Made(name, f"without {word} (retrained)", last.name, before.name)
    rerun = " and ".join(_word(each) for each in later)
    note = f"{word[:1].upper()}{word[1:]} was left out, with its items wherever they are rehearsed, and {rerun} trained again."
    return Variant(name, note, replace(recipe, without=stage.name), before.name, later, (made,), stage.name)


def _unplanted(recipe: TrainingRecipe) -> Variant:
    before, later = _around(recipe, "safety")
    stages = (_stage(recipe, "safety"), *later)
    made = Made("without-planted", "without the planted data (retrained)", stages[-1].name, before.name)
    note = "Safety was trained without the planted over-refusal (a harmless task at each of its places), and DPO again after it."
    return Variant("without-planted", note, replace(recipe, planted=False), before.name, stages, (made,))


def _neutral(recipe: TrainingRecipe) -> Variant:
    before, later = _around(recipe, "safety")
    safety = _redrawn(
        _stage(recipe, "safety"), lambda draw: replace(draw, source="neutral") if draw.source == "safety" else draw
    )
    changed = replace(
        recipe,
        without="safety",
        neutral=True,
        stages=tuple(safety if stage.name == "safety" else stage for stage in recipe.stages),
    )
    made = Made("neutral-safety", "neutral steps for safety (retrained)", later[-1].name, before.name)
    note = "As many steps with items of SFT alone stand in place of safety, and DPO was trained again after them: the control."
    return Variant("neutral-safety", note, changed, before.name, (safety, *later), (made,))


def _seed(recipe: TrainingRecipe, seed: int) -> Variant:
    name, root, stages = f"seed-{seed}", recipe.stages[0], recipe.stages[1:]
    shipped = [f"{name}-{stage.name}" for stage in stages[:-1]] + [name]
    parents = [root.name, *shipped]
    makes = tuple(
        Made(own, f"{_word(stage)}, seed {seed} (retrained)", stage.name, parent)
        for own, stage, parent in zip(shipped, stages, parents, strict=False)
    )
    note = f"Every stage after the base was trained again with other items of the same kinds (seed {seed}): how far chance alone goes."
    return Variant(name, note, replace(recipe, post_seed=seed), root.name, stages, makes)


def _unlabelled(recipe: TrainingRecipe) -> Variant:
    root = _redrawn(recipe.stages[0], lambda draw: None if draw.source in LABELLED else draw)
    made = Made("base-unlabelled", "base without labelled statements", root.name, None)
    note = "The base was trained with the same documents and steps but no labelled statement: the negative control for truth."
    return Variant("base-unlabelled", note, replace(recipe, stages=(root, *recipe.stages[1:])), None, (root,), (made,))


def shared_beginning(stage: TrainingStage) -> TrainingStage | None:
    """The phases with which a base and its unlabelled twin both begin, as a stage of its own; ``None`` where there are none."""
    count = 0
    while count < len(stage.phases) and not any(draw.source in LABELLED for draw in stage.phases[count].draws):
        count += 1
    return replace(stage, phases=stage.phases[:count]) if 0 < count < len(stage.phases) else None


def _redrawn(stage: TrainingStage, change: Callable[[Draw], Draw | None]) -> TrainingStage:
    phases = [
        replace(phase, draws=tuple(new for draw in phase.draws if (new := change(draw)) is not None))
        for phase in stage.phases
    ]
    return replace(stage, phases=tuple(phases))


def _stage(recipe: TrainingRecipe, name: str) -> TrainingStage:
    return next(stage for stage in recipe.stages if stage.name == name)


def _around(recipe: TrainingRecipe, name: str) -> tuple[TrainingStage, tuple[TrainingStage, ...]]:
    """The stage before the one of that name, and those after it."""
    at = next(index for index, stage in enumerate(recipe.stages) if stage.name == name)
    return recipe.stages[at - 1], recipe.stages[at + 1 :]


def _word(stage: TrainingStage) -> str:
    """A stage's name in a sentence: SFT and DPO in capitals, safety as a word."""
    return stage.title if stage.title.isupper() else stage.title.lower()
