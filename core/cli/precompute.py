"""``launch.py precompute``: everything a family's screens show that can be computed beforehand, resumable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.artefacts import store
from core.attribution import noise
from core.attribution.model_sequence import alone
from core.chat.answers import Answer, chat_document, fold, settled
from core.chat.events import Failed, Reading
from core.chat.settings import Column
from core.cli.options import Options
from core.cli.progress import TerminalProgress, foretold
from core.confidence import measure
from core.directions import contrast_files
from core.directions.contrast import ContrastSet
from core.directions.effort import BUDGET, EFFORTS, FULL, MEASURED
from core.directions.request import KINDS
from core.engine.engine import Engine
from core.engine.precompute import BUILDERS, BuildRequest, seconds_a_token
from core.errors import TillerError, UsageError
from core.families import stages
from core.families.checkpoint import Checkpoint, Family
from core.families.stages import StageError
from core.models import files, loading, memory
from core.models.at_hand import open_family
from core.models.fingerprints import model_fingerprint
from core.models.hooks import AnatomyError
from core.models.loading import Loaded
from core.util.budget import Budget, estimated
from core.util.files import check_writable, json_text, write_bytes
from core.util.progress import Cost, Pace, duration, finished

#: No parts of a checkpoint: the run that is shown while a model loads, and how far retrainings with other seeds differ.
RECORDED, NOISE = "recorded", "noise"


def run_precompute(options: Options) -> int:
    """Make every part of every checkpoint that is not there yet, and record the run that is shown while a model loads."""
    family = open_family(options.family)
    if options.ship:
        # What is shipped lies in the family's own folder, whatever a person's own artefacts of it are kept under.
        family = replace(family, name=family.folder.name)
    root = family.folder.parent if options.ship else store.user_folder()
    what = _what(options.what)
    kinds = [kind for kind in what if kind in BUILDERS]
    names = [options.checkpoint] if options.checkpoint else [each.name for each in family.present]
    todo = _todo(family, [family.checkpoint(name) for name in names], kinds, root, options)
    if options.dry_run:
        _tell_cost(family, todo, options)
        if NOISE in what and not options.checkpoint:
            _tell_noise(family, options)
        return 0
    _make(family, todo, options)
    if NOISE in what and not options.checkpoint:
        _noise(family, root, options)
    if RECORDED in what and family.examples and not options.checkpoint:
        _record(family, root / family.name / "recorded.json", options)
    return 0


def _what(text: str) -> list[str]:
    found = [each.strip() for each in text.split(",") if each.strip()]
    for each in found:
        if each not in BUILDERS and each not in (NOISE, RECORDED):
            raise UsageError(
                f"--what takes {', '.join([*BUILDERS, NOISE, RECORDED])}, with commas between, not {each!r}."
            )
    return found


# ------------------------------------------------------------------------------------------------------------ the work


@dataclass(frozen=True)
class _Todo:
    """A checkpoint, and which of its parts are to be made."""

    order: BuildRequest
    kinds: tuple[str, ...]


def _todo(
    family: Family, checkpoints: Sequence[Checkpoint], kinds: Sequence[str], root: Path, options: Options
) -> list[_Todo]:
    """What is not there yet; what is, is said."""
    contrasts: dict[str, ContrastSet] = contrast_files.overrides(options.contrast, list(KINDS))
    found = []
    for checkpoint in checkpoints:
        order = BuildRequest(
            family,
            checkpoint.name,
            root,
            contrasts,
            told=options.template_vars,
            effort=EFFORTS[options.effort],
            budget=options.budget or BUDGET,
        )
        wanted = []
        for kind in kinds:
            if not options.again and _there(order, checkpoint, kind, options.quantize):
                print(f"{checkpoint.name} {kind}: there already.")
            else:
                wanted.append(kind)
        found += [_Todo(order, tuple(wanted))] if wanted else []
    return found


def _there(order: BuildRequest, checkpoint: Checkpoint, kind: str, quantize: str) -> bool:
    try:
        fingerprint = model_fingerprint(checkpoint)
    except TillerError:
        # There are no weights to compare with; loading them says what is wrong.
        return False
    return BUILDERS[kind].there(order, fingerprint, quantize)


class _Progress:
    """One bar for all checkpoints and parts. What a checkpoint takes is known once it is loaded; until then, what the last one took."""

    def __init__(self, todo: list[_Todo], line: TerminalProgress, pace: Pace) -> None:
        self.todo, self.line, self.pace = todo, line, pace
        self.before = 0
        self.known: dict[str, int] = {}

    def begin(self, place: int, costs: dict[str, Cost]) -> None:
        """A checkpoint is in memory: what its parts take is known, and guessed for those that follow."""
        self.known |= {kind: cost.tokens for kind, cost in costs.items()}
        ahead = sum(self.known.get(kind, 0) for each in self.todo[place:] for kind in each.kinds)
        self.pace.total, self.pace.done = self.before + ahead, self.before
        self.pace.go()

    def end(self, kind: str) -> None:
        """A part is made: whatever it took, it counts as what was planned."""
        self.before += self.known[kind]
        self.pace.done = self.before


def _make(family: Family, todo: list[_Todo], options: Options) -> None:
    for each in todo:
        check_writable(each.order.artefact("direction", "any"))
    pace = Pace(1)
    with TerminalProgress(pace) as line:
        progress = _Progress(todo, line, pace)
        for place, each in enumerate(todo):
            name = line.title = each.order.checkpoint
            line.say("Loading.")
            loaded = loading.load_model(family, name, options.placing)
            costs = _costs(each, loaded, line)
            progress.begin(place, costs)
            for kind in costs:
                line.title = f"{name} {kind}"
                made = finished(BUILDERS[kind].run(each.order, loaded), line.step)
                progress.end(kind)
                line.clear()
                print(*made, sep="\n", flush=True)
            # The next one gets its memory.
            del loaded
            memory.release()


def _costs(todo: _Todo, loaded: Loaded, line: TerminalProgress) -> dict[str, Cost]:
    """What each part takes. A part that a model of its kind does not have is said and left out, unless nothing else was asked for."""
    found: dict[str, Cost] = {}
    for kind in todo.kinds:
        try:
            found[kind] = BUILDERS[kind].plan(todo.order, loaded)
        except AnatomyError as error:
            if len(todo.kinds) == 1:
                raise
            line.clear()
            print(f"{todo.order.checkpoint} {kind}: left out. {error}")
    return found


# ------------------------------------------------------------------------------------------------------------ the cost


def _tell_cost(family: Family, todo: list[_Todo], options: Options) -> None:
    """What would be done, and how long it would take, measured on the first checkpoint that is on this machine."""
    if not todo:
        print("Nothing is left to do.")
        return
    print(f"To load: {', '.join(each.order.checkpoint for each in todo)}.")
    here = next((each for each in todo if _local(family.checkpoint(each.order.checkpoint))), None)
    if here is None:
        print("How long it takes cannot be measured: none of these checkpoints is on this machine yet.")
        return
    loaded = loading.load_model(family, here.order.checkpoint, options.placing)
    whole, found = Cost(), list[tuple[str, Cost, int]]()
    kinds = tuple(dict.fromkeys(kind for each in todo for kind in each.kinds))
    for kind, once in _costs(_Todo(here.order, kinds), loaded, TerminalProgress()).items():
        count = sum(kind in each.kinds for each in todo)
        cost = once.times(count)
        found.append((kind, once, count))
        whole += cost
        print(
            f"{kind}, on {count} checkpoint{'s' * (count != 1)}: {cost.prompts:,} prompts in {cost.passes:,} forward passes, "
            f"{cost.tokens:,} tokens, {memory.size_in_words(cost.size)} on disk."
        )
    pace = seconds_a_token(here.order, loaded)
    limit = here.order.budget if here.order.effort is MEASURED else float("inf")
    seconds = 0.0
    for kind, cost, count in found:
        # What is ablated is another work than what directions take, with a pace of its own.
        confident = kind == "confidence"
        long = (
            estimated(measure.confidence_phases(loaded, here.order.contrast("truth")))
            if confident
            else cost.tokens * pace
        )
        seconds += min(long, limit) * count
    print(
        f"All of it: about {duration(seconds)}, measured on {here.order.checkpoint}, and the time to load each; "
        f"{memory.size_in_words(whole.size)} on disk."
    )


def _local(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint can be loaded without a network."""
    if checkpoint.local:
        return True
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(checkpoint.source, "config.json", revision=checkpoint.revision)
    if not isinstance(config, str):
        return False
    try:
        files.check_folder(checkpoint, Path(config).parent)
    except TillerError:
        return False
    return True


# ------------------------------------------------------------------------------------------------ of the whole family


def _noise(family: Family, root: Path, options: Options) -> None:
    """Measure the level below which an effect is chance, where the family has retrainings with other seeds."""
    try:
        path = stages.stage_path(family)
    except StageError:
        # One checkpoint only: there are no stages to tell apart.
        return
    if not path.nulls:
        return
    kept = (
        None
        if options.again
        else noise.kept_noise(family, path, options.placing.quantize, root if options.ship else None)
    )
    if kept is not None and not kept.retrainings:
        print("noise: there already.")
        return
    models = alone(loading.load_model(family, path.final, options.placing), options.placing)
    limit = None if options.effort == FULL.name else options.budget or BUDGET
    with TerminalProgress() as line:
        found = finished(
            noise.measure_noise(family, path, models, options.placing.quantize, root, Budget(limit)), line.step
        )
    print(found.said)


def _tell_noise(family: Family, options: Options) -> None:
    """How long the noise level takes, where the family has retrainings with other seeds and it is not there."""
    try:
        path = stages.stage_path(family)
    except StageError:
        return
    kept = None if options.again else noise.kept_noise(family, path, options.placing.quantize)
    if path.nulls and (kept is None or kept.retrainings) and _local(family.checkpoint(path.final)):
        final = loading.load_model(family, path.final, options.placing)
        print(f"noise: {foretold(estimated(noise.noise_phases(family, path, final)), None)}")


def _record(family: Family, path: Path, options: Options) -> None:
    """Run the family's first example and keep its events, to be shown, as recorded, while the model loads."""
    engine = Engine(str(family.folder), **options.engine)
    engine.start()
    try:
        settings = engine.example(family.examples[0])
        answers: dict[int, Answer] = {}
        for event in engine.submit(settings):
            if isinstance(event, Failed):
                raise TillerError(event.sentence)
            answers = fold(answers, event)
    finally:
        engine.close()
    if options.ship:
        answers = {column: _of_shipped(family, answer, settings.columns[column]) for column, answer in answers.items()}
    text = json_text(chat_document(settled(settings, answers), answers), ensure_ascii=False, separators=(",", ":"))
    write_bytes(path, text.encode())
    print(f"Recorded {family.examples[0].title!r}, written to {path}")


def _of_shipped(family: Family, answer: Answer, column: Column) -> Answer:
    """An answer with the readings of directions that lie beside the family alone: those of a person's own are nobody else's."""
    shipped = {card.name for card in store.cards((family.folder,), family.directions_of(column.checkpoint))}

    def kept(reading: Reading) -> Reading:
        return replace(reading, projections={name: at for name, at in reading.projections.items() if name in shipped})

    tokens = tuple(
        replace(each, reading=kept(each.reading), shadow=kept(each.shadow) if each.shadow is not None else None)
        for each in answer.tokens
    )
    return replace(answer, tokens=tokens)
