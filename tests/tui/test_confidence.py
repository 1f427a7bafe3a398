"""Confidence on the Inspect screen: measured while one chats, drawn, read as tables, saved, and ablated in the chat."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.confidence import confidence, measure
from tests.support import tiny_models
from tests.support.terminal import running, screen_text, shows, steerable, until
from tests.tui.test_chat import own_state  # noqa: F401  The fixture that gives every test its own state folder.
from tui.app import TillerApp
from tui.dialogs.dialogs import TextDialog
from tui.screens.inspect_confidence import ConfidencePanel
from tui.screens.inspect_knowledge import KnowledgePanel


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = steerable(tmp_path_factory.mktemp("families") / "tiny")
    tiny_models.contrast(folder, examples=2)
    return folder


@pytest.mark.parametrize("glyphs", [True, False])
async def test_confidence_is_measured_drawn_and_ablated(
    family: Path, glyphs: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(TillerApp, "glyphs", property(lambda _app: glyphs))
    for name in ("SETS", "MATCHED"):
        monkeypatch.setattr(measure, name, 2)
    async with running(family, size=(80, 60)) as (app, pilot):
        await pilot.press("f5")
        panel = app.screen.query_one(ConfidencePanel)
        panel.focus()
        await shows(app, pilot, "base and chat: not measured yet; m measures it while you chat.")
        await pilot.press("a")
        await shows(app, pilot, "has no set of neurons 'entropy'")
        await pilot.press("m")
        await until(pilot, lambda: len(panel._known()) == 2 and not panel.measuring)
        # A line for each says how sure and how right it is, also while the section is folded up.
        lines = str(panel.picture.render()).splitlines()
        assert [line.split()[0] for line in lines] == ["base", "chat"]
        for line, of in zip(lines, panel._known(), strict=True):
            own, track = of.calibration, line.split()[1]
            assert f"○ right {round(100 * own.accuracy)} %  ● sure {round(100 * own.sureness)} %" in line
            assert track.index("●") == round(own.sureness * (len(track) - 1))
            assert own.accuracy == own.sureness or "○" in track
        app.screen.query_one(KnowledgePanel).focus()
        await until(pilot, lambda: panel.picture.display and not panel.plots.region)
        panel.focus()
        panel.scroll_visible(animate=False)
        await shows(app, pilot, "chat: MLP neurons, norm × LogitVar")
        assert "◆" in screen_text(app)
        assert "calibration: how sure × right" in str(panel.plots.render())
        assert "has entropy neurons among its candidates" in str(panel.words.render())
        await pilot.press("t")
        assert isinstance(app.screen, TextDialog)
        assert "norm / ln LogitVar" in app.screen.copy
        await pilot.press("escape")
        assert panel._saved(str(tmp_path)) == f"5 files written to {tmp_path}."
        assert (tmp_path / "neurons.chat.svg").read_text(encoding="utf-8").startswith("<svg")
        await pilot.press("left")
        assert panel.checkpoint == "base"
        assert "calibration" in str(panel.plots.render())
        await pilot.press("right", "a")
        await until(pilot, lambda: app.screen is app.chat)
        settings = app.chat.session.settings
        assert (str(settings.column.recipe), settings.lens) == ("!neurons:entropy", "entropy")
        await pilot.press("f5", "a")
        await until(pilot, lambda: app.screen is app.chat)
        assert not confidence.ablates(app.chat.session.settings.column.recipe)
