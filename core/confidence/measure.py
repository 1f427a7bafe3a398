"""Measuring a checkpoint's confidence: what its entropy neurons do, one by one and together, and how well it is calibrated.

What is found is a :class:`core.confidence.confidence.Confidence`, which says what it is made of.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.artefacts.neuron_sets import NEURON_SET_KIND, Neuron
from core.confidence import ablation
from core.confidence.ablation import Ablation
from core.confidence.calibration import of_margins
from core.confidence.confidence import (
    CONFIDENCE_NAME,
    EFFECT_PARTS,
    MATCHED,
    SETS,
    Confidence,
    Measured,
    NeuronEffect,
    NeuronFigures,
    Plain,
)
from core.confidence.logit_variance import block, last_blocks
from core.confidence.neurons import BLOCKS, CANDIDATES, Block
from core.confidence.unembedding import Head
from core.directions import contrast_files
from core.directions.contrast import ContrastSet
from core.inference import metrics
from core.inference.batch import batch_rows
from core.inference.metrics import Asked
from core.inference.prompts import encode_text
from core.models.loading import Loaded
from core.util.budget import Budget, TimedPart, spread
from core.util.progress import Cost, Learning, Slices, Step, finished, told
from core.util.resume import Arrays, ResumeNotes
from core.util.version import PROGRAM

#: Texts that means are taken from, and that effects are measured on; statements that are judged, of each class.
TEXTS = 128
_QUESTIONS = 128
#: So many texts, and statements of each class, are measured in a round.
ROUND = 16


def confidence_texts(loaded: Loaded, contrast: ContrastSet) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """The texts that means are taken from, and those that effects are measured on."""
    train, test = (
        [encode_text(loaded, text) for text in contrast.part(split, True, TEXTS)] for split in ("train", "test")
    )
    return train, test


def judged_statements(loaded: Loaded, contrast: ContrastSet) -> tuple[list[Asked], list[bool]]:
    """Test statements with four judged examples of the training split before each, and whether each is true."""
    trues, falses = contrast.part("train", True, 2), contrast.part("train", False, 2)
    shots = [(trues[0], True), (falses[0], False), (falses[-1], False), (trues[-1], True)]
    asked, labels = [], []
    for label in (True, False):
        chosen = contrast.part("test", label, _QUESTIONS)
        asked += metrics.statement_prompts(loaded, chosen, shots)
        labels += [label] * len(chosen)
    return asked, labels


@dataclass
class _Work:
    """A checkpoint while it is measured: texts and questions in rounds, each a fair sample of them and whole in itself."""

    loaded: Loaded
    contrast: ContrastSet
    head: Head
    blocks: tuple[Block, ...]

    @classmethod
    def begun(cls, loaded: Loaded, contrast: ContrastSet) -> Slices[_Work]:
        """It, with the LogitVars of its blocks' neurons computed. Raises AnatomyError and LoadError as :func:`measure_confidence` does."""
        layers, head, blocks = last_blocks(loaded), Head(loaded), list[Block]()
        for layer in layers:
            blocks.append((yield from block(loaded, layer, head.precise, head.norm)))
        return cls(loaded, contrast, head, tuple(blocks))

    def __post_init__(self) -> None:
        loaded = self.loaded
        self.layers = [each.layer for each in self.blocks]
        self.train, self.test = confidence_texts(loaded, self.contrast)
        self.asked, self.labels = judged_statements(loaded, self.contrast)
        self.pairs = [(each.layer, neuron) for each in self.blocks for neuron in each.candidates]
        self.like = [(each.layer, neuron) for each in self.blocks for neuron in each.nearest(MATCHED)]
        self.sets = [
            [(each.layer, neuron) for each in self.blocks for neuron in each.matched(np.random.default_rng([index, 1]))]
            for index in range(SETS)
        ]

    def rounds(self) -> list[tuple[list[int], list[int]]]:
        """The texts and the questions of every round; of the questions as many of either class."""
        texts = spread(len(self.test))
        sides = [[place for place, label in enumerate(self.labels) if label == side] for side in (True, False)]
        orders = [[side[place] for place in spread(len(side))] for side in sides]
        count = max(-(-len(each) // ROUND) for each in (texts, *orders))
        cut = [slice(number * ROUND, (number + 1) * ROUND) for number in range(count)]
        return [(texts[each], [place for side in orders for place in side[each]]) for each in cut]

    def means(self, notes: ResumeNotes) -> Learning[dict[int, Tensor]]:
        """The neurons' means over the training split, by layer."""
        sentence = "Taking the neurons' means."
        kept = notes.recall_arrays("means")
        if kept is not None:
            yield Step(0, sentence, remembered=True)
            return {layer: torch.tensor(kept[str(layer)]).float() for layer in self.layers}
        found = yield from told(ablation.mean_activations(self.loaded, self.layers, self.train), sentence)
        notes.keep_arrays("means", {str(layer): each.double().numpy() for layer, each in found.items()})
        return found

    def round(self, number: int, means: Mapping[int, Tensor], notes: ResumeNotes) -> Learning[Arrays]:
        """Everything that is measured on a round's texts and questions."""
        texts, questions = self.rounds()[number]
        kept = notes.recall_arrays(f"round{number}")
        if kept is not None:
            yield Step(self.tokens(number), f"Round {number + 1}.", remembered=True)
            return kept
        found: dict[str, NeuronFigures] = {}
        if texts:
            probe = Ablation(self.loaded, self.head, means)
            yield from told(probe.read([self.test[place] for place in texts]), f"Reading texts, round {number + 1}.")
            found = {"plain.entropy": probe.plain.entropy, "plain.loss": probe.plain.loss}
            for name, what, sets in (
                ("neurons", "a candidate", [[each] for each in self.pairs]),
                ("matched", "a neuron of like norm", [[each] for each in self.like]),
                ("together", "all candidates", [self.pairs]),
                ("sets", "as many of like norm", self.sets),
            ):
                effects = []
                for index, chosen in enumerate(sets):
                    sentence = f"Ablating {what} ({index + 1} of {len(sets)}), round {number + 1}."
                    effects.append((yield from told(probe.change(chosen), sentence)))
                for part in EFFECT_PARTS:
                    found[f"{name}.{part}"] = np.array([getattr(each, part) for each in effects])
        if questions:
            asked = [self.asked[place] for place in questions]
            margin, mass = yield from told(metrics.truth_margin(self.loaded, asked), "Asking questions.")
            found |= {"margin": margin.double().cpu().numpy(), "mass": mass.double().cpu().numpy()}
        notes.keep_arrays(f"round{number}", found)
        return found

    def tokens(self, number: int) -> int:
        """About how many tokens a round counts for."""
        texts, questions = self.rounds()[number]
        share, asked = len(texts) / max(1, len(self.test)), len(questions) / max(1, len(self.asked))
        reading, judging = _costs(self.loaded, self.test, self.asked, self.layers)
        return int(share * reading.tokens + asked * judging.tokens)

    def found(self, means: Mapping[int, Tensor], done: Sequence[Arrays]) -> Confidence:
        """What the rounds so far give, their texts and questions in the order of the examples."""
        chosen = self.rounds()[: len(done)]
        texts = [place for each, _ in chosen for place in each]
        questions = [place for _, each in chosen for place in each]
        by_text, by_question = np.argsort(texts), np.argsort(questions)

        def figures(name: str) -> NeuronFigures:
            parts = [each[name] for each in done if name in each]
            whole = np.concatenate(parts, -1)
            return np.asarray(whole[..., by_question if name in ("margin", "mass") else by_text])

        def measured(neurons: Sequence[Neuron], name: str) -> Measured:
            return Measured(
                tuple(neurons), *(figures(f"{name}.{part}").reshape(-1, len(texts)) for part in EFFECT_PARTS)
            )

        return Confidence(
            self.blocks,
            measured(self.pairs, "neurons"),
            measured(self.like, "matched"),
            np.array([float(means[layer][neuron]) for layer, neuron in self.pairs]),
            Plain(figures("plain.entropy"), figures("plain.loss")),
            NeuronEffect(*(figures(f"together.{part}")[0] for part in EFFECT_PARTS)),
            figures("sets.total"),
            of_margins(
                figures("margin").tolist(), figures("mass").tolist(), [self.labels[at] for at in sorted(questions)]
            ),
            _details(self.loaded, self.contrast, self.head, self.layers, len(self.train), len(texts))
            | ({} if len(done) == len(self.rounds()) else self._unfinished(sorted(texts), len(questions))),
        )

    def _unfinished(self, texts: list[int], questions: int) -> dict[str, Any]:
        return {
            "unfinished": {
                "texts": [len(texts), len(self.test)],
                "questions": [questions, len(self.asked)],
                "which": texts,
            }
        }


def measure_confidence(
    loaded: Loaded,
    contrast: ContrastSet,
    budget: Budget | None = None,
    notes: ResumeNotes | None = None,
    keep: Callable[[Confidence], None] = lambda _: None,
) -> Learning[Confidence]:
    """Measure a checkpoint, a forward pass at a time.

    Args:
        budget: when to end, looked at between rounds; one round is always measured.
        notes: what an earlier run has found; the work goes on behind it.
        keep: given what is found so far after every round but the last.

    Raises:
        AnatomyError: a mixture of experts, or a model whose final norm or logits are made otherwise.
        LoadError: the weights are not to be had in full precision.
    """
    notes = notes or ResumeNotes()
    work = yield from told(_Work.begun(loaded, contrast), "Comparing what the neurons write with the vocabulary.")
    means = yield from work.means(notes)
    done: list[Arrays] = []
    count = len(work.rounds())
    while True:
        done.append((yield from work.round(len(done), means, notes)))
        if len(done) == count or (budget is not None and budget.over()):
            return work.found(means, done)
        keep(work.found(means, done))


def confidence_notes(loaded: Loaded, contrast: ContrastSet) -> ResumeNotes:
    """What was found before on these weights and examples."""
    return ResumeNotes.of(
        kind="confidence",
        fingerprint=loaded.fingerprint,
        quantize=loaded.quantize,
        contrast=contrast.digest,
        round=ROUND,
        # What an earlier version began has other neurons of like norm in its rounds.
        controls=["nearest", MATCHED, SETS],
    )


def confidence_phases(loaded: Loaded, contrast: ContrastSet) -> list[TimedPart]:
    """The parts of :func:`measure_confidence`, for an estimate. Raises AnatomyError and LoadError, as it does."""
    work, rows = finished(_Work.begun(loaded, contrast)), batch_rows(loaded)
    texts, questions = work.rounds()[0]
    means, probes = dict[int, Tensor](), list[Ablation]()

    def learn() -> None:
        means.update(finished(ablation.mean_activations(loaded, work.layers, work.train[:rows])))

    def read() -> None:
        probes.append(Ablation(loaded, work.head, means))
        finished(probes[-1].read([work.test[place] for place in texts]))

    def change() -> None:
        # One neuron of every block, the first and the last: what one more block to run again takes is in the mean.
        for layer in work.layers:
            finished(probes[-1].change([(layer, 0)]))

    def judge() -> None:
        finished(metrics.truth_margin(loaded, [work.asked[place] for place in questions]))

    replays = (len(work.pairs) + len(work.like) + 1 + SETS) / len(work.layers)
    share, asked = len(work.test) / len(texts), len(work.asked) / len(questions)
    return [
        TimedPart(1, lambda: finished(_Work.begun(loaded, contrast))),
        TimedPart(len(work.train) / len(work.train[:rows]), learn),
        TimedPart(share, read),
        TimedPart(share * replays, change),
        TimedPart(asked, judge),
    ]


def _details(
    loaded: Loaded, contrast: ContrastSet, head: Head, layers: Sequence[int], train: int, test: int
) -> dict[str, Any]:
    return {
        "kind": NEURON_SET_KIND,
        "name": CONFIDENCE_NAME,
        "family": loaded.family.name,
        "checkpoint": loaded.checkpoint.name,
        "fingerprint": loaded.fingerprint,
        "quantize": loaded.quantize,
        "weights": head.precise.source,
        "layers": loaded.anatomy.layers,
        "width": loaded.width,
        "blocks": list(layers),
        "method": f"mean ablation of the {CANDIDATES} neurons of lowest LogitVar among the quarter of largest norm, a block",
        "contrast": contrast_files.describe_table(contrast),
        "texts": {"means": train, "effects": test},
        "program": PROGRAM,
        "date": datetime.date.today().isoformat(),
    }


def confidence_cost(loaded: Loaded, contrast: ContrastSet) -> Cost:
    """What :func:`measure_confidence` takes. Raises AnatomyError, as it does."""
    layers = last_blocks(loaded)
    train, test = confidence_texts(loaded, contrast)
    asked, _ = judged_statements(loaded, contrast)
    reading, judging = _costs(loaded, test, asked, layers)
    passes, tokens = ablation.ablation_cost(loaded, train)
    return Cost(len(train), passes, tokens) + reading + judging


def _costs(
    loaded: Loaded, test: Sequence[tuple[int, ...]], asked: Sequence[Asked], layers: Sequence[int]
) -> tuple[Cost, Cost]:
    """Of the texts with all that is ablated on them, and of the questions."""
    passes, tokens = ablation.ablation_cost(loaded, test)
    config: Any = loaded.model.config.get_text_config()
    neurons = int(getattr(config, "intermediate_size", None) or 4 * loaded.width)
    replayed = BLOCKS * (CANDIDATES + min(MATCHED, max(0, neurons - CANDIDATES))) + 1 + SETS
    part = Cost(len(test), passes, max(1, tokens * len(layers) // loaded.anatomy.layers))
    return Cost(len(test), passes, tokens) + part.times(replayed), metrics.probabilities_cost(
        loaded, asked, metrics.LABELS
    )
