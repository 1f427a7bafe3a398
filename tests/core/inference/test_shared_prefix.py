"""What prompts have in common is computed once: the same numbers as row by row, on every architecture, with and without edits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.directions import activations
from core.families import registry
from core.inference import metrics, shared_prefix
from core.inference.metrics import Edits
from core.inference.teacher_forcing import reply_logits
from core.models import loading
from core.models.loading import Loaded
from core.models.placement import Placing
from core.steering.interventions import RowEdit
from core.util.progress import finished
from tests.support import tiny_models

KINDS = ["llama", "mistral", "qwen3", "gemma2", "gpt2", "neox", "falcon_alibi", "bloom", "mixtral"]
MESSAGES = ("Hi", "Hi there, what is bread?", "Hi!", "Why?")
TEXTS = ("No", "No, never", "Yes, of course", "Y")


@pytest.fixture(scope="module", params=KINDS)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    folder = tiny_models.family(tmp_path_factory.mktemp("prefix") / "toy", request.param, ("chat",), plain_base=False)
    return loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu"))


def edits(width: int) -> tuple[Edits, ...]:
    vector = np.random.default_rng(0).standard_normal(width).astype(np.float32)
    unit = vector / np.linalg.norm(vector)
    added = tuple(RowEdit(("resid_post", 1), "add", reach, vector) for reach in ("all", "prompt", "reply", "last"))
    return ((), *((each,) for each in added), (RowEdit(("written", 2), "set", "all", unit), added[0]))


def whole_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "can_branch", lambda *_: False)
    monkeypatch.setattr(activations, "can_branch", lambda *_: False)


def test_probabilities_are_those_of_whole_rows(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = metrics.chat_prompts(loaded, ["The same start. " * 3 + each for each in MESSAGES])
    every = edits(loaded.width)
    found, tokens = [], list[int]()
    for each in every:
        found.append(finished(metrics.probabilities(loaded, asked, TEXTS, each), tokens.append))
    assert sum(tokens) == len(every) * metrics.probabilities_cost(loaded, asked, TEXTS).tokens
    assert metrics.can_branch(loaded, 100) == (loaded.model.config.model_type not in ("mistral", "gemma2"))
    whole_rows(monkeypatch)
    tokens.clear()
    for each, own in zip(every, found, strict=True):
        wanted = finished(metrics.probabilities(loaded, asked, TEXTS, each), tokens.append)
        assert torch.allclose(own, wanted, rtol=1e-4, atol=1e-9), each
    assert sum(tokens) == len(every) * metrics.probabilities_cost(loaded, asked, TEXTS).tokens
    assert len({float(each[0, 0]) for each in found}) == len(found), "every edit does something"


def test_states_are_those_of_whole_rows(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = [each.ids for each in metrics.chat_prompts(loaded, ["Once more. " * 2 + each for each in MESSAGES])]
    found = activations.states(loaded, prompts, 3)
    whole_rows(monkeypatch)
    assert torch.allclose(found, activations.states(loaded, prompts, 3), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("prompts", "leave", "wanted"),
    [
        ([tuple(range(20)), (*range(12), 99)], 1, 12),
        ([tuple(range(20)), (*range(12), 99)], 5, 8),
        ([tuple(range(20)), (*range(12), 99)], 6, 0),
        ([tuple(range(20))], 1, 0),
        ([tuple(range(20)), tuple(range(20))], 2, 18),
        ([(1, 2, 3), (4, 5)], 1, 0),
    ],
)
def test_what_prompts_have_in_common(prompts: list[tuple[int, ...]], leave: int, wanted: int) -> None:
    assert shared_prefix.common_start(prompts, leave) == wanted


def test_a_gate_is_read_in_whole_rows(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "toy", "llama", ("chat",), plain_base=False)
    own = loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu"))
    gated = RowEdit(("resid_post", 1), "add", "all", np.ones(own.width, np.float32), gate=object())  # type: ignore[arg-type]
    assert shared_prefix.can_branch(own, 10)
    assert not shared_prefix.can_branch(own, 10, [gated])


def test_forced_replies_are_those_of_whole_rows(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = [each.ids for each in metrics.chat_prompts(loaded, ["The same start. " * 3 + each for each in MESSAGES])]
    replies = [(7, 8, 9), (9,), (8, 8), (7, 9, 8, 7)]
    lengths = list(map(len, replies))
    for each in edits(loaded.width):
        found = shared_prefix.forced_logits(loaded, prompts, replies, each)
        if not metrics.can_branch(loaded, 100):
            assert found is None
            continue
        assert found is not None
        wanted = reply_logits(loaded, prompts, replies, [each] * len(prompts))
        for own, other in zip(found, wanted, strict=True):
            assert torch.allclose(own, other, rtol=1e-4, atol=1e-4), each
    longest = max(len(prompt) + reply for prompt, reply in zip(prompts, lengths, strict=True))
    start = shared_prefix.common_start(prompts) if metrics.can_branch(loaded, 100) else 0
    assert shared_prefix.forced_tokens(loaded, prompts, lengths) == start + len(prompts) * (longest - start)
    assert shared_prefix.forced_logits(loaded, [(7, 8), (9, 8)], [(7,), (8,)]) is None, "nothing in common"
