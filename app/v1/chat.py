"""``/v1/chat/completions``: the answers to a chat, at once or as they are written, with what was read of every token if that is asked."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from app.v1 import bodies
from app.v1.bodies import Body
from app.v1.errors import ApiError
from app.v1.models import Model, Models, alone
from core.chat.answers import Answer, fold
from core.chat.beginnings import NO_ROOM_TO_GO_ON, WrittenText
from core.chat.drawing import TokenDrawing
from core.chat.events import Event, Failed, Reading, Token
from core.chat.raw import MAX_TOP
from core.chat.settings import MAX_SEED, Settings
from core.engine.run import Run

#: How often a run is asked what it has, in seconds.
_BEAT = 0.05
#: After so many silent seconds a stream says that it is still there: servers between drop what is silent.
_SILENT = 15.0


@dataclass(frozen=True)
class ChatAsked:
    """One request: which model, what it is asked, how many answers, how they begin, and what is told of their tokens."""

    model: Model
    settings: Settings
    answers: int
    begun: str
    logprobs: bool
    top: int
    drawing: TokenDrawing
    readings: bool
    stream: bool
    usage: bool


def chat_asked(models: Models, body: Body) -> ChatAsked:
    """What a body asks. Raises TillerError for what it cannot have."""
    bodies.check_fields(body)
    model = models.find(bodies.text(body.get("model"), "model"), bodies.steering_of(body))
    fresh = alone(model.engine, model.checkpoint, str(model.recipe))
    system, turns, begun = bodies.chat_of(body.get("messages"))
    _check_begun(body, begun)
    own = body.get("tiller") or {}
    if not isinstance(own, Mapping) or set(own) - {"readings"}:
        raise ApiError('tiller is an object with "readings"; send {"readings": true}.', param="tiller")
    logprobs, readings = bodies.flag(body, "logprobs"), bodies.flag(own, "readings")
    if not logprobs and (readings or body.get("top_logprobs")):
        raise ApiError("What is read of tokens comes with their logprobs; send logprobs: true.", param="logprobs")
    sampling = replace(fresh.sampling, **bodies.sampling_of(body))
    settings = replace(fresh, system=system or model.system, turns=turns[:-1], sampling=sampling).ask(turns[-1].user)
    if any(begun and each in begun for each in sampling.stop):
        raise ApiError("A stop string stands in the message that is to go on; take another one.", param="stop")
    extras = body.get("stream_options") or {}
    if not isinstance(extras, Mapping):
        raise ApiError("stream_options is an object; send one.", param="stream_options")
    top = bodies.whole_between(body, "top_logprobs", 0, MAX_TOP, 0)
    return ChatAsked(
        model,
        settings,
        bodies.whole_between(body, "n", 1, bodies.MAX_ANSWERS, 1),
        begun,
        logprobs,
        top,
        bodies.drawing_of(body, top),
        readings,
        bodies.flag(body, "stream"),
        bodies.flag(extras, "include_usage"),
    )


def _check_begun(body: Body, begun: str) -> None:
    """Whether the last message is what is answered, or what goes on, must be clear. Raises ApiError."""
    prompted = body.get("add_generation_prompt")
    if prompted is not None:
        bodies.flag(body, "add_generation_prompt")
    goes_on = bodies.flag(body, "continue_final_message") or prompted is False
    if begun and not goes_on:
        raise ApiError(
            "The last message is the one that is answered; let it be the user's, or send continue_final_message.",
            param="messages",
        )
    if goes_on and (prompted or not begun):
        raise ApiError(
            "continue_final_message goes on from a last message of the assistant's, without add_generation_prompt; send one.",
            param="continue_final_message",
        )


async def chat_answers(asked: ChatAsked) -> AsyncGenerator[list[Answer], None]:
    """The answers as they grow, nothing twice; whoever stops reading ends them. Raises TillerError for what fails."""
    settings = asked.settings
    runs: list[Run] = []
    try:
        for index in range(asked.answers):
            sampling = replace(settings.sampling, seed=(settings.sampling.seed + index) % MAX_SEED)
            prefixes = {0: WrittenText(asked.begun)} if asked.begun else None
            own = replace(settings, sampling=sampling)
            runs.append(asked.model.engine.submit(own, None, prefixes, asked.drawing, shadows=asked.readings))
        answers = [Answer() for _ in runs]
        while not all(run.finished for run in runs):
            for index, run in enumerate(runs):
                answers[index] = _folded(answers[index], run.poll())
            yield list(answers)
            # No thread waits for it meanwhile, of which a server has few.
            await asyncio.sleep(_BEAT)
    finally:
        for run in runs:
            run.cancel()


def _folded(answer: Answer, events: Sequence[Event]) -> Answer:
    found = {0: answer}
    for event in events:
        if isinstance(event, Failed):
            if event.sentence == NO_ROOM_TO_GO_ON:
                raise ApiError(event.sentence, code="context_length_exceeded", param="messages")
            # Mostly it is what was asked, such as a system prompt that fills the context.
            raise ApiError(event.sentence, 500 if event.fault else 400)
        found = fold(found, event)
    return found.get(0, answer)


def chat_document(asked: ChatAsked, answers: Sequence[Answer], name: str) -> dict[str, Any]:
    """Whole answers as one document."""
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": _text(answer)},
            "finish_reason": finish_reason(answer.reason),
            **({"logprobs": {"content": _scores(asked, _said(answer))}} if asked.logprobs else {}),
            **_steering(asked),
        }
        for index, answer in enumerate(answers)
    ]
    return {**_head(asked, "chat.completion", name), "choices": choices, "usage": _usage(answers), **_notes(answers)}


async def chat_stream(asked: ChatAsked, name: str) -> AsyncGenerator[dict[str, Any], None]:
    """The chunks of a stream, the last with what it took; an empty one where it has been silent. Raises TillerError for what fails."""
    head = _head(asked, "chat.completion.chunk", name)

    def chunk(
        index: int, delta: Mapping[str, str], why: str | None = None, said: Sequence[Token] = ()
    ) -> dict[str, Any]:
        scores = {"logprobs": {"content": _scores(asked, said)}} if said and asked.logprobs else {}
        return {**head, "choices": [{"index": index, "delta": delta, "finish_reason": why, **scores}]}

    for index in range(asked.answers):
        yield chunk(index, {"role": "assistant", "content": ""})
    answers: list[Answer] = []
    letters, tokens, last = [0] * asked.answers, [0] * asked.answers, time.monotonic()
    async with aclosing(chat_answers(asked)) as growing:
        async for answers in growing:
            for index, answer in enumerate(answers):
                said = _said(answer)
                if len(new := _text(answer)) > letters[index]:
                    yield chunk(index, {"content": new[letters[index] :]}, None, said[tokens[index] :])
                    letters[index], tokens[index], last = len(new), len(said), time.monotonic()
            if time.monotonic() - last > _SILENT:
                last = time.monotonic()
                yield {}
    for index, answer in enumerate(answers):
        final = chunk(index, {}, finish_reason(answer.reason), _said(answer)[tokens[index] :])
        final["choices"][0] |= _steering(asked)
        yield {**final, **(_notes(answers) if index == len(answers) - 1 else {})}
    yield {**head, "choices": [], "usage": _usage(answers)}


def _said(answer: Answer) -> Sequence[Token]:
    """The tokens that the model chose of an answer, without what it thought before."""
    return [token for token in answer.tokens if not token.forced and not token.thought]


def _text(answer: Answer) -> str:
    """The answer without the words that it was to go on from."""
    return answer.text[sum(len(token.text) for token in answer.tokens if token.forced and not token.thought) :]


def _scores(asked: ChatAsked, said: Sequence[Token]) -> list[dict[str, Any]]:
    return [_score(asked, token) for token in said]


def _score(asked: ChatAsked, token: Token) -> dict[str, Any]:
    reading = token.reading
    top = [_token(each.text, _log(each.probability)) for each in reading.top[: asked.top]]
    # The first token's text has lost the blank that it begins with.
    said = next((each.text for each in reading.top if each.id == token.id), token.text)
    found = {**_token(said, reading.logprob), "top_logprobs": top}
    return found | ({"tiller": _reading(reading, token.shadow)} if asked.readings else {})


def _token(said: str, logprob: float) -> dict[str, Any]:
    return {"token": said, "logprob": logprob, "bytes": list(said.encode())}


def _reading(reading: Reading, shadow: Reading | None) -> dict[str, Any]:
    """What Tiller alone knows: how unsure the model was, where it stands along each direction, and what it makes of the token unsteered."""
    found: dict[str, Any] = {"entropy": reading.entropy, "rank": reading.rank, "projections": dict(reading.projections)}
    return found | ({"unsteered_logprob": shadow.logprob} if shadow is not None else {})


def _log(probability: float) -> float:
    # JSON has no infinity; nothing is less likely than this in float32.
    return math.log(probability) if probability > 0 else -104.0


def _head(asked: ChatAsked, kind: str, name: str) -> dict[str, Any]:
    return {"id": name, "object": kind, "created": int(time.time()), "model": asked.model.name}


def finish_reason(reason: str | None) -> str:
    """Why an answer ended, in OpenAI's two words."""
    return "length" if reason in ("length", "context") else "stop"


def _steering(asked: ChatAsked) -> dict[str, str]:
    return {"steering": str(asked.model.recipe)} if asked.model.recipe else {}


def _notes(answers: Sequence[Answer]) -> dict[str, Any]:
    """What was left out of the chat, since the model cannot follow it or it was too long; beside what chat programs read."""
    note = next((answer.note for answer in answers if answer.note), "")
    return {"note": note} if note else {}


def _usage(answers: Sequence[Answer]) -> dict[str, int]:
    # What an answer was to go on from was read, and not written.
    given = [sum(token.forced for token in answer.tokens) for answer in answers]
    read = max((answer.prompt_tokens + begun for answer, begun in zip(answers, given, strict=True)), default=0)
    written = sum(len(answer.tokens) for answer in answers) - sum(given)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def line(document: Mapping[str, Any]) -> str:
    """A document as an event of a stream; a comment for an empty one."""
    return f"data: {json.dumps(document)}\n\n" if document else ": still there\n\n"
