"""A page without a browser: what it would send a server, and what it is told, by plain HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.waiting import PATIENCE


def ask(
    address: str, body: object = None, headers: Mapping[str, str] | None = None
) -> tuple[int, str, Mapping[str, str]]:
    """A GET, or a POST of JSON: status, text and headers of the answer, which is not followed to another page."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"content-type": "application/json", **(headers or {})})
    opener = urllib.request.build_opener(_Stay)
    try:
        with opener.open(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers.items())
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers.items())


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass
class HttpPage:
    """One session of a server. ``headers`` are sent with everything."""

    address: str
    session: str | None
    headers: dict[str, str] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)

    def call(self, name: str, values: Sequence[object] = (), event: object = None) -> dict[str, Any]:
        """What a handler answers: ``data``, or ``error`` with its sentence. Of those of one name the first is meant."""
        if not self._numbers:
            for each in json.loads(ask(f"{self.address}config")[1])["dependencies"]:
                self._numbers.setdefault(each["api_name"], each["id"])
        body = {"data": list(values), "fn_index": self._numbers[name], "event_data": event}
        if self.session is not None:
            body["session_hash"] = self.session
        return dict(json.loads(ask(f"{self.address}gradio_api/run/predict", body, self.headers)[1]))

    def names(self) -> tuple[str, ...]:
        """Every handler that the page may call."""
        return tuple(
            each["api_name"]
            for each in json.loads(ask(f"{self.address}config")[1])["dependencies"]
            if each["backend_fn"]
        )
