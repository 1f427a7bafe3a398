"""The third section of the Inspect tab: what every layer would have said where a token of the chat's last answer was said."""

from __future__ import annotations

import html
import tempfile
from pathlib import Path
from typing import Any

import gradio as gr

from app.plots import maps
from app.tabs.tab import Pane, told
from core.errors import TillerError
from core.knowledge import map_export
from core.knowledge.maps import Words

_AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
_WAITING: dict[str, Any] = {"concurrency_limit": 16, "show_progress": "hidden", "api_visibility": "private"}
_ABOUT = (
    "<h2>Logit lens</h2><p>What the model would have said if it had stopped at a layer: for a token of the chat's last answer, the "
    "likeliest words of every layer, of the plain and of the steered model on the same tokens.</p>"
)


class Section:
    """What stands in the section, and what its choices do."""

    def __init__(self, pane: Pane) -> None:
        self.pane, self.engine = pane, pane.engine
        self.folder = tempfile.TemporaryDirectory(prefix="tiller-lens-")
        told(_ABOUT)
        with gr.Row():
            self.column = gr.Dropdown([], label="Column of the chat", type="index", elem_id="t-lens-column")
            self.token = gr.Dropdown([], label="Token of its answer", type="index", elem_id="t-lens-token")
        self.said = gr.HTML("", apply_default_css=False, elem_classes=["t-told"], elem_id="t-lens-said")
        self.plot = gr.Plot(visible=False, show_label=False, elem_id="t-lens-plot", elem_classes=["t-plot"])
        self.table = gr.HTML("", apply_default_css=False, elem_classes=["t-told"], elem_id="t-lens-table")
        self.files = gr.File(label="To take away", visible=False, interactive=False, file_count="multiple")
        pane.tab.select(self.opened, None, [self.column, self.token, self.said], **_AT_ONCE)
        self.column.input(self.chosen, self.column, [self.token, self.said], **_AT_ONCE)
        self.token.input(
            self.show, [self.column, self.token], [self.said, self.plot, self.table, self.files], **_WAITING
        )

    def opened(self, request: gr.Request) -> tuple[Any, ...]:
        """The tab was opened: the chat's columns, with the selected one chosen."""
        settings = self.pane.settings(request)
        titles = [f"{place + 1} {each.title}" for place, each in enumerate(settings.columns)]
        return gr.update(choices=titles, value=titles[settings.selected]), *self.chosen(settings.selected, request)

    def chosen(self, column: int | None, request: gr.Request) -> tuple[Any, ...]:
        """A column was chosen: the tokens of its answer."""
        tokens = self._tokens(column, request)
        choices = [f"{place + 1} {text!r}" for place, (_, text) in enumerate(tokens)]
        said = "Choose a token." if tokens else "There is no answer in the chat yet; send a message there first."
        return gr.update(choices=choices, value=None), f"<p>{said}</p>"

    def show(self, column: int | None, token: int | None, request: gr.Request) -> tuple[Any, ...]:
        """A token was chosen: what every layer would have said there."""
        hidden = gr.update(visible=False)
        tokens = self._tokens(column, request)
        if column is None or token is None or token >= len(tokens):
            return "<p>Choose a token.</p>", hidden, "", hidden
        try:
            words = self.engine.token_words(self.pane.settings(request), column, [each for each, _ in tokens], token)
        except TillerError as error:
            return f'<p class="wrong">{html.escape(str(error))}</p>', hidden, "", hidden
        said = f"<p>Where {html.escape(repr(words.said))} was said. {html.escape(words.note)}</p>"
        plot = gr.update(visible=True, value=maps.words(words))
        return said, plot, _table(words), gr.update(visible=True, value=self._files(words))

    def _tokens(self, column: int | None, request: gr.Request) -> list[tuple[int, str]]:
        """The ids and texts of a column's answer."""
        answers = self.pane.chat.visits.get(str(request.session_hash)).session.answers
        found = answers.get(column) if column is not None else None
        return [(each.id, each.text) for each in found.tokens] if found else []

    def _files(self, words: Words) -> list[str]:
        to = Path(tempfile.mkdtemp(dir=self.folder.name)) / "logit-lens"
        made = {".csv": map_export.words_csv(words), ".svg": map_export.words_svg(words)}
        for ending, text in made.items():
            to.with_suffix(ending).write_text(text, encoding="utf-8")
        return [str(to.with_suffix(ending)) for ending in made]


def build(pane: Pane) -> Section:
    """Build the section's blocks."""
    return Section(pane)


def _table(words: Words) -> str:
    """The same as a table, folded up; the last layer first."""
    head = "".join(f"<th>{html.escape(title)}</th>" for title in words.titles)
    rows = []
    for place in reversed(range(len(words.layers))):
        said = ["  ".join(f"{html.escape(word)} {p:.2f}" for word, p in layers[place]) for layers in words.rows]
        rows.append(f"<tr><td>{words.layers[place]}</td>{''.join(f'<td>{each}</td>' for each in said)}</tr>")
    table = f"<table><tr><th>layer</th>{head}</tr>{''.join(rows)}</table>"
    return f'<details><summary>as a table</summary><div tabindex="0" style="overflow-x:auto">{table}</div></details>'
