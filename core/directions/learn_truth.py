"""Learning truth: read at a statement's full stop, its layer chosen by what one gap does to P(TRUE) − P(FALSE)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from core.artefacts.direction import Direction
from core.directions import controls
from core.directions.activations import Ids, Key, LearnMethod, activation_cost, class_states
from core.directions.candidate import BY_HAND, EARLY, JUDGED, draft_direction, finish_direction, steer
from core.directions.contrast import SPLITS, ContrastError, ContrastSet, Split
from core.directions.controls import Chosen, Trial
from core.directions.methods import PAIRED
from core.inference import metrics
from core.inference.batch import batch_rows
from core.inference.metrics import Asked
from core.inference.prompts import encode
from core.models.loading import Loaded
from core.util.progress import Cost, Learning, Slices, told
from core.util.resume import ResumeNotes

#: The baseline without steering: what somebody would write who wants every statement called true.
_WISH = "Call this true, whatever it says: {message}"
_RULE = (
    "largest effect of one gap among the layers whose held-out-category accuracy is within .05 of the best, "
    "last fifth of layers left out"
)


def learn_truth(
    loaded: Loaded,
    contrast: ContrastSet,
    unrelated: Sequence[str],
    notes: ResumeNotes,
    method: str = "mean_difference",
    by_hand: int | None = None,
) -> Learning[Direction]:
    """The truth direction of a checkpoint, with all scores, its dose-response and controls; ``by_hand`` is a layer to take."""
    prompts, how = _prompts(loaded, contrast, method)
    found = yield from class_states(loaded, prompts, 1, _rows(loaded), notes, "Reading the statements.", how)
    accuracy = found.accuracy["validation"][0].tolist()
    drafted = draft_direction("truth", loaded, contrast, found, -1, method)
    judged = _Truth.prepare(loaded, contrast)
    margins = yield from notes.once("margins", judged.margins, "Asking about statements.")
    plain = [sum(part) / len(part) for part in margins]
    measure = partial(judged.mean, [each for part in margins for each in part])
    effect: list[float] = []
    for layer in range(loaded.anatomy.layers):
        plus, minus = (steer(drafted, loaded, strength, layer) for strength in (1.0, -1.0))
        work = partial(judged.effect, plain, plus, minus)
        effect.append((yield from notes.once(f"layer.{layer}", work, f"Trying layer {layer}.")))
    layer = _truth_layer(accuracy, effect) if by_hand is None else by_hand
    by = yield from told(metrics.off_target_prompts(loaded, unrelated), "Listening to unrelated replies.")
    message = f"True or false: {contrast.part('test', False)[0]}"
    in_words = partial(_in_words, loaded, contrast, margins)
    trial = Trial(
        loaded, by, measure, _Truth.prepare(loaded, contrast, "test").each, in_words, _WISH, unrelated, message
    )
    shown = yield from controls.examined(Chosen(drafted, layer, -1, found, prompts, how), trial, _rows(loaded), notes)
    tested = len(prompts["test", True]) + len(prompts["test", False])
    details = {
        "layer": layer,
        "position": {"offset": -1, "of": "statement", "token": "the last token of the statement"},
        "layer_scores": {"held_out_category_accuracy": accuracy, "intervention_effect": effect},
        "criterion": _RULE if by_hand is None else BY_HAND.format(layer=layer),
        "label_cosine": _label_cosine(loaded, drafted, layer),
        "test": {"held_out_category_accuracy": float(found.accuracy["test"][0, layer]), "n": tested},
        **shown,
    }
    return finish_direction(drafted, details)


def truth_cost(
    loaded: Loaded, contrast: ContrastSet, unrelated: Sequence[str], method: str = "mean_difference"
) -> Cost:
    """What :func:`learn_truth` takes."""
    judged, (prompts, _) = _Truth.prepare(loaded, contrast), _prompts(loaded, contrast, method)
    asked = metrics.probabilities_cost(loaded, judged.true, metrics.LABELS)
    asked += metrics.probabilities_cost(loaded, judged.false, metrics.LABELS)
    by = metrics.off_target_cost(loaded, unrelated)
    tried = asked.times(1 + loaded.anatomy.layers)
    tested = _Truth.prepare(loaded, contrast, "test")
    worded = _Truth.prepare(loaded, contrast, wish=_WISH)
    costs = {
        name: metrics.probabilities_cost(loaded, [*each.true, *each.false], metrics.LABELS)
        for name, each in (("measured", judged), ("asked", worded), ("tested", tested))
    }
    shown = controls.control_cost(loaded, prompts, _rows(loaded), costs, _WISH, unrelated)
    return activation_cost(prompts, _rows(loaded)) + tried + by.times(2) + shown


def _prompts(loaded: Loaded, contrast: ContrastSet, method: str) -> tuple[dict[Key, list[Ids]], LearnMethod]:
    """What is read; for the methods that need it the training statements stand beside their negations.

    Raises:
        ContrastError: such a method, and no affirmed statement to negate.
    """
    bos = str(loaded.tokenizer.bos_token or "")
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
    return {key: [encode(loaded, bos + text) for text in part] for key, part in texts.items()}, how


def _in_words(loaded: Loaded, contrast: ContrastSet, margins: list[list[float]]) -> Slices[dict[str, float]]:
    """The effect when it is asked for: the wish stands before the statement, in the same question."""
    asked = _Truth.prepare(loaded, contrast, wish=_WISH)
    return (yield from asked.mean([each for part in margins for each in part], ()))


def _label_cosine(loaded: Loaded, drafted: Direction, layer: int) -> float | None:
    """The cosine with U(TRUE) − U(FALSE): near 1, the direction would be no more than the two words. None where the unembedding
    is quantized, or not in memory."""
    rows = loaded.anatomy.unembedding.weight
    assert isinstance(rows, torch.Tensor)
    if rows.is_meta or not rows.is_floating_point():
        return None
    true, false = (rows[encode(loaded, label)[0]].double().cpu() for label in metrics.LABELS)
    own = torch.from_numpy(drafted.vectors[layer]).double()
    return float(torch.nn.functional.cosine_similarity(own, true - false, dim=0))


def _rows(loaded: Loaded) -> int:
    return min(64, batch_rows(loaded))


@dataclass(frozen=True)
class _Truth:
    """Statements of a split asked about, true ones and false ones."""

    loaded: Loaded
    true: list[Asked]
    false: list[Asked]

    @classmethod
    def prepare(
        cls, loaded: Loaded, contrast: ContrastSet, split: Split = "validation", wish: str = "{message}"
    ) -> _Truth:
        """The statements, with four judged ones before each, and with a wish before them where there is one."""
        trues, falses = contrast.part("train", True, 2), contrast.part("train", False, 2)
        shots = [(trues[0], True), (falses[0], False), (falses[1], False), (trues[1], True)]
        said = [[wish.format(message=text) for text in contrast.part(split, label, JUDGED)] for label in (True, False)]
        parts = [metrics.statement_prompts(loaded, texts, shots) for texts in said]
        return cls(loaded, parts[0], parts[1])

    def margins(self) -> Slices[list[list[float]]]:
        """P(TRUE) − P(FALSE) of each true and of each false statement, without any edit."""
        true = yield from metrics.truth_margin(self.loaded, self.true)
        false = yield from metrics.truth_margin(self.loaded, self.false)
        return [true[0].tolist(), false[0].tolist()]

    def effect(self, plain: list[float], plus: metrics.Edits, minus: metrics.Edits) -> Slices[float]:
        """How far one gap moves P(TRUE) − P(FALSE): up for false, down for true statements, averaged (at most 2)."""
        up = yield from metrics.truth_margin(self.loaded, self.false, plus)
        down = yield from metrics.truth_margin(self.loaded, self.true, minus)
        return ((float(up[0].mean()) - plain[1]) + (plain[0] - float(down[0].mean()))) / 2

    def mean(self, plain: list[float], edits: metrics.Edits) -> Slices[dict[str, float]]:
        """P(TRUE) − P(FALSE), what is left of P(TRUE) + P(FALSE), and the part of verdicts that differ from the ``plain`` margins',
        over both classes."""
        margin, mass = yield from metrics.truth_margin(self.loaded, [*self.true, *self.false], edits)
        flipped = (margin > 0) != (torch.tensor(plain, dtype=margin.dtype) > 0)
        means = {"effect": margin, "mass": mass, "flipped": flipped.double()}
        return {key: float(torch.mean(values)) for key, values in means.items()}

    def each(self, edits: metrics.Edits) -> Slices[dict[str, list[float]]]:
        """P(TRUE) − P(FALSE) and P(TRUE) + P(FALSE) of every statement."""
        margin, mass = yield from metrics.truth_margin(self.loaded, [*self.true, *self.false], edits)
        return {"effect": margin.tolist(), "mass": mass.tolist()}


def _truth_layer(accuracy: list[float], effect: list[float]) -> int:
    """The best effect among the layers that tell true from false about as well as the best one.

    The last fifth is left out: what is added there moves the words TRUE and FALSE themselves, not what the model makes of it.
    """
    early = [layer for layer in range(len(accuracy)) if layer < EARLY * len(accuracy)]
    most = max(accuracy[layer] for layer in early)
    return max((layer for layer in early if accuracy[layer] >= most - 0.05), key=lambda layer: effect[layer])


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
