"""A finding of Du et al. on one family: the claim, what was measured, the verdict, the controls, the plots, the methods. No torch.

A finding holds where all its parts hold, and does not where one does not (:mod:`core.verdicts`). Controls are judged by the same
thresholds as the real thing and are meant to fail: one that passes says that the figures prove nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.tabulated import Table
from core.verdicts import DOES_NOT, INCONCLUSIVE, Verdict, together


@dataclass(frozen=True)
class Drawing:
    """A plot with the name of its file, without an ending, and what it shows as ``csv``."""

    name: str
    svg: str
    csv: str


@dataclass(frozen=True)
class Finding:
    """One finding. ``reason`` says why it could not be measured, where that is so; then there are no parts."""

    number: int
    title: str
    claim: str
    parts: tuple[Verdict, ...]
    controls: tuple[Verdict, ...]
    tables: tuple[Table, ...]
    drawings: tuple[Drawing, ...]
    methods: str
    notes: tuple[str, ...] = ()
    reason: str = ""

    @property
    def verdict(self) -> Verdict:
        """The verdict on the claim, from its parts."""
        if not self.parts:
            return Verdict(self.claim, INCONCLUSIVE, "", "", self.reason or "nothing was measured")
        return together(self.claim, self.parts)

    @property
    def decided_by(self) -> str:
        """The first part that made the verdict, with its figures; of a finding that holds simply the first."""
        if not self.parts:
            return ""
        state = self.verdict.state
        part = next(each for each in self.parts if each.state == state)
        return f"{part.claim} {part.figures}{f' ({part.reason})' if part.reason else ''}"

    @property
    def failed(self) -> str:
        """How many controls failed, as they should."""
        if not self.controls:
            return "none"
        return f"{sum(each.state == DOES_NOT for each in self.controls)} of {len(self.controls)}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is to be said of controls that did not fail."""
        return tuple(
            f"A control did not fail as it should: {each.claim} {each.sentence}"
            for each in self.controls
            if each.state != DOES_NOT
        )


def unmeasured(number: int, title: str, claim: str, methods: str, reason: str) -> Finding:
    """A finding that could not be measured."""
    return Finding(number, title, claim, (), (), (), (), methods, (), reason.rstrip("."))
