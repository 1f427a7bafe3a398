"""The benchmarks on models too small to be timed: what they compare is the same, and a broken promise is said."""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import decoding, large, starting, tracing
from benchmarks.ratios import Timed, interleaved
from core.util.files import json_text, write_bytes
from tests.support import tiny_models
from tests.support.command import verb
from tests.support.waiting import PATIENCE

OPTIONS = argparse.Namespace(threads=1, dtype="auto", device="cpu", pairs=1)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Tiny models, and seconds as they are given here by name instead of measured (1.0 where none is)."""
    seconds: dict[str, float] = {}
    small = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4}
    monkeypatch.setattr(large, "_SHAPE", {**large._SHAPE, **small})
    monkeypatch.setattr(large, "LEARNT", 24)
    monkeypatch.setattr(large, "TOKENS", 6)

    def timed(things: Mapping[str, Callable[[], object]], *_more: Any) -> dict[str, Timed]:
        for thing in things.values():
            thing()
        return {name: Timed((seconds.get(name, 1.0),) * 3) for name in things}

    monkeypatch.setattr(large, "interleaved", timed)
    return seconds


def test_decoding_says_the_tokens_of_hooks_by_hand_and_keeps_its_limits(
    quick: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    assert large.large(OPTIONS)
    said = capsys.readouterr().out
    # Two models, one and eight answers, three recipes.
    assert said.count("as generate with hooks by hand") == 12
    assert said.count("kept") == 12
    quick["ablation everywhere"] = 1.11
    assert not large.large(OPTIONS)
    assert capsys.readouterr().out.count("MISSED") == 4


def test_other_tokens_are_a_failure(quick: dict[str, float], monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    by_hand = large.Crowd.by_hand
    monkeypatch.setattr(
        large.Crowd, "by_hand", lambda crowd, recipe: by_hand(crowd, "" if recipe[:1] == "!" else recipe)
    )
    assert not large.large(OPTIONS)
    assert capsys.readouterr().out.count("OTHER TOKENS") == 4


def test_learning_gives_the_direction_of_the_plain_loop(quick: dict[str, float], capsys: Any) -> None:
    quick |= {"ours": 0.79}
    assert large.learning(OPTIONS)
    quick |= {"ours": 0.81}
    assert not large.learning(OPTIONS)
    assert "limit 0.80: MISSED" in capsys.readouterr().out


def test_a_map_has_the_numbers_of_one_pass_a_cell_and_keeps_its_limits(
    quick: dict[str, float], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(tracing, "interleaved", large.interleaved)
    monkeypatch.setattr(tracing, "PAIRS", 10)
    # Seconds and the peak of the memory with one pair and with ten.
    taken = [(1.0, 0), (119.0, tracing.GROWTH), (1.0, 0), (121.0, tracing.GROWTH), (1.0, 0), (1.0, tracing.GROWTH + 1)]
    figures = iter(taken)
    monkeypatch.setattr(tracing, "_taken", lambda work: (work(), next(figures))[1])
    # A sample of 16 cells and the pass that reads stand for all 4 × 16 of them and that pass.
    quick["map"] = 65 / 17 / 12.1
    assert tracing.tracing(OPTIONS)
    said = capsys.readouterr().out
    assert said.count("12.1 times faster") == 4
    assert said.count("kept") == 5
    quick["map"] = 65 / 17 / 11.9
    # What was computed once is judged by other figures.
    monkeypatch.setattr(tracing, "_taken", lambda _work: next(figures))
    monkeypatch.setattr(
        tracing, "interleaved", lambda things, *_more: {name: Timed((quick.get(name, 1.0),) * 3) for name in things}
    )
    assert not tracing.tracing(OPTIONS)
    # A cell's part of the time, and the seconds of many pairs.
    assert capsys.readouterr().out.count("MISSED") == 2
    monkeypatch.setattr(tracing, "_compared", lambda *_: True)
    assert not tracing.tracing(OPTIONS)
    assert "ten times the pairs: +64 MB; limit 64: MISSED" in capsys.readouterr().out


def test_the_first_paint_is_judged_by_its_median(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    for name, seconds in (("_importing", 0.2), ("_page", 1.0), ("_steered_token", 2.0)):
        monkeypatch.setattr(starting, name, lambda *_, seconds=seconds: seconds)
    monkeypatch.setattr(starting, "_steering", lambda _options: "")
    # The first is not counted.
    paints = iter([9.0, 0.3, 0.4, 0.5, 0.9, 0.9, 9.0, 0.3, 0.4, 0.51, 0.9, 0.9])
    monkeypatch.setattr(starting, "_paint", lambda _model: next(paints))
    options = argparse.Namespace(family="skiff", checkpoint="", recipe="")
    assert starting.starting(options)
    assert "first paint: 0.5 s: kept" in capsys.readouterr().out
    assert not starting.starting(options)
    assert "first paint: 0.5 s: MISSED" in capsys.readouterr().out


def test_things_are_timed_in_turn_and_each_once_unmeasured() -> None:
    order: list[str] = []
    found = interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, pairs=1, fewest=3)
    assert "".join(order) == "ab" + "ba" + "ab" + "ba"
    assert [len(each.seconds) for each in found.values()] == [3, 3]
    assert Timed((2.0, 4.0, 6.0)).over(Timed((1.0, 2.0, 2.0)))[0] == 2.0


def test_what_is_typed_reaches_the_decode_loop_whose_tokens_are_those_of_hooks_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    folder = tiny_models.family(tmp_path / "tiny", "llama", ("chat",))
    tiny_models.direction(folder, "chat", "truth")
    monkeypatch.setattr(decoding, "TOKENS", 8)
    monkeypatch.setattr(decoding, "interleaved", lambda things, _pairs: {name: Timed((1.0,) * 3) for name in things})
    assert verb("bench", ["steering", "rows", "scrubbing", "--family", str(folder), "--threads", "1"]) == 0
    assert capsys.readouterr().out.count("the same 8 tokens as generate with hooks by hand") == 3


def test_two_tokens_are_the_same_as_far_as_the_dtype_tells_them_apart(capsys: Any) -> None:
    logits = torch.zeros(1, 4)
    logits[0, :2] = torch.tensor([20.0, 19.75])
    steps = (logits, logits)
    assert decoding._same("", torch.bfloat16, [0, 0], [0, 0], steps)
    assert decoding._same("", torch.bfloat16, [0, 1], [0, 0], steps)
    assert "the same 1 tokens, then one of two that are equally likely to bfloat16's" in capsys.readouterr().out
    assert not decoding._same("", torch.float32, [0, 1], [0, 0], steps)
    assert not decoding._same("", torch.bfloat16, [0, 2], [0, 0], steps)
    assert "they part at token 1, whose logits are 0.25 apart" in capsys.readouterr().out


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_file_that_is_torn_by_a_kill_is_found(tmp_path: Path) -> None:
    from benchmarks.faults import killed

    def whole(number: int) -> None:
        write_bytes(tmp_path / "whole" / "a.json", json_text({"whole": number}).encode())

    for name in ("torn", "whole"):
        (tmp_path / name).mkdir()
    # Torn already, since how far a process comes before it is killed says how busy the machine is.
    (tmp_path / "torn" / "a.json").write_text('{"half": ', encoding="utf-8")
    assert killed([lambda _: time.sleep(PATIENCE)], tmp_path / "torn", 1)[1] != []
    assert killed([whole], tmp_path / "whole", 8)[1] == []


def test_where_two_answers_part_says_how_near_the_two_tokens_were() -> None:
    from benchmarks.clients import parting
    from core.chat.events import Alternative, Reading, Token

    def token(index: int, own: int) -> Token:
        top = (Alternative(own, "a", 0.5), Alternative(9, "b", 0.25))
        return Token(0, index, own, "a", Reading(0.0, 0.0, 0, top=top))

    alone = (token(0, 3), token(1, 4))
    assert parting(alone, (3, 4)) is None
    assert parting(alone, (3, 9)) == pytest.approx(math.log(2))
    assert parting(alone, (3, 8)) == math.inf
    assert parting(alone, (3,)) == math.inf
