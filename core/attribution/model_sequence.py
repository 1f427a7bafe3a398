"""The models of a path, one at a time, each ready to be forced onto the tokens of the final one.

Where they come from is left to whoever asks: the engine takes them from its pool, the command line lets one model hold the weights
of all in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from core.attribution.forced_logprobs import reading
from core.families.checkpoint import Family
from core.families.stages import Path, StageError
from core.models import loading, weight_swap
from core.models.chat_template import tokenizer_of
from core.models.loading import Loaded
from core.models.placement import Placing
from core.models.pool import ModelPool
from core.util.progress import Learning, Step

_T = TypeVar("_T")


@dataclass(frozen=True)
class Models:
    """Gives a model by the name of its checkpoint, for as long as a ``with`` lasts.

    ``exclusive`` says that chats use the same model, so that nothing else may happen inside the ``with``: see :meth:`during`. What can
    be done for a model before that ``with`` is in the slices of ``prepare``.
    """

    get: Callable[[str], AbstractContextManager[Loaded]]
    exclusive: bool = False
    prepare: Callable[[str], Iterable[None]] = lambda _name: ()

    def during(self, name: str, work: Callable[[Loaded], Learning[_T]]) -> Learning[_T]:
        """Some work with a model, in slices; in one where nothing may come between them."""
        for _ in self.prepare(name):
            yield Step(0, f"Reading the weights of {name}.")
        with self.get(name) as loaded:
            slices = work(loaded)
            if not self.exclusive:
                return (yield from slices)
            tokens, sentence = 0, ""
            while True:
                try:
                    step = next(slices)
                except StopIteration as stop:
                    found: _T = stop.value
                    break
                tokens, sentence = tokens + step.tokens, step.sentence
        yield Step(tokens, sentence)
        return found


#: Ids that are compared to see whether two tokenizers are one.
_COMPARED = 997


def pooled(pool: ModelPool, final: str) -> Models:
    """Models from the engine's pool, which keeps as many as there is room for.

    Of a quantized family the final one takes the others' weights in turn.
    """
    quantized = pool.placing.quantize != "none"

    @contextmanager
    def models(name: str) -> Iterator[Loaded]:
        if quantized:
            with pool.swapped(final, name) as other:
                yield other
        else:
            with pool.held(name) as loaded, reading(loaded) as other:
                yield other

    return Models(models, quantized, partial(pool.prepare, final)) if quantized else Models(models)


def alone(loaded: Loaded, placing: Placing) -> Models:
    """One model in memory, the final one, that takes the weights of all others in turn.

    One whose weights it cannot take is loaded beside it.
    """

    @contextmanager
    def models(name: str) -> Iterator[Loaded]:
        if weight_swap.fits(loaded, name):
            with weight_swap.swapped_weights(loaded, name) as other:
                yield other
        else:
            beside = loading.load_model(loaded.family, name, placing)
            with reading(beside) as other:
                yield other

    return Models(models)


@dataclass
class Vocabularies:
    """How many tokens each checkpoint of a path knows, by its tokenizer."""

    family: Family
    path: Path
    _known: dict[str, int] = field(default_factory=dict)

    def unknown(self, name: str) -> range:
        """The ids that a model gives no probability to: those that came later, or with the stage that it is without.

        Raises:
            StageError: the tokenizers of the path's checkpoints spell the same id differently.
            LoadError: a tokenizer is not there.
        """
        for stage in self.path.stages:
            if stage.checkpoint == name:
                return range(self._size(name), self._size(self.path.final))
        for stage in self.path.post:
            if name in (stage.retrained, stage.subtracted, stage.first_order) and stage.parent is not None:
                return range(self._size(stage.parent), self._size(stage.checkpoint))
        return range(0)

    def _size(self, name: str) -> int:
        if not self._known:
            tokenizers = {
                each.checkpoint: tokenizer_of(self.family.checkpoint(each.checkpoint)) for each in self.path.stages
            }
            final = tokenizers[self.path.final]
            for other, tokenizer in tokenizers.items():
                shared = range(0, min(len(tokenizer), len(final)), max(1, len(final) // _COMPARED))
                special = {*tokenizer.added_tokens_decoder, *final.added_tokens_decoder}
                plain = [each for each in shared if each not in special]
                if tokenizer.convert_ids_to_tokens(plain) != final.convert_ids_to_tokens(plain):
                    raise StageError(
                        f"{other} and {self.path.final} have different tokenizers, so that they cannot be asked about the same tokens; "
                        "stages are told apart between checkpoints of one tokenizer."
                    )
                self._known[other] = len(tokenizer)
        return self._known[name]
