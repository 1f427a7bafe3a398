"""The header of a safetensors file, and whether the file is as long as its header says. No torch, nothing unpickled."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import StoreError
from core.util.files import parsed_json

#: What safetensors itself takes for the longest header, in bytes.
_LONGEST = 100_000_000


@dataclass(frozen=True)
class Header:
    """``entries`` describe the tensors by their names; their bytes begin at ``start``. ``metadata`` is what the writer says beside them."""

    entries: Mapping[str, Any]
    metadata: Any
    start: int


def read_header(path: Path) -> Header:
    """The header of a whole file. Raises StoreError when it is missing, cut off, a Git LFS pointer or of another kind."""
    again = "copy or make it again"
    try:
        with path.open("rb") as file:
            start = file.read(8)
            if start.startswith(b"version "):
                raise StoreError(f"{path.name} is a Git LFS pointer, not the file itself; run git lfs pull.")
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else _LONGEST
            entries = dict(parsed_json(file.read(length) if length < _LONGEST else b""))
        metadata = entries.pop("__metadata__", {})
        if not all(type(each) is int and each >= 0 for entry in entries.values() for each in entry["shape"]):
            raise ValueError("a shape that is none")
        size = 8 + length + max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    except FileNotFoundError as error:
        raise StoreError(f"{path} is not there; {again}.") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); {again}.") from error
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise StoreError(f"{path.name} is cut off or not a safetensors file; {again}.") from error
    there = path.stat().st_size
    if there < size:
        raise StoreError(f"{path.name} is cut off ({there:,} of {size:,} bytes); {again}.")
    return Header(entries, metadata, 8 + length)
