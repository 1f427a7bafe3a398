"""``launch.py families``: which families there are, how large they are, what of them is on this computer and what was learnt. No torch."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from core.artefacts import store
from core.cli.options import Options
from core.cli.program import program
from core.errors import TillerError
from core.families import registry
from core.families.checkpoint import OWN_OR_PLAIN, Checkpoint, Family
from core.models import files as sources
from core.models import hub, memory

WIDTH = 80
_ADAPTER = "adapter_model.safetensors"
_HEADS = ("family", "size", "here", "on disk", "learnt", "recommended")


@dataclass(frozen=True)
class Local:
    """What of a checkpoint is on this computer: its weights' files (none, where not all are), and how many numbers they hold."""

    files: tuple[Path, ...]
    parameters: int

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self.files)


def run_families(options: Options) -> int:
    """Print the table of all families, or what one consists of; returns the exit status.

    Raises:
        FamilyError: there is no such family, or its file cannot be used.
    """
    if options.name is not None:
        print("\n".join(family_lines(registry.load_family(options.name))))
        return 0
    rows, wrong = [], []
    for each in registry.names():
        try:
            rows.append(row(registry.load_family(each)))
        except TillerError as error:
            wrong.append(str(error))
    print("\n".join(_table(rows)))
    print(f"\n`{program()} families NAME` says more of one,")
    print(f"`{program()} --family NAME` opens it, and downloads what is not here yet.")
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return 1 if wrong else 0


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    """The lines of a table that fits :data:`WIDTH` columns: the name is cut where it does not."""
    widths = [max(len(cells[column]) for cells in [_HEADS, *rows]) for column in range(len(_HEADS))]
    widths[0] = min(widths[0], WIDTH - sum(widths[1:]) - 2 * (len(widths) - 1))
    lines = []
    for cells in [_HEADS, *rows]:
        name = cells[0] if len(cells[0]) <= widths[0] else cells[0][: widths[0] - 1] + "…"
        padded = [each.ljust(width) for each, width in zip((name, *cells[1:]), widths, strict=True)]
        lines.append("  ".join(padded).rstrip())
    return lines


def row(family: Family) -> tuple[str, ...]:
    """A family's line: name, size of a checkpoint, how many are here, their bytes, artefacts, what is recommended."""
    found = [local(each) for each in family.checkpoints]
    here = [each for each in found if each.files]
    files = {path.resolve(): path.stat().st_size for each in here for path in each.files}
    learnt = sum(len(_learnt(family, each)) for each in family.checkpoints)
    advice = " ".join(part for part in (family.quantize.replace("none", ""), family.memory) if part)
    return (
        family.name,
        parameter_count(here[-1].parameters) if here else family.parameters or "?",
        f"{len(here)}/{len(found)}",
        memory.size_in_words(sum(files.values())) if here else "–",
        str(learnt) if learnt else "–",
        advice or "–",
    )


def family_lines(family: Family) -> list[str]:
    """What a family consists of, a checkpoint after the other, in lines."""
    lines = [f"{family.title} (--family {family.name})", *_wrapped(family.notes, "")]
    size = f"{family.parameters} parameters a checkpoint" if family.parameters else ""
    advice = f"recommended: --quantize {family.quantize or 'none'}, about {family.memory}" if family.memory else ""
    about = [f"licence: {family.licence}" if family.licence else "", size, advice]
    lines += _wrapped("; ".join(part for part in about if part), "")
    for each in family.checkpoints:
        lines += ["", *_checkpoint(family, each)]
    return lines


def _checkpoint(family: Family, each: Checkpoint) -> list[str]:
    found = local(each)
    came = f", by {each.stage} from {each.parent}" if each.parent else ""
    here = (
        f"{parameter_count(found.parameters)}, {memory.size_in_words(found.size)} on this computer"
        if found.files
        else _not_here(each)
    )
    learnt = ", ".join(card.name for card in _learnt(family, each)) or "nothing yet"
    adapters = "".join(f", with the adapter {adapter}" for adapter in each.adapters)
    lines = [f"  {each.name} ({each.letter}){came}"]
    facts = [f"{each.weights}{adapters}", here, f"learnt: {learnt}"]
    if each.template or each.template_from:
        named = {OWN_OR_PLAIN: "its own template, or plain"}.get(each.template, f"template {each.template}")
        facts.append(named if each.template else f"template of {each.template_from}")
    if each.licence:
        facts.append(f"licence: {each.licence}")
    if each.gated:
        facts.append(f"gated: accept the licence at {each.gated} and log in with `hf auth login`")
    if each.notes:
        facts.append(each.notes)
    return lines + [line for fact in facts for line in _wrapped(fact, "    ")]


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _not_here(checkpoint: Checkpoint) -> str:
    return "not there" if checkpoint.own.local else "not downloaded"


def _learnt(family: Family, checkpoint: Checkpoint) -> tuple[store.Card, ...]:
    return store.cards(family.name, checkpoint.name, folder=family.folder)


def local(checkpoint: Checkpoint) -> Local:
    """What of a checkpoint is on this computer, by its folder or the Hub's cache; nothing is fetched, and only headers are read."""
    folder = hub.hub_folder(checkpoint.weights)
    if folder is None:
        return Local((), 0)
    try:
        files = sources.weight_files(folder)
        if not files or not all(path.is_file() for path in files):
            return Local((), 0)
        parameters = sum(each.elements for each in sources.stored_tensors(checkpoint, folder).values())
    except TillerError:
        # Files that are damaged are not usable here; opening the checkpoint says what is wrong with them.
        return Local((), 0)
    adapters = [hub.here(each, _ADAPTER) for each in checkpoint.adapters]
    if not all(adapters):
        return Local((), 0)
    return Local((*files, *(path for path in adapters if path)), parameters)


def parameter_count(parameters: int) -> str:
    """A number of parameters: 4.3 M, 135 M, 1.5 B."""
    for unit, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if parameters >= unit:
            value = parameters / unit
            return f"{value:.1f} {letter}" if value < 100 else f"{value:.0f} {letter}"
    return str(parameters)
