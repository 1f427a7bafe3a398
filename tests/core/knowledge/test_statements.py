"""Sets of labelled statements, in the layout of the study's authors."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.directions.contrast import ContrastError, ContrastItem
from core.directions.contrast_files import read_set
from core.families import registry
from core.knowledge import tracing
from core.knowledge.facts import facts_of, load_facts
from core.knowledge.maps import MapError, MapRequest
from core.knowledge.statements import statement_pairs
from core.models import loading
from core.util.progress import finished


def written(path: Path, rows: list[tuple[str, str]], columns: tuple[str, str] = ("statement", "label")) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*columns, "city"])
        writer.writerows([*row, "Paris"] for row in rows)
    return path


def items(true: list[str], false: list[str]) -> list[ContrastItem]:
    return [ContrastItem(text, label, "set", "") for label, texts in ((True, true), (False, false)) for text in texts]


def test_negations_and_comparisons_pair_by_their_labels(tmp_path: Path) -> None:
    negated = read_set(
        written(
            tmp_path / "neg_cities.csv",
            [
                ("The city of Lima is not in Japan.", "1"),
                ("The city of Osaka is not in Japan.", "0"),
                ("The city of Kobe is not in Japan.", "0"),
                ("The city of Kobe is not in Peru.", "1"),
                ("Japan is an island.", "1"),
            ],
        )
    )
    assert {item.category for item in negated} == {"neg_cities"}
    pairs = [(true.text, false.text) for true, false in statement_pairs(negated, lambda text: len(text.split()))]
    assert pairs == [
        ("The city of Lima is not in Japan.", "The city of Osaka is not in Japan."),
        ("The city of Lima is not in Japan.", "The city of Kobe is not in Japan."),
    ]
    larger = items(["Sixty is larger than fifty."], ["Forty is larger than fifty.", "Ten is less than fifty."])
    (true, false), *rest = statement_pairs(larger, lambda text: len(text.split()))
    assert (true.subject, true.object, true.wording) == ("Sixty", "fifty", "{subject} is larger than {object}.")
    assert (false.subject, not rest) == ("Forty", True)
    (a, b), (c, d) = true.spans()
    assert (true.text[a:b], true.text[c:d]) == ("Sixty", "fifty")


words = st.lists(st.sampled_from(["the", "city", "of", "Lima", "Oslo", "is", "in", "Peru."]), min_size=1, max_size=7)


@given(st.lists(words.map(" ".join), min_size=1, max_size=12), st.lists(words.map(" ".join), min_size=1, max_size=12))
def test_every_pair_is_one_true_and_one_false_statement_word_for_word(true: list[str], false: list[str]) -> None:
    for one, other in statement_pairs(items(true, false), len):
        assert one.text in true
        assert other.text in false
        assert len(one.text) == len(other.text)
        assert (one.wording, one.object) == (other.wording, other.object)
        assert one.subject != other.subject


@pytest.mark.parametrize(
    ("columns", "rows", "said"),
    [
        (("words", "label"), [("a b", "1")], "lacks the column text; it has words"),
        (("statement", "label"), [("It is so.", "1"), ("It is.", "yes")], "row 3: a statement and a label 0 or 1"),
        (("statement", "label"), [("It is so.", "1"), ("It is so.", "0")], "has 'It is so.' with label 0 and with"),
        (("statement", "label"), [("It is so.", "1")], "has no false statement"),
        (("statement", "label"), [("It is so.", "0")], "has no true statement"),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence(
    tmp_path: Path, columns: tuple[str, str], rows: list[tuple[str, str]], said: str
) -> None:
    with pytest.raises(ContrastError, match=re.escape(said)):
        read_set(written(tmp_path / "set.csv", rows, columns))


def test_files_that_are_none_are_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ContrastError, match="There is no file"):
        read_set(tmp_path / "none.csv")
    with pytest.raises(ContrastError, match="is a folder; name the files in it"):
        read_set(tmp_path)
    with pytest.raises(ContrastError, match="cannot be a file"):
        read_set(tmp_path / ("x" * 300 + ".csv"))
    (tmp_path / "empty.csv").write_text("statement,label\n", encoding="utf-8")
    with pytest.raises(ContrastError, match="has no rows"):
        read_set(tmp_path / "empty.csv")
    (tmp_path / "image.csv").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(ContrastError, match="not UTF-8"):
        read_set(tmp_path / "image.csv")


def test_statements_that_do_not_pair_up_say_what_a_pair_is(tmp_path: Path) -> None:
    file = written(tmp_path / "two.csv", [("Water is wet.", "1"), ("Fire is cold.", "0")])
    skiff = registry.load_family("skiff")
    loaded = loading.load_model(skiff, "dpo")
    order = MapRequest(("dpo",), set="two", pairs=3, file=str(file))
    with pytest.raises(MapError, match="no true and false statement pair up: a pair ends in the same word"):
        finished(tracing.trace(skiff, order, lambda _: loaded))


@pytest.mark.parametrize("more", [{"asks": "recall"}, {"corruption": "noise"}, {"differ": "object"}])
def test_what_needs_more_than_labels_is_refused(more: dict[str, str]) -> None:
    with pytest.raises(MapError, match="only the labels are known"):
        MapRequest(("base",), set="neg_cities", file="neg_cities.csv", **more)  # type: ignore[arg-type]


def test_a_file_of_the_facts_gives_the_map_of_their_set(tmp_path: Path) -> None:
    """The same pairs by their labels as by swapping subjects: the same map, cell by cell."""
    skiff = registry.load_family("skiff")
    loaded = loading.load_model(skiff, "dpo")
    by_set = finished(tracing.trace(skiff, MapRequest(("dpo",), set="capitals", pairs=3), lambda _: loaded))
    rows = [row for true, false in by_set.examples for row in ((true, "1"), (false, "0"))]
    assert rows[0][0] in {fact.text for fact in facts_of(load_facts(skiff)[0], "capitals")}
    file = written(tmp_path / "capital_set.csv", list(dict.fromkeys(rows)))
    order = MapRequest(("dpo",), set="capital_set", pairs=3, file=str(file))
    by_file = finished(tracing.trace(skiff, order, lambda _: loaded))
    assert by_file.order.title == "capital_set"
    assert by_file.examples == by_set.examples
    assert by_file.maps[0].columns == by_set.maps[0].columns
    assert np.allclose(by_file.maps[0].cells, by_set.maps[0].cells, atol=1e-6)
