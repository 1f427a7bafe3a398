"""The nine answers of a slider as a table: what is said at each strength, of which kind it is, and how far it strays. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.chat.answers import Answer
from core.chat.sliders import SLIDER_STRENGTHS
from core.inference.reply_classes import DOES, Score, classify
from core.util.figures import figure_text, strength_text
from core.util.table import Table
from core.util.text import and_list

_ENDED = ("end", "stop string")


@dataclass(frozen=True)
class StrengthAnswer:
    """One line: ``kind`` is one of :data:`core.inference.reply_classes.CLASSES`, ``damage`` how much less likely the unsteered model finds
    a token of this answer than the steered one does, in nats on average (None where it was not scored)."""

    strength: float
    text: str
    kind: Score
    damage: float | None
    whole: bool

    @property
    def damage_said(self) -> str:
        """The damage with two decimals."""
        return "–" if self.damage is None else figure_text(self.damage)


def strength_answers(answers: Mapping[int, Answer]) -> tuple[StrengthAnswer, ...]:
    """The finished ones of a slider's answers, by the place of their strength, weakest first.

    An answer that reached its limit is of the kind that its text is: short limits would else call everything broken.
    """
    return tuple(
        StrengthAnswer(
            SLIDER_STRENGTHS[place], answer.text, classify(answer.text), _damage(answer), answer.reason in _ENDED
        )
        for place, answer in sorted(answers.items())
        if answer.finished and not answer.error
    )


def strength_table(title: str, found: tuple[StrengthAnswer, ...]) -> Table:
    """The table as it is shown and exported."""
    rows = tuple((strength_text(each.strength), each.kind, each.damage_said, _one_line(each)) for each in found)
    note = "Damage: by how many nats a token the unsteered model finds the answer less likely than the steered one does; below 0 likelier."
    return Table(title, ("strength", "class", "damage", "answer"), rows, note)


def strengths_conclusion(direction: str, found: tuple[StrengthAnswer, ...]) -> str:
    """Where along the strengths the answer turns into another kind, and where it breaks; empty while there is no plain answer."""
    plain = next((each for each in found if each.strength == 0), None)
    if plain is None:
        return ""
    same = [each for each in found if each.text.strip() == plain.text.strip()]
    turned: dict[Score, list[str]] = {}
    for each in found:
        if each.kind != plain.kind:
            turned.setdefault(each.kind, []).append(strength_text(each.strength))
    said = f"The answer stays word for word the same at {len(same)} of {len(found)} strengths of {direction}."
    if not turned:
        return said
    does = "; it ".join(f"{DOES[kind]} at {and_list(strengths)}" for kind, strengths in turned.items())
    return f"{said} The model {does} (plain: it {DOES[plain.kind]})."


def _damage(answer: Answer) -> float | None:
    lost = [token.reading.logprob - token.shadow.logprob for token in answer.tokens if token.shadow is not None]
    return sum(lost) / len(lost) if lost else None


def _one_line(each: StrengthAnswer) -> str:
    return " ".join(each.text.split()) + ("" if each.whole else " …")
