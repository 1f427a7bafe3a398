"""The Chat screen: its keys, and what they do."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType

from core.chat.session import Session
from core.chat.settings import MAX_COLUMNS, SettingsError
from core.errors import TillerError
from core.recipes.language import RecipeError
from tui.chat.windows import Asking, windows
from tui.messages import (
    AlternativeChosen,
    AlternativesWanted,
    CheckpointWanted,
    CloseWanted,
    EditWanted,
    ExampleChosen,
    LensChosen,
    Sent,
    TokenPointed,
)  # fmt: skip
from tui.widgets.alternatives import Alternatives
from tui.widgets.token_strip import AnswerStrip


class ChatScreen(Asking):
    """Two to four columns that answer together."""

    HELP = "Pick a token anywhere and the panel explains it. Tab goes from the prompt to the answers, the recipe and the sliders."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", "Stop", key_display="Esc", id="chat.stop"),
        Binding("ctrl+r", "retry", "Retry", id="chat.retry"),
        Binding("ctrl+t", "lens", "Lens", id="chat.lens"),
        Binding("ctrl+g", "tokens", "Tokens", id="chat.tokens"),
        Binding("ctrl+up", "strength(1)", "Strength", key_display="^↑↓", priority=True, id="chat.stronger"),
        Binding("ctrl+down", "strength(-1)", "Weaker", show=False, priority=True, id="chat.weaker"),
        Binding("ctrl+left", "slider(-1)", "Slider before", show=False, priority=True, id="chat.slider_before"),
        Binding("ctrl+right", "slider(1)", "Slider after", show=False, priority=True, id="chat.slider_after"),
        # Text areas take F7 for themselves otherwise.
        Binding("f7", "add", "Compare", key_display="F7", priority=True, id="chat.add"),
        Binding("f8", "column", "Next column", key_display="F8", show=False, id="chat.column"),
        Binding("f9", "undo", "Undo", key_display="F9", show=False, id="chat.undo"),
        Binding("f10", "checkpoint", "Checkpoint", key_display="F10", show=False, id="chat.checkpoint"),
        Binding("f12", "ask_for_it", "The same by asking", key_display="F12", show=False, id="chat.ask_for_it"),
        Binding("pageup", "page(-1)", "Scroll up", show=False, priority=True, id="chat.page_up"),
        Binding("pagedown", "page(1)", "Scroll down", show=False, priority=True, id="chat.page_down"),
        Binding("ctrl+o", "sampling", "System prompt and sampling", show=False, id="chat.sampling"),
        Binding("ctrl+s", "export", "Export", show=False, id="chat.export"),
        Binding("ctrl+l", "link", "Link", show=False, id="chat.link"),
        Binding("ctrl+n", "new", "New chat", show=False, id="chat.new"),
    ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Stop is there while there is something to stop or to leave."""
        if action == "stop":
            return self.run_now is not None or self.loads or self.editing or self.focused is not self.prompt
        return True

    @property
    def loads(self) -> bool:
        """Whether a checkpoint is being loaded, which can be cancelled."""
        return self.engine is not None and self.engine.status.state == "loading"

    def action_page(self, by: int) -> None:
        """Scroll the conversation, wherever the focus is."""
        self.transcript.page(by)

    # ---------------------------------------------------------------------------------------------------- conversation

    def on_sent(self, message: Sent) -> None:
        """Send a message, or say why not; then it stays in the prompt."""
        if self.session is None:
            self.say("✗ The family is still being read; press Enter again in a moment.", wrong=True)
            return
        if self.refuse_while_running():
            return
        try:
            if self.typed is not None:
                self.check(self.typed)
            if self.editing:
                self.chat.ask_again(message.text)
            else:
                self.chat.ask(message.text)
        except RecipeError as error:
            self.say(f"✗ The recipe cannot be read. {error} Your message stays.", wrong=True)
            return
        except TillerError as error:
            self.say(f"✗ {error}", wrong=True)
            return
        self.typed, self.editing = None, False
        self.prompt.put("")
        self.say_waiting()
        self.answer()

    def on_edit_wanted(self, _message: EditWanted) -> None:
        """Fetch the last message back."""
        self.action_edit()

    def action_edit(self) -> None:
        """Change the last message and send it again."""
        if self.session is None or not self.chat.settings.turns or self.chat.recorded or self.refuse_while_running():
            return
        self.editing = True
        self.prompt.put(self.chat.settings.turns[-1].user)
        self.prompt.focus()
        self.say("Editing your last message: Enter sends it in the old one's place, Esc leaves that as it is.")

    def action_stop(self) -> None:
        """Stop the run and what is being loaded for it; else leave editing; else back to the prompt."""
        if self.loads and self.engine is not None:
            self.engine.cancel_loading()
            self.stop()
            return
        if self.stop():
            return
        if self.editing:
            self.editing = False
            self.prompt.put("")
        self.say("")
        self.prompt.focus()

    def action_retry(self) -> None:
        """Answer the last message again in every column, with a new seed where tokens are drawn by chance."""
        if self.session is None or not self.chat.settings.turns:
            self.say("✗ Write a message first.", wrong=True)
            return
        if self.refuse_while_running():
            return
        settings = self.chat.settings
        self.chat.remember()
        if settings.sampling.temperature > 0 and not self.chat.recorded:
            self.chat.settings = replace(settings, sampling=replace(settings.sampling, seed=settings.sampling.seed + 1))
        self.say_waiting()
        self.answer()

    def action_undo(self) -> None:
        """Back to how it was before the last message, retry, continuation or change of columns."""
        if self.session is None or self.refuse_while_running():
            return
        self.stop_scrub()
        self.stop_blame()
        try:
            self.chat.undo()
        except SettingsError as error:
            self.say(f"✗ {error}", wrong=True)
            return
        self.typed, self.cursor = None, (self.chat.settings.selected, None)
        self.say("One step back.")
        self.draw()
        self.scrub_soon()

    def action_new(self) -> None:
        """An empty chat with the same columns; undo brings this one back."""
        if self.session is None or self.refuse_while_running():
            return
        self.open_session(Session(replace(self.chat.settings, turns=())))
        self.say("A new chat. F9 brings the last one back.")

    def on_example_chosen(self, message: ExampleChosen) -> None:
        """Show an example."""
        if self.session is None or self.engine is None or self.refuse_while_running():
            return
        try:
            settings = self.engine.example(message.example)
        except TillerError as error:
            self.say(f"✗ {error}", wrong=True)
            return
        lens = settings.lens if message.example.without else self.chat.settings.lens
        self.open_session(Session(replace(settings, lens=lens)))
        self.say(message.example.note)

    # --------------------------------------------------------------------------------------------------------- tokens

    def on_token_pointed(self, message: TokenPointed) -> None:
        """Explain this token."""
        if self.drawable:
            self.cursor = (message.column, message.index)
            column = self.chat.settings.columns[min(message.column, len(self.chat.settings.columns) - 1)]
            self.token_panel.show(column.checkpoint, self.token())

    def action_tokens(self) -> None:
        """To the tokens of the selected column; from there, back to the prompt."""
        strip = self.strip(self.chat.settings.selected) if self.session is not None else None
        if isinstance(self.focused, AnswerStrip) or strip is None or not strip.can_focus:
            self.prompt.focus()
        else:
            strip.focus()

    def on_alternatives_wanted(self, _message: AlternativesWanted) -> None:
        """To the alternatives of the token under the cursor."""
        if self.token_panel.alternatives.can_focus:
            self.token_panel.alternatives.focus()

    def on_alternative_chosen(self, message: AlternativeChosen) -> None:
        """Go on from an alternative, in its column."""
        column, index = self.cursor
        answer = self.chat.answers.get(column)
        if answer is None or index is None or self.refuse_while_running():
            return
        prefix = answer.prefix(index, message.alternative)
        self.chat.remember()
        self.prompt.focus()
        self.answer([column], {column: prefix})

    def on_lens_chosen(self, message: LensChosen) -> None:
        """Colour by this lens."""
        self.choose_lens(message.index)

    def action_lens(self) -> None:
        """Colour by the next lens."""
        if self.session is not None:
            self.choose_lens((self.lens_index() + 1) % len(self.lenses()))

    # -------------------------------------------------------------------------------------------------------- columns

    def checkpoint_names(self) -> list[tuple[str, str]]:
        """Every checkpoint with the stage that made it, and every counterfactual with what it is."""
        assert self.engine is not None
        family = self.engine.family
        plain = [(each.name, each.notes or f"after {each.stage}") for each in family.checkpoints]
        return plain + [(each.name, each.title) for each in family.counterfactuals]

    def action_column(self) -> None:
        """Select the next column."""
        if self.session is not None:
            column = (self.chat.settings.selected + 1) % len(self.chat.settings.columns)
            self.select(column)
            strip = self.strip(column)
            if isinstance(self.focused, AnswerStrip | Alternatives) and strip is not None and strip.can_focus:
                strip.focus()

    def action_checkpoint(self) -> None:
        """Choose the selected column's checkpoint."""
        if self.session is not None:
            self.on_checkpoint_wanted(CheckpointWanted(self.chat.settings.selected))

    def on_checkpoint_wanted(self, message: CheckpointWanted) -> None:
        """Choose a column's checkpoint."""
        if self.session is None or self.refuse_while_running():
            return
        present = self.chat.settings.columns[message.column].checkpoint

        def take(name: str | None) -> None:
            if name is not None and name != present:
                self.change_checkpoint(message.column, name)

        self.app.push_screen(
            windows().PickDialog(f"Checkpoint of column {message.column + 1}", self.checkpoint_names(), present), take
        )

    def action_add(self) -> None:
        """One more column: choose its checkpoint."""
        if self.session is None or self.refuse_while_running():
            return
        if len(self.chat.settings.columns) >= MAX_COLUMNS:
            self.say(f"✗ A chat has at most {MAX_COLUMNS} columns; close one first (x on its answer).", wrong=True)
            return

        def take(name: str | None) -> None:
            if name is not None:
                self.add_column(name)

        self.app.push_screen(windows().PickDialog("Compare with another column: whose?", self.checkpoint_names()), take)

    def on_close_wanted(self, message: CloseWanted) -> None:
        """Close a column; undo brings it back."""
        if self.session is None or self.refuse_while_running():
            return
        try:
            self.chat.drop_column(message.column)
        except SettingsError as error:
            self.say(f"✗ {error}", wrong=True)
            return
        self.typed, self.cursor = None, (self.chat.settings.selected, None)
        self.say("Column closed. F9 brings it back.")
        self.draw()

    def action_close(self) -> None:
        """Close the selected column."""
        if self.session is not None:
            self.on_close_wanted(CloseWanted(self.chat.settings.selected))
