"""What a config.json says of a model's size, and whether the checkpoints of a family are of one shape: directions and differences make
sense between equal layers only. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.families.checkpoint import Checkpoint, Family
from core.models import hub
from core.models.files import LoadError
from core.util.files import read_json


@dataclass(frozen=True)
class Shape:
    """What a config.json says: the architecture, the number of layers and the width of the residual stream; 0 where it says nothing."""

    kind: str
    layers: int
    width: int

    def __str__(self) -> str:
        return f"a {self.kind} of {self.layers} layers of width {self.width}"


def check_shape(family: Family, checkpoint: Checkpoint) -> None:
    """Raise LoadError when a checkpoint has another shape than the first of its family, as far as both are on this computer.

    Only the two config.json are read.
    """
    own = shape_of(checkpoint)
    for first in family.checkpoints:
        if first.name == checkpoint.name or own is None:
            return
        if (shape := shape_of(first)) is not None:
            break
    else:
        return
    if (own.kind, own.layers) == (shape.kind, shape.layers) and own.width in (2 * shape.width, shape.width / 2):
        wide = checkpoint if own.width > shape.width else first
        raise LoadError(
            f"{checkpoint.name} is {own.width} wide, and {first.name} {shape.width}: {wide.name} ({wide.weights}) was baked, which doubles "
            f"the width of such a model, so that it is no member of a family with others; chat with it alone, by --model {wide.weights}."
        )
    if shape != own:
        raise LoadError(
            f"{checkpoint.name} ({checkpoint.weights}) is {own}, and {first.name} ({first.weights}) is {shape}; checkpoints of one "
            f"family have one shape, so correct path or hub in {family.folder / 'family.toml'}."
        )


def shape_of(checkpoint: Checkpoint) -> Shape | None:
    """The shape of a checkpoint; None where its config.json is not on this computer or is damaged, which loading it says better."""
    path = hub.here(checkpoint.weights, "config.json")
    try:
        config = read_json(path) if path else None
    except (OSError, ValueError):
        return None
    if not isinstance(config, dict):
        return None
    inner = config.get("text_config")
    text = {**config, **(inner if isinstance(inner, dict) else {})}

    def number(*names: str) -> int:
        return next((text[name] for name in names if isinstance(text.get(name), int)), 0)

    return Shape(
        str(config.get("model_type", "model")),
        number("num_hidden_layers", "n_layer", "num_layers"),
        number("hidden_size", "n_embd", "d_model"),
    )


def context_of(checkpoint: Checkpoint, text: Any) -> int:
    """The longest sequence in tokens, for a text model's configuration. Raises LoadError where that leaves no room."""
    longest = int(getattr(text, "max_position_embeddings", 2048))
    rope = getattr(text, "rope_parameters", None) or {}
    if rope.get("rope_type") == "longrope":
        # Beyond its first length such a model (Phi-3's long ones) turns every token by other angles, those in the cache included,
        # and every row of a batch with the longest: a reply would change its own past.
        first = rope.get("original_max_position_embeddings", getattr(text, "original_max_position_embeddings", None))
        longest = min(longest, int(first)) if first else longest
    if longest < 1:
        raise LoadError(
            f"The config.json of {checkpoint.name} ({checkpoint.weights}) allows {longest} tokens; correct max_position_embeddings."
        )
    return longest
