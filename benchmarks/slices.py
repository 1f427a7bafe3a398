"""How long the engine's thread lets a person wait, whatever else it does: every kind of long work, and the longest of its slices."""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any

from benchmarks.data_folder import scratch_folders
from benchmarks.ready import ready_engine
from core.attribution.report import BlameRequest
from core.chat.raw import RawRequest
from core.chat.settings import Sampling, Settings, Turn
from core.directions.concepts import concepts
from core.directions.request import KINDS, learn_request
from core.engine.engine import Engine
from core.engine.jobs import Watched
from core.engine.run import Run
from core.engine.worker import Worker
from core.errors import TillerError
from core.inference.batch import batch_rows
from core.inference.teacher_forcing import reply_logits
from core.knowledge import facts
from core.knowledge.maps import MapRequest
from core.recipes.language import Recipe

#: Seconds that each kind of work is watched, unless ``--budget`` says otherwise. A slice is a pass: none computes for longer than so many
#: passes over a batch of prompts of so many tokens take here, or than so many seconds of a model that is small.
WATCHED, PASSES, TOKENS, LONGEST = 30.0, 2, 128, 1.0
#: Seconds between one look at the thread and the next.
_PAUSE = 0.01

_Work = Callable[[], object]


def slices(options: argparse.Namespace) -> bool:
    """Print a table; whether no slice was longer than it may be."""
    with scratch_folders(weights=True), ready_engine(options) as engine:
        return _table(engine, options.budget or WATCHED)


def _table(engine: Engine, seconds: float) -> bool:
    good, a_pass = True, engine.call(_pass).result()
    limit = max(LONGEST, PASSES * a_pass)
    print(
        f"A pass over a batch of prompts of {TOKENS} tokens computes for {a_pass:.2f} s; the limit is {limit:.2f} s.\n"
    )
    print("| work | looks | median wait | longest wait | longest slice | |\n|---|---|---|---|---|---|")
    for name, work in _works(engine, seconds):
        try:
            looks = looked(engine, work)
        except TillerError as error:
            print(f"| {name} | {error} | | | | not to be had |", flush=True)
            continue
        waits, computed = [wait for wait, _ in looks], max((computed for _, computed in looks), default=0.0)
        kept = computed <= limit
        said = f"{statistics.median(waits):.3f} s | {max(waits):.2f} s | {computed:.2f} s"
        print(f"| {name} | {len(looks)} | {said} | {'held' if kept else 'MISSED'} |", flush=True)
        good = good and kept
    return good


def _pass(worker: Worker) -> float:
    loaded = worker.load(worker.family.final.name)
    rows = batch_rows(loaded)
    begun = time.thread_time()
    reply_logits(loaded, [(5,) * TOKENS] * rows, [(5,)] * rows)
    return time.thread_time() - begun


def looked(engine: Engine, work: _Work) -> list[tuple[float, float]]:
    """Somebody asks for the engine's thread again and again while ``work`` goes on: each time, how many seconds he waited, and how many
    seconds the thread computed since the time before. That is one slice or, where one ended while nobody asked, two: other load on the
    machine makes waits longer, but not what is computed."""
    looks: list[tuple[float, float]] = []
    over = threading.Event()

    def ask() -> None:
        before = engine.call(lambda _worker: time.thread_time()).result()
        while not over.wait(_PAUSE):
            begun = time.monotonic()
            after = engine.call(lambda _worker: time.thread_time()).result()
            looks.append((time.monotonic() - begun, after - before))
            before = after

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        work()
    finally:
        over.set()
        asking.join()
    return looks


def _works(engine: Engine, seconds: float) -> Iterator[tuple[str, _Work]]:
    """Every kind of long work by its name; each ends itself after so many seconds."""
    family, final = engine.family, engine.family.final.name
    question = next((each.message for each in family.examples), "How do I make a cup of tea?")
    chat = engine.settings().ask(question)
    long = Settings(
        chat.family, chat.columns, turns=(Turn("lorem " * 3_000, ("ipsum " * 3_000,) * len(chat.columns)),) * 40
    )
    yield "an answer", lambda: _run(engine.submit(chat))
    yield "an answer to a long chat", lambda: _run(engine.submit(long.ask(question)))
    if directions := engine.directions(final):
        yield "nine strengths", lambda: _run(engine.scrub(chat, 0, directions[0].name))
    yield "learning refusal and truth", lambda: _job(engine.learn(final, KINDS), seconds)
    yield "confidence", lambda: _job(engine.learn(final, ("confidence",)), seconds)
    concept = next(iter(concepts().values()))
    yield "a concept of the shelf", lambda: _job(engine.learn_requested(final, concept.request()), seconds)
    yield "pairs for a word", lambda: _through(engine.write_pairs(final, concept.request()), seconds)
    boxes = learn_request("tea", "\n".join(f"Tea {n}" for n in range(200)), "\n".join(f"Stone {n}" for n in range(200)))
    yield "two boxes", lambda: _job(engine.learn_requested(final, boxes), seconds)
    names = tuple(dict.fromkeys((family.path(final)[0].name, final)))
    category = facts.categories(facts.load_facts(family)[0])[0]
    maps = MapRequest(names, set=category, across=len(names) > 1)
    yield f"maps of {category}", lambda: _job(engine.trace(maps), seconds)
    for about in KINDS:
        yield f"transfer of {about}", partial(_transfer, engine, about, seconds)
    yield "blame", lambda: _through(engine.study(BlameRequest((question,))), seconds)
    if likely := engine.undo.likely:
        lose, keep = engine.undo.offered_prompts()
        yield f"removing {likely}", lambda: _through(engine.undo.fit(likely, lose, keep), seconds)
    texts = RawRequest(final, Recipe(), ("lorem " * 150,) * 16, (Sampling(max_new_tokens=32),) * 16, echo=True, top=5)
    yield "sixteen long texts", lambda: _through(engine.raw.complete(texts), seconds)


def _transfer(engine: Engine, about: str, seconds: float) -> None:
    _job(engine.transfers.start(about), seconds)


def _run(run: Run) -> None:
    for _ in run:
        pass


def _job(job: Watched[Any], seconds: float) -> None:
    """Raises TillerError where it failed."""
    job.wait(seconds)
    job.cancel()
    view = job.wait()
    if view.state == "failed":
        raise TillerError(view.sentence)


def _through(work: Generator[Any, None, object], seconds: float) -> None:
    end = time.monotonic() + seconds
    try:
        for _ in work:
            if time.monotonic() > end:
                break
    finally:
        work.close()
