"""The thread that owns every model: commands go in, the status comes out, and each command gets an answer, whatever happens. No torch."""

from __future__ import annotations

import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from core.chat.events import Status
from core.errors import TillerError
from core.util.faults import fault

_T = TypeVar("_T")
S = TypeVar("S")

#: What is answered when nobody will take a command any more.
CLOSING = "Tiller is closing; start it again to go on."


class ThreadWorker(Protocol):
    """What does the work on the thread."""

    def open(self, wanted: Callable[[], bool]) -> None:
        """Load what is there from the beginning, as long as it is wanted."""

    def serve(self, commands: queue.Queue[EngineCommand[Any] | None], closed: threading.Event) -> None:
        """Take commands until the thread is closed."""


W = TypeVar("W", bound=ThreadWorker)
W_contra = TypeVar("W_contra", contravariant=True)


class EngineCommand(NamedTuple, Generic[W_contra]):
    """Something for the engine's thread: what to do, and what to do instead when there is no model (given the reason)."""

    act: Callable[[W_contra], None]
    refuse: Callable[[str], None]


class EngineThread(ABC, Generic[W]):
    """A thread that loads models and does what it is told, one command after the other, until it is closed."""

    def __init__(self) -> None:
        self._cancel_loading = threading.Event()
        self._status = Status("starting", "Starting.")
        self._changed = threading.Condition()
        self._commands: queue.Queue[EngineCommand[W] | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        # Held while a command is queued and while the queue is emptied for the last time: none is left without an answer.
        self._gate = threading.Lock()
        self._over = False
        #: When something was last asked of it, or a page of it was heard of.
        self.used = time.monotonic()

    @abstractmethod
    def make_worker(self) -> W:
        """What does the work; called once, on the thread. Raises TillerError or ImportError when there can be none."""

    # ------------------------------------------------------------------------------------------------------------ life

    def start(self) -> None:
        """Start the engine's thread, which imports torch and loads the final checkpoint. A second call does nothing."""
        with self._gate:
            if self._thread is not None or self._closed.is_set():
                return
            self._thread = threading.Thread(target=self._main, name="tiller-engine", daemon=True)
        self._thread.start()

    @property
    def status(self) -> Status:
        """What the engine is doing now."""
        return self._status

    def wait_ready(self, timeout: float | None = None) -> Status:
        """Wait until the final checkpoint is in memory, or cannot be."""
        with self._changed:
            self._changed.wait_for(lambda: self._status.state in ("ready", "busy", "failed"), timeout)
        return self._status

    def wait_begun(self) -> Status:
        """Wait until the final checkpoint is being read or fetched, is there, or cannot be: most of what may be wrong with it is known by
        then."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._over or self._status.progress is not None or self._status.state in ("ready", "busy", "failed")
                )
            )
        return self._status

    def cancel_loading(self) -> None:
        """End what is being loaded or downloaded; its memory is free then. It is loaded after all when a message needs it."""
        if self._status.state == "loading":
            self._cancel_loading.set()

    def close(self) -> None:
        """End every run at its next step, refuse what waits, and end the thread. What is submitted later fails at once."""
        with self._gate:
            self._closed.set()
            thread = self._thread
        self._commands.put(None)
        if thread is None:
            self._refuse_rest()
        elif thread is not threading.current_thread():
            thread.join(timeout=10)

    def _main(self) -> None:
        try:
            self._work()
        finally:
            self._refuse_rest()

    def _work(self) -> None:
        self._publish(Status("loading", "Starting."))
        try:
            worker = self.make_worker()
            if not self._closed.is_set():
                worker.open(lambda: not self._closed.is_set())
        except TillerError as error:
            self._refuse_all(str(error))
        except ImportError as error:
            self._refuse_all(
                f"PyTorch or transformers cannot be imported ({error}); start Tiller with launch.py, which installs them."
            )
        except Exception as error:
            # Whatever a library raises here, the front ends wait for a word: say it instead of loading for ever.
            self._refuse_all(fault("Starting the model", error))
        else:
            worker.serve(self._commands, self._closed)

    def _refuse_all(self, sentence: str) -> None:
        """Say why there is no model, and answer every command with it until the engine is closed."""
        self._publish(Status("failed", sentence))
        while (command := self._commands.get()) is not None:
            command.refuse(sentence)

    def _refuse_rest(self) -> None:
        """Answer what is still in the queue when nobody will ever take it out, and everything that comes later."""
        with self._gate:
            self._over = True
        with self._changed:
            self._changed.notify_all()
        while not self._commands.empty():
            if (command := self._commands.get()) is not None:
                command.refuse(CLOSING)

    def _send(self, command: EngineCommand[W]) -> None:
        self.used = time.monotonic()
        with self._gate:
            if not self._over:
                self._commands.put(command)
                return
        command.refuse(CLOSING)

    def _publish(self, status: Status) -> None:
        with self._changed:
            self._status = status
            self._changed.notify_all()

    # -------------------------------------------------------------------------------------------------------- commands

    def call(self, function: Callable[[W], _T]) -> Future[_T]:
        """Run ``function`` on the engine's thread, between two steps; its result or its error comes in the future."""
        future: Future[_T] = Future()

        def act(worker: W) -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function(worker)
            except Exception as error:
                # Whatever it is belongs to the caller, who waits for it in another thread.
                future.set_exception(error)
            else:
                future.set_result(result)

        def refuse(sentence: str) -> None:
            if future.set_running_or_notify_cancel():
                future.set_exception(TillerError(sentence))

        self._send(EngineCommand(act, refuse))
        return future

    def slices(self, make: Callable[[W], Generator[S, None, _T]]) -> Generator[S, None, _T]:
        """Run a generator of the engine's thread slice by slice, between the steps of chats; closing it ends the work.

        Raises:
            TillerError: there is no model; and whatever the generator raises.
        """
        work = self.call(make).result()

        def step(_worker: W) -> tuple[bool, S | _T]:
            try:
                return False, next(work)
            except StopIteration as stop:
                return True, stop.value

        try:
            while True:
                over, found = self.call(step).result()
                if over:
                    return found  # type: ignore[return-value]
                yield found  # type: ignore[misc]
        finally:
            # On the engine's thread, like everything that holds a model; nobody waits for it.
            self.call(lambda _worker: work.close())
