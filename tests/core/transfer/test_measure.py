"""The transfer report on tiny random families: exact figures, going on where it was interrupted, and what a person reads of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaConfig

from core.artefacts import store
from core.artefacts.direction import Direction, load_direction
from core.chat.settings import Column, Sampling, Settings
from core.cli import transfer as command
from core.directions import contrast, library
from core.directions.activations import states
from core.engine.engine import Engine
from core.engine.jobs import JobView
from core.engine.transfer_jobs import TransferJobs
from core.errors import TillerError, UsageError
from core.families import registry
from core.families.checkpoint import TEMPLATES, Family
from core.inference import decoding_batches
from core.inference.batch import batch_rows, pad_batch
from core.inference.decoding_batches import Asking
from core.inference.prompts import chat_prompt, encode
from core.models import loading
from core.models.hooks import hooked
from core.models.loading import Loaded
from core.models.memory import Room
from core.models.placement import Placing
from core.recipes.language import parse
from core.steering.interventions import compile_recipe
from core.transfer import alignment, checks, layer_maps, measure, sweep, truth_intervention
from core.transfer import matrix as cells
from core.transfer import report as transfers
from core.transfer import task as tasks
from core.transfer.report import TransferReport
from core.transfer.task import Sizes, TransferTask
from core.transfer.truth_intervention import Judged
from core.util.budget import Budget, estimated
from core.util.progress import finished
from tests.support import tiny_models
from tests.support.command import verb
from tests.support.waiting import wait_for

SIZES = Sizes(statements=4, choosing=3, requests=3, reply=5, controls=2, control_statements=2, control_requests=2)
SHOTS = [("Bread is food.", True), ("Bread is a metal.", False)]


def made(folder: Path, kind: str, names: tuple[str, ...]) -> Family:
    """A random family with directions and examples of its own."""
    tiny_models.family(folder, kind, names)
    tiny_models.contrast(folder, 6)
    for seed, name in enumerate(names):
        for about, offset, where in (("truth", -1, "statement"), ("refusal", -2, "prompt")):
            template = "" if about == "truth" else tiny_models.CHAT if seed else TEMPLATES["plain"][0]
            position = {"offset": offset, "of": where}
            tiny_models.direction(
                folder,
                name,
                about,
                layer=min(1 + seed, tiny_models.LAYERS - 1),
                seed=seed,
                position=position,
                template=template,
            )
    return registry.load_family(str(folder))


class Loader:
    """Loads checkpoints once and remembers which it was asked for."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Loaded] = {}
        self.asked: list[str] = []

    def __call__(self, family: Family, name: str) -> Loaded:
        self.asked.append(name)
        if (family.name, name) not in self.kept:
            self.kept[family.name, name] = loading.load_model(family, name, Placing("cpu"))
        return self.kept[family.name, name]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of these tests: reports are made once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def _at(data: Path, _by_themselves: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLER_DATA", str(data))


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    return made(tmp_path_factory.mktemp("own") / "tiny", "llama", ("base", "chat"))


@pytest.fixture(scope="module")
def wider(tmp_path_factory: pytest.TempPathFactory) -> Family:
    """Another family, of another width and depth."""
    shape = {**tiny_models.configs()["llama"].to_dict(), "hidden_size": 48, "num_hidden_layers": 2, "head_dim": 12}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_models, "configs", lambda: {"llama": LlamaConfig(**shape)})
        patch.setattr(tiny_models, "WIDTH", 48)
        patch.setattr(tiny_models, "LAYERS", 2)
        return made(tmp_path_factory.mktemp("other") / "wide", "llama", ("base", "chat"))


@pytest.fixture(scope="module")
def load() -> Loader:
    return Loader()


def task(family: Family, about: str, other: Family | None = None) -> TransferTask:
    return TransferTask(family, about, store.user_folder(), other, SIZES)


@pytest.fixture(scope="module")
def reports(
    family: Family, load: Loader, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, TransferReport]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TILLER_DATA", str(data))
        patch.setenv("TILLER_CACHE", str(tmp_path_factory.mktemp("cache")))
        return {about: finished(measure.transfer_in_slices(task(family, about), load)) for about in tasks.ABOUT}  # type: ignore[arg-type]


# --------------------------------------------------------------------------------------------------------------- reading


def test_a_reading_is_what_one_prompt_at_a_time_gives(family: Family, load: Loader) -> None:
    loaded, examples = load(family, "chat"), contrast.load_contrast(family, "truth")
    texts = alignment.texts_of(examples)
    prompts = alignment.transfer_prompts(loaded, "truth", texts.texts)
    found = finished(alignment.read_states(loaded, prompts, -1, alignment.weights(texts), rows=5))
    single = torch.cat([states(loaded, [prompt], 1) for prompt in prompts])[:, 0].double().numpy()
    expected = single[texts.learn & texts.labels].mean(0) - single[texts.learn & ~texts.labels].mean(0)
    np.testing.assert_allclose(found.vectors, expected, rtol=1e-5, atol=1e-5)
    # Six positive and six negative ones to learn from give six blocks of one each.
    np.testing.assert_allclose(found.rows["blocks"].mean(0), expected, rtol=1e-4, atol=1e-4)
    left_out = (texts.fold != 1) & texts.labels
    np.testing.assert_allclose(found.rows["positive"][1], single[left_out].mean(0), rtol=1e-5, atol=1e-5)


def test_shuffled_labels_say_nothing_of_the_true_ones(family: Family) -> None:
    texts = alignment.texts_of(contrast.load_contrast(family, "truth"))
    shuffled = alignment.weights(texts)["shuffled"]
    assert (shuffled[:, ~texts.learn] == 0).all()
    np.testing.assert_allclose([rows[rows > 0].sum() for rows in shuffled], 1)
    # In states of which nothing is known but the class, such a direction sees next to nothing, whichever way it was dealt.
    told = shuffled @ np.where(texts.labels, 1.0, -1.0)
    most = 2 * len(np.unique(texts.fold)) / texts.learn.sum()
    assert np.abs(told).max() <= 2 * most
    assert len({rows.tobytes() for rows in shuffled}) > 1


def test_a_probe_has_never_seen_the_category_it_is_tried_on(family: Family, load: Loader) -> None:
    loaded, examples = load(family, "chat"), contrast.load_contrast(family, "truth")
    texts = alignment.texts_of(examples)
    prompts = alignment.transfer_prompts(loaded, "truth", texts.texts)
    reading = finished(alignment.read_states(loaded, prompts, -1, alignment.weights(texts), rows=64))
    hits, recentred = finished(alignment.probed(loaded, prompts, -1, texts, [reading], reading, rows=7))
    single = states(loaded, prompts, 1)[:, 0].double().numpy()
    for layer in range(loaded.anatomy.layers):
        right = 0
        for index in range(len(prompts)):
            others = texts.fold != texts.fold[index]
            positive, negative = (single[others & side, layer].mean(0) for side in (texts.labels, ~texts.labels))
            said = (single[index, layer] - (positive + negative) / 2) @ (positive - negative) > 0
            right += said == texts.labels[index]
        assert hits[0, :, layer].sum() == right
    np.testing.assert_array_equal(hits, recentred)


def test_many_categories_are_left_out_in_groups() -> None:
    names = [f"thing {index // 2}" for index in range(100)]
    found = alignment.folds(names)
    assert found.max() + 1 == alignment.FOLDS
    assert all(found[index] == found[index + 1] for index in range(0, 100, 2))


def reading(vectors: np.ndarray[Any, Any], noise: float, seed: int = 0) -> alignment.ProbeReading:
    """A reading of one layer whose whole is ``vectors`` with noise; of the 20 blocks each has its own."""
    rng = np.random.default_rng(seed)
    blocks = vectors[None, None] + noise * np.sqrt(20) * rng.standard_normal((20, 1, len(vectors)))
    shuffled = rng.standard_normal((400, 1, len(vectors)))
    return alignment.ProbeReading({"full": blocks.mean(0, keepdims=True), "blocks": blocks, "shuffled": shuffled})


def test_the_ceiling_is_what_noise_leaves_and_the_null_what_chance_gives() -> None:
    vector = np.random.default_rng(1).standard_normal(400)
    vector *= 20 / np.linalg.norm(vector)
    clear, blurred = reading(vector, 0.01), reading(vector, 1.0)
    assert alignment.ceiling(clear, clear)[0] == pytest.approx(1, abs=1e-3)
    # A vector of length 20 with noise of length 20: two of them have the cosine 1/2 in the mean.
    assert alignment.direction_reliability(blurred)[0] == pytest.approx(0.5, abs=0.05)
    assert alignment.ceiling(clear, blurred)[0] == pytest.approx(np.sqrt(0.5), abs=0.05)
    # The 95th percentile of |cosine| of a random direction in 400 dimensions is 1.96 / 20.
    assert alignment.null(clear, clear)[0] == pytest.approx(0.098, abs=0.015)
    low, high = alignment.interval(clear, clear, 0, 1.0)
    assert low == pytest.approx(1, abs=1e-3)
    assert high == 1


def test_a_cosine_is_freed_of_noise_also_of_that_which_the_same_texts_bring_to_both() -> None:
    vector = np.random.default_rng(1).standard_normal(400)
    vector *= 20 / np.linalg.norm(vector)
    one, same, other = reading(vector, 1.0), reading(vector, 1.0), reading(vector, 1.0, seed=7)
    assert alignment.cosine(one.vectors, same.vectors)[0] == pytest.approx(1), "all noise is shared"
    for found in (alignment.freed_cosine(one, same, 0), alignment.freed_cosine(one, other, 0)):
        assert found.value == pytest.approx(1, abs=0.1)
        # Of two that are the same nothing is left but rounding, which is another one on every processor.
        assert found.low <= 1 + 1e-9
        assert found.high >= 1 - 1e-9


def by_subject(reliability: float, groups: bool) -> float:
    """What is found of a direction of known reliability, from statements of which a subject has four: two true ones, two false ones.

    What a subject has in common is a hundred times as large as the direction; taken by subject, it falls out of every difference.
    """
    rng = np.random.default_rng(5)
    count, width = 80, 200
    labels, subject = np.tile([True, False, True, False], count), np.repeat(np.arange(count), 4)
    fold = alignment.folds([f"kind {each % 8}" for each in subject])
    texts = alignment.Texts(
        tuple(map(str, range(4 * count))),
        labels,
        np.ones(4 * count, bool),
        fold,
        subject if groups else np.arange(4 * count),
    )
    # The whole difference is a vector of length 1 with noise of variance 4 size² / (4 count) in each coordinate.
    size = np.sqrt((1 / reliability - 1) * count / width)
    vector = rng.standard_normal(width)
    states = np.where(labels, 0.5, -0.5)[:, None] * vector / np.linalg.norm(vector)
    states = (
        states
        + size * rng.standard_normal((4 * count, width))
        + 10 * size * rng.standard_normal((count, width))[subject]
    )
    rows = {name: (each @ states)[:, None] for name, each in alignment.weights(texts).items()}
    return float(alignment.direction_reliability(alignment.ProbeReading(rows))[0])


@pytest.mark.parametrize("reliability", [0.5, 0.9])
def test_the_reliability_of_a_direction_is_that_of_its_groups(reliability: float) -> None:
    assert by_subject(reliability, groups=True) == pytest.approx(reliability, abs=0.1)
    assert by_subject(reliability, groups=False) < 0.2, "taken singly, what subjects have in common drowns it"


def test_one_huge_coordinate_does_not_carry_a_winsorised_cosine() -> None:
    rng = np.random.default_rng(2)
    one, other = rng.standard_normal(400), rng.standard_normal(400)
    one[7] = other[7] = 500
    assert alignment.cosine(one, other) > 0.95
    assert abs(alignment.cosine(alignment.winsorised(one), alignment.winsorised(other))) < 0.2


# -------------------------------------------------------------------------------------------------------- truth is pushed


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gemma3"])
def test_verdicts_are_what_a_forward_pass_gives_with_the_vector_at_the_end(tmp_path: Path, kind: str) -> None:
    """Read in a batch behind a beginning that is computed once (Gemma's windows: not), against one whole prompt at a time."""
    loaded = loading.load_model(
        registry.load_family(str(tiny_models.family(tmp_path / kind, kind, ("base",)))), "base", Placing("cpu")
    )
    texts = ["Bread is food.", "Lodz is a city in Poland.", "A whale is a metal."]
    asked = truth_intervention.few_shot_prompts(loaded, texts, SHOTS)
    vector = np.random.default_rng(3).standard_normal(tiny_models.WIDTH).astype(np.float32)
    found = finished(
        truth_intervention.verdicts(loaded, asked, [truth_intervention.steering_edit(vector, 2)] * len(asked))
    )
    for index, each in enumerate(asked):
        chances = [_chance(loaded, each, label, vector) for label in each.labels]
        assert found.margin[index] == pytest.approx(chances[0] - chances[1], abs=1e-5)
        assert found.mass[index] == pytest.approx(sum(chances), abs=1e-5)
        assert loaded.tokenizer.decode([*each.head, *each.tail]).endswith(f"{texts[index]} This statement is:")
        assert loaded.tokenizer.decode(each.tail).endswith(". This statement is:")


def _chance(loaded: Loaded, each: Judged, label: tuple[int, ...], vector: np.ndarray[Any, Any]) -> float:
    """P(label) with the vector added from the statement's last token on, by one plain forward pass."""
    ids = torch.tensor([[*each.head, *each.tail, *label]])

    def add(residual: torch.Tensor) -> torch.Tensor:
        new = residual.clone()
        new[:, len(each.head) :] += torch.from_numpy(vector)
        return new

    with torch.inference_mode(), hooked(loaded.anatomy, {("resid_post", 2): add}):
        logprobs = loaded.model(input_ids=ids).logits[0].double().log_softmax(-1)
    start = len(each.head) + len(each.tail)
    return float(sum(logprobs[start + place - 1, token] for place, token in enumerate(label)).exp())  # type: ignore[union-attr]


def test_the_effect_and_the_flips_of_a_push() -> None:
    plain = truth_intervention.Verdicts((0.8, 0.6, -0.2), (1.0, 1.0, 1.0))
    pushed = truth_intervention.Verdicts((-0.5, 0.1, -0.9), (0.9, 0.9, 0.9))
    assert truth_intervention.normalised_effect(plain, pushed, towards=False) == pytest.approx(
        (-1.3 / 3 - 0.4) / (-1 - 0.4)
    )
    # Two statements were called true; one of them is called false now.
    assert truth_intervention.flips(plain, pushed, towards=False) == transfers.Rate(1, 2)
    assert truth_intervention.mass_left(plain, pushed) == pytest.approx(0.9)
    broken = truth_intervention.Verdicts((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    assert (
        truth_intervention.normalised_effect(
            truth_intervention.Verdicts((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), broken, towards=True
        )
        == 0
    )


def test_strengths_at_equal_norm_and_at_equal_projection() -> None:
    own, other = np.array([3.0, 0.0]), np.array([0.6, 0.8])
    made = sweep.scaled(other, own, 2.0)
    assert np.linalg.norm(made["norm"]) == pytest.approx(6)
    assert made["projection"] @ own / 3 == pytest.approx(6)
    # With a cosine of .1 ten times the norm would be needed.
    assert set(sweep.scaled(np.array([0.1, 1.0]), own, 2.0)) == {"norm"}
    assert sweep.scaled(np.zeros(2), own, 2.0) == {}


# ---------------------------------------------------------------------------------------------------------------- batches


def test_a_batch_with_several_edits_says_what_each_prompt_says_alone(family: Family, load: Loader) -> None:
    loaded = load(family, "chat")
    prompts = [chat_prompt(loaded, text) for text in ("Hi", "How do I bake bread?", "Name a colour.")]
    direction = load_direction(store.artefact_path(family.folder.parent, family.name, "chat", "direction", "truth"))
    recipes = ["", "2*truth", "-3*truth[1]", "!truth"]
    edits = [compile_recipe(parse(recipe), loaded, lambda _name, _source: direction) for recipe in recipes]
    asked = [Asking(prompt, each) for each in edits for prompt in prompts]
    sampling = Sampling(max_new_tokens=6)
    said = [each.text for each in finished(decoding_batches.answer_all(loaded, asked, sampling, rows=5))]
    alone = [finished(decoding_batches.answer_all(loaded, [each], sampling))[0].text for each in asked]
    assert said == alone
    assert len(set(said)) > 3
    assert finished(decoding_batches.answer_all(loaded, [], sampling)) == []


def test_the_program_takes_fewer_rows_where_memory_is_short(
    family: Family, load: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load(family, "chat")
    assert decoding_batches.rows_at_once(loaded, 100) == batch_rows(loaded)
    # 4 layers, 2 heads of 8, keys and values, 100 tokens in float32; 320 logits three times.
    row = 2 * 4 * 2 * 8 * 100 * 4 + 3 * 4 * 320
    monkeypatch.setattr("core.models.memory.room", lambda *_: Room({"cpu": 0}, 4 * 10 * row))
    assert decoding_batches.rows_at_once(loaded, 100) == 10
    monkeypatch.setattr("core.models.memory.room", lambda *_: Room({"cpu": 0}, 0))
    assert decoding_batches.rows_at_once(loaded, 100) == 1


# ---------------------------------------------------------------------------------------------------------------- report


def test_a_report_has_every_cell_with_controls(reports: dict[str, TransferReport], family: Family) -> None:
    truth, refusal = reports["truth"], reports["refusal"]
    for report in (truth, refusal):
        assert report.sources == report.targets == ("base", "chat")
        for name in report.targets:
            own = report.cell(name, name)
            assert own.cosine == pytest.approx(1)
            assert own.layer == report.target(name).layer
            assert own.probe.n == len(contrast.load_contrast(family, report.kind).items)
            assert set(report.profile("base", name)) >= {"cosine", "ceiling", "null", "probe"}
            assert all(len(rates) == SIZES.controls for rates in report.target(name).controls.values())
    kinds = {"shuffled", "isotropic", "spread"}
    assert set(truth.target("chat").controls) == kinds == set(truth.target("chat").along)
    assert set(refusal.target("chat").controls) == {f"{what} {kind}" for what in ("added", "ablated") for kind in kinds}
    assert set(truth.target("chat").compared) == {"base", "chat"}
    assert truth.cell("chat", "chat").pushed["norm"].less is None
    assert refusal.cell("base", "chat").kept_less is not None
    assert refusal.cell("base", "chat").added["norm"].n == SIZES.requests
    assert refusal.target("chat").plain["harmful"].n == SIZES.requests
    assert np.isnan(truth.cell("base", "chat").shared)
    assert not np.isnan(refusal.cell("base", "chat").shared)


def test_a_cell_says_the_recipe_that_does_what_it_measured(
    reports: dict[str, TransferReport], family: Family, load: Loader
) -> None:
    cell = reports["refusal"].cell("base", "chat")
    known = reports["refusal"].target("chat")
    (edit,) = compile_recipe(
        parse(cell.recipe), load(family, "chat"), lambda _name, source: direction(family, source, "refusal")
    )
    own = direction(family, "chat", "refusal")
    assert edit.site == ("resid_post", own.card.layer)
    assert np.linalg.norm(edit.vector) == pytest.approx(known.strength * own.gap(own.card.layer), rel=0.01)
    assert alignment.cosine(edit.vector, direction(family, "base", "refusal").vectors[own.card.layer]) == pytest.approx(
        1
    )
    assert reports["truth"].cell("base", "chat").recipe.startswith("-")


def direction(family: Family, checkpoint: str, about: str) -> Direction:
    path = store.find_artefact(family.places, checkpoint, "direction", about)
    assert path is not None
    return load_direction(path)


def test_a_report_is_kept_as_long_as_it_belongs_to_what_is_there(
    reports: dict[str, TransferReport], family: Family, tmp_path: Path
) -> None:
    there = task(family, "truth")
    assert tasks.fresh(there) is not None
    assert tasks.fresh(replace(there, sizes=replace(SIZES, controls=3))) is None
    assert set(transfers.there(family)) == {("truth", ""), ("refusal", "")}
    card = direction(family, "base", "truth")
    changed = store.artefact_path(store.user_folder(), family.name, "base", "direction", "truth")
    tensors = {"vectors": 2 * card.vectors, "positive": card.positive, "negative": card.negative}
    store.save_artefact(changed, tensors, card.card.details)
    assert tasks.fresh(there) is None
    changed.unlink()
    assert tasks.fresh(there) is not None
    whole = there.path.read_bytes()
    there.path.write_bytes(whole[:-20])
    assert tasks.fresh(there) is None
    there.path.write_bytes(whole)


def test_work_goes_on_where_it_was_interrupted(reports: dict[str, TransferReport], family: Family) -> None:
    again = replace(task(family, "truth"), sizes=replace(SIZES, controls=1), root=store.user_folder() / "elsewhere")
    first = Loader()
    work = measure.transfer_in_slices(again, first)
    for step in work:
        if "controls on base" in step.sentence:
            break
    work.close()
    # The final checkpoint comes first, and then its root: what is there of them can be read.
    assert "1 of 2 checkpoints with all their controls" in transfers.load_report(again.path).unfinished
    second = Loader()
    new = {step.sentence for step in measure.transfer_in_slices(again, second) if not step.remembered}
    # What the base was asked before is not asked again, nor is anything read again.
    assert new == {"Trying controls on base."}
    found = transfers.load_report(again.path)
    assert not found.unfinished
    for source in found.sources:
        assert found.cell(source, "chat") == reports["truth"].cell(source, "chat")


def test_a_start_that_is_another_in_one_checkpoint_is_told(
    reports: dict[str, TransferReport], family: Family, load: Loader
) -> None:
    found = reports["truth"]
    assert found.card.details["starts"] == {name: load(family, name).start for name in found.targets}
    assert found.cautions == []
    assert reports["refusal"].card.details["starts"] == {}, "chats begin as their template says"
    details = {**found.card.details, "starts": {"base": "<s>", "chat": ""}}
    other = replace(found, card=replace(found.card, details=details))
    (said,) = other.cautions
    assert "(base with <s>; chat with nothing)" in said
    assert said in "\n".join(command.lines(other, ("base", "chat")))
    # What is not known of one, since an earlier version read it, is no difference.
    known = replace(found, card=replace(found.card, details={**found.card.details, "starts": {"base": "<s>"}}))
    assert known.cautions == []


class _Clock:
    """A clock on which every look is a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_a_budget_leaves_fewer_cells_that_say_so_and_the_rest_follows(
    reports: dict[str, TransferReport], family: Family, load: Loader
) -> None:
    for about in tasks.ABOUT:
        there = replace(task(family, about), root=store.user_folder() / "timed")
        with pytest.raises(TillerError, match="read on 0 of 2 checkpoints"):
            finished(measure.transfer_in_slices(there, load, Budget(0.5, _Clock())))
        # Looked at before both readings, the first target, and the first of its two cells.
        part = finished(measure.transfer_in_slices(there, load, Budget(4.5, _Clock())))
        assert "1 of 4 cells are steered, 0 of 2 checkpoints" in part.unfinished
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transfers, "find_report", lambda *_, found=part: found)
            assert tasks.fresh(there) is None, "it goes on"
            assert not cells.stale(there), "and says so itself"
        own, other = part.cell("chat", "chat"), part.cell("base", "chat")
        whole = reports[about]
        assert own.steered
        assert not other.steered
        assert not other.pushed
        assert not other.added
        assert own == whole.cell("chat", "chat"), "what is told is what the whole says"
        assert part.cell("base", "base").cosine == whole.cell("base", "base").cosine
        assert part.steered == ("chat",)
        assert ("steering", "not measured yet; measured again, chat is steered by it") in cells.describe_cell(
            part, "base", "chat"
        )
        with pytest.raises(TillerError, match="not steered by the direction of base yet"):
            cells.try_in_chat(Settings("tiny", (Column("chat"),)), part, "base", "chat")
        assert {each.verdict for each in checks.checks(part)} <= {"inconclusive", "does not hold"}
        assert any("not measured yet" in each.what for each in checks.checks(part)[0].parts)
        assert all("nan" not in line for line in command.lines(part, ("base", "chat")))
        full = finished(measure.transfer_in_slices(there, load))
        assert not full.unfinished
        assert {key: full.card.details[key] for key in ("cells", "of_targets")} == {
            key: whole.card.details[key] for key in ("cells", "of_targets")
        }
        assert estimated(measure.transfer_phases(there, load), _Clock()) > 0


def test_what_cannot_be_carried_is_said(reports: dict[str, TransferReport], family: Family, tmp_path: Path) -> None:
    bare = registry.load_family(str(tiny_models.family(tmp_path / "bare", "llama", ("base", "chat"))))
    tiny_models.contrast(bare.folder)
    missing = r"base has no direction 'truth' to carry; learn it first, in Library "
    missing += r".on the command line: `python launch\.py precompute --family"
    with pytest.raises(TillerError, match=missing):
        next(measure.transfer_in_slices(task(bare, "truth"), Loader()))
    path = task(family, "truth").path
    with pytest.raises(TillerError, match="not a direction"):
        load_direction(path)
    with pytest.raises(TillerError, match="not a transfer report"):
        transfers.load_report(store.artefact_path(family.folder.parent, family.name, "base", "direction", "truth"))


# ------------------------------------------------------------------------------------------------------- between families


def test_a_rotation_is_found_and_noise_is_not() -> None:
    rng = np.random.default_rng(5)
    source = rng.standard_normal((300, 12))
    turn = np.linalg.qr(rng.standard_normal((12, 12)))[0]
    parts = {name: np.arange(300) % 3 == place for place, name in enumerate(("train", "validation", "test"))}
    matrix, offset, how, _, told = layer_maps.fit_map(source, 2.5 * source @ turn.T + 7, parts)
    assert how == "Procrustes"
    assert told == pytest.approx(1)
    np.testing.assert_allclose(matrix, 2.5 * turn, atol=1e-8)
    np.testing.assert_allclose(source @ matrix.T + offset, 2.5 * source @ turn.T + 7, atol=1e-8)
    assert layer_maps.fit_map(source, rng.standard_normal((300, 12)), parts)[4] < 0.1
    wide = rng.standard_normal((20, 12))
    matrix, _, how, _, told = layer_maps.fit_map(source, source @ wide.T, parts)
    assert how.startswith("ridge")
    assert told > 0.999
    np.testing.assert_allclose(matrix, wide, atol=0.02)


def test_models_read_the_same_places_whatever_their_tokens(family: Family, wider: Family, load: Loader) -> None:
    one, other = load(family, "chat"), load(wider, "chat")
    found = layer_maps.residual_pairs(one, other, [contrast.load_contrast(family, "truth")])
    assert {each.split for each in found.points} == {"train", "validation", "test"}
    for each in found.points[:40]:
        texts = [
            loaded.tokenizer.decode(ids[each.text][: at + 1])
            for loaded, ids, at in ((one, found.source, each.source), (other, found.target, each.target))
        ]
        assert texts[0] == texts[1]
    read = finished(layer_maps.residuals(one, found.source, [(each.text, each.source) for each in found.points[:9]]))
    for row, each in enumerate(found.points[:9]):
        alone = states(one, [found.source[each.text][: each.source + 1]], 1)[0, 0].numpy()
        np.testing.assert_allclose(read[row], alone, atol=1e-4)
    assert [layer_maps.candidate_layers(layer, 4, 3) for layer in range(4)] == [[0, 1], [1, 0, 2], [1, 0, 2], [2, 1]]


def test_another_familys_direction_is_mapped_and_steers(family: Family, wider: Family, load: Loader) -> None:
    report = finished(measure.transfer_in_slices(task(family, "refusal", wider), load))
    assert report.sources == ("base", "chat", "wide/base", "wide/chat", "wide/base untrained", "wide/chat untrained")
    assert report.other == "wide"
    assert cells.opening(report) == ("wide/chat", "chat")
    told = report.maps()["wide/chat>chat"]
    assert len(told["r2"]) == tiny_models.LAYERS
    assert all(method.startswith("ridge") for method in told["methods"])
    assert dict(cells.describe_cell(report, "wide/chat", "chat"))["map"].startswith("R² ")
    cell = report.cell("wide/chat", "chat")
    # The map is tried on what means nothing, too: directions from shuffled labels, and a source that has learnt nothing.
    kind = "added mapped:wide/chat"
    assert len(report.target("chat").controls[kind]) == len(report.target("chat").controls["added isotropic"])
    assert cell.beyond_untrained is not None
    assert report.cell("wide/chat untrained", "chat").recipe == ""
    (check,) = [each for each in checks.checks(report) if (each.base, each.post) == ("wide/chat", "chat")]
    assert [part.what.partition(", ")[2] for part in check.parts] == [
        "harmless requests refused above the controls', p",
        "harmless requests refused, less that of wide/chat with nothing learnt",
    ]
    assert "directions of wide/chat from shuffled labels, mapped" in check.parts[0].test
    recipe = parse(cell.recipe)
    assert recipe.terms[0].source == "wide/chat"

    engine = Engine(str(family.folder), device="cpu")
    assert engine.explain(recipe, "chat").endswith("mapped from wide/chat")
    missing = r"No direction 'truth' of wide/chat was mapped into chat; run `python launch\.py transfer truth --family \S+ --from wide`"
    with pytest.raises(TillerError, match=missing):
        engine.explain(parse("truth@wide/chat"), "chat")
    with pytest.raises(TillerError, match=r"There is no family 'skif' \(did you mean skiff\?\)"):
        engine.explain(parse("truth@skif/chat"), "chat")

    def fetch(name: str, source: str) -> Direction:
        path = store.find_artefact(family.places, source, "direction", name)
        assert path is not None
        return load_direction(path)

    (edit,) = compile_recipe(recipe, load(family, "chat"), fetch)
    own = direction(family, "chat", "refusal")
    strength = report.target("chat").strength
    assert np.linalg.norm(edit.vector) == pytest.approx(strength * own.gap(own.card.layer), rel=0.01)
    (other,) = compile_recipe(parse("refusal@wide/chat"), load(family, "base"), fetch)
    assert other.site == ("resid_post", direction(family, "base", "refusal").card.layer)


def test_what_came_from_another_family_is_offered_told_stale_and_measured_again(
    family: Family,
    wider: Family,
    load: Loader,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setenv("TILLER_DATA", str(tmp_path))
    assert tasks.choices(family) == ("truth", "refusal")
    finished(measure.transfer_in_slices(task(family, "truth", wider), load))
    assert tasks.choices(family) == ("truth", "refusal", "truth from wide")
    listed = {each.title: each.row[:4] for each in library.entries(family) if each.checkpoint == "shared"}
    assert listed["truth (transfer from wide, yours)"] == ("truth", "transfer", "shared", "from wide")
    mapped = ("truth", "direction", "→ base", "mapped from wide/chat")
    assert listed["truth (direction of wide/chat for base, yours)"] == mapped
    assert tasks.parted("truth from wide") == ("truth", "wide")
    assert tasks.parted("truth") == ("truth", "")

    monkeypatch.setattr(tasks.TransferTask, "__init__", _small(tasks.TransferTask.__init__))
    engine = Engine(str(family.folder), device="cpu")
    engine.start()
    request.addfinalizer(engine.close)
    carrying = engine.transfers
    # A family that was named by its folder is not found by its name: nothing is said of its report, and a wish to measure says what to do.
    assert carrying.stale("truth from wide") == ""
    assert settled(carrying, "truth from wide").said.startswith("There is no family 'wide'")
    known = registry.load_family
    monkeypatch.setattr(registry, "load_family", lambda name: wider if name == "wide" else known(name))
    assert carrying.stale("truth from wide") == ""
    monkeypatch.setattr(tasks, "MAPPED_VERSION", tasks.MAPPED_VERSION + 1)
    assert "measure again" in carrying.stale("truth from wide")
    before = transfers.find_report(family, "truth", "wide")
    assert settled(carrying, "truth from wide").state == "done"
    after = transfers.find_report(family, "truth", "wide")
    assert before is not None
    assert after is not None
    assert after.sources == before.sources
    np.testing.assert_allclose(after.profiles["cosine"], before.profiles["cosine"], atol=1e-4)
    assert carrying.stale("truth from wide") == ""


def settled(carrying: TransferJobs, choice: str) -> JobView:
    """How measuring one of the choices ends."""
    carrying.start(choice)
    wait_for(lambda: (view := carrying.view(choice)) is not None and view.over)
    view = carrying.view(choice)
    assert view is not None
    return view


# ---------------------------------------------------------------------------------------------------------- command line


def test_the_command_prints_measures_once_and_remembers(
    reports: dict[str, TransferReport],
    family: Family,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tasks.TransferTask, "__init__", _small(tasks.TransferTask.__init__))
    file = tmp_path / "out.json"
    arguments = ["--family", str(family.folder), "--device", "cpu", "--threads", "1", "--json", str(file)]
    assert verb("transfer", arguments) == 0
    said = capsys.readouterr().out
    finding = "The refusal direction differs and transfers forward only in part (base, chat)"
    for wanted in (
        "truth: there already",
        "NIE, equal norm",
        "layers of base → chat",
        "flip rate above the controls'",
        finding,
    ):
        assert wanted in said
    with pytest.raises(UsageError, match="--source takes base, chat, not 'sft'"):
        verb("transfer", [*arguments, "--source", "sft"])
    documents = json.loads(file.read_text("utf-8"))
    assert [each["about"] for each in documents] == ["truth", "refusal"]
    assert {check["verdict"] for each in documents for check in each["checks"]} <= {
        "holds",
        "does not hold",
        "inconclusive",
    }
    assert len(documents[0]["cells"]) == 4


def _small(init: Any) -> Any:
    """Tasks of the sizes of these tests."""

    def __init__(self: TransferTask, *arguments: Any, **named: Any) -> None:
        init(self, *arguments, **{"sizes": SIZES, **named})

    return __init__


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--recipe", "truth"], "leave --recipe out"),
        (["--quantize", "4bit"], "leave --quantize out"),
        (["--from", "skiff"], "another family than skiff"),
        (["politeness"], "truth and refusal, not 'politeness'"),
    ],
)
def test_mistakes_on_the_command_line(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        verb("transfer", arguments)


def test_one_checkpoint_is_told_what_there_would_be_to_carry(tmp_path: Path) -> None:
    alone = tiny_models.family(tmp_path / "alone", "llama", ("chat",), plain_base=False)
    with pytest.raises(TillerError, match="start with the model that it was trained from, too"):
        verb("transfer", ["--family", str(alone)])


def test_encode_of_statements_begins_with_bos(family: Family, load: Loader) -> None:
    loaded = load(family, "chat")
    (prompt,) = alignment.transfer_prompts(loaded, "truth", ["Bread is food."])
    assert prompt == encode(loaded, "<s>Bread is food.")
    assert pad_batch(loaded, [prompt]).masks["all"][0, 0, 0] == 0  # type: ignore[index]
