"""What a sentence about a family has to name for its commands to be about that family too. No torch."""

from __future__ import annotations

import glob
import shlex
from pathlib import Path

from core.errors import StoreError
from core.families.checkpoint import Family
from core.families.registry import choice_text, names, unknown_family
from core.util.program import DEFAULT_FAMILY, program


def family_option(family: Family) -> str:
    """`` --family NAME`` as it is typed behind a verb; empty for the family that opens by itself."""
    text = choice_text(family)
    return "" if text == DEFAULT_FAMILY else f" --family {shlex.quote(text)}"


def as_argument(folder: Path) -> str:
    """A folder as it is typed where a name may stand as well: with a path's sign in it, and quoted."""
    return shlex.quote(str(folder) if folder.is_absolute() else f"./{folder}")


def how_to_learn(family: Family) -> str:
    """How a direction comes to be there, as a sentence: on the screens first, which a person before a browser can press."""
    option = family_option(family)
    return (
        f"Library learns it (on the command line `{program()} precompute{option}` refusal and truth; `{program()} learn --help` says how "
        "others)."
    )


def not_mapped(family: Family, name: str, source: str, target: str) -> StoreError:
    """What is said of another family's direction that no file is there for."""
    named = source.partition("/")[0]
    # One that was opened by its folder has no name here, but perhaps other directions that were mapped.
    mapped = f"shared/direction.*.{glob.escape(named)}.*.into.*"
    if named not in names() and not any(any(place.glob(mapped)) for place in family.places):
        return StoreError(unknown_family(named))
    other = shlex.quote(named)
    return StoreError(
        f"No direction {name!r} of {source} was mapped into {target}; run "
        f"`{program()} transfer {name}{family_option(family)} --from {other}`."
    )
