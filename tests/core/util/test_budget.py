"""Budgets, the order of what is measured, and estimates, on a clock of their own."""

from __future__ import annotations

import itertools

from core.util.budget import Budget, TimedPart, estimated, spread


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_any_beginning_lies_evenly_over_the_whole() -> None:
    assert spread(8) == [0, 4, 2, 6, 1, 5, 3, 7]
    assert spread(1) == [0]
    assert spread(0) == []
    for count in range(1, 300):
        order = spread(count)
        assert sorted(order) == list(range(count))
        for parts in (2, 4):
            if count >= 8 * parts:
                shares = [sum(place * parts // count == part for place in order[: count // 2]) for part in range(parts)]
                assert max(shares) - min(shares) <= 2, (count, shares)


def test_what_is_left_is_shared_by_the_parts_that_are_left() -> None:
    clock = Clock()
    whole = Budget(60, clock)
    first = whole.part(3)
    assert first.left == 20
    clock.now = 10
    assert not first.over()
    # What the first did not need goes to the others.
    assert whole.part(2).left == 25
    clock.now = 70
    assert first.over()
    assert whole.part(2).over()
    assert Budget(None, clock).part(2).left is None


def test_an_estimate_is_the_quicker_of_two_trials_of_each_phase() -> None:
    clock = Clock()
    took = itertools.chain((1.5, 0.5), (9.0,))

    def trial() -> None:
        clock.now += next(took)

    # One that takes long is not tried twice, and of what is left nothing of nothing.
    assert estimated([TimedPart(10, trial), TimedPart(0, trial), TimedPart(2, trial)], clock) == 10 * 0.5 + 2 * 9.0
