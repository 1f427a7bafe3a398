"""Removing a stage's part from a front end: on the engine's thread, a slice at a time, between the steps of chats. No torch until then."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from core.chat.settings import Column, Settings, Turn
from core.engine.allowance import Allowance, allowed
from core.engine.job_list import Errands
from core.engine.thread import EngineThread
from core.families.checkpoint import FamilyRef
from core.families.edited import with_edited
from core.families.family_toml import text_of
from core.inference.reply_classes import classify
from core.util.files import text_items
from core.util.progress import Learning, Step

if TYPE_CHECKING:
    from core.engine.worker import Worker
    from core.undo.run import Undone


class StageUndo:
    """What an engine offers for removing a stage's part from the family's final checkpoint. May be asked from any thread."""

    def __init__(
        self, thread: EngineThread[Worker], families: FamilyRef, allowance: Allowance, errands: Errands
    ) -> None:
        self._thread, self._families, self._allowance, self._errands = thread, families, allowance, errands

    def stages(self) -> tuple[str, ...]:
        """The stages whose part can be removed, the last one first."""
        family = self._families.family
        return tuple(each.stage for each in reversed(family.path(family.final.name)[1:]))

    @property
    def likely(self) -> str:
        """The stage that the family itself shows a model without, else the last one; empty where there is none."""
        shown = [each.without for each in self._families.family.examples if each.without in self.stages()]
        return next(iter([*shown, *self.stages()]), "")

    def offered_prompts(self, settings: Settings | None = None) -> tuple[str, str]:
        """Prompts to begin with, one a line: to lose, with the chat's own messages first, and to keep, where the family brings some.

        A message that was answered has nothing to lose where the family's own list is of what is refused: those are left out.

        Raises:
            TillerError: a file of the family's prompts cannot be read.
        """
        own = self._families.family.undo
        said = [
            turn.user.replace("\n", " ")
            for turn in (settings.turns if settings else ())
            if own is None or not turn.replies or _refused(settings, turn)
        ]
        if own is None:
            return "\n".join(said), ""
        lose, keep = (text_items(text_of(path)) for path in (own.lose, own.keep))
        return "\n".join([*said, *lose]), "\n".join(keep)

    def fit(self, stage: str, lose: str, keep: str, controls: bool = True) -> Generator[Step, None, Undone]:
        """Remove a stage's part, judged on every fourth of the prompts; closing the generator cancels.

        Raises:
            TillerError: too few prompts, a stage that is not to blame, a quantized model.
        """
        work = partial(self._thread.slices, lambda worker: _fitting(worker, stage, lose, keep, controls))
        return self._errands.run(f"removing the part of {stage}", allowed(self._allowance, work))

    def keep(self, undone: Undone, name: str) -> Path:
        """Keep the edited model as one more checkpoint of the family, which Chat offers from then on; gives its file.

        Raises:
            TillerError: a name that is another checkpoint's, or cannot be one; a family of the Hub; a full disk; a visitor asks.
        """
        self._allowance.check_owner()

        def save(worker: Worker) -> Path:
            from core.undo.save import save_edited

            path = save_edited(worker.pool.get(undone.checkpoint), undone, name)
            # What was loaded under that name before is another model.
            worker.pool.drop(name)
            self._families.replace(with_edited(self._families.family))
            return path

        return self._thread.call(save).result()

    def write_folder(self, undone: Undone, folder: Path) -> None:
        """Write the edited model as a model folder.

        Raises:
            TillerError: the folder is not empty or cannot be written, or a visitor asks.
        """
        self._allowance.check_owner()

        def save(worker: Worker) -> None:
            from core.undo.save import save_folder

            title = f"{worker.family.title} {undone.checkpoint}, part of {undone.stage.stage} removed"
            save_folder(worker.pool.get(undone.checkpoint), undone.strengths, folder, title)

        self._thread.call(save).result()


def _refused(settings: Settings | None, turn: Turn) -> bool:
    """Whether a column that nothing steers refused a message."""
    said = zip(settings.columns if settings else (), turn.replies, strict=False)
    return any(classify(reply) == "refuses" for column, reply in said if not column.recipe and not column.asks)


def _fitting(worker: Worker, stage: str, lose: str, keep: str, controls: bool) -> Learning[Undone]:
    from core.undo.examples import Prompts
    from core.undo.run import undo

    prompts = Prompts.split(text_items(lose), text_items(keep))
    # Held until the work is over or closed.
    with worker.pool.held(worker.family.final.name) as loaded:
        return (yield from undo(loaded, stage, prompts, controls, load=worker.pool.get))


def beside(settings: Settings, undone: Undone, name: str) -> Settings:
    """The chat with two columns: the model as it is, and without the stage's part."""
    return replace(settings, columns=(Column(undone.checkpoint), Column(name)), selected=1)
