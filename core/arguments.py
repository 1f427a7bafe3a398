"""argparse for the verbs that read their own arguments: a mistake is one sentence, as everywhere on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from core.options import MODEL, UsageError


class Arguments(argparse.ArgumentParser):
    """An argument parser that raises UsageError instead of printing its usage and leaving."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line."""
        raise UsageError(
            f"{message[:1].upper()}{message[1:].rstrip('.')}; `python {self.prog} --help` lists what there is."
        )

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Read a command line; a recipe may start with a minus sign, which argparse takes for an option's unless it is told."""
        words = list(args or ())
        for index in range(len(words) - 1, 0, -1):
            if words[index - 1] == "--recipe" and not words[index].startswith("--"):
                words[index - 1 : index + 1] = [f"--recipe={words[index]}"]
        found = super().parse_args(words, namespace)
        # argparse would read an empty default as if it had been typed, and refuse it.
        for name in (each.replace("-", "_") for each in MODEL):
            if getattr(found, name, "") is None:
                setattr(found, name, "")
        return found

    def add_model(self, **helps: str) -> None:
        """Add what says which model and where it runs: the same options, read in the same way, as for every other verb.

        Args:
            helps: what an option means here, where that is not what it means elsewhere.
        """
        defaults: dict[str, object] = {
            "family": "skiff",
            "device": "auto",
            "dtype": "auto",
            "threads": 0,
            "quantize": "none",
        }
        for name, option in MODEL.items():
            self.add_argument(
                f"--{name}",
                type=_reading(name),
                default=defaults.get(name),
                metavar=option.value,
                help=helps.get(name.replace("-", "_"), option.help),
            )


def _reading(name: str) -> Any:
    return lambda text: MODEL[name].read(text, f"--{name}")
