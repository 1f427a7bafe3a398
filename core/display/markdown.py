"""An answer as a person reads it: its Markdown as shapes that a front end draws itself. Nothing of a model's ever becomes markup.

A shape is a text, or a list of a name and what is in it: ``["p", "so ", ["strong", "it"], " is"]``. The names are those of
:data:`TEXT_SHAPES`; only a link has something more, its address: ``["a", "https://…", "text"]``. Raw HTML is text, and so are pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

TextShape = Any
#: All that an answer can be drawn with.
TEXT_SHAPES = (
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "s", "hr", "br", "a",
    "table", "thead", "tbody", "tr", "th", "td",
)  # fmt: skip
_READER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")


@lru_cache(maxsize=512)
def typeset(text: str) -> list[TextShape]:
    """The shapes of a text in Markdown."""
    return _nested(markdown_tokens(text))


def markdown_tokens(text: str) -> list[Token]:
    """A text in Markdown as markdown-it's own tokens, for what draws those."""
    return _READER.parse(text)


def _nested(tokens: Sequence[Token]) -> list[TextShape]:
    """Tokens that open and close become lists within lists."""
    found: list[list[TextShape]] = [[]]
    for token in tokens:
        if token.nesting == 1:
            found.append([*_begun(token)])
        elif token.nesting == -1:
            closed = found.pop()
            found[-1] += [closed] if closed[0] else closed[1:]
        else:
            found[-1] += _leaf(token)
    return found[0]


def _begun(token: Token) -> list[TextShape]:
    if token.tag == "a":
        address = str(token.attrGet("href") or "")
        return ["a", address] if address.startswith(("https://", "http://")) else [""]
    # A paragraph of a list without space between its items is hidden.
    return [token.tag if token.tag in TEXT_SHAPES and not token.hidden else ""]


def _leaf(token: Token) -> list[TextShape]:
    match token.type:
        case "inline":
            return _nested(token.children or [])
        case "fence" | "code_block":
            return [["pre", token.content]]
        case "code_inline":
            return [["code", token.content]]
        case "softbreak":
            return ["\n"]
        case "hardbreak" | "hr":
            return [[token.tag]]
        case _:
            return [token.content]
