"""A report of whose an answer is as a file: a JSON document with everything, and a table as CSV. No torch."""

from __future__ import annotations

from typing import Any

from core.attribution.conclusion import blame_conclusion
from core.attribution.effects import Effect, effects
from core.attribution.report import BlameReport, Case, Said, probability, token_effects
from core.families.stages import Question
from core.util.table import csv_text
from core.util.version import PROGRAM


def blame_document(report: BlameReport) -> dict[str, Any]:
    """The whole report as a JSON document: for each prompt both answers token by token, by model, and the effects by question."""
    return {
        "tiller": "blame",
        "program": PROGRAM,
        "conclusion": blame_conclusion(report),
        "headline": report.headline,
        "remarks": list(report.remarks),
        "family": report.path.family,
        "stages": [vars(stage) for stage in report.path.stages],
        "models": dict(report.titles),
        "weight_changes": dict(report.sizes),
        "question": report.question.key,
        "own_templates": report.ask.own_templates,
        "summary": {
            measure: {
                "of": report.of(measure),
                "noise": {"values": list(report.noise(measure).values), "level": report.level(measure)},
                **{each.key: _effects(report, each.key, measure) for each in report.path.questions},
            }
            for measure in report.measures
        },
        "cases": [_case_document(report, case) for case in report.cases],
    }


def _effects(report: BlameReport, key: str, measure: str) -> dict[str, Any]:
    found = {name: vars(each) for name, each in report.effects(key, measure).items()}
    return {"effects": found, "remainder": report.remainder(key, measure)}


def _case_document(report: BlameReport, case: Case) -> dict[str, Any]:
    measures = [each for each in report.measures if each != "rather" or case.other]
    return {
        "prompt": case.prompt,
        "answer": _said_document(case.answer),
        "other": _said_document(case.other) if case.other else None,
        "without": {name: {"by": said.by, "text": said.text} for name, said in case.without.items()},
        "before": {name: {"by": said.by, "text": said.text} for name, said in case.before.items()},
        "probabilities": {
            measure: {model: probability(value) for model, value in case.found(measure).items()} for measure in measures
        },
        "effects": {
            measure: {
                each.key: {
                    name: vars(found) for name, found in effects(report.path, each.key, case.found(measure)).items()
                }
                for each in report.path.questions
            }
            for measure in measures
        },
    }


def _said_document(said: Said) -> dict[str, Any]:
    return {
        "text": said.text, "by": said.by, "tokens": list(said.tokens), "ids": list(said.ids),
        "nats": {model: list(values) for model, values in said.logprobs.items()},
    }  # fmt: skip


_COLUMNS = ("prompt", "what", "place", "text", "question", "stage", "probability", "nats")


def to_rows(report: BlameReport) -> list[tuple[str, ...]]:
    """The report as a table, its head first: a row for each effect, of the measures of each prompt and of each token of its answer."""
    rows: list[tuple[str, ...]] = [_COLUMNS]
    for case in report.cases:
        for measure in (each for each in report.measures if each != "rather" or case.other):
            for question in report.path.questions:
                found = effects(report.path, question.key, case.found(measure))
                rows += [_row(case, measure, "", "", question, name, each) for name, each in found.items()]
        for what, said in (("answer token", case.answer), ("other token", case.other)):
            for at, text in enumerate(said.tokens if said else ()):
                assert said is not None
                for question in report.path.questions:
                    found = token_effects(report.path, question.key, said, at)
                    rows += [_row(case, what, str(at), text, question, name, each) for name, each in found.items()]
    return rows


def _row(case: Case, what: str, place: str, text: str, question: Question, stage: str, each: Effect) -> tuple[str, ...]:
    nats = "" if each.nats is None else f"{each.nats:.6f}"
    return case.prompt, what, place, text, question.key, stage, f"{each.probability:.6f}", nats


def blame_csv(report: BlameReport) -> str:
    """:func:`to_rows` as CSV."""
    return csv_text(to_rows(report))
