"""On a Space the Hub says who its owner is: the whole sign-in by OpenID Connect, against a provider on this machine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import gradio.oauth
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from app.access import COOKIE
from core.engine.engine import Engine
from tests.support import tiny_models
from tests.support.browser_server import Served, served
from tests.support.http_page import ask

KEY = RSAKey.generate_key(2048, {"kid": "one"}, auto_kid=False)


class Provider:
    """Says of whoever signs in that he is ``name``."""

    def __init__(self) -> None:
        self.name, self.nonce, self.address = "ada", "", ""

    def get(self, path: str) -> dict[str, object]:
        if "openid-configuration" in path:
            return {
                "issuer": self.address, "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token", "jwks_uri": f"{self.address}/keys",
                "id_token_signing_alg_values_supported": ["RS256"],
            }  # fmt: skip
        return {"keys": [KEY.as_dict(private=False)]}

    def token(self) -> dict[str, object]:
        now = int(time.time())
        claims = {
            "iss": self.address, "aud": "client", "sub": "1", "iat": now, "exp": now + 600, "nonce": self.nonce,
            "preferred_username": self.name,
        }  # fmt: skip
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY)
        return {"access_token": "t", "token_type": "Bearer", "expires_in": 600, "id_token": signed}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    made = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(made.get(self.path))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(made.token())

        def answer(self, document: dict[str, object]) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made.address = f"http://127.0.0.1:{server.server_address[1]}"
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def space(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server as a Space has it, whose owner is Ada; its model is not needed."""
    folder = tiny_models.family(tmp_path_factory.mktemp("families") / "shared", checkpoints=("chat",), plain_base=False)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "SYSTEM": "spaces", "SPACE_ID": "ada/tiller", "SPACE_AUTHOR_NAME": "ada", "SPACE_HOST": "ada-tiller.hf.space",
            "OAUTH_CLIENT_ID": "client",
        }.items():  # fmt: skip
            patch.setenv(name, value)
        for name, value in {
            "OAUTH_CLIENT_ID": "client", "OAUTH_CLIENT_SECRET": "secret", "OAUTH_SCOPES": "openid profile",
            "OPENID_PROVIDER_URL": provider.address,
        }.items():  # fmt: skip
            patch.setattr(gradio.oauth, name, value)
        with served(Engine(str(folder), threads=1)) as page:
            yield page


def signed_in(space: Served, provider: Provider, name: str) -> tuple[int, str, dict[str, str]]:
    """What /owner answers to somebody whom the Hub knows by that name, after all that his browser is sent through."""
    provider.name = name
    status, _, headers = ask(f"{space.address}owner")
    assert (status, headers["location"]) == (303, "/login/huggingface?_target_url=/owner")
    status, _, headers = ask(f"{space.address}login/huggingface?_target_url=/owner")
    assert status in (302, 307)
    asked = parse_qs(urlsplit(headers["location"]).query)
    assert headers["location"].startswith(f"{provider.address}/authorize?")
    back = urlsplit(asked["redirect_uri"][0])
    assert (back.scheme, back.netloc) == ("https", "ada-tiller.hf.space")
    provider.nonce = asked["nonce"][0]
    session = headers["set-cookie"].partition(";")[0]
    returned = f"{space.address}{back.path.lstrip('/')}?{back.query}&code=c&state={asked['state'][0]}"
    status, said, headers = ask(returned, headers={"cookie": session})
    assert (status, headers["location"]) == (307, "/owner"), said
    session = headers["set-cookie"].partition(";")[0]
    return ask(f"{space.address}owner", headers={"cookie": session})


def test_whose_the_space_is_becomes_its_owner_and_nobody_else(space: Served, provider: Provider) -> None:
    status, said, headers = signed_in(space, provider, "eve")
    assert status == 403
    assert "the Hub says that you are eve" in said
    assert "set-cookie" not in headers or COOKIE not in headers["set-cookie"]
    status, _, headers = signed_in(space, provider, "ada")
    assert (status, headers["location"]) == (303, "/")
    assert COOKIE in headers["set-cookie"]
    assert space.pages.access.secret in headers["set-cookie"]
    assert "/owner is where you sign in." in space.pages.access.sentence


def test_a_session_that_nobody_signed_is_nobodys(space: Served) -> None:
    forged = "session=eyJvYXV0aF9pbmZvIjogeyJ1c2VyaW5mbyI6IHsicHJlZmVycmVkX3VzZXJuYW1lIjogImFkYSJ9fX0=.aaaa.bbbb"
    # Nor does a password stand for the Hub's word, where there is none.
    for shown in ({"cookie": forged}, {"authorization": "Basic YWRhOg=="}):
        status, _, headers = ask(f"{space.address}owner", headers=shown)
        assert (status, headers["location"]) == (303, "/login/huggingface?_target_url=/owner")
