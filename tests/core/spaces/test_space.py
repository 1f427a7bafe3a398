"""A Space: what it is made of, that it starts, and how it gets to the Hub, which is a server on this machine here."""

from __future__ import annotations

import http.server
import json
import os
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants, metadata_load
from packaging.requirements import Requirement

from benchmarks.ports import free_port
from core.artefacts import store
from core.errors import TillerError, UsageError
from core.spaces import publish
from core.spaces.contents import LONGEST_DESCRIPTION, requirements
from core.spaces.hardware import hardware_of
from tests.support import tiny_models
from tests.support.command import verb
from tests.support.fake_hub import FakeHub, put, serving
from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE, wait_for

#: What PyTorch's build for CPUs lacks that the platform's package reaches for where it says that there is a GPU.
CUDA_STUBS = """
import os
if os.environ.get("SPACES_ZERO_GPU"):
    import torch
    torch.version.cuda = "12.8"
    torch._C._cuda_init = lambda *_: None
    torch.cuda._is_in_bad_fork = bool
"""


@pytest.fixture
def family(tmp_path: Path) -> Path:
    return tiny_models.family(tmp_path / "small")


def written(tmp_path: Path, *words: str) -> Path:
    """The files of a Space."""
    out = tmp_path / "space"
    assert verb("space", ["ada/steering", *words, "--hardware", "zero-a10g", "--out", str(out)]) == 0
    return out


def front(folder: Path) -> dict[str, object]:
    """What stands before a Space's README."""
    return metadata_load(folder / "README.md") or {}


# ------------------------------------------------------------------------------------------------------- what it is made of


def test_its_files_are_the_program_and_the_family_and_nothing_else(
    family: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = written(tmp_path, "--family", str(family))
    found = {each.relative_to(out).as_posix() for each in out.rglob("*") if each.is_file()}
    listed = [line.split("  ")[-1] for line in capsys.readouterr().out.splitlines()[1:-2]]
    assert {each.partition("/")[0] for each in found} == {each.partition("/")[0] for each in listed}
    assert {each.split("/")[1] for each in found if each.startswith("vectors/")} == {"small", "contrast"}
    # All that git has of the program's folders, and nothing that lies about in them.
    kept = subprocess.run(
        ["git", "ls-files", "app", "core", "tui", "benchmarks"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    new = [each for each in kept.stdout.splitlines() if each not in found and (ROOT / each).is_file()]
    assert new == []
    assert not [each for each in found if "__pycache__" in each or "/." in f"/{each}"]
    for name in ("base", "chat"):
        file = f"{name}/model.safetensors"
        assert (out / "vectors" / "small" / file).read_bytes() == (family / file).read_bytes()
    head = front(out)
    assert head["app_file"] == "space.py"
    assert head["python_version"] == "3.12.12"
    assert len(str(head["short_description"])) <= LONGEST_DESCRIPTION
    assert f"gradio=={head['sdk_version']}" in (ROOT / "requirements.txt").read_text().splitlines()


@pytest.mark.parametrize("to", ["secret.txt", "small", "small/chat"])
def test_a_link_takes_nothing_along_from_elsewhere(family: Path, tmp_path: Path, to: str) -> None:
    (tmp_path / "secret.txt").write_text("nobody else's business")
    (family / "linked").symlink_to(tmp_path / to)
    with pytest.raises(TillerError, match="linked is a link, and only what lies in small itself is put on a Space"):
        written(tmp_path, "--family", str(family))


def test_every_file_is_listed_and_nothing_is_written(family: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verb("space", ["ada/steering", "--family", str(family), "--hardware", "cpu-basic", "--dry-run"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "https://huggingface.co/spaces/ada/steering, on cpu-basic, Python 3.12:"
    weights = (family / "chat" / "model.safetensors").stat().st_size
    assert f"{weights / 1000:.0f} kB  vectors/small/chat/model.safetensors" in [line.strip() for line in said]
    assert said[-1].endswith(f"in {len(said) - 2} files")


@pytest.mark.parametrize("name", ["cpu-basic", "cpu-upgrade", "zero-a10g", "t4-small"])
def test_what_is_installed_there_is_what_tiller_needs(name: str) -> None:
    hardware = hardware_of(name)
    needed = (ROOT / "requirements.txt").read_text().splitlines()
    ours = {Requirement(line).name: line for line in needed if line and not line.startswith("#")}
    lines = [line for line in requirements(hardware).splitlines() if not line.startswith("--")]
    there = {Requirement(line).name: line for line in lines}
    assert set(ours) == set(there)
    # Nothing else differs but the build of PyTorch, whose version is one that Tiller takes.
    assert {each for each in there if there[each] != ours[each]} <= {"torch"}
    pinned = re.fullmatch(r"torch==([0-9.]+)(\+cpu)?", there["torch"])
    assert pinned is None or Requirement(ours["torch"]).specifier.contains(pinned[1])
    assert (pinned is None) == hardware.gpu


def test_directions_of_ones_own_go_along_where_the_recipe_names_them(family: Path, tmp_path: Path) -> None:
    tiny_models.direction(family, "chat", "refusal", seed=1)
    for name in ("mine", "other"):
        made = tiny_models.direction(family, "chat", name, seed=2)
        own = store.artefact_path(store.user_folder(), "small", "chat", "direction", name)
        own.parent.mkdir(parents=True, exist_ok=True)
        made.rename(own)
    out = written(tmp_path, "--family", str(family), "--recipe", "1*mine + 1*refusal")
    there = sorted(each.name for each in (out / "vectors" / "small" / "chat" / "artefacts").iterdir())
    assert there == ["direction.mine.safetensors", "direction.refusal.safetensors"]
    assert '"--recipe=1*mine + 1*refusal"' in (out / "space.py").read_text("utf-8")
    again = tmp_path / "again"
    again.mkdir()
    whole = written(again, "--family", str(family), "--learnt")
    assert (whole / "vectors" / "small" / "chat" / "artefacts" / "direction.other.safetensors").is_file()


def test_models_of_the_hub_are_named_and_those_of_this_computer_are_not_taken(
    family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for name in ("base", "chat"):
        put(tmp_path / "hub", f"maker/{name}", family / name, "c" * 40)
    out = written(tmp_path, "--base", "maker/base", "--post", "maker/chat", "--quantize", "4bit")
    started = (out / "space.py").read_text("utf-8")
    assert all(f'"{each}"' in started for each in ("--base=maker/base", "--post=maker/chat", "--quantize=4bit"))
    assert "--family" not in started
    assert front(out)["models"] == ["maker/base", "maker/chat"]
    assert {each.name for each in (out / "vectors").iterdir()} == {"contrast"}
    with pytest.raises(TillerError, match="is on this computer alone, where a Space cannot read it"):
        verb("space", ["ada/steering", "--model", str(family / "chat"), "--hardware", "cpu-basic", "--dry-run"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "The following arguments are required: OWNER/NAME: "),
        (["steering"], "'steering' is no name of a Space; write OWNER/NAME"),
        (["ada/steering", "--hardware", "mainframe"], "There is no hardware 'mainframe' for a Space; it is one of cpu-basic,"),
        (["ada/steering", "Hello"], "add --static for a page of recorded runs"),
        (["ada/steering", "--recipe", "1*courage", "--family", "skiff", "--hardware", "cpu-basic"], "no direction 'courage'"),
    ],
)  # fmt: skip
def test_wrong_words_get_a_sentence(words: list[str], sentence: str) -> None:
    with pytest.raises((TillerError, UsageError), match=re.escape(sentence)):
        verb("space", [*words, "--dry-run"])


@pytest.mark.parametrize(
    ("family_name", "hardware", "sentence"),
    [
        ("llama2-13b", "cpu-basic", "takes 17 GB of memory, and cpu-basic has 16 GB; take larger --hardware."),
        ("olmo2-1b", "zero-a10g", "is computed on the processor of zero-a10g, and answers slowly"),
        ("smollm2-135m", "cpu-basic", ""),
        ("olmo2-1b", "t4-small", ""),
    ],
)
def test_a_family_that_will_not_run_well_there_is_told_of(
    family_name: str, hardware: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verb("space", ["ada/steering", "--family", family_name, "--hardware", hardware, "--dry-run"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert sentence in first
    assert first.startswith("https://") == (not sentence)


# -------------------------------------------------------------------------------------------------------- that it starts


@pytest.fixture
def platform() -> Iterator[tuple[str, list[str]]]:
    """ZeroGPU's own interface: its address, and what was sent to it."""
    sent: list[str] = []

    class Platform(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing is logged."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Platform)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", sent
    server.shutdown()
    server.server_close()


def test_it_starts_on_zerogpu_says_so_to_the_platform_and_answers_on_the_processor(
    family: Path, tmp_path: Path, platform: tuple[str, list[str]]
) -> None:
    tiny_models.direction(family, "chat", "refusal", seed=1)
    out = written(tmp_path, "--family", str(family), "--recipe", "1*refusal")
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    (stubs / "sitecustomize.py").write_text(CUDA_STUBS)
    address, sent = platform
    port = free_port()
    around = {
        **os.environ, "PYTHONPATH": str(stubs), "SPACES_ZERO_GPU": "true", "SPACES_ZERO_DEVICE_API_URL": address, "SYSTEM": "spaces",
        "SPACE_ID": "ada/steering", "SPACE_HOST": "ada-steering.hf.space", "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
    }  # fmt: skip
    log = tmp_path / "log"
    with log.open("w") as file:
        running = subprocess.Popen([sys.executable, "space.py"], cwd=out, env=around, stdout=file, stderr=file)
    try:
        wait_for(lambda: "Tiller is open at" in log.read_text() or running.poll() is not None)
        question = {
            "model": "small/chat:1*refusal",
            "max_tokens": 4,
            "messages": [{"role": "user", "content": "Hello"}],
        }
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/chat/completions",
            json.dumps(question).encode(),
            {"Content-Type": "application/json", "Host": "ada-steering.hf.space"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answered:
            said = json.load(answered)
        assert said["usage"]["completion_tokens"] > 0, log.read_text()
        assert sent == ["/startup-report"]
    finally:
        running.terminate()
        running.wait(PATIENCE)


# ------------------------------------------------------------------------------------------------------- onto the Hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    monkeypatch.setattr(publish, "_POLL", 0.01)
    with serving(FakeHub()) as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        huggingface_hub.close_session()
        yield server
    huggingface_hub.close_session()


def uploaded(family: Path, *words: str) -> int:
    return verb("space", ["ada/steering", "--family", str(family), *words])


def test_it_is_made_uploaded_and_waited_for(
    family: Path, hub: FakeHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert uploaded(family, "--private") == 0
    assert (hub.made["name"], hub.made["organization"], hub.made["sdk"]) == ("steering", "ada", "gradio")
    # An account that pays nothing can have no other.
    assert hub.made["hardware"] == "zero-a10g"
    assert "private" in (hub.made.get("visibility"), *(key for key, value in hub.made.items() if value is True))
    out = written(tmp_path, "--family", str(family))
    assert hub.files == {
        each.relative_to(out).as_posix(): each.read_bytes() for each in out.rglob("*") if each.is_file()
    }
    said = capsys.readouterr().out
    assert "It is open at https://huggingface.co/spaces/ada/steering" in said
    assert "You are its owner at /owner" in said


@pytest.mark.parametrize("refused", [0, 402], ids=["it is there", "of a plan that may make no other"])
def test_one_that_was_made_here_is_changed_and_another_is_left_alone(family: Path, hub: FakeHub, refused: int) -> None:
    hub.tags, hub.stages, hub.refused = ["tiller", "gradio"], ["RUNNING"], refused
    hub.files = {"vectors/old/family.toml": b"old"}
    assert uploaded(family, "--hardware", "cpu-basic") == 0
    assert "space.py" in hub.files
    assert "vectors/old/family.toml" not in hub.files
    assert any(each.endswith("/hardware") for each in hub.asked)
    hub.tags, before = ["gradio"], dict(hub.files)
    with pytest.raises(TillerError, match="is there already and was not made by this command"):
        uploaded(family)
    assert hub.files == before


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (402, "take --hardware zero-a10g, which a free account can have"),
        (401, "does not know who you are; log in with `hf auth login`"),
        (403, "Your token may not write ada/steering"),
        (500, "does not take ada/steering (error 500"),
    ],
)
def test_what_the_hub_refuses_gets_a_sentence(family: Path, hub: FakeHub, status: int, sentence: str) -> None:
    hub.refused = status
    with pytest.raises(TillerError, match=re.escape(sentence)):
        uploaded(family, "--hardware", "cpu-basic")
    assert hub.files == {}


def test_what_the_build_says_is_said(family: Path, hub: FakeHub) -> None:
    hub.stages = ["BUILDING", "BUILD_ERROR"]
    hub.log = (
        "Collecting torch==2.11.0\n",
        "ERROR: No matching distribution found for torch==2.11.0\n",
        "exit code: 1\n",
    )
    with pytest.raises(TillerError) as error:
        uploaded(family)
    assert str(error.value) == (
        "The Space was uploaded, and does not run (build error): ERROR: No matching distribution found for torch==2.11.0. All of its log "
        "is at https://huggingface.co/spaces/ada/steering?logs=build."
    )


def test_without_a_login_or_a_network_nothing_is_tried(family: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(TillerError, match="The Hugging Face Hub cannot be reached"):
        uploaded(family, "--hardware", "cpu-basic")
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(family / "no-token"))
    with pytest.raises(TillerError, match="You are not logged in to the Hugging Face Hub; log in with `hf auth login`"):
        uploaded(family)


def test_recorded_runs_are_a_page_without_a_server(family: Path, hub: FakeHub) -> None:
    tiny_models.direction(family, "chat", "refusal", seed=1)
    assert uploaded(family, "Hello", "And you?", "--static") == 0
    assert hub.made["sdk"] == "static"
    assert "hardware" not in hub.made
    assert set(hub.files) == {"README.md", "index.html"}
    page = hub.files["index.html"].decode()
    assert page.count('<p class="asked">') == 2
    assert page.count('<section class="slider">') == 2
    assert not any(each.endswith("/runtime") for each in hub.asked)


def test_recorded_runs_of_no_family_in_particular_are_those_of_what_a_space_opens(
    family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_models.direction(family, "chat", "refusal", seed=1)
    monkeypatch.setattr("core.cli.space._OPENS", str(family))
    out = written(tmp_path, "Hello", "--static")
    assert "<h1>Tiny · chat</h1>" in (out / "index.html").read_text("utf-8")
