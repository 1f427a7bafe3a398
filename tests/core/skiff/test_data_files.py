"""Skiff's data files: what is wrong in one is said with its file and its line or key, and none of them lies there unread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.skiff.data import reader
from core.skiff.data.reader import DATA, DataError
from core.skiff.world.requests import _verbs
from core.skiff.world.tables import read_tables

TABLE = """
[birds]
statements = ["{a_s} is {o}."]
heldout_statements = ["{S}: {o}."]
negations = ["{a_s} is not {o}."]
questions = ["What is {a_s}?"]
heldout_questions = ["{s}?"]
answer = "{a_s} is {o}."
yes_no = ["Is {a_s} {o}?"]
no_answer = "{a_s} is not {o}."
mass = ["plumage"]

[birds.facts]
"swan" = "white"
crow = "black"

[birds.also]
swan = ["black"]
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Writes a data file; gives its name."""
    monkeypatch.setattr(reader, "DATA", tmp_path)

    def written(text: str, name: str = "some.file") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    return written


def test_a_table_is_as_its_file_has_it(write: Callable[[str], str]) -> None:
    (table,) = read_tables(write(TABLE))
    assert table.name == "birds"
    assert table.rows == (("swan", "white"), ("crow", "black"))
    assert table.also == {"swan": frozenset({"black"})}
    assert table.mass == frozenset({"plumage"})
    assert (table.plurals, table.reverse_questions) == ({}, ())
    assert table.fill(table.statements[0], "crow", "black") == "A crow is black."


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('crow = "black"', 'swan = "black"', r"some\.file is not valid TOML: Cannot overwrite a value \(at line 15"),
        ('crow = "black"', "crow = black", r"some\.file is not valid TOML: Invalid value \(at line 15, column 8\)"),
        ('crow = "black"', "crow = 7", r"some\.file: birds\.facts\.crow must be text in quotes, not 7\."),
        ('answer = "{a_s} is {o}."\ny', "y", r"some\.file: birds\.answer is missing\."),
        ("mass =", "maas =", r"some\.file: birds\.maas is no key here; there is facts, statements, "),
        ('"What is {a_s}?"', "", r"some\.file: birds\.questions must be a list of texts in quotes, which is not empty"),
        (
            "Is {a_s} {o}?",
            "Is {a_s} {x}?",
            r"birds\.yes_no has 'Is \{a_s\} \{x\}\?', in which braces may hold s, o, S, ",
        ),
        ("Is {a_s} {o}?", "Is {a_s {o}?", r"birds\.yes_no has 'Is \{a_s \{o\}\?', in which braces"),
        ('swan = ["black"]', 'swan = "black"', r"some\.file: birds\.also\.swan must be a list of texts"),
        ("[birds.facts]", "[[birds.facts]]", r"some\.file: birds\.facts must be a table\."),
    ],
)
def test_what_is_wrong_in_a_table_is_named(old: str, new: str, said: str, write: Callable[[str], str]) -> None:
    assert old in TABLE
    with pytest.raises(DataError, match=said):
        read_tables(write(TABLE.replace(old, new)))


def test_other_shapes_are_named(write: Callable[[str], str]) -> None:
    file = reader.toml(write('[[plot]]\nsteps = [["a"], []]\n\n[single]\npaint = "building boats"\n'))
    with pytest.raises(DataError, match=r"some\.file: plot\[1\]\.steps must be a list of lists of texts"):
        file.nodes("plot")[0].lists("steps")
    with pytest.raises(DataError, match=r"some\.file: single must be tables in double brackets\."):
        file.nodes("single")
    with pytest.raises(DataError, match=r"single\.paint names the class 'boats', which is none of building, person"):
        _verbs(file.node("single"), {"building": ("a house",), "person": ("a man",)})


def test_the_items_of_a_text_file(write: Callable[[str], str]) -> None:
    assert reader.text_lines(write("# For people.\n\n#include <a.h>\n  two words  \n")) == (
        "#include <a.h>",
        "two words",
    )
    with pytest.raises(DataError, match=r"some\.file, line 4: 'kill moss' stands in line 2, too; take one of them out"):
        reader.text_lines(write("# Aims\nkill moss\nkill time\nkill moss\n"))


def test_the_rows_of_a_table(write: Callable[[str], str]) -> None:
    columns = ("label", "message")
    text = '# For people.\n\nlabel,message\nchat,"Hi, you"\nunknown,# what?\n'
    assert reader.rows(write(text), columns) == (("chat", "Hi, you"), ("unknown", "# what?"))
    for wrong, said in (
        (text.replace("label,", "lable,"), r"some\.file, line 3: the columns must be label,message\."),
        ("", r"some\.file, line 1: the columns must be label,message\."),
        (
            text.replace('"Hi, you"', "Hi, you"),
            r"some\.file, line 4: a row needs 2 values \(label, message\), none of them empty; this one has 3",
        ),
        (text.replace("chat,", ","), r"some\.file, line 4: a row needs 2 values .*, none of them empty"),
        (text.replace('you"', "you"), r"some\.file, line [45]: .*; check its quotes\."),
    ):
        with pytest.raises(DataError, match=said):
            reader.rows(write(wrong), columns)


def test_what_cannot_be_read_is_named(tmp_path: Path, write: Callable[[str], str]) -> None:
    with pytest.raises(DataError, match=r"none\.txt cannot be read \(No such file or directory\); take it from"):
        reader.text_lines("none.txt")
    (tmp_path / "latin.txt").write_bytes("tötet".encode("latin-1"))
    with pytest.raises(DataError, match=r"latin\.txt is not UTF-8; save it as UTF-8"):
        reader.text_lines("latin.txt")


def test_every_file_is_read_by_something() -> None:
    program = "\n".join(path.read_text(encoding="utf-8") for path in DATA.parent.rglob("*.py"))
    files = [
        path.relative_to(DATA) for path in DATA.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    assert len(files) > 30
    # The files of facts are read by their names without an ending.
    unread = [path for path in files if f'"{path.as_posix()}"' not in program and f'"{path.stem}"' not in program]
    assert unread == []
