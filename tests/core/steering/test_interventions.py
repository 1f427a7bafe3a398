"""Steering is exact: every kind of edit against hooks written by hand, on five architectures, padded and not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.artefacts import store
from core.artefacts.direction import Direction, load_direction
from core.chat.events import Token
from core.chat.settings import Sampling
from core.families import registry
from core.families.package import Package
from core.inference.decoding import BatchDecoder, DecodingRow
from core.inference.prompts import chat_prompt
from core.inference.teacher_forcing import reply_logits, score_replies
from core.models import loading
from core.models.loading import Loaded
from core.models.placement import Placing
from core.recipes.language import Recipe, Term, parse
from core.steering.interventions import EditError, RowEdit, check_fit, compile_recipe
from core.steering.readings import projection
from tests.support import tiny_models

KINDS = ("llama", "qwen2", "gemma2", "gpt2", "neox")
RECIPES = (
    "1.5*truth",
    "-0.7*truth[1,3]:reply + 0.3*refusal[0-3]:prompt",
    "2*refusal:last",
    "!truth",
    "!truth[1-2]:reply",
    "truth=0.5",
    "truth[0,2]=1 + refusal:reply=-0.25",
    "truth - 0.5*refusal + !truth:last + refusal=0 + 0.2*refusal@base",
)
REPLY = "Paris is a city, and so on"
PROMPTS = ("Hi", "What is the capital of France?", "True or false: Lodz is a city in Poland.")


def directions(loaded: Loaded) -> Callable[[str, str], Direction]:
    def fetch(name: str, checkpoint: str) -> Direction:
        folder = loaded.family.folder
        path = store.find_artefact(store.family_folders(loaded.family.name, folder), checkpoint, "direction", name)
        assert path is not None
        return load_direction(path)

    return fetch


def edits(loaded: Loaded, recipe: str) -> tuple[RowEdit, ...]:
    return compile_recipe(parse(recipe), loaded, directions(loaded))


def reply_ids(loaded: Loaded) -> list[int]:
    return list(loaded.tokenizer(REPLY, add_special_tokens=False)["input_ids"])


# ------------------------------------------------------------------------------- the same once more, written out by hand


def body(loaded: Loaded) -> list[nn.Module]:
    model: Any = loaded.model
    return list({"gpt2": lambda: model.transformer.h, "gpt_neox": lambda: model.gpt_neox.layers}.get(
        model.config.model_type, lambda: model.model.layers)())  # fmt: skip


def writers(block: Any, kind: str) -> tuple[nn.Module, nn.Module]:
    if kind == "gemma2":
        return block.post_attention_layernorm, block.post_feedforward_layernorm
    return {"gpt2": lambda: block.attn, "gpt_neox": lambda: block.attention}.get(
        kind, lambda: block.self_attn)(), block.mlp  # fmt: skip


def formula(term: Term, direction: Direction, layer: int, states: Tensor) -> Tensor:
    vector = torch.from_numpy(direction.vectors[layer]).double()
    unit = vector / vector.norm()
    along = (states.double() @ unit)[..., None]
    if term.kind == "add":
        return term.value * vector.expand_as(states)
    if term.kind == "hold":
        start = torch.from_numpy(direction.negative[layer]).double() @ unit
        return (start + term.value * vector.norm() - along) * unit
    return -along * unit


@contextmanager
def steered_by_hand(loaded: Loaded, recipe: Recipe, prompt: int, length: int) -> Iterator[None]:
    """Hooks on one unpadded row, a term after the other."""
    fetch, handles = directions(loaded), []
    for term in recipe.terms:
        direction = fetch(term.direction, term.source or loaded.checkpoint.name)
        best = direction.card.layer
        first = 0 if term.kind == "ablate" else 1
        spans = {
            "all": (first, length),
            "prompt": (first, prompt),
            "reply": (prompt, length),
            "last": (prompt - 1, prompt),
        }
        start, end = spans[term.scope]

        def edited(
            states: Tensor, layer: int, term: Term = term, d: Direction = direction, a: int = start, b: int = end
        ) -> Tensor:
            new = states.clone()
            new[:, a:b] += formula(term, d, layer, states[:, a:b]).to(states.dtype)
            return new

        def after(layer: int, edited: Any = edited) -> Any:
            def hook(_m: Any, _i: Any, out: Any) -> Any:
                return (edited(out[0], layer), *out[1:]) if isinstance(out, tuple) else edited(out, layer)

            return hook

        blocks = body(loaded)
        if term.kind == "ablate":
            if term.layers is None:
                handles.append(blocks[0].register_forward_pre_hook(
                    lambda _m, i, edited=edited, best=best: (edited(i[0], best), *i[1:])))  # fmt: skip
            for layer in term.layers if term.layers is not None else range(len(blocks)):
                for module in writers(blocks[layer], str(loaded.model.config.model_type)):
                    handles.append(module.register_forward_hook(after(best)))
        else:
            for layer in term.layers or (best,):
                handles.append(blocks[layer].register_forward_hook(after(layer)))
    yield
    for handle in handles:
        handle.remove()


@torch.inference_mode()
def logits_by_hand(loaded: Loaded, prompt: Sequence[int], reply: Sequence[int], recipe: str) -> Tensor:
    ids = torch.tensor([[*prompt, *reply]])
    with steered_by_hand(loaded, parse(recipe), len(prompt), ids.shape[1]):
        logits: Tensor = loaded.model(ids, use_cache=False).logits
    return logits[0, len(prompt) - 1 : -1].float()


@pytest.mark.parametrize("kind", KINDS)
def test_every_edit_equals_hooks_written_by_hand(kind: str, tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded(kind)
    prompts = [chat_prompt(loaded, text) for text in PROMPTS]
    assert len({len(prompt) for prompt in prompts}) == len(prompts)
    reply = reply_ids(loaded)
    plain = logits_by_hand(loaded, prompts[0], reply, "")
    for recipe in RECIPES:
        wanted = [logits_by_hand(loaded, prompt, reply, recipe) for prompt in prompts]
        rows = edits(loaded, recipe)
        alone = reply_logits(loaded, prompts[:1], [reply], [rows])[0]
        padded = reply_logits(loaded, prompts, [reply] * len(prompts), [rows] * len(prompts))
        for own, hand in [(alone, wanted[0]), *zip(padded, wanted, strict=True)]:
            assert (own - hand).abs().max() < 2e-4, recipe
        assert (wanted[0] - plain).abs().max() > 0.05, f"{recipe} changes nothing, so this shows nothing"


@pytest.mark.parametrize("kind", KINDS)
def test_a_mixed_batch_gives_every_row_its_own_recipe(kind: str, tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded(kind)
    prompts = [chat_prompt(loaded, text) for text in (*PROMPTS, *PROMPTS)]
    reply = reply_ids(loaded)
    recipes = ["", "1.5*truth", "truth - 0.5*refusal + !truth:last", "!truth", "", "refusal=0 + 1*truth"]
    mixed = reply_logits(loaded, prompts, [reply] * 6, [edits(loaded, recipe) for recipe in recipes])
    for prompt, recipe, own in zip(prompts, recipes, mixed, strict=True):
        assert (own - logits_by_hand(loaded, prompt, reply, recipe)).abs().max() < 2e-4, recipe
    # Rows without a recipe: bit for bit what the same batch gives unedited.
    unedited = reply_logits(loaded, prompts, [reply] * 6)
    for index in (0, 4):
        assert torch.equal(mixed[index], unedited[index])
        # And across batch shapes, up to rounding.
        assert (reply_logits(loaded, [prompts[index]], [reply])[0] - mixed[index]).abs().max() < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_bos_is_not_steered(kind: str, tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded(kind)
    prompts = [chat_prompt(loaded, text) for text in PROMPTS[:2]]
    assert {prompt[0] for prompt in prompts} == {loaded.tokenizer.bos_token_id}
    for recipe in ("2*truth + 2*refusal[0]", "truth[0-3]=1", "!truth:reply", "!truth:last"):
        caught: list[dict[int, Tensor]] = [
            {layer: torch.empty(0) for layer in range(tiny_models.LAYERS)} for _ in range(2)
        ]
        reply_logits(loaded, prompts, [[7], [7]], [edits(loaded, recipe)] * 2, caught[0])
        reply_logits(loaded, prompts, [[7], [7]], None, caught[1])
        for row, prompt in enumerate(prompts):
            bos = -len(prompt) - 1
            for layer in range(tiny_models.LAYERS):
                assert torch.equal(caught[0][layer][row, bos], caught[1][layer][row, bos])
            assert not torch.equal(caught[0][3][row, bos + 1 :], caught[1][3][row, bos + 1 :])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scope", ["", ":prompt"])
def test_an_ablation_reaches_bos_as_its_formula_says(
    kind: str, scope: str, tiny_loaded: Callable[[str], Loaded]
) -> None:
    loaded = tiny_loaded(kind)
    prompts = [chat_prompt(loaded, text) for text in PROMPTS[:2]]
    direction = directions(loaded)("truth", "chat")
    unit = torch.from_numpy(direction.unit(direction.card.layer))
    left = {}
    for recipe in (f"!truth{scope}", ""):
        states = {layer: torch.empty(0) for layer in range(tiny_models.LAYERS)}
        reply_logits(loaded, prompts, [[7], [7]], [edits(loaded, recipe)] * 2, states)
        own = torch.stack(
            [residual[row, -len(prompt) - 1] for residual in states.values() for row, prompt in enumerate(prompts)]
        )
        left[recipe] = float(((own @ unit).abs() / own.norm(dim=-1)).max())
    assert left[f"!truth{scope}"] < 1e-4
    assert left[""] > 1e-2, "the plain model has nothing there either, so this shows nothing"


@pytest.mark.parametrize("kind", KINDS)
def test_ablation_leaves_nothing_along_the_direction(kind: str, tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded(kind)
    prompts = [chat_prompt(loaded, text) for text in PROMPTS]
    direction = directions(loaded)("truth", "chat")
    unit = torch.from_numpy(direction.unit(direction.card.layer))
    for recipe, bound in (("!truth", 1e-4), ("", 1.0)):
        states = {layer: torch.empty(0) for layer in range(tiny_models.LAYERS)}
        reply_logits(loaded, prompts, [reply_ids(loaded)] * 3, [edits(loaded, recipe)] * 3, states)
        part = 0.0
        for row, prompt in enumerate(prompts):
            start = -len(prompt) - len(reply_ids(loaded))
            for residual in states.values():
                own = residual[row, start:]
                part = max(part, float(((own @ unit).abs() / own.norm(dim=-1)).max()))
        assert part < bound
    assert part > 1e-2, "the plain model has nothing there either, so this shows nothing"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", [-0.5, 0.0, 1.0])
def test_a_held_projection_reads_its_target(kind: str, target: float, tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded(kind)
    gauges = [projection(directions(loaded)(name, "chat")) for name in ("truth", "refusal")]
    speakers = [
        DecodingRow(
            index, chat_prompt(loaded, text), edits(loaded, f"truth={target}"), Sampling(max_new_tokens=6), shadow=True
        )
        for index, text in enumerate(PROMPTS)
    ]
    stream = BatchDecoder(loaded, speakers, gauges)
    tokens: list[Token] = []
    while not stream.done:
        tokens += [event for event in stream.step() if isinstance(event, Token)]
    assert len(tokens) >= 6
    for token in tokens:
        assert token.reading.projections["truth"] == pytest.approx(target, abs=1e-4)
        assert token.shadow is not None
        assert abs(token.shadow.projections["truth"] - target) > 1e-3
    scored = score_replies(loaded, [speakers[0].prompt], [[7, 8, 9]], [edits(loaded, f"truth={target}")], gauges)[0]
    assert [reading.projections["truth"] for reading in scored] == pytest.approx([target] * 3, abs=1e-4)


# ------------------------------------------------------------------------------------------------------- what is refused


def test_a_layer_that_is_not_there_is_refused(tiny_loaded: Callable[[str], Loaded]) -> None:
    with pytest.raises(EditError, match=r"1\*truth\[4\].*|truth\[4\] names layer 4; chat has layers 0 to 3"):
        edits(tiny_loaded("llama"), "1*truth[4]")


def changed(direction: Direction, **details: object) -> Direction:
    return replace(direction, card=replace(direction.card, details={**direction.card.details, **details}))


def test_a_direction_of_another_model_is_refused_with_both_named(tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded("llama")
    good = directions(loaded)("truth", "chat")
    recipe = parse("truth")
    compile_recipe(recipe, loaded, lambda _n, _c: good)
    with pytest.raises(EditError, match=f"fingerprint 0123, which now has {loaded.fingerprint}; make it again in "):
        compile_recipe(recipe, loaded, lambda _n, _c: changed(good, fingerprint="0123"))
    wide = Direction(good.card, *(np.ones((tiny_models.LAYERS, 48), np.float32) for _ in range(3)))
    with pytest.raises(EditError, match="48 wide, chat is 32"):
        compile_recipe(recipe, loaded, lambda _n, _c: wide)
    deep = Direction(good.card, *(np.ones((7, tiny_models.WIDTH), np.float32) for _ in range(3)))
    with pytest.raises(EditError, match="has 7 layers, chat has 4"):
        compile_recipe(recipe, loaded, lambda _n, _c: deep)


def test_a_direction_of_the_same_model_out_of_its_package_fits_and_that_is_said(
    tiny_loaded: Callable[[str], Loaded],
) -> None:
    plain = tiny_loaded("llama")
    package = Package("tiny-models", "1.0", "tiny.gguf", "0123456789abcdef" * 4, 1, "MIT")
    every = tuple(replace(each, package=package) for each in plain.family.checkpoints)
    loaded = replace(
        plain, family=replace(plain.family, checkpoints=every), checkpoint=replace(plain.checkpoint, package=package)
    )
    good = directions(loaded)("truth", "chat")
    assert check_fit(good, loaded) == ""
    said = check_fit(changed(good, fingerprint=package.sha256[:16]), loaded)
    assert said == "truth was measured on the weights of tiny-models 1.0; on these its effect may differ a little."
    with pytest.raises(EditError, match="fingerprint 0123"):
        check_fit(changed(good, fingerprint="0123"), loaded)


def test_a_source_that_was_trained_again_is_noticed(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "again", "llama")
    tiny_models.direction(folder, "base", "truth")
    loaded = loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu"))
    assert edits(loaded, "truth@base")
    tiny_models.model("llama", seed=99).save_pretrained(folder / "base")
    with pytest.raises(EditError, match="precompute"):
        edits(loaded, "truth@base")
