"""A family whose stage effects are estimated and known: its trainings by seed, and what was measured of their models, kept on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.effect_metrics import Scene, measure, scene
from core.artefacts import store
from core.attribution.first_order import Embedding
from core.attribution.stage_embeddings import READOUTS
from core.errors import TillerError
from core.families import registry
from core.families.checkpoint import Checkpoint, Family
from core.models import loading
from core.models.loading import Loaded
from core.models.placement import Placing
from core.undo import fit
from core.util.files import write_bytes
from core.util.program import program


@dataclass(frozen=True)
class Seed:
    """One training of the family: its checkpoints by stage in order, and its retrainings without a stage, by the stage's checkpoint."""

    number: int
    chain: tuple[str, ...]
    without: Mapping[str, str]

    @property
    def final(self) -> str:
        """The last checkpoint."""
        return self.chain[-1]

    @property
    def judged(self) -> tuple[str, ...]:
        """The stages that estimators are judged on: those between the first and the last that have a retraining."""
        return tuple(name for name in self.chain[1:-1] if name in self.without)

    def parent(self, name: str) -> str:
        """The checkpoint before a stage."""
        return self.chain[self.chain.index(name) - 1]


def seeds_of(family: Family) -> list[Seed]:
    """The family's own training, and those of other seeds of which every checkpoint is there."""
    chain = tuple(each.name for each in family.path(family.final.name))
    by_stage = {family.checkpoint(name).stage: name for name in chain}
    without = {
        by_stage[each.without]: each.name
        for each in family.counterfactuals
        if each.of == family.final.name and each.without in by_stage
    }
    found = [Seed(1, chain, without)]
    names = {each.name for each in family.counterfactuals}
    for number in (2, 3):
        own = (chain[0], *(f"seed-{number}-{name}" for name in chain[1:-1]), f"seed-{number}")
        if names.issuperset(own[1:]):
            found.append(Seed(number, own, {}))
    return found


# ------------------------------------------------------------------------------------------------------- keeping results


class Notes:
    """Metrics that were measured, by what they were measured on; kept in a JSON file after every one."""

    def __init__(self, path: Path, about: str) -> None:
        self._path, self._about = path, about
        self._known: dict[str, list[list[float]]] = {}
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            self._known = document["measured"] if document["about"] == about else {}
        except (OSError, ValueError, KeyError):
            # There are none yet, or they are of no use: everything is measured anew.
            self._known = {}

    def get(self, key: str, make: Callable[[], Tensor]) -> Tensor:
        """A measurement [metrics, prompts], made if it was not yet."""
        if key not in self._known:
            self._known[key] = make().tolist()
            document = {"about": self._about, "measured": self._known}
            write_bytes(self._path, json.dumps(document).encode())
            print(f"  measured: {key}", flush=True)
        return torch.tensor(self._known[key], dtype=torch.float64)


class Study:
    """A family whose stage effects are estimated and known."""

    def __init__(self, family: Family, kinds: Mapping[str, Sequence[str]], state: Path, device: str = "cpu") -> None:
        self.family, self.state, self.device = family, state, device
        #: Where a retraining that is no checkpoint of the family lies, by its name.
        self.trained: dict[str, Path] = {}
        self.seeds = seeds_of(family)
        if not self.seeds[0].judged:
            raise TillerError(
                f"{family.title} has no stage before its last that was also left out in a retraining, so that nothing is known to judge "
                f"estimators by; train counterfactuals first (`{program()} train-skiff`)."
            )
        final, first = self.load(self.seeds[0].final), self.load(self.seeds[0].chain[1])
        self.scene: Scene = scene(kinds, final, first)
        prints = [store.folder_fingerprint(Path(each.source)) for each in family.checkpoints if each.local]
        self.notes = Notes(state / "measured.json", json.dumps([prints, self.scene.prompts]))

    def load(self, name: str) -> Loaded:
        """A checkpoint in float32; one that was trained here from its folder."""
        folder = self.trained.get(name)
        if folder is not None:
            return loading.load_model(registry.load_family(str(folder)), "model", Placing(self.device, "float32"))
        model = loading.load_model(self.family, name, Placing(self.device, "float32"))
        # All models are asked in the final one's chat template, so that a stage is not credited with its own [methods, 5].
        return loading.speaking(model, self.family.final.name)

    def measured(self, name: str) -> Tensor:
        """The metrics of a checkpoint: [metrics, prompts]."""
        return self.notes.get(name, lambda: measure(self.load(name), self.scene))

    def truth(self, seed: Seed, stage: str) -> Tensor:
        """γ(θ_K) − γ(trained again without the stage): [metrics, prompts]."""
        return self.measured(seed.final) - self.measured(seed.without[stage])

    def estimates(
        self, seed: Seed, stage: str, replayed: Mapping[str, Embedding] | None
    ) -> Iterator[tuple[str, Tensor]]:
        """Every estimator's effects of a stage, by its name."""
        yield "introduced_at", self.measured(stage) - self.measured(seed.parent(stage))
        embeddings: dict[str, Callable[[Loaded], Embedding]] = {
            "difference": lambda model: fit.stage_delta(model, self._named(stage), self._named(seed.parent(stage)))
        }
        if seed.number == 1:
            embeddings["schedule"] = lambda model: self._scheduled(model, seed, stage)
        if replayed is not None:
            embeddings["curvature"] = lambda _model: replayed[stage]
        for rung, make in embeddings.items():
            for how in READOUTS:
                title = "subtracted" if (rung, how) == ("difference", "point") else f"first_order {rung}, {how}"
                key = f"{seed.final} less {stage}: {rung}, {how}"
                yield title, self.notes.get(key, lambda make=make, how=how: self._read(seed, make, how))  # type: ignore[misc]

    def _named(self, name: str) -> Checkpoint:
        return self.family.checkpoint(name)

    def _read(self, seed: Seed, make: Callable[[Loaded], Embedding], how: str) -> Tensor:
        model = self.load(seed.final)
        embedding = make(model)
        whole = self.measured(seed.final)
        parameters = dict(model.model.named_parameters())
        found = READOUTS[how](parameters, embedding, lambda: measure(model, self.scene))
        assert found.shape == whole.shape
        return found

    def _scheduled(self, model: Loaded, seed: Seed, stage: str) -> Embedding:
        """The difference carried through the rates and decay of later stages, from the family's log."""
        from core.skiff.train.log import read_training_log

        embedding = fit.stage_delta(model, self._named(stage), self._named(seed.parent(stage)))
        records = {record["name"]: record for record in read_training_log(self.family.folder)["stages"]}
        left = 1.0
        for name in seed.chain[seed.chain.index(stage) + 1 :]:
            left *= _left(records[name]["recipe"]["stage"])
        # Decay acts on the blocks' matrices only (core.skiff.train.trainer.new_optimizer).
        return {
            name: part * (left if part.dim() == 2 and "embed" not in name else 1.0) for name, part in embedding.items()
        }


def _left(stage: Mapping[str, Any]) -> float:
    """Π (1 − η λ) over the steps of a logged stage."""
    from core.skiff.train.stages import Phase

    decay, left = float(stage["optimizer"]["weight_decay"]), 1.0
    for each in stage["phases"]:
        phase = Phase(**{**each, "draws": ()})
        for step in range(phase.steps):
            left *= 1 - phase.rate_at(step) * decay
    return left
