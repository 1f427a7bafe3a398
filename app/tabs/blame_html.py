"""A report on stages as HTML: every text that is not ours is escaped. Draws; decides nothing."""

from __future__ import annotations

from html import escape

from app.tabs.tab import concluded, folded
from core.attribution import report as blame_report
from core.attribution.conclusion import blame_conclusion
from core.attribution.effects import Effect
from core.attribution.report import BlameReport, Case, Said
from core.display import lenses, palette
from core.families.stages import QUESTIONS, Question, Stage
from core.util.figures import change_text, percent_text

#: What stands in the table of figures, as somebody reads it who sees it for the first time.
_WORDS = {
    "nats": "the same change as a difference of log-probabilities: 0.7 nats make something twice as likely.",
    "interaction": "what the stages' figures leave over of the whole change since the first stage: they acted together.",
    "weights moved by": "how far the stage moved the weights, as a part of their length before it.",
    **{each.title: each.tooltip for each in QUESTIONS.values()},
}


def empty() -> str:
    """What to do."""
    return (
        '<p class="t-quiet">Press Find out: a bar for each stage of training says by how much it changed the probability of the answer. '
        "Any other prompt will do as well.</p>"
    )


def busy(sentence: str) -> str:
    """What is going on."""
    return f'<p class="t-quiet" role="status">{escape(sentence)}</p>'


def wrong(sentence: str) -> str:
    """What to change."""
    return f'<p class="t-error" role="alert">{escape(sentence)}</p>'


def report(found: BlameReport, question: Question) -> str:
    """All of it, by one question."""
    first = found.measures[0]
    asked = (
        f"<p>“{escape(found.cases[0].prompt)}” → “{escape(found.cases[0].answer.text)}”</p>"
        if len(found.cases) == 1
        else ""
    )
    parts = [asked, concluded(blame_conclusion(found, question))]
    parts += [f"<p>{escape(found.ask.note)}</p>"] if found.ask.note else []
    parts += [_picture(found, question, first), _answers(found)]
    figures = "".join(_measure(found, measure) for measure in found.measures)
    meant = "".join(f"<dt>{escape(word)}</dt><dd>{escape(said)}</dd>" for word, said in _WORDS.items())
    head = f"<p>{escape(found.sentence(question, first))}</p>"
    parts.append(folded("Every figure, and what it means", f"{head}{figures}<dl>{meant}</dl>"))
    if len(found.cases) == 1:
        case = found.cases[0]
        tokens = _heat(found, question, case.answer, "The answer, token by token")
        if case.other:
            tokens += _heat(
                found, question, case.other, f"The other answer ({case.other.by or 'typed'}), token by token"
            )
        parts.append(folded("Token by token", tokens))
    remarks = "".join(f"<li>{escape(each)}</li>" for each in found.remarks)
    parts.append(folded("What to know when reading this", f"<ul>{remarks}</ul>"))
    return "".join(parts)


def _picture(found: BlameReport, question: Question, measure: str) -> str:
    """A signed bar for each stage, by the question that is asked."""
    effects = found.effects(question.key, measure)
    rows = "".join(
        f"<tr><th>{_mark(place, stage)}</th><td>{_bar(place, effects.get(stage.name))}</td><td>{_change(effects.get(stage.name))}</td></tr>"
        for place, stage in enumerate(found.path.stages)
    )
    of = escape(found.of(measure))
    return f"<table><caption>How much each stage changes the probability of {of} ({escape(question.title)})</caption>{rows}</table>"


def _change(found: Effect | None) -> str:
    return "" if found is None else change_text(found.probability)


def _answers(found: BlameReport) -> str:
    if len(found.cases) > 1:
        rows = "".join(_row(found, case) for case in found.cases)
        return f"<table><thead><tr><th>prompt</th><th>answer</th><th>instead</th></tr></thead><tbody>{rows}</tbody></table>"
    case = found.cases[0]
    lines = [(case.answer.by or "the answer", case.answer.text)]
    lines += [(each.by, each.text) for each in (*case.without.values(), *([case.other] if case.other else []))]
    shown = "".join(
        f"<tr><th>{escape(by or 'the other answer')}</th><td>{escape(text)}</td></tr>"
        for by, text in dict.fromkeys(lines)
    )
    return f"<table>{shown}</table>"


def _row(found: BlameReport, case: Case) -> str:
    other = f"{case.other.text} ({case.other.by})" if case.other else "the same"
    return f"<tr><td>{escape(case.prompt)}</td><td>{escape(case.answer.text)}</td><td>{escape(other)}</td></tr>"


def _measure(found: BlameReport, measure: str) -> str:
    """The figures of every question that can be asked."""
    every = {each.key: found.effects(each.key, measure) for each in found.path.questions}
    heads = "".join(f'<th title="{escape(each.tooltip)}">{escape(each.title)}</th>' for each in found.path.questions)
    body = ""
    for place, stage in enumerate(found.path.stages):
        cells = "".join(f"<td>{_figure(every[each.key].get(stage.name))}</td>" for each in found.path.questions)
        size = found.sizes.get(stage.name)
        body += f"<tr><th>{_mark(place, stage)}</th>{cells}<td>{percent_text(size, 1) if size is not None else ''}</td></tr>"
    rest = "".join(f"<td>{_rest(found.remainder(each.key, measure))}</td>" for each in found.path.questions)
    body += f"<tr><th>interaction</th>{rest}<td></td></tr>"
    head = f"<tr><th>stage</th>{heads}<th>weights moved by</th></tr>"
    return f"<h4>Probability of {escape(found.of(measure))}</h4><div class='t-scroll' tabindex='0'><table>{head}{body}</table></div>"


def _rest(value: float | None) -> str:
    return "–" if value is None else change_text(value)


def _figure(found: Effect | None) -> str:
    if found is None:
        return "–"
    nats = "new token" if found.nats is None else f"{change_text(found.nats, 1)} nats"
    return f"{change_text(found.probability)} <span class='t-quiet'>({nats})</span>"


def _mark(place: int, stage: Stage) -> str:
    return f"<span class='t-stage'><i style='background:{palette.stage_hue(place)}'></i>{escape(stage.letter)} {escape(stage.name)}</span>"


def _bar(place: int, found: Effect | None) -> str:
    """A bar to the right of the middle for more, to the left for less."""
    if found is None:
        return "<span class='t-quiet'>cannot be asked</span>"
    width = min(50.0, abs(found.probability) * 50)
    side = "left:50%" if found.probability >= 0 else f"left:{50 - width:.1f}%"
    bar = f"<i style='{side};width:{width:.1f}%;background:{palette.stage_hue(place)}'></i>"
    return f"<div class='t-signed' role='img' aria-label='{change_text(found.probability)}'>{bar}</div>"


def _heat(found: BlameReport, question: Question, said: Said, title: str) -> str:
    """Stages down, tokens across: the difference of probability as colour and as number."""
    scale = lenses.lens("changed")
    stages = [
        stage
        for stage in found.path.stages
        if question.key == "introduced_at" or (stage.parent and stage.without(question.key))
    ]
    head = "".join(f"<th class='t-word'>{escape(_visible(text))}</th>" for text in said.tokens)
    body = ""
    for stage in stages:
        cells = ""
        for at in range(len(said.tokens)):
            value = blame_report.token_effects(found.path, question.key, said, at)[stage.name].probability
            ground = palette.colour(scale, value)
            cells += f"<td style='background:{ground};color:{palette.ink(ground)}'>{change_text(value)}</td>"
        body += f"<tr><th>{_mark(found.path.stages.index(stage), stage)}</th>{cells}</tr>"
    return (
        f"<h4>{escape(title)}: {escape(question.title)}</h4><div class='t-scroll' tabindex='0'><table class='t-heat'>"
        f"<tr><td></td>{head}</tr>{body}</table></div>"
    )


def _visible(text: str) -> str:
    return text.replace("\n", "⏎").replace(" ", "\N{NO-BREAK SPACE}") or "(part)"
