"""What the page is told: a chat as one JSON document, and answers as lines of JSON that only grow. No decision is taken here."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from app.visits import Visit
from core.artefacts.store import Card
from core.chat.answers import Answer, why_ended
from core.chat.events import Done, Event, Failed, RecipeChanged, Scores, Started, Token
from core.chat.screens import what_this_is
from core.chat.settings import Settings
from core.chat.slider_cache import ScrubKey
from core.directions.slider_figures import SliderFigures, slider_figures
from core.display import lenses, palette
from core.display.lenses import Lens
from core.engine.engine import Engine
from core.engine.job_list import JobLine
from core.errors import TillerError
from core.families.checkpoint import Family
from core.families.edited import menu_group
from core.util.files import json_text

#: The grounds that tokens are drawn on, in the light and in the dark page; base.css has the same.
PAPER, NIGHT = "#ffffff", "#181c23"
#: Addresses longer than this are cut by some servers and mail programs.
MAX_ADDRESS = 6_000
#: Where a person sets the longest answer.
_LONGEST = "Details"


def dump(document: object) -> str:
    """Compact JSON on one line."""
    return json_text(document, ensure_ascii=False, separators=(",", ":"))


# -------------------------------------------------------------------------------------------------------------- the chat


def view(visit: Visit) -> str:
    """Everything about a chat but the tokens of its last answers. What is told once is forgotten then."""
    engine, settings = visit.engine, visit.settings
    document = {
        "version": visit.version(), "heard": visit.heard, "running": visit.running, "visit": visit.key, "elsewhere": visit.elsewhere,
        "family": {**_family(engine.family), "toy": engine.toy},
        "columns": [_column(visit, place) for place in range(len(settings.columns))],
        "selected": settings.selected, "tab": settings.tab, "turns": [{"user": t.user, "replies": t.replies} for t in settings.turns],
        "kept": visit.session.id, "title": visit.session.title, "versions": visit.session.all_versions,
        "purpose": what_this_is(
            engine.family.title, engine.family.about, len(settings.columns), bool(engine.catalogue.directions())
        ),
        "sliders": [slider(visit, name, cards) for name, cards in engine.catalogue.directions().items()],
        "scrub": visit.session.may_precompute(visit.running),
        "lens": settings.lens, "lenses": [_lens(each) for each in engine.lenses(settings)],
        "sampling": {**vars(settings.sampling), "stop": list(settings.sampling.stop)}, "system": settings.system,
        "fields": {**settings.sampling.hints, **visit.wrong}, "wrong": list(visit.wrong),
        "recorded": visit.session.recorded,
        "relive": visit.relive and not visit.running and bool(visit.session.lacking),
        "unread": bool(settings.turns) and not visit.session.answers,
        "back": bool(visit.session.past or settings.turns), "recipeError": visit.recipe_error, "recipeMeant": visit.recipe_meant,
        "point": _point(engine, visit), "noise": engine.noise(settings.column.checkpoint).said,
        "notice": visit.notice, "draft": visit.draft, "space": _space(), **_links(settings),
    }  # fmt: skip
    visit.notice = visit.draft = ""
    visit.relive = False
    visit.elsewhere = {}
    return dump(document)


def _space() -> str:
    """The page of the Space that this is the inside of; empty anywhere else. The Hub hands a page's query to its inside, which nobody
    reaches by itself if the Space is private, and where nobody is known to be logged in."""
    name = os.environ.get("SPACE_ID")
    return f"https://huggingface.co/spaces/{name}" if name else ""


def _point(engine: Engine, visit: Visit) -> dict[str, str] | None:
    found = None if visit.running else engine.conclude(visit.session)
    return vars(found) if found else None


def _links(settings: Settings) -> dict[str, Any]:
    whole = settings.to_link()
    if len(whole) <= MAX_ADDRESS:
        return {"link": whole, "whole": True}
    return {"link": replace(settings, turns=(), system="").to_link(), "whole": False}


def _family(family: Family) -> dict[str, Any]:
    return {
        "name": family.name, "title": family.title, "notes": family.notes, "about": family.about, "questions": family.questions,
        "shortened": family.shortened,
        "checkpoints": [
            {"name": each.name, "title": each.title, "stage": each.stage, "notes": each.notes, "group": menu_group(family, each),
             "absent": family.why_absent(each.name)}
            for each in family.choices
        ],
        "examples": [{"title": each.title, "note": each.note or each.message} for each in family.examples],
    }  # fmt: skip


def _column(visit: Visit, place: int) -> dict[str, Any]:
    engine = visit.engine
    column, session = visit.settings.columns[place], visit.session
    try:
        explained, error = engine.explain(column.recipe, column.checkpoint), ""
    except TillerError as problem:
        explained, error = "", str(problem)
    return {
        "checkpoint": column.checkpoint, "own": engine.catalogue.own(column.checkpoint),
        "recipe": str(column.recipe), "does": column.does, "asks": column.asks, "explained": explained, "error": error,
        "older": session.older(place), "made": str(made.column.recipe) if (made := session.made.get(place)) else "",
    }  # fmt: skip


@lru_cache(maxsize=64)
def _lens(chosen: Lens) -> dict[str, Any]:
    light, dark = palette.shades(chosen, PAPER), palette.shades(chosen, NIGHT)
    hues = zip(palette.legend(chosen, PAPER), palette.legend(chosen, NIGHT), strict=True)
    return {
        "stages": [[day, night, label] for (day, label), (night, _) in hues] if chosen.kind == "stages" else [],
        "name": chosen.name, "title": chosen.title, "tooltip": chosen.tooltip, "unit": chosen.unit,
        "light": [[each, palette.ink(each)] for each in light], "dark": [[each, palette.ink(each)] for each in dark],
        "labels": [label for _, label in palette.legend(chosen)],
    }  # fmt: skip


# --------------------------------------------------------------------------------------------------------------- sliders


def slider(visit: Visit, name: str, there: Mapping[str, Card]) -> dict[str, Any]:
    """A slider of the selected column."""
    settings, sliders = visit.settings, visit.sliders
    strength, source, key = (
        settings.column.recipe.strength(name),
        sliders.source(settings, name),
        sliders.key(settings, name),
    )
    card = there.get(source)
    known = slider_figures(card, sliders.term(settings, name), settings.column)
    return {
        "name": name, "strength": strength, "source": source, "sources": list(there), "ablated": sliders.ablated(settings, name),
        "dose": _dose(known), "layer": card.layer if card else None, "words": known.words,
        "strengths": list(visit.engine.SCRUB_STRENGTHS), "key": short_key(key),
        "ready": visit.scrubs.complete(key),
    }  # fmt: skip


def _dose(known: SliderFigures) -> dict[str, Any]:
    """What was measured at each strength, and the useful range; empty where nothing that was measured holds."""
    found = known.dose
    if found is None:
        return {}
    return {
        "strengths": found.strengths, "effect": found.effect, "damage": found.damage,
        "others": [values for name, values in found.effects.items() if name != "effect"], "useful": found.useful,
    }  # fmt: skip


def short_key(key: ScrubKey) -> str:
    """A short name of a scrub key, by which the page knows its nine answers."""
    return hashlib.sha256(repr(key).encode()).hexdigest()[:16]


# --------------------------------------------------------------------------------------------------------------- answers


def lines(events: Iterable[Event], names: Sequence[Lens], answers: Mapping[int, Answer]) -> list[str]:
    """Events as lines; ``answers`` are those after the events: an answer that was scored is told anew, with all that it is by now."""
    events = list(events)
    scored = {event.column for event in events if isinstance(event, Scores)}
    told = [line for event in events if event.column not in scored and (line := _line(event, names, answers))]
    return told + [dump({"c": c, "again": True, **answer_document(answers[c], names)}) for c in sorted(scored)]


def whole(stream: int, answers: Mapping[int, Answer], names: Sequence[Lens]) -> str:
    """All answers as they stand, in place of every earlier one: how a stream begins."""
    told = [dump({"c": column, **answer_document(answer, names)}) for column, answer in sorted(answers.items())]
    return "\n".join([dump({"stream": stream}), *told])


def answer_document(answer: Answer, names: Sequence[Lens]) -> dict[str, Any]:
    """An answer with everything that its tokens show."""
    return {
        "t": [token_document(token, names) for token in answer.tokens], "joins": answer.joins, "note": answer.note,
        "filled": [answer.prompt_tokens, answer.context],
        "done": answer.finished, "reason": why_ended(answer.reason, _LONGEST), "seconds": answer.seconds, "error": answer.error,
        "unblamed": answer.unblamed, "awaited": answer.awaited, "more": answer.cut_off,
        "older": answer.older, "olderBy": answer.older_by,
    }  # fmt: skip


def token_document(token: Token, names: Sequence[Lens]) -> list[Any]:
    """A token: text, shade by lens, readings in words, alternatives as (id, text, probability), id, whether it was given, the letters
    of the stages it is owed to, by lens, and whether it is thought and no part of the answer."""
    shades = [palette.shade_of(each, token) for each in names]
    letters = [lenses.letter(each, token) for each in names] if token.blame else []
    top = [(each.id, each.text, round(each.probability, 4)) for each in token.reading.top]
    return [token.text, shades, lenses.describe(token), top, token.id, int(token.forced), letters, int(token.thought)]


def _line(event: Event, names: Sequence[Lens], answers: Mapping[int, Answer]) -> str:
    match event:
        case Started():
            return dump({"c": event.column, "note": event.note, "filled": [event.prompt_tokens, event.context]})
        case Token():
            return dump({"c": event.column, "t": [token_document(event, names)]})
        case RecipeChanged():
            return dump({"c": event.column, "joins": [[event.index, event.recipe]]})
        case Scores():
            return ""
        case Done():
            return dump(
                {
                    "c": event.column,
                    "done": True,
                    "reason": why_ended(event.reason, _LONGEST),
                    "seconds": event.seconds,
                    "more": answers[event.column].cut_off,
                }
            )
        case Failed():
            columns = [event.column] if event.column is not None else list(answers)
            return "\n".join(dump({"c": c, "done": True, "error": event.sentence}) for c in columns if answers[c].error)


# ---------------------------------------------------------------------------------------------------------------- status


def status(engine: Engine, jobs: Sequence[tuple[str, JobLine]] = ()) -> str:
    """What the engine is doing, what it learns or could learn, by checkpoint, and everything that goes on, with for whom or where."""
    learning = {each.name: told for each in engine.family.checkpoints if (told := _learning(engine, each.name))}
    use = engine.memory_use
    listed = [{**vars(each), "short": each.short, "whose": whose} for whose, each in jobs]
    memory = {**vars(use), "words": use.words} if use else {}
    return dump({**vars(engine.status), "memory": memory, "learning": learning, "jobs": listed})


def _learning(engine: Engine, checkpoint: str) -> dict[str, Any] | None:
    """What the line that offers to learn says of a checkpoint; None where there is nothing to say."""
    offer, job = engine.offer(checkpoint), engine.learning(checkpoint)
    running = job is not None and not job.over
    if offer is None and not running:
        return None
    return {
        "offer": offer.sentence if offer else "", "lacking": offer.lacking if offer else "", "running": running,
        "failed": job is not None and job.state == "failed", "part": job.part if job else 0, "said": job.said if job else "",
        "written": job.written if job else 0,
    }  # fmt: skip
