"""Families put together from models that a person names: one model, or a base, stages and what came of them. No torch.

Each becomes a family.toml of one's own, written once into the user's data folder under a name that follows from what was named: what is
learnt on it is found again whenever the same is named, and links and settings carry its name like any other. It is a file like any
other, too, and what a person changes in it stays.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.artefacts import store
from core.families import registry
from core.families.checkpoint import OWN_OR_PLAIN, FamilyError, Source
from core.families.family_toml import HUB_ID
from core.families.stages import distinct_letters
from core.models import gguf_model, hub
from core.models.gguf_model import GgufOrigin
from core.util.files import read_json, write_bytes

ADAPTER = "adapter_config.json"
_WHOLE = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
#: No path or name that is longer is shown, nor looked up on the Hub.
_LONGEST = 200
#: Seconds that the Hub has to answer before anything is loaded.
_PATIENCE = 10.0
#: Behind a folder or a model of the Hub: which of its GGUF files is meant.
_FILE = "::"
#: What a checkpoint that is named alone is called, by the words in its model's name, the last of which counts.
_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("base", "pt", "pretrain", "pretrained"), "base"),
    **dict.fromkeys(("instruct", "it", "inst"), "instruct"),
    **{
        word: word
        for word in ("chat", "sft", "dpo", "rlhf", "grpo", "rlvr", "safety", "think", "thinking", "reasoning")
    },
}
#: What the name of a GGUF file says of its numbers.
_KIND = re.compile(r"[.-]((?:IQ|Q|TQ)[0-9]_[A-Z0-9_]+|BF16|F16|F32|MXFP4)$", re.IGNORECASE)


@dataclass(frozen=True)
class _Entry:
    """A checkpoint that was named: ``adapter_of`` is the earlier one whose weights it is added to; empty for a whole model."""

    name: str
    source: Source
    adapter_of: str


def one_model(text: str) -> str:
    """The name of the family of one model, which is written if it is new: a folder, a model of the Hub, or a GGUF file.

    Raises:
        FamilyError: nothing of the kind is there; an adapter.
        GgufError, StoreError: a file that cannot be opened as a model, a data folder that cannot be written.
    """
    model = source(text)
    return _written([(_read_off(model), model)], "--model")


def put_together(base: str, stages: Sequence[tuple[str, str]], post: str) -> str:
    """The name of the family of a base, the stages behind it by name, and what came of them, which is written if it is new.

    Raises:
        FamilyError: a folder that is not there, a model that is not on the Hub or cannot be asked for, an adapter as the base, the
            same model twice.
        GgufError, StoreError: a file that cannot be opened as a model, a data folder that cannot be written.
    """
    named = [(name, source(text)) for name, text in (("base", base), *stages, ("post", post))]
    for index, (name, each) in enumerate(named):
        if same := next((earlier for earlier, other in named[:index] if other == each), None):
            raise FamilyError(
                f"{same} and {name} are the same model ({_typed(each)}); name another one, or open it alone by --model."
            )
    return _written(named, "--base")


def _written(named: Sequence[tuple[str, Source]], option: str) -> str:
    name = adhoc_name(named)
    path = store.user_folder() / name / "family.toml"
    if not path.is_file():
        write_bytes(path, _document(_entries(named, option)).encode())
    return name


def adhoc_name(named: Sequence[tuple[str, Source]]) -> str:
    """The name of the family of these checkpoints: the last one's own name, and what sets all of them apart from others."""
    said = json.dumps([[name, each.source, each.local, each.revision] for name, each in named])
    last = re.split(r"[/\\]", named[-1][1].source)[-1].lower()
    short = re.sub(r"[^a-z0-9.]+", "-", last)[:18].strip("-.")
    kind = registry.TOGETHER if len(named) > 1 else registry.ALONE
    return f"{kind}{short or 'model'}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"


def source(text: str) -> Source:
    """Where a model is that was typed: a folder, a GGUF file, or a model of the Hub with or without ``@revision``.

    ``folder::file.gguf`` and ``owner/model::file.gguf`` name one of several files. A GGUF file becomes the folder that stands for it
    (:mod:`core.models.gguf_model`). Raises FamilyError where nothing of the kind is there, GgufError for a file that is no model.
    """
    where, inside, file = text.partition(_FILE)
    if inside and not (where.strip() and file.endswith(gguf_model.SUFFIX)):
        raise FamilyError(
            f"{_shown(text)} names no GGUF file; write folder{_FILE}file.gguf, or owner/model{_FILE}file.gguf of the Hugging Face Hub."
        )
    # Unlike Path's, it leaves the home of somebody unknown as it is: there is no such folder.
    path = Path(os.path.expanduser(where))
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except OSError:
        # A name that is too long for a file is no folder's either.
        is_folder = is_file = False
    if is_folder:
        return _in_folder(path.resolve(), file) if inside else _folder(text, path.resolve())
    if is_file:
        return _in_folder(path.resolve().parent, path.name)
    model, _, revision = where.partition("@")
    lost = not inside and where.endswith(gguf_model.SUFFIX)
    if (
        lost
        or where.startswith((".", "/", "~"))
        or "\\" in where
        or not HUB_ID.fullmatch(model)
        or len(where) > _LONGEST
    ):
        what = "file" if lost else "folder"
        raise FamilyError(
            f"There is no {what} {_shown(text)}; check the path, or name a model of the Hugging Face Hub as owner/model."
        )
    if inside:
        return _standing(GgufOrigin(file, hub=model, revision=revision))
    return Source(model, False, revision or None)


def _shown(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _folder(text: str, folder: Path) -> Source:
    """A folder as transformers saves it, or one with a GGUF file alone."""
    if any((folder / name).is_file() for name in ("config.json", ADAPTER, gguf_model.ORIGIN)):
        return Source(str(folder), True)
    found = sorted(folder.glob(f"*{gguf_model.SUFFIX}"))
    if not found:
        raise FamilyError(
            f"There is no model in {text}: neither a config.json nor a .gguf file; name the folder that holds one."
        )
    if len(found) > 1:
        names = ", ".join(each.name for each in found[:8])
        raise FamilyError(
            f"{text} holds {len(found)} GGUF files; name one, as {text}{_FILE}{found[0].name} (there are {names})."
        )
    return _in_folder(folder, found[0].name)


def _in_folder(folder: Path, file: str) -> Source:
    """A GGUF file of a folder."""
    path = folder / file
    if not path.is_file():
        raise FamilyError(f"There is no file {file} in {folder}; check its name.")
    from core.models.gguf_file import is_gguf, look

    if not is_gguf(path):
        raise FamilyError(f"{path} is no GGUF file; name the folder of the model that it lies in.")
    origin = GgufOrigin(file, folder=str(folder))
    if not (gguf_model.folder_of(origin) / "config.json").is_file():
        # Said now, and not when the model is to answer; of a file that is refused nothing stays.
        look(path)
    return _standing(origin)


def _standing(origin: GgufOrigin) -> Source:
    return Source(str(gguf_model.folder_for(origin)), True)


def _title(each: Source) -> str:
    """What a model is called: the last part of its path or name, or its file's name."""
    origin = gguf_model.origin_of(Path(each.source)) if each.local else None
    return Path(origin.file).stem if origin else re.split(r"[/\\]", each.source)[-1]


def _typed(each: Source) -> str:
    origin = gguf_model.origin_of(Path(each.source)) if each.local else None
    return str(origin or each)


def _read_off(each: Source) -> str:
    """What a checkpoint that is named alone is called: what its model's name says of its training, and of the numbers of a GGUF file."""
    title = _title(each)
    kind = _KIND.search(title)
    words = re.split(r"[^a-z0-9]+", title[: kind.start()].lower() if kind else title.lower())
    name = next((_NAMES[word] for word in reversed(words) if word in _NAMES), "model")
    return f"{name}-{kind[1].lower()}" if kind and _typed(each) != str(each) else name


# ------------------------------------------------------------------------------------------------------ what was named


def _entries(named: Sequence[tuple[str, Source]], option: str) -> list[_Entry]:
    entries: list[_Entry] = []
    for name, each in named:
        adapter = _is_adapter(each)
        if adapter and not entries:
            base = _base_of(each) or "see its page"
            raise FamilyError(
                f"{each} is a PEFT adapter and cannot be the {option}; name the model that it was trained on as --base ({base}), and the "
                "adapter as --post."
            )
        entries.append(_Entry(name, each, _below(each, entries) if adapter else ""))
    return entries


def _is_adapter(each: Source) -> bool:
    """Whether a source is an adapter and no whole model; of a model of the Hub that is not here, its files' names are asked for."""
    if each.local or hub.here(each, "config.json") or hub.here(each, ADAPTER):
        return hub.here(each, ADAPTER) is not None and not any(hub.here(each, name) for name in _WHOLE)
    from huggingface_hub import model_info

    # Asked once: what lists files alone is tried again for half a minute where there is no network.
    info = hub.hub_answer(each, lambda: model_info(each.source, revision=each.revision, timeout=_PATIENCE))
    files = [file.rfilename for file in info.siblings or ()]
    return ADAPTER in files and not any(name in files for name in _WHOLE)


def _base_of(each: Source) -> str:
    """The model that an adapter says it was trained on; empty where it does not say."""
    path = hub.here(each, ADAPTER)
    if path is None:
        from huggingface_hub import hf_hub_download

        path = Path(hub.hub_answer(each, lambda: hf_hub_download(each.source, ADAPTER, revision=each.revision)))
    try:
        found = read_json(path)
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
    alone = len(entries) == 1
    typed = (
        f"--model {_typed(entries[0].source)}"
        if alone
        else " ".join(
            f"--{each.name} {_typed(each.source)}"
            if each.name in ("base", "post")
            else f"--stage {each.name}={_typed(each.source)}"
            for each in entries
        )
    )
    lines = [
        f"title = {_quoted(_title(entries[-1].source))}",
        f"notes = {_quoted(f'Put together on the command line: {typed}')}",
    ]
    letters = distinct_letters(filter(str.isalpha, entry.name.upper()) for entry in entries)
    for index, (entry, letter) in enumerate(zip(entries, letters, strict=True)):
        each = entry.source
        values = {
            "name": entry.name,
            "path" if each.local else "hub": each.source,
            "revision": each.revision or "",
            "parent": entries[index - 1].name if index else "",
            "adapter_of": entry.adapter_of,
            "stage": entry.name if index or (alone and entry.name.partition("-")[0] != "base") else "pretrain",
            "letter": letter,
            "notes": f"{_typed(each)}, dequantized" if _typed(each) != str(each) else "",
            # A base has seldom a template, and an adapter often not even a tokenizer; others have to say how they were trained.
            "template": OWN_OR_PLAIN if not index or entry.adapter_of else "",
        }
        lines += ["", "[[checkpoint]]", *(f"{key} = {_quoted(value)}" for key, value in values.items() if value)]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A text as TOML writes it, which is as JSON does but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
