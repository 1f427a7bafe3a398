"""Blame while an answer streams: every model of its path reads along, and says how likely it finds each token.

It goes in slices, one model and one chunk of tokens each, so that the answer itself and other chats are not held up. Chunks grow with the
answer: the first tokens are coloured soon, and a long answer takes few passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import log

from core.attribution.chance import Noise
from core.attribution.effects import UNIFORM, attribute
from core.attribution.forced_logprobs import TokenScorer, logprobs_in_slices, reading, vocabulary
from core.attribution.model_sequence import Models
from core.chat.events import Blame, Event, Scores
from core.errors import TillerError
from core.families.stages import Path
from core.models.loading import Loaded

#: So many tokens are waited for before the first chunk; from then on as many as have been read.
FIRST = 8


class TokenAttribution:
    """The blame of one column's answer.

    Args:
        prompt: the ids that the answer stands behind, by the final checkpoint's template.
        unknown: the ids that a model of the path does not know.
        get: gives a model that stays in memory while the answer streams; None where there is no room for all: then ``models`` gives one
            after the other, once the answer is complete.
    """

    def __init__(
        self, column: int, path: Path, noise: Callable[[], Noise], prompt: Sequence[int], unknown: Callable[[str], range],
        get: Callable[[str], Loaded] | None, models: Models,
    ) -> None:  # fmt: skip
        self.column, self.path, self._noise = column, path, noise
        self.tokens: list[int] = []
        self.ended = False
        self._prompt, self._unknown, self._get, self._models = tuple(prompt), unknown, get, models
        self._names = path.models()
        self._followers: dict[str, TokenScorer] = {}
        self._found: dict[str, list[float]] = {}
        self._told = dict.fromkeys((each.key for each in path.questions), 0)
        self._slices = self._live() if get is not None else self._in_turn()
        self.over = False

    @property
    def names(self) -> frozenset[str]:
        """The models that are in use."""
        return frozenset(self._followers)

    def step(self) -> list[Event] | None:
        """One slice; the scores that are new with it. None when there is nothing to do before more of the answer has come."""
        if self.over or (not self.ended and self._get is None) or not self._due():
            self.over = self.over or (self.ended and self._complete)
            return None
        try:
            awaited = next(self._slices, None)
        except TillerError as error:
            self.over = True
            return [Scores(self.column, "blame", note=str(error))]
        events = self._news()
        if awaited is not None:
            events.append(Scores(self.column, "blame", awaited=awaited))
        self.over = self.ended and self._complete
        return events

    @property
    def _complete(self) -> bool:
        return all(len(self._found.get(name, ())) >= len(self.tokens) for name in self._names)

    def _behind(self, name: str) -> int:
        return len(self.tokens) - len(self._found.get(name, ()))

    def _due(self) -> bool:
        return any(self._waits(name) for name in self._names)

    def _waits(self, name: str) -> bool:
        """Whether it is a model's turn: enough tokens have come since it last read, or no more will."""
        behind = self._behind(name)
        return behind > 0 and (self.ended or behind >= max(FIRST, len(self._found.get(name, ()))))

    def _live(self) -> Iterator[str | None]:
        assert self._get is not None
        while True:
            name = next(each for each in self._names if self._waits(each))
            if name not in self._followers:
                self._followers[name] = TokenScorer(self._get(name), self._prompt, self._unknown(name))
            follower = self._followers[name]
            with reading(follower.loaded):
                self._hear(follower.loaded, name, follower.follow(self.tokens[follower.read :]))
            yield None

    def _in_turn(self) -> Iterator[str | None]:
        """Gives a sentence when something begins that takes long, and an empty one when that is over."""
        for name in self._names:
            preparing = False
            for _ in self._models.prepare(name):
                yield None if preparing else f"Reading the weights of {name}, once; the colours come then."
                preparing = True
            if preparing:
                yield ""
            # Nothing else happens between taking a model and giving it back: it may be one with another's weights.
            with self._models.get(name) as loaded:
                slices = logprobs_in_slices(loaded, [self._prompt], [self.tokens], self._unknown(name))
                while True:
                    try:
                        next(slices)
                    except StopIteration as stop:
                        self._hear(loaded, name, stop.value[0])
                        break
            yield None

    def _hear(self, loaded: Loaded, name: str, values: Sequence[float]) -> None:
        self._found.setdefault(name, []).extend(values)
        if name == self.path.final:
            self._found.setdefault(UNIFORM, []).extend([-log(vocabulary(loaded))] * len(values))

    def _news(self) -> list[Event]:
        events: list[Event] = []
        for key, start in self._told.items():
            needed = [self._found.get(name, []) for name in self.path.models(key)] + [
                self._found.get(self.path.base.checkpoint, [])
            ]
            end = min(map(len, needed))
            blames = [each for at in range(start, end) if (each := self._blame(key, at)) is not None]
            if blames:
                events.append(Scores(self.column, key, blames=tuple(blames), start=start))
                self._told[key] = start + len(blames)
        return events

    def _blame(self, key: str, at: int) -> Blame | None:
        return attribute(
            self.path,
            key,
            {name: values[at] for name, values in self._found.items() if at < len(values)},
            self._noise(),
            first=at == 0,
        )
