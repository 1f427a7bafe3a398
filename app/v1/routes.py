"""The addresses that other programs ask, and what stands before all of them: the key, how many at once, and errors in OpenAI's shape."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from app.v1 import bodies
from app.v1.chat import ChatAsked, chat_answers, chat_asked, chat_document, chat_stream, line
from app.v1.completions import detokenized, raw_answers, raw_asked, raw_document, tokenized, tokenizer_told
from app.v1.errors import ApiError, error_body, refused
from app.v1.models import Model, Models
from core.chat.answers import Answer
from core.chat.raw import RawAnswer
from core.directions.slider_figures import slider_figures
from core.engine.engine import Engine
from core.errors import TillerError
from core.recipes.language import parse

#: So many answers are written at once; who asks for one more is told to come again.
MOST = 32
#: In so many seconds.
_WAIT = 5
_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}

_Handler = Callable[[Request], Awaitable[Response]]


class OpenAIRoutes:
    """The routes for some engines. ``told`` says what strangers may read of a sentence; ``key`` is what every request has to show."""

    def __init__(
        self, engines: Callable[[], Sequence[Engine]], told: Callable[[str], str] = str, key: str = ""
    ) -> None:
        self.models, self._told, self._key = Models(engines), told, key
        self._going = 0
        #: Requests, those refused, and tokens that were written, since the start.
        self._counts = {"requests": 0, "refused": 0, "tokens": 0}

    def routes(self) -> list[Route]:
        """Where they are."""
        tokenizer = [
            Route(f"{at}/{name}", self._answered(handler), methods=[method])
            for at in ("", "/v1")
            for name, handler, method in (
                ("tokenizer_info", self._tokenizer, "GET"),
                ("tokenize", self._with_body(tokenized), "POST"),
                ("detokenize", self._with_body(detokenized), "POST"),
            )
        ]
        return [
            Route("/v1/models", self._answered(self._listed)),
            Route("/v1/models/{name:path}", self._answered(self._one)),
            Route("/v1/chat/completions", self._answered(self._chat), methods=["POST"]),
            Route("/v1/completions", self._answered(self._raw), methods=["POST"]),
            Route("/v1/steering", self._answered(self._directions)),
            Route("/v1/steering", self._answered(self._with_body(_explained)), methods=["POST"]),
            *tokenizer,
            Route("/health", self._health),
            Route("/metrics", self._answered(self._metrics)),
            Route("/v1/{other:path}", self._answered(_nowhere), methods=["GET", "POST"]),
        ]

    # ------------------------------------------------------------------------------------------------- before every request

    def _answered(self, handler: _Handler) -> _Handler:
        async def handle(request: Request) -> Response:
            self._counts["requests"] += 1
            try:
                self._let_in(request)
                return await handler(request)
            except TillerError as error:
                return self._refused(refused(error))

        return handle

    def _refused(self, error: ApiError) -> Response:
        self._counts["refused"] += 1
        headers = {"retry-after": str(error.wait)} if error.wait else {}
        return JSONResponse(error_body(error, self._told(str(error))), error.status, headers)

    def _let_in(self, request: Request) -> None:
        """Raises ApiError for a request without the key, where there is one."""
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        if self._key and not (
            kind.lower() == "bearer" and hmac.compare_digest(shown.encode("latin-1", "replace"), self._key.encode())
        ):
            raise ApiError("This server takes a key: send it as Authorization: Bearer KEY.", 401, "invalid_api_key")

    def _with_body(self, handler: Callable[[Models, bodies.Body], Mapping[str, Any]]) -> _Handler:
        async def handle(request: Request) -> Response:
            body = await bodies.body_of(request)
            return JSONResponse(await run_in_threadpool(handler, self.models, body))

        return handle

    def _begin(self, answers: int) -> None:
        if self._going + answers > MOST:
            raise ApiError(
                f"{self._going} answers are being written, and {MOST} are at once; try again in some seconds.",
                429,
                "rate_limit_exceeded",
                wait=_WAIT,
            )
        self._going += answers

    def _end(self, answers: int, tokens: int) -> None:
        self._going -= answers
        self._counts["tokens"] += tokens

    # ------------------------------------------------------------------------------------------------------------- answers

    async def _chat(self, request: Request) -> Response:
        """The answers to a chat, at once or as they are written."""
        body = await bodies.body_of(request)
        asked = await run_in_threadpool(chat_asked, self.models, body)
        self._begin(asked.answers)
        if asked.stream:
            return StreamingResponse(self._chat_events(asked), media_type="text/event-stream", headers=_HEADERS)
        answers: list[Answer] = []
        try:
            async with aclosing(chat_answers(asked)) as growing:
                async for found in growing:
                    answers = found
                    if await request.is_disconnected():
                        break
        finally:
            self._end(asked.answers, sum(len(answer.tokens) for answer in answers))
        return JSONResponse(chat_document(asked, answers, _name("chatcmpl")))

    async def _chat_events(self, asked: ChatAsked) -> AsyncIterator[str]:
        """The lines of a stream, to its last word also where it fails."""
        tokens = 0
        try:
            async with aclosing(chat_stream(asked, _name("chatcmpl"))) as chunks:
                async for document in chunks:
                    if (usage := document.get("usage")) is not None:
                        tokens = usage["completion_tokens"]
                    if usage is None or asked.usage:
                        yield line(document)
        except TillerError as error:
            yield line(error_body(refused(error), self._told(str(error))))
        finally:
            self._end(asked.answers, tokens)
        yield "data: [DONE]\n\n"

    async def _raw(self, request: Request) -> Response:
        """How raw prompts go on; a stream has all of it in one piece."""
        body = await bodies.body_of(request)
        asked = await run_in_threadpool(raw_asked, self.models, body)
        # They are written together, however many they are.
        self._begin(1)
        answers: list[RawAnswer] = []
        work = raw_answers(asked)
        try:
            while not answers:
                answers = await run_in_threadpool(next, work)
                if await request.is_disconnected():
                    break
            document = await run_in_threadpool(raw_document, asked, answers, _name("cmpl")) if answers else {}
        finally:
            await run_in_threadpool(work.close)
            self._end(1, sum(len(answer.ids) for answer in answers))
        if not asked.stream:
            return JSONResponse(document)
        return PlainTextResponse(f"{line(document)}data: [DONE]\n\n", media_type="text/event-stream", headers=_HEADERS)

    # -------------------------------------------------------------------------------------------------------- what there is

    async def _listed(self, request: Request) -> Response:
        rows = await run_in_threadpool(lambda: [_row(each) for each in self.models.listed()])
        return JSONResponse({"object": "list", "data": rows})

    async def _one(self, request: Request) -> Response:
        return JSONResponse(_row(await run_in_threadpool(self.models.find, request.path_params["name"])))

    async def _directions(self, request: Request) -> Response:
        """The directions of every checkpoint, with what was measured of them."""
        return JSONResponse({"data": await run_in_threadpool(lambda: _steering(self.models))})

    async def _tokenizer(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(tokenizer_told, self.models, request.query_params.get("model")))

    async def _health(self, request: Request) -> Response:
        """Whether a model is there that answers."""
        state = self.models.engines()[0].status
        ready = state.state in ("ready", "busy")
        return JSONResponse(
            {"status": state.state}, 200 if ready else 503, {} if ready else {"retry-after": str(_WAIT)}
        )

    async def _metrics(self, request: Request) -> Response:
        """Counts since the start, in the text that Prometheus reads."""
        lines = [f"tiller_{name}_total {count}" for name, count in self._counts.items()]
        return PlainTextResponse("\n".join([*lines, f"tiller_running {self._going}", ""]))


def _explained(models: Models, body: bodies.Body) -> dict[str, Any]:
    """A recipe in one way of writing it and in words, for a checkpoint. Raises RecipeError where it cannot be."""
    model = models.find(bodies.text(body.get("model"), "model"), bodies.text(body.get("steering"), "steering"))
    return {"steering": str(model.recipe), "words": model.engine.explain(model.recipe, model.checkpoint)}


def _steering(models: Models) -> list[dict[str, Any]]:
    found = []
    for model in models.listed():
        if model.recipe:
            continue
        cards = model.engine.catalogue.cards(model.checkpoint)
        directions = []
        for name, card in cards.items():
            (term,) = parse(f"1*{name}").terms
            known = slider_figures(card, term, model.engine.settings(model.checkpoint).column)
            useful = known.dose.useful if known.dose is not None else None
            directions.append({"name": name, "layer": card.layer, "useful": useful, "said": known.words})
        found.append({"model": model.name, "directions": directions})
    return found


def _row(model: Model) -> dict[str, Any]:
    own = {"checkpoint": model.checkpoint, "recipe": str(model.recipe)}
    return {"id": model.name, "object": "model", "created": 0, "owned_by": "tiller", "tiller": own}


async def _nowhere(request: Request) -> Response:
    path = request.url.path
    if path.endswith(("/completions", "/tokenize", "/detokenize")):
        raise ApiError(f"{path[-40:]} takes a POST of JSON; send one.", 405, "method_not_allowed")
    raise ApiError(
        f"There is no {path[:80]} here; there are /v1/chat/completions, /v1/completions, /v1/models and /v1/steering.",
        404,
        "not_found",
    )


def _name(kind: str) -> str:
    return f"{kind}-{secrets.token_hex(12)}"
