"""The first section of the Inspect tab: what every layer would have said where a token of the chat's last answer was said."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from app.tabs.choice import Choice
from app.tabs.tab import Pane, concluded, folded, told, wide
from core.errors import TillerError
from core.knowledge import map_export
from core.knowledge.conclusion import lens_conclusion
from core.knowledge.maps import Words
from core.util.figures import probability_text

_AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
_WAITING: dict[str, Any] = {"concurrency_limit": 16, "show_progress": "hidden", "api_visibility": "private"}
_ABOUT = (
    "<h3>Layer by layer</h3><p>What the model would have said, had it stopped at an earlier layer (logit lens), where a token of the "
    "chat's last answer stands.</p>"
)


class Section:
    """What stands in the section, and what its choices do."""

    def __init__(self, pane: Pane) -> None:
        self.pane = pane
        told(_ABOUT)
        self.said = gr.HTML("", apply_default_css=False, elem_classes=["t-told"], elem_id="t-lens-said")
        self.drawn = gr.HTML("", apply_default_css=False, elem_classes=["t-told"], elem_id="t-lens-drawn")
        with gr.Row():
            self.column = Choice([], label="Column of the chat", type="index", elem_id="t-lens-column")
            self.token = Choice([], label="Token of its answer", type="index", visible=False, elem_id="t-lens-token")
        self.table = gr.HTML("", apply_default_css=False, elem_classes=["t-told"], elem_id="t-lens-table")
        self.files = gr.File(label="To take away", visible=False, interactive=False, file_count="multiple")
        at, shown = [self.column, self.token], [self.said, self.drawn, self.table, self.files]
        pane.tab.select(self.opened, None, at, **_AT_ONCE).then(self.show, at, shown, **_WAITING)
        self.column.input(self.chosen, self.column, self.token, **_AT_ONCE).then(self.show, at, shown, **_WAITING)
        self.token.input(self.show, at, shown, **_WAITING)

    def opened(self, request: gr.Request) -> tuple[Any, Any]:
        """The tab was opened: the chat's columns, with the selected one chosen."""
        settings = self.pane.settings(request)
        titles = [f"{place + 1} {each.title}" for place, each in enumerate(settings.columns)]
        return gr.update(choices=titles, value=titles[settings.selected]), self.chosen(settings.selected, request)

    def chosen(self, column: int | None, request: gr.Request) -> Any:
        """A column was chosen: the tokens of its answer, the first one first."""
        choices = [f"{place + 1} {text!r}" for place, (_, text) in enumerate(self._tokens(column, request))]
        return gr.update(choices=choices, value=next(iter(choices), None), visible=bool(choices))

    def show(self, column: int | None, token: int | None, request: gr.Request) -> tuple[Any, ...]:
        """A token was chosen: what every layer would have said there, the conclusion first."""
        hidden = gr.update(visible=False)
        tokens = self._tokens(column, request)
        if not tokens:
            return "<p>There is no answer in the chat yet; send a message there first.</p>", "", "", hidden
        if column is None or token is None or token >= len(tokens):
            return "<p>Choose a token.</p>", "", "", hidden
        try:
            words = self.pane.engine_of(request).token_words(
                self.pane.settings(request), column, [each for each, _ in tokens], token
            )
        except TillerError as error:
            return f'<p class="wrong">{html.escape(str(error))}</p>', "", "", hidden
        said = concluded(lens_conclusion(words)) + (f"<p>{html.escape(words.note)}</p>" if words.note else "")
        return said, wide(map_export.words_svg(words)), _table(words), gr.update(visible=True, value=self._files(words))

    def _tokens(self, column: int | None, request: gr.Request) -> list[tuple[int, str]]:
        """The ids and texts of a column's answer."""
        answers = self.pane.visit(request).session.answers
        found = answers.get(column) if column is not None else None
        return [(each.id, each.text) for each in found.tokens] if found else []

    def _files(self, words: Words) -> list[str]:
        to = self.pane.new_folder() / "logit-lens"
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
        said = [
            "  ".join(f"{html.escape(word)} {html.escape(probability_text(p))}" for word, p in layers[place])
            for layers in words.rows
        ]
        rows.append(f"<tr><td>{words.layers[place]}</td>{''.join(f'<td>{each}</td>' for each in said)}</tr>")
    return folded("As a table", wide(f"<table><tr><th>layer</th>{head}</tr>{''.join(rows)}</table>"))
