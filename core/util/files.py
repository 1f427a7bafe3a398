"""Files of a person's: read as text with one sentence for what is wrong, read again only when they have changed, written whole or not
at all.
"""

from __future__ import annotations

import codecs
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, TypeVar

from core.errors import StoreError, TillerError
from core.util.text import clean

_T = TypeVar("_T")
#: So many files are remembered by each reader, the latest.
_KEPT = 512
#: Bytes of a text or of JSON that are read at most: a device has no end, and a wrong file may be larger than the memory.
MOST_BYTES = 256 * 2**20
#: How the name of a file begins that is not whole yet, and after how many seconds nobody writes it any more.
_HALF, _ABANDONED = ".writing-", 3_600.0


def cache_folder() -> Path:
    """Where notes and the log of errors lie: ``TILLER_CACHE`` or the platform's cache folder."""
    if chosen := os.environ.get("TILLER_CACHE"):
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_cache_dir("tiller", appauthor=False))


def read_when_changed(read: Callable[[Path], _T]) -> Callable[[Path], _T]:
    """A reader that reads a file again only when its inode, size or time says that it has changed. From any thread.

    What cannot be read is tried anew each time. Whoever calls it shares what was read, and so must not change it.
    """

    @lru_cache(maxsize=_KEPT)
    def kept(path: Path, *_identity: int) -> _T:
        return read(path)

    @wraps(read)
    def found(path: Path) -> _T:
        try:
            now = path.stat()
        except OSError:
            # The reader itself knows what to say of a file that is not there.
            return read(path)
        return kept(path, now.st_mtime_ns, now.st_size, now.st_ino)

    return found


def read_text(path: Path, fix: str) -> str:
    """The text of a file in UTF-8 or marked UTF-16, without the mark that some editors put first; its lines end in ``\\n``.

    Raises:
        TillerError: it is in another encoding, or cannot be read, for which ``fix`` says what to do instead.
    """
    try:
        return decoded(_bytes(path.expanduser())).replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise TillerError(f"{path} is not UTF-8; save it as UTF-8.") from error
    except (OSError, ValueError, RuntimeError) as error:
        # A name may hold a null character, or begin with ~ and a person that is not there.
        raise TillerError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); {fix}.") from error


def read_json(path: Path) -> Any:
    """What a file of JSON holds, in UTF-8 or marked UTF-16. Raises OSError, or ValueError for whatever cannot be read as that."""
    return parsed_json(decoded(_bytes(path)))


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        found = file.read(MOST_BYTES + 1)
    if len(found) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES >> 20} MB")
    return found


def parsed_json(text: str | bytes) -> Any:
    """What a text in JSON says. Raises ValueError for whatever is wrong with it, nesting beyond all measure too."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def json_text(document: object, **options: Any) -> str:
    """A document in JSON, with the options of :func:`json.dumps`. JSON has no NaN and no infinity: such a number is written as null."""
    try:
        return json.dumps(document, allow_nan=False, **options)
    except ValueError:
        return json.dumps(_finite(document), allow_nan=False, **options)


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def decoded(blob: bytes) -> str:
    """A text in UTF-8, or in UTF-16 as Windows' programs write it, which its first two bytes say. Raises UnicodeDecodeError."""
    return blob.decode("utf-16" if blob[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig")


def text_items(text: str) -> tuple[str, ...]:
    """What a text of one item a line holds, without the space round each; empty lines are none."""
    return tuple(item for line in clean(text).splitlines() if (item := line.strip()))


def read_prompts(path: Path) -> tuple[str, ...]:
    """The prompts of a text file, one a line. Raises TillerError when it cannot be read or has none."""
    return prompts_in(read_text(path, "give a text file with one prompt a line"))


def prompts_in(text: str) -> tuple[str, ...]:
    """The prompts of a text, one a line. Raises TillerError when there is none."""
    found = text_items(text)
    if not found:
        raise TillerError("The file has no prompt; write one on each line.")
    return found


def check_writable(path: Path) -> None:
    """Raise StoreError unless a file or a folder of this name can be made: asked before what is to be written there is computed."""
    folder = next(each for each in path.absolute().parents if each.exists())
    try:
        # What a system says that one may do, and what it lets one do, are not the same.
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({folder}: {error.strerror}); choose another folder.") from error


def check_new_folder(path: Path) -> None:
    """Raise StoreError unless a folder of this name can be made, or is there and empty."""
    try:
        if path.exists() and not path.is_dir():
            raise StoreError(f"{path} is a file, and a folder is to be written; give it another name.")
        if path.is_dir() and any(path.iterdir()):
            raise StoreError(f"{path} is there already and not empty; choose another folder, or empty it.")
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); choose another folder.") from error
    check_writable(path / "config.json")


def write_bytes(path: Path, blob: bytes, private: bool = False) -> None:
    """Write a file in one step: nobody ever sees half of it, and of a ``private`` one nobody else sees anything.

    Raises:
        StoreError: it cannot be written.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _tidy(path.parent)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_HALF)
        with os.fdopen(handle, "wb") as file:
            file.write(blob)
        if not private:
            # mkstemp makes files for the owner alone; artefacts are ordinary files.
            os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise StoreError(
            f"{path} cannot be written ({error.strerror}); free some space or choose another folder."
        ) from error


def _tidy(folder: Path) -> None:
    """Remove what was being written when a program was killed; what another one is writing now is younger."""
    remove_old(folder.glob(f"{_HALF}*"), _ABANDONED)


def remove_old(paths: Iterable[Path], seconds: float) -> None:
    """Remove the files and folders that were not changed for longer; what cannot be removed, or another takes away meanwhile, is passed
    over."""
    long_ago = time.time() - seconds
    for path in paths:
        with suppress(OSError):
            if path.stat().st_mtime < long_ago:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def sizes(paths: Iterable[Path]) -> dict[Path, int]:
    """Files with their bytes; what another takes away meanwhile is left out."""
    found = {}
    for path in paths:
        with suppress(OSError):
            found[path] = path.stat().st_size
    return found


def sizes_within(folder: Path) -> dict[Path, int]:
    """Every file in a folder and below it with its bytes. A folder that goes meanwhile is passed over, where ``rglob`` would raise."""
    return sizes(Path(root, name) for root, _, names in os.walk(folder) for name in names)


def write_new(path: Path, text: str) -> None:
    """Write a file that a person named, in one step. Raises TillerError where there is one already, StoreError as :func:`write_bytes`."""
    if path.exists():
        raise TillerError(f"There is a file {path} already; choose another name.")
    write_bytes(path, text.encode())
