"""What a model thinks of tokens that another one chose: log-probabilities of a given reply, in chunks, with one KV cache a model.

Every model is forced onto the same ids, those of the final checkpoint. Where a token is beyond a model's vocabulary, because a later stage
added it, the model reads the mean of its embedding in its place and gives it no probability [methods, 5].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from core.attribution.effects import LOG_ZERO
from core.errors import TillerError
from core.inference.batch import batch_rows
from core.inference.teacher_forcing import reply_logits
from core.models.cache import keeps_keys, new_cache
from core.models.loading import Loaded
from core.util.progress import Slices

_Ids = Sequence[int]

#: Logits that are computed at once take no more bytes than this.
_LOGITS = 32_000_000
#: Rows of an embedding whose mean is taken at once.
_ROWS = 8_192
#: The mean of a model's embedding as its forward pass would give it.
_MEANS: WeakKeyDictionary[nn.Module, Tensor] = WeakKeyDictionary()


class TooLong(TillerError):
    """A prompt with its answer that does not fit into a model's context."""


class TokenScorer:
    """A model that reads a reply while another one writes it.

    ``unknown`` are the ids that are not in its vocabulary, whatever its matrices have room for.
    """

    def __init__(self, loaded: Loaded, prompt: _Ids, unknown: range = range(0)) -> None:
        self.loaded, self.unknown = loaded, unknown
        self.read = 0
        self._waiting = list(prompt)
        self._length = len(prompt)
        self._cache = new_cache(loaded.model)
        self._next: Tensor | None = None

    def follow(self, tokens: _Ids) -> list[float]:
        """The log-probability in nats of each of the reply's next tokens, as many as a forward pass takes at a time.

        Raises:
            TooLong: the model's context is full.
        """
        check_length(self.loaded, self._length + self.read + len(tokens))
        found: list[float] = []
        # A state (Mamba's) is not carried on rightly over several tokens at once by every class.
        size = max(1, _LOGITS // (4 * vocabulary(self.loaded))) if keeps_keys(self.loaded.model) else 1
        for start in range(0, len(tokens), size):
            found += self._forward(list(tokens[start : start + size]))
        return found

    @torch.inference_mode()
    def _forward(self, tokens: list[int]) -> list[float]:
        ids = torch.tensor([[*self._waiting, *tokens]], device=self.loaded.device)
        # The positions count on from what the cache holds; the last one predicts the token that comes next.
        past = self._length + self.read - len(self._waiting)
        positions = torch.arange(past, past + ids.shape[1], device=ids.device)[None]
        output = self.loaded.model(
            input_ids=ids,
            position_ids=positions,
            **self._cache,
            use_cache=True,
            logits_to_keep=len(tokens) + 1,
        )
        logits = output.logits[0].float()
        # The first pass also predicts the first token; later on that was done by the pass before.
        logits = logits[-len(tokens) - 1 :] if self._next is None else torch.cat([self._next, logits[-len(tokens) :]])
        self._waiting = []
        self._next = logits[-1:]
        self.read += len(tokens)
        return of_tokens(logits[:-1], tokens, self.unknown)


def of_tokens(logits: Tensor, tokens: _Ids, unknown: range = range(0)) -> list[float]:
    """The log-probability of each token by its row of ``logits`` [tokens, vocabulary]; NOWHERE for those that are unknown."""
    width = logits.shape[-1]
    known = torch.tensor([min(token, width - 1) for token in tokens], device=logits.device)
    values = logits.gather(-1, known[:, None])[:, 0] - logits.logsumexp(-1)
    return [
        LOG_ZERO if token >= width or token in unknown else value
        for token, value in zip(tokens, values.double().tolist(), strict=True)
    ]


def logprobs_in_slices(
    loaded: Loaded, prompts: Sequence[_Ids], replies: Sequence[_Ids], unknown: range = range(0)
) -> Slices[list[list[float]]]:
    """The log-probability of every token of every reply, a forward pass at a time.

    Several short replies share a pass; one whose logits would be too large is read in chunks.

    Raises:
        TooLong: the model's context is full.
    """
    for prompt, reply in zip(prompts, replies, strict=True):
        check_length(loaded, len(prompt) + len(reply))
    found: list[list[float]] = [[] for _ in replies]
    for batch in _batches(loaded, prompts, replies):
        if len(batch) == 1:
            at = batch[0]
            found[at] = TokenScorer(loaded, prompts[at], unknown).follow(replies[at])
        else:
            logits = reply_logits(loaded, [prompts[at] for at in batch], [replies[at] for at in batch])
            for at, own in zip(batch, logits, strict=True):
                found[at] = of_tokens(own, replies[at], unknown)
        yield len(batch) * max(len(prompts[at]) + len(replies[at]) for at in batch)
    return found


def _batches(loaded: Loaded, prompts: Sequence[_Ids], replies: Sequence[_Ids]) -> list[list[int]]:
    """Which replies share a forward pass: neighbours in length."""
    order = sorted(
        (at for at in range(len(replies)) if replies[at]), key=lambda at: len(prompts[at]) + len(replies[at])
    )
    batches: list[list[int]] = []
    width = 4 * vocabulary(loaded)
    for at in order:
        longest = max([len(replies[each]) for each in (batches[-1] if batches else [])] + [len(replies[at])]) + 1
        full = (
            not batches or len(batches[-1]) >= batch_rows(loaded) or (len(batches[-1]) + 1) * longest * width > _LOGITS
        )
        batches.append([at]) if full else batches[-1].append(at)
    return batches


def check_length(loaded: Loaded, length: int) -> None:
    """Raise TooLong unless so many tokens fit into a model's context."""
    if length > loaded.context:
        raise TooLong(
            f"The prompt and its answer are {length} tokens long, and {loaded.checkpoint.name} reads at most {loaded.context}; "
            "take a shorter answer or prompt."
        )


def vocabulary(loaded: Loaded) -> int:
    """How many tokens a model gives a probability to."""
    return int(loaded.model.config.get_text_config().vocab_size)


@contextmanager
def reading(loaded: Loaded) -> Iterator[Loaded]:
    """Inside, a model reads the mean of its embedding wherever a token is beyond its vocabulary, in every forward pass."""
    table: Any = loaded.model.get_input_embeddings()
    rows = int(table.weight.shape[0])
    beyond: list[Tensor] = []

    def clamp(_module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        ids = arguments[0]
        mask = ids >= rows
        beyond[:] = [mask] if bool(mask.any()) else []
        return (ids.masked_fill(mask, 0), *arguments[1:]) if beyond else None

    def fill(_module: nn.Module, _arguments: tuple[Any, ...], states: Tensor) -> Tensor | None:
        if not beyond:
            return None
        mask = beyond.pop()
        return torch.where(mask[..., None], _mean(table, rows, states), states)

    handles = [table.register_forward_pre_hook(clamp), table.register_forward_hook(fill)]
    try:
        yield loaded
    finally:
        for handle in handles:
            handle.remove()


def _mean(table: Any, rows: int, states: Tensor) -> Tensor:
    """The mean of what an embedding gives, scaled as the model scales it."""
    if table not in _MEANS:
        total = torch.zeros(states.shape[-1], dtype=torch.float64)
        for start in range(0, rows, _ROWS):
            ids = torch.arange(start, min(rows, start + _ROWS), device=states.device)
            total += table.forward(ids).double().sum(0).cpu()
        _MEANS[table] = (total / rows).to(states.dtype)
    return _MEANS[table].to(states.device)
