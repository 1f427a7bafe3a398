"""Learning a direction of one's own from two boxes of examples: read at every token the template puts behind a message.

There is no word that such a direction could be seen to act by, as there is for truth and for refusal. Its effect is a contrast log-prob
margin, which cards call *leaning*: the log-probability that teacher forcing finds of the positive examples less that of the negative ones,
in reply to unrelated messages, in nats a token.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from core.artefacts.direction import Direction
from core.directions.activations import Ids, Key
from core.directions.candidate import EARLY, JUDGED, steer
from core.directions.contrast import SPLITS, ContrastError, ContrastSet, Split
from core.directions.effort import FULL, Effort
from core.directions.learn_refusal import template_end
from core.directions.learner import Candidate, Learner
from core.directions.methods import PAIRED
from core.inference import metrics
from core.inference.batch import batch_rows
from core.inference.metrics import Asked, OffTarget
from core.inference.prompts import encode
from core.inference.teacher_forcing import reply_logits
from core.models.loading import Loaded
from core.util.progress import Cost, Slices

#: A layer may move unrelated replies by so much at strength 1 (nats a token) and still be chosen, where one stays below it.
_MOST_DAMAGE = 1.0


class ContrastLearner(Learner["LogProbMargin"]):
    """The direction of a contrast by its name.

    Raises:
        ContrastError: a method that needs statements and their negations, or an example that is too long.
    """

    shown = ("accuracy", "leaning", "damage")
    by_hand = "; of its tokens the one with the largest leaning"

    def __init__(
        self, loaded: Loaded, contrast: ContrastSet, unrelated: Sequence[str], method: str, effort: Effort = FULL
    ) -> None:
        super().__init__(loaded, contrast, unrelated, method, effort)
        if method in PAIRED:
            raise ContrastError(
                f"{method} learns truth from statements and their negations; {contrast.name} can be learnt by mean_difference, pca or "
                "logistic."
            )
        self.name, self.wish, self.message = contrast.name, wish_for(contrast.name), unrelated[0]
        self.prompts = _prompts(loaded, self.contrast)

    def _positions(self) -> int:
        return template_end([ids for part in self.prompts.values() for ids in part])

    def _effect(self, split: Split = "validation", wish: str = "{message}") -> LogProbMargin:
        messages = [wish.format(message=each) for each in self.unrelated]
        return LogProbMargin.prepare(self.loaded, self.contrast, messages, split)

    def _judged_groups(self, split: Split) -> Mapping[str, Sequence[Hashable]]:
        sides = [self.contrast.chosen(split, label, JUDGED) for label in (True, False)]
        # A figure is that of a positive and a negative example; of the two the positive one's group counts.
        return {"effect": [one.belongs for one, _ in zip(*sides, strict=False)]}

    def _scores(self, drafted: Direction, layer: int, by: OffTarget) -> Slices[dict[str, float]]:
        """Half of what the log-prob margin differs by between one gap along the direction and one against it; damage along it."""
        plus, minus = (steer(drafted, self.loaded, strength, layer) for strength in (1.0, -1.0))
        up = yield from self.judged.mean(plus)
        down = yield from self.judged.mean(minus)
        damage = yield from metrics.off_target_kl(self.loaded, by, plus)
        return {"leaning": (up["effect"] - down["effect"]) / 2, "damage": damage}

    def _choose(self, tried: Sequence[Candidate]) -> tuple[Candidate, str]:
        """The layer and token that lean most among those that tell the classes apart about as well as the best, and harm little."""
        early = [each for each in tried if each["layer"] < EARLY * self.loaded.anatomy.layers]
        gentle = [each for each in early if each["damage"] <= _MOST_DAMAGE]
        most = max(each["accuracy"] for each in gentle or early)
        able = [each for each in gentle or early if each["accuracy"] >= most - 0.05]
        harm = "damage of strength 1 ≤ 1 nat" if gentle else "none moves unrelated replies by less than 1 nat"
        rule = f"largest leaning by strength 1 among those whose validation accuracy is within .05 of the best; {harm}; last fifth left out"
        return max(able, key=lambda each: each["leaning"]), rule

    def _most(self, candidate: Candidate) -> float:
        return float(candidate["leaning"])

    def _costs(self, by: Cost) -> tuple[Cost, Cost]:
        return Cost(), self.judged.cost.times(2) + by


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
class LogProbMargin:
    """Examples of a split as replies to messages in turn; ``positive`` says which are positive ones."""

    loaded: Loaded
    prompts: tuple[Ids, ...]
    replies: tuple[Ids, ...]
    positive: tuple[bool, ...]

    @classmethod
    def prepare(
        cls, loaded: Loaded, contrast: ContrastSet, messages: Sequence[str], split: Split = "validation"
    ) -> LogProbMargin:
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
