"""A script before everything else of a page. What Gradio is given as head comes behind its own scripts, too late for some things."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEAD = b"<head>"


class EarlyScript:
    """The middleware of a server: pages get ``script`` first in their head; everything else passes as it is."""

    def __init__(self, app: ASGIApp, script: str) -> None:
        self.app, self._first = app, _HEAD + f"<script>{script}</script>".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the server's own start and end."""
        begun: Message | None = None

        async def sent(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html") and "content-encoding" not in headers:
                    # How long the page is, is known with its body.
                    begun = message
                    return
            elif begun is not None:
                headers, body = MutableHeaders(scope=begun), message.get("body", b"")
                message = {**message, "body": body.replace(_HEAD, self._first, 1)}
                if "content-length" in headers:
                    headers["content-length"] = str(int(headers["content-length"]) + len(message["body"]) - len(body))
                await send(begun)
                begun = None
            await send(message)

        await self.app(scope, receive, sent)
