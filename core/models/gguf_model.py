"""A model in a GGUF file as a folder that transformers loads. torch only while one is converted.

A folder ``converted/<file>-<key>`` in the data folder stands for such a file. It holds :data:`ORIGIN`, which says where the file is, and,
once the model was first needed, its weights as transformers' own reader dequantizes them, with the tokenizer and the chat template of
the file. From then on it is a checkpoint's folder like any other, also where the file has gone.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.artefacts import store
from core.errors import TillerError
from core.families.checkpoint import Source
from core.families.package import GGUF_ORIGIN
from core.models import hub, memory
from core.models.load_lock import ONE_LOAD_AT_A_TIME
from core.util.files import read_json, sizes_within, write_bytes

if TYPE_CHECKING:
    from core.models.gguf_file import GgufModel, WholeReader

_log = logging.getLogger(__name__)
ORIGIN = GGUF_ORIGIN
SUFFIX = ".gguf"
#: What stands in the names of families and folders: a part of the file's name.
_PLAIN = re.compile(r"[^A-Za-z0-9.]+")
#: Bytes that a weight takes while it is converted: dequantized by numpy in float32, and beside that in the model.
_BYTES_WHILE_CONVERTED = 6
#: What this process has converted and is not to be kept, and whether there will be such.
_PASSING: set[Path] = set()
_keeps = True
#: Told of bytes done and all there are; raises what is to end the work.
Told = Callable[[int, int], None]


@dataclass(frozen=True)
class GgufOrigin:
    """Where a GGUF file is: in ``folder``, or in the model ``hub`` of the Hugging Face Hub at ``revision``; ``file`` is its name."""

    file: str
    folder: str = ""
    hub: str = ""
    revision: str = ""

    def __str__(self) -> str:
        """As it is typed."""
        revision = f"@{self.revision}" if self.revision else ""
        return f"{self.hub}{revision}::{self.file}" if self.hub else str(Path(self.folder) / self.file)


def folder_for(origin: GgufOrigin) -> Path:
    """The folder that stands for a file, which is made with :data:`ORIGIN` in it; the weights come when they are first needed.

    Raises StoreError where the data folder cannot be written, OSError for no such file.
    """
    folder = folder_of(origin)
    if not (folder / ORIGIN).is_file():
        write_origin(folder, origin)
    return folder


def write_origin(folder: Path, origin: GgufOrigin) -> None:
    """Let a folder stand for a file. Raises StoreError where it cannot be written."""
    write_bytes(folder / ORIGIN, (json.dumps(asdict(origin), ensure_ascii=False, indent=1) + "\n").encode())


def folder_of(origin: GgufOrigin) -> Path:
    """Where that folder is, or would be; a file that was changed has another one. Raises OSError for no such file."""
    said = [str(origin)]
    if not origin.hub:
        about = (Path(origin.folder) / origin.file).stat()
        said += [str(about.st_size), str(about.st_mtime_ns)]
    key = hashlib.sha256("\n".join(said).encode()).hexdigest()[:8]
    name = _PLAIN.sub("-", Path(origin.file).stem)[:60].strip("-.") or "model"
    return store.user_folder() / "converted" / f"{name}-{key}"


def origin_of(folder: Path) -> GgufOrigin | None:
    """The file that a folder stands for, whose own folder may be named from there; None for any other folder."""
    try:
        found = GgufOrigin(**read_json(folder / ORIGIN))
    except (OSError, ValueError, TypeError):
        return None
    return replace(found, folder=os.path.normpath(folder / found.folder)) if found.folder else found


def keep_nothing() -> None:
    """From now on, what this process converts is removed when it ends."""
    global _keeps
    if _keeps:
        _keeps = False
        atexit.register(lambda: [_emptied(folder) for folder in _PASSING])


def copy_said(size: int, folder: Path) -> str:
    """What becomes of a converted copy of so many bytes, and where."""
    where = f"{memory.size_in_words(size)} in {folder}"
    return f"kept there, {where}" if _keeps else f"removed when Tiller ends, {where}"


def size_on_disk(found: GgufModel) -> int:
    """The bytes that a file's model takes when it is converted."""
    return (4 if found.kind in ("F32", "F64") else 2) * found.parameters


def copy_size(folder: Path) -> int:
    """The bytes of the converted copy in a folder that stands for a file; 0 where there is none."""
    if not (folder / "config.json").is_file() or origin_of(folder) is None:
        return 0
    return sum(size for path, size in sizes_within(folder).items() if path.name != ORIGIN)


def drop_copy(folder: Path) -> int:
    """Delete the converted copy in a folder that stands for a file, which is converted again when it is needed; gives the bytes.

    Raises:
        GgufError: the file has gone, so that the copy is all there is.
    """
    from core.models.gguf_file import GgufError

    origin = origin_of(folder)
    if origin is not None and not origin.hub and not (Path(origin.folder) / origin.file).is_file():
        raise GgufError(
            f"{origin} is not there any more, and its converted copy is all that there is of it; put the file back first, or remove "
            f"{folder} yourself."
        )
    return _emptied(folder)


def _emptied(folder: Path) -> int:
    size = copy_size(folder)
    # What says that the folder is whole goes first.
    for each in sorted(folder.iterdir(), key=lambda file: file.name != "config.json") if size else ():
        if each.is_dir():
            # Left by a conversion that was cut off.
            shutil.rmtree(each, ignore_errors=True)
        elif each.name != ORIGIN:
            each.unlink(missing_ok=True)
    return size


def unconverted(folder: Path) -> GgufOrigin | None:
    """The file that a folder is still to be filled from; None for any other folder."""
    return None if (folder / "config.json").is_file() else origin_of(folder)


def make_whole(folder: Path, told: Told | None = None) -> None:
    """Convert the file that a folder stands for, where that has not been done; does nothing to any other folder.

    Raises:
        GgufError: the file has gone or cannot be read, or there is too little memory or room on the disk.
        FamilyError: the Hub does not give it.
        Exception: whatever ``told`` raises.
    """
    if (origin := unconverted(folder)) is None:
        return
    # Read only now: every family's folders come this way.
    from core.models.gguf_file import looked_into

    path = _file(origin)
    found, reader = looked_into(path)
    _check_room(path, found, folder)
    # Said before it begins, whoever asked for it: it takes minutes of a large model, and room that nobody may have thought of.
    _log.warning(
        "%s (%s, %s) is converted this once and %s; meanwhile it takes about %s of memory.",
        path.name,
        found.kind,
        memory.size_in_words(path.stat().st_size),
        copy_said(size_on_disk(found), folder),
        memory.size_in_words(_BYTES_WHILE_CONVERTED * found.parameters),
    )
    work = Path(tempfile.mkdtemp(prefix=".converting-", dir=folder))
    try:
        _convert(path, found, reader, work, told)
        # What says that the folder is whole comes last.
        for each in sorted(work.iterdir(), key=lambda file: file.name == "config.json"):
            each.replace(folder / each.name)
        if not _keeps:
            _PASSING.add(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _file(origin: GgufOrigin) -> Path:
    from core.models.gguf_file import GgufError

    if origin.hub:
        from huggingface_hub import hf_hub_download

        source = Source(origin.hub, False, origin.revision or None)
        return Path(hub.hub_answer(source, lambda: hf_hub_download(origin.hub, origin.file, revision=source.revision)))
    path = Path(origin.folder) / origin.file
    if not path.is_file():
        raise GgufError(
            f"{path} is not there any more, and was not converted yet; put it back, or open it where it is now."
        )
    return path


def _check_room(path: Path, found: GgufModel, folder: Path) -> None:
    from core.models.gguf_file import GgufError

    in_memory, on_disk = _BYTES_WHILE_CONVERTED * found.parameters, size_on_disk(found)
    if (free := memory.room(("cpu",), {}).usable) < in_memory:
        raise GgufError(
            f"{path.name} takes about {memory.size_in_words(in_memory)} of memory while it is converted, and "
            f"{memory.size_in_words(free)} are free; close other programs, or take a smaller model."
        )
    if (left := shutil.disk_usage(folder).free) < on_disk:
        raise GgufError(
            f"{path.name} takes about {memory.size_in_words(on_disk)} on the disk when it is converted, and "
            f"{memory.size_in_words(left)} are free at {folder}; make room, or set TILLER_DATA to a folder on another disk."
        )


def _convert(path: Path, found: GgufModel, reader: WholeReader, to: Path, told: Told | None) -> None:
    """Write the model and its tokenizer into a folder."""
    import numpy as np
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging as transformers_logging

    from core.models.gguf_config import completed, windowed
    from core.models.gguf_file import GgufError

    transformers_logging.disable_progress_bar()
    # What was quantized is within a float16's rounding far finer than its steps, and fills half a float32's bytes.
    kind = {"F32": torch.float32, "F64": torch.float32, "BF16": torch.bfloat16}.get(found.kind, torch.float16)
    size = found.parameters * kind.itemsize
    tell = told or (lambda done, whole: None)
    named: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True, "trust_remote_code": False}
    try:
        with ONE_LOAD_AT_A_TIME, _told_of_each(tell, size), _read_once(reader), np.errstate(all="ignore"):
            config = AutoConfig.from_pretrained(path.parent, **named)
            config = completed(path, reader, found.architecture, config)
            # Nothing is left packed, whatever kernels there are: Tiller reads and changes the weights themselves.
            made: Any = AutoModelForCausalLM.from_pretrained(
                path.parent,
                config=config,
                dtype=kind,
                output_loading_info=True,
                quantization_config=GgufConfig(dequantize=True),
                **named,
            )
            tokenizer: Any = AutoTokenizer.from_pretrained(path.parent, **named)
    except TillerError:
        raise
    except Exception as error:
        # transformers' reader raises whatever a file makes it raise.
        reason = " ".join(str(error).split())[:200]
        raise GgufError(
            f"{path.name} cannot be read as a model ({type(error).__name__}: {reason}); take the model's own folder, or its name on the "
            "Hub."
        ) from error
    model, report = made
    if missing := sorted(report["missing_keys"]):
        # transformers fills what is missing with random numbers and goes on.
        raise GgufError(
            f"{path.name} lacks {missing[0]}{' and more' if len(missing) > 1 else ''}; take another file of this model."
        )
    if not all(bool(torch.isfinite(each).all()) for each in model.parameters()):
        raise GgufError(
            f"{path.name} holds numbers that are not finite, or too large for float16; take another file of this model."
        )
    # It is not quantized any more; with the note that it was, transformers would not save it.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.hf_quantizer = None
    model.save_pretrained(to)
    if more := windowed(reader, found.architecture):
        said = read_json(to / "config.json")
        write_bytes(to / "config.json", json.dumps({**said, **more}, indent=2).encode())
    tokenizer.save_pretrained(to)


@contextmanager
def _read_once(reader: WholeReader) -> Iterator[None]:
    """transformers reads the header for the config, the weights and the tokenizer, and makes the table of names for every module."""
    import gguf

    package: Any = gguf
    made = package.GGUFReader, package.get_tensor_name_map
    package.GGUFReader, package.get_tensor_name_map = lambda *_: reader, functools.cache(gguf.get_tensor_name_map)
    try:
        yield
    finally:
        package.GGUFReader, package.get_tensor_name_map = made


@contextmanager
def _told_of_each(tell: Told, size: int) -> Iterator[None]:
    """Be told of each tensor that transformers' reader dequantizes, which it would else draw a progress bar of over any screen."""
    from transformers import modeling_gguf_pytorch_utils as reader

    def counted(tensors: Any, **_: Any) -> Iterator[Any]:
        done, whole = 0, sum(int(each.n_elements) for each in tensors) or 1
        for each in tensors:
            tell(size * done // whole, size)
            yield each
            done += int(each.n_elements)
        tell(size, size)

    before, reader.tqdm = reader.tqdm, counted  # type: ignore[attr-defined]
    try:
        yield
    finally:
        reader.tqdm = before  # type: ignore[attr-defined]
