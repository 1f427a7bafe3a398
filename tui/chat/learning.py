"""Learning on the Chat screen: the line that offers it, and the sliders that are there afterwards."""

from __future__ import annotations

from core.errors import TillerError
from tui.chat.attribution import Blaming
from tui.messages import LearningCancelled, LearnWanted


class Learning(Blaming):
    """Asking the engine to learn what the selected column's checkpoint lacks."""

    def __init__(self) -> None:
        super().__init__()
        self._learning: set[str] = set()

    def action_learn(self) -> None:
        """Learn what the selected column's checkpoint lacks."""
        if self.session is None or self.engine is None:
            return
        if not self.ready:
            self.say("✗ The model is still loading; learn when it is ready.", wrong=True)
            return
        checkpoint = self.chat.settings.column.checkpoint
        try:
            if self.engine.offer(checkpoint) is None:
                self.say(f"Nothing is lacking: {checkpoint} has its directions.")
                return
            self.engine.learn(checkpoint)
        except TillerError as error:
            self.say(f"✗ {error}", wrong=True)
            return
        self.watch_learning()

    def on_learn_wanted(self, _message: LearnWanted) -> None:
        """The line was pressed."""
        self.action_learn()

    def action_cancel_learning(self) -> None:
        """Stop learning; what was found out so far is kept."""
        if self.session is not None and self.engine is not None:
            self.engine.cancel_learning(self.own_checkpoint())

    def on_learning_cancelled(self, _message: LearningCancelled) -> None:
        """The line's x was pressed."""
        self.action_cancel_learning()

    def own_checkpoint(self) -> str:
        """The checkpoint whose directions the selected column means."""
        return self.own_source(self.chat.settings.column.checkpoint)

    def draw_panel(self) -> None:
        """The panel and what can be learnt."""
        super().draw_panel()
        self._draw_learning()

    def watch_learning(self) -> None:
        """Show how far it is; once it has ended, draw the sliders that are there now."""
        if not self.drawable or self.engine is None:
            return
        jobs = {each.name: self.engine.learning(each.name) for each in self.engine.family.checkpoints}
        now = {name for name, job in jobs.items() if job is not None and not job.over}
        for name in self._learning - now:
            job = jobs[name]
            if job is not None:
                self.say(f"✗ {job.sentence}" if job.state == "failed" else job.sentence, wrong=job.state == "failed")
        ended = self._learning - now
        self._learning = now
        if ended:
            self.forget_cards()
            self.draw()
            self.scrub_soon()
        elif self.learn_line.display:
            # How long it takes is measured a moment after the model is there.
            self._draw_learning()

    def _draw_learning(self) -> None:
        if self.drawable and self.engine is not None:
            own = self.own_checkpoint()
            known = any(each.name == own for each in self.engine.family.choices)
            offer = self.engine.offer(own) if known else None
            self.learn_line.show(offer, self.engine.learning(own) if known else None)
