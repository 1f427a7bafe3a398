"""A screen beside Chat: what Blame, Transfer, Inspect and Library have in common. Each is in a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.worker import get_current_worker

from core.errors import TillerError
from core.util.progress import Step
from tui.shell import shell
from tui.widgets.header import Header
from tui.widgets.key_line import KeyLine
from tui.widgets.notice import Notice

if TYPE_CHECKING:
    from core.engine.engine import Engine
    from tui.chat.screen import ChatScreen

T = TypeVar("T")


class Place(Screen[None]):
    """Header, body, notice, keys. A subclass sets ``NAME``, yields its widgets in :meth:`body`, and fills them in :meth:`opened`.

    The screen is made when it is opened for the first time and kept: what stands on it is there when it is opened again.
    """

    NAME: ClassVar[str]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "chat", "Chat", key_display="Esc", id="place.chat"),
    ]
    DEFAULT_CSS = """
    Place {
        layout: vertical; background: $background;
        & > #place { height: 1fr; padding: 1 2; scrollbar-size-vertical: 1; }
        & > #place > Static { height: auto; }
        &:ansi { background: ansi_default; }
    }
    """

    def __init__(self, chat: ChatScreen) -> None:
        super().__init__()
        #: The Chat screen: what is found out here goes on there.
        self.chat = chat
        self.header, self.notice = Header(self.NAME), Notice()

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield self.header
        with VerticalScroll(id="place", can_focus=False):
            yield from self.body()
        yield self.notice
        yield KeyLine()

    def body(self) -> ComposeResult:
        """The widgets of this screen."""
        raise NotImplementedError

    def opened(self) -> None:
        """The screen is on top now, for the first time or again; what it shows may have to be drawn anew."""

    def commands(self) -> Iterator[SystemCommand]:
        """What the command palette offers on this screen beside what it offers everywhere."""
        yield from ()

    # ------------------------------------------------------------------------------------------------------ looking up

    @property
    def engine(self) -> Engine | None:
        """The engine; ``None`` while the family is being read."""
        return self.chat.model.engine if self.chat.opened else None

    # ---------------------------------------------------------------------------------------------------------- doing

    def say(self, sentence: str, wrong: bool = False) -> None:
        """Show one sentence above the keys until the next one; an empty one clears the line."""
        self.notice.say(sentence, wrong)

    def run_slices(self, work: Generator[Step, None, T], found: Callable[[T], None]) -> None:
        """Do the engine's work in the background, and say how far it is; what was found is handed on. Another one takes its place."""
        run = partial(self._run_slices, work, found)
        self.run_worker(run, thread=True, exclusive=True, group="slices", exit_on_error=False)

    def _run_slices(self, work: Generator[Step, None, T], found: Callable[[T], None]) -> None:
        worker, said = get_current_worker(), ""
        try:
            while not worker.is_cancelled:
                step = next(work)
                if step.sentence != said:
                    said = step.sentence
                    self.app.call_from_thread(self.say, f"{said} Ctrl+X stops.")
        except StopIteration as stop:
            self.app.call_from_thread(found, stop.value)
        except TillerError as error:
            self.app.call_from_thread(self.notice.refuse, error)
        finally:
            work.close()

    def stop_slices(self) -> None:
        """What is being found out is not wanted any more."""
        self.workers.cancel_group(self, "slices")
        self.say("Stopped.")

    def on_screen_resume(self) -> None:
        """On top again."""
        self.opened()

    def action_chat(self) -> None:
        """Back to Chat; what runs here goes on."""
        shell(self).go("chat")
