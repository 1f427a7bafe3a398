"""``launch.py report``: measure what is not measured yet of a base and a post-trained checkpoint, and write the report."""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from core.artefacts import store
from core.cli.finding_arguments import REPORTED_SETS
from core.cli.options import Options
from core.cli.progress import TerminalProgress, foretold
from core.confidence import confidence
from core.confidence.compare import CheckpointPair
from core.confidence.confidence import Confidence
from core.confidence.measure import confidence_phases
from core.directions import contrast
from core.directions.contrast import ContrastSet
from core.engine.precompute import BUILDERS, BuildRequest
from core.errors import TillerError, UsageError
from core.families.checkpoint import Family, FamilyRef
from core.families.family_toml import text_of
from core.knowledge import facts, tracing
from core.knowledge.maps import MapError, MapRequest, Traced
from core.models.at_hand import open_family
from core.models.fingerprints import model_fingerprint
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
from core.report.truth_probe import Probe, probe, probe_phases
from core.stats.rates import Rate
from core.stats.verdicts import Verdict
from core.transfer import measure, task
from core.transfer.report import TransferReport as Transferred
from core.transfer.task import TransferTask
from core.util.budget import Budget, estimated
from core.util.files import write_bytes
from core.util.progress import Step, finished
from core.util.resume import ResumeNotes
from core.util.version import VERSION

_T = TypeVar("_T")
#: The base that was trained without labelled statements, where a family has it: the negative control of what concerns truth.
NEVER_LABELLED = "base-unlabelled"


def run_report(options: Options) -> int:
    """Measure, write both files, and say where they are and what became of the four findings."""
    family = open_family(options.family)
    out = Path(options.out or f"report-{family.name}.html")
    if out.suffix.lower() not in (".html", ".md"):
        raise UsageError(f"--out takes a name that ends in .html or .md, not {out.name!r}.")
    with TerminalProgress() as progress:
        maker = Maker(family, options, progress.say)
        said = foretold(maker.seconds(), options.budget)
        progress.clear()
        if options.dry_run:
            print(said)
            return 0
        print(said, file=sys.stderr)
        found = maker.report()
    for suffix, text in ((".html", pages.html(found)), (".md", pages.markdown(found))):
        write_bytes(out.with_suffix(suffix), text.encode())
    print(found.summary.text())
    if maker.unfinished:
        print("Unfinished, the time was up; the same command goes on from here:", *maker.unfinished, sep="\n  ")
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
        self.budget = Budget(options.budget)
        #: What one finding may take, of what is left of the whole.
        self.time = self.budget
        #: On how much the findings rest for which the time was up.
        self.unfinished: list[str] = []
        # Read now: a file that cannot be read is said before anything is measured.
        self.opening = paragraphs(text_of(family.report_opening)) if family.report_opening else (family.notes,)

    def report(self) -> PairReport:
        """All findings, in order."""
        every = (
            (KNOWLEDGE, KNOWLEDGE_METHODS, self._knowledge),
            (TRUTH, TRUTH_METHODS, self._truth),
            (REFUSAL, REFUSAL_METHODS, self._refusal),
            (CONFIDENCE, CONFIDENCE_METHODS, self._confidence),
        )
        findings = []
        for place, (head, methods, make) in enumerate(every):
            self.time, before = self.budget.part(len(every) - place), len(self.unfinished)
            found = self._found(head, methods, make)
            findings.append(replace(found, notes=tuple(dict.fromkeys((*found.notes, *self.unfinished[before:])))))
        return PairReport(
            self.family.title,
            self.base,
            self.post,
            tuple(each for each in (*self.opening, report.SCOPE) if each),
            tuple(findings),
            report.directions(self.family, (self.base, self.post)),
            f"Tiller {VERSION}, {datetime.date.today().isoformat()}; family {self.family.name}, weights "
            + ", ".join(f"{name} {model_fingerprint(self.family.checkpoint(name))}" for name in (self.base, self.post)),
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
        whole = len(chosen) if self.options.set else min(REPORTED_SETS, len(chosen))
        tracing_all = self.time
        traced: list[Traced] = []
        controls: list[Verdict] = []
        refused: list[str] = []
        for category in chosen:
            if not self.options.set and len(traced) == REPORTED_SETS:
                break
            # A base that was never taught is traced beside every set.
            self.time = tracing_all.part(max(1, whole - len(traced)) * (2 if self._has_control() else 1))
            try:
                traced.append(self._trace(self.base, category))
            except MapError as error:
                # Of some categories a model may know nothing, or their sentences do not line up.
                refused.append(str(error))
        if not traced:
            raise ReportError(refused[-1])
        for place, each in enumerate(traced if self._has_control() else ()):
            self.time = tracing_all.part(len(traced) - place)
            controls.append(self._traced_control(each.order.set))
        return knowledge_finding(traced, controls)

    def _trace(self, base: str, category: str) -> Traced:
        order = MapRequest((base, self.post), set=category, pairs=self.options.pairs, across=True)
        traced = self._done(tracing.trace(self.family, order, self.pool.get, self.time), f"knowledge, {category}")
        if (
            traced.maps
            and min(each.n for each in traced.maps) < traced.wanted
            and traced.notes[0].startswith("Unfinished")
        ):
            self.unfinished.append(traced.notes[0])
        return traced

    def _traced_control(self, category: str) -> Verdict:
        try:
            return never_taught(NEVER_LABELLED, self._trace(NEVER_LABELLED, category))
        except MapError as error:
            return not_traced(NEVER_LABELLED, category, f"{str(error).partition(';')[0].rstrip('.')}.")

    def _truth(self) -> Finding:
        examples = contrast.load_contrast(self.family, "truth")
        names = [self.base, self.post, *([NEVER_LABELLED] if self._has_control() else [])]
        probes: list[Probe] = [self._probe(name, examples) for name in names]
        return truth_finding(self._transferred("truth"), self.post, probes[:2], probes[2:])

    def _probe(self, name: str, examples: ContrastSet) -> Probe:
        loaded = self.pool.get(name)
        notes = ResumeNotes.of(
            kind="probe by group", fingerprint=loaded.fingerprint, contrast=examples.digest, quantize=loaded.quantize
        )
        if (kept := notes.recall("probe")) is not None:
            layer, shuffled, *rate = kept["value"]
            return Probe(name, layer, Rate(*rate), tuple(shuffled))
        found: Probe = self._done(probe(loaded, examples), "truth")
        value = [found.layer, list(found.shuffled), found.rate.hits, found.rate.n, found.rate.worth]
        notes.keep("probe", {"tokens": 0, "value": value})
        return found

    def _refusal(self) -> Finding:
        every = [store.cards(self.family.places, name) for name in (self.base, self.post)]
        cards = [card for cards in every for card in cards if card.name == "refusal"]
        return refusal_finding(self._transferred("refusal"), self.post, cards)

    def _transferred(self, about: str) -> Transferred:
        if self.options.quantize != "none":
            raise ReportError("Directions are compared on weights in full precision; leave --quantize out.")
        wanted = TransferTask(self.family, about, store.user_folder())
        found = task.fresh(wanted)
        if found is not None:
            return found

        work = measure.transfer_in_slices(wanted, self._load, self.time, first=self.post)
        made = self._done(work, about)
        if made.unfinished:
            if not {self.base, self.post} <= set(made.steered):
                raise ReportError(f"The time was up before the pair was steered. {made.unfinished}")
            self.unfinished.append(f"{about}: {made.unfinished}")
        return made

    def _load(self, _family: Family, name: str) -> Loaded:
        return self.pool.get(name)

    def _confidence(self) -> Finding:
        names = [each.name for each in self.family.path(self.post)]
        whole, found = self.time, dict[str, Confidence]()
        # The pair first, which the finding is on; of those between them the calibration is shown, too.
        order = list(dict.fromkeys((names[0], names[-1], *names)))
        for place, name in enumerate(order):
            if whole.over() and place > 1 and not self._measured_whole(name):
                self.unfinished.append(f"{name}: its confidence is not measured yet.")
                continue
            self.time = whole.part(len(order) - place)
            found[name] = self._measured(name)
            self.unfinished += [found[name].unfinished] if found[name].unfinished else []
        every = [found[name] for name in names if name in found]
        return confidence_finding(CheckpointPair(every[0], every[-1]), every)

    def _measured(self, name: str) -> Confidence:
        """What is kept of a checkpoint where it belongs to its weights and examples; else measured now."""
        if (kept := self._measured_whole(name)) is not None:
            return kept
        order = BuildRequest(self.family, name, store.user_folder(), watch=self.time)
        self._done(BUILDERS["confidence"].run(order, self.pool.get(name)), f"{name} confidence")
        return confidence.load_confidence(order.artefact("neurons", "entropy"))

    def _measured_whole(self, name: str) -> Confidence | None:
        fingerprint = model_fingerprint(self.family.checkpoint(name))
        for root in (store.user_folder(), self.family.folder.parent):
            order = BuildRequest(self.family, name, root)
            if BUILDERS["confidence"].there(order, fingerprint, self.options.quantize):
                return confidence.load_confidence(order.artefact("neurons", "entropy"))
        return None

    # --------------------------------------------------------------------------------------------------------- how long

    def seconds(self) -> float:
        """How long what is not there yet takes, by a trial of every part; what cannot be measured takes no time, and its reason is said
        in the report."""
        known, _ = facts.load_facts(self.family)
        chosen = tuple(self.options.set) or facts.categories(known)[:REPORTED_SETS]
        bases = [self.base, *([NEVER_LABELLED] if self._has_control() else [])]
        parts: list[Callable[[], float]] = [
            partial(self._tracing_takes, base, each) for base in bases for each in chosen
        ]
        parts += [partial(self._probing_takes, name) for name in dict.fromkeys((*bases[:1], self.post, *bases[1:]))]
        parts += [partial(self._transfer_takes, about) for about in task.ABOUT]
        parts += [partial(self._confidence_takes, each.name) for each in self.family.path(self.post)]
        return sum(self._unless_refused(each) for each in parts)

    def _unless_refused(self, part: Callable[[], float]) -> float:
        self.say("Trying how long every part takes.")
        try:
            return part()
        except TillerError:
            return 0.0

    def _tracing_takes(self, base: str, category: str) -> float:
        order = MapRequest((base, self.post), set=category, pairs=self.options.pairs, across=True)
        return tracing.trace_seconds(self.family, order, self.pool.get)

    def _probing_takes(self, name: str) -> float:
        return estimated(probe_phases(self.pool.get(name), contrast.load_contrast(self.family, "truth")))

    def _transfer_takes(self, about: str) -> float:
        wanted = TransferTask(self.family, about, store.user_folder())
        if self.options.quantize != "none" or task.fresh(wanted) is not None:
            return 0.0
        return estimated(measure.transfer_phases(wanted, self._load))

    def _confidence_takes(self, name: str) -> float:
        if self._measured_whole(name) is not None:
            return 0.0
        return estimated(confidence_phases(self.pool.get(name), contrast.load_contrast(self.family, "truth")))

    def _has_control(self) -> bool:
        return any(each.name == NEVER_LABELLED for each in self.family.counterfactuals)

    def _done(self, work: Generator[Step | tuple[Step, Traced], None, _T], what: str) -> _T:
        def tell(step: Step | tuple[Step, Traced]) -> None:
            said = step if isinstance(step, Step) else step[0]
            self.say(f"{what}: {said.sentence}")

        return finished(work, tell)
