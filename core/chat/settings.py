"""The values that the engine and both front ends share: a session's settings. No torch here.

One :class:`Settings` says everything about a session: a link, an export, a preset and both front ends carry it, and
``Settings.from_json(settings.to_json()) == settings`` for every one.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlparse

from core.chat.screens import CHAT, TABS
from core.errors import TillerError
from core.families.checkpoint import TEMPLATE_VAR, TemplateVars
from core.recipes.in_words import MESSAGE
from core.recipes.language import Recipe, parse
from core.util.decode import DecodeError, Decoder
from core.util.files import parsed_json
from core.util.limits import MAX_LINK, MAX_MESSAGE, MAX_STOP, MAX_STOPS, MAX_TOKENS, MAX_TURNS
from core.util.text import clean

MAX_COLUMNS = 4
MAX_VARIABLES = 16
#: Seeds are whole numbers from 0, below this.
MAX_SEED = 2**63
#: A temperature or a penalty above this is allowed, and hardly ever wanted.
WARM = 2.0
#: How the names of the lenses for training stages begin; behind it stands which of the questions of :mod:`core.families.stages` is asked.
BLAME = "blame"
#: The lens of each question about a stage (:mod:`core.families.stages`).
STAGE_LENSES = {
    "introduced_at": BLAME,
    "retrained_without": f"{BLAME}:retrained",
    "subtracted": f"{BLAME}:subtracted",
    "first_order": f"{BLAME}:first-order",
}


class SettingsError(TillerError):
    """Settings, a link or an export that cannot be read; ``about`` names the value of the sampling, or the system prompt, that is wrong."""

    def __init__(self, sentence: str, about: str = "") -> None:
        super().__init__(sentence)
        self.about = about


def _check(good: bool, sentence: str, about: str = "") -> None:
    if not good:
        raise SettingsError(sentence, about)


def check_system(text: str) -> None:
    """Raises SettingsError when a system prompt is too long."""
    _check(
        len(text) <= MAX_MESSAGE,
        f"A system prompt has at most {MAX_MESSAGE:,} characters; this one has {len(text):,}.",
        "system",
    )


def check_message(message: str, empty: str) -> str:
    """A message as it is sent, without control characters and the space round it. Raises SettingsError for one that is too long, or with
    the sentence ``empty``."""
    text = clean(message).strip()
    _check(bool(text), empty)
    _check(len(text) <= MAX_MESSAGE, f"A message has at most {MAX_MESSAGE:,} characters; this one has {len(text):,}.")
    return text


#: Reads what anybody may have written: texts are cleaned, recipes are parsed.
UNTRUSTED = Decoder({str: clean, Recipe: parse})


@dataclass(frozen=True)
class Column:
    """A checkpoint and a recipe, side by side with others in a chat.

    ``asks`` are words that are put round each message in this column, with ``{message}`` where it goes (:mod:`core.recipes.in_words`).
    """

    checkpoint: str
    recipe: Recipe = field(default_factory=Recipe)
    asks: str = ""

    def __post_init__(self) -> None:
        _check(
            not self.asks or MESSAGE in self.asks,
            f"The words that a column asks with hold {MESSAGE}, where the message goes.",
        )
        _check(
            len(self.asks) <= MAX_MESSAGE, f"The words that a column asks with are at most {MAX_MESSAGE:,} characters."
        )

    @property
    def does(self) -> str:
        """What is done in this column: ``plain``, ``-1.2*truth``, or ``asked in words``, the latter beside a recipe if there is one."""
        parts = [str(self.recipe)] if self.recipe else []
        return " · ".join(parts + ["asked in words"] * bool(self.asks)) or "plain"

    @property
    def title(self) -> str:
        """What the head of the column says: ``dpo · plain`` or ``dpo · -1.2*truth``."""
        return f"{self.checkpoint} · {self.does}"


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. Temperature 0 is greedy; top_k 0 and top_p 1 switch those filters off."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    max_new_tokens: int = 96
    seed: int = 0
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check(
            self.temperature == 0 or 0.01 <= self.temperature <= 5,
            "The temperature is 0 (always the likeliest token) or lies between 0.01 and 5.",
            "temperature",
        )
        _check(0 < self.top_p <= 1, "Top-p lies above 0 and at most at 1.", "top_p")
        _check(0 <= self.top_k <= 1_000_000, "Top-k is 0 (off) or a whole number above it.", "top_k")
        penalty = "The repetition penalty lies between 0.1 and 5; 1 is off."
        _check(0.1 <= self.repetition_penalty <= 5, penalty, "repetition_penalty")
        longest = f"The longest answer lies between 1 and {MAX_TOKENS} tokens."
        _check(1 <= self.max_new_tokens <= MAX_TOKENS, longest, "max_new_tokens")
        _check(0 <= self.seed < MAX_SEED, "The seed is a whole number from 0.", "seed")
        _check(all(self.stop), "A stop string has at least one character.", "stop")
        _check(
            len(self.stop) <= MAX_STOPS and all(len(each) <= MAX_STOP for each in self.stop),
            f"An answer has at most {MAX_STOPS} stop strings, of {MAX_STOP} characters each.",
            "stop",
        )

    @property
    def hints(self) -> dict[str, str]:
        """What somebody should know who chooses these values, in a sentence for each value that calls for one."""
        found = {}
        if self.temperature > WARM:
            found["temperature"] = f"Above a temperature of {WARM:g} most models write noise; 0.7 is usual."
        if self.repetition_penalty > WARM:
            found["repetition_penalty"] = (
                f"Above a repetition penalty of {WARM:g} most models write noise; 1.1 is usual."
            )
        return found


@dataclass(frozen=True)
class Turn:
    """What the person said, and each column's reply. ``replies`` is empty while the turn is to be answered."""

    user: str
    replies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """The whole state of a chat. ``selected`` is the column that the sliders act on, ``tab`` the place that is open (core.chat.screens),
    ``template_vars`` what chat templates are told beside what the family's file says."""

    family: str
    columns: tuple[Column, ...]
    selected: int = 0
    sampling: Sampling = field(default_factory=Sampling)
    lens: str = "changed"
    system: str = ""
    turns: tuple[Turn, ...] = ()
    tab: str = CHAT.name
    template_vars: TemplateVars = ()

    def __post_init__(self) -> None:
        _check(len(self.columns) >= 1, "A chat has at least one column.")
        _check(0 <= self.selected < len(self.columns), "The selected column is not there.")
        check_system(self.system)
        _check(len(self.turns) <= MAX_TURNS, f"A chat has at most {MAX_TURNS} turns; start a new one.")
        _check(len(self.template_vars) <= MAX_VARIABLES, f"A chat has at most {MAX_VARIABLES} variables of templates.")
        good = all(
            TEMPLATE_VAR.fullmatch(name) and len(str(value)) <= MAX_MESSAGE for name, value in self.template_vars
        )
        _check(good, "A variable of a chat template has a name of letters, digits and _, and a short value.")
        names = [each.name for each in TABS]
        _check(self.tab in names, f"There is no tab {self.tab!r}; there are {', '.join(names)}.")

    @property
    def column(self) -> Column:
        """The selected column."""
        return self.columns[self.selected]

    def with_recipe(self, recipe: Recipe, column: int | None = None) -> Settings:
        """These settings with another recipe in the selected (or the given) column."""
        return self.with_column(replace(self.columns[self._index(column)], recipe=recipe), column)

    def with_column(self, new: Column, column: int | None = None) -> Settings:
        """These settings with the selected (or the given) column replaced."""
        index = self._index(column)
        return replace(self, columns=(*self.columns[:index], new, *self.columns[index + 1 :]))

    def add_column(self, new: Column) -> Settings:
        """These settings with one more column, selected; earlier turns have an empty reply there.

        Raises:
            SettingsError: when there are :data:`MAX_COLUMNS` already.
        """
        _check(len(self.columns) < MAX_COLUMNS, f"A chat has at most {MAX_COLUMNS} columns; close one first.")
        turns = tuple(replace(turn, replies=(*turn.replies, "")) if turn.replies else turn for turn in self.turns)
        return replace(self, columns=(*self.columns, new), selected=len(self.columns), turns=turns)

    def drop_column(self, index: int) -> Settings:
        """These settings without one column and its replies. Raises SettingsError when it is the last one."""
        _check(len(self.columns) > 1, "The last column stays.")
        _check(0 <= index < len(self.columns), "The column to close is not there.")
        turns = tuple(replace(turn, replies=turn.replies[:index] + turn.replies[index + 1 :]) for turn in self.turns)
        columns = self.columns[:index] + self.columns[index + 1 :]
        selected = min(self.selected - (self.selected > index), len(columns) - 1)
        return replace(self, columns=columns, selected=selected, turns=turns)

    def ask(self, message: str) -> Settings:
        """These settings with one more turn, to be answered.

        Raises:
            SettingsError: an empty or far too long message; nothing else changes.
        """
        return replace(self, turns=(*self.turns, Turn(check_message(message, "Write a message first."))))

    def answered(self, column: int, reply: str) -> Settings:
        """These settings with ``column``'s reply to the last turn set."""
        last = self.turns[-1]
        replies = list(last.replies) + [""] * (len(self.columns) - len(last.replies))
        replies[column] = reply
        return replace(self, turns=(*self.turns[:-1], replace(last, replies=tuple(replies))))

    def to_json(self) -> dict[str, Any]:
        """A JSON document; see :meth:`from_json`."""
        return {
            "tiller": 1,
            "family": self.family,
            "columns": [column_json(each) for each in self.columns],
            "selected": self.selected,
            "sampling": {**vars(self.sampling), "stop": list(self.sampling.stop)},
            "lens": self.lens,
            "tab": self.tab,
            "system": self.system,
            "turns": [{"user": turn.user, "replies": list(turn.replies)} for turn in self.turns],
            **({"template_vars": [list(each) for each in self.template_vars]} if self.template_vars else {}),
        }

    @classmethod
    def from_json(cls, document: object) -> Settings:
        """Settings out of a JSON document that anybody may have written.

        Raises:
            SettingsError: one sentence that says which part is wrong.
        """
        good = isinstance(document, Mapping) and document.get("tiller") == 1
        _check(good, "These are not settings of this version of Tiller.")
        assert isinstance(document, Mapping)
        # Before anything is made of them: each column has a recipe to be read.
        columns = document.get("columns")
        few = not isinstance(columns, list) or len(columns) <= MAX_COLUMNS
        _check(few, f"A chat has at most {MAX_COLUMNS} columns.")
        try:
            return UNTRUSTED.decode(cls, document)
        except DecodeError as error:
            raise SettingsError(f"These settings cannot be read: {error}") from error

    def to_link(self) -> str:
        """The query string that opens this state: ``s=…``. Put it behind the page's address, or give it to ``tui``."""
        # Lone surrogates have no UTF-8; they can only come from values that were not made by ask() or from_json().
        text = clean(json.dumps(self.to_json(), ensure_ascii=False, separators=(",", ":")))
        return "s=" + base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")

    @classmethod
    def from_link(cls, link: str) -> Settings:
        """Settings out of a whole address, a query string or its bare value.

        Raises:
            SettingsError: when it is cut off or not a link of Tiller's.
        """
        try:
            query = urlparse(link).query if "?" in link else link
            values = parse_qs(query).get("s")
            code = values[0] if values else query.strip()
            packed = base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))
            # The limit keeps a small link from unpacking into all of memory.
            text = zlib.decompressobj().decompress(packed, MAX_LINK)
            return cls.from_json(parsed_json(text))
        except (zlib.error, ValueError) as error:
            raise SettingsError("This is not a whole link of Tiller's; copy it again from Share.") from error

    def _index(self, column: int | None) -> int:
        return self.selected if column is None else column


def column_json(column: Column) -> dict[str, str]:
    """A column as a JSON document."""
    found = {"checkpoint": column.checkpoint, "recipe": str(column.recipe)}
    return {**found, "asks": column.asks} if column.asks else found
