"""How the steps of a training are taken again, as a family's own verbs say it. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.attribution.first_order import Embedding
    from core.families.checkpoint import Family


@dataclass(frozen=True)
class Replay:
    """How the later steps of a family are taken again: for which families, and what gives every stage's embedding, by the checkpoint
    that it led to, and how far the replay ended from each checkpoint, relative to what its stage moved."""

    suits: Callable[[Family], bool]
    run: Callable[[Family, Path, Callable[[str], None]], tuple[Mapping[str, Embedding], Mapping[str, float]]]
