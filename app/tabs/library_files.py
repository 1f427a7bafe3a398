"""The part of the Library that takes directions in and out: import a file, export the chosen direction, delete what is one's own."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from app.tabs.library_list import Shelf
from app.tabs.tab import Pane, told
from core.directions import library
from core.errors import TillerError

_AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
#: What reads a file may take a moment, since weights are read for their fingerprint.
_QUEUED: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
_SMALL: dict[str, Any] = {"scale": 0, "min_width": 190, "size": "md"}
_ENDINGS = {"for llama.cpp and repeng (.gguf)": ".gguf", "for Tiller, with its card (.safetensors)": ".safetensors"}


def take(pane: Pane, shelf: Shelf) -> None:
    """Build what exports and deletes the chosen entry. A deletion is asked for twice, on the page."""
    told("<h3>Take it elsewhere</h3><p>The chosen direction as a file; what you learnt or imported can be deleted.</p>")
    with gr.Row():
        ending = gr.Dropdown(list(_ENDINGS), value=next(iter(_ENDINGS)), label="as a file")
    with gr.Row():
        export = gr.Button("Export", **_SMALL)
        delete = gr.Button("Delete …", **_SMALL)
        sure = gr.Button("Delete it for good", variant="stop", visible=False, **_SMALL)
        keep = gr.Button("Keep it", visible=False, **_SMALL)
    file = gr.File(label="The file", visible=False, interactive=False)
    went = _went()

    def exported(key: str | None, how: str, request: gr.Request) -> tuple[Any, Any]:
        from core.exchange import exchange

        def work() -> tuple[tuple[str, ...], str]:
            if not key:
                raise TillerError("There is nothing to export yet; learn a direction, or import one.")
            family = pane.engine_of(request).family
            entry = library.find_entry(family, key)
            to = pane.new_folder() / f"{entry.name}.{entry.checkpoint}{_ENDINGS[how]}"
            done = exchange.write_direction(family, entry.path, to)
            return done.sentences, str(done.path)

        said, path = _tried(work)
        return said, gr.update(visible=path is not None, value=path)

    def asked(key: str | None) -> tuple[Any, ...]:
        own = bool(key) and str(key).startswith("own/")
        name = str(key).rpartition(".")[2]
        sentence = (
            "" if own else _line("What came with the family stays; choose one of your own to delete it.", wrong=True)
        )
        return sentence, key, gr.update(visible=own, value=f"Delete {name} for good"), gr.update(visible=own)

    def deleted(key: str | None, request: gr.Request) -> tuple[Any, ...]:
        from core.exchange import exchange

        said, _ = _tried(lambda: (exchange.remove(pane.engine_of(request).family, key or "").sentences, None))
        return said, *_hidden(2), *shelf.again(None, request), *_chat(pane, request)

    # What is asked holds for the entry that it was asked about, whatever is chosen in the meantime.
    about, hidden = gr.State(None), [sure, keep]
    export.click(exported, [shelf.chosen, ending], [went, file], **_QUEUED)
    delete.click(asked, shelf.chosen, [went, about, *hidden], **_AT_ONCE)
    keep.click(lambda: ("", *_hidden(2)), None, [went, *hidden], **_AT_ONCE)
    sure.click(deleted, about, [went, *hidden, *shelf.listed, *pane.told], **_AT_ONCE)
    shelf.chosen.input(lambda: _hidden(3), None, [*hidden, file], **_AT_ONCE)


def bring(pane: Pane, shelf: Shelf) -> None:
    """Build the form that imports."""
    family = pane.engine.family
    told(
        "<h3>Import a vector</h3><p>A GGUF control vector (llama.cpp, repeng), safetensors with direction.N (repeng) or "
        "layer_activations.N (steering-vectors), a tensor of torch.save (.pt), or what was exported here. A strength of 1 adds it as it "
        "is in the file.</p>"
    )
    with gr.Row():
        file = gr.File(label="the file", type="filepath", height=140)
        with gr.Column():
            name = gr.Textbox(label="call it, in recipes", placeholder="happy", max_lines=1)
            checkpoint = gr.Dropdown(
                [each.name for each in family.checkpoints], value=family.final.name, label="of the checkpoint"
            )
        with gr.Column():
            layer = gr.Textbox(label="layer (empty: what the file says)", placeholder="from 0", max_lines=1)
            scale = gr.Number(1.0, label="times")
    with gr.Row():
        begin = gr.Button("Import", **_SMALL)
    went = _went()

    def brought(path: str | None, called: str, where: str, at: str, times: float | None, request: gr.Request) -> Any:
        from core.exchange import exchange

        def work() -> tuple[tuple[str, ...], str]:
            if not path:
                raise TillerError("Choose a file first.")
            own = (called or "").strip()
            done = exchange.import_vector(
                pane.engine_of(request).family, where, Path(path), own, _layer(at), 1.0 if times is None else times
            )
            return done.sentences, f"own/{where}/direction.{own}"

        said, key = _tried(work)
        if key is None:
            return said, *(gr.skip() for _ in (*shelf.listed, *pane.told))
        return said, *shelf.again(key, request), *_chat(pane, request)

    begin.click(brought, [file, name, checkpoint, layer, scale], [went, *shelf.listed, *pane.told], **_QUEUED)


def _tried(work: Callable[[], tuple[tuple[str, ...], str | None]]) -> tuple[str, str | None]:
    """What there is to say of some work, and what came of it; nothing where it was refused, with the reason."""
    try:
        sentences, found = work()
    except TillerError as error:
        return _line(str(error), wrong=True), None
    return "".join(map(_line, sentences)), found


def _layer(text: str | None) -> int | None:
    said = (text or "").strip()
    if said and not (said.isascii() and said.isdigit()):
        raise TillerError(f"The layer is a whole number from 0, or left empty, not {said!r}.")
    return int(said) if said else None


def _hidden(count: int) -> tuple[Any, ...]:
    return tuple(gr.update(visible=False) for _ in range(count))


def _chat(pane: Pane, request: gr.Request) -> tuple[Any, Any]:
    """Chat's sliders and lenses as they are now."""
    visit = pane.visit(request)
    return pane.chat.view(visit), gr.skip() if visit.running else pane.chat.everything(visit)


def _went() -> gr.HTML:
    return gr.HTML("", apply_default_css=False, elem_classes=["t-told", "t-moved"])


def _line(sentence: str, wrong: bool = False) -> str:
    return f'<p role="status"{" class=wrong" if wrong else ""}>{html.escape(sentence)}</p>'
