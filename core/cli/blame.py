"""``launch.py blame``: which training stage made it say that, as a table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path as File

from core.attribution import effects, export
from core.attribution.conclusion import blame_conclusion
from core.attribution.model_sequence import alone
from core.attribution.report import BlameReport, BlameRequest, shortened, token_effects
from core.attribution.study import study
from core.cli.options import Options
from core.cli.piped import piped_text
from core.cli.progress import TerminalProgress
from core.errors import UsageError
from core.families import stages
from core.families.stages import Question, Stage
from core.models import loading
from core.models.at_hand import open_family
from core.util.figures import change_text, percent_text
from core.util.files import json_text, prompts_in, read_prompts, write_bytes
from core.util.program import program
from core.util.progress import finished


def run_blame(options: Options) -> int:
    """Ask every checkpoint of a path about an answer, and print whose it is."""
    ask = _ask(options)
    family = open_family(options.family)
    # What is wrong with the question is said before a model is loaded for it.
    path = stages.stage_path(family, ask.checkpoint, ask.path)
    loaded = loading.load_model(family, path.final, options.placing)
    with TerminalProgress() as progress:
        report = finished(study(family, ask, alone(loaded, options.placing)), progress.step)
    print("\n".join(table(report)))
    if options.csv:
        _write(options.csv, export.blame_csv(report))
    if options.json:
        _write(options.json, json_text(export.blame_document(report), ensure_ascii=False, indent=1) + "\n")
    return 0


def _ask(options: Options) -> BlameRequest:
    if bool(options.prompt) == bool(options.file):
        raise UsageError(
            f'blame needs a prompt, or --file with prompts: `{program()} blame "How do I kill a process?"`'
            if not options.prompt
            else "Give a prompt or --file, not both."
        )
    if "" in (options.answer, options.other):
        raise UsageError("The answer is empty; write what the model said, or leave it out to take what it says.")
    if options.question:
        stages.question(options.question)
    names = tuple(each.strip() for each in options.path.split(",") if each.strip())
    prompts = _prompts(options.file) if options.file else (options.prompt,)
    return BlameRequest(
        prompts, options.answer or "", options.other or "", options.checkpoint, names, options.question, options.system,
        options.own_templates, options.max_tokens,
    ).checked()  # fmt: skip


def _prompts(name: str) -> tuple[str, ...]:
    if name != "-":
        return read_prompts(File(name))
    return prompts_in(piped_text("--file - reads prompts from a pipe, one a line; pipe them in, or name a file."))


def _write(file: File, text: str) -> None:
    write_bytes(file, text.encode())
    print(f"Written to {file}.", file=sys.stderr)


# --------------------------------------------------------------------------------------------------------------- the table


def table(report: BlameReport) -> list[str]:
    """A report as lines of text; the first is what it comes to, the second names the largest effect and its size."""
    lines = [blame_conclusion(report), report.headline, ""]
    lines += _heads(report)
    for measure in report.measures:
        lines += ["", f"Probability of {report.of(measure)}:", *_effects(report, measure)]
    if len(report.cases) == 1:
        lines += ["", *_tokens(report)]
    return [*lines, "", *report.remarks]


def _heads(report: BlameReport) -> list[str]:
    if len(report.cases) > 1:
        stage_of = [(case, _largest(report, at)) for at, case in enumerate(report.cases)]
        return [f"{found:<12}{shortened(case.prompt):<42}{shortened(case.answer.text)}" for case, found in stage_of]
    case = report.cases[0]
    rows = [("prompt", case.prompt), (case.answer.by or "answer", case.answer.text)]
    rows += [(said.by, said.text) for said in case.without.values()]
    if case.other and case.other.by not in [head for head, _ in rows]:
        rows.append((case.other.by or "other", case.other.text))
    wide = max(len(head) for head, _ in rows) + 2
    return [f"{head:<{wide}}{' '.join(text.split())}" for head, text in rows]


def _largest(report: BlameReport, at: int) -> str:
    """The stage that one of many prompts' answers is owed to."""
    one = BlameReport(report.ask, report.path, (report.cases[at],), report.sizes, report.titles)
    found = one.largest(report.question.key, one.measures[0])
    return f"{report.path.stage(found[0]).letter} {change_text(found[1].probability)}" if found else ""


def _effects(report: BlameReport, measure: str) -> list[str]:
    questions = report.path.questions
    heads = [each.title for each in questions]
    lines = [f"{'':<14}" + "".join(f"{head:>{max(20, len(head) + 3)}}" for head in heads)]
    every = {each.key: report.effects(each.key, measure) for each in questions}
    for stage in report.path.stages:
        cells = [_cell(every[each.key].get(stage.name)) for each in questions]
        lines.append(f"{f'{stage.letter} {stage.name}':<14}" + _spread(cells, heads) + _moved(report, stage))
    rest = [report.remainder(each.key, measure) for each in questions]
    lines.append(
        f"{'interaction':<14}" + _spread(["–" if each is None else change_text(each, 3) for each in rest], heads)
    )
    return lines


def _cell(found: effects.Effect | None) -> str:
    if found is None:
        return "–"
    nats = "new token" if found.nats is None else f"{change_text(found.nats, 1)} nats"
    return f"{change_text(found.probability, 3)} ({nats})"


def _spread(cells: Sequence[str], heads: Sequence[str]) -> str:
    return "".join(f"{cell:>{max(20, len(head) + 3)}}" for cell, head in zip(cells, heads, strict=True))


def _moved(report: BlameReport, stage: Stage) -> str:
    size = report.sizes.get(stage.name)
    return "" if size is None else f"   weights moved by {percent_text(size, 1)}"


def _tokens(report: BlameReport) -> list[str]:
    """The answer token by token: the effect of every stage by the question that is asked first, then that of coming with it."""
    case, path = report.cases[0], report.path
    lines: list[str] = []
    keys: list[Question] = list({each.key: each for each in (report.question, path.questions[0])}.values())
    for question in keys:
        names = [
            stage
            for stage in path.stages
            if question.key == "introduced_at" or (stage in path.post and stage.without(question.key))
        ]
        lines.append(f"Token by token, {question.title}: difference of probability")
        heads = [f"{stage.letter} {stage.name}" for stage in names]
        wide = [max(12, len(head) + 2) for head in heads]
        lines.append(f"{'':<16}" + "".join(f"{head:>{width}}" for head, width in zip(heads, wide, strict=True)))
        for at, text in enumerate(case.answer.tokens):
            found = token_effects(path, question.key, case.answer, at)
            lines.append(
                f"{_visible(text):<16}"
                + "".join(
                    f"{change_text(found[stage.name].probability, 3):>{width}}"
                    for stage, width in zip(names, wide, strict=True)
                )
            )
    return lines


def _visible(text: str) -> str:
    return (text.replace("\n", "⏎").replace("\t", "⇥") or "(part)")[:15]
