"""Continuations of raw prompts, and how likely every token of prompt and continuation is: no chat template, no marks of a chat's end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from core.chat.events import Done, Reason, Token
from core.chat.raw import MAX_CONTINUATIONS, RawAnswer, RawRequest, TokenScore, TooLongError
from core.errors import TillerError
from core.inference.batch import batch_rows, check_tokens
from core.inference.decoding import BatchDecoder, DecodingRow
from core.inference.decoding_batches import rows_at_once
from core.inference.detokenizer import token_text
from core.inference.prompts import encode_text
from core.inference.teacher_forcing import reply_logits
from core.inference.token_choice import sayable
from core.models.loading import Loaded
from core.steering.interventions import RowEdit
from core.util.progress import Slices

#: Logits of one prompt that are in memory at once when its tokens are scored: a quarter of a gigabyte of them.
_LOGITS = 2**26
#: Tokens that are scored in one slice, if they are not one prompt's; others wait for their turn meanwhile.
_SLICE = 2_048
#: Tokens that are scored for one request at most.
_MOST_SCORED = 2**16

#: So many tokens of a prompt's end are decoded with what follows.
_TAIL = 16

_Ids = tuple[int, ...]
#: What was written, as ids and as text, and why it ended.
_Said = tuple[_Ids, str, Reason]


def continue_prompts(loaded: Loaded, ask: RawRequest, edits: tuple[RowEdit, ...]) -> Slices[list[RawAnswer]]:
    """The answers to a request, in its order; chats go on between the slices.

    Raises:
        TooLongError: a prompt that the model cannot read, or that is too long to be scored.
        TillerError: no prompt, too many, an empty one, or a token that the model does not have.
    """
    if not 1 <= len(ask.prompts) <= MAX_CONTINUATIONS:
        raise TillerError(f"A request has 1 to {MAX_CONTINUATIONS} continuations, not {len(ask.prompts)}.")
    # What ends a message of a chat ends nothing here.
    raw = replace(loaded, stops=(), thoughts=[])
    prompts = [_ids(raw, each) for each in ask.prompts]
    check_tokens(raw, [token for token, _ in ask.drawing.logit_bias])
    _check(raw, prompts, ask)
    written = yield from _write(raw, prompts, ask, edits)
    nothing: _Said = ((), "", "length")
    said = [written.get(index, nothing) for index in range(len(prompts))]
    scores: list[list[TokenScore]] = [[] for _ in prompts]
    if ask.top is not None:
        scores = yield from _scored(raw, prompts, [ids for ids, _, _ in said], edits, ask)
    return [
        RawAnswer(prompt, ids, text, reason, tuple(own))
        for prompt, (ids, text, reason), own in zip(prompts, said, scores, strict=True)
    ]


def _write(
    loaded: Loaded, prompts: Sequence[_Ids], ask: RawRequest, edits: tuple[RowEdit, ...]
) -> Slices[dict[int, _Said]]:
    """What is written behind each prompt that is to be gone on with, and why it ended."""
    written: dict[int, _Said] = {}
    wanted = [(index, each) for index, each in enumerate(ask.sampling) if each is not None]
    longest = max((len(prompts[index]) + each.max_new_tokens for index, each in wanted), default=0)
    size = rows_at_once(loaded, longest) if wanted else 1
    for start in range(0, len(wanted), size):
        chosen = dict(wanted[start : start + size])
        # Stop strings are looked for in the text as it is, with the blanks that a chat's answer does not begin with.
        rows = [
            DecodingRow(index, prompts[index], edits, replace(each, stop=()), drawing=ask.drawing)
            for index, each in chosen.items()
        ]
        decoder = BatchDecoder(loaded, rows)
        tokens: dict[int, list[int]] = {index: [] for index in chosen}
        while not decoder.done:
            for event in decoder.step():
                if event.column is None or event.column in written:
                    continue
                at = event.column
                if isinstance(event, Token):
                    tokens[at].append(event.id)
                    if (stopped := _until_stop(loaded, prompts[at], tokens[at], chosen[at].stop)) is not None:
                        written[at] = (*stopped, "stop string")
                        decoder.stop(at)
                elif isinstance(event, Done):
                    written[at] = tuple(tokens[at]), _text(loaded, prompts[at], tokens[at]), event.reason
            yield decoder.rows
    return written


def _ids(loaded: Loaded, prompt: str | _Ids) -> _Ids:
    ids = encode_text(loaded, prompt) if isinstance(prompt, str) else prompt
    if not ids:
        raise TillerError("A prompt has at least one token; write a text, or send token ids.")
    check_tokens(loaded, ids)
    return ids


def _check(loaded: Loaded, prompts: Sequence[_Ids], ask: RawRequest) -> None:
    """Raises TooLongError for a prompt that is too long to be read, or to be scored, and for all of them together."""
    name, most = loaded.checkpoint.name, _LOGITS // int(loaded.model.config.get_text_config().vocab_size)
    scored = []
    for prompt, sampling in zip(prompts, ask.sampling, strict=True):
        room = loaded.context - (1 if sampling is not None else 0)
        if len(prompt) > room:
            raise TooLongError(f"The prompt has {len(prompt)} tokens, and {name} reads {room}; send a shorter one.")
        scored.append(len(prompt) * ask.echo + (sampling.max_new_tokens if sampling else 0))
    if ask.top is not None and max(scored) > most:
        raise TooLongError(
            f"{max(scored)} tokens would be scored, and of {name} it is {most} at once; send a shorter prompt, or leave logprobs out."
        )
    if ask.top is not None and sum(scored) > _MOST_SCORED:
        raise TooLongError(
            f"{sum(scored):,} tokens would be scored, and {_MOST_SCORED:,} are in one request; send fewer prompts."
        )


def _scored(
    loaded: Loaded, prompts: Sequence[_Ids], replies: Sequence[_Ids], edits: tuple[RowEdit, ...], ask: RawRequest
) -> Slices[list[list[TokenScore]]]:
    """Every token that is asked of with its score, by one pass over what was read and written."""
    found: list[list[TokenScore]] = [[] for _ in prompts]
    counts = [len(reply) + (len(prompt) - 1) * ask.echo for prompt, reply in zip(prompts, replies, strict=True)]
    for chosen in _batches(loaded, counts):
        logits = reply_logits(
            loaded, [prompts[each] for each in chosen], [replies[each] for each in chosen], [edits] * len(chosen), None,
            [counts[each] for each in chosen],
        )  # fmt: skip
        for each, own in zip(chosen, logits, strict=True):
            ids = (*prompts[each], *replies[each])[-counts[each] :]
            found[each] = _scores(loaded, own, ids, ask.top or 0)
        yield sum(len(prompts[each]) + len(replies[each]) for each in chosen)
    if ask.echo:
        return [
            [TokenScore(ids[0], token_text(loaded, ids[0])), *rest] for ids, rest in zip(prompts, found, strict=True)
        ]
    return found


def _batches(loaded: Loaded, counts: Sequence[int]) -> Iterator[list[int]]:
    """Rows of like length together, as many as their logits may take; those of which nothing is scored are in none."""
    vocabulary, rows = int(loaded.model.config.get_text_config().vocab_size), batch_rows(loaded)
    batch: list[int] = []
    for each in sorted((index for index, count in enumerate(counts) if count), key=lambda index: counts[index]):
        many = (len(batch) + 1) * (counts[each] + 1)
        if batch and (len(batch) == rows or many > _SLICE or many * vocabulary > _LOGITS):
            yield batch
            batch = []
        batch.append(each)
    if batch:
        yield batch


def _scores(loaded: Loaded, logits: torch.Tensor, ids: Sequence[int], top: int) -> list[TokenScore]:
    logprobs = logits.log_softmax(-1)
    own = logprobs.gather(-1, torch.tensor(ids, device=logits.device)[:, None])[:, 0].tolist()
    best = sayable(loaded, logprobs).topk(min(top, logprobs.shape[-1]), dim=-1) if top else None
    likeliest = zip(best.indices.tolist(), best.values.tolist(), strict=True) if best else (([], []) for _ in ids)
    return [
        TokenScore(
            token,
            token_text(loaded, token),
            value,
            tuple((token_text(loaded, one), each) for one, each in zip(*both, strict=True)),
        )
        for token, value, both in zip(ids, own, likeliest, strict=True)
    ]


def _text(loaded: Loaded, prompt: Sequence[int], ids: Sequence[int]) -> str:
    """What the tokenizer writes for the ids behind the prompt, of which it looks at the end alone."""

    def decoded(every: Sequence[int]) -> str:
        return str(loaded.tokenizer.decode(list(every), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    tail = prompt[-_TAIL:]
    before, whole = decoded(tail), decoded((*tail, *ids))
    return whole[len(before) :] if whole.startswith(before) else decoded(ids)


def _stop_at(text: str, stops: Sequence[str]) -> int | None:
    """Where the first stop string begins; None where none stands in a text."""
    return min((at for stop in stops if (at := text.find(stop)) >= 0), default=None)


def _until_stop(loaded: Loaded, prompt: _Ids, ids: Sequence[int], stops: Sequence[str]) -> tuple[_Ids, str] | None:
    """The ids before a stop string, with that in whose midst it begins, and the text before it; None where there is none yet."""
    if not stops:
        return None
    # A new one ends in the last token: what is looked at at every step is as long as a stop string, of single bytes at most.
    recent = max(0, len(ids) - 4 * max(map(len, stops)) - 1)
    if _stop_at(_text(loaded, (*prompt, *ids[:recent]), ids[recent:]), stops) is None:
        return None
    text = _text(loaded, prompt, ids)
    end = _stop_at(text, stops)
    if end is None:
        return None
    kept = next(n for n in range(len(ids) + 1) if len(_text(loaded, prompt, ids[:n])) >= end)
    return tuple(ids[:kept]), text[:end]
