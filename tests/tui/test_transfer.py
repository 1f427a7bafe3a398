"""The Transfer screen of the terminal app: measuring, the matrix, a cell, and its recipe in Chat."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import DataTable
from transformers import LlamaConfig

from core.artefacts import store
from core.engine.transfer_jobs import TransferJobs
from core.families import registry
from core.models import loading
from core.models.placement import Placing
from core.transfer import measure
from core.transfer.task import Sizes, TransferTask
from core.util.progress import finished
from tests.support import tiny_models
from tests.support.terminal import running, screen_text, shows, until
from tests.tui.test_chat import own_state  # noqa: F401  The fixture that gives every test its own state folder.
from tui.screens.transfer import TransferScreen

SIZES = Sizes(statements=3, choosing=3, requests=2, reply=4, controls=2, control_statements=2, control_requests=2)


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def small(self: TransferJobs, about: str) -> TransferTask:
        return TransferTask(self._families.family, about, store.user_folder(), sizes=SIZES)

    monkeypatch.setattr(TransferJobs, "task", small)
    folder = tiny_models.family(tmp_path / "carried")
    tiny_models.contrast(folder, examples=4)
    for seed, name in enumerate(("base", "chat")):
        tiny_models.direction(folder, name, "truth", seed=seed, position={"offset": -1, "of": "statement"}, template="")
    return folder


async def test_what_came_from_another_family_is_one_of_the_directions(
    family: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy, shape = registry.load_family(str(family)), {**tiny_models.configs()["llama"].to_dict(), "num_hidden_layers": 2}
    with monkeypatch.context() as patch:
        patch.setattr(tiny_models, "configs", lambda: {"llama": LlamaConfig(**shape)})
        patch.setattr(tiny_models, "LAYERS", 2)
        folder = tiny_models.family(family.parent / "flat")
        for seed, name in enumerate(("base", "chat")):
            tiny_models.direction(
                folder, name, "truth", seed=seed, position={"offset": -1, "of": "statement"}, template=""
            )
    flat = registry.load_family(str(folder))
    task = TransferTask(toy, "truth", store.user_folder(), flat, sizes=SIZES)
    finished(measure.transfer_in_slices(task, lambda whose, name: loading.load_model(whose, name, Placing("cpu"))))
    async with running(family, size=(100, 50), tokens=4) as (app, pilot):
        await pilot.press("f4", "d", "d")
        await shows(app, pilot, "truth from flat: cosine")
        await shows(app, pilot, "flat/base")
        screen = app.screen
        assert isinstance(screen, TransferScreen)
        # Its own two, the other's two, and these with nothing learnt.
        assert screen.query_one(DataTable).row_count == 6
        # The other model's final direction is told first.
        await shows(app, pilot, "flat/chat → chat")
        await pilot.press("tab", "enter")
        await shows(app, pilot, "map: R² ")
        await pilot.press("d")
        await shows(app, pilot, "Nothing has been carried yet")


async def test_a_direction_is_carried_and_tried_in_chat(family: Path) -> None:
    async with running(family, size=(100, 50), tokens=4) as (app, pilot):
        await pilot.press("f4")
        await shows(app, pilot, "Nothing has been carried yet: press m")
        screen = app.screen
        assert isinstance(screen, TransferScreen)
        await pilot.press("m")
        await shows(app, pilot, "Carried truth from every checkpoint to every other.")
        await shows(app, pilot, "base → chat")
        # What it comes to stands above; the figures fold out.
        assert "controls, isotropic" not in screen_text(app)
        await pilot.press("tab", "enter")
        await shows(app, pilot, "controls, isotropic")
        await pilot.press("tab", "tab", "enter")
        assert screen.query_one(DataTable).row_count == 2
        await pilot.press("v")
        await shows(app, pilot, "How often a probe learnt")
        # Refusal was never learnt: the sentence says what to do.
        await pilot.press("d")
        await shows(app, pilot, "Nothing has been carried yet")
        await pilot.press("m")
        await shows(app, pilot, "base has no direction 'refusal' to carry")
        await pilot.press("d")
        await shows(app, pilot, "How often a probe learnt")
        screen.table.focus()
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.chat)
        assert screen.report is not None
        assert str(app.chat.session.settings.column.recipe) == screen.report.cell("base", "chat").recipe
        assert [each.checkpoint for each in app.chat.session.settings.columns] == ["chat", "chat"]
