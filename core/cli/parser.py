"""The command line: one argparse parser for every verb, built from what the verb declares (:mod:`core.cli.command_line` reads with it).

Standard library only: ``--help`` and a typing mistake answer at once, on a machine where nothing is installed yet. Every mistake is a
:class:`UsageError`: one sentence that names the fix.
"""

from __future__ import annotations

import argparse
import os
import shutil
import textwrap
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from core.cli import option_types
from core.cli.option_types import nonempty_text
from core.cli.options import Options
from core.errors import UsageError
from core.util.program import program


@dataclass(frozen=True)
class Verb:
    """One thing that the program does: how it is typed, what it takes, and what is called for it.

    ``declare`` adds its arguments to its parser; ``run`` gets them and returns the exit code (``None``: 0). ``options`` makes what they
    are kept in, with the verb's own defaults. One that ``computes`` has PyTorch's threads set before it runs. ``quoted`` is what a person
    may have forgotten to put in quotes. A ``raw`` verb gets the words behind it as they are, in ``words``.
    """

    name: str
    summary: str
    usage: str
    examples: tuple[tuple[str, str], ...]
    declare: Callable[[VerbParser], None]
    run: Callable[[Any], int | None]
    description: str = ""
    options: Callable[[], Options] = Options
    computes: bool = False
    quoted: str = ""
    raw: bool = False

    @property
    def opens(self) -> bool:
        """Whether a model answers or is computed with."""
        return self.computes or self.name in ("web", "tui", "chat")

    @property
    def parser(self) -> VerbParser:
        """The parser of its arguments."""
        about = self.description or f"{self.summary[:1].upper()}{self.summary[1:]}."
        parser = VerbParser(
            self.usage, textwrap.fill(about, _width()), "\n".join(["examples:", *self.lines]), not self.raw
        )
        self.declare(parser)
        parser.add_install()
        return parser

    @property
    def lines(self) -> list[str]:
        """Its examples, as they can be typed, and what each does."""
        lines = []
        for arguments, meaning in self.examples:
            typed = arguments if "launch.py" in arguments else f"python launch.py {arguments}".rstrip()
            lines += [f"  {typed.replace('python launch.py', program())}", f"      {meaning}"]
        return lines


class Collected(argparse.Action):
    """An option that may be given several times; its values become a tuple."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        """One more."""
        setattr(namespace, self.dest, (*(getattr(namespace, self.dest, None) or ()), values))


class VerbParser(argparse.ArgumentParser):
    """An argparse parser whose mistakes are UsageErrors, and to which the groups of options can be added that verbs share."""

    def __init__(self, usage: str, description: str, epilog: str, helps: bool = True) -> None:
        super().__init__(
            prog=program(),
            usage=f"{program()} {usage}",
            description=description,
            epilog=epilog,
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
                prog, max_help_position=26, width=_width()
            ),
            add_help=False,
            allow_abbrev=False,
            exit_on_error=False,
        )
        if helps:
            self.add_argument("-h", "--help", action="store_true", default=argparse.SUPPRESS, help="print this")

    # ------------------------------------------------------------------------------------------- what verbs have in common

    def add_model(self, only: Collection[str] = (), refused: Mapping[str, str] | None = None, **helps: str) -> None:
        """Add what says which model and where it runs.

        Args:
            only: these options, where not all mean something; the others keep their defaults.
            refused: options that mean nothing here, though a person may try them, and the sentence that says why and what to do.
            helps: what an option means here, where that is not what it means elsewhere.
        """
        group = self.add_argument_group("which model, and where it runs")

        def add(name: str, value: str, said: str, read: Callable[[str], Any] = nonempty_text, **more: Any) -> None:
            if only and name not in only:
                return
            said = helps.get(name.replace("-", "_"), said)
            if refused and name in refused:
                why = refused[name].partition(";")[0]
                said, read = f"refused: {why[0].lower()}{why[1:]}", _refusing(refused[name])
            group.add_argument(f"--{name}", metavar=value, type=read, help=said, **more)

        add("family", "NAME", "the family of checkpoints (default: skiff, the one that is shipped)")
        add(
            "model",
            "MODEL",
            "instead of a family: one model, by its folder, its name on the Hugging Face Hub or a .gguf file",
        )
        add("base", "MODEL", "instead of a family: a base model, named in the same way, …")
        add("post", "MODEL", "… and a model that was trained from it, or an adapter (LoRA) of it")
        add("stage", "NAME=MODEL", "a checkpoint between these two, as often as there are some", option_types.stage,
            dest="stages", action=Collected)  # fmt: skip
        add("checkpoint", "NAME", "the checkpoint of the family to talk to, such as base, sft or dpo")
        add("recipe", "RECIPE", 'how to steer it, such as "1.5*refusal" or "-0.3*truth[4]:reply + !refusal"',
            option_types.recipe)  # fmt: skip
        add("device", "NAME", "auto, cpu, cuda, cuda:1, mps or xpu (default: auto)", option_types.device)
        add("dtype", "NAME", "auto, float32, bfloat16 or float16 (default: auto)", option_types.dtype)
        add("quantize", "HOW", "none, 8bit or 4bit: checkpoints take a half or less of the memory (default: none)",
            option_types.quantize)  # fmt: skip
        add("max-memory", "SIZE", "what checkpoints may take, such as 20GB or 0:20GB,cpu:30GB (default: what is free)",
            option_types.max_memory)  # fmt: skip
        add("template-var", "NAME=VALUE", "what a chat template is told, such as enable_thinking=false; as often as needed",
            option_types.template_var, dest="template_vars", action=Collected)  # fmt: skip
        add("threads", "N", "CPU threads to compute with (default: measured)", option_types.thread_number)
        add("trust-remote-code", "ID", "let the Python code that this model brings run here; read it first",
            dest="trusted", action=Collected)  # fmt: skip
        if not only or "no-keep" in only:
            group.add_argument(
                "--no-keep",
                action="store_true",
                help="remove at the end what GGUF files were converted to (default: keep it)",
            )
        if not only or "offline" in only:
            group.add_argument(
                "--offline", action="store_true", help="fetch nothing: use only what is on this computer"
            )

    def refuse(self, name: str, sentence: str) -> None:
        """An option that is no option of this verb, though a person may think so; the sentence says why and what to do."""
        self.add_argument(f"--{name}", metavar="…", type=_refusing(sentence), help=argparse.SUPPRESS)

    def add_serving(self, page: bool = True) -> None:
        """Add where a server is: the browser app, or, without a ``page``, the API alone."""
        group = self.add_argument_group("where it is served")
        group.add_argument("--host", metavar="ADDRESS", type=nonempty_text,
                           help="listen on this address (default: 127.0.0.1, this machine only)")  # fmt: skip
        group.add_argument("--port", metavar="N", type=option_types.whole_number(1, 65535),
                           help="listen on this port (default: 7860, or the next free one)")  # fmt: skip
        group.add_argument("--api-key", metavar="KEY", type=nonempty_text, default=os.environ.get("TILLER_API_KEY") or argparse.SUPPRESS,
                           help="what programs show that ask /v1 (default: the variable TILLER_API_KEY, else any will do)")  # fmt: skip
        group.add_argument("--served-as", metavar="NAME", action=Collected, type=nonempty_text, default=(),
                           help="a name by which it is reached, beside its own: behind a proxy, say")  # fmt: skip
        if not page:
            return
        group.add_argument("--offer", metavar="FAMILY", dest="offers", action=Collected, type=nonempty_text,
                           help="on a server that others can reach: a further family that they may open")  # fmt: skip
        group.add_argument("--share", action="store_true",
                           help="also make a temporary public address through Gradio's relay (needs a network)")  # fmt: skip
        group.add_argument("--mcp", action="store_true",
                           help="programs that use tools (Model Context Protocol) may steer, blame, learn and inspect")  # fmt: skip
        group.add_argument("--public", action="store_true",
                           help="others use it: what they learn is their own, and what is shared only its owner changes; so it is anyway "
                           "with --share, --auth, a --host that others reach, and on a Space")  # fmt: skip
        group.add_argument("--auth", metavar="NAME:PASSWORD", type=option_types.sign_in, default=os.environ.get("TILLER_AUTH", ""),
                           help="by which you sign in as its owner, at /owner (default: the variable TILLER_AUTH)")  # fmt: skip

    def add_chat(self) -> None:
        """Add what ``chat`` alone takes."""
        group = self.add_argument_group("for chat")
        group.add_argument(
            "--json", dest="as_json", action="store_true", help="print one event a line as JSON instead of the text"
        )
        group.add_argument("--strengths", metavar="NAME", default="",
                           help="answer at nine strengths of this direction: a table with class and damage (--json: CSV)")  # fmt: skip
        group.add_argument("--preset", metavar="NAME", default="", help="with a preset that was kept in the Library")
        group.add_argument("--system", metavar="TEXT", type=nonempty_text, help="a system prompt")
        group.add_argument("--temperature", metavar="T", type=option_types.temperature,
                           help="0 (default) always takes the likeliest token; higher is more varied")  # fmt: skip
        group.add_argument(
            "--own-sampling", action="store_true", help="draw as the model's makers do, by its generation_config.json"
        )
        group.add_argument("--seed", metavar="N", type=option_types.whole_number(0, 2**63 - 1),
                           help="what random choices start from (default: 0)")  # fmt: skip
        group.add_argument(
            "--max-tokens", metavar="N", type=option_types.whole_number(1, 4096), help="the longest answer, in tokens"
        )

        group.add_argument(
            "--keep", action="store_true", help="keep the chat in your data folder, where chats lists it"
        )
        group.add_argument("--chat", metavar="ID", dest="kept", type=nonempty_text,
                           help="go on with a kept chat of one column, by its recipe and, unless they are given, its sampling")  # fmt: skip

    def add_install(self) -> None:
        """Add what concerns the first start."""
        group = self.add_argument_group("the first start")
        group.add_argument("--torch-index", metavar="URL", type=option_types.url,
                           help="install PyTorch from this index (README: the smaller CPU build)")  # fmt: skip

    # ---------------------------------------------------------------------------------------------------------- reading

    @property
    def named(self) -> dict[str, argparse.Action]:
        """Its options, by what is typed."""
        return self._option_string_actions

    def part(self, words: deque[str], unknown: Callable[[str], UsageError] | None, first: bool = False) -> PartedWords:
        """Part options from everything else, each option with its full name and its value behind "=".

        argparse alone would take a value that begins with a minus sign, as a recipe may, for an option.

        Args:
            unknown: makes the error about an option that is not there; without it such an option is one of the other words.
            first: leave everything from the first word on that is no option.
        """
        options: list[str] = []
        others: list[str] = []
        while words:
            name, equals, _ = words[0].partition("=")
            action = self.named.get(self._whole(name) if unknown else name)
            plain = not name.startswith("-") or name == "-" or " " in name
            if first and (plain or name == "--"):
                break
            word = words.popleft()
            if word == "--":
                others += words if unknown else [word, *words]
                words.clear()
            elif action is None:
                if unknown and not plain:
                    raise unknown(name)
                others.append(word)
            elif equals or action.nargs == 0:
                options.append(f"{action.option_strings[-1]}{word[len(name) :]}")
            elif action.nargs == "+":
                options += [name, *self._values(words)]
            else:
                if not words or words[0].partition("=")[0] in self.named:
                    raise UsageError(f"{name} needs a value: {action.option_strings[-1]} {action.metavar}.")
                options.append(f"{action.option_strings[-1]}={words.popleft()}")
            # Nothing given is nothing meant: a variable of a script that is not set, say. Only a recipe may be the empty one.
            given, equals, value = options[-1].partition("=") if options else ("", "", "")
            if unknown and given.startswith("--") and equals and not value and given != "--recipe":
                raise UsageError(f"{name} is empty; give it a value or leave it out.")
        return PartedWords(options, others)

    def _whole(self, name: str) -> str:
        """The option that a name, or a beginning that no other option has, means."""
        found = [each for each in self.named if each.startswith(name)] if name.startswith("--") and name != "--" else []
        return found[0] if len(found) == 1 and name not in self.named else name

    @staticmethod
    def _values(words: deque[str]) -> list[str]:
        values = []
        while words and not words[0].startswith("-"):
            values.append(words.popleft())
        return values

    def read(self, parted: PartedWords, into: Options) -> tuple[Options, list[str]]:
        """Fill in what a command line says; also what words are left over. Raises UsageError."""
        others = ["--", *parted.others] if parted.others else []
        try:
            return self.parse_known_args([*parted.options, *others], into)
        except argparse.ArgumentError as error:
            raise self._explained(error) from error

    def _explained(self, error: argparse.ArgumentError) -> UsageError:
        name, said = error.argument_name, error.message
        if name is None:
            self.error(said)
        if said.startswith("ignored explicit"):
            return UsageError(f"{name} takes no value; write {name} alone.")
        if said.startswith("expected"):
            return UsageError(f"{name} needs a value: {name} {self.named[name].metavar}.")
        return UsageError(f"{name} {said}")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line."""
        usage = (self.usage or "").partition("[")[0].strip()
        raise UsageError(f"{message[:1].upper()}{message[1:].rstrip('.')}: {usage}.")


@dataclass
class PartedWords:
    """The words of a command line: options and everything else."""

    options: list[str]
    others: list[str]


def _refusing(sentence: str) -> Callable[[str], str]:
    def refuse(value: str) -> str:
        # What asks for nothing is not in the way.
        if value != "none":
            raise UsageError(sentence)
        return value

    return refuse


def _width() -> int:
    return max(40, min(120, shutil.get_terminal_size().columns) - 2)
