"""Finding 1 of the report: post-training leaves facts where they are. No torch.

Maps of causal tracing of base and post-trained checkpoint, averaged over pairs of a category, are judged by three figures [methods.md §3;
Du et al., §3: they correlate strongly and differ little]:

- the correlation lies above its null, which is that of maps of different categories: cells near 0 and 1 inflate any correlation;
- freed of noise, it reaches :data:`STRONG`: maps of different pairs are compared, and divided by how well each agrees with itself;
- no cell differs by more than :data:`SMALL` of the whole effect; that one does is said only where its interval pays for all there are.

A fourth is told beside them: how much the residuals of each checkpoint bring back in the *other*, as a part of what its own do there. The
study finds that the base's work in the post-trained checkpoint, and the other way round often not; the first is a part of the claim.

And before them both checkpoints must judge the pairs rightly more often than one that guesses: else there is nothing to look for.

Neither the null nor a control is 0 or 1 by construction, each could have come out otherwise. The controls go through the same three
figures: the base's own map with the roles of its tokens dealt anew in each layer (which keeps how much each layer does), or with its layers
dealt anew for each role (which keeps how much each role does), and the map of a base that was never taught to judge statements. One that
passes says that the correlation comes from a profile that any map of this model has. The thresholds were written down before they were
tried on the weights that ship: ``STRONG`` is what is called a strong correlation, ``SMALL`` a change that does not turn a cell that
brings back most of the answer into one that brings back half of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from core.knowledge import map_export, map_statistics, maps
from core.knowledge.map_statistics import MapArray
from core.knowledge.maps import Map, Traced
from core.report.report import Drawing, Finding
from core.stats import verdicts
from core.stats.groups import t
from core.stats.rates import Rate
from core.stats.similarity import Similarity
from core.stats.verdicts import DOES_NOT, INCONCLUSIVE, Verdict, at_least, at_most
from core.util.figures import change_text
from core.util.table import Table

#: Maps correlate strongly when, freed of the pairs' noise, they reach this correlation.
STRONG = 0.9
#: Two maps differ little when no cell differs by more than this part of the whole effect.
SMALL = 0.25
#: Residuals of another checkpoint work where they bring back at least this part of what the target's own do.
WORKS = 0.75
#: One that guesses judges both sentences of a pair rightly this often.
GUESSED = 0.25
#: Where maps agree with themselves less than that, a correlation says nothing.
_NO_CEILING = 0.3
#: So often roles or layers are dealt anew.
_SHUFFLES = 1_000

KNOWLEDGE = (1, "Knowledge", "Post-training does not change where in the model facts are stored.")
KNOWLEDGE_METHODS = (
    "Pairs of a true and a false statement of equal token lengths that both checkpoints judge rightly. The residual of the true "
    "run is put into the false run at one layer and token; the effect is how much of logit(TRUE) − logit(FALSE) at the last "
    "token that brings back, 0 none, 1 all [Meng et al.; Du et al., §3]. Maps are averaged over pairs by the token's role. Two "
    "checkpoints' maps are compared by Pearson's correlation over layers × roles, with a jackknife interval over folds of "
    "pairs, beside its null (the other checkpoint's map of another category, since cells near 0 and 1 inflate any correlation) and "
    "as a part of its ceiling, from halves of the pairs that are crossed between the checkpoints, so that no pair is on both sides; "
    "by how much the base's residuals bring back in the post-trained checkpoint, as a part of what its own do there (the other way round "
    "is told beside it); and by the cell that differs most, which differs surely when its interval, corrected for the number of cells "
    "[Bonferroni], says so. Controls go through the same figures: the "
    f"base's own map with the roles of its tokens, or its layers, dealt anew {_SHUFFLES:,} times (told are the median and the middle "
    "95 %), and where there is one a base that was never taught to judge statements."
)
#: By which test the correlation and the largest difference are judged.
_CROSSED = "crossed halves of the pairs, jackknife interval"
_CELLS = "intervals of all cells, those that say it differs corrected for how many there are"
#: A figure with its interval.
_Figure = tuple[float, float, float]


def knowledge(traced: Sequence[Traced], controls: Sequence[Verdict] = ()) -> Finding:
    """The finding on knowledge, from maps of two checkpoints each. ``controls`` are added to those that the maps themselves give."""
    parts: list[Verdict] = []
    failing: list[Verdict] = []
    for each in traced:
        parts += knowledge_verdicts(each)
        failing += shuffled(each)
    tables = (_table(traced), *(_map_table(each) for each in traced))
    drawn = tuple(
        Drawing(f"knowledge-{each.order.set or 'pair'}", map_export.to_svg(each), map_export.map_csv(each))
        for each in traced
    )
    notes = tuple(line for each in traced for line in each.notes)
    return Finding(*KNOWLEDGE, tuple(parts), (*failing, *controls), tables, drawn, KNOWLEDGE_METHODS, notes)


def knowledge_verdicts(traced: Traced) -> tuple[Verdict, ...]:
    """The parts of the claim, for one category."""
    found = traced.comparison
    if found is None:
        return ()
    category, names = traced.order.set, " and ".join(traced.order.checkpoints)
    rate = Rate(traced.right, traced.asked)
    low, high = rate.interval
    above = found.above or (math.nan, math.nan, math.nan)
    return (
        Verdict(
            f"{names} judge pairs of {category} rightly.",
            at_least(low, high, GUESSED),
            f"{rate} of {rate.n} pairs that were asked about, by both",
            f"holds: all of the 95 % interval at least {GUESSED:.2f}, what guessing gives; does not hold: all of it less",
            test="Wilson's interval over pairs",
        ),
        _over(f"The maps of {category} in {names} are more alike than maps of different categories.", above, found.null, found.null_set),
        _strong(f"The maps of {category} in {names} correlate strongly.", (found.r, found.low, found.high), found.ceiling, found.freed),
        _small(f"The maps of {category} in {names} differ little.", _most(traced)),
        *(_works(f"Residuals of {each.source} bring {category} back in {each.target}.", carried(traced, each))
          for each in _across(traced)[:1]),
    )  # fmt: skip


def shuffled(traced: Traced) -> tuple[Verdict, ...]:
    """The controls that the maps of one category give: the base's map with its cells dealt anew, judged as it was itself."""
    found, maps_of = traced.comparison, _within(traced)
    if found is None or found.null is None or len(maps_of) != 2:
        return ()
    base, post = (map_statistics.array(each) for each in maps_of)
    names = traced.order.checkpoints
    made = (("the roles of its tokens", 1), ("its layers", 0))
    return tuple(
        _control(
            f"The map of {traced.order.set} in {names[0]} with {said} dealt anew is that of {names[1]}.",
            *_permuted(base, post, axis),
            traced,
        )
        for said, axis in made
    )


def never_taught(name: str, traced: Traced) -> Verdict:
    """The negative control that could be traced, by the parts that the real pair is judged by."""
    category, post = traced.order.set, traced.order.checkpoints[-1]
    return _joined(f"{name} stores {category} where {post} does.", knowledge_verdicts(traced))


def not_traced(name: str, category: str, reason: str) -> Verdict:
    """The negative control that has no map at all, since it answers no pair: it stores nothing that could be found."""
    return Verdict(
        f"{name} stores {category} where tracing finds them.",
        DOES_NOT,
        reason,
        "does not hold: no pair is judged rightly",
        test="a count",
    )


# ------------------------------------------------------------------------------------------------------------ the figures


def _over(claim: str, above: _Figure, null: float | None, null_set: str) -> Verdict:
    value, low, high = above
    threshold = "holds: all of the 95 % interval above the null; does not hold: all of it below; else inconclusive"
    if null is None or math.isnan(value):
        return Verdict(
            claim, INCONCLUSIVE, "no null", threshold, "no pairs of another category are judged rightly by both"
        )
    shown, least, most = (change_text(each, 3) for each in above)
    figures = f"{shown} ({least} to {most}) above the null, {null:.3f} with maps of {null_set}"
    if math.isnan(low):
        return Verdict(claim, INCONCLUSIVE, f"{shown}, null {null:.3f}", threshold, "too few pairs")
    return Verdict(claim, at_least(low, high, 0.0), figures, threshold, test="jackknife interval over folds of pairs")


def _strong(claim: str, r: _Figure, ceiling: float | None, freed: Similarity | None) -> Verdict:
    threshold = f"holds: all of the 95 % interval at least {STRONG:.2f} of the ceiling; does not hold: all of it less; else inconclusive"
    figures = f"r {r[0]:.3f} ({r[1]:.3f} to {r[2]:.3f})"
    if ceiling is None or ceiling < _NO_CEILING or freed is None:
        return Verdict(claim, INCONCLUSIVE, f"{figures}, no ceiling", threshold, "halves of the pairs do not agree")
    told = f"{figures}, ceiling {ceiling:.3f}: {freed.value:.2f} ({freed.low:.2f} to {freed.high:.2f}) of it"
    return Verdict(claim, at_least(freed.low, freed.high, STRONG), told, threshold, test=_CROSSED)


def _small(claim: str, most: _Figure) -> Verdict:
    value, low, high = most
    threshold = f"holds: every cell's 95 % interval within ±{SMALL:.2f}; does not hold: some cell's wholly beyond; else inconclusive"
    if math.isnan(high):
        return Verdict(claim, INCONCLUSIVE, f"largest difference {value:.3f}", threshold, "too few pairs")
    figures = f"largest difference {value:.3f}, at most {high:.3f}"
    return Verdict(claim, at_most(low, high, SMALL), figures, threshold, test=_CELLS)


def _most(traced: Traced) -> _Figure:
    """The largest difference of a cell, how much some cell surely differs, and how much one may differ at most.

    That all cells differ little is said where each one's interval says so, which needs no correction. That some cell differs is said of the
    one that does most, out of all that were looked at: its interval is widened for that [Bonferroni].
    """
    difference = next((each for each in traced.maps if each.minus), None)
    if difference is None:
        return math.nan, math.nan, math.nan
    cells = np.abs(map_statistics.array(difference))
    half = np.array(difference.half) if difference.half else np.full(cells.shape, math.nan)
    # Of a role that a fold or none has there is no interval; its cells count as the others do in the correlation.
    known = np.isfinite(half)
    if not known.any():
        return float(cells.max()), math.nan, math.nan
    freedom = max(1, min(map_statistics.PAIR_FOLDS, difference.n) - 1)
    wider = t(freedom, int(known.sum())) / t(freedom)
    return float(cells.max()), float((cells - wider * half)[known].max()), float((cells + half)[known].max())


def _works(claim: str, share: _Figure) -> Verdict:
    value, low, high = share
    threshold = (
        f"holds: all of the 95 % interval at least {WORKS:.2f}; does not hold: all of it less; else inconclusive"
    )
    if math.isnan(low):
        return Verdict(claim, INCONCLUSIVE, f"{value:.2f} of what its own do", threshold, "too few pairs")
    figures = f"{value:.2f} ({low:.2f} to {high:.2f}) of what its own do there"
    return Verdict(
        claim, at_least(low, high, WORKS), figures, threshold, test="intervals of cells, as if they varied together"
    )


def carried(traced: Traced, across: Map) -> _Figure:
    """How much another checkpoint's residuals bring back, as a part of what the target's own do: the slope through nothing of the one map
    on the other, with its 95 % interval. Cells of one map come from the same pairs, so they are taken to vary together, which is the most
    that they can."""
    own = next(each for each in _within(traced) if each.target == across.target)
    weights, cells = map_statistics.array(own), map_statistics.array(across)
    half = np.array(across.half, np.float64) if across.half else np.full(cells.shape, math.nan)
    known = np.isfinite(weights) & np.isfinite(cells)
    whole = float((weights[known] ** 2).sum())
    if not whole:
        return math.nan, math.nan, math.nan
    value = float((weights * cells)[known].sum()) / whole
    varying = known & np.isfinite(half)
    width = float((np.abs(weights) * half)[varying].sum()) / whole if varying.any() else math.nan
    return value, value - width, value + width


def _across(traced: Traced) -> list[Map]:
    """The maps of residuals of one checkpoint in the other: the base's in the post-trained one first."""
    return sorted(
        (each for each in traced.maps if each.source != each.target),
        key=lambda each: each.source != traced.order.checkpoints[0],
    )


def _within(traced: Traced) -> list[Map]:
    return [each for each in traced.maps if each.source == each.target and not each.minus]


def _joined(claim: str, parts: Sequence[Verdict]) -> Verdict:
    """Parts as one line of a table: it passes where all of them do."""
    whole = verdicts.together(claim, tuple(parts))
    figures = "; ".join(each.figures for each in parts)
    return Verdict(
        claim,
        whole.state,
        figures,
        "those of the parts above, all of which would have to hold",
        whole.reason,
        whole.test,
    )


def _control(claim: str, r: MapArray, most: MapArray, traced: Traced) -> Verdict:
    found = traced.comparison
    assert found is not None
    assert found.null is not None
    value, low, high = _middle(r)
    parts = (
        _over("", (value - found.null, low - found.null, high - found.null), found.null, found.null_set),
        _strong("", (value, low, high), found.ceiling, _over_ceiling((value, low, high), found.ceiling)),
        _small("", _middle(most)),
    )
    return _joined(claim, parts)


def _over_ceiling(r: _Figure, ceiling: float | None) -> Similarity | None:
    """The correlation of a map dealt anew as a part of the ceiling: what is dealt anew shares no noise with the other any more."""
    return Similarity(*(each / ceiling for each in r)) if ceiling else None


def _middle(values: MapArray) -> _Figure:
    low, value, high = np.percentile(values, (2.5, 50, 97.5))
    return float(value), float(low), float(high)


def _permuted(base: MapArray, post: MapArray, axis: int) -> tuple[MapArray, MapArray]:
    """The correlation and the largest difference of ``post`` and every ``base`` dealt anew along an axis: [SHUFFLES] each."""
    many = np.broadcast_to(base, (_SHUFFLES, *base.shape))
    made = np.random.default_rng(7).permuted(many, axis=1 + axis)
    apart = [each - each.mean((-2, -1), keepdims=True) for each in (made, post)]
    lengths = [np.sqrt((each**2).sum((-2, -1))) for each in apart]
    correlations: MapArray = (apart[0] * apart[1]).sum((-2, -1)) / (lengths[0] * lengths[1])
    return correlations, np.abs(made - post).max((-2, -1))


# ------------------------------------------------------------------------------------------------------------- the tables


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
                f"{found.n} of {each.right} right of {each.asked}",
                f"{found.r:.3f} ({found.low:.3f} to {found.high:.3f})",
                "–" if found.ceiling is None else f"{found.ceiling:.3f}",
                "–" if found.null is None else f"{found.null:.3f} ({found.null_set})",
                f"{change_text(value, 3)} ± {half:.3f} at layer {layer}, {difference.columns[column].strip()}",
                "; ".join(
                    f"{one.title} {part:.2f} ({low:.2f} to {high:.2f})"
                    for one in _across(each)
                    for part, low, high in [carried(each, one)]
                )
                or "–",
            )
        )
    return Table(
        "Maps compared",
        (
            "set",
            "pairs traced, judged rightly, asked about",
            "Pearson's r (95 %)",
            "ceiling",
            "null",
            "largest difference (95 %)",
            "one's residuals in the other, of what its own do (95 %)",
        ),
        tuple(rows),
    )


def _map_table(traced: Traced) -> Table:
    """The maps of one set below each other."""
    shown = [*_within(traced), *(each for each in traced.maps if each.minus)]
    columns = shown[0].columns if shown else ()
    rows = [
        (each.title, str(layer), *(maps.cell_text(value) for value in each.cells[layer]))
        for each in shown
        for layer in reversed(range(each.layers))
    ]
    return Table(f"Maps of {traced.order.title}", ("map", "layer", *(each.strip() for each in columns)), tuple(rows))
