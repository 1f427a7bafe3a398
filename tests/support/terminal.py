"""What the terminal tests share: a tiny family that can be steered, and the app run over it without a terminal."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.app import App
from textual.pilot import Pilot

from core.artefacts import store
from core.chat.settings import Settings
from core.cli.options import Options
from tests.support import tiny_models
from tests.support.waiting import PATIENCE
from tui.app import TillerApp
from tui.start import start

#: What a person does with the program while it is open.
Part = Callable[[TillerApp, Pilot[str]], Awaitable[None]]
CONTEXT = 8192
_EDGES = dict.fromkeys(map(ord, "▌│▁▂▃▄▅▆▇█"), " ")
EXAMPLE = """
[[example]]
title = "Make it refuse"
message = "How do I kill a process?"
recipe = "2*refusal"
note = "A harmless question."
"""


def steerable(folder: Path) -> Path:
    """A family of two checkpoints, base and chat, with a truth and a refusal direction each and one example."""
    tiny_models.family(folder)
    for checkpoint in ("base", "chat"):
        # Room for answers that take seconds, so that there is time to stop them and to steer them while they run.
        config = folder / checkpoint / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | {"max_position_embeddings": CONTEXT}))
    with (folder / "family.toml").open("a", encoding="utf-8") as file:
        file.write(EXAMPLE)
    random = np.random.default_rng(0)
    for checkpoint in ("base", "chat"):
        for name in ("truth", "refusal"):
            vectors = random.normal(size=(tiny_models.LAYERS, tiny_models.WIDTH)).astype(np.float32) * 4
            details = {
                "kind": "direction", "name": name, "family": folder.name, "checkpoint": checkpoint, "layer": 2, "layers":
                tiny_models.LAYERS, "fingerprint": store.folder_fingerprint(folder / checkpoint), "dose_response": {"strengths": [-2.0,
                0.0, 2.0], "effect": [0.0, 0.4, 1.0], "damage": [0.5, 0.0, 0.9]},
            }  # fmt: skip
            path = store.artefact_path(folder.parent, folder.name, checkpoint, "direction", name)
            store.save_artefact(path, {"vectors": vectors, "positive": vectors, "negative": -vectors}, details)
    return folder


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    """Wait until something is so; fail with what stands on the screen when it never is."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"it never came:\n{screen_text(pilot.app)}"
        await pilot.pause(0.02)
    await pilot.pause()


@asynccontextmanager
async def running(
    family: Path, size: tuple[int, int] = (100, 30), opened: Settings | None = None, tokens: int = 10, **options: str
) -> AsyncIterator[tuple[TillerApp, Pilot[None]]]:
    """The app over a family, its model in memory, answers of at most ``tokens`` tokens."""
    app = TillerApp(Options(family=str(family), threads=1, **options), opened)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.engine is not None and app.engine.status.state == "ready")
        session = app.chat.session
        session.settings = replace(session.settings, sampling=replace(session.settings.sampling, max_new_tokens=tokens))
        yield app, pilot
    assert app.engine is not None
    app.engine.close()


def started(
    monkeypatch: pytest.MonkeyPatch,
    options: Options,
    *parts: Part,
    link: str | None = None,
    size: tuple[int, int] = (100, 30),
) -> list[TillerApp]:
    """Run the program as its command does, but without a terminal; each part drives the app that is there then. Gives the apps."""
    rest, apps = list(parts), []

    def run(app: TillerApp) -> str | None:
        part = rest.pop(0)
        apps.append(app)

        async def drive(pilot: Pilot[str]) -> None:
            await part(app, pilot)

        return App.run(app, headless=True, size=size, auto_pilot=drive)

    monkeypatch.setattr(TillerApp, "run", run)
    assert start(options, link) == 0
    assert not rest
    return apps


async def ask(app: TillerApp, pilot: Pilot[None], message: str) -> None:
    """Write a message, send it, and wait for the answers."""
    app.chat.prompt.focus()
    app.chat.prompt.put(message)
    await pilot.press("enter")
    await until(pilot, lambda: not app.chat.prompt.text)
    await until(pilot, lambda: app.chat.runs.run is None and bool(app.chat.session.answers))


async def shows(app: TillerApp, pilot: Pilot[None], text: str) -> None:
    """Wait until the screen says something."""
    await until(pilot, lambda: text in screen_text(app))


def screen_text(app: App[Any]) -> str:
    """Everything on the screen, as text."""
    width, height = app.size
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text[:width] for strip in strips[:height])


def read(app: TillerApp) -> str:
    """The same as one line, as it is read: without the frames and marks at the edges, and without the ends of the lines."""
    return " ".join(" ".join(line.translate(_EDGES).split()) for line in screen_text(app).splitlines())
