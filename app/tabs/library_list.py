"""The list of the Library: the table of every direction that is here, the choice of one, and its card."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.tabs import library_cards, library_strengths
from app.tabs.tab import Pane, concluded, plots
from core.directions import card as direction_card
from core.directions import card_figures, library
from core.directions.conclusion import shelf_conclusion
from core.directions.library import Entry
from core.directions.plots import curves_plots
from core.errors import TillerError


@dataclass(frozen=True)
class Shelf:
    """What stands on the tab: the table, the choice of an entry (its value is the entry's key), and that entry's card.

    Whatever else acts on the chosen entry takes this, is built in :mod:`app.tabs.library`, and has :attr:`listed` drawn anew by
    :meth:`again`.
    """

    pane: Pane
    top: gr.HTML
    cards: gr.HTML
    strengths: gr.Dropdown
    table: gr.HTML
    chosen: gr.Dropdown
    card: gr.HTML
    curves: gr.HTML

    @property
    def listed(self) -> list[Any]:
        """The outputs of :meth:`again`."""
        return [self.top, self.cards, self.strengths, self.table, self.chosen, *self.shown]

    @property
    def shown(self) -> list[Any]:
        """The outputs of :meth:`show`."""
        return [self.card, self.curves]

    def again(self, key: str | None, request: gr.Request) -> tuple[Any, ...]:
        """The list as it is now, with ``key`` chosen where that is still there; and its card."""
        family = self.pane.engine_of(request).family
        found = library.entries(family)
        first = library.first(family, found)
        chosen = key if key in [each.key for each in found] else (first.key if first else None)
        choices = [(each.title, each.key) for each in found]
        engine = self.pane.engine_of(request)
        final = engine.family.final.name
        said = concluded(shelf_conclusion(engine.catalogue.cards(final), final))
        told = said, library_cards.cards(engine), library_strengths.offered(engine), table(found)
        return *told, gr.update(choices=choices, value=chosen), *self.show(chosen, request)

    def show(self, key: str | None, request: gr.Request) -> tuple[Any, ...]:
        """The card of an entry, and its curves where it has any."""
        if not key:
            return "<p>Nothing has been learnt yet: take a direction from the shelf above.</p>", ""
        try:
            entry = library.find_entry(self.pane.engine_of(request).family, key)
        except TillerError as error:
            return _wrong(str(error)), ""
        if entry.card is None:
            return _wrong(entry.problem), ""
        curves = {
            "Scores of every layer": card_figures.layer_scores(entry.card),
            "What each strength does": card_figures.dose_table(entry.card),
        }
        return card(entry), plots(
            *(drawn for title, each in curves.items() if each for drawn in curves_plots(each, title))
        )


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
