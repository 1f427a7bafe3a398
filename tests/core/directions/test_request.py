"""One's own examples: from two boxes to a direction with its card, on the command line and on the engine's thread."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.artefacts import store
from core.artefacts.direction import load_direction
from core.artefacts.store import Card
from core.directions import card as direction_card
from core.directions import controls, learn_refusal, library, reply_rates, request
from core.directions.conclusion import first_recipe
from core.directions.contrast import ContrastError, ContrastSet
from core.directions.request import FEWEST, LearnRequest, check_direction_name, learn_request, of_texts
from core.engine.engine import Engine
from core.errors import StoreError, TillerError, UsageError
from core.families import registry
from core.models import loading
from core.models.hooks import AnatomyError
from tests.support import tiny_models
from tests.support.command import verb
from tests.support.waiting import PATIENCE

POLITE = [f"Could you please tell me about thing {index}?" for index in range(8)]
RUDE = [f"Tell me about thing {index}, now." for index in range(8)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tiny_models.family(tmp_path_factory.mktemp("learn") / "toy", "llama", ("chat",), plain_base=False)
    tiny_models.contrast(made, examples=2)
    return made


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learn_refusal, "MOST_POSITIONS", 2)
    monkeypatch.setattr(controls, "CONTROLS", 3)
    monkeypatch.setattr(reply_rates, "REPLY_TOKENS", 4)
    monkeypatch.setattr(controls, "RESAMPLED", 20)


@pytest.fixture
def boxes(tmp_path: Path) -> list[str]:
    for name, texts in (("a.txt", POLITE), ("b.txt", RUDE)):
        (tmp_path / name).write_text("\n".join(texts) + "\n\n", encoding="utf-8")
    return ["--positive", str(tmp_path / "a.txt"), "--negative", str(tmp_path / "b.txt")]


def run(folder: Path, *arguments: str) -> int:
    return verb("learn", [*arguments, "--family", str(folder), "--device", "cpu", "--threads", "1"])


def card(name: str) -> Card:
    return store.read_card(store.artefact_path(store.user_folder(), "toy", "chat", "direction", name))


def written() -> list[Path]:
    return list(store.user_folder().rglob("*.safetensors"))


# --------------------------------------------------------------------------------------------------------------- boxes


def lines(count: int, word: str) -> str:
    return "\n".join(f"{word} {index}" for index in range(count))


@pytest.mark.parametrize(
    ("positive", "negative", "fix"),
    [
        ("", lines(9, "b"), "box of positive examples is empty; write at least 5"),
        (lines(9, "a"), " \n \n", "box of negative examples is empty"),
        (lines(9, "a"), lines(9, "a"), "Both sides hold the same examples"),
        (lines(9, "a"), lines(9, "b") + "\na 3", "'a 3' stands on both sides; leave it out of one"),
        (lines(9, "a"), lines(4, "b"), "box of negative examples has 4 examples; each side needs at least 5"),
        ("one\n" * 20, lines(9, "b"), "box of positive examples has 1 example; each"),
    ],
)
def test_boxes_that_cannot_be_learnt_from(positive: str, negative: str, fix: str) -> None:
    with pytest.raises(ContrastError, match=fix) as error:
        of_texts("politeness", positive, negative)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("count", [FEWEST, 8, 40])
def test_splits_are_nested_and_pairs_stay_together(count: int) -> None:
    found = of_texts("politeness", lines(count, "a"), "\n\n" + lines(count, "b") + "\nb 0\n")
    sizes = {split: len(found.part(split, True)) for split in ("train", "validation", "test")}
    assert sizes["validation"] == sizes["test"] == max(1, round(count / 5))
    assert sum(sizes.values()) == count
    for split in sizes:
        # Line by line, in the order of the box.
        assert [text.replace("a", "b") for text in found.part(split, True)] == found.part(split, False)
    assert of_texts("politeness", lines(count, "a"), lines(count, "b")) == found


def test_boxes_of_unequal_length_are_split_each_by_itself() -> None:
    found = of_texts("politeness", lines(10, "a"), lines(25, "b"))
    assert [len(found.part(split, False)) for split in ("train", "validation", "test")] == [15, 5, 5]
    assert len(found.part("test", True)) == 2
    assert found.digest != of_texts("politeness", lines(25, "b"), lines(10, "a")).digest


@pytest.mark.parametrize("name", ["politeness", "my-politeness", "a_1.b", " spaced "])
def test_names_that_recipes_can_read(name: str) -> None:
    from core.recipes.language import parse

    assert parse(check_direction_name(name)).terms[0].direction == name.strip()


@pytest.mark.parametrize(
    "name", ["", " ", "2nd", "a b", "../x", "a/b", "a.", "a-1", "neurons", "x" * 61, "höflich", "a\n"]
)
def test_names_that_they_cannot(name: str) -> None:
    if name == "a\n":
        assert check_direction_name(name) == "a"
        return
    with pytest.raises(ContrastError, match="name"):
        check_direction_name(name)


def test_a_name_that_is_too_long_is_said_to_be() -> None:
    with pytest.raises(ContrastError, match=r"The name 'a{20}'… has 300 characters; take one of 60 or fewer"):
        request.check_direction_name("a" * 300)


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_learnt(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("mine", "utf-8")
    monkeypatch.setenv("TILLER_DATA", str(tmp_path / "file"))
    monkeypatch.setattr(loading, "load_model", None)
    with pytest.raises(StoreError, match=r"cannot be written \("):
        run(folder, "refusal")


def test_a_layer_as_it_is_written() -> None:
    assert [request.parse_layer(text) for text in ("", " ", "0", " 12 ")] == [None, None, 0, 12]
    for text in ("-1", "1.5", "first", "²"):
        with pytest.raises(ContrastError, match="The layer is a whole number from 0 on"):
            request.parse_layer(text)


def test_a_wish_is_checked_before_anything_begins() -> None:
    assert learn_request("refusal") == LearnRequest("refusal", "refusal")
    assert learn_request("refusal", name="mine", method="pca") == LearnRequest("refusal", "mine", None, "pca")
    assert isinstance(learn_request("truth", lines(9, "a"), lines(9, "b")).contrast, ContrastSet)
    for arguments, fix in (
        ({"kind": "politeness"}, "box of positive examples is empty"),
        ({"kind": "refusal", "positive": "a"}, "box of negative examples is empty"),
        ({"kind": "refusal", "method": "magic"}, "no method 'magic'; there are mean_difference, pca"),
        ({"kind": "refusal", "layer": -1}, "no layer -1"),
    ):
        with pytest.raises(ContrastError, match=fix):
            learn_request(**arguments)  # type: ignore[arg-type]


# -------------------------------------------------------------------------------------------------------- command line


def test_ten_examples_are_learnt_from_and_the_card_warns(
    folder: Path, boxes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, texts in (("a.txt", POLITE), ("b.txt", RUDE)):
        (tmp_path / name).write_text("\n".join(texts[:5]), encoding="utf-8")
    assert run(folder, "politeness", *boxes) == 0
    said = capsys.readouterr().out
    details = card("politeness").details
    assert json.loads(json.dumps(details)) == details
    low, high = details["steadiness"]["interval"]
    assert f"95 % {low:.2f} to {high:.2f}" in said
    assert "only 3 positive and 3 negative examples" in said
    assert details["held_out"]["n"] == 2
    assert details["learns"] == "politeness"
    for kind in controls.CARD_CONTROLS:
        assert [len(values) for values in details["controls"][kind].values()] == [3, 3]
    replies = details["replies"]
    assert list(replies["groups"]) == ["unrelated"]
    unrelated = replies["groups"]["unrelated"]
    kinds = ("refuses", "does not know", "answers", "broken")
    assert [sum(row) for row in zip(*(unrelated[kind] for kind in kinds), strict=True)] == [unrelated["n"]] * 9
    assert details["dose_response"]["broken"] == [count / unrelated["n"] for count in unrelated["broken"]]
    assert [len(details["tested"]["effect"]), details["tested"]["effect"][0]["n"]] == [3, 1]
    assert details["samples"]["strengths"] == [-1, 0, 1]
    assert details["asked"]["wish"] == "Answer this with politeness: {message}"
    places = [(each["layer"], each["offset"]) for each in details["all_scores"]]
    assert places == [(layer, offset) for offset in (-2, -1) for layer in range(tiny_models.LAYERS)], (
        "every one of them is scored"
    )
    assert details["layer_scores"]["leaning"][card("politeness").layer] == max(
        each["leaning"]
        for each in details["all_scores"]
        if each["offset"] == details["position"]["offset"] and each["layer"] == card("politeness").layer
    )
    for title in (
        "Layer scores",
        "What each strength does",
        "Replies at each strength",
        "At strength 1, beside it",
        "Three answers",
        "On the test split",
    ):
        assert title in said
    assert f'--recipe="{first_recipe(card("politeness"))}"' in said
    # It steers at once, and its name is taken now.
    engine = Engine(str(folder), device="cpu")
    assert "layer" in engine.explain(engine.settings("chat", "1.5*politeness").column.recipe, "chat")
    before = written()[0].read_bytes()
    with pytest.raises(
        StoreError, match="chat has a direction 'politeness' of your own already; give this one another"
    ):
        run(folder, "politeness", *boxes, "--method", "pca")
    assert [path.read_bytes() for path in written()] == [before]
    assert run(folder, "politeness", *boxes, "--method", "pca", "--again", "--layer", "2") == 0
    assert (card("politeness").details["method"], card("politeness").layer) == ("pca", 2)
    assert "layer 2 was chosen by hand" in capsys.readouterr().out


def test_truth_and_refusal_by_other_methods_under_other_names(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "truth", "--method", "ttpd", "--name", "general", "--layer", "3") == 0
    direction = load_direction(card("general").path)
    assert (direction.card.name, direction.card.details["learns"], direction.card.layer) == ("general", "truth", 3)
    assert direction.more["polarity"].shape == direction.vectors.shape
    assert -1 <= direction.card.details["label_cosine"] <= 1
    flipped = dict(
        zip(
            direction.card.details["dose_response"]["strengths"],
            direction.card.details["dose_response"]["flipped"],
            strict=True,
        )
    )
    assert flipped[0.0] == 0
    assert run(folder, "refusal", "--method", "logistic") == 0
    assert card("refusal").details["method"] == "logistic"
    assert "P(refusal), harmless" in capsys.readouterr().out
    assert {each.name for each in library.entries(registry.load_family(str(folder)))} == {"general", "refusal"}


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        (["truth", "--positive", "BOX"], "add --negative FILE"),
        (["politeness", "--positive", "BOX", "--negative", "nowhere.txt"], "nowhere.txt cannot be read"),
        (["politeness", "--positive", "BOX", "--negative", "EMPTY"], "empty; write at least 5 negative examples"),
        (["truth", "--positive", "EMPTY", "--negative", "EMPTY"], "empty; write at least 5 positive examples"),
        (["politeness", "--positive", "BOX", "--negative", "BOX"], "Both sides hold the same"),
        (["politeness", "--positive", "BOX", "--negative", "BYTES"], "not UTF-8"),
        (["../x", "--positive", "BOX", "--negative", "BOX"], "cannot be the name of a direction"),
        (["refusal", "--name", "a b"], "cannot be the name of a direction"),
        (["refusal", "--method", "magic"], "--method takes .*, not .magic."),
        (["refusal", "--recipe", "refusal"], "leave --recipe out"),
        (["refusal", "--checkpoint", "sft"], "has no checkpoint 'sft'"),
        (["refusal", "--layer", "99"], "There is no layer 99; this model has layers 0 to 3"),
        (
            ["politeness", "--positive", "BOX", "--negative", "OTHER", "--method", "ccs"],
            "ccs learns truth from statements",
        ),
        (
            ["politeness", "--positive", "BOX", "--negative", "LONG"],
            "takes .* of the 256 tokens that chat reads at once",
        ),
    ],
)
def test_what_cannot_be_learnt_is_one_sentence_and_leaves_nothing(
    arguments: list[str], fix: str, folder: Path, tmp_path: Path
) -> None:
    files = {
        "BOX": "\n".join(POLITE),
        "OTHER": "\n".join(RUDE),
        "EMPTY": " \n",
        "LONG": "\n".join([*RUDE, "so " * 400]),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "BYTES").write_bytes(b"caf\xe9")
    given = [str(tmp_path / each) if each in {*files, "BYTES"} else each for each in arguments]
    with pytest.raises((UsageError, ContrastError, AnatomyError, TillerError), match=fix) as error:
        run(folder, *given)
    assert "\n" not in str(error.value)
    assert written() == []


# ------------------------------------------------------------------------------------------------- the engine's thread


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[Engine]:
    opened = Engine(str(folder), device="cpu", threads=1)
    opened.start()
    assert opened.wait_ready(PATIENCE).state == "ready"
    yield opened
    opened.close()


def test_a_wish_is_learnt_between_chats_and_one_at_a_time(engine: Engine) -> None:
    mine = learn_request("politeness", "\n".join(POLITE), "\n".join(RUDE), name="polite", method="logistic")
    job = engine.learn_requested("chat", mine)
    with pytest.raises(TillerError, match="chat learns polite now; wait for its end, or cancel it"):
        engine.learn_requested("chat", learn_request("refusal"))
    view = job.wait(PATIENCE)
    assert (view.state, view.sentence) == ("done", "Learnt polite on chat.")
    assert [each.name for each in engine.directions("chat")] == ["polite"]
    with pytest.raises(StoreError, match="of your own already"):
        engine.learn_requested("chat", mine)


def test_a_layer_that_is_not_there_ends_the_job_with_its_sentence(engine: Engine) -> None:
    view = engine.learn_requested("chat", learn_request("refusal", layer=9)).wait(PATIENCE)
    assert view.state == "failed"
    assert view.sentence.startswith("There is no layer 9; this model has layers 0 to 3")
    assert written() == []


# ------------------------------------------------------------------------------------------------------ card, library


def test_a_card_of_few_figures_says_what_it_knows(folder: Path) -> None:
    path = tiny_models.direction(folder, "chat", "bare")
    try:
        text = direction_card.card_text(store.read_card(path))
    finally:
        path.unlink()
    assert text.startswith("bare of toy chat\n\nHow it was made")
    assert "layer 1 of 0 to 3" in text
    assert "strength" not in text


def made(**details: object) -> Card:
    whole = {"layer": 1, "layers": 4, "fingerprint": "f" * 64, **details}
    return Card(Path("x"), "direction", "x", "toy", "chat", whole)


def test_a_card_warns_of_what_may_be_chance() -> None:
    response = {"strengths": [0.0, 1.0], "effect": [0.1, 0.2], "damage": [0.0, 0.3]}
    pushed = {"effect": [0.1, 0.25, 0.0, 0.1] * 6, "damage": [0.1] * 24}
    calm = {"effect": [0.1] * 24, "damage": [0.1] * 24}
    said = direction_card.cautions(
        made(
            dose_response=response,
            controls={"n": 24, "shuffled": pushed, "isotropic": calm},
            best_of_many={"observed": 0.6, "p": 0.4, "places": 8, "permutations": 1000},
            learnt_from={"positive": 99, "negative": 29},
        )
    )
    assert len(said) == 3
    assert "only 99 positive and 29 negative" in said[0]
    assert "best of 8 places with p 0.4" in said[1]
    assert said[2].startswith("Of 24 directions from shuffled labels, as long as this one, 12 move the effect as far")
    assert "rank p 0.52" in said[2]
    calm_ones = {"n": 24, "shuffled": calm, "isotropic": calm}
    assert direction_card.cautions(made(dose_response=response, controls=calm_ones)) == []


def test_controls_are_compared_on_the_split_that_chose_nothing() -> None:
    response = {"strengths": [0.0, 1.0], "effect": [0.1, 0.9], "damage": [0.0, 0.3]}
    tested = {"strengths": [-1.0, 0.0, 1.0], "effect": [{"mean": value} for value in (0.1, 0.1, 0.15)]}
    far = {"effect": [0.3] * 24, "damage": [0.1] * 24}
    controls_of = {"n": 24, "split": "test", "shuffled": far, "spread": far, "isotropic": far}
    details = {"dose_response": response, "tested": tested, "controls": controls_of}
    assert [p for *_, p in direction_card.control_ranks(details)] == [1.0] * 3, "on validation it would be 0.04"


def test_the_library_shows_ones_own_before_what_it_hides_and_what_is_broken(tmp_path: Path) -> None:
    shipped = tiny_models.family(tmp_path / "toy", "llama", ("chat",), plain_base=False)
    tiny_models.direction(shipped, "chat", "truth")
    tiny_models.direction(shipped, "chat", "refusal")
    own = tiny_models.direction(shipped, "chat", "mine")
    target = store.user_folder() / "toy" / "chat" / "artefacts"
    target.mkdir(parents=True)
    (target / "direction.truth.safetensors").write_bytes(own.read_bytes())
    (target / "direction.cut.safetensors").write_bytes(own.read_bytes()[:100])
    family = registry.load_family(str(shipped))
    found = library.entries(family)
    assert [(each.name, each.own, each.hidden, bool(each.problem)) for each in found] == [
        ("cut", True, False, True),
        ("truth", True, False, False),
        ("mine", False, False, False),
        ("refusal", False, False, False),
        ("truth", False, True, False),
    ]
    assert all(len(each.row) == len(library.HEADINGS) for each in found)
    assert found[1].row[-1] == "yours"
    assert found[4].row[-1] == "shipped, hidden by yours"
    assert "cut off" in found[0].row[3]
    assert library.find_entry(family, found[4].key) == found[4]
    with pytest.raises(StoreError, match=r"direction.gone is not in the library any more"):
        library.find_entry(family, "own/chat/direction.gone")


def test_the_figures_that_a_card_prints_are_those_it_holds() -> None:
    tested = {"strengths": [0.0], "effect": [controls.mean_with_interval([0.25, 0.5], 0)]}
    text = direction_card.card_text(made(tested=tested, learns="refusal"))
    low, high = tested["effect"][0]["interval"]  # type: ignore[index]
    assert f"P(refusal), harmless at strength 0: 0.375 ({low:.3f} to {high:.3f}, 95 %, n = 2)" in text
    assert request.PLENTY > FEWEST
