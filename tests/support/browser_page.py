"""The page as a person uses it: what can be done on it, and what stands on it, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlparse

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

from tests.support.tools import FLAGS
from tests.support.waiting import PATIENCE

#: Milliseconds between two looks at what is waited for. At every frame, as playwright would, the browser draws nothing but frames.
LOOK = 40


@contextmanager
def browser(program: str) -> Iterator[Browser]:
    """The Chromium at that path; playwright's own where the path is empty."""
    expect.set_options(timeout=1_000 * PATIENCE)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program or None, args=FLAGS)
        yield opened
        opened.close()


@dataclass
class Screen:
    """One open page. ``outside`` are its requests to other machines, ``faults`` what its scripts complained of."""

    page: Page
    outside: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, browser: Browser, address: str, width: int = 1280, height: int = 900, dark: bool = False) -> Screen:
        """Open a page and wait until it shows a chat. Nothing moves on it by itself: a page that breathes draws without end."""
        page = browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        page.set_default_timeout(1_000 * PATIENCE)
        screen = cls(page)
        page.on("request", lambda request: screen._requested(request.url))
        page.on("console", screen._said)
        page.on("pageerror", lambda error: screen.faults.append(str(error)))
        page.goto(address)
        screen.there()
        return screen

    def _requested(self, address: str) -> None:
        if urlparse(address).hostname not in (None, "localhost", "127.0.0.1"):
            self.outside.append(address)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.faults.append(message.text)

    # ------------------------------------------------------------------------------------------------------------ doing

    def there(self) -> Screen:
        """Wait until the page shows a chat."""
        self.wait("window.Tiller && Tiller.state.view")
        return self

    def ready(self) -> Screen:
        """Wait for the model."""
        self.wait("Tiller.state.status && Tiller.state.status.state === 'ready'")
        return self

    def longest(self, tokens: int) -> None:
        """Set the longest answer."""
        self.details("Longest answer", str(tokens))

    def details(self, label: str, value: str) -> None:
        """Set a field of the details."""
        if not self.page.locator(".t-details").evaluate("each => each.open"):
            self.page.locator(".t-details summary").click()
        with self.told():
            field = self.page.locator(".t-details").get_by_label(label)
            field.fill(value)
            field.blur()
        # A sheet: what is under it is there again when it is closed.
        self.page.locator(".t-shut").click()

    @contextmanager
    def told(self) -> Iterator[None]:
        """Wait until what is done inside has been answered by the server."""
        before = self.state("Tiller.state.view.version")
        yield
        self.wait(f"Tiller.state.view.version > {before} && Tiller.state.view.heard >= Tiller.state.heard")

    def write(self, message: str) -> None:
        """Send a message."""
        self.box.fill(message)
        self.box.press("Enter")

    def ask(self, message: str) -> None:
        """Send a message and wait for the whole answer."""
        with self.told():
            self.write(message)
        self.idle()

    def idle(self) -> None:
        """Wait until nothing is being written."""
        self.wait("!Tiller.state.view.running && Tiller.state.view.heard >= Tiller.state.heard")

    def scrubbed(self, direction: str) -> None:
        """Wait until nine answers are there for a slider."""
        self.wait(
            "name => Tiller.state.sheets.has(Tiller.state.view.sliders.find(each => each.name === name).key)",
            direction,
        )

    def tab(self, name: str) -> None:
        """Open a tab by its name on the screen."""
        with self.told():
            self.page.get_by_role("tab", name=name, exact=True).click()

    def slide(self, direction: str, strength: float, let_go: bool = True) -> None:
        """Move a slider, as dragging does, and let it go or not."""
        self.slider(direction).evaluate(
            """(slider, [strength, go]) => { slider.value = strength; slider.dispatchEvent(new Event('input', {bubbles: true}));
            if (go) slider.dispatchEvent(new Event('change', {bubbles: true})); }""",
            [strength, let_go],
        )

    # ---------------------------------------------------------------------------------------------------------- seeing

    @property
    def box(self) -> Locator:
        """The message box."""
        return self.page.locator(".t-send textarea")

    @property
    def recipe(self) -> Locator:
        """The recipe line."""
        return self.page.locator(".t-recipe input")

    def slider(self, direction: str) -> Locator:
        """A slider."""
        return self.page.get_by_label(f"Strength of {direction}", exact=True)

    def tokens(self, column: int) -> Locator:
        """The tokens of a column's last answer."""
        return self.page.locator(".t-turn:last-child .t-cell").nth(column).locator(".t-token")

    def text(self, column: int) -> str:
        """The text of a column's last answer, as drawn."""
        drawn = self.page.locator(".t-turn:last-child .t-cell").nth(column).locator(".t-strip")
        return str(drawn.evaluate("each => [...each.querySelectorAll('.t-token')].map(t => t.textContent).join('')"))

    def foot(self, column: int) -> str:
        """What stands under a column's last answer."""
        return self.page.locator(".t-turn:last-child .t-cell").nth(column).locator(".t-foot").inner_text()

    def said(self) -> list[str]:
        """What the person said, turn by turn."""
        return self.page.locator(".t-words").all_inner_texts()

    def notice(self) -> str:
        """The sentence over the message box, if any."""
        return self.page.locator(".t-notice").inner_text() if self.page.locator(".t-notice").is_visible() else ""

    def state(self, expression: str) -> Any:
        """A value out of the page's scripts."""
        return json.loads(self.page.evaluate(f"JSON.stringify({expression})"))

    def wait(self, condition: str, value: object = None) -> None:
        """Wait for a condition in the page; one that is a function gets the value."""
        self.page.wait_for_function(condition, arg=value, polling=LOOK)


@dataclass
class Opened:
    """The page that tests share, since opening one takes longer than most of them."""

    browser: Browser
    address: str
    screen: Screen | None = None
    outside: list[str] = field(default_factory=list)

    def fresh(self) -> Screen:
        """The page with the chat that its address opens: emptied as a person would do it, else opened again."""
        if self.screen is None or not self._emptied(self.screen):
            if self.screen is not None:
                self.outside += self.screen.outside
                self.screen.page.close()
            self.screen = Screen.open(self.browser, self.address).ready()
            self._begun = self._shape(self.screen)
        return self.screen

    def _emptied(self, screen: Screen) -> bool:
        if screen.faults or screen.page.is_closed():
            return False
        screen.page.evaluate("document.querySelectorAll('dialog').forEach(each => each.close()); Tiller.release()")
        screen.page.locator("body").evaluate("each => document.activeElement.blur()")
        screen.box.fill("")
        with screen.told():
            screen.page.get_by_role("button", name="New chat").click()
        if screen.state("Tiller.state.view.sampling.max_new_tokens") != self._begun["sampling"]["max_new_tokens"]:
            screen.longest(self._begun["sampling"]["max_new_tokens"])
        if screen.recipe.input_value() != self._begun["columns"][-1]["recipe"]:
            with screen.told():
                screen.recipe.fill(self._begun["columns"][-1]["recipe"])
                screen.recipe.press("Enter")
        screen.idle()
        return self._shape(screen) == self._begun

    def _shape(self, screen: Screen) -> dict[str, Any]:
        parts = ("columns", "selected", "tab", "sampling", "system", "turns", "notice", "recipeError", "recorded")
        return {part: screen.state(f"Tiller.state.view.{part}") for part in parts}


def library_pane(page: Page) -> Locator:
    """The Library, with everything folded out."""
    page.get_by_role("tab", name="Library").click()
    found = page.get_by_role("tabpanel").filter(has_text="Learn a direction")
    for fold in ("From examples of your own", "Everything that is here", "Import a vector of another program"):
        # What was folded out stays so when the tab is opened again.
        title = found.get_by_role("button", name=fold)
        if "open" not in (title.get_attribute("class") or ""):
            title.click()
    expect(found.get_by_role("button", name="Learn", exact=True)).to_be_visible()
    return found
