"""An answer as a strip of tokens: coloured by a lens, with a cursor that explains whichever token it stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.containers import ScrollableContainer
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from core.chat.answers import Answer
from core.display.palette import ink
from tui.messages import (
    AlternativesWanted,
    CheckpointWanted,
    CloseWanted,
    ColumnChosen,
    CopyWanted,
    GoOnWanted,
    LensChosen,
    RewriteWanted,
    TokenPointed,
    VersionWanted,
)
from tui.text import clipped, shown
from tui.widgets.face import Face
from tui.widgets.wrapping import FOLD, Cell, answer_cells, plain_cells, runs, wrap

if TYPE_CHECKING:
    from textual.events import Click, Leave, MouseMove


class AnswerStrip(Widget, can_focus=True):
    """One column's reply, a title above it. Tokens only where readings are known; then it can take the focus."""

    HELP = (
        "One column's answer. Each word piece is a token, coloured by the lens. Move with the arrow keys: the token under the "
        "cursor is explained, with the tokens the model might have said instead. Enter chooses among those; "
        "1 to 9 choose what the colours show, Ctrl+E opens what the model thought before it answered. Shift+← and Shift+→ page through the "
        "versions that Ctrl+R and edits have left, Ctrl+W lets a cut-off answer go on, Ctrl+U lets you write the answer or how it begins, "
        "Ctrl+Y copies it."
    )
    #: How one gets there, in the help of what is elsewhere on the screen.
    WHERE: ClassVar[str] = "On an answer (Ctrl+G)"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Token before", show=False, id="strip.left"),
        Binding("right", "move(1)", "Token after", show=False, id="strip.right"),
        Binding("up", "line(-1)", "Line above", show=False, id="strip.up"),
        Binding("down", "line(1)", "Line below", show=False, id="strip.down"),
        Binding("home", "edge(0)", "First token", show=False, id="strip.home"),
        Binding("end", "edge(-1)", "Last token", show=False, id="strip.end"),
        Binding("enter", "instead", "Say another token", key_display="⏎", id="strip.instead"),
        *(
            Binding(str(n), f"lens({n - 1})", "Colour by that one", show=False, id=f"strip.lens{n}")
            for n in range(1, 10)
        ),
        # No letters: they go to the prompt.
        Binding("ctrl+e", "thought", "Thought", show=False, key_display="^e", id="strip.thought"),
        Binding("shift+left", "version(-1)", "Version before", key_display="⇧←", show=False, id="strip.before"),
        Binding("shift+right", "version(1)", "Version after", key_display="⇧→", show=False, id="strip.after"),
        Binding("ctrl+w", "go_on", "Continue", key_display="^w", show=False, id="strip.go_on"),
        Binding("ctrl+u", "rewrite", "Write this answer", key_display="^u", show=False, id="strip.rewrite"),
        Binding("ctrl+y", "copy", "Copy", key_display="^y", show=False, id="strip.copy"),
        Binding("f10", "checkpoint", "Checkpoint", key_display="F10", id="strip.checkpoint"),
        Binding("ctrl+x", "close", "Close column", key_display="^x", id="strip.close"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "strip--title",
        "strip--chosen",
        "strip--dim",
        "strip--cursor",
        "strip--error",
        "strip--join",
    }
    DEFAULT_CSS = """
    AnswerStrip {
        height: auto; width: 1fr; padding: 0 1 0 1; margin: 0 0 1 0; border-left: outer $quiet 40%;
        & .strip--title { color: $quiet; }
        & .strip--chosen { color: $text-accent; text-style: bold; }
        & .strip--dim { color: $quiet; text-style: italic; }
        & .strip--error { color: $text-error; }
        & .strip--join { color: $text-warning; text-style: bold; }
        & .strip--cursor { background: $foreground; color: $background; text-style: bold; }
        &.-selected { border-left: outer $accent; }
        &:focus { background: $field; }
        &:ansi:focus { background: ansi_default; }
        &:ansi {
            border-left: outer ansi_bright_black;
            &.-selected { border-left: outer ansi_cyan; }
            & .strip--title, & .strip--dim { color: ansi_default; text-style: dim; }
            & .strip--chosen { color: ansi_cyan; text-style: bold; }
            & .strip--error { color: ansi_red; }
            & .strip--join { color: ansi_yellow; }
            & .strip--cursor { background: ansi_default; color: ansi_default; text-style: reverse bold; }
        }
    }
    """

    def __init__(self, column: int) -> None:
        super().__init__()
        self.column = column
        self.face = Face("", None)
        self.cursor: int | None = None
        self._rows: list[list[Cell]] = []
        self._set: list[list[Segment]] = []
        self._set_for: tuple[str, int] = ("", 0)
        self._wrapped_for: tuple[Answer | str | None, int, bool] = (None, -1, False)
        #: Whether what was thought before the answer is shown.
        self.opened = False
        self.can_focus = False

    # --------------------------------------------------------------------------------------------------------- showing

    def show(self, face: Face) -> None:
        """Draw this from now on. The cursor stays where it is as long as its token is there."""
        if face == self.face:
            return
        # Nearly every token stands on a row that is there: the whole screen is laid out again only for another row.
        width = self.content_size.width
        before = self.get_content_height(None, None, width)
        self.face = face
        self.can_focus = face.answer is not None and bool(face.answer.tokens)
        if face.answer is None or (self.cursor is not None and self.cursor >= len(face.answer.tokens)):
            self.cursor = None
        self.set_class(face.selected, "-selected")
        self.refresh(layout=not width or self.get_content_height(None, None, width) != before)

    def rows(self, width: int) -> list[list[Cell]]:
        """The text as rows of cells for a width, kept until either changes."""
        source: Answer | str = self.face.answer if self.face.answer is not None else self.face.text
        if self._wrapped_for[1:] != (width, self.opened) or self._wrapped_for[0] is not source:
            cells = answer_cells(source, self.opened) if isinstance(source, Answer) else plain_cells(source)
            self._rows, self._wrapped_for = wrap(cells, max(1, width)), (source, width, self.opened)
        return self._rows

    def _text_lines(self, width: int) -> list[list[Segment]]:
        """The answer as text for a width, kept until either changes."""
        # Not before it is wanted: the first paint waits for neither.
        from rich.markdown import Markdown

        from core.display.markdown import markdown_tokens

        text = shown(self.face.answer.text if self.face.answer is not None else self.face.text)
        if self._set_for != (text, width):
            drawn = Markdown("", code_theme="ansi_dark", hyperlinks=False)
            # Its own parser would leave out what looks like HTML.
            drawn.parsed = markdown_tokens(text)
            console = self.app.console
            self._set = console.render_lines(drawn, console.options.update(width=max(1, width)), pad=False)
            self._set_for = (text, width)
        return self._set

    def _after_rows(self, width: int) -> list[list[Cell]]:
        text, _ = self.face.after
        return wrap(plain_cells(text), max(1, width)) if text else []

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """Title, text, a glyph row beneath each text row where there is no colour, and what is said after it."""
        if self.face.as_text:
            return 1 + len(self._text_lines(width)) + len(self._after_rows(width))
        return 1 + len(self.rows(width)) * self.face.step + len(self._after_rows(width))

    # --------------------------------------------------------------------------------------------------------- drawing

    def render_line(self, y: int) -> Strip:
        """One line: the title, text or glyphs, or what is said after the answer."""
        width, base = self.content_size.width, self.rich_style
        if y == 0:
            name = "strip--chosen" if self.face.selected else "strip--title"
            return Strip([Segment(clipped(self.face.title, width), base + self._style(name))]).adjust_cell_length(
                width, base
            )
        lines = self._text_lines(width) if self.face.as_text else []
        rows, step = ([] if self.face.as_text else self.rows(width)), self.face.step
        line, part = divmod(y - 1, step)
        if self.face.as_text and y - 1 < len(lines):
            segments = lines[y - 1]
        elif line < len(rows):
            segments = self._glyph_segments(rows[line], base) if part else self._text_segments(rows[line], base)
            if not part and line == len(rows) - 1 and self.face.running:
                segments = [*segments, Segment("▌", base + self._style("strip--chosen"))]
        else:
            _, name = self.face.after
            after, at = self._after_rows(width), y - 1 - (len(lines) if self.face.as_text else len(rows) * step)
            segments = (
                [Segment("".join(cell.text for cell in after[at]), base + self._style(name))] if at < len(after) else []
            )
        return Strip(segments).adjust_cell_length(width, base)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(name, partial=True)

    def _text_segments(self, row: list[Cell], base: Style) -> list[Segment]:
        if self.face.older and self.face.answer is None:
            base += self._style("strip--dim")
        return [Segment(text, self._token_style(token, lead, base)) for token, lead, text in runs(row)]

    def _token_style(self, token: int | None, lead: bool, base: Style) -> Style:
        if token is None:
            return base + self._style("strip--join")
        if token == FOLD:
            return base + self._style("strip--dim")
        if lead:
            return base
        if self.face.older and token != self.cursor:
            return base + self._style("strip--dim")
        ground = self.face.ground(token)
        style = base + Style(bgcolor=ground, color=ink(ground)) if ground and not self.face.glyphs else base
        if token == self.cursor:
            return base + self._style("strip--cursor") if self.has_focus else style + Style(underline=True, bold=True)
        return style

    def _glyph_segments(self, row: list[Cell], base: Style) -> list[Segment]:
        segments = []
        for token, lead, _ in runs(row):
            width = sum(cell.width for cell in row if cell.token == token and cell.lead == lead)
            segments.append(Segment(" " * width if token is None or lead else self.face.mark(token, width), base))
        return segments

    # ---------------------------------------------------------------------------------------------------------- cursor

    def point(self, index: int | None) -> None:
        """Put the cursor on a token, or the nearest one that is not folded, tell the screen and bring the line into view."""
        answer = self.face.answer
        if answer is None or not answer.tokens:
            return
        seen = [place for place, token in enumerate(answer.tokens) if self.opened or not token.thought]
        self.cursor = None if index is None else min(seen, key=lambda place: abs(place - index), default=None)
        self.post_message(TokenPointed(self.column, self.cursor))
        self.refresh()
        self._reveal()

    def _reveal(self) -> None:
        """Scroll the line under the cursor into view."""
        place = self._place()
        scroller = next((node for node in self.ancestors if isinstance(node, ScrollableContainer)), None)
        if place is not None and scroller is not None:
            step = self.face.step
            top = self.region.y - scroller.region.y + scroller.scroll_offset.y
            scroller.scroll_to_region(Region(0, top + place[0] * step, 1, 1 + step), animate=False, force=True)

    def _place(self) -> tuple[int, int] | None:
        """Row and middle column (in cells) of the token under the cursor."""
        for number, row in enumerate(self.rows(self.content_size.width)):
            at, spots = 0, []
            for cell in row:
                if cell.token == self.cursor and not cell.lead:
                    spots.append(at)
                at += cell.width
            if spots:
                return number, spots[len(spots) // 2]
        return None

    def token_at(self, x: int, y: int) -> int | None:
        """The token at a place within the content, in cells; FOLD on the line that stands for a thought."""
        rows, step = self.rows(self.content_size.width), self.face.step
        line = (y - 1) // step
        if self.face.as_text or y < 1 or not 0 <= line < len(rows):
            return None
        at = 0
        for cell in rows[line]:
            if at <= x < at + cell.width:
                return cell.token
            at += cell.width
        return None

    def action_move(self, by: int) -> None:
        """Go to the token before or after."""
        self.point((self.cursor if self.cursor is not None else -1) + by)

    def action_line(self, by: int) -> None:
        """Go to the nearest token of the line above or below; beyond the last line, on to the next column."""
        place = self._place()
        if place is None:
            self.point(0)
            return
        rows = self.rows(self.content_size.width)
        line = place[0] + by
        while 0 <= line < len(rows):
            at, found = 0, []
            for cell in rows[line]:
                if cell.token is not None and not cell.lead:
                    found.append((abs(at - place[1]), cell.token))
                at += cell.width
            if found:
                self.point(min(found)[1])
                return
            line += by
        if by > 0:
            self.screen.focus_next(AnswerStrip)
        else:
            self.screen.focus_previous(AnswerStrip)

    def action_edge(self, at: int) -> None:
        """Go to the first or the last token."""
        if self.face.answer is not None:
            self.point(at if at >= 0 else len(self.face.answer.tokens) + at)

    def action_instead(self) -> None:
        """Choose among the alternatives of the token under the cursor."""
        self.point(self.cursor or 0)
        self.post_message(AlternativesWanted(self.column))

    def action_lens(self, index: int) -> None:
        """Colour by the lens at this place."""
        self.post_message(LensChosen(index))

    def action_thought(self) -> None:
        """Show what was thought before the answer, or fold it."""
        self.opened = not self.opened
        self.refresh(layout=True)
        if self.cursor is not None:
            self.point(self.cursor)

    def action_version(self, by: int) -> None:
        """Show the version before or after."""
        self.post_message(VersionWanted(by))

    def action_go_on(self) -> None:
        """Let the answer go on where it was cut off."""
        self.post_message(GoOnWanted(self.column))

    def action_rewrite(self) -> None:
        """Write the answer in the model's place."""
        self.post_message(RewriteWanted(self.column))

    def action_copy(self) -> None:
        """Copy the answer."""
        self.post_message(CopyWanted(self.column))

    def action_checkpoint(self) -> None:
        """Choose another checkpoint for this column."""
        self.post_message(CheckpointWanted(self.column))

    def action_close(self) -> None:
        """Close this column."""
        self.post_message(CloseWanted(self.column))

    def on_focus(self) -> None:
        """The focused column is the selected one; its cursor starts at the first token."""
        self.post_message(ColumnChosen(self.column))
        self.point(self.cursor if self.cursor is not None else 0)

    def on_click(self, event: Click) -> None:
        """A click on the title asks for another checkpoint, a click on a token puts the cursor there."""
        self.post_message(ColumnChosen(self.column))
        at = event.get_content_offset(self)
        if at is None or self.face.answer is None:
            return
        token = self.token_at(at.x, at.y)
        if token == FOLD:
            self.action_thought()
        elif token is not None:
            self.point(token)
        elif at.y == 0:
            self.post_message(CheckpointWanted(self.column))

    def on_mouse_move(self, event: MouseMove) -> None:
        """The token under the mouse is explained while it is there."""
        at = event.get_content_offset(self)
        token = self.token_at(at.x, at.y) if at is not None else None
        if token not in (None, FOLD):
            self.post_message(TokenPointed(self.column, token))

    def on_leave(self, event: Leave) -> None:
        """Back to the token under the cursor."""
        if self.cursor is not None:
            self.post_message(TokenPointed(self.column, self.cursor))
