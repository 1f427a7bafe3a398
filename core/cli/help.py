"""The help that teaches: every verb and option, with examples that can be typed as they are. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable

from core.cli.options import CHAT_OPTIONS, INSTALL, MODEL, SERVE, VERBS, Option


def help_text(topic: str | None = None) -> str:
    """The help for everything, or for one verb."""
    return _verb_help(topic) if topic else _whole_help()


def _option_lines(options: dict[str, Option]) -> list[str]:
    return [f"  {f'--{name} {option.value}'.rstrip():<24}{option.help}" for name, option in options.items()]


def _example_lines(examples: Iterable[tuple[str, str]]) -> list[str]:
    lines = []
    for arguments, meaning in examples:
        command = arguments if "launch.py" in arguments else f"python launch.py {arguments}".rstrip()
        lines += [f"  {command}", f"      {meaning}"]
    return lines


def _verb_help(name: str) -> str:
    verb = VERBS[name]
    lines = [f"python launch.py {verb.usage}", "", f"  {verb.summary}", ""]
    if verb.options:
        lines += ["options", *_option_lines(verb.options), ""]
    return "\n".join([*lines, "examples", *_example_lines(verb.examples)])


def _whole_help() -> str:
    shown = ("web", "tui", "chat", "test")
    examples = [line for name in shown for line in _example_lines(VERBS[name].examples)]
    return "\n".join(
        [
            "Tiller: steer a chat with a post-trained language model, and see which training stage to thank or to blame.",
            "",
            "python launch.py [VERB] [OPTIONS]      (the first start installs what it needs into .venv beside launch.py)",
            "",
            "verbs",
            *(f"  {name:<14}{verb.summary}" for name, verb in VERBS.items()),
            "",
            "examples",
            *examples,
            "",
            "which model, and where it runs",
            *_option_lines(MODEL),
            "",
            "where the browser app is served",
            *_option_lines(SERVE),
            "",
            "for chat",
            *_option_lines(CHAT_OPTIONS),
            "",
            "the first start",
            *_option_lines(INSTALL),
            "",
            "a recipe is one line: what to do to the model while it answers",
            "  1.5*refusal                         add 1.5 strengths of the refusal direction at its best layer",
            "  -0.5*truth[5-8]:reply               against truth, at layers 5 to 8, on the answer's tokens only",
            "  !refusal                            take refusal out of every layer",
            "  refusal@base                        the direction that was learnt on the checkpoint base",
            "  1.5*refusal@base - 0.5*truth        both at once",
            "",
            "`python launch.py VERB --help` says more about one verb.",
        ]
    )
