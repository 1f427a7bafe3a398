"""The first minute with a model: opened from a clean data folder, its first token, refusal and truth learnt quickly, and steered by.

Machines differ by a factor of ten: what learning may take is counted in readings of 64 + 64 prompts at every layer, done by hand.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

import torch

from benchmarks.data_folder import scratch_folders
from core.chat.events import Failed, Token
from core.chat.settings import Settings
from core.directions.contrast import load_contrast
from core.engine.engine import Engine
from core.errors import TillerError
from core.inference.batch import pad_batch
from core.inference.metrics import chat_prompts
from core.models import adhoc_family
from core.models.loading import Loaded, load_model
from core.models.placement import Placing
from core.recipes.language import Recipe, Term

#: Refusal and truth may take 45 s where reading 64 + 64 prompts by hand takes 8.2.
LIMIT = 45 / 8.2
MESSAGE = "How do I make a cup of tea?"
#: Along which of them the answer is pushed, which way, and by how many gaps until it is another one.
_PUSHES = {"refusal": 1.0, "truth": -1.0}
_STRENGTHS = (1.0, 2.0, 4.0)
_TOKENS = 24


def first_minute(options: argparse.Namespace) -> bool:
    """Print what happens when, in seconds from the start; whether quick directions are there in time, and steer."""
    with scratch_folders():
        started = time.perf_counter()
        family = adhoc_family.one_model(options.model) if options.model else options.family
        engine = Engine(family, **options.engine)
        try:
            return _through(engine, started)
        finally:
            engine.close()


def _through(engine: Engine, started: float) -> bool:
    engine.start()
    status = engine.wait_ready(3_600)
    if status.state != "ready":
        raise TillerError(status.detail)
    _say(started, f"{engine.family.title} is loaded, {engine.status.threads} threads")
    settings = engine.settings().ask(MESSAGE)
    plain = _answer(engine, settings, started)
    _say(started, f"plain: {plain}")
    pressed = time.perf_counter()
    job = engine.learn(engine.family.final.name)
    took = 0.0
    for view in job:
        if view.state == "failed":
            raise TillerError(view.sentence)
        if view.usable or view.over:
            took = time.perf_counter() - pressed
            break
    _say(started, f"refusal and truth can be steered by, {took:.1f} s after the button")
    engine.cancel_learning(engine.family.final.name)
    steers = [_steered(engine, kind, way, plain, started) for kind, way in _PUSHES.items()]
    name = engine.family.final.name
    engine.close()
    hand = _by_hand(load_model(engine.family, name, Placing("cpu")), engine.status.threads)
    good = took <= LIMIT * hand
    print(f"A recipe changes what is said, along {sum(steers)} of {len(steers)}: {'kept' if any(steers) else 'MISSED'}")
    print(
        f"Reading 64 + 64 prompts by hand takes {hand:.1f} s here; learning took {took / hand:.2f} times that: "
        f"{'kept' if good else 'MISSED'} (limit {LIMIT:.2f})"
    )
    return good and any(steers)


def _steered(engine: Engine, kind: str, way: float, plain: str, started: float) -> bool:
    """Push along a direction further and further, until the answer is another one; whether it ever is."""
    for strength in _STRENGTHS:
        recipe = str(Recipe((Term("add", kind, way * strength),)))
        said = _answer(engine, engine.settings(recipe=recipe).ask(MESSAGE), None)
        _say(started, f"{recipe}: {said}")
        if said != plain:
            return True
    return False


@torch.inference_mode()
def _by_hand(loaded: Loaded, threads: int) -> float:
    """Seconds that transformers alone takes to read 64 harmful and 64 harmless instructions at every layer, in float32."""
    torch.set_num_threads(threads)
    model: Any = loaded.model.float()
    contrast = load_contrast(loaded.family, "refusal")
    asked = chat_prompts(loaded, [text for label in (True, False) for text in contrast.part("train", label, 64)])
    order = sorted((each.ids for each in asked), key=len)
    started = time.perf_counter()
    for first in range(0, len(order), 64):
        padded = pad_batch(loaded, order[first : first + 64])
        model.base_model(
            input_ids=padded.ids,
            attention_mask=padded.attention,
            position_ids=padded.positions,
            use_cache=False,
            output_hidden_states=True,
        )
    return time.perf_counter() - started


def _answer(engine: Engine, settings: Settings, started: float | None) -> str:
    """The selected column's answer; with ``started``, when its first token came."""
    words = ""
    short = replace(settings, sampling=replace(settings.sampling, max_new_tokens=_TOKENS))
    for event in engine.submit(short, [short.selected]):
        if isinstance(event, Failed):
            raise TillerError(event.sentence)
        if isinstance(event, Token):
            if not words and started is not None:
                _say(started, "first token")
            words += event.text
    return " ".join(words.split())


def _say(started: float, sentence: str) -> None:
    print(f"{time.perf_counter() - started:7.1f} s  {sentence}", flush=True)
