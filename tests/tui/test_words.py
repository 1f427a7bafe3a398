"""Texts that are put with every token: what they cost while they stay what they are, and that what they show is never stale."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.content import Content

from tui.widgets.face import Face
from tui.widgets.token_strip import AnswerStrip
from tui.widgets.words import Words


class _One(App[None]):
    CSS = "#wide { width: 20; } #fitting { width: auto; height: auto; }"

    def compose(self) -> ComposeResult:
        yield Words(Content("first"), id="wide")
        yield Words(Content("first"), id="fitting")


#: What is put, and whether the screen is drawn for it, and laid out: in twenty cells, and in as many as it takes.
PUT = [
    (Content("first"), None, None),
    (Content.styled("first", "bold"), False, False),
    (Content("fourth word"), False, True),
    (Content("more than the twenty cells hold"), True, True),
    (Content("fi\nrst"), True, True),
    (Content("日本語です"), False, True),
    (Content(""), True, True),
    ("first", True, True),
]


@pytest.mark.parametrize("put", PUT)
@pytest.mark.parametrize("place", ["wide", "fitting"])
async def test_the_screen_is_laid_out_only_for_a_text_that_takes_another_room(
    put: tuple[Content | str, bool | None, bool | None], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, wide, fitting = put
    app = _One()
    async with app.run_test(size=(60, 10)) as pilot:
        words = app.query_one(f"#{place}", Words)
        asked: list[bool] = []
        plain = Words.refresh

        def refresh(self: Words, *regions: Any, layout: bool = False, **more: Any) -> Words:
            asked.append(layout)
            return plain(self, *regions, layout=layout, **more)

        with monkeypatch.context() as counted:
            counted.setattr(Words, "refresh", refresh)
            words.update(content)
        expected = wide if place == "wide" else fitting
        assert asked == ([] if expected is None else [expected])
        await pilot.pause()
        lines = [
            "".join(part.text for part in line).rstrip()
            for line in (words.render_line(y) for y in range(words.size.height))
        ]
        assert "".join(lines).replace(" ", "") == str(content).replace(" ", "").replace("\n", "")


class _Strip(App[None]):
    CSS = "AnswerStrip { width: 24; }"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return {"quiet": "#888888", "field": "#222222"}

    def compose(self) -> ComposeResult:
        yield AnswerStrip(0)


async def test_an_answer_lays_the_screen_out_once_a_row_and_not_with_every_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app, said = _Strip(), "a word and a word and a word and a word and a word"
    async with app.run_test(size=(60, 12)) as pilot:
        strip, laid = app.query_one(AnswerStrip), list[bool]()
        strip.show(Face("dpo", None, ""))
        await pilot.pause()
        plain = AnswerStrip.refresh

        def refresh(self: AnswerStrip, *regions: Any, layout: bool = False, **more: Any) -> AnswerStrip:
            laid.append(layout)
            return plain(self, *regions, layout=layout, **more)

        monkeypatch.setattr(AnswerStrip, "refresh", refresh)
        words = said.split(" ")
        for count in range(1, len(words) + 1):
            strip.show(Face("dpo", None, " ".join(words[:count])))
            await pilot.pause()
            rows = [strip.render_line(y).text.strip() for y in range(1, strip.content_size.height)]
            assert " ".join(rows) == " ".join(words[:count])
        assert len(laid) >= len(words)
        # Textual asks once more where a widget got another size.
        assert 0 < sum(laid) <= 2 * (len(strip.rows(strip.content_size.width)) - 1)
