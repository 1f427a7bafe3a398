"""What stands round every handler of a page: what it is given is of the kinds that it names, and what goes wrong in it is one sentence on
the page, and no traceback."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from itertools import zip_longest
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

import gradio as gr

from core.errors import TillerError
from core.util.faults import fault
from core.util.text import encodable

Told = Callable[[str], str]
#: Kinds of which a page's components send values.
_PLAIN = (str, int, float, bool, NoneType)


def guard(page: gr.Blocks, told: Told) -> None:
    """Put it round every handler of a page. ``told`` says what of a text the page may be told."""
    for each in page.fns.values():
        if each.fn is not None:
            each.fn = guarded(each.fn, told)


def guarded(handler: Callable[..., Any], told: Told) -> Callable[..., Any]:
    """A handler, whose errors are sentences."""
    given_as = _kinds(handler)
    if inspect.isgeneratorfunction(handler):

        @wraps(handler)
        def streaming(*given: Any, **named: Any) -> Any:
            try:
                for said in handler(*given_as(given), **named):
                    yield _told(said, told)
            except Exception as error:
                raise _said(error, told) from None

        return streaming
    if inspect.iscoroutinefunction(handler):

        @wraps(handler)
        async def waiting(*given: Any, **named: Any) -> Any:
            try:
                return _told(await handler(*given_as(given), **named), told)
            except Exception as error:
                raise _said(error, told) from None

        return waiting

    @wraps(handler)
    def answering(*given: Any, **named: Any) -> Any:
        try:
            return _told(handler(*given_as(given), **named), told)
        except Exception as error:
            raise _said(error, told) from None

    return answering


def _kinds(handler: Callable[..., Any]) -> Callable[[tuple[Any, ...]], list[Any]]:
    """What checks the values that a handler is called with against the plain kinds that it names; nothing is an empty text where a text is
    meant."""
    hints = get_type_hints(handler)
    wanted = [hints.get(name) for name in inspect.signature(handler).parameters]

    def check(given: tuple[Any, ...]) -> list[Any]:
        return [_of_kind(value, hint) for value, hint in zip_longest(given, wanted[: len(given)])]

    return check


def _of_kind(value: Any, hint: Any) -> Any:
    kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if not all(kind in _PLAIN for kind in kinds):
        return value
    if value is None and hint is str:
        return ""
    if not isinstance(value, kinds) and not (float in kinds and isinstance(value, int)):
        raise TillerError("The page sent something else than was asked for; reload it.")
    return value


def _told(said: Any, told: Told) -> Any:
    if isinstance(said, str):
        return told(encodable(said))
    return (
        type(said)(told(encodable(each)) if isinstance(each, str) else each for each in said)
        if type(said) in (tuple, list)
        else said
    )


def _said(error: Exception, told: Told) -> gr.Error:
    """What a page is told of an error; one that nobody foresaw is written down whole."""
    if isinstance(error, gr.Error):
        return gr.Error(told(encodable(str(error.message))), print_exception=False)
    sentence = str(error) if isinstance(error, TillerError) else fault("What the page asked for", error)
    return gr.Error(told(encodable(sentence)), print_exception=False)
