"""The last state on disk: written whole or not at all, and read with suspicion."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.chat.answers import Answer, chat_document, read_document
from core.chat.settings import UNTRUSTED, Settings
from core.errors import StoreError, TillerError
from core.util.files import write_bytes


class StateError(TillerError):
    """A stored state that cannot be used; the program starts without it."""


@dataclass(frozen=True)
class State:
    """What is brought back: the chat, what was being written, how the screen looked."""

    settings: Settings
    answers: dict[int, Answer] = field(default_factory=dict)
    made: dict[int, str] = field(default_factory=dict)
    draft: str = ""


@dataclass(frozen=True)
class _Beside:
    """What the file of a chat holds beside an export: what was made of each column, and what was being written."""

    made: Mapping[str, str] = field(default_factory=dict)
    draft: str = ""


@dataclass(frozen=True)
class Looks:
    """How the screen looks, whatever the family."""

    theme: str = ""
    glyphs: bool = False


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
    document = chat_document(state.settings, state.answers)
    _write(
        chat_path(family), {**document, "made": {str(c): text for c, text in state.made.items()}, "draft": state.draft}
    )


def load(family: str) -> State | None:
    """A family's last chat, or ``None``. Raises StateError when it cannot be used."""
    document = _read(chat_path(family))
    if document is None:
        return None
    try:
        settings, answers = read_document(document)
        beside = UNTRUSTED.decode(_Beside, document)
        made = {column: beside.made.get(str(column), "") for column in answers}
        return State(settings, answers, made, beside.draft)
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
        write_bytes(path, json.dumps(document, ensure_ascii=False).encode(), private=True)
    except StoreError as error:
        raise StateError(f"The chat could not be kept: {error}") from error


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _unread("last state", path) from error
    if not isinstance(document, dict):
        raise _unread("last state", path)
    return document


def _unread(what: str, path: Path) -> StateError:
    return StateError(f"The {what} could not be read and was left out; {path} can be deleted.")
