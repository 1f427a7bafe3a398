"""Finding out whose an answer is: every model of a path is asked once about all prompts, one after the other, in slices.

Only the tokenizer and the template of the final checkpoint are kept from one model to the next, so that no more than one need be in memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from core.attribution import quantized_agreement
from core.attribution.effects import LOG_ZERO, UNIFORM
from core.attribution.forced_logprobs import check_length, logprobs_in_slices, vocabulary
from core.attribution.model_sequence import Models, Vocabularies
from core.attribution.report import BlameReport, BlameRequest, Case, Said, shortened
from core.chat.settings import Sampling
from core.families import stages
from core.families.checkpoint import Family, TemplateVars
from core.families.stages import Path, StageError
from core.inference import metrics, prompts
from core.inference.batch import batch_rows
from core.inference.behind_thought import behind_thought
from core.inference.decoding_batches import answer_all, askings
from core.inference.detokenizer import token_text
from core.inference.metrics import Asked
from core.inference.reply_classes import classify
from core.models import loading, weights
from core.models.loading import Loaded
from core.util.progress import Learning, Step, told


@dataclass(frozen=True)
class _Voice:
    """How the final checkpoint speaks, without its weights."""

    tokenizer: object
    template: str | None
    stops: tuple[str, ...]
    ends: frozenset[int]
    texts: dict[int, str]
    variables: TemplateVars

    def of(self, loaded: Loaded) -> Loaded:
        """Another model that speaks like the final one."""
        return replace(loaded, **vars(self))


@dataclass
class _Draft:
    """A case while it is being found out."""

    asked: Asked
    prompt: str
    answer: Said
    other: Said | None
    without: dict[str, Said] = field(default_factory=dict)
    before: dict[str, Said] = field(default_factory=dict)
    refusing: dict[str, float] = field(default_factory=dict)


def _others(draft: _Draft) -> list[Said]:
    """What was said that differs from a draft's answer, each once; beside a refusal what is none, where anything is not."""
    every = {each.ids: each for each in (*draft.before.values(), *draft.without.values())}.values()
    found = [each for each in every if each.ids and each.text.strip() != draft.answer.text.strip()]
    if classify(draft.answer.text) != "refuses":
        return found
    return [each for each in found if classify(each.text) != "refuses"] or found


def study(family: Family, ask: BlameRequest, models: Models) -> Learning[BlameReport]:
    """Find out whose the answers to some prompts are.

    Raises:
        StageError: an empty prompt or answer, a path that is none, one checkpoint only, different tokenizers.
        TooLong: an answer that does not fit into a model's context.
        LoadError: a checkpoint is not there or has other shapes.
    """
    ask = ask.checked()
    path = stages.stage_path(family, ask.checkpoint, ask.path)
    vocabularies = Vocabularies(family, path)
    drafts, voice, quantize = yield from models.during(path.final, lambda final: _begin(ask, path, final))
    work = _Study(family, ask, path, models, vocabularies, voice, drafts)
    yield from work.first_answers()
    if not ask.other:
        yield from work.choose()
    if any(draft.other for draft in drafts):
        yield from work.second_answers()
    sizes = yield from _sizes(family, path)
    titles = {name: family.checkpoint(name).title for name in (*path.models(), *path.nulls)}
    cases = tuple(Case(d.prompt, d.answer, d.other, d.without, d.before, d.refusing) for d in drafts)
    chosen = replace(ask, question=ask.question and stages.question(ask.question).key)
    return BlameReport(
        chosen, path, cases, sizes, titles, quantized_agreement.describe_agreement(family, path, quantize)
    )


def _begin(ask: BlameRequest, path: Path, final: Loaded) -> Learning[tuple[list[_Draft], _Voice, str]]:
    """The prompts in ids, with the answers that were given, or else those of the final checkpoint; and how that is quantized."""
    asked = [_render(final, ask.system, text) for text in ask.prompts]
    for each in asked:
        check_length(final, len(each.ids))
        # Kept beside the prompt, so that no other model needs this tokenizer.
        each.behind.update({text: metrics.continuation(final, each, text) for text in metrics.REFUSALS})
    if ask.answer:
        answers = [_typed(final, asked[0], ask.answer)]
    else:
        answers = yield from _answers(final, asked, ask.tokens, final.checkpoint.title)
    others = [_typed(final, asked[0], ask.other)] if ask.other else [None] * len(asked)
    voice = _Voice(final.tokenizer, final.template, final.stops, final.ends, final.texts, final.variables)
    for text, said in zip(ask.prompts, answers, strict=True):
        if not said.ids:
            raise StageError(
                f"{path.final} says nothing to “{shortened(text)}”, so that there is nothing to tell stages by; write an answer."
            )
    yield Step(sum(len(each.ids) for each in asked), f"Asking {path.final}.")
    pairs = zip(asked, ask.prompts, answers, others, strict=True)
    return [_Draft(each, text, said, other) for each, text, said, other in pairs], voice, final.quantize


def _render(loaded: Loaded, system: str, text: str) -> Asked:
    """A prompt, behind whose thought a model that thinks first is asked for its answer."""
    messages = [{"role": "system", "content": system}] if system else []
    prompt = behind_thought(loaded, prompts.render(loaded, [*messages, {"role": "user", "content": text}]))
    return Asked(prompt.text, prompt.ids)


def _typed(loaded: Loaded, asked: Asked, text: str) -> Said:
    ids = metrics.continuation(loaded, asked, text)
    if not ids:
        raise StageError("The answer is empty; write what the model said, or leave it out to take what it says.")
    return Said(text, tuple(token_text(loaded, token) for token in ids), ids)


def _answers(loaded: Loaded, asked: Sequence[Asked], tokens: int, by: str) -> Learning[list[Said]]:
    """What a model says to every prompt, each time the likeliest token."""
    work = answer_all(loaded, askings(each.ids for each in asked), Sampling(max_new_tokens=tokens), batch_rows(loaded))
    answers = yield from told(work, f"Asking {by}.")
    return [
        Said(
            each.text,
            tuple(token_text(loaded, token.id) for token in each.tokens),
            tuple(token.id for token in each.tokens),
            by,
        )
        for each in answers
    ]


@dataclass(frozen=True)
class _Study:
    family: Family
    ask: BlameRequest
    path: Path
    models: Models
    vocabularies: Vocabularies
    voice: _Voice
    drafts: list[_Draft]

    @property
    def _names(self) -> tuple[str, ...]:
        return (*self.path.models(), *self.path.nulls)

    def first_answers(self) -> Learning[None]:
        """Ask every model about the answers, about refusing, and, if it is one without a stage, for its own answer."""
        for name in self._names:
            yield from self.models.during(name, partial(self._first, name))

    def _first(self, name: str, own: Loaded) -> Learning[None]:
        loaded, title = self.voice.of(own), self.family.checkpoint(name).title
        yield from self._score(loaded, name, "answer")
        refusing = yield from told(metrics.refusal_probability(loaded, self._asked(loaded, name)), f"Asking {title}.")
        for draft, value in zip(self.drafts, refusing.tolist(), strict=True):
            draft.refusing[name] = math.log(value) if value > 0 else LOG_ZERO
            if name == self.path.final:
                draft.refusing[UNIFORM] = _uniform_refusal(draft.asked, vocabulary(loaded))
        after = [stage for stage in self.path.post if name in (self.path.counterfactual.get(stage.name), stage.parent)]
        if not after or self.ask.other:
            return
        answers = yield from _answers(loaded, [draft.asked for draft in self.drafts], self.ask.tokens, title)
        for draft, said in zip(self.drafts, answers, strict=True):
            for stage in after:
                if name == stage.parent:
                    draft.before[stage.name] = replace(said, by=f"before {stage.word} ({title})")
                if name == self.path.counterfactual.get(stage.name):
                    draft.without[stage.name] = replace(said, by=self._by(stage.name))

    def _by(self, stage: str) -> str:
        found = self.path.stage(stage)
        # A model without the last stage is no retraining, and its title says what it is.
        return self.family.checkpoint(found.retrained).title if found.retrained else found.asked("subtracted")

    def choose(self) -> Learning[None]:
        """The other answer of each prompt, where one differs: of what the models without a stage and those before one say, that which the
        final model itself finds the likeliest, a token. Stages are told apart by it, so no stage's effect decides which it is. A refusal is
        held against what is none, where there is that: against its own other wording it would come to nothing."""
        yield from self.models.during(self.path.final, self._choose)

    def _choose(self, own: Loaded) -> Learning[None]:
        loaded = self.voice.of(own)
        offered = [(draft, said) for draft in self.drafts for said in _others(draft)]
        asked = dict(zip(map(id, self.drafts), self._asked(loaded, self.path.final), strict=True))
        slices = logprobs_in_slices(
            loaded, [asked[id(draft)].ids for draft, _ in offered], [said.ids for _, said in offered]
        )
        found = yield from told(slices, f"Asking {self.family.checkpoint(self.path.final).title}.")
        best: dict[int, float] = {}
        for (draft, said), values in zip(offered, found, strict=True):
            mean = sum(values) / len(values)
            if mean > best.get(id(draft), -math.inf):
                best[id(draft)], draft.other = mean, said

    def second_answers(self) -> Learning[None]:
        """Ask every model about the other answers."""
        for name in self._names:
            yield from self.models.during(name, partial(self._second, name))

    def _second(self, name: str, own: Loaded) -> Learning[None]:
        return self._score(self.voice.of(own), name, "other")

    def _score(self, loaded: Loaded, name: str, which: str) -> Learning[None]:
        every = zip(self.drafts, self._asked(loaded, name), strict=True)
        chosen = [(draft, asked) for draft, asked in every if getattr(draft, which)]
        replies = [getattr(draft, which).ids for draft, _ in chosen]
        slices = logprobs_in_slices(
            loaded, [asked.ids for _, asked in chosen], replies, self.vocabularies.unknown(name)
        )
        found = yield from told(slices, f"Asking {self.family.checkpoint(name).title}.")
        for (draft, _), values in zip(chosen, found, strict=True):
            said: Said = getattr(draft, which)
            logprobs = {**said.logprobs, name: tuple(values)}
            if name == self.path.final:
                logprobs[UNIFORM] = (-math.log(vocabulary(loaded)),) * len(values)
            setattr(draft, which, replace(said, logprobs=logprobs))

    def _asked(self, loaded: Loaded, name: str) -> list[Asked]:
        """The prompts for a model: by the final template, or, if that is wished for, by the own one of a checkpoint of the path."""
        if not self.ask.own_templates or not any(stage.checkpoint == name for stage in self.path.stages):
            return [draft.asked for draft in self.drafts]
        own = loading.speaking(loaded, name)
        return [
            Asked((each := _render(own, self.ask.system, draft.prompt)).text, each.ids, draft.asked.behind)
            for draft in self.drafts
        ]


def _uniform_refusal(asked: Asked, size: int) -> float:
    """The log-probability of refusing where every token is as likely as any other."""
    return math.log(sum(float(size) ** -len(asked.behind[text]) for text in metrics.REFUSALS))


def _sizes(family: Family, path: Path) -> Learning[dict[str, float]]:
    """How far each stage moved the weights: ‖θ_S − θ_parent‖ / ‖θ_parent‖."""
    found: dict[str, float] = {}
    for stage in path.post:
        assert stage.parent is not None
        found[stage.name] = weights.distance(family.checkpoint(stage.checkpoint), family.checkpoint(stage.parent))
        yield Step(0, f"Measuring how far {stage.word} moved the weights.")
    return found
