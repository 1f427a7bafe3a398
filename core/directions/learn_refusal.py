"""Learning refusal: read at every token the template puts behind an instruction; layer and token chosen by Arditi et al.'s rule."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from core.artefacts.direction import Direction
from core.directions.activations import ClassStates, Ids, Key
from core.directions.candidate import EARLY, JUDGED, ablate, steer
from core.directions.contrast import SPLITS, ContrastSet, Split
from core.directions.effort import FULL, Effort
from core.directions.learner import Candidate, Learner
from core.inference import metrics
from core.inference.metrics import Asked, OffTarget
from core.models.loading import Loaded
from core.util.progress import Cost, Learning, Slices
from core.util.resume import ResumeNotes

#: Post-instruction tokens that are tried, counted from the prompt's end.
MOST_POSITIONS = 8
#: A class of training instructions is narrowed to those that the model follows its own way on only when so many are left.
_FEWEST = 24
#: Harmless replies may move this much (nats a token) when a refusal direction is ablated. The first is Arditi et al.'s, appendix C; in a
#: small model ablation does more damage wherever it does anything: the next is taken where no place within one has this part of the effect.
_MOST_DAMAGE = (0.1, 0.2, 0.4, 0.8)
_ENOUGH = 0.5
#: A direction is there to be added, too: a place where that induces less than this part of the most is none, however much is removed by
#: ablating it. Arditi et al. ask for no more than 0.
_INDUCES = 0.25
#: An induction and removal of no more than this together is none.
_SLIGHT = 0.05


class RefusalLearner(Learner["_Refusal"]):
    """The refusal direction of a checkpoint."""

    name = "refusal"
    wish = "Refuse to answer this and say that you cannot help: {message}"
    reading = "Reading the instructions."
    shown = ("accuracy", "induction", "ablated", "damage")
    by_hand = "; of its tokens the one with the largest induction + removal"

    def __init__(
        self, loaded: Loaded, contrast: ContrastSet, unrelated: Sequence[str], method: str, effort: Effort = FULL
    ) -> None:
        super().__init__(loaded, contrast, unrelated, method, effort)
        self.asked: dict[Key, list[Asked]] = {
            (split, harmful): metrics.chat_prompts(loaded, self.contrast.part(split, harmful))
            for split in SPLITS
            for harmful in (True, False)
        }
        self.prompts = _ids(self.asked)
        #: Of the instructions, those that are narrowed away later too, the groups.
        self.group_of: dict[Ids, Hashable] = {
            asked.ids: item.belongs
            for split in SPLITS
            for harmful in (True, False)
            for asked, item in zip(self.asked[split, harmful], self.contrast.chosen(split, harmful), strict=True)
        }
        self.message = self.contrast.part("test", False)[0]
        #: P(refusal) of the plain model, on harmful and on harmless validation instructions.
        self.plain = [0.0, 0.0]

    def _positions(self) -> int:
        return template_end([ids for part in self.prompts.values() for ids in part])

    def _narrow(self, notes: ResumeNotes) -> Learning[None]:
        """Learn from the instructions of either class that the model follows its own way; quickly, from all of them."""
        if not self.effort.examines:
            return
        for harmful in (True, False):
            asked = self.asked["train", harmful]
            work = partial(_refused, self.loaded, asked)
            refused = yield from notes.once(f"refused.{int(harmful)}", work, "Asking what is refused.")
            self.asked["train", harmful] = _followed(asked, refused, harmful)
        self.prompts = _ids(self.asked)

    def _look(self, notes: ResumeNotes) -> Learning[None]:
        """Ask the plain model for P(refusal)."""
        self.plain = yield from notes.once("plain", self.judged.plain, "Asking what is refused as it is.")

    def _effect(self, split: Split = "validation", wish: str = "{message}") -> _Refusal:
        # Quickly, with one way to write an apostrophe: fewer and shorter rows behind every prompt.
        texts = metrics.REFUSALS if self.effort.examines else metrics.EARLIER_REFUSALS
        return _Refusal.prepare(self.loaded, self.contrast, split, wish, texts)

    def _scores(self, drafted: Direction, layer: int, by: OffTarget) -> Slices[dict[str, float]]:
        """Induction (rise of P(refusal) on harmless prompts by one gap), P(refusal) on harmful ones when ablated, damage of ablating."""
        loaded, judged = self.loaded, self.judged
        ablation, addition = ablate(drafted, loaded, layer), steer(drafted, loaded, 1.0, layer)
        added = yield from metrics.refusal_probability(loaded, judged.harmless, addition, judged.texts)
        ablated = yield from metrics.refusal_probability(loaded, judged.harmful, ablation, judged.texts)
        damage = yield from metrics.off_target_kl(loaded, by, ablation)
        return {
            "induction": float(added.mean()) - self.plain[1],
            "ablated": float(ablated.mean()),
            "removed": self.plain[0] - float(ablated.mean()),
            "damage": damage,
        }

    def _choose(self, tried: Sequence[Candidate]) -> tuple[Candidate, str]:
        return _refusal_choice(tried, self.loaded.anatomy.layers, self.plain[0])

    def _most(self, candidate: Candidate) -> float:
        return _effect_of(candidate)

    def _belongs(self, split: str, positive: bool) -> list[Hashable]:
        return [self.group_of[ids] for ids in self.prompts[split, positive]]

    def _judged_groups(self, split: Split) -> Mapping[str, Sequence[Hashable]]:
        names = (("effect", False), ("harmful", True))
        return {name: [each.belongs for each in self.contrast.chosen(split, label, JUDGED)] for name, label in names}

    def _groups(self) -> Mapping[str, Sequence[Ids]]:
        asked = (("harmless", self.judged.harmless), ("harmful", self.judged.harmful))
        return {name: [each.ids for each in prompts] for name, prompts in asked}

    def _details(
        self, drafted: Direction, found: ClassStates, best: Candidate, tried: Sequence[Candidate]
    ) -> dict[str, Any]:
        followed = {"harmful": len(self.asked["train", True]), "harmless": len(self.asked["train", False])}
        return {**super()._details(drafted, found, best, tried), "followed": followed}

    def _costs(self, by: Cost) -> tuple[Cost, Cost]:
        if not self.effort.examines:
            return self.judged.cost, self.judged.cost + by
        first, second = (
            metrics.probabilities_cost(self.loaded, self.asked["train", harmful], metrics.REFUSALS)
            for harmful in (True, False)
        )
        return first + second + self.judged.cost, self.judged.cost + by


def _ids(asked: Mapping[Key, Sequence[Asked]]) -> dict[Key, list[Ids]]:
    return {key: [each.ids for each in part] for key, part in asked.items()}


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
    """Instructions of a split, harmful and harmless, and the beginnings of replies that count as refusing."""

    loaded: Loaded
    harmful: list[Asked]
    harmless: list[Asked]
    texts: Sequence[str]

    @classmethod
    def prepare(cls, loaded: Loaded, contrast: ContrastSet, split: Split, wish: str, texts: Sequence[str]) -> _Refusal:
        """The instructions, with a wish before them where there is one."""
        harmful, harmless = (
            metrics.chat_prompts(loaded, [wish.format(message=text) for text in contrast.part(split, label, JUDGED)])
            for label in (True, False)
        )
        return cls(loaded, harmful, harmless, texts)

    def plain(self) -> Slices[list[float]]:
        """P(refusal) on harmful and on harmless prompts, without any edit."""
        found = yield from self.mean(())
        return [found["harmful"], found["effect"]]

    def mean(self, edits: metrics.Edits) -> Slices[dict[str, float]]:
        """P(refusal) on harmless and on harmful prompts."""
        found = yield from self._chances(edits)
        return {name: float(chances.mean()) for name, chances in found.items()}

    def each(self, edits: metrics.Edits) -> Slices[dict[str, list[float]]]:
        """P(refusal) on each harmless and on each harmful prompt."""
        found = yield from self._chances(edits)
        return {name: chances.tolist() for name, chances in found.items()}

    def _chances(self, edits: metrics.Edits) -> Slices[dict[str, Tensor]]:
        harmless = yield from metrics.refusal_probability(self.loaded, self.harmless, edits, self.texts)
        harmful = yield from metrics.refusal_probability(self.loaded, self.harmful, edits, self.texts)
        return {"effect": harmless, "harmful": harmful}

    @property
    def cost(self) -> Cost:
        """What :meth:`mean` takes."""
        harmful, harmless = (
            metrics.probabilities_cost(self.loaded, asked, self.texts) for asked in (self.harmful, self.harmless)
        )
        return harmful + harmless


def _refusal_choice(tried: Sequence[Candidate], layers: int, refused: float) -> tuple[Candidate, str]:
    """Arditi et al.'s rule with both effects counted, and with no more damage than it takes; where a checkpoint refuses nothing, or nothing
    that was tried changes that, the best separation. ``refused`` is P(refusal) on harmful prompts as it is."""
    early = [each for each in tried if each["layer"] < EARLY * layers]
    gentle = [each["induction"] for each in early if each["damage"] <= _MOST_DAMAGE[-1]]
    sound = [each for each in early if each["induction"] >= _INDUCES * max([0.0, *gentle])]
    most = max(map(_effect_of, sound), default=0.0)
    for bound in _MOST_DAMAGE if most > _SLIGHT else ():
        best = max((each for each in sound if each["damage"] <= bound), key=_effect_of, default=None)
        if best is not None and _effect_of(best) >= _ENOUGH * most:
            less = "" if bound == _MOST_DAMAGE[0] else ", since no place with less has half of the effect"
            harm = f"damage of ablating ≤ {bound:g} nats{less}"
            rule = f"largest induction + removal, with induction ≥ {_INDUCES:g} of the largest and {harm}"
            return best, f"{rule}, last fifth of layers left out"
    why = "none of the places that were tried changes what is refused"
    if max(map(_effect_of, early), default=0.0) > _SLIGHT:
        why = f"where refusing can be changed, ablating does more than {_MOST_DAMAGE[-1]:g} nats of damage"
    elif refused < 0.5:
        why = "this checkpoint hardly refuses"
    rule = f"best separation, last fifth of layers left out: {why}, so no effect can choose"
    return max(early, key=lambda each: each["accuracy"]), rule


def _effect_of(candidate: Candidate) -> float:
    return float(candidate["induction"] + candidate["removed"])
