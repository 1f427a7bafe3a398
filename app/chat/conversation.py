"""What the page's events do: the conversation. Each handler changes the visit's session and tells the page; the engine computes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from app.chat import documents
from app.visits import Visit, Visits, index, number, text, whole
from core.chat.beginnings import Beginning
from core.chat.events import Alternative, Done, Event
from core.chat.settings import Sampling, Settings, SettingsError
from core.chat.slider_cache import ScrubKey
from core.display.lenses import Lens, lacking
from core.engine.engine import Engine
from core.engine.run import Run
from core.errors import TillerError

#: What a handler yields: the view and the lines of the answers, for the two wires of those names.
Told = tuple[Any, Any]
#: A page is told of tokens this often, in seconds; more often would only make it slower.
BEAT = 0.1


class Chat:
    """The handlers of one page of a served app; a visit is found by the session id of the request."""

    def __init__(self, engine: Engine, visits: Visits) -> None:
        self.engine = engine
        self.visits = visits
        visits.status = self.status

    # ------------------------------------------------------------------------------------------------------ a page's life

    def open(self, request: gr.Request) -> Told:
        """A page was opened, perhaps by a link, or by a browser that remembers an earlier chat with this family."""
        asked = {name: str(request.query_params.get(name, "")) for name in ("s", "chat", "missing")}
        visit = self.visits.of(request, asked["s"], asked["chat"])
        if asked["missing"] and self.visits.pages is not None:
            visit.elsewhere = {"said": self.visits.pages.why_not(asked["missing"])}
        return self.view(visit), self.everything(visit)

    def close(self, request: gr.Request) -> None:
        """A page was closed, or sleeps."""
        self.visits.leave(request)

    def status(self, request: gr.Request) -> str:
        """What the engine is doing."""
        # A page that this process does not know tells by another event what it shows.
        visit = self.visits.find(request)
        if visit is None:
            return documents.status(self.engine)
        return documents.status(visit.engine, self.visits.jobs(request, visit.engine))

    def end_job(self, event: gr.EventData, request: gr.Request) -> str:
        """Something in the list of what goes on is not wanted any more; a visitor ends his own alone."""
        visit, said = self.heard(event, request)
        self.visits.end_job(request, visit.engine, text(said, "key"))
        return self.status(request)

    def cancel_loading(self, request: gr.Request) -> None:
        """What is being loaded is not wanted now."""
        self.visits.of(request).engine.cancel_loading()

    # ------------------------------------------------------------------------------------------------------ conversation

    def send(self, event: gr.EventData, request: gr.Request) -> Iterator[Told]:
        """A message was sent."""
        visit, said = self.heard(event, request)

        def ask() -> None:
            if visit.recipe_error:
                raise TillerError(f"The recipe cannot be read. {visit.recipe_error} Your message stays.")
            visit.session.ask(text(said, "message"))

        yield from self.change(visit, ask, draft=said.get("message"))

    def edit(self, event: gr.EventData, request: gr.Request) -> Iterator[Told]:
        """A message was changed; what came after it goes."""
        visit, said = self.heard(event, request)
        yield from self.change(
            visit, lambda: visit.session.ask_again(text(said, "message"), index(said, "turn", visit.settings.turns))
        )

    def retry(self, event: gr.EventData, request: gr.Request) -> Iterator[Told]:
        """The last message is to be answered again."""
        visit, _ = self.heard(event, request)
        visit.notice = visit.session.fixed
        yield from self.change(visit, visit.session.retry)

    def relive(self, event: gr.EventData, request: gr.Request) -> Iterator[Told]:
        """The page shows answers that its columns did not write as they are now: they are made anew."""
        visit, _ = self.heard(event, request)
        if visit.running or not visit.session.lacking:
            yield self.view(visit), gr.skip()
        else:
            yield from self.answer(visit, visit.session.lacking)

    def example(self, event: gr.EventData, request: gr.Request) -> Iterator[Told]:
        """A chip was chosen."""
        visit, said = self.heard(event, request)
        examples = visit.engine.family.examples
        yield from self.change(visit, lambda: self._open_example(visit, index(said, "index", examples)))

    def follow(self, event: gr.EventData, request: gr.Request) -> Iterator[Told]:
        """An alternative of a token was chosen: the answer goes on from it."""
        visit, said = self.heard(event, request)
        try:
            column = index(said, "column", visit.settings.columns)
            place, alternative = self._alternative(visit, column, said)
        except TillerError as error:
            yield from self.refuse(visit, error)
            return
        yield from self.change(visit, lambda: visit.session.follow(column, place, alternative), [column])

    def stop(self, event: gr.EventData, request: gr.Request) -> None:
        """What is being written is to end; it stays as it is."""
        visit, _ = self.heard(event, request)
        visit.stop()

    def undo(self, event: gr.EventData, request: gr.Request) -> Told:
        """Back to before the last message; its text goes back into the box."""
        visit, _ = self.heard(event, request)
        visit.stop()
        visit.run = None
        visit.relive = True
        try:
            visit.draft = visit.session.undo()
        except TillerError as error:
            visit.notice = str(error)
        return self.view(visit), self.everything(visit)

    def clear(self, event: gr.EventData, request: gr.Request) -> Told:
        """A new conversation with the same columns; undo brings this one back."""
        visit, _ = self.heard(event, request)
        visit.stop()
        visit.run = None
        visit.session.open(replace(visit.settings, turns=()))
        return self.view(visit), self.everything(visit)

    def details(self, event: gr.EventData, request: gr.Request) -> Told:
        """The system prompt or the sampling was changed; it holds from the next answer on."""
        visit, said = self.heard(event, request)
        try:
            session = visit.session
            session.settings = replace(session.settings, system=text(said, "system"), sampling=sampling(said))
            visit.wrong = {}
        except SettingsError as error:
            visit.wrong = {error.about: str(error)}
        return self.view(visit), gr.skip()

    # ------------------------------------------------------------------------------------------------------ to take away

    def prompt(self, event: gr.EventData, request: gr.Request) -> str:
        """The exact prompt of the selected column, as one document."""
        visit, _ = self.heard(event, request)
        try:
            if visit.engine.status.state in ("starting", "loading"):
                raise TillerError("The model is still loading; ask for its prompt when it is ready.")
            shown = visit.engine.prompt(visit.settings, visit.settings.selected)
        except TillerError as error:
            return documents.dump({"at": time.time_ns(), "error": str(error)})
        column = visit.settings.column.checkpoint
        return documents.dump({"at": time.time_ns(), "column": column, **vars(shown)})

    # ------------------------------------------------------------------------------------------------------ the one stream

    def change(
        self, visit: Visit, act: Callable[[], Beginning | None], columns: Sequence[int] | None = None, draft: object = "",
    ) -> Iterator[Told]:  # fmt: skip
        """Do something to the session, then answer the last turn: in one column where that gives how its answer begins. What cannot be
        done is said, and the message kept.
        """
        self.end(visit)
        try:
            begins = act()
        except TillerError as error:
            visit.draft = draft if isinstance(draft, str) else ""
            yield from self.refuse(visit, error)
            return
        yield from self.answer(visit, columns, {columns[0]: begins} if columns and begins is not None else None)

    def answer(
        self, visit: Visit, columns: Sequence[int] | None = None, prefixes: Mapping[int, Beginning] | None = None
    ) -> Iterator[Told]:
        """Answer the last turn in all or the given columns, and tell the page at every beat.

        Beside recorded answers all are made anew, so that none passes for live.
        """
        every = columns is None or visit.session.recorded
        chosen = list(range(len(visit.settings.columns))) if every else list(columns or ())
        with visit.lock:
            visit.session.waiting(chosen, prefixes)
            run = visit.begin(visit.engine.submit(visit.settings, chosen, prefixes))
        told = Telling(visit)
        try:
            yield self.view(visit), told.after()
            for events in beats(run):
                with visit.lock:
                    if visit.run is not run:
                        return
                    visit.session.apply(events)
                lines = told.after(events)
                if run.cancelled.is_set():
                    break
                yield gr.skip(), lines
            lines = told.after(self.finish(visit, run))
            yield self.view(visit), lines
        finally:
            run.cancel()
            self.finish(visit, run)

    def finish(self, visit: Visit, run: Run) -> list[Event]:
        """Write a run's answers into the session, unless another run has its place. What is unfinished was stopped: these events."""
        with visit.lock:
            if visit.run is not run:
                return []
            stopped: list[Event] = [Done(c, "stopped", 0, 0.0) for c in run.columns if visit.writes(c)]
            visit.run = None
            visit.session.apply(stopped)
            visit.session.settle()
            return stopped

    def end(self, visit: Visit) -> None:
        """End a run that still writes, and keep what it said."""
        visit.stop()
        if visit.run is not None:
            self.finish(visit, visit.run)

    def refuse(self, visit: Visit, error: TillerError) -> Iterator[Told]:
        """Say why something cannot be done; everything stays as it is."""
        visit.notice = str(error)
        yield self.view(visit), gr.skip()

    # ------------------------------------------------------------------------------------------------------ scrubbing

    def scrub(self, event: gr.EventData, request: gr.Request) -> Iterator[str]:
        """Compute the last answer at every strength of a slider, and send them all in one document."""
        visit, said = self.heard(event, request)
        name = str(said.get("direction"))
        if self._may_scrub(visit, name):
            key = visit.sliders.key(visit.settings, name)
            if not visit.scrubs.complete(key):
                yield from self._scrubbed(visit, visit.sliders.along(visit.settings, name), name, key)
            if visit.scrubs.complete(key):
                yield self._sheet(visit, key)
                return
        # Something else came first; the page may ask again.
        yield documents.dump({"at": time.time_ns(), "missed": str(said.get("key"))})

    def _may_scrub(self, visit: Visit, name: str) -> bool:
        there = visit.engine.catalogue.sources(name) and visit.sliders.moves(visit.settings, name)
        return bool(there) and visit.session.may_precompute(visit.running)

    def _scrubbed(self, visit: Visit, settings: Settings, name: str, key: ScrubKey) -> Iterator[str]:
        with visit.lock:
            if visit.scrubbing is not None:
                visit.scrubbing.cancel()
            visit.scrubbing = run = visit.engine.scrub(settings, settings.selected, name)
            visit.scrubs.start(key)
        try:
            # An empty yield at every beat lets Gradio end this when the page is closed.
            for events in beats(run):
                with visit.lock:
                    if visit.scrubbing is not run:
                        # Another run answers at these strengths now; the end of this one is not that one's.
                        return
                    visit.scrubs.apply(key, events)
                yield ""
        finally:
            run.cancel()

    def _sheet(self, visit: Visit, key: ScrubKey) -> str:
        names, strengths = visit.engine.lenses(visit.settings), visit.engine.SCRUB_STRENGTHS
        found = [visit.scrubs.find(key, strength) for strength in strengths]
        told = [documents.answer_document(each, names) for each in found if each is not None]
        return documents.dump({"key": documents.short_key(key), "strengths": strengths, "answers": told})

    # ------------------------------------------------------------------------------------------------------ blame

    def blame(self, event: gr.EventData, request: gr.Request) -> Iterator[str]:
        """Say of the answers that are there which training stage each token is owed to, as far as the colouring lacks it."""
        visit, said = self.heard(event, request)
        # A generator that ends without having yielded empties its output.
        yield gr.skip()
        lens = next((each for each in visit.engine.lenses(visit.settings) if each.name == said.get("lens")), None)
        if lens is None or lens.kind != "stages":
            return
        if visit.run is not None:
            visit.run.blame = True
            return
        calibrated = visit.engine.noise(visit.settings.column.checkpoint).calibrated
        wanted = lacking(lens, visit.session.answers, calibrated)
        if not wanted:
            return
        if visit.blaming is not None:
            visit.blaming.cancel()
        run = visit.blaming = visit.engine.blame(visit.settings, wanted)
        told = Telling(visit)
        told.after()
        try:
            for events in beats(run):
                with visit.lock:
                    if visit.blaming is not run:
                        return
                    visit.session.apply(events)
                yield told.after(events)
        finally:
            run.cancel()

    # ------------------------------------------------------------------------------------------------------ helpers

    def heard(self, event: gr.EventData, request: gr.Request) -> tuple[Visit, Mapping[str, Any]]:
        """The visit of a request, and what the page said with it."""
        data = event._data if isinstance(event._data, Mapping) else {}
        link = data.get("link")
        visit = self.visits.of(request, link if isinstance(link, str) else "")
        heard = data.get("heard")
        visit.heard = max(visit.heard, heard if isinstance(heard, int) else 0)
        return visit, data

    def view(self, visit: Visit) -> str:
        """The view of a visit."""
        return documents.view(visit)

    def everything(self, visit: Visit) -> str:
        """Every answer of the last turn, as it stands."""
        return Telling(visit).after()

    def _open_example(self, visit: Visit, place: int) -> None:
        opened = visit.engine.example(visit.engine.family.examples[place], visit.settings.lens)
        visit.sliders.forget()
        visit.session.open(opened)

    def _alternative(self, visit: Visit, column: int, said: Mapping[str, Any]) -> tuple[int, Alternative]:
        answer = visit.session.answers.get(column)
        place = index(said, "index", answer.tokens if answer else ())
        assert answer is not None
        for alternative in answer.tokens[place].reading.top:
            if alternative.id == said.get("id"):
                return place, alternative
        raise TillerError("That alternative is not there any more.")


def beats(run: Run) -> Iterator[list[Event]]:
    """A run's events, the first as soon as it is there, then at most one list a beat; an empty list where nothing came."""
    last = 0.0
    while not run.finished:
        time.sleep(max(0.0, last + BEAT - time.monotonic()))
        events = run.poll(BEAT)
        last = time.monotonic()
        yield events


class Telling:
    """What a page is told of the last turn's answers: a stream of lines that only grows, begun anew with a higher number where the lenses
    have become others, or where the page was told the whole of the answers by another stream meanwhile.

    The lenses are the selected column's, and there is one more when a direction has been learnt. Requests may overtake each other: a page
    keeps to the highest number that it has heard, which holds all that lower ones could add.
    """

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._stream = -1
        self._lenses: tuple[Lens, ...] | None = None
        self._lines: list[str] = []

    def after(self, events: Sequence[Event] = ()) -> str:
        """All lines, after these events have become part of the answers."""
        visit = self._visit
        with visit.lock:
            lenses, answers = visit.engine.lenses(visit.settings), visit.session.answers
            if lenses == self._lenses and visit.stream == self._stream:
                self._lines += documents.lines(events, lenses, answers)
            else:
                self._lenses, self._stream = lenses, visit.version()
                visit.stream = self._stream
                self._lines = [documents.whole(self._stream, answers, lenses)]
            return "\n".join(self._lines)


def sampling(said: Mapping[str, Any]) -> Sampling:
    """The sampling that the page sent. Raises TillerError with the range of the value that is out of it."""
    return Sampling(
        temperature=number(said, "temperature"), top_p=number(said, "top_p"), top_k=whole(said, "top_k"),
        repetition_penalty=number(said, "repetition_penalty"), max_new_tokens=whole(said, "max_new_tokens"),
        seed=whole(said, "seed"), stop=tuple(line for line in text(said, "stop").split("\n") if line),
    )  # fmt: skip
