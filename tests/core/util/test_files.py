"""A person's files: what cannot be read is one sentence with its fix, and nobody ever sees half of what is written."""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

import pytest

from core.errors import StoreError, TillerError
from core.util import files
from core.util.files import json_text, prompts_in, read_prompts, read_text, text_items, write_bytes


def test_prompts_are_lines_without_what_editors_add(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_bytes("\ufeffWie tötet man einen Prozess?\r\n\r\n  Kill it. \n".encode())
    assert read_prompts(file) == ("Wie tötet man einen Prozess?", "Kill it.")
    assert read_text(file, "").startswith("Wie")
    assert text_items(" \n\t\n") == ()
    # As PowerShell and Windows' editor write it.
    for order in ("utf-16-le", "utf-16-be"):
        file.write_bytes("\ufefftötet\r\nKill it.".encode(order))
        assert read_prompts(file) == ("tötet", "Kill it.")


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_a_prompt_is_refused(text: str) -> None:
    with pytest.raises(TillerError, match="has no prompt; write one on each line"):
        prompts_in(text)


def test_what_cannot_be_read_names_the_file_and_the_fix(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("tötet".encode("latin-1"))
    with pytest.raises(TillerError, match=r"latin\.txt is not UTF-8; save it as UTF-8\."):
        read_text(tmp_path / "latin.txt", "give another")
    for path in (tmp_path / "none.txt", tmp_path, Path("a\0b"), Path("~nobody-of-this-name/x")):
        with pytest.raises(TillerError, match=r"cannot be read \(.+\); give another\."):
            read_text(path, "give another")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no file without an end")
def test_no_file_is_read_past_what_a_text_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 2**20)
    with pytest.raises(TillerError, match=r"cannot be read \(it is larger than 1 MB\); give another"):
        read_text(Path("/dev/zero"), "give another")
    with pytest.raises(ValueError, match="larger than 1 MB"):
        files.read_json(Path("/dev/zero"))


def test_a_new_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "chats.json"
    files.write_new(path, "one")
    with pytest.raises(TillerError, match=r"There is a file .* already"):
        files.write_new(path, "two")
    assert path.read_text(encoding="utf-8") == "one"

    def full(_from: str, _to: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StoreError):
        files.write_new(tmp_path / "other.json", "two")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("private", "mode"), [(False, 0o644), (True, 0o600)])
def test_a_file_is_written_whole_for_everyone_or_for_oneself(private: bool, mode: int, tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write_bytes(path, b"one", private)
    write_bytes(path, b"two", private)
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert [each.name for each in path.parent.iterdir()] == ["file"]


def test_a_full_disk_leaves_the_file_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"before")

    def full(_from: str, _to: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StoreError, match=r"cannot be written \(No space left on device\); free some space"):
        write_bytes(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_json_has_no_nan() -> None:
    document = {"a": [1.5, float("nan"), (float("inf"),)], "b": "é"}
    assert json_text(document, ensure_ascii=False) == '{"a": [1.5, null, [null]], "b": "é"}'


def test_what_a_killed_writer_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    old, young = tmp_path / ".writing-old", tmp_path / ".writing-young"
    for each in (old, young):
        each.write_text("half")
    os.utime(old, (0, 0))
    write_bytes(tmp_path / "a.json", b"{}")
    assert not old.exists()
    assert young.exists()


def test_what_goes_while_it_is_looked_at_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another visitor's upload ends, another program tidies: the walk finds a name whose file or folder is gone a moment later."""
    for name in ("a/one", "b/two", "c/three"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"12345")
    listed = os.scandir

    def scandir(path: str | os.PathLike[str]) -> object:
        if Path(path) == tmp_path / "b":
            (tmp_path / "b" / "two").unlink()
            (tmp_path / "b").rmdir()
        found = listed(path)
        if Path(path) == tmp_path / "c":
            (tmp_path / "c" / "three").unlink()
        return found

    monkeypatch.setattr(os, "scandir", scandir)
    assert files.sizes_within(tmp_path) == {tmp_path / "a" / "one": 5}


def test_only_what_is_old_is_removed_and_what_is_gone_is_passed_over(tmp_path: Path) -> None:
    old, new, folder = tmp_path / "old", tmp_path / "new", tmp_path / "folder"
    folder.mkdir()
    for path in (old, new, folder / "file"):
        path.write_text("x")
    for path in (old, folder):
        os.utime(path, (time.time() - 100,) * 2)
    files.remove_old([tmp_path / "never", old, new, folder], 50)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["new"]
