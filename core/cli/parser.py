"""Reading a command line by the tables of :mod:`core.cli.options`, before anything heavy starts.

Standard library only, as there: a mistake answers at once, in one sentence that names the fix.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from core.cli import option_types
from core.cli.options import CHAT_OPTIONS, INSTALL, MODEL, SERVE, VERBS, Chat, Command, Option, Options
from core.errors import UsageError


def read_command_line(argv: Sequence[str]) -> Command:
    """Read a command line (without the program's name).

    Raises:
        UsageError: one sentence that names the fix.
    """
    every = {**MODEL, **SERVE, **CHAT_OPTIONS, **INSTALL}
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
    # What stands behind these two means something else to pytest, or nothing to a training.
    if command.verb in ("test", "train-skiff"):
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
        index_url = option_types.url(value, name)
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
