"""What each verb takes: its arguments and options, added to its parser. Standard library only."""

from __future__ import annotations

from pathlib import Path

from core.cli import option_types
from core.cli.option_types import nonempty_text, one_of, whole_number
from core.cli.parser import Collected, VerbParser
from core.util.program import program

#: What these modules know, which take too long to be imported for a help: a test holds the names together.
LEARNING_METHODS = ("mean_difference", "pca", "logistic", "ccs", "ttpd")
EFFORT_NAMES = ("quick", "measured", "full")
PARTS = ("truth", "refusal", "confidence", "noise", "recorded")
FIT_STEPS = 40
#: What says which model; what is done with files needs no device.
_WHOSE = ("family", "model", "base", "post", "stage", "checkpoint", "offline", "trust-remote-code")
_ANEW, _SHIP = "measure anew what is already there", "write beside family.toml instead of into your data folder"


# ------------------------------------------------------------------------------------------------------------ answering


def declare_web(parser: VerbParser) -> None:
    """The browser app's."""
    parser.add_model()
    parser.add_serving()


def declare_serve(parser: VerbParser) -> None:
    """Those of ``serve``."""
    parser.add_model(
        refused={"recipe": "Each request says how it is steered, by its model's name; leave --recipe out."},
    )
    parser.add_serving(page=False)


def declare_tui(parser: VerbParser) -> None:
    """The terminal app's."""
    parser.add_argument("link", metavar="LINK", nargs="?", help="a link copied from Share, whose state is opened")
    parser.add_model()


def declare_chat(parser: VerbParser) -> None:
    """Those of ``chat``."""
    parser.add_argument("message", metavar="MESSAGE", nargs="?", help="what to say (default: what comes from a pipe)")
    parser.add_model()
    parser.add_chat()


def declare_chats(parser: VerbParser) -> None:
    """Those of ``chats``."""
    parser.add_argument(
        "words", metavar="WORD", nargs="*", type=nonempty_text, help="list only those in which every word stands"
    )
    parser.add_argument("--show", metavar="ID", help="print a chat as Markdown")
    parser.add_argument("--delete", metavar="ID", help="delete a chat")
    parser.add_argument(
        "--export", metavar="FILE", type=Path, help="write all chats with all their versions into a JSON file"
    )
    parser.add_argument("--import", metavar="FILE", type=Path, dest="imported",
                        help="keep the chats of a JSON file: from here, the terminal or the browser")  # fmt: skip


def declare_families(parser: VerbParser) -> None:
    """Those of ``families``."""
    parser.add_argument("name", metavar="NAME", nargs="?", type=nonempty_text,
                        help="the one to say more of, or a folder, a .gguf file, a name of the Hub (default: all are listed)")  # fmt: skip
    parser.add_argument(
        "--forget",
        metavar="NAME",
        type=nonempty_text,
        help="delete the copy that a family's GGUF file was converted to",
    )
    # Nothing is opened: what is named is only looked at.
    parser.add_argument(
        "--model", "--family", metavar="NAME", dest="named", type=nonempty_text, help="the same as NAME"
    )
    parser.add_model(("offline",))


def declare_get(parser: VerbParser) -> None:
    """Those of ``get``."""
    parser.add_argument("name", metavar="FAMILY", type=nonempty_text, help="the family whose weights are wanted")
    parser.add_argument("--yes", action="store_true", help="do not ask first")
    parser.add_argument(
        "--delete", action="store_true", help="delete what was got of it, and what that was converted to"
    )


# -------------------------------------------------------------------------------------------------- directions, weights


def declare_effort(parser: VerbParser) -> None:
    """How much is found out, and in which time."""
    parser.add_argument("--effort", metavar="NAME", type=one_of(*EFFORT_NAMES), default=EFFORT_NAMES[1],
                        help="quick: usable in seconds; measured: with what each strength does and controls, within a budget of time; "
                        "full: every layer and token tried (default: measured)")  # fmt: skip
    parser.add_argument("--budget", metavar="TIME", type=option_types.seconds, default=None,
                        help="how long measured may take for each part of a checkpoint, as 90s, 20m or 1h (default: 5m)")  # fmt: skip


def declare_budget(parser: VerbParser) -> None:
    """How long something may take, and how long it would."""
    parser.add_argument("--budget", metavar="TIME", type=option_types.seconds, default=None,
                        help="end after 90s, 20m or 1h with what is there then; the same command goes on (default: all of it)")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="say how long it would take, and do no more")


def declare_precompute(parser: VerbParser) -> None:
    """Those of ``precompute``."""
    parser.add_argument("--what", metavar="KINDS", default=",".join(PARTS),
                        help=f"only these, with commas between (default: {','.join(PARTS)})")  # fmt: skip
    parser.add_argument("--contrast", metavar="KIND=FILE", action=Collected, default=(),
                        help="learn KIND from your own examples: a CSV, JSON lines or parquet file with the columns text (or statement) "
                        "and label, or hub:owner/name, or hub:owner/name:column,label; may be given for each kind")  # fmt: skip
    declare_effort(parser)
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


def declare_artefacts(parser: VerbParser) -> None:
    """Those of ``artefacts``."""
    parser.add_argument("--dry-run", action="store_true", help="say which commands it runs, and run none")
    parser.add_model(only=("family", "threads"))


def declare_learn(parser: VerbParser) -> None:
    """Those of ``learn``."""
    parser.add_argument(
        "what", metavar="WHAT", help="refusal, truth, a word such as cheerful, or a name for what your examples show"
    )
    parser.add_argument("--positive", metavar="FILE", help="a text file with an example of it on every line")
    parser.add_argument("--negative", metavar="FILE", help="a text file with an example of its opposite on every line")
    parser.add_argument("--from-replies", action="store_true", dest="replies",
                        help="the two files hold system prompts for and against a trait; learn from what is said under them")  # fmt: skip
    parser.add_argument("--pairs", metavar="FILE",
                        help="write the pairs of replies into this file; where it is there, learn from them as it has them")  # fmt: skip
    parser.add_argument("--method", metavar="NAME", type=one_of(*LEARNING_METHODS), default=LEARNING_METHODS[0],
                        help=f"{', '.join(LEARNING_METHODS)} (default: {LEARNING_METHODS[0]})")  # fmt: skip
    declare_effort(parser)
    parser.add_argument("--name", metavar="NAME", help="what recipes will call it (default: WHAT)")
    parser.add_argument(
        "--layer", metavar="N", type=whole_number(0, 10**6), help="take this layer instead of the best one"
    )
    parser.add_argument("--again", action="store_true", help="let it take the place of your own direction of that name")
    parser.add_model(
        checkpoint="the checkpoint to learn it on (default: the last)",
        refused={"recipe": "learn works on a checkpoint as it is; leave --recipe out and steer by what was learnt."},
    )


def declare_import(parser: VerbParser) -> None:
    """Those of ``import``."""
    parser.add_argument(
        "file", metavar="FILE", type=nonempty_text, help="the vector's file; what it is follows from what it holds"
    )
    parser.add_argument("--name", metavar="NAME", required=True, help="what recipes call it")
    parser.add_argument("--layer", metavar="L", type=whole_number(0, 10**6), help="where it acts, counted from 0")
    parser.add_argument("--scale", metavar="X", type=option_types.any_number, default=1.0,
                        help="multiply it by this; some libraries keep vectors of length 1")  # fmt: skip
    parser.add_model(_WHOSE, checkpoint="whose direction it becomes (default: the family's final checkpoint)")


def declare_export(parser: VerbParser) -> None:
    """Those of ``export``."""
    parser.add_argument("name", metavar="NAME", type=nonempty_text, help="the direction, such as refusal")
    parser.add_argument("--to", metavar="FILE", required=True,
                        help="a file that is not there yet, with .gguf or .safetensors at its end")  # fmt: skip
    parser.add_model(_WHOSE, checkpoint="whose direction (default: the family's final checkpoint)")


def declare_bake(parser: VerbParser) -> None:
    """Those of ``bake``."""
    parser.add_argument(
        "--out", type=option_types.new_folder, metavar="FOLDER", required=True, help="where to; it is made, or empty"
    )
    parser.add_model(
        checkpoint="what to bake it into (default: the family's final checkpoint)",
        recipe="what the folder is to do, such as '!refusal'",
        dtype="of the weights that are written: float32, bfloat16 or float16 (default: float32)",
        quantize="how you chat with it; whatever it is, what is baked is read in full precision",
    )


def declare_transfer(parser: VerbParser) -> None:
    """Those of ``transfer``."""
    parser.add_argument("about", nargs="*", metavar="DIRECTION", help="truth or refusal (default: both)")
    parser.add_argument("--from", dest="source", metavar="FAMILY", default="",
                        help="also map the directions of another family into this one")  # fmt: skip
    parser.add_argument("--source", dest="source_checkpoint", metavar="NAME", default="",
                        help="show the layers of this source (default: the base, with --from the other family's final one)")  # fmt: skip
    parser.add_argument("--json", type=option_types.file, metavar="FILE", help="write the reports to this file as well")
    parser.add_argument("--again", action="store_true", help=_ANEW)
    parser.add_argument("--ship", action="store_true", help=_SHIP)
    declare_budget(parser)
    parser.add_model(
        checkpoint="show the layers of this target (default: the final checkpoint)",
        refused={
            "recipe": "transfer pushes checkpoints by its own recipes; leave --recipe out.",
            "quantize": "transfer compares the weights themselves, which quantized ones are not; leave --quantize out.",
            "template-var": "transfer asks checkpoints as their family says; leave --template-var out, and write template_vars into "
            "family.toml.",
        },
    )


def declare_probe(parser: VerbParser) -> None:
    """Those of ``probe``."""
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="a set of statements each, with the columns statement and label (default: the categories of the family's own)",
    )
    parser.add_argument("--source", dest="source_checkpoint", metavar="NAME", default="",
                        help="the checkpoint to learn on (default: the base)")  # fmt: skip
    parser.add_argument(
        "--layer",
        metavar="N",
        type=whole_number(0, 10**6),
        help="the block whose output is read, counted from 0 (default: where the target's truth direction acts)",
    )
    parser.add_argument("--csv", type=option_types.file, metavar="FILE", help="write every probe's figures as CSV")
    parser.add_argument("--json", type=option_types.file, metavar="FILE", help="write them as JSON")
    declare_budget(parser)
    parser.add_model(
        checkpoint="the checkpoint to try on (default: the final one)",
        refused={"recipe": "Probes are of checkpoints as they are; leave --recipe out."},
    )


def declare_undo(parser: VerbParser) -> None:
    """Those of ``undo``."""
    parser.add_argument(
        "stage",
        metavar="STAGE",
        type=nonempty_text,
        help=f"the stage that is to blame, as `{program()} blame` names it, such as safety",
    )
    for name, what in (("lose", "whose behaviour is to be lost"), ("keep", "whose behaviour is to be kept")):
        parser.add_argument(f"--{name}", type=Path, metavar="FILE",
                            help=f"prompts {what}, one a line (default: the family's own, if it has some)")  # fmt: skip
        parser.add_argument(
            f"--{name}-held-out", type=Path, metavar="FILE", help="… and those to judge by (default: every fourth)"
        )
    parser.add_argument(
        "--out", type=option_types.new_folder, metavar="FOLDER", help="write the edited model as a model folder"
    )
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
