"""What comes from outside is read, or refused with one sentence, soon: some cases of each reader here, thousands in ``bench faults``."""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import pytest

from benchmarks import fuzzing
from benchmarks.fuzz_readers import readers
from core.errors import TillerError

CASES = 150
READERS = sorted(readers(Path()))


@pytest.mark.parametrize("name", READERS)
def test_spoilt_input_is_read_or_refused(name: str, tmp_path: Path) -> None:
    make, read = readers(tmp_path)[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = fuzzing.fuzz(make, read, CASES, seed=17)
    assert found.faults == {}
    # Seeds that nothing is left of, or that nothing is done to, would find nothing.
    assert found.read > 0
    assert found.cases == CASES


def test_what_is_no_sentence_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(case: bytes) -> None:
        if b"a" in case:
            raise KeyError("a")
        if b"b" in case:
            raise TillerError("\n")
        if b"c" in case:
            end = time.process_time() + 0.02
            while time.process_time() < end:
                pass

    monkeypatch.setattr(fuzzing, "SOON", 0.015)
    found = fuzzing.fuzz(
        lambda spoiler: bytes([spoiler.random.choice(b"abcd")]) * spoiler.random.randint(1, 3), read, 60
    )
    assert sorted(found.faults.values()) == [b"a", b"b", b"c"]
    assert [kind.split()[0] for kind in found.faults if "KeyError" in kind] == ["KeyError"]
