"""What a family has learnt, as the front ends list it: read once, noticed at once, in one order, and with the measured ranges."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.artefacts import neuron_sets, store
from core.chat.settings import Column
from core.chat.sliders import SliderBank
from core.engine.engine import Engine
from core.errors import TillerError
from core.recipes.language import parse
from tests.support import tiny_models


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv("TILLER_DATA", str(tmp_path / "data"))
    folder = tiny_models.family(tmp_path / "toy")
    tiny_models.direction(folder, "base", "refusal", layer=2)
    tiny_models.direction(folder, "base", "zeal", reading_range=[-3.0, 3.0])
    for checkpoint, low in (("base", -0.25), ("chat", -0.5)):
        tiny_models.direction(folder, checkpoint, "truth", reading_range=[low, 1.5])
    details = {"kind": "neurons", "name": "entropy", "family": "toy", "checkpoint": "chat"}
    tensors = {"neurons": [[0, 1], [1, 2]], "means": [0.5, 0.25]}
    path = store.artefact_path(folder.parent, "toy", "chat", "neurons", "entropy")
    store.save_artefact(path, {name: np.array(value) for name, value in tensors.items()}, details)
    return Engine(str(folder))


def test_nothing_is_read_from_disk_while_a_slider_is_dragged(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: Counter[str] = Counter()
    header, tensors = store.read_metadata, neuron_sets.read_tensors
    monkeypatch.setattr(store, "read_metadata", lambda path: reads.update([path.name]) or header(path))
    monkeypatch.setattr(neuron_sets, "read_tensors", lambda path: reads.update([path.name]) or tensors(path))
    bank, settings = SliderBank(engine.catalogue), engine.settings(recipe="1*truth + !neurons:entropy")

    def drag(strength: float) -> None:
        nonlocal settings
        settings = settings.with_recipe(bank.move(settings, "truth", strength))
        assert list(engine.catalogue.directions()) == ["truth", "refusal", "zeal"]
        engine.lenses(settings)
        engine.explain(settings.column.recipe, settings.column.checkpoint)
        bank.key(settings, "truth")

    drag(0.5)
    assert sum(reads.values()) > 0
    reads.clear()
    for step in range(20):
        drag(step / 10)
    assert reads == Counter()


def test_a_direction_is_noticed_as_soon_as_it_is_learnt_changed_or_gone(engine: Engine) -> None:
    settings = engine.settings()
    assert [each.name for each in engine.lenses(settings)][3:6] == ["truth", "refusal", "zeal"]
    assert engine.catalogue.sources("kindness") == ()
    path = tiny_models.direction(engine.family.folder, "chat", "kindness", layer=1)
    assert engine.catalogue.sources("kindness") == ("chat",)
    assert [each.name for each in engine.lenses(settings)][3:7] == ["truth", "refusal", "kindness", "zeal"]
    assert engine.explain(parse("1*kindness"), "chat") == "layer 1, all tokens"
    tiny_models.direction(engine.family.folder, "chat", "kindness", layer=2)
    assert engine.explain(parse("1*kindness"), "chat") == "layer 2, all tokens"
    path.write_bytes(b"not whole")
    with pytest.raises(TillerError, match="cut off"):
        engine.explain(parse("1*kindness"), "chat")
    path.unlink()
    assert engine.catalogue.sources("kindness") == ()


def test_a_direction_is_coloured_over_the_range_that_was_measured_for_the_selected_column(engine: Engine) -> None:
    settings = engine.settings()
    for checkpoint, low in (("base", -0.25), ("chat", -0.5)):
        found = {
            each.name: each for each in engine.lenses(replace(settings, columns=(Column(checkpoint),), selected=0))
        }
        assert (found["truth"].low, found["truth"].high) == (low, 1.5)
        # Of another checkpoint where this one has none; fixed where nothing was measured.
        assert (found["zeal"].low, found["zeal"].high) == (-3.0, 3.0)
        assert (found["refusal"].low, found["refusal"].high) == (-1.0, 2.0)
        # A base model has no stages of its own: what the family's final one owes to them is shown.
        assert [each.name for each in found.values() if each.kind == "stages"] == ["blame", "blame:subtracted"]


def test_a_checkpoint_that_is_none_has_no_directions(engine: Engine) -> None:
    assert engine.catalogue.own("nobody") == "nobody"
    assert engine.catalogue.cards("nobody") == {}
    assert engine.catalogue.neuron_sets() == ("entropy",)
