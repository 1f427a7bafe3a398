"""What the log says of an error: all of a fault of ours, and one line of what a stranger sent that nothing could be made of."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

_log = logging.getLogger(__name__)
_HERE = Path(__file__).parent
_OURS = {str(_HERE), str(_HERE.parent / "core")}
#: Every request passes through these, whoever is at fault.
_DOOR = {str(_HERE / name) for name in ("gate.py", "intake.py", "early_script.py")}
#: Letters of an error that the log gets.
_LONGEST = 200


def ours(error: BaseException) -> bool:
    """Whether an error came about in lines of ours."""
    files = {frame.filename for frame in traceback.extract_tb(error.__traceback__)} - _DOOR
    return any(str(parent) in _OURS for file in files for parent in Path(file).parents)


def log_refused(error: BaseException | None) -> None:
    """Write one line of a stranger's error: tracebacks would fill the disk for him."""
    # Half of a character, which JSON may hold, cannot be written to any log.
    said = " ".join(str(error).split())[:_LONGEST].encode("utf-8", "backslashreplace").decode("utf-8")
    _log.warning("Refused: %s: %s", type(error).__name__, said)
