"""What a command line says, as its parser fills it in: the same for every verb, and what ``chat`` adds. Standard library only."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.util.program import DEFAULT_FAMILY

if TYPE_CHECKING:
    from core.families.checkpoint import TemplateVars
    from core.models.placement import Placing


@dataclass
class Options(argparse.Namespace):
    """What a verb is started with; the defaults are those of ``Engine`` and ``Engine.settings``.

    ``checkpoint`` and ``recipe`` fill the steered column (empty: the family's final checkpoint, no recipe); ``device`` and
    ``dtype`` are "auto" or torch's names; ``quantize`` is "none", "8bit" or "4bit"; ``max_memory`` is what checkpoints may take,
    as it was typed (empty: what is free); ``threads`` is the number of CPU threads torch may use (0: measured). ``host``,
    ``port``, ``share``, ``mcp`` (tools for programs), ``offers`` (families that strangers may open), ``public`` (strangers can reach it),
    ``auth`` (its owner's ``NAME:PASSWORD``), ``served_as`` (its names behind a proxy) and ``api_key`` (what ``/v1`` asks for) concern
    servers only (``None``: the program chooses).
    ``link`` is a link copied from Share, whose state the terminal app opens; a command line has either a link or a family, checkpoint
    or recipe. ``model``, or ``base``, ``stages`` (names and sources) and ``post``, make a family (:mod:`core.models.adhoc_family`),
    whose name is ``family`` from then on; ``no_keep`` removes at the end what GGUF files were converted to; ``template_vars`` are what
    chat templates are told, ``trusted`` the models whose own code may run. ``torch_index`` is where PyTorch is installed from. What a
    verb alone takes stands beside these, under the names that its parser gives it.
    """

    family: str = DEFAULT_FAMILY
    checkpoint: str = ""
    recipe: str = ""
    device: str = "auto"
    dtype: str = "auto"
    threads: int = 0
    quantize: str = "none"
    max_memory: str = ""
    template_vars: TemplateVars = ()
    host: str | None = None
    port: int | None = None
    share: bool = False
    mcp: bool = False
    offers: tuple[str, ...] = ()
    public: bool = False
    auth: str = ""
    served_as: tuple[str, ...] = ()
    api_key: str = ""
    link: str | None = None
    model: str = ""
    base: str = ""
    post: str = ""
    stages: tuple[tuple[str, str], ...] = ()
    offline: bool = False
    no_keep: bool = False
    trusted: tuple[str, ...] = ()
    torch_index: str | None = None

    @property
    def engine(self) -> dict[str, Any]:
        """How ``Engine`` is to run a family, as its keywords."""
        return {**vars(self.placing), "threads": self.threads}

    @property
    def placing(self) -> Placing:
        """How checkpoints are to be loaded."""
        # Not needed for a help or a mistake, which answer at once.
        from core.models.placement import Placing

        return Placing(self.device, self.dtype, self.quantize, self.max_memory, self.template_vars)


@dataclass
class ChatOptions(Options):
    """``chat`` alone takes the message, the system prompt, how to sample (``own_sampling``: as the model's makers do), whether to print
    events as JSON lines, whether to keep the chat, the id of a kept one to go on with, the direction that nine strengths are wanted of, and
    a preset that takes the place of checkpoint, recipe and system prompt."""

    message: str | None = None
    system: str = ""
    temperature: float = 0.0
    own_sampling: bool = False
    seed: int = 0
    max_tokens: int | None = None
    as_json: bool = False
    keep: bool = False
    kept: str = ""
    strengths: str = ""
    preset: str = ""


@dataclass
class SpaceOptions(Options):
    """``space`` alone takes the Space's name, what recorded runs are asked, where it runs, who sees it, and whether it is only listed
    (``dry_run``) or written into a folder (``out``); ``learnt`` takes everything along that was learnt here. No family is that of a
    Space that shows none in particular."""

    family: str = ""
    name: str = ""
    prompts: tuple[str, ...] = ()
    static: bool = False
    hardware: str = ""
    private: bool = False
    dry_run: bool = False
    out: Path | None = None
    learnt: bool = False
