"""Probes of every method on the set that they did not learn from."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from core.artefacts import store
from core.cli import probe
from core.cli.probe import probe_tables
from core.directions.contrast import ContrastItem, load_contrast
from core.directions.methods import METHODS
from core.errors import UsageError
from core.families import registry
from core.models import loading
from core.models.loading import Loaded
from core.stats.rates import Rate
from core.transfer import left_out_sets
from core.transfer.left_out_sets import RANDOM, LeftOutCell, ProbeError, left_out_table
from core.util.budget import Budget
from core.util.files import cache_folder
from core.util.progress import finished
from core.util.resume import ResumeNotes
from tests.support.command import verb

WIDTH = 12


def items() -> list[ContrastItem]:
    """Two sets and the negations of one; whether a statement is true stands behind its subject."""
    return [
        ContrastItem(f"{name} {number} {'is' if label else 'is no longer'} so.", label, name, "", group=str(number))
        for name in ("cities", "neg_cities", "numbers")
        for number in range(12)
        for label in (True, False)
    ]


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, np.ndarray]]:
    """States in which truth is one coordinate, that of a set another, in the second checkpoint with its zero moved far away."""
    rng = np.random.default_rng(0)
    read: dict[str, dict[str, np.ndarray]] = {"base": {}, "final": {}}
    offset = {"cities": 0.0, "neg_cities": 0.5, "numbers": -0.5}

    def states(loaded: str, texts: tuple[str, ...], _layer: int):
        for text in texts:
            state = rng.normal(scale=0.05, size=WIDTH)
            state[0] += 1.0 if "is so" in text and "not" not in text else -1.0
            state[1] += offset.get(text.split()[0], 0.0)
            read[loaded][text] = state + (10.0 * np.eye(WIDTH)[0] if loaded == "final" else 0.0)
        return read[loaded]
        yield

    monkeypatch.setattr(left_out_sets, "_read", states)
    return read


def test_a_probe_finds_what_is_planted_and_a_moved_zero_is_found_by_centring(planted: dict[str, object]) -> None:
    pairs = [("base", "base"), ("base", "final")]
    cells = finished(left_out_table(items(), pairs, lambda name: name, 0, ("mean_difference", "logistic", RANDOM)))  # type: ignore[arg-type, return-value]
    at = {(cell.method, cell.target, cell.left_out): cell for cell in cells}
    assert {cell.left_out for cell in cells} == {"cities", "neg_cities", "numbers"}
    for method in ("mean_difference", "logistic"):
        for name in ("cities", "neg_cities", "numbers"):
            assert at[method, "base", name].own.value == 1.0
            assert at[method, "final", name].own.value == 0.5, "its zero lies elsewhere"
            assert at[method, "final", name].centred.value == 1.0
            assert at[method, "base", name].own.n == 24
    assert all(cell.own.value < 0.95 for cell in cells if cell.method == RANDOM and cell.target == "base")


def test_a_set_and_its_negations_are_left_out_together(planted: dict[str, object]) -> None:
    lesson = left_out_sets._lesson(items(), "cities")
    assert {item.category for item in lesson.items} == {"numbers"}


def test_methods_that_take_negations_are_left_out_where_all_are_denials(planted: dict[str, object]) -> None:
    denials = [
        ContrastItem(f"{each.text[:-1]} not.", each.positive, each.category, "", group=each.group) for each in items()
    ]
    cells = finished(left_out_table(denials, [("base", "base")], lambda name: name, 0))  # type: ignore[arg-type, return-value]
    assert {cell.method for cell in cells} == {*METHODS, RANDOM} - {"ccs", "ttpd"}


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (lambda item: item.category == "numbers", "there is only numbers"),
        (lambda item: item.category.endswith("cities"), "there is only cities and neg_cities"),
        (lambda item: item.positive or item.category != "numbers", "The set numbers has statements of one class only"),
        (lambda item: False, "there is only none"),
    ],
)
def test_sets_that_do_not_suffice_are_refused(kept, said: str) -> None:
    some = [item for item in items() if kept(item)]
    with pytest.raises(ProbeError, match=said):
        finished(left_out_table(some, [("base", "base")], lambda name: name, 0))  # type: ignore[arg-type, return-value]


def test_a_statement_of_two_sets_is_refused(planted: dict[str, object]) -> None:
    again = [replace(item, category="copy") for item in items()[:2]]
    with pytest.raises(ProbeError, match="stands in cities and in copy"):
        finished(left_out_table([*items(), *again], [("base", "base")], lambda name: name, 0))  # type: ignore[arg-type, return-value]


def test_what_there_was_time_for_is_told_and_gone_on_from(
    planted: dict[str, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    methods, pairs, notes = ("mean_difference", RANDOM), [("base", "base"), ("final", "base")], ResumeNotes(tmp_path)
    loads: list[str] = []

    def load(name: str) -> Loaded:
        loads.append(name)
        return name  # type: ignore[return-value]

    def table(seconds: float | None) -> tuple[LeftOutCell, ...]:
        ticks = iter(range(1_000))
        # Each look at the clock takes a second.
        budget = Budget(seconds, lambda: float(next(ticks)))
        return finished(left_out_table(items(), pairs, load, 0, methods, budget, notes))

    with pytest.raises(
        ProbeError, match="statements were read on 1 of 2 checkpoints, before there was anything to tell; the same"
    ):
        table(2)
    assert loads == ["base"]
    # Of the second set there is time for one source: it is done, and in no cell yet.
    some = table(4)
    assert loads == ["base", "final"]
    assert {cell.left_out for cell in some} == {"cities", "neg_cities"}
    assert sorted(path.name for path in tmp_path.glob("set.*")) == ["set.0.0.json", "set.0.1.json", "set.1.0.json"]
    whole = table(None)
    assert loads == ["base", "final"], "nothing is read again"
    assert [cell for cell in whole if cell.left_out != "numbers"] == list(some)
    assert whole == finished(left_out_table(items(), pairs, load, 0, methods, notes=notes))


# ------------------------------------------------------------------------------------------------------------------- Skiff


def test_skiffs_probes_are_those_of_its_states_read_one_by_one(tmp_path: Path) -> None:
    """The mean difference, worked out by hand over states that are read a statement at a time."""
    skiff = registry.load_family("skiff")
    loaded = loading.load_model(skiff, "dpo")
    chosen = [item for item in load_contrast(skiff, "truth").items if item.category in ("cities", "capitals")][:80]
    (cell, *_) = finished(left_out_table(chosen, [("dpo", "dpo")], lambda _: loaded, 3, ("mean_difference",)))
    states = {item.text: _state(loaded, item.text, 3) for item in chosen}
    learnt = [item for item in chosen if item.category != cell.left_out]
    true, false = (
        np.mean([states[item.text] for item in learnt if item.positive is label], axis=0) for label in (True, False)
    )
    tried = [item for item in chosen if item.category == cell.left_out]
    right = [((states[item.text] - (true + false) / 2) @ (true - false) > 0) == item.positive for item in tried]
    assert (cell.own.hits, cell.own.n) == (sum(right), len(tried))


def truth_layer(checkpoint: str) -> int:
    path = store.find_artefact(registry.load_family("skiff").places, checkpoint, "direction", "truth")
    assert path is not None
    return store.read_card(path).layer


def test_the_layer_that_is_read_is_the_targets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def table(*_given: object, **_more: object):
        return ()
        yield

    monkeypatch.setattr(probe, "left_out_table", table)
    monkeypatch.setattr(probe, "left_out_phases", lambda *_given: [])
    layers = {name: 1 + place for place, name in enumerate(("base", "dpo"))}
    monkeypatch.setattr(store, "find_artefact", lambda _places, checkpoint, *_: Path(checkpoint))
    monkeypatch.setattr(store, "read_card", lambda path: SimpleNamespace(layer=layers[path.name]))
    assert verb("probe", []) == 0
    assert capsys.readouterr().err.startswith("block 2,")
    assert verb("probe", ["--source", "dpo", "--checkpoint", "base"]) == 0
    assert capsys.readouterr().err.startswith("block 1,")


def _state(loaded: Loaded, text: str, layer: int) -> np.ndarray:
    ids = loaded.tokenizer(loaded.start + text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        hidden = loaded.model(input_ids=ids, output_hidden_states=True).hidden_states
    # The last entry of transformers' list has gone through the final norm; this layer's own does not.
    return hidden[layer + 1][0, -1].double().numpy()


def test_the_command_prints_a_table_a_method_and_writes_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("cities", "capitals"):
        rows = [item for item in load_contrast(registry.load_family("skiff"), "truth").items if item.category == name][
            :40
        ]
        with (tmp_path / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("statement", "label"), *((item.text, int(item.positive)) for item in rows)])
    files = [str(tmp_path / f"{name}.csv") for name in ("cities", "capitals")]
    written = tmp_path / "probes.json"
    assert verb("probe", [*files, "--source", "dpo", "--json", str(written), "--csv", str(tmp_path / "p.csv")]) == 0
    said, told = capsys.readouterr()
    assert told.startswith(f"block {truth_layer('dpo')}, at the last token of 80 statements")
    assert "the mean over the sets that were left out" in said
    assert "dpo → dpo" in said
    assert " on this machine, by a trial of every part." in told
    assert verb("probe", [*files, "--source", "dpo", "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("About ")
    # It was finished: what was remembered has gone.
    assert not list((cache_folder() / "notes").glob("*"))
    cells = json.loads(written.read_text(encoding="utf-8"))
    assert {cell["left_out"] for cell in cells} == {"cities", "capitals"}
    rates = {(cell["method"], cell["left_out"]): cell["own"]["hits"] / cell["own"]["n"] for cell in cells}
    table, *_ = probe_tables(
        [LeftOutCell(**{**cell, "own": Rate(**cell["own"]), "centred": Rate(**cell["centred"])}) for cell in cells]
    )
    mean = (rates["logistic", "cities"] + rates["logistic", "capitals"]) / 2
    assert next(row for row in table.rows if row[0] == "logistic")[1].startswith(f"{mean:.2f} · ")
    assert len((tmp_path / "p.csv").read_text(encoding="utf-8").splitlines()) == len(cells) + 1
    with pytest.raises(UsageError, match="Two of the files are called cities"):
        verb("probe", [files[0], files[0]])
    with pytest.raises(UsageError, match="checkpoints as they are"):
        verb("probe", ["--recipe", "truth"])
