"""``launch.py chat``: one answer on stdout, as text or as events, on a tiny random family."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import launch
from core.chat.events import Token
from core.chat.settings import Column, Sampling, Settings
from core.cli.chat import run_chat
from core.cli.options import ChatOptions
from core.engine.engine import Engine
from core.errors import TillerError, UsageError
from core.recipes.language import parse
from core.util import faults
from tests.support import tiny_models
from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A family of two tiny checkpoints, the last one with a direction."""
    made = tiny_models.family(tmp_path_factory.mktemp("family"))
    tiny_models.direction(made, "chat", "truth")
    return made


def answer(folder: Path, recipe: str = "", checkpoint: str = "chat") -> list[Token]:
    """What the engine says, in twelve tokens."""
    engine = Engine(str(folder), threads=1)
    engine.start()
    settings = Settings(
        engine.family.name, (Column(checkpoint, parse(recipe)),), sampling=Sampling(max_new_tokens=12)
    ).ask("Where?")
    tokens = [event for event in engine.submit(settings) if isinstance(event, Token)]
    engine.close()
    return tokens


def ask(folder: Path, **more: object) -> ChatOptions:
    return ChatOptions(family=str(folder), threads=1, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("recipe", ["", "2*truth", "!truth"])
def test_the_text_is_the_engines(folder: Path, recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_chat(ask(folder, recipe=recipe, message="Where?", max_tokens=12)) == 0
    assert capsys.readouterr().out == "".join(token.text for token in answer(folder, recipe)) + "\n"


def test_steering_changes_the_answer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for recipe in ("", "8*truth"):
        run_chat(ask(folder, recipe=recipe, message="Where?", max_tokens=12))
        said.append(capsys.readouterr().out)
    assert said[0] != said[1]


def test_a_chat_is_kept_listed_gone_on_with_taken_away_and_brought(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TILLER_DATA", str(tmp_path / "data"))

    def chats(*words: str) -> str:
        assert launch.main(["chats", *words]) == 0
        return capsys.readouterr().out

    run_chat(ask(folder, message="Where are whales?", recipe="2*truth", max_tokens=12, keep=True))
    assert "(Kept; " in capsys.readouterr().err
    name = chats("whales").split()[0]
    run_chat(ask(folder, message="And towns?", kept=name[:8], max_tokens=6))
    capsys.readouterr()
    shown = chats("--show", name)
    assert shown.index("Where are whales?") < shown.index("And towns?")
    assert "chat · 2\\*truth" in shown or "chat · 2*truth" in shown
    for wrong in ({"recipe": "!truth"}, {"system": "x"}):
        with pytest.raises(UsageError, match="of its own"):
            run_chat(ask(folder, message="Hm?", kept=name, **wrong))
    with pytest.raises(TillerError, match="no one chat"):
        run_chat(ask(folder, message="Hm?", kept="zz"))
    assert "1 chat written" in chats("--export", str(tmp_path / "all.json"))
    assert name in chats("--delete", name)
    assert launch.main(["chats"]) == 0
    assert "No chat is kept here" in capsys.readouterr().err
    assert "1 chat imported." in chats("--import", str(tmp_path / "all.json"))
    assert chats("--show", name) == shown


def test_events_come_one_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_chat(ask(folder, recipe="2*truth", message="Where?", max_tokens=12, as_json=True))
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events][:1] == ["Started"]
    assert events[-1]["event"] == "Done"
    tokens = [event for event in events if event["event"] == "Token"]
    assert [event["id"] for event in tokens] == [token.id for token in answer(folder, "2*truth")]
    assert all(event["shadow"]["logprob"] <= 0 and "truth" in event["reading"]["projections"] for event in tokens)
    assert out.isascii()
    assert err == ""


def test_an_answer_that_is_cut_off_is_said_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_chat(ask(folder, message="Where?", max_tokens=3))
    assert capsys.readouterr().err == "(Cut off after 3 tokens; --max-tokens allows more.)\n"


def test_the_same_seed_gives_the_same_answer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for seed in (1, 1, 2):
        run_chat(ask(folder, message="Where?", temperature=1.5, seed=seed, max_tokens=12))
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] != said[2]


def test_a_models_own_sampling_is_said_and_used(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TillerError, match=r"chat says no sampling of its own in its generation_config.json; leave"):
        run_chat(ask(folder, message="Where?", own_sampling=True))
    own = tmp_path / "own"
    shutil.copytree(folder, own)
    settings = own / "chat" / "generation_config.json"
    told = {**json.loads(settings.read_text()), "do_sample": True, "temperature": 1.5, "top_p": 0.9}
    settings.write_text(json.dumps(told))

    def said(**more: object) -> tuple[str, str]:
        run_chat(ask(own, message="Where?", max_tokens=12, **more))
        return capsys.readouterr()

    greedy, err = said()
    assert greedy == "".join(token.text for token in answer(folder)) + "\n"
    assert "its makers draw them at temperature 1.5, top-p 0.9, top-k 50, as --own-sampling does.)" in err
    drawn, err = said(own_sampling=True)
    assert "makers" not in err
    engine = Engine(str(own), threads=1)
    engine.start()
    alike = Sampling(temperature=1.5, top_p=0.9, top_k=50, max_new_tokens=12)
    run = engine.submit(Settings(engine.family.name, (Column("chat"),), sampling=alike).ask("Where?"))
    assert drawn == "".join(event.text for event in run if isinstance(event, Token)) + "\n" != greedy
    engine.close()
    assert launch.main(["families", str(own / "chat")]) == 0
    assert "its makers draw tokens at temperature 1.5," in " ".join(capsys.readouterr().out.split())
    # What cannot be drawn by is nothing to go by.
    settings.write_text(json.dumps({**told, "top_p": 3}))
    assert "makers" not in said()[1]


def test_the_message_may_come_from_a_pipe(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Where?\n"))
    run_chat(ask(folder, max_tokens=12))
    assert capsys.readouterr().out == "".join(token.text for token in answer(folder)) + "\n"


def test_what_is_piped_is_read_as_utf_8(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9"), "utf-8", "surrogateescape"))
    with pytest.raises(UsageError, match="What was piped in is not UTF-8"):
        run_chat(ask(folder))
    for nothing in (None, io.TextIOWrapper(io.BytesIO(b" \n"), "utf-8")):
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(UsageError, match="chat needs a message"):
            run_chat(ask(folder))
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="chat needs a message"):
        run_chat(ask(folder))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is always full")
def test_output_that_cannot_be_written_is_one_sentence() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "launch.py", "families"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("The output cannot be written (No space left on device)")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
            "Tiller stopped with an error (ConnectionRefusedError: ",
        ),
        (RuntimeError("mat1 and\nmat2"), "Tiller stopped with an error (RuntimeError: mat1 and mat2); try again, or"),
        (MemoryError(), "Tiller stopped, since there is not enough memory; use --quantize 4bit, a smaller model or"),
    ],
)
def test_an_error_that_nobody_foresaw_is_one_sentence_and_a_file(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], error: Exception, said: str
) -> None:
    def broken(_argv: list[str]) -> int:
        raise error

    monkeypatch.setattr(launch, "run", broken)
    assert launch.main([]) == 1
    printed = capfd.readouterr().err
    assert printed.startswith(said)
    assert printed.endswith(f"; the whole of it is in {faults.fault_log()}.\n")
    assert printed.count("\n") == 1
    written = faults.fault_log().read_text("utf-8")
    assert "Traceback (most recent call last)" in written
    assert "in broken" in written


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-16"])
def test_a_console_of_any_encoding_gets_the_whole_answer(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    def answer(_argv: list[str]) -> int:
        print("café ≤ −0.5 “a” \U0001f600 end")
        return 0

    monkeypatch.setattr(launch, "run", answer)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(console := io.BytesIO(), encoding))
    assert launch.main([]) == 0
    shown = {
        "cp1252": "café <= -0.5 “a” ? end", "ascii": 'caf? <= -0.5 "a" ? end', "utf-16": "café ≤ −0.5 “a” \U0001f600 end",
    }[encoding]  # fmt: skip
    assert console.getvalue().decode(encoding).strip() == shown


def test_a_terminal_without_a_message(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", terminal)
    with pytest.raises(UsageError, match="chat needs a message"):
        run_chat(ask(folder))


@pytest.mark.parametrize(
    ("options", "message", "sign"),
    [
        ({"family": "./nowhere"}, "hi", "There is no family"),
        ({"checkpoint": "dpo"}, "hi", "Tiny has no checkpoint 'dpo'; it has base, chat."),
        ({"recipe": "1*kindness"}, "hi", "chat has no direction 'kindness'; it has truth"),
        ({"recipe": "1*truth[9]"}, "hi", "has layers 0 to 3"),
        ({"device": "cuda:77"}, "hi", "There is no device 'cuda:77' here; use --device cpu."),
        ({}, "  \n", "Write a message first."),
        ({}, "x" * 100_000, "A message has at most 20,000 characters; this one has 100,000."),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    folder: Path, options: dict[str, str], message: str, sign: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TillerError) as caught:
        run_chat(ChatOptions(**{"family": str(folder), "threads": 1, "message": message, **options}))  # type: ignore[arg-type]
    assert sign in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""


def start(folder: Path, *arguments: str, **more: object) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        str(ROOT / "launch.py"),
        "chat",
        "Where?",
        "--family",
        str(folder),
        "--threads",
        "1",
        *arguments,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)  # type: ignore[call-overload]


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal to a process group")
@pytest.mark.parametrize("moment", ["importing", "answering"])
def test_ctrl_c_ends_a_chat_cleanly(folder: Path, moment: str) -> None:
    # An answer of so many tokens is more than a pipe holds that nobody reads, and what is imported is said: the process is where it has
    # to be when the signal comes.
    said = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"} if moment == "importing" else None
    process = start(folder, "--json", "--max-tokens", "200", start_new_session=True, env=said)
    assert process.stdout is not None
    assert process.stderr is not None
    if moment == "answering":
        assert json.loads(process.stdout.readline())["event"] == "Started"
    else:
        while "torch" not in (line := process.stderr.readline()):
            assert line, "torch was never imported"
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert [line for line in err.splitlines() if " | " not in line] == ["Interrupted."]


@pytest.mark.skipif(os.name != "posix", reason="pipes of this kind are POSIX's")
def test_a_reader_that_goes_away_ends_a_chat_quietly(folder: Path) -> None:
    process = start(folder, "--json", "--max-tokens", "200")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(timeout=PATIENCE) == 0
