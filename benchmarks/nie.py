"""The truthfulness intervention as the authors of the study run it, on base and final checkpoint with each one's vector: their table."""

from __future__ import annotations

import argparse
import re

from core.directions import contrast
from core.errors import UsageError
from core.families import registry
from core.models import loading
from core.models.placement import Placing
from core.transfer.published_intervention import mass_mean, published_effect
from core.util.progress import finished


def nie(options: argparse.Namespace) -> bool:
    """Print the effect for each source and target. Nothing is promised of it: it is there to be compared with published figures.

    Raises:
        TillerError: layers that the model does not have, or a category that there is not.
    """
    family = registry.load_family(options.family)
    examples = contrast.load_contrast(family, "truth")
    names = list(dict.fromkeys((family.present[0].name, options.checkpoint or family.final.name)))
    vectors = {}
    for name in names:
        loaded = loading.load_model(family, name, Placing(options.device, options.dtype, options.quantize))
        first, last = _layers(options.layers, loaded.anatomy.layers)
        vectors[name] = mass_mean(loaded, examples, options.set, last)
    print(
        f"{family.title}: {options.set}, the vector of layer {last} added at layers {first} to {last}, at a statement's last two tokens"
    )
    for target in names:
        loaded = loading.load_model(family, target, Placing(options.device, options.dtype, options.quantize))
        for source, vector in vectors.items():
            if len(vector) != loaded.width:
                print(f"  {source} → {target}: of other width")
                continue
            found = finished(published_effect(loaded, examples, options.set, vector, range(first, last + 1)))
            print(
                f"  {source} → {target}: NIE {found.mean:.3f} (true to false {found.down:.3f}, false to true {found.up:.3f}, "
                f"n = {found.statements})",
                flush=True,
            )
    return True


def _layers(text: str, layers: int) -> tuple[int, int]:
    """The first and the last of a range. Raises UsageError."""
    if not text:
        return layers // 4, 3 * layers // 8
    read = re.fullmatch(r"([0-9]{1,4})-([0-9]{1,4})", text)
    first, last = (int(each) for each in read.groups()) if read else (1, 0)
    if not first <= last < layers:
        raise UsageError(f"--layers takes a range such as 8-12, of layers 0 to {layers - 1}, not {text!r}.")
    return first, last
