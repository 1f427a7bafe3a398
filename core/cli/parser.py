"""The command line: one argparse parser for every verb, built from what the verb declares, and the words between shell and parser.

Standard library only: ``--help`` and a typing mistake answer at once, on a machine where nothing is installed yet. Every mistake is a
:class:`UsageError`: one sentence that names the fix.
"""

from __future__ import annotations

import argparse
import difflib
import shutil
import textwrap
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from core.cli import option_types
from core.cli.option_types import nonempty_text
from core.cli.options import Options
from core.cli.program import program
from core.errors import UsageError
from core.util.version import VERSION


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


@dataclass(frozen=True)
class Command:
    """A command line that was read: a verb and what it takes, or a ``text`` to print (a help, the version)."""

    verb: Verb
    options: Options = field(default_factory=Options)
    text: str = ""


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
                said, read = f"refused: {refused[name].partition(';')[0]}", _refusing(refused[name])
            group.add_argument(f"--{name}", metavar=value, type=read, help=said, **more)

        add("family", "NAME", "the family of checkpoints (default: skiff, the one that is shipped)")
        add("base", "MODEL", "instead of a family: a base model, by its folder or its name on the Hugging Face Hub, …")
        add("post", "MODEL", "… and a model that was trained from it, or an adapter (LoRA) of it")
        add("stage", "NAME=MODEL", "a checkpoint between these two, as often as there are some", option_types.stage,
            dest="stages", action=Collected)  # fmt: skip
        add("checkpoint", "NAME", "the checkpoint of the family to talk to, such as base, sft or dpo")
        add("recipe", "RECIPE", 'how to steer it, such as "1.5*refusal" or "-1.2*truth[4]:reply + !refusal"',
            option_types.recipe)  # fmt: skip
        add("device", "NAME", "auto, cpu, cuda, cuda:1, mps or xpu (default: auto)", option_types.device)
        add("dtype", "NAME", "auto, float32, bfloat16 or float16 (default: auto)", option_types.dtype)
        add("quantize", "HOW", "none, 8bit or 4bit: checkpoints take a half or less of the memory (default: none)",
            option_types.quantize)  # fmt: skip
        add("max-memory", "SIZE", "what checkpoints may take, such as 20GB or 0:20GB,cpu:30GB (default: what is free)",
            option_types.max_memory)  # fmt: skip
        add("threads", "N", "CPU threads to compute with (default: measured)", option_types.thread_number)
        add("trust-remote-code", "ID", "let the Python code that this model brings run here; read it first",
            dest="trusted", action=Collected)  # fmt: skip
        if not only or "offline" in only:
            group.add_argument(
                "--offline", action="store_true", help="fetch nothing: use only what is on this computer"
            )

    def refuse(self, name: str, sentence: str) -> None:
        """An option that is no option of this verb, though a person may think so; the sentence says why and what to do."""
        self.add_argument(f"--{name}", metavar="…", type=_refusing(sentence), help=argparse.SUPPRESS)

    def add_serving(self) -> None:
        """Add where the browser app is served."""
        group = self.add_argument_group("where the browser app is served")
        group.add_argument("--host", metavar="ADDRESS", type=nonempty_text,
                           help="listen on this address (default: 127.0.0.1, this machine only)")  # fmt: skip
        group.add_argument("--port", metavar="N", type=option_types.whole_number(1, 65535),
                           help="listen on this port (default: 7860, or the next free one)")  # fmt: skip
        group.add_argument("--share", action="store_true",
                           help="also make a temporary public address through Gradio's relay (needs a network)")  # fmt: skip

    def add_chat(self) -> None:
        """Add what ``chat`` alone takes."""
        group = self.add_argument_group("for chat")
        group.add_argument(
            "--json", dest="as_json", action="store_true", help="print one event a line as JSON instead of the text"
        )
        group.add_argument("--system", metavar="TEXT", type=nonempty_text, help="a system prompt")
        group.add_argument("--temperature", metavar="T", type=option_types.temperature,
                           help="0 (default) always takes the likeliest token; higher is more varied")  # fmt: skip
        group.add_argument("--seed", metavar="N", type=option_types.whole_number(0, 2**63 - 1),
                           help="what random choices start from (default: 0)")  # fmt: skip
        group.add_argument(
            "--max-tokens", metavar="N", type=option_types.whole_number(1, 4096), help="the longest answer, in tokens"
        )

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

    def part(self, words: deque[str], unknown: Callable[[str], UsageError] | None, first: bool = False) -> _Parted:
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
        return _Parted(options, others)

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

    def read(self, parted: _Parted, into: Options) -> tuple[Options, list[str]]:
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
class _Parted:
    """The words of a command line: options and everything else."""

    options: list[str]
    others: list[str]


def read_command_line(argv: Sequence[str], verbs: Mapping[str, Verb]) -> Command:
    """Read a command line (without the program's name).

    Raises:
        UsageError: one sentence that names the fix.
    """
    words = deque(argv)
    # A verb may have options before it; which verb it is, is known only behind them.
    before = _door(verbs).part(words, _unknown("web", verbs), first=True).options
    if not words or words[0] == "--":
        if "--version" in before:
            return Command(verbs["web"], text=f"Tiller {VERSION}")
        if "--help" in before:
            return Command(verbs["web"], text=help_text(verbs))
        name = "web"
    elif (name := words.popleft()) == "help":
        topic = next(iter(words), "")
        return Command(verbs["web"], text=help_text(verbs, _known(topic, verbs) if topic else None))
    verb = verbs[_known(name, verbs)]
    parser = verb.parser
    if verb.raw:
        given, left = parser.part(deque(before), _unknown(name, verbs)), parser.part(words, None)
        options, _ = parser.read(_Parted(given.options + left.options, []), verb.options())
        options.words = left.others
        return Command(verb, options)
    parted = parser.part(deque([*before, *words]), _unknown(name, verbs))
    if "--help" in parted.options:
        return Command(verb, text=help_text(verbs, name))
    options, extra = parser.read(parted, verb.options())
    if extra:
        hint = f"put {verb.quoted} in quotes, as one argument" if verb.quoted else "leave it out"
        raise UsageError(
            f"{next((word for word in extra if word != '--'), '--')!r} is one argument too many for {name}; {hint}."
        )
    check_sources(options, parted.options)
    return Command(verb, options)


def help_text(verbs: Mapping[str, Verb], topic: str | None = None) -> str:
    """The help for everything, or for one verb."""
    return (verbs[topic].parser if topic else _door(verbs)).format_help().rstrip()


def _door(verbs: Mapping[str, Verb]) -> VerbParser:
    """The parser of what may stand before a verb; its help is that of the whole program."""
    shown = [line for name in ("web", "tui", "chat", "test") for line in verbs[name].lines]
    parser = VerbParser(
        "[VERB] [OPTIONS]      (the first start installs what it needs into .venv beside launch.py)",
        "\n".join(
            [
                "Tiller: steer a chat with a post-trained language model, and see which training stage to thank or to blame.",
                *("", "verbs:", *(f"  {verb.name:<14}{verb.summary}" for verb in verbs.values())),
                *("", "examples:", *shown),
            ]
        ),
        _RECIPES.replace("python launch.py", program()),
    )
    parser.add_argument("--version", action="store_true", default=argparse.SUPPRESS, help="print the version")
    parser.add_model()
    parser.add_serving()
    parser.add_chat()
    parser.add_install()
    return parser


def check_sources(options: Options, typed: Sequence[str]) -> None:
    """Raise UsageError unless a command line has a link, or names a family, or a base with a post, or none of them."""
    own = {word.partition("=")[0].removeprefix("--") for word in typed}
    if options.link is not None:
        for name in ("family", "base", "post", "stage", "checkpoint", "recipe"):
            if name in own:
                raise UsageError(f"The link brings its own {name}; leave out --{name}, or leave out the link.")
    if not (options.base or options.post or options.stages):
        return
    if "family" in own:
        raise UsageError("--family names a whole family; leave it out, or leave out --base, --stage and --post.")
    if not (options.base and options.post):
        lacking = "post" if options.base else "base"
        raise UsageError(f"--base and --post go together; add --{lacking} MODEL.")
    names = [name for name, _ in options.stages]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"Two stages are called {twice!r}; give one of them another name.")


def _known(name: str, verbs: Mapping[str, Verb]) -> str:
    if name not in verbs:
        raise UsageError(f"{name!r} is not something Tiller does{_did_you_mean(name, verbs)}")
    return name


def _unknown(verb: str, verbs: Mapping[str, Verb]) -> Callable[[str], UsageError]:
    """Makes the sentence about an option that a verb does not have."""

    def error(name: str) -> UsageError:
        parsers = {each.name: each.parser.named for each in verbs.values()}
        if uses := [each for each, named in parsers.items() if name in named and each != verb]:
            where = f"{', '.join(uses[:-1])} and {uses[-1]}" if len(uses) > 1 else uses[0]
            return UsageError(f"{name} does not go with {verb}; it belongs to {where}.")
        return UsageError(f"There is no option {name}{_did_you_mean(name, parsers[verb], verb)}")

    return error


def _did_you_mean(word: str, known: Iterable[str], verb: str = "") -> str:
    close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.5)
    helped = f"{program()} {verb}".strip()
    return f"; did you mean {close[0]}?" if close else f"; `{helped} --help` lists what there is."


def _refusing(sentence: str) -> Callable[[str], str]:
    def refuse(value: str) -> str:
        # What asks for nothing is not in the way.
        if value != "none":
            raise UsageError(sentence)
        return value

    return refuse


def _width() -> int:
    return max(40, min(120, shutil.get_terminal_size().columns) - 2)


_RECIPES = """a recipe is one line: what to do to the model while it answers
  1.5*refusal                         add 1.5 strengths of the refusal direction at its best layer
  -0.5*truth[5-8]:reply               against truth, at layers 5 to 8, on the answer's tokens only
  !refusal                            take refusal out of every layer
  refusal@base                        the direction that was learnt on the checkpoint base
  1.5*refusal@base - 0.5*truth        both at once

`python launch.py VERB --help` says more about one verb."""
