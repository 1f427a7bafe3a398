"""Removing a stage's part from a front end: on the engine's thread, a slice at a time, between the steps of chats. No torch until then."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.chat.settings import Column, Settings
from core.engine.engine import Engine
from core.families.edited import with_edited
from core.families.family_toml import text_of
from core.util.progress import Learning, Step

if TYPE_CHECKING:
    from core.engine.worker import Worker
    from core.undo.run import Undone


def stages_of(engine: Engine) -> tuple[str, ...]:
    """The stages whose part can be removed from the final checkpoint, the last one first."""
    return tuple(each.stage for each in reversed(engine.family.path(engine.family.final.name)[1:]))


def offered_prompts(engine: Engine, settings: Settings | None = None) -> tuple[str, str]:
    """Prompts to begin with, one a line: to lose, with the chat's own messages first, and to keep, where the family brings some.

    Raises:
        TillerError: a file of the family's prompts cannot be read.
    """
    said = [turn.user.replace("\n", " ") for turn in settings.turns] if settings else []
    own = engine.family.undo
    if own is None:
        return "\n".join(said), ""
    lose, keep = (text_of(path).splitlines() for path in (own.lose, own.keep))
    return "\n".join([*said, *lose]), "\n".join(keep)


def undoing(engine: Engine, stage: str, lose: str, keep: str, controls: bool = True) -> Generator[Step, None, Undone]:
    """Remove a stage's part from the final checkpoint, judged on every fourth of the prompts; closing the generator cancels.

    Raises:
        TillerError: too few prompts, a stage that is not to blame, a quantized model.
    """

    def make(worker: Worker) -> Learning[Undone]:
        from core.undo.examples import Prompts
        from core.undo.run import undo

        prompts = Prompts.split(lose.splitlines(), keep.splitlines())
        # Held until the work is over or closed.
        return _held(
            worker,
            lambda: undo(worker.shelf.get(worker.family.final.name), stage, prompts, controls, load=worker.shelf.get),
        )

    return engine.slices(make)


def _held(worker: Worker, make: Callable[[], Learning[Undone]]) -> Learning[Undone]:
    with worker.shelf.held(worker.family.final.name):
        return (yield from make())


def keep_edited(engine: Engine, undone: Undone, name: str) -> Path:
    """Keep the edited model as one more checkpoint of the family, which Chat offers from then on; gives its file.

    Raises:
        TillerError: a name that is another checkpoint's, or cannot be one; a family of the Hub; a full disk.
    """

    def save(worker: Worker) -> Path:
        from core.undo.save import save_edited

        path = save_edited(worker.shelf.get(undone.checkpoint), undone, name)
        # What was loaded under that name before is another model.
        worker.shelf.drop(name)
        engine.family = worker.family = worker.shelf.family = worker.blamer.family = with_edited(worker.family)
        return path

    return engine.call(save).result()


def write_folder(engine: Engine, undone: Undone, folder: Path) -> None:
    """Write the edited model as a model folder. Raises TillerError when the folder is not empty or cannot be written."""

    def save(worker: Worker) -> None:
        from core.undo.save import save_folder

        title = f"{worker.family.title} {undone.checkpoint}, part of {undone.stage.stage} removed"
        save_folder(worker.shelf.get(undone.checkpoint), undone.strengths, folder, title)

    engine.call(save).result()


def beside(settings: Settings, undone: Undone, name: str) -> Settings:
    """The chat with two columns: the model as it is, and without the stage's part."""
    return replace(settings, columns=(Column(undone.checkpoint), Column(name)), selected=1)
