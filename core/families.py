"""Families: the checkpoints of one model, as a tree, from a ``family.toml``. No torch.

::

    title = "Skiff"
    notes = "…"
    licence = "MIT"

    [[checkpoint]]
    name = "base"
    path = "base"            # a folder beside family.toml, or hub = "owner/model"
    stage = "pretrain"
    letter = "B"
    template = "plain"       # a named plain template; without it the tokenizer's own

    [[checkpoint]]
    name = "sft"
    parent = "base"
    …

    [[counterfactual]]       # what a checkpoint would be, had its training been another; no part of the tree's stages
    name = "without-safety"
    title = "without safety (retrained)"
    of = "dpo"               # the checkpoint whose twin it is
    file = "counterfactual/without-safety.safetensors"   # its difference to it, or same_as = "safety": that one's weights
    without = "safety"       # the stage that was left out, where one was
    parent = "sft"           # what it was trained from; without it the parent of ``of``
    note = "…"

    [[example]]              # a chip of the front ends
    title = "Make it refuse"
    message = "…"
    recipe = "1.5*refusal"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.errors import TillerError
from core.recipes import RecipeError, parse
from core.store import SHIPPED, user_folder

#: What a checkpoint may be called: a recipe must be able to name it, and a folder too.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]*(?:-[A-Za-z0-9_][A-Za-z0-9_.]*)*")

#: Chat templates by name, in Jinja, with the strings at which a reply ends.
TEMPLATES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "plain": (
        "{{ bos_token }}{% for message in messages %}"
        "{% if message['role'] == 'user' %}User: {{ message['content'] }}\n"
        "{% elif message['role'] == 'assistant' %}Assistant: {{ message['content'] }}\n"
        "{% else %}{{ message['content'] }}\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}Assistant:{% endif %}",
        ("\nUser:",),
    ),
}  # fmt: skip


class FamilyError(TillerError):
    """A family that is not there or a family.toml that cannot be used."""


@dataclass(frozen=True)
class Checkpoint:
    """One set of weights. ``source`` is a folder or a hub id; ``template`` names a plain template, empty for the tokenizer's own.

    ``title`` is what a menu shows.
    """

    name: str
    source: str
    local: bool
    parent: str | None
    stage: str
    letter: str
    template: str
    revision: str | None
    notes: str
    title: str


@dataclass(frozen=True)
class Counterfactual(Checkpoint):
    """What the checkpoint ``of`` would be, had its training been another: ``without`` names the stage left out, if one was.

    ``source`` is the folder of the checkpoint that ``difference`` is added to; with no difference its weights are the same.
    """

    of: str
    without: str
    difference: Path | None


@dataclass(frozen=True)
class Example:
    """A chip: one click that shows something. ``recipe`` goes to the steered column, beside a plain one of ``checkpoint``."""

    title: str
    message: str
    recipe: str
    checkpoint: str
    note: str


@dataclass(frozen=True)
class Family:
    """A tree of checkpoints; parents stand before their children.

    ``counterfactuals`` are retrainings of some of them: they can be talked to by name, but are no stages of the family.
    """

    name: str
    title: str
    folder: Path
    checkpoints: tuple[Checkpoint, ...]
    counterfactuals: tuple[Counterfactual, ...]
    examples: tuple[Example, ...]
    notes: str
    licence: str

    def checkpoint(self, name: str) -> Checkpoint:
        """The checkpoint, or counterfactual, of that name. Raises FamilyError naming those there are."""
        for each in self.choices:
            if each.name == name:
                return each
        raise FamilyError(f"{self.title} has no checkpoint {name!r}; it has {', '.join(c.name for c in self.choices)}.")

    @property
    def choices(self) -> tuple[Checkpoint, ...]:
        """Whatever a column can be: the checkpoints, then their counterfactuals."""
        return (*self.checkpoints, *self.counterfactuals)

    def directions_of(self, name: str) -> str:
        """The checkpoint whose directions a recipe means that steers ``name`` and names no other.

        Its own; for a counterfactual those of the checkpoint whose twin it is, so that both are pushed the same way.
        """
        each = self.checkpoint(name)
        return each.of if isinstance(each, Counterfactual) else each.name

    @property
    def final(self) -> Checkpoint:
        """The checkpoint a chat starts with: the end of the longest path from the root, the last listed of several."""
        return max(reversed(self.checkpoints), key=lambda each: len(self.path(each.name)))

    def path(self, name: str) -> tuple[Checkpoint, ...]:
        """The checkpoints from the root to ``name``."""
        each: Checkpoint | None = self.checkpoint(name)
        chain: list[Checkpoint] = []
        while each is not None:
            chain.append(each)
            each = self.checkpoint(each.parent) if each.parent else None
        return tuple(reversed(chain))


def names() -> tuple[str, ...]:
    """The families that are at hand, a person's own first."""
    found = (
        path.parent.name
        for root in (user_folder(), SHIPPED)
        if root.is_dir()
        for path in sorted(root.glob("*/family.toml"))
    )
    return tuple(dict.fromkeys(found))


def load(name: str) -> Family:
    """A family by its name, or by the path of a folder with a family.toml.

    Raises:
        FamilyError: unknown name, or a family.toml that cannot be used (which key, which checkpoint).
    """
    places = [Path(name)] if "/" in name or "\\" in name else [user_folder() / name, SHIPPED / name]
    for folder in places:
        try:
            there = (folder / "family.toml").is_file()
        except OSError:
            # A name that is too long for a file is no family's either.
            there = False
        if there:
            return read(folder / "family.toml")
    shown = name if len(name) <= 100 else name[:100] + "…"
    raise FamilyError(
        f"There is no family {shown!r}; there is {', '.join(names()) or 'none'}. A folder with a family.toml works too, as ./folder."
    )


def read(path: Path) -> Family:
    """A family from its file. Raises FamilyError when the file cannot be used."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise FamilyError(f"{path} is not valid TOML: {error}.") from error
    except OSError as error:
        raise FamilyError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
    _known(data, {"title", "notes", "licence", "checkpoint", "counterfactual", "example"}, path, "the top")
    checkpoints = tuple(_checkpoint(item, path) for item in _tables(data, "checkpoint", path))
    family = Family(
        name=path.parent.resolve().name,
        title=str(data.get("title", path.parent.resolve().name)),
        folder=path.parent.resolve(),
        checkpoints=checkpoints,
        counterfactuals=(),
        examples=(),
        notes=str(data.get("notes", "")),
        licence=str(data.get("licence", "")),
    )
    _check_tree(family, path)
    for item in _tables(data, "counterfactual", path):
        found = _counterfactual(item, family, path)
        family = replace(family, counterfactuals=(*family.counterfactuals, found))
    examples = tuple(_example(item, family, path) for item in _tables(data, "example", path))
    return replace(family, examples=examples)


def _checkpoint(item: Mapping[str, Any], path: Path) -> Checkpoint:
    _known(
        item,
        {"name", "path", "hub", "parent", "stage", "letter", "template", "revision", "notes"},
        path,
        "a checkpoint",
    )
    name = _named(item, path, "checkpoint")
    if ("path" in item) == ("hub" in item):
        raise FamilyError(f"{path}: checkpoint {name!r} needs either path (a folder) or hub (owner/model).")
    template = str(item.get("template", ""))
    if template and template not in TEMPLATES:
        raise FamilyError(
            f"{path}: checkpoint {name!r} names the template {template!r}; there is {', '.join(TEMPLATES)}."
        )
    local = "path" in item
    source = str((path.parent / item["path"]).resolve()) if local else str(item["hub"])
    stage = str(item.get("stage", name))
    letter = str(item.get("letter", stage[:1].upper()))
    return Checkpoint(
        name,
        source,
        local,
        item.get("parent"),
        stage,
        letter,
        template,
        item.get("revision"),
        str(item.get("notes", "")),
        name,
    )


def _named(item: Mapping[str, Any], path: Path, kind: str) -> str:
    """The name of a table of texts."""
    for key, value in item.items():
        if not isinstance(value, str):
            raise FamilyError(f"{path}: {key} of a {kind} must be text in quotes, not {value!r}.")
    name = str(item.get("name", ""))
    if not name:
        raise FamilyError(f"{path}: every [[{kind}]] needs a name.")
    if not _NAME.fullmatch(name):
        raise FamilyError(f"{path}: the {kind} name {name!r} cannot stand in a recipe; use letters, digits, . - and _.")
    return name


def _counterfactual(item: Mapping[str, Any], family: Family, path: Path) -> Counterfactual:
    _known(item, {"name", "title", "of", "file", "same_as", "without", "parent", "note"}, path, "a counterfactual")
    name = _named(item, path, "counterfactual")
    if any(each.name == name for each in family.choices):
        raise FamilyError(f"{path}: two checkpoints are called {name!r}.")
    if ("file" in item) == ("same_as" in item):
        raise FamilyError(
            f"{path}: counterfactual {name!r} needs either file (its difference) or same_as (a checkpoint with its weights)."
        )
    of = _one_of(item.get("of"), family.checkpoints, f"{path}: of, whose twin {name!r} is,")
    weights = _one_of(item["same_as"], family.checkpoints, f"{path}: same_as of {name!r}") if "same_as" in item else of
    if "file" in item and not of.local:
        raise FamilyError(
            f"{path}: {name!r} is a difference to {of.name!r}, which must be a folder (path) and not on the Hub."
        )
    parent = (
        _one_of(item["parent"], family.choices, f"{path}: the parent of {name!r}").name
        if "parent" in item
        else of.parent
    )
    without = str(item.get("without", ""))
    if without and without not in [each.stage for each in family.checkpoints]:
        stages = ", ".join(each.stage for each in family.checkpoints)
        raise FamilyError(
            f"{path}: {name!r} is without {without!r}, which is no stage of the family; there is {stages}."
        )
    return Counterfactual(
        name=name,
        source=weights.source,
        local=weights.local,
        parent=parent,
        stage=of.stage,
        letter=of.letter,
        template=weights.template,
        revision=weights.revision,
        notes=str(item.get("note", "")),
        title=str(item.get("title", name)),
        of=of.name,
        without=without,
        difference=(path.parent / item["file"]).resolve() if "file" in item else None,
    )


def _one_of(name: object, there: Sequence[Checkpoint], what: str) -> Checkpoint:
    for each in there:
        if each.name == name:
            return each
    raise FamilyError(f"{what} must be one of {', '.join(each.name for each in there)}, not {name!r}.")


def _example(item: Mapping[str, Any], family: Family, path: Path) -> Example:
    _known(item, {"title", "message", "recipe", "checkpoint", "note"}, path, "an example")
    checkpoint = family.checkpoint(str(item.get("checkpoint", family.final.name)))
    title, message, recipe = (str(item.get(key, "")) for key in ("title", "message", "recipe"))
    if not title or not message:
        raise FamilyError(f"{path}: every [[example]] needs a title and a message.")
    try:
        parse(recipe)
    except RecipeError as error:
        raise FamilyError(f"{path}: the recipe of the example {title!r} cannot be read. {error}") from error
    return Example(title, message, recipe, checkpoint.name, str(item.get("note", "")))


def _tables(data: Mapping[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    found = data.get(key, [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise FamilyError(f"{path}: write [[{key}]] in double brackets, one for each {key}.")
    return found


def _known(item: Mapping[str, Any], keys: set[str], path: Path, where: str) -> None:
    for key in item:
        if key not in keys:
            raise FamilyError(f"{path}: {where} has the unknown key {key!r}; known are {', '.join(sorted(keys))}.")


def _check_tree(family: Family, path: Path) -> None:
    if not family.checkpoints:
        raise FamilyError(f"{path} names no [[checkpoint]].")
    seen: set[str] = set()
    for each in family.checkpoints:
        if each.name in seen:
            raise FamilyError(f"{path}: two checkpoints are called {each.name!r}.")
        if each.parent is not None and each.parent not in seen:
            raise FamilyError(f"{path}: the parent {each.parent!r} of {each.name!r} must be listed before it.")
        seen.add(each.name)
