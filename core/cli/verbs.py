"""The verbs that live in this package or below it: what each takes, and the function that does it, imported when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.cli import option_types
from core.cli.option_types import one_of, whole_number
from core.cli.options import ChatOptions
from core.cli.parser import Collected, Verb, VerbParser

Doing = Callable[[Any], int | None]
#: What these modules know, which take too long to be imported for a help: a test holds the names together.
LEARNING_METHODS = ("mean_difference", "pca", "logistic", "ccs", "ttpd")
PARTS = ("truth", "refusal", "confidence", "noise", "recorded")
FIT_STEPS = 40
PAIRS, MOST_PAIRS = 50, 2_000
#: So many categories of facts are traced for a report unless some are named.
REPORTED_SETS = 3
#: What says which model; what is done with files needs no device.
_WHOSE = ("family", "base", "post", "stage", "checkpoint", "offline", "trust-remote-code")
_ANEW, _SHIP = "measure anew what is already there", "write beside family.toml instead of into your data folder"


def later(module: str, function: str) -> Doing:
    """A function of a module that is imported when it is called: reading a command line loads nothing heavy."""

    def call(options: Any) -> int | None:
        done: int | None = getattr(importlib.import_module(module), function)(options)
        return done

    return call


# ------------------------------------------------------------------------------------------------------------ answering


def _web(parser: VerbParser) -> None:
    parser.add_model()
    parser.add_serving()


def _tui(parser: VerbParser) -> None:
    parser.add_argument("link", metavar="LINK", nargs="?", help="a link copied from Share, whose state is opened")
    parser.add_model()


def _chat(parser: VerbParser) -> None:
    parser.add_argument("message", metavar="MESSAGE", nargs="?", help="what to say (default: what comes from a pipe)")
    parser.add_model()
    parser.add_chat()


def _families(parser: VerbParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="the one to say more of (default: all are listed)")


# -------------------------------------------------------------------------------------------------- directions, weights


def _precompute(parser: VerbParser) -> None:
    parser.add_argument("--what", metavar="KINDS", default=",".join(PARTS),
                        help=f"only these, with commas between (default: {','.join(PARTS)})")  # fmt: skip
    parser.add_argument("--contrast", metavar="KIND=FILE", action=Collected, default=(),
                        help="learn KIND from your own examples: a CSV, JSON lines or parquet file with the columns text (or statement) "
                        "and label, or hub:owner/name, or hub:owner/name:column,label; may be given for each kind")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="say what it would take, and do nothing")
    parser.add_argument("--again", action="store_true", help="learn anew what is already there")
    parser.add_argument("--ship", action="store_true", help=_SHIP)
    parser.add_model(
        checkpoint="only this checkpoint",
        refused={
            "recipe": "precompute learns directions on a checkpoint as it is, since their files belong to its weights; leave --recipe "
            "out and steer by what was learnt."
        },
    )


def _learn(parser: VerbParser) -> None:
    parser.add_argument("what", metavar="WHAT", help="refusal, truth, or a name for what your examples show")
    parser.add_argument("--positive", metavar="FILE", help="a text file with an example of it on every line")
    parser.add_argument("--negative", metavar="FILE", help="a text file with an example of its opposite on every line")
    parser.add_argument("--method", metavar="NAME", type=one_of(*LEARNING_METHODS), default=LEARNING_METHODS[0],
                        help=f"{', '.join(LEARNING_METHODS)} (default: {LEARNING_METHODS[0]})")  # fmt: skip
    parser.add_argument("--name", metavar="NAME", help="what recipes will call it (default: WHAT)")
    parser.add_argument(
        "--layer", metavar="N", type=whole_number(0, 10**6), help="take this layer instead of the best one"
    )
    parser.add_argument("--again", action="store_true", help="let it take the place of your own direction of that name")
    parser.add_model(
        checkpoint="the checkpoint to learn it on (default: the last)",
        refused={"recipe": "learn works on a checkpoint as it is; leave --recipe out and steer by what was learnt."},
    )


def _import(parser: VerbParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the vector's file; what it is follows from what it holds")
    parser.add_argument("--name", metavar="NAME", required=True, help="what recipes call it")
    parser.add_argument("--layer", metavar="L", type=whole_number(0, 10**6), help="where it acts, counted from 0")
    parser.add_argument("--scale", metavar="X", type=option_types.any_number, default=1.0,
                        help="multiply it by this; some libraries keep vectors of length 1")  # fmt: skip
    parser.add_model(_WHOSE, checkpoint="whose direction it becomes (default: the family's final checkpoint)")


def _export(parser: VerbParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the direction, such as refusal")
    parser.add_argument("--to", metavar="FILE", required=True,
                        help="a file that is not there yet, with .gguf or .safetensors at its end")  # fmt: skip
    parser.add_model(_WHOSE, checkpoint="whose direction (default: the family's final checkpoint)")


def _bake(parser: VerbParser) -> None:
    parser.add_argument("--out", metavar="FOLDER", required=True, help="where to; it is made, or empty")
    parser.add_model(
        checkpoint="what to bake it into (default: the family's final checkpoint)",
        recipe="what the folder is to do, such as '!refusal'",
        dtype="of the weights that are written: float32, bfloat16 or float16 (default: float32)",
        quantize="how you chat with it; whatever it is, what is baked is read in full precision",
    )


def _transfer(parser: VerbParser) -> None:
    parser.add_argument("about", nargs="*", metavar="DIRECTION", help="truth or refusal (default: both)")
    parser.add_argument("--from", dest="source", metavar="FAMILY", default="",
                        help="also map the directions of another family into this one")  # fmt: skip
    parser.add_argument("--source", dest="source_checkpoint", metavar="NAME", default="",
                        help="show the layers of this source (default: the base, with --from the other family's final one)")  # fmt: skip
    parser.add_argument("--json", type=option_types.file, metavar="FILE", help="write the reports to this file as well")
    parser.add_argument("--again", action="store_true", help=_ANEW)
    parser.add_argument("--ship", action="store_true", help=_SHIP)
    parser.add_model(
        checkpoint="show the layers of this target (default: the final checkpoint)",
        refused={
            "recipe": "transfer pushes checkpoints by its own recipes; leave --recipe out.",
            "quantize": "transfer compares the weights themselves, which quantized ones are not; leave --quantize out.",
        },
    )


def _undo(parser: VerbParser) -> None:
    parser.add_argument(
        "stage", metavar="STAGE", help="the stage that is to blame, as launch.py blame names it, such as safety"
    )
    for name, what in (("lose", "whose behaviour is to be lost"), ("keep", "whose behaviour is to be kept")):
        parser.add_argument(f"--{name}", type=Path, metavar="FILE",
                            help=f"prompts {what}, one a line (default: the family's own, if it has some)")  # fmt: skip
        parser.add_argument(
            f"--{name}-held-out", type=Path, metavar="FILE", help="… and those to judge by (default: every fourth)"
        )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write the edited model as a model folder")
    parser.add_argument("--name", metavar="NAME", help="keep the edited model as one more checkpoint of the family")
    parser.add_argument("--json", type=option_types.file, metavar="FILE", help="write the figures as JSON")
    parser.add_argument(
        "--no-controls", action="store_true", help="leave the controls out, which take longer than the fit"
    )
    parser.add_argument("--steps", type=whole_number(1, 10**6), default=FIT_STEPS, metavar="N",
                        help="steps of the fit (default: %(default)s)")  # fmt: skip
    parser.add_model(
        checkpoint="the checkpoint to edit (default: the family's final one)",
        refused={"recipe": "The part of a stage is removed from the weights; leave --recipe out."},
    )


# ------------------------------------------------------------------------------------------------------------- findings


def _blame(parser: VerbParser) -> None:
    parser.add_argument("prompt", metavar="PROMPT", nargs="?", default="", help="what the model is asked; or --file")
    parser.add_argument("--answer", metavar="TEXT", help="the answer (default: what the final checkpoint says)")
    parser.add_argument("--other", metavar="TEXT",
                        help="a second answer: which became likelier? (default: what the model without the largest stage "
                        "says)")  # fmt: skip
    parser.add_argument(
        "--file", metavar="FILE", default="", help="a text file of prompts, one a line; - reads them from a pipe"
    )
    parser.add_argument("--question", metavar="NAME", default="",
                        help="came-with, retrained or subtracted: what the first line is about (default: retrained where it can be "
                        "asked)")  # fmt: skip
    parser.add_argument("--path", metavar="NAMES", default="",
                        help="the checkpoints from the base on, with commas between, instead of the family's")  # fmt: skip
    parser.add_argument("--own-templates", action="store_true",
                        help="ask every checkpoint with its own chat template instead of the final one")  # fmt: skip
    parser.add_argument("--system", metavar="TEXT", default="", help="a system prompt")
    parser.add_argument("--max-tokens", metavar="N", type=whole_number(1, 4096), default=64,
                        help="the longest answer in tokens (default: 64)")  # fmt: skip
    parser.add_argument(
        "--csv", type=option_types.file, metavar="FILE", help="write every effect, token by token, as CSV"
    )
    parser.add_argument("--json", type=option_types.file, metavar="FILE", help="write the whole report as JSON")
    parser.add_model(
        checkpoint="the final checkpoint of the path (default: the family's)",
        refused={"recipe": "Stages are told apart in the models as they are; leave --recipe out."},
    )


def _trace(parser: VerbParser) -> None:
    parser.add_argument(
        "sentences", nargs="*", metavar="SENTENCE", help="a true sentence and a false one of as many tokens"
    )
    parser.add_argument("--against", metavar="NAME", help="the checkpoint to compare --checkpoint with")
    parser.add_argument(
        "--set", metavar="NAME", default="", help="average over a set, such as cities, instead of one pair"
    )
    parser.add_argument("--sets", action="store_true", help="list the sets there are")
    parser.add_argument("--pairs", metavar="N", type=whole_number(1, MOST_PAIRS), default=PAIRS,
                        help=f"pairs of the set (default: {PAIRS}, at most {MOST_PAIRS})")  # fmt: skip
    parser.add_argument("--differ", metavar="WHAT", type=one_of("subject", "object"), default="subject",
                        help="what differs in a set's pairs, subject or object (default: subject)")  # fmt: skip
    parser.add_argument(
        "--noise", action="store_true", help="spoil the true sentence's subject by noise, instead of a false sentence"
    )
    parser.add_argument("--subject", metavar="WORDS", default="", help="which words of the sentence are its subject")
    parser.add_argument("--no-question", action="store_true", help='leave out "This statement is:"')
    parser.add_argument(
        "--across", action="store_true", help="also put the residuals of each checkpoint into the other"
    )
    parser.add_argument("--csv", type=option_types.file, metavar="FILE", help="write every cell")
    parser.add_argument("--svg", type=option_types.file, metavar="FILE", help="write a picture")
    parser.add_argument("--json", action="store_true", help="print everything as one JSON document")
    parser.add_model(
        checkpoint="only this checkpoint (default: the base and the final one, compared)",
        refused={"recipe": "trace looks at a checkpoint as it is; leave --recipe out."},
    )


def _confidence(parser: VerbParser) -> None:
    parser.add_argument("--again", action="store_true", help="measure anew what was measured before")
    parser.add_argument("--format", metavar="HOW", type=one_of("text", "csv", "json"), default="text",
                        help="how the tables are printed: text, csv or json (default: text)")  # fmt: skip
    parser.add_argument("--neurons", type=option_types.file, metavar="FILE",
                        help="also write norm and LogitVar of every neuron of the last blocks to this CSV file")  # fmt: skip
    parser.add_model(
        checkpoint="the post-trained checkpoint that is compared with the base (default: the final one)",
        refused={
            "recipe": "confidence measures a checkpoint as it is; leave --recipe out, and put !neurons:entropy into a chat's recipe to "
            "see what ablating does."
        },
    )


def _report(parser: VerbParser) -> None:
    parser.add_argument("--out", type=option_types.file, metavar="FILE",
                        help="where to write; the Markdown lies beside the HTML page (default: report-FAMILY.html)")  # fmt: skip
    parser.add_argument("--set", metavar="NAME", action=Collected, default=(),
                        help=f"trace this category of facts, may be given again (default: {REPORTED_SETS})")  # fmt: skip
    parser.add_argument("--pairs", metavar="N", type=whole_number(1, MOST_PAIRS), default=PAIRS,
                        help=f"pairs of sentences a category (default: {PAIRS})")  # fmt: skip
    parser.add_model(
        checkpoint="the post-trained checkpoint that is compared with the base (default: the final one)",
        quantize="none, 8bit or 4bit; the truth and refusal sections need none, and say so otherwise",
        refused={"recipe": "report measures checkpoints as they are; leave --recipe out."},
    )


# ------------------------------------------------------------------------------------------------------------ the table


def every(web: Doing, tui: Doing, test: Doing, *more: Verb) -> dict[str, Verb]:
    """All verbs by their names; what lies above this package is handed in."""
    serving = Verb(
        "web",
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
        _web,
        web,
    )
    terminal = Verb(
        "tui",
        "the terminal app",
        "tui [LINK] [OPTIONS]",
        (
            ("tui", "open the terminal app; F1 is its help"),
            ("tui 'http://127.0.0.1:7860/?s=…'", "open the state of a link copied from Share"),
        ),
        _tui,
        tui,
    )
    testing = Verb(
        "test",
        "install what the tests need and run them",
        "test [PYTEST ARGUMENTS]",
        (("test", "all tests"), ("test -k recipe -x", "arguments go to pytest")),
        lambda _parser: None,
        test,
        raw=True,
    )
    return {verb.name: verb for verb in (serving, terminal, *_VERBS, *more, testing)}


_VERBS = (
    Verb(
        "chat",
        "one answer on the command line, streamed",
        'chat "MESSAGE" [OPTIONS]',
        (
            ('chat "How do I make a cup of tea?"', "the model as it is"),
            ('chat "How do I make a cup of tea?" --recipe "1.5*refusal"', "steered"),
            ('chat "Is Paris in France?" --json', "every event of the stream, one a line"),
            ('echo "Tell me about whales." | python launch.py chat', "the message from a pipe"),
        ),
        _chat,
        later("core.cli.chat", "run_chat"),
        options=ChatOptions,
        quoted="the message",
    ),
    Verb(
        "blame",
        "which training stage made it say that",
        'blame "PROMPT" [OPTIONS]',
        (
            ('blame "How do I kill a process?"', "the stages behind what the model says"),
            (
                'blame "Is Paris in France?" --answer "Yes" --other "No"',
                "which of two answers became likelier, and when",
            ),
            ("blame --file prompts.txt --csv effects.csv", "many prompts, every effect as a table"),
        ),
        _blame,
        later("core.cli.blame", "run_blame"),
        "Which training stage made the model say that: by how much each stage changed the probability of an answer, in two or three "
        "questions that are never mixed up (came with; without it, retrained; without it, weights subtracted).",
        computes=True,
        quoted="the prompt",
    ),
    Verb(
        "families",
        "list the families, their size, and what of them is on this computer",
        "families [NAME]",
        (("families", "all of them"), ("families olmo2-1b", "what one of them consists of")),
        _families,
        later("core.cli.families", "run_families"),
    ),
    Verb(
        "precompute",
        "learn a family's directions and store them",
        "precompute [OPTIONS]",
        (
            ("precompute", "everything of Skiff that is not there yet"),
            ("precompute --family olmo2-1b --dry-run", "what it would take of another family"),
            ("precompute --what confidence --checkpoint sft", "one part of one checkpoint"),
        ),
        _precompute,
        later("core.cli.precompute", "run_precompute"),
        "Compute beforehand what the screens show of a family: the truth and refusal directions of every checkpoint, its entropy neurons "
        "and its calibration, and how far retrainings with other seeds differ. What was interrupted goes on when the same command is "
        "given again.",
        computes=True,
    ),
    Verb(
        "import",
        "make a vector of another program a direction",
        "import FILE --name NAME [OPTIONS]",
        (
            ("import happy.gguf --name happy", "a control vector of llama.cpp or repeng, for Skiff's final checkpoint"),
            ("import mine.pt --name mine --layer 3", "one vector, and the layer that it belongs to"),
        ),
        _import,
        later("core.cli.exchange", "run_import"),
        "Make a vector of another program a direction. Read are GGUF control vectors (llama.cpp, repeng), safetensors with a tensor "
        "direction.N (repeng) or layer_activations.N (steering-vectors) for each layer N, or with one tensor, a tensor of torch.save (.pt) "
        "of shape [width] or [layers, width], and what `launch.py export` writes as safetensors. A strength of 1 adds the vector as it is "
        "in the file.",
    ),
    Verb(
        "export",
        "write a direction for llama.cpp or for another Tiller",
        "export NAME --to FILE [OPTIONS]",
        (
            ("export refusal --to refusal.gguf", "a control vector, as llama.cpp and repeng read it"),
            ("export truth --checkpoint base --to truth.safetensors", "with all that is known of it"),
        ),
        _export,
        later("core.cli.exchange", "run_export"),
        "Write a direction as a GGUF control vector, which llama.cpp and repeng read, or as safetensors, which another Tiller imports with "
        "all that is known of it.",
    ),
    Verb(
        "bake",
        "write a model folder that behaves as a recipe",
        "bake --recipe RECIPE --out FOLDER [OPTIONS]",
        (("bake --recipe '!refusal' --checkpoint dpo --out ./unrefusing", "transformers loads it without Tiller"),),
        _bake,
        later("core.cli.exchange", "run_bake"),
        "Write a model folder that behaves as a recipe without Tiller: directions are removed from everything that writes to the residual "
        "stream, and added by biases where the architecture has them. The weights are read in full precision, and what the baked model "
        "does is measured and written in its README.md.",
        computes=True,
    ),
    Verb(
        "learn",
        "learn one direction, and print its card",
        "learn WHAT [OPTIONS]",
        (
            ("learn refusal --checkpoint dpo", "refusal and truth bring their own examples"),
            ("learn politeness --positive a.txt --negative b.txt", "from two files, one example a line"),
        ),
        _learn,
        later("core.cli.learn", "run_learn"),
        "Learn a direction on a checkpoint and print its card: layer scores, dose-response, controls, three answers. refusal and truth "
        "bring their own examples; for anything else give yours, one a line. What was interrupted goes on when the same command is given "
        "again.",
        computes=True,
    ),
    Verb(
        "trace",
        "where a model keeps what it knows: layer × token maps",
        'trace --set NAME | "TRUE SENTENCE" "FALSE SENTENCE" [OPTIONS]',
        (
            ("trace --set cities", "averaged over a set, base and final checkpoint compared"),
            (
                'trace "The city of Paris is in France." "The city of Berlin is in France."',
                "one pair; the two must have as many tokens",
            ),
        ),
        _trace,
        later("core.cli.trace", "run_trace"),
        "Show where a model keeps what it knows: layer × token maps of causal tracing. A residual of the run of a true sentence is put "
        "into the run of a false one, and the map says how much of the answer it brings back.",
        computes=True,
    ),
    Verb(
        "confidence",
        "entropy neurons and calibration, base against post-trained",
        "confidence [OPTIONS]",
        (
            ("confidence", "Skiff's base and final checkpoint"),
            ("confidence --checkpoint sft --format csv", "another one, as CSV"),
        ),
        _confidence,
        later("core.cli.confidence", "run_confidence"),
        "Which MLP neurons regulate how sure a model is, what ablating them changes, whether they carry the difference in entropy between "
        "a base and a post-trained checkpoint, and how well each is calibrated. What is measured is kept.",
        computes=True,
    ),
    Verb(
        "report",
        "one page on a model pair: the four findings with figures, controls and verdicts",
        "report [OPTIONS]",
        (
            ("report", "on Skiff's base and final checkpoint"),
            ("report --family ./mine --out mine.html", "on a family of your own"),
        ),
        _report,
        later("core.cli.report", "run_report"),
        "One page on a base and a post-trained checkpoint: where facts are stored, truth, refusal, confidence, each as a claim with "
        "figures, controls, plots and a verdict. Directions have to be there (launch.py precompute); everything else is measured now.",
        computes=True,
    ),
    Verb(
        "transfer",
        "carry directions from one checkpoint to another and measure what they do there",
        "transfer [truth|refusal] [OPTIONS]",
        (
            ("transfer", "all checkpoints of Skiff to all of them"),
            ("transfer --from ./other --family ./mine", "map another family's directions into this one"),
        ),
        _transfer,
        later("core.cli.transfer", "run_transfer"),
        "Carry the truth and the refusal direction from every checkpoint to every other: cosines with ceiling and null, probes, and what "
        "each does to the other's replies. What was interrupted goes on when the same command is given again.",
        computes=True,
    ),
    Verb(
        "undo",
        "remove a training stage's part from the final model",
        "undo STAGE [OPTIONS]",
        (
            ("undo safety", "Skiff's planted over-refusal, with its own prompts"),
            ("undo safety --lose a.txt --keep b.txt --out ./mended", "with your own prompts; writes a model folder"),
        ),
        _undo,
        later("core.cli.undo", "run_undo"),
        "Remove what a training stage did to some behaviour: a strength for every row of its change in the weights is fitted to prompts "
        "whose behaviour is to be lost and kept, and judged on held-out ones beside controls.",
        computes=True,
    ),
)
