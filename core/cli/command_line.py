"""The words between shell and parser: which verb a command line means, what it takes, and the sentence for each mistake.

Standard library only, as :mod:`core.cli.parser`.
"""

from __future__ import annotations

import argparse
import difflib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from core.cli.options import Options
from core.cli.parser import PartedWords, Verb, VerbParser
from core.errors import UsageError
from core.util.program import program
from core.util.text import and_list
from core.util.version import PROGRAM


@dataclass(frozen=True)
class Command:
    """A command line that was read: a verb and what it takes, or a ``text`` to print (a help, the version)."""

    verb: Verb
    options: Options = field(default_factory=Options)
    text: str = ""


def read_command_line(argv: Sequence[str], verbs: Mapping[str, Verb]) -> Command:
    """Read a command line (without the program's name).

    Raises:
        UsageError: one sentence that names the fix.
    """
    words = _with_model(argv, verbs)
    # A verb may have options before it; which verb it is, is known only behind them.
    before = _door(verbs).part(words, _unknown("web", verbs), first=True).options
    if not words or words[0] == "--":
        if "--version" in before:
            return Command(verbs["web"], text=PROGRAM)
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
        options, _ = parser.read(PartedWords(given.options + left.options, []), verb.options())
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


def _with_model(argv: Sequence[str], verbs: Mapping[str, Verb]) -> deque[str]:
    """The words of a command line; where a model stands in a verb's place, it is what ``--model`` of the browser app says."""
    first = argv[0] if argv else ""
    named = first not in verbs and not first.startswith("-") and " " not in first and is_place(first)
    return deque(["--model", first, *argv[1:]] if named else argv)


def is_place(text: str) -> bool:
    """Whether a word is the path or the Hub's name of a model rather than a name of Tiller's own."""
    return any(sign in text for sign in "/\\") or "::" in text or text.endswith(".gguf")


def help_text(verbs: Mapping[str, Verb], topic: str | None = None) -> str:
    """The help for everything, or for one verb."""
    return (verbs[topic].parser if topic else _door(verbs)).format_help().rstrip()


def _door(verbs: Mapping[str, Verb]) -> VerbParser:
    """The parser of what may stand before a verb; its help is that of the whole program."""
    shown = [line for name in ("web", "tui", "chat", "test") for line in verbs[name].lines]
    parser = VerbParser(
        "[VERB | MODEL] [OPTIONS]      (the first start installs what it needs into .venv beside launch.py)",
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
        for name in ("family", "model", "base", "post", "stage", "checkpoint", "recipe", "template-var"):
            if name in own:
                raise UsageError(f"The link brings its own {name}; leave out --{name}, or leave out the link.")
    if options.model and (others := sorted({"family", "base", "post", "stage"} & own)):
        raise UsageError(f"--model names one model; leave it out, or leave out --{' and --'.join(others)}.")
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
            return UsageError(f"{name} does not go with {verb}; it belongs to {and_list(uses)}.")
        return UsageError(f"There is no option {name}{_did_you_mean(name, parsers[verb], verb)}")

    return error


def _did_you_mean(word: str, known: Iterable[str], verb: str = "") -> str:
    # What has the same letters was only typed in another order; the nearest of all may be another one.
    names, letters = list(known), sorted(word.lower())
    turned = [name for name in names if sorted(name) == letters]
    close = turned or difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.5)
    helped = f"{program()} {verb}".strip()
    return f"; did you mean {close[0]}?" if close else f"; `{helped} --help` lists what there is."


_RECIPES = """a recipe is one line: what to do to the model while it answers
  1.5*refusal                         add 1.5 strengths of the refusal direction at its best layer
  -0.3*truth[3-5]:reply               against truth, at layers 3 to 5, on the answer's tokens only
  !refusal                            take refusal out of every layer
  refusal@base                        the direction that was learnt on the checkpoint base
  1.5*refusal@base - 0.5*truth        both at once

`python launch.py VERB --help` says more about one verb."""
