"""A server that others reach: whose a direction is, who may do what, which names it answers to. Two sessions by plain HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
import pytest
from gradio_client import Client

from app.access import MOST_ASLEEP, Access
from app.families import FamilyPages
from app.gate import Names
from app.guard import guarded
from app.page import build
from app.visits import Visits
from core.artefacts import store
from core.chat.session import Session
from core.cli.options import Options
from core.directions import controls, learn_refusal, library, reply_rates
from core.directions.request import LearnRequest, check_free
from core.engine.allowance import MOST, Allowance, VisitorAllowance, WaitingLine, allowed
from core.engine.engine import Engine
from core.engine.visitor import VisitorEngine
from core.errors import TillerError
from core.families import registry
from core.util.progress import Step, finished
from tests.support import tiny_models
from tests.support.browser_server import Served, served
from tests.support.http_page import HttpPage, ask
from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE, learning_held, wait_for

POLITE = "\n".join(f"Could you please say {index}?" for index in range(5))
RUDE = "\n".join(f"Say {index} now." for index in range(5))
AUTH = "ada:lovelace1815"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tiny_models.family(tmp_path_factory.mktemp("families") / "shared", checkpoints=("chat",), plain_base=False)
    tiny_models.contrast(folder, examples=2)
    tiny_models.direction(folder, "chat", "truth")
    engine = Engine(str(folder), threads=1)
    engine.start()
    assert engine.wait_ready(PATIENCE).state == "ready"
    with pytest.MonkeyPatch.context() as patch, served(engine, public=True, auth=AUTH) as page:
        patch.setattr(learn_refusal, "MOST_POSITIONS", 1)
        patch.setattr(controls, "CONTROLS", 2)
        patch.setattr(reply_rates, "REPLY_TOKENS", 4)
        yield page


_sessions = iter(range(10**6))


@pytest.fixture
def ada(server: Served) -> HttpPage:
    return HttpPage(server.address, f"ada{next(_sessions)}")


@pytest.fixture
def bob(server: Served) -> HttpPage:
    return HttpPage(server.address, f"bob{next(_sessions)}")


def learn(page: HttpPage, name: str) -> dict[str, Any]:
    """The first that is said of a learning, which then goes on."""
    values = ["chat", "something of my own", name, "mean_difference", "", POLITE, RUDE, False, False]
    return page.call("learn", values)


def goes_on(page: HttpPage) -> list[dict[str, Any]]:
    """What the page's head lists of what goes on behind the chats."""
    page.call("select", [], {})
    status, said, headers = ask(f"{page.address}status?page={quote(page.session)}", headers=page.headers)
    assert (status, headers["cache-control"]) == (200, "no-store")
    assert json.loads(said).keys() == json.loads(page.call("status")["data"][0]).keys()
    return [each for each in json.loads(said)["jobs"] if not each["chat"]]


def cookie(server: Served) -> str:
    """What the owner's browser shows once he has signed in."""
    right = {"authorization": f"Basic {b64encode(AUTH.encode()).decode()}"}
    return ask(f"{server.address}owner", headers=right)[2]["set-cookie"].partition(";")[0]


def listed(page: HttpPage) -> str:
    """What the library lists, the keys of its entries among it."""
    return str(page.call("again", [None])["data"])


def learnt(page: HttpPage, name: str) -> None:
    """The page's visitor learns a direction, and it is there."""
    learn(page, name)
    wait_for(lambda: f"own/chat/direction.{name}" in listed(page), "the direction")


def slides(page: HttpPage) -> list[str]:
    """The names of the page's sliders."""
    return [each["name"] for each in json.loads(page.call("select", [], {})["data"][0])["sliders"]]


# ------------------------------------------------------------------------------------------------------------------ whose


def test_a_page_that_is_not_known_hears_how_the_server_is_and_nothing_of_anybody(server: Served, ada: HttpPage) -> None:
    learn(ada, "polite")
    assert goes_on(ada), "the visitor's own is listed for him"
    for query in ("", "?page=nobody", "?page=%ff%00", f"?page={'x' * 5_000}"):
        status, said, _ = ask(f"{server.address}status{query}")
        assert (status, json.loads(said)["jobs"]) == (200, [])
    wait_for(lambda: not goes_on(ada), "the end of the learning")


def test_what_one_visitor_learns_is_nobody_elses(server: Served, ada: HttpPage, bob: HttpPage) -> None:
    learnt(ada, "polite")
    assert slides(ada) == ["truth", "polite"]
    assert slides(bob) == ["truth"]
    assert "polite" not in listed(bob)
    assert server.engine.catalogue.cards("chat").keys() == {"truth"}
    # Chat steers by it for the one and knows nothing of it for the other.
    said = [
        json.loads(page.call("typing", [], {"recipe": "2*polite", "heard": 10**6})["data"][0])["recipeError"]
        for page in (ada, bob)
    ]
    assert said[0] == ""
    assert said[1].startswith("chat has no direction 'polite'; it has truth.")
    # Nor can the other take it away, or delete it.
    for name, values in (("exported", ["own/chat/direction.polite", "for Tiller, with its card (.safetensors)"]),
                         ("show_5", ["own/chat/direction.polite"])):  # fmt: skip
        assert "is not in the library any more" in str(bob.call(name, values)) or name == "show_5"
    bob.call("deleted", ["own/chat/direction.polite"])
    assert "own/chat/direction.polite" in listed(ada)
    # Another session may have the same name for something else.
    learnt(bob, "polite")
    ada.call("cancelled", ["chat"])
    bob.call("cancelled", ["chat"])


def test_an_answer_is_steered_by_the_directions_of_who_asks(server: Served, tmp_path: Path) -> None:
    views = [VisitorEngine(server.engine, tmp_path / name, 60.0, WaitingLine()) for name in ("one", "two")]
    for seed, view in enumerate(views):
        made = tiny_models.direction(server.engine.family.folder, "chat", "mood", seed=seed + 5)
        where = store.artefact_path(view.folder, view.family.name, "chat", "direction", "mood")
        where.parent.mkdir(parents=True)
        made.rename(where)
    said = []
    for view in views:
        settings = view.settings("chat", "8*mood").ask("Hello there")
        events = list(view.submit(settings, [1]))
        said.append([each.id for each in events if hasattr(each, "id")])
    assert said[0] != said[1]
    assert said[0]


def test_nobody_takes_a_name_that_everybody_uses(server: Served, ada: HttpPage) -> None:
    sentence = "chat has a direction &#x27;truth&#x27; that everybody uses, and nothing may hide it; give this one another name."
    assert sentence in learn(ada, "truth")["data"][0]
    # The rule is the owner's too, and sees through capitals, which some file systems do not tell apart.
    for name in ("truth", "Truth"):
        for again in (False, True):
            with pytest.raises(TillerError, match="nothing may hide it"):
                LearnRequest("x", name, replace=again).check_free(server.engine.family, "chat")
    check_free(server.engine.family, "chat", "kind")


def test_the_owner_signs_in_and_what_he_makes_is_everybodys(server: Served, ada: HttpPage) -> None:
    wrong = b64encode(b"ada:lovelace1816").decode()
    assert ask(f"{server.address}owner")[0] == 401
    assert ask(f"{server.address}owner", headers={"authorization": f"Basic {wrong}"})[0] == 401
    right = b64encode(AUTH.encode()).decode()
    status, _, headers = ask(f"{server.address}owner", headers={"authorization": f"Basic {right}"})
    assert (status, headers["location"]) == (303, "/")
    assert "HttpOnly" in headers["set-cookie"]
    owner = HttpPage(server.address, "the owner", {"cookie": cookie(server)})
    learnt(owner, "warm")
    owner.call("cancelled", ["chat"])
    wait_for(lambda: (view := server.engine.learning("chat")) is None or view.over, "the end of learning")
    assert "warm" in slides(ada)
    # Of what is the owner's, a visitor deletes nothing; nor by the name of the owner's session, without his cookie.
    for page in (ada, HttpPage(server.address, "the owner")):
        page.call("deleted", ["own/chat/direction.warm"])
        assert "own/chat" not in listed(page)
        assert "Only the owner of this server may do that" in page.call("cancel_loading")["error"]
    row = next(
        each
        for each in library.entries(VisitorEngine(server.engine, Path("x"), 1.0, WaitingLine()).family)
        if each.name == "warm"
    )
    assert (row.own, row.row[-1]) == (False, "the server's")
    for entry in library.entries(server.engine.family):
        if entry.own:
            entry.path.unlink()


def test_one_piece_of_work_at_a_time_and_others_wait_their_turn(server: Served, ada: HttpPage, bob: HttpPage) -> None:
    with learning_held(0.1):
        learn(ada, "first")
        begun = ada.call(
            "learn", ["chat", "something of my own", "second", "mean_difference", "", POLITE, RUDE, False, False]
        )
        assert "chat learns first now; wait for its end, or cancel it." in str(begun)
        assert "each visitor has one at a time" in str(ada.call("start", ["truth", "cosine", None, None]))
        learn(bob, "third")

        def said() -> str:
            return str(json.loads(bob.call("status")["data"][0])["learning"]["chat"]["said"])

        wait_for(lambda: "1 before you." in said(), "his place in the line")
        # What one cancels is his own.
        bob.call("cancelled", ["chat"])
        assert json.loads(ada.call("status")["data"][0])["learning"]["chat"]["running"]
        # So it is in the list of what goes on, of which the owner is told everything, and for whom.
        (first,) = goes_on(ada)
        assert (first["title"], first["whose"]) == ("learning first on chat", "")
        assert first["key"] not in [each["key"] for each in goes_on(bob)]
        bob.call("end_job", [], {"key": first["key"]})
        assert not goes_on(ada)[0]["ends"]
        owners = goes_on(HttpPage(server.address, "the owner", {"cookie": cookie(server)}))
        assert [each["whose"] for each in owners if each["key"] == first["key"]] == ["for a visitor"]
        ada.call("end_job", [], {"key": first["key"]})
        assert not goes_on(ada) or goes_on(ada)[0]["ends"]
    wait_for(lambda: "chat" not in json.loads(ada.call("status")["data"][0])["learning"]
             or not json.loads(ada.call("status")["data"][0])["learning"]["chat"]["running"], "the end")  # fmt: skip


def test_work_ends_when_its_time_is_over(server: Served, tmp_path: Path) -> None:
    view = VisitorEngine(server.engine, tmp_path, 0.0, WaitingLine())
    job = view.learn("chat", ("refusal",))
    assert job.wait(PATIENCE).state == "cancelled"
    assert job.view.sentence.startswith("The 1 s that a visitor has for one piece of work are over")
    with pytest.raises(TillerError, match="are over"):
        finished(allowed(VisitorAllowance(0.0, WaitingLine()), lambda: iter_steps(3)))
    assert finished(allowed(Allowance(), lambda: iter_steps(3))) == "done"


def iter_steps(count: int) -> Any:
    for _ in range(count):
        yield Step(1, "A step.")
    return "done"


def test_the_line_has_an_end_and_moves_on() -> None:
    line = WaitingLine()
    over = threading.Event()
    for _ in range(MOST):
        VisitorAllowance(1.0, line).begin(lambda: not over.is_set())
    with pytest.raises(TillerError, match="try again in some minutes"):
        VisitorAllowance(1.0, line).begin(lambda: True)
    over.set()
    VisitorAllowance(1.0, line).begin(lambda: True)
    first, second = VisitorAllowance(60.0, line), VisitorAllowance(60.0, line)
    one, two = (allowed(each, lambda: iter_steps(2)) for each in (first, second))
    assert next(one).sentence == "A step."
    assert next(two).sentence == "1 before you."
    one.close()
    assert next(two).sentence == "A step."


def test_a_visitor_who_is_gone_leaves_nothing(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = FamilyPages(server.engine, Options(public=True), build)
    access, visits = pages.access, Visits(server.engine, lambda: Session(server.engine.settings()), pages)
    gone = visits.get("gone", owner=False)
    assert isinstance(gone.engine, VisitorEngine)
    (gone.engine.folder / "mine").write_text("x")
    visits.get("other", owner=False)
    assert gone.engine.folder.exists()
    # Who comes back to the family finds what he has learnt; nobody else does by the name of his page.
    back = visits.get("back", earlier="gone", owner=False)
    assert back.engine is gone.engine
    assert visits.get("owner", earlier="gone").engine is server.engine
    gone.seen -= MOST_ASLEEP + 1
    visits.get("third", owner=False)
    assert gone.engine.folder.exists()
    back.seen -= MOST_ASLEEP + 1
    visits.get("fourth", owner=False)
    assert not gone.engine.folder.exists()
    assert len(visits) == 4
    scratch = access.uploads.parent
    access.close()
    assert not scratch.exists()


# -------------------------------------------------------------------------------------------------------- hosts, origins


def test_a_name_that_is_not_its_own_is_not_answered(server: Served) -> None:
    port = server.address.rpartition(":")[2].rstrip("/")
    for host, status in (
        ("evil.example", 421), (f"evil.example:{port}", 421), ("localhost.evil.example", 421), (f"localhost:{port}", 200),
        ("[::1]evil.example", 421), ("localhost@evil.example", 421),
        (f"127.0.0.1:{port}", 200), (f"[::1]:{port}", 200), ("LOCALHOST", 200), ("", 421),
    ):  # fmt: skip
        assert ask(server.address, headers={"host": host})[0] == status, host
    assert "start it with --served-as evil.example" in ask(server.address, headers={"host": "evil.example"})[1]


def test_the_page_of_another_site_may_not_use_it(server: Served) -> None:
    run = f"{server.address}gradio_api/run/predict"
    own = server.address.rstrip("/")
    for origin, allowed_ in (
        ("http://evil.example", False),
        ("null", False),
        ("http://127.0.0.1:1", False),
        (own, True),
    ):
        assert (ask(run, {"data": [], "fn_index": 0}, {"origin": origin})[0] != 403) is allowed_, origin
    # A website that points its own name here has both.
    both = {"origin": "http://evil.example", "host": "evil.example"}
    status, said, _ = ask(run, {"data": [], "fn_index": 0}, both)
    assert status == 421
    assert "data" not in said
    assert ask(own, headers={"origin": "http://evil.example"})[0] == 200, "a link may be followed from anywhere"


def test_a_server_is_reached_by_the_names_that_its_owner_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_HOST", "ada-tiller.hf.space")
    names = Names(Options(served_as=("Tiller.example",)))
    assert names.answers("tiller.example:8080")
    assert names.answers("ada-tiller.hf.space")
    assert names.belongs("https://tiller.example", "127.0.0.1:7860")
    assert not names.belongs("https://other.example", "127.0.0.1:7860")
    assert not names.belongs("http://[", "127.0.0.1:7860")
    assert not Names(Options()).answers("tiller.example")


@pytest.mark.parametrize(
    ("options", "public"),
    [
        (Options(), False), (Options(host="localhost"), False), (Options(host="0.0.0.0"), True), (Options(share=True), True),
        (Options(public=True), True), (Options(auth=AUTH), True),
    ],
)  # fmt: skip
def test_what_makes_a_server_public(options: Options, public: bool) -> None:
    assert Access(options).public is public


def test_a_space_and_an_address_of_gradios_are_public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    assert Access(Options()).public
    monkeypatch.delenv("GRADIO_SERVER_NAME")
    monkeypatch.setenv("SPACE_ID", "ada/tiller")
    assert Access(Options()).public


# ----------------------------------------------------------------------------------------------- what a page may be told


def test_strangers_are_not_told_where_files_are(tmp_path: Path) -> None:
    said = f"{store.user_folder() / 'x.gguf'} of {ROOT / 'vectors'} in {tmp_path}"
    assert Access(Options(public=True)).told(said).startswith("x.gguf of vectors in ")
    assert Access(Options()).told(said) == said


def test_a_handler_is_given_what_it_names_and_its_faults_are_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(name: str, layer: int | None, request: gr.Request) -> str:
        if name == "known":
            raise TillerError("That is known.")
        return name.partition("/")[0] + str(1 // (layer or 0))

    done = guarded(handler, str.upper)
    request = gr.Request(None, session_hash="x")
    assert done("a/b", 1, request) == "A1"
    assert done(None, 1, request) == "1"
    for given, sentence in (
        (("known", 1, request), "THAT IS KNOWN."),
        ((["a"], 1, request), "THE PAGE SENT SOMETHING ELSE THAN WAS ASKED FOR; RELOAD IT."),
        (("a", "b", request), "THE PAGE SENT SOMETHING ELSE THAN WAS ASKED FOR; RELOAD IT."),
        (("a", None, request), "WHAT THE PAGE ASKED FOR STOPPED WITH AN ERROR (ZERODIVISIONERROR"),
    ):
        with pytest.raises(gr.Error) as caught:
            done(*given)
        assert str(caught.value.message).startswith(sentence)
        assert caught.value.print_exception is False


@pytest.mark.parametrize("value", [None, "", 5, [], "x" * 3])
def test_whatever_a_request_holds_it_is_answered_by_a_sentence(server: Served, value: object) -> None:
    page = HttpPage(server.address, f"odd{next(_sessions)}")
    config = json.loads(ask(f"{server.address}config")[1])["dependencies"]
    odd = {
        "message": 5,
        "index": "x",
        "column": 1.5,
        "recipe": None,
        "kind": value,
        "text": 7,
        "heard": "x",
        "link": 5,
        "tab": [],
    }
    for each in config:
        if each["backend_fn"] and each["api_name"] != "close":
            body = {
                "data": [value] * len(each["inputs"]),
                "fn_index": each["id"],
                "session_hash": page.session,
                "event_data": odd,
            }
            _, said, _ = ask(f"{server.address}gradio_api/run/predict", body)
            assert "stopped with an error" not in said, each["api_name"]


def test_a_page_that_was_open_over_a_restart_keeps_its_tabs(server: Served) -> None:
    # Each session is one that this process has not seen, whose page names what an earlier one offered.
    def fresh() -> HttpPage:
        return HttpPage(server.address, f"old{next(_sessions)}")

    key = "shipped/chat/direction.truth"
    for name in ("again", "asked"):
        assert "error" not in fresh().call(name, [key])
    transfer = fresh().call("show", ["truth", "cosine", "base", "chat"])
    assert "Nothing has been carried yet" in str(transfer["data"])
    assert "Nothing has been carried yet" in str(fresh().call("show", ["refusal", "a measure of old", "base", "chat"]))


def test_programs_may_leave_out_the_recipe_and_hear_of_every_failure(server: Served, tmp_path: Path) -> None:
    client = Client(server.address, verbose=False, httpx_kwargs={"timeout": PATIENCE})
    plain = client.predict("Hello", api_name="/chat")
    assert client.predict("Hello", None, None, api_name="/chat") == plain
    with pytest.raises(Exception, match="something else than was asked for"):
        client.predict("Hello", 5, "", api_name="/chat")
    client.close()
    # What fails before an answer has begun is no empty answer.
    broken = tiny_models.family(tmp_path / "broken", checkpoints=("chat",), plain_base=False)
    (broken / "chat" / "model.safetensors").write_bytes(b"nothing")
    engine = Engine(str(broken), threads=1)
    engine.start()
    with served(engine) as page:
        client = Client(page.address, verbose=False, httpx_kwargs={"timeout": PATIENCE})
        with pytest.raises(Exception, match="safetensors"):
            client.predict("Hello", "", "", api_name="/chat")
        client.close()


def test_without_a_session_a_stranger_is_nobody(server: Served) -> None:
    assert "session_hash" in HttpPage(server.address, None).call("again", [None])["error"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes otherwise")
def test_sigterm_leaves_no_folder_behind(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "ended", checkpoints=("chat",), plain_base=False)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    options = f"Options(family={str(folder)!r}, threads=1, public=True)"
    code = (
        "import signal, sys, app, launch; from core.cli.options import Options; signal.signal(signal.SIGTERM, launch._end); "
        f"sys.exit(app.serve({options}))"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert running.stdout is not None
    lines = [running.stdout.readline()]
    while "Visitors chat and steer; what they learn or import is their own" not in lines[-1]:
        assert lines[-1] or running.poll() is None, lines
        lines.append(running.stdout.readline())
    assert list(temporary.glob("tiller-*"))
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=PATIENCE)
    assert running.returncode == 143
    assert [each for each in temporary.iterdir() if each.name.startswith(("tiller-", "gradio"))] == []


def test_registry_families_have_no_visitor() -> None:
    family = registry.load_family("skiff-small")
    assert family.root == store.user_folder()
    assert family.places == (store.user_folder() / "skiff-small", family.folder)
