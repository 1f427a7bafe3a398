"""Where a checkpoint lacks directions: one press learns them, and the line says how far that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget

from core.util.program import program
from tui.messages import LearningCancelled, LearnWanted
from tui.text import one_line
from tui.widgets.progress import progress

if TYPE_CHECKING:
    from textual.events import Click

    from core.engine.jobs import JobView, Offer


class LearnLine(Widget, can_focus=True):
    """Hidden where nothing is lacking."""

    HELP = (
        "This checkpoint has no directions to steer along yet. Enter here, or ^d while no message is written, learns them, while you "
        "chat; x cancels, and what was found out so far is kept. For all checkpoints at once: "
        f"`{program()} precompute --family NAME`."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "press", "Learn", key_display="⏎", id="learn.press"),
        Binding("x", "cancel", "Cancel learning", id="learn.cancel"),
    ]
    SCOPED_CSS: ClassVar[bool] = False  # The rules look at the screen's width class, which is above the widget.
    DEFAULT_CSS = """
    LearnLine { height: auto; width: 1fr; margin: 0 0 1 0; display: none; color: $quiet; }
    LearnLine:focus { text-style: bold; }
    .-narrow LearnLine { height: auto; max-height: 2; margin: 0; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.offer: Offer | None = None
        self.job: JobView | None = None

    @property
    def learning(self) -> bool:
        """Whether something is being learnt."""
        return self.job is not None and not self.job.over

    def show(self, offer: Offer | None, job: JobView | None) -> None:
        """Draw what is offered, or how far it is."""
        if (offer, job) == (self.offer, self.job):
            return
        self.offer, self.job = offer, job
        wanted = self.learning or offer is not None
        if self.has_focus and not wanted:
            self.screen.focus_next()
        self.display = wanted
        self.refresh(layout=True)

    def render(self) -> Content:
        """What is lacking and the button, or a bar."""
        if self.learning and self.job is not None:
            return progress(self.job.part, self.job.said)
        if self.offer is None:
            return Content("")
        failed = self.job is not None and self.job.state == "failed"
        said = self.job.said if self.job is not None else f"{self.offer.checkpoint} has no {self.offer.lacking} yet."
        button = (f" {self.offer.sentence} ", "$text-primary on $primary-muted")
        return Content.assemble(
            button, (" ^d", "$quiet"), "\n", (one_line(said), "$text-error" if failed else "$quiet")
        )

    # --------------------------------------------------------------------------------------------------------- pressing

    def action_press(self) -> None:
        """Learn."""
        if not self.learning:
            self.post_message(LearnWanted())

    def action_cancel(self) -> None:
        """Stop learning."""
        if self.learning:
            self.post_message(LearningCancelled())

    def on_click(self, _event: Click) -> None:
        """A click learns."""
        self.action_press()
