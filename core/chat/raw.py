"""What is asked of a model without a chat: raw texts or token ids that it goes on from, and how likely every token is. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.chat.drawing import TokenDrawing
from core.chat.events import Reason
from core.chat.settings import Sampling
from core.errors import TillerError
from core.recipes.language import Recipe

#: So many continuations at most in one request.
MAX_CONTINUATIONS = 256
#: How many of the likeliest tokens of a place can be told.
MAX_TOP = 20


class TooLongError(TillerError):
    """More tokens than a model reads, or than are scored at once; by how many."""


@dataclass(frozen=True)
class RawRequest:
    """Prompts for a checkpoint under a recipe, each with how its continuation is drawn; None where nothing is to be written.

    A text is begun as the tokenizer itself begins one; ids are taken as they are. ``echo``: the prompts' own tokens are scored, too;
    ``top``: so many of the likeliest tokens are told of every place, None when nothing is scored. ``drawing`` holds for all.
    """

    checkpoint: str
    recipe: Recipe
    prompts: tuple[str | tuple[int, ...], ...]
    sampling: tuple[Sampling | None, ...]
    echo: bool = False
    top: int | None = None
    drawing: TokenDrawing = field(default_factory=TokenDrawing)


@dataclass(frozen=True)
class TokenScore:
    """A token: ``logprob`` in nats at temperature 1 (None for the first, which nothing predicts), and the likeliest of its place."""

    id: int
    text: str
    logprob: float | None = None
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class RawAnswer:
    """A continuation: its ``text`` as the tokenizer writes it behind the prompt, why it ended, and scores of the tokens that are meant."""

    prompt: tuple[int, ...]
    ids: tuple[int, ...]
    text: str
    reason: Reason
    scores: tuple[TokenScore, ...] = ()


@dataclass(frozen=True)
class TokenizerTold:
    """A checkpoint's tokenizer as programs ask for it: the texts of its special tokens (empty where there is none), its chat template,
    and how many tokens the model reads."""

    eos: str
    bos: str
    pad: str
    chat_template: str
    context: int
