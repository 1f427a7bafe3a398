"""What launch.py sees to before anything else is imported."""

from __future__ import annotations

import os

import pytest

import launch


@pytest.mark.parametrize(("given", "then"), [(None, "passive"), ("active", "active")])
def test_threads_sleep_while_they_wait_unless_a_person_wants_it_otherwise(
    given: str | None, then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that what is set here goes with the test.
    monkeypatch.setenv("OMP_WAIT_POLICY", given or "")
    if given is None:
        del os.environ["OMP_WAIT_POLICY"]
    assert launch.main(["--version"]) == 0
    assert os.environ["OMP_WAIT_POLICY"] == then
