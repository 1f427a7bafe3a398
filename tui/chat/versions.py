"""Versions of the chat, chats that are kept, answers that go on or are written by the person: what stands beside each message."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tui.messages import KeepWanted

if TYPE_CHECKING:
    from tui.chat.conversation import ConversationController
    from tui.chat.model import ChatModel
    from tui.chat.runs import RunController
    from tui.chat.view import ChatView


class VersionController:
    """Pages through versions, opens kept chats, and has answers go on."""

    def __init__(
        self, model: ChatModel, view: ChatView, runs: RunController, conversation: ConversationController
    ) -> None:
        self.model, self.view, self.runs, self.conversation = model, view, runs, conversation
        self.notice = view.notice

    def page(self, by: int) -> None:
        """Show the version before or after, of the last turn that has several."""
        if self.runs.refuse():
            return
        session = self.model.session
        several = [(turn, *each) for turn, each in enumerate(session.all_versions) if each[1] > 1]
        if not several:
            self.notice.refuse("There is one version of this chat; Ctrl+R draws another answer, and an edit branches.")
            return
        turn, place, count = several[-1]
        with self.notice.refusing():
            session.show_version(turn, (place + by) % count)
            self.runs.stop_ahead()
            self.model.start_over()
            self.view.draw()
            self.view.screen.post_message(KeepWanted())
            self.runs.ahead_soon()

    def go_on(self, column: int | None = None) -> None:
        """Let a column's answer go on where it was cut off."""
        if not self.runs.refuse():
            chosen = self.model.settings.selected if column is None else column
            with self.notice.refusing():
                begins = self.model.session.go_on(chosen)
                self.runs.say_waiting()
                self.runs.answer([chosen], {chosen: begins})

    def rewrite(self, column: int | None = None) -> None:
        """Ask for the answer that a column is to have given, or its beginning."""
        from tui.dialogs.chats import RewriteDialog

        settings = self.model.settings
        chosen = settings.selected if column is None else column
        replies = settings.turns[-1].replies if settings.turns else ()
        if chosen >= len(replies):
            self.notice.refuse("There is no answer yet; write a message first.")
        elif not self.runs.refuse():
            self.view.screen.app.push_screen(RewriteDialog(replies[chosen]), partial(self._rewritten, chosen))

    def _rewritten(self, column: int, written: tuple[str, bool] | None) -> None:
        if written is None or self.runs.refuse():
            return
        session = self.model.session
        with self.notice.refusing():
            begins = session.rewrite(len(session.settings.turns) - 1, column, *written)
            self.runs.answer([column], {column: begins})

    def copy_recipe(self) -> None:
        """Put the selected column's recipe on the clipboard, through the terminal."""
        self.view.screen.app.copy_to_clipboard(str(self.model.settings.column.recipe))
        self.notice.say("The recipe is on the clipboard, where the terminal allows it.")

    # -------------------------------------------------------------------------------------------------------- kept chats

    def chats(self) -> None:
        """The list of the chats that are kept."""
        from tui.dialogs.chats import ChatsDialog

        if not self.runs.refuse():
            dialog = ChatsDialog(self.model.engine.chats, self.model.session.id)
            self.view.screen.app.push_screen(dialog, self._open)

    def _open(self, name: str | None) -> None:
        from core.chat.opening import check_family

        if name is None or self.runs.refuse():
            return
        with self.notice.refusing():
            opened = self.model.engine.chats.load(name)
            check_family(opened.settings, self.model.engine.family)
            self.conversation.open(opened)
