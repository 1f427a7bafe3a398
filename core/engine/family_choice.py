"""Which families and models can be opened from here: those that are shipped, a person's own, what the Hub's cache holds; and a look at
one before it is opened. No torch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from core.artefacts import store
from core.errors import TillerError
from core.families import registry
from core.families.checkpoint import Checkpoint, Family
from core.families.package import Package
from core.models import adhoc_family, gguf_model, memory, placement, wheels
from core.models.account import MemoryAccount
from core.models.at_hand import BYTES, local, parameter_count
from core.models.load_errors import explained
from core.models.own_sampling import own_sampling, sampling_said
from core.models.placement import Placing
from core.util.files import read_json, sizes, write_bytes
from core.util.program import program

#: So many families are remembered as opened last.
_RECENT = 12
SHIPPED, OWN, CACHED, FAR = (
    "shipped with Tiller", "yours, the last ones first", "in the Hub's cache", "described here, to be downloaded"
)  # fmt: skip


@dataclass(frozen=True)
class OpenableFamily:
    """Something that can be opened: ``text`` is what to type for it, ``group`` where it comes from, ``about`` its size and what is here;
    ``converted`` says whether a converted copy of a GGUF file is kept, ``get`` how large the package is that its weights can be got from,
    ``fetched`` how much was got so and can be deleted; each is empty where there is nothing of the kind.
    """

    text: str
    title: str
    group: str
    about: str
    converted: bool = False
    get: str = ""
    fetched: str = ""


@dataclass(frozen=True)
class ModelLook:
    """What a model would take, before anything of it is loaded: ``about`` in words, ``fits`` whether it does."""

    text: str
    title: str
    about: str
    fits: bool


def openable() -> tuple[OpenableFamily, ...]:
    """Everything that is at hand."""
    last = recent()
    own = sorted(path.parent.name for path in store.user_folder().glob("*/family.toml"))
    # What was only looked at is not offered.
    names = [name for name in own if name in last or not name.startswith((registry.ALONE, registry.TOGETHER))]
    # A folder with a family.toml that was opened by its path.
    names += [each for each in last if each not in registry.names()]
    names.sort(key=lambda name: last.index(name) if name in last else len(last))
    shipped = [name for name in registry.names() if name not in own]
    far = sorted((name for name in shipped if _lacking(name)), key=lambda name: not _gettable(name))
    known = {each.source for name in (*shipped, *names) for each in _checkpoints(name)}
    cached = [each for each in _cached() if each.text not in known]
    # What is here comes first.
    return (
        *_of_families([name for name in shipped if name not in far], SHIPPED), *_of_families(names, OWN), *cached,
        *_of_families(far, FAR),
    )  # fmt: skip


def look_at(text: str, account: MemoryAccount | None = None, placing: Placing | None = None) -> ModelLook:
    """What opening a family's name, a folder, a file or a model of the Hub would take; of the Hub only headers are fetched. ``account``
    holds the models that are open now, which are given up for it where that is needed, ``placing`` is how it would be loaded.

    Raises:
        TillerError: there is nothing of the kind, or it cannot be opened.
    """
    family = _meant(text)
    return _look(text, family.title, family.final, account or MemoryAccount(), placing or Placing())


def open_choice(text: str) -> str:
    """What to load the family by that a text means: one that there is, or the one that is made of a model; it is remembered as opened last.

    Raises:
        TillerError: there is nothing of the kind.
    """
    name = registry.choice_text(_meant(text))
    remember(name)
    return name


def forget_copies(text: str) -> str:
    """Delete what the GGUF files of a family, which is meant as by :func:`open_choice`, were converted to; says what was deleted.

    Raises:
        TillerError: there is no such copy, or nothing else of the model.
    """
    family = _meant(text)
    copies = [folder for folder in _folders(family) if gguf_model.copy_size(folder)]
    if not copies:
        raise TillerError(
            f"Nothing of {family.title} is kept converted; `{program()} families` says of what a copy is kept."
        )
    freed = memory.size_in_words(sum(gguf_model.drop_copy(folder) for folder in copies))
    return (
        f"The converted copy of {family.title} is deleted, and {freed} are free again; it is converted anew when it is opened, and what "
        "was learnt on it stays."
    )


def delete_download(text: str) -> str:
    """Delete what was got of a family's weights from a package, with what it was converted to; says what was deleted. ``text`` is meant as
    by :func:`open_choice`. What ships with Tiller and what lies elsewhere is none of it.

    Raises:
        TillerError: nothing of it was got so, or it cannot be removed.
    """
    family = _meant(text)
    freed = sum(map(wheels.delete, _packages(family)))
    if not freed:
        raise TillerError(
            f"Nothing of {family.title} was downloaded into Tiller's data folder, and nothing else is deleted here."
        )
    return (
        f"What was downloaded of {family.title} is deleted, and {memory.size_in_words(freed)} are free again; it can be got again, and "
        "what was learnt on it stays."
    )


def copies_kept(family: Family) -> int:
    """The bytes of the converted copies that are kept of a family's GGUF files."""
    return sum(gguf_model.copy_size(folder) for folder in _folders(family))


def at_hand(name: str, among: Iterable[str] | None = None) -> tuple[str, Family] | None:
    """The family of a name and what to type for it: one ``among`` these texts, else any that is described here; None for none."""
    if among is None:
        among = (name,) if name in registry.names() else recent()
    for text in among:
        try:
            family = _meant(text)
        except TillerError:
            # Opening it by hand says what is wrong.
            continue
        if family.name == name:
            return text, family
    return None


def recent() -> list[str]:
    """The families that were opened last, the latest first."""
    try:
        found = read_json(_file())
    except (OSError, ValueError):
        # None yet, or not ours to read: nothing depends on it.
        return []
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def remember(name: str) -> None:
    """Put a family before those that were opened earlier."""
    kept = [name, *(each for each in recent() if each != name)][:_RECENT]
    write_bytes(_file(), (json.dumps(kept, ensure_ascii=False) + "\n").encode())


# ------------------------------------------------------------------------------------------------------------- in words


def _meant(text: str) -> Family:
    """The family that a text means; that of a model is written."""
    wanted = text.strip()
    if not wanted:
        raise TillerError(
            "Write what to open: a family's name, a folder, a .gguf file, or owner/model of the Hugging Face Hub."
        )
    if wanted in registry.names():
        return registry.load_family(wanted)
    folder = os.path.realpath(os.path.expanduser(wanted))
    described = os.path.isfile(os.path.join(folder, "family.toml"))
    return registry.load_family(folder if described else adhoc_family.one_model(wanted))


def _file() -> Path:
    return store.user_folder() / "recent.json"


def _checkpoints(name: str) -> tuple[Checkpoint, ...]:
    try:
        return registry.load_family(name).checkpoints
    except TillerError:
        # Opening it says what is wrong.
        return ()


def _folders(family: Family) -> list[Path]:
    return list(dict.fromkeys(Path(each.source) for each in family.checkpoints if each.own.local))


def _lacking(name: str) -> bool:
    """Whether none of a family is on this computer."""
    return not any(local(each).files or (each.package and each.package.fetched) for each in _checkpoints(name))


def _gettable(name: str) -> bool:
    """Whether a package has what is lacking of a family."""
    return any(each.package for each in _checkpoints(name))


def _of_families(names: Sequence[str], group: str) -> Iterator[OpenableFamily]:
    for name in names:
        if (made := _of_family(name, group)) is not None:
            yield made


def _of_family(name: str, group: str) -> OpenableFamily | None:
    try:
        family = registry.load_family(name)
    except TillerError:
        # Its file cannot be read; `families` says so.
        return None
    package, fetched = wheels.wanted(family), sum(map(wheels.fetched_size, _packages(family)))
    size = memory.size_in_words(package.size) if package else ""
    got = memory.size_in_words(fetched) if fetched else ""
    return OpenableFamily(name, family.title, group, _here(family), copies_kept(family) > 0, size, got)


def _packages(family: Family) -> list[Package]:
    return list(dict.fromkeys(each.package for each in family.checkpoints if each.package is not None))


def on_disk(family: Family) -> int:
    """The bytes of all that is here of a family's weights, each file once."""
    files = {path.resolve() for each in family.checkpoints for path in local(each).files}
    fetched = [each.folder.resolve() for each in _packages(family) if each.fetched]
    beside = [path for path in files if not any(path.is_relative_to(folder) for folder in fetched)]
    return sum(sizes(beside).values()) + sum(map(wheels.fetched_size, _packages(family)))


def _here(family: Family) -> str:
    found = [local(each) for each in family.checkpoints]
    here = [each for each in found if each.files]
    size = parameter_count(here[-1].parameters) if here else family.parameters
    count = f"{len(found)} checkpoint{'s' * (len(found) != 1)}"
    missing = "" if len(here) == len(found) else "not downloaded" if not here else f"{len(here)} of them here"
    copies, disk = copies_kept(family), on_disk(family)
    if copies and not any(each.fetched for each in _packages(family)):
        missing, disk = f"{memory.size_in_words(copies)} converted", 0
    elif not here and any(gguf_model.origin_of(folder) for folder in _folders(family)):
        missing = "converted when it is opened"
    return " · ".join(filter(None, (size, count, missing, f"{memory.size_in_words(disk)} on disk" if disk else "")))


def _cached() -> Iterator[OpenableFamily]:
    """Models that lie in the Hub's cache."""
    from huggingface_hub import CacheNotFound, scan_cache_dir

    try:
        repos = scan_cache_dir().repos
    except CacheNotFound:
        return
    for repo in sorted(repos, key=lambda each: -each.last_accessed):
        if repo.repo_type == "model":
            yield OpenableFamily(
                repo.repo_id, repo.repo_id, CACHED, f"{memory.size_in_words(repo.size_on_disk)} on disk"
            )


def _look(text: str, title: str, final: Checkpoint, account: MemoryAccount, placing: Placing) -> ModelLook:
    folder = Path(final.source)
    origin = gguf_model.unconverted(folder) if final.local else None
    if origin is not None:
        return _look_into(text, title, origin, folder.parent, account, placing)
    kind = account.places[0].partition(":")[0]

    def size(how: str) -> int:
        return int(explained(final, partial(placement.need, final, kind, placing.dtype, how)).size)

    # First what is wrong with its files.
    size(placing.quantize)
    found = local(final)
    parts = [parameter_count(found.parameters) if found.files else "to be downloaded"]
    if own := own_sampling(final):
        parts.append(f"its makers draw tokens at {sampling_said(own)}")
    if kept := gguf_model.copy_size(folder):
        parts.append(f"converted before, {memory.size_in_words(kept)} in {folder.parent}")
    return _said(text, title, parts, size, account, placing)


def _look_into(
    text: str, title: str, origin: gguf_model.GgufOrigin, kept: Path, account: MemoryAccount, placing: Placing
) -> ModelLook:
    if origin.hub:
        return ModelLook(text, title, f"{origin}, to be downloaded", True)
    from core.models.gguf_file import look

    path = Path(origin.folder) / origin.file
    found = look(path)
    parts = [
        parameter_count(found.parameters), f"{found.kind}, {memory.size_in_words(path.stat().st_size)}",
        f"converted this once and {gguf_model.copy_said(gguf_model.size_on_disk(found), kept)}",
    ]  # fmt: skip
    return _said(text, title, parts, lambda how: int(BYTES[how] * found.parameters), account, placing)


def _said(
    text: str, title: str, parts: list[str], size_in: Callable[[str], int], account: MemoryAccount, placing: Placing
) -> ModelLook:
    room, held, quantize = account.room(), account.size, placing.quantize
    size = size_in(quantize)
    beside = size <= room.usable
    most = room.usable if beside else room.usable + held
    given_up = " once what is open now is given up" if held and not beside else ""
    parts.append(f"takes {memory.size_in_words(size)} of memory; {memory.size_in_words(most)} are free{given_up}")
    if size > most:
        smaller = {how: size_in(how) for how in list(BYTES)[list(BYTES).index(quantize) + 1 :]}
        how = next((how for how, less in smaller.items() if less <= most), "")
        least = memory.size_in_words(min((size, *smaller.values())))
        more = "allow more by --max-memory" if room.limited else "free some memory"
        fix = f"start Tiller with --quantize {how}" if how else f"{more}: even --quantize 4bit needs {least}"
        parts.append(f"it does not fit; {fix}")
    return ModelLook(text, title, " · ".join(parts), size <= most)
