"""What a report on stages comes to, in words that need no other figure. No torch."""

from __future__ import annotations

import math

from core.attribution.chance import SLIGHT
from core.attribution.report import BlameReport, probability, shortened
from core.families.stages import Question, Stage
from core.util.figures import change_text, figure_text, probability_text

#: An effect of at least this on a probability is most of what there is: the stage taught it.
MOSTLY = 0.5
_HOW = {
    "introduced_at": "before it came",
    "retrained_without": "without it (really trained again)",
    "subtracted": "without it (an estimate: its weights taken out)",
    "first_order": "without it (an estimate: what was left of its weights taken out)",
}


def blame_conclusion(report: BlameReport, question: Question | None = None) -> str:
    """Which stage taught it this, what the model says without it, and from how much to how much the probability goes.

    Of the question that the report asks first, unless another is given; effects within the noise are said to be none.
    """
    question = question or report.question
    measure = report.measures[0]
    found = report.largest(question.key, measure)
    if found is None:
        return f"No stage can be asked “{question.title}” here."
    stage, effect = report.path.stage(found[0]), found[1].probability
    level = report.level(measure)
    if level is not None and abs(effect) < level:
        least = (
            f"only one above {figure_text(level)} is more"
            if level < 1
            else "none can be told from it, since they differ too much here"
        )
        return (
            f"No stage can be named: the largest effect, {stage.word}'s {change_text(effect)}, may be chance; beside the few retrainings "
            f"with other seeds {least}."
        )
    if abs(effect) < SLIGHT:
        return (
            f"No stage can be named: none of them moves the probability of {report.of(measure)} by {SLIGHT:g} or more."
        )
    part = "taught it this" if abs(effect) >= MOSTLY else "has the largest part in this"
    if effect < 0:
        part = "held this back" if abs(effect) >= MOSTLY else "held this back most"
    before, after = _probabilities(report, stage, question, measure)
    said = _instead(report, stage, question)
    return (
        f"The {stage.word} stage {part}: {_HOW[question.key]}{said} the probability of {report.of(measure)} is {probability_text(before)} "
        f"instead of {probability_text(after)}{_mean(report)}."
    )


def _probabilities(report: BlameReport, stage: Stage, question: Question, measure: str) -> tuple[float, float]:
    """The mean probability without the stage and with it."""
    models = stage.without(question.key), stage.checkpoint if question.key == "introduced_at" else report.path.final
    cases = [case.found(measure) for case in report.cases if measure != "rather" or case.other]
    without, with_it = (math.fsum(probability(case[str(model)]) for case in cases) / len(cases) for model in models)
    return without, with_it


def _instead(report: BlameReport, stage: Stage, question: Question) -> str:
    """What the model without the stage says to the one prompt."""
    case = report.cases[0]
    said = (case.before if question.key == "introduced_at" else case.without).get(stage.name)
    if len(report.cases) > 1 or said is None or question.key in ("subtracted", "first_order"):
        return ""
    if said.text.strip() == case.answer.text.strip():
        return " the model says the same, and"
    return f" the model says “{shortened(said.text)}”, and"


def _mean(report: BlameReport) -> str:
    return f" (the mean over {len(report.cases)} prompts)" if len(report.cases) > 1 else ""
