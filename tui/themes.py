"""Dark and light in Tiller's own colours (Okabe and Ito's, as in the lenses), and the terminal's own."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="tiller-dark", dark=True, primary="#0072B2", secondary="#56B4E9", accent="#56B4E9", foreground="#E4E7EA", background="#0F1419",
    surface="#171E26", panel="#1C2530", success="#4FC3A1", warning="#E69F00", error="#F0804A",
    variables={"quiet": "#8C9AA8", "field": "#243140"},
)  # fmt: skip
LIGHT = Theme(
    name="tiller-light", dark=False, primary="#0072B2", secondary="#005A8C", accent="#0072B2", foreground="#1B2128", background="#FAFAF7",
    surface="#F0F0EB", panel="#E6E8E6", success="#00724F", warning="#9A5B00", error="#B54708",
    variables={"quiet": "#5B6670", "field": "#DFE6EC"},
)  # fmt: skip
#: What a person may choose, by the word on screen.
CHOICES = {"dark": DARK.name, "light": LIGHT.name, "ansi dark": "ansi-dark", "ansi light": "ansi-light"}


def middle(theme: Theme) -> str:
    """The colour of a signed lens's middle: the screen's ground, black or white where only the terminal knows that."""
    ground = theme.background or ""
    return ground.lower() if ground.startswith("#") and len(ground) == 7 else "#000000" if theme.dark else "#ffffff"
