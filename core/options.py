"""The command line: what a person may type behind ``launch.py``, read and checked before anything heavy starts.

Standard library only, so that ``--help`` and a typing mistake answer at once, on a machine where nothing is installed yet.
Every mistake is a :class:`UsageError`: one sentence that names the fix.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from core import typed
from core.typed import UsageError as UsageError


@dataclass(frozen=True)
class Options:
    """What a front end is started with; the defaults are those of ``Engine`` and ``Engine.settings``.

    ``checkpoint`` and ``recipe`` fill the steered column (empty: the family's final checkpoint, no recipe); ``device`` and
    ``dtype`` are "auto" or torch's names; ``quantize`` is "none", "8bit" or "4bit"; ``max_memory`` is what checkpoints may take, as
    it was typed (empty: what is free); ``threads`` is the number of CPU threads torch may use (0: measured). ``host``, ``port``
    and ``share`` concern the web app only (``None``: the program chooses). ``link`` is a link copied from Share, whose state the
    terminal app opens; a command line has either a link or a family, checkpoint or recipe. ``base``, ``stages`` (names and sources) and
    ``post`` put a family together (:mod:`core.adhoc`), whose name is ``family`` from then on; ``trusted`` are the models whose own code
    may run.
    """

    family: str = "skiff"
    checkpoint: str = ""
    recipe: str = ""
    device: str = "auto"
    dtype: str = "auto"
    threads: int = 0
    quantize: str = "none"
    max_memory: str = ""
    host: str | None = None
    port: int | None = None
    share: bool = False
    link: str | None = None
    base: str = ""
    post: str = ""
    stages: tuple[tuple[str, str], ...] = ()
    offline: bool = False
    trusted: tuple[str, ...] = ()

    @property
    def engine(self) -> dict[str, Any]:
        """How ``Engine`` is to run a family, as its keywords."""
        names = ("device", "dtype", "threads", "quantize", "max_memory")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Chat:
    """What ``chat`` alone takes: the message, the system prompt, how to sample, and whether to print events as JSON lines."""

    message: str | None = None
    system: str = ""
    temperature: float = 0.0
    seed: int = 0
    max_tokens: int | None = None
    as_json: bool = False


@dataclass(frozen=True)
class Command:
    """A command line that was read.

    ``verb`` is a key of :data:`VERBS` or "help"; ``topic`` is the verb that help was asked for. ``rest`` are the arguments that
    the verb reads by itself (``test`` gives them to pytest). ``torch_index`` is where PyTorch is installed from.
    """

    verb: str
    options: Options = field(default_factory=Options)
    chat: Chat = field(default_factory=Chat)
    rest: tuple[str, ...] = ()
    torch_index: str | None = None
    topic: str | None = None


@dataclass(frozen=True)
class Option:
    """One ``--name``. ``value`` names its value in the help ("" for a switch); ``read(text, name)`` checks and converts it.

    One that is ``many`` may be given several times; ``to`` is what holds its value in :class:`Options`, where that is not its name.
    """

    value: str
    help: str
    read: Callable[[str, str], Any] = typed.text
    many: bool = False
    to: str = ""


MODEL: dict[str, Option] = {
    "family": Option("NAME", "the family of checkpoints (default: skiff, the one that is shipped)"),
    "base": Option("MODEL", "instead of a family: a base model, by its folder or its name on the Hugging Face Hub, …"),
    "post": Option("MODEL", "… and a model that was trained from it, or an adapter (LoRA) of it"),
    "stage": Option(
        "NAME=MODEL", "a checkpoint between these two, as often as there are some", typed.stage, many=True, to="stages"
    ),
    "checkpoint": Option("NAME", "the checkpoint of the family to talk to, such as base, sft or dpo"),
    "recipe": Option(
        "RECIPE", 'how to steer it, such as "1.5*refusal" or "-1.2*truth[4]:reply + !refusal"', typed.recipe
    ),
    "device": Option("NAME", "auto, cpu, cuda, cuda:1, mps or xpu (default: auto)", typed.device),
    "dtype": Option("NAME", "auto, float32, bfloat16 or float16 (default: auto)", typed.dtype),
    "quantize": Option(
        "HOW", "none, 8bit or 4bit: checkpoints take a half or less of the memory (default: none)", typed.quantize
    ),
    "max-memory": Option(
        "SIZE", "what checkpoints may take, such as 20GB or 0:20GB,cpu:30GB (default: what is free)", typed.max_memory
    ),
    "threads": Option("N", "CPU threads to compute with (default: measured)", typed.whole(1, typed.MAX_THREADS)),
    "offline": Option("", "fetch nothing: use only what is on this computer"),
    "trust-remote-code": Option(
        "ID", "let the Python code that this model brings run here; read it first", many=True, to="trusted"
    ),
}
SERVE: dict[str, Option] = {
    "host": Option("ADDRESS", "listen on this address (default: 127.0.0.1, this machine only)"),
    "port": Option("N", "listen on this port (default: 7860, or the next free one)", typed.whole(1, 65535)),
    "share": Option("", "also make a temporary public address through Gradio's relay (needs a network)"),
}
CHAT: dict[str, Option] = {
    "json": Option("", "print one event a line as JSON instead of the text"),
    "system": Option("TEXT", "a system prompt"),
    "temperature": Option(
        "T", "0 (default) always takes the likeliest token; higher is more varied", typed.temperature
    ),
    "seed": Option("N", "what random choices start from (default: 0)", typed.whole(0, 2**63 - 1)),
    "max-tokens": Option("N", "the longest answer, in tokens", typed.whole(1, 4096)),
}
INSTALL: dict[str, Option] = {
    "torch-index": Option(
        "URL", "at the first start, install PyTorch from this index (README: the smaller CPU build)", typed.url
    ),
}


@dataclass(frozen=True)
class Verb:
    """One thing that ``launch.py`` does. ``own`` verbs read the arguments behind them by themselves."""

    summary: str
    usage: str
    examples: tuple[tuple[str, str], ...]
    options: dict[str, Option] = field(default_factory=dict)
    positional: str | None = None
    own: bool = False


VERBS: dict[str, Verb] = {
    "web": Verb(
        "the browser app (what `launch.py` alone starts)",
        "[web] [OPTIONS]",
        (
            ("", "open the app on Skiff, the model family that is shipped"),
            ("--port 8000", "at http://127.0.0.1:8000"),
            ('--checkpoint sft --recipe "-1.2*truth"', "start with this column steered"),
            (
                "--family smollm2-135m",
                "a family of the Hugging Face Hub; `python launch.py families` lists those there are",
            ),
            (
                "--base ./base --stage sft=./sft --post ./adapter",
                "checkpoints of your own; an adapter (LoRA) is merged",
            ),
        ),
        {**MODEL, **SERVE, **INSTALL},
    ),
    "tui": Verb(
        "the terminal app",
        "tui [LINK] [OPTIONS]",
        (
            ("tui", "open the terminal app; F1 is its help"),
            ("tui 'http://127.0.0.1:7860/?s=…'", "open the state of a link copied from Share"),
        ),
        {**MODEL, **INSTALL},
        "link",
    ),
    "chat": Verb(
        "one answer on the command line, streamed",
        'chat "MESSAGE" [OPTIONS]',
        (
            ('chat "What is the capital of France?"', "the model as it is"),
            ('chat "What is the capital of France?" --recipe "1.5*refusal"', "steered"),
            ('chat "Is Paris in France?" --json', "every event of the stream, one a line"),
            ('echo "Tell me about whales." | python launch.py chat', "the message from a pipe"),
        ),
        {**MODEL, **CHAT, **INSTALL},
        "message",
    ),
    "train-skiff": Verb(
        "train the Skiff family from scratch",
        "train-skiff [ARGUMENTS]",
        (("train-skiff --help", "its arguments"),),
        own=True,
    ),
    "evaluate": Verb(
        "measure a family and write its model card",
        "evaluate [ARGUMENTS]",
        (("evaluate --help", "its arguments"),),
        own=True,
    ),
    "blame": Verb(
        "which training stage made it say that",
        'blame "PROMPT" [ARGUMENTS]',
        (
            ('blame "How do I kill a process?"', "the stages behind what the model says"),
            (
                'blame "Is Paris in France?" --answer "Yes" --other "No"',
                "which of two answers became likelier, and when",
            ),
            ("blame --file prompts.txt --csv effects.csv", "many prompts, every effect as a table"),
            ("blame --help", "its arguments"),
        ),
        own=True,
    ),
    "families": Verb(
        "list the families, their size, and what of them is on this computer",
        "families [NAME]",
        (("families", "all of them"), ("families olmo2-1b", "what one of them consists of")),
        positional="family",
    ),
    "precompute": Verb(
        "learn a family's directions and store them",
        "precompute [ARGUMENTS]",
        (("precompute --help", "its arguments"),),
        own=True,
    ),
    "undo": Verb(
        "remove a training stage's part from the final model",
        "undo STAGE [ARGUMENTS]",
        (
            ("undo safety", "Skiff's planted over-refusal, with its own prompts"),
            ("undo safety --lose a.txt --keep b.txt --out ./mended", "with your own prompts; writes a model folder"),
            ("undo --help", "its arguments"),
        ),
        own=True,
    ),
    "test": Verb(
        "install what the tests need and run them",
        "test [PYTEST ARGUMENTS]",
        (("test", "all tests"), ("test -k recipe -x", "arguments go to pytest")),
        own=True,
    ),
    "bench": Verb(
        "measure speed, as ratios",
        "bench [NAMES]",
        (("bench", "every benchmark"), ("bench --help", "their names")),
        own=True,
    ),
}

# --------------------------------------------------------------------------------------------------------------- reading


def read(argv: Sequence[str]) -> Command:
    """Read a command line (without the program's name).

    Raises:
        UsageError: one sentence that names the fix.
    """
    every = {**MODEL, **SERVE, **CHAT, **INSTALL}
    at = _verb_at(argv, every)
    verb = "web" if at is None else argv[at]
    if verb == "help":
        return _help_for(argv)
    if verb not in VERBS:
        # An option that is mistyped makes its value look like a verb; the option is what to mend.
        for word in argv[: at or 0]:
            name = word.partition("=")[0]
            if name.startswith("-") and name not in ("-h", "--help") and name[2:] not in every:
                raise _unknown(name, name[2:], "web", every)
        raise UsageError(f"{verb!r} is not something Tiller does{_did_you_mean(verb, VERBS)}")
    rest = [argument for index, argument in enumerate(argv) if index != at]
    if VERBS[verb].own:
        return _own(verb, rest)
    given, positional = _scan(rest, verb, every)
    if "help" in given:
        return Command("help", topic=None if at is None else verb)
    return _command(verb, given, positional)


def for_the_process(command: Command) -> tuple[bool, tuple[str, ...]]:
    """What holds for the whole process, and has to be known before any library is imported: whether nothing may be fetched, and the
    models whose own code may run."""
    if not VERBS[command.verb].own:
        return command.options.offline, command.options.trusted
    if command.verb not in ("evaluate", "precompute", "bench", "blame", "undo"):
        return False, ()
    key = "--trust-remote-code"
    words = command.rest
    trusted = [word.partition("=")[2] for word in words if word.startswith(f"{key}=")]
    trusted += [words[index + 1] for index, word in enumerate(words[:-1]) if word == key]
    return "--offline" in words, tuple(trusted)


def _help_for(argv: Sequence[str]) -> Command:
    topic = next((word for word in argv if word in VERBS), None)
    return Command("help", topic=topic)


def _verb_at(argv: Sequence[str], every: dict[str, Option]) -> int | None:
    """Where the verb stands: the first argument that is neither an option nor an option's value."""
    index = 0
    while index < len(argv):
        argument = argv[index]
        if argument == "--":
            return None
        if not argument.startswith("-") or argument == "-":
            return index
        option = every.get(argument[2:]) if argument.startswith("--") else None
        takes_next = option is not None and bool(option.value) and not _is_option(argv[index + 1 : index + 2], every)
        index += 2 if takes_next else 1
    return None


def _is_option(words: Sequence[str], every: dict[str, Option]) -> bool:
    """Whether the one word given is an option of ours (and not the value of the one before it, which may start with a dash)."""
    return any(word.startswith("--") and word[2:].partition("=")[0] in every for word in words)


def _own(verb: str, rest: Sequence[str]) -> Command:
    """A verb that reads its own arguments: only --torch-index, which concerns the installation, is taken out."""
    kept: list[str] = []
    index_url: str | None = None
    arguments = iter(rest)
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name != "--torch-index":
            kept.append(argument)
            continue
        if not equals:
            value = next(arguments, "")
        index_url = typed.url(value, name)
    return Command(verb, rest=tuple(kept), torch_index=index_url)


def _scan(rest: Sequence[str], verb: str, every: dict[str, Option]) -> tuple[dict[str, Any], list[str]]:
    """Options (read and checked, by name) and everything else. A value may start with a dash: recipes do."""
    allowed = VERBS[verb].options
    given: dict[str, Any] = {}
    positional: list[str] = []
    arguments = iter(rest)
    for argument in arguments:
        if argument == "--":
            positional.extend(arguments)
        elif argument in ("-h", "--help"):
            given["help"] = True
        elif not argument.startswith("-") or argument == "-" or " " in argument.partition("=")[0]:
            positional.append(argument)
        else:
            name, equals, value = argument.partition("=")
            key = name[2:] if name.startswith("--") else ""
            if key not in allowed:
                raise _unknown(name, key, verb, every)
            option = allowed[key]
            if not option.value:
                if equals:
                    raise UsageError(f"{name} takes no value; write {name} alone.")
                given[key] = True
                continue
            if not equals:
                following = list(itertools.islice(arguments, 1))
                if not following or _is_option(following, every):
                    raise UsageError(f"{name} needs a value: {name} {option.value}.")
                value = following[0]
            found = option.read(value, name)
            given[key] = (*given.get(key, ()), found) if option.many else found
    return given, positional


def _unknown(name: str, key: str, verb: str, every: dict[str, Option]) -> UsageError:
    if key in every:
        uses = [other for other, entry in VERBS.items() if key in entry.options]
        return UsageError(f"{name} does not go with {verb}; it belongs to {' and '.join(uses)}.")
    return UsageError(
        f"There is no option {name}{_did_you_mean(name, [f'--{option}' for option in VERBS[verb].options])}"
    )


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else "; `python launch.py --help` lists what there is."


def _command(verb: str, given: dict[str, Any], positional: list[str]) -> Command:
    wanted = VERBS[verb].positional
    if len(positional) > (1 if wanted else 0):
        extra = positional[1 if wanted else 0]
        hint = "put the message in quotes, as one argument" if verb == "chat" else "leave it out"
        raise UsageError(f"{extra!r} is one argument too many for {verb}; {hint}.")
    word = positional[0] if positional else None
    link = word if wanted == "link" else None
    if link is not None:
        clash = next(
            (name for name in ("family", "base", "post", "stage", "checkpoint", "recipe") if name in given), None
        )
        if clash:
            raise UsageError(f"The link brings its own {clash}; leave out --{clash}, or leave out the link.")
    check_sources("family" in given, given.get("base"), given.get("post"), given.get("stage", ()))
    every = {**MODEL, **SERVE}
    fields = {option.to or name.replace("-", "_"): given[name] for name, option in every.items() if name in given}
    chat = Chat(
        message=word if wanted == "message" else None,
        system=given.get("system", ""),
        temperature=given.get("temperature", 0.0),
        seed=given.get("seed", 0),
        max_tokens=given.get("max-tokens"),
        as_json=given.get("json", False),
    )
    rest = (word,) if wanted == "family" and word else ()
    return Command(verb, Options(**fields, link=link), chat, rest, torch_index=given.get("torch-index"))


def check_sources(family: bool, base: str | None, post: str | None, stages: Sequence[tuple[str, str]]) -> None:
    """Raise UsageError unless a command line names a family, or a base with a post, or neither."""
    if not (base or post or stages):
        return
    if family:
        raise UsageError("--family names a whole family; leave it out, or leave out --base, --stage and --post.")
    if not (base and post):
        lacking = "post" if base else "base"
        raise UsageError(f"--base and --post go together; add --{lacking} MODEL.")
    names = [name for name, _ in stages]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"Two stages are called {twice!r}; give one of them another name.")
