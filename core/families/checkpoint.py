"""The checkpoints of one model, as values: what a family.toml says once it has been read (:mod:`core.families.family_toml`). No torch."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import TillerError
from core.families.package import Package

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
#: What any model that was taught to chat can answer.
GENERAL_QUESTIONS = (
    "What is the capital of France?",
    "Explain in two sentences why the sky is blue.",
    "What is photosynthesis?",
    "Give me three ideas for a rainy day.",
)
#: Tokens; a real model's usual answer ends before.
LONGEST_ANSWER = 512
#: What a chat template may be told beside the chat, such as ``enable_thinking``: names and values.
TemplateValue = str | bool | int | float
TemplateVars = tuple[tuple[str, TemplateValue], ...]
TEMPLATE_VAR = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")
#: What a template may be called beside these: the tokenizer's own, and ``plain`` for one that has none.
OWN_OR_PLAIN = "own-or-plain"


class FamilyError(TillerError):
    """A family that is not there or a family.toml that cannot be used."""


@dataclass(frozen=True)
class Source:
    """Where files are: a folder (``local``), or a model of the Hugging Face Hub at a revision (``None``: its main branch)."""

    source: str
    local: bool
    revision: str | None = None

    def __str__(self) -> str:
        """As it is typed: ``./folder``, ``owner/model`` or ``owner/model@revision``."""
        return f"{self.source}@{self.revision}" if self.revision else self.source


#: What stands between a checkpoint's name and a stage's that is taken out of it.
MINUS, FIRST_ORDER = "-minus-", "-first-order-"


@dataclass(frozen=True)
class Checkpoint:
    """One set of weights.

    ``source`` is a folder or a hub id. ``template`` names a template of :data:`TEMPLATES` or is :data:`OWN_OR_PLAIN`; empty means
    the tokenizer's own, or that of the checkpoint ``template_from``; ``template_vars`` is what it is told. ``adapters`` are PEFT adapters
    that are added to the weights of ``source``, the first one first. ``gated`` is the page on which a licence has to be accepted.
    ``title`` is what a menu shows. ``package`` is where the weights can be had, too; once it was fetched, ``source`` is the folder that
    stands for its file.
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
    template_from: str = ""
    template_vars: TemplateVars = ()
    adapters: tuple[Source, ...] = ()
    licence: str = ""
    gated: str = ""
    package: Package | None = None

    @property
    def weights(self) -> Source:
        """Where the weights are, without the adapters that are added to them."""
        return Source(self.source, self.local, self.revision)

    @property
    def own(self) -> Source:
        """What sets this checkpoint apart: its last adapter if it has some, else its weights."""
        return self.adapters[-1] if self.adapters else self.weights


@dataclass(frozen=True, kw_only=True)
class Counterfactual(Checkpoint):
    """What the checkpoint ``of`` would be, had its training been another: ``without`` names the stage left out, if one was.

    ``source`` is the folder of the checkpoint that ``difference`` is added to; with no difference its weights are the same, with its
    ``adapters`` put on them.
    """

    of: str
    without: str
    difference: Path | None


@dataclass(frozen=True, kw_only=True)
class Subtracted(Checkpoint):
    """An estimate of what the checkpoint ``whole`` would be without one stage: θ_whole − (θ_minus − θ_plus) [methods, 5].

    ``minus`` is the checkpoint that the stage led to, ``plus`` the one it began with. With ``embedding``, a file, what is taken is the
    stage's part of the weights of ``whole`` as it was carried through the training after it (:mod:`core.models.stage_embedding`).
    Nothing was trained, so a front end always says that this is an estimate. ``source`` is where the weights of ``whole`` are.
    """

    whole: Checkpoint
    minus: Checkpoint
    plus: Checkpoint
    embedding: Path | None = None

    @property
    def of(self) -> str:
        """The checkpoint whose twin it is."""
        return self.whole.name


def subtracted(whole: Checkpoint, minus: Checkpoint, plus: Checkpoint) -> Subtracted:
    """``whole`` without the stage that led from ``plus`` to ``minus``, by subtracting the difference of their weights."""
    return Subtracted(
        **{
            **{key: getattr(whole, key) for key in Checkpoint.__dataclass_fields__},
            "name": f"{whole.name}{MINUS}{minus.name}",
            "title": f"without {stage_word(minus.stage)} (weights subtracted, estimate)",
            "notes": f"The weights of {whole.name} less what {minus.stage} changed: an estimate, nothing was trained again.",
        },
        whole=whole,
        minus=minus,
        plus=plus,
    )


def first_order(whole: Checkpoint, minus: Checkpoint, plus: Checkpoint, embedding: Path) -> Subtracted:
    """``whole`` without the stage that led from ``plus`` to ``minus``, by its stage embedding."""
    return replace(
        subtracted(whole, minus, plus),
        name=f"{whole.name}{FIRST_ORDER}{minus.name}",
        title=f"without {stage_word(minus.stage)} (first order, estimate)",
        notes=f"The weights of {whole.name} less what {minus.stage} changed, carried through the training after it: an estimate.",
        embedding=embedding,
    )


def stage_word(stage: str) -> str:
    """A stage's name in a sentence: SFT and DPO in capitals, safety as a word."""
    return stage.upper() if len(stage) <= 3 else stage


@dataclass(frozen=True)
class Example:
    """A chip: one click that shows something. ``recipe`` goes to the steered column, beside a plain one of ``checkpoint``.

    With ``without``, a stage, that column is the model without it: the retrained one, else the one with its weights subtracted.
    """

    title: str
    message: str
    recipe: str
    checkpoint: str
    note: str
    without: str = ""


@dataclass(frozen=True)
class UndoPrompts:
    """Files of a family's own prompts for removing what one of its stages did, one a line: to lose and to keep, and those to judge by.

    Without a held-out file, some of those to fit on are held out.
    """

    lose: Path
    keep: Path
    lose_held_out: Path | None = None
    keep_held_out: Path | None = None


@dataclass(frozen=True)
class Family:
    """A tree of checkpoints; parents stand before their children.

    ``counterfactuals`` are retrainings of some of them: they can be talked to by name, but are no stages of the family.
    ``turns`` is how many turns of a chat its models can follow, None where that is as many as fit, and ``system_prompts`` whether they
    follow those.
    ``quantize`` and ``memory`` are what its file recommends, and ``parameters`` what it says about the size, each as it is shown.
    ``about`` is a line that says to a stranger what the model is and what to ask it, ``questions`` are some that it can answer, and
    ``longest_answer`` is how many tokens an answer has at most where nobody chose.
    ``report_opening`` is a text file, the paragraphs of which a report on the family begins with in place of its ``notes``.
    ``visitor`` makes it the family as one visitor of a server sees it: the folder that keeps what he learns, for him alone.
    ``absent`` says of checkpoints by their names why they cannot be had here: no path of stages leads through them.
    """

    name: str
    title: str
    folder: Path
    checkpoints: tuple[Checkpoint, ...]
    counterfactuals: tuple[Counterfactual, ...]
    examples: tuple[Example, ...]
    notes: str
    licence: str
    parameters: str = ""
    turns: int | None = None
    system_prompts: bool = True
    quantize: str = ""
    memory: str = ""
    report_opening: Path | None = None
    undo: UndoPrompts | None = None
    visitor: Path | None = None
    about: str = ""
    questions: tuple[str, ...] = GENERAL_QUESTIONS
    longest_answer: int = LONGEST_ANSWER
    absent: tuple[tuple[str, str], ...] = ()

    @property
    def present(self) -> tuple[Checkpoint, ...]:
        """The checkpoints that are here, or can be had."""
        return tuple(each for each in self.checkpoints if not self.why_absent(each.name))

    def why_absent(self, name: str) -> str:
        """Why a checkpoint cannot be had here, in a sentence; empty for one that can."""
        return dict(self.absent).get(name, "")

    @property
    def shortened(self) -> str:
        """That the path of stages begins later than it would, and why; empty where nothing of it is absent."""
        first = self.path(self.final.name)[0]
        why = self.why_absent(first.parent or "")
        return f"The stages begin with {first.name}: {first.parent} cannot be had here, since {why}." if why else ""

    @property
    def alone(self) -> str:
        """That a model came without those that led to it, as a sentence for where checkpoints are compared; empty where there are more."""
        if len(self.checkpoints) > 1:
            return ""
        return (
            f"{self.title} came without the checkpoints that led to it, so that there is nothing to compare here: start with the model "
            "that it was trained from, too (--base MODEL --post MODEL). The family Skiff shows how this works."
        )

    @property
    def root(self) -> Path:
        """Below which what is learnt on it is kept, in the layout of ``vectors/``: a visitor's own folder, else the data folder."""
        # Not needed to paint, and it brings numpy.
        from core.artefacts.store import user_folder

        return self.visitor or user_folder()

    @property
    def places(self) -> tuple[Path, ...]:
        """Where its artefacts are looked for, the first one first: what is kept below :attr:`root`, and what everybody has."""
        from core.artefacts.store import family_folders

        own = (self.visitor / self.name,) if self.visitor is not None else ()
        return tuple(dict.fromkeys((*own, *family_folders(self.name, self.folder))))

    def checkpoint(self, name: str) -> Checkpoint:
        """The checkpoint, counterfactual or estimate of that name. Raises FamilyError naming those there are."""
        for each in (*self.checkpoints, *self.counterfactuals):
            if each.name == name:
                return each
        for whole in self.checkpoints if MINUS in name or FIRST_ORDER in name else ():
            for made in (*self._estimates_of(whole), *self.first_orders(whole)):
                if made.name == name:
                    return made
        raise FamilyError(f"{self.title} has no checkpoint {name!r}; it has {', '.join(c.name for c in self.choices)}.")

    @property
    def choices(self) -> tuple[Checkpoint, ...]:
        """Whatever a column can be: the checkpoints, their counterfactuals, and the final one with the weights of a stage subtracted, or
        with its embedding."""
        return (*self.checkpoints, *self.counterfactuals, *self.estimates, *self.first_orders(self.final))

    @property
    def estimates(self) -> tuple[Subtracted, ...]:
        """The final checkpoint without each stage after the first, weights subtracted; the last stage's would only be its parent."""
        return self._estimates_of(self.final)[:-1]

    def _estimates_of(self, whole: Checkpoint) -> tuple[Subtracted, ...]:
        chain = self.path(whole.name)
        return tuple(subtracted(whole, after, before) for before, after in itertools.pairwise(chain))

    def first_orders(self, whole: Checkpoint) -> tuple[Subtracted, ...]:
        """A checkpoint without each stage before its last that has a stage embedding."""
        from core.artefacts.store import stage_embedding

        chain = self.path(whole.name)
        found = (
            (after, before, stage_embedding(self.places, whole.name, after.name))
            for before, after in itertools.pairwise(chain[:-1])
        )
        return tuple(first_order(whole, after, before, file) for after, before, file in found if file is not None)

    def directions_of(self, name: str) -> str:
        """The checkpoint whose directions a recipe means that steers ``name`` and names no other.

        Its own; for a counterfactual those of the checkpoint whose twin it is, so that both are pushed the same way.
        """
        each = self.checkpoint(name)
        return each.of if isinstance(each, Counterfactual | Subtracted) else each.name

    @property
    def final(self) -> Checkpoint:
        """The checkpoint a chat starts with: the end of the longest path from the root, the last listed of several."""
        return max(reversed(self.checkpoints), key=lambda each: len(self.path(each.name)))

    def path(self, name: str) -> tuple[Checkpoint, ...]:
        """The checkpoints from the root to ``name``, or from behind the last one on the way that cannot be had here."""
        each: Checkpoint | None = self.checkpoint(name)
        chain: list[Checkpoint] = []
        absent = dict(self.absent)
        while each is not None and not (chain and each.name in absent):
            chain.append(each)
            each = self.checkpoint(each.parent) if each.parent else None
        return tuple(reversed(chain))


class FamilyRef:
    """Where the parts of an engine find their family, which is another value once a person has made one more checkpoint.

    One thread replaces it; readers on other threads read one attribute, and so see the family before or after.
    """

    def __init__(self, family: Family) -> None:
        self._family = family

    @property
    def family(self) -> Family:
        """The family as it is now."""
        return self._family

    def replace(self, family: Family) -> None:
        """From now on it is this one."""
        self._family = family


class VisitorFamily(FamilyRef):
    """The same family as a visitor sees it, who keeps what he learns in a folder of his own."""

    def __init__(self, shared: FamilyRef, folder: Path) -> None:
        super().__init__(replace(shared.family, visitor=folder))
        self._shared, self._before, self._folder = shared, shared.family, folder

    @property
    def family(self) -> Family:
        """The family as it is now; the same value for as long as the shared one is."""
        now = self._shared.family
        if now is not self._before:
            self._family, self._before = replace(now, visitor=self._folder), now
        return self._family
