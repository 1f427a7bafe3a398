"""argparse for the verbs that read their own arguments: a mistake is one sentence, as everywhere on the command line."""

from __future__ import annotations

import argparse
from typing import NoReturn

from core.options import UsageError


class Arguments(argparse.ArgumentParser):
    """An argument parser that raises UsageError instead of printing its usage and leaving."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line."""
        raise UsageError(f"{message[:1].upper()}{message[1:].rstrip('.')}; `python {self.prog} --help` lists what there is.")
