"""The terminal app: opens the engine behind the first paint, keeps the last state, and leaves the terminal as it found it."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen

from core.chat.settings import Settings
from core.errors import TillerError
from tui import state
from tui.chat.screen import ChatScreen
from tui.messages import EngineClosed, EngineOpened
from tui.opening import first_chat, open_engine, state_name
from tui.screens.screen import Place
from tui.themes import CHOICES, DARK, LIGHT
from tui.widgets.header import Header

if TYPE_CHECKING:
    from core.cli.options import Options
    from core.engine.engine import Engine
    from core.engine.job_list import JobLine
    from tui.widgets.notice import Notice

_STATUS_EVERY = 0.25
#: Seconds after which what was written or said is kept at the latest, so that a crash loses no more.
_KEEP_EVERY = 3.0
#: Stands for what is answered in Chat in the list of what goes on; no job has it.
_ANSWERS = "answers"
#: Exit statuses: what was asked for cannot be opened, and Ctrl+C.
NOT_OPENED, _INTERRUPTED = 2, 130


class TillerApp(App[str]):
    """One engine, the Chat screen, and the screens beside it. It gives what to load the family by that is to be opened instead.

    ``complaint`` is said as soon as the family is read.
    """

    TITLE = "Tiller"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_DISPLAY = "^p"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+p", "command_palette", "Menu", priority=True, id="app.commands"),
        Binding("f1", "help", "Help", key_display="F1", priority=True, id="app.help"),
        Binding("f2", "go('chat')", "Screens", key_display="F2-F6", priority=True, id="app.chat.conversation"),
        Binding("f3", "go('blame')", "Blame", key_display="F3", show=False, priority=True, id="app.tabs.blame"),
        Binding(
            "f4", "go('transfer')", "Transfer", key_display="F4", show=False, priority=True, id="app.tabs.transfer"
        ),
        Binding("f5", "go('inspect')", "Inspect", key_display="F5", show=False, priority=True, id="app.inspect"),
        Binding("f6", "go('library')", "Library", key_display="F6", show=False, priority=True, id="app.tabs.library"),
        Binding("ctrl+f", "families", "Families", key_display="^f", priority=True, id="app.families"),
        Binding("alt+j", "jobs", "Jobs", key_display="Alt+J", show=False, priority=True, id="app.jobs"),
        Binding("ctrl+c", "interrupt", "Quit", key_display="^c", priority=True, id="app.interrupt"),
        Binding("ctrl+q", "leave", "Quit", show=False, priority=True, id="app.quit"),
    ]
    CSS = """
    CommandPalette > Vertical { margin-top: 2; }
    Toast { display: none; }
    """

    def __init__(
        self, options: Options, opened: Settings | None = None, complaint: str = "", returns: bool = False
    ) -> None:
        super().__init__()
        #: Whether another family was open, which comes back where this one's model cannot be loaded.
        self.returns = returns
        self.options, self.opened = options, opened
        self.engine: Engine | None = None
        #: What to load the family by that is open.
        self.family = ""
        self.farewell = ""
        self.glyphs_chosen = False
        #: Whether answers are drawn as text with headings, lists and code instead of tokens.
        self.text = False
        self.complaint = f"✗ {complaint}" if complaint else ""
        self._kept_last: object = None
        self.planned = False
        self.chat = ChatScreen()
        self.places: dict[str, Place] = {}
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self._put_on(self._looks())

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """``$quiet`` is for what stands beside the matter, ``$field`` what lies under what can be edited."""
        return {"quiet": "ansi_bright_black", "field": "ansi_default"}

    def get_default_screen(self) -> Screen[None]:
        """Chat is the first screen there is."""
        return self.chat

    # --------------------------------------------------------------------------------------------------------- opening

    def on_mount(self) -> None:
        """Paint first; read the family and load the model behind it."""
        self._catch_signals()
        self.call_after_refresh(self._open)

    def _catch_signals(self) -> None:
        """A signal from outside leaves as cleanly as the key does, where the system has them."""
        loop = asyncio.get_running_loop()
        for name, status in (("SIGINT", _INTERRUPTED), ("SIGTERM", 143), ("SIGHUP", 129)):
            if hasattr(signal, name) and sys.platform != "win32":
                try:
                    loop.add_signal_handler(getattr(signal, name), self._told_to_leave, status)
                except (RuntimeError, ValueError):
                    return  # Not in the main thread (a test): signals are another's business there.

    def _told_to_leave(self, status: int) -> None:
        # A terminal that closes sends SIGCONT behind SIGHUP: Textual would take the screen up again, and read from nowhere for ever.
        signal.signal(signal.SIGCONT, signal.SIG_DFL)
        self.leave(status)

    def _open(self) -> None:
        self.run_worker(self._open_engine, thread=True, group="engine", exit_on_error=True)

    def _open_engine(self) -> None:
        """In a thread: read the family. What is wrong with it ends the app with its sentence."""
        try:
            opened = open_engine(self.options, self.opened)
        except TillerError as error:
            self.call_from_thread(self.leave, NOT_OPENED, str(error))
            return
        self.family, self.complaint = opened.family, opened.complaint or self.complaint
        self.post_message(EngineOpened(opened.engine))

    def on_engine_opened(self, message: EngineOpened) -> None:
        """Show what there is to show, and start loading."""
        engine, chat = message.engine, self.chat
        self.engine = engine
        try:
            first = first_chat(engine, self.options, self.opened)
        except TillerError as error:
            self.leave(NOT_OPENED, str(error))
            return
        self.complaint = first.complaint or self.complaint
        chat.open(engine, first.session)
        # What was recorded is read from its beginning; what is answered is followed to its end.
        chat.transcript.following = not first.session.recorded
        if first.draft:
            chat.prompt.put(first.draft)
        chat.view.draw()
        self._reopen()
        self._notice.say(self.complaint, wrong=True)
        engine.start()
        self._watch()
        self.set_interval(_STATUS_EVERY, self._watch)
        self.set_interval(_KEEP_EVERY, self._keep_changed)
        chat.conversation.answer_open()

    def _watch(self) -> None:
        """Show what the engine is doing; once the model is there, say so and compute ahead."""
        assert self.engine is not None
        chat, status = self.chat, self.engine.status
        before = chat.header.status.state
        for header in (chat.header, *(place.header for place in self.places.values())):
            self._head(header)
        chat.learning.watch()
        chat.draw_gauge()
        if status.plan and not self.planned:
            self.planned = True
            if not self.complaint:
                chat.notice.say(status.plan)
        if before != status.state:
            # What is being loaded can be stopped.
            chat.refresh_bindings()
        if before != status.state and status.state in ("ready", "failed"):
            if status.state == "failed" and self.returns:
                self.leave(NOT_OPENED, status.detail)
                return
            if status.state == "failed":
                chat.notice.refuse(status.detail)
            chat.view.draw()
            if status.state == "ready":
                chat.conversation.answer_cut_off()
            chat.runs.ahead_soon()

    def _head(self, header: Header) -> None:
        """Say on a screen's top line of what family it is, and what the engine is doing."""
        if self.engine is not None:
            column = self.chat.model.settings.column
            header.show(self.engine.status, f"{self.engine.family.title} · {column.checkpoint}", self.engine.jobs())

    def show_jobs(self) -> None:
        """List what goes on, and what waits for what; each can be ended there."""
        from tui.dialogs.jobs import JobsDialog

        self.push_screen(JobsDialog(self._jobs, self._end_job))

    def _jobs(self) -> list[JobLine]:
        """What goes on; what is answered or computed ahead in Chat is ended there."""
        jobs = self.engine.jobs() if self.engine is not None else ()
        return [replace(each, key=_ANSWERS) if each.chat else each for each in jobs]

    def _end_job(self, key: str) -> None:
        if key == _ANSWERS:
            self.chat.runs.stop_all()
        elif self.engine is not None:
            self.engine.end_job(key)

    def action_jobs(self) -> None:
        """The list of what goes on, unless a window is open."""
        if not isinstance(self.screen, ModalScreen):
            self.show_jobs()

    # --------------------------------------------------------------------------------------------------------- screens

    def action_go(self, name: str) -> None:
        """Open a screen by its key, unless a window is open over the present one."""
        if not isinstance(self.screen, ModalScreen):
            self.go(name)

    def go(self, name: str) -> None:
        """Put a screen on top; the chat goes on beneath it, and its link opens this screen too."""
        from tui.screens.registry import place

        self._keep_tab(name)
        while self.screen is not self.chat and not (isinstance(self.screen, Place) and name == self.screen.NAME):
            self.pop_screen()
        if name == "chat" or self.screen is not self.chat:
            return
        if name not in self.places:
            self.places[name] = place(name, self.chat)
            self.install_screen(self.places[name], name)
            # Not only when it is next looked at: its names would jump aside beneath the pointer.
            self._head(self.places[name].header)
        self.push_screen(name)

    def _reopen(self) -> None:
        """Open the screen that the chat's state names, unless the person has opened another one before the family was read."""
        if isinstance(self.screen, Place):
            self._keep_tab(self.screen.NAME)
            self.screen.opened()
        else:
            self.go(self.chat.model.settings.tab)

    def _keep_tab(self, name: str) -> None:
        if self.chat.opened:
            session = self.chat.model.session
            session.settings = replace(session.settings, tab=name)

    @property
    def _notice(self) -> Notice:
        """The line for one sentence that is to be seen now."""
        return next((each.notice for each in reversed(self.screen_stack) if isinstance(each, Place)), self.chat.notice)

    # ------------------------------------------------------------------------------------------------- another family

    def action_families(self) -> None:
        """Ask for another family, unless a window is open."""
        from tui.dialogs.families import FamilyDialog

        if self.chat.opened and not isinstance(self.screen, ModalScreen):
            self.push_screen(FamilyDialog(self.family, self.engine), self._change_family)

    def on_families_wanted(self) -> None:
        """Ask for another family."""
        self.action_families()

    def _change_family(self, chosen: str | None) -> None:
        """Keep the chat, and give up the present family for the one that was chosen, if it is another one or is to be tried again."""
        engine = self.engine
        if chosen is None or engine is None or (chosen == self.family and engine.status.state != "failed"):
            return
        self.chat.runs.interrupt()
        self.keep()
        self._notice.say(f"{engine.family.title} is closed, and the other family opened …")
        self.run_worker(partial(self._close_engine, engine, chosen), thread=True, group="engine", exclusive=True)

    def _close_engine(self, engine: Engine, chosen: str) -> None:
        """In a thread: while PyTorch is imported this takes seconds."""
        engine.cancel_loading()
        engine.close()
        self.post_message(EngineClosed(chosen))

    def on_engine_closed(self, message: EngineClosed) -> None:
        """What is open now is another app's matter (:func:`start`)."""
        self.exit(message.family)

    # --------------------------------------------------------------------------------------------------------- leaving

    def action_interrupt(self) -> None:
        """Ctrl+C leaves, wherever it is pressed."""
        self.leave(_INTERRUPTED)

    def action_leave(self) -> None:
        """Ctrl+Q leaves too."""
        self.leave(0)

    def leave(self, status: int, farewell: str = "") -> None:
        """Keep the state, stop what runs, restore the terminal."""
        self.farewell = farewell
        if self.chat.opened:
            self.chat.runs.interrupt()
        self.keep()
        self.exit(return_code=status)

    def on_keep_wanted(self) -> None:
        """A message is sent, or an answer whole."""
        self.keep()

    def _keep_changed(self) -> None:
        """Keep what changed: a message that is being written or answered, too."""
        session = self.chat.model.session
        now = (self.chat.prompt.text, session.settings, session.number, session.title)
        if now != self._kept_last:
            self._kept_last = now
            self.keep()

    def keep(self) -> None:
        """Store the chat and the looks. What cannot be stored is said when the program ends."""
        try:
            state.save_looks(state.Looks(self.theme, self.glyphs_chosen, self.text))
            if self.engine is None or not self.chat.opened or self.chat.model.session.recorded:
                return
            session = self.chat.model.session
            if self.chat.model.run is None:
                session.settle()
            state.save(state_name(self.engine), state.State(session, self.chat.prompt.text))
            if session.settings.turns:
                self.engine.chats.save(session, time.time())
        except TillerError as error:
            self.farewell = self.farewell or str(error)

    # ----------------------------------------------------------------------------------------------------------- looks

    def _looks(self) -> state.Looks:
        try:
            return state.load_looks()
        except TillerError as error:
            self.complaint = f"✗ {error}"
            return state.Looks()

    def _put_on(self, looks: state.Looks) -> None:
        self.theme = looks.theme if looks.theme in CHOICES.values() else DARK.name
        self.glyphs_chosen, self.text = looks.glyphs, looks.text

    def wear(self, theme: str) -> None:
        """Change the theme."""
        self.theme = theme
        self._draw_again()

    @property
    def glyphs(self) -> bool:
        """Whether lenses are glyphs beneath the tokens: by choice, or because there are no colours (``NO_COLOR``)."""
        return self.glyphs_chosen or self.no_color

    def toggle_text(self) -> None:
        """Answers as text, or as tokens."""
        self.text = not self.text
        self._draw_again()

    def toggle_glyphs(self) -> None:
        """Lenses as glyphs beneath the tokens, or as colours behind them."""
        self.glyphs_chosen = not self.glyphs_chosen
        self._draw_again()

    def _draw_again(self) -> None:
        if self.chat.opened:
            self.chat.view.draw()
        self.keep()

    # -------------------------------------------------------------------------------------------------- help, commands

    def action_help(self) -> None:
        """Help for what has the focus."""
        from tui.dialogs.dialogs import HelpDialog, TextDialog
        from tui.dialogs.export import help_text
        from tui.dialogs.tour import Tour

        if not isinstance(self.screen, TextDialog | Tour):
            self.push_screen(HelpDialog(help_text(self.screen), self.tour))

    def tour(self) -> None:
        """Point at what is on the Chat screen, one thing after the other."""
        from tui.dialogs.tour import Tour

        if self.chat.opened:
            self.go("chat")
            self.push_screen(Tour())

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every action there is, for the command palette."""
        from tui.commands import commands

        return commands(self)
