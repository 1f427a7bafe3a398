"""``launch.py artefacts``: everything that ships with a family beside its weights, made one after the other."""

from __future__ import annotations

import shlex
import subprocess
import sys

from core.cli.options import Options
from core.models.at_hand import open_family
from core.util.program import program


def run_artefacts(options: Options) -> int:
    """Run the commands that make them; the exit code of the first that fails, behind which the same command goes on."""
    family = open_family(options.family)
    steps = [
        ["precompute", "--ship"],
        ["transfer", "--ship"],
        ["report", "--out", str(family.folder / "report.html")],
        # Only families of this project's are measured for a card.
        *([["evaluate"]] if (family.folder / "README.md").is_file() else []),
    ]
    for step in steps:
        words = [*step, "--family", options.family, *(["--threads", str(options.threads)] if options.threads else [])]
        print("\n>", program(), shlex.join(words), flush=True)
        # Each in a process of its own: what one had in memory is free for the next.
        if not options.dry_run and (code := subprocess.run([sys.executable, sys.argv[0], *words]).returncode):
            return code
    return 0
