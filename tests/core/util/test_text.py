"""Texts as sentences and screens have them."""

from __future__ import annotations

import pytest

from core.util.text import and_list


@pytest.mark.parametrize(
    ("words", "listed"), [((), ""), (("a",), "a"), (("a", "b"), "a and b"), (("a", "b", "c"), "a, b and c")]
)
def test_words_are_listed_as_a_sentence_lists_them(words: tuple[str, ...], listed: str) -> None:
    assert and_list(words) == listed
