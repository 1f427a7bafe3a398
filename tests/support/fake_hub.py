"""The Hugging Face Hub on this machine: a cache as its client lays one out, and a server that takes Spaces and keeps what it was sent."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "b" * 40


def put(cache: Path, model: str, folder: Path, commit: str, refs: tuple[str, ...] = ("main",)) -> Path:
    """Lay a folder into a cache as huggingface_hub does: bytes among the blobs, links to them in a snapshot, names of it in refs."""
    place = cache / f"models--{model.replace('/', '--')}"
    snapshot = place / "snapshots" / commit
    for part in (snapshot, place / "blobs", place / "refs"):
        part.mkdir(parents=True, exist_ok=True)
    for file in sorted(folder.iterdir()):
        blob = place / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        blob.write_bytes(file.read_bytes())
        (snapshot / file.name).symlink_to(os.path.relpath(blob, snapshot))
    for name in refs:
        (place / "refs" / name).write_text(commit)
    return snapshot


@dataclass
class FakeHub:
    """What it says and what came: ``stages`` are those that a Space goes through, the last of which stays; ``refused`` is the status with
    which it makes no Space; ``tags`` are those of the Space that is there already, if one is."""

    stages: list[str] = field(default_factory=lambda: ["NO_APP_FILE", "BUILDING", "RUNNING"])
    refused: int = 0
    tags: list[str] | None = None
    pays: bool = False
    log: tuple[str, ...] = ()
    made: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    address: str = ""

    def get(self, path: str) -> object:
        """What a question is answered; None where there is nothing of the kind."""
        place = path.partition("?")[0]
        if place.startswith("/api/whoami"):
            return {"type": "user", "name": "ada", "isPro": self.pays}
        if place.endswith("/runtime"):
            stage = self.stages.pop(0) if len(self.stages) > 1 else self.stages[0]
            return {"stage": stage, "hardware": {"current": None, "requested": "zero-a10g"}, "errorMessage": None}
        if "/tree/" in place:
            return [
                {"type": "file", "path": each, "oid": "0" * 40, "size": len(blob)} for each, blob in self.files.items()
            ]
        if place.startswith("/api/spaces/") and self.tags is not None:
            return {"id": "ada/steering", "sha": COMMIT, "private": False, "tags": self.tags or [], "siblings": []}
        return None

    def post(self, path: str, body: bytes) -> tuple[int, object]:
        """The status and the answer to what is sent."""
        place = path.partition("?")[0]
        if place == "/api/repos/create":
            if self.refused or self.tags is not None:
                # As the Hub says it also of one that is there.
                return self.refused or 409, {
                    "error": "Payment required" if self.refused == 402 else "It is there already"
                }
            self.made = json.loads(body)
            return 200, {"url": f"{self.address}/spaces/ada/steering"}
        if place == "/api/validate-yaml":
            long = [
                each
                for each in json.loads(body)["content"].splitlines()
                if each.startswith("short_description") and len(each) > 81
            ]
            return 200, {"warnings": [], "errors": [{"message": each} for each in long]}
        if "/preupload/" in place:
            files = [
                {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False}
                for each in json.loads(body)["files"]
            ]
            return 200, {"files": files, "commitOid": COMMIT}
        if "/commit/" in place:
            for line in map(json.loads, body.decode().splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                if line["key"] == "deletedFile":
                    del self.files[line["value"]["path"]]
            return 200, {"commitUrl": f"{self.address}/spaces/ada/steering/commit/{COMMIT}", "commitOid": COMMIT}
        if place.endswith("/hardware"):
            return 200, {"stage": "BUILDING", "hardware": {"requested": json.loads(body)["flavor"]}}
        return 404, {"error": "There is no such thing"}


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve it, at its ``address``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.asked.append(f"GET {self.path}")
            if "/logs/" in self.path:
                events = "".join(f"data: {json.dumps({'data': line, 'timestamp': ''})}\n\n" for line in hub.log)
                self.answer(200, events.encode(), "text/event-stream")
                return
            found = hub.get(self.path)
            said = {"error": "Repository not found"} if found is None else found
            self.answer(404 if found is None else 200, json.dumps(said).encode())

        def do_POST(self) -> None:
            hub.asked.append(f"POST {self.path}")
            status, said = hub.post(self.path, self.body())
            self.answer(status, json.dumps(said).encode())

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
