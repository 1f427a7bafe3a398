"""A person's own examples: columns, labels, how they are split, and datasets out of the Hub's cache."""

from __future__ import annotations

import json
import sys
import types
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from core.directions import contrast_files
from core.directions.contrast import SPLITS, ContrastError, ContrastSet
from core.directions.contrast_files import BY_GROUP, FLOOR, of_rows, overrides, read_table

COMMIT = "c" * 40


def rows(categories: int = 5, of_each: int = 8) -> list[dict[str, object]]:
    return [
        {"text": f"Thing {index} of kind {kind} is {label}.", "label": label, "category": f"kind{kind}"}
        for kind in range(categories)
        for index in range(of_each)
        for label in (0, 1)
    ]


def written(path: Path, table: list[dict[str, object]], leave: str = "") -> Path:
    keys = [key for key in table[0] if key != leave]
    lines = [",".join(keys)] + [",".join(str(row[key]) for key in keys) for row in table]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def sizes(made: ContrastSet) -> Counter[tuple[str, bool]]:
    return Counter((item.split, item.positive) for item in made.items)


def test_the_seed_studys_columns(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    lines = [f'"Number {index}, which is {label}.",{label}' for index in range(20) for label in (0, 1)]
    path.write_text("\ufeffstatement,label\r\n" + "\r\n".join(lines) + "\r\n", encoding="utf-8")
    made = read_table(str(path), "truth")
    assert made.name == "truth"
    assert made.split == BY_GROUP
    assert len(made.items) == 40
    assert sizes(made) == {
        (split, label): n for split, n in (("train", 12), ("validation", 4), ("test", 4)) for label in (True, False)
    }
    assert all(item.positive == item.text.endswith("1.") for item in made.items)
    assert read_table(str(path), "truth") == made, "the same split every time"


def test_the_split_does_not_hang_on_the_order(tmp_path: Path) -> None:
    table = [{key: row[key] for key in ("text", "label")} for row in rows()]
    one = {item.text: item.split for item in of_rows(table, "truth", "x", "d").items}
    other = {item.text: item.split for item in of_rows(table[::-1], "truth", "x", "d").items}
    assert one == other
    assert set(one.values()) == set(SPLITS)


def test_categories_stay_whole() -> None:
    made = of_rows(rows(), "truth", "x", "d")
    assert made.split == "whole categories"
    places: dict[str, set[str]] = {}
    for item in made.items:
        places.setdefault(item.category, set()).add(item.split)
    assert all(len(each) == 1 for each in places.values())
    assert sizes(made)["train", True] == 24
    assert all(count >= FLOOR[split] for (split, _), count in sizes(made).items())


def test_categories_that_are_too_few_or_one_sided_are_not_kept_whole() -> None:
    assert of_rows(rows(categories=2, of_each=20), "truth", "x", "d").split == BY_GROUP
    sided = [{**row, "category": f"kind{row['label']}"} for row in rows()]
    assert of_rows(sided, "truth", "x", "d").split == BY_GROUP


def test_a_split_that_is_given_is_kept() -> None:
    table = [{**row, "split": SPLITS[index // 2 % 3]} for index, row in enumerate(rows())]
    made = of_rows(table, "truth", "x", "d")
    assert made.split == "as given"
    assert [item.split for item in made.items] == [row["split"] for row in table]


def test_a_text_twice_counts_once() -> None:
    table = [{key: row[key] for key in ("text", "label")} for row in rows()]
    assert len(of_rows(table * 2, "truth", "x", "d").items) == len(table)


@pytest.mark.parametrize(
    ("table", "fix"),
    [
        ([{"claim": "A.", "label": 1}], "lacks the column text; it has claim, label, and needs text"),
        ([{"text": "A."}], "lacks the column label"),
        ([], "has no rows; a text and a label 0 or 1 stand in each"),
        ([{"text": "A.", "label": "maybe"}], "row 2: a text and a label 0 or 1 are needed, not 'maybe'"),
        ([{"text": "A.", "label": 1}, {"text": " ", "label": 1}], "row 3: a text and a label"),
        ([{"text": "A.", "label": 1}, {"text": "A.", "label": 0}], "with label 0 and with label 1"),
        (rows(1, 15), "has 15 examples with label 1 and 15 with label 0; at least 16 of each"),
    ],
)
def test_what_is_wrong_is_one_sentence(table: list[dict[str, object]], fix: str) -> None:
    with pytest.raises(ContrastError, match=fix) as error:
        of_rows(table, "truth", "own.csv", "d")
    assert "\n" not in str(error.value)


def test_sixteen_of_each_are_enough() -> None:
    assert len(of_rows(rows(1, 16), "truth", "x", "d").items) == 32


@pytest.mark.parametrize("label", ["true", "True", 1.0, "1"])
def test_labels_as_programs_write_them(label: object) -> None:
    table = [{**row, "label": label if row["label"] else "false"} for row in rows()]
    assert sizes(of_rows(table, "truth", "x", "d")) == sizes(of_rows(rows(), "truth", "x", "d"))


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows()) + "\n", encoding="utf-8")
    assert read_table(str(path), "truth").items == of_rows(rows(), "truth", "x", "d").items
    path.write_text('{"text": "A.", "label": 1}\n[1]\n', encoding="utf-8")
    with pytest.raises(ContrastError, match="line 2 is no JSON object"):
        read_table(str(path), "truth")
    path.write_text("text,label\n", encoding="utf-8")
    with pytest.raises(ContrastError, match="line 1 is not JSON"):
        read_table(str(path), "truth")


@pytest.mark.parametrize("way", ["utf-16", "semicolons", "tabs", "words", "minus", "pairs"])
def test_tables_as_other_programs_write_them(tmp_path: Path, way: str) -> None:
    path = written(tmp_path / "own.csv", rows())
    meant = read_table(str(path), "truth")
    text = path.read_text(encoding="utf-8")
    if way == "utf-16":
        path.write_bytes(text.replace("\n", "\r\n").encode("utf-16"))
    elif way in ("semicolons", "tabs"):
        path.write_text(text.replace(",", ";" if way == "semicolons" else "\t"), encoding="utf-8")
    elif way == "words":
        path.write_text(text.replace(",1,", ",TRUE,").replace(",0,", ",FALSE,"), encoding="utf-8")
    elif way == "minus":
        path.write_text(text.replace(",0,", ",-1,"), encoding="utf-8")
    else:
        path = tmp_path / "own.jsonl"
        sides = [[row for row in rows() if row["label"] == value] for value in (1, 0)]
        pairs = (
            {"positive": one["text"], "negative": other["text"], "category": one["category"]}
            for one, other in zip(*sides, strict=True)
        )
        path.write_text("\n".join(map(json.dumps, pairs)), encoding="utf-8")
    found = read_table(str(path), "truth").items
    assert {replace(item, group="") for item in found} == set(meant.items)
    if way == "pairs":
        assert Counter(Counter(item.group for item in found).values()) == {2: len(found) // 2}, "each row is a group"


def test_groups_go_to_one_split(tmp_path: Path) -> None:
    table = [{**row, "group": f"thing {index // 4}", "category": ""} for index, row in enumerate(rows())]
    made = read_table(str(written(tmp_path / "own.csv", table)), "truth")
    assert made.split == BY_GROUP
    splits: dict[str, set[str]] = {}
    for item in made.items:
        splits.setdefault(item.group, set()).add(item.split)
    assert len(splits) == 20
    assert all(len(each) == 1 for each in splits.values())
    assert sizes(made)["test", True] == sizes(made)["validation", False] == 8


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ContrastError, match="There is no file"):
        read_table(str(tmp_path / "none.csv"), "truth")
    (tmp_path / "own.pkl").write_bytes(b"")
    with pytest.raises(ContrastError, match=r"own\.pkl is none of .csv, .jsonl, .parquet"):
        read_table(str(tmp_path / "own.pkl"), "truth")
    (tmp_path / "own.csv").write_bytes(b"text,label\n\xff,1\n")
    with pytest.raises(ContrastError, match="not UTF-8"):
        read_table(str(tmp_path / "own.csv"), "truth")


def test_parquet_needs_its_package_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ContrastError, match="needs the package pyarrow; install it, or save the table as CSV"):
        read_table(str(path), "truth")
    # With a package of that name, its table is taken as it is.
    table = types.SimpleNamespace(to_pylist=rows)
    module = types.SimpleNamespace(read_table=lambda given: table if given == path else None)
    monkeypatch.setitem(sys.modules, "pyarrow", types.SimpleNamespace(parquet=module))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", module)
    assert read_table(str(path), "truth").items == of_rows(rows(), "truth", "x", "d").items


# -------------------------------------------------------------------------------------------------------------- the Hub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The snapshot of the dataset ``maker/claims`` in a cache as the Hub's client lays it out, without a network."""
    import huggingface_hub.constants

    repository = tmp_path / "datasets--maker--claims"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    snapshot = repository / "snapshots" / COMMIT
    (snapshot / "data").mkdir(parents=True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return snapshot


def test_a_dataset_by_its_name(hub: Path) -> None:
    written(hub / "data" / "claims.csv", rows())
    (hub / "loader.py").write_text("raise SystemExit('executed')")
    made = read_table("hub:maker/claims", "truth")
    assert made.items == of_rows(rows(), "truth", "x", "d").items


def test_a_dataset_with_other_columns(hub: Path) -> None:
    table = [{"claim": row["text"], "correct": row["label"]} for row in rows()]
    written(hub / "claims.csv", table)
    with pytest.raises(ContrastError, match="lacks the columns text and label; it has claim, correct"):
        read_table("hub:maker/claims", "truth")
    made = read_table("hub:maker/claims:claim,correct", "truth")
    assert {item.text for item in made.items} == {row["text"] for row in rows()}


def test_files_named_by_split_are_the_splits_and_the_simplest_form_is_read(hub: Path) -> None:
    for index, split in enumerate(("train", "validation", "test")):
        written(hub / "data" / f"{split}-00000-of-00001.csv", rows()[index * 16 : index * 16 + 16], leave="category")
    (hub / "data" / "train.parquet").write_bytes(b"never read")
    made = read_table("hub:maker/claims", "truth")
    assert made.split == "as given"
    assert sizes(made) == {(split, label): 8 for split in SPLITS for label in (True, False)}


@pytest.mark.parametrize(
    "source", ["hub:claims", "hub:maker/claims/more", "hub:maker/claims:claim", "hub:maker/claims:a,b,c"]
)
def test_a_name_that_is_no_datasets(source: str) -> None:
    with pytest.raises(ContrastError, match="is no dataset; write hub:owner/name"):
        read_table(source, "truth")


def test_a_dataset_that_cannot_be_had(hub: Path) -> None:
    with pytest.raises(ContrastError, match=r"maker/claims has no .csv, .jsonl, .parquet file"):
        read_table("hub:maker/claims", "truth")
    with pytest.raises(ContrastError, match="nobody/nothing cannot be fetched: check its name, the network"):
        read_table("hub:nobody/nothing", "truth")


# ---------------------------------------------------------------------------------------------------------- the options


def test_contrast_options(tmp_path: Path) -> None:
    path = written(tmp_path / "own.csv", rows())
    found = overrides([f"truth={path}"], ["truth", "refusal"])
    assert set(found) == {"truth"}
    assert found["truth"].items == of_rows(rows(), "truth", "x", "d").items
    for wrong in ("truth", "truth=", f"lies={path}", str(path)):
        with pytest.raises(ContrastError, match="write truth=FILE or refusal=FILE"):
            overrides([wrong], ["truth", "refusal"])


def test_a_card_says_how_the_examples_were_split() -> None:
    made = of_rows(rows(), "truth", "x", "digest")
    assert contrast_files.describe_table(made) == {
        "name": "truth",
        "digest": "digest",
        "n": 48,
        "split": "whole categories",
    }
    given = ContrastSet("truth", made.items, "digest")
    assert "split" not in contrast_files.describe_table(given)


def test_a_folder_of_sets_is_one_contrast_whose_files_are_its_categories(tmp_path: Path) -> None:
    for name in ("cities", "neg_cities", "larger_than", "spanish", "animals"):
        rows = "".join(f"{name} {number} is so.,{number % 2}\n" for number in range(40))
        (tmp_path / f"{name}.csv").write_text(f"statement,label\n{rows}", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no set", encoding="utf-8")
    found = read_table(str(tmp_path), "truth")
    assert {item.category for item in found.items} == {"cities", "neg_cities", "larger_than", "spanish", "animals"}
    assert (len(found.items), found.split) == (200, "whole categories")
    splits = {item.category: item.split for item in found.items}
    assert set(splits.values()) == {"train", "validation", "test"}
