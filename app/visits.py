"""Who is looking: one visit for each open page, by its session id. Models and runs never enter Gradio's own state."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr

from app.access import MOST_ASLEEP, Access
from core.chat.opening import check_family
from core.chat.session import Session
from core.chat.settings import Settings, SettingsError
from core.chat.slider_cache import Scrubs
from core.chat.sliders import SliderBank
from core.cli.options import Options
from core.engine.engine import Engine
from core.engine.job_list import JobLine
from core.engine.run import Run
from core.errors import TillerError
from core.util.text import encodable

if TYPE_CHECKING:
    from app.families import FamilyPages, Looking

#: So many chats are kept, the latest; a page of an older one brings its chat along in its link.
MAX_VISITS = 128


@dataclass
class Visit:
    """One open page: the engine as whoever looks sees it, his chat, the run that answers, those that scrub and blame, and what the page
    is told beside the chat."""

    engine: Engine
    session: Session
    scrubs: Scrubs
    sliders: SliderBank
    #: The page's session id, by which another page finds this chat again.
    key: str = ""
    run: Run | None = None
    scrubbing: Run | None = None
    #: The run that says of answers which stage they are owed to.
    blaming: Run | None = None
    notice: str = ""
    #: What is wrong with values in the details, by the field that holds them.
    wrong: dict[str, str] = field(default_factory=dict)
    recipe_error: str = ""
    #: The recipe that was probably meant by the one that cannot be read.
    recipe_meant: str = ""
    #: What the page's address asked for and this page is not: a sentence, and what to open for it, with its title and its link, if that
    #: can be had here.
    elsewhere: dict[str, str] = field(default_factory=dict)
    #: Whether the page is to ask for the answers that are lacking, so that all that it shows is live.
    relive: bool = False
    #: A message to put back into the box.
    draft: str = ""
    #: The number of the latest thing the person did that has been dealt with.
    heard: int = 0
    #: The number of the stream of answers that the page was told last.
    stream: int = 0
    #: Held while settings are read, changed and written back: a run's end and a slider may come at once.
    lock: threading.RLock = field(default_factory=threading.RLock)
    #: When it was last asked for.
    seen: float = field(default_factory=time.monotonic)
    _version: int = 0

    @property
    def settings(self) -> Settings:
        """The chat's settings."""
        return self.session.settings

    @property
    def running(self) -> bool:
        """Whether an answer is being written."""
        return self.run is not None

    def writes(self, column: int) -> bool:
        """Whether the answer of a column is being written."""
        return self.run is not None and column in self.run.columns and not self.session.answers[column].finished

    def begin(self, run: Run) -> Run:
        """Make ``run`` the one that answers; one that still does is ended."""
        self.stop()
        self.run = run
        return run

    def stop(self) -> None:
        """End what is being computed for this page, at its next step."""
        for each in (self.run, self.scrubbing, self.blaming):
            if each is not None:
                each.cancel()
        self.blaming = None

    def version(self) -> int:
        """A number above every earlier one, also of an earlier process: pages keep the newest view and stream."""
        self._version = max(self._version + 1, time.time_ns() // 1_000)
        return self._version


class Visits:
    """Every open page.

    Args:
        fresh: makes the chat that a page begins with.
        pages: all families' of the server; without them, every page is the owner's.
    """

    def __init__(self, engine: Engine, fresh: Callable[[], Session], pages: FamilyPages | None = None) -> None:
        self.engine, self.pages = engine, pages
        #: Whose a page is.
        self.access = pages.access if pages is not None else Access(Options())
        self._fresh = fresh
        #: What a page is told of how everything goes.
        self.status: Callable[[gr.Request], str] = lambda request: ""
        self._visits: OrderedDict[tuple[str, bool], Visit] = OrderedDict()
        self._lock = threading.Lock()
        if pages is not None:
            pages.visits[engine] = self

    def of(self, request: gr.Request, link: str = "", earlier: str = "") -> Visit:
        """The visit of the page that asks. Raises TillerError for a stranger who does not say which it is."""
        owner = self.access.owner(request)
        if not owner and not request.session_hash:
            raise TillerError("This server knows its visitors by the session_hash of their page; send one.")
        return self.get(str(request.session_hash), link, earlier, owner)

    def find(self, request: gr.Request) -> Visit | None:
        """The same, where it is there already."""
        with self._lock:
            known = (str(request.session_hash), self.access.owner(request))
            visit = self._visits.get(known)
            if visit is not None:
                # A page that is open asks for the status all the time, and is none of the oldest.
                self._visits.move_to_end(known)
                visit.seen = self.engine.used = time.monotonic()
            return visit

    def get(self, key: str, link: str = "", earlier: str = "", owner: bool = True) -> Visit:
        """The visit of a page. A page that this process does not know is given the chat of an ``earlier`` one, which its browser
        remembers, else the state that its link carries.

        What one page began as the owner's is none of its visitor's, so that a stranger who learns a session's name has nothing.
        """
        with self._lock:
            known = (key, owner)
            if known not in self._visits:
                before = self._visits.get((earlier, owner))
                made = self._again(before) if before else self._open(link, self.access.engine(self.engine, owner))
                made.key, self._visits[known] = key, made
                self._make_room()
            self._visits.move_to_end(known)
            self._visits[known].seen = self.engine.used = time.monotonic()
            return self._visits[known]

    def _make_room(self) -> None:
        """Forget visitors who are gone, and the oldest of too many pages; what only they used is removed."""
        asleep = time.monotonic() - MOST_ASLEEP
        gone = [each for each, visit in self._visits.items() if visit.seen < asleep and not each[1]]
        rest = [each for each in self._visits if each not in gone]
        for each in (*gone, *rest[: max(0, len(rest) - MAX_VISITS)]):
            self._forget(each)

    def _forget(self, known: tuple[str, bool]) -> None:
        visit = self._visits.pop(known)
        visit.stop()
        if all(other.engine is not visit.engine for other in self._visits.values()):
            self.access.leave(visit.engine)

    def close(self) -> None:
        """The family is closed: its visitors' chats go on from their pages' links when it is opened again."""
        with self._lock:
            for each in list(self._visits):
                self._forget(each)

    def leave(self, request: gr.Request) -> None:
        """A page was closed, or a phone put it to sleep: nothing more is computed for it, and its chat waits for it a while."""
        visit = self.find(request)
        if visit is not None:
            visit.stop()
            visit.scrubs.kept.clear()

    def __len__(self) -> int:
        return len(self._visits)

    # ---------------------------------------------------------------------------------------------------- what goes on

    def engines(self) -> list[tuple[str, Engine]]:
        """Every engine of this family, with whose it is: nothing of the owner's."""
        with self._lock:
            views = dict.fromkeys(visit.engine for visit in self._visits.values())
        return [("", self.engine), *(("for a visitor", each) for each in views if each is not self.engine)]

    def jobs(self, request: gr.Request, engine: Engine) -> list[tuple[str, JobLine]]:
        """What goes on and for whom: a visitor is told of his own, the owner of everything on his server."""
        homes = self._homes(request, engine)
        found = [(whose, each) for whose, home in homes for each in home.jobs() if home is engine or not each.chat]
        fetched = self.pages.downloads() if self.pages is not None and self.access.owner(request) else []
        return [*found, *(("", each) for each in fetched)]

    def end_job(self, request: gr.Request, engine: Engine, key: str) -> None:
        """End one of :meth:`jobs`; anything else stays as it is."""
        ended = any(home.end_job(key) for _, home in self._homes(request, engine))
        if not ended and self.pages is not None and self.access.owner(request):
            self.pages.cancel_download(key)

    def _homes(self, request: gr.Request, engine: Engine) -> list[tuple[str, Engine]]:
        """The engines whose jobs a page is told of and may end, its own first."""
        if not self.access.owner(request):
            return [("", engine)]
        others: list[tuple[Engine, Looking]] = (
            list(self.pages.visits.items()) if self.pages is not None else [(self.engine, self)]
        )
        every = [
            (", ".join(filter(None, (whose, f"in {at.family.title}" if at is not self.engine else ""))), each)
            for at, visits in others for whose, each in visits.engines()
        ]  # fmt: skip
        return sorted(every, key=lambda home: home[1] is not engine)

    def _again(self, before: Visit) -> Visit:
        """The same visitor's next page, with what he has learnt."""
        with before.lock:
            return self._visit(before.engine, before.session.copied())

    def _visit(self, engine: Engine, session: Session, notice: str = "") -> Visit:
        return Visit(engine, session, Scrubs(engine.SCRUB_STRENGTHS), SliderBank(engine.catalogue), notice=notice)

    def _open(self, link: str, engine: Engine) -> Visit:
        if not link:
            return self._visit(engine, self._fresh())
        try:
            settings = Settings.from_link(link)
        except TillerError as error:
            return self._visit(engine, self._fresh(), str(error))
        try:
            check_family(settings, self.engine.family)
        except TillerError as error:
            if settings.family == self.engine.family.name:
                return self._visit(engine, self._fresh(), str(error))
            visit = self._visit(engine, self._fresh())
            visit.elsewhere = self._elsewhere(settings, str(error))
            return visit
        visit = self._visit(engine, Session(settings))
        visit.relive = True
        return visit

    def _elsewhere(self, settings: Settings, sentence: str) -> dict[str, str]:
        """What is said of a chat with another family; where that can be opened here, a button does it."""
        found = self.pages.at_hand(settings.family) if self.pages is not None else None
        if found is None:
            return {"said": sentence}
        text, title = found
        said = f"This link is a chat with {title}, another family than this page's."
        return {"said": said, "text": text, "title": title, "link": settings.to_link()}


# -------------------------------------------------------------------------------------------------- what a page may say


def text(said: Mapping[str, Any], key: str) -> str:
    """A text that the page sent; what it sends may be anything."""
    value = said.get(key, "")
    if not isinstance(value, str):
        raise SettingsError(f"The page sent no text as {key!r}; reload it.", key)
    return encodable(value)


def number(said: Mapping[str, Any], key: str) -> float:
    """A number that the page sent."""
    value = said.get(key)
    # Beyond 1e300 a whole number may be none that floats have.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise SettingsError(f"Write a number for {key.replace('_', ' ')}, such as 1.5.", key)
    return float(value)


def whole(said: Mapping[str, Any], key: str) -> int:
    """A whole number that the page sent."""
    value = number(said, key)
    if value != int(value):
        raise SettingsError(f"Write a whole number for {key.replace('_', ' ')}, such as {int(value)}.", key)
    return int(value)


def index(said: Mapping[str, Any], key: str, items: Sequence[object]) -> int:
    """The place of one of ``items`` that the page sent."""
    value = said.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < len(items):
        raise TillerError("That is not there any more.")
    return value
