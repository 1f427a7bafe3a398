"""Skiff's architecture, and the forward pass that training uses.

The checkpoints are plain ``LlamaForCausalLM`` folders. Training runs the same weights through :func:`hidden_states`, which
computes what the Llama module computes (a test compares them) for a ragged batch: items of like length are stacked into
groups, the linear layers see all groups at once, and only attention looks at the groups one by one. On one CPU core this
is a fifth faster than the module under autocast, and no item ever attends to another.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as functional
from torch import Tensor
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from core.models.load_lock import ONE_LOAD_AT_A_TIME
from core.skiff.train.tokenizer import BOS, CONTEXT, END, PAD, VOCABULARY, ChatExample, token_id

ROPE_BASE = 10_000.0


@dataclass(frozen=True)
class ModelShape:
    """The size of a model. The default is Skiff's; tests and ``--quick`` train smaller ones."""

    width: int = 256
    layers: int = 6
    heads: int = 4
    key_value_heads: int = 2
    feed_forward: int = 576


def new_model(shape: ModelShape, tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """A freshly initialised fp32 model whose weights depend on ``seed`` only."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=shape.width,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
        bos_token_id=token_id(tokenizer, BOS),
        eos_token_id=token_id(tokenizer, END),
        pad_token_id=token_id(tokenizer, PAD),
    )
    config._attn_implementation = "eager"
    torch.manual_seed(seed)
    model: LlamaForCausalLM = LlamaForCausalLM(config).to(torch.float32)  # type: ignore[arg-type]
    return model


@dataclass(frozen=True)
class Batch:
    """A ragged batch of N tokens, groups of rows laid one after another.

    ``ids``, ``positions`` and ``targets`` are [N]; a target of -100 is not learnt from. ``groups`` lists (rows, row
    length) so that the products add up to N. Rows shorter than their group's length are padded at the end, where
    causal attention keeps the padding from mattering. ``rows`` maps each item to (first token, length) in the flat batch.
    """

    ids: Tensor
    positions: Tensor
    targets: Tensor
    groups: tuple[tuple[int, int], ...]
    rows: tuple[tuple[int, int], ...]

    def owners(self) -> Tensor:
        """For each of the N tokens the item it belongs to; padding belongs to item 0 and is never learnt."""
        owner = torch.zeros(len(self.ids), dtype=torch.long)
        for index, (start, length) in enumerate(self.rows):
            owner[start : start + length] = index
        return owner


def batch_of(examples: Sequence[ChatExample], pad: int) -> Batch:
    """Stack examples of like length into groups: a group ends where a row would be padded by more than a sixth."""
    order = sorted(range(len(examples)), key=lambda index: (len(examples[index].ids), index))
    groups: list[list[int]] = []
    for index in order:
        length = len(examples[index].ids)
        if groups and length <= len(examples[groups[-1][0]].ids) * 7 / 6 + 3:
            groups[-1].append(index)
        else:
            groups.append([index])
    ids: list[int] = []
    positions: list[int] = []
    targets: list[int] = []
    rows: dict[int, tuple[int, int]] = {}
    for group in groups:
        width = len(examples[group[-1]].ids)
        for index in group:
            example = examples[index]
            rows[index] = (len(ids), len(example.ids))
            padding = width - len(example.ids)
            ids += [*example.ids, *([pad] * padding)]
            positions += range(width)
            shifted = [
                token if learn else -100 for token, learn in zip(example.ids[1:], example.learn[1:], strict=True)
            ]
            targets += [*shifted, *([-100] * (padding + 1))]
    return Batch(
        torch.tensor(ids),
        torch.tensor(positions),
        torch.tensor(targets),
        tuple((len(group), len(examples[group[-1]].ids)) for group in groups),
        tuple(rows[index] for index in range(len(examples))),
    )


def hidden_states(model: LlamaForCausalLM, batch: Batch, dtype: torch.dtype) -> Tensor:
    """The final, normed hidden states [N, width] of a ragged batch; matrix products run in ``dtype``, the residual in fp32."""
    config = model.config
    heads, shared = int(config.num_attention_heads), int(config.num_key_value_heads or config.num_attention_heads)
    size = config.hidden_size // heads
    cosine, sine = _rotation(batch.positions, size, dtype)
    masks = [_causal(length, rows * shared, heads // shared, dtype) for rows, length in batch.groups]
    epsilon = config.rms_norm_eps
    residual = functional.embedding(batch.ids, model.model.embed_tokens.weight)
    for layer in model.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        normed = functional.rms_norm(residual, (config.hidden_size,), layer.input_layernorm.weight, epsilon).to(dtype)
        weight = torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]).to(dtype)
        projected = functional.linear(normed, weight).view(-1, heads + 2 * shared, size)
        turning, values = torch.split(projected, [heads + shared, shared], 1)
        first, second = torch.split(turning, [size // 2, size // 2], -1)
        turned = torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)
        mixed = _attend(turned, values, batch.groups, masks, heads, shared)
        residual = residual + functional.linear(mixed, attention.o_proj.weight.to(dtype))
        normed = functional.rms_norm(residual, (config.hidden_size,), layer.post_attention_layernorm.weight, epsilon)
        normed = normed.to(dtype)
        gate = functional.linear(normed, mlp.gate_proj.weight.to(dtype))
        up = functional.linear(normed, mlp.up_proj.weight.to(dtype))
        residual = residual + functional.linear(functional.silu(gate) * up, mlp.down_proj.weight.to(dtype))
    return functional.rms_norm(residual, (config.hidden_size,), model.model.norm.weight, epsilon).to(dtype)


def _attend(
    turned: Tensor, values: Tensor, groups: Sequence[tuple[int, int]], masks: Sequence[Tensor], heads: int, shared: int
) -> Tensor:
    """Causal attention inside each row of each group; grouped queries are stacked along the query axis."""
    size = values.shape[-1]
    sizes = [rows * length for rows, length in groups]
    mixed = []
    for (rows, length), mask, both, value in zip(
        groups, masks, torch.split(turned, sizes), torch.split(values, sizes), strict=True
    ):
        query, key = torch.split(both.view(rows, length, heads + shared, size).transpose(1, 2), [heads, shared], 1)
        query = query.reshape(rows * shared, heads // shared * length, size)
        key = key.reshape(rows * shared, length, size)
        value = value.view(rows, length, shared, size).transpose(1, 2).reshape(rows * shared, length, size)
        scores = torch.baddbmm(mask, query, key.transpose(1, 2), alpha=size**-0.5)
        read = torch.bmm(torch.softmax(scores, -1), value)
        mixed.append(read.view(rows, heads, length, size).transpose(1, 2).reshape(rows * length, heads * size))
    return torch.cat(mixed)


def _rotation(positions: Tensor, size: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    frequencies = ROPE_BASE ** (-torch.arange(0, size, 2, dtype=torch.float32) / size)
    angles = positions[:, None].float() * frequencies
    return angles.cos().to(dtype)[:, None], angles.sin().to(dtype)[:, None]


def _causal(length: int, matrices: int, copies: int, dtype: torch.dtype) -> Tensor:
    mask = torch.full((length, length), float("-inf")).triu(1).to(dtype)
    return mask.repeat(copies, 1).expand(matrices, copies * length, length)


def learnt_nats(model: LlamaForCausalLM, batch: Batch, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The cross-entropy in nats of each learnt token, and where in the flat batch the states that predict them stand."""
    picked = (batch.targets >= 0).nonzero()[:, 0]
    states = hidden_states(model, batch, dtype).index_select(0, picked)
    logits = functional.linear(states, model.lm_head.weight.to(dtype)).float()
    return functional.cross_entropy(logits, batch.targets[picked], reduction="none"), picked


def answer_logprobs(model: LlamaForCausalLM, batch: Batch, dtype: torch.dtype) -> Tensor:
    """The summed log-probability of each item's learnt tokens, [items], in the order the items were given."""
    nats, picked = learnt_nats(model, batch, dtype)
    return torch.zeros(len(batch.rows)).index_add(0, batch.owners()[picked], -nats)


def rounded(model: LlamaForCausalLM) -> None:
    """Round the weights to bf16 in place, so that the next stage starts from exactly what is shipped."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(torch.bfloat16))


def save_checkpoint(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a transformers folder with bf16 weights, tokenizer and a greedy generation config."""
    model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=96,
        bos_token_id=token_id(tokenizer, BOS),
        eos_token_id=token_id(tokenizer, END),
        pad_token_id=token_id(tokenizer, PAD),
    )
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(folder)  # type: ignore[arg-type]
    tokenizer.save_pretrained(folder)


def load_checkpoint(folder: Path) -> LlamaForCausalLM:
    """A saved checkpoint in fp32, ready for training."""
    with ONE_LOAD_AT_A_TIME:
        model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    assert isinstance(model, LlamaForCausalLM)
    return model
