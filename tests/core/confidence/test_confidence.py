"""Entropy neurons and calibration: exact against direct computations, stored and read again, refused where they cannot be."""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from core.artefacts import store
from core.artefacts.neuron_sets import load_set
from core.confidence import ablation, calibration, compare, confidence, logit_variance, measure, neurons, tables
from core.confidence.ablation import Ablation
from core.confidence.compare import CheckpointPair
from core.confidence.confidence import Confidence, Measured, NeuronEffect, Plain
from core.confidence.neurons import Block
from core.confidence.unembedding import Head, Precise, final_norm
from core.directions import contrast
from core.errors import StoreError
from core.families import registry
from core.inference.prompts import encode_text
from core.models import loading
from core.models.files import LoadError
from core.models.hooks import AnatomyError
from core.models.loading import Loaded
from core.models.placement import Placing
from core.stats.rates import Rate
from core.util.budget import Budget
from core.util.progress import finished
from core.util.table import Table
from tests.support import tiny_models
from tests.support.command import verb

#: One architecture of each way: RMSNorm, 1 + gain with a cap on the logits, LayerNorm with Conv1D, in parallel, and so on.
KINDS = ("llama", "gemma2", "gemma3", "olmo2", "gpt2", "neox", "falcon", "bloom", "phi3", "qwen3")


def shaken(folder: Path) -> Path:
    """A family whose norms have gains and biases of their own: as they are made, all are one and zero."""
    torch.manual_seed(5)
    for path in folder.glob("*/model.safetensors"):
        tensors = load_file(path)
        for name, tensor in tensors.items():
            if tensor.ndim == 1:
                tensors[name] = tensor + torch.rand_like(tensor)
        save_file(tensors, path, metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def loaded_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Loaded]:
    """The checkpoint ``chat`` of an architecture, with gains that matter."""
    made: dict[str, Loaded] = {}

    def make(kind: str) -> Loaded:
        if kind not in made:
            folder = shaken(tiny_models.family(tmp_path_factory.mktemp("confidence") / kind, kind))
            made[kind] = loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu"))
        return made[kind]

    return make


TEXTS = ("The capital of France is Paris.", "Lodz is a city in Poland.", "I cannot help with that.", "Yes.")


def ids(loaded: Loaded) -> list[tuple[int, ...]]:
    return [encode_text(loaded, text) for text in TEXTS]


def probe_of(loaded: Loaded) -> Ablation:
    means = finished(ablation.mean_activations(loaded, [2, 3], ids(loaded)[:2]))
    probe = Ablation(loaded, Head(loaded), means)
    finished(probe.read(ids(loaded)))
    return probe


# ----------------------------------------------------------------------------------------------------------------- weights


def columns_on_disk(loaded: Loaded, kind: str, layer: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Down projection [width, neurons], unembedding and the final norm's gain, from the file by the names of the architecture."""
    tensors = {
        name.removeprefix("model.").removeprefix("transformer."): each.double()
        for name, each in load_file(Path(loaded.checkpoint.source) / "model.safetensors").items()
    }
    down = {"gpt2": f"h.{layer}.mlp.c_proj", "neox": f"gpt_neox.layers.{layer}.mlp.dense_4h_to_h"}
    final = {"gpt2": "ln_f", "neox": "gpt_neox.final_layer_norm"}
    weight = tensors[f"{down.get(kind, f'layers.{layer}.mlp.down_proj')}.weight"]
    if kind == "gpt2":
        weight = weight.T
    words = {"gpt2": "wte.weight", "neox": "embed_out.weight"}
    embedding = next(
        tensors[name] for name in (words.get(kind), "lm_head.weight", "embed_tokens.weight") if name in tensors
    )
    gain = tensors[f"{final.get(kind, 'norm')}.weight"]
    return weight, embedding, 1 + gain if kind.startswith("gemma") else gain


@pytest.mark.parametrize("kind", ["llama", "gemma2", "gemma3", "olmo2", "gpt2", "neox", "qwen3"])
def test_norm_and_logitvar_are_those_of_a_direct_computation(kind: str, loaded_of: Callable[[str], Loaded]) -> None:
    loaded = loaded_of(kind)
    weight, rows, gain = columns_on_disk(loaded, kind, 3)
    precise = Precise(loaded)
    found = finished(
        logit_variance.block(loaded, 3, precise, final_norm(precise, loaded.anatomy.final_norm, loaded.width))
    )
    folded = rows * gain
    folded = folded - folded.mean(0)
    for neuron in (0, 7, weight.shape[1] - 1):
        column = weight[:, neuron]
        cosines = torch.stack([row @ column / (row.norm() * column.norm()) for row in folded])
        assert found.variances[neuron] == pytest.approx(float(cosines.var(correction=0)), rel=1e-6)
        assert found.norms[neuron] == pytest.approx(float(column.norm()), rel=1e-9)
    assert len(found.norms) == weight.shape[1], "neurons are the columns"
    unfolded = finished(logit_variance.logit_variance(weight.float(), rows.float(), torch.ones(loaded.width)))
    assert not np.allclose(found.variances, unfolded.numpy(), rtol=1e-3), "the gain matters in this test"


def test_cosines_in_fewer_digits_are_the_same(
    loaded_of: Callable[[str], Loaded], monkeypatch: pytest.MonkeyPatch
) -> None:
    weight, rows, gain = (each.float() for each in columns_on_disk(loaded_of("llama"), "llama", 2))
    exact = finished(logit_variance.logit_variance(weight, rows, gain))
    monkeypatch.setattr(logit_variance, "_MUCH", 0)
    monkeypatch.setattr(logit_variance, "_ROWS", 37)
    # A part of the vocabulary at a time, so that others have their turn between them.
    assert len(list(logit_variance.logit_variance(weight, rows, gain))) == -(-len(rows) // 37)
    assert torch.allclose(finished(logit_variance.logit_variance(weight, rows, gain)), exact, rtol=1e-4)
    weight[:, 3] = 0
    assert float(finished(logit_variance.logit_variance(weight, rows, gain))[3]) == 0


def test_weights_are_read_in_full_precision_whatever_the_model_is_loaded_in(tmp_path: Path) -> None:
    family = registry.load_family(str(shaken(tiny_models.family(tmp_path / "full", "llama"))))
    found = {}
    for name, options in {
        "whole": {},
        "half": {"dtype": "bfloat16"},
        "packed": {"quantize": "4bit"},
    }.items():
        loaded = loading.load_model(family, "chat", Placing("cpu", **options))
        precise = Precise(loaded)
        norm = final_norm(precise, loaded.anatomy.final_norm, loaded.width)
        found[name] = finished(logit_variance.block(loaded, 3, precise, norm))
        assert precise.source.startswith("in memory" if name == "whole" else "read from disk")
    for name in ("half", "packed"):
        assert np.array_equal(found[name].norms, found["whole"].norms)
        assert np.array_equal(found[name].variances, found["whole"].variances)


def test_weights_that_are_not_on_disk_under_their_name_are_refused(tmp_path: Path) -> None:
    family = registry.load_family(str(tiny_models.family(tmp_path / "renamed", "llama")))
    loaded = loading.load_model(family, "chat", Placing("cpu", "bfloat16"))
    path = tmp_path / "renamed" / "chat" / "model.safetensors"
    tensors = {name.replace("mlp.down_proj", "mlp.elsewhere"): each for name, each in load_file(path).items()}
    save_file(tensors, path, metadata={"format": "pt"})
    precise = Precise(loaded)
    norm = final_norm(precise, loaded.anatomy.final_norm, loaded.width)
    with pytest.raises(LoadError, match=r"full precision.*down_proj.*--quantize none --dtype float32"):
        finished(logit_variance.block(loaded, 3, precise, norm))


@pytest.mark.parametrize("kind", ["mixtral", "qwen3_moe"])
def test_a_mixture_of_experts_is_refused(kind: str, tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded(kind)
    with pytest.raises(AnatomyError, match="mixture of experts"):
        next(measure.measure_confidence(loaded, contrast.load_contrast(loaded.family, "truth")))


def test_a_norm_of_another_kind_is_refused(loaded_of: Callable[[str], Loaded]) -> None:
    class Squashing(torch.nn.Module):
        def forward(self, states: torch.Tensor) -> torch.Tensor:
            return torch.tanh(states)

    with pytest.raises(AnatomyError, match=r"Squashing.*neither an RMSNorm nor a LayerNorm"):
        final_norm(Precise(loaded_of("llama")), Squashing(), 32)


# ---------------------------------------------------------------------------------------------------------------- ablation


@pytest.mark.parametrize("kind", KINDS)
def test_an_ablation_is_one_plain_pass_with_those_neurons_replaced(
    kind: str, loaded_of: Callable[[str], Loaded]
) -> None:
    loaded = loaded_of(kind)
    probe = probe_of(loaded)
    chosen = [(2, 5), *((3, neuron) for neuron in range(0, 60, 2))]
    effect = finished(probe.change(chosen))

    def entropies(ablate: bool) -> list[float]:
        hooks = []
        for layer in (2, 3) if ablate else ():
            places = [neuron for at, neuron in chosen if at == layer]

            def replaced(
                _module: object, inputs: tuple[torch.Tensor, ...], layer: int = layer, places: list[int] = places
            ):  # type: ignore[no-untyped-def]
                new = inputs[0].clone()
                new[..., places] = probe.means[layer][places]
                return (new,)

            hooks.append(loaded.anatomy.neurons(layer).register_forward_pre_hook(replaced))
        found = []
        with torch.inference_mode():
            for text in ids(loaded):
                logprobs = loaded.model(input_ids=torch.tensor([text])).logits[0].double().log_softmax(-1)
                found.append(float(-(logprobs.exp() * logprobs).sum(-1)[1:-1].mean()))
        for hook in hooks:
            hook.remove()
        return found

    plain, ablated = np.array(entropies(False)), np.array(entropies(True))
    assert np.allclose(probe.plain.entropy, plain, atol=2e-5)
    assert np.allclose(effect.total, ablated - plain, atol=3e-5)
    assert np.abs(effect.total).max() > 3e-4, "an ablation that changes nothing would pass"


@pytest.mark.parametrize("kind", KINDS)
def test_running_the_last_blocks_again_as_they_are_changes_nothing(
    kind: str, loaded_of: Callable[[str], Loaded]
) -> None:
    effect = finished(probe_of(loaded_of(kind)).change([]))
    assert not effect.total.any()
    assert not effect.loss.any()
    assert np.abs(effect.frozen).max() < 1e-5


def test_what_acts_through_the_norms_scale_alone_is_gone_when_it_is_held(loaded_of: Callable[[str], Loaded]) -> None:
    """A coordinate that no word reads: what a neuron writes there moves the scale and nothing else."""
    family = loaded_of("llama").family
    loaded = loading.load_model(family, "chat", Placing("cpu"))
    down = loaded.anatomy.neurons(3)
    with torch.no_grad():
        loaded.anatomy.unembedding.weight[:, 7] = 0
        down.weight[:, 3] = 0
        down.weight[7, 3] = 40.0
        down.weight[:, 4] = 0
    head = Head(loaded)
    block = finished(logit_variance.block(loaded, 3, head.precise, head.norm))
    assert block.variances[3] == pytest.approx(0, abs=1e-12)
    probe = probe_of(loaded)
    through, nothing = finished(probe.change([(3, 3)])), finished(probe.change([(3, 4)]))
    assert abs(through.total.mean()) > 1e-3
    assert np.abs(through.frozen).max() < 1e-5
    assert not nothing.total.any()


def test_means_leave_out_padding_and_beginning_of_text(loaded_of: Callable[[str], Loaded]) -> None:
    loaded = loaded_of("llama")
    texts = ids(loaded)
    found = finished(ablation.mean_activations(loaded, [3], texts))[3]
    caught: list[torch.Tensor] = []
    hook = loaded.anatomy.neurons(3).register_forward_pre_hook(lambda _module, inputs: caught.append(inputs[0][0, 1:]))
    with torch.inference_mode():
        for text in texts:
            loaded.model(input_ids=torch.tensor([text]))
    hook.remove()
    assert torch.allclose(found, torch.cat(caught).mean(0), atol=1e-5)


# ----------------------------------------------------------------------------------------------------------------- choosing


def some_block(layer: int = 3, size: int = 80) -> Block:
    return Block(layer, np.arange(size, dtype=float) + 1, np.arange(size, 0, -1, dtype=float) / 1000)


def test_candidates_are_those_of_least_variance_among_the_large() -> None:
    block = some_block()
    assert sorted(block.quarter) == list(range(60, 80))
    assert block.candidates == list(range(79, 69, -1))
    assert block.ratio(79) == pytest.approx(80 / math.log(0.001))
    matched = block.matched(np.random.default_rng(0))
    assert len(set(matched)) == 10
    assert not set(matched) & set(block.candidates)
    assert min(matched) >= 50, "of like norm"
    assert len(some_block(size=14).matched(np.random.default_rng(0))) == 4, "no more than there are"
    # The candidates are the ten of the largest norms: the next ones are the nearest, in an order in which either half is like the other.
    near = block.nearest(40)
    assert sorted(near) == list(range(30, 70))
    assert abs(np.mean(near[::2]) - np.mean(near[1::2])) < 6
    assert block.nearest(40) == near
    assert len(some_block(size=14).nearest(40)) == 4


def test_overlap_stands_beside_its_chance_level() -> None:
    block = some_block()
    same = neurons.overlap([block], [block])
    assert (same.jaccard, len(same.shared)) == (1.0, 10)
    assert same.p < 0.001
    # Ten of twenty twice: the mean of shared / (20 - shared) over the hypergeometric distribution.
    ways = [math.comb(10, shared) * math.comb(10, 10 - shared) for shared in range(11)]
    expected = sum(count * shared / (20 - shared) for shared, count in enumerate(ways)) / sum(ways)
    assert same.chance == pytest.approx(expected, abs=0.005)
    other = replace(block, variances=block.variances[::-1].copy())
    apart = neurons.overlap([block], [other])
    assert (apart.jaccard, apart.shared, apart.p) == (0.0, (), 1.0)


# -------------------------------------------------------------------------------------------------------------- calibration


def test_calibration_error_is_the_mean_gap_of_the_bins() -> None:
    # Four answers that are .96 sure, of which three are right; six that are .6 sure, all wrong.
    sure = np.array([0.96] * 4 + [0.61] * 6)
    right = np.array([True] * 3 + [False] * 7)
    found = calibration.Calibration(sure, right, 1.0)
    assert found.ece.value == pytest.approx(0.4 * 0.21 + 0.6 * 0.61)
    assert [(each.n, each.right) for each in found.bins] == [(6, 0.0), (4, 0.75)]
    assert found.bins[0].low == pytest.approx(0.6)
    assert found.bins[1].interval == Rate(3, 4).interval
    assert found.brier == pytest.approx((6 * 0.61**2 + 3 * 0.04**2 + 0.96**2) / 10)


def test_a_calibrated_model_has_no_more_error_than_chance() -> None:
    rng = np.random.default_rng(3)
    sure = rng.uniform(0.5, 1, 400)
    honest = calibration.Calibration(sure, rng.random(400) < sure, 1.0)
    vain = calibration.Calibration(np.maximum(sure, 0.95), rng.random(400) < 0.6, 1.0)
    assert honest.ece.value < honest.by_chance[1]
    assert vain.ece.low > vain.by_chance[1]


def test_sureness_is_a_share_of_the_two_answers() -> None:
    found = calibration.of_margins([0.3, -0.1, 0.0], [0.5, 0.2, 0.4], [True, True, False])
    assert found.sure == pytest.approx([0.8, 0.75, 0.5])
    assert found.right.tolist() == [True, False, True]
    assert found.mass == pytest.approx(1.1 / 3)
    with pytest.raises(ValueError, match="at least one"):
        calibration.of_margins([], [], [])


# ------------------------------------------------------------------------------------------------------ base against post


def made(name: str, entropy: float, together: float, through: bool = True, seed: int = 0) -> Confidence:
    """A checkpoint whose candidates act through the scale or do not, and all together change the entropy by ``together``."""
    rng = np.random.default_rng(seed)
    blocks = (some_block(2), some_block(3))
    pairs = tuple((each.layer, neuron) for each in blocks for neuron in each.candidates)
    others = tuple((layer, neuron) for layer in (2, 3) for neuron in range(40, 60))
    noise = rng.normal(0, 0.001, size=(len(others), 50))
    total = np.full((len(pairs), 50), 0.05)
    sets = rng.normal(0, 0.001, size=(20, 50))
    return Confidence(
        blocks,
        Measured(pairs, total, total * (0.1 if through else 0.9), total),
        Measured(others, noise, noise, noise),
        np.zeros(len(pairs)),
        Plain(entropy + rng.normal(0, 0.05, 50), np.ones(50)),
        NeuronEffect(together + rng.normal(0, 0.005, 50), np.zeros(50), np.zeros(50)),
        sets,
        calibration.Calibration(np.array([0.9, 0.6]), np.array([True, False]), 0.8),
        {
            "kind": "neurons",
            "name": "entropy",
            "family": "f",
            "checkpoint": name,
            "blocks": [2, 3],
            "contrast": {"digest": "d"},
        },
    )


@pytest.mark.parametrize(
    ("post", "state"),
    [
        (made("chat", 2.0, 0.0, seed=1), "holds"),
        (made("chat", 2.0, 0.5, seed=1), "does not hold"),
        (made("chat", 2.0, 0.1, seed=1), "inconclusive"),
        (made("chat", 3.0, 0.5, seed=1), "inconclusive: base and post-trained checkpoint do not differ in entropy"),
    ],
    ids=["nothing", "half", "at the margin", "no difference"],
)
def test_what_entropy_neurons_carry_is_judged_by_its_interval(post: Confidence, state: str) -> None:
    pair = CheckpointPair(made("base", 3.0, 0.0), post)
    assert pair.carried_by_none.sentence.startswith(state)
    if state == "does not hold":
        assert pair.before.value - pair.after.value == pytest.approx(pair.carried.value)
        assert pair.share.value == pytest.approx(0.5, abs=0.03)
        assert pair.p == pytest.approx(1 / 21)


def test_without_an_entropy_neuron_nothing_is_concluded_and_controls_do_not_pass() -> None:
    none = CheckpointPair(made("base", 3.0, 0.0, through=False), made("chat", 2.0, 0.0, through=False, seed=1))
    assert none.carried_by_none.state == "inconclusive"
    assert "no entropy neuron" in none.carried_by_none.sentence
    assert compare.exist(none.base).state == "does not hold"
    some = made("base", 3.0, 0.0)
    assert compare.exist(some).state == "holds"
    assert compare.exist_by_chance(some).state == "does not hold"
    assert CheckpointPair(some, some).shared.state == "holds"


def test_a_neuron_that_does_nothing_passes_the_bar_in_one_of_twenty() -> None:
    rng = np.random.default_rng(0)
    some = made("chat", 2.0, 0.0)
    others = tuple((layer, neuron) for layer in (2, 3) for neuron in range(100))
    passed, before = [], []
    for _ in range(200):
        total = np.repeat(rng.normal(0, 1, (len(others), 1)), 2, axis=1)
        found = replace(some, matched=Measured(others, total, np.zeros_like(total), total))
        assert len(found.found_by_chance) == 100, "those that did not set the bar"
        passed += found.found_by_chance
        # As it was: the 95th percentile of twenty, which a new one passes twice as often.
        before.append(abs(total[20, 0]) > np.percentile(abs(total[:20, 0]), 95))
    assert np.mean(passed) <= 0.05
    assert np.mean(before) > 0.055
    # Fewer than twenty to set it: the largest.
    few = replace(
        some,
        matched=Measured(
            ((2, 0), (2, 1), (2, 2)), np.array([[0.1], [9.0], [-0.3]]), np.zeros((3, 1)), np.zeros((3, 1))
        ),
    )
    assert few.bar(2) == pytest.approx(0.3)
    assert few.bar(3) == 0


def test_other_texts_are_not_compared() -> None:
    post = made("chat", 2.0, 0.0)
    other = replace(post, details={**post.details, "contrast": {"digest": "other"}})
    with pytest.raises(compare.ComparisonError, match="other texts"):
        CheckpointPair(made("base", 3.0, 0.0), other)


# ------------------------------------------------------------------------------------------------------ stored and printed


def test_what_is_measured_is_stored_whole(tmp_path: Path) -> None:
    kept = made("chat", 2.0, 0.1)
    path = tmp_path / "neurons.entropy.safetensors"
    confidence.save(kept, path)
    found = confidence.load_confidence(path)
    for name, value in confidence.confidence_tensors(kept).items():
        assert np.allclose(confidence.confidence_tensors(found)[name], value, atol=1e-6), name
    assert found.found == kept.found
    assert found.calibration.mass == kept.calibration.mass
    chosen = load_set(path)
    assert chosen.neurons == kept.candidates.neurons
    assert chosen.layers == (2, 3)
    assert chosen.at(3)[0] == kept.blocks[1].candidates
    assert chosen.means.dtype == np.float32


def test_files_that_are_no_measured_set_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "neurons.mine.safetensors"
    details = {"kind": "neurons", "name": "mine", "family": "f", "checkpoint": "c"}
    store.save_artefact(path, {"neurons": np.zeros((2, 2)), "means": np.zeros(2)}, details)
    assert load_set(path).neurons == ((0, 0), (0, 0))
    with pytest.raises(StoreError, match="no figures"):
        confidence.load_confidence(path)
    store.save_artefact(path, {"neurons": np.zeros((2, 2)), "means": np.zeros(3)}, details)
    with pytest.raises(StoreError, match="do not fit"):
        load_set(path)
    store.save_artefact(path, {"neurons": np.zeros((2, 2))}, {**details, "kind": "direction"})
    with pytest.raises(StoreError, match="holds a direction"):
        load_set(path)


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny family with few examples, and few controls to measure."""
    folder = tiny_models.family(tmp_path / "few", "llama")
    tiny_models.contrast(folder)
    for name in ("SETS", "MATCHED"):
        monkeypatch.setattr(measure, name, 4)
    return folder


def test_the_command_measures_once_and_prints_every_table(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verb("confidence", ["--family", str(few), "--neurons", str(few / "all.csv")]) == 0
    first = capsys.readouterr().out
    for word in ("Entropy-neuron candidates of base", "Calibration", "share", "Verdicts", "counts as none within"):
        assert word in first
    with (few / "all.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 64
    assert sum(row["candidate"] == "yes" for row in rows) == 20
    made_at = {path: path.stat().st_mtime_ns for path in store.user_folder().rglob("neurons.*")}
    assert len(made_at) == 2
    assert verb("confidence", ["--family", str(few), "--format", "csv"]) == 0
    assert {path: path.stat().st_mtime_ns for path in made_at} == made_at, "nothing is measured twice"
    assert "# Verdicts" in capsys.readouterr().out
    one = confidence.stored_confidence(registry.load_family(str(few)), "chat")
    assert one is not None
    assert one.details["texts"] == {"means": 4, "effects": 4}
    assert len(list(tables.reliability_table(one).rows)) >= 1


def test_a_budget_leaves_fewer_texts_that_say_so_and_the_rest_follows(
    few: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measure, "ROUND", 1)
    loaded = loading.load_model(registry.load_family(str(few)), "chat", Placing("cpu"))
    examples = contrast.load_contrast(loaded.family, "truth")
    looks = itertools.count()
    seen: list[Confidence] = []
    notes = measure.confidence_notes(loaded, examples)
    # The budget is looked at after every round, and is a second further on each time.
    budget = Budget(1.5, lambda: float(next(looks)))
    part = finished(measure.measure_confidence(loaded, examples, budget, notes, seen.append))
    assert [len(each.plain.entropy) for each in (*seen, part)] == [1, 2]
    assert "on 2 of 4 texts and 4 of 8 questions" in part.unfinished
    assert part.which == (0, 2), "evenly taken"
    # The comparison with the vocabulary is none of the passes that are remembered.
    steps = [
        step for step in measure.measure_confidence(loaded, examples, None, notes) if step.tokens or step.remembered
    ]
    assert [step.remembered for step in steps[:3]] == [True, True, True]
    whole = finished(measure.measure_confidence(loaded, examples, None, notes))
    assert not whole.unfinished
    monkeypatch.setattr(measure, "ROUND", 64)
    once = finished(measure.measure_confidence(loaded, examples))
    for name, value in confidence.confidence_tensors(once).items():
        assert np.allclose(confidence.confidence_tensors(whole)[name], value, atol=1e-5), name
    # Two are compared on the texts that both have read.
    path = few / "neurons.entropy.safetensors"
    confidence.save(part, path)
    pair = CheckpointPair(confidence.load_confidence(path), whole)
    assert pair.before.n == 2
    assert np.allclose(pair.base.plain.entropy, pair.post.plain.entropy, atol=1e-5)
    assert part.unfinished in list(confidence.confidence_lines(part))
    assert verb("confidence", ["--family", str(few), "--dry-run"]) == 0
    assert "by a trial of every part" in capsys.readouterr().out
    assert not list(store.user_folder().rglob("neurons.*")), "nothing is measured"


def test_precompute_leaves_out_what_a_mixture_of_experts_does_not_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_models.family(tmp_path / "experts", "mixtral", checkpoints=("base",))
    tiny_models.contrast(folder, examples=2)
    verb("precompute", ["--family", str(folder), "--what", "truth,confidence", "--effort", "quick"])
    said = capsys.readouterr().out
    assert "base confidence: left out. Layer 2 is a mixture of experts" in said
    assert "base truth: quick, layer" in said
    with pytest.raises(AnatomyError, match="mixture of experts"):
        verb("precompute", ["--family", str(folder), "--what", "confidence"])


def test_tables_are_read_everywhere() -> None:
    table = Table("A | B", ("name", "n"), (("a|b", "1"), ("<i>", "22"), ("=1+1", "−3")), "A note.")
    assert table.text().splitlines()[2] == "a|b    1"
    assert "| a&#124;b | 1 |" in table.markdown()
    assert "<td>&lt;i&gt;</td>" in table.html()
    assert list(csv.reader(io.StringIO(table.csv())))[3] == ["'=1+1", "-3"]
