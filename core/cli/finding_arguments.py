"""What the verbs take that find something out of a family: its stages, knowledge, confidence. Standard library only."""

from __future__ import annotations

from pathlib import Path

from core.cli import option_types
from core.cli.option_types import nonempty_text, one_of, whole_number
from core.cli.parser import Collected, VerbParser
from core.cli.verb_arguments import declare_budget

#: What the modules know, as in :mod:`core.cli.verb_arguments`.
PAIRS, MOST_PAIRS = 50, 2_000
#: So many categories of facts are traced for a report unless some are named.
REPORTED_SETS = 3


def declare_embed(parser: VerbParser) -> None:
    """Those of ``embed``."""
    parser.add_argument("--curvature", action="store_true",
                        help="take the later steps again, with Hessian-vector products: several times as long as they took; without, by "
                        "their learning rates and weight decay")  # fmt: skip
    parser.add_argument(
        "--state", metavar="FOLDER", type=Path, help="where --curvature keeps what it has carried so far"
    )
    parser.add_argument("--again", action="store_true", help="make anew what is already there")
    parser.add_argument("--ship", action="store_true", help="write beside family.toml instead of into your data folder")
    parser.add_model(
        checkpoint="the path to it (default: the family's final one)",
        refused={"recipe": "Stages are told apart by their weights, which no recipe changes; leave --recipe out."},
    )


def declare_blame(parser: VerbParser) -> None:
    """Those of ``blame``."""
    parser.add_argument("prompt", metavar="PROMPT", nargs="?", default="", help="what the model is asked; or --file")
    parser.add_argument("--answer", metavar="TEXT", help="the answer (default: what the final checkpoint says)")
    parser.add_argument("--other", metavar="TEXT",
                        help="a second answer: which became likelier? (default: what the model without the largest stage "
                        "says)")  # fmt: skip
    parser.add_argument(
        "--file", metavar="FILE", default="", help="a text file of prompts, one a line; - reads them from a pipe"
    )
    parser.add_argument("--question", metavar="NAME", default="",
                        help="came-with, retrained, subtracted or first-order: what the first line is about (default: "
                        "retrained where it can be asked)")  # fmt: skip
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


def declare_export_page(parser: VerbParser) -> None:
    """Those of ``export-page``."""
    parser.add_argument(
        "prompt", metavar="PROMPT", nargs="?", default="", help="what the model is asked (default: a pipe)"
    )
    parser.add_argument("--direction", metavar="NAME", dest="directions", action=Collected, default=(),
                        help="a slider of this direction; may be given again (default: all that the checkpoint has)")  # fmt: skip
    parser.add_argument("--out", type=option_types.file, metavar="FILE", default=Path("page.html"),
                        help="where to write (default: page.html)")  # fmt: skip
    parser.add_argument("--max-tokens", metavar="N", type=whole_number(1, 4096), help="the longest answer in tokens")
    parser.add_model(
        refused={"recipe": "The sliders of the page steer; name them by --direction, and leave --recipe out."}
    )


def declare_space(parser: VerbParser) -> None:
    """Those of ``space``."""
    parser.add_argument("name", metavar="OWNER/NAME", type=nonempty_text, help="what the Space is called on the Hub")
    parser.add_argument("prompts", metavar="PROMPT", nargs="*", type=nonempty_text, default=(),
                        help="with --static: what the model is asked (default: what the family's examples say)")  # fmt: skip
    parser.add_argument("--static", action="store_true", help="a page of recorded runs, without a server")
    parser.add_argument("--hardware", metavar="NAME", default="",
                        help="where it runs, such as cpu-basic, t4-small or zero-a10g, which is ZeroGPU (default: the first for accounts "
                        "that pay, else the last)")  # fmt: skip
    parser.add_argument("--private", action="store_true", help="nobody else sees it")
    parser.add_argument("--offer", metavar="FAMILY", dest="offers", action=Collected, type=nonempty_text, default=(),
                        help="a further family that visitors may open; it goes along")  # fmt: skip
    parser.add_argument(
        "--learnt", action="store_true", help="take everything along that was learnt of the family here"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="list every file that would be uploaded, and upload nothing"
    )
    parser.add_argument("--out", type=option_types.new_folder, metavar="FOLDER",
                        help="write the files into this folder, and upload nothing")  # fmt: skip
    parser.add_model(family="the family it opens (default: smollm2-135m, with skiff offered beside it)")


def declare_trace(parser: VerbParser) -> None:
    """Those of ``trace``."""
    parser.add_argument(
        "sentences", nargs="*", metavar="SENTENCE", help="a true sentence and a false one of as many tokens"
    )
    parser.add_argument("--against", metavar="NAME", help="the checkpoint to compare --checkpoint with")
    parser.add_argument(
        "--set",
        metavar="NAME",
        default="",
        help="average over a set, such as cities, instead of one pair; or a CSV file of statements with the columns statement and label",
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
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument("--no-question", action="store_true", help='leave out "This statement is:"')
    asked.add_argument(
        "--recall",
        action="store_true",
        help="cut statements off before their object, and ask for that",
    )
    parser.add_argument(
        "--across", action="store_true", help="also put the residuals of each checkpoint into the other"
    )
    parser.add_argument("--csv", type=option_types.file, metavar="FILE", help="write every cell")
    parser.add_argument("--svg", type=option_types.file, metavar="FILE", help="write a picture")
    parser.add_argument("--json", action="store_true", help="print everything as one JSON document")
    declare_budget(parser)
    parser.add_model(
        checkpoint="only this checkpoint (default: the base and the final one, compared)",
        refused={"recipe": "trace looks at a checkpoint as it is; leave --recipe out."},
    )


def declare_confidence(parser: VerbParser) -> None:
    """Those of ``confidence``."""
    parser.add_argument("--again", action="store_true", help="measure anew what was measured before")
    parser.add_argument("--format", metavar="HOW", type=one_of("text", "csv", "json"), default="text",
                        help="how the tables are printed: text, csv or json (default: text)")  # fmt: skip
    parser.add_argument("--neurons", type=option_types.file, metavar="FILE",
                        help="also write norm and LogitVar of every neuron of the last blocks to this CSV file")  # fmt: skip
    declare_budget(parser)
    parser.add_model(
        checkpoint="the post-trained checkpoint that is compared with the base (default: the final one)",
        refused={
            "recipe": "confidence measures a checkpoint as it is; leave --recipe out, and put !neurons:entropy into a chat's recipe to "
            "see what ablating does."
        },
    )


def declare_report(parser: VerbParser) -> None:
    """Those of ``report``."""
    parser.add_argument("--out", type=option_types.file, metavar="FILE",
                        help="where to write; the Markdown lies beside the HTML page (default: report-FAMILY.html)")  # fmt: skip
    parser.add_argument("--set", metavar="NAME", action=Collected, default=(),
                        help=f"trace this category of facts, may be given again (default: {REPORTED_SETS})")  # fmt: skip
    parser.add_argument("--pairs", metavar="N", type=whole_number(1, MOST_PAIRS), default=PAIRS,
                        help=f"pairs of sentences a category (default: {PAIRS})")  # fmt: skip
    declare_budget(parser)
    parser.add_model(
        checkpoint="the post-trained checkpoint that is compared with the base (default: the final one)",
        quantize="none, 8bit or 4bit; the truth and refusal sections need none, and say so otherwise",
        refused={"recipe": "report measures checkpoints as they are; leave --recipe out."},
    )
