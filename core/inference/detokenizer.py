"""Token ids of a reply -> visible text, holding back what is not certain yet, and the reason a reply ends."""

from __future__ import annotations

from dataclasses import dataclass

from core.chat.events import Reading, Reason, Token
from core.chat.settings import Sampling, clean
from core.models.loading import Loaded

_UNFINISHED = "�"


def token_text(loaded: Loaded, token: int) -> str:
    """A single token as text, safe to show; part of a character shows as the replacement character."""
    known = loaded.texts.get(token)
    if known is None:
        known = clean(str(loaded.tokenizer.decode([token], clean_up_tokenization_spaces=False)))
        loaded.texts[token] = known
    return known


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


@dataclass(frozen=True)
class _Held:
    token: Token
    text: str


class Detokenizer:
    """One column's reply as it grows. Tokens whose text may still turn out to belong to a stop string are held back."""

    def __init__(self, loaded: Loaded, column: int, sampling: Sampling, prompt_length: int) -> None:
        self.column = column
        self.reason: Reason | None = None
        self.count = 0
        self._loaded = loaded
        self._text = _Text(loaded)
        self._stops = (*loaded.stops, *sampling.stop)
        self._most = min(sampling.max_new_tokens, max(1, loaded.context - prompt_length))
        self._cut_by_context = self._most < sampling.max_new_tokens
        self._pending: list[_Held] = []
        self._begun = False

    def push(self, token: int, reading: Reading, shadow: Reading | None, forced: bool) -> list[Token]:
        """Take the next token; gives the tokens that may be shown now. ``reason`` says whether the reply has ended."""
        if token in self._loaded.ends and not forced:
            return self.finish("end")
        text = self._text.push(token)
        shown = self._tidy(text or "")
        self._pending.append(_Held(Token(self.column, self.count, token, shown, reading, shadow, forced), shown))
        self.count += 1
        ready = self._release() if text is not None else []
        if self.reason is None and self.count >= self._most:
            ready += self.finish("context" if self._cut_by_context else "length")
        return ready

    def finish(self, reason: Reason) -> list[Token]:
        """End the reply; gives the tokens that were held back."""
        self.reason = reason
        rest = self._tidy(self._text.flush())
        if rest and self._pending:
            last = self._pending[-1]
            self._pending[-1] = _Held(last.token, last.text + rest)
        return self._take(len(self._pending))

    def _tidy(self, text: str) -> str:
        """Safe to show, and without white space before the first visible character: plain templates end in a colon."""
        text = clean(text)
        if not self._begun:
            text = text.lstrip()
            self._begun = bool(text)
        return text

    def _release(self) -> list[Token]:
        buffer = "".join(held.text for held in self._pending)
        starts = [at for at in (buffer.find(stop) for stop in self._stops) if at >= 0]
        if starts:
            self.reason = "stop string"
            return self._cut(min(starts))
        hold = max((_overlap(buffer, stop) for stop in self._stops), default=0)
        return self._take(self._whole_before(len(buffer) - hold))

    def _cut(self, end: int) -> list[Token]:
        """The held tokens up to character ``end``; the one that reaches beyond it loses its tail, later ones are dropped."""
        shown: list[Token] = []
        at = 0
        for held in self._pending:
            if at >= end:
                break
            shown.append(_with_text(held.token, held.text[: end - at]))
            at += len(held.text)
        self.count = self._pending[0].token.index + len(shown)
        self._pending = []
        return shown

    def _whole_before(self, end: int) -> int:
        """How many held tokens lie wholly before character ``end``."""
        at = 0
        for index, held in enumerate(self._pending):
            at += len(held.text)
            if at > end:
                return index
        return len(self._pending)

    def _take(self, number: int) -> list[Token]:
        taken, self._pending = self._pending[:number], self._pending[number:]
        return [_with_text(held.token, held.text) for held in taken]


def _with_text(token: Token, text: str) -> Token:
    return token if token.text == text else Token(**{**vars(token), "text": text})


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of ``text`` that a stop string may begin with."""
    return max(
        (length for length in range(1, min(len(text), len(stop) - 1) + 1) if stop.startswith(text[-length:])), default=0
    )
