"""Reading a family.toml: every mistake is named with its key and its fix. No torch. :mod:`core.families.registry` describes the file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.artefacts.store import roots
from core.errors import TillerError
from core.families.checkpoint import (
    GENERAL_QUESTIONS,
    LONGEST_ANSWER,
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
from core.families.family_tables import (
    CheckpointTable,
    CounterfactualTable,
    ExampleTable,
    FamilyFile,
    UndoTable,
)
from core.families.package import Package
from core.recipes.language import parse
from core.recipes.scanner import RecipeError
from core.util.decode import DecodeError, Decoder
from core.util.files import read_text
from core.util.text import clean

#: What a checkpoint may be called: a recipe must be able to name it, and a folder too.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]*(?:-[A-Za-z0-9_][A-Za-z0-9_.]*)*")
#: What a model of the Hub is called.
HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(?:/[A-Za-z0-9][A-Za-z0-9_.-]*)?")
#: What a package of an index, one of its versions, and a GGUF file in it are called.
_PACKAGE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[0-9][A-Za-z0-9.+!]*")
_MEMBER = re.compile(r"(?:(?!\.\.?/)[A-Za-z0-9_.+-]+/)*[A-Za-z0-9_+-][A-Za-z0-9_.+-]*\.gguf")
_MEMORY = re.compile(r"[0-9]+(\.[0-9]+)? ?[MG]B")

_DECODER = Decoder({str: clean}, strict=True)


def read_family(path: Path) -> Family:
    """A family from its file. Raises FamilyError when the file cannot be used."""
    document = _parsed(path)
    try:
        _check_brackets(document)
        return _family(path.parent.resolve(), _DECODER.decode(FamilyFile, document))
    except (DecodeError, FamilyError) as error:
        raise FamilyError(f"{path}: {error}") from error


def _parsed(path: Path) -> dict[str, Any]:
    try:
        text = read_text(path, "check its permissions")
    except TillerError as error:
        raise FamilyError(str(error)) from error
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # Of numbers of thousands of digits, and of what is nested beyond all measure, Python speaks itself.
        raise FamilyError(f"{path} is not valid TOML: {error}.") from error


def _check_brackets(document: Mapping[str, Any]) -> None:
    for kind in ("checkpoint", "counterfactual", "example"):
        if not isinstance(document.get(kind, []), list):
            raise FamilyError(f"write [[{kind}]] in double brackets, one for each {kind}.")
    if not isinstance(document.get("undo", {}), dict):
        raise FamilyError("write [undo] in single brackets, once.")


def _family(folder: Path, file: FamilyFile) -> Family:
    if not file.checkpoint:
        raise FamilyError("there is no [[checkpoint]]; name at least one.")
    if file.memory and not _MEMORY.fullmatch(file.memory):
        raise FamilyError(f'memory must be an amount such as "14 GB", not {file.memory!r}.')
    family = Family(
        name=folder.name,
        title=file.title or folder.name,
        folder=folder,
        checkpoints=_tree(folder, file.checkpoint),
        counterfactuals=(),
        examples=(),
        notes=file.notes,
        licence=file.licence,
        parameters=file.parameters,
        quantize=file.quantize or "",
        memory=file.memory,
        turns=file.turns,
        system_prompts=file.system_prompts,
        report_opening=_beside(folder, "report_opening", file.report_opening),
        undo=_undo(folder, file.undo) if file.undo else None,
        about=file.about,
        questions=_questions(file.questions) or GENERAL_QUESTIONS,
        longest_answer=LONGEST_ANSWER if file.longest_answer is None else file.longest_answer,
    )
    for table in file.counterfactual:
        family = replace(family, counterfactuals=(*family.counterfactuals, _counterfactual(table, family)))
    return replace(family, examples=tuple(_example(table, family) for table in file.example))


def _questions(texts: Sequence[str]) -> tuple[str, ...]:
    if not all(text.strip() for text in texts):
        raise FamilyError("a question is empty; write one a person could ask, or leave it out.")
    return tuple(text.strip() for text in texts)


def _undo(folder: Path, table: UndoTable) -> UndoPrompts:
    files = {key: _beside(folder, key, name) for key, name in vars(table).items()}
    lose, keep = files.pop("lose"), files.pop("keep")
    if lose is None or keep is None:
        raise FamilyError(
            f"[undo] needs {'keep' if lose else 'lose'}, a text file with one prompt a line beside family.toml."
        )
    return UndoPrompts(lose, keep, **files)


def _place(folder: Path, name: str) -> Path:
    """A path that the file names, whether anything is there or not. Raises FamilyError for what no computer can have."""
    try:
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            (folder / name).lstat()
        return (folder / name).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise FamilyError(
            f"{name[:60]!r}… is no path here ({getattr(error, 'strerror', None) or error}); correct it."
        ) from error


def _beside(folder: Path, key: str, name: str) -> Path | None:
    """A text file of the family's own folder, if one is named; whether it is there shows when it is read."""
    if not name:
        return None
    path = _place(folder, name)
    if not path.is_relative_to(folder):
        raise FamilyError(f"{key} leads out of the family's folder ({name}); put the file beside family.toml.")
    return path


def text_of(path: Path) -> str:
    """The text of a file that a family.toml names. Raises TillerError when it cannot be read."""
    return read_text(path, "put the file there, since family.toml names it")


def _check_name(kind: str, name: str, taken: Sequence[str]) -> None:
    if not name:
        raise FamilyError(f"every [[{kind}]] needs a name.")
    if not NAME.fullmatch(name):
        raise FamilyError(f"the {kind} name {name!r} cannot stand in a recipe; use letters, digits, . - and _.")
    if name in taken:
        raise FamilyError(f"two checkpoints are called {name!r}; give one of them another name.")


# ---------------------------------------------------------------------------------------------------------- checkpoints

#: The keys that name another checkpoint, and what sentences call them.
_NEEDS = {"parent": "the parent", "adapter_of": "adapter_of", "template_from": "template_from"}


def _tree(folder: Path, tables: Sequence[CheckpointTable]) -> tuple[Checkpoint, ...]:
    """The checkpoints, each behind what it needs: its parent, and what it is an adapter of or has its template from."""
    named: dict[str, CheckpointTable] = {}
    for table in tables:
        _check_name("checkpoint", table.name, tuple(named))
        named[table.name] = table
    for name, table in named.items():
        for key, what in _NEEDS.items():
            other = getattr(table, key)
            if other is not None and other not in named:
                raise FamilyError(
                    f"{what} {other!r} of {name!r} is no checkpoint of the family; there is {', '.join(named)}."
                )
        if table.template_from is not None and named[table.template_from].template_from is not None:
            raise FamilyError(
                f"{table.template_from!r}, from which {name!r} has its template, has it from elsewhere; "
                "name the one whose own it is."
            )
    made: dict[str, Checkpoint] = {}
    while waiting := [name for name in named if name not in made]:
        ready = next((name for name in waiting if all(made.get(each) for each in _needed(named[name]))), None)
        if ready is None:
            raise _circle(named, waiting)
        made[ready] = _checkpoint(folder, named[ready], made)
    return tuple(made.values())


def _needed(table: CheckpointTable) -> list[str]:
    # A template is taken from wherever it is: children share theirs with their parents.
    return [name for name in (table.parent, table.adapter_of) if name is not None]


def _circle(named: Mapping[str, CheckpointTable], waiting: Sequence[str]) -> FamilyError:
    chain = [waiting[0]]
    while True:
        following = next(name for name in _needed(named[chain[-1]]) if name in waiting)
        if following in chain:
            chain = [*chain[chain.index(following) :], following]
            return FamilyError(
                f"the parents go round in a circle: {' → '.join(chain)}; one of them needs another parent, or none."
            )
        chain.append(following)


def _checkpoint(folder: Path, table: CheckpointTable, made: Mapping[str, Checkpoint]) -> Checkpoint:
    _check_template(table)
    if table.gated and not table.gated.startswith("https://"):
        raise FamilyError(f"gated of {table.name!r} must be the address of the page on which the licence is accepted.")
    package = _package(folder, table)
    source = _source(folder, table, package)
    below = made[table.adapter_of] if table.adapter_of is not None else None
    stage = table.stage or table.name
    weights = below.weights if below else source
    return Checkpoint(
        name=table.name,
        source=weights.source,
        local=weights.local,
        parent=table.parent or (below.name if below else None),
        stage=stage,
        letter=table.letter or stage[:1].upper(),
        template=table.template,
        revision=weights.revision,
        notes=table.notes,
        title=table.name,
        template_from=table.template_from or "",
        template_vars=tuple(table.template_vars.items()),
        adapters=(*below.adapters, source) if below else (),
        licence=table.licence,
        gated=table.gated,
        package=below.package if below else package,
    )


def _package(folder: Path, table: CheckpointTable) -> Package | None:
    """The package in which a checkpoint's weights lie, too."""
    said = table.package
    if said is None:
        return None
    what = f"package of {table.name!r}"
    if table.hub is None or table.adapter_of is not None:
        raise FamilyError(f"the {what} goes with hub, for a whole model; leave it out.")
    if not _PACKAGE.fullmatch(said.name) or not _VERSION.fullmatch(said.version):
        raise FamilyError(
            f'the {what} needs a name and one version, as "1.2.0", not {said.name!r} and {said.version!r}.'
        )
    if not _MEMBER.fullmatch(said.file):
        raise FamilyError(f"file in the {what} must be the place of a .gguf file in the wheel, not {said.file!r}.")
    if not re.fullmatch(r"[0-9a-f]{64}", said.sha256):
        raise FamilyError(f"sha256 in the {what} must be the 64 hexadecimal digits of the file's SHA-256.")
    if said.size < 1:
        raise FamilyError(f"size in the {what} must be the bytes of the download, not {said.size}.")
    known = folder.parent in (root.resolve() for root in roots())
    return Package(**vars(said), family=folder.name if known else str(folder))


def _source(folder: Path, table: CheckpointTable, package: Package | None) -> Source:
    """Where the files of a checkpoint are: its weights', or its adapter's. A package that was fetched comes before the Hub."""
    if (table.path is None) == (table.hub is None):
        raise FamilyError(f"checkpoint {table.name!r} needs either path (a folder) or hub (owner/model).")
    if table.path is not None and table.revision is not None:
        raise FamilyError(f"the revision of {table.name!r} goes with hub; a folder has none.")
    if table.path is not None:
        return Source(str(_place(folder, table.path)), True)
    if not HUB_ID.fullmatch(table.hub or ""):
        raise FamilyError(f"hub of {table.name!r} must be owner/model, as the Hub spells it, not {table.hub!r}.")
    if package is not None and package.fetched:
        return Source(str(package.model.resolve()), True)
    return Source(table.hub or "", False, table.revision)


def _check_template(table: CheckpointTable) -> None:
    if table.template and table.template_from is not None:
        raise FamilyError(f"{table.name!r} has a template and a template_from; leave one of them out.")
    there = (*TEMPLATES, OWN_OR_PLAIN)
    if table.template and table.template not in there:
        raise FamilyError(
            f"checkpoint {table.name!r} names the template {table.template!r}; there is {', '.join(there)}."
        )


# --------------------------------------------------------------------------------------------- counterfactuals, examples


def _counterfactual(table: CounterfactualTable, family: Family) -> Counterfactual:
    name = table.name
    _check_name("counterfactual", name, [each.name for each in family.choices])
    if sum(each is not None for each in (table.file, table.same_as, table.path)) != 1:
        raise FamilyError(
            f"counterfactual {name!r} needs one of file (its difference), same_as (a checkpoint with its weights) and path (its adapter)."
        )
    if (table.path is None) != (table.adapter_of is None):
        raise FamilyError(f"path of {name!r} is the folder of an adapter, and adapter_of names what it is put on.")
    of = _one_of(family.checkpoints, table.of, f"of, whose twin {name!r} is,")
    if table.adapter_of is not None:
        weights = _one_of(family.choices, table.adapter_of, f"adapter_of of {name!r}")
    elif table.same_as is not None:
        weights = _one_of(family.checkpoints, table.same_as, f"same_as of {name!r}")
    else:
        weights = of
    adapter = () if table.path is None else (Source(str(_place(family.folder, table.path)), True),)
    if table.file is not None and (not of.local or of.adapters):
        raise FamilyError(
            f"{name!r} is a difference to {of.name!r}, which must be a folder (path) and neither on the Hub nor an adapter."
        )
    parent = of.parent
    if table.parent is not None:
        parent = _one_of(family.choices, table.parent, f"the parent of {name!r}").name
    if table.without:
        _check_without(f"{name!r}", table.without, family.checkpoints, "of the family")
    return Counterfactual(
        name=name,
        source=weights.source,
        local=weights.local,
        parent=parent,
        stage=of.stage,
        letter=of.letter,
        template=weights.template,
        template_from=weights.template_from,
        template_vars=weights.template_vars,
        adapters=(*weights.adapters, *adapter),
        revision=weights.revision,
        package=weights.package,
        notes=table.note,
        title=table.title or name,
        of=of.name,
        without=table.without,
        difference=_place(family.folder, table.file) if table.file is not None else None,
    )


def _one_of(there: Sequence[Checkpoint], name: str | None, what: str) -> Checkpoint:
    for each in there:
        if each.name == name:
            return each
    raise FamilyError(f"{what} must be one of {', '.join(each.name for each in there)}, not {name!r}.")


def _check_without(what: str, without: str, there: Sequence[Checkpoint], where: str) -> None:
    """A stage is named by its name, or by the checkpoint that it led to where several have one name. Raises FamilyError."""
    named = [each for each in there if without in (each.stage, each.name)]
    if not named:
        stages = ", ".join(each.stage for each in there) or "none"
        raise FamilyError(f"{what} is without {without!r}, which is no stage {where}; there is {stages}.")
    if len(named) > 1 and not any(each.name == without for each in named):
        raise FamilyError(
            f"{what} is without {without!r}, which {len(named)} stages are called; name the checkpoint that it led to: "
            f"{', '.join(each.name for each in named)}."
        )


def _example(table: ExampleTable, family: Family) -> Example:
    name = family.final.name if table.checkpoint is None else table.checkpoint
    there = [each.name for each in family.choices]
    if name not in there:
        raise FamilyError(f"an example names the checkpoint {name!r}; {family.title} has {', '.join(there)}.")
    if not table.title or not table.message:
        raise FamilyError("every [[example]] needs a title and a message.")
    try:
        parse(table.recipe)
    except RecipeError as error:
        raise FamilyError(f"the recipe of the example {table.title!r} cannot be read. {error}") from error
    if table.without:
        between = f"between the first checkpoint and {name}"
        _check_without(f"the example {table.title!r}", table.without, family.path(name)[1:], between)
    return Example(table.title, table.message, table.recipe, name, table.note, table.without)
