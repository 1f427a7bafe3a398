"""What goes wrong while a checkpoint is read or downloaded, as one sentence that names the fix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.errors import TillerError
from core.families.checkpoint import Checkpoint, Source
from core.models import hub
from core.models.files import LoadError


def explained(checkpoint: Checkpoint, call: Callable[[], Any], source: Source | None = None) -> Any:
    """Run what transformers or the Hub's client does for a checkpoint, and turn its many errors into one sentence.

    ``source`` is what the call is about: the checkpoint's weights, unless it is one of its adapters.
    """
    about = source or checkpoint.weights
    try:
        return call()
    except TillerError:
        raise
    except MemoryError as error:
        raise LoadError(
            f"{checkpoint.name} does not fit into memory; use --quantize 4bit or a smaller family."
        ) from error
    except Exception as error:
        # transformers, safetensors and the Hub's client raise a dozen unrelated types here; all mean "cannot be loaded".
        if known := hub.needs_code(about, error) or (
            None if about.local else hub.hub_sentence(checkpoint, about, error)
        ):
            raise LoadError(known) from error
        reason = " ".join(str(error).split())[:300]
        raise LoadError(
            f"Checkpoint {checkpoint.name!r} cannot be loaded from {about}: {remedy(checkpoint)}. "
            f"({type(error).__name__}: {reason})"
        ) from error


def remedy(checkpoint: Checkpoint) -> str:
    """What to do about weights that are not whole."""
    return (
        "copy its folder again"
        if checkpoint.local
        else f"fetch it again with `hf download {checkpoint.source}`, or take another revision"
    )
