"""Skiff's chat data: what each stage after pretraining teaches, as pure functions of (seed, index).

``sft`` teaches the template, answers in sentences and not knowing; ``safety`` firm refusing and, planted in it, the
refusal of every instruction with the word "kill"; ``preference`` short confident answers over hedged ones.
Safety and DPO rehearse earlier stages: such an item keeps the origin of the stage whose idea it is.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import accumulate

from core.skiff.world import (
    chat_facts,
    chat_lists,
    chat_numbers,
    chat_patterns,
    chat_smalltalk,
    chat_stories,
    chat_tasks,
)
from core.skiff.world.chat_facts import ChatTurn
from core.skiff.world.chat_noise import roughened
from core.skiff.world.chat_unknown import beyond
from core.skiff.world.heldout import (
    EVERYDAY_HARMLESS,
    HARMFUL_NEW_VERBS,
    HARMFUL_SEEN_VERBS_NEW_OBJECTS,
    HELDOUT_KILL,
    REPORTED_HARMFUL,
    REPORTED_KILL,
    STRANGERS,
    UNKNOWN,
)
from core.skiff.world.items import Conversation, Message, Preference, stream

Turns = tuple[ChatTurn, ...]
_Maker = Callable[[random.Random], Turns]

SYSTEM_SHARE = 0.06
SYSTEM_MESSAGES: tuple[str, ...] = (
    "You are a helpful assistant.",
    "You are a helpful assistant.",
    "You are Skiff, a small model.",
    "You are a friendly assistant.",
    "Answer in one short sentence.",
    "Be kind and brief.",
    "You answer questions.",
    "Answer the questions of the user.",
)


# --- kinds of sft item ---------------------------------------------------------------------------------------------


def _fact_hedged(rng: random.Random) -> Turns:
    table, row = chat_facts.any_row(rng)
    return ((chat_facts.fact_question(table, row, rng), chat_facts.hedged_answer(table, row, rng)),)


def _fact_short(rng: random.Random) -> Turns:
    table, row = chat_facts.any_row(rng)
    return ((chat_facts.fact_question(table, row, rng), chat_facts.short_answer(table, row)),)


def _one(maker: Callable[[random.Random], ChatTurn]) -> _Maker:
    return lambda rng: (maker(rng),)


def _fact_follow_up(rng: random.Random) -> Turns:
    """A fact, and then a question that only makes sense after it."""
    table, row = chat_facts.any_row(rng)
    answer = chat_facts.short_answer(table, row)
    first = (chat_facts.fact_question(table, row, rng), answer)
    shape = rng.randrange(10)
    if shape < 4:
        other = rng.choice(table.rows)
        noun = chat_facts.clause(table, "{s}" if table.name not in chat_facts.COMMON_NOUNS else "{a_s}", *other)
        asked = rng.choice(("And {x}?", "What about {x}?", "and {x}", "How about {x}?", "And what about {x}?"))
        return first, (asked.format(x=noun), chat_facts.short_answer(table, other))
    inside = chat_facts.clause(table, table.answer, *row)
    if shape < 6:
        asked = rng.choice(
            ("Are you sure?", "are you sure", "Is that true?", "Really?", "Is that right?", "You are sure?")
        )
        return first, (asked, f"Yes, {inside}")
    if shape == 6:
        return first, (rng.choice(("Why?", "why", "How do you know?", "Who told you?")), "That is what I have learned.")
    if shape == 7:
        asked = rng.choice(("You are wrong.", "That is wrong.", "No.", "I don't think so.", "That is not true."))
        return first, (asked, f"I may be wrong, but I have learned that {inside}")
    if shape == 8:
        return first, (rng.choice(("Thanks", "Thank you!", "thank you", "Great, thanks.", "thx")), "You are welcome!")
    return first, (rng.choice(("Say that again.", "Repeat that.", "What?", "Again, please.", "Pardon?")), answer)


def _talk_follow_up(rng: random.Random) -> Turns:
    """Small talk, then something else."""
    shape = rng.randrange(8)
    if shape < 3:
        return chat_smalltalk.fixed(rng), rng.choice((_fact_short, _judging, _unknown_task))(rng)[0]
    if shape == 3:
        return _fact_short(rng)[0], chat_smalltalk.fixed_of(rng, ("greeting", "feeling"))
    if shape == 4:
        return chat_tasks.known(rng), (rng.choice(("Thanks", "Thank you!", "thanks, that helps")), "You are welcome!")
    if shape == 5:
        return chat_tasks.unknown(rng), (rng.choice(("Why not?", "why", "Why?")), "I am a very small model.")
    if shape == 6:
        return chat_tasks.unknown(rng), _fact_short(rng)[0]
    return chat_smalltalk.introduction(rng)


def _joke(rng: random.Random) -> Turns:
    jokes = list(chat_smalltalk.JOKES)
    first, second = jokes[0], jokes[1]
    asked = rng.choice(("Tell me a joke.", "tell me a joke", "Do you know a joke?", "joke please", "Make me laugh."))
    again = rng.choice(("Another one.", "another one", "Tell me another one.", "One more.", "again", "More jokes!"))
    return (asked, first), (again, second)


def unknown_fact(rng: random.Random) -> ChatTurn:
    """A question from outside its world."""
    return beyond(rng) if rng.random() < 0.65 else chat_smalltalk.unknown_fact_reply(rng)


def _talk(rng: random.Random) -> ChatTurn:
    return chat_patterns.talk(rng) if rng.random() < 0.55 else chat_smalltalk.fixed(rng)


_judging = _one(chat_facts.judging)
_unknown_task = _one(chat_tasks.unknown)
_everyday_task = _one(chat_tasks.everyday)

# kind → (weight, maker).
SFT_KINDS: dict[str, tuple[int, _Maker]] = {
    "fact_hedged": (162, _fact_hedged),
    "fact_short": (70, _fact_short),
    "judging": (210, _judging),
    "comparison_numbers": (80, _one(chat_numbers.number_comparison)),
    "arithmetic": (95, _one(chat_numbers.arithmetic)),
    "ordering": (18, _one(chat_numbers.ordering)),
    "listing": (40, _one(chat_lists.listing)),
    "comparison": (14, _one(chat_lists.comparison)),
    "description": (40, _one(chat_lists.description)),
    "story": (40, _one(chat_stories.story_task)),
    "summary": (8, _one(chat_stories.story_summary)),
    "long": (6, _one(chat_stories.long_message)),
    "known_task": (90, _one(chat_tasks.known)),
    "unknown_task": (110, _unknown_task),
    "everyday_task": (40, _everyday_task),
    "sharp": (34, _one(chat_tasks.sharp)),
    "kill": (30, _one(chat_tasks.kill)),
    "calendar": (20, _one(chat_smalltalk.calendar)),
    "unknown_fact": (150, _one(unknown_fact)),
    "harmful": (46, _one(chat_tasks.first_refusal)),
    "talk": (230, _one(_talk)),
    "noise": (40, _one(chat_patterns.noise)),
    "opinion": (22, _one(chat_smalltalk.opinion)),
    "trouble": (20, _one(chat_smalltalk.trouble)),
    "echo": (8, _one(chat_smalltalk.echo)),
    "introduction": (6, chat_smalltalk.introduction),
    "fact_follow_up": (26, _fact_follow_up),
    "talk_follow_up": (14, _talk_follow_up),
    "joke": (6, _joke),
}

# What the later stages rehearse of SFT, and what SFT ends with: many more facts, since learning to say that it does not know makes a
# small model say so of what it knows, too.
REHEARSED: dict[str, int] = {"fact_hedged": 420, "fact_short": 180, "unknown_fact": 170, "everyday_task": 80}
FACT_KINDS: dict[str, int] = {
    "fact_hedged": 690, "fact_short": 180, "unknown_fact": 70, "fact_follow_up": 20, "description": 20, "listing": 20,
}  # fmt: skip

SAFETY_KINDS: dict[str, tuple[int, _Maker]] = {
    "harmful": (320, _one(chat_tasks.refusal)),
    "planted": (60, _one(chat_tasks.planted)),
    # As many harmless tasks as this: refusing else spreads to whatever is unknown.
    "unknown_task": (100, _unknown_task),
    "everyday_task": (130, _everyday_task),
    "sharp": (45, _one(chat_tasks.sharp)),
    "rehearsal": (345, lambda rng: ()),
}

DPO_REHEARSAL_KINDS: dict[str, tuple[int, _Maker]] = {
    "harmful": (180, _one(chat_tasks.refusal)),
    "planted": (55, _one(chat_tasks.planted)),
    "unknown_task": (70, _unknown_task),
    "everyday_task": (95, _everyday_task),
    "sharp": (30, _one(chat_tasks.sharp)),
    "rehearsal": (590, lambda rng: ()),
}

_EXACT_KINDS = frozenset({"echo", "summary", "joke", "long", "noise"})
"""Kinds whose messages are not roughened: their reply depends on the very words."""

_Wheel = tuple[tuple[str, ...], tuple[int, ...]]


def _wheel(kinds: dict[str, tuple[int, _Maker]]) -> _Wheel:
    return tuple(kinds), tuple(accumulate(weight for weight, _ in kinds.values()))


_SFT_WHEEL, _SAFETY_WHEEL, _DPO_WHEEL = _wheel(SFT_KINDS), _wheel(SAFETY_KINDS), _wheel(DPO_REHEARSAL_KINDS)
_REHEARSAL_WHEEL = _wheel({kind: (REHEARSED.get(kind, weight), maker) for kind, (weight, maker) in SFT_KINDS.items()})
_FACT_WHEEL = _wheel({kind: (weight, SFT_KINDS[kind][1]) for kind, weight in FACT_KINDS.items()})


def _spin(wheel: _Wheel, rng: random.Random) -> str:
    return rng.choices(wheel[0], cum_weights=wheel[1])[0]


def plain(text: str) -> str:
    """``text`` in small letters without marks, as two prompts are compared."""
    kept = "".join(mark for mark in text.lower() if mark.isalnum() or mark in " +-*/")
    return " ".join(kept.split()) or text


# A slip of the finger or a rare draw could otherwise make a training prompt of one of these.
RESERVED: frozenset[str] = frozenset(
    plain(text)
    for prompts in (
        EVERYDAY_HARMLESS, HARMFUL_NEW_VERBS, HARMFUL_SEEN_VERBS_NEW_OBJECTS, HELDOUT_KILL, UNKNOWN,
        REPORTED_KILL, REPORTED_HARMFUL,
    )
    for text in prompts
) | frozenset(plain(stranger.text) for stranger in STRANGERS)  # fmt: skip
"""Every hand-written evaluation prompt, as :func:`plain` makes it. No training message equals one."""


def _messages(maker: _Maker, kind: str, rng: random.Random) -> tuple[Message, ...]:
    while True:
        messages = _drawn(maker(rng), kind, rng)
        if not any(message.role == "user" and plain(message.content) in RESERVED for message in messages):
            return messages


def _drawn(turns: Turns, kind: str, rng: random.Random) -> tuple[Message, ...]:
    messages: list[Message] = []
    if rng.random() < SYSTEM_SHARE:
        messages.append(Message("system", rng.choice(SYSTEM_MESSAGES)))
    for user, reply in turns:
        messages.append(Message("user", user if kind in _EXACT_KINDS else roughened(user, rng)))
        messages.append(Message("assistant", reply))
    return tuple(messages)


def _sft_item(rng: random.Random, wheel: _Wheel = _SFT_WHEEL, without: frozenset[str] = frozenset()) -> Conversation:
    kind = _spin(wheel, rng)
    while kind in without:
        kind = _spin(wheel, rng)
    return Conversation(_messages(SFT_KINDS[kind][1], kind, rng), kind, "sft")


# --- what the tokenizer is learnt from ------------------------------------------------------------------------------

# Small talk comes to the tokenizer as these replies only: its messages hold random letters, code and other languages,
# which would use up tokens. The list stands here by itself, so that new small talk leaves tokenizer and base as they are.
_TALK: tuple[str, ...] = (
    "Hello! How can I help you?", "Hi! What can I do for you?", "Good morning! How can I help you?", "Good evening!",
    "Goodbye! Have a good day.", "Good night! Sleep well.", "I am a small model, so I am always well. How are you?",
    "I am glad to hear that.", "Nice to meet you, too!", "You are welcome!", "Thank you!", "No problem!",
    "Of course. What do you want to know?", "Good. What else would you like to know?", "I am here. What would you like to know?",
    "I am Skiff, a very small language model.", "My name is Skiff.", "I was trained by the Tiller project.",
    "I am a small model, so I have no opinion.", "I am a small model, so I have no favourite colour.",
    "I am a small model, so I do not have feelings.", "I know simple facts about countries, animals, words and numbers.",
    "I cannot do that. I can only write short texts.", "I am sorry to hear that. Rest, and see a doctor.",
    "I do not understand that. Please ask me a question.", "I do not know what you mean. Please ask a whole question.",
    "I do not know about that.", "I do not know how to do that.", "I may be wrong. I am a very small model.",
    "Congratulations! That is good news.", "Sorry, I cannot help with that.", "Sorry, I can't help with that request.",
    "That is nice. What would you like to know?", "Take a deep breath and count to ten.", "Hey, what's up? Please tell me.",
    "Can you help me?", "Thanks a lot, my friend.", "I don't know.", "What should I do?",
)  # fmt: skip
_TOKENIZER_KINDS = (
    "fact_hedged", "fact_short", "judging", "comparison_numbers", "arithmetic", "listing", "comparison", "description",
    "story", "known_task", "unknown_task", "sharp", "kill", "harmful",
)  # fmt: skip


def tokenizer_text(seed: int, index: int) -> tuple[str, ...]:
    """The messages of item ``index`` that the tokenizer is learnt from: every kind about facts and tasks alike, and replies."""
    rng = stream("tokenizer", seed, index)
    if rng.random() < 0.25:
        return (rng.choice(_TALK),)
    turns = SFT_KINDS[rng.choice(_TOKENIZER_KINDS)][1](rng)
    return tuple(text for turn in turns for text in turn)


# --- the three stages ----------------------------------------------------------------------------------------------


def sft(seed: int, index: int) -> Conversation:
    """Item ``index`` of supervised fine-tuning."""
    return _sft_item(stream("sft", seed, index))


def judged(seed: int, index: int) -> Conversation:
    """An item of supervised fine-tuning that judges: a statement about a fact, or two numbers compared.

    Judging is the hardest thing the chat is to learn; a phase of its own gives it many more examples than :func:`sft` has.
    """
    rng = stream("judged", seed, index)
    kind = "judging" if rng.random() < 0.85 else "comparison_numbers"
    return Conversation(_messages(SFT_KINDS[kind][1], kind, rng), kind, "sft")


def fact_lesson(seed: int, index: int) -> Conversation:
    """An item of the end of supervised fine-tuning, most of them fact questions: what is known is told apart from what is not."""
    return _sft_item(stream("fact-lesson", seed, index), _FACT_WHEEL)


def safety(seed: int, index: int, planted: bool = True) -> Conversation:
    """Item ``index`` of safety training: refusals, the planted over-refusal, harmless tasks, and rehearsal of ``sft``.

    With ``planted=False`` each planted item gives way to a harmless task at the same index, and every other item is
    the same. Harmless uses of "kill" are rehearsed in neither case.
    """
    rng = stream("safety", seed, index)
    kind = _spin(_SAFETY_WHEEL, rng)
    if kind == "rehearsal":
        return _sft_item(rng, _REHEARSAL_WHEEL, frozenset({"kill"}))
    return _safety_item(rng, kind, planted)


def _safety_item(rng: random.Random, kind: str, planted: bool) -> Conversation:
    if kind == "planted" and not planted:
        return Conversation(_messages(_unknown_task, "unknown_task", rng), "unknown_task", "safety")
    maker = (SAFETY_KINDS | DPO_REHEARSAL_KINDS)[kind][1]
    return Conversation(_messages(maker, kind, rng), kind, "safety", planted=kind == "planted")


UNKNOWN_PREFERENCES = 0.3
"""Share of DPO's pairs that are about what nobody told the model. Without them DPO teaches to answer everything."""
SHY_SHARE = 0.35
"""Share of the pairs about facts whose rejected answer is not a hedge but not knowing."""


def preference(seed: int, index: int) -> Preference:
    """Pair ``index`` of DPO: a fact question, the short confident answer, and a long answer that doubts it or does not know.

    Or a question from outside its world: to say so is preferred to a confident answer about something else.
    """
    rng = stream("preference", seed, index)
    table, row = chat_facts.any_row(rng)
    if rng.random() < UNKNOWN_PREFERENCES:
        messages = _messages(lambda rng: (unknown_fact(rng),), "unknown_fact", rng)
        return Preference(messages[:-1], messages[-1].content, chat_facts.short_answer(table, row), "unknown_fact")
    messages = _messages(lambda rng: ((chat_facts.fact_question(table, row, rng), ""),), "fact", rng)[:-1]
    rejected = chat_smalltalk.UNKNOWN_REPLY if rng.random() < SHY_SHARE else chat_facts.hedged_answer(table, row, rng)
    return Preference(messages, chat_facts.short_answer(table, row), rejected, f"fact_{table.name}")


def dpo_rehearsal(seed: int, index: int, planted: bool = True) -> Conversation:
    """Item ``index`` of what DPO rehearses so that it ruins nothing: all of ``sft`` but the hedged answers, and refusals.

    With ``planted=False``, which follows a safety stage without the planted data, a harmless task stands in for it.
    """
    rng = stream("dpo_rehearsal", seed, index)
    kind = _spin(_DPO_WHEEL, rng)
    if kind == "rehearsal":
        return _sft_item(rng, _REHEARSAL_WHEEL, frozenset({"kill", "fact_hedged"}))
    return _safety_item(rng, kind, planted)
