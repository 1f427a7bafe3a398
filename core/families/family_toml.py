"""Reading a family.toml: every mistake is named with its line and its key. No torch. :mod:`core.families.registry` describes the file."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.families.checkpoint import (
    OWN_OR_PLAIN,
    TEMPLATES,
    Checkpoint,
    Counterfactual,
    Example,
    Family,
    FamilyError,
    Source,
    UndoPrompts,
)
from core.recipes.language import RecipeError, parse
from core.util.files import read_text

#: What a checkpoint may be called: a recipe must be able to name it, and a folder too.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]*(?:-[A-Za-z0-9_][A-Za-z0-9_.]*)*")
#: What a model of the Hub is called.
HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(?:/[A-Za-z0-9][A-Za-z0-9_.-]*)?")
_QUANTIZE = ("none", "8bit", "4bit")

_TOP = ("title", "notes", "licence", "parameters", "quantize", "memory", "report_opening")
_TABLES = ("checkpoint", "counterfactual", "example")
_CHECKPOINT = (
    *("name", "path", "hub", "revision", "parent", "adapter_of", "stage", "letter", "template", "template_from"),
    *("licence", "gated", "notes"),
)
_COUNTERFACTUAL = ("name", "title", "of", "file", "same_as", "without", "parent", "note")
_UNDO = ("lose", "keep", "lose_held_out", "keep_held_out")
_EXAMPLE = ("title", "message", "recipe", "checkpoint", "note", "without")


def read_family(path: Path) -> Family:
    """A family from its file. Raises FamilyError when the file cannot be used."""
    top = _Table("", 0, *_parsed(path))
    top.known((*_TOP, "undo", *_TABLES))
    tables = {kind: top.tables(kind) for kind in _TABLES}
    top.all_text(_TOP)
    if not tables["checkpoint"]:
        raise FamilyError(f"{path} names no [[checkpoint]].")
    name = path.parent.resolve().name
    family = Family(
        name=name,
        title=top.text("title", name),
        folder=path.parent.resolve(),
        checkpoints=_tree(tables["checkpoint"]),
        counterfactuals=(),
        examples=(),
        notes=top.text("notes"),
        licence=top.text("licence"),
        parameters=top.text("parameters"),
        quantize=_quantize(top),
        memory=_memory(top),
        report_opening=_beside(top, "report_opening"),
        undo=_undo(top),
    )
    for table in tables["counterfactual"]:
        family = replace(family, counterfactuals=(*family.counterfactuals, _counterfactual(table, family)))
    return replace(family, examples=tuple(_example(table, family) for table in tables["example"]))


# ------------------------------------------------------------------------------------------------- text, lines and tables


def _parsed(path: Path) -> tuple[dict[str, Any], _Lines]:
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text), _Lines(path, text)
    except tomllib.TOMLDecodeError as error:
        raise _no_toml(path, text, str(error)) from error
    except UnicodeError as error:
        raise FamilyError(f"{path} is not valid TOML: it is not UTF-8; save it as UTF-8.") from error
    except OSError as error:
        raise FamilyError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error


def _no_toml(path: Path, text: str, reason: str) -> FamilyError:
    place = re.search(r" \(at line ([0-9]+), column [0-9]+\)", reason)
    if place is None:
        return FamilyError(f"{path} is not valid TOML: {reason}.")
    number = int(place[1])
    lines = text.split("\n")
    shown = lines[number - 1].strip()[:60] if number <= len(lines) else ""
    return FamilyError(f"{path}, line {number} ({shown}) is not valid TOML: {reason.replace(place[0], '')}.")


class _Lines:
    """On which line of a file a table or a key stands. Tables and keys that are written within a line have none of their own."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._found: dict[tuple[str, int, str], int] = {}
        kind, counts, within = "", {"": 1}, ""
        for number, line in enumerate(text.split("\n"), 1):
            if within:
                # A text of several lines ends at the quotes that it began with; nothing in it is a key.
                within = "" if within in line else within
                continue
            if table := re.match(r"\s*\[\[?\s*([A-Za-z0-9_.-]+)\s*\]", line):
                kind = table[1]
                counts[kind] = counts.get(kind, 0) + 1
                self._found[kind, counts[kind] - 1, ""] = number
            elif key := re.match(r"""\s*["']?([A-Za-z0-9_-]+)["']?\s*[.=]""", line):
                self._found.setdefault((kind, counts[kind] - 1, key[1]), number)
            within = next((quotes for quotes in ('"""', "'''") if line.count(quotes) == 1), "")

    def of(self, kind: str, index: int, key: str) -> int | None:
        """The line of a key in the ``index``-th table of a kind (of the table itself, where the key is not there)."""
        return self._found.get((kind, index, key)) or self._found.get((kind, index, ""))


@dataclass(frozen=True)
class _Table:
    """One table of a file, and where it stands; ``kind`` is empty for what stands above all tables."""

    kind: str
    index: int
    values: Mapping[str, Any]
    lines: _Lines

    @property
    def path(self) -> Path:
        """The file."""
        return self.lines.path

    def wrong(self, sentence: str, key: str = "") -> FamilyError:
        """The error that a sentence is about, with the line of its key."""
        line = self.lines.of(self.kind, self.index, key)
        return FamilyError(f"{self.path}{f', line {line}' if line else ''}: {sentence}")

    def text(self, key: str, default: str = "") -> str:
        """A value."""
        return str(self.values.get(key, default))

    def known(self, keys: Sequence[str]) -> None:
        """Raise FamilyError for a key that is none of these."""
        where = _an(self.kind) if self.kind else "the top"
        for key in self.values:
            if key not in keys:
                close = difflib.get_close_matches(key, keys, n=1)
                fix = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(keys))}."
                raise self.wrong(f"{where} has the unknown key {key!r}; {fix}", key)

    def all_text(self, keys: Iterable[str]) -> None:
        """Raise FamilyError for a value that is no text."""
        for key in keys:
            value = self.values.get(key, "")
            if not isinstance(value, str):
                whose = f" of {_an(self.kind)}" if self.kind else ""
                raise self.wrong(f"{key}{whose} must be text in quotes, not {value!r}.", key)

    def named(self) -> str:
        """The name of a table of texts."""
        self.all_text(self.values)
        name = self.text("name")
        if not name:
            raise self.wrong(f"every [[{self.kind}]] needs a name.", "name")
        if not NAME.fullmatch(name):
            raise self.wrong(
                f"the {self.kind} name {name!r} cannot stand in a recipe; use letters, digits, . - and _.", "name"
            )
        return name

    def tables(self, kind: str) -> list[_Table]:
        """The tables of a kind."""
        found = self.values.get(kind, [])
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            line = self.lines.of(kind, 0, "") or self.lines.of("", 0, kind)
            where = f"{self.path}{f', line {line}' if line else ''}"
            raise FamilyError(f"{where}: write [[{kind}]] in double brackets, one for each {kind}.")
        return [_Table(kind, index, item, self.lines) for index, item in enumerate(found)]


def _an(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


# --------------------------------------------------------------------------------------------------- what stands at the top


def _quantize(top: _Table) -> str:
    found = top.text("quantize")
    if found and found not in _QUANTIZE:
        raise top.wrong(f"quantize must be one of {', '.join(_QUANTIZE)}, not {found!r}.", "quantize")
    return found


def _memory(top: _Table) -> str:
    found = top.text("memory")
    if found and not re.fullmatch(r"[0-9]+(\.[0-9]+)? ?[MG]B", found):
        raise top.wrong(f'memory must be an amount such as "14 GB", not {found!r}.', "memory")
    return found


def _undo(top: _Table) -> UndoPrompts | None:
    found = top.values.get("undo")
    if found is None:
        return None
    if not isinstance(found, dict):
        line = top.lines.of("undo", 0, "") or top.lines.of("", 0, "undo")
        raise FamilyError(f"{top.path}{f', line {line}' if line else ''}: write [undo] in single brackets, once.")
    table = _Table("undo", 0, found, top.lines)
    table.known(_UNDO)
    table.all_text(_UNDO)
    files = {key: _beside(table, key) for key in _UNDO}
    lose, keep = files.pop("lose"), files.pop("keep")
    if lose is None or keep is None:
        lacking = "keep" if lose else "lose"
        raise table.wrong(f"[undo] needs {lacking}, a text file with one prompt a line beside family.toml.", lacking)
    return UndoPrompts(lose, keep, **files)


def _beside(table: _Table, key: str) -> Path | None:
    """A text file of the family's own folder, if one is named; whether it is there shows when it is read."""
    name = table.text(key)
    if not name:
        return None
    folder = table.path.parent.resolve()
    path = (folder / name).resolve()
    if not path.is_relative_to(folder):
        raise table.wrong(f"{key} leads out of the family's folder ({name}); put the file beside family.toml.", key)
    return path


def text_of(path: Path) -> str:
    """The text of a file that a family.toml names. Raises TillerError when it cannot be read."""
    return read_text(path, "put the file there, since family.toml names it")


# ---------------------------------------------------------------------------------------------------------- checkpoints


def _tree(tables: Sequence[_Table]) -> tuple[Checkpoint, ...]:
    """The checkpoints, each behind what it needs: its parent, and what it is an adapter of or has its template from."""
    named: dict[str, _Table] = {}
    for table in tables:
        table.known(_CHECKPOINT)
        name = table.named()
        if name in named:
            before = named[name].lines.of("checkpoint", named[name].index, "name")
            other = f"; the other stands in line {before}" if before else ""
            raise table.wrong(f"two checkpoints are called {name!r}{other}.", "name")
        named[name] = table
    for table in tables:
        for key, what in _NEEDS.items():
            if key in table.values and table.values[key] not in named:
                raise table.wrong(
                    f"{what} {table.values[key]!r} of {table.text('name')!r} is no checkpoint of the family; "
                    f"there is {', '.join(named)}.",
                    key,
                )
        if "template_from" in named.get(table.text("template_from"), table).values and "template_from" in table.values:
            raise table.wrong(
                f"{table.text('template_from')!r}, from which {table.text('name')!r} has its template, has it from elsewhere; "
                "name the one whose own it is.",
                "template_from",
            )
    made: dict[str, Checkpoint] = {}
    while waiting := [name for name in named if name not in made]:
        ready = next((name for name in waiting if all(made.get(each) for each in _needed(named[name]))), None)
        if ready is None:
            raise _circle(named, waiting)
        made[ready] = _checkpoint(named[ready], made)
    return tuple(made.values())


_NEEDS = {"parent": "the parent", "adapter_of": "adapter_of", "template_from": "template_from"}


def _needed(table: _Table) -> list[str]:
    # A template is taken from wherever it is: children share theirs with their parents.
    return [table.text(key) for key in ("parent", "adapter_of") if key in table.values]


def _circle(named: Mapping[str, _Table], waiting: Sequence[str]) -> FamilyError:
    chain = [waiting[0]]
    while True:
        following = next(name for name in _needed(named[chain[-1]]) if name in waiting)
        if following in chain:
            chain = [*chain[chain.index(following) :], following]
            key = "parent" if named[chain[0]].text("parent") == chain[1] else "adapter_of"
            return named[chain[0]].wrong(
                f"the parents go round in a circle: {' → '.join(chain)}; one of them needs another parent, or none.",
                key,
            )
        chain.append(following)


def _checkpoint(table: _Table, made: Mapping[str, Checkpoint]) -> Checkpoint:
    name = table.text("name")
    source = _source(table)
    below = made[table.text("adapter_of")] if "adapter_of" in table.values else None
    stage = table.text("stage", name)
    weights = below.weights if below else source
    return Checkpoint(
        name=name,
        source=weights.source,
        local=weights.local,
        parent=table.values.get("parent", below.name if below else None),
        stage=stage,
        letter=table.text("letter", stage[:1].upper()),
        template=_template(table),
        revision=weights.revision,
        notes=table.text("notes"),
        title=name,
        template_from=table.text("template_from"),
        adapters=(*below.adapters, source) if below else (),
        licence=table.text("licence"),
        gated=_gated(table),
    )


def _source(table: _Table) -> Source:
    """Where the files of a checkpoint are: its weights', or its adapter's."""
    name = table.text("name")
    if ("path" in table.values) == ("hub" in table.values):
        raise table.wrong(f"checkpoint {name!r} needs either path (a folder) or hub (owner/model).")
    if "path" in table.values:
        if "revision" in table.values:
            raise table.wrong(f"the revision of {name!r} goes with hub; a folder has none.", "revision")
        return Source(str((table.path.parent / table.text("path")).resolve()), True)
    hub = table.text("hub")
    if not HUB_ID.fullmatch(hub):
        raise table.wrong(f"hub of {name!r} must be owner/model, as the Hub spells it, not {hub!r}.", "hub")
    return Source(hub, False, table.values.get("revision"))


def _template(table: _Table) -> str:
    template, name = table.text("template"), table.text("name")
    if template and "template_from" in table.values:
        raise table.wrong(f"{name!r} has a template and a template_from; leave one of them out.", "template_from")
    if template and template not in (*TEMPLATES, OWN_OR_PLAIN):
        there = ", ".join((*TEMPLATES, OWN_OR_PLAIN))
        raise table.wrong(f"checkpoint {name!r} names the template {template!r}; there is {there}.", "template")
    return template


def _gated(table: _Table) -> str:
    page = table.text("gated")
    if page and not page.startswith("https://"):
        raise table.wrong("gated must be the address of the page on which the licence is accepted.", "gated")
    return page


# --------------------------------------------------------------------------------------------- counterfactuals, examples


def _counterfactual(table: _Table, family: Family) -> Counterfactual:
    table.known(_COUNTERFACTUAL)
    name = table.named()
    if any(each.name == name for each in family.choices):
        raise table.wrong(f"two checkpoints are called {name!r}.", "name")
    if ("file" in table.values) == ("same_as" in table.values):
        raise table.wrong(
            f"counterfactual {name!r} needs either file (its difference) or same_as (a checkpoint with its weights)."
        )
    of = _one_of(table, "of", family.checkpoints, f"of, whose twin {name!r} is,")
    weights = _one_of(table, "same_as", family.checkpoints, f"same_as of {name!r}") if "same_as" in table.values else of
    if "file" in table.values and (not of.local or of.adapters):
        raise table.wrong(
            f"{name!r} is a difference to {of.name!r}, which must be a folder (path) and neither on the Hub nor an adapter.",
            "of",
        )
    parent = (
        _one_of(table, "parent", family.choices, f"the parent of {name!r}").name
        if "parent" in table.values
        else of.parent
    )
    without = table.text("without")
    if without and without not in [each.stage for each in family.checkpoints]:
        stages = ", ".join(each.stage for each in family.checkpoints)
        raise table.wrong(
            f"{name!r} is without {without!r}, which is no stage of the family; there is {stages}.", "without"
        )
    return Counterfactual(
        name=name,
        source=weights.source,
        local=weights.local,
        parent=parent,
        stage=of.stage,
        letter=of.letter,
        template=weights.template,
        template_from=weights.template_from,
        adapters=weights.adapters,
        revision=weights.revision,
        notes=table.text("note"),
        title=table.text("title", name),
        of=of.name,
        without=without,
        difference=(table.path.parent / table.text("file")).resolve() if "file" in table.values else None,
    )


def _one_of(table: _Table, key: str, there: Sequence[Checkpoint], what: str) -> Checkpoint:
    for each in there:
        if each.name == table.values.get(key):
            return each
    raise table.wrong(
        f"{what} must be one of {', '.join(each.name for each in there)}, not {table.values.get(key)!r}.", key
    )


def _example(table: _Table, family: Family) -> Example:
    table.known(_EXAMPLE)
    name = table.text("checkpoint", family.final.name)
    if name not in [each.name for each in family.choices]:
        there = ", ".join(each.name for each in family.choices)
        raise table.wrong(f"an example names the checkpoint {name!r}; {family.title} has {there}.", "checkpoint")
    title, message, recipe = (table.text(key) for key in ("title", "message", "recipe"))
    if not title or not message:
        raise table.wrong("every [[example]] needs a title and a message.")
    try:
        parse(recipe)
    except RecipeError as error:
        raise table.wrong(f"the recipe of the example {title!r} cannot be read. {error}", "recipe") from error
    without = table.text("without")
    stages = [each.stage for each in family.path(name)[1:]]
    if without and without not in stages:
        raise table.wrong(
            f"the example {title!r} is without {without!r}, which is no stage between the first checkpoint and {name}; "
            f"there is {', '.join(stages) or 'none'}.",
            "without",
        )
    return Example(title, message, recipe, name, table.text("note"), without)
