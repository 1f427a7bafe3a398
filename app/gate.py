"""What stands before every request: which hosts a server answers to, which pages may use it, how much one may bring, and the owner's
sign-in."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import os
import re
import socket
from urllib.parse import urlsplit

from app.access import COOKIE, SIGN_IN, Access
from app.intake import (
    App,
    CrowdedError,
    Message,
    Receive,
    Scope,
    Send,
    Together,
    TooMuchError,
    UnreadableError,
    pass_on,
)
from core.cli.options import Options
from core.util.limits import MAX_BODY, MAX_FORM, MAX_TOGETHER, MAX_UPLOAD

#: Where a page's files are uploaded to; nothing else takes any.
UPLOAD = "/gradio_api/upload"
#: What changes nothing may be asked for by a link on any page.
_READING = ("GET", "HEAD", "OPTIONS")
#: A name, or an address in numbers, and a port: nothing beside them, since programs differ in what they make of that.
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:@/\[\]]+)(?::[0-9]*)?")
#: Gradio's scripts and styles have a hash of what they are in their names.
_HASHED = re.compile(r"/assets/[^/]+-[\w-]{8,}\.(js|css)")
#: Who guesses a password waits so long for each answer, in seconds, and nobody else's guess is looked at meanwhile.
_GUESS = 0.5


class Names:
    """The names by which a server is reached. A website may point its own name at this machine (DNS rebinding), and its pages would
    then count as the server's own; a number cannot be pointed anywhere, so every address in numbers is answered."""

    def __init__(self, options: Options) -> None:
        spaces = os.environ.get("SPACE_HOST", "").split(",")
        #: Names of this server behind a proxy or a tunnel, whose port may be another one.
        self.outside = {each.strip().lower() for each in (*options.served_as, *spaces) if each.strip()}
        host = options.host or os.environ.get("GRADIO_SERVER_NAME") or ""
        machine = socket.gethostname().lower()
        own = (machine, f"{machine}.local") if host else ()
        self._own = {"localhost", host.lower(), *own} - {""}

    def answers(self, host: str) -> bool:
        """Whether a Host header names this server."""
        name = host_name(host)
        return name in self._own or name in self.outside or _in_numbers(name)

    def belongs(self, origin: str, host: str) -> bool:
        """Whether a page of ``origin`` is this server's own, which was asked as ``host``."""
        try:
            there = urlsplit(origin).netloc.lower()
        except ValueError:
            return False
        return bool(there) and (there == host.lower() or host_name(there) in self.outside)


def host_name(host: str) -> str:
    """The name in a Host header, without its port; empty for what is none."""
    found = _HOST.fullmatch(host.strip().lower())
    return found[1].strip("[]").rstrip(".") if found else ""


def _in_numbers(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Gate:
    """The middleware of a server: a request goes through, or is answered here with one sentence."""

    def __init__(self, app: App, names: Names, access: Access) -> None:
        self.app, self.names, self.access = app, names, access
        self._guessing = asyncio.Lock()
        #: What comes in but uploads, which are kept on the disk and bounded there.
        self.together = Together(MAX_TOGETHER)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the server's own start and end."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        root = scope.get("root_path", "")
        path = scope["path"].removeprefix(root)
        if root:
            # A proxy takes the prefix off that it serves this server under, and pages that are mounted are only found by the whole path.
            scope = {**scope, "path": root + path}
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        host, origin = headers.get("host", ""), headers.get("origin")
        reads = scope["type"] == "http" and scope["method"] in _READING
        if not self.names.answers(host):
            await _say(
                send, 421,
                f"This server does not answer to {host_name(host)[:80]!r}: open it at the address that it printed, or, if the name is its "
                f"own, start it with --served-as {host_name(host)[:80]}.",
            )  # fmt: skip
        elif origin is not None and not reads and not self.names.belongs(origin, host):
            await _say(
                send, 403,
                f"A page of {origin[:80]!r} may not use this server: open the server's own page, or start it with --served-as if that is "
                "its own name.",
            )  # fmt: skip
        elif scope["type"] == "http" and path == SIGN_IN:
            await self._sign_in(scope, headers.get("authorization", ""), send)
        elif scope["type"] == "http":
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            await self._let_in(scope, receive, _lasting(send) if _HASHED.search(path) else send, path, kind)
        else:
            await self.app(scope, receive, send)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send, path: str, kind: str) -> None:
        """A request is answered, if it brings no more than it may."""
        uploads = path.endswith(UPLOAD)
        said = [value for name, value in scope["headers"] if name.lower() == b"content-type"]
        # Of two kinds, or of one that only begins so, what reads the request may take another than is looked at here.
        if len(said) > 1 or (kind.startswith("multipart") and (kind != "multipart/form-data" or not uploads)):
            # Gradio takes files in other places too, and keeps them for ever.
            await _refuse(send, kind, 415, "Files are not taken here; upload them on the page, where it asks for one.")
            return
        try:
            await pass_on(
                self.app, scope, receive, send, MAX_FORM if uploads else MAX_BODY, None if uploads else self.together
            )
        except TooMuchError:
            await _refuse(
                send, kind, 413,
                f"What is uploaded at once has at most {MAX_UPLOAD:,} bytes; send a smaller file."
                if uploads
                else f"A request has at most {MAX_BODY:,} bytes; send less at once, or a file of chats in several.",
            )  # fmt: skip
        except CrowdedError:
            await _refuse(send, kind, 503, "This server reads as much as it can at once; send it again in a moment.")
        except UnreadableError:
            await _refuse(
                send, kind, 400, "This server can make nothing of that request; reload the page that it was sent from."
            )

    async def _sign_in(self, scope: Scope, authorization: str, send: Send) -> None:
        """The browser asks for name and password; who has them is sent to the page with the owner's cookie."""
        if self.access.hub_name and not self.access.auth:
            await self._by_the_hub(scope, send)
            return
        if not self.access.auth:
            await _say(send, 404, "This server has no sign-in; its owner starts it with --auth NAME:PASSWORD for that.")
            return
        if authorization:
            async with self._guessing:
                if self.access.signs_in(_basic(authorization)):
                    await self._let_be_the_owner(scope, send)
                    return
                await asyncio.sleep(_GUESS)
        await _say(
            send, 401, "Sign in as this server's owner.", {"www-authenticate": 'Basic realm="Tiller", charset="UTF-8"'}
        )

    async def _by_the_hub(self, scope: Scope, send: Send) -> None:
        """On a Space the Hub says who somebody is; whose Space it is, is its owner."""
        said = (scope.get("session") or {}).get("oauth_info") or {}
        name = str((said.get("userinfo") or {}).get("preferred_username") or "")
        root = scope.get("root_path", "")
        if not name:
            await _say(
                send, 303, "Sign in at the Hub.", {"location": f"{root}/login/huggingface?_target_url={SIGN_IN}"}
            )
        elif name == self.access.hub_name:
            await self._let_be_the_owner(scope, send)
        else:
            await _say(
                send, 403,
                f"This Space is {self.access.hub_name}'s, and the Hub says that you are {name[:80]}: chat and steer as a visitor, or "
                "duplicate the Space, which is then your own. To sign in as somebody else, open /logout first.",
            )  # fmt: skip

    async def _let_be_the_owner(self, scope: Scope, send: Send) -> None:
        # In the frame of another page, as on a Space, a browser sends such a cookie alone.
        kind = "SameSite=None; Secure" if scope.get("scheme") == "https" else "SameSite=Lax"
        cookie = f"{COOKIE}={self.access.secret}; Path=/; HttpOnly; {kind}"
        await _say(send, 303, "Signed in.", {"location": f"{scope.get('root_path', '')}/", "set-cookie": cookie})


def _basic(authorization: str) -> str:
    kind, _, said = authorization.partition(" ")
    try:
        return base64.b64decode(said, validate=True).decode("utf-8") if kind.lower() == "basic" else ""
    except ValueError:
        return ""


def _lasting(send: Send) -> Send:
    """Sends what never changes under its name: a browser that has it does not ask again, so that a reload paints sooner."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            message["headers"] = [*message["headers"], (b"cache-control", b"public, max-age=31536000, immutable")]
        await send(message)

    return sent


async def _refuse(send: Send, kind: str, status: int, sentence: str) -> None:
    """Say why not; a page's script that sent JSON shows a person what it is told in the same."""
    if kind == "application/json":
        await _say(send, status, json.dumps({"detail": sentence}), {"content-type": kind})
    else:
        await _say(send, status, sentence)


async def _say(send: Send, status: int, sentence: str, more: dict[str, str] | None = None) -> None:
    body = (sentence + "\n").encode()
    headers = {
        "content-type": "text/plain; charset=utf-8", "content-length": str(len(body)), "x-content-type-options": "nosniff",
        "cache-control": "no-store", **(more or {}),
    }  # fmt: skip
    pairs = [(key.encode(), value.encode("latin-1", "replace")) for key, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
