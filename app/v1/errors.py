"""What is refused, in the shape that OpenAI's clients read: their classes of errors follow from status and code."""

from __future__ import annotations

from typing import Any

from core.chat.raw import TooLongError
from core.chat.settings import SettingsError
from core.errors import TillerError
from core.recipes.scanner import RecipeError


class ApiError(TillerError):
    """A request that is refused: status, code and the field that is meant, empty where it is none; ``wait`` seconds to come again."""

    def __init__(self, sentence: str, status: int = 400, code: str = "", param: str = "", wait: int = 0) -> None:
        super().__init__(sentence)
        self.status, self.code, self.param, self.wait = status, code, param, wait


def refused(error: TillerError) -> ApiError:
    """Any of Tiller's errors as one of a request."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, RecipeError):
        return ApiError(str(error), 400, "invalid_recipe", "steering")
    if isinstance(error, TooLongError):
        return ApiError(str(error), 400, "context_length_exceeded", "prompt")
    about = error.about if isinstance(error, SettingsError) else ""
    return ApiError(str(error), param={"max_new_tokens": "max_tokens"}.get(about, about))


def error_body(error: ApiError, sentence: str) -> dict[str, Any]:
    """The document of an error, whose sentence is told as ``sentence``."""
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    return {"error": {"message": sentence, "type": kind, "param": error.param or None, "code": error.code or None}}
