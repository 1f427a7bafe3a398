"""Chats that the browser keeps, and the versions of the one that is open. The server keeps none: it writes and reads their documents."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import gradio as gr

from app.chat import documents
from app.chat.conversation import Chat, Told
from app.visits import Visit, index, text, whole
from core.chat.answers import to_markdown
from core.chat.beginnings import Beginning
from core.chat.kept import head_of, kept_document, one_line, read_chats, read_kept
from core.chat.opening import check_family
from core.chat.settings import Column
from core.display.markdown import typeset
from core.engine.demo_page import demo_page, make_demo
from core.errors import TillerError
from core.util.limits import MAX_CHAT


class Keeping:
    """The handlers of the list of chats, and of what stands beside each message."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat

    # ------------------------------------------------------------------------------------------------------ kept chats

    def keep(self, event: gr.EventData, request: gr.Request) -> Any:
        """The chat as it stands, for the browser to keep; nothing where another one has come in its place meanwhile."""
        visit, said = self.chat.heard(event, request)
        with visit.lock:
            if visit.session.id != said.get("kept") or not visit.settings.turns:
                return gr.skip()
            return _said(chats=[_chat(kept_document(visit.session, time.time()))])

    def open_chat(self, event: gr.EventData, request: gr.Request) -> Iterator[Told]:
        """A kept chat is opened in place of the present one; undo brings that back. What its columns did not finish is answered."""
        visit, said = self.chat.heard(event, request)
        self.chat.end(visit)
        try:
            opened = read_kept(read_chats(text(said, "text"), MAX_CHAT)[0])
            check_family(opened.settings, self.chat.engine.family)
        except TillerError as error:
            yield from self.chat.refuse(visit, error)
            return
        visit.session.replace_by(opened)
        visit.sliders.forget()
        if visit.session.lacking:
            yield from self.chat.answer(visit, visit.session.lacking)
        else:
            yield self.chat.view(visit), self.chat.everything(visit)

    def export(self, event: gr.EventData, request: gr.Request) -> str:
        """The chat as a file: its name, its kind, its text."""
        visit, said = self.chat.heard(event, request)
        name = f"tiller-{visit.settings.family}-{time.strftime('%Y%m%d-%H%M%S')}"
        if said.get("kind") == "json":
            body = documents.dump(kept_document(visit.session, time.time()))
            return documents.dump(
                {"at": time.time_ns(), "name": f"{name}.json", "type": "application/json", "text": body}
            )
        body = to_markdown(visit.settings, visit.session.answers)
        return documents.dump({"at": time.time_ns(), "name": f"{name}.md", "type": "text/markdown", "text": body})

    def export_page(self, event: gr.EventData, request: gr.Request) -> Iterator[str]:
        """The last message as a page that needs no server: until it is there, sentences on how far it is."""
        visit, _ = self.chat.heard(event, request)
        settings = visit.settings
        if not settings.turns:
            yield _said(
                error="Ask something first: the page shows what your last message is answered at every strength."
            )
            return
        alone = replace(settings, columns=(Column(settings.column.checkpoint),), selected=0, turns=())
        work = make_demo(visit.engine, alone.ask(settings.turns[-1].user))
        try:
            while True:
                yield _said(told=f"Writing the page: {next(work).sentence}")
        except StopIteration as stop:
            name = f"tiller-{settings.family}-{time.strftime('%Y%m%d-%H%M%S')}.html"
            done = "The page is written: it opens in any browser."
            said = _said(name=name, type="text/html", text=demo_page(stop.value), told=done)
            # Gradio warns of what looks like a script, though this one is no part of the page.
            yield said.replace("<", "\\u003c")
        except TillerError as error:
            yield _said(error=str(error))
        finally:
            work.close()

    def import_chats(self, event: gr.EventData, request: gr.Request) -> str:
        """A chat of a file: read and written anew, for the browser to keep. The page sends those of a large file one by one."""
        try:
            found = read_chats(text(self.chat.heard(event, request)[1], "text"), MAX_CHAT)
            return _said(chats=[_chat(each) for each in found], imported=True)
        except TillerError as error:
            return _said(error=str(error))

    def name_chat(self, event: gr.EventData, request: gr.Request) -> Told:
        """The open chat has another title."""
        visit, said = self.chat.heard(event, request)
        visit.session.title = one_line(text(said, "title"))
        return self.chat.view(visit), gr.skip()

    # --------------------------------------------------------------------------------------------------------- versions

    def version(self, event: gr.EventData, request: gr.Request) -> Told:
        """Another version of a turn is to be shown."""
        visit, said = self.chat.heard(event, request)
        self.chat.end(visit)
        try:
            visit.session.show_version(whole(said, "turn"), whole(said, "place"))
            visit.sliders.forget()
        except TillerError as error:
            visit.notice = str(error)
        return self.chat.view(visit), self.chat.everything(visit)

    def go_on(self, event: gr.EventData, request: gr.Request) -> Iterator[Told]:
        """An answer that was cut off goes on."""
        visit, said = self.chat.heard(event, request)
        yield from self._column(visit, said, lambda column: visit.session.go_on(column))

    def rewrite(self, event: gr.EventData, request: gr.Request) -> Iterator[Told]:
        """A person wrote the model's answer, or how it begins."""
        visit, said = self.chat.heard(event, request)

        def act(column: int) -> Beginning:
            turn = index(said, "turn", visit.settings.turns)
            return visit.session.rewrite(turn, column, text(said, "text"), said.get("alone") is True)

        yield from self._column(visit, said, act)

    def _column(self, visit: Visit, said: Any, act: Any) -> Iterator[Told]:
        try:
            column = index(said, "column", visit.settings.columns)
        except TillerError as error:
            yield from self.chat.refuse(visit, error)
            return
        yield from self.chat.change(visit, lambda: act(column), [column])

    # ------------------------------------------------------------------------------------------------------------- text

    def typeset(self, event: gr.EventData, request: gr.Request) -> str:
        """Every answer as text with its headings, lists and code, turn by turn: shapes that the page draws, never markup."""
        visit, _ = self.chat.heard(event, request)
        with visit.lock:
            turns, answers = visit.settings.turns, visit.session.answers
        shapes = [[typeset(reply) for reply in turn.replies] for turn in turns[:-1]]
        last = turns[-1].replies if turns else ()
        columns = range(len(visit.settings.columns))
        texts = [answers[c].text if c in answers else last[c] if c < len(last) else "" for c in columns]
        return _said(chat=visit.session.id, turns=[*shapes, *([[typeset(each) for each in texts]] if turns else [])])


def _chat(document: dict[str, Any]) -> dict[str, Any]:
    """A document, and what a list says of it."""
    return {"head": asdict(head_of(document)), "document": document}


def _said(**said: Any) -> str:
    return documents.dump({"at": time.time_ns(), **said})
