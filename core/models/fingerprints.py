"""What a checkpoint's weights are known by, so that an artefact says which it belongs to."""

from __future__ import annotations

from core.artefacts.store import fingerprint_of
from core.families.checkpoint import Checkpoint, Subtracted
from core.models import deltas, lora


def model_fingerprint(checkpoint: Checkpoint) -> str:
    """What says that an artefact belongs to these weights; a folder's are read for it. Raises StoreError, DifferenceError."""
    if isinstance(checkpoint, Subtracted):
        parts = " ".join(model_fingerprint(each) for each in (checkpoint.whole, checkpoint.minus, checkpoint.plus))
        carried = [checkpoint.embedding.read_bytes()] if checkpoint.embedding else []
        return fingerprint_of([parts.encode(), *carried])
    below = below_adapters(checkpoint)
    return lora.adapter_fingerprint(checkpoint, below) if checkpoint.adapters else below


def packaged_fingerprint(checkpoint: Checkpoint) -> str | None:
    """What its weights would be known by if they had come out of its package; None where it has none. Raises StoreError."""
    if checkpoint.package is None:
        return None
    below = checkpoint.package.sha256[:16]
    return lora.adapter_fingerprint(checkpoint, below) if checkpoint.adapters else below


def below_adapters(checkpoint: Checkpoint) -> str:
    """The fingerprint of the weights below a checkpoint's adapters."""
    if checkpoint.local:
        return deltas.checkpoint_fingerprint(checkpoint)
    return f"{checkpoint.source}@{checkpoint.revision or 'main'}"
