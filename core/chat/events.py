"""What a run tells while it goes on: tokens with their readings, the shadow's scores, the end; and the model's status. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

#: A number of a token, a rank or a place, as far as a file may give one.
Whole = Annotated[int, range(2**31)]


#: How many alternatives a reading names, unless more are asked for.
ALTERNATIVES = 5


@dataclass(frozen=True)
class Alternative:
    """A token the model might have said: ``probability`` at temperature 1, before any sampling filter."""

    id: Whole
    text: str
    probability: float


@dataclass(frozen=True)
class Reading:
    """What was measured where a token was chosen: at the position before it, from which the model predicts it.

    ``logprob`` in nats and ``entropy`` in nats are of the model's distribution at temperature 1, before any sampling filter; ``rank``
    is 0 for the likeliest token; ``top`` are the five likeliest; ``projections`` holds for each loaded direction where the residual
    (after edits) stands along it: 0 = its negative, 1 = its positive class mean.
    """

    logprob: float
    entropy: float
    rank: Whole
    top: tuple[Alternative, ...] = ()
    projections: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class StageEffect:
    """What one training stage did to a token (:mod:`core.families.stages`): a difference of probability, and in nats.

    ``place`` is where the stage stands on its path, 0 for the first, which gives it its hue; ``nats`` is None where the token was not
    in the vocabulary before.
    """

    place: Whole
    stage: str
    letter: str
    probability: float
    nats: float | None


@dataclass(frozen=True)
class Blame:
    """Whose a token is by one question: the effects of all stages, and the stage after the first with the largest one.

    ``stage`` is its place on the path, None where it is below the ``noise`` (which is None where the family has no retrainings to tell
    it from); ``base`` the probability that the first stage alone gives the token; ``added`` says that the stage brought the token into
    the vocabulary, which makes it its by definition.
    """

    stage: Whole | None
    effects: tuple[StageEffect, ...]
    base: float
    noise: float | None
    added: bool = False

    @property
    def largest(self) -> StageEffect | None:
        """The effect of the stage that it is laid to."""
        return next((each for each in self.effects if each.place == self.stage), None)


@dataclass(frozen=True)
class Started:
    """A column's prompt is in: ``prompt_tokens`` of the ``context`` tokens that the model can read at once (0: not known); ``note`` says
    in a sentence what was cut, or is empty.

    ``said`` tokens of the reply stand already: it goes on behind them.
    """

    column: int
    prompt_tokens: int
    note: str = ""
    said: int = 0
    context: int = 0


@dataclass(frozen=True)
class Token:
    """One token of a reply. ``shadow`` is the same token scored by the same checkpoint with an empty recipe.

    ``blame`` says for each question of :mod:`core.families.stages` whose the token is, once that has been scored, of the unsteered models.

    ``text`` is what the token adds to the visible reply; a token that holds only part of a character has an empty text, and
    the token that completes the character carries all of it. ``forced`` tokens were given, not chosen (a continued answer).
    ``thought`` tokens are what the model thinks before it answers, or mark that; they are no part of the answer.
    """

    column: int
    index: int
    id: Whole
    text: str
    reading: Reading
    shadow: Reading | None = None
    forced: bool = False
    blame: Mapping[str, Blame] = field(default_factory=dict)
    thought: bool = False


@dataclass(frozen=True)
class RecipeChanged:
    """From token ``index`` on, ``column`` ran with another recipe."""

    column: int
    index: int
    recipe: str


@dataclass(frozen=True)
class Scores:
    """What else was found out about a reply, of which ``name`` says what it is.

    "shadow": ``readings`` of the whole reply by the checkpoint with an empty recipe. A question of :mod:`core.families.stages`:
    ``blames`` of the tokens from ``start`` on, while the reply streams or after it. ``note`` says in a sentence why there are
    none, ``awaited`` what they wait for; both are else empty.
    """

    column: int
    name: str
    readings: tuple[Reading, ...] = ()
    blames: tuple[Blame, ...] = ()
    start: int = 0
    note: str = ""
    awaited: str = ""


Reason = Literal["end", "stop string", "length", "context", "stopped", "written"]


@dataclass(frozen=True)
class Done:
    """A column's reply is finished: why, how many tokens, in how many seconds (wall time of the run so far)."""

    column: int
    reason: Reason
    tokens: int
    seconds: float


@dataclass(frozen=True)
class Failed:
    """The run ended with an error: one sentence that names the fix. ``column`` is ``None`` when it concerns all; ``fault`` says that nobody
    foresaw it, so that what was asked is not to blame."""

    sentence: str
    column: int | None = None
    fault: bool = False


Event = Started | Token | RecipeChanged | Scores | Done | Failed


@dataclass(frozen=True)
class Status:
    """What the engine is doing. ``progress`` is 0 to 1 or ``None``; ``tokens_per_second`` of the last run, all rows, or ``None``.

    ``plan`` says what the family's checkpoints take in memory; empty for a family that any machine holds. ``runs`` says of every run what
    is being done for a chat.
    """

    state: Literal["starting", "loading", "ready", "busy", "failed"]
    detail: str
    progress: float | None = None
    tokens_per_second: float | None = None
    device: str = ""
    threads: int = 0
    plan: str = ""
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class PromptView:
    """The exact prompt of a column: its text, its tokens as (id, text), and what was cut from it, if anything."""

    text: str
    tokens: tuple[tuple[int, str], ...]
    note: str = ""


def event_json(event: Event) -> dict[str, Any]:
    """An event as a JSON document, its kind under ``"event"``. Only a token that is thought says so, under ``"thought"``."""

    def plain(value: object) -> object:
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, tuple):
            return [plain(item) for item in value]
        if hasattr(value, "__dataclass_fields__"):
            return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
        return value

    body = plain(event)
    assert isinstance(body, dict)
    if not body.get("thought", True):
        del body["thought"]
    return {"event": type(event).__name__, **body}
