"""Learning a direction from a contrast set, and choosing its layer.

``mean_difference``: v_l = mean(h⁺_l) − mean(h⁻_l) with means in float64 [Marks & Tegmark, "Geometry of Truth"; Arditi et al.,
"Refusal is mediated by a single direction"]. Truth is read at the last token of the bare statement, its full stop; refusal at
every token that the template puts behind the instruction. Layer (and position) are chosen on the validation split; scores of
all of them are stored with the direction.
"""

from __future__ import annotations

import datetime
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core import effects
from core.contrast import ContrastSet
from core.edits import RowEdit, compile_recipe
from core.effects import Asked, Bystanders
from core.gauges import gauge
from core.layout import lay_out
from core.loading import Loaded
from core.prompts import encode
from core.recipes import Recipe, Term
from core.residual import Action, hooked
from core.scoring import score
from core.store import Card, Direction

VERSION = "0.1"
STRENGTHS = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
#: The part of a batch that may be padding when states are read: more costs time, less makes batches of few rows.
PADDING = 0.1
#: Examples of a class that layers, strengths and damage are measured on; learning takes all of its split.
JUDGED = 32
#: Post-instruction tokens that are tried, counted from the prompt's end.
MOST_POSITIONS = 8
#: A class of training instructions is narrowed to those that the model follows its own way on only when so many are left.
FEWEST = 24
#: Layers from this part of the depth on are not chosen: what is added there acts on the next word alone.
EARLY = 0.8
#: Harmless replies may move this much (nats a token) for a refusal direction to be chosen [Arditi et al., appendix C].
MOST_DAMAGE = 0.1

Learning = Generator[tuple[float, str], None, Direction]
#: (part done between 0 and 1, what is being done)
Progress = tuple[float, str]
Means = NDArray[np.float64]


@torch.inference_mode()
def states(loaded: Loaded, prompts: Sequence[tuple[int, ...]], positions: int, rows: int = 64) -> Tensor:
    """The residual leaving every layer at the last ``positions`` tokens: [prompts, positions, layers, width], float32 on the CPU.

    Prompts of about the same length are read together, at most ``rows`` at a time, so that little is padded. Index −1 of the positions
    is the prompt's last token.
    """
    found = torch.empty(len(prompts), positions, loaded.anatomy.layers, loaded.width)
    for chosen in _alike([len(prompt) for prompt in prompts], rows):
        sheet = lay_out(loaded, [prompts[index] for index in chosen])
        caught: dict[int, Tensor] = {}
        with hooked(
            loaded.anatomy,
            {("leave", layer): _catch(layer, positions, caught) for layer in range(loaded.anatomy.layers)},
        ):
            loaded.model(
                input_ids=sheet.ids,
                attention_mask=sheet.attention,
                position_ids=sheet.positions,
                use_cache=False,
                logits_to_keep=1,
            )
        found[chosen] = torch.stack([caught[layer] for layer in range(loaded.anatomy.layers)], dim=2)
    return found


def _alike(lengths: Sequence[int], rows: int) -> list[list[int]]:
    """The indices of ``lengths`` in batches of at most ``rows``, of which at most :data:`PADDING` is padding."""
    batches: list[list[int]] = []
    real = 0
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        longest = lengths[index]
        if not batches or len(batches[-1]) == rows or real + longest < (1 - PADDING) * longest * (len(batches[-1]) + 1):
            batches.append([])
            real = 0
        batches[-1].append(index)
        real += longest
    return batches


def _catch(layer: int, positions: int, caught: dict[int, Tensor]) -> Action:
    def action(residual: Tensor) -> None:
        caught[layer] = residual[:, -positions:].float().cpu()

    return action


def learn(
    kind: str, loaded: Loaded, contrast: ContrastSet, unrelated: Sequence[str]
) -> Generator[Progress, None, Direction]:
    """Learn ``truth`` or ``refusal`` on a checkpoint. Yields progress; the return value is the direction, not yet stored.

    Args:
        unrelated: messages whose replies the direction should leave alone; damage is measured on them.
    """
    direction = yield from _LEARNERS[kind](loaded, contrast, unrelated)
    return direction


# ----------------------------------------------------------------------------------------------------------------- truth


def _learn_truth(
    loaded: Loaded, contrast: ContrastSet, unrelated: Sequence[str]
) -> Generator[Progress, None, Direction]:
    yield 0.0, "Reading the statements."
    bos = str(loaded.tokenizer.bos_token or "")
    read = {
        (split, positive): states(loaded, [encode(loaded, bos + text) for text in contrast.part(split, positive)], 1)[
            :, 0
        ]
        .double()
        .numpy()
        for split in ("train", "validation", "test")
        for positive in (True, False)
    }
    positive, negative = read["train", True].mean(0), read["train", False].mean(0)
    accuracy = [
        _accuracy(read["validation", True], read["validation", False], positive, negative, layer)
        for layer in range(loaded.anatomy.layers)
    ]
    draft = _draft("truth", loaded, contrast, positive, negative)
    judged = _Truth.prepare(loaded, contrast)
    effect = []
    for layer in range(loaded.anatomy.layers):
        yield 0.2 + 0.4 * layer / loaded.anatomy.layers, f"Trying layer {layer}."
        effect.append(judged.effect(_steer(draft, loaded, 1.0, layer), _steer(draft, loaded, -1.0, layer)))
    layer = _truth_layer(accuracy, effect)
    yield 0.6, "Measuring each strength."
    by = effects.bystanders(loaded, unrelated)
    response = _dose_response(draft, loaded, layer, by, judged.mean)
    held_out = _accuracy(read["test", True], read["test", False], positive, negative, layer)
    details = {
        "layer": layer,
        "position": {"offset": -1, "of": "statement", "token": "the last token of the statement"},
        "layer_scores": {"held_out_category_accuracy": accuracy, "intervention_effect": effect},
        "criterion": "largest effect of one gap among the layers whose held-out-category accuracy is within .05 of the best, "
        "last fifth of layers left out",
        "test": {"held_out_category_accuracy": held_out, "n": len(read["test", True]) + len(read["test", False])},
        "dose_response": response,
        "reading_range": _reading_range(draft, loaded, layer, by),
    }
    return _finish(draft, details)


@dataclass(frozen=True)
class _Truth:
    """Validation statements asked about, true ones and false ones."""

    loaded: Loaded
    true: list[Asked]
    false: list[Asked]

    @classmethod
    def prepare(cls, loaded: Loaded, contrast: ContrastSet) -> _Truth:
        trues, falses = contrast.part("train", True, 2), contrast.part("train", False, 2)
        shots = [(trues[0], True), (falses[0], False), (falses[1], False), (trues[1], True)]
        parts = [
            effects.statements(loaded, contrast.part("validation", label, JUDGED), shots) for label in (True, False)
        ]
        return cls(loaded, parts[0], parts[1])

    def effect(self, plus: effects.Edits, minus: effects.Edits) -> float:
        """How far one gap moves P(TRUE) − P(FALSE): up for false, down for true statements, averaged (at most 2)."""
        up = effects.truth_margin(self.loaded, self.false, plus)[0] - effects.truth_margin(self.loaded, self.false)[0]
        down = effects.truth_margin(self.loaded, self.true)[0] - effects.truth_margin(self.loaded, self.true, minus)[0]
        return float((up.mean() + down.mean()) / 2)

    def mean(self, edits: effects.Edits) -> dict[str, float]:
        """P(TRUE) − P(FALSE) and what is left of P(TRUE) + P(FALSE), over both classes."""
        margin, mass = effects.truth_margin(self.loaded, [*self.true, *self.false], edits)
        return {"effect": float(margin.mean()), "mass": float(mass.mean())}


def _truth_layer(accuracy: list[float], effect: list[float]) -> int:
    """The best effect among the layers that tell true from false about as well as the best one.

    The last fifth is left out: what is added there moves the words TRUE and FALSE themselves, not what the model makes of it.
    """
    early = [layer for layer in range(len(accuracy)) if layer < EARLY * len(accuracy)]
    most = max(accuracy[layer] for layer in early)
    return max((layer for layer in early if accuracy[layer] >= most - 0.05), key=lambda layer: effect[layer])


# --------------------------------------------------------------------------------------------------------------- refusal


def _learn_refusal(
    loaded: Loaded, contrast: ContrastSet, unrelated: Sequence[str]
) -> Generator[Progress, None, Direction]:
    yield 0.0, "Reading the instructions."
    asked = {
        (split, positive): effects.chat(loaded, contrast.part(split, positive))
        for split in ("train", "validation", "test")
        for positive in (True, False)
    }
    asked |= {("train", positive): _followed(loaded, asked["train", positive], positive) for positive in (True, False)}
    positions = _template_end([each.ids for part in asked.values() for each in part])
    read = {key: states(loaded, [each.ids for each in part], positions).double().numpy() for key, part in asked.items()}
    judged = _Refusal.prepare(loaded, contrast, unrelated)
    tried: list[dict[str, Any]] = []
    for offset in range(-positions, 0):
        positive, negative = (read["train", label][:, offset].mean(0) for label in (True, False))
        draft = _draft("refusal", loaded, contrast, positive, negative)
        for layer in range(loaded.anatomy.layers):
            yield (
                0.1 + 0.7 * (len(tried) / (positions * loaded.anatomy.layers)),
                f"Trying layer {layer} at token {offset}.",
            )
            separation = _accuracy(
                read["validation", True][:, offset], read["validation", False][:, offset], positive, negative, layer
            )
            tried.append({"offset": offset, "layer": layer, "accuracy": separation, **judged.scores(draft, layer)})
    best, criterion = _refusal_choice(tried, loaded.anatomy.layers)
    offset, layer = int(best["offset"]), int(best["layer"])
    positive, negative = (read["train", label][:, offset].mean(0) for label in (True, False))
    draft = _draft("refusal", loaded, contrast, positive, negative)
    yield 0.8, "Measuring each strength."
    token = asked["train", True][0].ids[offset]
    details = {
        "layer": layer,
        "position": {
            "offset": offset,
            "of": "prompt",
            "token": str(loaded.tokenizer.decode([token])),
            "token_id": token,
        },
        "layer_scores": {key: _by_layer(tried, offset, key) for key in ("accuracy", "induction", "ablated", "damage")},
        "all_scores": tried,
        "criterion": criterion,
        "followed": {"harmful": len(asked["train", True]), "harmless": len(asked["train", False])},
        "test": {
            "accuracy": _accuracy(
                read["test", True][:, offset], read["test", False][:, offset], positive, negative, layer
            )
        },
        "dose_response": _dose_response(draft, loaded, layer, judged.by, judged.mean),
        "reading_range": _reading_range(draft, loaded, layer, judged.by),
    }
    return _finish(draft, details)


def _followed(loaded: Loaded, asked: list[Asked], harmful: bool) -> list[Asked]:
    """The harmful instructions that the model refuses, or the harmless ones that it does not [Arditi et al., §2.3].

    The others would pull the class means together. A checkpoint that does so with fewer than :data:`FEWEST` learns from all.
    """
    refuses = effects.refusal_probability(loaded, asked) > 0.5
    kept = [each for each, refused in zip(asked, refuses.tolist(), strict=True) if refused == harmful]
    return kept if len(kept) >= FEWEST else asked


def _template_end(prompts: Sequence[tuple[int, ...]]) -> int:
    """How many tokens all prompts end with: what the template puts behind the instruction, at most :data:`MOST_POSITIONS`."""
    shortest = min(len(ids) for ids in prompts)
    same = 0
    while same < min(shortest, MOST_POSITIONS) and len({ids[-same - 1] for ids in prompts}) == 1:
        same += 1
    return max(1, same)


@dataclass(frozen=True)
class _Refusal:
    """Validation instructions, harmful and harmless, with the plain model's refusal probabilities."""

    loaded: Loaded
    harmful: list[Asked]
    harmless: list[Asked]
    plain_harmful: float
    plain_harmless: float
    by: Bystanders

    @classmethod
    def prepare(cls, loaded: Loaded, contrast: ContrastSet, unrelated: Sequence[str]) -> _Refusal:
        harmful, harmless = (
            effects.chat(loaded, contrast.part("validation", label, JUDGED)) for label in (True, False)
        )
        plain = [float(effects.refusal_probability(loaded, part).mean()) for part in (harmful, harmless)]
        return cls(loaded, harmful, harmless, plain[0], plain[1], effects.bystanders(loaded, unrelated))

    def scores(self, draft: Direction, layer: int) -> dict[str, float]:
        """Induction (rise of P(refusal) on harmless prompts by one gap), P(refusal) on harmful ones when ablated, damage of ablating."""
        ablation = _ablate(draft, self.loaded, layer)
        added = effects.refusal_probability(self.loaded, self.harmless, _steer(draft, self.loaded, 1.0, layer))
        ablated = effects.refusal_probability(self.loaded, self.harmful, ablation)
        return {
            "induction": float(added.mean()) - self.plain_harmless,
            "ablated": float(ablated.mean()),
            "removed": self.plain_harmful - float(ablated.mean()),
            "damage": effects.damage(self.loaded, self.by, ablation),
        }

    def mean(self, edits: effects.Edits) -> dict[str, float]:
        """P(refusal) on harmless and on harmful prompts."""
        return {
            "effect": float(effects.refusal_probability(self.loaded, self.harmless, edits).mean()),
            "harmful": float(effects.refusal_probability(self.loaded, self.harmful, edits).mean()),
        }


def _refusal_choice(tried: list[dict[str, Any]], layers: int) -> tuple[dict[str, Any], str]:
    """Arditi et al.'s rule with both effects counted; where a checkpoint refuses nothing, the best separation."""
    early = [each for each in tried if each["layer"] < EARLY * layers]
    allowed = [each for each in early if each["damage"] <= MOST_DAMAGE and each["induction"] >= 0]
    if max((each["induction"] for each in allowed), default=0.0) > 0.05:
        rule = "largest induction + removal, with induction ≥ 0 and damage of ablating ≤ .1 nats, last fifth of layers left out"
        return max(allowed, key=lambda each: each["induction"] + each["removed"]), rule
    rule = "best separation, last fifth of layers left out: this checkpoint hardly refuses, so no effect can choose"
    return max(early, key=lambda each: each["accuracy"]), rule


def _by_layer(tried: list[dict[str, Any]], offset: int, key: str) -> list[float]:
    return [each[key] for each in tried if each["offset"] == offset]


# ---------------------------------------------------------------------------------------------------------------- shared


def _accuracy(positive: Means, negative: Means, mean_positive: Means, mean_negative: Means, layer: int) -> float:
    """Balanced accuracy of the midpoint between the class means at a layer, on states [examples, layers, width]."""
    vector = mean_positive[layer] - mean_negative[layer]
    middle = (mean_positive[layer] + mean_negative[layer]) @ vector / 2
    return float(((positive[:, layer] @ vector > middle).mean() + (negative[:, layer] @ vector <= middle).mean()) / 2)


def _draft(name: str, loaded: Loaded, contrast: ContrastSet, positive: Means, negative: Means) -> Direction:
    """A direction with what is known before a layer is chosen."""
    details = {
        "kind": "direction",
        "name": name,
        "family": loaded.family.name,
        "checkpoint": loaded.checkpoint.name,
        # Of the weights on disk, whatever was made of them in memory: a direction fits the checkpoint's quantized twins too.
        "fingerprint": loaded.fingerprint,
        "quantize": loaded.quantize,
        "layers": loaded.anatomy.layers,
        "width": loaded.width,
        "layer": 0,
        "method": "mean_difference",
        "contrast": {
            "name": contrast.name,
            "digest": contrast.digest,
            "n": len(contrast.part("train", True)) + len(contrast.part("train", False)),
        },
        "template": "" if name == "truth" else str(loaded.template or loaded.tokenizer.chat_template),
    }
    card = Card(loaded.family.folder, "direction", name, loaded.family.name, loaded.checkpoint.name, details)
    return Direction(
        card, (positive - negative).astype(np.float32), positive.astype(np.float32), negative.astype(np.float32)
    )


def _finish(draft: Direction, details: dict[str, Any]) -> Direction:
    made = {"program": f"Tiller {VERSION}", "date": datetime.date.today().isoformat()}
    card = draft.card
    whole = Card(card.path, card.kind, card.name, card.family, card.checkpoint, {**card.details, **details, **made})
    return Direction(whole, draft.vectors, draft.positive, draft.negative)


def _steer(draft: Direction, loaded: Loaded, strength: float, layer: int) -> tuple[RowEdit, ...]:
    return _compile(draft, loaded, Term("add", draft.card.name, strength, layers=(layer,)))


def _ablate(draft: Direction, loaded: Loaded, layer: int) -> tuple[RowEdit, ...]:
    card = Card(
        draft.card.path,
        "direction",
        draft.card.name,
        draft.card.family,
        draft.card.checkpoint,
        {**draft.card.details, "layer": layer},
    )
    at_layer = Direction(card, draft.vectors, draft.positive, draft.negative)
    return _compile(at_layer, loaded, Term("ablate", draft.card.name))


def _compile(direction: Direction, loaded: Loaded, term: Term) -> tuple[RowEdit, ...]:
    return compile_recipe(Recipe((term,)), loaded, lambda _name, _checkpoint: direction)


def _reading_range(draft: Direction, loaded: Loaded, layer: int, by: Bystanders) -> tuple[float, float]:
    """The readings at which the lens's palette ends: round the median of unsteered replies, wide enough for nine in ten
    of their tokens and for a steering of one gap. Tokens of a reply stand elsewhere along a direction than those it was
    learnt at, so 0 and 1 alone would show them all in one colour.
    """
    gauges = (gauge(draft, layer, loaded.device),)
    readings = score(loaded, by.prompts, by.replies, gauges=gauges)
    values = [reading.projections[draft.card.name] for reply in readings for reading in reply]
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
    half = max(1.0, high - middle, middle - low)
    return float(middle - half), float(middle + half)


def _dose_response(
    draft: Direction, loaded: Loaded, layer: int, by: Bystanders, measure: Any
) -> dict[str, list[float]]:
    """The measured effect and the damage at every strength of the slider."""
    rows = []
    for strength in STRENGTHS:
        edits = _steer(draft, loaded, strength, layer) if strength else ()
        rows.append({"strengths": strength, **measure(edits), "damage": effects.damage(loaded, by, edits)})
    return {key: [row[key] for row in rows] for key in rows[0]}


_LEARNERS = {"truth": _learn_truth, "refusal": _learn_refusal}
KINDS = tuple(_LEARNERS)
