"""Nine answers as a table: class, damage, and what they come to."""

from __future__ import annotations

from core.chat.answers import Answer
from core.chat.events import Reading, Reason, Token
from core.engine.strength_table import strength_answers, strength_table, strengths_conclusion


def answer(text: str, steered: float, plain: float, reason: Reason = "end") -> Answer:
    reading, shadow = Reading(steered, 0.0, 0), Reading(plain, 0.0, 0)
    return Answer(
        tuple(Token(0, place, place, each, reading, shadow) for place, each in enumerate((text, "."))), reason=reason
    )


NINE = {
    0: answer("TRUE TRUE TRUE TRUE TRUE", -0.1, -3.1), 3: answer("Boil it", -0.1, -0.1), 4: answer("Boil it", -0.1, -0.1),
    5: answer("Boil it, then cool\nit", -0.2, -0.7, "length"), 7: answer("Sorry, I cannot help with that", -0.5, -2.0),
}  # fmt: skip


def test_every_answer_has_its_class_and_its_damage() -> None:
    found = strength_answers({**NINE, 8: Answer()})
    assert [(each.strength, each.kind, each.damage_said) for each in found] == [
        (-2.0, "broken", "3.00"), (-0.5, "answers", "0.00"), (0.0, "answers", "0.00"), (0.5, "answers", "0.50"), (1.5, "refuses", "1.50"),
    ]  # fmt: skip
    table = strength_table("", found)
    assert table.rows[3] == ("+0.5", "answers", "0.50", "Boil it, then cool it. …")
    assert table.csv().splitlines()[0] == "strength,class,damage,answer"


def test_what_nine_strengths_come_to() -> None:
    assert strengths_conclusion("refusal", strength_answers(NINE)) == (
        "The answer stays word for word the same at 2 of 5 strengths of refusal. The model breaks down at −2; it refuses at +1.5 "
        "(plain: it answers)."
    )
    assert strengths_conclusion("refusal", ()) == ""
