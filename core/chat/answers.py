"""What a run has said so far: events folded into answers, and answers into settings and exports. No torch.

Front ends draw an :class:`Answer`; they never put text together themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.chat.events import (
    Alternative,
    Done,
    Event,
    Failed,
    Reason,
    RecipeChanged,
    Scores,
    Started,
    Token,
    Whole,
    event_json,
)
from core.chat.settings import UNTRUSTED, Settings
from core.errors import TillerError
from core.util.decode import DecodeError
from core.util.files import parsed_json
from core.util.limits import MAX_CHAT
from core.util.text import clean
from core.util.version import PROGRAM


@dataclass(frozen=True)
class Answer:
    """One column's reply. ``joins`` are the places at which the recipe changed: (index of the first token, recipe)."""

    tokens: tuple[Token, ...] = ()
    joins: tuple[tuple[Whole, str], ...] = ()
    note: str = ""
    reason: Reason | None = None
    seconds: float = 0.0
    error: str = ""
    #: Why there is no blame, in a sentence, where it was asked for.
    unblamed: str = ""
    #: What blame that is still to come waits for, in a sentence, where that takes long.
    awaited: str = ""
    #: While nothing has been said yet: the reply that stood here before, and in words who wrote it, where that is known.
    older: str = ""
    older_by: str = ""
    #: Tokens of the prompt, and how many the model can read at once; 0 where that is not known. They are of the run, not of what was
    #: said, so that no export has them.
    prompt_tokens: Whole = field(default=0, compare=False)
    context: Whole = field(default=0, compare=False)

    @property
    def text(self) -> str:
        """The visible reply, without what was thought before it."""
        return "".join(token.text for token in self.tokens if not token.thought)

    @property
    def thinking(self) -> str:
        """What was thought before the reply; it is shown apart, and not sent back with the next message."""
        return "".join(token.text for token in self.tokens if token.thought).strip()

    @property
    def thought(self) -> int:
        """The number of tokens that were thought, with those that mark it."""
        return sum(token.thought for token in self.tokens)

    @property
    def finished(self) -> bool:
        """Whether nothing more will come."""
        return self.reason is not None or bool(self.error)

    @property
    def cut_off(self) -> bool:
        """Whether it ended before the model would have ended it, and can go on."""
        return self.reason in ("length", "stopped") and bool(self.tokens) and not self.error

    def apply(self, event: Event) -> Answer:
        """The answer after one more of its column's events."""
        match event:
            case Started():
                said = self.tokens[: event.said]
                joins = self.joins if event.said else ()
                return Answer(
                    said, joins, event.note, older=self.older, older_by=self.older_by, prompt_tokens=event.prompt_tokens,
                    context=event.context,
                )  # fmt: skip
            case Token():
                return replace(self, tokens=(*self.tokens, event), older="", older_by="")
            case RecipeChanged():
                return replace(self, joins=(*self.joins, (event.index, event.recipe)))
            case Scores(name="shadow"):
                pairs = zip(self.tokens, event.readings, strict=True)
                return replace(self, tokens=tuple(replace(token, shadow=reading) for token, reading in pairs))
            case Scores():
                return self._blamed(event)
            case Done():
                return replace(self, reason=event.reason, seconds=event.seconds)
            case Failed():
                return replace(self, error=event.sentence)

    def _blamed(self, event: Scores) -> Answer:
        end = event.start + len(event.blames)
        found = dict(zip(range(event.start, end), event.blames, strict=True))
        tokens = tuple(
            replace(token, blame={**token.blame, event.name: found[token.index]}) if token.index in found else token
            for token in self.tokens
        )
        return replace(self, tokens=tokens, unblamed=event.note or self.unblamed, awaited=event.awaited)

    def prefix(self, index: int, alternative: Alternative) -> tuple[int, ...]:
        """The token ids that a continuation from ``alternative`` at token ``index`` starts with."""
        return (*(token.id for token in self.tokens[:index]), alternative.id)


def why_ended(reason: Reason | None, longest: str) -> str:
    """Why an answer ended, in words; nothing where it simply ended, or has not. ``longest`` says where the longest answer is set."""
    return {
        "stop string": "ended at a stop string", "length": f"reached the longest answer ({longest})",
        "context": "the model's context is full", "stopped": "stopped", "written": "your own words",
    }.get(reason or "", "")  # fmt: skip


def fold(answers: Mapping[int, Answer], event: Event) -> dict[int, Answer]:
    """All columns' answers after one more event. A failure without a column fails every answer that is unfinished."""
    columns = (
        [event.column] if event.column is not None else [c for c, answer in answers.items() if not answer.finished]
    )
    return {**answers, **{column: answers.get(column, Answer()).apply(event) for column in columns}}


def settled(settings: Settings, answers: Mapping[int, Answer]) -> Settings:
    """The settings with every answer's text as its column's reply to the last turn; where nothing was said, the older one stays."""
    for column, answer in sorted(answers.items()):
        settings = settings.answered(column, answer.text or answer.older)
    return settings


# --------------------------------------------------------------------------------------------------------------- exports


def to_markdown(settings: Settings, answers: Mapping[int, Answer]) -> str:
    """The chat as Markdown, each column's recipe at its head. ``answers`` are those of the last turn.

    Text stands in indented blocks, so that what a model or a person wrote cannot become markup.
    """
    lines = [
        "# Tiller chat",
        "",
        f"Family: {_code(settings.family)}. Open this state again: `?{settings.to_link()}`",
        "",
    ]
    for turn_index, turn in enumerate(settings.turns):
        lines += [f"## {turn_index + 1}. You", "", _block(turn.user), ""]
        for index, column in enumerate(settings.columns):
            reply = turn.replies[index] if index < len(turn.replies) else ""
            answer = answers.get(index) if turn_index == len(settings.turns) - 1 else None
            stopped = " (stopped)" if answer and answer.reason == "stopped" else ""
            lines += [f"### {_code(column.title)}{stopped}", ""]
            if answer and answer.thinking:
                lines += ["Thought:", "", _block(answer.thinking), "", "Said:", ""]
            lines += [_block(reply), ""]
    return "\n".join(lines)


def _code(name: str) -> str:
    """A name as a code span on one line: names in a link are anybody's text too."""
    return "`" + " ".join(name.replace("`", "'").split()) + "`"


def _block(text: str) -> str:
    return "\n".join("    " + line for line in clean(text).split("\n"))


def chat_document(settings: Settings, answers: Mapping[int, Answer]) -> dict[str, Any]:
    """The chat as a JSON document: the settings, and every token of the last answers with its readings."""
    said = {str(column): _answer_json(answer) for column, answer in answers.items()}
    return {"program": PROGRAM, "settings": settings.to_json(), "answers": said}


def _answer_json(answer: Answer) -> dict[str, Any]:
    return {
        **({"thinking": answer.thinking} if answer.thinking else {}),
        "tokens": [event_json(token) for token in answer.tokens], "joins": [list(join) for join in answer.joins],
        "note": answer.note, "reason": answer.reason, "seconds": answer.seconds, "error": answer.error,
    }  # fmt: skip


_NOT_WHOLE = "This file is not a whole export of a chat"


def read_document(document: Mapping[str, Any]) -> tuple[Settings, dict[int, Answer]]:
    """What :func:`chat_document` wrote.

    Raises:
        TillerError: when it is no such document.
    """
    settings = Settings.from_json(document.get("settings"))
    try:
        found = UNTRUSTED.decode(_Answers, document).answers
    except DecodeError as error:
        raise TillerError(f"{_NOT_WHOLE} ({str(error).rstrip('.')}); export it again as JSON.") from error
    columns = [str(column) for column in range(len(settings.columns) if settings.turns else 0)]
    if not set(found) <= set(columns):
        raise TillerError(f"{_NOT_WHOLE} (it has answers of no column or turn); export it again as JSON.")
    return settings, {column: _placed(found[key], column) for column, key in enumerate(columns) if key in found}


@dataclass(frozen=True)
class _Answers:
    """The part of an export that is no settings, by column."""

    answers: Mapping[str, Answer]


def _placed(answer: Answer, column: int) -> Answer:
    """An answer of a file, with its tokens counted as they stand."""
    tokens = (replace(token, column=column, index=index) for index, token in enumerate(answer.tokens))
    return replace(answer, tokens=tuple(tokens))


def load_chat(text: str) -> tuple[Settings, dict[int, Answer]]:
    """An export in JSON text. Raises TillerError when it is none."""
    if len(text) > MAX_CHAT:
        raise TillerError(
            f"This file has more than {MAX_CHAT:,} characters, which no chat has; export the chat again as JSON."
        )
    try:
        document = parsed_json(text)
    except ValueError as error:
        raise TillerError("This file is not JSON; export the chat again as JSON.") from error
    if not isinstance(document, Mapping):
        raise TillerError(f"{_NOT_WHOLE}; export it again as JSON.")
    return read_document(document)
