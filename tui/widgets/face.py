"""What a strip of tokens draws: an answer, the lens it is seen through, and what stands behind or beneath each of its tokens."""

from __future__ import annotations

from dataclasses import dataclass

from core.chat.answers import Answer, why_ended
from core.display.lenses import Lens, letter, value
from core.display.palette import glyph, level, tint

#: So near the middle, a signed value has no colour worth the name.
_NEUTRAL = 0.03


@dataclass(frozen=True)
class Face:
    """All that a strip draws. ``answer`` is ``None`` for a reply of which only the text is known; what is ``older`` is pale."""

    title: str
    answer: Answer | None
    text: str = ""
    lens: Lens | None = None
    middle: str = "#ffffff"
    glyphs: bool = False
    selected: bool = False
    running: bool = False
    hint: str = ""
    #: Whether it is drawn as text with headings, lists and code instead of tokens.
    as_text: bool = False
    #: Whether it was not written by what the title says.
    older: bool = False

    @property
    def step(self) -> int:
        """The lines of a row of tokens: two where something stands beneath it."""
        # Stages have their letters also where there are colours: nobody has to know the hues by heart.
        beneath = self.lens is not None and self.answer is not None and (self.glyphs or self.lens.kind == "stages")
        return 2 if beneath else 1

    @property
    def after(self) -> tuple[str, str]:
        """What stands below the text, and its component class."""
        if self.answer is None:
            return self.hint, "strip--dim"
        if self.answer.error:
            return f"✗ {self.answer.error}", "strip--error"
        said = [why_ended(self.answer.reason, "Ctrl+O"), self.answer.note, self.hint]
        return " · ".join(part for part in said if part), "strip--dim"

    def ground(self, token: int) -> str | None:
        """The colour behind a token, where it has one."""
        found = self._read(token)
        if found is None or self.answer is None or (found[0].kind == "signed" and abs(level(*found) - 0.5) < _NEUTRAL):
            return None
        return tint(found[0], self.answer.tokens[token], self.middle)

    def mark(self, token: int, width: int) -> str:
        """What stands beneath a token: a block for its value, or the letter of its stage with as much block as there is effect."""
        found = self._read(token)
        if found is None or self.answer is None:
            return " " * width
        if found[0].kind == "stages":
            return letter(found[0], self.answer.tokens[token]) + glyph(*found) * (width - 1)
        return glyph(*found) * width

    def _read(self, token: int) -> tuple[Lens, float] | None:
        """The lens and what it reads at a token; None where it reads nothing."""
        if self.answer is None or self.lens is None:
            return None
        number = value(self.lens, self.answer.tokens[token])
        return None if number is None else (self.lens, number)
