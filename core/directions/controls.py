"""What stands beside a direction in its card: strengths and damage, controls, asking for it in words, three answers, and how steady it is.

Controls, at the chosen layer and as long as the direction: a hundred each that are learnt in the same way from shuffled labels, drawn where
the states differ at all, and drawn so that every direction is as likely as any other. What they do at strength 1 is what a push of that
length does by itself. Layer and token were chosen on the validation split, so controls and direction are compared on the test split; by
rank, since directions that mean nothing differ from each other by more than the examples say.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from core.chat.settings import Sampling
from core.directions import reply_rates
from core.directions.activations import Ids, Key, LearnMethod, Means, gather
from core.directions.activations import activation_cost as reading
from core.directions.candidate import STRENGTHS, measure_dose_response, reading_range, steer
from core.directions.trial import Chosen, Trial, reply_groups
from core.inference import decoding_batches, metrics
from core.inference.decoding_batches import Asking
from core.inference.teacher_forcing import reply_logits
from core.models.loading import Loaded
from core.stats import groups as grouping
from core.stats import permutation
from core.stats.bootstrap import bootstrap_mean
from core.steering.interventions import RowEdit
from core.util.figures import strength_text
from core.util.progress import Cost, Learning, Slices, Step
from core.util.resume import ResumeNotes

#: Of each kind; when the time is up before all are measured, their rank says less (a p of 1 in as many and one at least).
CONTROLS = 100
#: So many of each kind are measured before what follows; the others last, as long as there is time: a card with fewer is a whole one.
FIRST_CONTROLS = 20
CARD_CONTROLS = ("shuffled", "spread", "isotropic")
#: So often a direction is learnt again from resampled examples.
RESAMPLED = 100
#: So many of these between two looks at whether a chat waits.
_TOGETHER = 10
#: The part of the states' variance that controls are drawn in.
_HELD = 0.95
#: The strengths of the sample answers, and how long these may be.
SAMPLED = (-1.0, 0.0, 1.0)
SAMPLE_TOKENS = 40


def of_the_reading(chosen: Chosen) -> dict[str, Any]:
    """What a card says of how well the classes were told apart, by name: what reading them alone tells."""
    above = {
        split: {label: chosen.found.above[split, label] for label in (True, False)} for split in ("validation", "test")
    }
    return {
        "best_of_many": permutation.best_of_many(above["validation"], _seed(chosen), chosen.groups("validation")[0]),
        "held_out": permutation.told_apart(above["test"], chosen.offset, chosen.layer, chosen.groups("test")[0]),
        "learnt_from": {
            side: len(chosen.train["train", label]) for side, label in (("positive", True), ("negative", False))
        },
    }


#: What is measured once a layer is chosen, in this order: what a slider needs first.
CARD_PARTS = ("dose_response", "reading_range", "tested", "steadiness", "controls", "asked", "samples", "replies")


def examine_direction(
    chosen: Chosen, trial: Trial, rows: int, notes: ResumeNotes
) -> Generator[Step | dict[str, Any], None, None]:
    """Measure everything that a card says of a direction once its layer and token are chosen.

    Yields:
        Steps, and after each part what it found, by name, with those parts under ``unfinished`` that are still to come.
    """
    loaded, layer = trial.loaded, chosen.layer
    response = yield from measure_dose_response(chosen.drafted, loaded, layer, trial.by, trial.measure, notes)
    yield _done("dose_response", response)
    readings = partial(reading_range, chosen.drafted, loaded, layer, trial.by)
    yield _done("reading_range", (yield from notes.once("readings", readings, "Listening to unrelated replies.")))
    tested = yield from _tested(chosen, trial, notes)
    yield _done("tested", tested)
    states = yield from _again(chosen, loaded, rows, notes)
    yield _done("steadiness", (yield from _steadiness(chosen, states, notes)))
    made = _control_vectors(chosen, states)
    found = yield from _controls(chosen, trial, made, {}, min(FIRST_CONTROLS, CONTROLS), notes)
    yield _done("controls", {**found, "paid": _paid(tested, found, chosen.places)})
    yield _done("asked", (yield from notes.once("asked", partial(_asked, trial), "Asking for it in words.")))
    yield _done(
        "samples", (yield from notes.once("samples", partial(_samples, chosen, trial), "Answering three times."))
    )
    groups, name = reply_groups(loaded, trial.unrelated, trial.asked_too)
    replies = yield from reply_rates.at_every_strength(chosen.drafted, loaded, layer, groups, notes)
    unrelated = replies["groups"][name]
    broken = [count / unrelated["n"] for count in unrelated["broken"]]
    yield {**_done("replies", replies), "dose_response": {**response, "broken": broken}}
    while (count := int(found["n"])) < CONTROLS:
        found = yield from _controls(chosen, trial, made, found, min(count + FIRST_CONTROLS, CONTROLS), notes)
        yield {"controls": {**found, "paid": _paid(tested, found, chosen.places)}}


def _done(part: str, found: Any) -> dict[str, Any]:
    return {part: found, "unfinished": list(CARD_PARTS[CARD_PARTS.index(part) + 1 :])}


def control_cost(
    loaded: Loaded,
    train: Mapping[Key, Sequence[Ids]],
    rows: int,
    costs: Mapping[str, Cost],
    wish: str,
    unrelated: Sequence[str],
    asked_too: Mapping[str, Sequence[Ids]] | None = None,
) -> Cost:
    """What :func:`examine_direction` takes. The sample answers, a hundred tokens, are left out.

    Args:
        costs: what one effect takes: ``measured`` by edits, ``asked`` for in words, ``tested`` on the test split.
    """
    by = metrics.off_target_cost(loaded, unrelated)
    worded = metrics.off_target_cost(loaded, [wish.format(message=each) for each in unrelated])
    again = reading(loaded, {key: train[key] for key in train if key[0] == "train"}, 1, rows)
    shown = (costs["measured"] + by).times(len(STRENGTHS)) + costs["tested"].times(len(SAMPLED))
    shown += (costs["tested"] + by).times(len(CARD_CONTROLS) * CONTROLS)
    replies = reply_rates.reply_cost(loaded, reply_groups(loaded, unrelated, asked_too or {})[0])
    return shown + by + again + costs["asked"] + worded + replies


def _seed(chosen: Chosen) -> int:
    return zlib.crc32(chosen.drafted.card.name.encode())


# -------------------------------------------------------------------------------------------------------------- controls


def _again(chosen: Chosen, loaded: Loaded, rows: int, notes: ResumeNotes) -> Learning[dict[bool, Means]]:
    """The states of the training prompts at the chosen place [prompts, 1, width], by class."""
    found: dict[bool, Means] = {}
    sentence = "Reading the examples at the chosen place."
    for label in (True, False):
        prompts = chosen.train["train", label]
        kept = notes.recall_arrays(f"again.{int(label)}")
        if kept is None:
            work = partial(gather, loaded, prompts, chosen.offset, chosen.layer, rows)
            found[label] = yield from _keeping(work, notes, f"again.{int(label)}", sentence)
        else:
            note = notes.recall(f"again.{int(label)}")
            yield Step(int(note["tokens"]) if note else 0, sentence, True)
            found[label] = kept["states"]
    return found


def _keeping(work: Callable[[], Slices[Means]], notes: ResumeNotes, name: str, sentence: str) -> Learning[Means]:
    slices, tokens = work(), 0
    while True:
        try:
            count = next(slices)
        except StopIteration as stop:
            states: Means = stop.value
            notes.keep(name, {"tokens": tokens, "value": None})
            notes.keep_arrays(name, {"states": states})
            return states
        tokens += count
        yield Step(count, sentence, False)


def _controls(
    chosen: Chosen,
    trial: Trial,
    made: Mapping[str, list[Means]],
    known: Mapping[str, Any],
    count: int,
    notes: ResumeNotes,
) -> Learning[dict[str, Any]]:
    """The effect on the test split and the damage of ``count`` controls of each kind at strength 1; those that are ``known`` are there."""
    found: dict[str, Any] = {"strength": 1.0, "n": count, "split": "test"}
    for kind, vectors in made.items():
        rows = []
        for index, vector in enumerate(vectors[known.get("n", 0) : count], int(known.get("n", 0))):
            work = partial(_steered, trial, chosen.layer, vector)
            sentence = f"Measuring a control ({kind}, {index + 1} of {CONTROLS})."
            rows.append((yield from notes.once(f"{kind}.{index}.test", work, sentence)))
        before = known.get(kind, {})
        found[kind] = {key: [*before.get(key, ()), *(row[key] for row in rows)] for key in rows[0]}
    return found


def _paid(tested: Mapping[str, Any], found: Mapping[str, Any], places: int) -> dict[str, float]:
    """For each kind of control how likely one that means nothing moves the effect as far at the best of so many places."""
    plain, along = (tested["effect"][SAMPLED.index(strength)]["mean"] for strength in (0.0, 1.0))
    moved = {kind: [each - plain for each in found[kind]["effect"]] for kind in CARD_CONTROLS}
    return {kind: grouping.paid_p(along - plain, far, places) for kind, far in moved.items()}


def _control_vectors(chosen: Chosen, states: Mapping[bool, Means]) -> dict[str, list[Means]]:
    """The controls of every kind, as long as the real direction."""
    makers = {"shuffled": _shuffled, "spread": _spread, "isotropic": _isotropic}
    return {kind: [_as_long(each, chosen) for each in makers[kind](chosen, states)] for kind in CARD_CONTROLS}


def _shuffled(chosen: Chosen, states: Mapping[bool, Means]) -> list[Means]:
    """Directions from the same states with their labels dealt out anew, by group, so that they say nothing of the true ones
    (:func:`core.stats.permutation.permuted_labels`)."""
    whole = np.concatenate([states[True], states[False]])
    groups, labels = chosen.groups("train")
    found = []
    for index in range(CONTROLS):
        rng = np.random.default_rng([_seed(chosen), index])
        dealt = permutation.permuted_labels(labels, [0] * len(labels), rng, groups)
        found.append(chosen.how.learn(whole[dealt], whole[~dealt]).vectors[0])
    return found


def _spread(chosen: Chosen, states: Mapping[bool, Means]) -> list[Means]:
    """Directions at random among those in which the states of a class differ: isotropic in what holds most of their variance."""
    apart = np.concatenate([states[label][:, 0] - states[label][:, 0].mean(0) for label in (True, False)])
    _, sizes, directions = np.linalg.svd(apart, full_matrices=False)
    held = np.cumsum(sizes**2) / max(float((sizes**2).sum()), 1e-300)
    kept = directions[: int(np.searchsorted(held, _HELD)) + 1]
    rng = np.random.default_rng([_seed(chosen), 3])
    return list(np.asarray(rng.standard_normal((CONTROLS, len(kept))) @ kept, np.float64))


def _isotropic(chosen: Chosen, _: Mapping[bool, Means]) -> list[Means]:
    width = chosen.drafted.vectors.shape[1]
    rngs = (np.random.default_rng([_seed(chosen), index, 1]) for index in range(CONTROLS))
    return [np.asarray(rng.standard_normal(width)) for rng in rngs]


def _as_long(vector: Means, chosen: Chosen) -> Means:
    length = float(np.linalg.norm(vector))
    scaled: Means = vector * (chosen.drafted.gap(chosen.layer) / length if length else 0.0)
    return scaled


def _steered(trial: Trial, layer: int, vector: Means) -> Slices[dict[str, float]]:
    edits = (RowEdit(("resid_post", layer), "add", "all", vector.astype(np.float32)),)
    found = yield from trial.tested(edits)
    damage = yield from metrics.off_target_kl(trial.loaded, trial.by, edits)
    return {**{key: float(np.mean(values)) for key, values in found.items()}, "damage": damage}


# ----------------------------------------------------------------------------------------------------- asking, answering


def _asked(trial: Trial) -> Slices[dict[str, Any]]:
    """The baseline without any steering: the same model, asked for it in words, with its effect and its damage."""
    found = yield from trial.asked()
    damage = yield from _damage_of_words(trial)
    return {"wish": trial.wish, **found, "damage": damage}


def _damage_of_words(trial: Trial) -> Slices[float]:
    """Mean KL(plain ‖ asked) in nats over the tokens of the plain replies, as :func:`core.inference.metrics.off_target_kl` has it."""
    loaded, by = trial.loaded, trial.by
    plain = {
        each.ids: message
        for each, message in zip(metrics.chat_prompts(loaded, trial.unrelated), trial.unrelated, strict=True)
    }
    wished = [
        each.ids for each in metrics.chat_prompts(loaded, [trial.wish.format(message=plain[ids]) for ids in by.prompts])
    ]
    parts: list[torch.Tensor] = []
    for chosen in metrics.off_target_batches(loaded, by):
        lengths = [len(prompt) + len(reply) for prompt, reply in zip(wished[chosen], by.replies[chosen], strict=True)]
        asked = reply_logits(loaded, wished[chosen], by.replies[chosen])
        parts += [
            (own.exp() * (own - new.log_softmax(-1))).sum(-1) for own, new in zip(by.plain[chosen], asked, strict=True)
        ]
        yield len(lengths) * max(lengths)
    return float(torch.cat(parts).double().mean())


def _samples(chosen: Chosen, trial: Trial) -> Slices[dict[str, Any]]:
    """Answers to one message against the direction, without it, and along it."""
    prompt = metrics.chat_prompts(trial.loaded, [trial.message])[0].ids
    sampling = Sampling(max_new_tokens=SAMPLE_TOKENS)
    edits = [steer(chosen.drafted, trial.loaded, strength, chosen.layer) if strength else () for strength in SAMPLED]
    asked = [Asking(prompt, each) for each in edits]
    answers = yield from decoding_batches.answer_all(trial.loaded, asked, sampling, len(asked))
    return {
        "message": trial.message,
        "strengths": list(SAMPLED),
        "answers": [each.text for each in answers],
    }


# ------------------------------------------------------------------------------------------------- tested, and how steady


def _tested(chosen: Chosen, trial: Trial, notes: ResumeNotes) -> Learning[dict[str, Any]]:
    """The effect on the test split against the direction, without it, and along it, each with its n and its interval; and how far it moves
    the same examples to either side (``change``), which is what says whether it moves them at all. Intervals are by group."""
    rows = []
    for strength in SAMPLED:
        edits = steer(chosen.drafted, trial.loaded, strength, chosen.layer) if strength else ()
        work = partial(trial.tested, edits)
        rows.append(
            (yield from notes.once(f"tested.{strength:g}", work, f"Testing strength {strength_text(strength)}."))
        )
    seed, plain = _seed(chosen), rows[SAMPLED.index(0.0)]
    figures = {key: [mean_with_interval(row[key], seed, trial.belongs.get(key)) for row in rows] for key in plain}
    moved = {
        key: [
            mean_with_interval(
                [one - other for one, other in zip(row[key], plain[key], strict=True)], seed, trial.belongs.get(key)
            )
            for row in rows
        ]
        for key in plain
    }
    return {"strengths": list(SAMPLED), **figures, "change": moved}


def mean_with_interval(values: Sequence[float], seed: int, belongs: Sequence[Hashable] | None = None) -> dict[str, Any]:
    """A mean as a card has it: with its n and its 95 % bootstrap interval, by group. Draws and seed are those of every card there is."""
    groups = None if belongs is None else grouping.numbered(belongs)
    found = bootstrap_mean(values, seed, permutation.PERMUTATIONS, groups)
    return {"mean": found.value, "n": found.n, "interval": [found.low, found.high]}


def _steadiness(chosen: Chosen, states: Mapping[bool, Means], notes: ResumeNotes) -> Learning[dict[str, Any]]:
    """The cosine of the direction with itself learnt from resampled examples: median and 95 % bootstrap interval."""
    cosines: list[float] = []
    for start in range(0, RESAMPLED, _TOGETHER):
        work = partial(_resampled, chosen, states, range(start, start + _TOGETHER))
        cosines += yield from notes.once(f"resampled.{start}.groups", work, "Learning again from resampled examples.")
    low, middle, high = np.quantile(cosines, (0.025, 0.5, 0.975))
    return {"cosine": float(middle), "interval": [float(low), float(high)], "resampled": RESAMPLED}


def _resampled(chosen: Chosen, states: Mapping[bool, Means], draws: range) -> Slices[list[float]]:
    whole = np.concatenate([states[True], states[False]])
    groups, labels = chosen.groups("train")
    own = chosen.drafted.vectors[chosen.layer].astype(np.float64)
    cosines = []
    for index in draws:
        rng = np.random.default_rng([_seed(chosen), index, 2])
        drawn = grouping.draw_groups(groups, labels, rng)
        first, second = drawn[labels[drawn]], drawn[~labels[drawn]]
        how = chosen.how
        if how.polarity is not None:
            # A statement and its negation are one group, so that they stand in the same order.
            how = LearnMethod(how.method, tuple(how.polarity[each] for each in first))
        vector = how.learn(whole[first], whole[second]).vectors[0]
        lengths = float(np.linalg.norm(vector) * np.linalg.norm(own))
        cosines.append(float(vector @ own) / lengths if lengths else 0.0)
    yield 0
    return cosines
