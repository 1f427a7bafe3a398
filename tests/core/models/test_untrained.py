"""A copy of a model with nothing learnt: the same numbers in other places, and the model itself as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.families import registry
from core.inference.teacher_forcing import reply_logits
from core.models import memory
from core.models.loading import load_model
from core.models.memory import Room
from core.models.placement import Placing
from core.models.untrained import untrained
from tests.support import tiny_models

PROMPT, REPLY = (0, 7, 8, 9), (11, 12)


def test_every_matrix_has_its_own_numbers_in_other_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    family = registry.load_family(str(tiny_models.family(tmp_path / "f", "llama")))
    loaded = load_model(family, "chat", Placing("cpu", dtype="float32"))
    before = reply_logits(loaded, [PROMPT], [REPLY])[0].clone()
    made = untrained(loaded)
    assert made is not None
    for (name, own), (_, dealt) in zip(loaded.model.named_parameters(), made.model.named_parameters(), strict=True):
        assert torch.equal(own.flatten().sort().values, dealt.flatten().sort().values)
        assert torch.equal(own, dealt) == (own.dim() == 1), name
    assert not torch.allclose(reply_logits(made, [PROMPT], [REPLY])[0], before)
    assert torch.equal(reply_logits(loaded, [PROMPT], [REPLY])[0], before)
    again = untrained(loaded)
    assert again is not None
    assert all(map(torch.equal, made.model.parameters(), again.model.parameters()))
    # What acts on a layer finds the copy's own layers.
    assert made.anatomy.blocks[0] is not loaded.anatomy.blocks[0]
    assert untrained(replace(loaded, quantize="4bit")) is None
    monkeypatch.setattr(memory, "room", lambda *_: Room({}, 10))
    assert untrained(loaded) is None
