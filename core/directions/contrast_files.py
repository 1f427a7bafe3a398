"""A person's own examples as a contrast set: a CSV, JSON lines or parquet file, or a dataset on the Hub. No torch, nothing executed.

The columns are those of the seed study, ``statement,label``, or ``text,label``; label 1 is the positive class (a true statement, a
harmful instruction), 0 or -1 the other. A row may hold a pair instead, ``positive,negative``. A column ``group`` names what belongs
together, such as the subject of several statements; without it each text, or each pair, is a group of its own. A column ``split`` with
train, validation and test is kept. Without one the examples are split here, always in the same way: whole categories where a column
``category`` allows it, else whole groups in the order of a hash. Of a folder every file is a category.
"""

from __future__ import annotations

import csv
import hashlib
import importlib
import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.directions.contrast import SPLITS, ContrastError, ContrastItem, ContrastSet
from core.util.files import decoded, parsed_json
from core.util.text import clean

#: What the column of the examples may be called, the first one found is taken.
_TEXTS = ("text", "statement", "instruction", "prompt")
#: So many examples of each class every split must have.
FLOOR = {"train": 8, "validation": 4, "test": 4}
#: How large the splits should be, as parts of the whole.
SHARE = {"train": 0.6, "validation": 0.2, "test": 0.2}
#: What the files of a dataset call their splits.
_FILES = {"train": "train", "validation": "validation", "valid": "validation", "dev": "validation", "test": "test"}
_LABELS = {"1": True, "1.0": True, "true": True, **dict.fromkeys(("0", "0.0", "false", "-1", "-1.0"), False)}
#: What a row may hold instead of a text and a label: an example of each class, as repeng's data sets do.
_PAIR = {"positive": 1, "negative": 0}

Row = Mapping[str, object]
#: How a set came to its splits whose groups were cut by a hash.
BY_GROUP = "groups, by hash"


def read_table(source: str, name: str) -> ContrastSet:
    """The contrast set ``name`` from a file, or from ``hub:owner/name`` with ``:text,label`` behind it where columns are called otherwise.

    Raises:
        ContrastError: what cannot be read, in one sentence with the fix.
    """
    if source.startswith("hub:"):
        return _from_hub(source, name)
    path = Path(source).expanduser()
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix.lower() in _READERS)
        return _divided([item for each in files for item in read_set(each)], name, source, _digest(files))
    if not path.is_file():
        raise ContrastError(
            f"There is no file {source}; give a CSV file with the columns text and label, a folder of them, or hub:owner/name."
        )
    return of_rows(table_rows(path), name, source, _digest([path]))


def read_set(path: Path) -> tuple[ContrastItem, ...]:
    """The labelled statements of a file, whose category is the file's name where it names none; in the layout of the seed study, which has
    a file for each of ``cities``, ``neg_cities``, ``larger_than`` …

    Raises:
        ContrastError: what cannot be read; a file that has no statement of one class.
    """
    try:
        folder, there = path.is_dir(), path.is_file()
    except OSError as error:
        raise ContrastError(f"{str(path)[:80]} cannot be a file ({error.strerror}); give another name.") from error
    if not there:
        said = f"{path} is a folder; name the files in it" if folder else f"There is no file {path}"
        raise ContrastError(f"{said}, each a table with the columns statement and label.")
    items = _labelled(table_rows(path), str(path))
    for positive, called in ((True, "true"), (False, "false")):
        if not any(item.positive is positive for item in items):
            raise ContrastError(f"{path} has no {called} statement; a set takes statements of both labels.")
    return tuple(item if item.category else replace(item, category=path.stem) for item in items)


# ------------------------------------------------------------------------------------------------------------------ files


def table_rows(path: Path) -> list[Row]:
    """The rows of a CSV, JSON lines or parquet file. Raises ContrastError."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ContrastError(
            f"{path.name} is none of {', '.join(_READERS)}; save it as a CSV file with the columns text and label."
        )
    try:
        return reader(path)
    except OSError as error:
        raise ContrastError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
    except UnicodeDecodeError as error:
        raise ContrastError(f"{path} is not UTF-8 text; save it in UTF-8.") from error


def _csv(path: Path) -> list[Row]:
    # Lines may end in quotes' midst, so csv splits them itself.
    text = decoded(path.read_bytes())
    # Where the comma is part of numbers, spreadsheets put a semicolon between columns; others put a tab.
    between = max(",;\t", key=text.partition("\n")[0].count)
    try:
        return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=between))
    except csv.Error as error:
        raise ContrastError(f"{path} is no CSV file ({error}); save it as CSV in UTF-8.") from error


def _jsonl(path: Path) -> list[Row]:
    rows: list[Row] = []
    for number, line in enumerate(decoded(path.read_bytes()).split("\n"), 1):
        try:
            row = parsed_json(line) if line.strip() else {}
        except ValueError as error:
            raise ContrastError(f"{path}, line {number} is not JSON; every line must be one object.") from error
        if not isinstance(row, dict):
            raise ContrastError(f"{path}, line {number} is no JSON object; every line must be one.")
        rows += [row] if row else []
    return rows


def _parquet(path: Path) -> list[Row]:
    try:
        # Not among the requirements: few people need it.
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ContrastError(
            f"{path.name} is a parquet file, which needs the package pyarrow; install it, or save the table as CSV."
        ) from error
    try:
        return list(parquet.read_table(path).to_pylist())
    except Exception as error:
        # Its errors are its own types, which are not there to be named without it.
        raise ContrastError(f"{path.name} is not a parquet file that can be read ({type(error).__name__}).") from error


_READERS: dict[str, Callable[[Path], list[Row]]] = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}


def _digest(paths: Iterable[Path], chosen: str = "") -> str:
    digest = hashlib.sha256(chosen.encode())
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


# -------------------------------------------------------------------------------------------------------------- the Hub


def _from_hub(source: str, name: str) -> ContrastSet:
    """A dataset's tables, through the Hub's client alone: what code a dataset may bring is never fetched."""
    repository, _, columns = source.removeprefix("hub:").partition(":")
    chosen = tuple(part.strip() for part in columns.split(",")) if columns else ()
    if repository.count("/") != 1 or (chosen and (len(chosen) != 2 or not all(chosen))):
        raise ContrastError(
            f"{source!r} is no dataset; write hub:owner/name, or hub:owner/name:column,label with its columns."
        )
    folder = _fetched(repository)
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _READERS)
    if not files:
        raise ContrastError(
            f"The dataset {repository} has no {', '.join(_READERS)} file; save it as CSV and give its path."
        )
    # A table is often there in several forms: the simplest is taken.
    form = min((path.suffix.lower() for path in files), key=list(_READERS).index)
    files = [path for path in files if path.suffix.lower() == form]
    splits = [_FILES.get(path.stem.lower().replace(".", "-").partition("-")[0], "") for path in files]
    whole = set(splits) == set(SPLITS)
    rows = [
        {"split": split, **row} if whole else row
        for path, split in zip(files, splits, strict=True)
        for row in table_rows(path)
    ]
    return of_rows(rows, name, source, _digest(files, columns), *chosen)


def _fetched(repository: str) -> Path:
    from huggingface_hub import snapshot_download

    patterns = [f"*{suffix}" for suffix in _READERS]
    try:
        return Path(snapshot_download(repository, repo_type="dataset", allow_patterns=patterns))
    except Exception as error:
        # The Hub's client raises a dozen unrelated types here; all mean "cannot be fetched".
        reason = " ".join(str(error).split())[:200]
        raise ContrastError(
            f"The dataset {repository} cannot be fetched: check its name, the network and hf auth login. ({type(error).__name__}: {reason})"
        ) from error


# ------------------------------------------------------------------------------------------------------------- examples


def of_rows(
    rows: Sequence[Row], name: str, source: str, digest: str, text: str = "", label: str = "label"
) -> ContrastSet:
    """Rows as a contrast set, split if they are not.

    Raises:
        ContrastError: a column or a label that is missing, a text of both classes, or too few examples.
    """
    return _divided(_labelled(rows, source, text, label), name, source, digest)


def _divided(items: Sequence[ContrastItem], name: str, source: str, digest: str) -> ContrastSet:
    found, how = _split(tuple(items), source)
    return ContrastSet(name, found, digest, how)


def _labelled(rows: Sequence[Row], source: str, text: str = "", label: str = "label") -> tuple[ContrastItem, ...]:
    """Rows as examples, each text once."""
    if not rows:
        raise ContrastError(f"{source} has no rows; a text and a label 0 or 1 stand in each.")
    there = list(dict.fromkeys(key for row in rows for key in row if key is not None))
    if label not in there and set(_PAIR) <= set(there):
        rows = [
            {**row, "group": row.get("group") or f"pair {number}", "text": row.get(side), label: value}
            for number, row in enumerate(rows, 1)
            for side, value in _PAIR.items()
        ]
        there += ["text", label]
    text = text or next((each for each in _TEXTS if each in there), "text")
    if missing := [each for each in (text, label) if each not in there]:
        raise ContrastError(
            f"{source} lacks the column{'s' * (len(missing) > 1)} {' and '.join(missing)}; it has {', '.join(there) or 'none'}, "
            "and needs text (or statement) and label."
        )
    found: dict[str, ContrastItem] = {}
    for number, row in enumerate(rows, 2):
        item = _item(row, text, label, f"{source}, row {number}")
        if found.setdefault(item.text, item).positive != item.positive:
            raise ContrastError(
                f"{source} has {item.text[:60]!r} with label 0 and with label 1; leave one of them out."
            )
    return tuple(found.values())


def _item(row: Row, text: str, label: str, where: str) -> ContrastItem:
    said = clean(str(row.get(text) or "")).strip()
    positive = _LABELS.get(str(row.get(label, "")).strip().lower())
    if not said or positive is None:
        raise ContrastError(f"{where}: a {text} and a {label} 0 or 1 are needed, not {row.get(label)!r}.")
    category, group = (clean(str(row.get(column) or "")).strip() for column in ("category", "group"))
    return ContrastItem(said, positive, category, str(row.get("split") or ""), group=group)


def _split(items: tuple[ContrastItem, ...], source: str) -> tuple[tuple[ContrastItem, ...], str]:
    """The examples with a split each, and how they came to it."""
    if all(item.split in SPLITS for item in items) and not _short(items):
        return items, "as given"
    for divide, how in ((_by_category, "whole categories"), (_by_hash, BY_GROUP)):
        divided = divide(items)
        if not _short(divided):
            return divided, how
    need = sum(FLOOR.values())
    count = Counter(item.positive for item in items)
    raise ContrastError(
        f"{source} has {count[True]} examples with label 1 and {count[False]} with label 0; at least {need} of each are needed."
    )


def _short(items: Sequence[ContrastItem]) -> bool:
    """Whether a class of a split has too few examples."""
    count = Counter((item.split, item.positive) for item in items)
    return any(count[split, positive] < floor for split, floor in FLOOR.items() for positive in (True, False))


def _by_category(items: Sequence[ContrastItem]) -> tuple[ContrastItem, ...]:
    """Whole categories to each split: the largest first, each to the split that is furthest from its share."""
    sizes = Counter(item.category for item in items)
    taken: Counter[str] = Counter()
    place: dict[str, str] = {}
    for category in sorted(sizes, key=lambda each: (-sizes[each], each)):
        place[category] = min(SPLITS, key=lambda split: taken[split] / SHARE[split])
        taken[place[category]] += sizes[category]
    return tuple(replace(item, split=place[item.category]) for item in items)


def _by_hash(items: Sequence[ContrastItem]) -> tuple[ContrastItem, ...]:
    """Whole groups in the order of a hash: the last ones to test until each class has its share there, then to validation, the rest to
    train."""
    count = Counter(item.positive for item in items)
    wanted = {
        (split, label): max(FLOOR[split], round(count[label] * SHARE[split]))
        for split in ("test", "validation")
        for label in (True, False)
    }
    groups: dict[tuple[str, str], list[ContrastItem]] = {}
    for item in items:
        groups.setdefault(item.belongs, []).append(item)
    taken: Counter[tuple[str, bool]] = Counter()
    place: dict[tuple[str, str], str] = {}
    for group in sorted(groups, key=lambda each: _hash(each[1]), reverse=True):
        labels = {item.positive for item in groups[group]}
        short = (split for split, label in wanted if label in labels and taken[split, label] < wanted[split, label])
        place[group] = next(short, "train")
        taken.update((place[group], item.positive) for item in groups[group])
    return tuple(replace(item, split=place[item.belongs]) for item in items)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def overrides(given: Sequence[str], kinds: Sequence[str]) -> dict[str, ContrastSet]:
    """The contrast sets of ``--contrast kind=source`` options, by kind. Raises ContrastError."""
    found: dict[str, ContrastSet] = {}
    for each in given:
        kind, equals, source = each.partition("=")
        if not equals or not source or kind not in kinds:
            raise ContrastError(
                f"--contrast {each!r} cannot be read; write {' or '.join(f'{kind}=FILE' for kind in kinds)}."
            )
        found[kind] = read_table(source, kind)
    return found


def describe_table(contrast: ContrastSet) -> dict[str, Any]:
    """What a card says of the examples something was learnt from."""
    count = sum(item.split == "train" for item in contrast.items)
    made = {} if contrast.split == "as given" else {"split": contrast.split}
    return {"name": contrast.name, "digest": contrast.digest, "n": count, **made}
