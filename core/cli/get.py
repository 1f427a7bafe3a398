"""``launch.py get``: a family's weights from a Python package, asked once; and the same question where a family is opened. No torch."""

from __future__ import annotations

import sys
import textwrap
from contextlib import closing

from core.cli.options import Options
from core.errors import TillerError, UsageError
from core.families import registry
from core.families.checkpoint import Family
from core.models import hub, wheels
from core.models.at_hand import local
from core.util.program import program

_WIDTH = 80


def run_get(options: Options) -> int:
    """Get the weights of a family, or delete what was got of them; returns the exit status.

    Raises:
        FamilyError: there is no such family.
        UsageError: nobody can be asked, and nobody said yes.
        TillerError: it cannot be had, or nothing of it was got that could be deleted.
        KeyboardInterrupt: Ctrl-C; nothing of it has stayed.
    """
    family = registry.load_family(options.name)
    if options.delete:
        from core.engine.family_choice import delete_download

        print(delete_download(options.name))
        return 0
    if local(family.final).files or (family.final.package and family.final.package.fetched):
        print(f"{family.title} is here already: {family.final.weights}")
        return 0
    if family.final.package is None:
        raise TillerError(
            f"{family.title} is in no package; `{program()} --family {options.name}` downloads it from the Hugging Face Hub."
        )
    if not options.yes and not _may_ask():
        raise UsageError(f"Nobody can be asked here; add --yes, or look first: `{program()} families {options.name}`.")
    if not options.yes and not _agreed(family):
        print("Nothing was fetched.")
        return 1
    _get(family)
    print(f"{family.title} is here. `{program()} --family {options.name}` opens it, also without a network.")
    return 0


def ask_for_weights(text: str) -> None:
    """Where a family is to be opened whose weights are neither here nor on a Hub that can be reached: ask a person, and get them."""
    family = registry.load_family(text)
    if wheels.wanted(family) is not None and _may_ask() and not hub.reachable() and _agreed(family):
        _get(family)


def _may_ask() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def _agreed(family: Family) -> bool:
    """Say what would come, and ask."""
    # Here and below, not before somebody is asked: every start comes this way, and the terminal's first paint waits for it.
    from core.engine.getting import get_offer

    offer = get_offer(family)
    assert offer is not None
    width = max(len(name) for name, _ in offer.rows)
    lines = [f"The weights of {family.title} are not on this computer."]
    for name, said in offer.rows:
        head = f"  {name.lower():<{width}}  "
        lines += textwrap.wrap(
            said, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_long_words=False, break_on_hyphens=False
        )  # fmt: skip
    print("\n".join(lines), file=sys.stderr)
    print("Get it? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _get(family: Family) -> None:
    from core.cli.progress import TerminalProgress

    package = family.final.package
    assert package is not None
    with TerminalProgress() as progress, closing(wheels.fetch(package)) as steps:
        for step in steps:
            progress.say(f"Getting {package}: {step.said}")
