"""A text on the screen that costs nothing while it stays what it is."""

from __future__ import annotations

from textual.content import Content
from textual.visual import VisualType
from textual.widgets import Static


class Words(Static):
    """A Static that is drawn again only for another text, and has the screen laid out again only for one that takes another room.

    The Chat screen puts all its texts anew with every token, and Textual lays the whole screen out for each that is put.
    """

    def update(self, content: VisualType = "", *, layout: bool = True) -> None:
        """Show this from now on."""
        before = self.content
        if isinstance(content, Content) and isinstance(before, Content):
            if content.is_same(before):
                return
            # As wide and as high in the same rows: where lines break, equal widths of words need not be.
            layout = layout and not (
                content.plain.count("\n") == before.plain.count("\n") == 0 and _alike(self, content, before)
            )
        super().update(content, layout=layout)


def _alike(words: Words, content: Content, before: Content) -> bool:
    """Whether both take one row, and as much of it where the row is as wide as its text; nothing may take none."""
    if not content.plain or not before.plain:
        return False
    if words.styles.width is not None and words.styles.width.is_auto:
        return content.cell_length == before.cell_length
    width = words.content_size.width
    return max(content.cell_length, before.cell_length) <= width
