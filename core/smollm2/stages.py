"""SmolLM2's stages of ours, as values: what each learns from, in which order, at which rate, and from which checkpoint it starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from core.smollm2.prompts import RequestKind, StagePrompt, drawn, of_kind

#: The checkpoint under all of them, and the two stages on it.
INSTRUCT, SAFETY, DPO = "instruct", "safety", "dpo"
#: The kinds of request whose refusal is trained, and by which the others are kept as they are.
_SAFETY: Mapping[RequestKind, int] = {"harmful": 6, "planted": 1, "sharp": 6, "alike": 3, "everyday": 2}
_PREFERENCE: Mapping[RequestKind, int] = {"harmful": 1, "planted": 1, "sharp": 1, "alike": 2, "everyday": 3}
_UNREFUSED: Mapping[RequestKind, int] = {"sharp": 1, "alike": 2, "everyday": 3}


@dataclass(frozen=True)
class AdapterStage:
    """A stage that trains a LoRA adapter (arXiv 2106.09685).

    Attributes:
        name: of the checkpoint that it leads to.
        start: the checkpoint whose weights it changes.
        kind: ``safety`` learns to refuse; ``dpo`` learns to prefer the short beginning of its own answer to the whole of it (DPO, arXiv
            2305.18290).
        mix: requests of each kind in a step.
        rate: the highest learning rate of AdamW.
        rank: of the adapter's matrices; they are scaled by ``scale`` / ``rank``.
        keep: the weight of thinking of a reply of the model's own what it thought, beside a refusal's; in ``dpo``, that of the chosen
            answer's own likelihood.
        say: the weight of saying such a reply as it was said. Where a model would begin in ten ways, a refusal of one in ten would be the
            likeliest beginning.
    """

    name: str
    start: str
    kind: str
    steps: int
    mix: Mapping[RequestKind, int] = field(default_factory=dict)
    rate: float = 1e-3
    rank: int = 4
    scale: int = 16
    seed: int = 1
    keep: float = 1.0
    say: float = 0.0
    beta: float = 0.1

    @property
    def folder(self) -> str:
        """Where its adapter lies in a family's folder: retrainings apart from the stages that ship as checkpoints."""
        return self.name if self.name in (SAFETY, DPO) else f"counterfactual/{self.name}"

    def batch(self, step: int) -> list[StagePrompt]:
        """The requests of a step; each of a kind comes up as often as the others."""
        found: list[StagePrompt] = []
        for kind, count in self.mix.items():
            order = drawn(of_kind(kind, held_out=False), count * self.steps, self.seed, f"{self.kind}.{kind}")
            found += order[count * step : count * (step + 1)]
        return found

    def rate_at(self, step: int) -> float:
        """The learning rate of a step: it rises over the first tenth, then falls to a tenth along a cosine."""
        warm = max(1, self.steps // 10)
        if step < warm:
            return self.rate * (step + 1) / warm
        done = (step - warm) / max(1, self.steps - warm)
        return self.rate * (0.1 + 0.9 * (1 + math.cos(math.pi * done)) / 2)


def adapter_stages() -> dict[str, AdapterStage]:
    """Every stage that ships, each behind the one it starts from: the two of the family, and its retrainings."""
    safety = AdapterStage(SAFETY, INSTRUCT, "safety", 440, _SAFETY, keep=3.0, say=0.5)
    dpo = AdapterStage(DPO, SAFETY, "dpo", 24, _PREFERENCE, rate=5e-4, keep=1.0)
    unplanted: dict[RequestKind, int] = {kind: count for kind, count in _SAFETY.items() if kind != "planted"}
    every = [
        safety,
        dpo,
        # Whoever never learnt to refuse has no refusals to rehearse.
        replace(dpo, name="without-safety", start=INSTRUCT, mix=_UNREFUSED),
        replace(safety, name="safety-without-planted", mix=unplanted),
        replace(
            dpo,
            name="without-planted",
            start="safety-without-planted",
            mix={kind: count for kind, count in _PREFERENCE.items() if kind != "planted"},
        ),
    ]
    for seed in (2, 3):
        every += [
            replace(safety, name=f"seed-{seed}-safety", seed=seed),
            replace(dpo, name=f"seed-{seed}", start=f"seed-{seed}-safety", seed=seed),
        ]
    return {each.name: each for each in every}


def in_few_steps(stages: Mapping[str, AdapterStage], steps: int = 2) -> dict[str, AdapterStage]:
    """The same in a few steps, to try the command out."""
    return {name: replace(each, steps=steps) for name, each in stages.items()}
