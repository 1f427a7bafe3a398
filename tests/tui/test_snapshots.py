"""What stands on each screen, letter by letter, with Skiff as it is shipped, in two sizes; Chat and the Library, which are others then,
also without colours.

Textual's own plugin for pictures asks for a pytest before 9, and its pictures are other ones with every version of Textual and Rich. What
is compared is the text of the screen, which says all that matters in a terminal; without colours, glyphs say what colours do. Where a
change is meant, ``SNAPSHOTS=write`` in the environment writes the files anew, and what changed is read in the difference.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.support.paths import ROOT
from tests.support.terminal import running, screen_text, shows, until
from tests.tui.test_chat import own_state  # noqa: F401  The fixture that gives every test its own state folder.
from tui.app import TillerApp

FOLDER = ROOT / "tests" / "tui" / "snapshots"
SIZES = ((80, 24), (120, 40))
#: The screen's key, what is done there, and what stands there when it is done.
SCREENS = {
    "chat": ("f2", (), "Write a message"),
    "blame": ("f3", (*"How do I kill a process?", "enter"), "What the models say"),
    "transfer": ("f4", (), "What was checked"),
    "inspect": ("f5", (), "settles on"),
    "library": ("f6", (), "Nine strengths"),
}
#: Those that are another without colours.
UNLIKE = ("chat", "library")
#: Windows over Chat: the key that opens each, and what stands there.
WINDOWS = {"checkpoints": ("f10", "stages of training"), "jobs": ("alt+j", "Nothing goes on")}


async def at_rest(app: TillerApp, pilot: Pilot[None]) -> str:
    """The screen once it does not change any more, without what is another's on another machine."""
    shown = ""
    while shown != (now := screen_text(app)):
        shown = now
        await pilot.pause(0.4)
    lines = shown.splitlines()
    # How fast it is, on what, and what it takes.
    lines[0] = re.sub(r" *● .*", " ●", lines[0])
    lines[-2] = re.sub(r" *memory \d+ MB( of [\d.]+ GB)?", "  memory … MB", lines[-2])
    # Figures are held by tests of their own: on another processor the last digit of one may be another.
    return "".join(f"{re.sub(r'[0-9]', '0', line).rstrip()}\n" for line in lines)


def compared(name: str, size: tuple[int, int], colours: bool, shown: str) -> Iterator[str]:
    """How a screen differs from what it was, line by line; that is written anew where it is meant to."""
    file = FOLDER / f"{name}.{size[0]}x{size[1]}{'' if colours else '.no-colour'}.txt"
    if os.environ.get("SNAPSHOTS") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(shown, encoding="utf-8")
    before = file.read_text(encoding="utf-8").splitlines()
    return difflib.unified_diff(before, shown.splitlines(), file.name, "now", n=1, lineterm="")


@pytest.mark.parametrize("colours", [True, False], ids=["colours", "no-colour"])
async def test_every_screen_is_as_it_was(colours: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What lies in the present folder, or in a person's own, is nothing that a screen may show.
    monkeypatch.chdir(tmp_path)
    if colours:
        monkeypatch.delenv("NO_COLOR", raising=False)
    else:
        monkeypatch.setenv("NO_COLOR", "1")
    other: list[str] = []
    done = set()
    async with running(Path("skiff"), size=SIZES[0]) as (app, pilot):
        assert app.no_color is not colours
        for size in SIZES:
            await pilot.press("f2")
            await pilot.resize_terminal(*size)
            for name, (key, keys, there) in SCREENS.items():
                if not colours and name not in UNLIKE:
                    continue
                await pilot.press(key)
                await until(pilot, lambda name=name: name == getattr(app.screen, "NAME", "chat"))
                await pilot.press(*(keys if name not in done else ()))
                done.add(name)
                await shows(app, pilot, there)
                other += compared(name, size, colours, await at_rest(app, pilot))
            for name, (key, there) in WINDOWS.items() if colours else ():
                await pilot.press("f2", key)
                await shows(app, pilot, there)
                other += compared(name, size, colours, await at_rest(app, pilot))
                await pilot.press("escape")
                await until(pilot, lambda: app.screen is app.chat)
    assert not other, "\n".join(other)
