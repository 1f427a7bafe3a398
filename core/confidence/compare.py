"""The confidence of a base and of what was trained from it: do they share entropy neurons, and do these carry the difference in entropy?

The study's question [Du et al., "How Post-Training Reshapes LLMs", §6], methods.md §4. D = mean over texts of H_base − H_post; D' the same
with each checkpoint's own candidates set to their own means. What they carry is (D − D') / D, paired text by text. It counts as nothing
when its 90 % interval lies within :data:`MARGIN` (two one-sided tests at 5 %), and as something when its 95 % interval lies outside and no
more than one in twenty pairs of sets of like norm carries as much.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.confidence.confidence import Confidence
from core.confidence.neurons import Overlap, overlap
from core.errors import TillerError
from core.stats import bootstrap
from core.stats.bootstrap import Estimate
from core.stats.rates import Rate
from core.stats.verdicts import DOES_NOT, HOLDS, INCONCLUSIVE, Verdict, VerdictState

#: The part of the difference below which a change of it counts as none.
MARGIN = 0.1
#: Of a checkpoint's candidates so many must be more than chance has it, and so few count as none.
BY_CHANCE = 0.05
FEW = 0.25


class ComparisonError(TillerError):
    """Two measurements that cannot be compared."""


@dataclass(frozen=True)
class CheckpointPair:
    """A base and a post-trained checkpoint.

    Raises:
        ComparisonError: they were measured on other texts, or on other blocks.
    """

    base: Confidence
    post: Confidence

    def __post_init__(self) -> None:
        one, other = self.base, self.post
        same = one.details.get("contrast", {}).get("digest") == other.details.get("contrast", {}).get("digest")
        # Where the time was up on one before the other, they are compared on what both have read.
        both = [each for each in one.which if each in set(other.which)]
        whole = bool(one.unfinished) or bool(other.unfinished) or len(one.which) == len(other.which)
        if not same or not whole or not both:
            raise ComparisonError(
                f"{one.checkpoint} and {other.checkpoint} were measured on other texts; make both again with precompute "
                "--what confidence --again."
            )
        if [each.layer for each in one.blocks] != [each.layer for each in other.blocks]:
            raise ComparisonError(f"{one.checkpoint} and {other.checkpoint} have other numbers of layers.")
        object.__setattr__(self, "base", one.on(both))
        object.__setattr__(self, "post", other.on(both))

    @cached_property
    def overlap(self) -> Overlap:
        """How far they agree on their candidates."""
        return overlap(self.base.blocks, self.post.blocks)

    @cached_property
    def before(self) -> Estimate:
        """D in nats: how much more entropy the base has, over texts."""
        return bootstrap.bootstrap_mean(self.base.plain.entropy - self.post.plain.entropy)

    @cached_property
    def after(self) -> Estimate:
        """D' in nats: the same with the candidates of both at their means."""
        base = self.base.plain.entropy + self.base.together.total
        return bootstrap.bootstrap_mean(base - self.post.plain.entropy - self.post.together.total)

    @cached_property
    def carried(self) -> Estimate:
        """D − D' in nats: what the candidates carry of the difference."""
        return bootstrap.bootstrap_mean(self.post.together.total - self.base.together.total)

    @cached_property
    def share(self) -> Estimate:
        """(D − D') / D, with a bootstrap interval over texts; wide where D is near nothing."""
        difference = self.base.plain.entropy - self.post.plain.entropy
        change = self.post.together.total - self.base.together.total
        drawn = bootstrap.draws(len(change))
        whole, part = difference[drawn].mean(1), change[drawn].mean(1)
        tiny = np.finfo(np.float64).tiny
        return bootstrap.estimate(
            float(change.mean() / (difference.mean() or tiny)), part / np.where(whole == 0, tiny, whole), len(change)
        )

    @cached_property
    def by_sets(self) -> tuple[float, ...]:
        """D − D' in nats for pairs of sets of like size and norm in the candidates' place: the control."""
        return tuple(float(each) for each in (self.post.sets - self.base.sets).mean(1))

    @property
    def p(self) -> float:
        """How often such a pair carries as much, in either direction."""
        reached = sum(abs(each) >= abs(self.carried.value) for each in self.by_sets)
        return (1 + reached) / (1 + len(self.by_sets))

    # ------------------------------------------------------------------------------------------------------- verdicts

    @property
    def shared(self) -> Verdict:
        """Base and post have the same entropy neurons."""
        found = self.overlap
        n = len(self.base.candidates.neurons)
        figures = (
            f"Jaccard overlap {found.jaccard:.2f} ({len(found.shared)} of {n} shared), by chance {found.chance:.2f}, "
            f"95th percentile {found.most:.2f}, p {found.p:.4f}"
        )
        threshold = (
            "holds: overlap of at least a half and p ≤ .05; does not hold: no more than the 95th percentile of chance"
        )
        state: VerdictState = HOLDS if found.jaccard >= 0.5 and found.p <= 0.05 else INCONCLUSIVE
        if found.jaccard <= found.most:
            state = DOES_NOT
        test = "the hypergeometric chance of an overlap"
        return Verdict(
            "Base and post-trained checkpoint have the same candidates.", state, figures, threshold, test=test
        )

    @property
    def carried_by_none(self) -> Verdict:
        """Entropy neurons do not carry the difference in entropy."""
        threshold = (
            f"holds: 90 % interval of the share within ±{MARGIN:.0%}; does not hold: 95 % interval outside it, and no "
            "more than 1 in 20 pairs of sets of like norm changes as much; inconclusive: else, or where base and post do not differ, "
            "or where neither has an entropy neuron"
        )
        figures = (
            f"D {self.before.text()} nats, D' {self.after.text()}, carried {self.carried.text(4)}, a share of {self.share.text(2)}, "
            f"p against sets of like norm {self.p:.2f}"
        )
        claim = "The difference in entropy between base and post-trained checkpoint is not carried by entropy neurons."
        test = "equivalence of the share and rank among sets of like norm"
        return Verdict(claim, self._state(), figures, threshold, self._reason(), test)

    def _state(self) -> VerdictState:
        if self._reason():
            return INCONCLUSIVE
        if self.share.within(MARGIN):
            return HOLDS
        if self.share.beyond(MARGIN) and self.p <= 0.05:
            return DOES_NOT
        return INCONCLUSIVE

    def _reason(self) -> str:
        """Why nothing can be said, empty where something can."""
        if not self.before.differs:
            return "base and post-trained checkpoint do not differ in entropy, so that there is nothing to carry"
        if not any(self.base.found) and not any(self.post.found):
            return "no candidate of either acts through the norm's scale, so that there is no entropy neuron to carry anything"
        return ""


def exist(of: Confidence) -> Verdict:
    """A checkpoint has entropy neurons: of its candidates more pass than neurons of like norm do by chance."""
    return passing(of.checkpoint, of.found, "candidates", of.found_by_chance)


def exist_by_chance(of: Confidence) -> Verdict:
    """The negative control: neurons of like norm in the candidates' place."""
    return passing(of.checkpoint, of.found_by_chance, "neurons of like norm", of.found_by_chance)


def passing(checkpoint: str, found: tuple[bool, ...], what: str, by_chance: tuple[bool, ...]) -> Verdict:
    """The verdict on whether enough neurons of a kind are entropy neurons."""
    low, high = Rate(sum(found), len(found)).interval
    state: VerdictState = HOLDS if low > BY_CHANCE else DOES_NOT if high < FEW else INCONCLUSIVE
    figures = (
        f"{sum(found)} of {len(found)} {what} (95 % {low:.2f} to {high:.2f}); of neurons of like norm {sum(by_chance)} of "
        f"{len(by_chance)}"
    )
    threshold = f"holds: interval above {BY_CHANCE:.2f}, what chance has; does not hold: interval below {FEW:.2f}"
    claim = f"{checkpoint} has entropy neurons among its {what}."
    return Verdict(claim, state, figures, threshold, test="Wilson's interval over neurons")
