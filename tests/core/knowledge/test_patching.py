"""A cell of a map is one plain forward pass with one residual replaced, for every architecture; and the logit lens is the model's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from core.knowledge import logit_lens, patching
from core.knowledge.patching import Trail
from core.models.hooks import hooked
from core.models.loading import Loaded
from core.util.progress import finished
from tests.support import tiny_models

every_architecture = pytest.mark.parametrize("kind", list(tiny_models.configs()))
Load = Callable[[str], Loaded]
#: Shorter than the tiny models' windows, and longer.
SHORT, LONG, SHARED = 12, 22, 4


def sentences(length: int) -> tuple[list[int], list[int]]:
    """Two sequences with the same first tokens."""
    made = torch.Generator().manual_seed(length)
    one, other = (torch.randint(6, tiny_models.VOCABULARY, (length,), generator=made).tolist() for _ in range(2))
    return one, one[:SHARED] + other[SHARED:]


def runs(loaded: Loaded, length: int) -> tuple[Trail, Trail]:
    true, false = sentences(length)
    one, other = patching.trails(loaded, patching.prefix(loaded, true[:SHARED]), [true, false])
    return one, other


def read(logits: Tensor) -> Tensor:
    return logits[:, 7] - logits[:, 9]


@torch.inference_mode()
def by_hand(loaded: Loaded, source: Sequence[int], target: Sequence[int], layer: int, position: int) -> float:
    """The metric of a whole forward pass of ``target`` with one residual of ``source``'s."""
    kept: list[Tensor] = []

    def keep(states: Tensor) -> None:
        kept.append(states.clone())

    def put(states: Tensor) -> Tensor:
        new = states.clone()
        new[0, position] = kept[0][0, position]
        return new

    with hooked(loaded.anatomy, {("resid_post", layer): keep}):
        loaded.model(torch.tensor([list(source)]), use_cache=False)
    with hooked(loaded.anatomy, {("resid_post", layer): put}):
        output = loaded.model(torch.tensor([list(target)]), use_cache=False)
    return float(read(output.logits[:, -1].float())[0])


@every_architecture
def test_a_cell_is_one_forward_pass_with_that_residual_replaced(kind: str, tiny_loaded: Load) -> None:
    loaded = tiny_loaded(kind)
    for length, chosen in ((SHORT, (SHARED, 8, SHORT - 1)), (LONG, (SHARED + 1, LONG - 3))):
        true, false = sentences(length)
        source, target = runs(loaded, length)
        moved = 0.0
        for layer in range(tiny_models.LAYERS):
            row = finished(patching.patched_row(loaded, target, source, layer, list(target.positions), read))
            for position in chosen:
                expected = by_hand(loaded, true, false, layer, position)
                assert float(row[position - SHARED]) == pytest.approx(expected, abs=1e-5)
                moved = max(moved, abs(expected - float(read(target.logits[None])[0])))
        # Cells that are all the same would be equal for the wrong reason.
        assert moved > 1e-3


@every_architecture
def test_the_last_token_of_the_last_layer_brings_the_whole_run_back(kind: str, tiny_loaded: Load) -> None:
    loaded = tiny_loaded(kind)
    source, target = runs(loaded, SHORT)
    last = tiny_models.LAYERS - 1
    logits = patching.replaced(loaded, target, last, [SHORT - 1], source.residual(last, SHORT - 1)[None])
    torch.testing.assert_close(logits[0], source.logits, atol=1e-5, rtol=0)
    assert not torch.allclose(logits[0], target.logits, atol=1e-3)


@every_architecture
def test_a_run_patched_into_itself_is_bit_identical(kind: str, tiny_loaded: Load) -> None:
    loaded = tiny_loaded(kind)
    source, target = runs(loaded, LONG)
    for layer in (0, tiny_models.LAYERS - 2):
        places = [5, 6, 9, 12]
        own = torch.stack([target.residual(layer, place) for place in places])
        unpatched = patching.replaced(loaded, target, layer, places, own)
        mixed = own.clone()
        mixed[1] = source.residual(layer, places[1])
        patched = patching.replaced(loaded, target, layer, places, mixed)
        kept = [0, 2, 3]
        assert torch.equal(patching.replaced(loaded, target, layer, places, own), unpatched)
        if loaded.anatomy.mixtures:
            # An expert is given the tokens of all cells together, and how many there are decides in which order it adds up.
            torch.testing.assert_close(patched[kept], unpatched[kept], atol=1e-6, rtol=0)
        else:
            assert torch.equal(patched[kept], unpatched[kept])
        assert not torch.equal(patched[1], unpatched[1])
        torch.testing.assert_close(unpatched, target.logits.expand(4, -1), atol=1e-5, rtol=0)


@every_architecture
def test_nothing_is_left_of_skipped_blocks(kind: str, tiny_loaded: Load) -> None:
    loaded = tiny_loaded(kind)
    ids = torch.tensor([sentences(SHORT)[0]])
    with torch.inference_mode():
        before = loaded.model(ids, use_cache=False).logits
        source, target = runs(loaded, SHORT)
        finished(patching.patched_row(loaded, target, source, 2, [6, 7], read))
        assert torch.equal(loaded.model(ids, use_cache=False).logits, before)
    assert not any("forward" in vars(block) for block in loaded.anatomy.blocks)


@every_architecture
def test_the_lens_of_the_last_layer_is_what_the_model_says(kind: str, tiny_loaded: Load) -> None:
    loaded = tiny_loaded(kind)
    one, _ = runs(loaded, SHORT)
    logits = logit_lens.unembed(loaded, one.states[-1])
    torch.testing.assert_close(logits[-1], one.logits, atol=1e-5, rtol=0)


def test_batches_and_one_sequence_agree(tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = tiny_loaded("llama")
    source, target = runs(loaded, LONG)
    places = list(target.positions)
    one = finished(patching.patched_row(loaded, target, source, 1, places, read))
    monkeypatch.setattr(patching, "_takes_masks", lambda *_: False)
    slices = list(patching.patched_row(loaded, target, source, 1, places, read))
    assert len(slices) == -(-len(places) // patching.GROUP)
    batches = finished(patching.patched_row(loaded, target, source, 1, places, read))
    torch.testing.assert_close(one, batches, atol=1e-5, rtol=0)


def test_long_sentences_are_computed_in_parts_of_bounded_size(
    tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = tiny_loaded("llama")
    source, target = runs(loaded, LONG)
    whole = finished(patching.patched_row(loaded, target, source, 1, list(target.positions), read))
    monkeypatch.setattr(patching, "MOST_TOKENS", 40)
    sizes = list(patching.patched_row(loaded, target, source, 1, list(target.positions), read))
    assert len(sizes) > 3
    assert max(sizes) <= 40
    parts = finished(patching.patched_row(loaded, target, source, 1, list(target.positions), read))
    torch.testing.assert_close(whole, parts, atol=1e-5, rtol=0)


def test_noise_goes_where_it_is_put(tiny_loaded: Load) -> None:
    loaded = tiny_loaded("qwen3")
    true, _ = sentences(SHORT)
    before = patching.prefix(loaded, true[:SHARED])
    noise = torch.zeros(SHORT - SHARED, loaded.width)
    noise[2] = 1.0
    clean, noisy = patching.trails(loaded, before, [true, true], [None, noise])
    torch.testing.assert_close(noisy.entered - clean.entered, noise, atol=1e-6, rtol=0)
    assert torch.equal(noisy.states[:, :2], clean.states[:, :2])
    assert not torch.allclose(noisy.states[:, 2:], clean.states[:, 2:], atol=1e-3)


def test_the_trail_needs_no_prefix(tiny_loaded: Load) -> None:
    loaded = tiny_loaded("gpt2")
    true, false = sentences(SHORT)
    shared = patching.trails(loaded, patching.prefix(loaded, true[:SHARED]), [true, false])
    whole = patching.trails(loaded, patching.prefix(loaded, ()), [true, false])
    for one, other in zip(shared, whole, strict=True):
        assert one.positions == range(SHARED, SHORT)
        assert other.positions == range(SHORT)
        torch.testing.assert_close(one.states, other.states[:, SHARED:], atol=1e-5, rtol=1e-5)
        assert replace(one, start=0).ids == other.ids
