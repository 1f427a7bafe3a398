"""What the base has learnt: facts, judging statements, and whether a truth direction carries to a category left out."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.chat.settings import Sampling
from core.directions.activations import states
from core.inference import metrics
from core.inference.decoding_batches import answer_all, askings
from core.inference.prompts import encode_text
from core.inference.teacher_forcing import reply_logits
from core.models.loading import Loaded
from core.skiff.evaluate.subjects import Subjects
from core.skiff.world.facts import TABLES
from core.skiff.world.judging import CATEGORY_SPLITS, JudgingSplit, Statement, statements
from core.skiff.world.tables import FactTable
from core.training.card_figures import Figure, count, repeated, target_at_least
from core.util.progress import finished

FACTS = "Facts"
_TRUTH = "Truth"
#: The base that was trained without labelled statements: the negative control of everything that concerns truth.
_NEVER_LABELLED = "base-unlabelled"
_SHUFFLES = 20
_SPLITS: tuple[JudgingSplit, ...] = ("train", "validation", "test", "unlabelled")


def fact_figures(subjects: Subjects) -> Iterator[Figure]:
    """Every fact of every table: the base continues a statement greedily, and the object must come first and exact."""
    loaded = subjects.load(subjects.base)
    everything: list[bool] = []
    worst: tuple[float, str, list[bool]] = (2.0, "", [])
    for table in TABLES.values():
        outcomes = _recalled(loaded, table)
        everything += outcomes
        worst = min(worst, (sum(outcomes) / len(outcomes), table.name, outcomes))
    yield count(
        FACTS, "facts recalled, all tables", subjects.base, everything, target_at_least(0.93), target_at_least(0.85)
    )
    yield count(FACTS, f"facts recalled, weakest table ({worst[1]})", subjects.base, worst[2], target_at_least(0.75))


def _recalled(loaded: Loaded, table: FactTable) -> list[bool]:
    """For each row: does a greedy continuation of the statement begin with the object, or with "called" and the object?"""
    template = fact_template(table)
    beginning = template[: template.index(OBJECT_FIELD.findall(template)[-1])].rstrip()
    prompts = [encode_text(loaded, table.fill(beginning, *row)) for row in table.rows]
    said = finished(answer_all(loaded, askings(prompts), Sampling(temperature=0.0, max_new_tokens=20), rows=128))
    return [says_first(each.text, answer) for each, (_, answer) in zip(said, table.rows, strict=True)]


OBJECT_FIELD = re.compile(r"\{(?:o|a_o|pl_o)\}")
_SUBJECT_TO_OBJECT = re.compile(r"\{(?:s|S|a_s|pl_s)\}(?P<between> .*) \{(?:o|a_o|pl_o)\}\.$")


def fact_template(table: FactTable) -> str:
    """The first statement that ends in its object and whose beginning says which relation it is.

    "A dog …" may go on in many true ways, so at least two words must stand between subject and object, or three before
    the subject ("The capital of …"). Raises ValueError when a table has no such statement.
    """
    for template in table.statements:
        found = _SUBJECT_TO_OBJECT.search(template)
        if found and (len(found["between"].split()) > 1 or len(template[: found.start()].split()) > 1):
            return template
    raise ValueError(f"the table {table.name} has no statement that ends in its object and names its relation: add one")


def says_first(text: str, answer: str) -> bool:
    """Whether ``text`` begins with ``answer`` as whole words, after an article, "called" or "a kind of" at most."""
    start = r"\s*(?:called |named |usually )?(?:an? |the )?(?:kind of )?"
    return re.match(rf"{start}{re.escape(answer)}(?!\w)", text) is not None


def judging_figures(subjects: Subjects) -> Iterator[Figure]:
    """Few-shot "This statement is:" on wordings that no training text has, labelled and never labelled categories.

    The base that was trained without labelled statements is the negative control, where the family has it.
    """
    labelled = [item for split in _SPLITS[:3] for item in statements(split, heldout=True)]
    negated = [item for split in _SPLITS[:3] for item in statements(split, heldout=False, negated=True)]
    unlabelled = list(statements("unlabelled", heldout=True))
    for name in (subjects.base, *subjects.controls(_NEVER_LABELLED)):
        loaded = subjects.load(name)
        target = target_at_least(0.85) if name == subjects.base else None
        yield count(_TRUTH, "few-shot judging, held-out wordings", name, _judged(loaded, labelled), target)
        yield count(_TRUTH, "few-shot judging, negations", name, _judged(loaded, negated))
        yield count(_TRUTH, "few-shot judging, categories never labelled", name, _judged(loaded, unlabelled))


def _judged(loaded: Loaded, items: list[Statement]) -> list[bool]:
    """Whether P(TRUE) > P(FALSE) agrees with the label, after two true and two false examples of the training categories."""
    examples = random.Random("shots").sample(statements("train"), 12)
    trues = [each.text for each in examples if each.label][:2]
    falses = [each.text for each in examples if not each.label][:2]
    shots = [(trues[0], True), (falses[0], False), (falses[1], False), (trues[1], True)]
    asked = metrics.statement_prompts(loaded, [item.text for item in items], shots)
    (true,), (false,) = (metrics.continuation(loaded, asked[0], label) for label in metrics.LABELS)
    outcomes: list[bool] = []
    for first in range(0, len(asked), 128):
        prompts = [each.ids for each in asked[first : first + 128]]
        for logits, item in zip(reply_logits(loaded, prompts, [(true,)] * len(prompts)), items[first:], strict=False):
            outcomes.append(bool(logits[0, true] > logits[0, false]) == item.label)
    return outcomes


def probe_figures(subjects: Subjects) -> Iterator[Figure]:
    """A mean-difference probe learnt on all categories but one, tried on the one left out in held-out wordings.

    The layer is the one that is best on the left-out categories in training wordings, and at most the last but one. Negative
    controls: labels shuffled within each category (the whole procedure anew each time, the choice of the layer too), and the
    base that was trained without labelled statements, where the family has it.
    """
    for name in (subjects.base, subjects.final, *subjects.controls(_NEVER_LABELLED)):
        loaded = subjects.load(name)
        train = [item for split in _SPLITS[:3] for item in statements(split)]
        held = [item for split in _SPLITS[:3] for item in statements(split, heldout=True)]
        never = list(statements("unlabelled", heldout=True))
        states_train, states_held, states_never = (_states(loaded, items) for items in (train, held, never))
        layers = range(loaded.anatomy.layers - 1)
        layer = _best_layer(train, states_train, layers)
        note = f"layer {layer}"
        outcomes = _left_out(train, states_train, held, states_held, layer)
        target = target_at_least(0.85) if name == subjects.base else None
        yield count(_TRUTH, "truth probe, category left out, held-out wordings", name, outcomes, target, note=note)
        probed = _probe(train, states_train, never, states_never, layer)
        yield count(_TRUTH, "truth probe, categories never labelled", name, probed, note=note)
        if name == subjects.base:
            runs = _with_shuffled_labels(train, states_train, held, states_held, layers)
            reached = sum(run >= sum(outcomes) / len(outcomes) for run in runs)
            note = f"95th percentile {np.quantile(runs, 0.95):.3f}; p of the true labels {(1 + reached) / (1 + len(runs)):.3f}"
            yield repeated(_TRUTH, "truth probe, labels shuffled", name, runs, note=note)


def _best_layer(learn: list[Statement], known: NDArray[np.float64], layers: range) -> int:
    """The layer at which probes learnt on the other categories agree best with the labels of the one left out."""
    chosen = [sum(_left_out(learn, known, learn, known, layer)) for layer in layers]
    return max(layers, key=lambda each: chosen[each])


def _with_shuffled_labels(
    train: list[Statement],
    known: NDArray[np.float64],
    held: list[Statement],
    asked: NDArray[np.float64],
    layers: range,
) -> list[float]:
    """What the probe reaches on the true labels when its layer and direction come from shuffled ones, :data:`_SHUFFLES` times."""
    rates: list[float] = []
    for shuffle in range(_SHUFFLES):
        wrong = shuffled_labels(train, random.Random(f"shuffled labels {shuffle}"))
        outcomes = _left_out(wrong, known, held, asked, _best_layer(wrong, known, layers))
        rates.append(sum(outcomes) / len(outcomes))
    return rates


def shuffled_labels(items: list[Statement], rng: random.Random) -> list[Statement]:
    """The same statements with the labels of each category dealt out anew."""
    new = list(items)
    for category in dict.fromkeys(item.category for item in items):
        places = [index for index, item in enumerate(items) if item.category == category]
        labels = [items[index].label for index in places]
        rng.shuffle(labels)
        for index, label in zip(places, labels, strict=True):
            new[index] = replace(items[index], label=label)
    return new


def _states(loaded: Loaded, items: list[Statement]) -> NDArray[np.float64]:
    found = states(loaded, [encode_text(loaded, item.text) for item in items], 1)
    return np.asarray(found[:, 0].double().numpy(), dtype=np.float64)


def _left_out(
    learn: list[Statement], known: NDArray[np.float64], judge: list[Statement], asked: NDArray[np.float64], layer: int
) -> list[bool]:
    outcomes: list[bool] = []
    for category in (name for name, split in CATEGORY_SPLITS.items() if split != "unlabelled"):
        inside = [index for index, item in enumerate(learn) if item.category != category]
        tried = [index for index, item in enumerate(judge) if item.category == category]
        outcomes += _probe([learn[i] for i in inside], known[inside], [judge[i] for i in tried], asked[tried], layer)
    return outcomes


def _probe(
    learn: list[Statement], known: NDArray[np.float64], judge: list[Statement], asked: NDArray[np.float64], layer: int
) -> list[bool]:
    labels = np.array([item.label for item in learn])
    positive, negative = known[labels, layer].mean(0), known[~labels, layer].mean(0)
    vector = positive - negative
    middle = (positive + negative) @ vector / 2
    said = asked[:, layer] @ vector > middle
    return [bool(value) == item.label for value, item in zip(said, judge, strict=True)]
