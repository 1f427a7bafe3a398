"""Inspect as a person uses it, in the terminal and in the browser: maps, cells, steering from a cell, the logit lens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Browser, expect

from core.chat.settings import Turn
from core.engine.engine import Engine
from tests.support.browser_page import Screen
from tests.support.browser_server import served
from tests.support.terminal import ask, running, screen_text, shows, until
from tests.support.waiting import PATIENCE
from tests.tui.test_chat import own_state  # noqa: F401  The fixture that gives every test its own state folder.
from tui.screens.inspect_knowledge import KnowledgePanel
from tui.screens.inspect_token import LensPanel

PAIR = "The city of Lyon is in France. | The city of Berlin is in France."


# --------------------------------------------------------------------------------------------------------- the terminal


async def test_a_map_in_the_terminal(tmp_path: Path) -> None:
    async with running(Path("skiff"), size=(100, 60)) as (app, pilot):
        await ask(app, pilot, "Is Paris the capital of France?")
        await pilot.press("f5")
        await shows(app, pilot, "set cities")
        panel = app.screen.query_one(KnowledgePanel)
        panel.focus()
        await pilot.press("c", "e")
        await pilot.press(*PAIR, "enter")
        await until(pilot, lambda: panel.order is not None and panel.order.true.startswith("The city of Lyon"))
        assert panel.order is not None
        assert panel.order.checkpoints == ("base",)
        panel.focus()
        await pilot.press("g")
        await until(pilot, lambda: panel.job is not None and panel.job.view.over)
        assert panel.job is not None
        shown = panel.job.view.traced.maps[0]
        await pilot.press(*["up"] * 9, *["right"] * 30)
        assert panel.at == (shown.layers - 1, len(shown.columns) - 1)
        await shows(app, pilot, shown.described(*panel.at))
        assert "▀▀" in screen_text(app)
        await pilot.press("enter")
        await shows(app, pilot, "would say (logit lens)")
        await shows(app, pilot, "true sentence  TRUE")
        app.toggle_glyphs()
        panel.draw()
        await until(pilot, lambda: "▀▀" not in screen_text(app))
        assert f"▸   {shown.layers - 1} " in screen_text(app)
        assert panel._saved(str(tmp_path / "out")) == f"maps.svg and maps.csv written to {tmp_path / 'out'}."
        assert (tmp_path / "out" / "maps.csv").read_text(encoding="utf-8").count("\n") == 1 + len(shown.known)
        lens = app.screen.query_one(LensPanel)
        await until(pilot, lambda: lens.found is not None)
        assert lens.found is not None
        assert lens.found.layers == tuple(range(shown.layers))
        before = lens.found
        lens.focus()
        await pilot.press("right")
        await until(pilot, lambda: lens.found is not before)
        panel.focus()
        await pilot.press("h")
        assert app.screen is app.chat
        # What the column steers by stays, and truth is added there.
        steered = app.engine.family.examples[0].recipe
        assert str(app.chat.session.settings.column.recipe) == f"{steered} + 1*truth[{shown.layers - 1}]"


async def test_sentences_that_do_not_line_up_are_said_in_the_terminal() -> None:
    async with running(Path("skiff"), size=(100, 60)) as (app, pilot):
        await pilot.press("f5")
        panel = app.screen.query_one(KnowledgePanel)
        await shows(app, pilot, "set cities")
        panel.focus()
        await pilot.press("e", *"Paris is nice. | Paris is.", "enter")
        panel.focus()
        await pilot.press("g")
        await shows(app, pilot, "do not line up")


# ---------------------------------------------------------------------------------------------------------- the browser


def test_a_map_in_the_browser(chromium: Browser) -> None:
    engine = Engine("skiff", device="cpu", threads=1)
    engine.start()
    assert engine.wait_ready(PATIENCE).state == "ready"
    settings = engine.settings("base").ask("The capital of France is")
    settings = replace(settings, turns=(Turn("The capital of France is", ("Paris", "Paris")),), tab="inspect")
    with served(engine) as page:
        screen = Screen.open(chromium, f"{page.address}?{settings.to_link()}", height=1400)
        shown = screen.page
        shown.locator("#t-maps-go").wait_for()
        _choose(screen, "#t-maps-set", "my own sentences")
        _choose(screen, "#t-maps-other", "none")
        true, _, false = PAIR.partition(" | ")
        shown.locator("#t-maps-true textarea, #t-maps-true input").fill(true)
        shown.locator("#t-maps-false textarea, #t-maps-false input").fill("The city of Lyon is in.")
        shown.locator("#t-maps-go").click()
        expect(shown.locator("#t-maps-said .wrong")).to_contain_text("line up")
        shown.locator("#t-maps-false textarea, #t-maps-false input").fill(false)
        shown.locator("#t-maps-go").click()
        expect(shown.locator("#t-maps-said")).to_contain_text("Done.")
        plot = shown.locator("#t-maps .js-plotly-plot")
        plot.wait_for()
        expect(shown.locator("#t-maps-tables")).to_contain_text("base as a table")
        expect(shown.get_by_role("row", name="maps.svg")).to_be_visible()
        # The plot listens within a moment of being drawn.
        shown.wait_for_function("!!document.querySelector('#t-maps .js-plotly-plot')?._ev?._events?.plotly_click")
        plot.evaluate("each => each.scrollIntoView({block: 'center'})")
        box = plot.locator(".nsewdrag").first.bounding_box()
        assert box is not None
        shown.mouse.click(box["x"] + box["width"] - 8, box["y"] + 8)
        cell = shown.locator("#t-maps-cell")
        expect(cell).to_contain_text("layer 5")
        expect(cell.locator("tr").first).to_contain_text("TRUE")
        shown.locator("#t-maps-steer").click()
        expect(shown.get_by_role("tab", name="Chat")).to_have_attribute("aria-selected", "true")
        shown.wait_for_function("Tiller.state.view.columns[1].recipe === '1*truth[5]'")
        assert screen.outside == []
        assert screen.faults == []
    engine.close()


def _choose(screen: Screen, field: str, name: str) -> None:
    screen.page.locator(f"{field} input").click()
    screen.page.get_by_role("option", name=name, exact=True).click()
