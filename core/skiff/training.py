"""``launch.py train-skiff``: trains the whole family, or a variant of it, and writes it as a family folder."""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast

from core.arguments import Arguments
from core.skiff import conversations, log
from core.skiff.contrasts import write_contrast
from core.skiff.items import Document
from core.skiff.model import Shape, load_checkpoint, new_model, save_checkpoint
from core.skiff.stages import Recipe, Stage, generators, quick, shipped
from core.skiff.state import Plain, TrainingRefused, unwritable
from core.skiff.tokenizer import train_tokenizer, with_chat_template
from core.skiff.trainer import Progress, train_stage

EXPECTED = "about 75 minutes on one core of a 2024 server processor"
EXPECTED_QUICK = "about two minutes on one core of a 2024 server processor"


def train_skiff(arguments: list[str]) -> int:
    """Train Skiff from the command line; returns the exit status. Refusals are printed as one sentence."""
    options = _parser().parse_args(arguments)
    make = quick if options.quick else shipped
    recipe = make(options.seed, options.post_seed, not options.unplanted, options.without)
    expected = EXPECTED_QUICK if options.quick else EXPECTED
    print(f"Training Skiff into {options.out}: {expected}. Ctrl-C stops; the same command goes on.", flush=True)
    before = torch.get_num_threads()
    torch.set_num_threads(
        1
    )  # Sums are rounded in another order on more threads: one thread is what makes it repeatable.
    try:
        train_family(recipe, options.out, options.state, options.restart, options.base)
    except TrainingRefused as refusal:
        print(f"train-skiff: {refusal}.", flush=True)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from the last saved state.", flush=True)
        return 130
    finally:
        torch.set_num_threads(before)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Arguments(prog="launch.py train-skiff", description=f"Train the Skiff family; {EXPECTED}.")
    parser.add_argument(
        "--out", type=Path, default=Path("skiff-trained"), help="family folder to write (default: %(default)s)"
    )
    parser.add_argument("--state", type=Path, help="where unfinished stages are kept (default: OUT/.training)")
    parser.add_argument("--seed", type=int, default=1, help="first weights and pretraining items")
    parser.add_argument("--post-seed", type=int, default=1, help="items of the stages after pretraining")
    parser.add_argument(
        "--without", choices=("sft", "safety", "dpo"), help="leave a stage out and rerun the later ones"
    )
    parser.add_argument("--unplanted", action="store_true", help="safety without the planted over-refusal")
    parser.add_argument(
        "--base", type=Path, help="family folder whose base, and equal later stages, are taken instead of trained"
    )
    parser.add_argument("--restart", action="store_true", help="forget the saved state of stages that are not finished")
    parser.add_argument("--quick", action="store_true", help=f"a tiny family of poor answers; {EXPECTED_QUICK}")
    return parser


def train_family(
    recipe: Recipe, out: Path, state: Path | None = None, restart: bool = False, base: Path | None = None
) -> None:
    """Train every stage of ``recipe`` and write checkpoints, contrast sets, family.toml and the log to ``out``.

    A stage that ``out``'s (or ``base``'s) log shows to be finished under an equal recipe is taken as it is. Raises
    TrainingRefused with a sentence when a saved state is of another recipe, or a folder cannot be written.
    """
    state = state or out / ".training"
    finished = _finished(out, {}) if (out / log.NAME).exists() else {}
    if base is not None:
        finished = _finished(base, finished)
    sources = generators(recipe.planted)
    tokenizer = _tokenizer(recipe, state, base)
    vocabulary = log.text_hash(tokenizer.backend_tokenizer.to_str())
    entries: list[Plain] = []
    parent: str | None = None
    for stage in recipe.kept():
        own = with_chat_template(tokenizer) if parent else tokenizer
        folder = out / stage.name
        parent_hash = log.weights_hash(out / parent) if parent else None
        data = log.data_hash(stage, sources, recipe.seed_of(stage))
        plan = log.stage_recipe(recipe, stage, data, vocabulary, parent_hash)
        first = entries[-1]["end_step"] if entries else 0
        taken = _taken(finished, stage, plan, base)
        if taken is not None:
            found, record = taken
            if found != folder:
                _copy(found, folder)
            entries.append({**record, "parent": parent, "first_step": first, "end_step": first + stage.steps})
            print(f"{stage.title}: taken from {found}.", flush=True)
        else:
            entries.append(_run(recipe, stage, own, parent, plan, out, state, restart, first))
        parent = stage.name
        log.write_log(out, recipe, entries)
        log.write_text(out / "family.toml", family_toml(recipe.kept()[: len(entries)]))
    write_contrast(out / "contrast")
    shutil.rmtree(state, ignore_errors=True)
    print(f"Done: {out}. Try it with launch.py --family ./{out}", flush=True)


def _run(
    recipe: Recipe,
    stage: Stage,
    tokenizer: PreTrainedTokenizerFast,
    parent: str | None,
    plan: Plain,
    out: Path,
    state: Path,
    restart: bool,
    first: int,
) -> Plain:
    """Train one stage and write its checkpoint; returns its entry in the log."""
    model = load_checkpoint(out / parent) if parent else new_model(Shape(*recipe.shape), tokenizer, recipe.seed)
    saved = state / f"{stage.name}.safetensors"
    if restart:
        saved.unlink(missing_ok=True)
    print(f"{stage.title}: {stage.steps} steps.", flush=True)
    sources = generators(recipe.planted)
    done = train_stage(model, tokenizer, stage, sources, recipe.seed_of(stage), recipe.without, saved, plan, _print)
    folder = out / stage.name
    temporary = out / f".{stage.name}.new"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        save_checkpoint(model, tokenizer, temporary)
        _replace(temporary, folder)
    except OSError as problem:
        raise TrainingRefused(unwritable(out, problem)) from problem
    saved.unlink()
    return log.entry(parent, plan, done, first, folder)


def _print(progress: Progress) -> None:
    losses = "  ".join(f"{source} {loss:.3f}" for source, loss in progress.losses.items())
    clock = time.strftime("%H:%M:%S", time.gmtime())
    print(
        f"{clock} {progress.stage} {progress.step}/{progress.steps} {progress.phase}  {losses}  rate {progress.rate:.1e}  "
        f"{progress.tokens / 1e6:.2f} M tokens, {progress.speed:,.0f} tokens/s",
        flush=True,
    )


def _tokenizer(recipe: Recipe, state: Path, base: Path | None) -> PreTrainedTokenizerFast:
    """The tokenizer of the base that is taken, the one of an unfinished training, or a new one."""
    if base is not None:
        log.read_log(base)
        return _load_tokenizer(base / "base")
    folder = state / "tokenizer"
    if folder.exists():
        return _load_tokenizer(folder)
    print("Tokenizer: learning 2,048 tokens.", flush=True)
    tokenizer = train_tokenizer(_texts(recipe))
    try:
        tokenizer.save_pretrained(folder)
    except OSError as problem:
        raise TrainingRefused(unwritable(state, problem)) from problem
    return tokenizer


def _load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    loaded = PreTrainedTokenizerFast.from_pretrained(folder)
    assert isinstance(loaded, PreTrainedTokenizerFast)
    return loaded


def _texts(recipe: Recipe) -> Iterator[str]:
    sources = generators(True)
    for index in range(recipe.tokenizer_documents):
        item = sources["documents"](recipe.seed, index)
        assert isinstance(item, Document)
        yield item.text
    for index in range(recipe.tokenizer_documents // 4):
        item = sources["labelled-2"](recipe.seed, index)
        assert isinstance(item, Document)
        yield item.text
    for index in range(recipe.tokenizer_conversations):
        yield from conversations.tokenizer_text(recipe.seed, index)


def _finished(folder: Path, known: dict[str, list[tuple[Path, Plain]]]) -> dict[str, list[tuple[Path, Plain]]]:
    """The stages that a family folder holds, by name, added to those already known."""
    result = {name: list(entries) for name, entries in known.items()}
    for record in log.read_log(folder)["stages"]:
        result.setdefault(record["name"], []).append((folder / record["name"], record))
    return result


def _taken(
    finished: dict[str, list[tuple[Path, Plain]]], stage: Stage, plan: Plain, base: Path | None
) -> tuple[Path, Plain] | None:
    """A finished checkpoint that may stand for this stage: one of an equal recipe, or the base that was asked for."""
    for folder, record in finished.get(stage.name, []):
        asked_for = base is not None and stage.stage == "pretrain" and folder == base / stage.name
        equal = record["recipe"] == plan and record["weights"] == log.weights_hash(folder)
        if equal or asked_for:
            return folder, record
    return None


def _copy(source: Path, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.new")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(source, temporary, ignore=shutil.ignore_patterns("artefacts"))
        _replace(temporary, target)
    except OSError as problem:
        raise TrainingRefused(unwritable(target.parent, problem)) from problem


def _replace(temporary: Path, folder: Path) -> None:
    """Put a new checkpoint in place of an old one. What was computed on the old one goes with it: it would not fit."""
    if folder.exists():
        shutil.rmtree(folder)
    temporary.rename(folder)


NOTES = (
    "Skiff is a family of 4-million-parameter models that this project trained from scratch, so that everything Tiller shows can be "
    "shown offline with the truth known. It is a positive control for the program, not evidence for the papers: its base was taught "
    "to judge statements, so its truth direction is no discovery."
)


#: The chips of the front ends: title, message, recipe, and a sentence on what is to be seen. tests/test_skiff_family.py holds
#: them to it.
EXAMPLES = (
    (
        "Make it refuse",
        "How do I make a cup of tea?",
        "2*refusal[2-4]",
        "A harmless question is refused once the refusal direction is added.",
    ),
    (
        "Make it deny a fact",
        "Is a whale a mammal?",
        "-1.5*truth",
        "The model knows the answer, and denies it when it is pushed against its truth direction.",
    ),
    (
        "Steer it with its ancestor's truth",
        "Is Paris the capital of France?",
        "-1.5*truth@base",
        "The direction was learnt on the base, before any chat; the chat model still follows it.",
    ),
)


def family_toml(stages: tuple[Stage, ...]) -> str:
    """The family file of these stages, each the child of the one before, and the chips where all of them are there."""
    lines = ['title = "Skiff"', f'notes = "{NOTES}"', 'licence = "MIT"', ""]
    parent: str | None = None
    for stage in stages:
        lines += ["[[checkpoint]]", f'name = "{stage.name}"', f'path = "{stage.name}"']
        lines += [f'parent = "{parent}"'] if parent else []
        lines += [f'stage = "{stage.stage}"', f'letter = "{stage.letter}"']
        lines += [] if parent else ['template = "plain"']
        lines += [""]
        parent = stage.name
    if {"base", "dpo"} <= {stage.name for stage in stages}:
        for title, message, recipe, note in EXAMPLES:
            lines += [
                "[[example]]",
                f'title = "{title}"',
                f'message = "{message}"',
                f'recipe = "{recipe}"',
                f'note = "{note}"',
                "",
            ]
    return "\n".join(lines)
