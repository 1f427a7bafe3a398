"""README.md's picture, taken of the program itself: ``.venv/bin/python -m benchmarks.screenshot``.

Starts the browser app, asks the message of the family's second example (a plain question without one), waits for both answers, points
at the first token of the second one, and writes ``.github/screenshot.png``. Needs what tests/requirements.txt installs, and the
system's Chromium. That of SmolLM2 is ``--family smollm2-135m --example 3 --answer 1 --out .github/smollm2.png``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, sync_playwright

from app.server import launch
from benchmarks.page import chromium
from benchmarks.ports import free_port
from core.cli.options import Options
from core.engine.engine import Engine
from core.errors import TillerError

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / ".github" / "screenshot.png"
#: README.md is read on pages of every kind; a picture over this size makes it slow.
LARGEST = 300_000
_PATIENCE = 120_000
_FINISHED = "() => document.querySelector('#t-composer .t-stop').disabled && document.querySelectorAll('.t-strip .t-token').length > 3"


def main() -> int:
    """Take the picture; returns the exit code."""
    parser = argparse.ArgumentParser(description="Take README.md's picture.")
    parser.add_argument("--family", default="skiff")
    parser.add_argument("--example", type=int, default=2, help="which example chip is pressed, counted from 1")
    parser.add_argument(
        "--message", default="What is the capital of France?", help="asked where the family has no such example"
    )
    parser.add_argument("--recipe", default="", help="the steered column's recipe with --message")
    parser.add_argument("--out", type=Path, default=PICTURE)
    parser.add_argument("--width", type=int, default=1180)
    parser.add_argument("--height", type=int, default=860)
    parser.add_argument("--answer", type=int, default=2, help="whose first token is pointed at, counted from 1")
    parser.add_argument("--dark", action="store_true")
    options = parser.parse_args()
    engine = Engine(options.family)
    served = launch(engine, Options(family=options.family, recipe=options.recipe), "127.0.0.1", free_port())
    engine.start()
    try:
        status = engine.wait_ready(120)
        if status.state == "failed":
            raise TillerError(status.detail)
        _take(str(served.local_url), [each.message for each in engine.family.examples], options)
    except TillerError as problem:
        print(problem, file=sys.stderr)
        return 1
    finally:
        served.close(verbose=False)
        engine.close()
    print(f"{options.out}: {options.out.stat().st_size:,} bytes")
    return 0


def _take(address: str, examples: Sequence[str], options: argparse.Namespace) -> None:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        scheme: Literal["dark", "light"] = "dark" if options.dark else "light"
        page = browser.new_page(viewport={"width": options.width, "height": options.height}, color_scheme=scheme)
        page.goto(address, wait_until="load")
        page.get_by_role("textbox", name="Your message").wait_for(timeout=_PATIENCE)
        page.wait_for_function("() => Tiller.state.status && Tiller.state.status.state === 'ready'", timeout=_PATIENCE)
        if len(examples) >= options.example:
            page.locator(".t-chip").nth(options.example - 1).click()
            page.locator(".t-user").get_by_text(examples[options.example - 1]).wait_for(timeout=_PATIENCE)
        else:
            page.get_by_role("textbox", name="Your message").fill(options.message)
            page.get_by_role("textbox", name="Your message").press("Enter")
        page.wait_for_timeout(1000)
        page.wait_for_function(_FINISHED, timeout=_PATIENCE)
        # What a token is owed to is found out behind the answers.
        page.wait_for_function("() => !Tiller.state.view.running", timeout=_PATIENCE)
        _point(page, options.answer)
        page.screenshot(path=options.out)
        browser.close()
    size = options.out.stat().st_size
    if size > LARGEST:
        raise TillerError(
            f"The picture has {size:,} bytes, more than {LARGEST:,}; make it smaller with --width and --height."
        )


def _point(page: Page, answer: int) -> None:
    """Pin the first token of an answer, so that its readings are seen; wait until the colours stand still."""
    page.locator(".t-strip").nth(answer - 1).locator(".t-token").first.click()
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    sys.exit(main())
