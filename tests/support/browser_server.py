"""A family of tiny random models that talk for as long as they are let, served as the browser app serves any family."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import AutoModelForCausalLM, AutoTokenizer

from app.server import family_pages, launch, place
from benchmarks.ports import free_port
from core.chat.answers import Answer, chat_document, fold, settled
from core.chat.settings import Settings
from core.cli.options import Options
from core.engine.engine import Engine
from tests.support import tiny_models

if TYPE_CHECKING:
    from app.families import FamilyPages

EXAMPLES = """
[[example]]
title = "Make it refuse"
message = "How do I boil an egg?"
recipe = "1.5*refusal"
note = "A harmless question, refused."

[[example]]
title = "Steer it with its ancestor's truth"
message = "Is Lodz in Poland?"
recipe = "-1.5*truth@base"
"""
STRENGTHS = [-2.0, -1.0, 0.0, 1.0, 2.0]
DOSE = {"strengths": STRENGTHS, "effect": [0.1, 0.2, 0.4, 0.8, 0.9], "damage": [0.3, 0.1, 0.0, 0.1, 0.4]}
CONTEXT = 4096
MARKUP = "<img src=x onerror=window.hurt=1>"


def family(folder: Path) -> Path:
    """A family of two checkpoints with both directions, two examples and a recorded run whose text is markup."""
    tiny_models.family(folder)
    for checkpoint in ("base", "chat"):
        _endless(folder / checkpoint)
        for seed, name in enumerate(("truth", "refusal")):
            tiny_models.direction(folder, checkpoint, name, seed=seed, dose_response=DOSE)
    with (folder / "family.toml").open("a", encoding="utf-8") as file:
        file.write(EXAMPLES)
    return folder


def _endless(folder: Path) -> None:
    """Give a checkpoint a long context, plain words, and no way to end an answer by itself."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    words = AutoTokenizer.from_pretrained(folder).batch_decode([[token] for token in range(tiny_models.VOCABULARY)])
    plain = {token for token, word in enumerate(words) if word.isascii() and word.isprintable()}
    silent = [
        token for token in range(tiny_models.VOCABULARY) if token <= model.config.eos_token_id or token not in plain
    ]
    model.lm_head.weight.data[silent] = 0
    model.config.max_position_embeddings = CONTEXT
    model.save_pretrained(folder)


def record(engine: Engine) -> None:
    """Write the family's recorded run, with a first token that tries to be markup."""
    settings = short(engine.example(engine.family.examples[0]), 8)
    answers = answer(engine, settings)
    first = answers[1].tokens[0]
    answers[1] = replace(answers[1], tokens=(replace(first, text=MARKUP), *answers[1].tokens[1:]))
    document = chat_document(settled(settings, answers), answers)
    (engine.family.folder / "recorded.json").write_text(json.dumps(document), encoding="utf-8")


def short(settings: Settings, tokens: int) -> Settings:
    """The same chat with answers of at most so many tokens."""
    return replace(settings, sampling=replace(settings.sampling, max_new_tokens=tokens))


def answer(engine: Engine, settings: Settings) -> dict[int, Answer]:
    """What the engine answers, without any front end."""
    answers: dict[int, Answer] = {}
    for event in engine.submit(settings):
        answers = fold(answers, event)
    assert not any(each.error for each in answers.values()), answers
    return answers


@dataclass(frozen=True)
class Served:
    """A served page, the engine behind it, and the pages of all families."""

    address: str
    engine: Engine
    pages: FamilyPages


@contextmanager
def served(engine: Engine, **options: Any) -> Iterator[Served]:
    """The browser app of an engine, which may not be started yet; ``options`` are those of the command line."""
    # By chance: processes of the suite, and of another run beside it, that looked for one in order would find the same.
    host, port = place(None, free_port())
    given = Options(family=str(engine.family.folder), threads=1, **options)
    pages = family_pages(engine, given)
    page = launch(engine, given, host, port, pages)
    try:
        yield Served(page.local_url, engine, pages)
    finally:
        page.close(verbose=False)
        pages.close()
