"""What a request brings: no more bytes of it than its limit reach what reads them, whether it says how many they are or not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from app.log import log_refused, ours

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: What may keep a server from answering without any fault of the request's.
_OWN_TROUBLE = (OSError, MemoryError)


class TooMuchError(Exception):
    """A request brings more than it may, and has no answer yet."""


class UnreadableError(Exception):
    """Nothing could be made of a request, and it has no answer yet."""


async def pass_on(app: App, scope: Scope, receive: Receive, send: Send, most: int) -> None:
    """Have ``app`` answer a request of at most ``most`` bytes.

    Raises:
        TooMuchError: there were more; none of them was kept.
        UnreadableError: what reads requests stumbled over this one, which the log has a line of.
        Exception: a fault of the server's own.
    """
    said = dict(scope["headers"]).get(b"content-length", b"")
    if said.isdigit() and int(said) > most:
        raise TooMuchError
    intake = _Intake(receive, send, most)
    try:
        await app(scope, intake.receive, intake.send)
    except Exception as error:
        if intake.over and not intake.begun:
            # Whatever reads requests says in its own way that this one ended in its midst.
            raise TooMuchError from None
        if intake.came and not intake.begun and not ours(error) and not isinstance(error, _OWN_TROUBLE):
            log_refused(error)
            raise UnreadableError from None
        await intake.let_go()
        raise
    if intake.over and not intake.begun:
        raise TooMuchError
    await intake.let_go()


class _Intake:
    """One request as it comes in, and its answer as it goes out: ``came`` is how many bytes it brought, ``begun`` whether any of the answer
    has been sent."""

    def __init__(self, receive: Receive, send: Send, most: int) -> None:
        self._receive, self._send, self._most = receive, send, most
        self.came = 0
        self._failing = False
        self._held: list[Message] = []
        self.begun = False

    @property
    def over(self) -> bool:
        """Whether more came than may."""
        return self.came > self._most

    async def receive(self) -> Message:
        """The next of what comes; after too much of it the sender counts as gone, so that nothing reads on."""
        if not self.over:
            message = await self._receive()
            self.came += len(message.get("body", b""))
            if not self.over:
                return message
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Pass an answer on; not where too much came, which gets an answer of its own. A failure's waits for why it failed: a part of the
        server answers so before it raises what it stumbled over."""
        if self.over and not self.begun:
            return
        if message["type"] == "http.response.start":
            self._failing = message["status"] == 500
        if self._failing:
            self._held.append(message)
        else:
            self.begun = True
            await self._send(message)

    async def let_go(self) -> None:
        """Send what was held back."""
        self.begun = self.begun or bool(self._held)
        for message in self._held:
            await self._send(message)
        self._held.clear()
