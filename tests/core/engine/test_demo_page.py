"""One prompt as a page without a server: computed on tiny models, opened from its file in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from core.chat.sliders import SLIDER_STRENGTHS
from core.engine.demo_page import Demo, demo_page, make_demo
from core.engine.engine import Engine
from core.errors import TillerError
from core.util.progress import finished
from tests.support import tiny_models
from tests.support.browser_server import DOSE, short
from tests.support.command import verb
from tests.support.waiting import PATIENCE

MARKUP = '<img src=x onerror=window.hurt=1> & "so"'


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tiny_models.family(tmp_path_factory.mktemp("families") / "shown")
    for seed, name in enumerate(("truth", "refusal")):
        tiny_models.direction(folder, "chat", name, seed=seed, dose_response=DOSE)
    made = Engine(str(folder), threads=1)
    made.start()
    assert made.wait_ready(PATIENCE).state == "ready"
    yield made
    made.close()


@pytest.fixture(scope="module")
def demo(engine: Engine) -> Demo:
    return finished(make_demo(engine, short(engine.settings(), 6).ask(MARKUP)))


def test_it_has_every_slider_and_whose_the_answer_is(engine: Engine, demo: Demo) -> None:
    assert [each.card.name for each in demo.sliders] == ["refusal", "truth"]
    assert all(set(each.answers) == set(range(len(SLIDER_STRENGTHS))) for each in demo.sliders)
    assert all(answer.finished for each in demo.sliders for answer in each.answers.values())
    # Unsteered, all sliders say the same, and it is what is asked about.
    middle = SLIDER_STRENGTHS.index(0)
    plain = {each.answers[middle].text for each in demo.sliders}
    assert len(plain) == 1
    assert demo.blame is not None
    assert {demo.blame.cases[0].answer.text} == plain
    one = finished(make_demo(engine, demo.settings, ["truth"]))
    assert [each.card.name for each in one.sliders] == ["truth"]
    with pytest.raises(TillerError, match="chat has no direction 'courage'"):
        finished(make_demo(engine, demo.settings, ["courage"]))


def test_the_page_swaps_answers_and_asks_nothing_of_anywhere(chromium: Browser, demo: Demo, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(demo_page(demo), "utf-8")
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    expect(page.locator(".asked")).to_have_text(MARKUP)
    part = page.locator(".slider").first
    middle = SLIDER_STRENGTHS.index(0)
    expect(part.locator(".answer:visible")).to_contain_text("unsteered")
    slider = part.get_by_role("slider", name="strength of refusal")
    for place in (0, len(SLIDER_STRENGTHS) - 1):
        slider.fill(str(place))
        shown = part.locator(".answer:visible")
        expect(shown).to_have_count(1)
        said = demo.sliders[0].answers[place].text
        assert shown.locator(".words").text_content().removesuffix(" …") == said
    slider.fill(str(middle))
    expect(part.locator(".answer:visible")).to_contain_text("unsteered")
    expect(page.get_by_role("heading", name="Who taught it that?")).to_be_visible()
    assert page.evaluate("window.hurt") is None
    assert page.evaluate("document.documentElement.scrollWidth <= 390")
    assert asked == [file.as_uri()]
    page.close()


def test_without_a_script_every_answer_stands_there(chromium: Browser, demo: Demo, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(demo_page(demo), "utf-8")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    expect(page.locator(".slider").first.locator(".answer:visible")).to_have_count(len(SLIDER_STRENGTHS))
    expect(page.locator("input[type=range]:visible")).to_have_count(0)
    context.close()


def test_the_command_writes_it_or_nothing(engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    family, out = str(engine.family.folder), tmp_path / "one.html"
    wanted = ["Hello", "--family", family, "--direction", "truth", "--max-tokens", "3", "--out", str(out)]
    assert verb("export-page", wanted) == 0
    assert str(out) in capsys.readouterr().out
    assert out.read_text("utf-8").count('class="slider"') == 1
    with pytest.raises(TillerError, match="has no direction 'courage'"):
        verb(
            "export-page", ["Hello", "--family", family, "--direction", "courage", "--out", str(tmp_path / "none.html")]
        )
    assert not (tmp_path / "none.html").exists()
