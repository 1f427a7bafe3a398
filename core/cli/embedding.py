"""The work of ``launch.py embed``: what each stage of a training left in the final weights, for the question "without it (first order)".

From the logs of the later stages alone, or, for a family whose recipe is here, by taking their steps again with curvature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from core.artefacts import store
from core.attribution.first_order import Embedding
from core.attribution.stage_embeddings import what_is_left
from core.attribution.training_log import LOG_NAME, Log, LogError, read_log
from core.cli.options import Options
from core.cli.replay import Replay
from core.errors import StoreError, UsageError
from core.families import registry
from core.families.checkpoint import Checkpoint, Family
from core.families.commands import family_option
from core.families.stages import Path as StagePath
from core.families.stages import Stage, StageError, stage_path
from core.models import stage_embedding
from core.models.fingerprints import model_fingerprint
from core.util.figures import figure_text
from core.util.program import program
from core.util.version import PROGRAM


def run_embed(options: Options, replays: Sequence[Replay] = ()) -> int:
    """Make the embeddings of every stage before the last; returns the exit status.

    Raises:
        StageError: a family of one stage after its root, whose part is known exactly.
        LogError: a stage without the log of its training.
        UsageError: curvature for a family whose recipe is not here.
    """
    family = registry.load_family(options.family)
    path = stage_path(family, options.checkpoint)
    if len(path.post) < 2:
        raise StageError(
            f"{path.final} has one stage after {path.base.checkpoint}, and is {path.base.checkpoint} without it: nothing is estimated. "
            "Name a checkpoint with two or more."
        )
    root = family.folder.parent if options.ship else store.user_folder()
    print_of = model_fingerprint(family.checkpoint(path.final))
    there = [store.embedding_path(root, family.name, path.final, each.checkpoint) for each in path.post[:-1]]
    if not options.again and all(map(_current(print_of), there)):
        print("The embeddings are there, and belong to these weights; --again makes them anew.")
        return 0
    replay = next((each for each in replays if each.suits(family)), None)
    made = (
        _replayed(family, path, options, replay) if options.curvature else _from_logs(family, path, replay is not None)
    )
    for stage, embedding, told, details in made:
        file = store.embedding_path(root, family.name, path.final, stage.checkpoint)
        known = {
            "name": f"{stage.checkpoint}.in.{path.final}",
            "family": family.name,
            "checkpoint": path.final,
            "stage": stage.name,
        }
        stage_embedding.write_embedding(
            file, embedding, {**known, "fingerprint": print_of, "program": PROGRAM, **details}
        )
        print(f"{stage.word} in {path.final}: {told}\n  written to {file}", flush=True)
    print(f'Ask by them: `{program()} blame "PROMPT"{family_option(family)} --question first-order`')
    return 0


def _current(fingerprint: str) -> Callable[[Path], bool]:
    def current(file: Path) -> bool:
        try:
            return store.read_card(file).details.get("fingerprint") == fingerprint
        except StoreError:
            # What is not there, or cannot be read, is made again.
            return False

    return current


_Made = Iterator[tuple[Stage, Embedding, str, dict[str, object]]]


def _from_logs(family: Family, path: StagePath, replayable: bool) -> _Made:
    """By the learning rates and weight decay of the later stages; every log is read before anything is said."""
    try:
        logs = {stage.checkpoint: _log_of(family, family.checkpoint(stage.checkpoint)) for stage in path.post[1:]}
    except LogError as error:
        if not replayable:
            raise
        raise LogError(
            f"{family.title} has no logs of that kind, but the recipe that it was trained by is here: add --curvature to take its later "
            "steps again."
        ) from error
    for place, stage in enumerate(path.post[:-1]):
        later = [logs[each.checkpoint] for each in path.post[place + 1 :]]
        left = {name: part for name, part in what_is_left(later).items() if part != 1.0}
        steps = sum(len(each.rates) for each in later)
        least = min(left.values(), default=1.0)
        told = f"{steps} later steps leave {figure_text(least, 4)} of it or more"
        if least > 0.999:
            told += ": without curvature that is the question “weights subtracted”"
        yield stage, {}, f"{told}.", {"rung": "schedule", "factors": left, "steps": steps}


def _log_of(family: Family, checkpoint: Checkpoint) -> Log:
    own = checkpoint.own
    if not own.local:
        raise LogError(
            f"{checkpoint.name} is {own}, which comes without the log of its training; put its {LOG_NAME} beside a copy of its weights "
            f"and name that folder in {family.folder / 'family.toml'}."
        )
    return read_log(Path(own.source))


def _replayed(family: Family, path: StagePath, options: Options, replay: Replay | None) -> _Made:
    if replay is None or path.final != family.final.name:
        raise UsageError(
            "The later steps of this training cannot be taken again here, since its recipe and data are not; leave --curvature out "
            "(docs/library.md shows how to replay a training of your own)."
        )
    state = options.state or store.user_folder() / family.name / "replay"
    found, drift = replay.run(family, state, lambda said: print(said, flush=True))
    for stage in path.post[:-1]:
        far = max((drift[each.checkpoint] for each in path.post if each.checkpoint in drift), default=0.0)
        told = f"its later steps were taken again with curvature, and ended {figure_text(far, 3)} of their way from the checkpoint."
        yield stage, found[stage.checkpoint], told, {"rung": "curvature", "drift": far}
