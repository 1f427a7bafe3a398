"""Directions from replies under two system prompts: which tokens are read, what is learnt, and what gets a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.artefacts import store
from core.artefacts.direction import load_direction
from core.directions import controls, learn_replies, reply_rates, request
from core.directions.activations import RepliedIds, states
from core.directions.contrast import ContrastError
from core.families import registry
from core.models import loading
from core.models.loading import Loaded
from core.models.placement import Placing
from tests.support import tiny_models
from tests.support.command import verb

FOR, AGAINST = "Be a pirate.\nTalk like the sea.", "Be dull."


@pytest.fixture(scope="module", autouse=True)
def _quickly() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(controls, "CONTROLS", 2)
        patch.setattr(reply_rates, "REPLY_TOKENS", 4)
        patch.setattr(learn_replies, "SAID_TOKENS", 6)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tiny_models.family(tmp_path_factory.mktemp("replies") / "toy", "llama", ("chat",), plain_base=False)
    tiny_models.contrast(made, examples=4)
    return made


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Loaded:
    return loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu"))


@torch.inference_mode()
def residuals(loaded: Loaded, ids: tuple[int, ...]) -> torch.Tensor:
    """What leaves every layer at every token of one row, by hooks of our own: [layers, tokens, width]."""
    caught: list[torch.Tensor] = []
    blocks: Any = loaded.model.model.layers
    handles = [block.register_forward_hook(lambda _m, _i, out: caught.append(out[0].double())) for block in blocks]
    loaded.model(torch.tensor([list(ids)]))
    for handle in handles:
        handle.remove()
    return torch.stack(caught)


def test_a_reply_is_read_as_the_mean_over_its_tokens(loaded: Loaded) -> None:
    start = tuple(range(20, 32))
    rows = [
        RepliedIds((*start, 40, 41), (50, 51, 52)), RepliedIds((*start, 42), (53,)),
        RepliedIds((*start, 43, 44, 45), (54, 55, 56, 57, 58)),
    ]  # fmt: skip
    found = states(loaded, rows, 1)
    assert found.shape == (3, 1, loaded.anatomy.layers, loaded.width)
    for row, own in zip(rows, found, strict=True):
        wanted = residuals(loaded, row)[:, -row.reply :].mean(1)
        assert torch.allclose(own[0].double(), wanted, rtol=1e-4, atol=1e-4)


def test_a_trait_is_learnt_from_what_is_said_under_either_prompt(
    folder: Path, loaded: Loaded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (("for.txt", FOR), ("against.txt", AGAINST)):
        (tmp_path / name).write_text(text)
    files = ["--positive", str(tmp_path / "for.txt"), "--negative", str(tmp_path / "against.txt")]
    arguments = ["--family", str(folder), "--device", "cpu", "--threads", "1", "--from-replies"]
    assert verb("learn", ["piracy", *files, *arguments]) == 0
    said = capsys.readouterr().out
    found = load_direction(store.artefact_path(store.user_folder(), "toy", "chat", "direction", "piracy"))
    details = found.card.details
    assert details["system_prompts"] == {"for": FOR.split("\n"), "against": [AGAINST]}
    assert details["contrast"]["split"] == "questions under two system prompts"
    assert "read over all tokens of a reply" in said
    assert set(controls.CARD_PARTS) <= set(details)
    # The direction is the difference of the means over the replies that the model itself writes.
    request_of = request.learn_request("piracy", FOR, AGAINST, replies=True)
    assert request_of.prompts is not None
    asked = learn_replies.questions_under("piracy", dict(request_of.prompts), loaded.family)
    learner = learn_replies.RepliesLearner(loaded, asked, ["Hello"], "mean_difference")
    assert {each.category for each in asked.items if each.positive} == set(FOR.split("\n"))
    means = {}
    for label in (True, False):
        rows = []
        for prompt in learner._asked["train", label]:
            reply = loaded.model.generate(
                torch.tensor([list(prompt)]),
                max_new_tokens=6,
                do_sample=False,
                pad_token_id=loaded.pad,
                repetition_penalty=1.2,
            )[0, len(prompt) :].tolist()
            reply = reply[: next((at for at, token in enumerate(reply) if token in loaded.ends), len(reply))]
            rows += [residuals(loaded, (*prompt, *reply))[:, -len(reply) :].mean(1)] if reply else []
        means[label] = torch.stack(rows).mean(0).numpy()
    assert np.allclose(found.vectors, means[True] - means[False], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("boxes", "fix"),
    [
        (("", "x"), "The box of positive examples is empty; write a system prompt for the trait"),
        (("x", " \n"), "The box of negative examples is empty; write a system prompt against the trait"),
        (("x\ny", "y"), "The same system prompt stands on both sides"),
    ],
)
def test_boxes_that_cannot_be_used(boxes: tuple[str, str], fix: str) -> None:
    with pytest.raises(ContrastError, match=fix):
        request.learn_request("piracy", *boxes, replies=True)


def test_a_model_that_says_the_same_under_both_is_refused(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.util.progress import finished
    from core.util.resume import ResumeNotes

    def same(_loaded: Loaded, asked: Any, _most: int) -> Any:
        yield 1
        return [[40, 41] for _ in asked]

    monkeypatch.setattr(learn_replies, "_written", same)
    asked = learn_replies.questions_under("piracy", {True: ("a",), False: ("b",)}, loaded.family)
    learner = learn_replies.RepliesLearner(loaded, asked, ["Hello"], "mean_difference")
    with pytest.raises(ContrastError, match="chat says the same under either system prompt, or nothing"):
        finished(learner.learn(ResumeNotes()))
