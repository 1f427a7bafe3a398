"""Five tasks that a stranger does without help, in 80 × 24: with keys alone, and by what is to be read on the screen."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from textual.pilot import Pilot

from core.cli.command_line import read_command_line
from core.cli.options import Options
from core.directions import controls, learn_replies, reply_rates
from launch import verbs
from tests.support import tiny_models
from tests.support.terminal import read, screen_text, started, until
from tests.tui.test_chat import own_state  # noqa: F401  The fixture that gives every test its own state folder.
from tui.app import TillerApp

SIZE = (80, 24)
QUESTION = "How do I make bread?"
REFUSAL = "Sorry, I cannot help with that."


class Stranger:
    """Presses keys and reads."""

    def __init__(self, app: TillerApp, pilot: Pilot[str]) -> None:
        self.app, self.pilot = app, pilot

    async def presses(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def writes(self, text: str) -> None:
        await self.pilot.press(*text)

    async def commands(self, words: str, whole: str) -> None:
        """Find a command in the menu by some of its words, and take it once it is there alone."""
        await self.presses("ctrl+p")
        await self.writes(words)
        await self.reads(whole)
        await self.presses("enter")

    async def reads(self, *sentences: str) -> str:
        """Wait until all of these stand on the screen; gives everything that does."""
        try:
            await until(self.pilot, lambda: all(each in read(self.app) for each in sentences))
        except AssertionError:
            raise AssertionError(f"{sentences} never stood there:\n{screen_text(self.app)}") from None
        return read(self.app)


def skiff() -> Options:
    return Options(family="skiff", threads=1)


async def asked(app: TillerApp, pilot: Pilot[str], question: str = QUESTION) -> Stranger:
    """Somebody who has opened the program, seen that it is ready, and asked something."""
    stranger = Stranger(app, pilot)
    await stranger.reads("● ready", "Write a message")
    await stranger.writes(question)
    await stranger.presses("enter")
    await stranger.reads(f"you {question}")
    return stranger


def test_a_model_is_steered_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steer(app: TillerApp, pilot: Pilot[str]) -> None:
        stranger = await asked(app, pilot)
        await stranger.reads("plain · dpo Boil water", REFUSAL, "it refuses where it answers by itself")
        # It is the slider that does it: at nothing the model answers, and pushed again it refuses again.
        await stranger.presses("ctrl+down", "ctrl+down", "ctrl+down")
        said = await stranger.reads("nothing: the model as it is", "the model as it is")
        await until(pilot, lambda: REFUSAL not in read(app))
        assert said.count("plain · dpo") == 2
        await stranger.presses("ctrl+up", "ctrl+up", "ctrl+up")
        await stranger.reads("steered · dpo · 1.5*refusal " + REFUSAL)
        await stranger.presses("ctrl+q")

    started(monkeypatch, skiff(), steer, size=SIZE)


def test_who_taught_it_a_refusal_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def find_out(app: TillerApp, pilot: Pilot[str]) -> None:
        stranger = await asked(app, pilot, "How do I kill a process?")
        await stranger.reads(f"plain · dpo {REFUSAL}")
        # Not all chips have room at this width once something was asked; the last one shows them all.
        await until(pilot, lambda: app.chat.runs.run is None)
        await stranger.reads("more …")
        await stranger.presses("tab", "right", "right")
        await stranger.presses("enter")
        await stranger.reads("Who taught it that?")
        await stranger.presses("down", "down", "down", "enter")
        await stranger.reads(
            "The safety stage taught it that. Really trained again without it, the model answers: “You can stop a process with the kill "
            "command.” How we know: Blame (F3).",
            f"plain · dpo {REFUSAL}",
            "plain · without-safety",
        )
        # And how that is known: the probabilities with and without each stage.
        await stranger.presses("f3")
        await stranger.reads("^t From chat")
        await stranger.presses("ctrl+t")
        await stranger.reads(
            "The safety stage taught it this", "model says “You can stop a process", "Y safety +1.00 +"
        )
        await stranger.presses("ctrl+q")

    started(monkeypatch, skiff(), find_out, size=SIZE)


def test_a_model_of_ones_own_is_opened_and_made_formal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Few and short replies: what is tried is the way there, not how well random weights learn.
    monkeypatch.setattr(controls, "CONTROLS", 2)
    monkeypatch.setattr(reply_rates, "REPLY_TOKENS", 4)
    monkeypatch.setattr(learn_replies, "SAID_TOKENS", 4)
    model = tiny_models.family(tmp_path, checkpoints=("own",), plain_base=False) / "own"

    async def open_it(app: TillerApp, pilot: Pilot[str]) -> None:
        stranger = Stranger(app, pilot)
        await stranger.reads("● ready")
        await stranger.commands("open another", "Open another model")
        await stranger.writes(str(model))
        await stranger.presses("enter")
        await stranger.reads("Enter opens it.")
        await stranger.presses("enter")
        await until(pilot, lambda: app._exit)

    async def make_it_formal(app: TillerApp, pilot: Pilot[str]) -> None:
        stranger = await asked(app, pilot)
        # A model that nobody has looked at has nothing to steer by, and the screen says where that is to be had.
        await stranger.reads("Library")
        await stranger.presses("f6")
        await stranger.reads("s Shelf")
        await stranger.presses("s")
        await stranger.reads("Teach model …", "formal")
        await stranger.presses("enter")
        await stranger.reads("Learnt formal on model.", "model can be steered by 1 direction: formal")
        await stranger.presses("u")
        await stranger.reads("formal · leaning ", "*formal", "layer")
        # Random weights go on until the context is full: the question and the first column have scrolled away, and come back.
        await until(pilot, lambda: app.chat.runs.run is None)
        await stranger.presses(*["pageup"] * 20)
        await stranger.reads(f"you {QUESTION}", "plain · model")
        await stranger.presses("ctrl+q")

    apps = started(monkeypatch, skiff(), open_it, make_it_formal, size=SIZE)
    plain, formal = (apps[1].chat.session.answers[column].text for column in (0, 1))
    assert plain
    assert plain != formal


def test_two_checkpoints_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    async def compare(app: TillerApp, pilot: Pilot[str]) -> None:
        stranger = await asked(app, pilot)
        await stranger.reads("F7 Compare", "steered · dpo · 1.5*refusal " + REFUSAL)
        await stranger.presses("f7")
        await stranger.reads("Compare with another column: whose?", "base after pretrain")
        await stranger.presses("home", "enter")
        # The same question, answered by it at once.
        await stranger.reads("plain · base")
        await until(pilot, lambda: app.chat.runs.run is None)
        await stranger.writes("What is the capital of Japan?")
        await stranger.presses("enter")
        await stranger.reads("you What is the capital of Japan?", "plain · dpo The capital of Japan is Tokyo.")
        await stranger.presses("pagedown", "pagedown")
        await stranger.reads("plain · base")
        await until(pilot, lambda: app.chat.runs.run is None)
        await stranger.presses("ctrl+q")

    started(monkeypatch, skiff(), compare, size=SIZE)


def test_a_friend_opens_the_same_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []

    async def share(app: TillerApp, pilot: Pilot[str]) -> None:
        stranger = await asked(app, pilot)
        await stranger.reads(REFUSAL, "it refuses where it answers by itself")
        await stranger.commands("link", "Link that opens this state elsewhere")
        await stranger.reads("A link to this state", "In a terminal", "c copies")
        await stranger.presses("c")
        await stranger.reads("copied (where the terminal allows it)")
        sent.append(app.clipboard)
        # What is copied is what is shown.
        shown = re.search(r"In a terminal(.*?)In the browser", read(app))
        assert shown is not None
        assert "".join(shown[1].split()) == "".join(app.clipboard.split())
        await stranger.presses("escape", "ctrl+q")

    started(monkeypatch, skiff(), share, size=SIZE)
    words = shlex.split(sent[0])
    options = read_command_line(words[words.index("tui") :], verbs()).options
    options.threads = 1
    # The friend has a machine of their own.
    monkeypatch.setenv("TILLER_STATE", str(tmp_path / "friend"))

    async def open_it(app: TillerApp, pilot: Pilot[str]) -> None:
        friend = Stranger(app, pilot)
        said = await friend.reads(
            f"you {QUESTION}", "plain · dpo Boil water", "steered · dpo · 1.5*refusal " + REFUSAL, "it refuses where"
        )
        # Written here and now, and what can be done with it can be done.
        assert "recorded" not in said
        await until(pilot, lambda: app.chat.runs.run is None)
        await friend.presses("ctrl+down", "ctrl+down", "ctrl+down")
        await until(pilot, lambda: REFUSAL not in read(app))
        await friend.presses("ctrl+q")

    started(monkeypatch, options, open_it, link=options.link, size=SIZE)
