"""Facts, pairs, roles, maps of a pair and of a set, their comparison, and what cannot be traced."""

from __future__ import annotations

import itertools
import json
import math
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from core.chat.events import Done
from core.directions.contrast import load_contrast
from core.engine.engine import Engine
from core.errors import UsageError
from core.families import registry
from core.families.checkpoint import Family
from core.inference.detokenizer import token_text
from core.knowledge import map_export, map_statistics, maps, tracing
from core.knowledge.facts import (
    Fact,
    FactsError,
    categories,
    fact_pairs,
    facts_of,
    load_facts,
    read_facts,
    recall_pairs,
)
from core.knowledge.map_statistics import Totals, compared, pearson
from core.knowledge.maps import ROLES, Map, MapError, MapRequest, Traced, Words, direction_for, map_table, steered_at
from core.knowledge.pairs import PairError, Pairing, where
from core.knowledge.tracer import Tracer
from core.models import loading
from core.models.hooks import hooked
from core.models.loading import Loaded
from core.models.placement import Placing
from core.recipes.language import parse
from core.skiff.world.facts import TABLES
from core.util.budget import Budget
from core.util.figures import change_text
from core.util.progress import finished
from tests.support.command import verb
from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE

TRUE, FALSE = "The city of Lyon is in France.", "The city of Berlin is in France."
Load = Callable[[str], Loaded]


@pytest.fixture(scope="module")
def skiff() -> Family:
    return registry.load_family("skiff")


@pytest.fixture(scope="module")
def checkpoint(skiff: Family) -> Load:
    kept: dict[str, Loaded] = {}

    def get(name: str) -> Loaded:
        if name not in kept:
            kept[name] = loading.load_model(skiff, name, Placing("cpu"))
        return kept[name]

    return get


@pytest.fixture(scope="module")
def pairing(skiff: Family, checkpoint: Load) -> Pairing:
    return Pairing(checkpoint("base"), load_contrast(skiff, "truth"))


def traced(family: Family, order: MapRequest, get: Load) -> tuple[Traced, list[Traced]]:
    """The result, and everything that was shown before it."""
    work, shown = tracing.trace(family, order, get), []
    while True:
        try:
            shown.append(next(work)[1])
        except StopIteration as stop:
            return stop.value, shown


# ----------------------------------------------------------------------------------------------------------------- facts


def test_the_facts_are_those_of_skiffs_world(skiff: Family) -> None:
    known, _ = load_facts(skiff)
    assert len(known) > 800
    for fact in known:
        said = TABLES[fact.category]
        assert any(fact.text == said.fill(form, *row) for form in said.statements for row in said.rows), fact.text
        (a, b), (c, d) = fact.spans()
        assert (fact.text[a:b], fact.text[c:d]) == (fact.subject, fact.object)


def test_spans_where_the_object_comes_first() -> None:
    fact = Fact("colours", "{object} is the colour of {subject}.", "grass", "Green")
    (a, b), (c, d) = fact.spans()
    assert (fact.text[a:b], fact.text[c:d]) == ("grass", "Green")


@pytest.mark.parametrize("differ", ["subject", "object"])
def test_pairs_differ_in_one_place_and_are_false(skiff: Family, differ: maps.Differ) -> None:
    known = facts_of(load_facts(skiff)[0], "capitals")
    right = {(fact.subject, fact.object) for fact in known}
    found = list(fact_pairs(known, differ, lambda fact: len(fact.text)))
    assert len(found) > 100
    assert len(set(found)) == len(found)
    for true, false in found:
        assert (true.subject, true.object) in right
        assert (false.subject, false.object) not in right
        assert len(true.text) == len(false.text)
        same = "object" if differ == "subject" else "subject"
        assert getattr(true, same) == getattr(false, same)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("category,wording,subject\na,{subject},b\n", "lacks the column object"),
        ("category,wording,subject,object\na,{subject} is.,b,c\n", "line 2: a category"),
        (
            "category,wording,subject,object\na,{subject} is {object}.,b,c\na,{subject} is {object}.,b,d\n",
            "line 3: 'b' stands twice",
        ),
    ],
)
def test_a_wrong_file_of_facts_names_its_line(tmp_path: Path, text: str, wrong: str) -> None:
    (tmp_path / "facts.csv").write_text(text, encoding="utf-8")
    with pytest.raises(FactsError, match=re.escape(wrong)):
        read_facts(tmp_path / "facts.csv")


def test_an_unknown_set_names_those_there_are(skiff: Family) -> None:
    known, _ = load_facts(skiff)
    with pytest.raises(FactsError, match="no set 'planets'; there is cities, capitals"):
        facts_of(known, "planets")
    assert categories(known)[:2] == ("cities", "capitals")


# ----------------------------------------------------------------------------------------------------------------- pairs


def test_roles_of_tokens(skiff: Family, pairing: Pairing) -> None:
    known = facts_of(load_facts(skiff)[0], "cities")
    fact = next(each for each in known if each.subject == "Lyon")
    pair = pairing.alone(fact.text, *fact.spans())
    assert len(pair.texts) == len(pair.roles) == len(pair.positions)
    said = {
        role: "".join(text for text, each in zip(pair.texts, pair.roles, strict=True) if each == role)
        for role in pair.roles
    }
    assert list(said) == sorted(said, key=ROLES.index)
    subject = "".join(said.get(role, "") for role in ROLES if role.startswith("subject"))
    assert (said["start"], subject, said["object"]) == ("The city of", " Lyon", " France")
    assert (said["relation"], said["full stop"], said["suffix"]) == (" is in", ".", " This statement is:")
    assert [pair.roles[position - pair.shared][:7] for position in pair.subject] == ["subject"] * len(pair.subject)


def test_a_pair_begins_with_the_same_examples(pairing: Pairing) -> None:
    pair = pairing.pair(TRUE, FALSE)
    assert pair.true[: pair.first] == pair.false[: pair.first]
    assert pair.true[pair.first] != pair.false[pair.first]
    assert pair.shared < pair.first
    plain = Pairing(pairing.loaded, load_contrast(pairing.loaded.family, "truth"), "plain")
    assert plain.alone(TRUE, (12, 16)).roles[-1] == "full stop"


def test_an_object_is_recalled_from_statements_cut_off_before_it(skiff: Family, checkpoint: Load) -> None:
    recall = Pairing(checkpoint("base"), load_contrast(skiff, "truth"), "recall")
    # What stands before is true statements, without a word of true or false.
    assert "TRUE" not in recall.start
    assert recall.start.count("\n") == 4
    known, _ = load_facts(skiff)
    cities = facts_of(known, "cities")
    fact, other = next(recall_pairs(cities, recall.length))
    assert fact.before_object == f"The city of {fact.subject} is in"
    pair = recall.recalled(fact, other)
    assert pair.sentences == (fact.before_object, other.before_object)
    assert len(pair.true) == len(pair.false)
    said = [token_text(recall.loaded, label) for label in pair.labels]
    assert f" {fact.object}".startswith(said[0])
    assert f" {other.object}".startswith(said[1])
    assert pair.roles[-1] == "relation"
    assert "object" not in pair.roles
    with pytest.raises(PairError, match="does not end with its object"):
        recall.recalled(replace(fact, wording="{object} is where {subject} lies."), other)


def test_a_map_of_recall_brings_back_the_true_runs_object(skiff: Family, checkpoint: Load) -> None:
    found, _ = traced(skiff, MapRequest(("base",), set="capitals", pairs=4, asks="recall"), checkpoint)
    assert found.order.title == "capitals, its object recalled"
    (shown,) = found.maps
    # The last token's residual leaving the last layer is all that the answer depends on.
    assert shown.cells[-1][-1] == pytest.approx(1, abs=0.02)
    assert shown.columns[-1] == "relation"


def test_sentences_of_different_length_name_the_word_and_another_one(skiff: Family, pairing: Pairing) -> None:
    known, _ = load_facts(skiff)
    with pytest.raises(PairError, match=r"line up; '.*', also from .*, would fit") as caught:
        pairing.pair("The capital of France is Paris.", "The capital of France is Ulaanbaatar.", known)
    assert "'Ulaanbaatar' has" in str(caught.value)
    offered = re.search(r"; '(.*)', also from", str(caught.value))
    assert offered is not None
    pair = pairing.pair("The capital of France is Paris.", f"The capital of France is {offered[1]}.", known)
    assert len(pair.true) == len(pair.false)


@pytest.mark.parametrize(
    ("true", "false", "wrong"),
    [
        ("The sky is blue.", "The  sky is blue.", "the same"),
        ("Yes", "No", "is a single token; write a whole sentence"),
        ("The sky is blue. " * 200, "The sky is green. " * 200, "tokens and base reads .*; shorten it"),
    ],
)
def test_what_is_no_pair(pairing: Pairing, true: str, false: str, wrong: str) -> None:
    with pytest.raises(PairError, match=wrong):
        pairing.pair(true, false)


def test_a_subject_is_found_or_asked_for(skiff: Family) -> None:
    known, _ = load_facts(skiff)
    assert where(TRUE, "", known) == (12, 16)
    assert where("I like tea.", "tea", known) == (7, 10)
    with pytest.raises(PairError, match="'Oslo' does not stand in"):
        where(TRUE, "Oslo", known)
    with pytest.raises(PairError, match=r"subject of 'I like tea\.' is, is not known here; say it"):
        where("I like tea.", "", known)


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({}, "Write a true sentence"),
        ({"true": TRUE}, "Write the false sentence, too"),
        ({"set": "cities", "across": True}, "name two checkpoints"),
        ({"set": "cities", "pairs": 0}, "1 to 2000 pairs"),
        ({"true": TRUE, "false": FALSE, "asks": "recall"}, "An object is recalled in a set"),
        ({"set": "cities", "corruption": "noise", "asks": "recall"}, "An object is recalled in a set"),
    ],
)
def test_orders_that_make_no_sense(given: dict[str, object], wrong: str) -> None:
    with pytest.raises(MapError, match=wrong):
        MapRequest(("base",), **given)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------------------ maps


def test_the_map_of_a_pair(skiff: Family, checkpoint: Load) -> None:
    found, shown = traced(skiff, MapRequest(("base", "dpo"), true=TRUE, false=FALSE, across=True), checkpoint)
    assert [each.title for each in found.maps] == ["base", "dpo", "dpo − base", "base → dpo", "dpo → base"]
    base = found.maps[0]
    # The last layer's last token is the run itself; nothing at the last layer but that matters.
    assert base.cells[-1][-1] == pytest.approx(1, abs=1e-4)
    assert all(value == pytest.approx(0, abs=1e-4) for value in base.cells[-1][:-1])
    # Before the first word that differs, both runs are the same.
    assert all(row[:3] == (0.0, 0.0, 0.0) for row in base.cells)
    assert max(base.known) > 0.3
    difference = map_statistics.array(found.maps[1]) - map_statistics.array(base)
    np.testing.assert_allclose(map_statistics.array(found.maps[2]), difference)
    assert found.comparison is not None
    assert found.comparison.r == pytest.approx(pearson(map_statistics.array(base), map_statistics.array(found.maps[1])))
    # Rows came one after the other.
    growing = [sum(not math.isnan(value) for value in each.maps[0].known) for each in shown if len(each.maps) == 1]
    assert growing == sorted(growing)
    assert growing[0] == 0
    assert [each.part for each in shown] == sorted(each.part for each in shown)


def test_a_cell_by_hand(skiff: Family, checkpoint: Load, pairing: Pairing) -> None:
    found, _ = traced(skiff, MapRequest(("base",), true=TRUE, false=FALSE), checkpoint)
    loaded, pair = checkpoint("base"), pairing.pair(TRUE, FALSE)
    layer, place = 1, len(pair.positions) - 6
    seen: dict[str, torch.Tensor] = {}

    def ask(ids: tuple[int, ...], action: Callable[[torch.Tensor], torch.Tensor | None]) -> float:
        with torch.inference_mode(), hooked(loaded.anatomy, {("resid_post", layer): action}):
            logits = loaded.model(torch.tensor([ids]), use_cache=False).logits[0, -1].float()
        return float(logits[pair.labels[0]] - logits[pair.labels[1]])

    def put(states: torch.Tensor) -> torch.Tensor:
        new = states.clone()
        new[0, pair.shared + place] = seen["true"][0, pair.shared + place]
        return new

    true = ask(pair.true, lambda states: seen.update(true=states.clone()))
    false = ask(pair.false, lambda _: None)
    cell = (ask(pair.false, put) - false) / (true - false)
    assert found.maps[0].cells[layer][place] == pytest.approx(cell, abs=1e-4)


def test_noise_on_the_subject(skiff: Family, checkpoint: Load, pairing: Pairing) -> None:
    found, _ = traced(skiff, MapRequest(("base",), true=TRUE, corruption="noise"), checkpoint)
    pair = pairing.alone(TRUE, (12, 16))
    before = pair.subject[0] - pair.shared
    assert all(row[:before] == (0.0,) * before for row in found.maps[0].cells)
    assert found.maps[0].cells[-1][-1] == pytest.approx(1, abs=1e-4)
    again, _ = traced(skiff, MapRequest(("base",), true=TRUE, corruption="noise"), checkpoint)
    assert again.maps == found.maps


def test_the_average_over_a_set(skiff: Family, checkpoint: Load) -> None:
    order = MapRequest(("base", "dpo"), set="cities", pairs=12)
    found, shown = traced(skiff, order, checkpoint)
    assert [each.title for each in found.maps] == ["base", "dpo", "dpo − base"]
    assert {each.n for each in found.maps} == {12}
    columns = found.maps[0].columns
    assert list(columns) == [role for role in ROLES if role in columns]
    assert {"subject last", "relation", "object", "full stop", "suffix"} <= set(columns)
    # The map is about the subject: what comes before it is the same in both sentences.
    assert all(row[0] == 0 for row in found.maps[0].cells)
    told = found.comparison
    assert told is not None
    assert told.null_set == "capitals"
    assert told.halves is not None
    assert told.null is not None
    assert told.above is not None
    assert f"{found.asked} that were asked about, {found.right} were judged rightly" in " ".join(found.lines)
    assert 12 <= found.right <= found.asked
    assert -1 <= told.low <= told.r <= told.high <= 1
    assert re.search(
        r"12 pairs of cities; of \d+ that were asked about, \d+ were judged rightly", " ".join(found.lines)
    )
    assert len(shown) > 12 * 4


def test_only_pairs_that_are_judged_rightly_are_averaged(skiff: Family, checkpoint: Load) -> None:
    found, _ = traced(skiff, MapRequest(("base",), set="animals", pairs=6, differ="object"), checkpoint)
    loaded = checkpoint("base")
    tracer, own = Tracer(loaded), Pairing(loaded, load_contrast(skiff, "truth"))
    for true, false in found.examples:
        pair = own.pair(true, false)
        one, other = tracer.runs(pair)
        assert tracer.metric(pair, one) > 0 > tracer.metric(pair, other)


def test_a_budget_leaves_fewer_pairs_and_more_of_them_go_on(
    skiff: Family, checkpoint: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TILLER_CACHE", str(tmp_path))
    looks = itertools.count()
    order = MapRequest(("base", "dpo"), set="cities", pairs=5)
    work = tracing.trace(skiff, order, checkpoint, Budget(2.5, lambda: float(next(looks))))
    part = finished(work)
    # The budget is looked at after every pair, and is a second further on each time.
    assert {each.n for each in part.maps} == {3}
    assert part.wanted == 5
    assert part.notes[0].startswith("Unfinished: 3 of 5 pairs of cities")
    fewer, _ = traced(skiff, replace(order, pairs=3), checkpoint)
    assert fewer.maps == part.maps, "it is what three pairs give"
    work, computed = tracing.trace(skiff, order, checkpoint), []
    while True:
        try:
            step, _ = next(work)
        except StopIteration as stop:
            whole = stop.value
            break
        computed += [step.sentence] if step.tokens and not step.remembered else []
    # Two pairs more within either checkpoint, and of the set beside it.
    assert sorted(computed) == sorted(
        f"{name}, pair {number} of 5." for name in ("base", "dpo") * 2 for number in (4, 5)
    )
    monkeypatch.setenv("TILLER_CACHE", str(tmp_path / "other"))
    assert tracing.trace_seconds(skiff, replace(order, pairs=1), checkpoint) > 0
    anew, _ = traced(skiff, order, checkpoint)
    assert anew.maps == whole.maps
    assert anew.comparison == whole.comparison
    assert tracing.trace_seconds(skiff, order, checkpoint) == 0, "nothing is left"


def test_the_memory_does_not_grow_with_the_pairs(skiff: Family, checkpoint: Load) -> None:
    kept = Totals(6)
    size = kept.sums.nbytes + kept.counts.nbytes
    for number in range(500):
        kept.add(np.full((6, 3), float(number)), ("subject last", "object", "suffix"))
    assert kept.sums.nbytes + kept.counts.nbytes == size
    assert kept.n == 500
    assert kept.mean()[0, ROLES.index("object")] == pytest.approx(249.5)


# ------------------------------------------------------------------------------------------------------------ comparison


def made(noise: float, seed: int, base: np.ndarray, n: int = 60) -> Totals:
    """Averages over pairs whose maps are ``base`` and noise."""
    draw, totals = np.random.default_rng(seed), Totals(base.shape[0])
    for _ in range(n):
        totals.add(base + noise * draw.standard_normal(base.shape), ROLES)
    return totals


def test_two_maps_compared() -> None:
    draw = np.random.default_rng(0)
    here, elsewhere = draw.random((6, len(ROLES))), draw.random((6, len(ROLES)))
    moved = here.copy()
    moved[2, 3] += 0.8
    same = compared(
        made(0.3, 1, here), made(0.3, 2, here), (made(0.3, 3, elsewhere), made(0.3, 4, elsewhere)), "others"
    )
    assert same.halves is not None
    assert same.null is not None
    assert same.ceiling == pytest.approx(math.sqrt(same.halves[0] * same.halves[1]))
    assert same.low < same.r < same.high
    assert same.r > 0.95
    assert same.null < 0.5
    assert same.above is not None
    value, low, high = same.above
    assert value == pytest.approx(same.r - same.null)
    assert 0 < low < value < high
    alike = compared(made(0.3, 1, here), made(0.3, 2, here), (made(0.3, 3, here), made(0.3, 4, here)), "others")
    assert alike.above is not None
    assert alike.above[1] < 0 < alike.above[2], "where categories do not differ, nothing lies above the null"
    told = Map("one", "other", ROLES, map_statistics.cells(here))
    assert f"Largest difference: {change_text(same.largest[2])}" in " ".join(same.lines(told))
    assert f"r lies {change_text(value)} ({change_text(low)} to {change_text(high)}) above it" in " ".join(
        same.lines(told)
    )
    other = compared(made(0.3, 1, here), made(0.3, 2, moved))
    assert other.largest[:2] == (2, 3)
    assert abs(other.largest[2] - 0.8) < 3 * other.largest[3]
    assert other.r < same.r
    assert other.null is None


def test_pairs_of_one_statement_are_in_one_fold_in_every_average() -> None:
    one, other = Totals(2), Totals(2)
    for number in range(60):
        one.add(np.full((2, 1), float(number % 20)), ("object",), f"statement {number % 20}")
        if number != 3:
            # A pair that gives nothing in one checkpoint does not move the others to other folds.
            other.add(np.full((2, 1), float(number % 20)), ("object",), f"statement {number % 20}")
    place = ROLES.index("object")
    assert one.counts[:, place].tolist() == [6.0] * 10
    assert np.isclose(one.mean([4])[0, place], (4 + 14) / 2)


def test_maps_that_are_one_and_the_same_have_an_interval() -> None:
    base = np.random.default_rng(0).random((4, len(ROLES)))
    found = compared(made(0.0, 1, base), made(0.0, 2, base))
    assert found.r == pytest.approx(1)
    assert found.low == pytest.approx(1)
    assert found.freed is not None
    assert found.freed.value == pytest.approx(1)


def test_too_few_pairs_have_no_halves() -> None:
    base = np.random.default_rng(0).random((4, len(ROLES)))
    found = compared(made(0.1, 1, base, n=3), made(0.1, 2, base, n=3))
    assert found.halves is None
    assert found.ceiling is None
    assert math.isnan(found.low)
    few = compared(
        *(made(0.1, seed, base, n=3) for seed in (1, 2)), tuple(made(0.1, seed, base) for seed in (3, 4)), "others"
    )
    assert few.above is not None
    assert math.isnan(few.above[1])


def test_a_role_that_few_pairs_have_keeps_its_interval() -> None:
    draw, totals = np.random.default_rng(0), Totals(2)
    for number in range(40):
        roles = ("subject last", "subject middle") if number in (0, 11, 23) else ("subject last",)
        totals.add(draw.standard_normal((2, len(roles))), roles)
    half = totals.half()
    assert np.isfinite(half[:, ROLES.index("subject last")]).all()
    assert np.isfinite(half[:, ROLES.index("subject middle")]).all()
    assert np.isnan(half[:, ROLES.index("object")]).all()
    rare = half[:, ROLES.index("subject middle")].mean() / half[:, ROLES.index("subject last")].mean()
    assert rare > 2, "three pairs say less than forty"


def test_pearson_of_what_does_not_vary() -> None:
    assert math.isnan(pearson(np.zeros((2, 2)), np.ones((2, 2))))
    assert pearson(np.array([[1.0, 2.0, np.nan]]), np.array([[2.0, 4.0, 9.0]])) == pytest.approx(1)


# ----------------------------------------------------------------------------------------------------------- to take away


def test_tables_csv_and_svg_hold_every_cell() -> None:
    shown = Map("base", "base", ("<b>", " a", "c"), ((0.0, 0.25, math.nan), (1.0, -0.001, 0.5)))
    whole = Traced(MapRequest(("base",), true="a", false="b"), (shown,))
    assert map_table(shown).text().splitlines() == [
        "layer   <b>     a     c",
        "    1  1.00  0.00  0.50",
        "    0  0.00  0.25     ·",
    ]
    lines = map_export.map_csv(whole).splitlines()
    assert len(lines) == 1 + 6
    assert lines[2].split(",")[5:9] == ["0", " a", "1", "0.250000"]
    assert lines[3].split(",")[8] == ""
    svg = map_export.to_svg(whole)
    assert svg.count("<rect") == 1 + 6
    assert "<b>" not in svg
    assert "&lt;b&gt;" in svg
    assert map_export.halves(range(5)) == [(4, 3), (2, 1), (0, None)]


def test_a_logit_lens_is_a_picture_and_a_table() -> None:
    rows = (((("<Paris>", 0.75), ("Rome", 0.2)), (("Bern", 0.5), (" a very long word", 0.1))),) * 2
    found = Words(("plain", "steered"), rows, (0, 1), " Lyon")
    picture = map_export.words_svg(found)
    assert 'class="shades"' in picture, "a dark page would turn its colours round"
    ElementTree.fromstring(picture)
    assert picture.count("<rect") == 1 + 2 * 2 * 2
    assert "&lt;Paris&gt;: 0.75" in picture
    assert "a very lon… 0.10" in picture
    assert picture.index(">Bern 0.50<") < picture.index(">&lt;Paris&gt; 0.75<"), "the last layer stands above"
    assert len(map_export.words_csv(found).splitlines()) == 1 + 8


def test_steering_at_a_layer() -> None:
    assert str(steered_at(parse(""), 3, "truth")) == "1.0*truth[3]".replace("1.0", "1")
    assert (
        str(steered_at(parse("!refusal + -1.5*truth@base:reply"), 2, "truth")) == "!refusal - 1.5*truth@base[2]:reply"
    )
    # A map of facts says nothing of where refusal acts.
    recipe = parse("1.5*refusal")
    assert direction_for(recipe, ["refusal", "truth"]) == "truth"
    assert str(steered_at(recipe, 0, "truth")) == "1.5*refusal + 1*truth[0]"
    assert direction_for(recipe, ["polite", "refusal"]) == "refusal"
    assert (direction_for(parse(""), ["polite"]), direction_for(parse(""), [])) == ("polite", "")


# ------------------------------------------------------------------------------------------------------ on the engine


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    made = Engine("skiff", device="cpu", threads=1)
    made.start()
    made.wait_ready(PATIENCE)
    yield made
    made.close()


def test_maps_while_a_chat_goes_first(engine: Engine) -> None:
    job = engine.trace(MapRequest(("base", "dpo"), true=TRUE, false=FALSE))
    events = list(engine.submit(engine.settings().ask("What is the capital of France?")))
    assert any(isinstance(event, Done) for event in events)
    view = job.wait(PATIENCE)
    assert (view.state, view.said) == ("done", "Done.")
    assert [each.title for each in view.traced.maps] == ["base", "dpo", "dpo − base"]
    assert engine.trace(job.order) is job


def test_the_words_of_a_cell_and_of_a_token(engine: Engine) -> None:
    job = engine.trace(MapRequest(("base",), true=TRUE, false=FALSE))
    whole = job.wait(PATIENCE).traced
    shown = whole.maps[0]
    found = engine.cell_words(whole, shown, shown.layers - 1, len(shown.columns) - 1)
    assert found.titles == ("true sentence", "false sentence")
    assert [len(top) for layers in found.rows for top in layers] == [5, 5]
    # At the last layer's last token the two say what they answer.
    assert found.rows[0][0][0][0].strip() == "TRUE"
    with pytest.raises(MapError, match="no such cell"):
        engine.cell_words(whole, shown, 99, 0)
    settings = engine.settings(recipe="-1.5*truth").ask("Is Paris the capital of France?")
    reply = [
        event.id for event in engine.submit(settings) if getattr(event, "column", None) == 0 and hasattr(event, "id")
    ]
    words = engine.token_words(settings, 1, reply, 1)
    assert words.titles == ("plain", "steered")
    assert words.layers == tuple(range(6))
    assert words.rows[0] != words.rows[1]
    plain = engine.token_words(settings, 0, reply, 1)
    # The plain column's own token is the likeliest word of the last layer.
    assert plain.rows[0][-1][0][0] == plain.said


def test_maps_are_cancelled_and_their_rows_stay(engine: Engine) -> None:
    job = engine.trace(MapRequest(("base",), set="capitals", pairs=40))
    seen = threading.Event()
    for view in job:
        if view.traced.maps and not seen.is_set():
            seen.set()
            job.cancel()
    assert job.view.state == "cancelled"
    assert job.view.traced.maps
    assert engine.trace(job.order) is not job
    engine.trace(job.order).cancel()


def test_what_cannot_be_traced_is_said(engine: Engine) -> None:
    view = engine.trace(MapRequest(("base",), true="Paris is nice.", false="Paris is.")).wait(PATIENCE)
    assert view.state == "failed"
    assert "line up" in view.sentence


# ------------------------------------------------------------------------------------------------------ command line


def test_launch_trace(tmp_path: Path) -> None:
    csv, svg = tmp_path / "a.csv", tmp_path / "a.svg"
    command = [sys.executable, str(ROOT / "launch.py"), "trace", TRUE, FALSE, "--checkpoint", "base", "--threads", "1"]
    done = subprocess.run(
        [*command, "--csv", str(csv), "--svg", str(svg), "--json"], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert [each["title"] for each in found["maps"]] == ["base"]
    assert found["maps"][0]["cells"][-1][-1] == pytest.approx(1, abs=1e-4)
    assert csv.read_text(encoding="utf-8").startswith("traced,map,source")
    assert svg.read_text(encoding="utf-8").startswith("<svg")
    with pytest.raises(UsageError, match="leave the sentences out"):
        verb("trace", [TRUE, FALSE, "--set", "cities"])
