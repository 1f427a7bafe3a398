"""Many people at once: what sixteen clients get done in the time in which one does, how long they wait, and whether each gets what he
gets alone.

A client asks one question after another, greedily, plain or steered. One client and all of them are timed in turn, in one run.
"""

from __future__ import annotations

import argparse
import math
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import psutil

from benchmarks.ready import ready_engine
from core.chat.events import Failed, Token
from core.chat.settings import Settings
from core.engine.engine import Engine
from core.errors import TillerError

#: So many times one client's tokens a second all of them together have to get.
LEAST = 3.0
#: Rounds of one client and of all of them in turn, and questions that each client asks in a round.
_ROUNDS, _QUESTIONS = 5, 3
_LONGEST = 48
#: Seconds between two looks at what has come: a server reads its runs now and then, too.
_BEAT = 0.01
#: Memory that may come and go, in parts of what was there after the first round.
_FLAT = 0.02


@dataclass
class Told:
    """What a client was told: the words by question, when the first token came, in seconds, and how many there were."""

    said: dict[int, tuple[int, ...]] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    tokens: int = 0
    error: str = ""


def clients(options: argparse.Namespace) -> bool:
    """Print the ratio of tokens a second, the wait for the first token, and how many answers differ; whether all is as promised."""
    with ready_engine(options) as engine:
        return measured(engine, options.clients)


def measured(engine: Engine, count: int, rounds: int = _ROUNDS, longest: int = _LONGEST) -> bool:
    """The same of an engine that is ready, with so many clients."""
    asked = questions(engine, longest)
    ratios: list[float] = []
    waits: list[float] = []
    alone = [_alone(engine, settings) for settings in asked]
    gaps: list[float] = []
    compared, memory = 0, [0.0]
    for _ in range(rounds):
        one = _rate([_client(engine, asked, range(_QUESTIONS))])
        everybody = _together(engine, asked, count)
        ratios.append(_rate(everybody) / one)
        waits += [wait for told, _ in everybody for wait in told.waits]
        for told, _ in everybody:
            compared += len(told.said)
            gaps += [gap for place, said in told.said.items() if (gap := parting(alone[place], said)) is not None]
        memory.append(psutil.Process().memory_info().rss)
    ratio = statistics.median(ratios)
    grown = memory[-1] / memory[1] - 1
    late = statistics.quantiles(waits, n=20)[-1] if len(waits) > 1 else waits[0]
    print(
        f"  {count} clients against one: {ratio:.2f} × the tokens a second; at least {LEAST:.1f}: {_kept(ratio >= LEAST)}"
    )
    print(f"  the first token of 95 in 100 answers within {late:.2f} s, while all ask")
    apart = f", where two tokens lie at most {max(gaps):.1e} nats apart" if gaps else ""
    print(f"  {len(gaps)} of {compared} answers part from those of one client alone{apart}")
    print(
        f"  memory {grown:+.1%} from the first round to the last; at most {_FLAT:+.0%}: {_kept(grown <= _FLAT)}",
        flush=True,
    )
    return ratio >= LEAST and grown <= _FLAT


def questions(engine: Engine, longest: int) -> list[Settings]:
    """What is asked, in turn plain and steered by what the family's examples steer by."""
    family = engine.family
    recipes = ["", *(str(each.recipe) for each in family.examples if each.recipe)]
    messages = [*family.questions, *(each.message for each in family.examples)] or ["Hello"]
    found = []
    for place, message in enumerate(messages):
        settings = engine.settings(recipe=recipes[place % len(recipes)])
        own = replace(settings, columns=settings.columns[-1:], selected=0)
        found.append(replace(own, sampling=replace(own.sampling, max_new_tokens=longest)).ask(message))
    return found


def _kept(good: bool) -> str:
    return "kept" if good else "MISSED"


def _rate(told: Sequence[tuple[Told, float]]) -> float:
    if error := next((each.error for each, _ in told if each.error), ""):
        raise TillerError(error)
    return sum(each.tokens for each, _ in told) / max(seconds for _, seconds in told)


def _together(engine: Engine, asked: Sequence[Settings], count: int) -> list[tuple[Told, float]]:
    found: list[tuple[Told, float]] = []

    def run(index: int) -> None:
        found.append(_client(engine, asked, range(index, index + _QUESTIONS)))

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return found


def _client(engine: Engine, asked: Sequence[Settings], places: range) -> tuple[Told, float]:
    told, began = Told(), time.perf_counter()
    for place in places:
        question = place % len(asked)
        sent = time.perf_counter()
        words: list[int] = []
        run = engine.submit(asked[question], shadows=False)
        while not run.finished:
            for event in run.poll():
                if isinstance(event, Failed):
                    told.error = event.sentence
                if isinstance(event, Token):
                    if not words:
                        told.waits.append(time.perf_counter() - sent)
                    words.append(event.id)
            time.sleep(_BEAT)
        told.said[question] = tuple(words)
        told.tokens += len(words)
    return told, time.perf_counter() - began


def parting(alone: Sequence[Token], said: Sequence[int]) -> float | None:
    """How much likelier the token of one client alone is than what was said in its place, in nats, where the two part first; None where
    they are the same, infinite where what was said is none of the likeliest."""
    for token, other in zip(alone, said, strict=False):
        if token.id != other:
            chances = {each.id: each.probability for each in token.reading.top}
            return math.log(chances[token.id] / chances[other]) if other in chances else math.inf
    return None if len(alone) == len(said) else math.inf


def _alone(engine: Engine, settings: Settings) -> tuple[Token, ...]:
    return tuple(event for event in engine.submit(settings, shadows=False) if isinstance(event, Token))
