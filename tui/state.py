"""The last state on disk: written whole or not at all, and read with suspicion."""

from __future__ import annotations

import hashlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.chat.kept import kept_document, read_kept
from core.chat.session import Session
from core.chat.settings import UNTRUSTED
from core.errors import StoreError, TillerError
from core.util.files import json_text, read_json, write_bytes


class StateError(TillerError):
    """A stored state that cannot be used; the program starts without it."""


@dataclass(frozen=True)
class State:
    """What is brought back: the chat with its versions, and what was being written."""

    session: Session
    draft: str = ""


@dataclass(frozen=True)
class _Beside:
    """What the file of a chat holds beside the kept chat: what was being written."""

    draft: str = ""


@dataclass(frozen=True)
class Looks:
    """How the screen looks, whatever the family."""

    theme: str = ""
    glyphs: bool = False
    #: Whether answers are text with headings and lists instead of tokens.
    text: bool = False


def folder() -> Path:
    """Where states lie: ``TILLER_STATE`` or the platform's folder for them."""
    if chosen := os.environ.get("TILLER_STATE"):
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_state_dir("tiller", appauthor=False))


def chat_path(family: str) -> Path:
    """The file of a family's last chat; the hash keeps two folders of one name apart."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", Path(family).name)[:40]
    return folder() / f"chat.{name}.{hashlib.sha256(family.encode()).hexdigest()[:8]}.json"


def save(family: str, state: State) -> None:
    """Write a family's last chat. Raises StateError when the folder cannot be written."""
    _write(chat_path(family), {**kept_document(state.session, time.time()), "draft": state.draft})


def load(family: str) -> State | None:
    """A family's last chat, or ``None``. Raises StateError when it cannot be used."""
    document = _read(chat_path(family))
    if document is None:
        return None
    try:
        return State(read_kept(document), UNTRUSTED.decode(_Beside, document).draft)
    except TillerError as error:
        raise _unread("last chat", chat_path(family)) from error


def save_looks(looks: Looks) -> None:
    """Write how the screen looks. Raises StateError when the folder cannot be written."""
    _write(folder() / "looks.json", vars(looks))


def load_looks() -> Looks:
    """How the screen looked. Raises StateError when the file cannot be read."""
    path = folder() / "looks.json"
    document = _read(path)
    try:
        return UNTRUSTED.decode(Looks, document or {})
    except TillerError as error:
        raise _unread("last state", path) from error


def _write(path: Path, document: dict[str, Any]) -> None:
    try:
        write_bytes(path, json_text(document, ensure_ascii=False).encode(), private=True)
    except StoreError as error:
        raise StateError(f"The chat could not be kept: {error}") from error


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = read_json(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unread("last state", path) from error
    if not isinstance(document, dict):
        raise _unread("last state", path)
    return document


def _unread(what: str, path: Path) -> StateError:
    return StateError(f"The {what} could not be read and was left out; {path} can be deleted.")
