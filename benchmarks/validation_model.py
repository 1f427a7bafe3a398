"""How reliable a model's truth direction is, by single statements and by subject: whether its cosines can say anything at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.validation_statistics import Row
from core.artefacts import store
from core.directions import contrast
from core.families.checkpoint import Family
from core.inference.batch import batch_rows
from core.models.loading import Loaded
from core.transfer import alignment
from core.transfer.alignment import ProbeReading
from core.util.progress import finished

#: Below that nothing is concluded from a cosine (core/transfer/checks.py).
_LEAST = 0.3


def model_rows(family: Family, loaded: Loaded) -> Iterator[Row]:
    """A row for the truth direction of a checkpoint, at the layer of the stored one or at two thirds of the depth."""
    examples = contrast.load_contrast(family, "truth")
    learnt = replace(examples, items=tuple(each for each in examples.items if each.split == "train"))
    texts = alignment.texts_of(learnt)
    ways = {"singly": replace(texts, group=np.arange(len(texts.labels))), "grouped": texts}
    wanted = {name: alignment.weights(each)["blocks"] for name, each in ways.items()}
    prompts = alignment.transfer_prompts(loaded, "truth", texts.texts)
    reading = finished(alignment.read_states(loaded, prompts, -1, wanted, batch_rows(loaded)))
    path = store.find_artefact(family.places, loaded.checkpoint.name, "direction", "truth")
    layer = store.read_card(path).layer if path is not None else 2 * loaded.anatomy.layers // 3
    found = {
        name: float(alignment.direction_reliability(ProbeReading({"blocks": reading.rows[name]}))[layer])
        for name in ways
    }
    what = f"reliability of the truth direction of {family.name} {loaded.checkpoint.name}, layer {layer}"
    yield Row(what, f"≥ {_LEAST}", f"{found['singly']:.2f}", f"{found['grouped']:.2f}", found["grouped"] >= _LEAST)
