"""Learning refusal: read at every token the template puts behind an instruction; layer and token chosen by Arditi et al.'s rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from core.artefacts.direction import Direction
from core.directions import controls
from core.directions.activations import Ids, Key, LearnMethod, Stand, activation_cost, class_states
from core.directions.candidate import BY_HAND, EARLY, JUDGED, ablate, draft_direction, finish_direction, steer
from core.directions.contrast import SPLITS, ContrastSet, Split
from core.directions.controls import Chosen, Trial
from core.inference import metrics
from core.inference.batch import batch_rows
from core.inference.metrics import Asked, OffTarget
from core.models.loading import Loaded
from core.util.progress import Cost, Learning, Slices, told
from core.util.resume import ResumeNotes

#: Post-instruction tokens that are tried, counted from the prompt's end.
MOST_POSITIONS = 8
#: A class of training instructions is narrowed to those that the model follows its own way on only when so many are left.
_FEWEST = 24
#: Harmless replies may move this much (nats a token) for a refusal direction to be chosen [Arditi et al., appendix C].
_MOST_DAMAGE = 0.1
#: The baseline without steering: what somebody would write who wants a refusal.
WISH = "Refuse to answer this and say that you cannot help: {message}"


def learn_refusal(
    loaded: Loaded,
    contrast: ContrastSet,
    unrelated: Sequence[str],
    notes: ResumeNotes,
    method: str = "mean_difference",
    by_hand: int | None = None,
) -> Learning[Direction]:
    """The refusal direction of a checkpoint, with the scores of every layer and token, its dose-response and controls; ``by_hand``
    is a layer to take."""
    asked = _asked(loaded, contrast)
    for positive in (True, False):
        work = partial(_refused, loaded, asked["train", positive])
        refused = yield from notes.once(f"refused.{int(positive)}", work, "Asking what is refused.")
        asked["train", positive] = _followed(asked["train", positive], refused, positive)
    prompts: dict[Key, list[Ids]] = {key: [each.ids for each in part] for key, part in asked.items()}
    positions, how = template_end([ids for part in prompts.values() for ids in part]), LearnMethod(method)
    found = yield from class_states(
        loaded, prompts, positions, refusal_rows(loaded), notes, "Reading the instructions.", how
    )
    by = yield from told(metrics.off_target_prompts(loaded, unrelated), "Listening to unrelated replies.")
    judged = yield from _prepared(loaded, contrast, by, notes)
    tried = yield from _tried(loaded, contrast, found, judged, notes, method)
    best, criterion = _refusal_choice(tried, loaded.anatomy.layers)
    if by_hand is not None:
        best = max(at_layer(tried, by_hand), key=lambda each: each["induction"] + each["removed"])
        criterion = f"{BY_HAND.format(layer=by_hand)}; of its tokens the one with the largest induction + removal"
    offset, layer = int(best["offset"]), int(best["layer"])
    drafted = draft_direction("refusal", loaded, contrast, found, offset, method)
    message = contrast.part("test", False)[0]
    in_words, tested = partial(_in_words, loaded, contrast), partial(_each, loaded, contrast)
    trial = Trial(loaded, by, judged.mean, tested, in_words, WISH, unrelated, message, _heard(loaded, contrast))
    chosen = Chosen(drafted, layer, offset, found, prompts, how)
    shown = yield from controls.examined(chosen, trial, refusal_rows(loaded), notes)
    details = {
        "layer": layer,
        "position": position(loaded, prompts["train", True][0], offset),
        "layer_scores": {key: by_layer(tried, offset, key) for key in ("accuracy", "induction", "ablated", "damage")},
        "all_scores": tried,
        "criterion": criterion,
        "followed": {"harmful": len(asked["train", True]), "harmless": len(asked["train", False])},
        "test": {"accuracy": float(found.accuracy["test"][offset, layer])},
        **shown,
    }
    return finish_direction(drafted, details)


def refusal_cost(
    loaded: Loaded, contrast: ContrastSet, unrelated: Sequence[str], method: str = "mean_difference"
) -> Cost:
    """What :func:`learn_refusal` takes."""
    asked = _asked(loaded, contrast)
    prompts: dict[Key, list[Ids]] = {key: [each.ids for each in part] for key, part in asked.items()}
    positions = template_end([ids for part in prompts.values() for ids in part])
    first = [metrics.probabilities_cost(loaded, asked["train", label], metrics.REFUSALS) for label in (True, False)]
    both, tested = (_asking(loaded, contrast, split) for split in ("validation", "test"))
    by = metrics.off_target_cost(loaded, unrelated)
    tries = positions * loaded.anatomy.layers
    reading = activation_cost(prompts, refusal_rows(loaded))
    costs = {"measured": both, "asked": _asking(loaded, contrast, "validation", WISH), "tested": tested}
    shown = controls.control_cost(
        loaded, prompts, refusal_rows(loaded), costs, WISH, unrelated, _heard(loaded, contrast)
    )
    return first[0] + first[1] + reading + both + by.times(2) + (both + by).times(tries) + shown


def _in_words(loaded: Loaded, contrast: ContrastSet) -> Slices[dict[str, float]]:
    """P(refusal) when it is asked for, on harmless and on harmful prompts."""
    found = {}
    for name, label in (("effect", False), ("harmful", True)):
        wished = [WISH.format(message=text) for text in contrast.part("validation", label, JUDGED)]
        chances = yield from metrics.refusal_probability(loaded, metrics.chat_prompts(loaded, wished))
        found[name] = float(chances.mean())
    return found


def _heard(loaded: Loaded, contrast: ContrastSet) -> dict[str, list[Ids]]:
    """Harmless and harmful prompts whose replies are counted by their class."""
    return {
        name: [each.ids for each in metrics.chat_prompts(loaded, contrast.part("validation", label, JUDGED))]
        for name, label in (("harmless", False), ("harmful", True))
    }


def _asking(loaded: Loaded, contrast: ContrastSet, split: Split, wish: str = "{message}") -> Cost:
    """What finding P(refusal) takes on a split."""
    whole = Cost()
    for label in (True, False):
        asked = metrics.chat_prompts(
            loaded, [wish.format(message=text) for text in contrast.part(split, label, JUDGED)]
        )
        whole += metrics.probabilities_cost(loaded, asked, metrics.REFUSALS)
    return whole


def _each(loaded: Loaded, contrast: ContrastSet, edits: metrics.Edits) -> Slices[dict[str, list[float]]]:
    """P(refusal) on each harmless and on each harmful prompt of the test split."""
    found = {}
    for name, label in (("effect", False), ("harmful", True)):
        asked = metrics.chat_prompts(loaded, contrast.part("test", label, JUDGED))
        chances = yield from metrics.refusal_probability(loaded, asked, edits)
        found[name] = chances.tolist()
    return found


def position(loaded: Loaded, prompt: Ids, offset: int) -> dict[str, Any]:
    """What a card says of the token that is read, counted from the prompt's end."""
    token = prompt[offset]
    return {"offset": offset, "of": "prompt", "token": str(loaded.tokenizer.decode([token])), "token_id": token}


def _asked(loaded: Loaded, contrast: ContrastSet) -> dict[Key, list[Asked]]:
    return {
        (split, positive): metrics.chat_prompts(loaded, contrast.part(split, positive))
        for split in SPLITS
        for positive in (True, False)
    }


def refusal_rows(loaded: Loaded) -> int:
    """Rows of a forward pass that reads states."""
    return min(64, batch_rows(loaded))


def _refused(loaded: Loaded, asked: Sequence[Asked]) -> Slices[list[float]]:
    found = yield from metrics.refusal_probability(loaded, asked)
    return [float(each) for each in found]


def _followed(asked: list[Asked], refused: Sequence[float], harmful: bool) -> list[Asked]:
    """The harmful instructions that the model refuses, or the harmless ones that it does not [Arditi et al., §2.3].

    The others would pull the class means together. A checkpoint that does so with fewer than :data:`_FEWEST` learns from all.
    """
    kept = [each for each, chance in zip(asked, refused, strict=True) if (chance > 0.5) == harmful]
    return kept if len(kept) >= _FEWEST else asked


def template_end(prompts: Sequence[tuple[int, ...]]) -> int:
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
    by: OffTarget

    def scores(self, ablation: metrics.Edits, addition: metrics.Edits) -> Slices[dict[str, float]]:
        """Induction (rise of P(refusal) on harmless prompts by one gap), P(refusal) on harmful ones when ablated, damage of ablating."""
        added = yield from metrics.refusal_probability(self.loaded, self.harmless, addition)
        ablated = yield from metrics.refusal_probability(self.loaded, self.harmful, ablation)
        damage = yield from metrics.off_target_kl(self.loaded, self.by, ablation)
        return {
            "induction": float(added.mean()) - self.plain_harmless,
            "ablated": float(ablated.mean()),
            "removed": self.plain_harmful - float(ablated.mean()),
            "damage": damage,
        }

    def mean(self, edits: metrics.Edits) -> Slices[dict[str, float]]:
        """P(refusal) on harmless and on harmful prompts."""
        harmless = yield from metrics.refusal_probability(self.loaded, self.harmless, edits)
        harmful = yield from metrics.refusal_probability(self.loaded, self.harmful, edits)
        return {"effect": float(harmless.mean()), "harmful": float(harmful.mean())}


def _prepared(loaded: Loaded, contrast: ContrastSet, by: OffTarget, notes: ResumeNotes) -> Learning[_Refusal]:
    harmful, harmless = (
        metrics.chat_prompts(loaded, contrast.part("validation", label, JUDGED)) for label in (True, False)
    )
    plain = yield from notes.once(
        "plain", partial(_plain, loaded, harmful, harmless), "Asking what is refused as it is."
    )
    return _Refusal(loaded, harmful, harmless, plain[0], plain[1], by)


def _plain(loaded: Loaded, harmful: list[Asked], harmless: list[Asked]) -> Slices[list[float]]:
    first = yield from metrics.refusal_probability(loaded, harmful)
    second = yield from metrics.refusal_probability(loaded, harmless)
    return [float(first.mean()), float(second.mean())]


def _tried(
    loaded: Loaded, contrast: ContrastSet, found: Stand, judged: _Refusal, notes: ResumeNotes, method: str
) -> Learning[list[dict[str, Any]]]:
    """The scores of every layer at every token behind the instruction."""
    tried: list[dict[str, Any]] = []
    for offset in range(-len(found.positive), 0):
        drafted = draft_direction("refusal", loaded, contrast, found, offset, method)
        for layer in range(loaded.anatomy.layers):
            addition = steer(drafted, loaded, 1.0, layer)
            work = partial(judged.scores, ablate(drafted, loaded, layer), addition)
            sentence = f"Trying layer {layer} at token {offset}."
            scores = yield from notes.once(f"token{offset}.layer{layer}", work, sentence)
            accuracy = float(found.accuracy["validation"][offset, layer])
            tried.append({"offset": offset, "layer": layer, "accuracy": accuracy, **scores})
    return tried


def _refusal_choice(tried: list[dict[str, Any]], layers: int) -> tuple[dict[str, Any], str]:
    """Arditi et al.'s rule with both effects counted; where a checkpoint refuses nothing, the best separation."""
    early = [each for each in tried if each["layer"] < EARLY * layers]
    allowed = [each for each in early if each["damage"] <= _MOST_DAMAGE and each["induction"] >= 0]
    if max((each["induction"] for each in allowed), default=0.0) > 0.05:
        rule = "largest induction + removal, with induction ≥ 0 and damage of ablating ≤ .1 nats, last fifth of layers left out"
        return max(allowed, key=lambda each: each["induction"] + each["removed"]), rule
    rule = "best separation, last fifth of layers left out: this checkpoint hardly refuses, so no effect can choose"
    return max(early, key=lambda each: each["accuracy"]), rule


def at_layer(tried: Sequence[dict[str, Any]], layer: int) -> list[dict[str, Any]]:
    """The scores at one layer, of every token."""
    return [each for each in tried if each["layer"] == layer]


def by_layer(tried: list[dict[str, Any]], offset: int, key: str) -> list[float]:
    """A score of every layer at one token."""
    return [each[key] for each in tried if each["offset"] == offset]
