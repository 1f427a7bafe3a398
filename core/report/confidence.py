"""Finding 4 of the report: the difference in confidence is not the work of entropy neurons. No torch."""

from __future__ import annotations

from collections.abc import Sequence

from core.confidence import compare
from core.confidence import tables as confidence_tables
from core.confidence.compare import MARGIN, CheckpointPair
from core.confidence.confidence import Confidence
from core.confidence.plots import neuron_plot, reliability_plot
from core.display import svg
from core.display.svg import Interval
from core.report.report import Drawing, Finding
from core.stats import verdicts
from core.stats.verdicts import HOLDS, INCONCLUSIVE, Verdict

CONFIDENCE = (
    *(4, "Confidence"),
    "Base and post-trained checkpoint differ in confidence, and entropy neurons do not carry the difference.",
)
CONFIDENCE_METHODS = (
    "For each MLP neuron of the last two blocks: the norm of its output weight, and LogitVar, the variance over the vocabulary "
    "of its cosine with the unembedding's rows, the final norm's gain folded in, centred, from weights in full precision "
    "[Stolfo et al.]. Candidates: among the quarter of largest norm the ten of lowest LogitVar, in each block. Each is set to "
    "its mean over other texts: the change of entropy in all, and with the final norm's scale held as it was; what goes through "
    "the scale makes an entropy neuron. Texts are true statements of categories that means were not taken from. The difference "
    "in entropy is taken text by text with both as they are and with both ablated; intervals are bootstraps over texts, and a "
    "change counts as none by two one-sided tests [Schuirmann]. Calibration: few-shot judging of test statements, confidence in "
    "the likelier label, ten bins. [Du et al., §6]"
)


def confidence(pair: CheckpointPair, every: Sequence[Confidence]) -> Finding:
    """The finding on confidence; ``every`` are all checkpoints that were measured, for the calibration."""
    parts = (differ(pair), pair.carried_by_none)
    tables = (
        *(
            confidence_tables.calibrations(every),
            confidence_tables.difference_table(pair),
            confidence_tables.shared(pair),
        ),
        verdicts.verdict_table(
            (compare.exist(pair.base), compare.exist(pair.post), pair.shared), "What was found of entropy neurons"
        ),
        *(confidence_tables.candidate_table(each) for each in (pair.base, pair.post)),
    )
    controls = tuple(compare.exist_by_chance(each) for each in (pair.base, pair.post))
    notes = () if any(pair.base.found) or any(pair.post.found) else (pair.carried_by_none.sentence.capitalize() + ".",)
    return Finding(*CONFIDENCE, parts, controls, tables, _drawings(pair, every), CONFIDENCE_METHODS, notes)


def differ(pair: CheckpointPair) -> Verdict:
    """Whether the two differ in entropy at all."""
    return Verdict(
        f"{pair.base.checkpoint} and {pair.post.checkpoint} differ in entropy on the same texts.",
        HOLDS if pair.before.differs else INCONCLUSIVE,
        f"{pair.before.text()} nats over {pair.before.n} texts",
        "holds: the 95 % interval leaves zero out; else inconclusive",
        test="bootstrap over texts",
    )


def _drawings(pair: CheckpointPair, every: Sequence[Confidence]) -> tuple[Drawing, ...]:
    carried, share = pair.carried, pair.share
    gaps = [
        Interval("difference in entropy, as they are", pair.before.value, pair.before.low, pair.before.high),
        Interval("difference, both ablated", pair.after.value, pair.after.low, pair.after.high),
        Interval("carried by the candidates", carried.value, carried.low, carried.high),
    ]
    parts = [
        Interval("carried by the candidates", share.value, share.low, share.high, MARGIN),
        Interval("carried, 90 % interval", share.value, share.inner_low, share.inner_high, -MARGIN),
    ]
    return (
        Drawing(
            "confidence-gap",
            svg.forest_plot("Differences in entropy, nats", gaps),
            svg.intervals_csv(gaps),
        ),
        Drawing(
            "confidence-share", svg.forest_plot("Parts of the difference in entropy", parts), svg.intervals_csv(parts)
        ),
        *(
            Drawing(
                f"confidence-neurons-{each.checkpoint}", neuron_plot(each), confidence_tables.neuron_table(each).csv()
            )
            for each in (pair.base, pair.post)
        ),
        Drawing("confidence-calibration", reliability_plot(every), confidence_tables.reliabilities(every).csv()),
    )
