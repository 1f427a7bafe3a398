"""The command line: what a person may type behind ``launch.py``, the verbs and their options (:mod:`core.cli.parser` reads it).

Standard library only, so that ``--help`` and a typing mistake answer at once, on a machine where nothing is installed yet.
Every mistake is a :class:`UsageError`: one sentence that names the fix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from core.cli import option_types


@dataclass(frozen=True)
class Options:
    """What a front end is started with; the defaults are those of ``Engine`` and ``Engine.settings``.

    ``checkpoint`` and ``recipe`` fill the steered column (empty: the family's final checkpoint, no recipe); ``device`` and
    ``dtype`` are "auto" or torch's names; ``quantize`` is "none", "8bit" or "4bit"; ``max_memory`` is what checkpoints may take,
    as it was typed (empty: what is free); ``threads`` is the number of CPU threads torch may use (0: measured). ``host``,
    ``port`` and ``share`` concern the web app only (``None``: the program chooses). ``link`` is a link copied from Share, whose
    state the terminal app opens; a command line has either a link or a family, checkpoint or recipe. ``base``, ``stages`` (names
    and sources) and ``post`` put a family together (:mod:`core.cli.adhoc_family`), whose name is ``family`` from then on;
    ``trusted`` are the models whose own code may run.
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
    read: Callable[[str, str], Any] = option_types.nonempty_text
    many: bool = False
    to: str = ""


MODEL: dict[str, Option] = {
    "family": Option("NAME", "the family of checkpoints (default: skiff, the one that is shipped)"),
    "base": Option("MODEL", "instead of a family: a base model, by its folder or its name on the Hugging Face Hub, …"),
    "post": Option("MODEL", "… and a model that was trained from it, or an adapter (LoRA) of it"),
    "stage": Option(
        "NAME=MODEL",
        "a checkpoint between these two, as often as there are some",
        option_types.stage,
        many=True,
        to="stages",
    ),
    "checkpoint": Option("NAME", "the checkpoint of the family to talk to, such as base, sft or dpo"),
    "recipe": Option(
        "RECIPE", 'how to steer it, such as "1.5*refusal" or "-1.2*truth[4]:reply + !refusal"', option_types.recipe
    ),
    "device": Option("NAME", "auto, cpu, cuda, cuda:1, mps or xpu (default: auto)", option_types.device),
    "dtype": Option("NAME", "auto, float32, bfloat16 or float16 (default: auto)", option_types.dtype),
    "quantize": Option(
        "HOW",
        "none, 8bit or 4bit: checkpoints take a half or less of the memory (default: none)",
        option_types.quantize,
    ),
    "max-memory": Option(
        "SIZE",
        "what checkpoints may take, such as 20GB or 0:20GB,cpu:30GB (default: what is free)",
        option_types.max_memory,
    ),
    "threads": Option(
        "N", "CPU threads to compute with (default: measured)", option_types.whole_number(1, option_types.MAX_THREADS)
    ),
    "offline": Option("", "fetch nothing: use only what is on this computer"),
    "trust-remote-code": Option(
        "ID", "let the Python code that this model brings run here; read it first", many=True, to="trusted"
    ),
}
SERVE: dict[str, Option] = {
    "host": Option("ADDRESS", "listen on this address (default: 127.0.0.1, this machine only)"),
    "port": Option(
        "N", "listen on this port (default: 7860, or the next free one)", option_types.whole_number(1, 65535)
    ),
    "share": Option("", "also make a temporary public address through Gradio's relay (needs a network)"),
}
CHAT_OPTIONS: dict[str, Option] = {
    "json": Option("", "print one event a line as JSON instead of the text"),
    "system": Option("TEXT", "a system prompt"),
    "temperature": Option(
        "T", "0 (default) always takes the likeliest token; higher is more varied", option_types.temperature
    ),
    "seed": Option("N", "what random choices start from (default: 0)", option_types.whole_number(0, 2**63 - 1)),
    "max-tokens": Option("N", "the longest answer, in tokens", option_types.whole_number(1, 4096)),
}
INSTALL: dict[str, Option] = {
    "torch-index": Option(
        "URL", "at the first start, install PyTorch from this index (README: the smaller CPU build)", option_types.url
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
            ('chat "How do I make a cup of tea?"', "the model as it is"),
            ('chat "How do I make a cup of tea?" --recipe "1.5*refusal"', "steered"),
            ('chat "Is Paris in France?" --json', "every event of the stream, one a line"),
            ('echo "Tell me about whales." | python launch.py chat', "the message from a pipe"),
        ),
        {**MODEL, **CHAT_OPTIONS, **INSTALL},
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
    "import": Verb(
        "make a vector of another program a direction",
        "import FILE --name NAME [ARGUMENTS]",
        (
            ("import happy.gguf --name happy", "a control vector of llama.cpp or repeng, for Skiff's final checkpoint"),
            ("import mine.pt --name mine --layer 3", "one vector, and the layer that it belongs to"),
        ),
        own=True,
    ),
    "export": Verb(
        "write a direction for llama.cpp or for another Tiller",
        "export NAME --to FILE [ARGUMENTS]",
        (
            ("export refusal --to refusal.gguf", "a control vector, as llama.cpp and repeng read it"),
            ("export truth --checkpoint base --to truth.safetensors", "with all that is known of it"),
        ),
        own=True,
    ),
    "bake": Verb(
        "write a model folder that behaves as a recipe",
        "bake --recipe RECIPE --out FOLDER [ARGUMENTS]",
        (("bake --recipe '!refusal' --checkpoint dpo --out ./unrefusing", "transformers loads it without Tiller"),),
        own=True,
    ),
    "learn": Verb(
        "learn one direction, and print its card",
        "learn WHAT [ARGUMENTS]",
        (
            ("learn refusal --checkpoint dpo", "refusal and truth bring their own examples"),
            ("learn politeness --positive a.txt --negative b.txt", "from two files, one example a line"),
            ("learn --help", "its arguments"),
        ),
        own=True,
    ),
    "trace": Verb(
        "where a model keeps what it knows: layer × token maps",
        'trace --set NAME | "TRUE SENTENCE" "FALSE SENTENCE" [ARGUMENTS]',
        (
            ("trace --set cities", "averaged over a set, base and final checkpoint compared"),
            (
                'trace "The city of Paris is in France." "The city of Berlin is in France."',
                "one pair; the two must have as many tokens",
            ),
            ("trace --help", "its arguments"),
        ),
        own=True,
    ),
    "confidence": Verb(
        "entropy neurons and calibration, base against post-trained",
        "confidence [ARGUMENTS]",
        (
            ("confidence", "Skiff's base and final checkpoint"),
            ("confidence --checkpoint sft --format csv", "another one, as CSV"),
        ),
        own=True,
    ),
    "report": Verb(
        "one page on a model pair: the four findings with figures, controls and verdicts",
        "report [ARGUMENTS]",
        (
            ("report", "on Skiff's base and final checkpoint"),
            ("report --family ./mine --out mine.html", "on a family of your own"),
        ),
        own=True,
    ),
    "transfer": Verb(
        "carry directions from one checkpoint to another and measure what they do there",
        "transfer [truth|refusal] [ARGUMENTS]",
        (
            ("transfer", "all checkpoints of Skiff to all of them"),
            ("transfer --from ./other --family ./mine", "map another family's directions into this one"),
            ("transfer --help", "its arguments"),
        ),
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
