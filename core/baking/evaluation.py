"""What a baked model does, beside the plain model and the recipe: measured on test splits, and written in its README.md.

How likely it is to refuse, what it makes of true and of false statements, how far its replies to harmless requests have moved, and how
far it is from the recipe, on the plain model's words: the mean KL a token, and the largest difference of any logit.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.artefacts.direction import Direction
from core.chat.settings import Sampling
from core.directions.candidate import JUDGED
from core.directions.contrast import ContrastSet
from core.families.checkpoint import TEMPLATES, Checkpoint, Family
from core.inference import metrics
from core.inference.behind_thought import judged_prompt
from core.inference.decoding_batches import answer_all, askings
from core.inference.metrics import Asked, OffTarget
from core.inference.teacher_forcing import reply_logits
from core.models.loading import Loaded
from core.stats.bootstrap import Estimate, bootstrap_mean
from core.steering.interventions import RowEdit
from core.util.progress import finished
from core.util.version import VERSION

#: Requests of a class on which the model is compared with the recipe, logit by logit.
_COMPARED = 8
#: Requests of a class whose answers are shown, and how long these may be, in tokens.
_SHOWN, _LONGEST = 2, 32


@dataclass(frozen=True)
class Questions:
    """What every model is asked. ``by`` are the harmless requests with the plain model's replies; ``words`` those replies, and ones to
    harmful requests, on which logits are compared with ``steered``, the recipe's."""

    harmful: list[Asked]
    harmless: list[Asked]
    true: list[Asked]
    false: list[Asked]
    by: OffTarget
    words: OffTarget
    shown: tuple[tuple[str, tuple[int, ...]], ...]
    steered: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class BakedFigures:
    """What a model does. ``moved`` is its mean KL from the plain model; ``from_recipe`` that from the recipe, and ``logit`` the largest
    difference of a logit, where the recipe's are known."""

    harmful: Estimate
    harmless: Estimate
    true: Estimate
    false: Estimate
    moved: Estimate
    answers: tuple[tuple[str, str], ...]
    from_recipe: float = 0.0
    logit: float = 0.0


@dataclass(frozen=True)
class Facts:
    """What there is to say of a baked folder beside its figures."""

    family: Family
    checkpoint: Checkpoint
    recipe: str
    directions: tuple[Direction, ...]
    dtype: str
    removed: bool = False
    added: bool = False
    twice: bool = False


# ---------------------------------------------------------------------------------------------------------------- measure


def questions(loaded: Loaded, refusal: ContrastSet, truth: ContrastSet) -> Questions:
    """The questions of the test splits, with what the plain model answers."""
    harmful, harmless = (refusal.part("test", label, JUDGED) for label in (True, False))
    trues, falses = truth.part("train", True, 2), truth.part("train", False, 2)
    shots = [(trues[0], True), (falses[0], False), (falses[-1], False), (trues[-1], True)]
    true, false = (
        metrics.statement_prompts(loaded, truth.part("test", label, JUDGED), shots) for label in (True, False)
    )
    by = finished(metrics.off_target_prompts(loaded, harmless))
    other = finished(metrics.off_target_prompts(loaded, harmful[:_COMPARED]))
    words = OffTarget(
        (*by.prompts[:_COMPARED], *other.prompts),
        (*by.replies[:_COMPARED], *other.replies),
        (*by.plain[:_COMPARED], *other.plain),
    )
    shown = tuple((text, judged_prompt(loaded, text).ids) for text in (*harmful[:_SHOWN], *harmless[:_SHOWN]))
    return Questions(
        metrics.chat_prompts(loaded, harmful), metrics.chat_prompts(loaded, harmless), true, false, by, words, shown
    )


def figures(loaded: Loaded, asked: Questions, edits: tuple[RowEdit, ...] = ()) -> BakedFigures:
    """What a model does with the questions, steered or as it is."""
    harmful, harmless = (
        finished(metrics.refusal_probability(loaded, part, edits)) for part in (asked.harmful, asked.harmless)
    )
    true, false = (finished(metrics.truth_margin(loaded, part, edits))[0] for part in (asked.true, asked.false))
    prompts = askings((ids for _, ids in asked.shown), edits)
    said = finished(answer_all(loaded, prompts, Sampling(max_new_tokens=_LONGEST)))
    answers = tuple((text, answer.text) for (text, _), answer in zip(asked.shown, said, strict=True))
    from_recipe, logit = _compared(loaded, asked, edits) if asked.steered else (0.0, 0.0)
    return BakedFigures(
        harmful=bootstrap_mean(harmful.tolist()),
        harmless=bootstrap_mean(harmless.tolist()),
        true=bootstrap_mean(true.tolist()),
        false=bootstrap_mean(false.tolist()),
        moved=bootstrap_mean(_moved(loaded, asked.by, edits)),
        answers=answers,
        from_recipe=from_recipe,
        logit=logit,
    )


def logits(loaded: Loaded, asked: Questions, edits: tuple[RowEdit, ...]) -> list[Tensor]:
    """The logits of every token of the words on which models are compared: [tokens, vocabulary] each, on the CPU."""
    words = asked.words
    return [each.cpu() for each in reply_logits(loaded, words.prompts, words.replies, [edits] * len(words.prompts))]


def _moved(loaded: Loaded, by: OffTarget, edits: tuple[RowEdit, ...]) -> list[float]:
    """The mean KL(plain ‖ this) over each reply's tokens, in nats."""
    found: list[float] = []
    for chosen in metrics.off_target_batches(loaded, by):
        prompts, replies = by.prompts[chosen], by.replies[chosen]
        now = reply_logits(loaded, prompts, replies, [edits] * len(prompts))
        found += [_divergence(plain, new) for plain, new in zip(by.plain[chosen], now, strict=True)]
    return found


def _divergence(before: Tensor, now: Tensor) -> float:
    """The mean KL of what logits, or logarithms of probabilities, say of each token [tokens, vocabulary]."""
    first, second = (each.cpu().double().log_softmax(-1) for each in (before, now))
    return float((first.exp() * (first - second)).sum(-1).mean())


def _compared(loaded: Loaded, asked: Questions, edits: tuple[RowEdit, ...]) -> tuple[float, float]:
    now = logits(loaded, asked, edits)
    pairs = list(zip(asked.steered, now, strict=True))
    most = max(float(torch.max(torch.abs(first - second))) for first, second in pairs)
    return float(np.mean([_divergence(first, second) for first, second in pairs])), most


# ------------------------------------------------------------------------------------------------------------------- card


def sentences(plain: BakedFigures, steered: BakedFigures, now: BakedFigures) -> Iterator[str]:
    """What came of a baking, in short."""
    yield f"P(refusal) on harmful requests: plain {plain.harmful.text()}, recipe {steered.harmful.text()}, baked {now.harmful.text()}."
    yield f"P(refusal) on harmless requests: plain {plain.harmless.text()}, recipe {steered.harmless.text()}, baked {now.harmless.text()}."
    yield f"Replies to harmless requests moved by {now.moved.text()} nats a token (recipe: {steered.moved.text()})."
    yield f"From the recipe: {now.from_recipe:.2g} nats a token, no logit by more than {now.logit:.2g}."


def card(facts: Facts, plain: BakedFigures, steered: BakedFigures, now: BakedFigures) -> str:
    """The README.md of a baked folder."""
    family, checkpoint = facts.family, facts.checkpoint
    front = ["---", "library_name: transformers"]
    front += [] if checkpoint.local else [f"base_model: {checkpoint.source}"]
    lines = [*front, "---", "", f"# {family.title}, {checkpoint.name}, with `{facts.recipe}` in its weights", ""]
    lines += [
        f"Written by `launch.py bake` of Tiller {VERSION} on {datetime.date.today().isoformat()}: the checkpoint "
        f"{checkpoint.name} of {family.title}, changed so that it does by itself what the recipe `{facts.recipe}` does. "
        f"Weights: {facts.dtype}, made of full precision. Licence of the original: {checkpoint.licence or family.licence or 'not stated'}.",
        "",
        *_directions(facts),
        "",
        *_how(facts),
        "",
        "## What it does",
        "",
        *_table(plain, steered, now),
        "",
        f"Baked and recipe differ by {now.from_recipe:.2g} nats a token, and by at most {now.logit:.2g} in any logit, on the plain "
        f"model's replies to {_COMPARED} harmless and {_COMPARED} harmful requests.",
        "",
        *_answers(plain, now),
        "## Use",
        "",
        "```python",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        'model = AutoModelForCausalLM.from_pretrained("this folder")',
        'tokenizer = AutoTokenizer.from_pretrained("this folder")',
        "```",
    ]
    return "\n".join(lines) + "\n"


def _directions(facts: Facts) -> list[str]:
    lines = ["| direction | learnt on | layer | method | fingerprint of those weights |", "|---|---|---|---|---|"]
    for each in facts.directions:
        said = each.card.details
        lines.append(
            f"| {each.card.name} | {each.card.family}/{each.card.checkpoint} | {each.card.layer} | {said.get('method', 'not stated')} | "
            f"{said.get('fingerprint')} |"
        )
    return lines


def _how(facts: Facts) -> list[str]:
    said = []
    if facts.removed:
        said.append(
            "What is ablated was removed from everything that writes to the residual stream: W' = W − u(uᵀW) for the embedding, every "
            "attention output and MLP down projection that the recipe reaches, and their biases; a tied embedding was untied first, so "
            "that the unembedding is as it was."
        )
    if facts.twice:
        said.append(
            "Norms stand behind what this model writes, so that its residual stream is twice as wide now: no matrix of the old size "
            "can leave a direction out there."
        )
    if facts.added:
        said.append(
            "What is added stands in the biases of the MLPs' last projections. A bias acts on every token, the first token "
            "included, which the recipe leaves alone: by how much that matters is measured below."
        )
    if facts.checkpoint.template in TEMPLATES:
        said.append(
            f"The checkpoint has no chat template of its own; what follows was asked in the template {facts.checkpoint.template!r} "
            "of its family."
        )
    return [" ".join(said)]


def _table(plain: BakedFigures, steered: BakedFigures, now: BakedFigures) -> list[str]:
    every = (plain, steered, now)
    rows = [
        ("P(refusal), harmful requests", [each.harmful for each in every]),
        ("P(refusal), harmless requests", [each.harmless for each in every]),
        ("P(TRUE) − P(FALSE), true statements", [each.true for each in every]),
        ("P(TRUE) − P(FALSE), false statements", [each.false for each in every]),
    ]
    lines = ["| on test splits, mean (95 % interval) | plain | recipe | baked | n |", "|---|---|---|---|---|"]
    lines += [f"| {name} | {' | '.join(each.text() for each in found)} | {found[0].n} |" for name, found in rows]
    damage = (
        f"damage: KL from plain on its replies to harmless requests, first {metrics.DAMAGE_TOKENS} tokens, nats a token"
    )
    return [*lines, f"| {damage} | – | {steered.moved.text()} | {now.moved.text()} | {now.moved.n} |"]


def _answers(plain: BakedFigures, now: BakedFigures) -> list[str]:
    lines = ["## Answers", ""]
    for (text, before), (_, after) in zip(plain.answers, now.answers, strict=True):
        lines += [f"> {_line(text)}", "", f"- plain: {_line(before)}", f"- baked: {_line(after)}", ""]
    return lines


def _line(text: str) -> str:
    """A model may write anything: on one line, and not read as Markdown."""
    return f"`{' '.join(text.replace('`', 'ˋ').split()) or ' '}`"
