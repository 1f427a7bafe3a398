"""An address that other chat programs understand: ``/v1``, as OpenAI's servers have it. A model's name there says how it is steered.

Only what can be done is taken: a field that would change the answer, and that Tiller does not have, is refused and not passed over.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from app.api import alone
from app.families import FamilyPages
from core.chat.answers import Answer, fold
from core.chat.events import Event, Failed
from core.chat.settings import Settings, Turn
from core.directions.conclusion import first_recipe
from core.engine.engine import Engine
from core.engine.run import Run
from core.errors import TillerError
from core.util.files import parsed_json
from core.util.limits import MAX_LINK

#: So many answers are written at once; who asks for one more is told to come again.
MOST = 32
#: How often a run is asked what it has, in seconds.
_BEAT = 0.05
#: What Sampling calls each field; the first that is given holds.
_NUMBERS = {
    "temperature": ("temperature",), "top_p": ("top_p",), "top_k": ("top_k",), "seed": ("seed",),
    "repetition_penalty": ("repetition_penalty",), "max_new_tokens": ("max_completion_tokens", "max_tokens"),
}  # fmt: skip
_WHOLE = ("top_k", "seed", "max_new_tokens")
#: Fields that would change the answer, and what each may be here: as if it were not there.
_REFUSED: Mapping[str, tuple[object, ...]] = {
    "n": (1,), "presence_penalty": (0,), "frequency_penalty": (0,), "logit_bias": ({},), "logprobs": (False,), "tools": ([],),
    "functions": ([],), "response_format": ({"type": "text"},),
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One request: of which engine, what, and under which name."""

    engine: Engine
    settings: Settings
    model: str
    stream: bool
    usage: bool


class Completions:
    """The routes, for every family that is open on the server."""

    def __init__(self, pages: FamilyPages) -> None:
        self.pages = pages
        self._going = 0

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/v1/models", self._said(self.models)),
            Route("/v1/chat/completions", self._said(self.answer), methods=["POST"]),
        ]

    def _said(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except TillerError as error:
                return JSONResponse(self._error(str(error)), 400)

        return handle

    def _error(self, sentence: str) -> dict[str, Any]:
        return {"error": {"message": self.pages.access.told(sentence), "type": "invalid_request_error"}}

    # ---------------------------------------------------------------------------------------------------------- handlers

    async def models(self, request: Request) -> Response:
        """Every checkpoint that is here, and each steered by one of its directions, as models of their own."""
        names = await run_in_threadpool(lambda: [name for name, *_ in self._models()])
        rows = [{"id": each, "object": "model", "created": 0, "owned_by": "tiller"} for each in names]
        return JSONResponse({"object": "list", "data": rows})

    async def answer(self, request: Request) -> Response:
        """The answer to a chat, at once or as it is written."""
        body = await _body(request)
        asked = await run_in_threadpool(self._asked, body)
        if self._going >= MOST:
            return JSONResponse(self._error(f"{MOST} answers are being written; try again in some seconds."), 429)
        if asked.stream:
            return StreamingResponse(self._stream(asked), media_type="text/event-stream")
        answer, failed = Answer(), ""
        async for events, said in self._answers(asked):
            answer = said
            failed = next((each.sentence for each in events if isinstance(each, Failed)), failed)
            if await request.is_disconnected():
                break
        if failed:
            return JSONResponse(self._error(failed), 500)
        message = {"role": "assistant", "content": answer.text}
        document = _head(asked, "chat.completion", [{"index": 0, "message": message, "finish_reason": _why(answer)}])
        return JSONResponse({**document, "usage": _usage(answer), **_note(answer)})

    async def _stream(self, asked: Asked) -> AsyncIterator[str]:
        head = _head(asked, "chat.completion.chunk", [])

        def part(delta: Mapping[str, str], why: str | None = None) -> str:
            return _line({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": why}]})

        yield part({"role": "assistant", "content": ""})
        answer, sent = Answer(), 0
        async for events, answer in self._answers(asked):
            if failed := [each for each in events if isinstance(each, Failed)]:
                yield _line(self._error(failed[0].sentence))
                return
            if len(answer.text) > sent:
                yield part({"content": answer.text[sent:]})
                sent = len(answer.text)
        yield _line({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": _why(answer)}], **_note(answer)})
        if asked.usage:
            yield _line({**head, "usage": _usage(answer)})
        yield "data: [DONE]\n\n"

    async def _answers(self, asked: Asked) -> AsyncIterator[tuple[list[Event], Answer]]:
        """What came, and the answer with it, until it is whole; whoever stops reading ends it."""
        self._going += 1
        run: Run = asked.engine.submit(asked.settings)
        answers: dict[int, Answer] = {}
        try:
            while not run.finished:
                events = run.poll()
                for event in events:
                    answers = answers if isinstance(event, Failed) else fold(answers, event)
                yield events, answers.get(0, Answer())
                # No thread waits for it meanwhile, of which a server has few.
                await asyncio.sleep(_BEAT)
        finally:
            run.cancel()
            self._going -= 1

    # -------------------------------------------------------------------------------------------------------- what is asked

    def _models(self) -> Iterator[tuple[str, Engine, str, str]]:
        """A name, and whose it is: its engine, checkpoint and recipe."""
        for page in list(self.pages.pages.values()):
            engine = page.engine
            for checkpoint in (each.name for each in engine.family.present):
                name = f"{engine.family.name}/{checkpoint}"
                yield name, engine, checkpoint, ""
                for card in engine.catalogue.cards(checkpoint).values():
                    recipe = str(first_recipe(card))
                    yield f"{name} {recipe}", engine, checkpoint, recipe

    def _asked(self, body: Mapping[str, Any]) -> Asked:
        for name, neutral in _REFUSED.items():
            if body.get(name) is not None and body[name] not in neutral:
                raise TillerError(f"{name} cannot be had here; leave it out.")
        engine, checkpoint, recipe = self._chosen(_text(body.get("model"), "model"))
        fresh = alone(engine, checkpoint, recipe)
        system, turns = _chat(body.get("messages"))
        given: dict[str, Any] = {}
        for own, names in _NUMBERS.items():
            value = next((body[name] for name in names if body.get(name) is not None), None)
            if value is not None:
                given[own] = _number(value, names[-1], own in _WHOLE)
        stop = body.get("stop")
        if stop is not None:
            given["stop"] = tuple(_text(each, "stop") for each in (stop if isinstance(stop, list) else [stop]))
        settings = replace(fresh, system=system, turns=turns[:-1], sampling=replace(fresh.sampling, **given))
        extras = body.get("stream_options")
        usage = isinstance(extras, Mapping) and extras.get("include_usage") is True
        return Asked(
            engine, settings.ask(turns[-1].user), _text(body.get("model"), "model"), body.get("stream") is True, usage
        )

    def _chosen(self, model: str) -> tuple[Engine, str, str]:
        """``FAMILY/CHECKPOINT`` with a recipe behind it, if any; the first family's may leave the family out."""
        first = next(iter(self.pages.pages.values())).engine
        known = [(name, engine, checkpoint) for name, engine, checkpoint, recipe in self._models() if not recipe]
        known += [(checkpoint, engine, checkpoint) for _, engine, checkpoint in known if engine is first]
        for name, engine, checkpoint in sorted(known, key=lambda each: -len(each[0])):
            if model == name or model.startswith(f"{name} "):
                return engine, checkpoint, model[len(name) :].strip()
        raise TillerError(
            f"There is no model {model[:100]!r}; /v1/models lists them. A recipe stands behind a blank: {known[0][0]} 1.5*NAME."
        )


async def _body(request: Request) -> Mapping[str, Any]:
    """What was sent, as far as it may be of a size."""
    sent = b""
    async for part in request.stream():
        sent += part
        if len(sent) > MAX_LINK:
            raise TillerError(f"A chat has at most {MAX_LINK:,} bytes; send its last messages alone.")
    try:
        found = parsed_json(sent.decode("utf-8"))
    except ValueError as error:
        raise TillerError("That is no JSON; send a body as chat programs do, with model and messages.") from error
    if not isinstance(found, Mapping):
        raise TillerError("That is no chat; send a body as chat programs do, with model and messages.")
    return found


def _chat(messages: object) -> tuple[str, tuple[Turn, ...]]:
    """The system prompt and the turns of a list of messages, of which the last is to be answered."""
    system: list[str] = []
    turns: list[tuple[list[str], list[str]]] = []
    for each in messages if isinstance(messages, list) else []:
        role = each.get("role") if isinstance(each, Mapping) else None
        if role in ("system", "developer"):
            system.append(_content(each))
        elif role == "user":
            # What is said one after the other is one message.
            if not turns or turns[-1][1]:
                turns.append(([], []))
            turns[-1][0].append(_content(each))
        elif role == "assistant" and turns:
            turns[-1][1].append(_content(each))
        else:
            raise TillerError("A message is the system's, the user's or the assistant's, and the user begins.")
    if not turns or turns[-1][1]:
        raise TillerError("The last message is the one that is answered; let it be the user's.")
    made = [Turn("\n\n".join(said), ("\n\n".join(replies),) if replies else ()) for said, replies in turns]
    return "\n\n".join(system), tuple(made)


def _content(message: Mapping[str, Any]) -> str:
    """The text of a message, which may come in parts."""
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    if not all(isinstance(each, Mapping) and each.get("type") == "text" for each in parts):
        raise TillerError("Only text can be read here: leave pictures, sounds and files out.")
    return "".join(_text(each.get("text"), "content") for each in parts)


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise TillerError(f"{name} is a text; send one.")
    return value


def _number(value: object, name: str, whole: bool) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise TillerError(f"{name} is a {'whole number' if whole else 'number'}; send one.")
    try:
        return value if whole else float(value)
    except OverflowError as error:
        raise TillerError(f"{name} is far too large; send a smaller one.") from error


def _head(asked: Asked, kind: str, choices: list[Any]) -> dict[str, Any]:
    made = {"id": f"chatcmpl-{secrets.token_hex(12)}", "object": kind, "created": int(time.time())}
    return {**made, "model": asked.model, "choices": choices}


def _why(answer: Answer) -> str:
    return "length" if answer.reason in ("length", "context") else "stop"


def _note(answer: Answer) -> dict[str, str]:
    """What was left out of the chat, since the model cannot follow it or it was too long; beside what chat programs read."""
    return {"note": answer.note} if answer.note else {}


def _usage(answer: Answer) -> dict[str, int]:
    read, written = answer.prompt_tokens, len(answer.tokens)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _line(document: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(document, ensure_ascii=False)}\n\n"
