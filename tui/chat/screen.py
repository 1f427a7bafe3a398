"""The Chat screen: its keys, and which of its parts answers to each of them and to what the widgets say."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.worker import Worker, WorkerState

from core.chat.session import Session
from tui import messages
from tui.chat.colouring import Colouring
from tui.chat.columns import ColumnController
from tui.chat.conversation import ConversationController
from tui.chat.dialogs import DialogController
from tui.chat.frame import ChatFrame
from tui.chat.learning import LearnController
from tui.chat.model import ChatModel
from tui.chat.panel_view import PanelView
from tui.chat.run_reader import RunReader
from tui.chat.runs import RunController
from tui.chat.slider_answers import SliderAnswers
from tui.chat.sliders import SliderController
from tui.chat.transcript_view import TranscriptView
from tui.chat.versions import VersionController
from tui.chat.view import ChatView
from tui.widgets.token_strip import AnswerStrip

if TYPE_CHECKING:
    from core.engine.engine import Engine

_INVITE = "Write a message"
#: So wide, a question has room beside how full the context is.
_ROOMY = 110


class ChatScreen(ChatFrame):
    """Two to four columns that answer together. What a key or a message does is done by the parts that :meth:`open` makes."""

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
        Binding("ctrl+d", "learn", "Learn directions", key_display="^d", show=False, priority=True, id="chat.learn"),
        Binding("ctrl+n", "new", "New chat", show=False, id="chat.new"),
        Binding("ctrl+k", "chats", "Chats", key_display="^k", show=False, priority=True, id="chat.chats"),
    ]
    model: ChatModel
    view: ChatView
    runs: RunController
    colouring: Colouring
    sliders: SliderController
    columns: ColumnController
    conversation: ConversationController
    learning: LearnController
    dialogs: DialogController
    versions: VersionController

    def __init__(self) -> None:
        super().__init__()
        self.opened = False

    def open(self, engine: Engine, session: Session) -> None:
        """Make the parts, once the family is read; each knows those that were made before it."""
        self.model = model = ChatModel(engine, session)
        transcript = TranscriptView(model, self.transcript, self.legend, self.token_panel)
        panel = PanelView(model, self.recipe_line, self.learn_line, self.slider_rows, self.token_panel)
        self.view = view = ChatView(model, self, self.chips, self.banner, self.point, transcript, panel, self.notice)
        reader = RunReader(self)
        self.colouring = Colouring(model, view, reader)
        ahead = SliderAnswers(model, view, reader)
        self.runs = RunController(model, view, reader, self.colouring, ahead)
        self.sliders = SliderController(model, view, self.runs)
        self.columns = ColumnController(model, view, self.runs)
        self.conversation = ConversationController(model, view, self.runs, self.prompt)
        self.learning = LearnController(model, view, self.runs)
        self.dialogs = DialogController(model, view, self.columns, self.conversation)
        self.versions = VersionController(model, view, self.runs, self.conversation)
        self.opened = True
        self._invite()
        self.refresh_bindings()

    @property
    def session(self) -> Session:
        """The chat that is on the screen."""
        return self.model.session

    def on_resize(self) -> None:
        """Another width may want another form."""
        if self.opened:
            self._invite()
            self.call_after_refresh(self.view.draw)

    def _invite(self) -> None:
        """Where there is room for it, a question stands where a message is written."""
        questions = self.model.engine.family.questions if self.size.width >= _ROOMY else ()
        self.prompt.placeholder = f"{_INVITE}, such as: {questions[0]}" if questions else _INVITE

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing can be done before the family is read; Stop is there while there is something to stop or to leave, Learn while there is
        something to learn and the key has nothing to delete in a message, which Chats waits for, too."""
        if not self.opened:
            return False if action in ("stop", "learn") else None
        if action == "chats":
            return not self.prompt.text
        if action == "learn":
            return self.learn_line.display and not self.learn_line.learning and not self.prompt.text
        return action != "stop" or self.conversation.stoppable

    def draw_gauge(self) -> None:
        """How full the selected column's context is, and what the models in memory take."""
        if not self.gauge.is_attached:
            return
        answer = self.session.answers.get(self.model.settings.selected)
        taken, context = (answer.prompt_tokens + len(answer.tokens), answer.context) if answer else (0, 0)
        use = self.model.engine.memory_use
        self.gauge.show(taken, context, use.words if use else "")

    # ------------------------------------------------------------------------------------------------------------ runs

    def on_arrived(self, message: messages.Arrived) -> None:
        """A run said something: to the part that began it, unless that has begun another one since."""
        for part in (self.runs, self.colouring, self.runs.ahead):
            if message.run is part.run:
                part.arrived(message.events)

    def on_run_over(self, message: messages.RunOver) -> None:
        """A run has said everything."""
        for part in (self.runs, self.colouring, self.runs.ahead):
            if message.run is part.run:
                part.over()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Of what is computed ahead nobody waits; an answer that cannot be read on is said."""
        if event.state is WorkerState.ERROR and event.worker.name not in ("scrub", "blame"):
            self.runs.broken(event.worker.error)

    # ---------------------------------------------------------------------------------------------------- conversation

    def on_sent(self, message: messages.Sent) -> None:
        """Send a message."""
        if self.opened:
            self.conversation.send(message.text, message.typed)
        else:
            self.notice.refuse("The family is still being read; press Enter again in a moment.")

    def on_edit_wanted(self) -> None:
        """Change the last message and send it again."""
        if self.opened:
            self.conversation.edit()

    def action_stop(self) -> None:
        """Stop what runs, leave editing, go back to the prompt."""
        self.conversation.stop()

    def action_retry(self) -> None:
        """Answer the last message again."""
        self.conversation.retry()

    def action_undo(self) -> None:
        """One step back."""
        self.conversation.undo()

    def action_new(self) -> None:
        """An empty chat."""
        self.conversation.new()

    def on_example_chosen(self, message: messages.ExampleChosen) -> None:
        """Show an example."""
        self.conversation.open_example(message.example)

    def on_choices_wanted(self) -> None:
        """Show every example and every question."""
        self.dialogs.choices()

    def on_alternative_chosen(self, message: messages.AlternativeChosen) -> None:
        """Go on from another token."""
        self.conversation.continue_from(message.alternative)

    def action_page(self, by: int) -> None:
        """Scroll the conversation, wherever the focus is."""
        self.transcript.page(by)

    def on_version_wanted(self, message: messages.VersionWanted) -> None:
        """Page through the versions."""
        self.versions.page(message.by)

    def on_go_on_wanted(self, message: messages.GoOnWanted) -> None:
        """Let an answer go on."""
        self.versions.go_on(message.column)

    def on_rewrite_wanted(self, message: messages.RewriteWanted) -> None:
        """Write an answer."""
        self.versions.rewrite(message.column)

    def on_copy_wanted(self) -> None:
        """Copy the selected column's answer, which has the focus."""
        self.dialogs.copy()

    def action_chats(self) -> None:
        """The list of chats."""
        self.versions.chats()

    # ---------------------------------------------------------------------------------------------------------- tokens

    def on_token_pointed(self, message: messages.TokenPointed) -> None:
        """Explain this token."""
        self.model.cursor = (message.column, message.index)
        self.view.draw_token()

    def action_tokens(self) -> None:
        """To the tokens of the selected column; from there, back to the prompt."""
        strip = self.view.transcript.strip(self.model.settings.selected)
        (self.prompt if isinstance(self.focused, AnswerStrip) or strip is None else strip).focus()

    def on_alternatives_wanted(self) -> None:
        """To the alternatives of the token under the cursor."""
        if self.token_panel.alternatives.can_focus:
            self.token_panel.alternatives.focus()

    def on_lens_chosen(self, message: messages.LensChosen) -> None:
        """Colour by this lens."""
        self.colouring.choose(message.index)

    def action_lens(self) -> None:
        """Colour by the next lens."""
        self.colouring.choose_next()

    # -------------------------------------------------------------------------------------------------------- steering

    def on_recipe_typed(self, message: messages.RecipeTyped) -> None:
        """The recipe line is another one."""
        if self.opened:
            self.sliders.typed(message.text, message.run)

    def on_slider_moved(self, message: messages.SliderMoved) -> None:
        """A slider was pulled."""
        self.sliders.set_strength(message.direction, message.value)

    def on_slider_chosen(self, message: messages.SliderChosen) -> None:
        """Strength keys act on this slider now."""
        self.sliders.choose(message.direction)

    def on_source_wanted(self, message: messages.SourceWanted) -> None:
        """Take the direction from another checkpoint."""
        self.sliders.next_source(message.direction)

    def on_ablation_toggled(self, message: messages.AblationToggled) -> None:
        """Ablate the direction, or stop that."""
        self.sliders.toggle_ablation(message.direction)

    def action_strength(self, by: int) -> None:
        """Half steps up or down on the active slider."""
        self.sliders.step(by)

    def action_slider(self, by: int) -> None:
        """The slider before or after becomes the active one."""
        self.sliders.choose_next(by)

    def action_learn(self) -> None:
        """Learn what the selected column's checkpoint lacks."""
        self.learning.begin()

    def on_learn_wanted(self) -> None:
        """Learn what the selected column's checkpoint lacks."""
        self.learning.begin()

    def on_learning_cancelled(self) -> None:
        """Stop learning."""
        self.learning.cancel()

    # --------------------------------------------------------------------------------------------------------- columns

    def on_column_chosen(self, message: messages.ColumnChosen) -> None:
        """A column got the focus."""
        self.columns.select(message.column)

    def action_column(self) -> None:
        """Select the next column."""
        self.columns.select_next()

    def action_ask_for_it(self) -> None:
        """A column that asks in words for what the recipe does."""
        self.columns.add_in_words()

    def on_close_wanted(self, message: messages.CloseWanted) -> None:
        """Close a column."""
        self.columns.close(message.column)

    # --------------------------------------------------------------------------------------------------------- dialogs

    def action_add(self) -> None:
        """One more column."""
        self.dialogs.add_column()

    def on_checkpoint_wanted(self, message: messages.CheckpointWanted) -> None:
        """Choose a column's checkpoint."""
        self.dialogs.checkpoint(message.column)

    def action_checkpoint(self) -> None:
        """Choose the selected column's checkpoint."""
        self.dialogs.checkpoint(self.model.settings.selected)

    def action_sampling(self) -> None:
        """System prompt and sampling."""
        self.dialogs.sampling()

    def action_link(self) -> None:
        """The link that opens this state."""
        self.dialogs.link()

    def action_export(self) -> None:
        """Write the chat into a file."""
        self.dialogs.export()

    def on_prompt_shown(self, message: messages.PromptShown) -> None:
        """The exact prompt is there."""
        self.dialogs.show_prompt(message.column, message.view)
