"""The page, as it reads from top to bottom: its parts, and which handler answers to which of their events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.events import api

from app.api import chat_endpoint
from app.chat.conversation import Chat
from app.chat.keeping import Keeping
from app.chat.learning import Learning
from app.chat.steering import Steering
from app.components import head, part, wire
from app.families import FamilyPages
from app.guard import guard
from app.tabs import blame, inspect, library, transfer
from app.tabs.tab import Pane
from app.tools import tools
from app.visits import Visits
from core.chat.screens import CHAT, TABS, Tab
from core.chat.session import Session
from core.cli.options import Options
from core.engine.engine import Engine

#: What builds each tab beside Chat, by its name.
PANES: dict[str, Callable[[Pane], None]] = {
    "blame": blame.build, "transfer": transfer.build, "inspect": inspect.build, "library": library.build,
}  # fmt: skip
_FONT = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Ubuntu", "Cantarell", "sans-serif"]
_MONO = ["ui-monospace", "SF Mono", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace"]
#: A handler that streams: the engine schedules, so that many may run at once. Nothing dims or spins while it does.
STREAM: dict[str, Any] = {
    "concurrency_limit": 32, "show_progress": "hidden", "trigger_mode": "multiple", "api_visibility": "private",
}  # fmt: skip
#: A handler that answers at once, past the queue.
AT_ONCE: dict[str, Any] = {
    "queue": False, "show_progress": "hidden", "trigger_mode": "multiple", "api_visibility": "private",
}  # fmt: skip


#: Gradio looks every so many seconds for files of so many seconds ago, uploaded or handed out, and removes them.
CACHE = (3_600, 3_600)


def look() -> dict[str, Any]:
    """How the page looks: everything comes from this machine."""
    return {"theme": gr.themes.Base(font=_FONT, font_mono=_MONO), "head": head()}


def build(engine: Engine, options: Options, pages: FamilyPages | None = None) -> gr.Blocks:
    """The page of a family; ``pages`` are all those of its server.

    Raises:
        TillerError: the options' checkpoint or recipe does not fit the family.
    """
    others = pages or FamilyPages(engine, options, build)
    visits = Visits(engine, fresh(engine, options), others)
    chat = Chat(engine, visits)
    steering, learning, keeping = Steering(chat), Learning(chat), Keeping(chat)
    page = gr.Blocks(
        title=f"Tiller · {engine.family.title}", analytics_enabled=False, fill_width=True, delete_cache=CACHE
    )
    with page:
        if others.access.hub_name:
            # Unseen, it has Gradio serve the Hub's sign-in, which the gate sends the owner to.
            gr.LoginButton(visible=False)
        header = part(
            "header",
            "export export_page clear cancel_loading tab families look_at open_family forget_copy delete_download get_weights "
            "cancel_weights keep open_chat import_chats name_chat end_job",
            "Tiller",
        )
        view, answers, sheet, status, paper, file, shelf, kept, shapes = map(
            wire, ("view", "answers", "sheet", "status", "paper", "file", "shelf", "kept", "shapes")
        )
        told = [view, answers]
        with gr.Tabs(elem_id="t-tabs", overflow_behavior="wrap"):
            with _tab(CHAT), gr.Column(elem_id="t-chat"):
                chips = part("chips", "example", "Examples")
                columns = part(
                    "columns",
                    "select checkpoint add_column close_column edit retry relive version go_on rewrite typeset",
                    "Conversation",
                )
                lens = part("lens", "colouring blame", "Colouring")
                panel = part(
                    "steering",
                    "slide typing revise scrub ask_for_it learn cancel_learning learnt",
                    "Steering of the selected column",
                )
                reading = part("reading", "follow", "The token under the pointer")
                composer = part("composer", "send stop again undo details prompt", "Your message")
            for each in TABS[1:]:
                with _tab(each) as tab, gr.Column(elem_classes=["t-pane"]):
                    # The headings inside begin one step lower.
                    gr.HTML(f"<h2>{each.title}</h2>", apply_default_css=False, elem_classes=["t-aloud"])
                    PANES[each.name](Pane(each, tab, chat, told))

        composer.send(chat.send, None, told, **STREAM)
        composer.again(chat.retry, None, told, **STREAM)
        composer.stop(chat.stop, None, None, **AT_ONCE)
        composer.undo(chat.undo, None, told, **AT_ONCE)
        composer.details(chat.details, None, told, **AT_ONCE)
        composer.prompt(chat.prompt, None, paper, **STREAM)
        columns.edit(chat.edit, None, told, **STREAM)
        columns.retry(chat.retry, None, told, **STREAM)
        columns.relive(chat.relive, None, told, **STREAM)
        columns.version(keeping.version, None, told, **AT_ONCE)
        columns.go_on(keeping.go_on, None, told, **STREAM)
        columns.rewrite(keeping.rewrite, None, told, **STREAM)
        columns.typeset(keeping.typeset, None, shapes, **AT_ONCE)
        columns.select(steering.select, None, told, **AT_ONCE)
        columns.checkpoint(steering.checkpoint, None, told, **STREAM)
        columns.add_column(steering.add, None, told, **STREAM)
        columns.close_column(steering.drop, None, told, **AT_ONCE)
        chips.example(chat.example, None, told, **STREAM)
        lens.colouring(steering.select, None, told, **AT_ONCE)
        lens.blame(chat.blame, None, answers, **STREAM)
        panel.slide(steering.slide, None, told, **AT_ONCE)
        panel.typing(steering.typing, None, told, **AT_ONCE)
        panel.revise(steering.revise, None, told, **STREAM)
        panel.ask_for_it(steering.ask_for_it, None, told, **STREAM)
        panel.scrub(chat.scrub, None, sheet, **STREAM)
        panel.learn(learning.learn, None, [status, view], **AT_ONCE)
        panel.cancel_learning(learning.cancel, None, status, **AT_ONCE)
        panel.learnt(learning.learnt, None, told, **AT_ONCE)
        reading.follow(chat.follow, None, told, **STREAM)
        header.export(keeping.export, None, file, **AT_ONCE)
        header.export_page(keeping.export_page, None, file, **STREAM)
        header.clear(chat.clear, None, told, **AT_ONCE)
        header.tab(steering.tab, None, told, **AT_ONCE)
        header.end_job(chat.end_job, None, status, **AT_ONCE)
        header.cancel_loading(chat.cancel_loading, None, None, **AT_ONCE)

        header.keep(keeping.keep, None, kept, **AT_ONCE)
        header.open_chat(keeping.open_chat, None, told, **STREAM)
        header.import_chats(keeping.import_chats, None, kept, **STREAM)
        header.name_chat(keeping.name_chat, None, told, **AT_ONCE)

        header.families(others.families, None, shelf, **STREAM)
        header.look_at(others.look, None, shelf, **STREAM)
        header.forget_copy(others.forget, None, shelf, **STREAM)
        header.delete_download(others.delete_download, None, shelf, **STREAM)
        header.get_weights(others.get, None, shelf, **STREAM)
        header.cancel_weights(others.cancel_get, None, None, **AT_ONCE)
        header.open_family(others.open, None, shelf, **AT_ONCE)

        page.load(chat.open, None, told, **AT_ONCE)
        page.load(others.real, None, shelf, **AT_ONCE)
        page.load(chat.status, None, status, **AT_ONCE)
        page.unload(chat.close)
        api(chat_endpoint(visits), api_name="chat", concurrency_limit=32)
        for tool in tools(visits):
            api(tool, api_name=f"tool_{tool.__name__}", queue=False)
    guard(page, others.access.told)
    return page


def _tab(place: Tab) -> gr.Tab:
    """One tab. Opening it is told to the server, so that the page's link opens it too."""
    tab = gr.Tab(place.title, id=place.name, elem_id=f"t-tab-{place.name}")
    tab.select(None, None, None, js=f"() => Tiller.opened('{place.name}')", api_visibility="private")
    return tab


def fresh(engine: Engine, options: Options) -> Callable[[], Session]:
    """What makes the chat that a page begins with: the recorded run, unless a checkpoint or a recipe was asked for."""
    settings = engine.settings(options.checkpoint, options.recipe)
    recorded = None if options.checkpoint or options.recipe or options.template_vars else engine.recorded()
    if recorded is None:
        return lambda: Session(settings)
    return lambda: Session.of(*recorded, recorded=True)
