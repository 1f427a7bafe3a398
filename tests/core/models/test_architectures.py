"""Every causal class of the installed transformers, made tiny: it chats, is read, added to, ablated and baked, or says in a sentence
why not."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from core.artefacts.direction import Direction
from core.artefacts.store import Card
from core.attribution.forced_logprobs import TokenScorer
from core.baking import weight_edits
from core.baking.promise import check, promised
from core.chat.events import Token
from core.chat.settings import Sampling
from core.errors import TillerError
from core.inference.decoding import BatchDecoder, DecodingRow
from core.inference.teacher_forcing import score_replies
from core.knowledge import patching
from core.models.hooks import AnatomyError, Site, caught, hooked, locate
from core.models.loading import Loaded
from core.recipes.language import parse
from core.steering.interventions import BatchEdits, RowEdit, compile_recipe
from tests.support import causal_classes

#: Classes that do not come in this size, and what they say.
UNBUILT = {
    **dict.fromkeys(("blt", "gemma3", "git", "got_ocr2", "moss_transcribe_diarize", "phi4_multimodal"), "too large"),
    **dict.fromkeys(("musicgen", "musicgen_melody"), "Multiple valid text configs"),
    "cohere_compass_text": "full_attention",
    "dbrx": "has no attribute 'rope_theta'",
    "dots3_note": "num_key_value_heads must match num_attention_heads",
    "gemma3n": "requires the timm library",
    "gemma4_assistant": "hidden_size_per_layer_input must be 0",
}
_LIST, _BESIDE = (
    "is not built as a decoder-only language model",
    "answers otherwise when other texts stand beside its own",
)
_STREAM, _KEPT = "instead of one residual stream", "does not keep what it has read"
#: Classes that are no decoder with one residual stream, or that cannot chat side by side, and what is said of them.
REFUSED = {
    **dict.fromkeys(
        (
            "bert",
            "bert-generation",
            "big_bird",
            "camembert",
            "cpmant",
            "data2vec-text",
            "electra",
            "ernie",
            "hrm_text",
            "megatron-bert",
            "reformer",
            "rembert",
            "roberta",
            "roberta-prelayernorm",
            "roc_bert",
            "roformer",
            "xlm",
            "xlm-roberta",
            "xlm-roberta-xl",
            "xmod",
        ),
        _LIST,
    ),
    **dict.fromkeys(
        (
            "bart",
            "bigbird_pegasus",
            "blenderbot",
            "blenderbot-small",
            "marian",
            "mbart",
            "mvp",
            "pegasus",
            "plbart",
            "recurrent_gemma",
            "trocr",
        ),
        _BESIDE,
    ),
    **dict.fromkeys(("deepseek_v4", "gemma3n_text", "hy_v4", "qwen4_exp", "qwen4_exp_text"), _STREAM),
    **dict.fromkeys(("gemma4_unified_assistant", "openai-gpt", "rwkv", "xlnet"), _KEPT),
    "minimax": "MiniMax uses cache of its own",
    "prophetnet": "`position_ids` are incorrect",
    "xlstm": "has no attribute 'rnn_state'",
}
_SUM, _ENTRY, _DIFFERS = "is more than a sum", "a norm stands behind its embedding", "do not hold this recipe"
_WIDTH, _PART = "depends on the width", "is a part of a larger one"
#: Classes whose ablation no weights can hold, and what is said of them.
UNBAKED = {
    **dict.fromkeys(("afmoe", "axk1", "doge", "gemma4", "gemma4_text", "kolibri1", "longcat_flash"), _SUM),
    **dict.fromkeys(
        ("bloom", "ctrl", "inkling2_text", "inkling_text", "modernbert-decoder", "nanochat", "xglm", "zaya"), _ENTRY
    ),
    **dict.fromkeys(("gpt_neox_japanese", "zamba", "zamba2"), _DIFFERS),
    **dict.fromkeys(("lfm3", "olmo_hybrid"), _WIDTH),
    **dict.fromkeys(("emu3", "mllama"), _PART),
    "flex_olmo": "the matrix behind one of its norms is no layer of its own",
    "gemma4_unified": "it is more than a text model",
}
#: Classes that write in ways of their own, baked in bfloat16 as well.
HALF = ("gpt_oss", "deepseek_v3", "qwen2_moe", "falcon_h1", "glm4", "gemma2", "jamba", "mamba", "opt")
PROMPTS = (tuple(range(40, 52)), tuple(range(60, 67)))
NEW = 6
EVERYWHERE: Any = {"all": None, "all and first": None}
KINDS = [each for each in causal_classes.KINDS if each not in UNBUILT and each not in REFUSED]

Load = Callable[[str], Loaded]


def built(kind: str, tiny_loaded: Load, dtype: torch.dtype = torch.float32) -> Loaded:
    """A class's model in the place of another's, with its tokenizer."""
    model = causal_classes.model(kind).to(dtype)
    return dataclasses.replace(tiny_loaded("llama"), model=model, anatomy=locate(model), ends=frozenset(), texts={})


def edits(loaded: Loaded, recipe: str) -> tuple[RowEdit, ...]:
    """A recipe with a random direction ``u`` of the model's shape, whose vectors are about as long as the residuals."""
    sites: list[Site] = [("resid_post", layer) for layer in range(loaded.anatomy.layers)]
    with torch.inference_mode(), caught(loaded.anatomy, sites) as states:
        loaded.model(input_ids=torch.tensor(PROMPTS[:1]), use_cache=False)
    length = [float(states[site].float().norm(dim=-1).mean()) for site in sites]
    vectors = np.random.default_rng(1).normal(size=(len(sites), loaded.width)).astype(np.float32)
    vectors *= np.array(length, np.float32)[:, None] / np.linalg.norm(vectors, axis=1, keepdims=True)
    details = {"fingerprint": loaded.fingerprint, "layer": 0}
    card = Card(Path("u"), "direction", "u", loaded.family.name, loaded.checkpoint.name, details)
    made = Direction(card, vectors, vectors, 0 * vectors)
    return compile_recipe(parse(recipe), loaded, lambda _name, _checkpoint: made)


@torch.inference_mode()
def left(loaded: Loaded, made: Sequence[RowEdit]) -> list[Tensor]:
    """What leaves every block [1, tokens, width] with edits."""
    sites: list[Site] = [("resid_post", layer) for layer in range(loaded.anatomy.layers)]
    actions = BatchEdits([tuple(made)], loaded.device).actions(EVERYWHERE)
    with hooked(loaded.anatomy, actions), caught(loaded.anatomy, sites) as states:
        loaded.model(input_ids=torch.tensor(PROMPTS[:1]), use_cache=False)
    return [states[site] for site in sites]


def said(loaded: Loaded, prompts: Sequence[tuple[int, ...]]) -> list[list[int]]:
    rows = [DecodingRow(at, ids, sampling=Sampling(max_new_tokens=NEW - at)) for at, ids in enumerate(prompts)]
    stream, found = BatchDecoder(loaded, rows), [[] for _ in prompts]
    while not stream.done:
        for event in stream.step():
            if isinstance(event, Token):
                found[event.column].append(event.id)
    return found


def test_the_lists_name_classes_that_there_are() -> None:
    assert {*UNBUILT, *REFUSED, *UNBAKED} <= {*causal_classes.KINDS}
    assert not UNBUILT.keys() & REFUSED.keys()


@pytest.mark.parametrize("kind", UNBUILT)
def test_a_class_that_does_not_come_in_this_size_still_says_so(kind: str) -> None:
    with pytest.raises(Exception, match=re.escape(UNBUILT[kind])):
        causal_classes.model(kind)


@pytest.mark.parametrize("kind", REFUSED)
def test_a_class_that_cannot_be_steered_is_refused_in_a_sentence(kind: str) -> None:
    with pytest.raises(AnatomyError, match=re.escape(REFUSED[kind])):
        locate(causal_classes.model(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_chats_and_is_steered(kind: str, tiny_loaded: Load) -> None:
    loaded = built(kind, tiny_loaded)
    # Two chats side by side, of unequal length and ending one after the other, say what transformers says to each alone.
    model: Any = loaded.model
    model.generation_config.eos_token_id = model.generation_config.forced_eos_token_id = None
    options = {"do_sample": False, "pad_token_id": 1}
    wanted = [
        model.generate(torch.tensor([ids]), max_new_tokens=NEW - at, **options)[0][len(ids) :].tolist()
        for at, ids in enumerate(PROMPTS)
    ]
    assert said(loaded, PROMPTS) == wanted

    # What is added is added where a block ends; what is ablated leaves no block, and nothing else is changed there.
    plain, added, ablated, some = (left(loaded, edits(loaded, each)) for each in ("", "u[0]", "!u", "!u[1]"))
    vector, *_ = (torch.from_numpy(edit.vector) for edit in edits(loaded, "u[0]"))
    unit = torch.from_numpy(edits(loaded, "!u")[0].vector)
    assert torch.allclose(added[0], plain[0] + vector, rtol=1e-4, atol=1e-4 * float(plain[0].abs().max()))
    for before, after in zip(plain, ablated, strict=True):
        assert (after @ unit).norm() < 1e-5 * after.norm()
        assert (before @ unit).norm() > 1e-2 * before.norm(), "there was nothing, so this shows nothing"
    assert torch.equal(some[0], plain[0])


@pytest.mark.parametrize(
    ("kind", "dtype"), [*((kind, torch.float32) for kind in KINDS), *((kind, torch.bfloat16) for kind in HALF)], ids=str
)
def test_an_ablation_is_baked_or_refused_in_a_sentence(
    kind: str, dtype: torch.dtype, tiny_loaded: Load, tmp_path: Path
) -> None:
    loaded = built(kind, tiny_loaded, dtype)
    made = edits(loaded, "!u")
    promise = promised(loaded, made, weight_edits.changes(made))

    def bake() -> None:
        model = weight_edits.operate(loaded, promise.changes)
        check(promise, model, locate(model))
        model.save_pretrained(tmp_path)
        again = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=dtype)
        check(promise, again, locate(again))

    if kind in UNBAKED:
        with pytest.raises(TillerError, match=re.escape(UNBAKED[kind])):
            bake()
        assert not list(tmp_path.iterdir())
    else:
        bake()


@pytest.mark.parametrize("kind", ["llama", "mamba", "falcon_mamba", "jamba", "qwen3_5_text", "falcon_h1"])
def test_a_reply_read_in_parts_is_as_likely_as_read_at_once(kind: str, tiny_loaded: Load) -> None:
    loaded = built(kind, tiny_loaded)
    reply = list(range(100, 109))
    scorer = TokenScorer(loaded, PROMPTS[0])
    found = [*scorer.follow(reply[:4]), *scorer.follow(reply[4:5]), *scorer.follow(reply[5:])]
    whole = [each.logprob for each in score_replies(loaded, [PROMPTS[0]], [reply], [()])[0]]
    assert found == pytest.approx(whole, abs=1e-3)


@pytest.mark.parametrize("kind", ["mamba", "qwen3_5_text", "deepseek_v32"])
def test_a_map_needs_keys_and_values(kind: str, tiny_loaded: Load) -> None:
    loaded = built(kind, tiny_loaded)
    with pytest.raises(TillerError, match="keeps other things of its tokens than keys and values"):
        patching.prefix(loaded, PROMPTS[0])
    with pytest.raises(TillerError, match="take a model with ordinary attention in every layer"):
        patching.trails(loaded, patching.Prefix(), PROMPTS[:1])
