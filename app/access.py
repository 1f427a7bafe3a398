"""Whose a page is: the owner's, or a visitor's. The one place that says so, and what follows from it for a whole server."""

from __future__ import annotations

import hmac
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from core.artefacts.store import user_folder
from core.cli.options import Options
from core.engine.allowance import WaitingLine
from core.engine.engine import Engine
from core.engine.visitor import VisitorEngine
from core.util.files import cache_folder, remove_old
from core.util.progress import duration

if TYPE_CHECKING:
    import gradio as gr
    from starlette.requests import Request

_LOCAL = (None, "", "127.0.0.1", "localhost", "::1")
#: How long one piece of a visitor's long work may compute, in seconds.
SECONDS = 600.0
#: A visitor's page that was not heard of for so long, in seconds, is gone with what he learnt, and so is a family without one; a page that
#: is open is heard of every second.
MOST_ASLEEP = 3_600.0
#: What was written to be taken away may be fetched for so long, in seconds.
_KEPT = 3_600
#: By this cookie the owner's browser is known.
COOKIE = "tiller-owner"
#: Where the owner signs in.
SIGN_IN = "/owner"


class Access:
    """What the pages of one server share: who is their owner, the folder of what is his visitors', and the line of their long work."""

    def __init__(self, options: Options) -> None:
        self.auth = options.auth
        #: Whether strangers can reach this server.
        self.public = bool(
            options.public
            or options.auth
            or options.share
            or os.environ.get("SPACE_ID")
            or (options.host or os.environ.get("GRADIO_SERVER_NAME")) not in _LOCAL
        )
        #: Whose this Space is, where the Hub says who signs in (`hf_oauth: true` in its README); empty anywhere else.
        self.hub_name = os.environ.get("SPACE_AUTHOR_NAME", "") if os.environ.get("OAUTH_CLIENT_ID") else ""
        #: What the owner's browser shows once he has signed in.
        self.secret = secrets.token_urlsafe(32)
        self._scratch = tempfile.TemporaryDirectory(prefix="tiller-", ignore_cleanup_errors=True)
        self._line = WaitingLine()

    def close(self) -> None:
        """Remove everything that was made for visitors, or to be taken away."""
        self._scratch.cleanup()

    # ------------------------------------------------------------------------------------------------------------ whose

    def owner(self, request: gr.Request | Request) -> bool:
        """Whether a request comes from the owner: from anybody where only this computer can reach the server, else from who has signed
        in."""
        if not self.public:
            return True
        shown = str((getattr(request, "cookies", None) or {}).get(COOKIE, ""))
        return hmac.compare_digest(shown.encode(), self.secret.encode())

    def signs_in(self, said: str) -> bool:
        """Whether ``NAME:PASSWORD`` is the owner's; nobody's is, where none was given."""
        return bool(self.auth) and hmac.compare_digest(said.encode(), self.auth.encode())

    def engine(self, shared: Engine, owner: bool) -> Engine:
        """The engine that a page talks to: the shared one, or a new visitor's view of it."""
        return shared if owner else VisitorEngine(shared, self.new_folder("visitor-"), SECONDS, self._line)

    def leave(self, engine: Engine) -> None:
        """A page is gone for good: what its visitor began ends, and what he learnt goes."""
        if isinstance(engine, VisitorEngine):
            engine.close()
            shutil.rmtree(engine.folder, ignore_errors=True)

    @property
    def sentence(self) -> str:
        """What strangers may do, for whoever opens the server to them."""
        signed = (
            f"{SIGN_IN} is where you sign in."
            if self.auth or self.hub_name
            else "Nobody can change what is shared; --auth NAME:PASSWORD would let you."
        )
        return (
            "Visitors chat and steer; what they learn or import is their own, computes for at most "
            f"{duration(SECONDS)} at a time, and goes when they leave. {signed}"
        )

    # ------------------------------------------------------------------------------------------------------------ files

    @property
    def uploads(self) -> Path:
        """Where Gradio keeps what is uploaded and handed out."""
        return Path(self._scratch.name) / "gradio"

    def new_folder(self, prefix: str = "file-") -> Path:
        """A folder for what a page is given to take away; those of an hour ago go."""
        remove_old(Path(self._scratch.name).glob("file-*"), _KEPT)
        return Path(tempfile.mkdtemp(prefix=prefix, dir=self._scratch.name))

    def told(self, text: str) -> str:
        """What strangers may read of a sentence: the names of the server's files, and not where they are."""
        if not self.public:
            return text
        for folder in self._hidden():
            text = text.replace(f"{folder}{os.sep}", "").replace(str(folder), "a folder of the server")
        return text

    def _hidden(self) -> list[Path]:
        found = {
            Path(self._scratch.name),
            self.uploads,
            user_folder(),
            cache_folder(),
            Path(__file__).resolve().parents[1],
            Path.home(),
            Path(tempfile.gettempdir()),
        }
        found |= {each.resolve() for each in found}
        # The folder before the one that it lies in; a root is in every path.
        return sorted((each for each in found if len(each.parts) > 1), key=lambda each: -len(str(each)))
