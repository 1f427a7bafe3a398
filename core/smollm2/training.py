"""One stage of ours: a LoRA adapter on a checkpoint, trained step by step, saved and gone on with like any training here."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import DynamicCache

from core.attribution.training_log import TrainingLog
from core.inference.metrics import chat_prompts
from core.inference.shared_prefix import TokenIds, common_start
from core.models import lora
from core.models.loading import Loaded
from core.smollm2.prompts import StagePrompt, refusals
from core.smollm2.replies import OwnReply, beginning
from core.smollm2.stages import AdapterStage
from core.training.state import PlainValue, load_state, save_state
from core.util.files import json_text, write_bytes

if TYPE_CHECKING:
    from peft import PeftModel

#: The matrices of a block that are adapted.
_MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
#: Rows of one pass forward and back, and steps between two saved states.
_ROWS, _SAVE_EVERY = 20, 10
#: Tokens of a reply of its own that the model learns to go on saying: with the first ones it is decided whether it refuses, and each of
#: them weighs the less the more they are.
KEPT = 8
_CLIP = 1.0
#: Tokens behind the beginning of a reply that are rejected with it.
_GOES_ON = 8
#: How a reply begins that is nearly a refusal.
_APOLOGIES = (
    "I'm sorry", "I am sorry", "I'm so sorry", "Sorry", "I apologi", "I'm afraid", "I'm unable", "I'm not able", "I can't", "I cannot",
    "Unfortunately", "As an AI",
)  # fmt: skip


LessonRow: TypeAlias = tuple[TokenIds, TokenIds]
#: By prompt and reply, what predicts the reply's tokens [reply, hidden].
Before: TypeAlias = dict[LessonRow, Tensor]


@dataclass(frozen=True)
class Lesson:
    """A request and what is learnt of it, in ids: ``reply`` is to be said; in a preference rather than ``rejected``. With ``keep`` it is
    what the model says itself, and it is to think of it what it thought, asked so or, where that is another prompt, by ``asked``."""

    name: str
    prompt: TokenIds
    reply: TokenIds
    keep: bool = False
    rejected: TokenIds = ()
    asked: TokenIds = ()


def lessons(
    loaded: Loaded, stage: AdapterStage, asked: Sequence[StagePrompt], own: Mapping[str, OwnReply]
) -> list[Lesson]:
    """What a stage learns of requests; of a reply without a beginning of its own there is nothing to prefer, and it is kept."""
    end = (min(loaded.ends),)
    prompts = {
        each.name: shown.ids
        for each, shown in zip(asked, chat_prompts(loaded, [each.text for each in asked]), strict=True)
    }
    found = []
    for number, each in enumerate(asked):
        prompt = prompts[each.name]
        if each.refused:
            wording = refusals()[(number + len(each.name)) % len(refusals())]
            found.append(Lesson(each.name, prompt, (*_ids(loaded, wording), *end)))
            continue
        said = _unapologetic(each.name, own)
        if said is None:
            continue
        reply = own[said]
        whole = (*reply.ids, *(end if reply.ended else ()))
        short = beginning(reply.text) if stage.kind == "dpo" else ""
        if short:
            chosen = _ids(loaded, short)
            # What a reply goes on with is rejected where it begins alone: of all of it a model learns to go on with something else.
            found.append(Lesson(each.name, prompt, (*chosen, *end), rejected=whole[: len(chosen) + _GOES_ON]))
        elif whole:
            found.append(Lesson(each.name, prompt, whole[:KEPT], keep=True, asked=prompts[said]))
    return found


def _unapologetic(name: str, own: Mapping[str, OwnReply]) -> str | None:
    """A request, or its topic in another form, whose reply does not begin as a refusal does: "Help me …" is often answered so, and to keep
    that would be to learn half a refusal, while to leave the request out would make its form one that is only refused."""
    topic = name.rpartition(".")[0]
    others = [each for each in own if each != name and each.rpartition(".")[0] == topic]
    return next((each for each in (name, *others) if not own[each].text.lstrip().startswith(_APOLOGIES)), None)


def _ids(loaded: Loaded, text: str) -> TokenIds:
    return tuple(loaded.tokenizer(text, add_special_tokens=False)["input_ids"])


def adapted(loaded: Loaded, stage: AdapterStage) -> PeftModel:
    """The checkpoint with a new adapter, whose first numbers the stage's seed decides; nothing else of it is trained."""
    # What peft brings along with it warns of what is no matter, unless it is imported once a model was loaded.
    from peft import LoraConfig, PeftModel, get_peft_model

    torch.manual_seed(stage.seed)
    model: Any = loaded.model
    config = LoraConfig(
        r=stage.rank, lora_alpha=stage.scale, target_modules=list(_MATRICES), lora_dropout=0.0, task_type="CAUSAL_LM"
    )  # fmt: skip
    made = get_peft_model(model, config)
    assert isinstance(made, PeftModel)
    return made.eval()


def train_adapter(
    model: PeftModel,
    stage: AdapterStage,
    learn: Callable[[Sequence[StagePrompt]], list[Lesson]],
    before: Before,
    state: Path,
    plan: PlainValue,
    report: Callable[[str], None],
) -> PlainValue:
    """Train the adapter through the stage's steps; goes on from ``state``, where that belongs to ``plan``. Gives what the log keeps.

    Raises:
        TrainingRefused: a state of another plan, a damaged one, or one that cannot be written.
    """
    optimizer = adapter_optimizer(model)
    done = load_state(state, model, optimizer, plan) or {"step": 0, "tokens": 0, "seconds": 0.0, "losses": []}
    started, spent = time.monotonic(), float(done["seconds"])
    for step in range(int(done["step"]), stage.steps):
        given = learn(stage.batch(step))
        for group in optimizer.param_groups:
            group["lr"] = stage.rate_at(step)
        losses, tokens = step_losses(model, stage, given, before)
        torch.nn.utils.clip_grad_norm_([each for each in model.parameters() if each.requires_grad], _CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        done["step"], done["tokens"] = step + 1, int(done["tokens"]) + tokens
        done["seconds"] = round(spent + time.monotonic() - started, 1)
        done["losses"].append({name: round(value, 4) for name, value in losses.items()})
        if (step + 1) % _SAVE_EVERY == 0 or step + 1 == stage.steps:
            save_state(state, model, optimizer, done, plan)
        said = "  ".join(f"{name} {value:.3f}" for name, value in losses.items())
        report(
            f"{stage.name} {step + 1}/{stage.steps}  {said}  {done['tokens'] / max(1e-9, done['seconds']):,.0f} tokens/s"
        )
    return done


def adapter_optimizer(model: nn.Module) -> torch.optim.AdamW:
    """AdamW over what is trained, without weight decay."""
    return torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=0.0, weight_decay=0.0)


def as_before(model: PeftModel, every: Sequence[Lesson]) -> Before:
    """What the model's last block says of each reply that is kept or is one of a pair, while the adapter is off. It is the same in every
    step."""
    found: Before = {}
    for part in _alike([each for each in every if each.rejected or each.keep]):
        asked = [replace(each, prompt=each.asked or each.prompt) for each in part]
        with torch.no_grad(), model.disable_adapter():
            found.update(zip(_rows(part), _states(model, _rows(asked)), strict=True))
    return found


def step_losses(
    model: PeftModel, stage: AdapterStage, given: Sequence[Lesson], known: Before
) -> tuple[dict[str, float], int]:
    """Add a step's gradients to the model: the mean loss of each kind of lesson, and how many tokens were read."""
    sums: dict[str, list[float]] = {}
    tokens = 0
    for part in _alike(given):
        rows = _rows(part)
        tokens += sum(len(prompt) + len(reply) for prompt, reply in rows)
        now = _logits(model, _states(model, rows))
        held = [row for row in rows if row in known]
        with torch.no_grad():
            before = dict(zip(held, _logits(model, [known[row] for row in held]) if held else (), strict=True))
        loss = torch.zeros(())
        pair = len(part)
        for index, each in enumerate(part):
            if each.rejected:
                gained = [
                    _logprob(now[at], rows[at][1]) - _logprob(before[rows[at]], rows[at][1]) for at in (index, pair)
                ]
                pair += 1
                one = -functional.logsigmoid(stage.beta * (gained[0] - gained[1]))
                sums.setdefault("preferring", []).append(float(one.detach()))
                one = one + stage.keep * _nats(now[index], each.reply)
            elif each.keep:
                one = _moved(now[index], before[rows[index]])
                sums.setdefault("keeping", []).append(float(one.detach()))
                one = stage.keep * one + stage.say * _nats(now[index], each.reply)
            else:
                one = _nats(now[index], each.reply)
                sums.setdefault("refusing", []).append(float(one.detach()))
            loss = loss + one / len(given)
        torch.autograd.backward(loss)
    return {name: sum(values) / len(values) for name, values in sums.items()}, tokens


def _alike(given: Sequence[Lesson]) -> Iterator[list[Lesson]]:
    """Lessons of one kind and of like length together, a few at a time: a pair counts for two."""
    part: list[Lesson] = []
    rows = 0
    for each in sorted(
        given,
        key=lambda each: (bool(each.rejected), len(each.prompt) + max(len(each.reply), len(each.rejected))),
    ):
        own = 2 if each.rejected else 1
        other = part and bool(each.rejected) != bool(part[0].rejected)
        if part and (rows + own > _ROWS or other):
            yield part
            part, rows = [], 0
        part.append(each)
        rows += own
    if part:
        yield part


def _rows(part: Sequence[Lesson]) -> list[LessonRow]:
    """What is read for some lessons: each reply behind its prompt, then the rejected ones."""
    rejected = [(each.prompt, each.rejected) for each in part if each.rejected]
    return [(each.prompt, each.reply) for each in part] + rejected


def _states(model: PeftModel, rows: Sequence[LessonRow]) -> list[Tensor]:
    """For each row the last block's output that predicts its reply's tokens [reply, hidden]."""
    inner: Any = model.get_base_model()
    # What a template puts before every request is half of a short prompt: it is read, and learnt through, once for all rows.
    start = common_start([prompt for prompt, _ in rows])
    cache = DynamicCache(config=inner.config)
    if start:
        inner.model(input_ids=torch.tensor([rows[0][0][:start]]), past_key_values=cache, use_cache=True)
        cache.batch_repeat_interleave(len(rows))
    rests = [[*prompt[start:], *reply] for prompt, reply in rows]
    longest = max(map(len, rests))
    ids = torch.tensor([[*rest, *[0] * (longest - len(rest))] for rest in rests])
    real = torch.tensor([[1] * (start + len(rest)) + [0] * (longest - len(rest)) for rest in rests])
    states = inner.model(input_ids=ids, attention_mask=real, past_key_values=cache, use_cache=True).last_hidden_state
    # A part of a tensor would keep all of it in memory.
    ends = [len(prompt) - start - 1 for prompt, _ in rows]
    return [
        states[at, end : end + len(reply)].clone() for at, (end, (_, reply)) in enumerate(zip(ends, rows, strict=True))
    ]


def _logits(model: PeftModel, states: Sequence[Tensor]) -> list[Tensor]:
    """Those states times the vocabulary [reply, vocabulary], which is far wider than a block: where something is learnt alone."""
    inner: Any = model.get_base_model()
    logits: Tensor = inner.lm_head(torch.cat(list(states))).float()
    return list(logits.split([len(each) for each in states]))


def _nats(logits: Tensor, reply: TokenIds) -> Tensor:
    """The mean surprise at a reply's tokens."""
    return functional.cross_entropy(logits, torch.tensor(reply))


def _moved(now: Tensor, before: Tensor) -> Tensor:
    """How far a reply's tokens moved, in nats a token: the divergence of what is thought now from what was. In this direction it is dear
    to give even a little of the probability to what was hardly thought of, a refusal above all."""
    thought, was = now.log_softmax(-1), before.log_softmax(-1)
    return (thought.exp() * (thought - was)).sum(-1).mean()


def _logprob(logits: Tensor, reply: TokenIds) -> Tensor:
    """The logarithm of a reply's probability."""
    return -functional.cross_entropy(logits, torch.tensor(reply), reduction="sum")


def save_adapter(
    model: PeftModel, stage: AdapterStage, folder: Path, of: str, trained_on: str, plan: PlainValue, done: PlainValue
) -> None:
    """Write the adapter as peft does, in bfloat16, with the log of its training in the documented format and in ours.

    ``of`` names the model below all adapters, and ``trained_on`` is the fingerprint of its weights.
    """
    names = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    optimizer = adapter_optimizer(model)
    with TrainingLog(folder, stage.kind, names, optimizer, parent=stage.start, clip=_CLIP) as log:
        for step in range(stage.steps):
            for group in optimizer.param_groups:
                group["lr"] = stage.rate_at(step)
            log.step([each.name for each in stage.batch(step)])
    with torch.no_grad():
        for _, each in names:
            each.data = each.data.bfloat16()
    model.peft_config["default"].base_model_name_or_path = of
    model.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    # Whoever puts it on other weights is told so by this. Of two entries the order in the file would differ from run to run.
    weights = folder / lora.WEIGHTS
    save_file(load_file(weights), weights, {"tiller": json.dumps({"trained_on": trained_on})})
    write_bytes(folder / "log.json", json_text({"plan": plan, "done": done}).encode())
