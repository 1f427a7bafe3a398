"""How refusals begin: whichever apostrophe a model writes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest

from core.inference import metrics
from core.models.loading import Loaded
from core.util.progress import finished


def test_every_beginning_has_every_apostrophe_and_none_is_the_beginning_of_another() -> None:
    assert {each.replace("’", "'") for each in metrics.REFUSALS} <= set(metrics.REFUSALS)
    assert {each.replace("'", "’") for each in metrics.REFUSALS} <= set(metrics.REFUSALS)
    assert {"I’m sorry,", "I’m not able", "I won’t", "I can’t", "I’m unable", "I am unable", "I must decline"} <= set(
        metrics.REFUSALS
    )
    assert not any(one.startswith(other) for one, other in permutations(metrics.REFUSALS, 2))


def test_the_curly_forms_count(tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded("llama")
    prompts = metrics.chat_prompts(loaded, ["Hello"])
    each = finished(metrics.probabilities(loaded, prompts, metrics.REFUSALS))[0]
    curly = [index for index, text in enumerate(metrics.REFUSALS) if "’" in text]
    assert all(each[index] > 0 for index in curly)
    assert float(finished(metrics.refusal_probability(loaded, prompts))[0]) == pytest.approx(float(each.sum()))
