"""What programs ask of the drawing of tokens beyond what a chat's sampling has. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from core.chat.events import ALTERNATIVES
from core.errors import TillerError

#: As OpenAI bounds them.
MOST_PENALTY, MOST_BIAS, MOST_BIASED = 2.0, 100.0, 300


@dataclass(frozen=True)
class TokenDrawing:
    """How many ``alternatives`` a reading names, and what is done to the logits of the next token before its temperature.

    ``presence_penalty`` is taken once from the logit of every token that the answer holds, ``frequency_penalty`` as often as it holds it;
    ``logit_bias`` is added to those of its ids. ``min_p`` keeps tokens of at least this part of the likeliest one's probability, behind the
    temperature. [OpenAI's API reference; Nguyen et al. 2024 for min-p]

    Raises:
        TillerError: a value out of its range.
    """

    alternatives: int = ALTERNATIVES
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.min_p < 1:
            raise TillerError("min_p is at least 0 (off) and below 1.")
        for name in ("presence_penalty", "frequency_penalty"):
            if not -MOST_PENALTY <= getattr(self, name) <= MOST_PENALTY:
                raise TillerError(f"{name} is between {-MOST_PENALTY:g} and {MOST_PENALTY:g}.")
        if len(self.logit_bias) > MOST_BIASED or not all(
            -MOST_BIAS <= bias <= MOST_BIAS for _, bias in self.logit_bias
        ):
            raise TillerError(
                f"logit_bias has at most {MOST_BIASED} tokens, each with a number between {-MOST_BIAS:g} and {MOST_BIAS:g}."
            )
