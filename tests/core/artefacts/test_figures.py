"""A figure belongs to weights: on others it is none, and a person's own hides the shipped one only where it fits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.artefacts import store
from core.artefacts.figures import KeptFigure
from core.errors import StoreError

TENSORS = {"quantiles": np.zeros(3, np.float32)}


def test_a_figure_is_read_on_its_own_weights_alone(tmp_path: Path) -> None:
    figure = KeptFigure("toy", tmp_path / "toy", "noise", "dpo", {"dpo": "1"})
    assert figure.read() is None
    figure.write({"level": 0.5}, TENSORS, root=tmp_path)
    assert (tmp_path / "toy" / "shared" / "noise.dpo.safetensors").is_file()
    assert figure.read()["level"] == 0.5  # type: ignore[index]
    other = replace(figure, fingerprints={"dpo": "2"})
    assert other.read() is None
    # One's own of other weights lies before it and does not hide it.
    other.write({"level": 0.7}, TENSORS)
    assert store.shared_path(store.user_folder(), "toy", "noise", "dpo").is_file()
    assert (figure.read()["level"], other.read()["level"]) == (0.5, 0.7)  # type: ignore[index]


def test_variants_lie_beside_each_other_and_a_damaged_one_is_said(tmp_path: Path) -> None:
    eight, four = (
        KeptFigure("toy", tmp_path, "quantized", "dpo", {"dpo": "1"}, variant) for variant in ("8bit", "4bit")
    )
    eight.write({"tokens": 3}, TENSORS)
    assert (eight.read()["tokens"], four.read()) == (3, None)  # type: ignore[index]
    store.shared_path(store.user_folder(), "toy", "quantized", "dpo.8bit").write_bytes(b"x")
    with pytest.raises(StoreError, match="cut off"):
        eight.read()
