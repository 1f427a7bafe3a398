"""One prompt as a page that needs no server: its answers at nine strengths of each slider, and which stage the plain one is owed to. It is
one file of HTML, for a paper, a blog or a friend. No torch."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

from core.artefacts.store import Card
from core.attribution.conclusion import blame_conclusion
from core.attribution.report import BlameReport, BlameRequest, Said
from core.chat.answers import Answer, fold
from core.chat.events import Failed, Token
from core.chat.settings import Settings
from core.chat.sliders import SLIDER_STRENGTHS
from core.directions.conclusion import direction_conclusion
from core.display import lenses
from core.display.palette import level, stage_hue
from core.engine.engine import Engine
from core.engine.strength_table import StrengthAnswer, strength_answers, strengths_conclusion
from core.errors import TillerError
from core.recipes.language import Recipe, Term
from core.util.figures import change_text, strength_text
from core.util.files import read_text
from core.util.progress import Step
from core.util.version import PROGRAM

#: A change of probability colours a token so, down and up.
_DOWN, _UP = "#0072B2", "#D55E00"
_HERE = Path(__file__)


@dataclass(frozen=True)
class DemoSlider:
    """A direction's nine answers, by the place of their strength; all finished."""

    card: Card
    answers: Mapping[int, Answer]


@dataclass(frozen=True)
class Demo:
    """What a page shows: the chat of one message, the sliders, and whose the plain answer is, where the family has stages."""

    family: str
    settings: Settings
    sliders: tuple[DemoSlider, ...]
    blame: BlameReport | None


def make_demo(engine: Engine, settings: Settings, directions: Sequence[str] = ()) -> Generator[Step, None, Demo]:
    """Have the engine answer the last message of ``settings`` in their selected column's checkpoint, unsteered but for the slider that is
    moved; closing it ends the work.

    Args:
        directions: which sliders; all that the checkpoint has when none is named.

    Raises:
        TillerError: there is no such direction, or nothing to show: neither directions nor stages.
    """
    checkpoint = settings.column.checkpoint
    cards = {card.name: card for card in engine.directions(checkpoint)}
    wanted = tuple(dict.fromkeys(directions)) or tuple(cards)
    for name in wanted:
        # Says which there are and how another is learnt.
        engine.explain(Recipe((Term("add", name, 1.0),)), checkpoint)
    staged = len(engine.family.path(checkpoint)) > 1
    if not wanted and not staged:
        raise TillerError(
            f"{checkpoint} has neither directions nor stages, so that there is nothing to show; learn one first."
        )
    sliders = []
    for name in wanted:
        sliders.append(DemoSlider(cards[name], (yield from _answers(engine, settings, name))))
    if not staged:
        return Demo(engine.family.title, settings, tuple(sliders), None)
    # What is asked about is the answer that stands there unsteered, however it was drawn and however long it is.
    plain = sliders[0].answers[SLIDER_STRENGTHS.index(0)].text if sliders else ""
    asked = BlameRequest(
        (settings.turns[-1].user,), plain if plain.strip() else "", checkpoint=checkpoint, system=settings.system,
        tokens=settings.sampling.max_new_tokens,
    )  # fmt: skip
    blame = yield from engine.study(asked.checked())
    return Demo(engine.family.title, settings, tuple(sliders), blame)


def _answers(engine: Engine, settings: Settings, name: str) -> Generator[Step, None, dict[int, Answer]]:
    run, answers, done = engine.scrub(settings, settings.selected, name), dict[int, Answer](), -1
    try:
        while not run.finished:
            for event in run.poll(0.1):
                answers = fold(answers, event)
                if isinstance(event, Failed):
                    raise TillerError(event.sentence)
            if (now := sum(each.finished for each in answers.values())) != done:
                done = now
                yield Step(0, f"{name}: {done} of {len(SLIDER_STRENGTHS)} answers.")
    finally:
        run.cancel()
    return answers


def demo_page(first: Demo, *others: Demo) -> str:
    """The page of one prompt, or of several below each other: one file that asks nothing of anywhere."""
    title, asked = _title(first), first.settings.turns[-1].user
    body = [
        f"<h1>{escape(title)}</h1>",
        *(f"<article>{_prompt(demo)}</article>" for demo in (first, *others)),
        f'<p class="pale">Every answer was computed by the model, with {escape(PROGRAM)}, whose sliders move any model of your own. '
        "A colour says how much the push changed a token's probability: orange more, blue less.</p>",
    ]
    named = title if others else f"{asked} – {title}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(named)}</title><style>{_beside_this('.css')}</style></head><body><main>\n" + "\n".join(body)
        + f"\n</main><script>{_beside_this('.js')}</script></body></html>\n"
    )  # fmt: skip


def _title(demo: Demo) -> str:
    return f"{demo.family} · {demo.settings.column.checkpoint}"


def _prompt(demo: Demo) -> str:
    asked = f'<p class="asked">{escape(demo.settings.turns[-1].user)}</p>'
    return "\n".join([asked, *map(_slider, demo.sliders), _blame(demo.blame) if demo.blame else ""])


def _beside_this(ending: str) -> str:
    return read_text(_HERE.with_suffix(ending), "install Tiller again")


def _slider(slider: DemoSlider) -> str:
    name, found = slider.card.name, strength_answers(slider.answers)
    middle = SLIDER_STRENGTHS.index(0)
    return (
        f'<section class="slider"><h2>{escape(name)}</h2><p>{escape(direction_conclusion(slider.card))}</p>'
        f'<div class="moved" hidden><input type="range" min="0" max="{len(SLIDER_STRENGTHS) - 1}" value="{middle}" '
        f'aria-label="strength of {escape(name, quote=True)}">'
        f'<div class="ends pale" aria-hidden="true"><span>{strength_text(SLIDER_STRENGTHS[0])}</span>'
        f"<span>drag: the answer changes</span><span>{strength_text(SLIDER_STRENGTHS[-1])}</span></div></div>"
        f'<div aria-live="polite">{"".join(_answer(name, each, slider.answers) for each in found)}</div>'
        f'<p class="pale">{escape(strengths_conclusion(name, found))}</p></section>'
    )


def _answer(name: str, each: StrengthAnswer, answers: Mapping[int, Answer]) -> str:
    at = f"{strength_text(each.strength)} {name}" if each.strength else "unsteered"
    kind = f"{at} · {each.kind}" + (f" · damage {each.damage_said} nats a token" if each.strength else "")
    answer = answers[SLIDER_STRENGTHS.index(each.strength)]
    words = "".join(_token(token) for token in answer.tokens if not token.thought)
    cut = "" if each.whole else " …"
    return (
        f'<div class="answer" data-at="{escape(at, quote=True)}"><div class="pale">{escape(kind)}</div>'
        f'<p class="words">{words}{cut}</p></div>'
    )


def _token(token: Token) -> str:
    changed = lenses.lenses(())[0]
    number = lenses.value(changed, token)
    if not token.text or number is None:
        return escape(token.text)
    part = round(abs(2 * level(changed, number) - 1) * 60)
    if not part:
        return escape(token.text)
    colour = _UP if number > 0 else _DOWN
    said = f"{change_text(number)} by the push"
    return (
        f'<span style="background: color-mix(in srgb, {colour} {part}%, transparent)" title="{said}">'
        f"{escape(token.text)}</span>"
    )


def _blame(report: BlameReport) -> str:
    case, measure = report.cases[0], report.measures[0]
    largest = report.largest(report.question.key, measure)
    # The answer, and beside it the one that it would have been.
    without = [said for name, said in case.without.items() if largest is not None and name == largest[0]]
    others = [said for said in case.without.values() if said not in without]
    rows, found = [], report.effects(report.question.key, measure)
    for stage in report.path.post:
        if (effect := found.get(stage.name)) is not None:
            place = report.path.stages.index(stage)
            bar = f'<span class="bar" style="width: {round(abs(effect.probability) * 60)}%; background: {stage_hue(place)}"></span>'
            said = f"<td>{bar}{change_text(effect.probability)}</td>"
            rows.append(f'<tr><th scope="row">{escape(stage.name)}</th>{said}</tr>')
    return (
        f"<section><h2>Who taught it that?</h2><p>{escape(blame_conclusion(report))}</p>"
        f"{_beside([replace(case.answer, by=report.path.final), *without])}"
        f'<p class="pale">{escape(report.question.title)}: by how much each stage changed the probability of '
        f"{escape(report.of(measure))}.</p><table>{''.join(rows)}</table>"
        f"<details><summary>What the models without the other stages say</summary>{_beside(others)}</details></section>"
    )


def _beside(answers: Sequence[Said]) -> str:
    cards = (
        f'<div class="answer"><div class="pale">{escape(each.by)}</div><p class="words">{escape(each.text)}</p></div>'
        for each in answers
    )
    return f'<div class="two">{"".join(cards)}</div>'
