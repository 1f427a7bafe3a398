"""What axe-core finds of a page: nothing, in the light and in the dark."""

from __future__ import annotations

from importlib import resources
from typing import Any

import pytest
from playwright.sync_api import Page

#: Not among those that axe asks by default: nothing to press is smaller than 24 by 24 pixels.
_RULES = {"rules": {"target-size": {"enabled": True}}}
_RUN = """async ([about, asked]) => {
  const turning = document.getAnimations().filter((each) => each instanceof CSSTransition);
  await Promise.all(turning.map((each) => each.finished.catch(() => null)));
  return (await axe.run(about, asked)).violations.map((each) => [each.id, each.nodes.map((node) => node.html.slice(0, 160))]);
}"""


class Axe:
    """axe-core in a page; skips the test where it is not installed."""

    def __init__(self, page: Page) -> None:
        axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
        self.page = page
        page.evaluate(resources.files(axe).joinpath("axe.min.js").read_text(encoding="utf-8"))

    def check(self, where: str, part: str = "html", light: str = "") -> None:
        """Nothing is found."""
        assert self.found(where, part, light) == []

    def found(self, where: str, part: str = "html", light: str = "") -> list[tuple[str, str, Any]]:
        """Everything about ``light`` (else ``part``) in the light; when the system turns dark, the colours alone of ``part`` are others."""
        found: list[tuple[str, str, Any]] = []
        for scheme, about, asked in (
            ("light", light or part, _RULES),
            ("dark", part, {"runOnly": ["color-contrast"]}),
        ):
            self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            self.page.wait_for_function("dark => Tiller.dark() === dark", arg=scheme == "dark")
            said = self.page.evaluate(_RUN, [about, {"resultTypes": ["violations"], **asked}])
            found += [(where, scheme, each) for each in said]
        self.page.emulate_media(color_scheme="light")
        return found
