"""Counterfactuals of a family: their tables in family.toml, their differences on disk, and a column of one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import gradio as gr
import pytest
import torch
from safetensors import safe_open
from textual.widgets import OptionList

from app.chat.conversation import Chat
from app.chat.steering import Steering
from app.visits import Visits
from core.artefacts import store
from core.artefacts.direction import load_direction
from core.chat.answers import Answer, fold
from core.chat.session import Session
from core.chat.settings import Settings
from core.engine.engine import Engine
from core.errors import StoreError, TillerError
from core.families import registry, stages
from core.families.checkpoint import Counterfactual, FamilyError
from core.models import deltas, loading
from core.models.deltas import DifferenceError
from core.models.placement import Placing
from core.recipes.language import parse
from core.steering.interventions import EditError, compile_recipe
from tests.support import stage_families, tiny_models
from tests.support.browser_server import short
from tests.support.terminal import running, until
from tests.support.waiting import PATIENCE
from tui.dialogs.dialogs import PickDialog

TABLE = """
[[counterfactual]]
name = "without-sft"
title = "without SFT (retrained)"
of = "chat"
file = "counterfactual/without-sft.safetensors"
without = "chat"
parent = "base"
note = "Chat with nothing learnt."

[[counterfactual]]
name = "without-chat"
of = "chat"
same_as = "base"
"""


def twin(folder: Path) -> torch.nn.Module:
    """Give a family a counterfactual of its checkpoint ``chat``, other random weights; returns the model that it is."""
    trained = tiny_models.model("llama", seed=7)
    # What ships is rounded to bf16; so are both sides here.
    weights = {name: weight.to(torch.bfloat16).float() for name, weight in trained.named_parameters()}
    of = dict(tiny_models.model("llama", seed=1).named_parameters())
    details = {
        "name": "without-sft",
        "family": folder.name,
        "checkpoint": "chat",
        "fingerprint": store.folder_fingerprint(folder / "chat"),
    }
    deltas.write_delta(folder / "counterfactual" / "without-sft.safetensors", deltas.round_delta(weights, of), details)
    text = (folder / "family.toml").read_text(encoding="utf-8")
    (folder / "family.toml").write_text(text + TABLE, encoding="utf-8")
    with torch.no_grad():
        for name, weight in trained.named_parameters():
            weight.copy_(weights[name])
    return trained


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny family with a counterfactual and directions on its two checkpoints."""
    made = tiny_models.family(tmp_path_factory.mktemp("families") / "tiny")
    for checkpoint in ("base", "chat"):
        tiny_models.direction(made, checkpoint, "truth", layer=1, seed=len(checkpoint))
    twin(made)
    return made


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A family of one test's own, to be spoilt."""
    made = tiny_models.family(tmp_path / "tiny")
    twin(made)
    return made


# ------------------------------------------------------------------------------------------------------------ family.toml


def test_a_counterfactual_is_no_stage_of_the_family(folder: Path) -> None:
    family = registry.load_family(str(folder))
    assert [each.name for each in family.checkpoints] == ["base", "chat"]
    assert [each.name for each in family.choices] == ["base", "chat", "without-sft", "without-chat"]
    assert family.final.name == "chat"
    found = family.checkpoint("without-sft")
    assert isinstance(found, Counterfactual)
    assert (found.title, found.of, found.without, found.stage) == ("without SFT (retrained)", "chat", "chat", "chat")
    assert [each.name for each in family.path("without-sft")] == ["base", "without-sft"]
    same = family.checkpoint("without-chat")
    assert (same.title, same.source, same.template) == ("without-chat", str(folder / "base"), "plain")
    with pytest.raises(FamilyError, match="it has base, chat, without-sft, without-chat"):
        family.checkpoint("without-dpo")


@pytest.mark.parametrize(
    ("old", "new", "fix"),
    [
        ('of = "chat"', 'off = "chat"', "item 1 of 'counterfactual' has the unknown key 'off'; did you mean of"),
        ('name = "without-sft"\n', "", r"every \[\[counterfactual\]\] needs a name"),
        (
            'name = "without-sft"',
            'name = "without sft"',
            "the counterfactual name 'without sft' cannot stand in a recipe",
        ),
        ('name = "without-sft"', 'name = "base"', "two checkpoints are called 'base'"),
        ('name = "without-chat"', 'name = "without-sft"', "two checkpoints are called 'without-sft'"),
        ('of = "chat"', 'of = "dpo"', "of, whose twin 'without-sft' is, must be one of base, chat, not 'dpo'"),
        ('of = "chat"\n', "", "of, whose twin 'without-sft' is, must be one of base, chat, not None"),
        ('same_as = "base"', 'same_as = "without-sft"', "same_as of 'without-chat' must be one of base, chat"),
        ('same_as = "base"', "", "'without-chat' needs one of file .*, same_as .* and path"),
        (
            'same_as = "base"',
            'same_as = "base"\nfile = "x"',
            "'without-chat' needs one of file .*, same_as .* and path",
        ),
        (
            'same_as = "base"',
            'path = "lora"',
            "path of 'without-chat' is the folder of an adapter, and adapter_of names",
        ),
        (
            'same_as = "base"',
            'same_as = "base"\nadapter_of = "base"',
            "path of 'without-chat' is the folder of an adapter",
        ),
        (
            'same_as = "base"',
            'path = "lora"\nadapter_of = "dpo"',
            "adapter_of of 'without-chat' must be one of base, chat, without-sft, not 'dpo'",
        ),
        (
            'without = "chat"',
            'without = "dpo"',
            "is without 'dpo', which is no stage of the family; there is pretrain, chat",
        ),
        (
            'parent = "base"',
            'parent = "without-chat"',
            "the parent of 'without-sft' must be one of base, chat, not 'without-chat'",
        ),
        ('without = "chat"', "without = 3", "'without' of item 1 of 'counterfactual' must be text in quotes, not 3"),
        (
            '[[counterfactual]]\nname = "without-sft"',
            '[counterfactual]\nname = "without-sft"',
            "double brackets|not valid TOML",
        ),
    ],
)
def test_every_mistake_is_named(old: str, new: str, fix: str, own: Path) -> None:
    text = (own / "family.toml").read_text(encoding="utf-8")
    assert old in text
    # Behind the checkpoints, some of which have the same lines.
    head, tail = text.split("[[counterfactual]]", 1)
    (own / "family.toml").write_text(head + ("[[counterfactual]]" + tail).replace(old, new, 1), encoding="utf-8")
    with pytest.raises(FamilyError, match=fix) as caught:
        registry.load_family(str(own))
    assert "family.toml" in str(caught.value)


# ------------------------------------------------------------------------------------------------------------ differences


def test_a_restored_model_is_the_trained_one_but_for_half_a_step(own: Path) -> None:
    trained = dict(twin_of(own).named_parameters())
    of = dict(tiny_models.model("llama", seed=1).named_parameters())
    found = dict(
        loading.load_model(registry.load_family(str(own)), "without-sft", Placing("cpu")).model.named_parameters()
    )
    assert set(found) == set(trained)
    for name, weight in trained.items():
        error = (found[name] - weight).abs().detach()
        if weight.dim() != 2:
            assert torch.allclose(found[name], weight, atol=1e-7)
            continue
        step = (weight - of[name]).abs().amax(dim=1, keepdim=True) / 127
        assert bool((error <= step / 2 + 1e-6).all())
        assert float(error.max()) > 0


def twin_of(folder: Path) -> torch.nn.Module:
    """The model that the counterfactual of :func:`twin` was rounded from."""
    trained = tiny_models.model("llama", seed=7)
    with torch.no_grad():
        for weight in trained.parameters():
            weight.copy_(weight.to(torch.bfloat16).float())
    return trained


def test_a_row_that_did_not_change_comes_back_as_it_was() -> None:
    of = {"w": torch.randn(4, 8), "gain": torch.ones(8)}
    trained = {"w": of["w"].clone(), "gain": of["gain"] + 1e-3}
    trained["w"][1] += 1e-5 * torch.arange(8)
    difference = deltas.round_delta(trained, of)
    assert difference["w.steps"].dtype == torch.int8
    assert difference["w.steps"][1].abs().max() == 127
    restored = {name: weight.clone() for name, weight in of.items()}
    deltas.add(restored.items(), difference)
    assert torch.equal(restored["w"][[0, 2, 3]], of["w"][[0, 2, 3]])
    assert torch.equal(restored["gain"], trained["gain"])
    assert torch.allclose(restored["w"][1], trained["w"][1], atol=1e-6)


def test_the_sum_is_made_in_float32_and_then_rounded(own: Path) -> None:
    family = registry.load_family(str(own))
    whole = loading.load_model(family, "without-sft", Placing("cpu", "float32"))
    half = loading.load_model(family, "without-sft", Placing("cpu", "bfloat16"))
    for (name, one), other in zip(whole.model.named_parameters(), half.model.parameters(), strict=True):
        assert other.dtype == torch.bfloat16, name
        assert torch.equal(one.to(torch.bfloat16), other), name


def test_every_model_has_a_fingerprint_of_its_own(own: Path) -> None:
    family = registry.load_family(str(own))
    found = {each.name: loading.load_model(family, each.name, Placing("cpu")).fingerprint for each in family.choices}
    assert found["without-chat"] == found["base"]
    assert len(set(found.values())) == 3
    assert deltas.checkpoint_fingerprint(family.checkpoint("without-sft")) == found["without-sft"]


def test_other_weights_are_refused(own: Path) -> None:
    tiny_models.model("llama", seed=9).save_pretrained(own / "chat")
    with pytest.raises(
        DifferenceError, match=r"is kept as a difference to a chat with fingerprint .* which now has .* train it again"
    ):
        loading.load_model(registry.load_family(str(own)), "without-sft", Placing("cpu"))


@pytest.mark.parametrize(
    ("spoil", "fix"),
    [
        (lambda path: path.unlink(), "is not there"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "is cut off"),
        (lambda path: path.write_bytes(b"version https://git-lfs"), "Git LFS pointer"),
        (lambda path: path.write_bytes(b""), "cut off or not a safetensors file"),
    ],
)
def test_a_spoilt_file_is_named(spoil: Callable[[Path], None], fix: str, own: Path) -> None:
    spoil(own / "counterfactual" / "without-sft.safetensors")
    with pytest.raises(StoreError, match=f"without-sft.safetensors.*{fix}"):
        loading.load_model(registry.load_family(str(own)), "without-sft", Placing("cpu"))


def test_a_direction_is_no_difference_and_one_of_another_shape_neither(own: Path) -> None:
    path = own / "counterfactual" / "without-sft.safetensors"
    path.write_bytes(tiny_models.direction(own, "chat", "truth").read_bytes())
    with pytest.raises(DifferenceError, match="holds a direction"):
        loading.load_model(registry.load_family(str(own)), "without-sft", Placing("cpu"))
    details = {
        "name": "x",
        "family": "tiny",
        "checkpoint": "chat",
        "fingerprint": store.folder_fingerprint(own / "chat"),
    }
    deltas.write_delta(path, {"model.norm.weight.exact": torch.ones(3)}, details)
    with pytest.raises(DifferenceError, match=r"does not fit chat. The difference has no "):
        loading.load_model(registry.load_family(str(own)), "without-sft", Placing("cpu"))


def test_a_difference_says_what_it_belongs_to(folder: Path) -> None:
    path = folder / "counterfactual" / "without-sft.safetensors"
    with safe_open(path, framework="pt") as file:
        document = json.loads(file.metadata()["tiller"])
    assert document["kind"] == "counterfactual"
    assert document["fingerprint"] == store.folder_fingerprint(folder / "chat")
    assert path.stat().st_size < 0.6 * 4 * sum(w.numel() for w in tiny_models.model("llama").parameters())


# ----------------------------------------------------------------------------------------------------------------- a column


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[Engine]:
    started = Engine(str(folder), threads=1)
    started.start()
    assert started.wait_ready(PATIENCE).state == "ready"
    yield started
    started.close()


def answers(engine: Engine, settings: Settings) -> dict[int, Answer]:
    """What every column answers."""
    found: dict[int, Answer] = {}
    for event in engine.submit(settings):
        found = fold(found, event)
    return found


def test_a_column_of_one_answers_by_itself_and_is_steered_by_its_twins_direction(engine: Engine) -> None:
    bare = answers(engine, short(engine.settings("without-sft", "2*truth"), 8).ask("Hello there"))
    named = answers(engine, short(engine.settings("without-sft", "2*truth@chat"), 8).ask("Hello there"))
    chat = answers(engine, short(engine.settings("chat", "2*truth"), 8).ask("Hello there"))
    assert not any(each.error for each in (*bare.values(), *named.values()))
    assert [t.id for t in bare[1].tokens] == [t.id for t in named[1].tokens]
    assert [t.id for t in bare[0].tokens] != [t.id for t in bare[1].tokens]
    assert [t.id for t in bare[0].tokens] != [t.id for t in chat[0].tokens]
    # Readings are on the twin's direction, too.
    assert set(bare[0].tokens[0].reading.projections) == {"truth"}
    assert not bare[0].note


def test_what_is_explained_says_whose_direction_it_is(engine: Engine) -> None:
    assert engine.explain(parse("truth"), "without-sft") == "layer 1, all tokens, the direction of chat"
    assert engine.explain(parse("truth@chat"), "without-sft") == "layer 1, all tokens"
    assert engine.explain(parse("truth"), "chat") == "layer 1, all tokens"
    with pytest.raises(TillerError, match="without-sft has no direction 'truth'; it has none"):
        engine.explain(parse("truth@without-sft"), "chat")


def test_a_direction_learnt_on_one_is_checked_against_its_weights(own: Path) -> None:
    family = registry.load_family(str(own))
    chat = loading.load_model(family, "chat", Placing("cpu"))
    learnt = load_direction(tiny_models.direction(own, "chat", "odd", layer=2))
    path = own / "without-sft" / "artefacts" / "direction.odd.safetensors"
    tensors = {"vectors": learnt.vectors, "positive": learnt.positive, "negative": learnt.negative}

    def compiled(fingerprint: str) -> int:
        details = {**learnt.card.details, "checkpoint": "without-sft", "fingerprint": fingerprint}
        store.save_artefact(path, tensors, details)
        return len(compile_recipe(parse("1*odd@without-sft"), chat, lambda *_: load_direction(path)))

    assert compiled(deltas.checkpoint_fingerprint(family.checkpoint("without-sft"))) == 1
    with pytest.raises(EditError, match="The direction odd was learnt on a tiny/without-sft with fingerprint 0000"):
        compiled("0" * 16)


def test_links_and_exports_carry_the_name(engine: Engine) -> None:
    settings = engine.settings("without-sft", "1*truth")
    again = Settings.from_link(settings.to_link())
    assert [each.checkpoint for each in again.columns] == ["without-sft", "without-sft"]
    assert again == settings


def test_the_browsers_menu_lists_it_by_its_title(engine: Engine) -> None:
    chat = Chat(engine, Visits(engine, lambda: Session(short(engine.settings(), 8))))
    steering = Steering(chat)
    request = gr.Request(None, session_hash="a page")

    def told(handler: Callable[..., object], heard: int, **said: object) -> dict[str, object]:
        found = handler(gr.EventData(None, {"heard": heard, **said}), request)
        views = [each[0] for each in (found if hasattr(found, "__next__") else [found]) if isinstance(each[0], str)]
        return dict(json.loads(views[-1]))

    view = told(steering.checkpoint, 1, column=1, checkpoint="without-sft")
    listed = {each["name"]: each["title"] for each in view["family"]["checkpoints"]}
    assert list(listed.items())[1:3] == [("chat", "chat"), ("without-sft", "without SFT (retrained)")]
    assert view["columns"][1]["checkpoint"] == "without-sft"
    view = told(steering.revise, 2, kind="strength", direction="truth", strength=1.5)
    assert view["columns"][1]["recipe"] == "1.5*truth"
    slider = next(each for each in view["sliders"] if each["name"] == "truth")
    assert (slider["source"], slider["sources"]) == ("chat", ["base", "chat"])


async def test_the_terminals_menu_lists_it_and_a_column_of_it_answers(folder: Path) -> None:
    async with running(folder) as (app, pilot):
        await pilot.press("f10")
        await pilot.pause()
        assert isinstance(app.screen, PickDialog)
        options = app.screen.query_one(OptionList)
        shown = [str(options.get_option_at_index(index).prompt) for index in range(options.option_count)]
        assert [line.split()[0] for line in shown] == [
            "stages", "base", "chat", "trained", "without-sft", "trained", "without-chat",
        ]  # fmt: skip
        assert "without SFT (retrained)" in shown[4]
        await pilot.press("down", "enter")
        await pilot.pause()
        assert app.chat.session.settings.column.checkpoint == "without-sft"
        app.chat.prompt.put("Hello")
        await pilot.press("enter")
        await until(pilot, lambda: app.chat.runs.run is None and len(app.chat.session.answers) == 2)
        assert not any(each.error for each in app.chat.session.answers.values())


def test_of_stages_of_one_name_a_retraining_is_without_the_one_it_names(tmp_path: Path) -> None:
    folder = stage_families.family(tmp_path / "four")
    text = (folder / "family.toml").read_text(encoding="utf-8").replace('stage = "dpo"', 'stage = "sft"')
    table = '\n[[counterfactual]]\nname = "wo"\nof = "dpo"\nsame_as = "base"\nwithout = "{}"\n'
    (folder / "family.toml").write_text(text + table.format("dpo"), encoding="utf-8")
    path = stages.stage_path(registry.load_family(str(folder)))
    assert [each.name for each in path.post] == ["sft (sft)", "safety", "sft (dpo)"]
    assert [each.retrained for each in path.post] == [None, None, "wo"]
    # One that is called as its checkpoint is meant by that.
    (folder / "family.toml").write_text(text + table.format("sft"), encoding="utf-8")
    path = stages.stage_path(registry.load_family(str(folder)))
    assert [each.retrained for each in path.post] == ["wo", None, None]
    twice = text.replace('stage = "safety"', 'stage = "tuned"')
    head, tail = twice.rsplit('stage = "sft"', 1)
    twice = f'{head}stage = "tuned"{tail}'
    (folder / "family.toml").write_text(twice + table.format("tuned"), encoding="utf-8")
    with pytest.raises(FamilyError, match="which 2 stages are called; name the checkpoint that it led to: safety, dpo"):
        registry.load_family(str(folder))
