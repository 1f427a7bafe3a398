"""The verbs of the command line that are more than a call: ``chat``, one answer as a stream of text or of events. No torch here."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import replace

from core.chat.answers import Answer, fold
from core.chat.events import Done, Event, Failed, Started, Token, event_json
from core.chat.opening import check_family
from core.chat.presets import find_preset
from core.chat.session import Session
from core.chat.settings import Settings
from core.chat.sliders import SliderBank
from core.cli.options import ChatOptions
from core.cli.piped import piped_text
from core.cli.progress import TerminalProgress
from core.directions.slider_figures import beyond_use
from core.engine.engine import Engine
from core.engine.run import Run
from core.engine.strength_table import strength_answers, strength_table, strengths_conclusion
from core.errors import TillerError, UsageError
from core.models.own_sampling import drawn_by_itself, own_sampling, sampling_said
from core.util.figures import percent_text
from core.util.files import json_text
from core.util.program import program


def run_chat(options: ChatOptions) -> int:
    """Answer one message on stdout, each token as soon as it is there; remarks go to stderr. Returns the exit code.

    Raises:
        UsageError: there is no message.
        TillerError: no such family, checkpoint, direction or kept chat, or the model cannot be loaded.
        KeyboardInterrupt: Ctrl-C; the run has been stopped.
    """
    message = (
        options.message
        if options.message is not None
        else piped_text(f'chat needs a message: `{program()} chat "What is the capital of France?"`')
    )
    engine = Engine(options.family, **options.engine)
    if options.strengths:
        return _answer_strengths(engine, options, message)
    session = _gone_on(engine, options) if options.kept else Session(_settings(engine, options))
    for sentence in beyond_use(engine.catalogue.cards(session.settings.column.checkpoint), session.settings.column):
        print(sentence, file=sys.stderr)
    session.ask(message)
    _keep(engine, options, session)
    engine.start()
    run = engine.submit(session.settings)
    session.waiting([0])
    try:
        session.answers = _print(run, engine, options.as_json)
        session.settle()
        _say_sampling(engine, session.settings)
        if _keep(engine, options, session):
            print(f'(Kept; `{program()} chat --chat {session.id} "MESSAGE"` goes on with it.)', file=sys.stderr)
    except BaseException:
        # Ctrl-C, a closed pipe: the model must not go on for nobody.
        run.cancel()
        raise
    finally:
        engine.close()
    return 0


def _keep(engine: Engine, options: ChatOptions, session: Session) -> bool:
    """Keep the chat, if that is wanted: its message before it is answered, too, so that no crash loses it."""
    if options.keep or options.kept:
        engine.chats.save(session, time.time())
    return options.keep or bool(options.kept)


def _gone_on(engine: Engine, options: ChatOptions) -> Session:
    """A kept chat, with the sampling that is given. Raises TillerError where it is another family's or has several columns."""
    if options.recipe or options.checkpoint or options.system:
        raise UsageError(
            "A kept chat has a checkpoint, a recipe and a system prompt of its own; leave them out beside --chat."
        )
    session = engine.chats.load(options.kept)
    check_family(session.settings, engine.family)
    if len(session.settings.columns) > 1:
        raise TillerError(
            f"This chat has {len(session.settings.columns)} columns; go on with it in `{program()} tui` (Ctrl+K lists it)."
        )
    session.settings = _sampled(engine, options, session.settings)
    return session


def _sampled(engine: Engine, options: ChatOptions, settings: Settings) -> Settings:
    """The same settings with what is said of the sampling. Raises TillerError where a checkpoint's own is wanted and there is none."""
    sampling = settings.sampling
    if options.own_sampling:
        own = drawn_by_itself(engine.family.checkpoint(settings.column.checkpoint))
        sampling = replace(own, max_new_tokens=sampling.max_new_tokens, seed=sampling.seed, stop=sampling.stop)
    if options.temperature:
        sampling = replace(sampling, temperature=options.temperature)
    if options.seed:
        sampling = replace(sampling, seed=options.seed)
    if options.max_tokens is not None:
        sampling = replace(sampling, max_new_tokens=options.max_tokens)
    return replace(settings, sampling=sampling)


def _settings(engine: Engine, options: ChatOptions) -> Settings:
    """One column: the checkpoint with the recipe, or a preset."""
    if options.preset:
        if options.recipe or options.checkpoint or options.system:
            raise UsageError(
                "--preset brings its checkpoint, recipe and system prompt; leave those out, or leave --preset out."
            )
        kept = find_preset(engine.family, options.preset)
        two, system = engine.settings(kept.checkpoint, kept.recipe), kept.system
    else:
        two, system = engine.settings(options.checkpoint, options.recipe), options.system
    return _sampled(engine, options, replace(two, columns=(two.column,), selected=0, system=system))


def _answer_strengths(engine: Engine, options: ChatOptions, message: str) -> int:
    """Nine answers as a table; they are no chat that could be kept."""
    if options.keep or options.kept:
        raise UsageError("--strengths answers a message of its own; leave --keep and --chat out.")
    wanted = _along(engine, _settings(engine, options).ask(message), options.strengths)
    engine.start()
    run = engine.scrub(*wanted)
    try:
        _print_strengths(run, engine, options)
    except BaseException:
        run.cancel()
        raise
    finally:
        engine.close()
    return 0


def _say_sampling(engine: Engine, settings: Settings) -> None:
    """Where the likeliest tokens were taken of a model whose makers draw them otherwise, how they do."""
    own = own_sampling(engine.family.checkpoint(settings.column.checkpoint))
    if own is not None and not settings.sampling.temperature:
        print(
            f"(The likeliest tokens were taken; its makers draw them at {sampling_said(own)}, as --own-sampling does.)",
            file=sys.stderr,
        )


def _along(engine: Engine, settings: Settings, direction: str) -> tuple[Settings, int, str]:
    """What the engine is asked for nine strengths of a direction. Raises TillerError where there is none of that name."""
    moved = SliderBank(engine.catalogue).along(settings, direction)
    engine.explain(moved.column.recipe, moved.column.checkpoint)
    return moved, 0, direction


def _print_strengths(run: Run, engine: Engine, options: ChatOptions) -> None:
    """The table, once every answer is there."""
    answers: dict[int, Answer] = {}
    with TerminalProgress() as waiting:
        while not run.finished:
            for event in run.poll(0.1):
                answers = fold(answers, event)
                if isinstance(event, Failed):
                    raise TillerError(event.sentence)
            waiting.say(f"{sum(each.finished for each in answers.values())} of {len(engine.SCRUB_STRENGTHS)} answers")
        waiting.clear()
    found = strength_answers(answers)
    table = strength_table(strengths_conclusion(options.strengths, found), found)
    print(table.csv() if options.as_json else table.text(), end="" if options.as_json else "\n")


def _print(run: Run, engine: Engine, as_json: bool) -> dict[int, Answer]:
    """Print what a run says; the answers at its end."""
    planned = False
    answers: dict[int, Answer] = {}
    with TerminalProgress() as waiting:
        while not run.finished:
            events = run.poll(0.1)
            if engine.status.plan and not planned:
                waiting.clear()
                print(engine.status.plan, file=sys.stderr)
                planned = True
            if not events:
                status = engine.status
                part = "" if status.progress is None else f" {percent_text(status.progress)}"
                waiting.say(f"{status.detail.rstrip('.') if part else status.detail}{part}")
                continue
            waiting.clear()
            for event in events:
                answers = fold(answers, event)
                if as_json:
                    print(json_text(event_json(event)), flush=True)
                else:
                    _print_text(event, answers)
                if isinstance(event, Failed):
                    raise TillerError(event.sentence)
    return answers


def _print_text(event: Event, answers: Mapping[int, Answer]) -> None:
    match event:
        case Started(note=note) if note:
            print(note, file=sys.stderr)
        case Token(text=text, thought=False):
            print(text, end="", flush=True)
        case Done(column=column, reason=reason, tokens=tokens):
            print(flush=True)
            if thought := answers[column].thought:
                still = "" if answers[column].text else ", and had not answered yet"
                print(f"(Thought for {thought} tokens{still}; --json shows them.)", file=sys.stderr)
            if reason in ("length", "context"):
                limit = "--max-tokens allows more" if reason == "length" else "the model's context is full"
                print(f"(Cut off after {tokens} tokens; {limit}.)", file=sys.stderr)
