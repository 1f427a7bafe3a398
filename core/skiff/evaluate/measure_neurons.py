"""Confidence in the card: how many candidates of the last two blocks are entropy neurons, and how well calibrated judging is.

What is measured, and how, stands in :mod:`core.confidence.confidence`; the controls are neurons of like norm.
"""

from __future__ import annotations

from collections.abc import Iterator

from core.confidence.measure import measure_confidence
from core.directions import contrast
from core.skiff.evaluate.subjects import Subjects
from core.training.card_figures import Figure, count
from core.util.progress import finished

_NEURONS = "Confidence"


def neuron_figures(subjects: Subjects) -> Iterator[Figure]:
    """Of the candidates of the last two blocks of base and final checkpoint, those that are entropy neurons; and calibration."""
    statements = contrast.load_contrast(subjects.family, "truth")
    for name in (subjects.base, subjects.final):
        found = finished(measure_confidence(subjects.load(name), statements))
        honest = "" if any(found.found) else "none was found, with a tied unembedding; "
        largest = max(abs(found.candidates.total.mean(1)))
        # Of twenty neurons that are none, one passes the comparison with others of its size.
        note = f"{honest}by chance up to 1 in 20; largest change of entropy by a candidate {largest:.4f} nats"
        yield count(_NEURONS, "candidates that are entropy neurons, last two blocks", name, found.found, note=note)
        yield count(_NEURONS, "neurons of like norm that pass as entropy neurons", name, found.found_by_chance)
        own = found.calibration
        note = f"how sure {own.sureness:.3f}; expected calibration error {own.ece.text()}, by chance {own.by_chance[0]:.3f}"
        yield count(_NEURONS, "statements judged right, few-shot, test categories", name, own.right.tolist(), note=note)
