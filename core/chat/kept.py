"""A chat as it is kept: one document with all of its versions, for browsers, data folders, exports and imports alike. No torch.

The document is an export of the chat (:func:`core.chat.answers.chat_document`), so that whatever reads those reads it, and beside it the
chat's name, time and branches. Of a branch that is not shown the texts are kept, and not the readings of each token.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.chat.answers import chat_document, read_document
from core.chat.authors import Author
from core.chat.branches import Branch, new_id
from core.chat.events import Whole
from core.chat.session import Session
from core.chat.settings import UNTRUSTED, Settings
from core.errors import TillerError
from core.recipes.language import Recipe
from core.util.files import json_text, parsed_json, read_json, read_when_changed, write_bytes
from core.util.limits import MAX_BRANCHES, MAX_CHAT, MAX_LIBRARY
from core.util.text import clean

#: Characters of a title.
MAX_TITLE = 120
_ID = re.compile(r"[0-9a-f]{16}")
_SHORT = 60


# -------------------------------------------------------------------------------------------------------- one document


def kept_document(session: Session, time: float) -> dict[str, Any]:
    """A chat with all of its versions; ``time`` is when it was last changed, in seconds since 1970."""
    return {
        **chat_document(session.settings, session.answers),
        "id": session.id, "title": session.title, "time": time, "number": session.number,
        "authors": _authors(session.made),
        "branches": [
            {"number": each.number, "settings": each.settings.to_json(), "authors": _authors(each.made)} for each in session.branches
        ],
    }  # fmt: skip


def _authors(made: Mapping[int, Author]) -> dict[str, Any]:
    return {str(column): author.to_json() for column, author in made.items()}


@dataclass(frozen=True)
class _Beside:
    """What a kept chat holds beside an export. All of it may be missing: an export is a kept chat without a name."""

    id: str = ""
    title: str = ""
    number: Whole = 0
    #: By column, who wrote its answer; ``made`` is what earlier versions wrote, its recipe alone.
    authors: Mapping[str, Author] = field(default_factory=dict)
    made: Mapping[str, Recipe] = field(default_factory=dict)
    branches: tuple[_Version, ...] = ()


@dataclass(frozen=True)
class _Version:
    number: Whole
    authors: Mapping[str, Author] = field(default_factory=dict)


def read_kept(document: Mapping[str, Any]) -> Session:
    """The chat of a document by :func:`kept_document`, or of an export.

    Raises:
        TillerError: when it is neither.
    """
    settings, found = read_document(document)
    answers = {column: answer for column, answer in found.items() if answer.finished or answer.tokens}
    kept = UNTRUSTED.decode(_Beside, document)
    if len(kept.branches) > MAX_BRANCHES or len({each.number for each in kept.branches}) < len(kept.branches):
        raise TillerError(f"This chat has more than {MAX_BRANCHES} versions, or two of one number; export it again.")
    states = [Settings.from_json(each["settings"]) for each in document.get("branches", ())]
    if any(each.family != settings.family for each in states):
        raise TillerError("The versions of this chat are of several families; export it again.")
    branches = tuple(
        Branch(each.number, state, {}, {int(c): author for c, author in each.authors.items() if c.isdecimal()})
        for each, state in zip(kept.branches, states, strict=True)
        if each.number != kept.number
    )
    session = Session.of(settings, answers)
    session.settle()
    for column, author in session.made.items():
        recipe = kept.made.get(str(column), author.column.recipe)
        session.made[column] = kept.authors.get(str(column), author.with_recipe(recipe))
    # What was being written when it was kept is a text that was written before: whoever opens the chat has it answered to its end.
    for column in [column for column, answer in answers.items() if not answer.finished]:
        del session.answers[column], session.made[column]
    session.id = kept.id if _ID.fullmatch(kept.id) else new_id()
    session.title, session.number, session.branches = one_line(kept.title), kept.number, branches
    return session


def title_of(title: str, turns: Sequence[str]) -> str:
    """What a chat is called: by its title, else by its first message."""
    said = title or " ".join(turns[0].split()) if title or turns else "Empty chat"
    return said if title or len(said) <= _SHORT else said[: _SHORT - 1] + "…"


def one_line(title: str) -> str:
    """A title that a person wrote, as it is kept."""
    return " ".join(clean(title).split())[:MAX_TITLE].strip()


# ---------------------------------------------------------------------------------------------------------- many of them


def read_chats(text: str, most: int = MAX_LIBRARY) -> list[dict[str, Any]]:
    """The documents of a file of at most so many characters: an export of all chats or of one, each read and written anew.

    Raises:
        TillerError: it is neither, with what is wrong.
    """
    if len(text) > most:
        raise TillerError(f"This file has more than {most:,} characters; import the chats in several files.")
    try:
        document = parsed_json(text)
    except ValueError as error:
        raise TillerError("This file is not JSON; give one that Export made as JSON.") from error
    if not isinstance(document, Mapping):
        raise TillerError("This file holds no chat; give one that Export made as JSON.")
    chats = document.get("chats")
    return [rewritten(each) for each in (chats if isinstance(chats, list) else [document])]


def rewritten(document: object) -> dict[str, Any]:
    """A kept chat that anybody may have written, as this version writes it. Raises TillerError."""
    if not isinstance(document, Mapping):
        raise TillerError("This file holds no chat; give one that Export made as JSON.")
    time = document.get("time", 0)
    good = isinstance(time, int | float) and not isinstance(time, bool) and 0 <= time < 1e11
    return kept_document(read_kept(document), float(time) if good else 0.0)


def chats_document(documents: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """All chats in one document, which :func:`read_chats` reads."""
    return {"tiller": 1, "chats": list(documents)}


def _but_its_time(document: Mapping[str, Any]) -> str:
    """A hash of all of a chat but its time, and the version of the program that wrote it."""
    return hashlib.sha256(json_text({**document, "time": 0, "program": ""}).encode("utf-8", "replace")).hexdigest()


# -------------------------------------------------------------------------------------------------------------- a folder


@dataclass(frozen=True)
class KeptHead:
    """What a list says of a kept chat. ``turns`` are the person's messages, ``words`` all that was said in it, in small letters."""

    id: str
    family: str
    title: str
    time: float
    turns: int
    words: str

    def about(self, wanted: str) -> bool:
        """Whether every word that is looked for stands in it or in its title."""
        return all(word in self.words for word in wanted.lower().split())


class KeptChats:
    """The chats of a folder, a file each, written whole or not at all and for nobody else to read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: By a chat's id what this program last kept or opened of it, but for its time.
        self._known: dict[str, str] = {}

    def save(self, session: Session, time: float) -> None:
        """Keep a chat, unless it is kept as it is. Raises StoreError when the folder cannot be written.

        Where another program has gone on with it meanwhile, that one keeps it, and ``session`` becomes a chat of its own.
        """
        own = _but_its_time(kept_document(session, time))
        with suppress(OSError, ValueError, TypeError):
            there = _but_its_time(read_json(self._path(session.id)))
            if there != own and there != self._known.get(session.id, there):
                session.id = new_id()
                own = _but_its_time(kept_document(session, time))
            elif there == own:
                self._known[session.id] = own
                return
        self.put(kept_document(session, time))
        self._known[session.id] = own

    def put(self, document: Mapping[str, Any]) -> None:
        """Keep a document. Raises StoreError when the folder cannot be written."""
        write_bytes(self._path(document["id"]), json_text(document, ensure_ascii=False).encode(), private=True)

    def list(self, wanted: str = "") -> tuple[KeptHead, ...]:
        """The chats in which every word of ``wanted`` stands, the latest first. What cannot be read is left out."""
        return tuple(each for each in sorted(self._all(), key=lambda each: -each.time) if each.about(wanted))

    def load(self, name: str) -> Session:
        """A chat by its id, or by as much of its beginning as no other one has. Raises TillerError."""
        session = read_kept(self.document(name))
        with suppress(OSError, ValueError, TypeError):
            self._known[session.id] = _but_its_time(read_json(self._path(session.id)))
        return session

    def document(self, name: str) -> dict[str, Any]:
        """The document of a chat, by its id or its beginning. Raises TillerError."""
        found = [each.id for each in self._all() if each.id.startswith(name)] if name else []
        if len(found) != 1:
            raise TillerError(f"There is no one chat {name!r} here; take an id from the list of chats.")
        try:
            return rewritten(read_json(self._path(found[0])))
        except (OSError, ValueError) as error:
            raise TillerError(f"{self._path(found[0])} cannot be read; it can be deleted.") from error

    def delete(self, name: str) -> None:
        """Delete a chat by its whole id; one that is not there is deleted already."""
        if _ID.fullmatch(name):
            self._path(name).unlink(missing_ok=True)

    def documents(self) -> Iterator[dict[str, Any]]:
        """Every chat that can be read, the latest first."""
        for each in self.list():
            with suppress(TillerError):
                yield self.document(each.id)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _all(self) -> Iterator[KeptHead]:
        for path in self.folder.glob("*.json"):
            if _ID.fullmatch(path.stem):
                with suppress(TillerError, OSError, ValueError, KeyError, TypeError, AttributeError):
                    yield _listed(path)


def _read_listed(path: Path) -> KeptHead:
    if path.stat().st_size > MAX_CHAT:
        raise TillerError(f"{path} is larger than any chat.")
    return head_of(read_json(path) | {"id": path.stem})


def head_of(document: Mapping[str, Any]) -> KeptHead:
    """What a list says of a document by :func:`kept_document`."""
    settings = document["settings"]
    said = [turn["user"] for turn in settings["turns"]]
    states = (settings, *(each["settings"] for each in document["branches"]))
    texts = {text for each in states for turn in each["turns"] for text in (turn["user"], *turn["replies"])}
    title = title_of(one_line(document["title"]), said)
    words = "\n".join((title, settings["family"], *texts)).lower()
    return KeptHead(document["id"], settings["family"], title, float(document["time"]), len(said), words)


_listed: Callable[[Path], KeptHead] = read_when_changed(_read_listed)
