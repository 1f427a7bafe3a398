"""What requests bring: no more bytes of one than its limit reach what reads them, whether it says how many they are or not, and no more
bytes of all that are being answered than there may be together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from app.log import log_refused, ours

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: A request of so many bytes is taken however much others bring.
SMALL = 1_000_000
#: What may keep a server from answering without any fault of the request's.
_OWN_TROUBLE = (OSError, MemoryError)


class TooMuchError(Exception):
    """A request brings more than it may, and has no answer yet."""


class CrowdedError(Exception):
    """A large request came while others are being answered, and has no answer yet."""


class UnreadableError(Exception):
    """Nothing could be made of a request, and it has no answer yet."""


class Together:
    """How many bytes the requests have brought that are being answered: at most ``most``, but for small ones, which always come in."""

    def __init__(self, most: int) -> None:
        self.most, self.held = most, 0


async def pass_on(
    app: App, scope: Scope, receive: Receive, send: Send, most: int, together: Together | None = None
) -> None:
    """Have ``app`` answer a request of at most ``most`` bytes, one of those that come ``together``, where they are counted.

    Raises:
        TooMuchError: there were more; none of them was kept.
        CrowdedError: with the others' there were too many; none of them was kept.
        UnreadableError: what reads requests stumbled over this one, which the log has a line of.
        Exception: a fault of the server's own.
    """
    said = dict(scope["headers"]).get(b"content-length", b"")
    if said.isdigit() and int(said) > most:
        raise TooMuchError
    together = together or Together(most)
    intake = _Intake(receive, send, most, together)
    try:
        await _answered(app, scope, intake)
    finally:
        together.held -= intake.came


async def _answered(app: App, scope: Scope, intake: _Intake) -> None:
    try:
        await app(scope, intake.receive, intake.send)
    except Exception as error:
        if intake.over is not None and not intake.begun:
            # Whatever reads requests says in its own way that this one ended in its midst.
            raise intake.over from None
        if intake.came and not intake.begun and not ours(error) and not isinstance(error, _OWN_TROUBLE):
            log_refused(error)
            raise UnreadableError from None
        await intake.let_go()
        raise
    if intake.over is not None and not intake.begun:
        raise intake.over
    await intake.let_go()


class _Intake:
    """One request as it comes in, and its answer as it goes out: ``came`` is how many bytes it brought, ``begun`` whether any of the answer
    has been sent."""

    def __init__(self, receive: Receive, send: Send, most: int, together: Together) -> None:
        self._receive, self._send, self._most, self._together = receive, send, most, together
        self.came = 0
        self._failing = False
        self._held: list[Message] = []
        self.begun = False
        #: What is wrong once more came than may.
        self.over: Exception | None = None

    async def receive(self) -> Message:
        """The next of what comes; after too much of it the sender counts as gone, so that nothing reads on."""
        if self.over is None:
            message = await self._receive()
            brought = len(message.get("body", b""))
            self.came += brought
            self._together.held += brought
            if self.came > self._most:
                self.over = TooMuchError()
            elif self.came > SMALL and self._together.held > self._together.most:
                self.over = CrowdedError()
            else:
                return message
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Pass an answer on; not where too much came, which gets an answer of its own. A failure's waits for why it failed: a part of the
        server answers so before it raises what it stumbled over."""
        if self.over is not None and not self.begun:
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
