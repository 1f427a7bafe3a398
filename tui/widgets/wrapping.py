"""Words of tokens laid out in rows of a given width, each character knowing its token. No widget here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from rich.cells import cell_len

from core.chat.answers import Answer
from tui.text import shown

#: What the line that stands for a thought has in place of a token's index.
FOLD = -1


@dataclass(frozen=True)
class Cell:
    """One character on the screen, ``width`` cells wide, of the token at index ``token`` (``None``: not of the answer).

    ``lead`` marks the white space a token begins with: it stays uncoloured, so that neighbouring tokens can be told apart.
    ``breaks`` ends the row after this character.
    """

    text: str
    token: int | None
    width: int
    lead: bool = False
    breaks: bool = False

    @property
    def space(self) -> bool:
        """Whether a row may end here."""
        return self.text == " "


def answer_cells(answer: Answer, opened: bool = False) -> list[Cell]:
    """An answer's characters, with a bar where the recipe was changed. What was thought before it is one line, unless it is ``opened``."""
    joins = {index for index, _ in answer.joins if index > 0}
    cells: list[Cell] = []
    if answer.thought:
        cells += _fold(
            f"▾ thought, {answer.thought} tokens (^e folds it)"
            if opened
            else f"▸ thought, {answer.thought} tokens (^e opens it)"
        )
    for index, token in enumerate(answer.tokens):
        if token.thought and not opened:
            continue
        if opened and index and answer.tokens[index - 1].thought and not token.thought:
            cells += _fold(" ")
        if index in joins:
            cells.append(Cell("│", None, 1))
        cells += _text_cells(shown(token.text), index)
    return cells


def _fold(text: str) -> list[Cell]:
    """A line that stands for the thought."""
    cells = [Cell(character, FOLD, 1, lead=True) for character in text]
    return [*cells[:-1], replace(cells[-1], breaks=True)]


def plain_cells(text: str) -> list[Cell]:
    """A text without tokens, as the cells of one."""
    return [replace(cell, token=0, lead=True) for cell in _text_cells(shown(text), 0)]


@lru_cache(maxsize=20_000)
def _text_cells(text: str, token: int) -> tuple[Cell, ...]:
    cells: list[Cell] = []
    begun = not text.strip()
    for character in text:
        begun = begun or not character.isspace()
        if character == "\n":
            cells.append(Cell("⏎", token, 1, breaks=True))
        elif cell_len(character) == 0 and cells:
            # A combining mark belongs to the character before it.
            cells[-1] = replace(cells[-1], text=cells[-1].text + character)
        else:
            cells.append(Cell(character, token, cell_len(character), lead=not begun))
    return tuple(cells)


def wrap(cells: Iterable[Cell], width: int) -> list[list[Cell]]:
    """Rows of at most ``width`` cells, broken between words where that is possible; never an empty list."""
    rows: list[list[Cell]] = [[]]
    word: list[Cell] = []
    for cell in cells:
        if cell.breaks or cell.space:
            _put(rows, word, width)
            word = []
            _put(rows, [cell], width)
            if cell.breaks:
                rows.append([])
        else:
            word.append(cell)
    _put(rows, word, width)
    return rows


def _put(rows: list[list[Cell]], word: list[Cell], width: int) -> None:
    """Add a word to the last row, or to a new one when it does not fit; a word longer than a row is cut."""
    used = sum(cell.width for cell in rows[-1])
    long = sum(cell.width for cell in word)
    if word and used and used + long > width and not word[0].space:
        rows.append([])
        used = 0
    for cell in word:
        if used + cell.width > width:
            if cell.space and rows[-1]:
                return
            rows.append([])
            used = 0
        rows[-1].append(cell)
        used += cell.width


def runs(row: list[Cell]) -> list[tuple[int | None, bool, str]]:
    """Neighbouring cells of one token (its leading space apart) as (token, leading, text)."""
    found: list[tuple[int | None, bool, str]] = []
    for cell in row:
        if found and found[-1][:2] == (cell.token, cell.lead):
            found[-1] = (cell.token, cell.lead, found[-1][2] + cell.text)
        else:
            found.append((cell.token, cell.lead, cell.text))
    return found
