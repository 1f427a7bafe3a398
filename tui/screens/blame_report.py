"""A report on stages as text: bars, a heatmap of tokens and stages, and what has to be known to read them. Draws; decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

from textual.content import Content

from core.attribution.conclusion import blame_conclusion
from core.attribution.effects import Effect
from core.attribution.report import BlameReport, Said, token_effects
from core.display import lenses, palette
from core.display.palette import OKABE_ITO
from core.families.stages import Question, Stage
from core.util.figures import change_text
from tui.text import clipped, one_line

_NEUTRAL = "#8c8c8c"
_GLYPHS = " ░▒▓█"
#: Half a bar, and a stage's name.
_BAR, _NAME = 10, 12
#: What folds out beneath a report, from top to bottom.
FOLDS = SAYINGS, OTHERS, TOKENS, HOW = (
    "What the models say",
    "Other probabilities",
    "Token by token",
    "How this was measured",
)


@dataclass(frozen=True)
class Drawn:
    """A report by one question: the conclusion with its picture, and what folds out beneath them, by title."""

    first: Content
    folds: dict[str, Content]


def drawn(report: BlameReport, question: Question, width: int, middle: str, glyphs: bool) -> Drawn:
    """All of it, by one question."""
    bars = [_measured(report, question, measure, glyphs) for measure in report.measures]
    first = [Content.styled(one_line(blame_conclusion(report, question)), "bold")]
    first += [Content(one_line(report.ask.note))] if report.ask.note else []
    first += [Content(""), bars[0]]
    folds = {SAYINGS: _answers(report, width)}
    if bars[1:]:
        folds[OTHERS] = Content("\n\n").join(bars[1:])
    if len(report.cases) == 1:
        folds[TOKENS] = _lines(_heat(report, question, report.cases[0].answer, width, middle, glyphs))
    sentence = report.sentence(question, report.measures[0])
    folds[HOW] = _lines([Content(one_line(each)) for each in (sentence, *report.remarks)])
    return Drawn(_lines(first), folds)


def _lines(every: list[Content]) -> Content:
    return Content("\n").join(every)


def _measured(report: BlameReport, question: Question, measure: str, glyphs: bool) -> Content:
    title = Content.styled(f"Probability of {one_line(report.of(measure))} · {question.title}", "$quiet")
    return _lines([title, *_bars(report, question, measure, glyphs)])


def _answers(report: BlameReport, width: int) -> Content:
    if len(report.cases) > 1:
        half = width // 2
        return _lines([
            Content(f"{clipped(one_line(case.prompt), half - 2):<{half}}{clipped(one_line(case.answer.text), half)}")
            for case in report.cases
        ])  # fmt: skip
    case = report.cases[0]
    rows = [
        (case.answer.by or "the answer", case.answer.text),
        *((each.by, each.text) for each in case.without.values()),
    ]
    if case.other is not None:
        rows.append((case.other.by or "the other answer", case.other.text))
    return _lines([Content.assemble((f"{by}  ", "$quiet"), one_line(text)) for by, text in dict.fromkeys(rows)])


def _bars(report: BlameReport, question: Question, measure: str, glyphs: bool) -> list[Content]:
    found = report.effects(question.key, measure)
    lines = [_bar(place, stage, found.get(stage.name), glyphs) for place, stage in enumerate(report.path.stages)]
    rest = report.remainder(question.key, measure)
    return [*lines, Content(f"{'interaction':<{_NAME + 2 * _BAR + 1}} {'–' if rest is None else change_text(rest)}")]


def _bar(place: int, stage: Stage, found: Effect | None, glyphs: bool) -> Content:
    """A bar to the right of the middle for more, to the left for less, and the figures."""
    name = clipped(f"{stage.letter} {stage.name}", _NAME - 1)
    if found is None:
        return Content.assemble(f"{name:<{_NAME}}", ("cannot be asked", "$quiet"))
    size = min(_BAR, round(abs(found.probability) * _BAR))
    left = "█" * size if found.probability < 0 else ""
    right = "█" * size if found.probability > 0 else ""
    hue = "" if glyphs else _hue(place)
    nats = "new token" if found.nats is None else f"{change_text(found.nats, 1)} nats"
    return Content.assemble(
        f"{name:<{_NAME}}",
        (f"{left:>{_BAR}}", hue),
        "│",
        (f"{right:<{_BAR}}", hue),
        f" {change_text(found.probability):<6}  ",
        (nats, "$quiet"),
    )


def _hue(place: int) -> str:
    return OKABE_ITO[(place - 1) % len(OKABE_ITO)] if place else _NEUTRAL


def _heat(report: BlameReport, question: Question, said: Said, width: int, middle: str, glyphs: bool) -> list[Content]:
    """Stages down, tokens across, as many to a line as there is room for; a token is as wide as its text, and at least its figure."""
    stages = [
        each
        for each in report.path.stages
        if question.key == "introduced_at" or (each.parent and each.without(question.key))
    ]
    lines: list[Content] = []
    at = 0
    while at < len(said.tokens):
        end, room = at, width - 4
        while end < len(said.tokens) and (room := room - _wide(said.tokens[end])) >= 0:
            end += 1
        end = max(end, at + 1)
        lines.append(Content("    " + "".join(f"{_shown(text):<{_wide(text)}}" for text in said.tokens[at:end])))
        for stage in stages:
            cells = [_cell(report, question, said, each, stage, middle, glyphs) for each in range(at, end)]
            lines.append(Content.assemble(f"{stage.letter}   ", *cells))
        at = end
    return lines


def _wide(text: str) -> int:
    return max(6, len(_shown(text)) + 1)


def _shown(text: str) -> str:
    return clipped(one_line(text).strip() or "␣", 12)


def _cell(
    report: BlameReport, question: Question, said: Said, at: int, stage: Stage, middle: str, glyphs: bool
) -> tuple[str, str]:
    value = token_effects(report.path, question.key, said, at)[stage.name].probability
    wide = _wide(said.tokens[at])
    if glyphs:
        return f"{_GLYPHS[min(4, round(abs(value) * 4))]}{change_text(value, 1)}".ljust(wide), ""
    ground = palette.colour(lenses.lens("changed"), value, middle)
    return change_text(value).ljust(wide), f"{palette.ink(ground)} on {ground}"
