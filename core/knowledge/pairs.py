"""A true and a false sentence as prompts of one length, and what each token is to its statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from core.directions.contrast import ContrastSet
from core.errors import TillerError
from core.inference import metrics
from core.inference.detokenizer import token_text
from core.inference.metrics import LABELS, QUESTION, Asked
from core.inference.prompts import encode
from core.knowledge import facts
from core.knowledge.facts import Fact, Span
from core.knowledge.maps import Asks
from core.models.loading import Loaded

#: How a statement is judged without the question: the label follows at once.
PLAIN = "{statement}"
#: Judged examples before every sentence, of each class.
SHOTS = 2
#: Prompts of which it is remembered how they are tokenized.
_KEPT = 4096


class PairError(TillerError):
    """Sentences that cannot be traced; what to change."""


@dataclass(frozen=True)
class StatementPair:
    """Two prompts of one length that begin alike.

    ``true`` and ``false`` are token ids. The first ``shared`` are the judged examples; what comes after them has a text and a role each
    (an empty role where it is not known what subject and object are). ``first`` is the first token in which the two differ, ``subject`` are
    the positions of the subject's tokens. ``labels`` are the ids whose logits are compared.
    """

    true: tuple[int, ...]
    false: tuple[int, ...]
    shared: int
    first: int
    texts: tuple[str, ...]
    roles: tuple[str, ...]
    subject: tuple[int, ...]
    labels: tuple[int, int]
    sentences: tuple[str, str]

    @property
    def positions(self) -> range:
        """The tokens of the sentence and what follows it."""
        return range(self.shared, len(self.true))


@dataclass(frozen=True)
class _Tokens:
    """A prompt: its ids, how many of them stand before the statement, and where the others stand, from its start on."""

    ids: tuple[int, ...]
    shared: int
    spans: tuple[Span, ...]


class Pairing:
    """Makes pairs for a checkpoint: judged examples of ``contrast`` first, then the sentence, then the question if it is asked."""

    def __init__(self, loaded: Loaded, contrast: ContrastSet, asks: Asks = "question") -> None:
        self.loaded = loaded
        self.form = QUESTION if asks == "question" else PLAIN
        if not loaded.tokenizer.is_fast:
            raise PairError(
                f"The tokenizer of {loaded.checkpoint.name} does not say where its tokens stand in a text; give it a tokenizer.json."
            )
        trues, falses = (contrast.part("train", label, SHOTS) for label in (True, False))
        shots = [(trues[0], True), (falses[0], False), (falses[-1], False), (trues[-1], True)]
        said = [f"{self.form.format(statement=text)}{LABELS[0] if true else LABELS[1]}\n" for text, true in shots]
        if asks == "recall":
            # True statements alone: what is asked for is how one goes on.
            said = [f"{text}\n" for text in contrast.part("train", True, 2 * SHOTS)]
        self.start = loaded.start + "".join(said)
        # A set's statements are each looked at with many others.
        self._tokens = lru_cache(_KEPT)(self._tokenized)
        self._statement = lru_cache(_KEPT)(self._read)
        self._labels = lru_cache(_KEPT)(self.labels)

    def length(self, statement: str) -> int:
        """How many tokens a prompt about a statement has."""
        return len(self._tokens(statement)[0])

    def pair(
        self,
        true: str,
        false: str,
        known: Sequence[Fact] = (),
        subject: Span | None = None,
        object_: Span | None = None,
    ) -> StatementPair:
        """Two sentences as a pair. ``known`` are facts from which another word is offered where one does not fit.

        Raises:
            PairError: the same sentence twice, a single token, different lengths, or longer than the context.
        """
        true, false = " ".join(true.split()), " ".join(false.split())
        if true == false:
            raise PairError("The two sentences are the same; let them differ in one word.")
        one, other = self._statement(true), self._statement(false)
        if len(one.ids) != len(other.ids):
            raise PairError(self._unequal(true, false, known))
        first = next(place for place, (a, b) in enumerate(zip(one.ids, other.ids, strict=True)) if a != b)
        if first < one.shared:
            raise PairError(
                "The examples and the sentences run into each other; begin both sentences with the same word."
            )
        return self._pair(one, other.ids, first, (true, false), subject, object_)

    def alone(self, true: str, subject: Span, object_: Span | None = None) -> StatementPair:
        """A sentence on whose subject noise is put: both runs have its tokens. Raises PairError as :meth:`pair` does."""
        true = " ".join(true.split())
        one = self._statement(true)
        found = self._pair(one, one.ids, one.shared, (true, true), subject, object_)
        return replace(found, first=found.subject[0])

    def of_facts(self, true: Fact, false: Fact) -> StatementPair:
        """A pair of known facts. Raises PairError as :meth:`pair` does, and when a token has another role in the other sentence."""
        one, other = self._statement(true.text), self._statement(false.text)
        roles = [_roles(each.text, read.spans, *each.spans()) for each, read in ((true, one), (false, other))]
        # Looked at first, since of a set most pairs may end here; of other lengths, the pair itself says which words are to blame.
        if len(one.ids) == len(other.ids) and roles[0] != roles[1]:
            raise PairError("The two sentences do not line up; choose others.")
        return self.pair(true.text, false.text, (), *true.spans())

    def recalled(self, fact: Fact, other: Fact) -> StatementPair:
        """Two facts, each cut off before its object, by whose first tokens they are told apart: what the model says next.

        Raises:
            PairError: as :meth:`pair` does; a statement that goes on behind its object; objects that begin alike.
        """
        cut = [each.before_object for each in (fact, other)]
        if not all(cut):
            raise PairError(f"{fact.text!r} does not end with its object, so that it cannot be asked for.")
        found = self.pair(cut[0], cut[1], (), fact.spans()[0])
        if _roles(cut[1], self._statement(cut[1]).spans, other.spans()[0], None) != found.roles:
            raise PairError("The two sentences do not line up; choose others.")
        asked = Asked(self._text(cut[0]), self._tokens(cut[0])[0])
        one, two = (metrics.continuation(self.loaded, asked, f" {each.object}")[0] for each in (fact, other))
        if one == two:
            raise PairError(f"{fact.object} and {other.object} begin with the same token; choose others.")
        return replace(found, labels=(one, two))

    def labels(self, statement: str) -> tuple[int, int]:
        """The tokens by which the answers TRUE and FALSE begin. Raises PairError when they begin alike."""
        asked = Asked(self._text(statement), self._tokens(statement)[0])
        true, false = (metrics.continuation(self.loaded, asked, label)[0] for label in LABELS)
        if true == false:
            raise PairError(
                f"TRUE and FALSE begin with the same token for {self.loaded.checkpoint.name}, so that no logits tell them apart."
            )
        return true, false

    # ------------------------------------------------------------------------------------------------------------ tokens

    def _text(self, statement: str) -> str:
        return self.start + self.form.format(statement=statement)

    def _tokenized(self, statement: str) -> tuple[tuple[int, ...], list[Span]]:
        """A statement's prompt: its ids, and where in the text each stands."""
        # How long it may be is checked where it is used, in words that a person understands.
        found = self.loaded.tokenized(self._text(statement), add_special_tokens=False, return_offsets_mapping=True)
        return tuple(int(each) for each in found["input_ids"]), found["offset_mapping"]

    def _read(self, statement: str) -> _Tokens:
        """A statement's prompt in tokens. Raises PairError for one token alone, and for more than the model reads."""
        text, (ids, offsets) = self._text(statement), self._tokens(statement)
        if len(ids) >= self.loaded.context:
            raise PairError(
                f"With its examples the sentence takes {len(ids)} tokens and {self.loaded.checkpoint.name} reads "
                f"{self.loaded.context - 1}; shorten it."
            )
        begin = len(self.start)
        spans = [_trimmed(text, start, end) for start, end in offsets]
        shared = next((place for place, (_, end) in enumerate(spans) if end > begin), len(spans))
        found = [(start - begin, end - begin) for start, end in spans[shared:]]
        if sum(start < len(statement) for start, _ in found) < 2:
            raise PairError(f"{statement!r} is a single token; write a whole sentence.")
        return _Tokens(ids, shared, tuple(found))

    def _pair(
        self,
        one: _Tokens,
        other: tuple[int, ...],
        first: int,
        sentences: tuple[str, str],
        subject: Span | None,
        object_: Span | None,
    ) -> StatementPair:
        texts = tuple(token_text(self.loaded, token) for token in one.ids[one.shared :])
        roles = _roles(sentences[0], one.spans, subject, object_) if subject else ("",) * len(texts)
        at = tuple(one.shared + place for place, span in enumerate(one.spans) if subject and _inside(span, subject))
        return StatementPair(one.ids, other, one.shared, first, texts, roles, at, self._labels(sentences[0]), sentences)

    def _unequal(self, true: str, false: str, known: Sequence[Fact]) -> str:
        """Which words differ in their number of tokens, and what would do instead."""
        said, instead_of, before, after = _differing(true, false)
        fits: Callable[[str], bool] = lambda word: self.length(f"{before}{word}{after}") == self.length(true)  # noqa: E731
        counts = [len(encode(self.loaded, " " + words)) for words in (instead_of, said)]
        told = (
            f"{instead_of!r} has {counts[0]} token{'s' * (counts[0] != 1)} where {said!r} has {counts[1]}, so that the two sentences do "
            "not line up"
        )
        other = facts.instead(known, instead_of, lambda word: word != said and fits(word))
        if other is None:
            other = facts.instead(known, said, fits)
        if other is None:
            return f"{told}; put a word of {counts[1]} token{'s' * (counts[1] != 1)} there."
        return f"{told}; {other[0]!r}, also from {other[1]}, would fit."


def _trimmed(text: str, start: int, end: int) -> Span:
    """A token's place without the spaces that it begins with; some tokenizers count them in."""
    while start < end - 1 and text[start].isspace():
        start += 1
    return start, end


def _inside(token: Span, words: Span) -> bool:
    return token[0] < words[1] and token[1] > words[0]


def _roles(statement: str, tokens: Sequence[Span], subject: Span, object_: Span | None) -> tuple[str, ...]:
    found: list[str] = []
    begins = min(subject[0], object_[0]) if object_ else subject[0]
    for token in tokens:
        if _inside(token, subject):
            found.append("subject")
        elif object_ and _inside(token, object_):
            found.append("object")
        elif token[0] >= len(statement):
            found.append("suffix")
        elif token[0] == len(statement) - 1 and not statement[-1].isalnum():
            found.append("full stop")
        else:
            found.append("start" if token[0] < begins else "relation")
    places = [place for place, role in enumerate(found) if role == "subject"]
    for place in places:
        found[place] = "subject middle"
    if places:
        found[places[0]], found[places[-1]] = "subject first", "subject last"
    return tuple(found)


def _differing(true: str, false: str) -> tuple[str, str, str, str]:
    """The words in which two sentences differ, and what stands before and behind them in both."""
    one, other = true.split(" "), false.split(" ")
    same = 0
    while same < min(len(one), len(other)) - 1 and one[same] == other[same]:
        same += 1
    tail = 0
    while tail < min(len(one), len(other)) - same - 1 and one[-1 - tail] == other[-1 - tail]:
        tail += 1
    words = [" ".join(each[same : len(each) - tail]) for each in (one, other)]
    # A full stop that both end in is no part of the word.
    behind = " ".join(["", *one[len(one) - tail :]]) if tail else ""
    while words[0] and words[0][-1] == words[1][-1:] and not words[0][-1].isalnum():
        behind, words = words[0][-1] + behind, [word[:-1] for word in words]
    before = "".join(f"{word} " for word in one[:same])
    return words[0], words[1], before, behind


def where(statement: str, words: str, known: Sequence[Fact]) -> Span:
    """Where a statement's subject stands: the words given, else those of a known fact.

    Raises:
        PairError: they are not in the sentence, or nothing says which words they are.
    """
    statement = " ".join(statement.split())
    if words:
        start = statement.find(words.strip())
        if start < 0:
            raise PairError(f"{words!r} does not stand in {statement!r}; write the subject as it stands there.")
        return start, start + len(words.strip())
    found = facts.subject_in(known, statement)
    if found is None:
        raise PairError(
            f'What the subject of {statement!r} is, is not known here; say it, such as --subject "{statement.split(" ")[0]}".'
        )
    return found
