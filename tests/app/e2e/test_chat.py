"""The browser app in a real browser: everything that the Chat screen promises, done as a person would do it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.chat.documents import NIGHT, PAPER
from core.chat.answers import Answer
from core.chat.events import Token
from core.chat.screens import TABS
from core.chat.settings import Column, Settings, Turn
from core.directions import dose_response
from core.directions.slider_figures import slider_figures
from core.display import lenses, palette
from core.engine.engine import Engine
from core.recipes.language import Term, parse
from tests.support.browser_page import Opened, Screen
from tests.support.browser_server import CONTEXT, MARKUP, Served, answer, family, record, served, short
from tests.support.waiting import PATIENCE, answers_held, wait_for

LONG = 1_500


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    engine = Engine(str(family(tmp_path_factory.mktemp("families") / "tinyfam")), threads=1)
    engine.start()
    assert engine.wait_ready(PATIENCE).state == "ready"
    record(engine)
    with served(engine) as page:
        yield page


@pytest.fixture(scope="module")
def opened(chromium: Browser, server: Served) -> Iterator[Opened]:
    """Opens the page that the tests share, and opens it again when a test has left it in another state."""
    screens = Opened(chromium, server.address + "?" + chat(server).to_link())
    yield screens
    assert screens.outside == []


@pytest.fixture
def screen(opened: Opened) -> Iterator[Screen]:
    """A page with a fresh chat, whose answers are short. Whatever a test does, nothing may leave this machine."""
    shown = opened.fresh()
    yield shown
    assert shown.outside == []
    assert shown.faults == []


def chat(server: Served, recipe: str = "-1*truth", tokens: int = 12) -> Settings:
    """The chat of the shared page: a plain column and one with the recipe."""
    return short(server.engine.settings("", recipe), tokens)


def expected(server: Served, message: str, recipe: str = "-1*truth") -> Answer:
    """What the engine answers in the steered column, without any front end."""
    return answer(server.engine, chat(server, recipe).ask(message))[1]


# ------------------------------------------------------------------------------------------------------- before the model


def test_the_recorded_run_is_shown_before_the_model_is_there(chromium: Browser, server: Served) -> None:
    with served(Engine(str(server.engine.family.folder), threads=1)) as cold:
        screen = Screen.open(chromium, cold.address)
        assert screen.said() == ["How do I boil an egg?"]
        assert "recorded" in screen.page.locator(".t-banner").inner_text()
        screen.tokens(1).nth(1).hover()
        expect(screen.page.locator(".t-reading")).to_contain_text("probability")
        screen.wait("Tiller.state.status")
        assert "starting" in screen.page.locator(".t-status").inner_text().lower()
        # What is asked already is answered as soon as the model is there.
        screen.longest(6)
        with screen.told():
            screen.write("Is anybody there?")
        expect(screen.page.locator(".t-turn:last-child")).to_contain_text("Waiting for the model")
        cold.engine.start()
        screen.ready()
        screen.idle()
        assert screen.tokens(0).count() == 6
        assert screen.page.locator(".t-banner").count() == 0
        assert screen.outside == []


def test_a_recorded_run_stays_text_and_can_be_run_live(chromium: Browser, server: Served) -> None:
    screen = Screen.open(chromium, server.address).ready()
    assert screen.tokens(1).first.inner_text() == MARKUP
    screen.tokens(1).first.hover()
    expect(screen.page.locator(".t-quoted")).to_have_text(MARKUP)
    assert screen.page.locator("img").count() == 0
    assert screen.page.evaluate("window.hurt") is None
    with screen.told():
        screen.page.get_by_role("button", name="Run it live").click()
    screen.idle()
    assert screen.page.locator(".t-banner").count() == 0
    assert screen.tokens(1).count() == 8


# -------------------------------------------------------------------------------------------------------------- answering


def test_both_columns_stream_side_by_side(screen: Screen) -> None:
    screen.longest(300)
    # The engine goes on only when the page has the beginning of both, so they cannot come all at once.
    with answers_held(20):
        with screen.told():
            screen.write("Tell me a story")
        screen.wait("[0, 1].every(column => Tiller.state.answers[column]?.tokens.length >= 10)")
        expect(screen.tokens(0).nth(9)).to_be_attached()
        expect(screen.tokens(1).nth(9)).to_be_attached()
        assert screen.tokens(0).count() < 300
    screen.idle()
    assert screen.tokens(0).count() == screen.tokens(1).count() == 300
    assert screen.box.input_value() == ""


def test_answers_are_what_the_engine_says(screen: Screen, server: Served) -> None:
    screen.ask("The capital of France")
    both = answer(server.engine, chat(server).ask("The capital of France"))
    assert [screen.text(0), screen.text(1)] == [both[0].text, both[1].text]
    assert screen.text(0) != screen.text(1)


def test_stop_keeps_what_was_said(screen: Screen) -> None:
    screen.longest(LONG)
    with answers_held(20):
        with screen.told():
            screen.write("Go on and on")
        screen.wait("Tiller.state.answers[1].tokens.length > 5")
        screen.page.get_by_role("button", name="Stop").click()
        screen.idle()
    assert 5 < screen.tokens(1).count() < LONG
    assert "stopped" in screen.foot(1)
    assert screen.state("Tiller.state.view.turns.at(-1).replies")[1] == screen.text(1)


def test_escape_stops(screen: Screen) -> None:
    screen.longest(LONG)
    with answers_held(20):
        with screen.told():
            screen.write("Go on and on")
        screen.wait("Tiller.state.answers[1].tokens.length > 5")
        screen.page.keyboard.press("Escape")
        screen.idle()
    assert "stopped" in screen.foot(0)


def test_retry_undo_and_edit(screen: Screen) -> None:
    screen.ask("First")
    screen.ask("Second")
    before = screen.text(1)
    with screen.told():
        screen.page.get_by_role("button", name="Retry").click()
    screen.idle()
    assert screen.text(1) == before
    assert screen.said() == ["First", "Second"]
    for _ in range(2):
        with screen.told():
            screen.page.get_by_role("button", name="Undo").click()
    assert screen.said() == ["First"]
    assert screen.box.input_value() == "Second"
    assert screen.tokens(1).count() == 12, "the earlier answer comes back with its tokens"
    screen.page.locator(".t-user").first.hover()
    screen.page.get_by_role("button", name="Edit").click()
    screen.page.get_by_label("Your message, edited").fill("Changed")
    with screen.told():
        screen.page.get_by_label("Your message, edited").press("Enter")
    screen.idle()
    assert screen.said() == ["Changed"]
    assert screen.box.input_value() == "Second"


def test_examples_are_one_click(screen: Screen, server: Served) -> None:
    with screen.told():
        screen.page.get_by_role("button", name="Steer it with its ancestor's truth").click()
    screen.idle()
    assert screen.said() == ["Is Lodz in Poland?"]
    assert screen.recipe.input_value() == "-1.5*truth@base"
    assert screen.page.get_by_label("Checkpoint that truth was learnt on").input_value() == "base"
    assert float(screen.slider("truth").input_value()) == -1.5
    assert screen.text(1) == answer(server.engine, server.engine.example(server.engine.family.examples[1]))[1].text


# --------------------------------------------------------------------------------------------------------------- steering


def test_dragging_swaps_the_answer_at_once(screen: Screen, server: Served) -> None:
    screen.ask("Hello there")
    screen.scrubbed("truth")
    assert screen.page.locator(".t-slider").first.locator(".t-marks i").count() == 9
    for strength in (-2.0, 0.0, 1.5):
        # The page has the answer already: it stands there before the server is told, which `bench page` times.
        drawn = screen.page.evaluate(
            """async ([strength, expected, patience]) => {
                const fetched = window.fetch, slider = document.querySelector('[aria-label="Strength of truth"]');
                let go;
                const held = new Promise((free) => { go = free; });
                window.fetch = async (...of) => { await held; return fetched(...of); };
                slider.value = strength; slider.dispatchEvent(new Event('input', {bubbles: true}));
                const drawn = () => [...document.querySelectorAll('.t-cell.selected .t-strip .t-token')].map(t => t.textContent).join('');
                const began = performance.now();
                while (drawn() !== expected && performance.now() - began < patience) await new Promise(requestAnimationFrame);
                window.fetch = fetched;
                go();
                return drawn(); }""",
            [strength, expected(server, "Hello there", f"{strength}*truth").text, 1_000 * PATIENCE],
        )
        assert drawn == expected(server, "Hello there", f"{strength}*truth").text
        # And it stays while the server learns of the strength.
        screen.idle()
        assert screen.text(1) == expected(server, "Hello there", f"{strength}*truth").text
    assert screen.state("Tiller.shown(1).tokens[0][1]")[0] is not None, "the swapped answer has its colours"


def test_between_the_ticks_the_nearest_is_shown_and_then_exactly_it(screen: Screen, server: Served) -> None:
    screen.ask("Hello there")
    screen.scrubbed("truth")
    screen.slide("truth", 1.7, let_go=False)
    expect(screen.page.locator(".t-near").first).to_contain_text("+1.5")
    with screen.told():
        screen.slide("truth", 1.7)
    screen.idle()
    exact = expected(server, "Hello there", "1.7*truth").text
    assert screen.recipe.input_value() == "1.7*truth"
    assert screen.text(1) == exact
    assert screen.state("Tiller.state.view.turns.at(-1).replies")[1] == exact


def test_another_slider_gets_its_answers_when_it_is_touched(screen: Screen, server: Served) -> None:
    screen.ask("Hello there")
    screen.slider("refusal").focus()
    screen.scrubbed("refusal")
    with screen.told():
        screen.slide("refusal", 2)
    screen.idle()
    assert screen.recipe.input_value() == "-1*truth + 2*refusal"
    assert screen.text(1) == expected(server, "Hello there", "-1*truth + 2*refusal").text


def test_a_strength_moved_during_a_run_marks_the_join(screen: Screen) -> None:
    screen.longest(LONG)
    with answers_held(20):
        with screen.told():
            screen.write("Go on and on")
        screen.wait("Tiller.state.answers[1].tokens.length > 5")
        screen.slide("truth", 1.5)
        screen.wait("Tiller.state.answers[1].joins.length > 0")
        screen.page.keyboard.press("Escape")
        screen.idle()
    assert screen.page.locator(".t-join").first.inner_text() == "1.5*truth"
    assert screen.state("Tiller.state.answers[1].joins")[0][0] > 5
    assert screen.page.locator(".t-cell").nth(0).locator(".t-join").count() == 0


def test_recipe_line_and_sliders_keep_in_step(screen: Screen) -> None:
    with screen.told():
        screen.recipe.press("End")
        screen.recipe.press_sequentially(" + 0.5*refusal@base")
    screen.wait("Tiller.state.view.columns[1].recipe === '-1*truth + 0.5*refusal@base'")
    assert float(screen.slider("refusal").input_value()) == 0.5
    assert screen.page.get_by_label("Checkpoint that refusal was learnt on").input_value() == "base"
    assert "✓ layer 1, all tokens" in screen.page.locator(".t-explained").inner_text()
    with screen.told():
        screen.page.get_by_label("Reset refusal").click()
    assert screen.recipe.input_value() == "-1*truth"
    with screen.told():
        screen.page.get_by_label("Remove refusal").check()
    assert screen.recipe.input_value() == "-1*truth + !refusal", "a slider that was reset is as it was at first"
    with screen.told():
        screen.page.get_by_label("Checkpoint that truth was learnt on").select_option("base")
    assert screen.recipe.input_value() == "-1*truth@base + !refusal"


def test_a_typing_mistake_says_where_and_what(screen: Screen) -> None:
    screen.box.fill("a message not yet sent")
    with screen.told():
        screen.recipe.fill("1.5 refusal")
    expect(screen.page.locator(".t-explained")).to_contain_text(
        "Character 5: a * belongs between the strength and the direction"
    )
    assert screen.recipe.input_value() == "1.5 refusal"
    assert screen.state("Tiller.state.view.columns[1].recipe") == "-1*truth", "the recipe that works stays"
    with screen.told():
        screen.recipe.fill("1.5*refusel")
    expect(screen.page.locator(".t-explained")).to_contain_text("no direction 'refusel'; did you mean refusal?")
    assert screen.box.input_value() == "a message not yet sent"


def test_an_enormous_strength_says_the_range(screen: Screen) -> None:
    field = screen.page.get_by_label("Strength of truth, as a number")
    with screen.told():
        field.fill("1000000000")
        field.press("Enter")
    expect(screen.page.locator(".t-explained")).to_contain_text("between -10 and 10")
    assert screen.state("Tiller.state.view.columns[1].recipe") == "-1*truth"


# ---------------------------------------------------------------------------------------------------------------- columns


def test_columns_come_and_go_and_the_sliders_follow_the_selected(screen: Screen, server: Served) -> None:
    screen.ask("Hello there")
    with screen.told():
        screen.page.get_by_role("button", name="+ column").click()
    screen.idle()
    assert screen.tokens(2).count() == 12, "a new column answers too"
    with screen.told():
        screen.page.get_by_label("Checkpoint of column 3").select_option("base")
    screen.idle()
    settings = chat(server).drop_column(1)
    settings = settings.with_column(replace(settings.column, checkpoint="base")).ask("Hello there")
    assert screen.text(2) == answer(server.engine, settings)[0].text
    with screen.told():
        screen.page.get_by_label("Steer column 2").click()
    assert screen.recipe.input_value() == "-1*truth"
    with screen.told():
        screen.page.get_by_label("Close column 1").click()
    assert screen.state("Tiller.state.view.columns.map(c => c.checkpoint)") == ["chat", "base"]
    assert screen.recipe.input_value() == "-1*truth"
    assert screen.tokens(0).count() == 12


# ----------------------------------------------------------------------------------------------------- colours and readings


def _backgrounds(screen: Screen) -> list[str]:
    """The colour of each token of the steered answer as the page has it."""
    return screen.tokens(1).evaluate_all("all => all.map(t => t.style.backgroundColor)")


def test_colours_are_the_lenses_own_in_the_light_and_in_the_dark(screen: Screen, server: Served) -> None:
    screen.ask("Hello there")
    said = expected(server, "Hello there")
    for event in server.engine.blame(chat(server).ask("Hello there"), {1: said}):
        said = said.apply(event)
    for lens in server.engine.lenses(chat(server)):
        screen.page.locator(f'.t-choice input[value="{lens.name}"]').check(force=True)
        for ground in (NIGHT, PAPER):
            screen.page.evaluate(f"document.body.classList.toggle('dark', {str(ground == NIGHT).lower()})")
            wanted = [_css(palette.shades(lens, ground)[_shade(lens, token)]) for token in said.tokens]
            # The stages' colours are there once every model has read the answer.
            if lens.kind == "stages":
                wait_for(lambda: _backgrounds(screen) == wanted, f"the colours of {lens.name}")  # noqa: B023 - used at once
            assert _backgrounds(screen) == wanted, lens.name
        legend = screen.page.locator(".t-legend").inner_text()
        assert lens.unit in legend or lens.kind == "stages"
        assert palette.legend(lens)[0][1] in legend


def _shade(lens: lenses.Lens, token: Token) -> int:
    found = palette.shade_of(lens, token)
    assert found is not None
    return found


def _css(colour: str) -> str:
    return f"rgb({int(colour[1:3], 16)}, {int(colour[3:5], 16)}, {int(colour[5:7], 16)})"


def test_a_dark_system_gets_the_dark_page(chromium: Browser, server: Served) -> None:
    screen = Screen.open(chromium, server.address, dark=True)
    ground = screen.page.locator(".t-columns").evaluate("each => getComputedStyle(each).backgroundColor")
    assert ground == _css(NIGHT)


def test_pointing_at_a_token_shows_its_readings_and_alternatives(screen: Screen, server: Served) -> None:
    screen.ask("Hello there")
    said = expected(server, "Hello there").tokens[3]
    screen.tokens(1).nth(3).hover()
    panel = screen.page.locator(".t-reading")
    for label, text in lenses.describe(said):
        expect(panel).to_contain_text(label)
        expect(panel).to_contain_text(text)
    assert panel.locator(".t-alternative").count() == 5
    label = screen.tokens(1).nth(3).get_attribute("aria-label")
    assert label is not None
    assert dict(lenses.describe(said))["probability"] in label


def test_the_keyboard_reaches_it_all(screen: Screen, server: Served) -> None:
    screen.ask("Hello there")
    page = screen.page
    screen.tokens(1).first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.dataset.index") == "1"
    assert screen.state("Tiller.state.token") == {"column": 1, "index": 1, "pinned": False}
    with screen.told():
        page.keyboard.press("1")
        page.keyboard.press("3")
    assert screen.state("Tiller.state.view.lens") == "entropy"
    page.keyboard.press("Enter")
    assert screen.state("Tiller.state.token.pinned") is True
    screen.tokens(0).first.hover()
    assert screen.state("Tiller.state.token") == {"column": 1, "index": 1, "pinned": True}, "a pinned token stays"
    page.keyboard.press("Enter")
    assert "t-alternative" in page.evaluate("document.activeElement.className")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.index") == "1"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Exact prompt":
            break
    else:
        raise AssertionError("Tab never reached the last row")


def test_an_answer_goes_on_from_an_alternative(screen: Screen, server: Served) -> None:
    screen.ask("Hello there")
    settings = chat(server).ask("Hello there")
    said = answer(server.engine, settings)[1]
    other = next(each for each in said.tokens[4].reading.top if each.id != said.tokens[4].id)
    screen.tokens(1).nth(4).click()
    with screen.told():
        screen.page.locator(".t-alternative:not(.said)").first.click()
    screen.idle()
    tokens = screen.state("Tiller.state.answers[1].tokens")
    assert [token[4] for token in tokens[:5]] == [*(token.id for token in said.tokens[:4]), other.id]
    assert [token[5] for token in tokens] == [1] * 5 + [0] * (len(tokens) - 5)
    assert screen.text(0) == answer(server.engine, settings)[0].text, "the other column stays as it is"


# ------------------------------------------------------------------------------------------------------------------ safety


def test_what_is_thought_is_folded(chromium: Browser, server: Served) -> None:
    screen = Screen.open(chromium, f"{server.address}?{chat(server, tokens=2).to_link()}").ready()
    screen.ask("Hi")
    screen.page.evaluate(
        """() => {
          const token = (text, thought) => [text, [], [], [], 1, 0, [], thought];
          const tokens = [token("", 1), token("<b>hm</b>", 1), token("", 1), token("Hello", 0), token("!", 0)];
          Tiller.state.answers[0] = { tokens, joins: [], note: "", done: true, reason: "", seconds: 0, error: "" };
          Tiller.tell("answers");
        }"""
    )
    cell = screen.page.locator(".t-cell").first
    fold = cell.locator("details.t-thought")
    expect(fold.locator("summary")).to_have_text("Thought, 3 tokens")
    thought = fold.get_by_text("<b>hm</b>")
    expect(thought).to_be_hidden()
    expect(cell.locator(".t-aloud")).to_contain_text("Hello!")
    expect(cell.locator(".t-aloud")).not_to_contain_text("hm")
    # The keyboard reaches what is said first; going on to what was thought opens it.
    said = cell.locator(".t-token[tabindex='0']")
    expect(said).to_have_text("Hello")
    said.press("ArrowLeft")
    expect(thought).to_be_visible()
    fold.locator("summary").click()
    expect(thought).to_be_hidden()
    assert screen.faults == []


def test_markup_stays_text_everywhere(chromium: Browser, server: Served) -> None:
    turn = Turn(MARKUP, (MARKUP, MARKUP))
    settings = replace(chat(server, tokens=6), system=MARKUP, turns=(turn, turn))
    screen = Screen.open(chromium, f"{server.address}?{settings.to_link()}").ready()
    assert screen.said() == [MARKUP, MARKUP]
    assert screen.page.locator(".t-past").nth(1).inner_text() == MARKUP
    screen.ask(MARKUP)
    with screen.told():
        screen.recipe.fill(MARKUP)
    expect(screen.page.locator(".t-explained")).to_contain_text("Character 1")
    screen.page.get_by_role("button", name="Exact prompt").click()
    expect(screen.page.locator(".t-dialog pre")).to_contain_text(MARKUP)
    assert screen.page.locator("img").count() == 0
    assert screen.page.evaluate("window.hurt") is None


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("", "Write a message first."),
        ("\x07\x1b\x00", "Write a message first."),
        ("x" * 100_000, "at most 20,000 characters; this one has 100,000"),
    ],
    ids=["empty", "control characters", "100,000 characters"],
)
def test_a_message_that_cannot_be_sent_stays_in_the_box(screen: Screen, message: str, sentence: str) -> None:
    with screen.told():
        screen.write(message)
    assert sentence in screen.notice()
    assert len(screen.box.input_value()) >= len(message.replace("\x00", "")) - 3
    assert screen.said() == []
    screen.ask("And now a good one")
    assert screen.notice() == ""
    assert screen.tokens(1).count() == 12


def test_emoji_and_a_message_longer_than_the_context(screen: Screen) -> None:
    screen.ask("🚣🏽‍♀️🦊")
    assert screen.said() == ["🚣🏽‍♀️🦊"]
    assert screen.tokens(1).count() == 12
    screen.ask("word " * (CONTEXT // 3))
    assert "cut" in screen.page.locator(".t-turn:last-child .t-note").first.inner_text()
    assert screen.tokens(1).count() == 12


def test_a_bad_value_in_the_details_says_the_range(screen: Screen) -> None:
    screen.details("Temperature", "99")
    # At the field, and seen where the details are closed.
    page = screen.page
    assert page.locator("#t-field-temperature").text_content().endswith("between 0.01 and 5.")
    assert page.get_by_label("Temperature").get_attribute("aria-invalid") == "true"
    assert page.locator(".t-details summary").inner_text() == "Details: a value is wrong"
    assert screen.notice() == ""
    # What is wrong stays said, whatever else is changed; what is right is taken with it.
    screen.details("Seed", "5")
    assert page.locator("#t-field-seed").text_content() == "The same seed draws the same tokens again."
    assert page.locator("#t-field-temperature").text_content().endswith("between 0.01 and 5.")
    screen.details("Temperature", "0.7")
    assert page.locator(".t-details summary").inner_text() == "Details"
    assert screen.state("Tiller.state.view.sampling.seed") == 5
    assert screen.state("Tiller.state.view.sampling.temperature") == 0.7
    # What is far too long stays written, to be shortened.
    screen.details("System prompt", "x" * 20_001)
    said = page.locator("#t-field-system").text_content()
    assert said.startswith("A system prompt has at most 20,000 characters; this one has 20,001.")
    screen.details("Seed", "6")
    assert len(screen.page.get_by_label("System prompt").input_value()) == 20_001
    screen.details("System prompt", "Be brief.")
    assert page.locator("#t-field-system").text_content() == ""
    assert screen.state("Tiller.state.view.system") == "Be brief."


# ------------------------------------------------------------------------------------------------------------- take away


def test_the_address_opens_the_same_chat(chromium: Browser, screen: Screen, server: Served) -> None:
    screen.ask("Hello there")
    screen.page.get_by_role("button", name="Share").click()
    link = screen.page.get_by_label("Link to this chat").input_value()
    # The address names the chat that this browser keeps, too, which is nobody else's.
    assert link == screen.page.url.partition("&kept=")[0]
    again = Screen.open(chromium, link).ready()
    assert again.said() == ["Hello there"]
    assert again.recipe.input_value() == "-1*truth"
    # It is live at once: answered anew, by the same settings with the same words.
    again.wait("[0, 1].every(column => Tiller.state.answers[column]?.done)")
    assert [again.text(column) for column in (0, 1)] == [screen.text(column) for column in (0, 1)]
    assert again.tokens(1).count() == 12
    assert Settings.from_link(link).column.recipe == parse("-1*truth")


def test_inside_the_page_of_a_space_links_lead_to_the_space_and_its_signs_stay(
    chromium: Browser, server: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SPACE_ID", "ada/steering")
    # As the Hub shows a Space: in a frame of its own page, which hands its query on and adds signs of its own.
    inside = f"{server.address}?{chat(server).to_link()}&__theme=dark&__sign=abc"
    outside = tmp_path / "space.html"
    outside.write_text(f'<iframe src="{escape(inside)}" allow="clipboard-write" width="1200" height="800"></iframe>')
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(outside.as_uri())
    frame = page.frame_locator("iframe")
    expect(frame.get_by_label("Recipe of the selected column")).to_have_value("-1*truth")
    frame.get_by_label("Recipe of the selected column").fill("0.5*truth")
    frame.get_by_role("button", name="Share").click()
    link = frame.get_by_label("Link to this chat").input_value()
    assert link.startswith("https://huggingface.co/spaces/ada/steering?")
    assert Settings.from_link(link).column.recipe == parse("0.5*truth")
    frame.locator(".t-copy button").first.click()
    expect(frame.locator(".t-copy [role=status]").first).to_have_text("Copied.")
    kept = page.frames[1].evaluate("location.search")
    assert kept.endswith("&__theme=dark&__sign=abc")
    assert Settings.from_link(f"{server.address}{kept}").column.recipe == parse("0.5*truth")


def test_every_tab_opens_and_the_address_opens_the_same_one(chromium: Browser, screen: Screen, server: Served) -> None:
    for each in TABS[1:]:
        # What stands on a tab is made when it is opened for the first time.
        screen.tab(each.title)
        expect(screen.page.get_by_role("tabpanel").filter(visible=True)).to_contain_text(re.compile(r"\w{3}"))
        assert Settings.from_link(screen.page.url).tab == each.name
        assert not screen.box.is_visible()
        assert _overflow(screen.page) == []
    other = Screen.open(chromium, screen.page.url)
    expect(other.page.get_by_role("tab", name="Library", exact=True)).to_have_attribute("aria-selected", "true")
    assert not other.box.is_visible()
    other.tab("Chat")
    assert other.box.is_visible()
    assert Settings.from_link(other.page.url).tab == "chat"
    assert other.faults == []
    screen.tab("Chat")
    screen.ask("Hello there")
    assert screen.text(1) == expected(server, "Hello there").text


def test_each_slider_says_what_was_measured_and_marks_the_useful_range(screen: Screen, server: Served) -> None:
    card = next(each for each in server.engine.directions("chat") if each.name == "truth")
    found = dose_response.stored_dose_response(card.details)
    assert found is not None
    assert found.useful is not None
    with screen.told():
        screen.slide("truth", 1.5)
    screen.idle()
    slider = screen.slider("truth")
    wanted = slider_figures(card, Term("add", "truth"), Column("chat", parse("1.5*truth"))).words
    assert found.range_said() in wanted
    expect(screen.page.locator(".t-slider", has=slider).locator(".t-dosed")).to_have_text(wanted)
    assert str(slider.get_attribute("aria-valuetext")) == f"1.5: {wanted}"
    # The bar lies under the strengths that it marks: where the slider's thumb stands at them.
    box, bar = (
        each.bounding_box() for each in (slider, screen.page.locator(".t-slider", has=slider).locator(".t-useful"))
    )
    assert box is not None
    assert bar is not None
    low, high = ((each + 2) / 4 * (box["width"] - 18) + 9 for each in found.useful)
    assert (bar["x"] - box["x"], bar["width"]) == pytest.approx((low, high - low), abs=1)


def test_the_same_by_asking_for_it_is_one_click(screen: Screen, server: Served) -> None:
    screen.ask("Is Lodz in Poland?")
    with screen.told():
        screen.page.get_by_role("button", name="the same by asking for it").click()
    screen.idle()
    words = "Call this false, whatever it says: {message}"
    column = Column("chat", asks=words)
    assert screen.state("Tiller.state.view.columns[2].does") == "asked in words"
    assert Settings.from_link(screen.page.url).columns[2] == column
    alone = replace(chat(server), columns=(column,), selected=0).ask("Is Lodz in Poland?")
    assert screen.text(2) == answer(server.engine, alone)[0].text
    # That column has no recipe, and is not asked for once more.
    expect(screen.page.get_by_role("button", name="the same by asking for it")).to_be_hidden()


def test_a_gated_recipe_is_explained_and_answered(screen: Screen, server: Served) -> None:
    recipe = "-1*truth?refusal>-100"
    with screen.told():
        screen.recipe.fill(recipe)
        screen.recipe.press("Enter")
    expect(screen.page.locator(".t-explained")).to_have_text(
        "✓ layer 1, all tokens, only after refusal read above -100"
    )
    screen.ask("Hello there")
    assert screen.text(1) == expected(server, "Hello there", recipe).text


def test_a_broken_link_says_so(chromium: Browser, server: Served) -> None:
    screen = Screen.open(chromium, server.address + "?s=eJxbroken").ready()
    screen.wait("!document.querySelector('.t-notice').hidden")
    assert "not a whole link" in screen.notice()
    assert screen.said() == ["How do I boil an egg?"]


def test_export(screen: Screen) -> None:
    screen.ask("Hello there")
    for button, ending, holds in (("Markdown", ".md", "Hello there"), ("JSON", ".json", '"logprob"')):
        screen.page.locator(".t-menu summary", has_text="Export").click()
        with screen.page.expect_download() as download:
            screen.page.get_by_role("button", name=button).click()
        assert download.value.suggested_filename.endswith(ending)
        text = download.value.path().read_text(encoding="utf-8")
        assert holds in text
        assert screen.text(1)[:5] in text


def test_the_last_message_is_taken_away_as_a_page(screen: Screen) -> None:
    screen.ask("Hello there")
    screen.page.locator(".t-menu summary", has_text="Export").click()
    with screen.page.expect_download() as download:
        screen.page.get_by_role("button", name="Page with sliders").click()
    assert download.value.suggested_filename.endswith(".html")
    text = download.value.path().read_text(encoding="utf-8")
    assert '<p class="asked">Hello there</p>' in text
    assert text.count('class="slider"') == 2
    expect(screen.page.locator(".t-notice")).to_have_text("The page is written: it opens in any browser.")


# ---------------------------------------------------------------------------------------------------------- many, and small


def test_two_pages_do_not_mix(chromium: Browser, screen: Screen, server: Served) -> None:
    other = Screen.open(chromium, f"{server.address}?{chat(server, '2*truth').to_link()}").ready()
    with screen.told(), other.told():
        screen.write("Hello there")
        other.write("The capital of France")
    screen.idle()
    other.idle()
    assert [screen.said(), other.said()] == [["Hello there"], ["The capital of France"]]
    for opened, recipe, message in ((screen, "-1*truth", "Hello there"), (other, "2*truth", "The capital of France")):
        assert opened.text(1) == expected(server, message, recipe).text


def test_a_page_closed_half_way_frees_the_run(chromium: Browser, server: Served) -> None:
    screen = Screen.open(chromium, f"{server.address}?{chat(server, tokens=CONTEXT - 200).to_link()}").ready()
    # Held, the run has no end of its own.
    with answers_held(20):
        with screen.told():
            screen.write("Go on and on")
        screen.wait("Tiller.state.answers[1].tokens.length > 5")
        assert server.engine.status.state == "busy"
        screen.page.close()
        wait_for(lambda: server.engine.status.state == "ready", "the end of the run")


def test_nothing_is_wider_than_the_screen(screen: Screen) -> None:
    screen.longest(60)
    screen.ask("A message with a verylongword" + "o" * 300)
    for width in (1280, 768, 390):
        screen.page.set_viewport_size({"width": width, "height": 844})
        assert _overflow(screen.page) == []
    # On a phone there is one column, and its head is the switch.
    assert [cell.is_visible() for cell in screen.page.locator(".t-cell").all()] == [False, True]
    with screen.told():
        screen.page.get_by_label("Steer column 1").click()
    assert [cell.is_visible() for cell in screen.page.locator(".t-cell").all()] == [True, False]
    screen.tokens(0).nth(2).click()
    expect(screen.page.locator(".t-reading")).to_contain_text("probability")
    with screen.told():
        screen.page.get_by_label("Steer column 2").click()
    screen.page.set_viewport_size({"width": 1280, "height": 900})


def _overflow(page: Page) -> list[str]:
    """What makes the page scroll sideways."""
    found = page.evaluate(
        """document.documentElement.scrollWidth <= innerWidth ? [] :
        [...document.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.className)"""
    )
    return [str(each) for each in found]
