"""The browser's page as a person waits for it: from the address to a finished page, beside the smallest page that Gradio makes.

Both are served and opened in turn by one Chromium, each time with nothing of an earlier visit kept. Needs what tests/requirements.txt
installs, and the system's Chromium.
"""

from __future__ import annotations

import argparse
import functools
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from benchmarks.ratios import Timed
from benchmarks.starting import serving
from core.errors import TillerError

#: Seconds from the address to the largest paint, and bytes that come before anything is pressed (the design's promises).
FINISHED, BYTES = 1.0, 400_000
REPETITIONS = 7
_PATIENCE = 60_000
#: Milliseconds after which nothing more comes by itself.
_QUIET = 2_500
_LARGEST = """() => new Promise(done => {
    new PerformanceObserver(list => done(list.getEntries().at(-1).startTime)).observe({type: "largest-contentful-paint", buffered: true});
})"""
#: Seconds that a finished page is left alone, and then watched: what it costs to leave it open.
_SETTLED, _LEFT = 5.0, 15.0
_FIRST = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"


@dataclass(frozen=True)
class Visit:
    """Seconds to the first paint, to the largest one and until it can be written in; bytes that came, as they are sent."""

    first: float
    largest: float
    ready: float
    bytes: int


def chromium() -> str:
    """The path of the system's Chromium. Raises TillerError where there is none."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if not found:
        raise TillerError("There is no Chromium; install it (on Debian: apt-get install chromium) and start again.")
    return found


def page(options: argparse.Namespace) -> bool:
    """Open both pages in turn; True when the program's keeps its limits."""
    from playwright.sync_api import sync_playwright

    print(f"page: the page and the smallest page of Gradio, opened in turn, {REPETITIONS} times", flush=True)
    model = ["--family", options.family, *(["--checkpoint", options.checkpoint] if options.checkpoint else [])]
    with serving(model) as address, _smallest() as smallest, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        things: dict[str, Callable[[], Visit]] = {
            "page": functools.partial(_visit, browser, address, "#t-composer textarea"),
            "smallest": functools.partial(_visit, browser, smallest, "textarea"),
        }
        visits: dict[str, list[Visit]] = {name: [] for name in things}
        for number in range(1 + REPETITIONS):
            for name, visit in things.items():
                made = visit()
                # The first one is what makes the server ready.
                if number:
                    visits[name].append(made)
        left = {name: _left_open(browser, at) for name, at in (("page", address), ("smallest", smallest))}
        browser.close()
    for what, of in (("first paint", "first"), ("largest paint", "largest"), ("can be written in", "ready")):
        own, other = (Timed(tuple(getattr(each, of) for each in visits[name])) for name in ("page", "smallest"))
        ratio, low, high = own.over(other)
        beside = f"the smallest page's ({other.median:.2f} s; quartiles {low:.2f} to {high:.2f})"
        print(f"  {what:<20} {own.median:5.2f} s = {ratio:4.2f} x {beside}", flush=True)
    finished = Timed(tuple(each.largest for each in visits["page"])).median
    sent = max(each.bytes for each in visits["page"])
    kept = finished <= FINISHED, sent <= BYTES
    told = ["kept" if each else "MISSED" for each in kept]
    print(f"  limit of a finished page: {FINISHED} s: {told[0]}", flush=True)
    print(f"  {sent:,} bytes before anything is pressed; limit {BYTES:,}: {told[1]}", flush=True)
    (browsing, serves), (smallest_browsing, _) = left["page"], left["smallest"]
    beside = f"the smallest page: {smallest_browsing:.1%}"
    print(f"  left open: browser {browsing:.1%} of a core ({beside}), server {serves:.1%}", flush=True)
    return all(kept)


def _left_open(browser: Any, address: str) -> tuple[float, float]:
    """What part of a core the browser takes for a page that nobody touches, and what part the processes that serve pages for this one."""
    import psutil

    def used() -> tuple[float, float]:
        found = {True: 0.0, False: 0.0}
        for each in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                times = each.cpu_times()
                if "node" not in each.name():
                    found["chrom" in each.name() or "headless" in each.name()] += times.user + times.system
        return found[True], found[False]

    context = browser.new_context(viewport={"width": 1280, "height": 800})
    try:
        tab = context.new_page()
        tab.goto(address)
        tab.wait_for_timeout(1_000 * _SETTLED)
        before = used()
        tab.wait_for_timeout(1_000 * _LEFT)
        return tuple((now - then) / _LEFT for now, then in zip(used(), before, strict=True))  # type: ignore[return-value]
    finally:
        context.close()


def _visit(browser: Any, address: str, box: str) -> Visit:
    """Open the page as somebody who was never there."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    try:
        tab = context.new_page()
        sent: list[int] = []
        wire = context.new_cdp_session(tab)
        wire.send("Network.enable")
        wire.on("Network.loadingFinished", lambda event: sent.append(int(event["encodedDataLength"])))
        start = time.perf_counter()
        tab.goto(address, wait_until="commit")
        tab.locator(box).first.wait_for(state="visible", timeout=_PATIENCE)
        ready = time.perf_counter() - start
        tab.wait_for_timeout(_QUIET)
        return Visit(tab.evaluate(_FIRST) / 1000, tab.evaluate(_LARGEST) / 1000, ready, sum(sent))
    finally:
        context.close()


@contextmanager
def _smallest() -> Iterator[str]:
    """The address of a page with one box and one answer, as Gradio makes it."""
    import gradio as gr

    with gr.Blocks() as blocks:
        box = gr.Textbox()
        box.submit(lambda text: text, box, gr.Textbox())
    _, address, _ = blocks.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    try:
        yield address
    finally:
        blocks.close(verbose=False)
