"""Learning a direction of one's own from two boxes of examples: read at every token the template puts behind a message.

There is no word that such a direction could be seen to act by, as there is for truth and for refusal. Its effect is measured as
**leaning**: how much likelier the model finds saying the positive examples than the negative ones, in reply to unrelated messages,
in nats a token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from core.artefacts.direction import Direction
from core.directions import controls
from core.directions.activations import Ids, Key, LearnMethod, Stand, activation_cost, class_states
from core.directions.candidate import BY_HAND, EARLY, JUDGED, draft_direction, finish_direction, steer
from core.directions.contrast import SPLITS, ContrastError, ContrastSet, Split
from core.directions.controls import Chosen, Trial
from core.directions.learn_refusal import at_layer, by_layer, position, refusal_rows, template_end
from core.directions.methods import PAIRED
from core.inference import metrics
from core.inference.batch import batch_rows
from core.inference.metrics import Asked, OffTarget
from core.inference.prompts import encode
from core.inference.teacher_forcing import reply_logits
from core.models.loading import Loaded
from core.util.progress import Cost, Learning, Slices, told
from core.util.resume import ResumeNotes

#: A layer may move unrelated replies by so much at strength 1 (nats a token) and still be chosen, where one stays below it.
_MOST_DAMAGE = 1.0


def learn_contrast(
    loaded: Loaded,
    contrast: ContrastSet,
    unrelated: Sequence[str],
    notes: ResumeNotes,
    method: str = "mean_difference",
    by_hand: int | None = None,
) -> Learning[Direction]:
    """The direction of a contrast by its name, with the scores of every layer and token, its dose-response and controls; ``by_hand``
    is a layer to take.

    Raises:
        ContrastError: a method that needs statements and their negations, or an example that is too long.
    """
    if method in PAIRED:
        raise ContrastError(
            f"{method} learns truth from statements and their negations; {contrast.name} can be learnt by mean_difference, pca or logistic."
        )
    prompts, how = _prompts(loaded, contrast), LearnMethod(method)
    positions = template_end([ids for part in prompts.values() for ids in part])
    found = yield from class_states(
        loaded, prompts, positions, refusal_rows(loaded), notes, "Reading the examples.", how
    )
    by = yield from told(metrics.off_target_prompts(loaded, unrelated), "Listening to unrelated replies.")
    leaning, wish = _Leaning.prepare(loaded, contrast, unrelated), wish_for(contrast.name)
    tried = yield from _tried(loaded, contrast, found, leaning, by, notes, method)
    best, criterion = choice(tried, loaded.anatomy.layers)
    if by_hand is not None:
        best = max(at_layer(tried, by_hand), key=lambda each: each["leaning"])
        criterion = f"{BY_HAND.format(layer=by_hand)}; of its tokens the one with the largest leaning"
    offset, layer = int(best["offset"]), int(best["layer"])
    drafted = draft_direction(contrast.name, loaded, contrast, found, offset, method)
    asked = _Leaning.prepare(loaded, contrast, [wish.format(message=each) for each in unrelated])
    tested = _Leaning.prepare(loaded, contrast, unrelated, "test")
    trial = Trial(loaded, by, leaning.mean, tested.each, partial(asked.mean, ()), wish, unrelated, unrelated[0])
    chosen = Chosen(drafted, layer, offset, found, prompts, how)
    shown = yield from controls.examined(chosen, trial, refusal_rows(loaded), notes)
    details = {
        "layer": layer,
        "position": position(loaded, prompts["train", True][0], offset),
        "layer_scores": {key: by_layer(tried, offset, key) for key in ("accuracy", "leaning", "damage")},
        "all_scores": tried,
        "criterion": criterion,
        "test": {"accuracy": float(found.accuracy["test"][offset, layer])},
        **shown,
    }
    return finish_direction(drafted, details)


def contrast_cost(
    loaded: Loaded, contrast: ContrastSet, unrelated: Sequence[str], method: str = "mean_difference"
) -> Cost:
    """What :func:`learn_contrast` takes."""
    prompts = _prompts(loaded, contrast)
    positions = template_end([ids for part in prompts.values() for ids in part])
    leaning, wish = _Leaning.prepare(loaded, contrast, unrelated), wish_for(contrast.name)
    asked = _Leaning.prepare(loaded, contrast, [wish.format(message=each) for each in unrelated])
    by = metrics.off_target_cost(loaded, unrelated)
    tried = (leaning.cost.times(2) + by).times(positions * loaded.anatomy.layers)
    tested = _Leaning.prepare(loaded, contrast, unrelated, "test")
    costs = {"measured": leaning.cost, "asked": asked.cost, "tested": tested.cost}
    shown = controls.control_cost(loaded, prompts, refusal_rows(loaded), costs, wish, unrelated)
    return activation_cost(prompts, refusal_rows(loaded)) + by.times(2) + tried + shown


def wish_for(name: str) -> str:
    """The baseline without steering: what somebody would write who wants more of ``name``."""
    return f"Answer this with {name.replace('_', ' ').replace('-', ' ')}: {{message}}"


def _prompts(loaded: Loaded, contrast: ContrastSet) -> dict[Key, list[Ids]]:
    found: dict[Key, list[Ids]] = {}
    for split in SPLITS:
        for positive in (True, False):
            texts = contrast.part(split, positive)
            found[split, positive] = [each.ids for each in metrics.chat_prompts(loaded, texts)]
            for text, ids in zip(texts, found[split, positive], strict=True):
                # It also stands behind a message, as a reply.
                if 2 * len(ids) > loaded.context:
                    raise ContrastError(
                        f"The example {text[:40]!r}… takes {len(ids)} of the {loaded.context} tokens that {loaded.checkpoint.name} reads "
                        "at once; shorten it."
                    )
    return found


@dataclass(frozen=True)
class _Leaning:
    """Examples of a split as replies to messages in turn; ``positive`` says which are positive ones."""

    loaded: Loaded
    prompts: tuple[Ids, ...]
    replies: tuple[Ids, ...]
    positive: tuple[bool, ...]

    @classmethod
    def prepare(
        cls, loaded: Loaded, contrast: ContrastSet, messages: Sequence[str], split: Split = "validation"
    ) -> _Leaning:
        asked = metrics.chat_prompts(loaded, messages)
        rows: list[tuple[Asked, str, bool]] = [
            (asked[index % len(asked)], text, label)
            for label in (True, False)
            for index, text in enumerate(contrast.part(split, label, JUDGED))
        ]
        replies = tuple(metrics.continuation(loaded, prompt, text) or encode(loaded, text) for prompt, text, _ in rows)
        return cls(loaded, tuple(each.ids for each, _, _ in rows), replies, tuple(label for _, _, label in rows))

    def mean(self, edits: metrics.Edits) -> Slices[dict[str, float]]:
        """The mean log-probability a token of the positive examples less that of the negative ones."""
        sides = yield from self._said(edits)
        return {"effect": sum(sides[True]) / len(sides[True]) - sum(sides[False]) / len(sides[False])}

    def each(self, edits: metrics.Edits) -> Slices[dict[str, list[float]]]:
        """The same for a positive and a negative example after the other, in reply to the same message."""
        sides = yield from self._said(edits)
        return {"effect": [one - other for one, other in zip(sides[True], sides[False], strict=False)]}

    def _said(self, edits: metrics.Edits) -> Slices[dict[bool, list[float]]]:
        """The log-probability a token of every example, by class."""
        sides: dict[bool, list[float]] = {True: [], False: []}
        for batch in self._batches():
            prompts, replies = self.prompts[batch], self.replies[batch]
            found = reply_logits(self.loaded, prompts, replies, [edits] * len(prompts) if edits else None)
            for logits, ids, label in zip(found, replies, self.positive[batch], strict=True):
                sides[label].append(float(logits.double().log_softmax(-1)[range(len(ids)), list(ids)].mean()))
            yield self._tokens(batch)
        return sides

    @property
    def cost(self) -> Cost:
        """What :meth:`mean` takes."""
        batches = self._batches()
        return Cost(len(self.prompts), len(batches), sum(self._tokens(each) for each in batches))

    def _batches(self) -> list[slice]:
        size = batch_rows(self.loaded)
        return [slice(start, start + size) for start in range(0, len(self.prompts), size)]

    def _tokens(self, batch: slice) -> int:
        lengths = [
            len(prompt) + len(reply) for prompt, reply in zip(self.prompts[batch], self.replies[batch], strict=True)
        ]
        return len(lengths) * max(lengths)


def _tried(
    loaded: Loaded,
    contrast: ContrastSet,
    found: Stand,
    leaning: _Leaning,
    by: OffTarget,
    notes: ResumeNotes,
    method: str,
) -> Learning[list[dict[str, Any]]]:
    """The scores of every layer at every token behind the message."""
    tried: list[dict[str, Any]] = []
    for offset in range(-len(found.positive), 0):
        drafted = draft_direction(contrast.name, loaded, contrast, found, offset, method)
        for layer in range(loaded.anatomy.layers):
            plus, minus = (steer(drafted, loaded, strength, layer) for strength in (1.0, -1.0))
            work = partial(_scores, loaded, leaning, by, plus, minus)
            scores = yield from notes.once(
                f"token{offset}.layer{layer}", work, f"Trying layer {layer} at token {offset}."
            )
            accuracy = float(found.accuracy["validation"][offset, layer])
            tried.append({"offset": offset, "layer": layer, "accuracy": accuracy, **scores})
    return tried


def _scores(
    loaded: Loaded, leaning: _Leaning, by: OffTarget, plus: metrics.Edits, minus: metrics.Edits
) -> Slices[dict[str, float]]:
    up = yield from leaning.mean(plus)
    down = yield from leaning.mean(minus)
    damage = yield from metrics.off_target_kl(loaded, by, plus)
    return {"leaning": (up["effect"] - down["effect"]) / 2, "damage": damage}


def choice(tried: Sequence[dict[str, Any]], layers: int) -> tuple[dict[str, Any], str]:
    """The layer and token that lean most among those that tell the classes apart about as well as the best, and harm little."""
    early = [each for each in tried if each["layer"] < EARLY * layers]
    gentle = [each for each in early if each["damage"] <= _MOST_DAMAGE]
    most = max(each["accuracy"] for each in gentle or early)
    able = [each for each in gentle or early if each["accuracy"] >= most - 0.05]
    harm = "damage of strength 1 ≤ 1 nat" if gentle else "none moves unrelated replies by less than 1 nat"
    rule = f"largest leaning by strength 1 among those whose validation accuracy is within .05 of the best; {harm}; last fifth left out"
    return max(able, key=lambda each: each["leaning"]), rule
