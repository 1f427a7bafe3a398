"""The Blame screen: which stage made it say that."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static

from core.attribution import export
from core.attribution.report import BlameReport, BlameRequest, answer_in_chat, of_chat
from core.chat.screens import tab
from core.chat.session import Session
from core.families.stages import QUESTIONS, Question
from core.util.files import json_text, read_prompts
from tui.screens.blame_report import FOLDS, drawn
from tui.screens.screen import Place
from tui.screens.undo import UndoFields
from tui.shell import shell
from tui.themes import middle
from tui.widgets.fold import Fold

if TYPE_CHECKING:
    from core.engine.engine import Engine
    from tui.chat.screen import ChatScreen

_HOW = (
    "Enter finds out which stage taught it this: a bar for each says by how much it changed the probability of the answer. Any other "
    "prompt will do as well, and Ctrl+T takes the answer of the chat. An answer left empty is what the model says; another one left empty "
    "is what it would have said without the stage."
)


class BlameScreen(Place):
    """Reached with its function key, left with Esc."""

    NAME = "blame"
    HELP = (
        "A bar for each stage of training says by how much it changed the probability of the answer. Up to four questions can be asked, "
        "which are never the same: Ctrl+N asks the next one. A file of prompts is named as @file in the prompt. Tab goes on to what "
        "folds out beneath, and Enter opens it: what the models say, token by token, how it was measured, and removing a stage's part."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "find", "Find out", key_display="⏎", id="blame.find"),
        Binding("ctrl+t", "take", "From chat", id="blame.take", priority=True),
        Binding("ctrl+n", "question", "Question", id="blame.question", priority=True),
        Binding("ctrl+g", "beside", "Ask in Chat", id="blame.beside", priority=True),
        Binding("ctrl+s", "export", "Export", id="blame.export", priority=True),
        Binding("ctrl+x", "stop", "Stop", id="blame.stop", priority=True),
    ]
    DEFAULT_CSS = """
    BlameScreen {
        & .ask { height: 1; margin: 0; }
        & .ask > Static { width: 10; color: $quiet; }
        & .ask > Input { height: 1; border: none; padding: 0; background: $field; width: 1fr; }
        & #blame-report { margin: 1 0; }
    }
    """

    def __init__(self, chat: ChatScreen) -> None:
        super().__init__(chat)
        self.fields = {name: Input(id=f"blame-{name}", compact=True) for name in ("prompt", "answer", "other")}
        self.about = Static(Content(tab(self.NAME).about))
        self.result = Static(Content.styled(_HOW, "$quiet"), id="blame-report")
        self.folds = {title: Fold(title) for title in FOLDS}
        self.report: BlameReport | None = None
        self.asked: Question | None = None

    def body(self) -> ComposeResult:
        """What the screen is for, three fields, what was found out, and what folds out beneath."""
        yield self.about
        for name, field in self.fields.items():
            yield Horizontal(Static({"other": "or rather"}.get(name, name)), field, classes="ask")
        yield self.result
        yield from self.folds.values()
        yield Fold("Remove a stage's part", UndoFields(), id="undo-fold")

    def opened(self) -> None:
        """To the prompt; what there is to find out stands there: Chat's last message, else what the family's example asks."""
        if not self.report:
            if self.engine is not None and not any(field.value for field in self.fields.values()):
                self.fields["prompt"].value = self._first_prompt(self.engine)
            # What is written takes its place.
            self.fields["prompt"].focus()
            self.fields["prompt"].select_all()
            if self.engine is not None and (said := self.engine.family.shortened or self.engine.family.alone):
                self.say(said)

    def _first_prompt(self, engine: Engine) -> str:
        turns = () if self.chat.session.recorded else self.chat.session.settings.turns
        shown = next((each.message for each in engine.family.examples if each.without), "")
        return " ".join((turns[-1].user if turns else shown).split())

    # ---------------------------------------------------------------------------------------------------------- asking

    def on_input_submitted(self, _message: Input.Submitted) -> None:
        """Enter in any field asks."""
        self.action_find()

    def action_take(self) -> None:
        """The last message and the answer to it that can be explained, from Chat."""
        if not self.chat.opened:
            self.notice.refuse("There is no answer in Chat yet; ask something there first.")
            return
        with self.notice.refusing():
            said = answer_in_chat(self.chat.session)
            for name, text in (("prompt", said.prompt), ("answer", said.answer), ("other", "")):
                self.fields[name].value = " ".join(text.split())
            self.action_find()

    def action_find(self) -> None:
        """Ask every model of the path, in the background."""
        engine = self.engine
        if engine is None or not self.chat.model.ready:
            self.notice.refuse("The model is still loading; ask when it is ready.")
            return
        with self.notice.refusing():
            ask = self._ask()
            self.say("Asking the models of the path. Ctrl+X stops.")
            self.run_slices(engine.study(ask), self._found)

    def _ask(self) -> BlameRequest:
        prompt = self.fields["prompt"].value
        prompts = read_prompts(Path(prompt[1:])) if prompt.startswith("@") else (prompt,)
        ask = BlameRequest(prompts, self.fields["answer"].value, self.fields["other"].value, self._final())
        return of_chat(ask, self.chat.session).checked()

    def _final(self) -> str:
        """The checkpoint of the selected column, where it has stages; else the family's final one."""
        engine = self.engine
        if engine is None:
            return ""
        name = self.chat.session.settings.column.checkpoint
        return name if engine.stage_lenses(name) else ""

    def action_stop(self) -> None:
        """What is being found out is not wanted any more."""
        self.stop_slices()

    def _found(self, report: BlameReport) -> None:
        self.report, self.asked = report, report.question
        self.say("")
        self._draw()

    # --------------------------------------------------------------------------------------------------------- showing

    def _draw(self) -> None:
        if self.report is not None and self.asked is not None:
            ground, glyphs = middle(self.app.current_theme), shell(self).glyphs
            found = drawn(self.report, self.asked, max(40, self.size.width - 8), ground, glyphs)
            # What the screen is for is plain by now, and the picture wants the room.
            self.about.display = False
            self.result.update(found.first)
            for title, fold in self.folds.items():
                fold.show(found.folds.get(title))

    def on_resize(self) -> None:
        """Another width wants other bars."""
        self._draw()

    def action_question(self) -> None:
        """The same report by the next question."""
        if self.report is None or self.asked is None:
            self.say("Find something out first; then this asks the next of the questions.")
            return
        there = self.report.path.questions
        self.asked = there[(there.index(self.asked) + 1) % len(there)]
        self._draw()

    def action_beside(self) -> None:
        """Ask the prompt of the final checkpoint and, beside it, of the model without the largest stage."""
        if self.chat.opened and self.chat.runs.refuse(self.notice):
            return
        found = None
        if self.report is not None and self.asked is not None:
            found = self.report.compare_without(self.chat.session.settings, self.asked)
        if found is None:
            self.notice.refuse("Find something out first.")
        else:
            self.chat.conversation.open(Session(found))

    def action_export(self) -> None:
        """Write the report beside where the program was started, as CSV and as JSON."""
        if self.report is None:
            self.notice.refuse("Find something out first.")
            return
        table, document = Path("tiller-blame.csv").absolute(), Path("tiller-blame.json").absolute()
        try:
            table.write_text(export.blame_csv(self.report), encoding="utf-8", newline="")
            document.write_text(
                json_text(export.blame_document(self.report), ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
            )
        except OSError as error:
            self.notice.refuse(
                f"{table.parent} cannot be written to ({error.strerror}); start Tiller in another folder."
            )
            return
        self.say(f"Written: {table} and {document.name}.")

    def commands(self) -> Iterator[SystemCommand]:
        """The questions by name."""
        for question in QUESTIONS.values():
            yield SystemCommand(f"Ask “{question.title}”", question.tooltip, partial(self._choose, question))

    def _choose(self, question: Question) -> None:
        if self.report is not None and question in self.report.path.questions:
            self.asked = question
            self._draw()
