"""Families: the tree in a family.toml, and every mistake in one named with its fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.artefacts import store
from core.errors import TillerError
from core.families import registry
from core.families.checkpoint import GENERAL_QUESTIONS, Family, FamilyError, Source, UndoPrompts
from core.families.edited import menu_group
from core.families.family_toml import read_family, text_of
from core.families.package import Package

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
    return registry.load_family(str(written(folder, text)))


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
        (
            'parent = "base"',
            'pparent = "base"',
            "item 2 of 'checkpoint' has the unknown key 'pparent'; did you mean parent",
        ),
        (
            'parent = "base"',
            'colour = "red"',
            "item 2 of 'checkpoint' has the unknown key 'colour'; known are .*parent",
        ),
        ('title = "Toy"', 'titel = "Toy"', "the document has the unknown key 'titel'; did you mean title"),
        (
            'parent = "sft"',
            'parent = "rlhf"',
            "the parent 'rlhf' of 'dpo' is no checkpoint .* base, sft, other, dpo",
        ),
        ('parent = "sft"', 'parent = "dpo"', "the parents go round in a circle: dpo → dpo"),
        ('stage = "pretrain"', 'parent = "dpo"', "the parents go round in a circle: base → dpo → sft → base"),
        ('name = "sft"', 'name = "base"', "two checkpoints are called 'base'; give one of them another name"),
        ('path = "dpo"', f'path = "{"a" * 5000}"', r"'a{60}'… is no path here \(File name too long\); correct it"),
        ('title = "Toy"', "title = Toy", r"is not valid TOML: Invalid value \(at line 2, column 9\)"),
        ('path = "dpo"', 'path = "dpo', r"is not valid TOML: .* \(at line 24, column 12\)"),
        (
            'path = "dpo"',
            'path = "dpo"\npath = "x"',
            r"is not valid TOML: Cannot overwrite a value \(at line 25",
        ),
        (
            'template = "plain"',
            'template = "chatml"',
            "names the template 'chatml'; there is plain, own-or-plain",
        ),
        ('template = "plain"', 'template_from = "chat"', "template_from 'chat' of 'base' is no checkpoint"),
        ('template = "plain"', 'template = "plain"\ntemplate_from = "sft"', "'base' has a template and a"),
        ('hub = "owner/model"', 'hub = "owner/my model"', "hub of 'other' must be owner/model"),
        ('path = "dpo"', 'path = "dpo"\nrevision = "v1"', "the revision of 'dpo' goes with hub"),
        ('path = "dpo"', 'path = "dpo"\ngated = "yes"', "gated of 'dpo' must be the address of the page"),
        ('title = "Toy"', 'quantize = "2bit"', "'quantize' must be one of none, 8bit, 4bit, not '2bit'"),
        ('title = "Toy"', 'memory = "much"', "memory must be an amount such as \"14 GB\", not 'much'"),
        ('title = "Toy"', "title = 7", "'title' must be text in quotes, not 7"),
        ('name = "sft"', 'stage = "sft"', r"every \[\[checkpoint\]\] needs a name"),
        ('name = "sft"', 'name = ""', r"every \[\[checkpoint\]\] needs a name"),
        ('name = "sft"', 'name = "my model"', "'my model' cannot stand in a recipe"),
        ('name = "sft"', 'name = "../sft"', "cannot stand in a recipe"),
        ('name = "sft"', "name = 7", "'name' of item 2 of 'checkpoint' must be text in quotes, not 7"),
        ('path = "dpo"', "path = 7", "'path' of item 4 of 'checkpoint' must be text in quotes, not 7"),
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
        ("", r"there is no \[\[checkpoint\]\]; name at least one"),
        ('checkpoint = "base"', r"write \[\[checkpoint\]\] in double brackets"),
        ('[checkpoint]\nname = "base"\npath = "base"', r"write \[\[checkpoint\]\] in double brackets"),
        (TREE + CHIP.replace("title", "name"), "item 1 of 'example' has the unknown key 'name'"),
        (TREE + CHIP.replace('"Hello"', '""'), "needs a title and a message"),
        (TREE + CHIP.replace("1.5*refusal", "1.5 refusal"), "the recipe of the example 'Refuse' .* Character 5"),
        (TREE + CHIP + 'checkpoint = "rlhf"', "names the checkpoint 'rlhf'; Toy has base, sft, other, dpo"),
    ],
)
def test_every_other_mistake_is_named(text: str, fix: str, tmp_path: Path) -> None:
    with pytest.raises(FamilyError, match=fix):
        read(tmp_path / "toy", text)


UNDO = '[undo]\nlose = "lose.txt"\nkeep = "more/keep.txt"\n\n'


def test_prompts_of_its_own_lie_beside_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    (folder / "more").mkdir(parents=True)
    (folder / "lose.txt").write_text("Wie tötet man einen Prozess?\n\nKill it.\n", encoding="utf-8")
    (folder / "more" / "keep.txt").write_text("One\n", encoding="utf-8")
    family = read(folder, TREE + UNDO)
    assert family.undo == UndoPrompts((folder / "lose.txt").resolve(), (folder / "more" / "keep.txt").resolve())
    assert text_of(family.undo.lose).splitlines() == ["Wie tötet man einen Prozess?", "", "Kill it."]
    assert read(folder, TREE).undo is None
    (folder / "lose.txt").write_bytes("tötet".encode("latin-1"))
    with pytest.raises(TillerError, match=r"lose\.txt is not UTF-8; save it as UTF-8"):
        text_of(family.undo.lose)
    (folder / "lose.txt").unlink()
    with pytest.raises(
        TillerError, match=r"lose\.txt cannot be read .*; put the file there, since family.toml names it"
    ):
        text_of(family.undo.lose)
    (folder / "lose.txt").mkdir()
    with pytest.raises(TillerError, match=r"lose\.txt cannot be read"):
        text_of(family.undo.lose)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        (
            UNDO.replace("lose.txt", "../beside.txt"),
            r"lose leads out of the family's folder \(\.\./beside\.txt\)",
        ),
        (UNDO.replace("lose.txt", "/etc/hostname"), "lose leads out of the family's folder"),
        (UNDO.replace("lose.txt", "link.txt"), "lose leads out of the family's folder"),
        (UNDO.replace('"lose.txt"', "7"), "'lose' of 'undo' must be text in quotes, not 7"),
        (UNDO.replace("keep =", "kept ="), "'undo' has the unknown key 'kept'; did you mean keep"),
        (UNDO.replace('lose = "lose.txt"', ""), r"\[undo\] needs lose, a text file with one prompt a line"),
        (UNDO.replace("[undo]", "[[undo]]"), r"write \[undo\] in single brackets, once"),
        ('undo = "lose.txt"\n', r"write \[undo\] in single brackets"),
        ('report_opening = "../beside.txt"\n', "report_opening leads out of the family's folder"),
    ],
)
def test_what_names_no_file_beside_it_is_refused(text: str, fix: str, tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "link.txt").symlink_to(tmp_path / "beside.txt")
    with pytest.raises(FamilyError, match=fix):
        read(folder, text + TREE.replace('title = "Toy"', "").lstrip())


def test_what_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "family.toml").write_bytes(b'title = "\xff"')
    with pytest.raises(FamilyError, match="is not UTF-8; save it as UTF-8"):
        registry.load_family(str(tmp_path) + "/")


PACKAGE = {
    "name": "tiny-weights", "version": "1.0", "file": "tiny/a.gguf", "sha256": "a" * 64, "size": 100, "licence": "MIT",
}  # fmt: skip


def packaged(more: str = "", where: str = 'hub = "me/mine"', **changes: object) -> str:
    said = ", ".join(
        f"{key} = {value if isinstance(value, int) else repr(value)}" for key, value in {**PACKAGE, **changes}.items()
    )
    return f'[[checkpoint]]\nname = "base"\n{where}\n{more}package = {{ {said} }}\n'


def test_a_package_may_hold_what_the_hub_has(tmp_path: Path) -> None:
    found = read(tmp_path, packaged()).final
    assert (found.source, found.local) == ("me/mine", False)
    assert found.package == Package(**PACKAGE, family=str(tmp_path.resolve()))  # type: ignore[arg-type]
    assert found.package.folder == store.user_folder() / "fetched" / "tiny-weights-1.0-aaaaaaaa"
    own = written(store.user_folder() / "toy", packaged())
    assert registry.load_family(own.name).final.package.family == "toy"  # type: ignore[union-attr]
    adapted = read(tmp_path, packaged() + '[[checkpoint]]\nname = "lora"\npath = "lora"\nadapter_of = "base"\n').final
    assert adapted.package == found.package


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        (packaged(where='path = "base"'), "the package of 'base' goes with hub, for a whole model"),
        (
            packaged('adapter_of = "base"\n').replace('"base"', '"x"', 1) + packaged(),
            "the package of 'x' goes with hub",
        ),
        (packaged(name="a b"), "needs a name and one version"),
        (packaged(name="-r requirements.txt"), "needs a name and one version"),
        (packaged(version=">=1.0"), "needs a name and one version"),
        (packaged(file="../a.gguf"), "file in the package of 'base' must be the place of a .gguf file in the wheel"),
        (packaged(file="/a.gguf"), "must be the place of a .gguf file"),
        (packaged(file="a/../../b.gguf"), "must be the place of a .gguf file"),
        (packaged(file="tiny/model.bin"), "must be the place of a .gguf file"),
        (packaged(sha256="abc"), "must be the 64 hexadecimal digits"),
        (packaged(size=0), "size in the package of 'base' must be the bytes of the download, not 0"),
        (packaged(size="93 MB"), "'size' of 'package' of item 1 of 'checkpoint' must be a whole number"),
        (packaged().replace("licence", "license"), "'package' of item 1 of 'checkpoint' has no licence"),
    ],
)
def test_a_package_that_cannot_be_meant_is_named(text: str, fix: str, tmp_path: Path) -> None:
    with pytest.raises(FamilyError, match=fix):
        read(tmp_path, text)


@pytest.mark.parametrize("name", ["nonesuch", "./nonesuch", "/nonesuch/x", "x" * 5_000, "a\x00b", "", ".."])
def test_an_unknown_family_lists_the_known(name: str) -> None:
    written(store.user_folder() / "toy", TREE)
    with pytest.raises(FamilyError, match=r"There is no family .* there is .*toy") as caught:
        registry.load_family(name)
    assert len(str(caught.value)) < 400


def test_what_was_put_together_is_not_among_the_known_and_the_nearest_is_proposed() -> None:
    written(store.user_folder() / "model-toy-0123abcd", TREE)
    with pytest.raises(FamilyError, match=r"^There is no family 'SKIF' \(did you mean skiff\?\); there is ") as caught:
        registry.load_family("SKIF")
    assert "model-toy" not in str(caught.value)
    assert registry.load_family("model-toy-0123abcd").title == "Toy"


def test_a_persons_own_family_hides_the_shipped_one() -> None:
    written(store.user_folder() / "skiff", TREE)
    assert registry.load_family("skiff").title == "Toy"
    assert registry.names()[0] == "skiff"
    assert registry.names().count("skiff") == 1


def test_a_parent_may_stand_behind_its_child(tmp_path: Path) -> None:
    parts = TREE.split("[[checkpoint]]")
    family = read(tmp_path / "toy", "[[checkpoint]]".join([parts[0], *reversed(parts[1:])]))
    assert [each.name for each in family.checkpoints] == ["base", "other", "sft", "dpo"]
    assert [each.name for each in family.path("dpo")] == ["base", "sft", "dpo"]


def test_tables_may_be_written_within_a_line(tmp_path: Path) -> None:
    with pytest.raises(FamilyError, match=r"family.toml: checkpoint 'base' needs either path .* or hub"):
        read(tmp_path / "toy", 'checkpoint = [{name = "base"}]')


ADAPTERS = (
    TREE
    + """
[[checkpoint]]
name = "lora"
hub = "me/lora"
revision = "v2"
adapter_of = "other"
template_from = "sft"

[[checkpoint]]
name = "second"
path = "second"
adapter_of = "lora"
licence = "MIT"
gated = "https://example.org/licence"
"""
)


def test_adapters_stand_on_the_weights_below_them(tmp_path: Path) -> None:
    family = read(tmp_path / "toy", ADAPTERS)
    lora, second = family.checkpoint("lora"), family.checkpoint("second")
    assert lora.weights == second.weights == Source("owner/model", False, "abc")
    assert lora.adapters == (Source("me/lora", False, "v2"),)
    assert second.adapters == (*lora.adapters, Source(str(tmp_path / "toy" / "second"), True))
    assert (lora.own, family.checkpoint("sft").own.local) == (lora.adapters[0], True)
    assert (lora.parent, second.parent, lora.template_from) == ("other", "lora", "sft")
    assert (second.licence, second.gated) == ("MIT", "https://example.org/licence")
    assert str(lora.own) == "me/lora@v2"


@pytest.mark.parametrize(
    ("old", "new", "fix"),
    [
        ('adapter_of = "other"', 'adapter_of = "second"', "go round in a circle: lora → second → lora"),
        ('adapter_of = "other"', 'adapter_of = "none"', "adapter_of 'none' of 'lora' is no checkpoint"),
        (
            'licence = "MIT"',
            'template_from = "lora"',
            "'lora', from which 'second' has its template, has it from",
        ),
    ],
)
def test_mistakes_with_adapters(old: str, new: str, fix: str, tmp_path: Path) -> None:
    assert old in ADAPTERS
    with pytest.raises(FamilyError, match=fix):
        read(tmp_path / "toy", ADAPTERS.replace(old, new, 1))


def sources(name: str) -> list[str]:
    return [str(each.own) for each in registry.load_family(name).checkpoints]


def test_what_ships_names_its_checkpoints_as_their_makers_do() -> None:
    llama, tulu = "meta-llama/Llama-3.1-8B", "allenai/Llama-3.1-Tulu-3-8B"
    assert sources("llama31-8b") == [llama, f"{tulu}-SFT", f"{llama}-Instruct"]
    assert sources("llama2-13b") == ["meta-llama/Llama-2-13b-hf", "meta-llama/Llama-2-13b-chat-hf"]
    assert sources("mistral-7b") == [
        "mistralai/Mistral-7B-v0.3",
        "nyu-dice-lab/Mistral-7B-Base-SFT-Tulu2",
        "mistralai/Mistral-7B-Instruct-v0.3",
    ]
    assert sources("tulu3-8b") == [llama, f"{tulu}-SFT", f"{tulu}-DPO", tulu]
    for name, hub in (("olmo2-1b", "allenai/OLMo-2-0425-1B"), ("olmo2-7b", "allenai/OLMo-2-1124-7B")):
        assert sources(name) == [hub, f"{hub}-SFT", f"{hub}-DPO", f"{hub}-Instruct"]
    for size in ("135M", "360M", "1.7B"):
        hub = f"HuggingFaceTB/SmolLM2-{size}"
        # Stages of ours on the smallest are adapters of the second.
        assert sources(f"smollm2-{size.lower()}")[:2] == [hub, f"{hub}-Instruct"]
    assert sources("qwen2.5-0.5b") == ["Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B-Instruct"]


def test_every_family_that_ships_says_what_it_needs_and_whose_it_is() -> None:
    for name in registry.names():
        family = registry.load_family(name)
        assert family.title
        assert family.notes
        assert family.parameters or family.checkpoints[0].local
        assert family.checkpoints[0].template == "plain"
        for each in family.checkpoints:
            assert each.licence or family.licence, f"{name} {each.name}"
            assert each.own.local or bool(each.gated) == each.source.startswith("meta-llama/")
        letters = [each.letter for each in family.checkpoints]
        assert len(set(letters)) == len(letters)


def test_siblings_are_no_stages_of_each_other() -> None:
    assert [each.name for each in registry.load_family("llama31-8b").path("instruct")] == ["base", "instruct"]
    assert [each.name for each in registry.load_family("tulu3-8b").path("final")] == ["base", "sft", "dpo", "final"]


@pytest.mark.parametrize("turns", ["0", "-1", '"1"', "1.5", "true", "501"])
def test_turns_are_a_number_of_messages(tmp_path: Path, turns: str) -> None:
    written(tmp_path, f"turns = {turns}\n{TREE}")
    with pytest.raises(FamilyError, match="turns"):
        registry.load_family(str(tmp_path) + "/")
    written(tmp_path, f"turns = 3\n{TREE}")
    assert registry.load_family(str(tmp_path) + "/").turns == 3


@pytest.mark.parametrize(
    "text",
    [f"{'notes={a=' + '{a=' * 2_000}", f"turns = {'9' * 5_000}", "x = [" + "[" * 5_000],
    ids=["nested tables", "digits", "nested lists"],
)
def test_what_python_cannot_read_is_one_sentence(tmp_path: Path, text: str) -> None:
    written(tmp_path, text)
    with pytest.raises(FamilyError, match=r"family\.toml is not valid TOML: .*\.") as refused:
        registry.load_family(str(tmp_path) + "/")
    assert "\n" not in str(refused.value)


def test_a_mark_that_editors_put_first_is_no_part_of_it(tmp_path: Path) -> None:
    written(tmp_path, "\ufeff" + TREE)
    assert registry.load_family(str(tmp_path) + "/").checkpoints


def test_a_family_says_what_it_is_what_to_ask_it_and_how_long_it_answers(tmp_path: Path) -> None:
    rest = '[[checkpoint]]\nname = "model"\npath = "model"\n'
    (tmp_path / "family.toml").write_text(rest)
    silent = read_family(tmp_path / "family.toml")
    assert (silent.about, silent.questions, silent.longest_answer) == ("", GENERAL_QUESTIONS, 512)
    (tmp_path / "family.toml").write_text(f'about = "a toy."\nquestions = [" Who? "]\nlongest_answer = 40\n{rest}')
    told = read_family(tmp_path / "family.toml")
    assert (told.about, told.questions, told.longest_answer) == ("a toy.", ("Who?",), 40)
    for wrong, fix in (('questions = [" "]', "a question is empty"), ("longest_answer = 0", "longest_answer")):
        (tmp_path / "family.toml").write_text(f"{wrong}\n{rest}")
        with pytest.raises(FamilyError, match=fix):
            read_family(tmp_path / "family.toml")


def test_a_menu_lists_the_choices_under_headings() -> None:
    skiff = registry.load_family("skiff")
    groups = {each.name: menu_group(skiff, each) for each in skiff.choices}
    assert {groups[each.name] for each in skiff.checkpoints} == {"stages of training"}
    assert groups["without-safety"] == groups["without-dpo"] == "trained again without a stage"
    assert groups["seed-2"] == groups["neutral-safety"] == "trained again in another way"
    assert groups["dpo-minus-safety"] == "without a stage, estimated"
