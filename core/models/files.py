"""Where a checkpoint's files are, whether they are whole, and which tensors they hold: only headers are read. No torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

from core.artefacts.safetensors_header import Header, read_header
from core.errors import StoreError, TillerError
from core.families.checkpoint import Checkpoint, Source
from core.models import gguf_model, hub
from core.models.endless import endless_model, endless_text
from core.util.decode import DecodeError, Decoder
from core.util.files import parsed_json, read_json

#: Bits of an element, by the names that safetensors gives to dtypes.
BITS: Mapping[str, int] = {
    "F64": 64, "I64": 64, "U64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16, "I16": 16, "U16": 16,
    "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "I8": 8, "U8": 8, "BOOL": 8,
}  # fmt: skip
INDEX = "model.safetensors.index.json"
WHOLE = "model.safetensors"
#: What a checkpoint of the Hub consists of beside its weights.
SMALL_FILES = ("*.json", "*.jinja", "*.model", "*.txt")


#: A tokenizer's vocabulary lies in one of these.
TOKENIZERS = (
    *("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model"),
    *("tokenizer.model.v3", "tekken.json", "tiktoken.model", "qwen.tiktoken"),
)


@dataclass(frozen=True)
class _Unread:
    """A table of JSON of whose values transformers says itself what is wrong."""


@dataclass(frozen=True)
class _TokenizerSettings:
    """What transformers takes of a tokenizer_config.json without a look, to compare and to count with once somebody chats."""

    model_max_length: float | None = None
    max_len: float | None = None
    padding_side: Literal["left", "right"] = "right"
    truncation_side: Literal["left", "right"] = "right"
    split_special_tokens: bool = False
    model_input_names: tuple[str, ...] = ()
    tokenizer_class: str | None = None


@dataclass(frozen=True)
class _GenerationSettings:
    """The same of a generation_config.json. What ends a reply is checked where it is used (core.models.chat_template)."""

    pad_token_id: int | None = None
    num_return_sequences: int | None = None
    suppress_tokens: tuple[int, ...] | None = None
    begin_suppress_tokens: tuple[int, ...] | None = None


#: What transformers reads beside config.json and these, as tables of JSON, and as a text.
_SETTINGS: Mapping[str, type] = {
    "tokenizer_config.json": _TokenizerSettings, "special_tokens_map.json": _Unread, "added_tokens.json": _Unread,
    "generation_config.json": _GenerationSettings,
}  # fmt: skip
_DECODER = Decoder({str: str})
_TEMPLATE = "chat_template.jinja"
#: How what Git LFS leaves in place of a file begins.
_POINTER = b"version https://git-lfs"


class LoadError(TillerError):
    """A checkpoint that cannot be loaded: one sentence with the fix."""


class LoadingCancelled(LoadError):
    """Loading was cancelled by a person; nothing of it is left in memory."""


@dataclass(frozen=True)
class Stored:
    """A tensor in a safetensors file: its bytes are ``file[start:start + size]``; ``file`` is None where it is known from the Hub alone."""

    dtype: str
    shape: tuple[int, ...]
    file: Path | None
    start: int

    @property
    def elements(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def size(self) -> int:
        """Its bytes in the file."""
        return self.elements * BITS.get(self.dtype, 8) // 8


@dataclass(frozen=True)
class Progress:
    """How far a checkpoint has come: bytes done of ``total``, how many of its ``shards`` have been begun (0: it is being downloaded)."""

    done: int
    total: int
    shard: int
    shards: int


#: Told of every step; raises what is to end the loading.
Watch = Callable[[Progress], None]


def checkpoint_folder(checkpoint: Checkpoint, watch: Watch | None = None, more: tuple[str, ...] = ()) -> Path:
    """The folder that holds a checkpoint's files; what is on the Hub and not in its cache yet is downloaded first.

    Args:
        watch: told of the bytes that have come; whatever it raises ends the download, and what has come is kept.
        more: patterns of further small files (``*.py`` where a model's own code is trusted).

    Raises:
        LoadError: a folder without config.json or safetensors weights, or with a file that is cut off.
        Exception: whatever the Hub's client raises; :func:`core.models.loading.load_model` makes a sentence of it.
    """
    if checkpoint.local:
        folder = _whole_folder(checkpoint)
    else:
        folder = fetched(checkpoint.weights, (*SMALL_FILES, *more))
        if not (folder / "config.json").is_file() and (folder / "adapter_config.json").is_file():
            raise LoadError(_an_adapter(checkpoint))
        names = [path.name for path in weight_files(folder)]
        if not all((folder / name).is_file() for name in names or [WHOLE]):
            folder = fetched(checkpoint.weights, tuple(names or [WHOLE]), watch)
        if not names and not weight_files(folder):
            raise LoadError(_nothing_to_read(checkpoint))
        if not all(path.is_file() for path in weight_files(folder)):
            raise LoadError(hub.absent(checkpoint.source, checkpoint.package))
    check_folder(checkpoint, folder)
    return folder


def small_files(checkpoint: Checkpoint) -> Path:
    """The folder that holds what belongs to a checkpoint beside its weights.

    Raises:
        Exception: whatever the Hub's client raises.
    """
    return _whole_folder(checkpoint) if checkpoint.local else fetched(checkpoint.weights, SMALL_FILES)


def _whole_folder(checkpoint: Checkpoint) -> Path:
    """A checkpoint's folder; one that stands for a GGUF file is filled first."""
    folder = Path(checkpoint.source)
    gguf_model.make_whole(folder)
    return folder


def _nothing_to_read(checkpoint: Checkpoint) -> str:
    """Why there are no safetensors weights of a model of the Hub: asks it for the names of its files, which fails without a network."""
    from huggingface_hub import list_repo_files

    files = list_repo_files(checkpoint.source, revision=checkpoint.revision)
    if any(name.endswith((".bin", ".pt", ".pth")) for name in files):
        return hub.pickled(checkpoint.source)
    return f"{checkpoint.source} has no safetensors weights on the Hub; take another revision or another model."


def _an_adapter(checkpoint: Checkpoint) -> str:
    return (
        f"{checkpoint.own} is a PEFT adapter and no whole model; name the checkpoint that it belongs to by adapter_of in family.toml, "
        "or give it as --post or --stage behind its --base."
    )


def fetched(source: Source, patterns: tuple[str, ...], watch: Watch | None = None) -> Path:
    """The folder of a model of the Hub in its cache, once the files whose names fit are there.

    Raises:
        Exception: whatever the Hub's client raises.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils.tqdm import tqdm

    class Told(tqdm):
        """A progress bar that draws nothing, and tells how many bytes have come."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            # There is one for what comes over the network too, and one for the number of files.
            self._written = options.get("name") == "huggingface_hub.snapshot_download"
            self._came = 0
            super().__init__(*arguments, **{**options, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> bool | None:
            self._came += int(n or 0)
            if watch is not None and self._written:
                watch(Progress(self._came, int(self.total or 0), 0, 0))
            return None

    return Path(
        snapshot_download(source.source, revision=source.revision, allow_patterns=list(patterns), tqdm_class=Told)
    )


def check_folder(checkpoint: Checkpoint, folder: Path) -> None:
    """Raise LoadError unless a folder holds a config and whole safetensors weights."""
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            raise LoadError(_an_adapter(checkpoint))
        where = (
            f"at {folder}: there"
            if checkpoint.local
            else f"a model that transformers can load ({checkpoint.source}): there"
        )
        raise LoadError(
            f"Checkpoint {checkpoint.name!r} is not {where} is no config.json; restore the folder, or correct path or hub in family.toml."
        )
    _no_pointer(checkpoint, folder / "config.json")
    weights = weight_files(folder)
    if not weights:
        raise LoadError(_without_weights(checkpoint, folder))
    if not (folder / INDEX).is_file() and weights[0].name != WHOLE:
        raise LoadError(_without_index(checkpoint, folder, weights))
    if (folder / WHOLE).is_file() and folder / WHOLE not in weights:
        raise LoadError(
            f"Checkpoint {checkpoint.name!r} has two sets of weights in {folder}: {WHOLE}, and those that {INDEX} names; delete the one "
            "that is not meant."
        )
    for path in weights:
        if not path.is_file():
            raise LoadError(f"{path.name} of checkpoint {checkpoint.name!r} is missing in {folder}; copy it again.")
        check_whole(checkpoint, path)


def check_tokenizer(checkpoint: Checkpoint, folder: Path) -> None:
    """Raise LoadError unless a folder holds a tokenizer's vocabulary, or names the code that makes one."""
    if not has_tokenizer(folder):
        raise LoadError(
            f"Checkpoint {checkpoint.name!r} has no tokenizer in {folder}; copy tokenizer.json and tokenizer_config.json there from the "
            "model that it was trained from."
        )
    for name in TOKENIZERS:
        if (folder / name).is_file():
            _no_pointer(checkpoint, folder / name)
    if not (folder / "merges.txt").is_file() and [each for each in TOKENIZERS if (folder / each).is_file()] == [
        "vocab.json"
    ]:
        raise LoadError(
            f"The tokenizer of checkpoint {checkpoint.name!r} in {folder} has vocab.json and no merges.txt; copy tokenizer.json or both of "
            "these there from the model that it was made of."
        )
    _check_settings(checkpoint, folder)
    try:
        whole = read_json(folder / "tokenizer.json")
    except (OSError, ValueError):
        # It is not there, or it is said where it is loaded.
        return
    if part := endless_text(whole) if isinstance(whole, dict) else "":
        raise LoadError(
            f"The {part} in tokenizer.json of checkpoint {checkpoint.name!r} in {folder} has so many steps that a text would grow without "
            "end; copy that file again from the model that it was made of."
        )


def _check_settings(checkpoint: Checkpoint, folder: Path) -> None:
    """Raise LoadError for a file of settings that cannot be read, or says what cannot be: transformers names none, or goes on without."""
    for name in (*_SETTINGS, _TEMPLATE):
        path = folder / name
        try:
            # As transformers reads them, which knows no other encoding.
            text = path.read_text(encoding="utf-8") if path.is_file() else "{}"
            if name in _SETTINGS:
                _DECODER.decode(_SETTINGS[name], parsed_json(text))
        except (OSError, ValueError, DecodeError) as error:
            fault = f" ({str(error).rstrip('.')})" if isinstance(error, DecodeError) and error.places else ""
            raise LoadError(
                f"{name} of checkpoint {checkpoint.name!r} in {folder} cannot be read{fault}; correct it, or copy that file again from the "
                "model that it was made of."
            ) from error


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder holds a tokenizer."""
    if any((folder / name).is_file() for name in TOKENIZERS):
        return True
    try:
        return "auto_map" in read_json(folder / "tokenizer_config.json")
    except (OSError, ValueError, TypeError):
        # What is not there, or cannot be read, names no code.
        return False


def _no_pointer(checkpoint: Checkpoint, path: Path) -> None:
    with path.open("rb") as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise LoadError(
                f"{path.name} of checkpoint {checkpoint.name!r} is a Git LFS pointer, not the file itself; run git lfs pull."
            )


def _without_weights(checkpoint: Checkpoint, folder: Path) -> str:
    lacking = f"Checkpoint {checkpoint.name!r} has no safetensors weights in {folder}; restore them."
    if not list(folder.glob("*.bin")):
        return lacking
    convert = (
        f"from transformers import AutoModelForCausalLM as M; M.from_pretrained('{folder}').save_pretrained('{folder}')"
    )
    return (
        f"{lacking} Its .bin weights are pickled and are not read, since they can run code; if you trust them, convert them to "
        f'safetensors: python -c "{convert}"'
    )


def _without_index(checkpoint: Checkpoint, folder: Path, weights: list[Path]) -> str:
    if len(weights) == 1:
        return f"The weights of checkpoint {checkpoint.name!r} are {weights[0].name} in {folder}; rename that file to {WHOLE}."
    return (
        f"The weights of checkpoint {checkpoint.name!r} are {len(weights)} files in {folder}, and {INDEX}, which says what is in which, is "
        "missing; copy it from where the others came from."
    )


def stored_tensors(checkpoint: Checkpoint, folder: Path) -> dict[str, Stored]:
    """Every tensor of a checkpoint's weights by its name. Raises LoadError for a file that is not whole."""
    found: dict[str, Stored] = {}
    for path in weight_files(folder):
        header = check_whole(checkpoint, path)
        for name, entry in header.entries.items():
            start = header.start + int(entry["data_offsets"][0])
            found[name] = Stored(str(entry["dtype"]), tuple(entry["shape"]), path, start)
    return found


def describe_files(checkpoint: Checkpoint) -> tuple[dict[str, Any], dict[str, Stored]]:
    """A checkpoint's config.json and tensors; of one that is not on this machine yet, only the headers are fetched.

    Raises:
        LoadError: for a folder that is not whole.
        Exception: whatever the Hub's client raises.
    """
    if checkpoint.local:
        folder = _whole_folder(checkpoint)
        check_folder(checkpoint, folder)
        return read_config(checkpoint, folder), stored_tensors(checkpoint, folder)
    folder = fetched(checkpoint.weights, SMALL_FILES)
    if not (folder / "config.json").is_file():
        check_folder(checkpoint, folder)
    files = weight_files(folder)
    if files and all(path.is_file() for path in files):
        return read_config(checkpoint, folder), stored_tensors(checkpoint, folder)
    from huggingface_hub import get_safetensors_metadata

    about = get_safetensors_metadata(checkpoint.source, revision=checkpoint.revision)
    found = {
        name: Stored(str(entry.dtype), tuple(entry.shape), None, 0)
        for file in about.files_metadata.values()
        for name, entry in file.tensors.items()
    }
    return read_config(checkpoint, folder), found


def read_config(checkpoint: Checkpoint, folder: Path) -> dict[str, Any]:
    """A checkpoint's config.json. Raises LoadError when it is no table."""
    try:
        found = read_json(folder / "config.json")
    except (OSError, ValueError) as error:
        found, reason = None, " ".join(str(error).split())[:200]
    else:
        reason = "it is no table"
    if not isinstance(found, dict):
        raise LoadError(
            f"Checkpoint {checkpoint.name!r} cannot be loaded from {folder}: copy its folder again. (config.json: {reason})"
        )
    if not isinstance(inner := found.get("text_config") or {}, dict):
        raise LoadError(
            f'Checkpoint {checkpoint.name!r} cannot be loaded from {folder}: its config.json says "text_config": {json.dumps(inner)[:60]}, '
            "which is no table; copy that file again from the model that it was made of."
        )
    if said := endless_model(found):
        raise LoadError(
            f"Checkpoint {checkpoint.name!r} cannot be loaded from {folder}: its config.json says {said}, more than any model has; correct "
            "that value, or copy the file again from the model that it was made of."
        )
    return found


def weight_files(folder: Path) -> list[Path]:
    """The files of a checkpoint's weights: those that its index names, else the only one, else whatever is there."""
    try:
        index = read_json(folder / INDEX)["weight_map"]
        return [folder / name for name in sorted(set(index.values()))]
    except FileNotFoundError:
        whole = folder / WHOLE
        return [whole] if whole.is_file() else sorted(folder.glob("*.safetensors"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LoadError(f"{folder / INDEX} cannot be read; copy it again.") from error


def check_whole(checkpoint: Checkpoint, path: Path) -> Header:
    """The header of a safetensors file of a checkpoint. Raises LoadError unless the file is whole."""
    _no_pointer(checkpoint, path)
    try:
        return read_header(path)
    except StoreError as error:
        raise LoadError(f"Checkpoint {checkpoint.name!r} cannot be loaded from {path.parent}: {error}") from error
