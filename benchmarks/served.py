"""A server of the browser app in a process of its own, and visitors that speak to it over HTTP, each with a session."""

from __future__ import annotations

import json
import os
import random
import string
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.ports import free_port

ROOT = Path(__file__).parents[1]
#: Seconds that a start, or an answer, may take before the measurement is given up.
PATIENCE = 600.0


class Visitor:
    """Somebody with a page open: a session of Gradio's, and what its handlers are called."""

    def __init__(self, address: str, handlers: Mapping[str, int] | None = None) -> None:
        self.address = address
        self.session = "".join(random.choices(string.ascii_lowercase + string.digits, k=11))
        self.handlers = handlers or handlers_of(address)

    def call(
        self, handler: str, data: Sequence[Any] = (), said: object = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """What a handler that does not stream gives back. Raises URLError, or HTTPError for one that refuses."""
        body = {
            "data": list(data),
            "fn_index": self.handlers[handler],
            "session_hash": self.session,
            "event_data": said,
        }
        return self.post("gradio_api/run/predict", body, headers)

    def chat(self, message: str, recipe: str = "", checkpoint: str = "") -> str:
        """An answer of the API, whole. Raises RuntimeError where it says an error."""
        event = self.post("gradio_api/call/chat", {"data": [message, recipe, checkpoint]})["event_id"]
        kind, answer = "", ""
        for line in self.lines(f"gradio_api/call/chat/{event}"):
            name, _, value = line.partition(": ")
            kind = value if name == "event" else kind
            if name == "data" and kind in ("generating", "complete"):
                answer = str(json.loads(value)[0])
            if name == "data" and kind == "error":
                raise RuntimeError(value)
        return answer

    def join(self, handler: str, data: Sequence[Any] = (), said: object = None) -> None:
        """Begin what streams, and do not listen."""
        body = {
            "data": list(data),
            "fn_index": self.handlers[handler],
            "session_hash": self.session,
            "event_data": said,
        }
        self.post("gradio_api/queue/join", body)

    def listen(self, lines: int) -> None:
        """Hear so many lines of what was begun, then vanish."""
        for _, _line in zip(
            range(lines), self.lines(f"gradio_api/queue/data?session_hash={self.session}"), strict=False
        ):
            pass

    def lines(self, path: str) -> Iterator[str]:
        """The lines of a stream, as they come."""
        with urllib.request.urlopen(f"{self.address}{path}", timeout=PATIENCE) as answer:
            for line in answer:
                if text := line.decode().strip():
                    yield text

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> int:
        """The status of a page."""
        return _status(urllib.request.Request(f"{self.address}{path}", headers=dict(headers or {})))

    def post(self, path: str, body: object, headers: Mapping[str, str] | None = None, wait: float = PATIENCE) -> Any:
        """What is answered to a document of JSON within ``wait`` seconds."""
        blob = body if isinstance(body, bytes) else json.dumps(body).encode()
        said = {"content-type": "application/json", **(headers or {})}
        with urllib.request.urlopen(
            urllib.request.Request(f"{self.address}{path}", blob, said), timeout=wait
        ) as answer:
            return json.loads(answer.read() or b"null")

    def upload(self, name: str, blob: bytes) -> str:
        """Where the server has put a file."""
        edge = "tiller-edge"
        head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        body = head.encode() + blob + f"\r\n--{edge}--\r\n".encode()
        path = self.post("gradio_api/upload", body, {"content-type": f"multipart/form-data; boundary={edge}"})[0]
        return str(path)


def _status(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def handlers_of(address: str) -> dict[str, int]:
    """The numbers of a page's handlers by their names."""
    with urllib.request.urlopen(f"{address}config", timeout=PATIENCE) as answer:
        return {each["api_name"]: each["id"] for each in json.load(answer)["dependencies"] if each.get("api_name")}


class Server:
    """The process, its address, and the folder that its data lies in."""

    def __init__(self, process: subprocess.Popen[bytes], address: str, folder: Path) -> None:
        self.process, self.address, self.folder = process, address, folder

    @property
    def resident(self) -> float:
        """Its resident set, in MB."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 1e6

    @property
    def log(self) -> str:
        """What it has written."""
        return (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")


@contextmanager
def serving(*options: str) -> Iterator[Server]:
    """A server on a free port of this machine, with a data folder of its own, until the block ends."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="tiller-served-") as text:
        folder = Path(text)
        places = {f"TILLER_{name.upper()}": str(folder / name) for name in ("data", "state", "cache")}
        command = [sys.executable, str(ROOT / "launch.py"), "--port", str(port), "--offline", *options]
        with (folder / "log.txt").open("wb") as log:
            process = subprocess.Popen(
                command, env={**os.environ, **places}, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        server = Server(process, f"http://127.0.0.1:{port}/", folder)
        try:
            _ready(server)
            yield server
        finally:
            process.terminate()
            process.wait()


def _ready(server: Server) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.process.poll() is None:
        try:
            if Visitor(server.address).chat("Hello"):
                return
        except (OSError, RuntimeError):
            time.sleep(0.2)
    raise RuntimeError(f"the server did not begin to answer: {server.log[-2_000:]}")
