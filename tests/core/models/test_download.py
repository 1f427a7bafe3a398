"""Downloading from the Hub: against a server on this machine that answers as the Hub does."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM

from tests.support import tiny_models
from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE

COMMIT = "a" * 40


class Hub(BaseHTTPRequestHandler):
    """Answers for one model, ``maker/model``, whose files lie in ``folder``."""

    folder: Path
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/maker/model"):
            files = sorted(each.name for each in self.folder.iterdir())
            if "/tree/" in path:
                body: object = [
                    {"type": "file", "path": name, "oid": "0" * 40, "size": (self.folder / name).stat().st_size}
                    for name in files
                ]
            else:
                body = {"id": "maker/model", "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
            self._answer(json.dumps(body).encode(), {"Content-Type": "application/json"})
            return
        file = self.folder / path.rpartition("/")[2]
        if "/resolve/" not in path or not file.is_file():
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = file.read_bytes()
        asked = self.headers.get("Range")
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha256(data).hexdigest()}"'}
        if asked:
            first, last = asked.removeprefix("bytes=").split("-")
            part = data[int(first) : int(last) + 1 if last else None]
            headers["Content-Range"] = f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}"
            self._answer(part, headers, 206)
        else:
            self._answer(data, headers)

    def _answer(self, body: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing is logged."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of the server, and the folder of a family that names its model."""
    folder = tiny_models.family(tmp_path / "made", "llama", ("chat",), plain_base=False) / "chat"
    model = AutoModelForCausalLM.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size=60_000)
    Hub.folder = folder
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    own = tmp_path / "own"
    own.mkdir()
    (own / "family.toml").write_text('[[checkpoint]]\nname = "chat"\nhub = "maker/model"\n')
    yield f"http://127.0.0.1:{server.server_address[1]}", own
    server.shutdown()
    server.server_close()


_CODE = """
from pathlib import Path
from core.families.registry import load_family
from core.models import placement
from core.models.files import LoadingCancelled, checkpoint_folder
from core.models.loading import load_model
from core.models.placement import Placing
checkpoint = load_family({own!r}).checkpoint("chat")
print(placement.need(checkpoint, "cpu", "auto", "8bit").size)
print(len(list(Path({cache!r}).rglob("*.safetensors"))))
def refuse(progress):
    raise LoadingCancelled("Enough.")
try:
    checkpoint_folder(checkpoint, refuse)
except LoadingCancelled as error:
    print(error)
seen = []
folder = checkpoint_folder(checkpoint, seen.append)
print(seen[-1].done == seen[-1].total > 200_000, all(not each.shards for each in seen))
again = []
loaded = load_model(load_family({own!r}), "chat", Placing("cpu", quantize="8bit"), watch=again.append)
print(all(each.shards for each in again), loaded.anatomy.layers)
"""


def test_a_model_is_planned_by_its_headers_downloaded_with_progress_cancelled_and_loaded(
    hub: tuple[str, Path], tmp_path: Path
) -> None:
    address, own = hub
    cache = str(tmp_path / "cache")
    environment = {**os.environ, "HF_ENDPOINT": address, "HF_HUB_CACHE": cache, "HF_HUB_DISABLE_XET": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, "-c", _CODE.format(own=str(own), cache=cache)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    # What 8 bit takes, from the headers alone, before any weights have come; then a download that was ended, and a whole one.
    assert done.stdout.splitlines() == ["82496", "0", "Enough.", "True True", f"True {tiny_models.LAYERS}"]
