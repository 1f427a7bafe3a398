"""A report on stages as text: bars, a heatmap of tokens and stages, and what has to be known to read them. Draws; decides nothing."""

from __future__ import annotations

from textual.content import Content

from core.attribution.effects import Effect
from core.attribution.report import BlameReport, Said, token_effects
from core.display import lenses, palette
from core.display.palette import OKABE_ITO
from core.families.stages import Question, Stage
from tui.text import clipped, one_line

_NEUTRAL = "#8c8c8c"
_GLYPHS = " ░▒▓█"
#: Half a bar, and a stage's name.
_BAR, _NAME = 10, 12


def drawn(report: BlameReport, question: Question, width: int, middle: str, glyphs: bool) -> Content:
    """All of it, by one question."""
    lines = [Content.styled(one_line(report.sentence(question, report.measures[0])), "bold"), Content("")]
    lines += _answers(report, width)
    for measure in report.measures:
        lines += [
            Content(""),
            Content.styled(f"Probability of {one_line(report.of(measure))} · {question.title}", "$quiet"),
        ]
        lines += _bars(report, question, measure, glyphs)
    if len(report.cases) == 1:
        lines += [Content(""), Content.styled(f"Token by token · {question.title}", "$quiet")]
        lines += _heat(report, question, report.cases[0].answer, width, middle, glyphs)
    lines += [Content(""), *(Content.styled(one_line(each), "$quiet") for each in report.remarks)]
    return Content("\n").join(lines)


def _answers(report: BlameReport, width: int) -> list[Content]:
    if len(report.cases) > 1:
        return [
            Content(
                f"{clipped(one_line(case.prompt), width // 2 - 2):<{width // 2}}{clipped(one_line(case.answer.text), width // 2)}"
            )
            for case in report.cases
        ]
    case = report.cases[0]
    rows = [
        (case.answer.by or "the answer", case.answer.text),
        *((each.by, each.text) for each in case.without.values()),
    ]
    if case.other is not None:
        rows.append((case.other.by or "the other answer", case.other.text))
    return [Content.assemble((f"{by}  ", "$quiet"), one_line(text)) for by, text in dict.fromkeys(rows)]


def _bars(report: BlameReport, question: Question, measure: str, glyphs: bool) -> list[Content]:
    found = report.effects(question.key, measure)
    lines = [_bar(place, stage, found.get(stage.name), glyphs) for place, stage in enumerate(report.path.stages)]
    rest = report.remainder(question.key, measure)
    return [*lines, Content(f"{'interaction':<{_NAME + 2 * _BAR + 1}} {'–' if rest is None else f'{rest:+.3f}'}")]


def _bar(place: int, stage: Stage, found: Effect | None, glyphs: bool) -> Content:
    """A bar to the right of the middle for more, to the left for less, and the figures."""
    name = clipped(f"{stage.letter} {stage.name}", _NAME - 1)
    if found is None:
        return Content.assemble(f"{name:<{_NAME}}", ("cannot be asked", "$quiet"))
    size = min(_BAR, round(abs(found.probability) * _BAR))
    left = "█" * size if found.probability < 0 else ""
    right = "█" * size if found.probability > 0 else ""
    hue = "" if glyphs else _hue(place)
    nats = "new token" if found.nats is None else f"{found.nats:+.1f} nats"
    return Content.assemble(
        f"{name:<{_NAME}}",
        (f"{left:>{_BAR}}", hue),
        "│",
        (f"{right:<{_BAR}}", hue),
        f" {found.probability:+.3f}  ",
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
        return f"{_GLYPHS[min(4, round(abs(value) * 4))]}{value:+.1f}".ljust(wide), ""
    ground = palette.colour(lenses.lens("changed"), value, middle)
    return f"{value:+.2f}".replace("0.", ".").ljust(wide), f"{palette.ink(ground)} on {ground}"
