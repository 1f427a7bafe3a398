"""A family.toml as it is written, key by key: what :mod:`core.families.family_toml` reads into a family. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from core.families.checkpoint import TemplateValue
from core.util.limits import MAX_TOKENS, MAX_TURNS


@dataclass(frozen=True)
class PackageTable:
    """``package`` of a ``[[checkpoint]]``; all its keys are needed."""

    name: str
    version: str
    file: str
    sha256: str
    size: int
    licence: str


@dataclass(frozen=True)
class CheckpointTable:
    """``[[checkpoint]]``; None stands for a key that is not there, as in all these tables."""

    name: str = ""
    path: str | None = None
    hub: str | None = None
    revision: str | None = None
    package: PackageTable | None = None
    parent: str | None = None
    adapter_of: str | None = None
    stage: str = ""
    letter: str = ""
    template: str = ""
    template_from: str | None = None
    template_vars: Mapping[str, TemplateValue] = field(default_factory=dict)
    licence: str = ""
    gated: str = ""
    notes: str = ""


@dataclass(frozen=True)
class CounterfactualTable:
    """``[[counterfactual]]``."""

    name: str = ""
    title: str = ""
    of: str | None = None
    file: str | None = None
    same_as: str | None = None
    path: str | None = None
    adapter_of: str | None = None
    without: str = ""
    parent: str | None = None
    note: str = ""


@dataclass(frozen=True)
class ExampleTable:
    """``[[example]]``."""

    title: str = ""
    message: str = ""
    recipe: str = ""
    checkpoint: str | None = None
    note: str = ""
    without: str = ""


@dataclass(frozen=True)
class UndoTable:
    """``[undo]``."""

    lose: str = ""
    keep: str = ""
    lose_held_out: str = ""
    keep_held_out: str = ""


@dataclass(frozen=True)
class FamilyFile:
    """All of it."""

    title: str = ""
    notes: str = ""
    licence: str = ""
    parameters: str = ""
    quantize: Literal["none", "8bit", "4bit"] | None = None
    memory: str = ""
    about: str = ""
    questions: tuple[str, ...] = ()
    longest_answer: Annotated[int, range(1, MAX_TOKENS + 1)] | None = None
    report_opening: str = ""
    turns: Annotated[int, range(1, MAX_TURNS + 1)] | None = None
    system_prompts: bool = True
    undo: UndoTable | None = None
    checkpoint: tuple[CheckpointTable, ...] = ()
    counterfactual: tuple[CounterfactualTable, ...] = ()
    example: tuple[ExampleTable, ...] = ()
