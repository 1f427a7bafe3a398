"""The tour of the Chat screen, and the gauge of context and memory beside the prompt."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.terminal import ask, running, screen_text, shows, steerable, until
from tests.tui.test_chat import own_state  # noqa: F401  The fixture that gives every test its own state folder.
from tui.commands import commands
from tui.dialogs.tour import STEPS, Tour
from tui.widgets.examples import Chip


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return steerable(tmp_path_factory.mktemp("families") / "tiny")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (60, 20)])
async def test_the_tour_points_at_each_thing_and_hides_none_of_them(family: Path, size: tuple[int, int]) -> None:
    async with running(family, size=size) as (app, pilot):
        # From any screen, through the help.
        await pilot.press("f6", "f1")
        await shows(app, pilot, "t begins a short tour")
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, Tour))
        tour = app.screen
        assert isinstance(tour, Tour)
        assert app.screen_stack[-2] is app.chat
        for number, step in enumerate(STEPS, 1):
            await shows(app, pilot, f"{step.title} · {number} of {len(STEPS)}")
            target = tour._target(step)
            assert target is not None
            await until(pilot, lambda target=target: tour.sign.region.offset == target.region.offset)
            assert screen_text(app).splitlines()[target.region.y][target.region.x] == "▶"
            assert app.screen.region.contains_region(tour.box.region)
            # What is pointed at is to be seen; of the conversation, which is large, its beginning.
            assert not tour.box.region.overlaps(target.region) or target is app.chat.transcript
            assert step.text.split()[-1] in screen_text(app)
            await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.chat)
        # From the menu; it can be gone back in, and left.
        next(each for each in commands(app) if each.title == "Tour").callback()
        await shows(app, pilot, f"1 of {len(STEPS)}")
        await pilot.press("right", "left", "left")
        await shows(app, pilot, f"1 of {len(STEPS)}")
        await pilot.press("escape")
        assert app.screen is app.chat
        # What its first step says is so.
        app.chat.prompt.focus()
        await pilot.press("tab")
        assert isinstance(app.focused, Chip)


async def test_how_full_the_context_is_and_what_the_model_takes(family: Path) -> None:
    async with running(family, size=(120, 30), tokens=6) as (app, pilot):
        assert app.engine is not None
        use = app.engine.memory_use
        assert use is not None
        # The page says it in the same words; how much is free changes from moment to moment.
        memory = use.words.partition(" of ")[0]
        assert memory.endswith("B")
        assert use.words != memory
        await shows(app, pilot, f"memory {memory} of ")
        assert "context" not in screen_text(app).splitlines()[-2]
        await ask(app, pilot, "Hello there")
        answer = app.chat.session.answers[app.chat.session.settings.selected]
        taken = answer.prompt_tokens + len(answer.tokens)
        assert taken > 6
        await shows(app, pilot, f"context ▁ {taken} of {answer.context} · memory {memory} of ")
        await pilot.resize_terminal(80, 24)
        await shows(app, pilot, f"▁ {taken}/{answer.context} · {memory}")
        app.chat.gauge.show(95, 100, memory)
        assert app.chat.gauge.visual.spans[0].style == "$text-error"  # type: ignore[union-attr]
