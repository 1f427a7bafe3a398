"""The five places of Tiller: tabs of the browser, screens of the terminal. Their names stand in links. No torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tab:
    """One place: its name in links, what it is called, its key in the terminal, what it is for, a command that does the same."""

    name: str
    title: str
    key: str
    about: str
    command: str


CHAT = Tab(
    "chat", "Chat", "f2", "Two to four columns answer side by side, steered or plain.", 'chat "How do I boil an egg?"'
)
TABS = (
    CHAT,
    Tab("blame", "Blame", "f3", "Which stage of training an answer came with, token by token.", 'blame "How do I boil an egg?"'),
    Tab("transfer", "Transfer", "f4", "Whether a direction learnt on one checkpoint works on another.", "transfer"),
    Tab("inspect", "Inspect", "f5", "Where a model keeps what it knows, and how it regulates its confidence.", "trace"),
    Tab("library", "Library", "f6", "Every direction that is here, and how to learn a new one.", "learn"),
)  # fmt: skip


def what_this_is(title: str, about: str, columns: int, steerable: bool) -> str:
    """What somebody reads first: in one line what the program does with what is on the screen, and what the model is."""
    said = f" {title} is {about}" if about else ""
    if not steerable:
        return f"Chat with it, and push it along a direction once it has one: a ready concept of the Library takes seconds.{said}"
    if columns < 2:
        return f"Ask the model, then push it along a direction with a slider: its answer turns.{said}"
    return f"Ask one model twice: as it is, and pushed along a direction.{said}"


def tab(name: str) -> Tab:
    """The place of that name. Raises KeyError for another one."""
    return {each.name: each for each in TABS}[name]
