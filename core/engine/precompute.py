"""What can be computed beforehand for a checkpoint, by name: :data:`BUILDERS`. Whoever adds a screen that needs more adds a part here.

The command line (``precompute``) and the engine's thread (the button in Chat) run the same parts, a slice at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from core.artefacts import store
from core.artefacts.direction import Direction, load_direction
from core.artefacts.neuron_sets import NEURON_SET_KIND
from core.confidence import confidence, measure
from core.directions import contrast, learn, quantized_twins
from core.directions.candidate import JUDGED
from core.directions.contrast import ContrastSet
from core.directions.request import KINDS, LearnRequest
from core.errors import StoreError
from core.families.checkpoint import Family
from core.inference import metrics
from core.models.loading import Loaded
from core.util.progress import Cost, Learning

#: A first forward pass that takes longer, in seconds, is itself the measure of how long others take.
_LONG = 0.2


@dataclass(frozen=True)
class BuildRequest:
    """What is wanted: for which checkpoint, written below which folder (in the layout of ``vectors/``).

    ``contrasts`` are a person's own examples, by kind, in the place of the family's; ``method`` is one of
    :data:`core.directions.methods.METHODS`. ``name`` is what the direction will be called, where that is not its kind; ``layer``
    one to take instead of the best.
    """

    family: Family
    checkpoint: str
    root: Path
    contrasts: Mapping[str, ContrastSet] = field(default_factory=dict)
    method: str = "mean_difference"
    name: str = ""
    layer: int | None = None

    def path(self, kind: str) -> Path:
        """Where what is learnt is written."""
        name = self.name or kind
        return store.artefact_path(self.root, self.family.name, self.checkpoint, "direction", name)

    @classmethod
    def of(cls, wish: LearnRequest, family: Family, checkpoint: str) -> BuildRequest:
        """What a person wishes for, on a checkpoint."""
        contrasts = {wish.kind: wish.contrast} if wish.contrast is not None else {}
        return cls(family, checkpoint, store.user_folder(), contrasts, wish.method, wish.name, wish.layer)

    def contrast(self, kind: str) -> ContrastSet:
        """The examples that ``kind`` is learnt from. Raises ContrastError."""
        return self.contrasts.get(kind) or contrast.load_contrast(self.family, kind)

    def artefact(self, kind: str, name: str) -> Path:
        """Where an artefact of the checkpoint lies, or will."""
        return store.artefact_path(self.root, self.family.name, self.checkpoint, kind, name)

    def unrelated(self) -> list[str]:
        """Messages whose replies a direction should leave alone."""
        return self.contrast("refusal").part("validation", False, JUDGED)


@dataclass(frozen=True)
class ArtefactBuilder:
    """One kind of artefact. ``run`` yields its slices, writes the artefact, and returns sentences on it.

    ``there(order, fingerprint, quantize)`` says whether it lies there already, made from the same weights and examples; ``plan`` what
    making it takes, notes in the cache included in neither.
    """

    summary: str
    there: Callable[[BuildRequest, str, str], bool]
    plan: Callable[[BuildRequest, Loaded], Cost]
    run: Callable[[BuildRequest, Loaded], Learning[Sequence[str]]]


# ------------------------------------------------------------------------------------------------------------ directions


def _there(kind: str, order: BuildRequest, fingerprint: str, quantize: str) -> bool:
    try:
        details = load_direction(order.path(kind)).card.details
    except StoreError:
        # What is not there, cut off or of another format is made (again).
        return False
    same = details.get("fingerprint") == fingerprint and details.get("quantize", "none") == quantize
    same = same and details.get("method", "mean_difference") == order.method
    return same and details.get("contrast", {}).get("digest") == order.contrast(kind).digest


def _plan(kind: str, order: BuildRequest, loaded: Loaded) -> Cost:
    if order.layer is not None:
        loaded.anatomy.check_layer(order.layer)
    return learn.learn_cost(kind, loaded, order.contrast(kind), order.unrelated(), order.method)


def _run(kind: str, order: BuildRequest, loaded: Loaded) -> Learning[Sequence[str]]:
    examples, unrelated, path = order.contrast(kind), order.unrelated(), order.path(kind)
    notes = learn.notebook(kind, loaded, examples, unrelated, order.method, order.layer)
    direction = yield from learn.learn_in_slices(kind, loaded, examples, unrelated, notes, order.method, order.layer)
    direction = _named(direction, kind, order.name or kind)
    said = list(_compared(order, direction, path))
    try:
        store.save_artefact(path, direction.tensors, direction.card.details)
    except StoreError as error:
        raise StoreError(f"{str(error).rstrip('.')}; started again, the work goes on from here.") from error
    notes.forget()
    return [*said, f"{order.checkpoint} {direction.card.name}: layer {direction.card.layer}, written to {path}"]


def _named(direction: Direction, kind: str, name: str) -> Direction:
    """A direction by the name it was ordered by; its card says of what kind it is."""
    card = replace(direction.card, name=name, details={**direction.card.details, "name": name, "learns": kind})
    return replace(direction, card=card)


def _compared(order: BuildRequest, direction: Direction, path: Path) -> Iterator[str]:
    """How well a direction agrees with the one that it replaces, where that was learnt on the same weights otherwise quantized."""
    card = direction.card
    before = path
    if not path.is_file():
        found = store.find_artefact(order.family.name, card.checkpoint, "direction", card.name, order.family.folder)
        if found is None:
            return
        before = found
    try:
        other = load_direction(before)
    except StoreError:
        # What cannot be read is replaced; there is nothing to compare.
        return
    if quantized_twins.twins(direction, other):
        yield quantized_twins.twin_sentence(direction, other)


def direction(kind: str) -> ArtefactBuilder:
    """The part that learns a direction: refusal, truth, or a contrast that the order brings the examples of."""
    return ArtefactBuilder(f"the {kind} direction", partial(_there, kind), partial(_plan, kind), partial(_run, kind))


# ------------------------------------------------------------------------------------------------------------ confidence


def _confidence_there(order: BuildRequest, fingerprint: str, quantize: str) -> bool:
    try:
        details = confidence.load_confidence(order.artefact(NEURON_SET_KIND, confidence.CONFIDENCE_NAME)).details
    except StoreError:
        # What is not there, cut off or without figures is made (again).
        return False
    same = details.get("fingerprint") == fingerprint and details.get("quantize", "none") == quantize
    return same and details.get("contrast", {}).get("digest") == order.contrast("truth").digest


def _confidence_plan(order: BuildRequest, loaded: Loaded) -> Cost:
    return measure.confidence_cost(loaded, order.contrast("truth"))


def _confidence_run(order: BuildRequest, loaded: Loaded) -> Learning[Sequence[str]]:
    found = yield from measure.measure_confidence(loaded, order.contrast("truth"))
    path = order.artefact(NEURON_SET_KIND, confidence.CONFIDENCE_NAME)
    confidence.save(found, path)
    return [*confidence.confidence_lines(found), f"{order.checkpoint} confidence: written to {path}"]


BUILDERS: dict[str, ArtefactBuilder] = {
    **{kind: direction(kind) for kind in KINDS},
    "confidence": ArtefactBuilder(
        "entropy neurons and calibration", _confidence_there, _confidence_plan, _confidence_run
    ),
}


def builder(kind: str) -> ArtefactBuilder:
    """A part by its name; any name but those of :data:`BUILDERS` is that of a direction learnt from a person's own examples."""
    return BUILDERS.get(kind) or direction(kind)


# -------------------------------------------------------------------------------------------------------------- estimate


def seconds_a_token(order: BuildRequest, loaded: Loaded) -> float:
    """How long a token takes, measured on a real batch of examples."""
    asked = metrics.chat_prompts(loaded, order.contrast("refusal").part("validation", True, JUDGED))
    # The first pass of a process is slower than those after it; where passes are quick it is not counted.
    started = time.perf_counter()
    tokens = _pass(loaded, asked[:1], metrics.REFUSALS[:1])
    took = time.perf_counter() - started
    if took < _LONG:
        started = time.perf_counter()
        tokens = _pass(loaded, asked, metrics.REFUSALS)
        took = time.perf_counter() - started
    return took / tokens


def _pass(loaded: Loaded, asked: list[metrics.Asked], texts: Sequence[str]) -> int:
    """One forward pass; the number of its tokens."""
    return next(metrics.probabilities(loaded, asked, texts))
