"""Who is looking: one visit for each open page, by its session id. Models and runs never enter Gradio's own state."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.chat.opening import check_family
from core.chat.session import Session
from core.chat.settings import Settings
from core.chat.slider_cache import Scrubs
from core.chat.sliders import SliderBank
from core.engine.engine import Engine
from core.engine.run import Run
from core.errors import TillerError

#: So many chats are kept, the latest; a page of an older one brings its chat along in its link.
MAX_VISITS = 128


@dataclass
class Visit:
    """One open page: its chat, the run that answers, those that scrub and blame, and what the page is told beside the chat."""

    session: Session
    scrubs: Scrubs
    sliders: SliderBank
    run: Run | None = None
    scrubbing: Run | None = None
    #: The run that says of answers which stage they are owed to.
    blaming: Run | None = None
    notice: str = ""
    recipe_error: str = ""
    #: A message to put back into the box.
    draft: str = ""
    #: The number of the latest thing the person did that has been dealt with.
    heard: int = 0
    #: Held while settings are read, changed and written back: a run's end and a slider may come at once.
    lock: threading.RLock = field(default_factory=threading.RLock)
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
        """A number above every earlier one, also of an earlier process: pages keep the newest view."""
        self._version = max(self._version + 1, time.time_ns() // 1_000)
        return self._version


class Visits:
    """Every open page. ``fresh`` makes the chat that a page begins with."""

    def __init__(self, engine: Engine, fresh: Callable[[], Session]) -> None:
        self.engine = engine
        self._fresh = fresh
        self._visits: OrderedDict[str, Visit] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, link: str = "") -> Visit:
        """The visit of a page. A page that this process does not know is given the state that its link carries."""
        with self._lock:
            if key not in self._visits:
                self._visits[key] = self._open(link)
            self._visits.move_to_end(key)
            gone = [self._visits.popitem(last=False)[1] for _ in range(len(self._visits) - MAX_VISITS)]
            for visit in gone:
                visit.stop()
            return self._visits[key]

    def leave(self, key: str) -> None:
        """A page was closed, or a phone put it to sleep: nothing more is computed for it, and its chat waits for it a while."""
        with self._lock:
            visit = self._visits.get(key)
        if visit is not None:
            visit.stop()
            visit.scrubs.kept.clear()

    def __len__(self) -> int:
        return len(self._visits)

    def _open(self, link: str) -> Visit:
        scrubs, sliders = Scrubs(self.engine.SCRUB_STRENGTHS), SliderBank(self.engine.catalogue)
        if not link:
            return Visit(self._fresh(), scrubs, sliders)
        try:
            settings = Settings.from_link(link)
            check_family(settings, self.engine.family)
        except TillerError as error:
            return Visit(self._fresh(), scrubs, sliders, notice=str(error))
        return Visit(Session(settings), scrubs, sliders)


# -------------------------------------------------------------------------------------------------- what a page may say


def text(said: Mapping[str, Any], key: str) -> str:
    """A text that the page sent; what it sends may be anything."""
    value = said.get(key, "")
    if not isinstance(value, str):
        raise TillerError(f"The page sent no text as {key!r}; reload it.")
    return value


def number(said: Mapping[str, Any], key: str) -> float:
    """A number that the page sent."""
    value = said.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TillerError(f"Write a number for {key.replace('_', ' ')}, such as 1.5.")
    return float(value)


def whole(said: Mapping[str, Any], key: str) -> int:
    """A whole number that the page sent."""
    value = number(said, key)
    if value != int(value):
        raise TillerError(f"Write a whole number for {key.replace('_', ' ')}, such as {int(value)}.")
    return int(value)


def index(said: Mapping[str, Any], key: str, items: Sequence[object]) -> int:
    """The place of one of ``items`` that the page sent."""
    value = said.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < len(items):
        raise TillerError("That is not there any more.")
    return value
