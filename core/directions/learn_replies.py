"""Learning a trait from replies: what the model says under a system prompt for it, against what it says under one against it.

The states of all tokens of a reply are averaged, with the system prompt in front, and the direction is what the means of the two sides
differ by ["Persona Vectors", Chen et al. 2025, section 2]. Its effect is the log-prob margin of
:mod:`core.directions.learn_contrast`, of the replies under either prompt, behind the same message without any system prompt.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from core.artefacts.direction import Direction
from core.chat.answers import Answer
from core.chat.settings import Sampling
from core.directions.activations import ClassStates, Ids, Key, RepliedIds
from core.directions.contrast import (
    SPLITS,
    UNDER_PROMPTS,
    ContrastError,
    ContrastItem,
    ContrastSet,
    Split,
    load_contrast,
)
from core.directions.effort import FULL, Effort
from core.directions.learn_contrast import ContrastLearner, LogProbMargin
from core.directions.learner import Candidate, Learner
from core.directions.methods import PAIRED
from core.directions.request import FEWEST
from core.directions.written_pairs import WrittenPair, same_either_way
from core.families.checkpoint import Family
from core.inference import metrics
from core.inference.decoding_batches import answer_all, askings
from core.inference.prompts import encode, render
from core.models.loading import Loaded
from core.util.progress import Cost, Learning, Slices, told
from core.util.resume import ResumeNotes

#: So many questions of each split are asked under either prompt; replies have at most so many tokens.
ASKED_UNDER: dict[Split, int] = {"train": 24, "validation": 8, "test": 8}
SAID_TOKENS = 40
#: The same where a direction is to be there in seconds; fewer to choose by, and no shuffled labels could be told from the real ones.
FEW_ASKED: dict[Split, int] = {"train": 10, "validation": 4, "test": 4}
FEW_SAID = 24
#: The likeliest reply of a small model often goes round in circles ("aye, aye, aye"), and what is learnt from it then does so, too.
PENALTY = 1.2
#: So many questions are asked where a person reads the replies before they are learnt from.
WRITTEN = 20


def questions_under(name: str, prompts: dict[bool, tuple[str, ...]], family: Family) -> ContrastSet:
    """The family's harmless questions under system prompts for (True) and against a trait, which take turns where there are several."""
    asked = load_contrast(family, "refusal")
    items = [
        ContrastItem(text, label, system, split)
        for split in SPLITS
        for label in (True, False)
        for text, system in _turns(asked.part(split, False, ASKED_UNDER[split]), prompts[label])
    ]
    said = json.dumps([prompts[True], prompts[False], asked.digest, SAID_TOKENS, PENALTY])
    return ContrastSet(name, tuple(items), hashlib.sha256(said.encode()).hexdigest()[:16], UNDER_PROMPTS)


def write_pairs(
    loaded: Loaded, family: Family, prompts: Mapping[bool, tuple[str, ...]]
) -> Learning[tuple[WrittenPair, ...]]:
    """What the model says to some harmless questions under system prompts for (True) and against a trait, for a person to read and edit.

    Raises:
        ContrastError: it says the same under either so often that there is nothing to learn from.
        TillerError: its chat template takes no system prompt.
    """
    asked = load_contrast(family, "refusal").part("train", False, WRITTEN)
    rows = [_ids(loaded, system, text) for label in (True, False) for text, system in _turns(asked, prompts[label])]
    replies = yield from told(
        _said(loaded, rows, min(FEW_SAID, SAID_TOKENS)), "Writing replies under the two system prompts."
    )
    said = [" ".join(str(each.text).split()) for each in replies]
    pairs = tuple(map(WrittenPair, asked, said[: len(asked)], said[len(asked) :]))
    different = tuple(each for each in pairs if each.wanted and each.unwanted and each.wanted != each.unwanted)
    if len(different) < len(pairs) / 2 or len(different) < FEWEST:
        raise ContrastError(same_either_way(loaded.checkpoint.name, len(pairs) - len(different), len(pairs)))
    return different


def _turns(asked: Sequence[str], prompts: Sequence[str]) -> list[tuple[str, str]]:
    """Each question with its system prompt, which take turns where there are several."""
    return [(text, prompts[index % len(prompts)]) for index, text in enumerate(asked)]


def _ids(loaded: Loaded, system: str, text: str) -> Ids:
    return render(loaded, [{"role": "system", "content": system}, {"role": "user", "content": text}]).ids


class RepliesLearner(ContrastLearner):
    """The direction of a trait by its name.

    Raises:
        ContrastError: a method that needs statements and their negations, or a model that answers the same under either prompt.
    """

    reading = "Reading the replies."

    def __init__(
        self, loaded: Loaded, contrast: ContrastSet, unrelated: Sequence[str], method: str, effort: Effort = FULL
    ) -> None:
        # Not the parent's own, which reads examples where they stand alone.
        Learner.__init__(self, loaded, _fewer(contrast, effort), unrelated, method, effort)
        if method in PAIRED:
            raise ContrastError(
                f"{method} learns truth from statements and their negations; take mean_difference, pca or logistic."
            )
        self.name, self.message = contrast.name, unrelated[0]
        self.wish = f"{next(each.category for each in contrast.items if each.positive)}\n\n{{message}}"
        self._asked: dict[Key, list[Ids]] = {
            (split, label): [_ids(loaded, each.category, each.text) for each in self._items(split, label)]
            for split in SPLITS
            for label in (True, False)
        }
        #: Whether a person has seen the replies, so that none is written.
        self.given = all(each.reply for each in self.contrast.items)
        # Until they are written, replies count as long as they may be.
        self.most = SAID_TOKENS if effort.examines else min(FEW_SAID, SAID_TOKENS)
        unwritten = (loaded.pad,) * self.most
        self._use({key: [encode(loaded, each.reply) or unwritten for each in self._items(*key)] for key in self._asked})

    def _items(self, split: str, label: bool) -> list[ContrastItem]:
        return [each for each in self.contrast.items if (each.split, each.positive) == (split, label)]

    def _use(self, replies: dict[Key, list[Ids]]) -> None:
        self.replies = replies
        self.prompts = {
            key: [RepliedIds(asked, said) for asked, said in zip(self._asked[key], replies[key], strict=True) if said]
            for key in replies
        }

    def _positions(self) -> int:
        return 1

    def _belongs(self, split: str, positive: bool) -> list[Hashable]:
        """Groups of those questions to which something is said: the other side's reply to a question is of the same one."""
        said = self.replies[split, positive]
        return [each.belongs for each, reply in zip(self._items(split, positive), said, strict=True) if reply]

    def _judged_groups(self, split: Split) -> Mapping[str, Sequence[Hashable]]:
        # A question is asked once on either side.
        return {}

    def _narrow(self, notes: ResumeNotes) -> Learning[None]:
        """Have the replies written, the likeliest that do not repeat themselves, unless they are given."""
        if self.given:
            return
        replies: dict[Key, list[Ids]] = {}
        for (split, label), asked in self._asked.items():
            work = partial(_written, self.loaded, asked, self.most)
            said = yield from notes.once(
                f"written.{split}.{int(label)}", work, "Writing replies under the system prompts."
            )
            replies[split, label] = [tuple(each) for each in said]
        both = [pair for split in SPLITS for pair in zip(replies[split, True], replies[split, False], strict=True)]
        same = sum(one == other or not one or not other for one, other in both)
        if same > len(both) / 2 or any(replies[split, True] == replies[split, False] for split in SPLITS):
            raise ContrastError(same_either_way(self.loaded.checkpoint.name, same, len(both)))
        self._use(replies)

    def _effect(self, split: Split = "validation", wish: str = "{message}") -> LogProbMargin:
        rows = [
            (asked.ids, said, label)
            for label in (True, False)
            for asked, said in zip(
                metrics.chat_prompts(
                    self.loaded, [wish.format(message=each.text) for each in self._items(split, label)]
                ),
                self.replies[split, label],
                strict=True,
            )
            if said
        ]
        return LogProbMargin(self.loaded, *(tuple(each) for each in zip(*rows, strict=True)))

    def _details(
        self, drafted: Direction, found: ClassStates, best: Candidate, tried: Sequence[Candidate]
    ) -> dict[str, Any]:
        position = {"offset": -1, "of": "reply", "token": "the mean over all tokens of a reply"}
        prompts = {
            str(label): sorted({each.category for each in self.contrast.items if each.positive == label})
            for label in (True, False)
        }
        return {
            **super()._details(drafted, found, best, tried),
            "position": position,
            "system_prompts": {"for": prompts["True"], "against": prompts["False"]},
        }

    def _costs(self, by: Cost) -> tuple[Cost, Cost]:
        first, one = super()._costs(by)
        if self.given:
            return first, one
        asked = [ids for part in self._asked.values() for ids in part]
        return first + Cost(len(asked), self.most, sum(len(ids) + self.most for ids in asked)), one


def _fewer(contrast: ContrastSet, effort: Effort) -> ContrastSet:
    """The questions whose replies are written where it has to be quick; replies that are there cost nothing."""
    if effort.examines or all(each.reply for each in contrast.items):
        return contrast
    asked = {
        (split, label, text)
        for split in SPLITS
        for label in (True, False)
        for text in contrast.part(split, label, FEW_ASKED[split])
    }
    return replace(contrast, items=tuple(i for i in contrast.items if (i.split, i.positive, i.text) in asked))


def _written(loaded: Loaded, asked: Sequence[Ids], most: int) -> Slices[list[list[int]]]:
    answers = yield from _said(loaded, asked, most)
    return [[token.id for token in answer.tokens] for answer in answers]


def _said(loaded: Loaded, asked: Sequence[Ids], most: int) -> Slices[list[Answer]]:
    return answer_all(loaded, askings(asked), Sampling(max_new_tokens=most, repetition_penalty=PENALTY))
