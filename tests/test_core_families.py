"""Families: the tree in a family.toml, and every mistake in one named with its fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import families, store
from core.families import Family, FamilyError

TREE = """
title = "Toy"

[[checkpoint]]
name = "base"
path = "base"
stage = "pretrain"
template = "plain"

[[checkpoint]]
name = "sft"
path = "weights/sft"
parent = "base"

[[checkpoint]]
name = "other"
hub = "owner/model"
revision = "abc"
parent = "base"
letter = "O"

[[checkpoint]]
name = "dpo"
path = "dpo"
parent = "sft"
"""
CHIP = '[[example]]\ntitle = "Refuse"\nmessage = "Hello"\nrecipe = "1.5*refusal"\n'


def written(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "family.toml").write_text(text, encoding="utf-8")
    return folder


def read(folder: Path, text: str) -> Family:
    return families.load(str(written(folder, text)))


def test_a_tree(tmp_path: Path) -> None:
    family = read(tmp_path / "toy", TREE + CHIP)
    assert (family.name, family.title) == ("toy", "Toy")
    assert [each.name for each in family.path("dpo")] == ["base", "sft", "dpo"]
    assert family.final.name == "dpo"
    assert family.examples[0].checkpoint == "dpo"
    base, sft, other, _ = family.checkpoints
    assert (base.stage, base.letter, base.local, base.parent) == ("pretrain", "P", True, None)
    assert Path(sft.source) == tmp_path / "toy" / "weights" / "sft"
    assert (other.source, other.local, other.revision, other.letter) == ("owner/model", False, "abc", "O")
    with pytest.raises(FamilyError, match="no checkpoint 'dpp'; it has base, sft, other, dpo"):
        family.checkpoint("dpp")


def test_of_equally_long_paths_the_last_is_final(tmp_path: Path) -> None:
    assert read(tmp_path / "toy", TREE.split('[[checkpoint]]\nname = "dpo"')[0]).final.name == "other"


@pytest.mark.parametrize(
    ("old", "new", "fix"),
    [
        ('parent = "base"', 'pparent = "base"', "unknown key 'pparent'; known are .*parent"),
        ('title = "Toy"', 'titel = "Toy"', "the top has the unknown key 'titel'; known are .*title"),
        ('parent = "sft"', 'parent = "rlhf"', "the parent 'rlhf' of 'dpo' must be listed before it"),
        ('parent = "sft"', 'parent = "dpo"', "the parent 'dpo' of 'dpo' must be listed before it"),
        ('stage = "pretrain"', 'parent = "dpo"', "the parent 'dpo' of 'base' must be listed before it"),
        ('name = "sft"', 'name = "base"', "two checkpoints are called 'base'"),
        ('title = "Toy"', "title = Toy", "not valid TOML: .*line 2"),
        ('template = "plain"', 'template = "chatml"', "names the template 'chatml'; there is plain"),
        ('name = "sft"', 'stage = "sft"', r"every \[\[checkpoint\]\] needs a name"),
        ('name = "sft"', 'name = ""', r"every \[\[checkpoint\]\] needs a name"),
        ('name = "sft"', 'name = "my model"', "'my model' cannot stand in a recipe"),
        ('name = "sft"', 'name = "../sft"', "cannot stand in a recipe"),
        ('name = "sft"', "name = 7", "name of a checkpoint must be text in quotes, not 7"),
        ('path = "dpo"', "path = 7", "path of a checkpoint must be text in quotes"),
        ('path = "dpo"', 'path = "dpo"\nhub = "a/b"', "either path .* or hub"),
        ('path = "dpo"', "", "either path .* or hub"),
        ('[[checkpoint]]\nname = "dpo"', '[checkpoint.dpo]\nname = "dpo"', "unknown key 'dpo'"),
    ],
)
def test_every_mistake_is_named(old: str, new: str, fix: str, tmp_path: Path) -> None:
    assert old in TREE
    with pytest.raises(FamilyError, match=fix) as caught:
        read(tmp_path / "toy", TREE.replace(old, new, 1))
    assert "family.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("", r"names no \[\[checkpoint\]\]"),
        ('checkpoint = "base"', r"write \[\[checkpoint\]\] in double brackets"),
        ('[checkpoint]\nname = "base"\npath = "base"', r"write \[\[checkpoint\]\] in double brackets"),
        (TREE + CHIP.replace("title", "name"), "an example has the unknown key 'name'"),
        (TREE + CHIP.replace('"Hello"', '""'), "needs a title and a message"),
        (TREE + CHIP.replace("1.5*refusal", "1.5 refusal"), "the recipe of the example 'Refuse' .* Column 5"),
        (TREE + CHIP + 'checkpoint = "rlhf"', "no checkpoint 'rlhf'"),
    ],
)
def test_every_other_mistake_is_named(text: str, fix: str, tmp_path: Path) -> None:
    with pytest.raises(FamilyError, match=fix):
        read(tmp_path / "toy", text)


def test_what_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "family.toml").write_bytes(b'title = "\xff"')
    with pytest.raises(FamilyError, match="not valid TOML"):
        families.load(str(tmp_path) + "/")


@pytest.mark.parametrize("name", ["nonesuch", "./nonesuch", "/nonesuch/x", "x" * 5_000, "a\x00b", "", ".."])
def test_an_unknown_family_lists_the_known(name: str) -> None:
    written(store.user_folder() / "toy", TREE)
    with pytest.raises(FamilyError, match=r"There is no family .* there is .*toy") as caught:
        families.load(name)
    assert len(str(caught.value)) < 400


def test_a_persons_own_family_hides_the_shipped_one() -> None:
    written(store.user_folder() / "skiff", TREE)
    assert families.load("skiff").title == "Toy"
    assert families.names()[0] == "skiff"
    assert families.names().count("skiff") == 1
