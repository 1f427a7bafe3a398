"""What version 0.1 wrote still opens: links, exports, the terminal's state, a data folder, notes of an interrupted learning.

The files in tests/fixtures/before_0_2 were written by the last commit before core/ was divided into packages: the link, the export and the
state by ``Session``, the direction by ``launch.py learn politeness --name polite``, the notes by the same command, interrupted.
"""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import pytest

from core.artefacts import store
from core.artefacts.direction import load_direction
from core.chat.answers import chat_document, load_chat
from core.chat.settings import Settings
from core.directions import request
from core.engine.precompute import BuildRequest, builder
from core.families.registry import load_family
from core.models.loading import load_model
from core.models.placement import Placing
from core.recipes.language import parse
from core.steering.interventions import compile_recipe
from core.util.version import PROGRAM
from tests.support.paths import ROOT
from tui import state

EARLIER = ROOT / "tests" / "fixtures" / "before_0_2"
RECIPES = ("", "-1.1*truth@base:prompt + !neurons:entropy", "2*refusal[3-5]:reply?truth>0.5")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder as it was."""
    folder = tmp_path / "data"
    shutil.copytree(EARLIER / "data", folder)
    monkeypatch.setenv("TILLER_DATA", str(folder))
    return folder


def test_a_link_opens_the_chat_that_it_was_made_of() -> None:
    settings = Settings.from_link((EARLIER / "link.txt").read_text(encoding="utf-8").strip())
    assert tuple(str(column.recipe) for column in settings.columns) == RECIPES
    assert [column.checkpoint for column in settings.columns] == ["dpo", "dpo", "sft"]
    assert settings.columns[2].asks == "Answer this: {message}"
    sampling = settings.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.repetition_penalty) == (0.7, 0.9, 40, 1.1)
    assert (sampling.max_new_tokens, sampling.seed, sampling.stop) == (12, 7, ("\n\n",))
    assert (settings.lens, settings.tab, settings.system, settings.selected) == ("truth", "blame", "You are kind.", 1)
    assert [turn.user for turn in settings.turns] == ["Is Paris the capital of France?"]
    assert Settings.from_link(settings.to_link()) == settings


def test_an_export_opens_with_every_reading_and_is_written_as_it_was() -> None:
    text = (EARLIER / "export.json").read_text(encoding="utf-8")
    settings, answers = load_chat(text)
    assert [answers[column].text for column in range(3)] == list(settings.turns[-1].replies)
    assert answers[1].tokens[0].shadow is not None, "a steered answer has its shadow's scores"
    assert set(answers[0].tokens[0].reading.projections) == {"polite", "refusal", "truth"}
    # It says of itself which version wrote it, which earlier ones did not.
    assert json.loads(json.dumps(chat_document(settings, answers))) == {"program": PROGRAM, **json.loads(text)}


def test_the_terminal_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(EARLIER / "state", tmp_path / "state")
    monkeypatch.setenv("TILLER_STATE", str(tmp_path / "state"))
    kept = state.load("skiff")
    assert kept is not None
    assert kept.draft == "a draft — with ümlauts"
    session = kept.session
    assert tuple(str(column.recipe) for column in session.settings.columns) == RECIPES
    # It said by which recipe alone each answer was written; the rest was as it is.
    assert {column: str(author.column.recipe) for column, author in session.made.items()} == dict(enumerate(RECIPES))
    assert [session.answers[column].text for column in range(3)] == list(session.settings.turns[-1].replies)
    assert state.load_looks() == state.Looks("nord", True)


@pytest.mark.usefixtures("data")
def test_a_learnt_direction_steers() -> None:
    family = load_family("skiff")
    path = store.find_artefact(family.places, "dpo", "direction", "polite")
    assert path is not None
    learnt = load_direction(path)
    loaded = load_model(family, "dpo", Placing("cpu"))
    assert learnt.card.details["fingerprint"] == loaded.fingerprint, "it was learnt on the weights that still ship"
    edits = compile_recipe(
        parse("1.5*polite"), loaded, lambda name, _: load_direction(path) if name == "polite" else learnt
    )
    assert len(edits) == 1


def test_a_family_that_the_command_line_put_together_is_found(data: Path) -> None:
    file = data / "pair-sft-600851e3" / "family.toml"
    file.write_text(
        file.read_text(encoding="utf-8").replace("VECTORS", str(store.SHIPPED).replace("\\", "/")), encoding="utf-8"
    )
    family = load_family("pair-sft-600851e3")
    assert [each.name for each in family.checkpoints] == ["base", "post"]
    assert load_model(family, "post", Placing("cpu")).anatomy.layers > 0


def test_an_interrupted_learning_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(EARLIER / "notes", tmp_path / "cache" / "notes")
    monkeypatch.setenv("TILLER_CACHE", str(tmp_path / "cache"))
    boxes = ((EARLIER / "notes" / f"{side}.txt").read_text(encoding="utf-8") for side in ("positive", "negative"))
    wish = request.learn_request("politeness", *boxes, "resumed")
    family = load_family("skiff")
    work = builder(wish.kind).run(BuildRequest.of(wish, family, "dpo"), load_model(family, "dpo", Placing("cpu")))
    kept = list((EARLIER / "notes").glob("*/*.json"))
    # One note more is the states of all examples; between the notes stand steps that keep none.
    expected = 1 + len(kept)
    remembered = 0
    for step in itertools.islice(work, 20 * expected):
        remembered += step.remembered
        if remembered == expected:
            break
    work.close()
    assert remembered == expected
