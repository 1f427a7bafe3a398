"""The directions of the Library as cards: what each does in a sentence, a small curve, and what the model says then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, ItemGrid, Vertical
from textual.content import Content
from textual.widgets import Static

from tui.messages import CardChosen
from tui.text import one_line
from tui.widgets.dose_text import bars, line

if TYPE_CHECKING:
    from core.directions.library import Entry

#: The cells of a curve, on which half steps are equally far apart, and of what stands beside it at the least.
_CURVE, _BESIDE = 25, 24
#: Beneath it: where its strengths end, and where it does nothing.
_AXIS = f"−2{'0':^{_CURVE - 4}}+2"


class DirectionCard(Vertical, can_focus=True):
    """One direction; what the model says when it is pushed folds out while the card has the focus."""

    HELP = (
        "What a direction does: the bars are its effect from strength −2 to +2, the shading of the line how much unrelated answers "
        "change, and the heavy part of the line the strengths of use. u opens Chat with it, t answers a prompt at nine strengths, Enter "
        "shows everything that was measured; s and w teach new ones, e and d export and delete this one."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,left", "app.focus_previous", "Card before", show=False, id="card.before"),
        Binding("down,right", "app.focus_next", "Card after", show=False, id="card.after"),
        Binding("enter", "screen.card", "Its card", key_display="⏎", show=False, id="card.open"),
    ]
    DEFAULT_CSS = f"""
    DirectionCard {{
        height: auto; padding: 0 1; border: round $quiet; border-title-color: $text-accent; border-subtitle-color: $quiet;
        & > Horizontal {{ height: auto; }}
        & .curve {{ width: {_CURVE}; height: auto; margin: 0 2 0 0; }}
        & .words {{ width: 1fr; height: auto; }}
        & > .sample {{ display: none; height: auto; margin: 1 0 0 0; }}
        &.-tiny > Horizontal {{ layout: vertical; }}
        &:focus {{ border: round $accent; & > .sample {{ display: block; }} }}
        &.-silent > .sample {{ display: none; }}
        &:ansi {{ border: round ansi_white; &:focus {{ border: round ansi_cyan; }} }}
    }}
    """

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self.entry = entry
        self.curve, self.words, self.sample = (Static(classes=name) for name in ("curve", "words", "sample"))

    def compose(self) -> ComposeResult:
        """The curve, the sentence beside it, and the answers beneath."""
        yield Horizontal(self.curve, self.words)
        yield self.sample

    def on_mount(self) -> None:
        """Draw it."""
        self.draw(self.entry)

    def draw(self, entry: Entry) -> None:
        """Draw what its card says by now."""
        from core.directions.card import sample_answers
        from core.directions.conclusion import direction_conclusion
        from core.directions.dose_response import stored_dose_response

        self.entry, card = entry, entry.card
        assert card is not None
        whose = " · yours" if self.entry.own else ""
        self.border_title = Content(f"{self.entry.name} · {self.entry.checkpoint}{whose}")
        known = stored_dose_response(card.details)
        self.curve.update(
            Content.styled("not measured yet", "$quiet")
            if known is None
            else Content.assemble(
                (bars(known, _CURVE), "$text-accent"), "\n", *line(known, _CURVE), "\n", (_AXIS, "$quiet")
            )
        )
        self.words.update(Content(direction_conclusion(card)))
        asked, answers = sample_answers(card)
        rows = [
            Content.assemble((f"{strength.replace('-', '−').replace('+0', '0'):>4}  ", "$quiet"), one_line(said))
            for strength, said in answers
        ]
        self.sample.update(
            Content("\n").join([Content.assemble(("“", "$quiet"), one_line(asked), ("”", "$quiet")), *rows])
        )
        self.set_class(not answers, "-silent")

    def on_resize(self) -> None:
        """Where there is no room beside the curve, the sentence stands beneath it."""
        self.set_class(self.size.width < _CURVE + 2 + _BESIDE, "-tiny")

    def on_focus(self) -> None:
        """Tell of it, and say which keys act on it."""
        self.border_subtitle = Content("u Use in Chat · t Nine strengths · ⏎ Everything")
        self.post_message(CardChosen(self.entry.key))
        self.call_after_refresh(self.scroll_visible, animate=False)

    def on_blur(self) -> None:
        """The keys act on another one."""
        self.border_subtitle = ""


class Cards(ItemGrid):
    """All cards, two beside each other where there is room."""

    DEFAULT_CSS = """
    Cards { height: auto; grid-gutter: 0 1; margin: 1 0 0 0; }
    """

    def __init__(self) -> None:
        super().__init__(min_column_width=52, stretch_height=True, id="library-cards")

    @property
    def cards(self) -> list[DirectionCard]:
        """Those that are there."""
        return [each for each in self.query(DirectionCard) if each.parent is self]

    def show(self, entries: Sequence[Entry]) -> None:
        """Show these; a card that is there already stays, with the focus, and is drawn anew where more is known of it."""
        present = {card.entry.key: card for card in self.cards}
        for key in present.keys() - {entry.key for entry in entries}:
            present[key].remove()
        before: DirectionCard | None = None
        for entry in entries:
            card = present.get(entry.key)
            if card is None:
                card = DirectionCard(entry)
                self.mount(card, **({"before": 0} if before is None else {"after": before}))
            elif card.entry.card != entry.card:
                card.draw(entry)
            before = card

    def choose(self, key: str) -> bool:
        """Give a direction's card the focus; whether there is one."""
        found = next((each for each in self.cards if each.entry.key == key), None)
        if found is not None:
            self.call_after_refresh(found.focus)
        return found is not None
