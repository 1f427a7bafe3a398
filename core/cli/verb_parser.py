"""argparse for the verbs that read their own arguments: a mistake is one sentence, as everywhere on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from core.cli import adhoc_family
from core.cli.options import MODEL, Options
from core.cli.parser import check_sources
from core.errors import UsageError


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
        if not hasattr(found, "trusted"):
            return found
        # argparse would read an empty default as if it had been typed, and refuse it.
        for name in (option.to or name.replace("-", "_") for name, option in MODEL.items()):
            if getattr(found, name) is None:
                setattr(found, name, "")
        check_sources(bool(found.family), found.base, found.post, found.stages or ())
        found.stages, found.trusted = tuple(found.stages or ()), tuple(found.trusted or ())
        found.family = self._family(found)
        return found

    def _family(self, found: argparse.Namespace) -> str:
        """The family that is meant; one that the command line puts together is written first."""
        options = Options(base=found.base, post=found.post, stages=found.stages)
        return adhoc_family.family_of(replace(options, family=found.family or options.family))

    def add_model(self, only: Collection[str] = (), **helps: str) -> None:
        """Add what says which model and where it runs: the same options, read in the same way, as for every other verb.

        Args:
            only: these options, where not all mean something; the others keep their defaults.
            helps: what an option means here, where that is not what it means elsewhere.
        """
        defaults: dict[str, object] = {
            "device": "auto",
            "dtype": "auto",
            "threads": 0,
            "quantize": "none",
        }
        for name, option in MODEL.items():
            said = helps.get(name.replace("-", "_"), option.help)
            to = option.to or name.replace("-", "_")
            if only and name not in only:
                self.set_defaults(**{to: defaults.get(name, () if option.many else None)})
                continue
            if not option.value:
                self.add_argument(f"--{name}", dest=to, action="store_true", help=said)
                continue
            self.add_argument(
                f"--{name}",
                dest=to,
                action="append" if option.many else "store",
                type=_reading(name),
                default=defaults.get(name),
                metavar=option.value,
                help=said,
            )


def _reading(name: str) -> Any:
    return lambda text: MODEL[name].read(text, f"--{name}")
