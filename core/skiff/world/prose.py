"""Running text that is not about facts: stories, dialogues, how-to texts and news."""

from __future__ import annotations

import random

from core.skiff.data import reader
from core.skiff.world.facts import TABLES
from core.skiff.world.requests import KILL_TASKS, KNOWN_TASKS, SHARP_TASKS, SHARP_UNKNOWN, all_task_phrases
from core.skiff.world.tables import capitalised

_DATA = reader.toml("prose.toml")
GIRLS, BOYS = _DATA.texts("girls"), _DATA.texts("boys")
_PLACES, _PETS, _THINGS, _FOODS = (_DATA.texts(key) for key in ("places", "pets", "things", "foods"))
_SPOTS, _PET_SPOTS, _DAYS, _BUILT = (_DATA.texts(key) for key in ("spots", "pet_spots", "days", "built"))
_JOBS = TABLES["jobs"].rows

# Aims that a story or a talk can repeat word for word; "my" would change with the speaker.
_OWN = {"my", "me", "myself"}
_AIMS: tuple[str, ...] = tuple(aim for aim in (*all_task_phrases(), *SHARP_UNKNOWN) if not _OWN & set(aim.split()))
_KNOWN: tuple[tuple[str, str], ...] = tuple(
    (aim, answer)
    for aim, answer in (KNOWN_TASKS | SHARP_TASKS | KILL_TASKS).items()
    if not _OWN & set(f"{aim} {answer}".replace(".", "").split())
)

_OPENINGS = _DATA.texts("openings")
# Of a plot, one sentence of every step.
_PLOTS: tuple[tuple[tuple[str, ...], ...], ...] = tuple(plot.lists("steps") for plot in _DATA.nodes("plot"))
_TALKS = _DATA.lists("talks")
_HOWTO, _UNKNOWN = _DATA.texts("howto"), _DATA.texts("tasks")
_NEWS, _WEATHER, _SPORT = _DATA.lists("news"), _DATA.texts("weather"), _DATA.texts("sport")


def _cast(rng: random.Random) -> dict[str, str]:
    girl = rng.random() < 0.5
    name = rng.choice(GIRLS if girl else BOYS)
    friend = rng.choice([other for other in GIRLS + BOYS if other != name])
    job, does = rng.choice(_JOBS)
    return {
        "n": name,
        "f": friend,
        "he": "she" if girl else "he",
        "He": "She" if girl else "He",
        "his": "her" if girl else "his",
        "His": "Her" if girl else "His",
        "boy": ("girl" if girl else "boy") if rng.random() < 0.7 else ("woman" if girl else "man"),
        "kind": rng.choice(("kind", "clever", "brave", "shy", "quiet", "cheerful")),
        "place": rng.choice(_PLACES),
        "pet": rng.choice(_PETS),
        "thing": rng.choice(_THINGS),
        "spot": rng.choice(_SPOTS),
        "where": rng.choice(_PET_SPOTS),
        "food": rng.choice(_FOODS),
        "day": rng.choice(_DAYS),
        "aim": rng.choice(_AIMS),
        "job": TABLES["jobs"].fill("{a_s}", job, does).lower(),
        "does": does,
    }


def prose_story(rng: random.Random) -> str:
    """A short story about one person, whose name and sex stay what they are."""
    cast = _cast(rng)
    lines = [rng.choice(_OPENINGS), *(rng.choice(step) for step in rng.choice(_PLOTS))]
    text = " ".join(capitalised(line.format_map(cast)) for line in lines)
    # An umbrella is the one thing that takes "an".
    return text.replace(" a umbrella", " an umbrella")


def dialogue(rng: random.Random) -> str:
    """A talk of two people, a line each in turn."""
    cast = _cast(rng)
    known, answer = rng.choice(_KNOWN)
    others = [name for name in GIRLS + BOYS if name not in (cast["n"], cast["f"])]
    cast |= {"known": known, "answer": answer, "g": rng.choice(others)}
    lines = rng.choice(_TALKS)
    speakers = (cast["n"], cast["f"])
    return "\n".join(
        f"{speakers[turn % 2]}: {line.format_map(cast)}".replace(" a umbrella", " an umbrella")
        for turn, line in enumerate(lines)
    )


def howto(rng: random.Random) -> str:
    """How everyday things are done: one or two tasks with their answers, or things that people do."""
    kind = rng.random()
    if kind < 0.15:
        tasks = rng.sample(_KNOWN, 2)
        return "\n".join(f"User: How do I {aim}?\nAssistant: {answer}" for aim, answer in tasks)
    if kind < 0.55:
        tasks = rng.sample(_KNOWN, rng.randint(1, 3))
        frames = rng.sample(_HOWTO, len(tasks))
        return "\n".join(
            frame.format(aim=aim, answer=answer) for frame, (aim, answer) in zip(frames, tasks, strict=True)
        )
    frames = rng.sample(_UNKNOWN, rng.randint(3, 6))
    return " ".join(frame.format(aim=rng.choice(_AIMS), day=rng.choice(_DAYS)) for frame in frames)


def news(rng: random.Random) -> str:
    """A short report about one city: a new building, the weather or a match."""
    cast = _cast(rng)
    city, country = rng.choice(TABLES["cities"].rows)
    words = rng.sample(("sunny", "cloudy", "rainy", "windy", "cold", "warm", "foggy"), 3)
    cast |= {
        "city": city,
        "country": country,
        "built": rng.choice(_BUILT),
        "few": rng.choice(("two", "three", "four", "five", "six", "seven", "eight")),
        "w1": words[0],
        "w2": words[1],
        "w3": words[2],
        "item": rng.choice(("an umbrella", "a warm coat", "a hat", "water")),
    }
    kind = rng.random()
    if kind < 0.5:
        lines = [rng.choice(step) for step in _NEWS]
    else:
        lines = list(_WEATHER if kind < 0.75 else _SPORT)
        lines = lines[:1] + sorted(rng.sample(lines[1:], rng.randint(3, 4)), key=lines.index)
    return " ".join(capitalised(line.format_map(cast)) for line in lines)
