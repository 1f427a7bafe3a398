"""The Library screen of the terminal app: the list, a card, and a direction learnt from two boxes of examples."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader
from safetensors.numpy import save_file
from textual.widgets import DataTable, Input, TextArea

from core.artefacts import store
from core.directions import controls, learn_refusal, reply_rates
from core.directions.card import sample_answers
from core.directions.conclusion import direction_conclusion
from core.directions.dose_response import stored_dose_response
from core.engine.background import LearningTask
from tests.support import tiny_models
from tests.support.terminal import read, running, screen_text, shows, until
from tests.support.waiting import PATIENCE
from tests.tui.test_chat import own_state  # noqa: F401  The fixture that gives every test its own state folder.
from tui.dialogs.dialogs import LineDialog, PickDialog, TextDialog
from tui.dialogs.import_vector import ImportDialog
from tui.dialogs.learn import LearnDialog
from tui.screens.library import LibraryScreen
from tui.screens.library_cards import DirectionCard
from tui.widgets.dose_text import strength_at

POLITE = "\n".join(f"Could you please say {index}?" for index in range(5))
RUDE = "\n".join(f"Say {index} now." for index in range(5))


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(learn_refusal, "MOST_POSITIONS", 1)
    monkeypatch.setattr(controls, "CONTROLS", 2)
    monkeypatch.setattr(reply_rates, "REPLY_TOKENS", 4)
    folder = tiny_models.family(tmp_path / "pool", checkpoints=("chat",), plain_base=False)
    tiny_models.contrast(folder, examples=2)
    tiny_models.direction(folder, "chat", "truth")
    return folder


async def test_a_direction_is_learnt_from_two_boxes(family: Path) -> None:
    async with running(family, size=(80, 24), tokens=4) as (app, pilot):
        await pilot.press("f6")
        await shows(app, pilot, "truth · chat")
        assert isinstance(app.screen, LibraryScreen)
        assert app.screen.query_one(DataTable).row_count == 1
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, LearnDialog))
        await shows(app, pilot, "may take the place")
        dialog = app.screen
        dialog.query_one("#what", Input).value = "politeness"
        dialog.query_one("#positive", TextArea).text = POLITE
        await pilot.press("ctrl+s")
        await shows(app, pilot, "The box of negative examples is empty")
        dialog.query_one("#layer", Input).value = "first"
        await pilot.press("ctrl+s")
        await shows(app, pilot, "The layer is a whole number")
        assert dialog.query_one("#positive", TextArea).text == POLITE, "what was written stays"
        dialog.query_one("#layer", Input).value = ""
        dialog.query_one("#negative", TextArea).text = RUDE
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, LibraryScreen))
        await until(pilot, lambda: len(app.screen.entries) == 2)
        await shows(app, pilot, "Learnt politeness on chat.")
        # It has the focus already.
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await shows(app, pilot, "politeness of pool chat")
        await shows(app, pilot, "only 3 positive and 3 negative")
        await pilot.press("escape", "escape")
        assert "politeness" in {card.name for card in app.engine.directions("chat")}  # type: ignore[union-attr]


async def test_at_eighty_columns_the_library_is_whole_and_other_screens_can_be_read_to_their_end() -> None:
    async with running(Path("skiff"), size=(80, 24)) as (app, pilot):
        await pilot.press("f6")
        # Below the cards folds out everything that is here.
        await shows(app, pilot, "truth · dpo")
        await pilot.press("shift+tab", "enter")
        await shows(app, pilot, "test accuracy")
        table = app.screen.query_one(DataTable)
        await until(pilot, lambda: table.row_count > 0 and table.virtual_size.width <= table.content_size.width)
        await shows(app, pilot, "whose")
        await shows(app, pilot, "mean ablation of")
        await pilot.press("f5")
        await shows(app, pilot, "which unfolds.")
        # The logit lens of a steered column: plain and steered words of a layer stand on one line, two of each.
        await pilot.press("shift+tab", "v")
        await shows(app, pilot, "steered")
        layers = [line for line in screen_text(app).splitlines() if re.search(r"│ +[0-5]  ", line)]
        assert [len(re.findall(r"[01]\.\d\d", line)) for line in layers] == [4] * 6
        await pilot.press("f4")
        await shows(app, pilot, "from ↓ to →")
        await pilot.pause()
        assert "holds" not in screen_text(app)
        await pilot.press("tab", "tab", "enter")
        # What was unfolded brings itself into view first.
        await shows(app, pilot, "holds")
        await pilot.pause(0.5)
        await pilot.press("pagedown", "pagedown", "pageup", "pageup", "pageup", "pageup")
        await shows(app, pilot, "from ↓ to →")


async def test_cancelling_leaves_nothing_and_a_layer_that_is_not_there_is_said(
    family: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = LearningTask.step

    def until_cancelled(lesson: LearningTask) -> None:
        """A tiny model learns faster than a key can be pressed: once it has begun, it waits for that."""
        step(lesson)
        if lesson.job.wish is not None and lesson.job.wish.layer is None and not lesson.over:
            lesson.job.cancelled.wait(PATIENCE)

    monkeypatch.setattr(LearningTask, "step", until_cancelled)
    async with running(family, size=(100, 30), tokens=4) as (app, pilot):
        await pilot.press("f6")
        await shows(app, pilot, "truth · chat")
        for layer, said in (("9", "There is no layer 9; this model has layers 0 to 3"), ("", "Learning was cancelled")):
            await pilot.press("n")
            await until(pilot, lambda: isinstance(app.screen, LearnDialog))
            app.screen.query_one("#what", Input).value = "refusal"
            app.screen.query_one("#layer", Input).value = layer
            await pilot.press("ctrl+s")
            if not layer:
                await shows(app, pilot, "x cancels")
                await pilot.press("x")
            await shows(app, pilot, said)
        assert list(store.user_folder().rglob("*.safetensors")) == []


async def test_directions_are_taken_in_and_out(family: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "happy.safetensors", tmp_path / "happy.gguf"
    vectors = {layer: np.full(tiny_models.WIDTH, layer, np.float32) for layer in (1, 2)}
    save_file({f"direction.{layer}": vector for layer, vector in vectors.items()}, file)
    async with running(family, size=(80, 24), tokens=4) as (app, pilot):
        await pilot.press("f6")
        await until(pilot, lambda: isinstance(app.focused, DirectionCard))
        assert isinstance(app.screen, LibraryScreen)
        # What came with the family stays.
        await pilot.press("d")
        await shows(app, pilot, "truth (direction of chat) came with the family and stays.")
        # In: what is wrong is said and what was written stays.
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, ImportDialog))
        dialog = app.screen
        for field, value, said in (
            ("layer", "first", "The path of a file"),
            ("file", str(file), "layer takes a whole number"),
            ("layer", "2", "The direction needs a name"),
            ("name", "truth", "that everybody uses"),
        ):
            dialog.query_one(f"#{field}", Input).value = value
            await pilot.press("ctrl+s")
            await shows(app, pilot, said)
        dialog.query_one("#name", Input).value = "happy"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, LibraryScreen))
        await shows(app, pilot, "happy is now a direction of pool/chat")
        assert "happy" in app.engine.catalogue.cards("chat")
        # Out.
        await until(pilot, lambda: isinstance(app.focused, DirectionCard) and app.focused.entry.name == "happy")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, LineDialog))
        app.screen.query_one(Input).value = str(out)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LibraryScreen))
        assert {each.name: each.data.tolist() for each in GGUFReader(out).tensors} == {
            f"direction.{layer}": vector.tolist() for layer, vector in vectors.items()
        }
        # Away again, when asked twice.
        for keys, left in ((("enter",), 2), (("down", "enter"), 1)):
            await pilot.press("d")
            await until(pilot, lambda: isinstance(app.screen, PickDialog))
            await pilot.press(*keys)
            await until(pilot, lambda: isinstance(app.screen, LibraryScreen))
            assert len(app.screen.entries) == left
        await shows(app, pilot, "happy (direction of chat) is deleted.")
        assert "happy" not in app.engine.catalogue.cards("chat")
        assert list(store.user_folder().rglob("*.safetensors")) == []


async def test_a_card_shows_what_a_direction_does_and_the_keys_act_on_the_chosen_one() -> None:
    async with running(Path("skiff"), size=(80, 24)) as (app, pilot):
        await pilot.press("f6")
        await until(pilot, lambda: isinstance(app.focused, DirectionCard))
        assert isinstance(app.screen, LibraryScreen)
        cards = app.screen.cards.cards
        # The final checkpoint's first; maps, scores and what was carried over stand in the list of everything alone.
        assert [(each.entry.checkpoint, each.entry.name) for each in cards] == [
            (checkpoint, name) for checkpoint in ("dpo", "safety", "sft", "base") for name in ("refusal", "truth")
        ]
        assert app.focused is cards[0]
        card = cards[0].entry.card
        assert card is not None
        dose = stored_dose_response(card.details)
        asked, answers = sample_answers(card)
        assert dose is not None
        await until(pilot, lambda: direction_conclusion(card) in " ".join(str(cards[0].words.render()).split()))
        curve, track, axis = str(cards[0].curve.render()).splitlines()
        assert (curve[0], curve[-1]) == ("▁", "█")
        heavy = [strength_at(place, len(track)) for place, mark in enumerate(track) if mark in "━┿"]
        assert dose.useful is not None
        assert dose.useful[0] <= min(heavy) <= dose.useful[0] + 0.2
        assert dose.useful[1] - 0.2 <= max(heavy) <= dose.useful[1]
        assert axis.index("0") == len(track) // 2
        # What is said at each strength folds out where the focus is.
        said = read(app)
        assert all(each in said for each in (f"“{asked}”", *(f" {answer}" for _, answer in answers)))
        await pilot.press("down")
        await until(pilot, lambda: app.focused is cards[1])
        assert f"“{asked}”" not in read(app)
        await pilot.press("enter")
        await shows(app, pilot, "truth of skiff dpo")
        await pilot.press("escape")
        cards[2].scroll_visible(animate=False)
        await until(pilot, lambda: app.screen.query_one("#place").region.contains_region(cards[2].words.region))
        await pilot.click(cards[2].words)
        await until(pilot, lambda: app.screen.chosen == "shipped/safety/direction.refusal")
        await pilot.press("u")
        await until(pilot, lambda: app.screen is app.chat)
        column = app.chat.session.settings.column
        assert (column.checkpoint, column.recipe.strength("refusal") > 0) == ("safety", True)
        # In the list of everything the keys act on the row under the cursor.
        await pilot.press("f6")
        await until(pilot, lambda: isinstance(app.screen, LibraryScreen))
        app.screen.everything.collapsed = False
        app.screen.table.focus()
        await pilot.press("home", "ctrl+end")
        last = app.screen.entries[-1]
        await until(pilot, lambda: app.screen.chosen == last.key)
        assert last.kind != "direction"
        await pilot.press("u")
        await shows(app, pilot, "Choose the card of a direction")
