"""What learning a direction is for every kind of it: read, try at every layer and token, choose by a rule, examine.

A :class:`Learner` is a kind, in hooks: what is read, what the effect is and by which rule a candidate is chosen. The names of the notes
are part of it: an interrupted learning goes on from those that an earlier version of the program left.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, Generic, Protocol, TypeVar

from core.artefacts.direction import Direction
from core.directions import controls, reply_rates
from core.directions.activations import ClassStates, Ids, Key, LearnMethod, activation_cost, class_states
from core.directions.candidate import BY_HAND, draft_direction, finish_direction
from core.directions.contrast import ContrastSet, Split
from core.directions.effort import FULL, QUICK, SEARCH, Effort
from core.directions.places import BESIDE, Place, Places
from core.directions.trial import Chosen, Trial
from core.inference import metrics
from core.inference.batch import batch_rows
from core.inference.metrics import Edits, OffTarget
from core.models.loading import Loaded
from core.util.budget import Budget
from core.util.progress import Cost, Learning, Slices, Step, told
from core.util.resume import ResumeNotes

#: What a candidate, a layer and a token, was found to do: ``offset``, ``layer``, ``accuracy`` on validation, and its kind's scores.
Candidate = dict[str, Any]


class SplitEffect(Protocol):
    """The effect of edits on the examples of a split, or of none where it is asked for in words; ``cost`` is what finding it takes."""

    def mean(self, edits: Edits) -> Slices[dict[str, float]]:
        """The effect over all examples, by name; ``effect`` is the one that is drawn."""

    def each(self, edits: Edits) -> Slices[dict[str, list[float]]]:
        """The same of every example."""

    @property
    def cost(self) -> Cost:
        """What either takes."""


E = TypeVar("E", bound=SplitEffect)


class Learner(ABC, Generic[E]):
    """How one kind of direction is learnt on a checkpoint. What a kind is differs in the hooks, which begin with an underscore.

    ``name`` is the direction's; ``prompts`` are what is read, by split and class, and ``how`` the method with all that it has to know of
    them; ``wish`` is the baseline without steering, what somebody would write who wants the effect, with ``{message}`` for the message;
    ``message`` is what the sample answers answer.
    """

    name: str
    wish: str
    message: str
    prompts: dict[Key, list[Ids]]
    #: What is said while the prompts are read.
    reading = "Reading the examples."
    #: The name of a candidate's note, and what is said while it is tried.
    note, trying = "token{offset}.layer{layer}", "Trying layer {layer} at token {offset}."
    #: Which scores a card shows of every layer, and how the token is chosen where a person chose the layer.
    shown: tuple[str, ...] = ()
    by_hand = ""

    def __init__(
        self, loaded: Loaded, contrast: ContrastSet, unrelated: Sequence[str], method: str, effort: Effort = FULL
    ) -> None:
        self.loaded, self.contrast, self.unrelated = loaded, effort.trimmed(contrast), effort.few(unrelated)
        self.how, self.effort = LearnMethod(method), effort

    # -------------------------------------------------------------------------------------------------------------- hooks

    def _positions(self) -> int:
        """At how many of the last tokens the prompts are read."""
        return 1

    def _narrow(self, notes: ResumeNotes) -> Learning[None]:
        """Leave prompts out, before they are read, by what the plain model makes of them; as it stands, none."""
        yield from ()

    def _look(self, notes: ResumeNotes) -> Learning[None]:
        """Find out what the plain model does, before anything is tried; as it stands, nothing is needed."""
        yield from ()

    def _belongs(self, split: str, positive: bool) -> list[Hashable]:
        """Which group each of :attr:`prompts` is of; those that are not the examples themselves are pairs by their place."""
        items = [each for each in self.contrast.items if (each.split, each.positive) == (split, positive)]
        count = len(self.prompts[split, positive])
        return [each.belongs for each in items] if len(items) == count else [("pair", place) for place in range(count)]

    def _judged_groups(self, split: Split) -> Mapping[str, Sequence[Hashable]]:
        """Which group each example is of that an effect is told of, by the effect's figures; as it stands, each stands for itself."""
        return {}

    @abstractmethod
    def _effect(self, split: Split = "validation", wish: str = "{message}") -> E:
        """The effect on a split, with a wish in words before its messages where there is one."""

    @abstractmethod
    def _scores(self, drafted: Direction, layer: int, by: OffTarget) -> Slices[dict[str, float] | float]:
        """What a candidate does, by name; a number alone is its ``effect``."""

    @abstractmethod
    def _choose(self, tried: Sequence[Candidate]) -> tuple[Candidate, str]:
        """The best candidate by the kind's rule, and the rule in words."""

    @abstractmethod
    def _most(self, candidate: Candidate) -> float:
        """The largest of this chooses the token where a person chose the layer."""

    def _groups(self) -> Mapping[str, Sequence[Ids]]:
        """Prompts whose replies are counted by their class, beside those to unrelated messages."""
        return {}

    def _details(
        self, drafted: Direction, found: ClassStates, best: Candidate, tried: Sequence[Candidate]
    ) -> dict[str, Any]:
        """What a card says of the place that was chosen, and of all others."""
        offset, token = best["offset"], self.prompts["train", True][0][best["offset"]]
        return {
            "position": {
                "offset": offset,
                "of": "prompt",
                "token": str(self.loaded.tokenizer.decode([token])),
                "token_id": token,
            },
            "layer_scores": self._curves(found, best, tried, self.shown),
            "all_scores": tried,
            "test": {"accuracy": float(found.accuracy["test"][offset, best["layer"]])},
        }

    @abstractmethod
    def _costs(self, by: Cost) -> tuple[Cost, Cost]:
        """What asking the plain model takes, and trying one candidate; ``by`` is one look at the replies to unrelated messages."""

    # -------------------------------------------------------------------------------------------------------- the skeleton

    @cached_property
    def judged(self) -> E:
        """The effect on the validation split, by which candidates are tried; its prompts are put into ids once."""
        return self._effect()

    @property
    def tested(self) -> E:
        """The effect on the test split, on which nothing is chosen."""
        return self._effect("test")

    def learn(
        self,
        notes: ResumeNotes,
        by_hand: int | None = None,
        budget: Budget | None = None,
        keep: Callable[[Direction], None] = lambda _: None,
    ) -> Learning[Direction]:
        """The direction with what its effort finds out.

        Args:
            by_hand: a layer to take instead of the best.
            budget: when to end; what is lacking then is named in the card as ``unfinished``.
            keep: given the direction as soon as it is of use, and again with everything that is found out about it.
        """
        loaded, rows, time = self.loaded, reading_rows(self.loaded), budget or Budget()
        yield from self._narrow(notes)
        found = yield from class_states(loaded, self.prompts, self._positions(), rows, notes, self.reading, self.how)
        by = yield from told(metrics.off_target_prompts(loaded, self.unrelated), "Listening to unrelated replies.")
        yield from self._look(notes)
        tried = yield from self._tried(found, by, notes, by_hand, time)
        best, criterion = self._choose(tried) if by_hand is None else self._at(tried, by_hand)
        drafted = self._draft(found, best["offset"])
        belongs = {key: self._belongs(*key) for key in self.prompts}
        chosen = Chosen(drafted, best["layer"], best["offset"], found, self.prompts, self.how, belongs, len(tried))
        known = {"effort": self.effort.name, "layer": best["layer"], "criterion": self._searched(criterion, tried)}
        known |= self._details(drafted, found, best, tried) | controls.of_the_reading(chosen)
        if not self.effort.examines:
            work = reply_rates.unbroken(drafted, loaded, best["layer"], by.prompts)
            known["unbroken"] = yield from told(work, "Answering with it.")
            keep(whole := finish_direction(drafted, known))
            return whole
        measure, tested = self._effect().mean, self._effect("test").each
        in_words = partial(self._effect(wish=self.wish).mean, ())
        given = (self.wish, self.unrelated, self.message, self._judged_groups("test"), self._groups())
        trial = Trial(loaded, by, measure, tested, in_words, *given)
        # What more time finds may be another place, of which nothing was measured yet.
        place = notes.part(f"token{best['offset']}.layer{best['layer']}")
        parts = controls.examine_direction(chosen, trial, rows, place)
        return (yield from self._examined(parts, drafted, known, time, keep))

    def _examined(
        self,
        parts: Iterator[Step | dict[str, Any]],
        drafted: Direction,
        known: dict[str, Any],
        time: Budget,
        keep: Callable[[Direction], None],
    ) -> Learning[Direction]:
        """The direction with what is found out of it, part by part, until that is all or the time is up."""
        found: Direction | None = None
        piece = ""
        for each in parts:
            if isinstance(each, Step):
                yield each
                # Pieces of a part are remembered one by one: between two of them there is an end, too, and one is always done.
                another = not each.remembered and each.sentence != piece
                if found is not None and piece and another and time.over():
                    break
                piece = piece or ("" if each.remembered else each.sentence)
                continue
            known = {key: value for key, value in (known | each).items() if key != "unfinished" or value}
            found = finish_direction(drafted, known)
            if "unfinished" in known:
                keep(found)
            if time.over():
                break
        assert found is not None
        return found

    def cost(self) -> Cost:
        """What :meth:`learn` takes. Tokens are those that are computed if every reply is as long as it may be."""
        loaded, rows, by = self.loaded, reading_rows(self.loaded), metrics.off_target_cost(self.loaded, self.unrelated)
        plain, one = self._costs(by)
        count = self._positions() * loaded.anatomy.layers
        tried = one.times(count if self.effort.candidates is None else min(self.effort.candidates + BESIDE, count))
        whole = plain + activation_cost(loaded, self.prompts, self._positions(), rows) + by.times(2) + tried
        if not self.effort.examines:
            unrelated = [each.ids for each in metrics.chat_prompts(loaded, self.unrelated)]
            return whole + reply_rates.unbroken_cost(loaded, unrelated)
        effects = {"measured": self.judged, "asked": self._effect(wish=self.wish), "tested": self._effect("test")}
        costs = {name: effect.cost for name, effect in effects.items()}
        return whole + controls.control_cost(
            loaded, self.prompts, rows, costs, self.wish, self.unrelated, self._groups()
        )

    def _tried(
        self, found: ClassStates, by: OffTarget, notes: ResumeNotes, by_hand: int | None, budget: Budget
    ) -> Learning[list[Candidate]]:
        """The scores of layers at tokens that were read: of all, or of those that the effort and its budget allow, coarse to fine."""
        accuracy = found.accuracy["validation"]
        places = Places(found, self.loaded.anatomy.layers, self.effort, by_hand)
        tried: list[Candidate] = []
        drafts: dict[int, Direction] = {}
        while (at := places.following(*self._so_far(tried, by_hand))) is not None:
            offset, layer = at
            if offset not in drafts:
                drafts[offset] = self._draft(found, offset)
            place = {"offset": offset, "layer": layer}
            # As many as a quick direction tries are tried whatever the budget is; what was tried before takes none of it.
            enough = len(tried) >= (QUICK.candidates or 0) + BESIDE and budget.over(SEARCH)
            if enough and notes.recall(self.note.format(**place)) is None:
                break
            work = partial(self._scores, drafts[offset], layer, by)
            kept = yield from notes.once(self.note.format(**place), work, self.trying.format(**place))
            scores = kept if isinstance(kept, dict) else {"effect": kept}
            tried.append({**place, "accuracy": float(accuracy[offset, layer]), **scores})
        return sorted(tried, key=lambda each: (each["offset"], each["layer"]))

    def _so_far(
        self, tried: Sequence[Candidate], by_hand: int | None
    ) -> tuple[list[tuple[int, int, float]], Place | None]:
        """How good each place was that was tried, and which of them would be chosen; where all are tried, that is not asked."""
        scored = [(each["offset"], each["layer"], self._most(each)) for each in tried]
        if not tried or by_hand is not None or self.effort.name == "full":
            return scored, None
        best, _ = self._choose(tried)
        return scored, (best["offset"], best["layer"])

    def _searched(self, criterion: str, tried: Sequence[Candidate]) -> str:
        """The rule, and over how many places it was looked for the best one where these were not all."""
        count = self._positions() * self.loaded.anatomy.layers
        return criterion if len(tried) == count else f"{criterion} ({len(tried)} of {count} layers and tokens tried)"

    def _curves(
        self, found: ClassStates, best: Candidate, tried: Sequence[Candidate], keys: Sequence[str]
    ) -> dict[str, list[float]]:
        """Scores of every layer at the chosen token: the accuracy, and whatever was found out at all layers."""
        curves = {"accuracy": [float(each) for each in found.accuracy["validation"][best["offset"]]]}
        layers = [each for each in tried if each["offset"] == best["offset"]]
        if len(layers) == self.loaded.anatomy.layers:
            curves |= {key: by_layer(tried, best, key) for key in keys if key != "accuracy"}
        return curves

    def _draft(self, found: ClassStates, offset: int) -> Direction:
        return draft_direction(self.name, self.loaded, self.contrast, found, offset, self.how.method)

    def _at(self, tried: Sequence[Candidate], layer: int) -> tuple[Candidate, str]:
        """The best token at the layer that a person chose."""
        best = max((each for each in tried if each["layer"] == layer), key=self._most)
        return best, BY_HAND.format(layer=layer) + self.by_hand


def reading_rows(loaded: Loaded) -> int:
    """Rows of a forward pass that reads states."""
    return min(64, batch_rows(loaded))


def by_layer(tried: Sequence[Candidate], best: Candidate, key: str) -> list[float]:
    """A score of every layer at the token of the best candidate."""
    return [each[key] for each in tried if each["offset"] == best["offset"]]
