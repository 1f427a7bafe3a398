"""The list of the Library: the table of every direction that is here, the choice of one, and its card."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.tabs.tab import Pane, plots
from core.directions import card as direction_card
from core.directions import library
from core.directions.library import Entry
from core.directions.plots import curves_plot
from core.errors import TillerError


@dataclass(frozen=True)
class Shelf:
    """What stands on the tab: the table, the choice of an entry (its value is the entry's key), and that entry's card.

    Whatever else acts on the chosen entry takes this, is built in :mod:`app.tabs.library`, and has :attr:`listed` drawn anew by
    :meth:`again`.
    """

    pane: Pane
    table: gr.HTML
    chosen: gr.Dropdown
    card: gr.HTML
    curves: gr.HTML

    @property
    def listed(self) -> list[Any]:
        """The outputs of :meth:`again`."""
        return [self.table, self.chosen, *self.shown]

    @property
    def shown(self) -> list[Any]:
        """The outputs of :meth:`show`."""
        return [self.card, self.curves]

    def again(self, key: str | None) -> tuple[Any, ...]:
        """The list as it is now, with ``key`` chosen where that is still there; and its card."""
        found = library.entries(self.pane.engine.family)
        first = library.first(self.pane.engine.family, found)
        chosen = key if key in [each.key for each in found] else (first.key if first else None)
        choices = [(each.title, each.key) for each in found]
        return table(found), gr.update(choices=choices, value=chosen), *self.show(chosen)

    def show(self, key: str | None) -> tuple[Any, ...]:
        """The card of an entry, and its curves where it has any."""
        if not key:
            return "<p>Nothing has been learnt yet: learn a direction below.</p>", ""
        try:
            entry = library.find_entry(self.pane.engine.family, key)
        except TillerError as error:
            return _wrong(str(error)), ""
        if entry.card is None:
            return _wrong(entry.problem), ""
        curves = {
            "Scores of every layer": direction_card.layer_scores(entry.card),
            "What each strength does": direction_card.dose_table(entry.card),
        }
        return card(entry), plots(*(curves_plot(each, title) for title, each in curves.items() if each))


def table(entries: tuple[Entry, ...]) -> str:
    """The list as a table."""
    if not entries:
        return ""
    head = "".join(f"<th>{html.escape(each)}</th>" for each in library.HEADINGS)
    rows = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in each.row) + "</tr>" for each in entries)
    return f'<div class="t-wide" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def card(entry: Entry) -> str:
    """The card of an entry, part by part."""
    assert entry.card is not None
    parts = [f"<h3>{html.escape(direction_card.heading(entry.card))}</h3>"]
    for each in direction_card.sections(entry.card):
        parts.append(f"<h4>{html.escape(each.title)}</h4>")
        lines = [html.escape(line) for line in each.lines]
        parts.append(
            f'<pre tabindex="0">{chr(10).join(lines)}</pre>'
            if each.table
            else "".join(f"<p>{line}</p>" for line in lines)
        )
    return "".join(parts)


def _wrong(sentence: str) -> str:
    return f'<p class="wrong">{html.escape(sentence)}</p>'
