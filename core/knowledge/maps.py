"""Knowledge maps as values: what is asked for, layer × token maps, and how two of them compare. No torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from core.display.lenses import Lens
from core.errors import TillerError
from core.recipes.language import Recipe, Term
from core.stats.similarity import Similarity
from core.util.figures import change_text, figure_text, interval_text

Corruption = Literal["false", "noise"]
Differ = Literal["subject", "object"]
#: Layers, the first one first, each a number for every column; NaN where there is none (yet).
Cells = tuple[tuple[float, ...], ...]

#: What a token is to its statement, in the order in which maps show it.
ROLES = (
    "start", "subject first", "subject middle", "subject last", "relation", "object", "full stop", "suffix",
)  # fmt: skip
#: How many pairs a set is averaged over unless another number is given, and at most.
PAIRS, MOST_PAIRS = 50, 2_000

_EFFECT = Lens(
    "effect", "effect", "How much of the true sentence's answer one replaced residual brings back: 0 none, 1 all of it.",
    "magnitude", 0.0, 1.0, "",
)  # fmt: skip


#: What a model is asked of a statement.
Asks = Literal["question", "plain", "recall"]
#: In a title.
ASKED: Mapping[Asks, str] = {"question": "", "plain": ", without the question", "recall": ", its object recalled"}


class MapError(TillerError):
    """A map that cannot be made as it was asked for."""


@dataclass(frozen=True)
class MapRequest:
    """What map is wanted.

    A pair of sentences (``true`` and ``false``), or a ``set`` (a category of facts, or a ``file`` of labelled statements) of ``pairs``
    pairs that ``differ`` in their subject or object. ``checkpoints`` are one or two; with two, ``across`` also puts the residuals of each
    into the other. ``corruption``: the false sentence, or noise on the subject of the true one (whose words ``subject`` are). ``asks``:
    whether it is true, behind "This statement is:" (``question``) or at once (``plain``), or, of a statement cut off before its object, for
    that (``recall``), which takes no knowledge of what true and false mean.

    Raises:
        MapError: for what does not go together.
    """

    checkpoints: tuple[str, ...]
    set: str = ""
    true: str = ""
    false: str = ""
    subject: str = ""
    corruption: Corruption = "false"
    differ: Differ = "subject"
    asks: Asks = "question"
    pairs: int = PAIRS
    across: bool = False
    file: str = ""

    def __post_init__(self) -> None:
        if not self.set and not self.true.strip():
            raise MapError(
                "Write a true sentence, and a false one of as many tokens, or choose a set (--set on the command line, such as cities)."
            )
        if not self.set and self.corruption == "false" and not self.false.strip():
            raise MapError("Write the false sentence, too, or choose noise on the subject.")
        if not 1 <= len(set(self.checkpoints)) == len(self.checkpoints) <= 2:
            raise MapError("A map is of one checkpoint or of two different ones; name them.")
        if self.across and len(self.checkpoints) != 2:
            raise MapError("Residuals are put from one checkpoint into another; name two checkpoints.")
        if self.across and self.corruption == "noise":
            raise MapError(
                "Residuals go across checkpoints with a false sentence, not with noise; choose one of the two."
            )
        if self.asks == "recall" and (not self.set or self.corruption == "noise" or self.differ == "object"):
            raise MapError(
                "An object is recalled in a set, by another subject in the false run; choose a set, and no noise."
            )
        if self.file and (self.asks == "recall" or self.corruption == "noise" or self.differ == "object"):
            raise MapError(
                "Of a file of labelled statements only the labels are known, not what any word is: leave out --recall, --noise and "
                "--differ object, or name one of the sets there are (--sets)."
            )
        if not 1 <= self.pairs <= MOST_PAIRS:
            raise MapError(f"A set is averaged over 1 to {MOST_PAIRS} pairs, not {self.pairs}.")

    @property
    def title(self) -> str:
        """What is traced, in words."""
        what = self.set if self.set else self.true
        noise = ", noise on the subject" if self.corruption == "noise" else ""
        return f"{what}{noise}{ASKED[self.asks]}"


@dataclass(frozen=True)
class Map:
    """Layers × columns of effects: (metric − false run) / (true run − false run), where the metric is logit(TRUE) − logit(FALSE).

    ``columns`` are tokens, or roles for an average over ``n`` pairs; ``half`` is half of each cell's 95 % interval, where there is one.
    ``source`` is the checkpoint whose residuals are put into ``target``; the two are one unless a map goes across. ``minus`` is the
    checkpoint whose map was taken away.
    """

    source: str
    target: str
    columns: tuple[str, ...]
    cells: Cells
    half: Cells | None = None
    n: int = 1
    minus: str = ""
    note: str = ""

    @property
    def title(self) -> str:
        """How the map is called."""
        if self.minus:
            return f"{self.target} − {self.minus}"
        return self.target if self.source == self.target else f"{self.source} → {self.target}"

    @property
    def layers(self) -> int:
        """The number of layers."""
        return len(self.cells)

    @property
    def known(self) -> list[float]:
        """Every cell that has a number."""
        return [value for row in self.cells for value in row if not math.isnan(value)]

    @property
    def lens(self) -> Lens:
        """How the map is coloured: from none to all of the effect, or on both sides of nothing."""
        largest = max((abs(value) for value in self.known), default=0.0)
        if self.minus:
            return signed(max(largest, 0.05))
        if min(self.known, default=0.0) < -0.1 or largest > 1.1:
            return signed(max(largest, 1.0))
        return _EFFECT

    def described(self, layer: int, column: int) -> str:
        """A cell in words."""
        value = self.cells[layer][column]
        where = f"layer {layer}, {self.columns[column].strip() or repr(self.columns[column])}"
        if math.isnan(value):
            return f"{where}: no number"
        width = self.half[layer][column] if self.half else math.nan
        more = "" if math.isnan(width) else f" ± {figure_text(width)}"
        return f"{where}: {change_text(value)}{more}"


def signed(largest: float) -> Lens:
    """The colours of a map with values on both sides of nothing."""
    return Lens("difference", "difference", "Above or below nothing.", "signed", -largest, largest, "")


@dataclass(frozen=True)
class Comparison:
    """Two checkpoints' maps: Pearson's r over all cells, with what it can be at most and what unrelated maps have.

    ``halves`` say how well each map would correlate with one of as many other pairs (Spearman and Brown's step from halves to the whole is
    taken), ``null`` the correlation with the other
    checkpoint's map of another category (``null_set``); None where a single pair has none. ``largest`` is the cell with the largest
    difference: layer, column, value, half of its 95 % interval. ``above`` is how far r lies above the null, with the 95 % interval.
    ``freed`` is r as a part of its ceiling, from pairs that the two do not share.
    """

    r: float
    low: float
    high: float
    halves: tuple[float, float] | None
    null: float | None
    null_set: str
    largest: tuple[int, int, float, float]
    n: int
    above: tuple[float, float, float] | None = None
    freed: Similarity | None = None

    @property
    def ceiling(self) -> float | None:
        """What r of maps from different pairs can be expected to reach at most: the geometric mean of the two reliabilities."""
        if self.halves is None or min(self.halves) <= 0:
            return None
        return math.sqrt(self.halves[0] * self.halves[1])

    def lines(self, of: Map) -> tuple[str, ...]:
        """The comparison in words; ``of`` is the map of differences."""
        layer, column, value, width = self.largest
        said = figure_text(self.r) if math.isnan(self.low) else interval_text(self.r, self.low, self.high)
        found = [f"Pearson correlation of the two maps: {said}, {self.n} pair{'s' * (self.n != 1)}."]
        if self.halves is not None:
            top = f"; the two can agree at {figure_text(self.ceiling)} at most" if self.ceiling is not None else ""
            found.append(
                "On other pairs, each map would agree with itself at "
                f"{figure_text(self.halves[0])} and {figure_text(self.halves[1])}{top}."
            )
        if self.freed is not None:
            found.append(
                f"Freed of noise (crossed halves of the pairs): {interval_text(self.freed.value, self.freed.low, self.freed.high)}; "
                "about 1 where the maps are one and the same."
            )
        if self.null is not None:
            gain, low, high = self.above or (math.nan, math.nan, math.nan)
            over = (
                f"; r lies {change_text(gain)} ({change_text(low)} to {change_text(high)}) above it"
                if not math.isnan(low)
                else ""
            )
            found.append(f"Null, against the other's map of {self.null_set}: {figure_text(self.null)}{over}.")
        more = "" if math.isnan(width) else f" ± {figure_text(width)}"
        found.append(f"Largest difference: {change_text(value)}{more} at layer {layer}, {of.columns[column].strip()}.")
        return tuple(found)


@dataclass(frozen=True)
class Traced:
    """The maps so far: rows that are not computed yet are NaN. ``notes`` are sentences on what to know about them.

    ``examples`` are the pairs, the first few of a set, as (true, false). Of a set, ``asked`` pairs were asked about, of which every
    checkpoint judged ``right`` rightly; ``wanted`` are to be traced.
    """

    order: MapRequest
    maps: tuple[Map, ...] = ()
    comparison: Comparison | None = None
    notes: tuple[str, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()
    part: float = 0.0
    sentence: str = "Waiting for the model."
    left: float | None = None
    asked: int = 0
    right: int = 0
    wanted: int = 0

    def map(self, title: str) -> Map | None:
        """The map of that title."""
        return next((each for each in self.maps if each.title == title), None)

    @property
    def lines(self) -> tuple[str, ...]:
        """What the comparison and the notes say."""
        compared = next((each for each in self.maps if each.minus), None)
        told = self.comparison.lines(compared) if self.comparison and compared else ()
        return (*told, *self.notes)


@dataclass(frozen=True)
class Words:
    """What a residual would say if it were unembedded: the likeliest words with their probabilities, for each of ``titles``."""

    titles: tuple[str, ...]
    #: By title, by layer: (word, probability), the likeliest first.
    rows: tuple[tuple[tuple[tuple[str, float], ...], ...], ...]
    layers: tuple[int, ...]
    said: str = ""
    note: str = ""


@dataclass
class _Table:
    """Rows of text under a head, for whoever reads numbers rather than colours."""

    head: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def text(self) -> str:
        """The table in columns."""
        widths = [max(len(row[place]) for row in (self.head, *self.rows)) for place in range(len(self.head))]
        return "\n".join(_line(row, widths) for row in (self.head, *self.rows))


def _line(row: Sequence[str], widths: Iterable[int]) -> str:
    return "  ".join(each.rjust(width) for each, width in zip(row, widths, strict=True)).rstrip()


def map_table(shown: Map) -> _Table:
    """A map as a table, the last layer first, as it is drawn."""
    made = _Table(("layer", *(each.strip() or repr(each) for each in shown.columns)))
    for layer in reversed(range(shown.layers)):
        made.rows.append((str(layer), *(cell_text(value) for value in shown.cells[layer])))
    return made


def cell_text(value: float) -> str:
    """A cell as a table has it."""
    return "·" if math.isnan(value) else figure_text(value)


def minus(one: Map, other: Map) -> Map:
    """How much more of the effect ``one`` has, cell by cell."""
    cells = tuple(
        tuple(a - b for a, b in zip(row, taken, strict=True)) for row, taken in zip(one.cells, other.cells, strict=True)
    )
    return Map(one.source, one.target, one.columns, cells, None, min(one.n, other.n), minus=other.target)


def direction_for(recipe: Recipe, names: Sequence[str]) -> str:
    """What steers where a map of facts points to, of the directions that there are: truth, which is what a map tells apart; else what the
    recipe adds already, else the first. Empty where there is none."""
    added = [term.direction for term in recipe.terms if term.kind == "add"]
    return next(iter([*(["truth"] if "truth" in names else []), *added, *names]), "")


def steered_at(recipe: Recipe, layer: int, direction: str) -> Recipe:
    """A recipe that adds ``direction`` at ``layer``: its addition of that moved there, or one strength of it added where it has none."""
    first = recipe.slider(direction)
    if first is None:
        return Recipe((*recipe.terms, Term("add", direction, 1.0, None, (layer,))))
    moved = replace(first, layers=(layer,))
    return Recipe(tuple(moved if term is first else term for term in recipe.terms))
