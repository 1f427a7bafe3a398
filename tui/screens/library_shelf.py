"""What the Library screen does beside listing: the shelf, a direction from one word, Use in Chat, nine strengths, presets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from textual.content import Content
from textual.worker import get_current_worker

from core.chat.answers import Answer, fold
from core.chat.presets import (
    find_preset,
    forget_preset,
    keep_preset,
    preset_chat,
    presets,
    steered_beside,
)
from core.chat.session import Session
from core.chat.settings import Column, Settings
from core.engine.strength_table import strength_answers, strength_table, strengths_conclusion
from core.errors import TillerError
from core.recipes.language import parse
from core.util.text import clean
from tui.dialogs.dialogs import LineDialog, PickDialog, TextDialog
from tui.text import clipped, one_line, shown

if TYPE_CHECKING:
    from core.directions.library import Entry
    from core.directions.request import LearnRequest
    from core.directions.written_pairs import WrittenPair
    from core.engine.engine import Engine
    from core.engine.run import Run
    from tui.screens.screen import Place

_FORGET = "forget one …"


class LibraryShelf:
    """Asks, and hands on to the screen, which follows what is learnt."""

    def __init__(self, screen: Place, begin: Callable[[str, LearnRequest], None]) -> None:
        self.screen, self.begin = screen, begin

    @property
    def engine(self) -> Engine:
        """The engine. Raises TillerError while the family is being read."""
        if self.screen.engine is None:
            raise TillerError("The family is still being read; try again in a moment.")
        return self.screen.engine

    # ---------------------------------------------------------------------------------------------------------- learning

    def shelf(self) -> None:
        """Ask which concept of the shelf is to be learnt."""
        from core.directions.concepts import concepts
        from core.directions.request import check_system_prompts

        def learn(name: str | None) -> None:
            if name is not None:
                with self.screen.notice.refusing():
                    self.begin(self._checkpoint, concepts()[name].request())

        with self.screen.notice.refusing():
            check_system_prompts(self.engine.family)
            names = [(each.name, each.line) for each in concepts().values()]
            self.screen.app.push_screen(PickDialog(f"Teach {self._checkpoint} …", names), learn)

    def word(self) -> None:
        """Ask for one word, and have the model write pairs for it."""
        from core.directions.concepts import concept_of
        from core.directions.request import check_system_prompts

        def take(text: str) -> str:
            concept_of(clean(text))
            return text

        def write(text: str | None) -> None:
            if text is None:
                return
            with self.screen.notice.refusing():
                concept = concept_of(clean(text))
                found = partial(self._written, self._checkpoint, concept.name, concept.wanted, concept.unwanted)
                self.screen.run_slices(self.engine.write_pairs(self._checkpoint, concept.request()), found)

        hint = "One word, such as melancholic, or a word and its opposite: brave - timid. The model writes what is learnt from."
        with self.screen.notice.refusing():
            check_system_prompts(self.engine.family)
            self.screen.app.push_screen(LineDialog("A direction from one word", "", hint, take), write)

    def _written(self, checkpoint: str, name: str, wanted: str, unwanted: str, pairs: tuple[WrittenPair, ...]) -> None:
        from core.directions.written_pairs import pairs_text
        from tui.dialogs.pairs import PairsDialog

        self.screen.say("")
        begin = partial(self.begin, checkpoint)
        self.screen.app.push_screen(PairsDialog(checkpoint, name, wanted, unwanted, pairs_text(pairs), begin))

    @property
    def _checkpoint(self) -> str:
        """What is learnt on: the checkpoint of Chat's selected column."""
        self.engine  # noqa: B018  Refused while there is none.
        return self.screen.chat.model.own_checkpoint

    # ------------------------------------------------------------------------------------------------------------ in Chat

    def use(self, entry: Entry | None) -> None:
        """Open Chat with a direction, beside the plain checkpoint; the last message is asked anew."""
        from core.directions.conclusion import first_recipe

        with self.screen.notice.refusing():
            card = self.engine.catalogue.cards(entry.checkpoint).get(entry.name) if entry is not None else None
            if entry is None or card is None or entry.kind != "direction":
                raise TillerError("Choose the card of a direction; that one can be used in Chat.")
            self._open(steered_beside(self._settings, entry.checkpoint, first_recipe(card)))

    def strengths(self, entry: Entry | None) -> None:
        """Ask for a prompt, and answer it at nine strengths of the direction under the cursor."""
        with self.screen.notice.refusing():
            if (
                entry is None
                or entry.kind != "direction"
                or entry.name not in self.engine.catalogue.cards(entry.checkpoint)
            ):
                raise TillerError("Choose the card of a direction; nine strengths are of that one.")
            turns = self._settings.turns
            hint = f"It is answered at nine strengths of {entry.name} of {entry.checkpoint}, from -2 to +2."
            begin = partial(self._answer, entry)
            dialog = LineDialog("Nine strengths of a prompt", turns[-1].user if turns else "", hint, begin)
            self.screen.app.push_screen(dialog)

    def _answer(self, entry: Entry, text: str) -> str:
        settings = self.engine.settings(entry.checkpoint)
        column = Column(entry.checkpoint, parse(entry.name))
        asked = replace(settings, columns=(column,), selected=0, system=self._settings.system).ask(clean(text))
        run = self.engine.scrub(asked, 0, entry.name)
        self.screen.say("Answering at nine strengths. Ctrl+X stops.")
        work = partial(self._wait, run, entry.name, text)
        self.screen.run_worker(work, thread=True, exclusive=True, group="slices", exit_on_error=False)
        return text

    def _wait(self, run: Run, name: str, text: str) -> None:
        worker, answers = get_current_worker(), {}  # type: ignore[var-annotated]
        while not run.finished and not worker.is_cancelled:
            for event in run.poll(0.1):
                answers = fold(answers, event)
        run.cancel()
        if not worker.is_cancelled:
            self.screen.app.call_from_thread(self._answered, name, text, answers)

    def _answered(self, name: str, text: str, answers: Mapping[int, Answer]) -> None:
        if error := next((each.error for each in answers.values() if each.error), ""):
            self.screen.notice.refuse(error)
            return
        self.screen.say("")
        found = strength_answers(answers)
        table = strength_table("", found)
        lines = [Content.styled(one_line(strengths_conclusion(name, found)), "bold"), Content("")]
        for strength, kind, damage, said in table.rows:
            lines.append(Content.assemble((f"{strength:>5}  {kind:<14} damage {damage:>5}  ", "$quiet"), shown(said)))
        lines += [Content(""), Content.styled(table.note, "$quiet")]
        title = f"{clipped(one_line(text), 40)} · {name}"
        self.screen.app.push_screen(TextDialog(title, Content("\n").join(lines), copy=table.csv()))

    # ------------------------------------------------------------------------------------------------------------ presets

    def presets(self) -> None:
        """Ask which preset Chat is to be opened with, or is to be forgotten."""
        with self.screen.notice.refusing():
            family = self.engine.family
            there = presets(family)
            if not there:
                raise TillerError(
                    "There are no presets yet; k keeps the recipe of Chat's selected column under a name."
                )
            names = [(each.name, each.title.removeprefix(f"{each.name}: ")) for each in there]

            def chosen(name: str | None) -> None:
                if name == _FORGET:
                    self.screen.app.push_screen(PickDialog("Forget which preset?", names), forgotten)
                elif name is not None:
                    with self.screen.notice.refusing():
                        chat = preset_chat(self._settings, find_preset(family, name))
                        self.engine.explain(chat.column.recipe, chat.column.checkpoint)
                        self._open(chat)

            def forgotten(name: str | None) -> None:
                if name is not None:
                    with self.screen.notice.refusing():
                        forget_preset(family, name)
                        self.screen.say(f"{name} is forgotten.")

            self.screen.app.push_screen(PickDialog("Presets", [*names, (_FORGET, "")]), chosen)

    def keep(self) -> None:
        """Ask under which name the selected column of Chat is to be kept."""
        with self.screen.notice.refusing():
            column = self._settings.column
            hint = (
                f"Keeps {column.checkpoint} · {column.recipe or 'plain'} and the system prompt; p opens Chat with it."
            )

            def take(text: str) -> str:
                return f"Kept: {keep_preset(self.engine.family, text, self._settings).title}"

            self.screen.app.push_screen(LineDialog("Keep a preset", "", hint, take), self._say)

    def _say(self, sentence: str | None) -> None:
        if sentence is not None:
            self.screen.say(sentence)

    @property
    def _settings(self) -> Settings:
        self.engine  # noqa: B018  Refused while there is none.
        return self.screen.chat.session.settings

    def _open(self, settings: Settings) -> None:
        if not self.screen.chat.runs.refuse(self.screen.notice):
            self.screen.chat.conversation.open(Session(settings))
