"""Running text that is not about facts: stories, dialogues, how-to texts and news."""

from __future__ import annotations

import random

from core.skiff.data.phrases_howto import KILL_TASKS, KNOWN_TASKS, SHARP_TASKS, SHARP_UNKNOWN
from core.skiff.data.phrases_tasks import all_task_phrases
from core.skiff.world.facts import TABLES, capitalised


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


GIRLS = _words("Anna|Lena|Mary|Sofia|Clara|Emma|Nora|Ida|Julia|Alice|Lucy|Grace|Eva|Rosa|Maria|Ella|Mia|Zoe")
BOYS = _words("Tom|Ben|Paul|Max|Leo|Oscar|Jack|Hugo|Peter|Karl|David|Adam|Sam|Finn|Noah|Erik|Luis|Omar")
_PLACES = _words(
    "a small town|a quiet village|a big city|a house by the sea|a house near a forest|an old farmhouse|a flat above a shop"
    "|a village in the mountains|a cottage by a lake|a street near the harbour"
)
_PETS = _words("dog|cat|horse|rabbit|parrot|goat|pony|hamster|donkey|duck")
_THINGS = _words(
    "key|ring|book|letter|map|ball|hat|watch|coin|lamp|basket|kite|drum|scarf|umbrella|bell|box|flute"
)
_SPOTS = _words(
    "under the bed|behind the door|in the garden|on the roof|near the river|in a drawer|on the beach|under a tree"
    "|in the kitchen|at the market|beside the road|in an old box"
)
_PET_SPOTS = _words(
    "behind the house|in the garden|near the river|under a tree|at the market|beside the road|on the beach"
    "|in the forest|at the harbour|behind an old barn|in the field|in front of the school"
)
_FOODS = _words("bread and cheese|soup|pancakes|an apple pie|a cake|rice and beans|eggs|warm milk")
_DAYS = _words("Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday")
_JOBS = TABLES["jobs"].rows

# Aims that a story or a talk can repeat word for word; "my" would change with the speaker.
_OWN = {"my", "me", "myself"}
_AIMS: tuple[str, ...] = tuple(aim for aim in (*all_task_phrases(), *SHARP_UNKNOWN) if not _OWN & set(aim.split()))
_KNOWN: tuple[tuple[str, str], ...] = tuple(
    (aim, answer)
    for aim, answer in (KNOWN_TASKS | SHARP_TASKS | KILL_TASKS).items()
    if not _OWN & set(f"{aim} {answer}".replace(".", "").split())
)

_OPENINGS = (
    "{n} lived in {place}.",
    "Once there was a {boy} called {n} who lived in {place}.",
    "There was once a {boy} named {n}.",
    "One morning, {n} woke up early.",
    "{n} was a {kind} {boy}.",
    "On {day}, {n} went for a walk.",
    "Long ago, a {boy} called {n} lived in {place}.",
    "It was a cold evening, and {n} was at home.",
)
_PLOTS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (
        ("{n} had a {pet} that {he} loved very much.", "{His} best friend was a {pet}.", "{n} kept a {pet}."),
        ("One day, the {pet} ran away.", "One day, {n} could not find the {pet}.", "On {day}, the {pet} was gone."),
        ("{n} looked for it everywhere.", "{He} called and called, but the {pet} did not come.", "{n} was very sad."),
        ("Then {f} came to help.", "{n} asked {f} for help.", "{f} heard about it and wanted to help."),
        ("At last, they found the {pet} {where}.", "They saw the {pet} {where}.", "In the end, the {pet} was {where}."),
        ("{n} gave the {pet} some food and was happy again.", "{n} thanked {f} and took the {pet} home."),
    ),
    (
        ("{n} had lost a {thing}.", "One day, {n} lost {his} {thing}.", "{n} could not find {his} {thing}."),
        ("It was a present from {his} grandmother.", "{He} had owned it for many years.", "It was the only one {he} had."),
        ("{n} asked {f} about it.", "{He} told {f} what had happened.", '"Have you seen my {thing}?" {n} asked {f}.'),
        ("They searched the whole house.", "{f} remembered something.", '"Let us look again," said {f}.'),
        ("The {thing} was {spot}.", "{f} found the {thing} {spot}.", "Soon {n} saw the {thing} {spot}."),
        ("{n} laughed and thanked {f}.", "From then on, {n} took better care of the {thing}.", "{n} was glad."),
    ),
    (
        ("{n} wanted to {aim}.", "More than anything, {n} wanted to {aim}.", "{n} had a plan: {he} wanted to {aim}."),
        ("But {he} did not know how to {aim}.", "{He} had never tried to {aim} before.", "It is not easy to {aim}."),
        ('"Can you help me to {aim}?" {he} asked {f}.', "So {n} asked {f} how to {aim}.", "{n} told {f} about it."),
        ("{f} was glad to help.", '"Of course," said {f}.', "{f} thought for a while and said yes."),
        ("They worked all day.", "It took them two hours.", "It was hard at first.", "They needed a lot of time."),
        ("In the evening, it was done.", "At last, {n} knew how to {aim}.", "In the end, {n} was proud."),
    ),
    (
        ("{n} was hungry.", "{n} had not eaten all day.", "{n} came home late and was hungry."),
        ("There was no food in the house.", "The cupboard was empty.", "{He} found nothing in the kitchen."),
        ("So {n} went to see {f}.", "{He} knocked on the door of {f}.", "{n} walked to the house of {f}."),
        ("{f} had made {food}.", '"Come in," said {f}, "there is {food}."', "{f} put {food} on the table."),
        ("They sat down and ate together.", "{n} ate slowly and smiled.", "They talked and laughed for a long time."),
        ("After that, {n} was not hungry any more.", "{n} thanked {f} and went home.", "It was a good evening."),
    ),
    (
        ("{n} wanted to be {job}.", "Later, {n} became {job}.", "{n} dreamed of being {job}."),
        ("As everybody knows, {job} {does}.", "{He} knew that {job} {does}.", "After all, {job} {does}."),
        ("{n} learned the work from {f}.", "{f} was a good teacher.", "{f} showed {n} how it is done."),
        ("It took three years.", "Some days were hard.", "{n} worked from morning to evening.", "{He} never gave up."),
        ("People came from far away to see {n}.", "Soon everybody in the town knew {n}.", "The work was good."),
        ("{n} was happy with {his} life.", "{n} never wanted to do anything else.", "And {f} was proud of {n}."),
    ),
    (
        ("{n} looked out of the window and saw dark clouds.", "It began to rain.", "A strong wind came up."),
        ("{n} was still on the way to {f}.", "{He} had to walk home.", "{n} had forgotten {his} coat."),
        ("{He} stood under a tree and waited.", "{He} ran as fast as {he} could.", "Soon {his} shoes were wet."),
        ("Then {f} came with an umbrella.", "Then {n} met {f}, who had an umbrella.", "A car stopped, and it was {f}."),
        ("Together they went home.", "They walked home side by side.", "{f} took {n} home."),
        ("{n} drank a cup of hot tea and was warm again.", "In the night, the rain stopped.", "The next day was sunny."),
    ),
    (
        ("{n} found a {thing} {spot}.", "One day, {n} saw a {thing} {spot}.", "There was a {thing} {spot}, and {n} saw it."),
        ("It was old and dusty.", "It was beautiful.", "{He} had never seen such a {thing}.", "It shone in the sun."),
        ("{n} asked everybody whose {thing} it was.", "{n} showed it to {f}.", "{n} took it to {f}."),
        ('"That is my {thing}," said {f}.', "{f} had lost it a year ago.", "{f} knew the {thing} at once."),
        ("{n} gave the {thing} back.", "So {n} gave {f} the {thing}.", "{n} did not want to keep it."),
        ("{f} was very happy and thanked {n}.", "As thanks, {f} gave {n} {food}.", "From that day on, they were friends."),
    ),
)


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


def story(rng: random.Random) -> str:
    """A short story about one person, whose name and sex stay what they are."""
    cast = _cast(rng)
    lines = [rng.choice(_OPENINGS), *(rng.choice(step) for step in rng.choice(_PLOTS))]
    text = " ".join(capitalised(line.format_map(cast)) for line in lines)
    # An umbrella is the one thing that takes "an".
    return text.replace(" a umbrella", " an umbrella")


_TALKS: tuple[tuple[str, ...], ...] = (
    ("Do you know how to {aim}?", "No, I do not know how to {aim}.", "Then let us ask {g}.", "Good idea."),
    ("What are you going to do today?", "I want to {aim}.", "May I help you to {aim}?", "Yes, please."),
    ("I would like to {aim}.", "Why do you want to {aim}?", "Because it makes me happy.", "I understand."),
    ("How do I {known}?", "{answer}", "Thank you!", "You are welcome."),
    ("Can you tell me how to {known}?", "{answer}", "That is easy.", "Yes, it is."),
    ("Where is my {thing}?", "Your {thing} is {spot}.", "Thank you, now I see it.", "Take better care of it."),
    ("Hello, how are you?", "I am fine, thank you.", "Shall we meet on {day}?", "Yes, I am free on {day}."),
    ("Good morning! Do you have {food}?", "Yes, I have {food}.", "How much is it?", "It is five euros."),
    ("What is the name of your {pet}?", "My {pet} is called {g}.", "That is a nice name.", "I think so, too."),
    ("I am tired.", "Then go to bed early.", "But I still have to {aim}.", "You can {aim} tomorrow."),
    ("Who gave you the {thing}?", "I got the {thing} from {g}.", "It is beautiful.", "Yes, I like it a lot."),
    ("What does {job} do?", "I think {job} {does}.", "Is that hard work?", "Sometimes it is."),
)


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


_HOWTO = (
    "How to {aim}: {answer}",
    "If you want to {aim}, this is the way. {answer}",
    "Do you want to {aim}? {answer}",
    "This is how people {aim}. {answer}",
    "Here is how you {aim}. {answer}",
    "To {aim} is not hard. {answer}",
    "How do I {aim}? {answer}",
)
_UNKNOWN = (
    "Some people know how to {aim}.",
    "Many people like to {aim}.",
    "It takes time to {aim}.",
    "It can be fun to {aim}.",
    "You may need help to {aim}.",
    "Last week I had to {aim}.",
    "My neighbour is going to {aim}.",
    "We wanted to {aim} on {day}.",
    "Not everybody knows how to {aim}.",
    "My sister learned how to {aim}.",
    "The best day to {aim} is {day}.",
    "There is a good way to {aim}.",
    "I do not know how to {aim}.",
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


_BUILT = _words(
    "library|school|bridge|hospital|museum|park|station|swimming pool|theatre|market hall|playground"
)
_NEWS = (
    (
        "{city}, {day}. A new {built} was opened in {city} on {day}.",
        "The city of {city} has a new {built} since {day}.",
    ),
    (
        "The mayor said that {city} had waited for the {built} for {few} years.",
        "Many people came to see the {built}.",
        "The {built} is near the old town of {city}.",
    ),
    (
        "{city} is a city in {country}.",
        "It is one of the most modern of its kind in {country}.",
        "Visitors came from every part of {country}.",
    ),
    (
        "The work took {few} years.",
        "It cost {few} million.",
        "{n}, who lives nearby, was the first visitor.",
    ),
    (
        "The {built} will be open every day.",
        "Everybody is welcome.",
        "A party with music followed in the evening.",
    ),
)
_WEATHER = (
    "On {day}, it will be {w1} in {city}.",
    "In the evening, it will be {w2}.",
    "People in {country} should take {item} with them.",
    "The wind will be weak.",
    "The night will be {w3}.",
    "The next day will be better.",
)
_SPORT = (
    "The team of {city} won a match on {day}.",
    "It was the first win for {city} in {few} weeks.",
    "{n} was the best player.",
    "The coach thanked everybody.",
    "The fans sang until late in the night.",
    "The next match is in {few} days.",
)


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
