"""Learning a direction from a contrast set, and choosing its layer.

:mod:`core.directions.methods` says by which formulas; ``mean_difference`` is the usual one. Truth is read at the last token of the bare
statement, its full stop; refusal, and whatever a person brings examples of, at every token that the template puts behind the
message. Layer (and position) are chosen on the validation split; scores of all of them are stored with the direction, and
figures on the test split are made once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from core.artefacts.direction import Direction
from core.directions.candidate import JUDGED, MEASUREMENTS, STRENGTHS
from core.directions.contrast import UNDER_PROMPTS, ContrastSet
from core.directions.contrast_files import BY_GROUP
from core.directions.effort import FULL, Effort
from core.directions.learn_contrast import ContrastLearner
from core.directions.learn_refusal import RefusalLearner
from core.directions.learn_replies import RepliesLearner
from core.directions.learn_truth import TruthLearner
from core.directions.learner import Learner
from core.inference import metrics
from core.inference.behind_thought import thought_before
from core.models.loading import Loaded
from core.util.budget import Budget
from core.util.progress import Cost, Learning
from core.util.resume import ResumeNotes

_LEARNERS: dict[str, type[Learner[Any]]] = {"truth": TruthLearner, "refusal": RefusalLearner}


def learn_in_slices(
    kind: str,
    loaded: Loaded,
    contrast: ContrastSet,
    unrelated: Sequence[str],
    notes: ResumeNotes,
    method: str = "mean_difference",
    layer: int | None = None,
    effort: Effort = FULL,
    budget: Budget | None = None,
    keep: Callable[[Direction], None] = lambda _: None,
) -> Learning[Direction]:
    """Learn a direction on a checkpoint, a slice at a time, going on from what ``notes`` hold; the result is not stored yet.

    ``unrelated`` are messages whose replies it should leave alone; damage is measured on them. ``method`` is one of
    :data:`core.directions.methods.METHODS`; ``layer`` is one to take instead of the best; ``effort``, ``budget`` and ``keep`` are those
    of :meth:`core.directions.learner.Learner.learn`.

    Raises:
        ContrastError: a method that these examples do not allow.
        AnatomyError: a layer that the model has not.
    """
    if layer is not None:
        loaded.anatomy.check_layer(layer)
    learner = learner_of(kind, contrast)(loaded, contrast, unrelated, method, effort)
    return (yield from learner.learn(notes, layer, budget, keep))


def learner_of(kind: str, contrast: ContrastSet) -> type[Learner[Any]]:
    """What learns a kind of direction; any name but truth and refusal is that of a person's own examples, or system prompts."""
    return RepliesLearner if contrast.split == UNDER_PROMPTS else _LEARNERS.get(kind, ContrastLearner)


def learn_cost(
    kind: str,
    loaded: Loaded,
    contrast: ContrastSet,
    unrelated: Sequence[str],
    method: str = "mean_difference",
    effort: Effort = FULL,
) -> Cost:
    """What learning takes. Tokens are those that are computed if every reply is as long as it may be."""
    found = learner_of(kind, contrast)(loaded, contrast, unrelated, method, effort).cost()
    return found + Cost(size=(4 if method == "ttpd" else 3) * 4 * loaded.anatomy.layers * loaded.width)


def notebook(
    kind: str,
    loaded: Loaded,
    contrast: ContrastSet,
    unrelated: Sequence[str],
    method: str = "mean_difference",
    layer: int | None = None,
    effort: Effort = FULL,
) -> ResumeNotes:
    """Where the notes of a learning lie: everything that they depend on chooses the folder.

    *Measured* and *full* measure the same things on the same examples, and go on from each other's notes.
    """
    fewer = {} if effort.examines else {"effort": [effort.name, effort.train, effort.held]}
    # Refusal alone is judged by them; what 0.1 began to learn of other things goes on.
    refusals = metrics.REFUSALS if kind == "refusal" else metrics.EARLIER_REFUSALS
    return ResumeNotes.of(
        **fewer,
        kind=kind,
        method=method,
        layer=layer,
        # As 0.1 wrote it: what that program began goes on in this one.
        version=["0.1", MEASUREMENTS],
        family=loaded.family.name,
        checkpoint=loaded.checkpoint.name,
        fingerprint=loaded.fingerprint,
        quantize=loaded.quantize,
        dtype=str(loaded.model.dtype),
        device=loaded.device.type,
        template=loaded.chat_template,
        # 0.1 cut such sets otherwise, text by text.
        **({"split": contrast.split} if contrast.split == BY_GROUP else {}),
        **({"behind_thought": thought} if (thought := thought_before(loaded)) else {}),
        contrast=contrast.digest,
        unrelated=list(unrelated),
        judged=[JUDGED, STRENGTHS, refusals, metrics.QUESTION, metrics.LABELS, metrics.DAMAGE_TOKENS],
    )
