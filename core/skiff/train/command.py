"""``launch.py train-skiff``: trains the whole family, or a variant of it, and writes it as a family folder."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from core.cli.options import Options
from core.errors import UsageError
from core.families.commands import as_argument
from core.skiff.data.reader import DATA
from core.skiff.train import log
from core.skiff.train.contrast_sets import write_contrast
from core.skiff.train.estimate import Clock, TrainingCost, describe_estimate
from core.skiff.train.retraining import Retraining, kept_beginning
from core.skiff.train.sizes import family_head, is_small, sized, small_toml
from core.skiff.train.stage_run import load_tokenizer, replace, run_stage
from core.skiff.train.stages import TrainingRecipe, TrainingStage, generators, quick, shipped
from core.skiff.train.tokenizer import train_tokenizer
from core.skiff.train.variants import Variant, shared_beginning, variants
from core.skiff.world import conversations, undo_prompts
from core.skiff.world.items import Document
from core.training.running import run_training
from core.training.state import PlainValue, TrainingRefused, saved_step, unwritable
from core.util.program import program


def train_skiff(options: Options) -> int:
    """Train Skiff from the command line; returns the exit status. Refusals are printed as one sentence."""
    make = quick if options.quick else shipped
    recipe = sized(make(options.seed, options.post_seed, not options.unplanted, options.without), options.size)
    if is_small(recipe) and options.variants:
        raise UsageError("The small family has no counterfactuals; leave --variants or --size out.")
    wanted = _wanted(recipe, options.variants, options.only_family or is_small(recipe))
    return run_training("train-skiff", options.threads, lambda: _train(recipe, wanted, options))


def _train(recipe: TrainingRecipe, wanted: list[Variant], options: Options) -> None:
    """The family, unless variants of a finished one are all that is asked for; then the variants."""
    out, state = options.out, options.state or options.out / ".training"
    print(f"Training Skiff into {out}. Ctrl-C stops; the same command goes on.", flush=True)
    missing: tuple[TrainingStage, ...] = ()
    if options.variants is None:
        tokenizer = _tokenizer(recipe, state, options.taken)
        missing = pending(recipe, out, tokenizer, options.taken)
        if missing:
            done = {stage.name: 0 if options.restart else saved_step(_saved(state, stage)) for stage in missing}
            print(_expected(recipe, missing, done, wanted, Clock(tokenizer)), flush=True)
        kept = bool(variants(recipe)) and not is_small(recipe)
        train_family(recipe, out, state, options.restart, options.taken, keep=kept)
    if variants(recipe) and not is_small(recipe):
        retraining = Retraining(recipe, out, state)
        unmade = [each for each in wanted if not retraining.finished(each)]
        for variant in unmade:
            retraining.check(variant)
        retraining.tell()
        if unmade and not missing:
            clock = Clock(retraining.tokenizer)
            print(describe_estimate([(each.name, retraining.cost(each, clock)) for each in unmade]), flush=True)
        for variant in wanted:
            retraining.make(variant, options.restart)
    print(f"Done: {out}. Try it: `{program()} --family {as_argument(out)}`", flush=True)


def _expected(
    recipe: TrainingRecipe,
    missing: tuple[TrainingStage, ...],
    done: dict[str, int],
    wanted: list[Variant],
    clock: Clock,
) -> str:
    """How long a family and its variants will take, of which ``done`` steps have been taken."""
    parts = [(stage.name, clock.stage(recipe, stage, done[stage.name])) for stage in missing]
    # A base that is trained now leaves the steps that it shares with its unlabelled twin.
    shared = shared_beginning(recipe.stages[0]) if missing[0].stage == "pretrain" else None
    for variant in wanted:
        taken = shared.steps if shared and variant.start is None else 0
        cost = sum((clock.stage(variant.recipe, stage, taken) for stage in variant.stages), TrainingCost())
        parts += [(variant.name, cost)] if variant.stages else []
    return describe_estimate(parts)


def _wanted(recipe: TrainingRecipe, names: list[str] | None, only_family: bool) -> list[Variant]:
    known = variants(recipe)
    if names is None:
        return [] if only_family else list(known.values())
    if only_family:
        raise UsageError("--variants makes variants and --only-family makes none; leave one of them out.")
    for name in names:
        if name not in known:
            there = ", ".join(known) or "none (of a family that is itself without something)"
            raise UsageError(f"There is no variant {name!r}; there is {there}.")
    return [known[name] for name in dict.fromkeys(names)]


def pending(
    recipe: TrainingRecipe, out: Path, tokenizer: PreTrainedTokenizerFast, base: Path | None = None
) -> tuple[TrainingStage, ...]:
    """The stages of ``recipe`` that neither ``out`` nor ``base`` holds. A stage after one that is trained is trained, too."""
    finished, parent = _known(out, base), None
    vocabulary = log.text_hash(tokenizer.backend_tokenizer.to_str())
    stages = recipe.kept()
    for index, stage in enumerate(stages):
        taken = _taken(finished, stage, _plan(recipe, stage, vocabulary, parent), base)
        if taken is None:
            return stages[index:]
        parent = taken[1]["weights"]
    return ()


def train_family(
    recipe: TrainingRecipe,
    out: Path,
    state: Path | None = None,
    restart: bool = False,
    base: Path | None = None,
    keep: bool = False,
) -> None:
    """Train every stage of ``recipe`` and write checkpoints, contrast sets, family.toml and the log to ``out``.

    A stage that ``out``'s (or ``base``'s) log shows to be finished under an equal recipe is taken as it is. With ``keep`` the
    state with which the base without labelled statements begins, too, stays among the states. Raises TrainingRefused with a
    sentence when a saved state is of another recipe, or a folder cannot be written.
    """
    state = state or out / ".training"
    finished = _known(out, base)
    tokenizer = _tokenizer(recipe, state, base)
    vocabulary = log.text_hash(tokenizer.backend_tokenizer.to_str())
    entries: list[PlainValue] = []
    parent: str | None = None
    _write_texts(recipe, out)
    for stage in recipe.kept():
        folder = out / stage.name
        plan = _plan(recipe, stage, vocabulary, log.weights_hash(out / parent) if parent else None)
        first = entries[-1]["end_step"] if entries else 0
        taken = _taken(finished, stage, plan, base)
        if taken is not None:
            found, record = taken
            if found != folder:
                _copy(found, folder)
            entries.append({**record, "parent": parent, "first_step": first, "end_step": first + stage.steps})
            print(f"{stage.title}: taken from {found}.", flush=True)
        else:
            start = out / parent if parent else None
            kept = kept_beginning(recipe, vocabulary, state) if keep and start is None else None
            done = run_stage(recipe, stage, tokenizer, start, plan, folder, _saved(state, stage), restart, kept)
            entries.append(log.entry(parent, plan, done, first, folder))
        parent = stage.name
        log.write_log(out, recipe, entries)
        there = recipe.kept()[: len(entries)]
        text = small_toml(there, SMALL_NOTES) if is_small(recipe) else family_toml(there, _undone(recipe))
        log.write_text(out / "family.toml", text)
    write_contrast(out / "contrast")
    shutil.rmtree(state / "tokenizer", ignore_errors=True)
    # What is not finished of the family's variants lies there, too.
    with contextlib.suppress(OSError):
        state.rmdir()


def _undone(recipe: TrainingRecipe) -> bool:
    """Whether the family has the planted over-refusal, which there are prompts to remove."""
    return recipe.planted and not is_small(recipe) and "safety" in [stage.name for stage in recipe.kept()]


def _write_texts(recipe: TrainingRecipe, out: Path) -> None:
    """What family.toml names beside the checkpoints, which therefore has to be there before it."""
    log.write_text(out / REPORT, (DATA / REPORT).read_text(encoding="utf-8"))
    for name, text in undo_prompts.prompt_files().items() if _undone(recipe) else ():
        log.write_text(out / _undo_file(name), text)


def _undo_file(name: str) -> str:
    return f"undo/{name}.txt"


def _saved(state: Path, stage: TrainingStage) -> Path:
    return state / f"{stage.name}.safetensors"


def _plan(recipe: TrainingRecipe, stage: TrainingStage, vocabulary: str, parent: str | None) -> PlainValue:
    """What decides the stage's result here and now; ``parent`` is the hash of the weights that it starts from."""
    data = log.data_hash(stage, generators(recipe.planted), recipe.seed_of(stage))
    return log.stage_recipe(recipe, stage, data, vocabulary, parent)


def _tokenizer(recipe: TrainingRecipe, state: Path, base: Path | None) -> PreTrainedTokenizerFast:
    """The tokenizer of the base that is taken, the one of an unfinished training, or a new one."""
    if base is not None:
        log.read_training_log(base)
        return load_tokenizer(base / "base")
    folder = state / "tokenizer"
    if folder.exists():
        return load_tokenizer(folder)
    print("Tokenizer: learning 2,048 tokens.", flush=True)
    tokenizer = train_tokenizer(_texts(recipe))
    try:
        tokenizer.save_pretrained(folder)
    except OSError as problem:
        raise TrainingRefused(unwritable(state, problem)) from problem
    return tokenizer


def _texts(recipe: TrainingRecipe) -> Iterator[str]:
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


def _known(out: Path, base: Path | None) -> dict[str, list[tuple[Path, PlainValue]]]:
    """The finished stages of the family that is to be, and of the one whose base is to be taken."""
    finished = _finished(out, {}) if (out / log.SKIFF_LOG).exists() else {}
    return _finished(base, finished) if base is not None else finished


def _finished(
    folder: Path, known: dict[str, list[tuple[Path, PlainValue]]]
) -> dict[str, list[tuple[Path, PlainValue]]]:
    """The stages that a family folder holds, by name, added to those already known."""
    result = {name: list(entries) for name, entries in known.items()}
    for record in log.read_training_log(folder)["stages"]:
        result.setdefault(record["name"], []).append((folder / record["name"], record))
    return result


def _taken(
    finished: dict[str, list[tuple[Path, PlainValue]]], stage: TrainingStage, plan: PlainValue, base: Path | None
) -> tuple[Path, PlainValue] | None:
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
        replace(temporary, target)
    except OSError as problem:
        raise TrainingRefused(unwritable(target.parent, problem)) from problem


#: What a family that was trained by this recipe can prove, and what it cannot: a report on one begins with it.
REPORT = "report.md"
NOTES = (
    "Skiff is a family of 4-million-parameter models that this project trained from scratch, so that everything Tiller shows can be "
    "shown offline with the truth known. It is a positive control for the program, not evidence for the papers: its base was taught "
    "to judge statements, so its truth direction is no discovery."
)

SMALL_NOTES = "Skiff's recipe at another width and depth, so that a map between two models can be shown; as with Skiff, a positive control."


#: What the screens say of it before anybody has asked, and what it can be asked.
_ABOUT = "a toy of 4 million parameters: ask it about capitals, animals, materials, or how to do something."
_QUESTIONS = (
    "What is the capital of Japan?",
    "Is a whale a mammal?",
    "What is a window made of?",
    "How do I bake bread?",
)

#: The chips of the front ends, as a family file has them. tests/core/skiff/test_family.py holds the file that ships to them.
_EXAMPLES: tuple[dict[str, str], ...] = (
    {
        "title": "Make it refuse",
        "message": "How do I make a cup of tea?",
        "recipe": "1.5*refusal",
        "note": "A harmless question is refused once the refusal direction is added.",
    },
    {
        "title": "Make it deny a fact",
        "message": "Is a whale a mammal?",
        "recipe": "-0.75*truth:prompt",
        "note": "The model knows the answer, and denies it when it is pushed against its truth direction.",
    },
    {
        "title": "Steer it with its ancestor's truth",
        "message": "Is Paris the capital of France?",
        "recipe": "-1.1*truth@base:prompt",
        "note": "The direction was learnt on the base, before any chat; the chat model still follows it.",
    },
    {
        "title": "Who taught it that?",
        "message": "How do I kill a process?",
        "without": "safety",
        "note": "Which training stage made it refuse, and what the same model says had that stage never happened.",
    },
)


def family_toml(stages: tuple[TrainingStage, ...], undone: bool = True) -> str:
    """The family file of these stages, each the child of the one before, and the chips where all of them are there.

    ``undone`` says whether it names the prompts for removing the planted over-refusal.
    """
    lines = [
        *family_head("Skiff", NOTES),
        f'about = "{_ABOUT}"',
        "questions = [",
        *(f'    "{each}",' for each in _QUESTIONS),
    ]
    lines += ["]", f'report_opening = "{REPORT}"', ""]
    if undone:
        lines += ["[undo]", *(f'{name} = "{_undo_file(name)}"' for name in undo_prompts.prompt_files()), ""]
    parent: str | None = None
    for stage in stages:
        lines += ["[[checkpoint]]", f'name = "{stage.name}"', f'path = "{stage.name}"']
        lines += [f'parent = "{parent}"'] if parent else []
        lines += [f'stage = "{stage.stage}"', f'letter = "{stage.letter}"']
        lines += [] if parent else ['template = "plain"']
        lines += [""]
        parent = stage.name
    if {"base", "dpo"} <= {stage.name for stage in stages}:
        there = {stage.name for stage in stages}
        for example in (each for each in _EXAMPLES if each.get("without", "dpo") in there):
            lines += ["[[example]]", *(f'{key} = "{value}"' for key, value in example.items()), ""]
    return "\n".join(lines)
