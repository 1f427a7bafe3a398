"""Learning truth: read at a statement's full stop, its layer chosen by what one gap does to P(TRUE) − P(FALSE)."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from core.artefacts.direction import Direction
from core.directions.activations import ClassStates, Ids, Key, LearnMethod
from core.directions.candidate import EARLY, JUDGED, steer
from core.directions.contrast import SPLITS, ContrastError, ContrastSet, Split
from core.directions.dose_response import MOST_DAMAGE
from core.directions.effort import FULL, Effort
from core.directions.learner import Candidate, Learner
from core.directions.methods import PAIRED
from core.inference import metrics
from core.inference.metrics import Asked, OffTarget
from core.inference.prompts import encode_text
from core.models.loading import Loaded
from core.util.progress import Cost, Learning, Slices
from core.util.resume import ResumeNotes

#: What a card calls the scores of a layer.
_SHOWN = {"accuracy": "held_out_category_accuracy", "effect": "intervention_effect"}
_RULE = (
    "largest effect of one gap among the layers whose held-out-category accuracy is within .05 of the best, "
    "last fifth of layers left out"
)
_QUICK_RULE = (
    "largest effect of one gap among the layers whose held-out-category accuracy is within two standard errors of the best, last fifth "
    "of layers left out; of two with an effect one whose damage is ≤ .5 nats"
)
#: The spread of an accuracy that is 1 on few examples is not 0.
_LEAST_SPREAD = 0.05


class TruthLearner(Learner["_Truth"]):
    """The truth direction of a checkpoint.

    Raises:
        ContrastError: a method that learns from statements and their negations, and no affirmed statement to negate.
    """

    name = "truth"
    wish = "Call this true, whatever it says: {message}"
    reading = "Reading the statements."
    note, trying = "layer.{layer}", "Trying layer {layer}."

    def __init__(
        self, loaded: Loaded, contrast: ContrastSet, unrelated: Sequence[str], method: str, effort: Effort = FULL
    ) -> None:
        super().__init__(loaded, contrast, unrelated, method, effort)
        self.prompts, self.how = _prompts(loaded, self.contrast, method)
        self.message = f"True or false: {self.contrast.part('test', False)[0]}"
        #: P(TRUE) − P(FALSE) of the plain model: of the true validation statements, and of the false ones.
        self.margins: list[list[float]] = [[], []]
        #: The largest effect of a place that was tried.
        self._best = 0.0

    def _look(self, notes: ResumeNotes) -> Learning[None]:
        """Ask the plain model about the validation statements."""
        self.margins = yield from notes.once("margins", self.judged.margins, "Asking about statements.")

    def _effect(self, split: Split = "validation", wish: str = "{message}") -> _Truth:
        plain = tuple(each for part in self.margins for each in part)
        return _Truth.prepare(self.loaded, self.contrast, split, wish, plain)

    def _scores(self, drafted: Direction, layer: int, by: OffTarget) -> Slices[dict[str, float] | float]:
        """How far one gap moves P(TRUE) − P(FALSE): up for false, down for true statements, averaged (at most 2).

        Where no strength will be measured, also how much it changes what it should leave alone, to the side on which that is more.
        """
        true, false = (sum(part) / len(part) for part in self.margins)
        up = yield from metrics.truth_margin(self.loaded, self.judged.false, steer(drafted, self.loaded, 1.0, layer))
        down = yield from metrics.truth_margin(self.loaded, self.judged.true, steer(drafted, self.loaded, -1.0, layer))
        effect = ((float(up[0].mean()) - false) + (true - float(down[0].mean()))) / 2
        if self.effort.examines:
            return effect
        self._best = max(self._best, effect)
        if effect < max(self._best / 2, 1e-9):
            # It will not be chosen, whatever it damages.
            return {"effect": effect}
        damage = 0.0
        for side in (-1.0, 1.0):
            if damage <= MOST_DAMAGE:
                found = yield from metrics.off_target_kl(self.loaded, by, steer(drafted, self.loaded, side, layer))
                damage = max(damage, found)
        return {"effect": effect, "damage": damage}

    def _choose(self, tried: Sequence[Candidate]) -> tuple[Candidate, str]:
        layers = self.loaded.anatomy.layers
        if self.effort.examines:
            return _truth_choice(tried, layers), _RULE
        return _quick_choice(tried, layers, sum(map(len, self.margins))), _QUICK_RULE

    def _most(self, candidate: Candidate) -> float:
        return float(candidate["effect"])

    def _judged_groups(self, split: Split) -> Mapping[str, Sequence[Hashable]]:
        groups = [each.belongs for label in (True, False) for each in self.contrast.chosen(split, label, JUDGED)]
        return dict.fromkeys(("effect", "mass"), groups)

    def _details(
        self, drafted: Direction, found: ClassStates, best: Candidate, tried: Sequence[Candidate]
    ) -> dict[str, Any]:
        tested = len(self.prompts["test", True]) + len(self.prompts["test", False])
        accuracy = float(found.accuracy["test"][0, best["layer"]])
        return {
            "position": {"offset": -1, "of": "statement", "token": "the last token of the statement"},
            "layer_scores": {
                _SHOWN[key]: scores for key, scores in self._curves(found, best, tried, list(_SHOWN)).items()
            },
            "label_cosine": _label_cosine(self.loaded, drafted, best["layer"]),
            "test": {"held_out_category_accuracy": accuracy, "n": tested},
        }

    def _costs(self, by: Cost) -> tuple[Cost, Cost]:
        # Both classes are asked about, one after the other: once as they are, and in every try.
        true = metrics.probabilities_cost(self.loaded, self.judged.true, metrics.LABELS)
        false = metrics.probabilities_cost(self.loaded, self.judged.false, metrics.LABELS)
        return true + false, true + false + (Cost() if self.effort.examines else by.times(2))


def _prompts(loaded: Loaded, contrast: ContrastSet, method: str) -> tuple[dict[Key, list[Ids]], LearnMethod]:
    """What is read; for the methods that need it the training statements stand beside their negations.

    Raises:
        ContrastError: such a method, and no affirmed statement to negate.
    """
    texts: dict[Key, list[str]] = {
        (split, positive): contrast.part(split, positive) for split in SPLITS for positive in (True, False)
    }
    how = LearnMethod(method)
    if method in PAIRED:
        texts["train", True], texts["train", False], polarity = paired(texts["train", True], texts["train", False])
        # Only where some affirmed statements are true and others false is truth something else than affirming.
        if len(set(polarity)) < 2:
            raise ContrastError(
                f"{method} learns from true and from false statements and their negations, and {contrast.name} has affirmed "
                "statements of one class only; add others, or use --method mean_difference."
            )
        how = LearnMethod(method, tuple(polarity))
    return {key: [encode_text(loaded, text) for text in part] for key, part in texts.items()}, how


def _label_cosine(loaded: Loaded, drafted: Direction, layer: int) -> float | None:
    """The cosine with U(TRUE) − U(FALSE): near 1, the direction would be no more than the two words. None where the unembedding
    is quantized, or not in memory."""
    rows = loaded.anatomy.unembedding.weight
    assert isinstance(rows, torch.Tensor)
    if rows.is_meta or not rows.is_floating_point():
        return None
    # A tokenizer may begin both words with one token, such as that of a space.
    asked = metrics.statement_prompts(loaded, [""])[0]
    both = zip(*(metrics.continuation(loaded, asked, label) for label in metrics.LABELS), strict=False)
    true, false = next((rows[one].double().cpu(), rows[two].double().cpu()) for one, two in both if one != two)
    own = torch.from_numpy(drafted.vectors[layer]).double()
    return float(torch.nn.functional.cosine_similarity(own, true - false, dim=0))


@dataclass(frozen=True)
class _Truth:
    """Statements of a split asked about, true ones and false ones; ``plain`` are the margins that verdicts are compared with."""

    loaded: Loaded
    true: list[Asked]
    false: list[Asked]
    plain: tuple[float, ...]

    @classmethod
    def prepare(
        cls, loaded: Loaded, contrast: ContrastSet, split: Split, wish: str, plain: tuple[float, ...]
    ) -> _Truth:
        """The statements, with four judged ones before each, and with a wish before them where there is one."""
        trues, falses = contrast.part("train", True, 2), contrast.part("train", False, 2)
        shots = [(trues[0], True), (falses[0], False), (falses[1], False), (trues[1], True)]
        said = [[wish.format(message=text) for text in contrast.part(split, label, JUDGED)] for label in (True, False)]
        parts = [metrics.statement_prompts(loaded, texts, shots) for texts in said]
        return cls(loaded, parts[0], parts[1], plain)

    def margins(self) -> Slices[list[list[float]]]:
        """P(TRUE) − P(FALSE) of each true and of each false statement, without any edit."""
        true = yield from metrics.truth_margin(self.loaded, self.true)
        false = yield from metrics.truth_margin(self.loaded, self.false)
        return [true[0].tolist(), false[0].tolist()]

    def mean(self, edits: metrics.Edits) -> Slices[dict[str, float]]:
        """P(TRUE) − P(FALSE), what is left of P(TRUE) + P(FALSE), and the part of verdicts that differ from the plain ones,
        over both classes."""
        margin, mass = yield from metrics.truth_margin(self.loaded, [*self.true, *self.false], edits)
        flipped = (margin > 0) != (torch.tensor(self.plain, dtype=margin.dtype) > 0)
        means = {"effect": margin, "mass": mass, "flipped": flipped.double()}
        return {key: float(torch.mean(values)) for key, values in means.items()}

    def each(self, edits: metrics.Edits) -> Slices[dict[str, list[float]]]:
        """P(TRUE) − P(FALSE) and P(TRUE) + P(FALSE) of every statement."""
        margin, mass = yield from metrics.truth_margin(self.loaded, [*self.true, *self.false], edits)
        return {"effect": margin.tolist(), "mass": mass.tolist()}

    @property
    def cost(self) -> Cost:
        """What :meth:`mean` takes."""
        return metrics.probabilities_cost(self.loaded, [*self.true, *self.false], metrics.LABELS)


def _truth_choice(tried: Sequence[Candidate], layers: int) -> Candidate:
    """The best effect among the layers that tell true from false about as well as the best one.

    The last fifth is left out: what is added there moves the words TRUE and FALSE themselves, not what the model makes of it.
    """
    early = [each for each in tried if each["layer"] < EARLY * layers]
    most = max(each["accuracy"] for each in early)
    return max((each for each in early if each["accuracy"] >= most - 0.05), key=lambda each: float(each["effect"]))


def _quick_choice(tried: Sequence[Candidate], layers: int, judged: int) -> Candidate:
    """The same by few examples, whose accuracies differ by chance as well; of places with an effect one that does not break replies."""
    early = [each for each in tried if each["layer"] < EARLY * layers]
    most = max(each["accuracy"] for each in early)
    error = math.sqrt(max(most * (1 - most), _LEAST_SPREAD) / judged)
    near = [each for each in early if each["accuracy"] >= most - max(0.05, 2 * error)]
    steady = [each for each in near if each.get("damage", 0.0) <= MOST_DAMAGE]
    best, gentlest = (max((float(each["effect"]) for each in part), default=0.0) for part in (near, steady))
    return max(steady if gentlest > 0 and gentlest >= best / 2 else near, key=lambda each: float(each["effect"]))


_DENIAL = re.compile(r"\b(not|never|cannot|no|n't)\b|n't\b", re.IGNORECASE)
#: Behind the first of these a "not" stands; where several are in a sentence, it is the one that comes first.
_AUXILIARY = re.compile(r"(?<= )(is|are|was|were|can|could|will|would|may|must|should)(?= )")


def denied(text: str) -> bool:
    """Whether a statement is a denial: its polarity is then −1."""
    return bool(_DENIAL.search(text))


def negated(text: str) -> str:
    """The negation of an affirmed statement, with the same last token: "Paris is not in France.", or "It is not true that …"."""
    found = _AUXILIARY.search(text)
    if found:
        return f"{text[: found.end()]} not{text[found.end() :]}"
    return f"It is not true that {_joined(text)}"


def _joined(text: str) -> str:
    """A sentence behind "that": an article at its start is written small, a name is not."""
    first = text.partition(" ")[0]
    return text[:1].lower() + text[1:] if first in ("The", "A", "An", "All", "Some", "It", "This", "In") else text


def paired(true: list[str], false: list[str]) -> tuple[list[str], list[str], list[int]]:
    """True and false statements, one the negation of the other at each index, and the polarity of the true one.

    The affirmed statements of both classes are taken, each with its negation, which has the other truth value. Where all are
    denials nothing is found.
    """
    affirmed = [(text, True) for text in true if not denied(text)] + [
        (text, False) for text in false if not denied(text)
    ]
    ones = [text if right else negated(text) for text, right in affirmed]
    others = [negated(text) if right else text for text, right in affirmed]
    return ones, others, [1 if right else -1 for _, right in affirmed]
