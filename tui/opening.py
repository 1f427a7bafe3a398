"""What the program begins with: the engine of the family that was asked for, and the chat that stands on the screen first."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.chat.session import Session
from core.chat.settings import Settings
from core.errors import TillerError
from tui import state

if TYPE_CHECKING:
    from core.cli.options import Options
    from core.engine.engine import Engine


@dataclass(frozen=True)
class Opened:
    """An engine, not started yet; ``family`` is what it is loaded by, ``complaint`` what else could not be done."""

    engine: Engine
    family: str
    complaint: str = ""


@dataclass(frozen=True)
class First:
    """The chat that is on the screen first, with what was being written; ``complaint`` says what could not be read of an earlier one."""

    session: Session
    draft: str = ""
    complaint: str = ""


def open_engine(options: Options, wanted: Settings | None) -> Opened:
    """Read the family of the options, or of the settings that are ``wanted``. Raises TillerError."""
    from core.chat.opening import check_family
    from core.engine.engine import Engine
    from core.engine.family_choice import remember
    from core.families.registry import choice_text

    family = options.family
    if wanted is not None and wanted.family != os.path.basename(family.rstrip("/")):
        family = wanted.family
    engine = Engine(family, **options.engine)
    if wanted is not None:
        check_family(wanted, engine.family)
    chosen = choice_text(engine.family)
    try:
        remember(chosen)
    except TillerError as error:
        return Opened(engine, chosen, f"✗ {error}")
    return Opened(engine, chosen)


def first_chat(engine: Engine, options: Options, wanted: Settings | None) -> First:
    """What was asked for on the command line, else the last state, else the recorded run, else an empty chat. Raises TillerError."""
    if wanted is not None:
        return First(Session(wanted))
    if options.checkpoint or options.recipe or options.template_vars:
        return First(Session(engine.settings(options.checkpoint or "", options.recipe or "")))
    complaint = ""
    try:
        kept = _kept(engine)
        if kept is not None:
            return First(kept.session, kept.draft)
    except TillerError as error:
        complaint = f"✗ {error}"
    try:
        recorded = engine.recorded()
    except TillerError as error:
        complaint, recorded = f"✗ {error}", None
    session = Session.of(*recorded, recorded=True) if recorded is not None else Session(engine.settings())
    return First(session, complaint=complaint)


def state_name(engine: Engine) -> str:
    """Under which name the family's last chat is kept."""
    return str(engine.family.folder)


def _kept(engine: Engine) -> state.State | None:
    from core.chat.opening import check_family

    kept = state.load(state_name(engine))
    if kept is not None:
        check_family(kept.session.settings, engine.family)
    return kept
