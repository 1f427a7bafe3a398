"""The line that learns, in the terminal app: offered, pressed, watched, cancelled, and the sliders that are there afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.artefacts import store
from core.directions import controls, learn_refusal, reply_rates
from tests.support import tiny_models
from tests.support.terminal import ask, running, screen_text, shows, until
from tests.support.waiting import learning_held
from tui.widgets.learn_line import LearnLine
from tui.widgets.slider import Slider


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny family without directions."""
    monkeypatch.setattr(learn_refusal, "MOST_POSITIONS", 1)
    monkeypatch.setattr(controls, "CONTROLS", 2)
    monkeypatch.setattr(reply_rates, "REPLY_TOKENS", 4)
    folder = tiny_models.family(tmp_path / "bare")
    tiny_models.contrast(folder, examples=2)
    return folder


@pytest.mark.parametrize("size", [(80, 24), (110, 32)])
async def test_one_press_learns_and_the_sliders_are_there(bare: Path, size: tuple[int, int]) -> None:
    async with running(bare, size=size, tokens=4) as (app, pilot):
        chat = app.chat
        await shows(app, pilot, "(about")
        assert "Learn refusal and truth now" in screen_text(app)
        assert "chat has no directions" in screen_text(app)
        assert list(chat.query(Slider)) == []
        chat.query_one(LearnLine).focus()
        await pilot.press("enter")
        await until(pilot, lambda: len(chat.query(Slider)) == 2)
        assert {slider.direction for slider in chat.query(Slider)} == {"truth", "refusal"}
        await shows(app, pilot, "Learnt refusal and truth on chat.")
        await until(pilot, lambda: not chat.query_one(LearnLine).display)
        assert {lens.name for lens in chat.model.lens_choice()[0]} >= {"truth", "refusal"}
        assert len(list(store.user_folder().rglob("direction.*.safetensors"))) == 2
        chat.sliders.set_strength("truth", 1.0)
        await ask(app, pilot, "Hello")
        assert str(chat.session.settings.column.recipe) == "1*truth"
        assert len(chat.session.answers[chat.session.settings.selected].tokens) == 4
        # The other checkpoint lacks them still.
        chat.columns.change_checkpoint(chat.session.settings.selected, "base")
        await until(pilot, lambda: chat.runs.run is None)
        await shows(app, pilot, "base has no directions")


async def test_a_key_learns_where_there_is_something_to_learn(bare: Path) -> None:
    async with running(bare, size=(80, 24), tokens=4) as (app, pilot):
        await shows(app, pilot, "(about")
        assert next(line for line in screen_text(app).splitlines() if "(about" in line).split()[-1] == "^d"
        chat = app.chat
        chat.prompt.focus()
        chat.prompt.put("ab")
        chat.prompt.move_cursor((0, 0))
        # A message that is being written keeps its key.
        await pilot.press("ctrl+d")
        assert chat.prompt.text == "b"
        assert not chat.learn_line.learning
        chat.prompt.put("")
        await pilot.press("ctrl+d")
        await until(pilot, lambda: chat.learn_line.learning or len(chat.query(Slider)) == 2)


async def test_progress_is_shown_and_x_ends_it(bare: Path) -> None:
    async with running(bare, size=(80, 24), tokens=4) as (app, pilot):
        with learning_held(0.2):
            app.chat.learning.begin()
            await shows(app, pilot, "left")
            assert "x cancels" in screen_text(app)
            await ask(app, pilot, "Hello")
            assert len(app.chat.session.answers[0].tokens) == 4
            app.chat.query_one(LearnLine).focus()
            await pilot.press("x")
            await shows(app, pilot, "Learning was cancelled; what was found out is kept")
            await shows(app, pilot, "Learn refusal and truth now")
            assert list(store.user_folder().rglob("*.safetensors")) == []


async def test_what_goes_wrong_is_one_sentence(bare: Path) -> None:
    examples = bare / "contrast" / "truth.csv"
    examples.write_text(examples.read_text().replace("train", "tain"))
    async with running(bare, size=(120, 30)) as (app, pilot):
        app.chat.learning.begin()
        await shows(app, pilot, "✗")
        await shows(app, pilot, "a split train, validation or test")
        assert app.chat.query_one(LearnLine).display
