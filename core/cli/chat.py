"""The verbs of the command line that are more than a call: ``chat``, one answer as a stream of text or of events. No torch here."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from core.chat.events import Done, Event, Failed, Started, Token, event_json
from core.chat.settings import Sampling, Settings
from core.cli.options import ChatOptions
from core.cli.piped import piped_text
from core.cli.program import program
from core.cli.progress import TerminalProgress
from core.engine.engine import Engine
from core.engine.run import Run
from core.errors import TillerError

_LACKING = 'chat needs a message: {} chat "What is the capital of France?"'


def run_chat(options: ChatOptions) -> int:
    """Answer one message on stdout, each token as soon as it is there; remarks go to stderr. Returns the exit code.

    Raises:
        UsageError: there is no message.
        TillerError: no such family, checkpoint or direction, or the model cannot be loaded.
        KeyboardInterrupt: Ctrl-C; the run has been stopped.
    """
    message = options.message if options.message is not None else piped_text(_LACKING.format(program()))
    engine = Engine(options.family, **options.engine)
    settings = _settings(engine, options).ask(message)
    engine.start()
    run = engine.submit(settings)
    try:
        _print(run, engine, options.as_json)
    except BaseException:
        # Ctrl-C, a closed pipe: the model must not go on for nobody.
        run.cancel()
        raise
    finally:
        engine.close()
    return 0


def _settings(engine: Engine, options: ChatOptions) -> Settings:
    """One column: the checkpoint with the recipe."""
    two = engine.settings(options.checkpoint, options.recipe)
    sampling = Sampling(temperature=options.temperature, seed=options.seed)
    if options.max_tokens is not None:
        sampling = replace(sampling, max_new_tokens=options.max_tokens)
    return replace(two, columns=(two.column,), selected=0, sampling=sampling, system=options.system)


def _print(run: Run, engine: Engine, as_json: bool) -> None:
    planned = False
    with TerminalProgress() as waiting:
        while not run.finished:
            events = run.poll(0.1)
            if engine.status.plan and not planned:
                waiting.clear()
                print(engine.status.plan, file=sys.stderr)
                planned = True
            if not events:
                status = engine.status
                part = "" if status.progress is None else f" {status.progress:.0%}"
                waiting.say(f"{status.detail.rstrip('.') if part else status.detail}{part}")
                continue
            waiting.clear()
            for event in events:
                if as_json:
                    print(json.dumps(event_json(event)), flush=True)
                else:
                    _print_text(event)
                if isinstance(event, Failed):
                    raise TillerError(event.sentence)


def _print_text(event: Event) -> None:
    match event:
        case Started(note=note) if note:
            print(note, file=sys.stderr)
        case Token(text=text):
            print(text, end="", flush=True)
        case Done(reason=reason, tokens=tokens):
            print(flush=True)
            if reason in ("length", "context"):
                limit = "--max-tokens allows more" if reason == "length" else "the model's context is full"
                print(f"(Cut off after {tokens} tokens; {limit}.)", file=sys.stderr)
