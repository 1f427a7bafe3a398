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
from core.confidence.confidence import Confidence
from core.directions import contrast, learn, quantized_twins
from core.directions.candidate import JUDGED
from core.directions.contrast import ContrastSet
from core.directions.effort import BUDGET, FULL, MEASURED, QUICK, Effort, suffices
from core.directions.learn_replies import questions_under
from core.directions.request import KINDS, LearnRequest
from core.errors import StoreError
from core.families.checkpoint import Family, TemplateVars
from core.inference import metrics
from core.models.chat_template import told_of
from core.models.loading import Loaded
from core.util.budget import Budget
from core.util.files import check_writable
from core.util.progress import Cost, Learning

#: The pass that is the measure of how long others take is to take no longer than this, in seconds.
_LONGEST = 2.0


@dataclass(frozen=True)
class BuildRequest:
    """What is wanted: for which checkpoint, written below which folder (in the layout of ``vectors/``).

    ``contrasts`` are a person's own examples, by kind, in the place of the family's; ``method`` is one of
    :data:`core.directions.methods.METHODS`. ``name`` is what the direction will be called, where that is not its kind; ``layer``
    one to take instead of the best; ``told`` what chat templates are told beside what the family's file says.
    """

    family: Family
    checkpoint: str
    root: Path
    contrasts: Mapping[str, ContrastSet] = field(default_factory=dict)
    method: str = "mean_difference"
    name: str = ""
    layer: int | None = None
    effort: Effort = FULL
    #: Seconds for a direction of *measured* effort; ``watch`` counts them where somebody else has to stop it in between.
    budget: float = BUDGET
    watch: Budget | None = None
    told: TemplateVars = ()
    #: Told whenever an artefact, or more of one, was written.
    written: Callable[[], None] = lambda: None

    def path(self, kind: str) -> Path:
        """Where what is learnt is written."""
        name = self.name or kind
        return store.artefact_path(self.root, self.family.name, self.checkpoint, "direction", name)

    @classmethod
    def of(cls, wish: LearnRequest, family: Family, checkpoint: str, effort: Effort = FULL) -> BuildRequest:
        """What a person wishes for, on a checkpoint."""
        contrasts = {wish.kind: wish.contrast} if wish.contrast is not None else {}
        if wish.prompts is not None and wish.contrast is None:
            contrasts = {wish.kind: questions_under(wish.kind, dict(wish.prompts), family)}
        return cls(family, checkpoint, family.root, contrasts, wish.method, wish.name, wish.layer, effort)

    def contrast(self, kind: str) -> ContrastSet:
        """The examples that ``kind`` is learnt from. Raises ContrastError."""
        return self.contrasts.get(kind) or contrast.load_contrast(self.family, kind)

    def time(self) -> Budget:
        """When what is learnt or measured is to end."""
        return self.watch or Budget(self.budget if self.effort is MEASURED else None)

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
    same = same and details.get("template_vars", {}) == dict(told_of(order.family, order.checkpoint, order.told))
    same = same and details.get("method", "mean_difference") == order.method and suffices(details, order.effort)
    return same and details.get("contrast", {}).get("digest") == order.contrast(kind).digest


def _plan(kind: str, order: BuildRequest, loaded: Loaded) -> Cost:
    if order.layer is not None:
        loaded.anatomy.check_layer(order.layer)
    return learn.learn_cost(kind, loaded, order.contrast(kind), order.unrelated(), order.method, order.effort)


def _run(kind: str, order: BuildRequest, loaded: Loaded) -> Learning[Sequence[str]]:
    examples, unrelated, path = order.contrast(kind), order.unrelated(), order.path(kind)
    check_writable(path)
    time = order.time()
    notes = learn.notebook(kind, loaded, examples, unrelated, order.method, order.layer, order.effort)

    def written(found: Direction) -> Direction:
        direction = _named(found, kind, order.name or kind)
        try:
            store.save_artefact(path, direction.tensors, direction.card.details)
        except StoreError as error:
            raise StoreError(f"{str(error).rstrip('.')}; started again, the work goes on from here.") from error
        order.written()
        return direction

    def keep(found: Direction) -> None:
        # A whole learning replaces what is there when it is whole.
        if order.effort is MEASURED:
            written(found)

    before = _before(order, order.name or kind, path)
    given = (order.method, order.layer, order.effort, time, keep)
    direction = written((yield from learn.learn_in_slices(kind, loaded, examples, unrelated, notes, *given)))
    said = list(_compared(direction, before))
    if lacking := direction.card.details.get("unfinished"):
        said.append(
            f"The time is up; what is not measured yet ({', '.join(lacking)}) follows when it is started again."
        )
    else:
        notes.forget()
    how = f"{order.effort.name}, " if order.effort is not FULL else ""
    return [*said, f"{order.checkpoint} {direction.card.name}: {how}layer {direction.card.layer}, written to {path}"]


def _named(direction: Direction, kind: str, name: str) -> Direction:
    """A direction by the name it was ordered by; its card says of what kind it is."""
    card = replace(direction.card, name=name, details={**direction.card.details, "name": name, "learns": kind})
    return replace(direction, card=card)


def _before(order: BuildRequest, name: str, path: Path) -> Direction | None:
    """The direction that is to be replaced; None where there is none that can be read."""
    found: Path | None = path
    if not path.is_file():
        found = store.find_artefact(order.family.places, order.checkpoint, "direction", name)
    try:
        return load_direction(found) if found is not None else None
    except StoreError:
        # What cannot be read is replaced; there is nothing to compare.
        return None


def _compared(direction: Direction, before: Direction | None) -> Iterator[str]:
    """How well a direction agrees with the one that it replaces, where that was learnt on the same weights otherwise quantized."""
    if before is not None and quantized_twins.twins(direction, before):
        yield quantized_twins.twin_sentence(direction, before)


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
    same = same and (order.effort is QUICK or not details.get("unfinished"))
    return same and details.get("contrast", {}).get("digest") == order.contrast("truth").digest


def _confidence_plan(order: BuildRequest, loaded: Loaded) -> Cost:
    return measure.confidence_cost(loaded, order.contrast("truth"))


def _confidence_run(order: BuildRequest, loaded: Loaded) -> Learning[Sequence[str]]:
    examples, path = order.contrast("truth"), order.artefact(NEURON_SET_KIND, confidence.CONFIDENCE_NAME)
    check_writable(path)
    notes = measure.confidence_notes(loaded, examples)
    there = _confidence_there(replace(order, effort=FULL), loaded.fingerprint, loaded.quantize)

    def write(found: Confidence) -> None:
        confidence.save(found, path)
        order.written()

    def keep(found: Confidence) -> None:
        # What is whole and measured again is replaced when the new one is whole.
        if not there:
            write(found)

    # Where it is to be quick, one round of it is made, whatever that takes.
    time = Budget(0.0) if order.effort is QUICK else order.time()
    found = yield from measure.measure_confidence(loaded, examples, time, notes, keep)
    write(found)
    if not found.unfinished:
        notes.forget()
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
    # The first pass of a process is slower than those after it, and one prompt takes longer a token than many together.
    started = time.perf_counter()
    tokens = _pass(loaded, asked[:1], metrics.REFUSALS[:1])
    took = time.perf_counter() - started
    if (rows := int(_LONGEST / took)) > 1:
        times = []
        # Of two, the quicker: other work on the machine only ever adds to it.
        for _ in range(2):
            started = time.perf_counter()
            tokens = _pass(loaded, asked[:rows], metrics.REFUSALS)
            times.append(time.perf_counter() - started)
        took = min(times)
    return took / tokens


def _pass(loaded: Loaded, asked: list[metrics.Asked], texts: Sequence[str]) -> int:
    """One forward pass; the number of its tokens."""
    return next(metrics.probabilities(loaded, asked, texts))
