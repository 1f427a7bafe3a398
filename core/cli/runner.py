"""What happens between a command line that was read and its verb: once for all verbs."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from core.cli.command_line import Command, is_place


def run_verb(command: Command) -> int:
    """Do what a command line says; returns the exit code.

    Raises:
        TillerError: one sentence that names the fix.
        KeyboardInterrupt: Ctrl-C.
    """
    # Before a library does it in its own way: what is logged for a person to read is a sentence, without a module's name before it.
    logging.basicConfig(format="%(message)s")
    options = command.options
    if options.offline or options.trusted:
        from core.models import hub

        # Before any library is imported that reads it.
        if options.offline:
            hub.go_offline()
        hub.trust(options.trusted)
    if options.no_keep:
        from core.models import gguf_model

        gguf_model.keep_nothing()
    if is_place(options.family) and not (Path(options.family).expanduser() / "family.toml").is_file():
        if Path(options.family).expanduser().exists():
            print(f"{options.family} has no family.toml, and is opened as one model, as --model does.", file=sys.stderr)
        options.model = options.family
    if options.base or options.model:
        from core.models import adhoc_family

        options.family = (
            adhoc_family.one_model(options.model)
            if options.model
            else adhoc_family.put_together(options.base, options.stages, options.post)
        )
        from core.engine import family_choice

        family_choice.remember(options.family)
    if command.verb.opens and not options.offline:
        from core.cli.get import ask_for_weights

        ask_for_weights(options.family)
    if command.verb.computes:
        import torch

        from core.models import loading

        torch.set_num_threads(options.threads or loading.threads())
    return command.verb.run(options) or 0
