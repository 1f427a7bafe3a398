"""What happens between a command line that was read and its verb: once for all verbs."""

from __future__ import annotations

from core.cli.parser import Command


def run_verb(command: Command) -> int:
    """Do what a command line says; returns the exit code.

    Raises:
        TillerError: one sentence that names the fix.
        KeyboardInterrupt: Ctrl-C.
    """
    options = command.options
    if options.offline or options.trusted:
        from core.models import hub

        # Before any library is imported that reads it.
        if options.offline:
            hub.go_offline()
        hub.trust(options.trusted)
    if options.base:
        from core.cli.adhoc_family import family_of

        options.family = family_of(options)
    if command.verb.computes:
        import torch

        from core.models import loading

        torch.set_num_threads(options.threads or loading.threads())
    return command.verb.run(options) or 0
