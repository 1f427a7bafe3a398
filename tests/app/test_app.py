"""The browser app without a browser: what its handlers tell the page, its port, its API, how it starts and ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
import pytest
from gradio_client import Client

from app.chat import documents
from app.chat.conversation import Chat, Telling, Told, beats
from app.chat.learning import Learning
from app.chat.steering import Steering
from app.server import hold, place
from app.visits import MAX_VISITS, Visits
from benchmarks.ports import free_port
from core.artefacts import store
from core.chat.events import Failed, Started
from core.chat.session import Session
from core.chat.settings import Settings
from core.display import palette
from core.engine.engine import Engine
from core.errors import TillerError
from tests.support import tiny_models
from tests.support.browser_server import answer, family, served, short
from tests.support.http_page import ask
from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return family(tmp_path_factory.mktemp("families") / "tinyfam")


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[Engine]:
    started = Engine(str(folder), threads=1)
    started.start()
    assert started.wait_ready(PATIENCE).state == "ready"
    yield started
    started.close()


class Hand:
    """Does what one page would do, with the handlers themselves."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine = engine
        self.chat = Chat(engine, Visits(engine, lambda: Session(settings)))
        self.steering = Steering(self.chat)
        self.key = "a page"
        self.count = 0

    def do(self, handler: Callable[[gr.EventData, gr.Request], Any], **said: object) -> list[Told]:
        """Everything that a handler tells the page."""
        self.count += 1
        event = gr.EventData(None, {"heard": self.count, **said})
        told = handler(event, gr.Request(None, session_hash=self.key))
        return list(told) if isinstance(told, Iterator) else [told]

    def view(self, handler: Callable[[gr.EventData, gr.Request], Any], **said: object) -> dict[str, Any]:
        """The last view that a handler tells."""
        views = [told[0] for told in self.do(handler, **said) if isinstance(told[0], str)]
        return dict(json.loads(views[-1]))

    @property
    def visit(self) -> Any:
        return self.chat.visits.get(self.key)


@pytest.fixture
def hand(engine: Engine) -> Hand:
    return Hand(engine, short(engine.settings("", "-1*truth"), 12))


def lines(told: object) -> list[Mapping[str, Any]]:
    """The lines of a stream."""
    return [json.loads(line) for line in str(told).split("\n")]


# ---------------------------------------------------------------------------------------------------------------- streams


def test_a_stream_only_grows_and_says_what_the_engine_said(hand: Hand) -> None:
    told = hand.do(hand.chat.send, message="Hello there")
    texts = [str(each[1]) for each in told if isinstance(each[1], str)]
    assert len(texts) > 2
    for earlier, later in pairwise(texts):
        assert later.startswith(earlier)
    head, *rest = lines(texts[-1])
    assert list(head) == ["stream"]
    expected = answer(hand.engine, short(hand.engine.settings("", "-1*truth"), 12).ask("Hello there"))
    for column in (0, 1):
        said = [token for line in rest if line["c"] == column for token in line.get("t", [])]
        assert "".join(token[0] for token in said) == expected[column].text
        assert [token[4] for token in said] == [token.id for token in expected[column].tokens]
    final = json.loads(str(told[-1][0]))
    assert final["running"] is False
    assert final["turns"] == [{"user": "Hello there", "replies": [expected[0].text, expected[1].text]}]


def test_a_stream_begins_anew_when_the_page_was_told_everything_by_another(hand: Hand) -> None:
    hand.visit.session.settings = short(hand.visit.settings, 3_000)
    stream = hand.chat.send(gr.EventData(None, {"message": "Go on"}), gr.Request(None, session_hash=hand.key))
    for _ in range(3):
        _, before = next(stream)
    everything = hand.chat.everything(hand.visit)
    _, after = next(stream)
    stream.close()
    numbers = [lines(str(each))[0]["stream"] for each in (before, everything, after)]
    assert numbers == sorted(set(numbers))
    words = [
        [each[4] for line in lines(str(told))[1:] for each in line.get("t", []) if line["c"] == 1]
        for told in (everything, after)
    ]
    assert words[1][: len(words[0])] == words[0]


def test_a_closed_generator_cancels_its_run_and_keeps_what_was_said(hand: Hand) -> None:
    hand.visit.session.settings = short(hand.visit.settings, 3_000)
    stream = hand.chat.send(gr.EventData(None, {"message": "Go on"}), gr.Request(None, session_hash=hand.key))
    for _ in range(4):
        next(stream)
    run = hand.visit.run
    stream.close()
    assert run.cancelled.is_set()
    assert hand.visit.run is None
    assert hand.visit.settings.turns[-1].replies[1] != ""


def test_stop_does_not_wait_for_the_model(folder: Path) -> None:
    cold = Engine(str(folder), threads=1)
    hand = Hand(cold, cold.settings())
    stream = hand.chat.send(gr.EventData(None, {"message": "Hello"}), gr.Request(None, session_hash=hand.key))
    next(stream)
    hand.do(hand.chat.stop)
    told = list(stream)
    assert [line["reason"] for line in lines(told[-1][1]) if line.get("done")] == ["stopped", "stopped"]
    assert json.loads(str(told[-1][0]))["running"] is False


def test_a_run_in_the_place_of_another_leaves_the_newer_answers_alone(hand: Hand) -> None:
    hand.visit.session.settings = short(hand.visit.settings, 3_000)
    first = hand.chat.send(gr.EventData(None, {"message": "Go on"}), gr.Request(None, session_hash=hand.key))
    next(first)
    hand.visit.session.settings = short(hand.visit.settings, 12)
    second = hand.view(hand.chat.send, message="Hello there")
    list(first)
    assert hand.visit.settings.turns[-1].user == "Hello there"
    assert json.loads(hand.chat.view(hand.visit))["turns"] == second["turns"]
    assert [len(hand.visit.session.answers[column].tokens) for column in (0, 1)] == [12, 12]


def test_beats_come_ten_times_a_second_at_most(hand: Hand) -> None:
    run = hand.engine.submit(short(hand.engine.settings(), 400).ask("Go on"))
    began = time.monotonic()
    got = list(beats(run))
    assert len(got) <= (time.monotonic() - began) / 0.1 + 2
    assert sum(len(each) for each in got) > 800


def test_a_failure_is_told_in_its_column(hand: Hand) -> None:
    session = hand.visit.session
    session.ask("Hello")
    session.waiting([0, 1])
    session.apply([Failed("It broke; try again.", 1)])
    told = [json.loads(each) for each in documents.lines([Failed("It broke; try again.", 1)], (), session.answers)]
    assert told == [{"c": 1, "done": True, "error": "It broke; try again."}]


# --------------------------------------------------------------------------------------------------------------- steering


def test_letting_go_at_a_computed_strength_runs_nothing(hand: Hand) -> None:
    hand.do(hand.chat.send, message="Hello there")
    sheet = json.loads(str([each for each in hand.do(hand.chat.scrub, direction="truth") if each][-1]))
    assert sheet["strengths"] == list(hand.engine.SCRUB_STRENGTHS)
    told = hand.do(hand.steering.revise, kind="strength", direction="truth", strength=1.5)
    assert len(told) == 1
    text = "".join(token[0] for token in sheet["answers"][7]["t"])
    assert hand.visit.settings.turns[-1].replies[1] == text
    assert text == answer(hand.engine, short(hand.engine.settings("", "1.5*truth"), 12).ask("Hello there"))[1].text


def test_a_slider_at_zero_remembers_its_source_and_its_layers(hand: Hand) -> None:
    hand.view(hand.steering.revise, kind="strength", direction="truth", strength=0)
    view = hand.view(hand.steering.revise, kind="source", direction="truth", source="base")
    assert view["columns"][1]["recipe"] == ""
    assert view["sliders"][0]["source"] == "base"
    view = hand.view(hand.steering.slide, direction="truth", strength=0.5)
    assert view["columns"][1]["recipe"] == "0.5*truth@base"
    hand.view(hand.steering.typing, recipe="-1*refusal@base[2-3]:reply")
    keys = [
        hand.view(hand.steering.slide, direction="refusal", strength=each)["sliders"][1]["key"] for each in (-0.5, 0, 1)
    ]
    assert str(hand.visit.settings.column.recipe) == "1*refusal@base[2-3]:reply"
    assert len(set(keys)) == 1, "the answers computed beforehand are those of the whole slider"
    hand.view(hand.steering.typing, recipe="")
    view = hand.view(hand.steering.slide, direction="refusal", strength=1)
    assert view["columns"][1]["recipe"] == "1*refusal", "a line that was typed is taken as it is"
    assert view["sliders"][1]["key"] not in keys


def test_nothing_is_computed_beforehand_of_a_recorded_run_or_behind_a_token_that_was_given(hand: Hand) -> None:
    assert hand.view(hand.chat.send, message="Hello there")["scrub"] is True
    hand.visit.session.recorded = True
    assert json.loads(hand.chat.view(hand.visit))["scrub"] is False
    assert [json.loads(each) for each in hand.do(hand.chat.scrub, direction="truth", key="k")][-1]["missed"] == "k"
    hand.visit.session.recorded = False
    first = hand.visit.session.answers[1].tokens[0].reading.top[1]
    assert hand.view(hand.chat.follow, column=1, index=0, id=first.id)["scrub"] is False


def test_a_retry_by_chance_draws_with_the_next_seed(hand: Hand) -> None:
    hand.do(hand.chat.send, message="Hello there")
    assert hand.view(hand.chat.retry)["sampling"]["seed"] == 0
    sampling = replace(hand.visit.settings.sampling, temperature=0.8)
    hand.visit.session.settings = replace(hand.visit.settings, sampling=sampling)
    assert hand.view(hand.chat.retry)["sampling"]["seed"] == 1


def test_nothing_is_read_from_disk_while_a_slider_is_dragged(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    hand.view(hand.steering.slide, direction="truth", strength=0.1)
    read: list[Path] = []
    header = store.read_metadata
    monkeypatch.setattr(store, "read_metadata", lambda path: read.append(path) or header(path))
    for step in range(10):
        hand.view(hand.steering.slide, direction="truth", strength=step / 10)
    assert read == []


def test_colours_are_those_of_the_selected_columns_checkpoint(engine: Engine, folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "measured"
    own.mkdir()
    for path in (path for path in folder.rglob("*") if path.is_file()):
        (own / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
        (own / path.relative_to(folder)).write_bytes(path.read_bytes())
    for checkpoint, low in (("base", -6.0), ("chat", -2.0)):
        tiny_models.direction(own, checkpoint, "truth", reading_range=[low, 1.5])
    measured = Engine(str(own))
    said = answer(engine, short(engine.settings(), 12).ask("Hello there"))
    hand = Hand(measured, measured.settings())
    hand.visit.session.settings = hand.visit.settings.ask("Hello there").answered(0, said[0].text)
    hand.visit.session.answers = dict(said)
    hand.visit.session.set_checkpoint(0, "base")

    def shades(told: object) -> list[int | None]:
        return [token[1][3] for token in lines(told)[1]["t"]]

    def expected() -> list[int | None]:
        lens = measured.lenses(hand.visit.settings)[3]
        assert (lens.name, lens.low) == ("truth", {"base": -6.0, "chat": -2.0}[hand.visit.settings.column.checkpoint])
        return [palette.shade_of(lens, token) for token in said[0].tokens]

    before = shades(hand.chat.everything(hand.visit))
    assert before == expected()
    stream = Telling(hand.visit)
    first = stream.after()
    assert stream.after([Started(1, 3)]).startswith(first)
    told = hand.do(hand.steering.select, column=0)
    assert shades(told[-1][1]) == expected() != before
    # A run that goes on begins its lines anew.
    assert shades(stream.after([Started(1, 3)])) == expected()
    # Of one checkpoint all is told already.
    assert not isinstance(hand.do(hand.steering.select, column=0)[-1][1], str)


def test_scrubbing_that_was_interrupted_says_so(hand: Hand) -> None:
    hand.do(hand.chat.send, message="Hello there")
    asked = gr.EventData(None, {"direction": "truth", "key": "k"})
    stream = hand.chat.scrub(asked, gr.Request(None, session_hash=hand.key))
    next(stream)
    hand.do(hand.chat.stop)
    assert [json.loads(each)["missed"] for each in stream if each] == ["k"]


def test_a_late_slide_changes_nothing(hand: Hand) -> None:
    hand.view(hand.steering.revise, kind="strength", direction="truth", strength=1.5)
    late = gr.EventData(None, {"heard": 0, "direction": "truth", "strength": -2.0})
    told = hand.steering.slide(late, gr.Request(None, session_hash=hand.key))
    assert not isinstance(told[0], str), "what came after it tells the page"
    assert str(hand.visit.settings.columns[1].recipe) == "1.5*truth"


def test_a_column_that_is_done_is_written_anew_while_another_still_writes(hand: Hand) -> None:
    hand.do(hand.chat.send, message="Hello there")
    hand.visit.session.settings = short(hand.visit.settings, 3_000).with_recipe(
        hand.visit.settings.columns[1].recipe, 1
    )
    other = hand.chat.answer(hand.visit, [0])
    next(other)
    hand.visit.session.settings = short(hand.visit.settings, 12)
    hand.do(hand.steering.revise, kind="strength", direction="truth", strength=2)
    list(other)
    expected = answer(hand.engine, short(hand.engine.settings("", "2*truth"), 12).ask("Hello there"))
    assert [hand.visit.session.answers[column].text for column in (0, 1)] == [expected[0].text, expected[1].text]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"kind": "strength", "direction": "truth", "strength": 1e9}, "A strength lies between -10 and 10 gaps; 1e+09 does not ("),
        ({"kind": "strength", "direction": "truth", "strength": "much"}, "Write a number for strength, such as 1.5."),
        ({"kind": "strength", "direction": "<b>", "strength": 1}, "This family has no direction '<b>'."),
        ({"kind": "recipe", "recipe": "1*truth@nowhere"}, "Tiny has no checkpoint 'nowhere'; it has base, chat."),
        ({"kind": "recipe", "recipe": "1*truth[9]"}, "truth[9] names layer 9; chat has layers 0 to 3."),
        ({"kind": "source", "direction": "truth", "source": "nowhere"}, "No direction truth was learnt on 'nowhere'; choose"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_and_changes_nothing(hand: Hand, said: dict[str, object], sentence: str) -> None:
    view = hand.view(hand.steering.revise, **said)
    assert view["recipeError"].startswith(sentence)
    assert view["columns"][1]["recipe"] == "-1*truth"
    assert hand.view(hand.steering.revise, kind="recipe", recipe="1*truth")["recipeError"] == ""


def test_what_a_page_says_may_be_anything(hand: Hand) -> None:
    assert hand.view(hand.chat.send, message=["no", "text"])["notice"].startswith("The page sent no text")
    assert hand.view(hand.chat.example, index=99)["notice"] == "That is not there any more."
    assert hand.view(hand.chat.follow, column=0, index=3, id=1)["notice"] == "That is not there any more."
    assert hand.view(hand.steering.drop, column=-1)["notice"] == "That is not there any more."
    view = hand.view(hand.chat.details, system="", temperature=float("inf"))
    assert view["wrong"] == ["temperature"]
    assert view["fields"]["temperature"].startswith("Write a number")
    assert hand.view(hand.chat.retry)["notice"] == "There is nothing to answer yet; write a message first."
    assert hand.view(hand.chat.undo)["notice"] == "There is nothing to undo yet."


def test_a_learning_that_cannot_begin_says_why_at_once(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(*_: object) -> None:
        raise TillerError("base learns warmth now; wait for its end, or cancel it.")

    monkeypatch.setattr(hand.engine, "learn", refusing)
    asked = gr.EventData(None, {"heard": 0})
    status, view = Learning(hand.chat).learn(asked, gr.Request(None, session_hash=hand.key))
    assert json.loads(view)["notice"] == "base learns warmth now; wait for its end, or cancel it."
    assert json.loads(status)["state"]


# ----------------------------------------------------------------------------------------------------------------- visits


def test_a_page_unknown_to_this_process_brings_its_chat_along(engine: Engine) -> None:
    hand = Hand(engine, engine.settings())
    link = short(engine.settings("base", "2*refusal"), 5).ask("Before the restart").to_link()
    view = hand.view(hand.steering.slide, direction="truth", strength=1, link=link)
    assert [turn["user"] for turn in view["turns"]] == ["Before the restart"]
    assert view["columns"][1] == {**view["columns"][1], "checkpoint": "base", "recipe": "2*refusal + 1*truth"}


def test_a_link_of_another_family_is_refused(engine: Engine) -> None:
    visits = Visits(engine, lambda: Session(engine.settings()))
    stranger = Settings("llama", engine.settings().columns)
    assert "start Tiller with --family ./llama" in visits.get("a", stranger.to_link()).elsewhere["said"]
    elsewhere = Settings("pair-model-0123abcd", engine.settings().columns)
    assert (
        "start Tiller with the same --base, --stage and --post here"
        in visits.get("b", elsewhere.to_link()).elsewhere["said"]
    )
    assert visits.get("c", "s=nonsense").notice


def test_a_page_that_slept_finds_its_chat(hand: Hand) -> None:
    hand.do(hand.chat.send, message="Hello there")
    hand.do(hand.chat.scrub, direction="truth")
    hand.chat.close(gr.Request(None, session_hash=hand.key))
    view = hand.view(hand.steering.select, column=0)
    assert [turn["user"] for turn in view["turns"]] == ["Hello there"]
    assert [slider["ready"] for slider in view["sliders"]] == [False, False], "what was computed beforehand is let go"


def test_another_page_of_this_browser_goes_on_with_a_copy_of_its_chat(hand: Hand) -> None:
    hand.do(hand.chat.send, message="Hello there")
    visits, before = hand.chat.visits, hand.visit
    after = visits.get("another page", "", hand.key)
    assert (after.settings, after.session.answers, after.key) == (
        before.settings,
        before.session.answers,
        "another page",
    )
    after.session.undo()
    assert (len(before.settings.turns), len(after.settings.turns)) == (1, 0)
    assert visits.get("a third", before.settings.to_link(), "unknown").settings == before.settings


def test_old_visits_make_room(engine: Engine) -> None:
    visits = Visits(engine, lambda: Session(engine.settings()))
    first = visits.get("0")
    run = first.begin(engine.submit(short(engine.settings(), 3_000).ask("Go on")))
    for number in range(1, MAX_VISITS + 1):
        visits.get(str(number))
    assert len(visits) == MAX_VISITS
    assert run.cancelled.is_set()


def test_a_chat_too_long_for_an_address_says_so(hand: Hand) -> None:
    for number in range(6):
        # Words that zlib cannot fold together.
        hand.visit.session.settings = hand.visit.settings.ask(
            " ".join(str(hash((number, word))) for word in range(120))
        )
    view = hand.view(hand.steering.select, column=0)
    assert view["whole"] is False
    assert len(view["link"]) <= documents.MAX_ADDRESS
    assert Settings.from_link(view["link"]).columns == hand.visit.settings.columns


# -------------------------------------------------------------------------------------------------------------------- API


def test_the_api_streams_one_answer(engine: Engine, folder: Path) -> None:
    own = Engine(str(folder), threads=1)
    own.start()
    with served(own) as page:
        client = Client(page.address, verbose=False, httpx_kwargs={"timeout": PATIENCE})
        job = client.submit("Hello there", "-1*truth", "base", api_name="/chat")
        expected = answer(engine, engine.settings("base", "-1*truth").ask("Hello there"))[1].text
        assert job.result(timeout=PATIENCE) == expected
        assert len(job.outputs()) > 1
        assert all(expected.startswith(str(each)) for each in job.outputs())
        with pytest.raises(Exception, match="no checkpoint 'nowhere'"):
            client.predict("Hello", "", "nowhere", api_name="/chat")
        names = list(client.view_api(return_format="dict")["named_endpoints"])
        tools = ["/tool_steer", "/tool_blame", "/tool_learn", "/tool_inspect"]
        assert names == ["/chat", *tools], "only what is meant for other programs is offered to them"
        client.close()


# ---------------------------------------------------------------------------------------------------- starting and ending


def test_a_port_in_use_gives_way_to_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        host, found = place(None, port)
    assert host == "127.0.0.1"
    assert found is not None
    assert found > port
    assert capsys.readouterr().out == f"Port {port} is in use; this is port {found}.\n"


def test_a_port_that_is_taken_between_finding_and_serving_gives_way_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with hold(None, free_port()) as taken:
        port = taken.getsockname()[1]
        with monkeypatch.context() as late:
            late.setattr("tests.support.browser_server.place", lambda *_: ("127.0.0.1", port))
            with served(Engine(str(folder), threads=1)) as page:
                found = urlsplit(page.address).port
                assert ask(page.address)[0] == 200
    assert found is not None
    assert found > port
    assert f"Port {port} is in use; this is port {found}." in capsys.readouterr().out


def test_a_space_chooses_its_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    assert place(None, None) == (None, None)
    assert place("127.0.0.1", None)[0] == "127.0.0.1"


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(TillerError, match="leave --host out"):
        place("192.0.2.1", None)


def test_the_page_comes_before_torch_and_control_c_ends_it(folder: Path) -> None:
    code = (
        "import sys; from core.cli.options import Options; import app, app.server as main; launch = main.launch\n"
        # As on a machine that is too slow to answer itself while Gradio waits.
        "import gradio.networking; gradio.networking.url_ok = lambda url: False\n"
        "def spy(*given):\n    page = launch(*given); print('torch' in sys.modules, flush=True); return page\n"
        f"main.launch = spy; sys.exit(app.serve(Options(family={str(folder)!r}, threads=1)))"
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    running = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, text=True, **pipes)
    assert running.stdout is not None
    said = [running.stdout.readline() for _ in range(2)]
    if said[0].startswith("Port"):
        said = [said[1], running.stdout.readline()]
    assert said[0] == "False\n"
    assert said[1].startswith("Tiller is open at http://127.0.0.1:")
    running.send_signal(signal.SIGINT)
    out, errors = running.communicate(timeout=PATIENCE)
    assert out.strip() == "Stopped."
    assert errors == ""
    assert running.returncode == 130


def test_behind_a_proxy_that_takes_its_prefix_off_every_page_knows_where_it_is(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/tiller")
    with served(engine) as page:
        # A page is served once somebody has asked for it.
        while (status := ask(f"{page.address}family/skiff-small/")[0]) == 307:
            pass
        assert status == 200
        for path in ("", "family/skiff-small/"):
            root = json.loads(ask(f"{page.address}{path}config")[1])["root"]
            assert root == f"{page.address}tiller/{path}".rstrip("/")
            assert ask(f"{page.address}{path}gradio_api/info")[0] == 200
