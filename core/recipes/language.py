"""The recipe language: what to do to the residual stream while generating, written as one line.

``str(parse(text))`` is the canonical text of a recipe, and ``parse`` of that is equal to the recipe. Every error names the
character (1-based) at which reading stopped and says what would do. No torch is needed here: what a recipe *does* is in
``edits``.

Grammar::

    recipe  = [ "-" ] term { ( "+" | "-" ) term }
    term    = action [ "?" gate ]
    action  = [ number "*" ] place            add that many gaps of a direction
            | "!" place                       ablate it
            | "!" "neurons:" place            set a named set of MLP neurons to their means
            | place "=" number                hold the projection: 0 = negative class mean, 1 = positive class mean
    place   = name [ "@" checkpoint ] [ "[" layers "]" ] [ ":" scope ]
    layers  = range { "," range }             range = number [ "-" number ]
    scope   = "all" | "prompt" | "reply" | "last"
    gate    = name [ "@" checkpoint ] ( ">" | "<" ) number
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from core.errors import TillerError
from core.recipes.scanner import LineReader
from core.util.limits import MAX_RECIPE, MAX_TERMS

Kind = Literal["add", "ablate", "hold", "neurons"]
Scope = Literal["all", "prompt", "reply", "last"]

SCOPES: tuple[Scope, ...] = ("all", "prompt", "reply", "last")
#: What stands before the name of a set of neurons; no direction may be called so.
NEURONS = "neurons"
#: The largest strength a recipe may ask for, in gaps. Text breaks long before it.
MAX_STRENGTH = 10.0

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*(?:[-/][A-Za-z_][A-Za-z0-9_.]*)*")
_SOURCE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]*(?:[-/][A-Za-z0-9_][A-Za-z0-9_.]*)*")


class StrengthError(TillerError, ValueError):
    """A strength beyond :data:`MAX_STRENGTH`."""


@dataclass(frozen=True)
class Gate:
    """Lets a term act only where the reading of a direction at the position before is above, or below, a threshold.

    The reading is that of the model as it is, before any edit; all of a prompt is judged by its last token. ``source`` is the checkpoint
    that the direction was learnt on, ``None`` for the one that is steered.
    """

    direction: str
    above: bool
    threshold: float
    source: str | None = None

    def __str__(self) -> str:
        source = f"@{self.source}" if self.source else ""
        return f"{self.direction}{source}{'>' if self.above else '<'}{number_text(self.threshold)}"


@dataclass(frozen=True)
class Term:
    """One edit of the residual stream, or of MLP neurons.

    ``value`` is the strength in gaps for ``add``, the projection to set for ``hold``, and 1.0 for the others. ``direction`` is the name
    of a direction or, for ``neurons``, of a set of neurons. ``source`` is the checkpoint it was learnt on, ``None`` for the checkpoint
    that is steered. ``layers`` is ``None`` for the direction's best layer (``ablate``: every layer; ``neurons``: every layer that the
    set has neurons in), else sorted 0-based block indices.

    Raises:
        StrengthError: a value that is not finite or beyond :data:`MAX_STRENGTH`.
    """

    kind: Kind
    direction: str
    value: float = 1.0
    source: str | None = None
    layers: tuple[int, ...] | None = None
    scope: Scope = "all"
    gate: Gate | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.value) or abs(self.value) > MAX_STRENGTH:
            raise StrengthError(_beyond(self.kind, self.value))

    @property
    def place(self) -> str:
        """The term without its number: ``refusal@base[4]:reply``."""
        source = f"@{self.source}" if self.source else ""
        layers = f"[{layers_text(self.layers)}]" if self.layers is not None else ""
        scope = f":{self.scope}" if self.scope != "all" else ""
        return f"{self.direction}{source}{layers}{scope}"

    def __str__(self) -> str:
        return f"{self._action}{f'?{self.gate}' if self.gate else ''}"

    @property
    def _action(self) -> str:
        if self.kind == "ablate":
            return f"!{self.place}"
        if self.kind == "neurons":
            return f"!{NEURONS}:{self.place}"
        if self.kind == "hold":
            return f"{self.place}={number_text(self.value)}"
        return f"{number_text(self.value)}*{self.place}"


@dataclass(frozen=True)
class Recipe:
    """Terms that act together. The empty recipe leaves the model as it is.

    Raises:
        TillerError: more terms than a recipe has, or more text than could be read again: links and kept chats hold recipes as text.
    """

    terms: tuple[Term, ...] = ()

    def __post_init__(self) -> None:
        if len(self.terms) > MAX_TERMS:
            raise TillerError(f"A recipe has at most {MAX_TERMS} terms; leave some out.")
        if len(str(self)) > MAX_RECIPE:
            raise TillerError(f"Written in full, a recipe has at most {MAX_RECIPE:,} characters; leave some terms out.")

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __str__(self) -> str:
        pieces: list[str] = []
        for term in self.terms:
            negative = term.kind == "add" and math.copysign(1.0, term.value) < 0
            if not pieces:
                pieces.append(str(term))
            elif negative:
                pieces.append(f"- {replace(term, value=-term.value)}")
            else:
                pieces.append(f"+ {term}")
        return " ".join(pieces)

    def slider(self, direction: str) -> Term | None:
        """The term that the slider of ``direction`` shows: the first addition of it."""
        return next((term for term in self.terms if term.kind == "add" and term.direction == direction), None)

    def strength(self, direction: str) -> float:
        """Where the slider of ``direction`` stands, in gaps; 0 when the recipe does not add it."""
        term = self.slider(direction)
        return term.value if term else 0.0

    def with_strength(self, direction: str, value: float, source: str | None = None) -> Recipe:
        """The recipe after the slider of ``direction`` was moved: its layers, scope and gate are kept, 0 removes the term."""
        old = self.slider(direction)
        if old is None:
            if value == 0:
                return self
            return Recipe((*self.terms, Term("add", direction, value, source)))
        if value == 0:
            return Recipe(tuple(term for term in self.terms if term is not old))
        new = replace(old, value=value, source=source)
        return Recipe(tuple(new if term is old else term for term in self.terms))

    def directions(self) -> tuple[tuple[str, str | None], ...]:
        """Every (direction, source checkpoint) the recipe needs, those of gates too, each once, in order."""
        own = [(term.direction, term.source) for term in self.terms if term.kind != "neurons"]
        return tuple(dict.fromkeys(own + [(gate.direction, gate.source) for gate in self.gates()]))

    def gates(self) -> tuple[Gate, ...]:
        """The gates of its terms, each once, in order."""
        return tuple(dict.fromkeys(term.gate for term in self.terms if term.gate))


def _beyond(kind: Kind, value: float) -> str:
    """That a strength, or a value to hold, is out of all range: in what it is counted, and what is usual."""
    ends = f"between -{MAX_STRENGTH:g} and {MAX_STRENGTH:g}"
    if kind == "hold":
        return f"A value to hold lies {ends}; {value:g} does not (0 is the negative class mean, 1 the positive one)."
    return (
        f"A strength lies {ends} gaps; {value:g} does not (1 gap is as far as the two class means lie apart; beyond 2 most text breaks, "
        "and a vector of another program can be imported again with a larger --scale)."
    )


def number_text(value: float) -> str:
    """The shortest text that reads back as ``value``."""
    text = repr(float(value))
    return text.removesuffix(".0")


def layers_text(layers: Iterable[int]) -> str:
    """``(2, 4, 5, 6)`` as ``2,4-6``."""
    runs: list[list[int]] = []
    for layer in layers:
        if runs and layer == runs[-1][1] + 1:
            runs[-1][1] = layer
        else:
            runs.append([layer, layer])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def parse(text: str) -> Recipe:
    """Read a recipe.

    Raises:
        RecipeError: with the character and the fix.
    """
    return _Reader(text).recipe()


class _Reader(LineReader):
    """A recursive-descent reader over one line of text."""

    def recipe(self) -> Recipe:
        if len(self.text) > MAX_RECIPE:
            raise self.error(f"a recipe has at most {MAX_RECIPE:,} characters; leave some terms out.", MAX_RECIPE)
        self.space()
        if self.end():
            return Recipe()
        terms = [self.term(negative=self.eat("-"))]
        while True:
            self.space()
            if self.end():
                return self.whole(terms)
            if len(terms) == MAX_TERMS:
                raise self.error(f"a recipe has at most {MAX_TERMS} terms; leave some out.")
            if self.eat("+"):
                self.space()
                terms.append(self.term(negative=self.eat("-")))
            elif self.eat("-"):
                terms.append(self.term(negative=True))
            else:
                raise self.error(
                    f"{self.text[self.at]!r} does not fit here; put + or - between terms, as in 1*refusal - 0.5*truth."
                )

    def whole(self, terms: list[Term]) -> Recipe:
        try:
            return Recipe(tuple(terms))
        except TillerError as error:
            sentence = str(error)
            raise self.error(sentence[0].lower() + sentence[1:]) from error

    def term(self, negative: bool) -> Term:
        term = self.action(negative)
        self.space()
        return replace(term, gate=self.gate()) if self.eat("?") else term

    def action(self, negative: bool) -> Term:
        self.space()
        start = self.at
        if self.eat("!"):
            if negative:
                raise self.error("an ablation has no sign; write + !name.", start)
            return self.ablation(start)
        number = self.number()
        if number is not None:
            self.space()
            if not self.eat("*"):
                raise self.error("a * belongs between the strength and the direction, as in 1.5*refusal.")
            value = -number if negative else number
            term = self.place("add", value, start)
            self.space()
            if self.peek() == "=":
                raise self.error("a term either adds (1.5*name) or holds (name=0), not both.")
            return term
        term = self.place("add", -1.0 if negative else 1.0, start)
        self.space()
        if not self.eat("="):
            return term
        if negative:
            raise self.error("a hold has no sign before it; write + name=0.", start)
        at = self.after_space()
        number = self.signed()
        if number is None:
            raise self.error("a number belongs after =, 0 for the negative and 1 for the positive class mean.", at)
        return self.build("hold", number, term, at)

    def ablation(self, start: int) -> Term:
        self.space()
        at = self.at
        if self.match(_NAME) != NEURONS:
            self.at = at
            return self.place("ablate", 1.0, start)
        if not self.eat(":"):
            raise self.error(f"a : and the name of a set belong after !{NEURONS}, as in !{NEURONS}:entropy.")
        return self.place("neurons", 1.0, start)

    def gate(self) -> Gate:
        self.space()
        direction, source = self.name("gate"), self.source()
        self.space()
        above = self.eat(">")
        if not above and not self.eat("<"):
            raise self.error("a > or < and a reading belong here, as in 2*truth?refusal>0.5.")
        at = self.after_space()
        number = self.signed()
        if number is None:
            raise self.error(
                "a reading belongs here, 0 for the negative and 1 for the positive class mean, as in ?refusal>0.5.", at
            )
        if not math.isfinite(number):
            raise self.error("this number is too large; readings lie around 0 and 1.", at)
        return Gate(direction, above, number, source)

    def place(self, kind: Kind, value: float, start: int) -> Term:
        self.space()
        direction, source = self.name(kind), self.source()
        layers: tuple[int, ...] | None = None
        scope: Scope = "all"
        if self.eat("["):
            layers = self.layers()
        if self.eat(":"):
            scope = self.scope()
        return self.build(kind, value, Term("add", direction, 1.0, source, layers, scope), start)

    def name(self, of: str) -> str:
        """The name of a direction or, for a term of ``neurons``, of a set."""
        at = self.at
        found = self.match(_NAME)
        if found is None:
            there = f"not {self.text[self.at]!r}" if not self.end() else "and the line ends"
            if of == "neurons":
                raise self.error(f"the name of a set of neurons belongs here, such as entropy, {there}.")
            raise self.error(f"the name of a direction belongs here, such as refusal or truth, {there}.")
        if found == NEURONS and of != "neurons":
            raise self.error(f"neurons are only set to their means; write !{NEURONS}:entropy.", at)
        return found

    def source(self) -> str | None:
        if not self.eat("@"):
            return None
        found = self.match(_SOURCE)
        if found is None:
            raise self.error("the name of a checkpoint belongs after @, as in refusal@base.")
        return found

    def build(self, kind: Kind, value: float, term: Term, at: int) -> Term:
        if not math.isfinite(value) or abs(value) > MAX_STRENGTH:
            sentence = _beyond(kind, value)
            raise self.error(sentence[0].lower() + sentence[1:], at)
        return replace(term, kind=kind, value=value)

    def layers(self) -> tuple[int, ...]:
        chosen: set[int] = set()
        while True:
            first = self.integer()
            last = first
            if self.eat("-"):
                at = self.at
                last = self.integer()
                if last < first:
                    raise self.error(f"a range of layers runs upwards, as in [{last}-{first}].", at)
            chosen.update(range(first, last + 1))
            self.space()
            if self.eat("]"):
                return tuple(sorted(chosen))
            if not self.eat(","):
                raise self.error("a ] belongs after the layers, as in [4] or [5-8].")

    def scope(self) -> Scope:
        at = self.at
        word = self.match(_NAME)
        for scope in SCOPES:
            if word == scope:
                return scope
        raise self.error(f"a scope is one of {', '.join(SCOPES)}.", at)
