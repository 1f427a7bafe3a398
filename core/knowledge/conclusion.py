"""What knowledge maps and the logit lens come to: where the answer stands, whether two checkpoints keep it in the same places, and at which
layer a word is settled on. No torch."""

from __future__ import annotations

import math

from core.knowledge.maps import Comparison, Map, Traced, Words
from core.util.figures import figure_text

#: From here on a replaced residual is said to bring back the answer.
_HALF = 0.5


def map_conclusion(traced: Traced) -> str:
    """A sentence on each checkpoint's map and one on the two; empty while there is no map."""
    plain = [each for each in traced.maps if not each.minus and each.source == each.target and each.known]
    said = [_strongest(each) for each in plain]
    if traced.comparison is not None and len(plain) > 1:
        said.append(_alike(traced.comparison, plain[0].target, plain[1].target))
    return " ".join(said)


def lens_conclusion(words: Words) -> str:
    """A sentence for each of the plain and the steered model: from which layer on it would have said the word that was said."""
    named = [f"The {title} model" for title in words.titles] if len(words.titles) > 1 else ["The model"]
    return " ".join(_settles(who, words, layers) for who, layers in zip(named, words.rows, strict=True))


def _settles(who: str, words: Words, layers: tuple[tuple[tuple[str, float], ...], ...]) -> str:
    likeliest = [top[0][0] for top in layers]
    if likeliest[-1] != words.said:
        return f"{who} would rather have said {_quoted(likeliest[-1])} than {_quoted(words.said)}."
    place = len(likeliest) - 1
    while place and likeliest[place - 1] == words.said:
        place -= 1
    if not place:
        return f"{who} would have said {_quoted(words.said)} at every layer."
    return (
        f"{who} settles on {_quoted(words.said)} at layer {words.layers[place]} of {words.layers[-1]}; "
        f"one layer earlier it would have said {_quoted(likeliest[place - 1])}."
    )


def _quoted(word: str) -> str:
    return f"“{word.strip() or 'a space'}”"


def _strongest(shown: Map) -> str:
    cells = (
        (value, layer, column)
        for layer, row in enumerate(shown.cells)
        for column, value in enumerate(row)
        if not math.isnan(value)
    )
    value, layer, column = max(cells)
    where = f"layer {layer} at “{shown.columns[column].strip() or 'the space'}”"
    if value < _HALF:
        return f"In {shown.target} no single place holds it: the strongest, {where}, brings back {_hundred(value)} of the answer."
    first = next(
        at for at, row in enumerate(shown.cells) if any(not math.isnan(each) and each >= _HALF for each in row)
    )
    return (
        f"In {shown.target} it stands most clearly in {where}: one residual put back there brings back {_hundred(value)} of the answer; "
        f"from layer {first} on some place brings back more than half."
    )


def _alike(found: Comparison, one: str, other: str) -> str:
    top = f", at most {figure_text(found.ceiling)} could be" if found.ceiling is not None else ""
    figures = f"the maps correlate by {figure_text(found.r)}{top}"
    _, low, high = found.above or (math.nan, math.nan, math.nan)
    if found.null is None or math.isnan(low):
        return f"{one} and {other}: {figures}."
    null = f"; with another category's map it is {figure_text(found.null)}"
    if low > 0:
        return f"{one} and {other} keep it in the same places: {figures}{null}."
    if high < 0:
        return f"{one} and {other} do not keep it in the same places: {figures}{null}."
    return f"Whether {one} and {other} keep it in the same places cannot be told: {figures}{null}."


def _hundred(value: float) -> str:
    """A part in words; what is above all or below nothing is said so."""
    return f"{round(100 * value)} of 100 parts"
