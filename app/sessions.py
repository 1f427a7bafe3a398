"""What Gradio keeps of its visitors and pages, in memory and in the log, and what it does while nothing is asked of it, made small: a
server has some hundreds of visitors, and not all mean well."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import gradio as gr
from gradio import queueing, routes
from gradio.state_holder import SessionState, StateHolder

from app.log import log_refused, ours

#: Seconds between two looks into a queue in which nothing is. Gradio looks a thousand times a second, for each family whose page is
#: served, also while nobody looks at it.
_IDLE = 0.02


class SmallSessions(StateHolder):
    """Sessions without the description of the whole page that each holds for Gradio's deep links, of which this page has none.

    Gradio describes a part of the page anew when it changes in a session.
    """

    def __getitem__(self, session_id: str) -> SessionState:
        new = session_id not in self
        found = super().__getitem__(session_id)
        if new:
            found.config_values.clear()
        return found


def keep_small(page: gr.Blocks) -> None:
    """Have a page that is served make its sessions small, and do little while nothing is asked of it."""
    page.state_holder.__class__ = SmallSessions
    page._queue.sleep_when_free = _IDLE


def forget_closed() -> None:
    """Have FastAPI forget what it knows of the handlers of pages that are served no more: it keeps thousands, and the pages with them."""
    for each in vars(sys.modules["fastapi.dependencies.models"]).values():
        if hasattr(each, "cache_clear"):
            each.cache_clear()


class _OursAlone:
    """Stands for the module ``traceback`` in Gradio's: an error that came about in none of our lines is one line of the log.

    What a stranger sends that Gradio cannot read would else fill the disk with tracebacks.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(traceback, name)

    @staticmethod
    def print_exc(*given: Any, **named: Any) -> None:
        """Write about the error that is being handled."""
        error = sys.exc_info()[1]
        if error is not None and ours(error):
            traceback.print_exc(*given, **named)
        else:
            log_refused(error)


def log_strangers_errors_briefly() -> None:
    """From now on Gradio writes tracebacks of faults of ours alone."""
    for module in (queueing, routes):
        module.traceback = _OursAlone()  # type: ignore[attr-defined]
