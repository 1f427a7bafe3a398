"""The windows that the Chat screen opens: sampling, link, export, opening a chat, the exact prompt."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import ModuleType

from core.chat.session import Session
from core.chat.settings import Sampling, Settings
from core.errors import TillerError
from tui.chat.steering import Steering
from tui.messages import PromptShown


def windows() -> ModuleType:
    """The module of the windows, imported when the first one opens: the first paint does not wait for it."""
    from tui.dialogs import export

    return export


class Asking(Steering):
    """What needs a window."""

    def action_sampling(self) -> None:
        """System prompt and sampling."""
        if self.session is None:
            return

        def take(result: tuple[str, Sampling] | None) -> None:
            if result is not None and result != (self.chat.settings.system, self.chat.settings.sampling):
                self.chat.settings = replace(self.chat.settings, system=result[0], sampling=result[1])
                self.say("Taken; the next answer uses it. Ctrl+R answers again.")
                self.scrub_soon()

        self.app.push_screen(windows().SamplingDialog(self.chat.settings.system, self.chat.settings.sampling), take)

    def action_link(self) -> None:
        """Show the link that opens this state."""
        if self.session is not None:
            self.app.push_screen(windows().link_dialog(self.chat.settings))

    def action_export(self) -> None:
        """Ask for a file and write the chat into it."""
        if self.session is None or not self.chat.settings.turns:
            self.say("✗ There is nothing to export yet; write a message first.", wrong=True)
            return
        hint = "Where to? A name that ends in .md becomes Markdown, .json keeps every token with its readings."
        take = partial(windows().export, self.chat.settings, self.chat.answers)
        dialog = windows().LineDialog("Export the chat", windows().proposed_path(), hint, take)
        self.app.push_screen(dialog, self._exported)

    def _exported(self, path: str | None) -> None:
        if path:
            self.say(f"Written to {path}")

    def action_open(self) -> None:
        """Ask for a link or an exported file and open it."""
        if self.session is None or self.refuse_while_running():
            return
        assert self.engine is not None
        found: list[Session] = []
        take = partial(windows().read_source, self.engine.family, found)
        hint = "A link from Share (the browser's or the terminal's), or the path of a chat exported as JSON."

        def opened(_text: str | None) -> None:
            if found:
                self.open_session(found[-1])

        self.app.push_screen(windows().LineDialog("Open a link or a chat", "", hint, take), opened)

    def open_session(self, opened: Session) -> None:
        """Put this chat on the screen; a last message without a reply is answered. Undo brings the one before back."""
        settings = opened.settings
        self.stop_scrub()
        self.stop_blame()
        self.stop()
        self.run_now = None
        self.chat.open(settings)
        self.chat.answers, self.chat.made = opened.answers, opened.made
        self.typed, self.cursor, self.sources = None, (settings.selected, None), {}
        self.choose_slider()
        self.draw()
        self.prompt.focus()
        self.app.go(settings.tab)  # type: ignore[attr-defined]
        if settings.turns and not any(settings.turns[-1].replies):
            self.answer()
        else:
            self.scrub_soon()

    def action_prompt(self) -> None:
        """Show the exact prompt of the selected column."""
        if self.session is None or not self.chat.settings.turns:
            self.say("✗ Write a message first; then its exact prompt can be shown.", wrong=True)
        elif not self.ready:
            self.say("✗ The model is still loading; its tokenizer is needed for that.", wrong=True)
        else:
            fetch = partial(self._fetch_prompt, self.chat.settings, self.chat.settings.selected)
            self.run_worker(fetch, thread=True, exclusive=True, group="prompt", exit_on_error=False)

    def _fetch_prompt(self, settings: Settings, column: int) -> None:
        assert self.engine is not None
        try:
            self.post_message(PromptShown(column, self.engine.prompt(settings, column)))
        except TillerError as error:
            self.app.call_from_thread(self.say, f"✗ {error}", True)

    def on_prompt_shown(self, message: PromptShown) -> None:
        """The exact prompt is there."""
        self.app.push_screen(windows().prompt_dialog(message.column, message.view))

    def action_copy(self) -> None:
        """Put the selected column's answer on the clipboard, through the terminal."""
        if self.session is not None:
            answer = self.chat.answers.get(self.chat.settings.selected)
            self.app.copy_to_clipboard(answer.text if answer else "")
            self.say("The answer is on the clipboard, where the terminal allows it.")
