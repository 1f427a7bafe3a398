"""Skiff at another width and depth: the same recipe, for a second family between which and Skiff directions are mapped."""

from __future__ import annotations

from dataclasses import replace

from core.skiff.train.stages import TrainingRecipe, TrainingStage

#: Width, layers, heads, key and value heads, width of the MLP. A small checkpoint takes under 3 MB in bfloat16.
SHAPES: dict[str, tuple[int, int, int, int, int]] = {"full": (256, 6, 4, 2, 576), "small": (144, 5, 4, 2, 324)}


def sized(recipe: TrainingRecipe, size: str) -> TrainingRecipe:
    """The recipe at a size of :data:`SHAPES`; "full" leaves it as it is (``--quick`` has a shape of its own)."""
    return recipe if size == "full" else replace(recipe, shape=SHAPES[size])


def is_small(recipe: TrainingRecipe) -> bool:
    """Whether a recipe is that of the small family."""
    return recipe.shape == SHAPES["small"]


def family_head(title: str, notes: str) -> list[str]:
    """The first lines of a family file of ours: what it is, how many turns it can follow, and how long its answers may get."""
    return [
        f'title = "{title}"',
        f'notes = "{notes}"',
        'licence = "MIT"',
        "turns = 1",
        "system_prompts = false",
        "longest_answer = 96",
    ]


def small_toml(stages: tuple[TrainingStage, ...], notes: str) -> str:
    """The family file of the small family: its first and its last stage alone, for what lies between them is not shipped."""
    lines = [*family_head("Skiff small", notes), 'report_opening = "report.md"', ""]
    ends = (stages[0], stages[-1]) if len(stages) > 1 else stages
    for stage in ends:
        lines += ["[[checkpoint]]", f'name = "{stage.name}"', f'path = "{stage.name}"', f'letter = "{stage.letter}"']
        first = stage is stages[0]
        trained = " + ".join(each.stage for each in stages[1:])
        lines += [f'stage = "{stage.stage if first else trained}"']
        lines += ['template = "plain"', ""] if first else [f'parent = "{stages[0].name}"', ""]
    return "\n".join(lines)
