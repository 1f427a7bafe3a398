"""Takes Skiff's logged steps again, to carry stage embeddings through them: Adam's moments are regenerated, none is stored.

Every stage starts from its parent's shipped weights with a new optimizer, so that a stage's part at its end is exactly
θ_S − θ_parent, and only the steps of later stages are taken again. Trains nothing new: the weights at the end are those of the
checkpoint, to rounding.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from transformers import LlamaForCausalLM

from core.attribution.first_order import RUNGS, Carrier, Embedding, Hessian, Rung, hessian_by_difference
from core.families.checkpoint import Family
from core.skiff.train import log
from core.skiff.train.model import load_checkpoint, rounded
from core.skiff.train.stage_run import load_tokenizer
from core.skiff.train.stages import TrainingRecipe, TrainingStage, generators, shipped
from core.skiff.train.tokenizer import with_chat_template
from core.skiff.train.trainer import Trainee, best_dtype, new_optimizer
from core.training.state import PlainValue, TrainingRefused
from core.training.state import differences as differing
from core.util.files import write_bytes

_SAID_EVERY = 20
#: Told of every step that was taken again: the stage, the step, and how many it has.
_Watch = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Replayed:
    """What a replay gives: E_S by the stage's name, and how far each stage that was taken again ended from its checkpoint, relative to
    what it moved."""

    embeddings: Mapping[str, Embedding]
    drift: Mapping[str, float]


def replay(
    recipe: TrainingRecipe, out: Path, rung: Rung, state: Path, watch: _Watch = lambda _stage, _step, _steps: None
) -> Replayed:
    """Carry every post-training stage but the last through the stages after it.

    What is carried is kept in ``state`` at the end of every stage; a replay that was interrupted goes on from there.

    Args:
        recipe: what the family in ``out`` was made by, as its log says.

    Raises:
        TrainingRefused: the family was trained by another recipe, so that its steps cannot be taken again.
    """
    stages = recipe.kept()
    records = {record["name"]: record for record in log.read_training_log(out)["stages"]}
    tokenizer = load_tokenizer(out / stages[0].name)
    vocabulary = log.text_hash(tokenizer.backend_tokenizer.to_str())
    embeddings: dict[str, Embedding] = {}
    drift: dict[str, float] = {}
    for before, stage in itertools.pairwise(stages):
        parent, end = load_checkpoint(out / before.name), load_checkpoint(out / stage.name)
        difference = _difference(end, parent)
        if embeddings:
            _check(recipe, stage, records[stage.name], vocabulary, log.weights_hash(out / before.name))
            note = state / f"{rung.name}.{stage.name}.safetensors"
            weights = log.weights_hash(out / stage.name)
            found = _noted(note, weights)
            if found is None:
                carried = _stage(recipe, stage, parent, rung, embeddings, tokenizer, watch)
                found = Replayed(carried, {stage.name: _apart(parent, end, difference)})
                _note(note, found, weights)
            embeddings, drift = dict(found.embeddings), {**drift, **found.drift}
        embeddings[stage.name] = difference
    return Replayed(embeddings, drift)


def replay_family(
    family: Family, state: Path, say: Callable[[str], None]
) -> tuple[Mapping[str, Embedding], Mapping[str, float]]:
    """Take the steps of Skiff's later stages again, with curvature; raises TrainingRefused where this program's recipe did not make it."""

    def watch(stage: str, step: int, steps: int) -> None:
        if step % _SAID_EVERY == 0 or step == steps:
            say(f"{stage}: step {step} of {steps} taken again")

    say("Taking the steps of the later stages again; what is carried is kept at the end of each stage.")
    found = replay(shipped(), family.folder, RUNGS["curvature"], state, watch)
    return found.embeddings, found.drift


def _difference(after: LlamaForCausalLM, before: LlamaForCausalLM) -> Embedding:
    old = dict(before.named_parameters())
    return {name: (weight - old[name]).detach() for name, weight in after.named_parameters()}


def _apart(model: LlamaForCausalLM, end: LlamaForCausalLM, moved: Embedding) -> float:
    """‖θ_replayed − θ_checkpoint‖ / ‖θ_checkpoint − θ_parent‖."""
    left = _difference(model, end)
    size = sum(float(part.square().sum()) for part in moved.values())
    return float((sum(float(part.square().sum()) for part in left.values()) / size) ** 0.5) if size else 0.0


def _check(recipe: TrainingRecipe, stage: TrainingStage, record: PlainValue, vocabulary: str, parent: str) -> None:
    data = log.data_hash(stage, generators(recipe.planted), recipe.seed_of(stage))
    plan = json.loads(json.dumps(log.stage_recipe(recipe, stage, data, vocabulary, parent)))
    changed = differing(record["recipe"], plan)
    if changed:
        raise TrainingRefused(
            f"the {stage.name} of this family was trained by another recipe than this program's ({'; '.join(changed[:4])}), so that "
            "its steps cannot be taken again: train the family again"
        )


def _stage(
    recipe: TrainingRecipe,
    stage: TrainingStage,
    model: LlamaForCausalLM,
    rung: Rung,
    embeddings: Mapping[str, Embedding],
    tokenizer: object,
    watch: _Watch,
) -> dict[str, Embedding]:
    """Take one stage's steps again on ``model``, its parent, carrying the embeddings of the stages before it."""
    own = with_chat_template(tokenizer)  # type: ignore[arg-type]
    sources, seed = generators(recipe.planted), recipe.seed_of(stage)
    trainee = Trainee(model, own, stage, sources, seed, best_dtype(), recipe.without, 0, Counter(), Counter())
    if any(draw.source == "preference" for phase in stage.phases for draw in phase.draws):
        trainee.reference = copy.deepcopy(model).requires_grad_(False)
    parameters = dict(model.named_parameters())
    rates = [phase.rate_at(step) for phase in stage.phases for step in range(phase.steps)]
    carrier = Carrier(parameters, rung, sum(rates) / len(rates))
    for name, embedding in embeddings.items():
        carrier.given(name, embedding)
    carrier.begin(stage.name)
    optimizer = new_optimizer(model, stage.optimizer)
    for step in range(stage.steps):
        phase, inside = stage.at(step)
        if phase.fresh and inside == 0:
            rounded(model)
            carrier.moved()
            carrier.reset()
            optimizer = new_optimizer(model, stage.optimizer)
        for group in optimizer.param_groups:
            group["lr"] = phase.rate_at(inside)
        trainee.step_losses(step)
        if any(parameter.grad is not None for parameter in parameters.values()):
            norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), stage.optimizer.clip))
            clip = min(1.0, stage.optimizer.clip / (norm + 1e-6))
            with carrier.step(optimizer, _hessian(trainee, step) if rung.curvature else None, clip):
                optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        watch(stage.name, step + 1, stage.steps)
    rounded(model)
    return {name: part for name, part in carrier.embeddings().items() if name != stage.name}


def _hessian(trainee: Trainee, step: int) -> Hessian:
    """Of a step's loss, by differences of gradients in float32: bfloat16 would drown them."""
    parameters = dict(trainee.model.named_parameters())

    def gradients() -> dict[str, Tensor]:
        kept = {name: parameter.grad for name, parameter in parameters.items()}
        dtype, trainee.dtype = trainee.dtype, torch.float32
        try:
            trainee.model.zero_grad(set_to_none=True)
            trainee.step_losses(step)
            return {
                name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                for name, parameter in parameters.items()
            }
        finally:
            trainee.dtype = dtype
            for name, parameter in parameters.items():
                parameter.grad = kept[name]

    return hessian_by_difference(gradients, parameters)


# ------------------------------------------------------------------------------------------------------------------ notes


def _note(path: Path, found: Replayed, weights: str) -> None:
    tensors = {
        f"{stage}/{name}": part.contiguous() for stage, each in found.embeddings.items() for name, part in each.items()
    }
    write_bytes(path, save(tensors, metadata={"weights": weights, "drift": json.dumps(dict(found.drift))}))


def _noted(path: Path, weights: str) -> Replayed | None:
    """What was carried to the end of a stage before, for the same weights; None where there is no such note."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            if metadata["weights"] != weights:
                return None
            embeddings: dict[str, Embedding] = {}
            for key in file.keys():  # noqa: SIM118 (the file is no dictionary)
                stage, _, name = key.partition("/")
                embeddings.setdefault(stage, {})[name] = file.get_tensor(key)
            return Replayed(embeddings, json.loads(metadata["drift"]))
    except (OSError, SafetensorError, KeyError, ValueError):
        # What cannot be read is made again.
        return None
