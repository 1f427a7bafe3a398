"""Text that anybody may have written, as it may be shown and worked with."""

from __future__ import annotations

from collections.abc import Sequence


def clean(text: str) -> str:
    """Text without control characters (newline and tab stay), lone surrogates replaced: safe to show and to tokenize."""
    if text.isprintable():
        # Most tokens: nothing to take out. What is printable is neither a control character nor a surrogate.
        return text
    kept = (
        c
        for c in text.replace("\r\n", "\n").replace("\r", "\n")
        if c in "\n\t" or (ord(c) >= 32 and not 127 <= ord(c) < 160)
    )
    return encodable("".join(kept))


def and_list(words: Sequence[str]) -> str:
    """Words as a sentence lists them: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def encodable(text: str) -> str:
    """Text with its lone surrogates replaced, which JSON may bring and no file or connection takes."""
    return text.encode("utf-8", "replace").decode()
