"""Families put together on the command line: ``--base``, ``--stage name=…`` and ``--post`` become a family.toml of one's own. No torch.

It is written once, into the user's data folder, under a name that follows from what was named: what is learnt on it is found again
whenever the same is named, and links and settings carry its name like any other. It is a file like any other, too, and what a person
changes in it stays.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from core.artefacts import store
from core.cli.options import Options
from core.families import registry
from core.families.checkpoint import OWN_OR_PLAIN, Checkpoint, FamilyError, Source
from core.families.family_toml import HUB_ID
from core.families.stages import distinct_letters
from core.models import hub
from core.util.files import write_bytes

_T = TypeVar("_T")

ADAPTER = "adapter_config.json"
_WHOLE = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
#: No path or name that is longer is shown, nor looked up on the Hub.
_LONGEST = 200


@dataclass(frozen=True)
class _Entry:
    """A checkpoint that was named: ``adapter_of`` is the earlier one whose weights it is added to; empty for a whole model."""

    name: str
    source: Source
    adapter_of: str


def family_of(options: Options) -> str:
    """The name of the family that a command line is about: the one it names, or the one it puts together, which is written if it is new.

    Raises:
        FamilyError: a folder that is not there, a model that is not on the Hub or cannot be asked for, an adapter as the base.
        StoreError: the file cannot be written.
    """
    if not options.base:
        return options.family
    named = [("base", source(options.base))]
    named += [(name, source(text)) for name, text in options.stages]
    named += [("post", source(options.post))]
    name = adhoc_name(named)
    path = store.user_folder() / name / "family.toml"
    if not path.is_file():
        write_bytes(path, _document(_entries(named)).encode())
    return name


def adhoc_name(named: Sequence[tuple[str, Source]]) -> str:
    """The name of the family of these checkpoints: the last one's own name, and what sets all of them apart from others."""
    said = json.dumps([[name, each.source, each.local, each.revision] for name, each in named])
    last = re.split(r"[/\\]", named[-1][1].source)[-1].lower()
    short = re.sub(r"[^a-z0-9.]+", "-", last)[:18].strip("-.")
    return f"{registry.TOGETHER}{short or 'model'}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"


def source(text: str) -> Source:
    """A folder, or a model of the Hub with or without ``@revision``, as it was typed. Raises FamilyError for neither."""
    folder = Path(text).expanduser()
    try:
        if folder.is_dir():
            return Source(str(folder.resolve()), True)
        there = folder.exists()
    except OSError:
        # A name that is too long for a file is no folder's either.
        there = False
    if there:
        raise FamilyError(f"{text} is a file; name the folder of the model that it lies in.")
    model, _, revision = text.partition("@")
    if text.startswith((".", "/", "~")) or "\\" in text or not HUB_ID.fullmatch(model) or len(text) > _LONGEST:
        shown = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
        raise FamilyError(
            f"There is no folder {shown}; check the path, or name a model of the Hugging Face Hub as owner/model."
        )
    return Source(model, False, revision or None)


# ------------------------------------------------------------------------------------------------------ what was named


def _entries(named: Sequence[tuple[str, Source]]) -> list[_Entry]:
    entries: list[_Entry] = []
    for name, each in named:
        adapter = _is_adapter(each)
        if adapter and not entries:
            base = _base_of(each) or "see its page"
            raise FamilyError(
                f"{each} is a PEFT adapter and cannot be the --base; name the model that it was trained on ({base})."
            )
        entries.append(_Entry(name, each, _below(each, entries) if adapter else ""))
    return entries


def _is_adapter(each: Source) -> bool:
    """Whether a source is an adapter and no whole model; of a model of the Hub that is not here, its files' names are asked for."""
    if each.local or hub.here(each, "config.json") or hub.here(each, ADAPTER):
        return hub.here(each, ADAPTER) is not None and not any(hub.here(each, name) for name in _WHOLE)
    from huggingface_hub import list_repo_files

    files = _asked(each, lambda: list_repo_files(each.source, revision=each.revision))
    return ADAPTER in files and not any(name in files for name in _WHOLE)


def _asked(each: Source, call: Callable[[], _T]) -> _T:
    """What the Hub answers. Raises FamilyError with the fix when it does not."""
    try:
        return call()
    except Exception as error:
        # The Hub's client raises a dozen unrelated types.
        bare = Checkpoint(each.source, each.source, False, None, "", "", "", each.revision, "", each.source)
        known = hub.hub_sentence(bare, each, error)
        reason = " ".join(str(error).split())[:200]
        raise FamilyError(
            known
            or f"{each} cannot be looked up on the Hugging Face Hub ({type(error).__name__}: {reason}); try again."
        ) from error


def _base_of(each: Source) -> str:
    """The model that an adapter says it was trained on; empty where it does not say."""
    path = hub.here(each, ADAPTER)
    if path is None:
        from huggingface_hub import hf_hub_download

        path = Path(_asked(each, lambda: hf_hub_download(each.source, ADAPTER, revision=each.revision)))
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FamilyError(f"{path} cannot be read ({' '.join(str(error).split())}); copy it again.") from error
    return str(found.get("base_model_name_or_path") or "") if isinstance(found, dict) else ""


def _below(each: Source, earlier: Sequence[_Entry]) -> str:
    """Which of the checkpoints before it an adapter is added to: the one it says it was trained on, else the last."""
    wanted = _base_of(each)
    folder = Path(wanted).expanduser().resolve() if wanted else None
    for entry in earlier:
        alike = Path(entry.source.source) == folder if entry.source.local else entry.source.source == wanted
        if alike and not entry.adapter_of:
            return entry.name
    return earlier[-1].name


# ------------------------------------------------------------------------------------------------------------- the file


def _document(entries: Sequence[_Entry]) -> str:
    typed = " ".join(
        f"--{each.name} {each.source}" if each.name in ("base", "post") else f"--stage {each.name}={each.source}"
        for each in entries
    )
    title = re.split(r"[/\\]", entries[-1].source.source)[-1]
    lines = [f"title = {_quoted(title)}", f"notes = {_quoted(f'Put together on the command line: {typed}')}"]
    letters = distinct_letters(filter(str.isalpha, entry.name.upper()) for entry in entries)
    for index, (entry, letter) in enumerate(zip(entries, letters, strict=True)):
        each = entry.source
        values = {
            "name": entry.name,
            "path" if each.local else "hub": each.source,
            "revision": each.revision or "",
            "parent": entries[index - 1].name if index else "",
            "adapter_of": entry.adapter_of,
            "stage": entry.name if index else "pretrain",
            "letter": letter,
            # A base has seldom a template, and an adapter often not even a tokenizer; others have to say how they were trained.
            "template": OWN_OR_PLAIN if not index or entry.adapter_of else "",
        }
        lines += ["", "[[checkpoint]]", *(f"{key} = {_quoted(value)}" for key, value in values.items() if value)]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A text as TOML writes it, which is as JSON does but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
