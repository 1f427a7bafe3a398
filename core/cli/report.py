"""``launch.py report``: measure what is not measured yet of a base and a post-trained checkpoint, and write the report."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TypeVar

from core.artefacts import store
from core.cli.options import Options
from core.cli.progress import TerminalProgress
from core.cli.verbs import REPORTED_SETS
from core.confidence import confidence
from core.confidence.compare import CheckpointPair
from core.confidence.confidence import Confidence
from core.directions import contrast
from core.engine.precompute import BUILDERS, BuildRequest
from core.errors import TillerError, UsageError
from core.families import registry
from core.families.checkpoint import Family, FamilyRef
from core.families.family_toml import text_of
from core.knowledge import facts, tracing
from core.knowledge.maps import MapError, MapRequest, Traced
from core.models import loading
from core.models.loading import Loaded
from core.models.pool import ModelPool
from core.report import pages, report
from core.report.confidence import CONFIDENCE, CONFIDENCE_METHODS
from core.report.confidence import confidence as confidence_finding
from core.report.directions import REFUSAL, REFUSAL_METHODS, TRUTH, TRUTH_METHODS, refusal_finding
from core.report.directions import truth as truth_finding
from core.report.knowledge import KNOWLEDGE, KNOWLEDGE_METHODS, never_taught, not_traced
from core.report.knowledge import knowledge as knowledge_finding
from core.report.report import Finding, PairReport, ReportError, unmeasured
from core.report.truth_probe import Probe, probe
from core.stats.verdicts import Verdict
from core.transfer import measure, task
from core.transfer.report import TransferReport as Transferred
from core.transfer.task import TransferTask
from core.util.files import write_bytes
from core.util.progress import Step, finished
from core.util.version import VERSION

_T = TypeVar("_T")
#: The base that was trained without labelled statements, where a family has it: the negative control of what concerns truth.
NEVER_LABELLED = "base-unlabelled"


def run_report(options: Options) -> int:
    """Measure, write both files, and say where they are and what became of the four findings."""
    family = registry.load_family(options.family)
    out = Path(options.out or f"report-{family.name}.html")
    if out.suffix.lower() not in (".html", ".md"):
        raise UsageError(f"--out takes a name that ends in .html or .md, not {out.name!r}.")
    with TerminalProgress() as progress:
        found = Maker(family, options, progress.say).report()
    for suffix, text in ((".html", pages.html(found)), (".md", pages.markdown(found))):
        write_bytes(out.with_suffix(suffix), text.encode())
    print(found.summary.text())
    print(f"Written to {out.with_suffix('.html')} and {out.with_suffix('.md')}.")
    return 0


def paragraphs(text: str) -> tuple[str, ...]:
    """The paragraphs of a text, which blank lines part, each on one line."""
    return tuple(" ".join(each.split()) for each in re.split(r"\n\s*\n", text) if each.strip())


class Maker:
    """One report while it is made. ``say`` is told what is done."""

    def __init__(self, family: Family, options: Options, say: Callable[[str], None]) -> None:
        self.family, self.options = family, options
        self.post = family.checkpoint(options.checkpoint or family.final.name).name
        self.base = family.path(self.post)[0].name
        if self.post == self.base:
            raise ReportError(
                f"{self.post} is the root of {family.title}, so that there is nothing to compare it with; name a post-trained checkpoint."
            )
        for name in options.set or ():
            # What is no set is said before anything is measured.
            facts.facts_of(facts.load_facts(family)[0], name)
        self.pool = ModelPool(FamilyRef(family), options.placing)
        self.say = say
        # Read now: a file that cannot be read is said before anything is measured.
        self.opening = paragraphs(text_of(family.report_opening)) if family.report_opening else (family.notes,)

    def report(self) -> PairReport:
        """All findings, in order."""
        findings = tuple(
            self._found(head, methods, make)
            for head, methods, make in (
                (KNOWLEDGE, KNOWLEDGE_METHODS, self._knowledge),
                (TRUTH, TRUTH_METHODS, self._truth),
                (REFUSAL, REFUSAL_METHODS, self._refusal),
                (CONFIDENCE, CONFIDENCE_METHODS, self._confidence),
            )
        )
        return PairReport(
            self.family.title,
            self.base,
            self.post,
            tuple(each for each in (*self.opening, report.SCOPE) if each),
            findings,
            report.directions(self.family, (self.base, self.post)),
            f"Tiller {VERSION}, {datetime.date.today().isoformat()}; family {self.family.name}, weights "
            + ", ".join(
                f"{name} {loading.model_fingerprint(self.family.checkpoint(name))}" for name in (self.base, self.post)
            ),
        )

    def _found(self, head: tuple[int, str, str], methods: str, make: Callable[[], Finding]) -> Finding:
        """A finding; what stands in its way stands in its place, and the others go on."""
        try:
            return make()
        except TillerError as error:
            return unmeasured(*head, methods, str(error))

    # ------------------------------------------------------------------------------------------------------ the findings

    def _knowledge(self) -> Finding:
        known, _ = facts.load_facts(self.family)
        chosen = tuple(self.options.set) or facts.categories(known)
        traced: list[Traced] = []
        controls: list[Verdict] = []
        refused: list[str] = []
        for category in chosen:
            if not self.options.set and len(traced) == REPORTED_SETS:
                break
            try:
                traced.append(self._trace(self.base, category))
            except MapError as error:
                # Of some categories a model may know nothing, or their sentences do not line up.
                refused.append(str(error))
        if not traced:
            raise ReportError(refused[-1])
        if self._has_control():
            controls += [self._traced_control(each.order.set) for each in traced]
        return knowledge_finding(traced, controls)

    def _trace(self, base: str, category: str) -> Traced:
        order = MapRequest((base, self.post), set=category, pairs=self.options.pairs)
        return self._done(tracing.trace(self.family, order, self.pool.get), f"knowledge, {category}")

    def _traced_control(self, category: str) -> Verdict:
        try:
            return never_taught(NEVER_LABELLED, self._trace(NEVER_LABELLED, category))
        except MapError as error:
            return not_traced(NEVER_LABELLED, category, f"{str(error).partition(';')[0].rstrip('.')}.")

    def _truth(self) -> Finding:
        examples = contrast.load_contrast(self.family, "truth")
        names = [self.base, self.post, *([NEVER_LABELLED] if self._has_control() else [])]
        probes: list[Probe] = [self._done(probe(self.pool.get(name), examples), "truth") for name in names]
        return truth_finding(self._transferred("truth"), self.post, probes[:2], probes[2:])

    def _refusal(self) -> Finding:
        every = [store.cards(self.family.name, name, folder=self.family.folder) for name in (self.base, self.post)]
        cards = [card for cards in every for card in cards if card.name == "refusal"]
        return refusal_finding(self._transferred("refusal"), self.post, cards)

    def _transferred(self, about: str) -> Transferred:
        if self.options.quantize != "none":
            raise ReportError("Directions are compared on weights in full precision; leave --quantize out.")
        wanted = TransferTask(self.family, about, store.user_folder())
        found = task.fresh(wanted)
        if found is not None:
            return found

        def load(_family: Family, name: str) -> Loaded:
            return self.pool.get(name)

        return self._done(measure.transfer_in_slices(wanted, load), about)

    def _confidence(self) -> Finding:
        names = [each.name for each in self.family.path(self.post)]
        every = [self._measured(name) for name in names]
        return confidence_finding(CheckpointPair(every[0], every[-1]), every)

    def _measured(self, name: str) -> Confidence:
        """What is kept of a checkpoint where it belongs to its weights and examples; else measured now."""
        fingerprint = loading.model_fingerprint(self.family.checkpoint(name))
        for root in (store.user_folder(), self.family.folder.parent):
            order = BuildRequest(self.family, name, root)
            if BUILDERS["confidence"].there(order, fingerprint, self.options.quantize):
                return confidence.load_confidence(order.artefact("neurons", "entropy"))
        order = BuildRequest(self.family, name, store.user_folder())
        self._done(BUILDERS["confidence"].run(order, self.pool.get(name)), f"{name} confidence")
        return confidence.load_confidence(order.artefact("neurons", "entropy"))

    def _has_control(self) -> bool:
        return any(each.name == NEVER_LABELLED for each in self.family.counterfactuals)

    def _done(self, work: Generator[Step | tuple[Step, Traced], None, _T], what: str) -> _T:
        def tell(step: Step | tuple[Step, Traced]) -> None:
            said = step if isinstance(step, Step) else step[0]
            self.say(f"{what}: {said.sentence}")

        return finished(work, tell)
