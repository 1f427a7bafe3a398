"""Learning directions: the means of the plain definition, the rules that choose a layer, and what precompute leaves on disk."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor

import core.directions.activations
from core.artefacts import store
from core.artefacts.direction import Direction, load_direction
from core.chat import answers
from core.directions import contrast, controls, reply_rates
from core.directions.activations import states
from core.directions.candidate import STRENGTHS, measure_dose_response
from core.directions.contrast import ContrastError, ContrastSet
from core.directions.learn import learn_cost, learn_in_slices
from core.directions.learn_refusal import MOST_POSITIONS, _followed, _refusal_choice, template_end
from core.directions.learn_truth import _truth_choice
from core.engine.engine import Engine
from core.errors import TillerError, UsageError
from core.families import registry
from core.families.checkpoint import FamilyError
from core.inference import metrics
from core.inference.prompts import chat_prompt, encode
from core.inference.teacher_forcing import reply_logits
from core.models import loading
from core.models.loading import Loaded
from core.models.placement import Placing
from core.recipes.language import parse
from core.steering.interventions import compile_recipe
from core.util.progress import Pace, Slices, finished
from core.util.resume import ResumeNotes
from tests.support import tiny_models
from tests.support.command import verb

T = TypeVar("T")
UNRELATED = ("Hello", "What is bread?")


@pytest.fixture(scope="module", autouse=True)
def _quickly() -> Iterator[None]:
    """Fewer controls; what they are is tested in test_learn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(controls, "CONTROLS", 2)
        patch.setattr(reply_rates, "REPLY_TOKENS", 4)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tiny_models.family(tmp_path_factory.mktemp("directions") / "toy", "llama", ("chat",), plain_base=False)
    tiny_models.contrast(made, examples=2)
    with (made / "family.toml").open("a", encoding="utf-8") as file:
        file.write('[[example]]\ntitle = "Steer"\nmessage = "What is bread?"\nrecipe = "1*truth"\n')
    return made


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Loaded:
    return loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu"))


@pytest.fixture(scope="module")
def written(folder: Path) -> str:
    """What precompute says when it learns everything and writes it beside family.toml."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert verb("precompute", [*arguments(folder), "--ship"]) == 0
    return said.getvalue()


@pytest.fixture(scope="module")
def learnt(folder: Path, written: str) -> dict[str, Direction]:
    assert written
    paths = {
        kind: store.artefact_path(folder.parent, "toy", "chat", "direction", kind) for kind in ("truth", "refusal")
    }
    return {kind: load_direction(path) for kind, path in paths.items()}


def arguments(folder: Path) -> list[str]:
    return ["--family", str(folder), "--device", "cpu", "--threads", "1"]


def set_of(loaded: Loaded, kind: str) -> ContrastSet:
    return contrast.load_contrast(loaded.family, kind)


@torch.inference_mode()
def residuals(loaded: Loaded, ids: tuple[int, ...], offset: int) -> Tensor:
    """The residual leaving every layer at one token of one unpadded prompt: [layers, width], read with hooks of our own."""
    caught: list[Tensor] = []
    handles = [
        block.register_forward_hook(lambda _m, _i, out: caught.append(out[0, offset].double()))
        for block in loaded.model.model.layers  # type: ignore[attr-defined]
    ]
    loaded.model(torch.tensor([list(ids)]))
    for handle in handles:
        handle.remove()
    return torch.stack(caught)


def plain_mean(loaded: Loaded, prompts: list[tuple[int, ...]], offset: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    total = sum(residuals(loaded, ids, offset) for ids in prompts)
    assert isinstance(total, Tensor)
    return (total / len(prompts)).numpy()


@pytest.mark.parametrize("kind", ["truth", "refusal"])
def test_means_are_those_of_one_prompt_after_the_other(kind: str, loaded: Loaded, learnt: dict[str, Direction]) -> None:
    direction = learnt[kind]
    examples = set_of(loaded, kind)
    if kind == "truth":
        read, offset = (lambda text: encode(loaded, "<s>" + text)), -1
    else:
        read, offset = (lambda text: chat_prompt(loaded, text)), direction.card.details["position"]["offset"]
    means = {
        label: plain_mean(loaded, [read(text) for text in examples.part("train", label)], offset)
        for label in (True, False)
    }
    for own, wanted in (
        (direction.positive, means[True]),
        (direction.negative, means[False]),
        (direction.vectors, means[True] - means[False]),
    ):
        assert own.dtype == np.float32
        assert np.abs(own - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("padding", [0.0, 0.9])
def test_states_of_prompts_of_unequal_length(loaded: Loaded, padding: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.directions.activations, "PADDING", padding)
    prompts = [chat_prompt(loaded, text) for text in ("Hi", "What is the capital of France, please?", "Why?")]
    found = states(loaded, prompts, positions=3, rows=2)
    assert found.shape == (3, 3, tiny_models.LAYERS, tiny_models.WIDTH)
    for prompt, own in zip(prompts, found, strict=True):
        for offset in (-3, -2, -1):
            assert torch.allclose(own[offset].double(), residuals(loaded, prompt, offset), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("rows", "padding"), [(64, 0.1), (8, 0.1), (64, 0.0), (5, 0.9)])
def test_prompts_of_about_the_same_length_are_read_together(rows: int, padding: float, monkeypatch: Any) -> None:
    monkeypatch.setattr(core.directions.activations, "PADDING", padding)
    lengths = np.random.default_rng(0).integers(3, 60, size=200).tolist()
    batches = core.directions.activations._alike(lengths, rows)
    assert sorted(index for batch in batches for index in batch) == list(range(200))
    for batch in batches:
        own = [lengths[index] for index in batch]
        assert len(batch) <= rows
        assert sum(own) >= (1 - padding) * max(own) * len(own) - 1e-9
    # As many together as these two allow.
    for batch, after in pairwise(batches):
        own = [lengths[index] for index in (*batch, after[0])]
        assert len(own) > rows or sum(own) < (1 - padding) * max(own) * len(own)


def test_a_card_says_how_it_was_made(loaded: Loaded, learnt: dict[str, Direction]) -> None:
    for kind, direction in learnt.items():
        details = direction.card.details
        assert json.loads(json.dumps(details)) == details
        assert details["fingerprint"] == loaded.fingerprint
        assert details["contrast"] == {"name": kind, "digest": set_of(loaded, kind).digest, "n": 4}
        assert (details["layers"], details["width"]) == (tiny_models.LAYERS, tiny_models.WIDTH)
        assert 0 <= direction.card.layer < tiny_models.LAYERS
        assert all(len(scores) == tiny_models.LAYERS for scores in details["layer_scores"].values())
        assert details["dose_response"]["strengths"] == list(STRENGTHS)
        assert all(len(values) == len(STRENGTHS) for values in details["dose_response"].values())
        assert details["dose_response"]["damage"][STRENGTHS.index(0.0)] == pytest.approx(0, abs=1e-6)
        assert min(details["dose_response"]["damage"]) > -1e-6
    common = {"strengths", "effect", "damage", "broken"}
    assert set(learnt["truth"].card.details["dose_response"]) == {*common, "mass", "flipped"}
    assert set(learnt["refusal"].card.details["dose_response"]) == {*common, "harmful"}
    # The unrelated messages are the harmless ones, and are not answered twice.
    assert set(learnt["refusal"].card.details["replies"]["groups"]) == {"harmless", "harmful"}
    assert set(learnt["truth"].card.details["replies"]["groups"]) == {"unrelated"}
    position = learnt["refusal"].card.details["position"]
    prompt = chat_prompt(loaded, "Anything")
    assert prompt[position["offset"]] == position["token_id"]


def test_effects_are_those_of_the_strengths_themselves(loaded: Loaded, learnt: dict[str, Direction]) -> None:
    for kind, direction in learnt.items():
        index = STRENGTHS.index(1.5)
        edits = compile_recipe(parse(f"1.5*{kind}"), loaded, lambda _n, _c, found=direction: found)
        examples = set_of(loaded, kind)
        response = direction.card.details["dose_response"]
        if kind == "refusal":
            harmless = metrics.chat_prompts(loaded, examples.part("validation", False))
            wanted = 0.0
            for asked in harmless:
                for beginning in metrics.REFUSALS:
                    ids = list(encode(loaded, beginning))
                    chances = reply_logits(loaded, [asked.ids], [ids], [edits])[0].double().softmax(-1)
                    wanted += float(chances[range(len(ids)), ids].prod()) / len(harmless)
            assert response["effect"][index] == pytest.approx(wanted, rel=1e-3, abs=1e-9)
        by = finished(metrics.off_target_prompts(loaded, set_of(loaded, "refusal").part("validation", False)))
        divergence = []
        for prompt, reply in zip(by.prompts, by.replies, strict=True):
            plain, steered = (reply_logits(loaded, [prompt], [reply], each)[0].double() for each in (None, [edits]))
            divergence += torch.nn.functional.kl_div(
                steered.log_softmax(-1), plain.log_softmax(-1), log_target=True, reduction="none"
            ).sum(-1).tolist()  # fmt: skip
        assert response["damage"][index] == pytest.approx(np.mean(divergence), rel=1e-3)


def test_the_layer_of_truth_is_the_strongest_of_the_accurate() -> None:
    def _truth_layer(accuracy: list[float], effect: list[float]) -> int:
        rows = zip(accuracy, effect, strict=True)
        tried = [{"layer": layer, "accuracy": one, "effect": other} for layer, (one, other) in enumerate(rows)]
        return int(_truth_choice(tried, len(tried))["layer"])

    assert _truth_layer([0.9, 0.95, 0.96, 0.5], [0.3, 0.2, 0.1, 2.0]) == 1
    assert _truth_layer([0.95, 0.95, 0.96, 0.5], [0.3, 0.2, 0.1, 2.0]) == 0
    assert _truth_layer([0.5, 0.9, 0.8, 0.8, 1.0], [9.0, -1.0, 8.0, 8.0, 20.0]) == 1, "the last layer is left out"


def tried(layer: int, induction: float, removed: float, damage: float, accuracy: float = 0.5) -> dict[str, Any]:
    return {
        "offset": -1,
        "layer": layer,
        "induction": induction,
        "removed": removed,
        "damage": damage,
        "accuracy": accuracy,
    }


def test_the_layer_of_refusal_follows_the_papers_rule() -> None:
    good = tried(3, 0.5, 0.4, 0.05)
    rivals = [
        tried(2, 0.9, 0.9, 0.11),  # harms what it should leave alone
        tried(8, 0.9, 0.9, 0.0),  # lies in the last fifth of ten layers
        tried(4, -0.1, 1.5, 0.0),  # makes harmless prompts be refused less
        tried(5, 0.5, 0.3, 0.0),
    ]
    best, rule = _refusal_choice([*rivals, good], 10, 0.9)
    assert best is good
    assert "largest induction" in rule


def test_where_nothing_is_refused_separation_chooses_and_the_card_says_so() -> None:
    most = tried(2, 0.01, 0.0, 0.0, accuracy=0.9)
    best, rule = _refusal_choice(
        [tried(1, 0.02, 0.0, 0.0, accuracy=0.8), most, tried(9, 0, 0, 0, accuracy=1.0)], 10, 0.1
    )
    assert best is most
    assert "hardly refuses" in rule
    # One that refuses, and was tried where nothing acts, is not said to refuse nothing.
    best, rule = _refusal_choice([tried(1, 0.01, 0.01, 0.0, accuracy=0.8), tried(2, 0, 0, 0, accuracy=0.9)], 10, 0.95)
    assert best["layer"] == 2
    assert "none of the places that were tried changes what is refused" in rule
    harm = tried(3, 0.8, 0.7, 0.9, accuracy=0.7)
    best, rule = _refusal_choice([harm, tried(2, 0, 0, 0, accuracy=0.9)], 10, 0.95)
    assert best["layer"] == 2
    assert "does more than 0.8 nats of damage" in rule
    # To take refusals away is an effect, too.
    best, rule = _refusal_choice([tried(1, 0.01, 0.3, 0.0, accuracy=0.8), tried(2, 0, 0, 0, accuracy=0.9)], 10, 0.95)
    assert best["layer"] == 1
    assert "largest induction + removal" in rule


def test_a_place_that_does_nothing_is_not_taken_for_harming_nothing() -> None:
    """As in SmolLM2: what was learnt there moved nothing at any strength of the slider."""
    nothing, good, worse = tried(6, 0.01, 0.07, 0.03), tried(17, 0.8, 0.77, 0.14), tried(16, 0.8, 0.97, 0.57)
    best, rule = _refusal_choice([nothing, worse, good], 30, 0.98)
    assert best is good
    assert "damage of ablating ≤ 0.2 nats, since no place with less has half of the effect" in rule
    assert _refusal_choice([nothing, worse], 30, 0.98)[0] is worse
    # No more damage than it takes for half of what there is.
    half = tried(15, 0.45, 0.44, 0.09)
    assert _refusal_choice([nothing, worse, good, half], 30, 0.98)[0] is half


def test_the_end_of_the_template_is_what_all_prompts_share(loaded: Loaded) -> None:
    prompts = [chat_prompt(loaded, text) for text in ("Hi", "Why not?", "A cake")]
    same = template_end(prompts)
    assert loaded.tokenizer.decode(prompts[0][-same:]) == "<|end|>\n<|assistant|>\n"
    assert template_end([(1, 2), (3, 4)]) == 1
    assert template_end([tuple(range(20))] * 2) == MOST_POSITIONS


# --------------------------------------------------------------------------------------------------------- contrast sets


def csv(folder: Path, text: str | bytes) -> Path:
    path = folder / "x.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


WHOLE = "text,label,category,split\n" + "".join(
    f"{s}{b},{b},c,{s}\n" for s in ("train", "validation", "test") for b in (0, 1)
)


def test_contrast_sets_as_spreadsheets_write_them(tmp_path: Path) -> None:
    plain = contrast.read_contrast(csv(tmp_path, WHOLE))
    assert plain.part("train", True) == ["train1"]
    quoted = WHOLE.replace("train1,", '"A ""quoted"", text\nwith two\u2028lines",')
    made = contrast.read_contrast(csv(tmp_path, "\ufeff" + quoted.replace("\n", "\r\n")))
    assert made.part("train", True) == ['A "quoted", text\r\nwith two\u2028lines']
    assert made.digest != plain.digest
    many = ContrastSet("x", tuple(contrast.ContrastItem(str(i), True, "c", "train") for i in range(10)), "")
    assert many.part("train", True, 3) == ["0", "3", "6"]


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("", "lacks the columns category, label, split, text"),
        (WHOLE.replace("category", "kind"), "lacks the column category"),
        (WHOLE.replace("test1,1", "test1,0"), "no example with split test and label 1"),
        (WHOLE.replace("train1,1", "train1,yes"), "line 3: .*label 0 or 1"),
        (WHOLE.replace("c,validation", "c,dev", 1), "line 4: .*train, validation or test"),
        (WHOLE + ",1,c,train\n", "line 8: "),
        (WHOLE + "short\n", "line 8: "),
        (WHOLE.encode() + b"\xff,1,c,train\n", "not UTF-8"),
    ],
)
def test_what_is_wrong_with_a_contrast_set_is_named(text: str | bytes, fix: str, tmp_path: Path) -> None:
    with pytest.raises(ContrastError, match=fix):
        contrast.read_contrast(csv(tmp_path, text))


# ------------------------------------------------------------------------------------------------------------ precompute


def test_precompute_says_what_it_wrote_and_records_the_first_example(
    folder: Path, written: str, learnt: dict[str, Direction]
) -> None:
    for kind, direction in learnt.items():
        assert f"chat {kind}: measured, layer {direction.card.layer}, written to {direction.card.path}\n" in written
    engine = Engine(str(folder), device="cpu", threads=1)
    recorded = engine.recorded()
    assert recorded is not None
    settings, said = recorded
    assert [str(column.recipe) for column in settings.columns] == ["", "1*truth"]
    assert settings.turns[-1].replies == tuple(said[column].text for column in range(2))
    assert all(answer.finished and answer.tokens for answer in said.values())
    engine.start()
    try:
        again: dict[int, answers.Answer] = {}
        for event in engine.submit(engine.example(engine.family.examples[0])):
            again = answers.fold(again, event)
    finally:
        engine.close()
    assert [[t.id for t in again[c].tokens] for c in (0, 1)] == [[t.id for t in said[c].tokens] for c in (0, 1)]
    assert all(set(token.reading.projections) == {"truth", "refusal"} for token in said[1].tokens)


def test_precompute_goes_on_where_it_was_and_learns_anew_what_changed(
    folder: Path, written: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert written
    assert verb("precompute", [*arguments(folder), "--ship", "--checkpoint", "chat"]) == 0
    assert capsys.readouterr().out == "".join(
        f"chat {what}: there already.\n" for what in ("truth", "refusal", "confidence")
    )
    # A person's own go into their data folder. There, one is as it should be, one cut off.
    own = store.user_folder() / "toy" / "chat" / "artefacts"
    shutil.copytree(folder / "chat" / "artefacts", own)
    other = shutil.copytree(folder, tmp_path / "toy")
    cut = own / "direction.truth.safetensors"
    cut.write_bytes(cut.read_bytes()[:-1])
    assert verb("precompute", [*arguments(other), "--checkpoint", "chat"]) == 0
    said = capsys.readouterr().out
    assert "chat refusal: there already.\n" in said
    assert f"written to {cut}\n" in said
    shipped = load_direction(folder / "chat" / "artefacts" / cut.name)
    assert np.array_equal(load_direction(cut).vectors, shipped.vectors)
    # Other examples than it was learnt from: learnt anew.
    examples = other / "contrast" / "truth.csv"
    examples.write_text(examples.read_text() + "Bread is blue.,0,train,train\n")
    assert verb("precompute", [*arguments(other), "--checkpoint", "chat"]) == 0
    assert f"written to {cut}\n" in capsys.readouterr().out
    assert not np.array_equal(load_direction(cut).vectors, shipped.vectors)


def test_learning_tells_how_far_it_is(loaded: Loaded) -> None:
    own = set_of(loaded, "truth")
    pace, parts = Pace(learn_cost("truth", loaded, own, UNRELATED).tokens), []
    for step in learn_in_slices("truth", loaded, own, UNRELATED, ResumeNotes()):
        assert step.sentence.endswith(".")
        pace.add(step)
        parts.append(pace.part)
    assert parts == sorted(parts)
    assert 0.5 < parts[-1] < 1


def test_precompute_refuses_what_it_cannot_do(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FamilyError, match="no checkpoint 'rlhf'"):
        verb("precompute", [*arguments(folder), "--checkpoint", "rlhf"])
    bare = tiny_models.family(tmp_path / "bare", "llama", ("chat",), plain_base=False)
    with monkeypatch.context() as patch:
        patch.setattr(contrast, "SHIPPED", tmp_path)
        with pytest.raises(ContrastError, match="There is no contrast set 'truth'"):
            verb("precompute", arguments(bare))
    with pytest.raises(loading.LoadError, match="use --device cpu"):
        verb("precompute", [*arguments(folder), "--device", "cuda:99"])
    with pytest.raises(UsageError, match="on a checkpoint as it is"):
        verb("precompute", [*arguments(folder), "--recipe", "-1*truth"])


def test_dose_response_has_every_key_of_its_measure(loaded: Loaded, learnt: dict[str, Direction]) -> None:
    by = finished(metrics.off_target_prompts(loaded, UNRELATED))
    measured: list[int] = []

    def measure(edits: metrics.Edits) -> Slices[dict[str, float]]:
        measured.append(len(edits))
        yield 1
        return {"effect": float(len(measured))}

    found = finished(measure_dose_response(learnt["truth"], loaded, 1, by, measure, ResumeNotes()))
    assert set(found) == {"strengths", "effect", "damage"}
    assert found["effect"] == [float(index + 1) for index in range(len(STRENGTHS))]
    assert measured == [0 if strength == 0 else 1 for strength in STRENGTHS]


def test_a_model_that_says_nothing_cannot_be_measured(loaded: Loaded) -> None:
    silent = replace(loaded, ends=frozenset(range(tiny_models.VOCABULARY)))
    with pytest.raises(TillerError, match="chat says nothing to any of 2 unrelated messages"):
        finished(metrics.off_target_prompts(silent, UNRELATED))


@pytest.mark.parametrize("harmful", [True, False])
def test_refusal_is_learnt_from_instructions_that_the_model_follows_its_own_way_on(harmful: bool) -> None:
    asked = [metrics.Asked(str(index), (index,)) for index in range(60)]
    refused = [0.9 if index % 2 else 0.1 for index in range(60)]
    kept = _followed(asked, refused, harmful)
    assert [int(each.text) % 2 == 1 for each in kept] == [harmful] * 30
    few = asked[:20]
    assert _followed(few, refused[:20], harmful) is few, "with too few of them all are kept"
