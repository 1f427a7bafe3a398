"""What is sent: JSON of a bounded size, and its fields by kind. A field that would change the answer and is not there is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request

from app.v1.errors import ApiError
from core.chat.drawing import TokenDrawing
from core.chat.events import ALTERNATIVES
from core.chat.settings import Turn
from core.util.files import parsed_json
from core.util.limits import MAX_LINK

Body = Mapping[str, Any]

#: So many answers to one chat.
MAX_ANSWERS = 8
#: What Sampling calls each field; the first that is given holds.
_NUMBERS = {
    "temperature": ("temperature",), "top_p": ("top_p",), "top_k": ("top_k",), "seed": ("seed",),
    "repetition_penalty": ("repetition_penalty",), "max_new_tokens": ("max_completion_tokens", "max_tokens"),
}  # fmt: skip
_WHOLE = ("top_k", "seed", "max_new_tokens")
#: Fields that would change the answer, and what each may be here: as if it were not there.
_REFUSED: Mapping[str, tuple[object, ...]] = {
    "tools": ([],), "functions": ([],), "tool_choice": ("none", "auto"), "response_format": ({"type": "text"},), "suffix": ("",),
    "modalities": (["text"],), "stop_token_ids": ([],), "bad_words": ([],), "allowed_token_ids": (), "ignore_eos": (False,),
    "min_tokens": (0,), "use_beam_search": (False,), "include_stop_str_in_output": (False,), "skip_special_tokens": (True,),
    "add_special_tokens": (True,), "truncate_prompt_tokens": (), "prompt_logprobs": (), "chat_template": (),
    "chat_template_kwargs": ({},), "structured_outputs": (), "guided_choice": (), "guided_json": (), "guided_regex": (),
    "guided_grammar": (), "max_new_tokens": (), "recipe": (),
}  # fmt: skip
#: What is meant where a field is called otherwise here.
_INSTEAD = {"recipe": "steering", "max_new_tokens": "max_tokens"}


async def body_of(request: Request) -> Body:
    """What was sent, as far as it may be of a size. Raises ApiError."""
    sent = bytearray()
    try:
        async for part in request.stream():
            sent += part
            if len(sent) > MAX_LINK:
                raise ApiError(
                    f"A request has at most {MAX_LINK:,} bytes; send its last messages, or fewer prompts.", 413
                )
    except ClientDisconnect as error:
        raise ApiError("The request ended in its midst; send it again.") from error
    try:
        found = parsed_json(sent.decode("utf-8-sig"))
    except ValueError as error:
        raise ApiError("That is no JSON; send a body as chat programs do, with a model and messages.") from error
    if not isinstance(found, Mapping):
        raise ApiError("That is no JSON object; send a body as chat programs do, with a model and messages.")
    return found


def check_fields(body: Body) -> None:
    """Refuse what would change an answer and is not there. Raises ApiError."""
    for name, neutral in _REFUSED.items():
        if body.get(name) is not None and body[name] not in neutral:
            instead = f"send {_INSTEAD[name]} for it" if name in _INSTEAD else "leave it out"
            raise ApiError(f"{name} cannot be had here; {instead}.", param=name)


def sampling_of(body: Body) -> dict[str, Any]:
    """How answers are drawn, as keywords of ``Sampling``: what is given of them."""
    given: dict[str, Any] = {}
    for own, names in _NUMBERS.items():
        name = next((each for each in names if body.get(each) is not None), None)
        if name is not None:
            given[own] = number(body[name], name, own in _WHOLE)
    stop = body.get("stop")
    if stop is not None:
        given["stop"] = tuple(text(each, "stop") for each in (stop if isinstance(stop, list) else [stop]))
    return given


def drawing_of(body: Body, alternatives: int = 0) -> TokenDrawing:
    """How tokens are drawn beyond the sampling. Raises TillerError."""
    given = {
        name: float(number(body[name], name, False))
        for name in ("min_p", "presence_penalty", "frequency_penalty")
        if body.get(name) is not None
    }
    bias = body.get("logit_bias") or {}
    if not isinstance(bias, Mapping) or not all(isinstance(token, str) and token.isdecimal() for token in bias):
        raise ApiError("logit_bias is an object: token ids, each with a number; send one.", param="logit_bias")
    shifts = tuple((int(token), float(number(value, "logit_bias", False))) for token, value in bias.items())
    return TokenDrawing(max(alternatives, ALTERNATIVES), logit_bias=shifts, **given)


def chat_of(messages: object) -> tuple[str, tuple[Turn, ...], str]:
    """The system prompt and the turns of a list of messages, and how the last one's answer begins where the assistant's is the last."""
    system: list[str] = []
    turns: list[tuple[list[str], list[str]]] = []
    if not isinstance(messages, list):
        raise ApiError("messages is a list; send one.", param="messages")
    for each in messages:
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
            raise ApiError(
                "A message is the system's, the user's or the assistant's, and the user begins.", param="messages"
            )
    if not turns:
        raise ApiError("There is no message to answer; send one of the user's.", param="messages")
    begun = "\n\n".join(turns[-1][1])
    made = [Turn("\n\n".join(said), ("\n\n".join(replies),) if replies else ()) for said, replies in turns[:-1]]
    return "\n\n".join(system), (*made, Turn("\n\n".join(turns[-1][0]))), begun


def _content(message: Mapping[str, Any]) -> str:
    """The text of a message, which may come in parts."""
    content = message.get("content")
    if content is None and message.get("role") == "assistant":
        # So programs send what called a tool and said nothing.
        return ""
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    if not all(isinstance(each, Mapping) and each.get("type") == "text" for each in parts):
        raise ApiError("Only text can be read here: leave pictures, sounds and files out.", param="messages")
    return "".join(text(each.get("text"), "content") for each in parts)


def text(value: object, name: str) -> str:
    """A text. Raises ApiError, also for one that holds half a character, which nothing can read or write."""
    if not isinstance(value, str):
        raise ApiError(f"{name} is a text; send one.", param=name)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ApiError(f"{name} holds half a character (a lone surrogate); send whole ones.", param=name) from error
    return value


def number(value: object, name: str, whole: bool) -> float | int:
    """A number, a whole one. Raises ApiError."""
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise ApiError(f"{name} is a {'whole number' if whole else 'number'}; send one.", param=name)
    if not -(2**63) <= value < 2**63:
        raise ApiError(f"{name} is far too large, or no number; send another one.", param=name)
    return value if whole else float(value)


def whole_between(body: Body, name: str, low: int, high: int, otherwise: int) -> int:
    """A whole number of a range, or what it is where it was not sent. Raises ApiError."""
    value = body.get(name)
    if value is None:
        return otherwise
    found = int(number(value, name, True))
    if not low <= found <= high:
        raise ApiError(f"{name} is between {low} and {high}, not {found}.", param=name)
    return found


def flag(body: Body, name: str) -> bool:
    """Whether something is wanted. Raises ApiError for what is neither yes nor no."""
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise ApiError(f"{name} is true or false; send one of them.", param=name)
    return bool(value)


def steering_of(body: Body) -> str | None:
    """The recipe that takes the place of the name's; None where none was sent."""
    return None if body.get("steering") is None else text(body["steering"], "steering")
