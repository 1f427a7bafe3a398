"""One stage of Skiff's training: draw the step's items, take the step, save, report."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as functional
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from core.skiff.train.model import Batch, answer_logprobs, batch_of, learnt_nats, rounded
from core.skiff.train.stages import Draw, Generator, Optimizer, Phase, TrainingStage
from core.skiff.train.tokenizer import ChatExample, encode_answer, encode_conversation, encode_document
from core.skiff.world.items import Conversation, Document, Preference
from core.training.state import PlainValue, load_state, save_state

# Items are sorted by length and cut into batches of about this many tokens: larger ones fall out of the processor's cache.
BATCH_TOKENS = 2048
SAVE_EVERY = 200
REPORT_EVERY = 20


@dataclass(frozen=True)
class TrainerProgress:
    """One line of progress. ``speed`` is in tokens a second since the last line, ``losses`` in nats a token by source."""

    stage: str
    phase: str
    step: int
    steps: int
    tokens: int
    speed: float
    losses: Mapping[str, float]
    rate: float


Report = Callable[[TrainerProgress], None]


@dataclass(frozen=True)
class KeptState:
    """A state that another training is to begin with: after ``step`` steps, at ``path``, under the ``recipe`` of both till then."""

    step: int
    path: Path
    recipe: PlainValue


def best_dtype() -> torch.dtype:
    """bfloat16 where the processor multiplies it in hardware (twice as fast), else float32."""
    return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32


def new_optimizer(model: LlamaForCausalLM, rules: Optimizer) -> torch.optim.AdamW:
    """AdamW by the stage's rules; decay on the blocks' matrices only."""
    matrices = [p for name, p in model.named_parameters() if p.dim() == 2 and "embed" not in name]
    chosen = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in chosen]
    groups = [{"params": matrices, "weight_decay": rules.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=0.0, betas=(rules.beta1, rules.beta2), eps=rules.epsilon, fused=True)


@dataclass
class Trainee:
    """A model in training with what its steps need, and counts of what they have used."""

    model: LlamaForCausalLM
    tokenizer: PreTrainedTokenizerFast
    stage: TrainingStage
    sources: Mapping[str, Generator]
    seed: int
    dtype: torch.dtype
    without: str | None
    tokens: int
    origins: Counter[str]
    kinds: Counter[str]
    reference: LlamaForCausalLM | None = None

    def draw(self, step: int) -> Iterator[tuple[Draw, list[Document | Conversation | Preference]]]:
        """The items of a step, less those whose stage is left out."""
        for draw, indices in self.stage.indices(step):
            items = [self.sources[draw.source](self.seed, index) for index in indices]
            kept = [item for item in items if item.origin != self.without]
            self.origins.update(item.origin for item in kept)
            self.kinds.update(f"{item.origin}/{item.kind}" for item in kept)
            yield draw, kept

    def step_losses(self, step: int) -> dict[str, float]:
        """Add the gradients of one step to the model; returns each source's loss."""
        losses: dict[str, float] = {}
        examples: list[tuple[str, float, ChatExample]] = []
        for draw, items in self.draw(step):
            pairs = [item for item in items if isinstance(item, Preference)]
            if pairs:
                losses[draw.source] = self.preference_step(draw, pairs)
            encoded = [self.encode(item) for item in items if not isinstance(item, Preference)]
            learnt = sum(sum(example.learn) for example in encoded)
            if learnt:
                losses[draw.source] = 0.0
                examples += [(draw.source, draw.weight / learnt, example) for example in encoded]
        examples.sort(key=lambda entry: len(entry[2].ids))
        for chunk in _chunks(examples):
            batch = self.batch([example for _, _, example in chunk])
            nats, picked = learnt_nats(self.model, batch, self.dtype)
            owner = batch.owners()[picked]
            weight = torch.tensor([share for _, share, _ in chunk])[owner]
            torch.autograd.backward((nats * weight).sum())
            with torch.no_grad():
                weighed = torch.zeros(len(chunk)).index_add(0, owner, nats * weight).tolist()
            for (source, _, _), part in zip(chunk, weighed, strict=True):
                losses[source] += part
        for draw, _ in self.stage.indices(step):
            if draw.source in losses and draw.source != "preference":
                losses[draw.source] /= draw.weight
        return losses

    def preference_step(self, draw: Draw, pairs: list[Preference]) -> float:
        """DPO (Rafailov et al., arXiv 2305.18290, eq. 7): gradients of one draw of pairs; returns the loss."""
        assert self.reference is not None
        total = 0.0
        for first in range(0, len(pairs), 16):
            part = pairs[first : first + 16]
            chosen = [encode_answer(self.tokenizer, pair.messages, pair.chosen) for pair in part]
            rejected = [encode_answer(self.tokenizer, pair.messages, pair.rejected) for pair in part]
            batch = self.batch([*chosen, *rejected])
            with torch.no_grad():
                fixed = answer_logprobs(self.reference, batch, self.dtype)
            gained = answer_logprobs(self.model, batch, self.dtype) - fixed
            margin = self.stage.preference_beta * (gained[: len(part)] - gained[len(part) :])
            loss = -functional.logsigmoid(margin).sum() / len(pairs)
            torch.autograd.backward(loss * draw.weight)
            total += loss.item()
        return total

    def encode(self, item: Document | Conversation) -> ChatExample:
        """The tokens of an item."""
        if isinstance(item, Document):
            return encode_document(self.tokenizer, item)
        return encode_conversation(self.tokenizer, item)

    def batch(self, examples: list[ChatExample]) -> Batch:
        """A ragged batch, counted."""
        batch = batch_of(examples, int(self.tokenizer.pad_token_id))
        self.tokens += sum(len(example.ids) for example in examples)
        return batch


def _chunks(examples: list[tuple[str, float, ChatExample]]) -> Iterator[list[tuple[str, float, ChatExample]]]:
    chunk: list[tuple[str, float, ChatExample]] = []
    size = 0
    for entry in examples:
        if chunk and size + len(entry[2].ids) > BATCH_TOKENS:
            yield chunk
            chunk, size = [], 0
        chunk.append(entry)
        size += len(entry[2].ids)
    if chunk:
        yield chunk


def train_stage(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    stage: TrainingStage,
    sources: Mapping[str, Generator],
    seed: int,
    without: str | None,
    state: Path,
    recipe: PlainValue,
    report: Report,
    keep: KeptState | None = None,
) -> PlainValue:
    """Train ``model`` in place through one stage and round it to bf16; returns what the log keeps of the stage.

    Goes on from ``state`` when that exists and belongs to ``recipe``. Leaves the state that ``keep`` wants. Raises TrainingRefused.
    """
    dtype = best_dtype()
    trainee = Trainee(model, tokenizer, stage, sources, seed, dtype, without, 0, Counter(), Counter())
    if any(draw.source == "preference" for phase in stage.phases for draw in phase.draws):
        trainee.reference = copy.deepcopy(model).requires_grad_(False)
    optimizer = new_optimizer(model, stage.optimizer)
    done = load_state(state, model, optimizer, recipe)
    seconds = 0.0
    curve: list[list[float]] = []
    first = 0
    if done:
        first, trainee.tokens, seconds = done["step"], done["tokens"], done["seconds"]
        curve = done["curve"]
        trainee.origins.update(done["origins"])
        trainee.kinds.update(done["kinds"])
    sums: dict[str, list[float]] = {}
    started, told, told_tokens = time.monotonic(), time.monotonic(), trainee.tokens
    for step in range(first, stage.steps):
        phase, inside = stage.at(step)
        if phase.fresh and inside == 0:
            rounded(model)
            optimizer = new_optimizer(model, stage.optimizer)
        rate = take_step(trainee, optimizer, phase, inside, step, sums)
        last = step + 1 == stage.steps
        if (step + 1) % REPORT_EVERY == 0 or last:
            now = time.monotonic()
            means = {source: sum(values) / len(values) for source, values in sums.items()}
            speed = (trainee.tokens - told_tokens) / max(1e-9, now - told)
            report(TrainerProgress(stage.name, phase.name, step + 1, stage.steps, trainee.tokens, speed, means, rate))
            curve.append([step + 1, trainee.tokens, *(round(value, 4) for value in means.values())])
            sums.clear()
            told, told_tokens = now, trainee.tokens
        wanted = keep is not None and step + 1 == keep.step
        if (step + 1) % SAVE_EVERY == 0 or last or wanted:
            spent = round(seconds + time.monotonic() - started, 1)
            done = {
                "step": step + 1,
                "tokens": trainee.tokens,
                "seconds": spent,
                "curve": curve,
                "origins": dict(sorted(trainee.origins.items())),
                "kinds": dict(sorted(trainee.kinds.items())),
            }
            save_state(state, model, optimizer, done, recipe)
            if keep is not None and wanted:
                save_state(keep.path, model, optimizer, done, keep.recipe)
    assert done is not None
    rounded(model)
    return {**done, "dtype": str(dtype).removeprefix("torch.")}


def take_step(
    trainee: Trainee, optimizer: torch.optim.AdamW, phase: Phase, inside: int, step: int, sums: dict[str, list[float]]
) -> float:
    """One step, the ``inside``-th of its phase: each source's loss is added to ``sums``; returns the learning rate."""
    rate = phase.rate_at(inside)
    for group in optimizer.param_groups:
        group["lr"] = rate
    for source, loss in trainee.step_losses(step).items():
        sums.setdefault(source, []).append(loss)
    gradients: list[Tensor] = [p.grad for p in trainee.model.parameters() if p.grad is not None]
    if not gradients:  # Every item of the step belonged to the stage that is left out.
        return rate
    torch.nn.utils.clip_grad_norm_(trainee.model.parameters(), trainee.stage.optimizer.clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return rate
