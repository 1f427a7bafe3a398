"""Measuring a checkpoint's confidence: what its entropy neurons do, one by one and together, and how well it is calibrated.

What is found is a :class:`core.confidence.confidence.Confidence`, which says what it is made of.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

from core.artefacts.neuron_sets import NEURON_SET_KIND, Neuron
from core.confidence import ablation
from core.confidence.ablation import Ablation
from core.confidence.calibration import of_margins
from core.confidence.confidence import CONFIDENCE_NAME, MATCHED, SETS, Confidence, Measured, NeuronEffect
from core.confidence.logit_variance import block, last_blocks
from core.confidence.neurons import BLOCKS, CANDIDATES, Block
from core.confidence.unembedding import Head
from core.directions import contrast_files
from core.directions.contrast import ContrastSet
from core.inference import metrics
from core.inference.metrics import Asked
from core.inference.prompts import encode
from core.models.loading import Loaded
from core.util.progress import Cost, Learning, told
from core.util.version import VERSION

#: Texts that means are taken from, and that effects are measured on; statements that are judged, of each class.
TEXTS = 128
_QUESTIONS = 128


def confidence_texts(loaded: Loaded, contrast: ContrastSet) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """The texts that means are taken from, and those that effects are measured on."""
    bos = str(loaded.tokenizer.bos_token or "")
    train, test = (
        [encode(loaded, bos + text) for text in contrast.part(split, True, TEXTS)] for split in ("train", "test")
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


def measure_confidence(loaded: Loaded, contrast: ContrastSet) -> Learning[Confidence]:
    """Measure a checkpoint, a forward pass at a time.

    Raises:
        AnatomyError: a mixture of experts, or a model whose final norm or logits are made otherwise.
        LoadError: the weights are not to be had in full precision.
    """
    layers = last_blocks(loaded)
    head = Head(loaded)
    blocks = tuple(block(loaded, layer, head.precise, head.norm) for layer in layers)
    train, test = confidence_texts(loaded, contrast)
    means = yield from told(ablation.mean_activations(loaded, layers, train), "Taking the neurons' means.")
    probe = Ablation(loaded, head, means)
    yield from told(probe.read(test), "Reading the texts.")
    pairs = [(each.layer, neuron) for each in blocks for neuron in each.candidates]
    candidates = yield from _one_by_one(probe, pairs, "a candidate")
    matched = yield from _one_by_one(probe, _matched(blocks), "a neuron of like norm")
    together = yield from told(probe.change(pairs), "Ablating all candidates.")
    sets = []
    for index in range(SETS):
        rng = np.random.default_rng([index, 1])
        chosen = [(each.layer, neuron) for each in blocks for neuron in each.matched(rng)]
        effect = yield from told(probe.change(chosen), f"Ablating as many of like norm ({index + 1} of {SETS}).")
        sets.append(effect.total)
    asked, labels = judged_statements(loaded, contrast)
    margin, mass = yield from told(metrics.truth_margin(loaded, asked), "Asking questions.")
    return Confidence(
        blocks,
        candidates,
        matched,
        np.array([float(means[layer][neuron]) for layer, neuron in pairs]),
        probe.plain,
        together,
        np.array(sets),
        of_margins(margin.tolist(), mass.tolist(), labels),
        _details(loaded, contrast, head, layers, len(train), len(test)),
    )


def _one_by_one(probe: Ablation, neurons: Sequence[Neuron], what: str) -> Learning[Measured]:
    found: list[NeuronEffect] = []
    for index, neuron in enumerate(neurons):
        sentence = f"Ablating {what} ({index + 1} of {len(neurons)})."
        found.append((yield from told(probe.change([neuron]), sentence)))
    texts = len(probe.plain.entropy)
    total, frozen, loss = (
        np.array([getattr(each, part) for each in found]).reshape(-1, texts) for part in ("total", "frozen", "loss")
    )
    return Measured(tuple(neurons), total, frozen, loss)


def _matched(blocks: Sequence[Block]) -> list[Neuron]:
    """Neurons of like norm as the candidates, :data:`MATCHED` a block at most."""
    found: list[Neuron] = []
    for each in blocks:
        rng = np.random.default_rng([each.layer, 0])
        drawn: list[int] = []
        for _ in range(2 * ceil(MATCHED / CANDIDATES)):
            drawn += [neuron for neuron in each.matched(rng) if neuron not in drawn]
        found += [(each.layer, neuron) for neuron in drawn[:MATCHED]]
    return found


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
        "program": f"Tiller {VERSION}",
        "date": datetime.date.today().isoformat(),
    }


def confidence_cost(loaded: Loaded, contrast: ContrastSet) -> Cost:
    """What :func:`measure_confidence` takes. Raises AnatomyError, as it does."""
    layers = last_blocks(loaded)
    train, test = confidence_texts(loaded, contrast)
    asked, _ = judged_statements(loaded, contrast)
    found = Cost()
    for texts in (train, test):
        passes, tokens = ablation.ablation_cost(loaded, texts)
        found += Cost(len(texts), passes, tokens)
    passes, tokens = ablation.ablation_cost(loaded, test)
    replayed = BLOCKS * (CANDIDATES + MATCHED) + 1 + SETS
    part = Cost(len(test), passes, max(1, tokens * len(layers) // loaded.anatomy.layers))
    return found + part.times(replayed) + metrics.probabilities_cost(loaded, asked, metrics.LABELS)
