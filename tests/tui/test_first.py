"""What somebody finds who opens the terminal app for the first time: what it is, what to press, what a slider does, who answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.widgets import OptionList

from core.chat.screens import what_this_is
from core.directions.slider_figures import slider_figures
from core.families.edited import menu_group
from core.recipes.language import parse
from tests.support.terminal import ask, read, running, screen_text, shows, steerable, until
from tests.tui.test_chat import own_state, slider  # noqa: F401  The fixture that gives every test its own state folder.
from tui.dialogs.dialogs import PickDialog, TextDialog
from tui.dialogs.families import FamilyDialog
from tui.messages import ChoicesWanted
from tui.widgets.examples import Chip, Choice, Welcome, _rows
from tui.widgets.key_line import KeyLine
from tui.widgets.recipe_line import RecipeInput
from tui.widgets.slider import Slider


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return steerable(tmp_path_factory.mktemp("families") / "tiny")


async def test_at_eighty_columns_nothing_that_can_be_pressed_is_cut() -> None:
    async with running(Path("skiff"), size=(80, 24)) as (app, pilot):
        family, chat = app.engine.family, app.chat
        chips = list(chat.chips.query(Chip))
        assert [chip.choice.title for chip in chips] == [
            *(each.title for each in family.examples), *family.questions, "a real model …"
        ]  # fmt: skip
        await until(pilot, lambda: all(app.screen.region.contains_region(chip.region) for chip in chips))
        assert all(chip.region.width == len(chip.choice.title) + 2 for chip in chips)
        # The sentence that says what this is, and the recorded answers, stand there whole.
        said = what_this_is(family.title, family.about, 2, steerable=True)
        answers = [answer.text for answer in chat.session.answers.values()]
        assert len(answers) == 2
        for each in (said, *(chip.choice.title for chip in chips), *answers):
            assert " ".join(each.split()) in read(app)
        for _ in chat.model.lens_choice()[0]:
            lens = chat.model.lens_choice()[0][chat.model.lens_choice()[1]]
            await until(pilot, lambda title=lens.title: title in str(chat.legend.render()))
            first, last = chat.legend._spots[chat.model.lens_choice()[1]]
            assert str(chat.legend.render())[first:last] == f" {lens.title} "
            assert cell_len(str(chat.legend.render())) <= chat.legend.content_size.width
            await pilot.press("ctrl+t")
            await pilot.pause()
        # A question is asked by a click; what is being written stays, and the conversation has the room from now on.
        await pilot.press(*"draft")
        await pilot.click(next(chip for chip in chips if chip.choice.title == family.questions[0]))
        await shows(app, pilot, f"you  {family.questions[0]}")
        await until(pilot, lambda: chat.runs.run is None)
        assert chat.prompt.text == "draft"
        await shows(app, pilot, " more … ")
        assert chat.chips.region.height == 1
        assert all(chip.region.width == len(chip.choice.title) + 2 for chip in chat.chips.query(Chip))
        # And what is not there any more is in a list, whole.
        await pilot.click(list(chat.chips.query(Chip))[-1])
        await until(pilot, lambda: isinstance(app.screen, PickDialog))
        assert all(each.title in screen_text(app) for each in family.examples)
        assert all(each in screen_text(app) for each in family.questions)
        await pilot.press("end", "enter")
        await shows(app, pilot, f"you  {family.questions[-1]}")


async def test_beside_a_toy_a_real_model_is_one_press_away() -> None:
    async with running(Path("skiff"), size=(80, 24)) as (app, pilot):
        await pilot.click(list(app.chat.chips.query(Chip))[-1])
        await until(pilot, lambda: isinstance(app.screen, FamilyDialog))
        await shows(app, pilot, "SmolLM2")


@pytest.mark.parametrize(
    ("room", "purpose", "rows"),
    [
        (40, "what", [("Try", "aaaaaaaaaa bbbbbbbbbb cccccccccc"), ("Ask", "dddddddddd eeeeeeeeee")]),
        (30, "what", [("Try", "aaaaaaaaaa bbbbbbbbbb"), ("", "cccccccccc"), ("Ask", "dddddddddd eeeeeeeeee")]),
        (5, "what", [("Try", "aaaaaaaaaa"), ("", "bbbbbbbbbb"), ("", "cccccccccc"), ("Ask", "dddddddddd"), ("", "eeeeeeeeee")]),
        (40, "", [("Try", "aaaaaaaaaa bbbbbbbbbb more …")]),
        (5, "", [("Try", "aaaaaaaaaa more …")]),
    ],
)  # fmt: skip
def test_chips_stand_whole_in_rows_or_in_one_with_a_chip_for_all(
    room: int, purpose: str, rows: list[tuple[str, str]]
) -> None:
    made = [Choice(letter * 10, "", ChoicesWanted) for letter in "abcde"]
    welcome = Welcome(purpose, (("Try", tuple(made[:3])), ("Ask", tuple(made[3:]))))
    assert [(word, " ".join(each.title for each in choices)) for word, choices in _rows(welcome, room)] == rows


def test_what_saves_a_row_may_stand_out_of_its_order() -> None:
    made = [
        Choice(letter * length, "", ChoicesWanted) for letter, length in (("a", 31), ("b", 23), ("c", 45), ("d", 31))
    ]
    found = [[each.title[0] for each in row] for _, row in _rows(Welcome("what", (("Ask", tuple(made)),)), 75)]
    assert found == [["a", "d"], ["b", "c"]]
    found = [[each.title[0] for each in row] for _, row in _rows(Welcome("what", (("Ask", tuple(made)),)), 60)]
    assert found == [["a", "b"], ["c"], ["d"]]


def test_what_is_said_first_fits_what_is_there() -> None:
    assert what_this_is("Tiny", "a toy.", 2, steerable=True).endswith("pushed along a direction. Tiny is a toy.")
    assert what_this_is("Tiny", "", 1, steerable=True).endswith("with a slider: its answer turns.")
    assert what_this_is("Tiny", "", 2, steerable=False).endswith("a ready concept of the Library takes seconds.")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_what_a_slider_is_known_to_do_is_said_as_on_the_page(family: Path, size: tuple[int, int]) -> None:
    async with running(family, size=size) as (app, pilot):
        await ask(app, pilot, "Hello")
        await pilot.press("ctrl+up", "ctrl+up")
        chat, name = app.chat, app.chat.model.slider
        card = chat.model.engine.catalogue.cards("chat")[name]
        known = slider_figures(card, chat.model.bank.term(chat.model.settings, name), chat.model.settings.column)
        assert known.said
        assert known.range.startswith("useful from ")

        def says(words: str) -> bool:
            beside = " ".join(str(slider(app, name).render()).split())
            return words in (beside if size[0] > 100 else read(app))

        await until(pilot, lambda: says(known.words))
        # Going through the tokens explains those; pulling the slider, what it does.
        await pilot.press("ctrl+g", "right")
        await shows(app, pilot, "entropy")
        assert says(known.words) is (size[0] > 100)
        await pilot.press("ctrl+g", "ctrl+up")
        await until(pilot, lambda: "1.5" in screen_text(app) and says(known.range))


async def test_checkpoints_stand_under_what_they_are() -> None:
    async with running(Path("skiff"), size=(80, 24)) as (app, pilot):
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, PickDialog))
        found, family = app.screen.query_one(OptionList), app.engine.family
        lines = [str(found.get_option_at_index(place).prompt) for place in range(found.option_count)]
        heads = list(dict.fromkeys(menu_group(family, each) for each in family.choices))
        assert len(heads) > 2
        assert [line for line in lines if not line.startswith("  ")] == heads
        head, under = "", []
        for line in lines:
            head = line if not line.startswith("  ") else head
            under += [(line.split()[0], head)] if line.startswith("  ") else []
        assert under == [(each.name, menu_group(family, each)) for each in family.choices]
        # The present one is marked, and a heading is passed over.
        assert lines[found.highlighted].split()[0] == "dpo"
        await pilot.press("down")
        assert lines[found.highlighted].startswith("  without-")
        await pilot.press("enter")
        await until(pilot, lambda: app.chat.session.settings.column.checkpoint == family.choices[4].name)


async def test_four_columns_are_the_most(family: Path) -> None:
    async with running(family) as (app, pilot):
        for _ in range(2):
            app.chat.columns.add("base")
        await pilot.press("f7")
        await shows(app, pilot, "at most 4 columns")


async def test_a_long_recipe_and_its_verdict_can_be_read(family: Path) -> None:
    async with running(family, size=(80, 24)) as (app, pilot):
        line = app.chat.query_one(RecipeInput)
        line.focus()
        await pilot.press(*"0.5*truth:prompt - 1*refusal[1]:reply")
        verdict = str(app.chat.recipe_line.verdict.render())
        await until(pilot, lambda: " ".join(verdict.split()) in read(app))
        assert "reply" in verdict
        app.chat.prompt.focus()
        # Of what is left the line comes first.
        await until(pilot, lambda: line.region.width >= len(line.value))
        assert app.chat.query_one(KeyLine).region.bottom == 24


async def test_the_chosen_slider_says_all_that_is_known_at_its_strength(family: Path) -> None:
    async with running(family, size=(100, 40)) as (app, pilot):
        sliders = {each.direction: each for each in app.chat.query(Slider)}
        sliders["truth"].focus()
        await pilot.press("plus")
        await until(pilot, lambda: "(unsteered" in sliders["truth"].face.words)
        for name, whole in (("truth", True), ("refusal", False)):
            sliders[name].show(
                replace(sliders[name].face, words="damage .3 nats, 12 of 100 replies broken · useful from −1 to 1")
            )
            await pilot.pause()
            shown = " ".join(line.strip() for line in str(sliders[name].render()).splitlines()[3:]).strip()
            assert (shown == sliders[name].face.words) is whole, shown
            assert (sliders[name].region.height > 4) is whole
        assert not sliders["truth"].region.overlaps(sliders["refusal"].region)


async def test_what_a_comparison_shows_stands_above_it_once_it_is_whole(family: Path) -> None:
    async with running(family) as (app, pilot):
        assert not app.chat.point.display
        app.chat.session.set_recipe(parse("2*truth"))
        await ask(app, pilot, "Hello")
        found = app.chat.model.engine.conclude(app.chat.session)
        assert found is not None
        assert app.chat.point.display
        assert found.claim in screen_text(app)
        await pilot.press("ctrl+n")
        await until(pilot, lambda: not app.chat.point.display)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
