"""What learning a direction is for every kind of it: read, try at every layer and token, choose by a rule, examine.

A :class:`Learner` is a kind, in hooks: what is read, what the effect is and by which rule a candidate is chosen. The names of the notes
are part of it: an interrupted learning goes on from those that an earlier version of the program left.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any, Generic, Protocol, TypeVar

from core.artefacts.direction import Direction
from core.directions import controls
from core.directions.activations import ClassStates, Ids, Key, LearnMethod, activation_cost, class_states
from core.directions.candidate import BY_HAND, draft_direction, finish_direction
from core.directions.contrast import ContrastSet, Split
from core.directions.controls import Chosen, Trial
from core.inference import metrics
from core.inference.batch import batch_rows
from core.inference.metrics import Edits, OffTarget
from core.models.loading import Loaded
from core.util.progress import Cost, Learning, Slices, told
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

    def __init__(self, loaded: Loaded, contrast: ContrastSet, unrelated: Sequence[str], method: str) -> None:
        self.loaded, self.contrast, self.unrelated = loaded, contrast, unrelated
        self.how = LearnMethod(method)

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
            "layer_scores": {key: by_layer(tried, best, key) for key in self.shown},
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

    def learn(self, notes: ResumeNotes, by_hand: int | None = None) -> Learning[Direction]:
        """The direction with all scores, its dose-response and controls; ``by_hand`` is a layer to take instead of the best."""
        loaded, rows = self.loaded, reading_rows(self.loaded)
        yield from self._narrow(notes)
        found = yield from class_states(loaded, self.prompts, self._positions(), rows, notes, self.reading, self.how)
        by = yield from told(metrics.off_target_prompts(loaded, self.unrelated), "Listening to unrelated replies.")
        yield from self._look(notes)
        tried = yield from self._tried(found, by, notes)
        best, criterion = self._choose(tried) if by_hand is None else self._at(tried, by_hand)
        drafted = self._draft(found, best["offset"])
        measure, tested = self._effect().mean, self._effect("test").each
        in_words = partial(self._effect(wish=self.wish).mean, ())
        given = (self.wish, self.unrelated, self.message, self._groups())
        trial = Trial(loaded, by, measure, tested, in_words, *given)
        chosen = Chosen(drafted, best["layer"], best["offset"], found, self.prompts, self.how)
        examined = yield from controls.examine_direction(chosen, trial, rows, notes)
        own = self._details(drafted, found, best, tried)
        return finish_direction(drafted, {"layer": best["layer"], "criterion": criterion, **own, **examined})

    def cost(self) -> Cost:
        """What :meth:`learn` takes. Tokens are those that are computed if every reply is as long as it may be."""
        loaded, rows, by = self.loaded, reading_rows(self.loaded), metrics.off_target_cost(self.loaded, self.unrelated)
        effects = {"measured": self.judged, "asked": self._effect(wish=self.wish), "tested": self._effect("test")}
        costs = {name: effect.cost for name, effect in effects.items()}
        shown = controls.control_cost(loaded, self.prompts, rows, costs, self.wish, self.unrelated, self._groups())
        plain, one = self._costs(by)
        tried = one.times(self._positions() * loaded.anatomy.layers)
        return plain + activation_cost(self.prompts, rows) + by.times(2) + tried + shown

    def _tried(self, found: ClassStates, by: OffTarget, notes: ResumeNotes) -> Learning[list[Candidate]]:
        """The scores of every layer at every token that was read."""
        accuracy = found.accuracy["validation"]
        tried: list[Candidate] = []
        for offset in range(-len(found.positive), 0):
            drafted = self._draft(found, offset)
            for layer in range(self.loaded.anatomy.layers):
                place = {"offset": offset, "layer": layer}
                work = partial(self._scores, drafted, layer, by)
                kept = yield from notes.once(self.note.format(**place), work, self.trying.format(**place))
                scores = kept if isinstance(kept, dict) else {"effect": kept}
                tried.append({**place, "accuracy": float(accuracy[offset, layer]), **scores})
        return tried

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
