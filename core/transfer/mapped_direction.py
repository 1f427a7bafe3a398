"""A direction of another family, mapped into a checkpoint: kept there, with what its map is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.artefacts import store
from core.artefacts.direction import Direction
from core.transfer.layer_maps import LayerMap
from core.transfer.task import TransferTask, digest
from core.util.version import PROGRAM


def keep_mapped(
    task: TransferTask,
    pair: tuple[str, str],
    directions: tuple[Direction, Direction],
    vectors: NDArray[np.float64],
    found: Sequence[LayerMap],
) -> None:
    """Keep a mapped direction as one of the target's, so that a recipe may name it.

    Args:
        pair: source and target; ``directions`` are theirs.
        vectors: the source's in the target's space [layers, width].
        found: the map to each layer.
    """
    (source, target), (carried, own) = pair, directions
    positive, negative = (
        np.stack([each.matrix @ means[each.layer].astype(np.float64) + each.offset for each in found])
        for means in (carried.positive, carried.negative)
    )
    layer = own.card.layer
    details = {
        **{
            key: own.card.details[key]
            for key in ("fingerprint", "layers", "width", "position")
            if key in own.card.details
        },
        "kind": "direction",
        "name": task.about,
        "family": task.family.name,
        "checkpoint": target,
        "layer": layer,
        "method": f"mapped from {source}",
        "mapped": {
            "from": source,
            "fingerprint": carried.card.details.get("fingerprint"),
            "direction": digest(carried),
            **map_told(found),
        },
        "program": PROGRAM,
        "date": date.today().isoformat(),
    }
    tensors = {"vectors": vectors, "positive": positive, "negative": negative}
    path = store.mapped_path(task.root, task.family.name, task.about, source, target)
    store.save_artefact(path, {name: values.astype(np.float32) for name, values in tensors.items()}, details)


def map_told(found: Sequence[LayerMap]) -> dict[str, Any]:
    """How well a map fits each layer, and from which one it comes, as a document has it."""
    return {
        "r2": [each.fit for each in found],
        "from_layers": [each.layer for each in found],
        "methods": [each.how for each in found],
    }
