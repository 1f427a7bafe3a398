"""Many visitors of one server at once, and one after the other: each gets what he gets alone, none leaves anything behind."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil

from benchmarks.faults import said
from benchmarks.served import Server, Visitor, handlers_of, serving

#: Visitors that vanish; visitors at once; chats, and visitors, after the first of which memory may not grow by more than a part of it.
VANISHING, AT_ONCE, MANY, WARM, GROWTH = 40, 16, 1_000, 50, 0.02
QUESTIONS = ("Is Paris in France?", "How do I make a cup of tea?", "Who are you?", "What is a fish?")
RECIPES = ("", "1*truth", "1.5*refusal", "-1*truth")


def visitors(options: argparse.Namespace) -> bool:
    """Print a table of each; whether all held."""
    with serving() as server:
        return all([_together(server), _vanished(server), _grown(server)])


def _questions() -> Iterator[tuple[str, str]]:
    number = 0
    while True:
        yield QUESTIONS[number % len(QUESTIONS)], RECIPES[(number // len(QUESTIONS)) % len(RECIPES)]
        number += 1


def _together(server: Server) -> bool:
    handlers = handlers_of(server.address)
    asked = [each for _, each in zip(range(AT_ONCE), _questions(), strict=False)]
    begun = time.monotonic()
    alone = [Visitor(server.address, handlers).chat(*each) for each in asked]
    one_by_one = time.monotonic() - begun
    right, seconds = 0, []
    for _ in range(3):
        begun = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(lambda each: Visitor(server.address, handlers).chat(*each), asked))
        seconds.append(time.monotonic() - begun)
        right += sum(one == other for one, other in zip(found, alone, strict=True))
    result = f"{right} of {3 * AT_ONCE} answers as alone, in {min(seconds) / one_by_one:.2f} of the time of one after another"
    return said(f"{AT_ONCE} visitors at once, three times", result, right == 3 * AT_ONCE)


def _vanished(server: Server) -> bool:
    handlers = handlers_of(server.address)
    threads = _threads(server)
    for _ in range(VANISHING):
        visitor = Visitor(server.address, handlers)
        visitor.join("send", (), {"message": "Tell me about whales"})
        visitor.listen(2)
    begun = time.monotonic()
    answer = Visitor(server.address, handlers).chat(QUESTIONS[0])
    wait = time.monotonic() - begun
    time.sleep(5)
    begun = _cpu(server)
    time.sleep(5)
    idle = _cpu(server) - begun
    result = f"the next answer after {wait:.1f} s; {idle:.2f} s of computing in the 5 s after all; threads {threads} → {_threads(server)}"
    return said(f"{VANISHING} visitors that vanish in the middle of an answer", result, bool(answer) and idle < 1)


def _threads(server: Server) -> int:
    return int(psutil.Process(server.process.pid).num_threads())


def _cpu(server: Server) -> float:
    used = psutil.Process(server.process.pid).cpu_times()
    return float(used.user + used.system)


def _grown(server: Server) -> bool:
    handlers = handlers_of(server.address)
    good = True
    one = Visitor(server.address, handlers)
    for what in ("chats of one visitor", "visitors"):
        asked = _questions()
        sizes = []
        for _ in range(MANY + WARM):
            each = Visitor(server.address, handlers) if what == "visitors" else one
            each.chat(*next(asked))
            each.call("status")
            sizes.append(server.resident)
        before, after = sizes[WARM], sizes[-1]
        growth = after / before - 1
        result = f"{before:.0f} MB after {WARM}, {after:.0f} MB after {WARM + MANY}: {growth:+.1%}"
        good = said(f"{MANY:,} {what}", result, growth < GROWTH) and good
    return good
