"""What Gradio keeps of its visitors: small sessions, and a line of the log for what it refuses."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest
from gradio import queueing, routes

from app import sessions


def test_a_session_holds_what_changed_in_it_alone() -> None:
    with gr.Blocks() as page:
        box = gr.Textbox("before")
        kept = gr.State(3)
    app = routes.App.create_app(page)
    assert app.get_blocks() is page
    assert page.state_holder["gradio's"].config_values
    sessions.keep_small(page)
    small = page.state_holder["small"]
    assert small.config_values == {}
    assert page._queue.sleep_when_free >= 0.01, "an idle page looks for work some times a second"
    small[box._id] = gr.Textbox("after", render=False)
    small[kept._id] = 4
    again = page.state_holder["small"]
    assert again is small
    assert again[kept._id] == 4
    assert set(again.config_values) <= {box._id, kept._id}
    assert vars(again.blocks_config.blocks[box._id])["value"] == "after"
    assert page.state_holder["other"][kept._id] == 3


def test_only_faults_of_ours_get_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    modules: tuple[Any, Any] = (queueing, routes)
    for module in modules:
        monkeypatch.setattr(module, "traceback", module.traceback)
    sessions.log_strangers_errors_briefly()
    for raises, ours in ((lambda: int("no number"), False), (lambda: sessions.keep_small(None), True)):  # type: ignore[arg-type]
        caplog.clear()
        try:
            raises()
        except (ValueError, AttributeError):
            modules[0].traceback.print_exc()
        assert ("Traceback" in capsys.readouterr().err) == ours
        assert ("Refused: ValueError: invalid literal" in caplog.text) != ours
    try:
        raise ValueError("\ud800 is not in the list")
    except ValueError:
        modules[0].traceback.print_exc()
    assert r"Refused: ValueError: \ud800 is not in the list" in caplog.text
    caplog.text.encode("utf-8")
    assert "invalid" in "".join(modules[1].traceback.format_exception_only(ValueError("invalid")))
