"""How much a request may bring, whatever it says of itself; and what is kept of what is uploaded."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app import uploads
from app.access import Access
from app.gate import Gate, Names
from app.intake import Message, Receive, Scope, Send
from core.cli.options import Options
from core.engine.engine import Engine
from core.util.files import sizes_within
from core.util.limits import MAX_BODY, MAX_CHAT, MAX_FORM
from tests.support import tiny_models
from tests.support.browser_server import Served, served
from tests.support.http_page import ask
from tests.support.waiting import PATIENCE, wait_for

JOIN, UPLOAD = "/gradio_api/queue/join", "/gradio_api/upload"
FORM = "multipart/form-data; boundary=xx"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tiny_models.family(tmp_path_factory.mktemp("families") / "taking", checkpoints=("chat",), plain_base=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        # No model is asked for anything here.
        with served(Engine(str(folder), threads=1), public=True) as page:
            yield page


@pytest.fixture
def kept(server: Served, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where uploads are kept; a visitor may have two small ones there, the server six."""
    folder = Path(uploads.gr.utils.get_upload_folder())
    for name, most in (("MAX_UPLOAD", 1_000), ("MAX_UPLOADS_OF_ONE", 10_000), ("MAX_UPLOADS", 25_000)):
        monkeypatch.setattr(uploads, name, most)
    return folder


class Raw:
    """A connection that sends what it likes."""

    def __init__(self, server: Served, path: str, *headers: str) -> None:
        there = urlsplit(server.address)
        self._socket = socket.create_connection((there.hostname, there.port), timeout=PATIENCE)
        self.send("\r\n".join((f"POST {path} HTTP/1.1", f"host: {there.netloc}", *headers, "", "")).encode())

    def send(self, said: bytes) -> None:
        self._socket.sendall(said)

    def chunk(self, said: bytes) -> None:
        self.send(f"{len(said):x}\r\n".encode() + said + b"\r\n")

    def close(self) -> None:
        self._socket.close()

    def answer(self) -> tuple[int, str]:
        """Status and body; the connection is closed."""
        with self._socket, self._socket.makefile("rb") as file:
            status = int(file.readline().split()[1])
            size = 0
            while (line := file.readline().strip().lower()) != b"":
                if line.startswith(b"content-length:"):
                    size = int(line.split()[1])
            return status, file.read(size).decode()


def form(content: bytes, name: str = "a.gguf") -> bytes:
    """A form that uploads a file."""
    head = f'--xx\r\ncontent-disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n--xx--\r\n"


def upload(server: Served, content: bytes, *headers: str) -> tuple[int, str]:
    body = form(content)
    raw = Raw(server, UPLOAD, f"content-type: {FORM}", f"content-length: {len(body)}", *headers)
    raw.send(body)
    return raw.answer()


# ------------------------------------------------------------------------------------------------------------- requests


@pytest.mark.parametrize(
    ("path", "kind", "size", "said"),
    [
        (JOIN, "application/json", 600_000_000, f"A request has at most {MAX_BODY:,} bytes; send less at once"),
        ("/gradio_api/run/predict", "application/json", MAX_BODY + 1, "or a file of chats in several"),
        ("/family/other/gradio_api/queue/join", "text/plain", 600_000_000, "A request has at most"),
        ("/v1/chat/completions", "application/json", 600_000_000, "A request has at most"),
        (UPLOAD, FORM, MAX_FORM + 1, "What is uploaded at once has at most 200,000,000 bytes; send a smaller file."),
    ],
)  # fmt: skip
def test_what_says_that_it_is_too_large_is_refused_before_it_comes(
    server: Served, path: str, kind: str, size: int, said: str
) -> None:
    status, answer = Raw(server, path, f"content-type: {kind}", f"content-length: {size}").answer()
    assert status == 413
    assert said in answer
    # The page shows a person what it reads here.
    assert not kind.endswith("json") or said in json.loads(answer)["detail"]


def test_what_does_not_say_its_size_is_counted(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.gate.MAX_BODY", 100_000)
    raw = Raw(server, JOIN, "content-type: application/json", "transfer-encoding: chunked")
    raw.chunk(b'{"data": ["' + b"x" * 60_000)
    raw.chunk(b"x" * 60_000)
    # It has not ended, and is answered.
    status, said = raw.answer()
    assert status == 413
    assert "A request has at most 100,000 bytes" in json.loads(said)["detail"]
    # Just as much is read.
    raw = Raw(server, JOIN, "content-type: application/json", "transfer-encoding: chunked")
    raw.chunk(json.dumps({"data": "x" * (100_000 - 12)}).encode())
    raw.chunk(b"")
    assert raw.answer()[0] == 422


async def test_large_requests_come_in_as_far_as_they_fit_together_and_small_ones_always(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.intake.SMALL", 5)
    monkeypatch.setattr("app.gate.MAX_TOGETHER", 25)
    answering = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.request"
        await answering.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    gate = Gate(app, Names(Options()), Access(Options()))

    async def asked(size: int) -> int:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"x" * size, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/v1/completions", "headers": [(b"host", b"127.0.0.1")]}
        await gate(scope, receive, send)
        return int(sent[0]["status"])

    two = [asyncio.create_task(asked(10)) for _ in range(2)]
    await asyncio.sleep(0)
    third, small = asyncio.create_task(asked(10)), asyncio.create_task(asked(4))
    assert await third == 503
    answering.set()
    assert await asyncio.gather(*two, small) == [200, 200, 200]
    # What was answered leaves room.
    assert gate.together.held == 0
    assert await asked(20) == 200


def test_the_largest_chat_is_read() -> None:
    # As the page sends it: a text in JSON in JSON.
    for character in ("x", '"', "é", "\N{GRINNING FACE}"):
        size = len(json.dumps({"text": character * 1_000}, ensure_ascii=False).encode())
        assert size * MAX_CHAT / 1_000 < MAX_BODY + 1_000_000


def test_files_are_taken_where_they_are_uploaded_alone(server: Served) -> None:
    for path in ("/gradio_api/component_server", "/gradio_api/process_recording", "/gradio_api/upload/", "/login"):
        body = form(b"something")
        raw = Raw(server, path, f"content-type: {FORM}", f"content-length: {len(body)}")
        raw.send(body)
        assert raw.answer() == (415, "Files are not taken here; upload them on the page, where it asks for one.\n")


@pytest.mark.parametrize("path", ["/gradio_api/component_server", UPLOAD])
@pytest.mark.parametrize(
    "kinds",
    [
        ("multipart/form-dataX; boundary=xx",),
        ("multipart/mixed; boundary=xx",),
        (FORM, "application/json"),
        ("application/json", FORM),
    ],
)
def test_a_form_is_known_by_what_any_reader_would_take_for_one(
    server: Served, path: str, kinds: tuple[str, ...]
) -> None:
    body = form(b"something")
    raw = Raw(server, path, *(f"content-type: {kind}" for kind in kinds), f"content-length: {len(body)}")
    raw.send(body)
    assert raw.answer()[0] == 415


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("run/predict", {"data": [], "fn_index": 99_999, "session_hash": "x"}),
        ("queue/join", {"data": [], "fn_index": -1, "session_hash": "x"}),
        ("run/nothing", {"data": []}),
        ("call/v2/nothing", {}),
        ("component_server", {"data": 1, "component_id": 99_999, "session_hash": "x", "fn_name": "y"}),
    ],
)
def test_what_nothing_can_be_made_of_is_one_line_of_the_log(
    server: Served, caplog: pytest.LogCaptureFixture, path: str, body: object
) -> None:
    status, said, _ = ask(f"{server.address}gradio_api/{path}", body)
    assert status == 400
    assert json.loads(said)["detail"].startswith("This server can make nothing of that request; reload the page")
    assert not [each for each in caplog.records if each.exc_info]
    assert [each.levelno for each in caplog.records if "Refused: " in each.message] == [logging.WARNING]


# -------------------------------------------------------------------------------------------------------------- uploads


def test_an_upload_is_kept_and_can_be_read(server: Served, kept: Path) -> None:
    status, said = upload(server, b"x" * 900, "x-forwarded-for: 10.1.0.1")
    assert status == 200
    there = Path(json.loads(said)[0])
    assert (there.name, there.read_bytes()) == ("a.gguf", b"x" * 900)
    assert kept in there.parents
    assert ask(f"{server.address}gradio_api/file={there}")[:2] == (200, "x" * 900)
    # Nobody finds another's file by what is in it.
    assert json.loads(upload(server, b"x" * 900, "x-forwarded-for: 10.1.0.2")[1]) != [str(there)]


def test_what_is_too_large_or_ends_in_its_midst_leaves_nothing(
    server: Served, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(sizes_within(kept))

    def nothing() -> bool:
        return set(sizes_within(kept)) <= before

    status, said = upload(server, b"x" * 1_001, "x-forwarded-for: 10.2.0.1")
    assert (status, said) == (413, "A file that is uploaded has at most 1,000 bytes here; upload a smaller one.")
    assert nothing()
    # One that does not say its size is cut off at the limit of a form, while it is being written.
    monkeypatch.setattr("app.gate.MAX_FORM", 800)
    raw = Raw(server, UPLOAD, f"content-type: {FORM}", "transfer-encoding: chunked", "x-forwarded-for: 10.2.0.2")
    raw.chunk(form(b"x" * 1_000)[:600])
    wait_for(lambda: not nothing(), "the beginning of the file")
    raw.chunk(b"x" * 300)
    status, said = raw.answer()
    assert (status, said) == (413, "What is uploaded at once has at most 200,000,000 bytes; send a smaller file.\n")
    assert nothing()
    raw = Raw(server, UPLOAD, f"content-type: {FORM}", "content-length: 700", "x-forwarded-for: 10.2.0.3")
    raw.send(form(b"x" * 500)[:400])
    wait_for(lambda: not nothing(), "the beginning of the file")
    raw.close()
    wait_for(nothing, "its end")
    # The room that was kept for them is free again.
    for _ in range(2):
        assert upload(server, b"x", "x-forwarded-for: 10.2.0.3")[0] == 200


def test_one_visitor_keeps_so_much_and_all_of_them_so_much(
    server: Served, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def files() -> int:
        return len(sizes_within(kept))

    # What was uploaded longer ago than it is kept is gone with the next upload.
    with monkeypatch.context() as patch:
        patch.setattr(uploads, "KEPT", -1)
        assert upload(server, b"first", "x-forwarded-for: 10.0.0.1")[0] == 200
    assert files() == 1
    assert upload(server, b"second", "x-forwarded-for: 10.0.0.1")[0] == 200
    status, said = upload(server, b"third", "x-forwarded-for: 10.0.0.1")
    assert status == 413
    assert said.startswith(
        "This server keeps 0 MB of one visitor's files, and yours would be more; each goes after 60 min: upload"
    )
    for other in range(2, 6):
        assert upload(server, b"other", f"x-forwarded-for: 10.0.0.{other}")[0] == 200
    status, said = upload(server, b"one more", "x-forwarded-for: 10.0.0.6")
    assert status == 413
    assert said.startswith("This server keeps 0 MB of uploaded files, and this would be more; each goes after 60 min")
    assert files() == 6
    assert not [each for each in kept.glob("upload-*") if not any(each.iterdir())], "nothing is left of what is refused"
    with monkeypatch.context() as patch:
        patch.setattr(uploads, "KEPT", -1)
        assert upload(server, b"later", "x-forwarded-for: 10.0.0.6")[0] == 200
    assert files() == 1


def test_an_owners_files_count_among_all_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_UPLOADS_OF_ONE", 10_000)
    for options, refused in ((Options(), False), (Options(public=True), True)):
        access = Access(options)
        with uploads.gr.Blocks() as page:
            pass
        route = uploads.Uploads(tmp_path / str(refused), access.owner).route(page)
        client = TestClient(Starlette(routes=[route]))
        answers = [client.post(UPLOAD, files={"files": ("a.txt", b"x")}).status_code for _ in range(3)]
        assert answers == [200, 200, 413 if refused else 200]
        assert len(page.upload_file_set) == 3 - refused
        access.close()
