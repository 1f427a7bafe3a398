"""Token ids of a reply -> visible text, holding back what is not certain yet, and the reason a reply ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.chat.events import Reading, Reason, Token
from core.chat.settings import Sampling
from core.models.loading import Loaded
from core.util.text import clean

_UNFINISHED = "�"
#: So many tokens of a prompt's end are looked at for a thought that it begins.
_TAIL = 16


def token_text(loaded: Loaded, token: int) -> str:
    """A single token as text, safe to show; part of a character shows as the replacement character."""
    known = loaded.texts.get(token)
    if known is None:
        known = clean(str(loaded.tokenizer.decode([token], clean_up_tokenization_spaces=False)))
        loaded.texts[token] = known
    return known


#: In place of what is known of a token that was told before.
_TOLD = Reading(0.0, 0.0, 0)


class _Text:
    """Incremental decoding: text comes out as soon as its characters are whole.

    DecodeStream of the package tokenizers stops with an error at bytes that make no character, which a vocabulary with single bytes
    (SentencePiece) lets a model write, and has no end at which the rest comes out.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._ids: list[int] = []
        self._context = 0
        self._shown = 0

    def push(self, token: int) -> str | None:
        """The text that ``token`` completes; None while a character is unfinished."""
        if token in self._loaded.marks.spelt:
            rest = self.flush()
            self._ids, self._context, self._shown = [], 0, 0
            return rest + self._loaded.marks.spelt[token]
        self._ids.append(token)
        before = self._decode(self._ids[self._context : self._shown])
        now = self._decode(self._ids[self._context :])
        if now.endswith(_UNFINISHED):
            return None
        self._context, self._shown = self._shown, len(self._ids)
        return now[len(before) :]

    def flush(self) -> str:
        """What is left when no more tokens come, unfinished characters as the replacement character."""
        before = self._decode(self._ids[self._context : self._shown])
        return self._decode(self._ids[self._context :])[len(before) :]

    def _decode(self, ids: list[int]) -> str:
        text = self._loaded.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return str(text)


class Detokenizer:
    """One column's reply as it grows, behind the ids of its prompt and those that it has already.

    Tokens whose text may still turn out to belong to a stop string, or to a mark round a thought (:mod:`core.models.thoughts`), are held
    back. What marks a thought has no text of its own.
    """

    def __init__(
        self, loaded: Loaded, column: int, sampling: Sampling, prompt: Sequence[int], said: Sequence[int] = ()
    ) -> None:
        self.column = column
        self.reason: Reason | None = None
        self.count = 0
        self._loaded = loaded
        self._text = _Text(loaded)
        self._marks = loaded.marks.follows
        self._stops = (*loaded.stops, *sampling.stop)
        self._most = min(sampling.max_new_tokens, max(1, loaded.context - len(prompt)))
        self._cut_by_context = self._most < sampling.max_new_tokens
        self._pending: list[Token] = []
        self._begun = False
        self._returned = False
        end = loaded.tokenizer.decode(list(prompt[-_TAIL:]), skip_special_tokens=False) if self._marks else ""
        self._thinking = loaded.marks.left_open(str(end))
        for token in said:
            # What it has already was told, held back or not.
            self.push(token, _TOLD, None, True)
        self._pending = []

    def push(self, token: int, reading: Reading, shadow: Reading | None, forced: bool) -> list[Token]:
        """Take the next token; gives the tokens that may be shown now. ``reason`` says whether the reply has ended."""
        # What ends a message of the thought ends the reply only where it is an answer.
        goes_on = forced or (self._thinking and token in self._loaded.marks.spelt)
        if token in self._loaded.ends and not goes_on:
            return self.finish("end")
        text = self._text.push(token)
        self._pending.append(Token(self.column, self.count, token, self._tidy(text or ""), reading, shadow, forced))
        self.count += 1
        ready = self._release() if text is not None else []
        if self.reason is None and self.count >= self._most:
            ready += self.finish("context" if self._cut_by_context else "length")
        return ready

    def finish(self, reason: Reason) -> list[Token]:
        """End the reply; gives the tokens that were held back."""
        rest = self._tidy(self._text.flush())
        if rest and self._pending:
            self._pending[-1] = replace(self._pending[-1], text=self._pending[-1].text + rest)
        ready = self._release()
        if self.reason is None:
            self.reason = reason
        return ready + self._take(len(self._pending))

    def _tidy(self, text: str) -> str:
        """Safe to show, and without white space before the first visible character: plain templates end in a colon."""
        if self._returned and text.startswith("\n"):
            # A line end of two characters, in two tokens.
            text = text[1:]
        if text:
            self._returned = text.endswith("\r")
        text = clean(text)
        if not self._begun:
            text = text.lstrip()
            self._begun = bool(text)
        return text

    def _release(self) -> list[Token]:
        """What is certain of the held tokens: up to a mark, after which the other part of the reply begins, or to a stop string."""
        ready: list[Token] = []
        while True:
            buffer = "".join(token.text for token in self._pending)
            marked = min(
                ((at, -len(mark), mark) for mark in self._marks if (at := buffer.find(mark)) >= 0), default=None
            )
            before = buffer if marked is None else buffer[: marked[0]]
            starts = [at for at in (before.find(stop) for stop in self._stops) if at >= 0]
            if starts:
                self.reason = "stop string"
                return ready + self._cut(min(starts))
            if marked is None:
                hold = max((_overlap(buffer, each) for each in (*self._stops, *self._marks)), default=0)
                return ready + self._take(self._whole_before(len(buffer) - hold))
            ready += self._pass_mark(marked[0], marked[2])

    def _pass_mark(self, start: int, mark: str) -> list[Token]:
        """The held tokens up to the end of a mark, without its characters; a token that reaches beyond it stays, with what is left."""
        end = start + len(mark)
        ready: list[Token] = []
        at = 0
        while self._pending:
            token, begin = self._pending[0], at
            at += len(token.text)
            head = token.text[: max(0, start - begin)]
            if at > end:
                text = head + token.text[max(0, end - begin) :].lstrip()
                self._begun = bool(text)
                self._pending[0] = replace(token, text=text)
                break
            ready.append(replace(token, text=head, thought=self._thinking or not head))
            self._pending.pop(0)
        else:
            self._begun = False
        follows = self._marks[mark]
        self._thinking = self._thinking if follows is None else follows
        return ready

    def _cut(self, end: int) -> list[Token]:
        """The held tokens up to character ``end``; the one that reaches beyond it loses its tail, later ones are dropped."""
        kept: list[Token] = []
        at = 0
        for token in self._pending:
            if at >= end:
                break
            kept.append(replace(token, text=token.text[: end - at]))
            at += len(token.text)
        self.count = self._pending[0].index + len(kept)
        self._pending = kept
        return self._take(len(kept))

    def _whole_before(self, end: int) -> int:
        """How many held tokens lie wholly before character ``end``."""
        at = 0
        for index, token in enumerate(self._pending):
            at += len(token.text)
            if at > end:
                return index
        return len(self._pending)

    def _take(self, number: int) -> list[Token]:
        taken, self._pending = self._pending[:number], self._pending[number:]
        return [replace(token, thought=True) for token in taken] if self._thinking else taken


def _overlap(text: str, part: str) -> int:
    """The length of the longest end of ``text`` that a stop string or a mark may begin with."""
    return max(
        (length for length in range(1, min(len(text), len(part) - 1) + 1) if part.startswith(text[-length:])), default=0
    )
