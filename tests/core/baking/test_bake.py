"""Baking: a folder that plain transformers loads does what the recipe does, on every architecture; what cannot be baked is said."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from core.baking import bake as baking
from core.baking import evaluation as models
from core.baking import weight_edits
from core.errors import StoreError, TillerError
from core.families import registry
from core.inference import metrics
from core.inference.prompts import chat_prompt
from core.inference.teacher_forcing import reply_logits
from core.models import loading
from core.models.hooks import hooked, locate
from core.models.loading import Loaded
from core.models.placement import Placing
from core.recipes.language import Recipe, Term, parse
from core.steering.interventions import BatchEdits, compile_recipe
from tests.core.steering import test_interventions as by_hand
from tests.support import tiny_models
from tests.support.command import verb

Load = Callable[[str], Loaded]
Folder = Callable[[str], Path]

#: What the issue asks of an ablation in float32.
SAME = 1e-3
#: What a norm behind the embedding, or being more than a text model, keeps from being baked.
REFUSED = {"bloom": "a norm stands behind its embedding", "gemma3_images": "it is more than a text model"}
WITH_BIASES = ("llama", "smollm3", "gpt2", "neox", "neox_serial", "bloom")


def fresh(folder: Path) -> Loaded:
    """A checkpoint whose weights may be changed."""
    return loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu"))


def changes(loaded: Loaded, recipe: str) -> weight_edits.Changes:
    wanted = parse(recipe)
    weight_edits.check_bakeable(wanted)
    return weight_edits.changes(compile_recipe(wanted, loaded, by_hand.directions(loaded)))


def baked(folder: Path, recipe: str, to: Path) -> Any:
    """The model that transformers loads once a recipe was baked."""
    loaded = fresh(folder)
    weight_edits.operate(loaded, changes(loaded, recipe)).save_pretrained(to)
    model, report = AutoModelForCausalLM.from_pretrained(to, output_loading_info=True)
    assert not any(report.values())
    return model.eval()


@torch.inference_mode()
def plainly(model: Any, rows: Sequence[Sequence[int]], left: bool = True) -> list[Tensor]:
    """The logits of every token of some rows, by transformers alone, padded on one side."""
    longest = max(map(len, rows))
    ids, mask, positions = [], [], []
    for row in rows:
        pads, real = [1] * (longest - len(row)), list(row)
        ids.append(pads + real if left else real + pads)
        mask.append([0] * len(pads) + [1] * len(real) if left else [1] * len(real) + [0] * len(pads))
        positions.append([0] * len(pads) + [*range(len(real))] if left else [*range(longest)])
    padded: dict[str, Any] = {"position_ids": torch.tensor(positions)}
    if model.config.model_type == "bloom":
        padded = {}
    found = model(input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask), use_cache=False, **padded).logits
    starts = [longest - len(row) if left else 0 for row in rows]
    return [logits[start : start + len(row)] for logits, start, row in zip(found, starts, rows, strict=True)]


def chats(loaded: Loaded) -> list[list[int]]:
    reply = by_hand.reply_ids(loaded)
    return [[*chat_prompt(loaded, text), *reply] for text in by_hand.PROMPTS]


def by_recipe(loaded: Loaded, rows: Sequence[Sequence[int]], recipe: str) -> list[Tensor]:
    """The logits of every token but the first's prediction, of the plain model with the recipe."""
    edits = compile_recipe(parse(recipe), loaded, by_hand.directions(loaded))
    # The last token's own prediction is asked for by one more token behind it.
    return reply_logits(loaded, [row[:1] for row in rows], [[*row[1:], 7] for row in rows], [edits] * len(rows))


@torch.inference_mode()
def everywhere(loaded: Loaded, rows: Sequence[Sequence[int]], recipe: str) -> list[Tensor]:
    """The logits of every token, of the plain model with the recipe on all of them, the first one too."""
    edits = compile_recipe(parse(recipe), loaded, by_hand.directions(loaded))
    actions = BatchEdits([edits] * len(rows), loaded.device).actions({"all": None, "all and first": None})
    with hooked(loaded.anatomy, actions):
        return plainly(loaded.model, rows)


# ---------------------------------------------------------------------------------------------------------------- ablation


@pytest.mark.parametrize("kind", [each for each in tiny_models.configs() if each not in REFUSED])
def test_a_baked_ablation_does_what_the_recipe_does(
    kind: str, tiny_folder: Folder, tiny_loaded: Load, tmp_path: Path
) -> None:
    loaded, recipe = tiny_loaded(kind), "!truth + !refusal"
    rows = chats(loaded)
    wanted = by_recipe(loaded, rows, recipe)
    found = plainly(baked(tiny_folder(kind), recipe, tmp_path), rows)
    plain = by_recipe(loaded, rows, "")
    for own, steered, before in zip(found, wanted, plain, strict=True):
        assert (own - steered).abs().max() < SAME
        assert (steered - before).abs().max() > 100 * SAME, "the recipe changes nothing, so this shows nothing"


@pytest.mark.parametrize("kind", ["llama", "gemma2", "gpt2", "bloom", "mixtral"])
def test_an_ablation_at_some_layers_leaves_the_others_and_the_embedding_alone(
    kind: str, tiny_folder: Folder, tiny_loaded: Load, tmp_path: Path
) -> None:
    loaded, recipe = tiny_loaded(kind), "!truth[1-2]"
    rows = chats(loaded)
    for own, steered in zip(
        plainly(baked(tiny_folder(kind), recipe, tmp_path), rows), by_recipe(loaded, rows, recipe), strict=True
    ):
        assert (own - steered).abs().max() < SAME
    if kind in ("llama", "gpt2"):
        after, before = load_file(tmp_path / "model.safetensors"), loaded.model.state_dict()
        changed = {name for name, weight in after.items() if not torch.equal(weight, before[name])}
        assert changed
        assert all(".1." in name or ".2." in name for name in changed)


def test_a_tied_embedding_is_untied_first(tiny_folder: Folder, tiny_loaded: Load, tmp_path: Path) -> None:
    before: Any = tiny_loaded("qwen3").model
    assert before.lm_head.weight is before.model.embed_tokens.weight
    after = baked(tiny_folder("qwen3"), "!truth", tmp_path)
    assert torch.equal(after.lm_head.weight, before.lm_head.weight)
    unit = torch.from_numpy(by_hand.directions(tiny_loaded("qwen3"))("truth", "chat").unit(1))
    assert (after.model.embed_tokens.weight @ unit).abs().max() < 1e-5
    assert (before.model.embed_tokens.weight @ unit).abs().max() > 1e-2


@pytest.mark.parametrize("kind", REFUSED)
def test_an_architecture_that_cannot_hold_it_is_refused_with_the_reason(kind: str, tiny_folder: Folder) -> None:
    loaded = fresh(tiny_folder(kind))
    with pytest.raises(TillerError, match=REFUSED[kind]):
        weight_edits.operate(loaded, changes(loaded, "!truth"))


# ---------------------------------------------------------------------------------------------------------------- addition


@contextmanager
def added_everywhere(loaded: Loaded, terms: dict[int, Tensor]) -> Iterator[None]:
    """What a bias does: a vector more in what leaves a block, at every token."""
    with hooked(loaded.anatomy, {("resid_post", at): (lambda h, v=vector: h + v) for at, vector in terms.items()}):
        yield


@pytest.mark.parametrize("kind", WITH_BIASES)
def test_a_baked_addition_is_a_bias_and_agrees_with_the_recipe_where_that_acts_on_every_token(
    kind: str, tiny_folder: Folder, tiny_loaded: Load, tmp_path: Path
) -> None:
    loaded, recipe = tiny_loaded(kind), "1.5*truth - 0.5*refusal[1-3]"
    model = baked(tiny_folder(kind), recipe, tmp_path)
    # A bias acts on the first token as well, which the recipe leaves alone.
    for own, steered in zip(plainly(model, chats(loaded)), everywhere(loaded, chats(loaded), recipe), strict=True):
        assert (own - steered).abs().max() < SAME
    fetch = by_hand.directions(loaded)
    truth, refusal = (torch.from_numpy(fetch(name, "chat").vectors) for name in ("truth", "refusal"))
    terms = {at: -0.5 * refusal[at] for at in (1, 2, 3)}
    terms[1] = terms[1] + 1.5 * truth[1]
    rows = chats(loaded)
    with added_everywhere(loaded, terms):
        wanted = plainly(loaded.model, rows)
    for own, hand in zip(plainly(model, rows), wanted, strict=True):
        assert (own - hand).abs().max() < SAME


def test_an_ablation_and_an_addition_at_once(tiny_folder: Folder, tiny_loaded: Load, tmp_path: Path) -> None:
    loaded, recipe = tiny_loaded("llama"), "2*truth[1,2] + !truth"
    rows = chats(loaded)
    found = plainly(baked(tiny_folder("llama"), recipe, tmp_path), rows)
    for own, steered in zip(found, everywhere(loaded, rows, recipe), strict=True):
        assert (own - steered).abs().max() < SAME


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("qwen2", "no bias behind it"), ("mixtral", "no bias behind it"), ("gemma2", "a norm stands behind its MLP")],
)
def test_an_addition_without_a_place_for_it_is_refused(kind: str, reason: str, tiny_folder: Folder) -> None:
    loaded = fresh(tiny_folder(kind))
    before = {name: weight.clone() for name, weight in loaded.model.state_dict().items()}
    with pytest.raises(TillerError, match=reason):
        weight_edits.operate(loaded, changes(loaded, "!truth + 1*truth"))
    assert all(torch.equal(weight, before[name]) for name, weight in loaded.model.state_dict().items())


# -------------------------------------------------------------------------------------------------------------- properties

LAYERS = st.none() | st.lists(st.integers(0, tiny_models.LAYERS - 1), min_size=1, max_size=3, unique=True).map(
    lambda found: tuple(sorted(found))
)
NAMES = st.sampled_from(["truth", "refusal"])
VALUES = st.integers(-8, 8).filter(bool).map(lambda found: found / 4)
TERMS = st.builds(
    Term,
    st.sampled_from(["add", "ablate", "hold"]),
    NAMES,
    VALUES,
    st.sampled_from([None, "base"]),
    LAYERS,
    st.sampled_from(["all", "prompt", "reply", "last"]),
).map(lambda term: replace(term, value=1.0) if term.kind == "ablate" else term)
RECIPES = st.lists(TERMS, min_size=1, max_size=3).map(lambda terms: Recipe(tuple(terms)))
ROWS = st.lists(st.lists(st.integers(6, tiny_models.VOCABULARY - 1), min_size=2, max_size=9), min_size=1, max_size=3)
once_a_session = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(recipe=RECIPES, rows=ROWS)
@once_a_session
def test_any_recipe_does_to_a_padded_batch_what_hooks_do_to_each_row(
    recipe: Recipe, rows: list[list[int]], tiny_loaded: Load
) -> None:
    loaded = tiny_loaded("llama")
    edits = compile_recipe(recipe, loaded, by_hand.directions(loaded))
    prompts, replies = [[0, *row[:-1]] for row in rows], [[row[-1], 7] for row in rows]
    found = reply_logits(loaded, prompts, replies, [edits] * len(rows))
    for own, prompt, reply in zip(found, prompts, replies, strict=True):
        wanted = by_hand.logits_by_hand(loaded, prompt, reply, str(recipe))
        assert (own - wanted).abs().max() < 5e-4 * max(1.0, float(wanted.abs().max()))


@given(recipe=RECIPES, rows=ROWS, left=st.booleans())
@once_a_session
def test_any_recipe_is_baked_or_refused_and_what_is_baked_agrees_whatever_the_padding(
    recipe: Recipe, rows: list[list[int]], left: bool, tiny_folder: Folder, tiny_loaded: Load
) -> None:
    possible = all(term.scope == "all" and term.kind != "hold" for term in recipe.terms)
    try:
        weight_edits.check_bakeable(recipe)
    except weight_edits.BakingError as refused:
        assert not possible
        assert any(str(term) in str(refused) for term in recipe.terms)
        # The same without what is in the way.
        recipe = Recipe(
            tuple(replace(term, kind="add" if term.kind == "hold" else term.kind, scope="all") for term in recipe.terms)
        )
    else:
        assert possible
    loaded, own = tiny_loaded("llama"), fresh(tiny_folder("llama"))
    model = weight_edits.operate(own, changes(own, str(recipe)))
    for found, wanted in zip(plainly(model, rows, left), everywhere(loaded, rows, str(recipe)), strict=True):
        assert (found - wanted).abs().max() < SAME * max(1.0, float(wanted.abs().max()) / 10)


# ------------------------------------------------------------------------------------------------------------- the command


@pytest.fixture
def whole(tiny_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A family of one's own that may be spoilt, with few examples; it is asked for few words, which it may say."""
    monkeypatch.setattr(metrics, "REFUSALS", ("I", "S"))
    monkeypatch.setattr(metrics, "LABELS", (" T", " F"))
    monkeypatch.setattr(models, "_LONGEST", 4)
    folder = shutil.copytree(tiny_folder("llama"), tmp_path / "llama")
    tiny_models.contrast(folder, examples=2)
    return folder


def order(folder: Path, recipe: str, out: Path, *more: str) -> list[str]:
    return [
        "--family",
        str(folder),
        "--checkpoint",
        "chat",
        "--device",
        "cpu",
        "--threads",
        "1",
        "--recipe",
        recipe,
        "--out",
        str(out),
        *more,
    ]


def test_the_command_writes_a_folder_that_transformers_loads(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny_loaded: Load
) -> None:
    out = tmp_path / "made" / "here"
    # From a session that is quantized, too, the weights are those on the disk.
    assert verb("bake", order(whole, "!truth", out, "--quantize", "4bit")) == 0
    said = capsys.readouterr().out
    assert "full precision" in said
    assert f"Written to {out}" in said
    assert [each.name for each in out.parent.iterdir()] == ["here"]
    model: Any = AutoModelForCausalLM.from_pretrained(out)
    assert model.dtype is torch.float32
    loaded = tiny_loaded("llama")
    rows = chats(loaded)
    for own, steered in zip(plainly(model.eval(), rows), by_recipe(loaded, rows, "!truth"), strict=True):
        assert (own - steered).abs().max() < SAME
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert tokenizer.chat_template == loaded.tokenizer.chat_template
    _check_readme((out / "README.md").read_text("utf-8"))


def _check_readme(text: str) -> None:
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| ")}
    differ = []
    for name in ("P(refusal), harmful requests", "P(TRUE) − P(FALSE), true statements"):
        plain, recipe, now, n = (cell.strip() for cell in rows[name].split("|")[2:6])
        assert recipe == now
        differ.append(plain != now)
        assert n == "2"
    assert any(differ)
    damage = next(line for name, line in rows.items() if name.startswith("damage"))
    assert float(damage.split("|")[4].split()[0]) > 0
    assert "| truth | llama/chat | 1 |" in text


def test_an_addition_is_baked_in_another_dtype(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "half"
    out.mkdir()
    assert verb("bake", order(whole, "1*truth", out, "--dtype", "bfloat16")) == 0
    model: Any = AutoModelForCausalLM.from_pretrained(out)
    assert (model.dtype, model.config.mlp_bias) == (torch.bfloat16, True)
    assert "the first token" in (out / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ("truth=0", "truth=0 cannot be baked"),
        ("!truth:reply", "leave out :reply"),
        ("1*truth?refusal>0.5", "1*truth?refusal>0.5 cannot be baked"),
        ("!neurons:entropy", "only directions are"),
        ("!kindness", "chat has no direction 'kindness'"),
        ("!truth[9]", "layers 0 to 3"),
        ("!truth@elsewhere", "has no checkpoint 'elsewhere'"),
    ],
)
def test_what_cannot_be_baked_is_one_sentence_and_writes_nothing(
    recipe: str, sentence: str, whole: Path, tmp_path: Path
) -> None:
    with pytest.raises(TillerError, match=re.escape(sentence)):
        verb("bake", order(whole, recipe, tmp_path / "out"))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["llama"]


def test_a_recipe_is_asked_for(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(TillerError, match="bake needs a recipe"):
        verb("bake", ["--family", str(whole), "--out", str(tmp_path / "out")])


def test_what_is_there_stays(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "mine.txt").write_text("mine", "utf-8")
    (tmp_path / "file").write_text("mine", "utf-8")
    for name, said in (("kept", "is there already"), ("file", "is a file")):
        with pytest.raises(TillerError, match=said):
            verb("bake", order(whole, "!truth", tmp_path / name))
    assert (tmp_path / "kept" / "mine.txt").read_text("utf-8") == (tmp_path / "file").read_text("utf-8") == "mine"


def test_nothing_is_left_of_a_baking_that_fails_half_way(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("README.md cannot be written (No space left on device); free some space.")

    monkeypatch.setattr(baking, "write_bytes", full)
    (tmp_path / "out").mkdir()
    with pytest.raises(TillerError, match="No space left"):
        verb("bake", order(whole, "!truth", tmp_path / "out" / "inner"))
    assert list((tmp_path / "out").iterdir()) == []


def test_what_does_not_do_what_it_should_is_not_kept(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weight_edits, "operate", lambda loaded, _changes: loaded.model)
    with pytest.raises(TillerError, match="do not hold this recipe: what they give differs from it by"):
        verb("bake", order(whole, "!truth", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_direction_of_other_weights_is_not_baked(whole: Path, tmp_path: Path) -> None:
    tiny_models.direction(whole, "chat", "truth", fingerprint="0" * 16)
    with pytest.raises(TillerError, match="fingerprint 0000000000000000"):
        verb("bake", order(whole, "!truth", tmp_path / "out"))


def test_a_baked_model_has_the_parts_that_a_model_has(tiny_folder: Folder, tmp_path: Path) -> None:
    """Gemma's stream is twice as wide afterwards, and can be steered and read like any other."""
    model = baked(tiny_folder("gemma2"), "!truth", tmp_path)
    assert (model.config.hidden_size, locate(model).layers) == (2 * tiny_models.WIDTH, tiny_models.LAYERS)


def test_code_that_a_configuration_names_and_nothing_needs_is_left_out(
    whole: Path, tmp_path: Path, tiny_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Phi-3's names code of its own beside a class that transformers has; early Llama 2's would sample and says that it does not."""
    folder = shutil.copytree(tiny_folder("phi3"), tmp_path / "phi3")
    tiny_models.contrast(folder, examples=2)
    for name, more in (
        ("config.json", {"auto_map": {"AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"}}),
        ("generation_config.json", {"temperature": 0.9, "top_p": 0.6, "do_sample": False}),
    ):
        path = folder / "chat" / name
        path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **more}), "utf-8")
    tiny_models.direction(folder, "chat", "truth")
    assert verb("bake", order(folder, "!truth", tmp_path / "out")) == 0
    assert "auto_map" not in json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))
    assert json.loads((tmp_path / "out" / "generation_config.json").read_text("utf-8"))["top_p"] == 0.6


def test_the_kernel_for_few_rows_is_followed_too(tiny_folder: Folder, tmp_path: Path) -> None:
    """Weights that came in bfloat16 run on it in float32 on a CPU."""
    folder = shutil.copytree(tiny_folder("llama"), tmp_path / "llama")
    AutoModelForCausalLM.from_pretrained(folder / "chat", dtype="bfloat16").save_pretrained(folder / "chat")
    loaded = fresh(folder)
    flow = weight_edits.check_model(loaded, weight_edits.Changes({}, {}))
    assert [len(block.weights or ()) for block in flow.blocks] == [2] * tiny_models.LAYERS
