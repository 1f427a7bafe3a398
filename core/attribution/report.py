"""What was found out about one prompt or many: whose the answer is, by each question and each measure. Values and words, no torch.

The measures γ are probabilities [methods, 5]: that the reply begins with the answer rather than with the other one (the headline, since
a model's own answer favours its last stages), that it begins with the answer at all, and that it begins like a refusal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import NamedTuple

from core.attribution.chance import SeedSpread
from core.attribution.effects import LOG_ZERO, Effect, LogProbs, effects, remainder
from core.chat.screens import CHAT
from core.chat.session import Session
from core.chat.settings import STAGE_LENSES, Column, Settings
from core.families.stages import QUESTIONS, Path, Question, Stage, StageError
from core.util.figures import change_text, figure_text
from core.util.limits import MAX_MESSAGE
from core.util.text import clean

#: What each measure is the probability of; ``{answer}`` and ``{other}`` are shortened texts.
_MEASURES: Mapping[str, str] = {
    "rather": "answering “{answer}” rather than “{other}”",
    "answer": "answering “{answer}”",
    "refusal": "refusing",
}
#: Texts in a sentence are cut to this length.
_SHORT = 40
#: Prompts of one file.
MAX_PROMPTS = 500


@dataclass(frozen=True)
class BlameRequest:
    """What is to be found out.

    ``checkpoint`` is the final one (empty: the family's), ``path`` lists the checkpoints that led to it where that is not to be read from
    the family; without an ``answer`` it is what the final checkpoint says, without an ``other`` one that which it finds the likeliest of
    what it would have said without a stage. ``own_templates`` asks every checkpoint of the path with its own chat template instead of the
    final one. ``note`` is what has to be said of where the answer comes from.
    """

    prompts: tuple[str, ...]
    answer: str = ""
    other: str = ""
    checkpoint: str = ""
    path: tuple[str, ...] = ()
    question: str = ""
    system: str = ""
    own_templates: bool = False
    tokens: int = 64
    note: str = ""

    def checked(self) -> BlameRequest:
        """The same with clean texts. Raises StageError for a prompt or an answer that is empty, or answers to more than one prompt."""
        prompts = tuple(text for each in self.prompts if (text := clean(each).strip()))
        if not prompts:
            raise StageError("Write a prompt first.")
        if len(prompts) > MAX_PROMPTS:
            raise StageError(f"There are {len(prompts):,} prompts; at most {MAX_PROMPTS} are asked at once.")
        if too_long := next((each for each in prompts if len(each) > MAX_MESSAGE), None):
            raise StageError(
                f"A prompt has at most {MAX_MESSAGE:,} characters; “{shortened(too_long)}” has {len(too_long):,}."
            )
        if len(prompts) > 1 and (self.answer or self.other):
            raise StageError("An answer belongs to one prompt; with many prompts leave the answers out.")
        answer, other = clean(self.answer), clean(self.other)
        if (self.answer and not answer.strip()) or (self.other and not other.strip()):
            raise StageError("The answer is empty; write what the model said, or leave it out to take what it says.")
        if other and not answer:
            raise StageError("There is a second answer and no first one; write both, or none.")
        if answer and answer.strip() == other.strip():
            raise StageError("The two answers are the same; write another one.")
        return BlameRequest(
            prompts,
            answer,
            other,
            self.checkpoint,
            self.path,
            self.question,
            self.system,
            self.own_templates,
            self.tokens,
            self.note,
        )


@dataclass(frozen=True)
class Said:
    """An answer, token by token. ``by`` says whose it is (a checkpoint's title), empty for one that was typed.

    ``logprobs`` holds for each model the log-probability in nats of every token, in a chat in which those before it were said.
    """

    text: str
    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    by: str = ""
    logprobs: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def total(self, model: str) -> float:
        """The log-probability that a model's reply begins so."""
        each = self.logprobs[model]
        return LOG_ZERO if any(value <= LOG_ZERO for value in each) else max(LOG_ZERO, sum(each))


@dataclass(frozen=True)
class Case:
    """One prompt: the answer, and the one beside it (if there is any).

    ``without`` is what the model without a stage says, ``before`` what the checkpoint says that a stage began with, each by the stage's
    name; ``refusing`` the log-probability of refusing, by model.
    """

    prompt: str
    answer: Said
    other: Said | None
    without: Mapping[str, Said]
    before: Mapping[str, Said]
    refusing: LogProbs

    def found(self, measure: str) -> LogProbs:
        """The log-probability of what is measured, by model. Raises StageError where there is no second answer to measure against."""
        if measure == "refusal":
            return self.refusing
        if measure == "answer":
            return {model: self.answer.total(model) for model in self.answer.logprobs}
        if self.other is None:
            raise StageError("There is no second answer to compare with; ask for the measure answer or refusal.")
        other = self.other
        return {model: _rather(self.answer.total(model), other.total(model)) for model in self.answer.logprobs}


def _rather(one: float, other: float) -> float:
    """log(p / (p + q)) of two log-probabilities."""
    if one <= LOG_ZERO:
        return LOG_ZERO
    difference = other - one
    return -(max(difference, 0.0) + math.log1p(math.exp(-abs(difference))))


@dataclass(frozen=True)
class BlameReport:
    """Everything about some prompts. ``sizes`` are ‖θ_S − θ_parent‖ / ‖θ_parent‖ by stage, ``titles`` the models' names in full;
    ``weights`` is what has to be said of weights that are not whole."""

    ask: BlameRequest
    path: Path
    cases: tuple[Case, ...]
    sizes: Mapping[str, float]
    titles: Mapping[str, str]
    weights: str = ""

    @property
    def question(self) -> Question:
        """The question that is asked first: the one that was wished for, else the truth where there is one."""
        there = self.path.questions
        wished = QUESTIONS.get(self.ask.question)
        if wished in there:
            return wished
        return next((each for each in there if each.key == "retrained_without" and self._whole(each)), there[0])

    def _whole(self, question: Question) -> bool:
        return all(stage.without(question.key) for stage in self.path.post)

    @property
    def measures(self) -> tuple[str, ...]:
        """What is measured, the headline first."""
        return tuple(_MEASURES) if any(case.other for case in self.cases) else ("answer", "refusal")

    def _cases(self, measure: str) -> list[Case]:
        return [case for case in self.cases if measure != "rather" or case.other]

    def effects(self, key: str, measure: str) -> dict[str, Effect]:
        """The stages' effects by a question, each the mean over the prompts."""
        every = [effects(self.path, key, case.found(measure)) for case in self._cases(measure)]
        # Between two answers nothing is known before the base was trained: where every token is as likely as any, the shorter one wins.
        known = [name for name in (every[0] if every else ()) if measure != "rather" or name != self.path.base.name]
        return {name: _mean([each[name] for each in every]) for name in known}

    def largest(self, key: str, measure: str) -> tuple[str, Effect] | None:
        """The stage after the first with the largest effect; None where none has one."""
        found = {stage.name: each for stage in self.path.post if (each := self.effects(key, measure).get(stage.name))}
        return max(found.items(), key=lambda item: abs(item[1].probability)) if found else None

    def without(self, question: Question) -> tuple[str, str] | None:
        """The model without the largest stage that a question names, as a person says it and by its checkpoint's name; for one that came
        with a stage, the best model without that stage. None where there is none."""
        found = self._without(question)
        return (found[0].asked(found[1]), found[2]) if found else None

    def _without(self, question: Question) -> tuple[Stage, str, str] | None:
        """The stage, the question that its model answers, and that model."""
        found = self.largest(question.key, self.measures[0])
        if found is None:
            return None
        stage = self.path.stage(found[0])
        key = stage.best if question.key == "introduced_at" else question.key
        model = stage.without(key)
        return (stage, key, model) if model else None

    def compare_without(self, settings: Settings, question: Question) -> Settings | None:
        """The chat in which the first prompt is asked of the final checkpoint and, beside it, of the model without the largest stage that
        a question names, coloured by what is missing without it; None where there is no such model."""
        found = self._without(question)
        if found is None:
            return None
        columns = (Column(self.path.final), Column(found[2]))
        beside = replace(settings, columns=columns, selected=0, turns=(), lens=STAGE_LENSES[found[1]], tab=CHAT.name)
        return beside.ask(self.cases[0].prompt)

    def remainder(self, key: str, measure: str) -> float | None:
        """What the effects leave over of the whole change since the first stage, the mean over the prompts."""
        each = [remainder(self.path, key, case.found(measure)) for case in self._cases(measure)]
        known = [value for value in each if value is not None]
        return sum(known) / len(known) if known else None

    def noise(self, measure: str) -> SeedSpread:
        """The same measure on the same prompts by the final model and its retrainings with other seeds, each the mean over the prompts."""
        every = [case.found(measure) for case in self._cases(measure)]
        models = [name for name in (self.path.final, *self.path.nulls) if all(name in found for found in every)]
        return SeedSpread(tuple(math.fsum(probability(found[name]) for found in every) / len(every) for name in models))

    def level(self, measure: str) -> float | None:
        """Beneath it an effect may be chance: the largest of all stages' would often be as large. None where it is uncalibrated."""
        return self.noise(measure).level(len(self.path.post))

    def of(self, measure: str) -> str:
        """What a measure is the probability of, in words."""
        if len(self.cases) > 1:
            many = {
                "rather": "the model's own answers rather than those without the stage",
                "answer": "the model's own answers",
            }
            return many.get(measure, _MEASURES[measure])
        case = self.cases[0]
        return _MEASURES[measure].format(
            answer=shortened(case.answer.text), other=shortened(case.other.text) if case.other else ""
        )

    @property
    def headline(self) -> str:
        """The first line: the stage with the largest effect, and its size."""
        return self.sentence(self.question, self.measures[0])

    def sentence(self, question: Question, measure: str) -> str:
        """What a question says about a measure."""
        found = self.largest(question.key, measure)
        if found is None:
            return f"No stage can be asked “{question.title}” here."
        name, each = found
        stage, level = self.path.stage(name), self.level(measure)
        mean = f" (the mean over {len(self._cases(measure))} prompts)" if len(self.cases) > 1 else ""
        small = ""
        if level is not None and abs(each.probability) < level:
            small = f"; that is within the noise, below the {figure_text(level)} that tells an effect from retrainings with other seeds"
        return (
            f"{stage.word} has the largest effect: {change_text(each.probability)} on the probability of {self.of(measure)}{mean} "
            f"({stage.asked(question.key)}){small}."
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """What has to be known to read the figures: where the questions disagree, the noise, the template, what is no answer."""
        measure = self.measures[0]
        said = [*self._disagreements(measure)]
        noise = self.noise(measure).said(len(self.path.post))
        said.append(f"{noise[:1].upper()}{noise[1:]}.")
        if lacking := [each.word for each in self.path.post if each.retrained is None]:
            pronoun = "them" if len(lacking) > 1 else "it"
            said.append(
                f"There is no retraining without {' or '.join(lacking)}: only the other questions can be asked of {pronoun}."
            )
        said.append(
            "Every checkpoint was asked with its own chat template."
            if self.ask.own_templates
            else "All models were asked with the final chat template, so that the format is owed to the stage that taught it."
        )
        return (*said, self.weights) if self.weights else tuple(said)

    def _disagreements(self, measure: str) -> list[str]:
        largest = {each.key: found for each in self.path.questions if (found := self.largest(each.key, measure))}
        told = []
        for (key, (stage, one)), (other_key, (other_stage, other)) in combinations(largest.items(), 2):
            if stage != other_stage and max(abs(one.probability), abs(other.probability)) > 0.05:
                why = {
                    "retrained_without": "what came with one stage may be taught again, or made needless, by a later one",
                    "subtracted": "subtracting a stage's weights also undoes what later stages built on them",
                    "first_order": "a first-order estimate knows no more of later stages than how they would bend with it",
                }[other_key]
                if key == "retrained_without":
                    why = "the one without is an estimate, and the retraining is the truth"
                elif key == "subtracted":
                    why = "both are estimates"
                said = [
                    f"“{QUESTIONS[each].title}” names {self.path.stage(name).word} ({change_text(effect.probability)})"
                    for each, name, effect in ((key, stage, one), (other_key, other_stage, other))
                ]
                told.append(f"The questions disagree: {', '.join(said)}; {why}.")
        return told


def _mean(each: Sequence[Effect]) -> Effect:
    nats = [effect.nats for effect in each if effect.nats is not None]
    probability = sum(effect.probability for effect in each) / len(each)
    return Effect(probability, sum(nats) / len(nats) if len(nats) == len(each) else None)


def probability(logprob: float) -> float:
    """The probability that a log-probability in nats stands for; 0 where something cannot be said at all."""
    return 0.0 if logprob <= LOG_ZERO else math.exp(logprob)


def token_effects(path: Path, key: str, said: Said, at: int) -> dict[str, Effect]:
    """The stages' effects on one token of an answer."""
    return effects(path, key, {model: values[at] for model, values in said.logprobs.items()})


def shortened(text: str) -> str:
    """A text as a sentence quotes it, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= _SHORT else line[: _SHORT - 1].rstrip() + "…"


class ChatAnswer(NamedTuple):
    """An answer as it stands in Chat: what was said, by which checkpoint, and what has to be said of its report."""

    prompt: str
    answer: str
    checkpoint: str
    note: str


def answer_in_chat(session: Session) -> ChatAnswer:
    """The last message and the answer to it that blame can explain: the selected column's, or, where that was steered or asked in words,
    the plain one of the same checkpoint beside it, if there is any. Raises StageError when there is no answer."""
    settings = session.settings
    turn = settings.turns[-1] if settings.turns else None
    replies = turn.replies if turn else ()
    # An answer that was written before the recipe was changed is what it was written as.
    columns = [
        session.made[place].column if place in session.made else column for place, column in enumerate(settings.columns)
    ]
    written = {place: column for place, column in enumerate(columns[: len(replies)]) if replies[place].strip()}
    if turn is None or settings.selected not in written:
        raise StageError("There is no answer in Chat yet; ask something there first.")
    own = written[settings.selected]
    plain = next((place for place, column in written.items() if column == Column(own.checkpoint)), None)
    if own == Column(own.checkpoint):
        return ChatAnswer(turn.user, replies[settings.selected], own.checkpoint, "")
    if plain is not None:
        note = f"This is the plain answer of {own.checkpoint}, not the one beside it ({own.does}): blame explains the model as it is."
        return ChatAnswer(turn.user, replies[plain], own.checkpoint, note)
    note = (
        f"This answer was not plain ({own.does}). Blame explains the model as it is: how likely each stage makes these words without "
        "that, not why they were said."
    )
    return ChatAnswer(turn.user, replies[settings.selected], own.checkpoint, note)


def of_chat(ask: BlameRequest, session: Session) -> BlameRequest:
    """The same request; where it is about the answer that Chat holds, with that as it was said, line breaks and all, and with what has to
    be said of it."""
    try:
        there = answer_in_chat(session)
    except StageError:
        return ask
    if ask.answer.split() != there.answer.split() or [each.split() for each in ask.prompts] != [there.prompt.split()]:
        return ask
    return replace(ask, prompts=(there.prompt,), answer=there.answer, note=there.note)
