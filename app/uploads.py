"""What pages upload, in the place of Gradio's own route: how much of it a server keeps of one visitor and of all, and for how long. Of what
is refused nothing stays."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import gradio as gr
from gradio.route_utils import upload_fn
from gradio.routes import file_upload_statuses
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.gate import UPLOAD
from core.errors import TillerError
from core.util.files import sizes_within
from core.util.limits import MAX_UPLOAD, MAX_UPLOADS, MAX_UPLOADS_OF_ONE
from core.util.progress import duration

#: What is uploaded is kept for so long, in seconds.
KEPT = 3_600
#: A file takes so many bytes of a disk at least.
_BLOCK = 4_096
#: What Gradio's reader of forms stumbles with over one that is none, that ends in its midst, or that takes longer than files are kept.
_NO_FORM = (ClientDisconnect, LookupError, TypeError, AttributeError, ValueError, FileNotFoundError)
_BROKEN = "That upload did not come whole, or is none; upload the file again."


@dataclass
class _Upload:
    """What one request uploads into a folder of its own, and whose it is; ``size`` is what it may come to, while it comes."""

    folder: Path
    whose: str
    size: int
    began: float = field(default_factory=time.monotonic)


class Uploads:
    """The uploads to all pages of a server.

    Args:
        folder: where Gradio looks for what was uploaded.
        owner: whether a request is the owner's; what he uploads counts among all alone.
    """

    def __init__(self, folder: Path, owner: Callable[[Request], bool]) -> None:
        self._folder, self._owner = folder, owner
        self._kept: list[_Upload] = []

    def route(self, page: gr.Blocks) -> Route:
        """The address to which a page uploads."""
        return Route(UPLOAD, partial(self._upload, page), methods=["POST"])

    async def _upload(self, page: gr.Blocks, request: Request) -> Response:
        """Keep what is uploaded, and say where it is."""
        number = request.query_params.get("upload_id")
        said = request.headers.get("content-length", "")
        # A form without its length may come to as much as any.
        size = max(_BLOCK, min(int(said), MAX_UPLOAD)) if said.isdecimal() else MAX_UPLOAD
        try:
            with self._room(self._whose(request), size) as folder:
                paths, *_ = await upload_fn(
                    request, folder, MAX_UPLOAD, number, upload_progress=file_upload_statuses if number else None
                )
        except MultiPartException as error:
            if "maximum allowed size" not in error.message:
                return PlainTextResponse(_BROKEN, 400)
            return PlainTextResponse(
                f"A file that is uploaded has at most {MAX_UPLOAD:,} bytes here; upload a smaller one.", 413
            )
        except TillerError as error:
            return PlainTextResponse(str(error), 413, {"retry-after": str(KEPT)})
        except _NO_FORM:
            return PlainTextResponse(_BROKEN, 400)
        # Gradio removes what it knows when its time has come, also while nothing else is uploaded.
        page.upload_file_set.update(paths)
        return JSONResponse(paths)

    def _whose(self, request: Request) -> str:
        """Who uploads: a visitor by his address, since a page says nothing of its session here; nobody in particular for the owner."""
        return "" if self._owner(request) or request.client is None else request.client.host

    @contextmanager
    def _room(self, whose: str, size: int) -> Iterator[Path]:
        """A new folder for an upload of at most a size; it is gone where that fails. Raises TillerError where there is no room."""
        self._forget_old()
        hour = duration(KEPT)
        if whose and sum(each.size for each in self._kept if each.whose == whose) + size > MAX_UPLOADS_OF_ONE:
            raise TillerError(
                f"This server keeps {MAX_UPLOADS_OF_ONE // 10**6:,} MB of one visitor's files, and yours would be more; each goes after "
                f"{hour}: upload this one then, or use Tiller on your own computer."
            )
        if sum(each.size for each in self._kept) + size > MAX_UPLOADS:
            raise TillerError(
                f"This server keeps {MAX_UPLOADS // 10**6:,} MB of uploaded files, and this would be more; each goes after {hour}: upload "
                "it then."
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        upload = _Upload(Path(tempfile.mkdtemp(prefix="upload-", dir=self._folder)), whose, size)
        self._kept.append(upload)
        try:
            yield upload.folder
            upload.size = sum(max(_BLOCK, size) for size in sizes_within(upload.folder).values())
        except BaseException:
            self._forget(upload)
            raise

    def _forget_old(self) -> None:
        for each in list(self._kept):
            if time.monotonic() - each.began > KEPT:
                self._forget(each)

    def _forget(self, upload: _Upload) -> None:
        if upload in self._kept:
            self._kept.remove(upload)
        shutil.rmtree(upload.folder, ignore_errors=True)
