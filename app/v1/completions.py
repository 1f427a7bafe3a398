"""``/v1/completions``: raw prompts that go on, texts or token ids, with how likely every token is; and what their tokenizers do."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.v1 import bodies
from app.v1.bodies import Body
from app.v1.chat import finish_reason
from app.v1.errors import ApiError
from app.v1.models import Model, Models
from core.chat.raw import MAX_CONTINUATIONS, MAX_TOP, RawAnswer, RawRequest, TokenScore
from core.chat.settings import MAX_SEED, Sampling
from core.util.limits import MAX_TOKENS

#: What OpenAI's servers write where nothing is said of it.
_TOKENS = 16
#: So many tokens are written for one request at most.
_MOST_TOKENS = 65_536


@dataclass(frozen=True)
class RawAsked:
    """One request: which model goes on from what."""

    model: Model
    request: RawRequest
    #: A prompt that was sent as text comes back as it was sent.
    texts: tuple[str | None, ...]
    stream: bool


def raw_asked(models: Models, body: Body) -> RawAsked:
    """What a body asks. Raises TillerError for what it cannot have."""
    bodies.check_fields(body)
    model = models.find(bodies.text(body.get("model"), "model"), bodies.steering_of(body))
    prompts = _prompts(body.get("prompt"))
    each = bodies.whole_between(body, "n", 1, MAX_CONTINUATIONS, 1)
    if bodies.whole_between(body, "best_of", 1, MAX_CONTINUATIONS, each) != each:
        raise ApiError("best_of is n here: every answer that is drawn is sent; leave it out.", param="best_of")
    given = bodies.sampling_of(body)
    tokens = bodies.whole_between(
        {"max_tokens": given.pop("max_new_tokens", None)}, "max_tokens", 0, MAX_TOKENS, _TOKENS
    )
    echo = bodies.flag(body, "echo")
    if tokens == 0 and not echo:
        raise ApiError("Nothing would be written or told; send max_tokens above 0, or echo.", param="max_tokens")
    if (most := tokens * each * len(prompts)) > _MOST_TOKENS:
        raise ApiError(
            f"Up to {most:,} tokens would be written, and {_MOST_TOKENS:,} are in one request; ask for fewer.",
            param="max_tokens",
        )
    # 0 is a wish of its own: the probabilities of the tokens alone.
    top = (
        None
        if body.get("logprobs") is None or body["logprobs"] is False
        else bodies.whole_between(body, "logprobs", 0, MAX_TOP, 0)
    )
    first = Sampling(max_new_tokens=tokens, **given) if tokens else None
    drawn = tuple(replace(first, seed=(first.seed + index) % MAX_SEED) if first else None for index in range(each))
    request = RawRequest(
        model.checkpoint,
        model.recipe,
        tuple(prompt for prompt in prompts for _ in range(each)),
        tuple(sampling for _ in prompts for sampling in drawn),
        echo,
        top,
        bodies.drawing_of(body),
    )
    texts = tuple(prompt if isinstance(prompt, str) else None for prompt in request.prompts)
    return RawAsked(model, request, texts, bodies.flag(body, "stream"))


def raw_document(asked: RawAsked, answers: Sequence[RawAnswer], name: str) -> dict[str, Any]:
    """The continuations as one document."""
    choices = [_choice(asked, index, answer) for index, answer in enumerate(answers)]
    # A prompt that goes on several times was read once.
    distinct = dict(zip(asked.request.prompts, (len(answer.prompt) for answer in answers), strict=True))
    written = sum(len(answer.ids) for answer in answers)
    read = sum(distinct.values())
    return {
        "id": name, "object": "text_completion", "created": int(time.time()), "model": asked.model.name, "choices": choices,
        "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
    }  # fmt: skip


def _choice(asked: RawAsked, index: int, answer: RawAnswer) -> dict[str, Any]:
    sent = asked.texts[index] if asked.request.echo else ""
    if sent is None:
        sent = asked.model.engine.raw.text(asked.model.checkpoint, answer.prompt)
    found: dict[str, Any] = {"index": index, "text": sent + answer.text, "finish_reason": finish_reason(answer.reason)}
    found["logprobs"] = _logprobs(answer.scores, asked.texts[index] or "") if asked.request.top is not None else None
    return found | ({"steering": str(asked.model.recipe)} if asked.model.recipe else {})


def _logprobs(scores: Sequence[TokenScore], sent: str) -> dict[str, Any]:
    """OpenAI's four lists, one entry a token; the first of a text has no probability, since nothing stands before it.

    What the tokenizer itself puts before a text that was ``sent`` takes no room in it.
    """
    offsets, at = [], 0
    for place, score in enumerate(scores):
        offsets.append(at)
        added = place == 0 and score.logprob is None and sent and not sent.startswith(score.text.strip())
        at += 0 if added else len(score.text)
    return {
        "tokens": [score.text for score in scores],
        "token_logprobs": [score.logprob for score in scores],
        "top_logprobs": [_top(score) for score in scores],
        "text_offset": offsets,
    }


def _top(score: TokenScore) -> dict[str, float] | None:
    """The likeliest tokens by their texts; of two with one text the likelier. The token itself is among them."""
    if score.logprob is None:
        return None
    return {score.text: score.logprob} | dict(reversed(score.top))


def _prompts(prompt: object) -> list[str | tuple[int, ...]]:
    """One prompt or several, each a text or token ids. Raises ApiError."""
    if isinstance(prompt, str):
        return [bodies.text(prompt, "prompt")]
    if isinstance(prompt, list) and prompt:
        if all(isinstance(each, str) for each in prompt):
            return [bodies.text(each, "prompt") for each in prompt]
        if all(_is_id(each) for each in prompt):
            return [tuple(prompt)]
        if all(isinstance(each, list) and each and all(map(_is_id, each)) for each in prompt):
            return [tuple(each) for each in prompt]
    raise ApiError(
        "prompt is a text, a list of texts, a list of token ids, or a list of such lists; send one.", param="prompt"
    )


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# -------------------------------------------------------------------------------------------------------------- tokenizers


def tokenized(models: Models, body: Body) -> dict[str, Any]:
    """A text as token ids, in the shape of vLLM."""
    model = _asked_of(models, body.get("model"))
    begun = body.get("add_special_tokens") is not False
    ids = model.engine.raw.tokens(model.checkpoint, bodies.text(body.get("prompt"), "prompt"), begun)
    context = model.engine.raw.tokenizer(model.checkpoint).context
    return {"tokens": list(ids), "count": len(ids), "max_model_len": context}


def detokenized(models: Models, body: Body) -> dict[str, Any]:
    """Token ids as text."""
    model, ids = _asked_of(models, body.get("model")), body.get("tokens")
    if not isinstance(ids, list) or not all(map(_is_id, ids)):
        raise ApiError("tokens is a list of token ids; send one.", param="tokens")
    return {"prompt": model.engine.raw.text(model.checkpoint, ids)}


def tokenizer_told(models: Models, name: str | None) -> dict[str, Any]:
    """What programs want to know of a tokenizer before they ask anything."""
    model = _asked_of(models, name)
    told = model.engine.raw.tokenizer(model.checkpoint)
    special = {"eos_token": told.eos, "bos_token": told.bos, "pad_token": told.pad}
    return {
        **{key: value or None for key, value in special.items()},
        "tokenizer_class": "Tiller",
        "chat_template": told.chat_template,
        "model_max_length": told.context,
    }


def _asked_of(models: Models, name: object) -> Model:
    """The model of a name; without one, the first family's final checkpoint."""
    if name is not None:
        return models.find(bodies.text(name, "model"))
    engine = models.engines()[0]
    return models.find(f"{engine.family.name}/{engine.family.final.name}")


def raw_answers(asked: RawAsked) -> Generator[list[RawAnswer], None, None]:
    """Nothing after every slice of the work, and at its end the answers; closing it ends the work."""
    work = asked.model.engine.raw.complete(asked.request)
    try:
        while True:
            next(work)
            yield []
    except StopIteration as stop:
        yield stop.value
    finally:
        work.close()
