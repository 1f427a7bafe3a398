"""Finding 1 of the report: post-training leaves facts where they are. No torch.

Maps of causal tracing of base and post-trained checkpoint, averaged over pairs of a category: their correlation is judged as a part of
the way from what maps of different categories have to what halves of the pairs leave of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from core import map_files, maps
from core.findings import Drawing, Finding
from core.intervals import at_least
from core.maps import Comparison, Traced
from core.tabulated import Table
from core.verdicts import DOES_NOT, HOLDS, INCONCLUSIVE, Verdict

#: Maps are the same when their correlation is at least so far on the way from the null to the ceiling.
SAME = 0.5
#: Where null and ceiling are closer than this, or halves of the pairs agree less than that, a correlation says nothing.
_NO_WAY = 0.05
_NO_CEILING = 0.3

KNOWLEDGE = (1, "Knowledge", "Post-training does not change where in the model facts are stored.")
METHODS = (
    "Pairs of a true and a false statement of equal token lengths that both checkpoints judge rightly. The residual of the true "
    "run is put into the false run at one layer and token; the effect is how much of logit(TRUE) − logit(FALSE) at the last "
    "token that brings back, 0 none, 1 all [Meng et al.; Du et al., §3]. Maps are averaged over pairs by the token's role. Two "
    "checkpoints' maps are compared by Pearson's correlation over layers × roles, with a jackknife interval over folds of "
    "pairs, judged by how far it is on the way from its null (the other checkpoint's map of another category, since cells near 0 "
    "and 1 inflate any correlation) to its ceiling (how well halves of the pairs agree)."
)
_STATES = {"holds": HOLDS, "does not hold": DOES_NOT, "inconclusive": INCONCLUSIVE}


def knowledge(traced: Sequence[Traced], controls: Sequence[Verdict] = ()) -> Finding:
    """The finding on knowledge, from maps of two checkpoints each."""
    parts: list[Verdict] = []
    failing = list(controls)
    for each in traced:
        if each.comparison is not None:
            parts.append(_same(each, each.comparison))
            failing += _null(each, each.comparison)
    tables = (_table(traced), *(_map_table(each) for each in traced))
    drawn = tuple(Drawing(f"knowledge-{each.order.set or 'pair'}", map_files.to_svg(each)) for each in traced)
    notes = tuple(f"{each.order.title}: {line}" for each in traced for line in each.notes)
    return Finding(*KNOWLEDGE, tuple(parts), tuple(failing), tables, drawn, METHODS, notes)


def not_traced(name: str, category: str, reason: str) -> Verdict:
    """The negative control that has no map at all, since it answers no pair: it stores nothing that could be found."""
    return Verdict(
        f"{name} stores {category} where tracing finds them.", DOES_NOT, reason, "does not: no pair is judged rightly"
    )


def same_as(name: str, found: Comparison, category: str) -> Verdict:
    """The negative control that could be traced, judged as the real pair is."""
    state, figures, reason = _judged(found.r, found.low, found.high, found)
    return Verdict(
        f"{name} stores {category} where the post-trained checkpoint does.", state, figures, _THRESHOLD, reason
    )


_THRESHOLD = (
    f"holds: the whole 95 % interval at least {SAME:.2f} of the way from the null to the ceiling; does not: all of it less; inconclusive: "
    "else, or where the two are too close"
)


def _judged(r: float, low: float, high: float, found: Comparison) -> tuple[str, str, str]:
    """The state, the figures, and why nothing can be said, where that is so."""
    ceiling, null = found.ceiling, found.null
    figures = f"r {r:.3f} ({low:.3f} to {high:.3f})"
    if ceiling is None or ceiling < _NO_CEILING:
        return INCONCLUSIVE, f"{figures}, no ceiling", "halves of the pairs do not agree"
    if null is None or math.isnan(null):
        return (
            INCONCLUSIVE,
            f"{figures}, ceiling {ceiling:.3f}, no null",
            "no pairs of another category are judged rightly",
        )
    figures += f", ceiling {ceiling:.3f}, null {null:.3f}"
    whole = ceiling - null
    if whole < _NO_WAY:
        return INCONCLUSIVE, figures, "maps of different categories are as alike as halves of one"
    way, near, far = ((each - null) / whole for each in (r, low, high))
    return _STATES[at_least(near, far, SAME)], f"{figures}, on the way {way:.2f} ({near:.2f} to {far:.2f})", ""


def _same(traced: Traced, found: Comparison) -> Verdict:
    state, figures, reason = _judged(found.r, found.low, found.high, found)
    claim = f"The maps of {traced.order.title} in {' and '.join(traced.order.checkpoints)} are the same."
    return Verdict(claim, state, figures, _THRESHOLD, reason)


def _null(traced: Traced, found: Comparison) -> list[Verdict]:
    """Maps of different categories, judged as the real ones are: they ought to fail."""
    if found.null is None or math.isnan(found.null):
        return []
    state, figures, reason = _judged(found.null, found.null, found.null, found)
    return [
        Verdict(
            f"The maps of {traced.order.set} and {found.null_set} are the same.", state, figures, _THRESHOLD, reason
        )
    ]


def _table(traced: Sequence[Traced]) -> Table:
    rows = []
    for each in traced:
        found, difference = each.comparison, next((one for one in each.maps if one.minus), None)
        if found is None or difference is None:
            continue
        layer, column, value, half = found.largest
        rows.append(
            (
                each.order.title,
                str(found.n),
                f"{found.r:.3f} ({found.low:.3f} to {found.high:.3f})",
                "–" if found.ceiling is None else f"{found.ceiling:.3f}",
                "–" if found.null is None else f"{found.null:.3f} ({found.null_set})",
                f"{value:+.3f} ± {half:.3f} at layer {layer}, {difference.columns[column].strip()}",
            )
        )
    return Table(
        "Maps compared",
        ("set", "pairs", "Pearson's r (95 %)", "ceiling", "null", "largest difference (95 %)"),
        tuple(rows),
    )


def _map_table(traced: Traced) -> Table:
    """The maps of one set below each other."""
    shown = [each for each in traced.maps if each.source == each.target or each.minus]
    columns = shown[0].columns if shown else ()
    rows = [
        (each.title, str(layer), *(maps.number(value) for value in each.cells[layer]))
        for each in shown
        for layer in reversed(range(each.layers))
    ]
    return Table(f"Maps of {traced.order.title}", ("map", "layer", *(each.strip() for each in columns)), tuple(rows))
