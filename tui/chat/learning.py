"""Learning what the selected column's checkpoint lacks, and the sliders that are there afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.chat.model import ChatModel
    from tui.chat.runs import RunController
    from tui.chat.view import ChatView


class LearnController:
    """Begins it, ends it, and watches it, whoever began it."""

    def __init__(self, model: ChatModel, view: ChatView, runs: RunController) -> None:
        self.model, self.view, self.runs = model, view, runs
        self._learning: set[str] = set()
        self._written = 0

    def begin(self) -> None:
        """Learn what the selected column's checkpoint lacks."""
        engine, checkpoint, notice = self.model.engine, self.model.settings.column.checkpoint, self.view.notice
        if not self.model.ready:
            notice.refuse("The model is still loading; learn when it is ready.")
            return
        with notice.refusing():
            if engine.offer(checkpoint) is None:
                notice.say(f"Nothing is lacking: {checkpoint} has its directions.")
                return
            engine.learn(checkpoint)
            self.watch()

    def cancel(self) -> None:
        """Stop learning; what was found out so far is kept."""
        self.model.engine.cancel_learning(self.model.own_checkpoint)

    def watch(self) -> None:
        """Show how far it is; once it has ended, draw the sliders that are there now."""
        if not self.view.drawable:
            return
        engine = self.model.engine
        jobs = {each.name: engine.learning(each.name) for each in engine.family.checkpoints}
        now = {name for name, job in jobs.items() if job is not None and not job.over}
        ended, self._learning = self._learning - now, now
        for job in (jobs[name] for name in ended):
            if job is not None and job.state == "failed":
                self.view.notice.refuse(job.sentence)
            elif job is not None:
                self.view.notice.say(job.sentence)
        written = sum(job.written for job in jobs.values() if job is not None)
        news, self._written = written != self._written, written
        if ended or news:
            self.show_new_directions()
        elif self.view.panel.learn_line.display:
            # How long it takes is measured a moment after the model is there.
            self.view.panel.draw_learning()

    def show_new_directions(self) -> None:
        """The directions are others now: draw their sliders."""
        self.view.draw()
        self.runs.ahead_soon()
