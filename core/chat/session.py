"""The chat that is on the screen: settings, answers, who wrote them, and the way back. No widget here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from core.chat.answers import Answer, fold, settled
from core.chat.authors import Author
from core.chat.beginnings import AlreadySaid, Beginning, WrittenText
from core.chat.branches import Branch, new_id, versions_at
from core.chat.events import Alternative, Done, Event, RecipeChanged
from core.chat.settings import MAX_SEED, Column, Settings, SettingsError, check_message
from core.recipes.language import Recipe
from core.util.limits import MAX_BRANCHES

_MAX_PAST = 100
#: What is said of a reply of which nothing but the text is known.
_BEFORE = "written before"


@dataclass(frozen=True)
class Snapshot:
    """All that an undo brings back. ``made`` says, per column, who wrote its last answer."""

    settings: Settings
    answers: dict[int, Answer]
    made: dict[int, Author]
    recorded: bool
    id: str
    title: str
    number: int
    branches: tuple[Branch, ...]


@dataclass
class Session:
    """The state of one chat and what may be done to it; every method leaves a whole state behind, also when it raises.

    ``branches`` are the states that it was in before a message was edited or answered again, by :mod:`core.chat.branches`; ``number``
    is the present one's place among them. By its ``id`` it is kept; ``title`` is empty until a person gives one.
    """

    settings: Settings
    answers: dict[int, Answer] = field(default_factory=dict)
    made: dict[int, Author] = field(default_factory=dict)
    recorded: bool = False
    past: list[Snapshot] = field(default_factory=list)
    id: str = field(default_factory=new_id)
    title: str = ""
    number: int = 0
    branches: tuple[Branch, ...] = ()

    @classmethod
    def of(cls, settings: Settings, answers: dict[int, Answer], recorded: bool = False) -> Session:
        """A session that shows finished answers, each written by its column as it is."""
        made = {column: Author.of(settings, column) for column in answers if column < len(settings.columns)}
        return cls(settings, {column: answers[column] for column in made}, made, recorded)

    def copied(self) -> Session:
        """The same chat, to go on with elsewhere; an answer that is being written here was stopped there."""
        other = replace(self, answers=dict(self.answers), made=dict(self.made), past=list(self.past))
        other.apply([Done(c, "stopped", 0, 0.0) for c, answer in self.answers.items() if not answer.finished])
        other.settle()
        return other

    # ---------------------------------------------------------------------------------------------------- conversation

    def ask(self, message: str) -> None:
        """Add a turn that waits for its replies. A recorded run makes room for it. Raises SettingsError for a bad message."""
        base = replace(self.settings, turns=()) if self.recorded else self.settings
        self._begin_turn(base.ask(message))

    def ask_again(self, message: str, turn: int | None = None) -> None:
        """Put an edited message in a turn's place (the last one's); what was there stays as a branch. Raises SettingsError for a bad
        message.
        """
        kept = self.settings.turns[:turn] if turn is not None else self.settings.turns[:-1]
        self._begin_turn(replace(self.settings, turns=kept).ask(message), branch=True)

    def open(self, settings: Settings) -> None:
        """Put another chat in this one's place; undo brings this one back."""
        self.replace_by(Session(settings))

    def replace_by(self, other: Session) -> None:
        """Put another chat with all that is known of it in this one's place; undo brings this one back."""
        self.remember()
        self.settings, self.answers, self.made = other.settings, dict(other.answers), dict(other.made)
        self.recorded, self.id, self.title = other.recorded, other.id, other.title
        self.number, self.branches = other.number, other.branches

    def waiting(self, columns: Iterable[int], begins: Mapping[int, Beginning] | None = None) -> None:
        """These columns' last replies are being made anew; one that goes on behind what it said keeps that. Until something is said,
        what stood there is known as older.
        """
        for column in columns:
            if not isinstance((begins or {}).get(column), AlreadySaid):
                before, reply = self.made.get(column), self._reply(column)
                words = f"written by {before.said}" if before else _BEFORE
                self.answers[column] = Answer(older=reply, older_by=words if reply else "")
            self.made[column] = Author.of(self.settings, column)
        self.recorded = False

    def remember(self) -> None:
        """Keep the present state for :meth:`undo`."""
        now = Snapshot(
            self.settings, dict(self.answers), dict(self.made), self.recorded, self.id, self.title, self.number, self.branches
        )  # fmt: skip
        self.past = [*self.past, now][-_MAX_PAST:]

    @property
    def fixed(self) -> str:
        """Why the last answers would come out the same again, in a sentence; empty where they would not."""
        stale = any(self.stale(column) or column not in self.answers for column in range(len(self.settings.columns)))
        if self.settings.sampling.temperature > 0 or stale or self.recorded:
            return ""
        return "At temperature 0 an answer always takes the likeliest word; raise the temperature for another one."

    def retry(self) -> None:
        """Prepare the last turn to be answered again; the answer that is there stays as a branch. Where tokens are drawn by chance, it is
        with a seed that no other branch has, so that it may come out otherwise. A recorded run is answered as it was. Raises SettingsError
        when there is nothing to answer.
        """
        if not self.settings.turns:
            raise SettingsError("There is nothing to answer yet; write a message first.")
        sampling, recorded, turns = self.settings.sampling, self.recorded, self.settings.turns
        self._branch()
        self.settings = replace(self.settings, turns=(*turns[:-1], replace(turns[-1], replies=())))
        if sampling.temperature > 0 and not recorded:
            seed = 1 + max(each.settings.sampling.seed for each in (self._present, *self.branches))
            self.settings = replace(self.settings, sampling=replace(sampling, seed=seed % MAX_SEED))

    # ------------------------------------------------------------------------------------------------------- versions

    def follow(self, column: int, index: int, alternative: Alternative) -> Beginning:
        """Prepare a column's last answer to go on from another token; the one that is there stays as a branch. Gives how it begins."""
        begins = self.answers[column].prefix(index, alternative)
        self._branch()
        self.settings = self.settings.answered(column, "")
        return begins

    def go_on(self, column: int) -> Beginning:
        """Prepare a column's last answer to go on where it was cut off. Gives how it begins.

        Raises:
            SettingsError: it was not cut off, or would go on in another way than it began, but for the recipe.
        """
        answer = self.answers.get(column)
        if answer is None or not answer.cut_off or self.recorded:
            raise SettingsError("Only an answer that was cut off can go on; ask for more in a new message.")
        recipe, made = self.settings.columns[column].recipe, self.made.get(column)
        now = Author.of(self.settings, column)
        # Whoever has it go on wants it longer.
        longer = made and replace(
            made.with_recipe(recipe), sampling=replace(made.sampling, max_new_tokens=now.sampling.max_new_tokens)
        )
        if longer and (other := longer.unlike(now, answer)):
            raise SettingsError(
                f"This answer was begun {other.removeprefix('written ')}; set that again to have it go on, or retry for one as it is "
                "set now."
            )
        self.remember()
        # Where a recipe was changed since, the answer says from which token on the other one holds.
        joins = (
            answer.joins
            if made is not None and recipe == made.column.recipe
            else (*answer.joins, (len(answer.tokens), str(recipe)))
        )
        self.answers[column] = replace(answer, reason=None, joins=joins)
        self.made[column] = now
        return AlreadySaid(tuple(token.id for token in answer.tokens))

    def rewrite(self, turn: int, column: int, text: str, alone: bool) -> Beginning:
        """Put a person's text in the place of a column's answer to a turn; what was there stays as a branch. Gives how the answer begins,
        which is the text ``alone``, or goes on from it. Raises SettingsError for an empty or a far too long text.
        """
        words = check_message(text, "Write what the answer is to be first.")
        if not 0 <= turn < len(self.settings.turns):
            raise SettingsError("That answer is not there any more.")
        if self.recorded:
            raise SettingsError("This answer was recorded earlier; run it live before you change it.")
        kept = replace(self.settings, turns=self.settings.turns[: turn + 1])
        last = turn == len(self.settings.turns) - 1
        self._branch()
        if not last:
            self.answers, self.made = {}, {}
        self.settings = kept.answered(column, words)
        return WrittenText(words, alone)

    def versions(self, turn: int) -> tuple[int, int]:
        """Which version of a turn is shown, from 0, and how many there are."""
        there = versions_at(self._present, self.branches, turn)
        return next(i for i, each in enumerate(there) if each.has(self.settings.turns[turn])), len(there)

    @property
    def all_versions(self) -> list[tuple[int, int]]:
        """:meth:`versions` of every turn; empty where nothing else was tried anywhere."""
        return [self.versions(turn) for turn in range(len(self.settings.turns))] if self.branches else []

    def show_version(self, turn: int, place: int) -> None:
        """Show another version of a turn, with what came after it and what it was made with. Raises SettingsError where it is not."""
        there = versions_at(self._present, self.branches, turn) if 0 <= turn < len(self.settings.turns) else ()
        if not 0 <= place < len(there):
            raise SettingsError("That version is not there any more.")
        chosen = there[place].latest
        if chosen.number == self.number:
            return
        self.remember()
        others = tuple(each for each in (self._present, *self.branches) if each.number != chosen.number)
        lens, tab = self.settings.lens, self.settings.tab
        self.settings = replace(chosen.settings, lens=lens, tab=tab)
        self.answers, self.made, self.recorded = dict(chosen.answers), dict(chosen.made), False
        self.number, self.branches = chosen.number, others

    @property
    def _present(self) -> Branch:
        return Branch(self.number, self.settings, dict(self.answers), dict(self.made))

    def _branch(self) -> None:
        """Keep the present state for :meth:`undo` and as a branch, unless it is recorded or nothing was answered."""
        turns = self.settings.turns
        keeps = bool(turns and any(turns[-1].replies)) and not self.recorded
        if keeps and len(self.branches) >= MAX_BRANCHES:
            raise SettingsError(f"A chat has at most {MAX_BRANCHES} versions; begin a new chat for more.")
        self.remember()
        if keeps:
            self.branches = (*self.branches, self._present)
            self.number = 1 + max(each.number for each in self.branches)

    def undo(self) -> str:
        """Go back one step: before the last message, retry, continuation or new chat; where no step is remembered, take the last turn
        away. Gives the message that was taken back, if one was. Raises SettingsError where there is neither.
        """
        turns = self.settings.turns
        if self.past:
            last = self.past[-1]
            self.past = self.past[:-1]
            lens, tab = self.settings.lens, self.settings.tab
            self.settings = replace(last.settings, lens=lens, tab=tab)
            self.answers, self.made = dict(last.answers), dict(last.made)
            self.recorded, self.id, self.title = last.recorded, last.id, last.title
            self.number, self.branches = last.number, last.branches
        elif turns:
            self.settings = replace(self.settings, turns=turns[:-1])
            self.answers, self.made, self.recorded = {}, {}, False
        else:
            raise SettingsError("There is nothing to undo yet.")
        return turns[-1].user if len(self.settings.turns) < len(turns) else ""

    def _begin_turn(self, settings: Settings, branch: bool = False) -> None:
        if branch:
            self._branch()
        else:
            self.remember()
        self.settings, self.answers, self.made, self.recorded = settings, {}, {}, False

    # -------------------------------------------------------------------------------------------------------- a run

    def apply(self, events: Iterable[Event]) -> None:
        """Fold a run's events into the answers."""
        for event in events:
            self.answers = fold(self.answers, event)
            if isinstance(event, RecipeChanged):
                self.made[event.column] = self.made[event.column].with_recipe(event.recipe)

    def settle(self) -> None:
        """Write the answers into the settings, once a run is over."""
        if self.settings.turns and self.answers:
            self.settings = settled(self.settings, self.answers)

    def swap(self, column: int, answer: Answer) -> None:
        """Show another finished answer in a column: one that was computed for its present recipe."""
        tokens = tuple(replace(token, column=column) for token in answer.tokens)
        self.answers = {**self.answers, column: replace(answer, tokens=tokens)}
        self.made[column] = Author.of(self.settings, column)
        self.settings = self.settings.answered(column, answer.text)

    # ------------------------------------------------------------------------------------------------------- columns

    def set_recipe(self, recipe: Recipe) -> None:
        """Give the selected column another recipe; its answer stays until it is made anew."""
        self.settings = self.settings.with_recipe(recipe)

    def set_checkpoint(self, column: int, checkpoint: str) -> None:
        """Give a column another checkpoint."""
        self.remember()
        self.settings = self.settings.with_column(replace(self.settings.columns[column], checkpoint=checkpoint), column)

    def add_column(self, checkpoint: str, asks: str = "") -> int:
        """Add a column without a recipe, perhaps one that asks in words; returns its index. Raises SettingsError when there are four."""
        wider = self.settings.add_column(Column(checkpoint, asks=asks))
        self.remember()
        self.settings = wider
        return wider.selected

    def drop_column(self, column: int) -> None:
        """Close a column with its answers. Raises SettingsError when it is the last one."""
        narrower = self.settings.drop_column(column)
        self.remember()
        self.settings = narrower
        self.answers = {c - (c > column): answer for c, answer in self.answers.items() if c != column}
        self.made = {c - (c > column): made for c, made in self.made.items() if c != column}

    def older(self, column: int) -> str:
        """Who wrote a column's answer, in words, where it is not what the column would write now; empty where it is."""
        answer, made = self.answers.get(column), self.made.get(column)
        if answer is None:
            return _BEFORE if self._reply(column) else ""
        return made.unlike(Author.of(self.settings, column), answer) if made is not None else ""

    def stale(self, column: int) -> bool:
        """Whether a column's answer to the last turn is lacking, is only a text, or was written by another author than it is now."""
        return bool(self.settings.turns) and (column not in self.answers or bool(self.older(column)))

    @property
    def lacking(self) -> tuple[int, ...]:
        """The columns whose answers have to be made anew to be the columns' own: beside recorded ones all, so that none passes for live."""
        places = range(len(self.settings.columns))
        found = tuple(place for place in places if self.stale(place))
        return tuple(places) if found and self.recorded else found

    def _reply(self, column: int) -> str:
        """What is known of a column's reply to the last turn."""
        replies = self.settings.turns[-1].replies if self.settings.turns else ()
        return replies[column] if column < len(replies) else ""

    def may_precompute(self, running: bool) -> bool:
        """Whether the selected column's answer at other strengths of a slider may be computed beforehand, while nobody waits.

        ``running`` says whether an answer is being written. The answer that is there has to be whole and the model's own: not recorded,
        not stopped, without an error or a token that was given.
        """
        answer = self.answers.get(self.settings.selected)
        if running or self.recorded or not self.settings.turns or answer is None:
            return False
        whole = answer.finished and not answer.error and answer.reason != "stopped"
        return whole and not any(token.forced for token in answer.tokens)
