"""The first section of the Inspect screen: knowledge maps of a pair of sentences or a set, and what a cell would say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from core.errors import TillerError
from core.knowledge.maps import ASKED, MapRequest, Traced, direction_for, map_table, steered_at
from core.util.figures import probability_text
from tui.screens.inspect_panel import Panel
from tui.shell import shell

if TYPE_CHECKING:
    from core.engine.jobs import MapJob
    from core.knowledge.maps import Map

_WATCH_EVERY = 0.5
_SEPARATOR = "|"


def _judged(order: MapRequest) -> dict[str, Any]:
    """What an order asks where it cannot ask for an object any more."""
    return {"asks": "question"} if order.asks == "recall" else {}


class KnowledgePanel(Panel):
    """A map with a cursor, and what is asked for; its keys act while it has the focus."""

    HELP = (
        "Where the model keeps what tells a true from a false sentence. [ and ] choose a set, e writes two sentences of your own, c "
        "chooses the checkpoints, d what differs, n noise instead of a false sentence, u what is asked, o goes across the two "
        "checkpoints; g computes the maps while you chat, x cancels. Arrows move in the map, m shows the next one, Enter says what the "
        "residual there would say, h steers at its layer, t is the map as a table, s saves it as SVG and CSV."
    )
    ID, TITLE = "knowledge", "Knowledge maps"
    KEYS = "g Trace  m Map  ↵ Words  h Steer  t Table  s Save"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(1, 0)", "Layer up", show=False, id="maps.up"),
        Binding("down", "move(-1, 0)", "Layer down", show=False, id="maps.down"),
        Binding("left", "move(0, -1)", "Token left", show=False, id="maps.left"),
        Binding("right", "move(0, 1)", "Token right", show=False, id="maps.right"),
        Binding("left_square_bracket", "sets(-1)", "Set before", show=False, id="maps.set_before"),
        Binding("right_square_bracket", "sets(1)", "Next set", show=False, id="maps.set_next"),
        Binding("e", "own", "Own sentences", show=False, id="maps.own"),
        Binding("c", "checkpoints", "Checkpoints", show=False, id="maps.checkpoints"),
        Binding("d", "differ", "What differs", show=False, id="maps.differ"),
        Binding("n", "noise", "Noise", show=False, id="maps.noise"),
        Binding("u", "question", "Question", show=False, id="maps.question"),
        Binding("o", "across", "Across", show=False, id="maps.across"),
        Binding("g", "trace", "Trace", id="maps.trace"),
        Binding("x", "cancel", "Cancel", id="maps.cancel"),
        Binding("m", "next_map", "Next map", id="maps.next"),
        Binding("enter", "words", "Words here", id="maps.words"),
        Binding("h", "steer", "Steer here", id="maps.steer"),
        Binding("t", "table", "Table", id="maps.table"),
        Binding("s", "save", "Save", id="maps.save"),
    ]
    DEFAULT_CSS = "KnowledgePanel { margin: 0; &.-empty > .figures { display: none; } }"

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.said = Static(id="maps-asked"), Static(id="maps-said")
        self.heat, self.words = (Static(id=f"maps-{name}", classes="figures") for name in ("heat", "words"))
        self.order: MapRequest | None = None
        self.job: MapJob | None = None
        self.place_of_map, self.at = 0, (0, 0)
        self._drawn: Any = None

    def compose(self) -> ComposeResult:
        """What is asked for, what it comes to, the map, and what a cell of it would say."""
        yield self.asked
        yield self.said
        yield self.heat
        yield self.words

    def on_mount(self) -> None:
        """Watch the maps that are being computed."""
        self.set_interval(_WATCH_EVERY, self._watch)

    def on_resize(self) -> None:
        """Maps are as wide as the screen."""
        self.draw()

    # -------------------------------------------------------------------------------------------------------- drawing

    def draw(self) -> None:
        """Everything as it stands."""
        if self.engine is None or not self.is_mounted:
            return
        order = self._order()
        what = (
            f"set {order.set}"
            if order.set
            else f"{order.true!r}" + (f" against {order.false!r}" if order.false else "")
        )
        options = [
            " and ".join(order.checkpoints),
            f"{order.differ} differs" if order.set and order.corruption == "false" else "",
            "noise on the subject" if order.corruption == "noise" else "",
            ASKED[order.asks].removeprefix(", "),
            "across both ways" if order.across else "",
        ]
        self.asked.update(Content(f"{what} · {' · '.join(each for each in options if each)}"))
        self._draw_map()

    def _draw_map(self) -> None:
        from core.knowledge.conclusion import map_conclusion
        from tui.widgets import heatmap

        shown = self._map()
        if shown is None:
            hint = "g computes where the model keeps this; [ and ] choose another set, e your own sentences."
            self.said.update(Content(self.job.view.said if self.job else hint))
            self.heat.update("")
            self.set_class(True, "-empty")
            return
        self.set_class(False, "-empty")
        self.at = (min(self.at[0], shown.layers - 1), min(self.at[1], len(shown.columns) - 1))
        glyphs = shell(self).glyphs
        maps = self._maps()
        job = self.job.view if self.job else None
        done = job is not None and job.state == "done"
        said = Content.styled(map_conclusion(self._traced()), "bold") if done else Content(job.said if job else "")
        self.said.update(said)
        title = f"{shown.title} ({self.place_of_map + 1} of {len(maps)}) · {shown.described(*self.at)}"
        picture = heatmap.drawn(shown, max(30, self.size.width - 2), self.at, glyphs)
        lines = [Content.styled(title, "$quiet"), picture, heatmap.legend(shown, glyphs)]
        self.heat.update(Content("\n").join([*lines, *map(Content, self._traced().lines)]))

    def _watch(self) -> None:
        """Draw what is new."""
        if self.job is not None and self.job.view is not self._drawn:
            self._drawn = self.job.view
            self._draw_map()
            if self.job.view.state == "failed":
                self.notice.refuse(f"{self.job.view.sentence}")

    # ------------------------------------------------------------------------------------------------- what is asked for

    def action_sets(self, by: int) -> None:
        """Another set."""
        names = self._sets()
        order = self._order()
        at = names.index(order.set) if order.set in names else -by if by > 0 else 0
        self._ask(replace(order, set=names[(at + by) % len(names)], true="", false="", subject=""))

    def action_own(self) -> None:
        """Ask for two sentences."""
        from tui.dialogs.dialogs import LineDialog

        order = self._order()
        value = f"{order.true} {_SEPARATOR} {order.false}" if order.true else ""
        hint = f"A true sentence, {_SEPARATOR}, and a false one of as many tokens; with noise: the true one, {_SEPARATOR}, its subject."
        self.app.push_screen(LineDialog("Your own sentences", value, hint, self._taken), self.told)

    def _taken(self, line: str) -> str:
        first, _, second = (part.strip() for part in line.partition(_SEPARATOR))
        order = self._order()
        noise = order.corruption == "noise"
        false, subject = ("", second) if noise else (second, "")
        self._ask(replace(order, set="", true=first, false=false, subject=subject, **_judged(order)))
        return ""

    def action_checkpoints(self) -> None:
        """The base and the final checkpoint, then each alone."""
        assert self.engine is not None
        names = [each.name for each in self.engine.family.present]
        every = [(names[0], names[-1])] * (len(names) > 1) + [(name,) for name in names]
        order = self._order()
        at = every.index(order.checkpoints) if order.checkpoints in every else -1
        chosen = every[(at + 1) % len(every)]
        self._ask(replace(order, checkpoints=chosen, across=order.across and len(chosen) == 2))

    def action_differ(self) -> None:
        """What differs in a set's pairs."""
        order = self._order()
        self._ask(replace(order, differ="object" if order.differ == "subject" else "subject", **_judged(order)))

    def action_noise(self) -> None:
        """Noise on the subject, or a false sentence."""
        order = self._order()
        noise = order.corruption == "false"
        false = "" if noise else order.false
        with self.notice.refusing():
            self._ask(
                replace(order, corruption="noise" if noise else "false", false=false, across=False, **_judged(order))
            )

    def action_question(self) -> None:
        """Whether a statement is true, behind "This statement is:" or at once; or its object, of a set."""
        order = self._order()
        every = [each for each in ASKED if each != "recall" or (order.set and order.corruption == "false")]
        asks = every[(every.index(order.asks) + 1) % len(every)] if order.asks in every else every[0]
        self._ask(replace(order, asks=asks, differ="subject" if asks == "recall" else order.differ))

    def action_across(self) -> None:
        """Also from one checkpoint into the other, or not."""
        order = self._order()
        with self.notice.refusing():
            self._ask(replace(order, across=not order.across))

    def _ask(self, order: MapRequest) -> None:
        """Something else is asked for; what was computed for it already is shown."""
        self.order, self.job, self._drawn = order, None, None
        self.words.update("")
        self.say("")
        self.draw()

    # ---------------------------------------------------------------------------------------------------------- doing

    def action_trace(self) -> None:
        """Compute the maps, or show those that are there."""
        if self.engine is None:
            return
        with self.notice.refusing():
            self.job = self.engine.trace(self._order())
            self.place_of_map = 0
            self.draw()

    def action_cancel(self) -> None:
        """Stop computing; the rows that are there stay."""
        if self.job is not None:
            self.job.cancel()

    def action_move(self, layers: int, columns: int) -> None:
        """Move the cursor."""
        shown = self._map()
        if shown is not None:
            layer = min(shown.layers - 1, max(0, self.at[0] + layers))
            self.at = (layer, min(len(shown.columns) - 1, max(0, self.at[1] + columns)))
            self._draw_map()

    def action_next_map(self) -> None:
        """The next map."""
        if self._maps():
            self.place_of_map = (self.place_of_map + 1) % len(self._maps())
            self._draw_map()

    def action_words(self) -> None:
        """What the residual at the cursor would say."""
        shown = self._map()
        if shown is not None:
            self.words.update(Content("Looking …"))
            self._find_words(self._traced(), shown, self.at)

    @work(thread=True, exclusive=True, group="cell", exit_on_error=False)
    def _find_words(self, traced: Traced, shown: Map, at: tuple[int, int]) -> None:
        assert self.engine is not None
        try:
            found = self.engine.cell_words(traced, shown, *at)
        except TillerError as error:
            self.app.call_from_thread(self.words.update, Content(f"✗ {error}"))
            return
        lines = [f"The residual at {found.said!r}, {shown.described(*at)}, would say (logit lens):"]
        width = max(map(len, found.titles))
        for title, layers in zip(found.titles, found.rows, strict=True):
            lines.append(
                f"{title.rjust(width)}  "
                + "  ".join(f"{word.strip() or repr(word)} {probability_text(p)}" for word, p in layers[0])
            )
        lines += [found.note] if found.note else []
        self.app.call_from_thread(self.words.update, Content("\n".join(lines)))

    def action_steer(self) -> None:
        """Move the selected column's recipe to the cursor's layer, and go to Chat."""
        if self.engine is None or self._map() is None:
            return
        column = self.place.chat.session.settings.column
        direction = direction_for(column.recipe, list(self.engine.catalogue.cards(column.checkpoint)))
        if not direction:
            self.notice.refuse("This checkpoint has no directions to steer by yet; Chat learns them.")
            return
        with self.notice.refusing():
            self.place.chat.sliders.use(steered_at(column.recipe, self.at[0], direction))
            self.place.action_chat()

    def action_table(self) -> None:
        """The maps as text."""
        from tui.dialogs.dialogs import TextDialog

        text = "\n\n".join(f"{each.title}\n{map_table(each).text()}" for each in self._maps())
        if text:
            told = "\n".join((text, "", *self._traced().lines))
            self.app.push_screen(TextDialog(f"Maps of {self._order().title}", Content(told), copy=told))

    def action_save(self) -> None:
        """Ask for a folder and write the maps there."""
        if self._maps():
            self.ask_where(
                "Save the maps", "maps", "A folder: the maps go there as maps.svg and maps.csv.", self._saved
            )

    def _saved(self, folder: str) -> str:
        from core.knowledge import map_export
        from core.util.files import write_bytes

        to = Path(folder).expanduser()
        write_bytes(to / "maps.svg", map_export.to_svg(self._traced()).encode())
        write_bytes(to / "maps.csv", map_export.map_csv(self._traced()).encode())
        return f"maps.svg and maps.csv written to {to}."

    # ------------------------------------------------------------------------------------------------------ looking up

    def _order(self) -> MapRequest:
        """What is asked for; in the beginning the first set, of the base and the final checkpoint."""
        assert self.engine is not None
        if self.order is None:
            family = self.engine.family
            names = tuple(dict.fromkeys((family.present[0].name, family.final.name)))
            self.order = MapRequest(names, set=self._sets()[0])
        return self.order

    def _sets(self) -> list[str]:
        from core.knowledge import facts

        assert self.engine is not None
        return list(facts.categories(facts.load_facts(self.engine.family)[0]))

    def _traced(self) -> Traced:
        return self.job.view.traced if self.job is not None else Traced(self._order())

    def _maps(self) -> list[Map]:
        return [each for each in self._traced().maps if each.columns]

    def _map(self) -> Map | None:
        maps = self._maps()
        return maps[self.place_of_map % len(maps)] if maps else None
