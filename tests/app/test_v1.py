"""The API for other programs: by plain HTTP, and by OpenAI's own client."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import openai
import pytest

from benchmarks.ports import free_port
from core.chat.beginnings import WrittenText
from core.chat.events import Token
from core.chat.presets import keep_preset
from core.chat.settings import Sampling, Settings, Turn
from core.directions.conclusion import first_recipe
from core.engine.engine import Engine
from core.inference.decoding import BatchDecoder
from core.recipes.language import parse
from tests.support.browser_server import Served, answer, served, short
from tests.support.http_page import ask
from tests.support.paths import ROOT
from tests.support.terminal import steerable
from tests.support.waiting import PATIENCE

HELLO = [{"role": "user", "content": "Hello there"}]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    engine = Engine(str(steerable(tmp_path_factory.mktemp("families") / "tiny")), threads=1)
    engine.start()
    with served(engine) as found:
        while ask(f"{found.address}health")[0] != 200:
            pass
        yield found


@pytest.fixture(scope="module")
def client(page: Served) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{page.address}v1", api_key="any", max_retries=0, timeout=PATIENCE)


def column(engine: Engine, recipe: str = "", tokens: int = 12) -> Settings:
    """A chat of one column, whose answer the API's is to be."""
    wide = short(engine.settings("chat", recipe), tokens)
    return replace(wide, columns=wide.columns[-1:], selected=0)


def post(page: Served, path: str, body: object, **headers: str) -> tuple[int, Any]:
    status, text, _ = ask(f"{page.address}{path}", body, headers)
    return status, json.loads(text)


# ----------------------------------------------------------------------------------------------------------------- models


def test_every_checkpoint_is_a_model_plain_steered_and_as_presets_have_it(page: Served, client: openai.OpenAI) -> None:
    keep_preset(page.engine.family, "my doubter", replace(column(page.engine, "-1*truth"), system="Doubt it."))
    listed = [each.id for each in client.models.list().data]
    steered = [f"tiny/chat:{first_recipe(each)}" for each in page.engine.catalogue.cards("chat").values()]
    assert {"tiny/base", "tiny/chat", *steered, "tiny/chat:my doubter"} <= set(listed)
    for name in (*listed, "chat", "tiny/chat 1*truth", "tiny/chat:1%2Atruth"):
        assert client.models.retrieve(name).id == name
    said = replace(column(page.engine, "-1*truth"), system="Doubt it.").ask("Hello there")
    told = client.chat.completions.create(model="tiny/chat:my doubter", messages=HELLO, max_tokens=12)  # type: ignore[arg-type]
    assert told.choices[0].message.content == answer(page.engine, said)[0].text


# ------------------------------------------------------------------------------------------------------------------- chat


def test_an_answer_is_the_engines_at_once_and_in_parts(page: Served, client: openai.OpenAI) -> None:
    said: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": [{"type": "text", "text": "Hello there"}]},
    ]
    own = replace(column(page.engine, "-1*truth"), system="Be brief.", turns=(Turn("Hi", ("Yes?",)),)).ask(
        "Hello there"
    )
    expected = answer(page.engine, own)[0]
    told = client.chat.completions.create(model="tiny/chat:-1*truth", messages=said, max_tokens=12)
    assert told.choices[0].message.content == expected.text
    assert told.choices[0].finish_reason == "length"
    assert told.choices[0].model_extra == {"steering": "-1*truth"}
    assert told.usage is not None
    assert (told.usage.prompt_tokens, told.usage.completion_tokens) == (expected.prompt_tokens, 12)
    # The recipe may also stand beside the messages, as chat programs send what they do not know.
    beside = client.chat.completions.create(
        model="tiny/chat:3*refusal", messages=said, max_tokens=12, extra_body={"steering": "-1*truth"}
    )
    assert beside.choices[0].message.content == expected.text
    chunks = list(
        client.chat.completions.create(
            model="tiny/chat:-1*truth",
            messages=said,
            max_tokens=12,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert "".join(each.choices[0].delta.content or "" for each in chunks if each.choices) == expected.text
    assert [each.choices[0].finish_reason for each in chunks[-3:-1]] == [None, "length"]
    assert (chunks[-1].choices, chunks[-1].usage) == ([], told.usage)


def test_every_token_comes_with_what_was_read_of_it(page: Served, client: openai.OpenAI) -> None:
    expected = answer(page.engine, column(page.engine, "1*truth").ask("Hello there"))[0]
    wanted: dict[str, Any] = {
        "model": "tiny/chat:1*truth", "messages": HELLO, "max_tokens": 12, "logprobs": True, "top_logprobs": 9,
        "extra_body": {"tiller": {"readings": True}},
    }  # fmt: skip
    told = client.chat.completions.create(**wanted)
    content = told.choices[0].logprobs.content
    assert "".join(each.token for each in content) == expected.text
    for each, token in zip(content, expected.tokens, strict=True):
        assert each.logprob == pytest.approx(token.reading.logprob, abs=1e-4)
        assert len(each.top_logprobs) == 9
        assert [math.exp(one.logprob) for one in each.top_logprobs[:5]] == pytest.approx(
            [one.probability for one in token.reading.top], abs=1e-4
        )
        own = each.model_extra["tiller"]
        assert own["projections"] == pytest.approx(dict(token.reading.projections), abs=1e-3)
        assert token.shadow is not None
        assert own["unsteered_logprob"] == pytest.approx(token.shadow.logprob, abs=1e-4)
    streamed = [each.choices[0] for each in client.chat.completions.create(**wanted, stream=True)]
    parts = [token.logprob for each in streamed if each.logprobs for token in each.logprobs.content]
    assert parts == pytest.approx([each.logprob for each in content], abs=1e-4)


def test_tokens_can_be_pushed_one_by_one(page: Served, client: openai.OpenAI) -> None:
    (pushed,) = page.engine.raw.tokens("chat", "a", begun=False)
    said = client.chat.completions.create(model="chat", messages=HELLO, max_tokens=5, logit_bias={str(pushed): 100})  # type: ignore[arg-type]
    assert said.choices[0].message.content == page.engine.raw.text("chat", [pushed] * 5).strip()
    twice = client.completions.create(
        model="chat",
        prompt="Hello",
        max_tokens=5,
        logit_bias={str(pushed): 60},
        frequency_penalty=2,
        presence_penalty=2,
    )
    assert twice.choices[0].text.strip() == page.engine.raw.text("chat", [pushed] * 5).strip()


def test_several_answers_are_drawn_by_seeds_in_a_row(page: Served, client: openai.OpenAI) -> None:
    def drawn(n: int, seed: int) -> list[str | None]:
        told = client.chat.completions.create(
            model="chat",
            messages=HELLO,
            max_tokens=8,
            n=n,
            seed=seed,
            temperature=1.5,  # type: ignore[arg-type]
        )
        assert [each.index for each in told.choices] == list(range(n))
        return [each.message.content for each in told.choices]

    three = drawn(3, 5)
    assert three == [drawn(1, seed)[0] for seed in (5, 6, 7)]
    assert len(set(three)) > 1
    own = replace(column(page.engine, tokens=8), sampling=Sampling(temperature=1.5, seed=6, max_new_tokens=8))
    assert three[1] == answer(page.engine, own.ask("Hello there"))[0].text
    chunks = list(
        client.chat.completions.create(
            model="chat", messages=HELLO, max_tokens=8, n=2, stream=True, seed=5, temperature=1.5
        )  # type: ignore[arg-type]
    )
    for index in range(2):
        said = [each.choices[0].delta.content or "" for each in chunks if each.choices[0].index == index]
        assert "".join(said) == three[index]


def test_an_answer_that_is_begun_goes_on(page: Served) -> None:
    begun = [*HELLO, {"role": "assistant", "content": "Well <s>"}]
    body = {"model": "chat", "messages": begun, "max_tokens": 6, "continue_final_message": True}
    own = column(page.engine, tokens=6).ask("Hello there")
    events = list(page.engine.submit(own, None, {0: WrittenText("Well <s>")}))
    said = [event for event in events if isinstance(event, Token)]
    new = "".join(event.text for event in said if not event.forced)
    assert "".join(event.text for event in said if event.forced).strip() == "Well <s>", "no control token, but its text"
    status, told = post(page, "v1/chat/completions", body)
    assert (status, told["choices"][0]["message"]["content"]) == (200, new)
    assert told["usage"]["completion_tokens"] == 6
    _, text, _ = ask(f"{page.address}v1/chat/completions", {**body, "stream": True})
    parts = [json.loads(each.removeprefix("data: ")) for each in text.split("\n\n") if each and "[DONE]" not in each]
    assert "".join(each["choices"][0]["delta"].get("content", "") for each in parts) == new
    for change, param in (
        ({"continue_final_message": False}, "messages"),
        ({"messages": HELLO}, "continue_final_message"),
        ({"add_generation_prompt": True}, "continue_final_message"),
        ({"stop": "ell"}, "stop"),
        ({"messages": [*HELLO, {"role": "assistant", "content": "x " * 9000}]}, "messages"),
    ):
        status, told = post(page, "v1/chat/completions", {**body, **change})
        assert (status, told["error"]["param"]) == (400, param)


def test_what_was_left_out_of_a_chat_is_said_beside_it(page: Served) -> None:
    long = {"model": "chat", "messages": [{"role": "user", "content": "word " * 3900}], "max_tokens": 2}
    _, told = post(page, "v1/chat/completions", long)
    assert told["note"].startswith("Too long for this model's context: the first")
    _, text, headers = ask(f"{page.address}v1/chat/completions", {**long, "stream": True})
    assert '"note":' in text
    assert text.endswith("data: [DONE]\n\n")
    assert headers["content-type"].startswith("text/event-stream")


def test_a_stream_that_fails_says_so_and_ends(page: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("nobody foresaw it")

    monkeypatch.setattr(BatchDecoder, "step", broken)
    body = {"model": "chat", "messages": HELLO}
    _, text, _ = ask(f"{page.address}v1/chat/completions", {**body, "stream": True})
    *_, error, end = [each.removeprefix("data: ") for each in text.split("\n\n") if each]
    assert json.loads(error)["error"]["message"].startswith(
        "The model stopped with an error (ValueError: nobody foresaw"
    )
    assert end == "[DONE]"
    status, told = post(page, "v1/chat/completions", body)
    assert (status, told["error"]["type"]) == (500, "server_error")


# ------------------------------------------------------------------------------------------------------------- raw prompts


def test_raw_prompts_go_on_with_every_tokens_probability_as_harnesses_read_it(
    page: Served, client: openai.OpenAI
) -> None:
    """What lm-evaluation-harness sends for a likelihood, and how it reads the answer: the ids, one token more, and echo."""
    engine = page.engine
    texts = ("The city of Paris is in France.", "Water")
    ids = [post(page, "tokenize", {"model": "tiny/base", "prompt": text})[1]["tokens"] for text in texts]
    # As lm-evaluation-harness asks by itself.
    bare = post(page, "tokenize", {"model": "tiny/base", "prompt": texts[0], "add_special_tokens": False})[1]["tokens"]
    assert bare == ids[0][1:]
    # A special token is spelt out, which the tokenizer itself puts before a text.
    spelt = [f"<s>{text}" for text in texts]
    assert [post(page, "detokenize", {"model": "tiny/base", "tokens": each})[1]["prompt"] for each in ids] == spelt
    told = client.completions.create(
        model="tiny/base:2*truth", prompt=ids, max_tokens=1, logprobs=1, temperature=0, seed=1234, echo=True
    )
    assert [each.index for each in told.choices] == [0, 1]
    for each, prompt, text in zip(told.choices, ids, spelt, strict=True):
        assert each.text.startswith(text)
        scores = each.logprobs
        assert scores is not None
        assert scores.token_logprobs is not None
        assert scores.top_logprobs is not None
        assert len(scores.token_logprobs) == len(prompt) + 1
        assert (scores.token_logprobs[0], scores.top_logprobs[0]) == (None, None)
        # The token that was written is the likeliest: its probability is exactly the largest one of its place.
        assert scores.token_logprobs[-1] == max(scores.top_logprobs[-1].values())
    plain = client.completions.create(model="tiny/base", prompt=list(texts), max_tokens=1, logprobs=0, echo=True)
    assert plain.choices[0].logprobs.token_logprobs[1:] != told.choices[0].logprobs.token_logprobs[1:]  # type: ignore[union-attr]
    assert plain.choices[0].text.startswith(texts[0]), "a text comes back as it was sent"
    info = json.loads(ask(f"{page.address}tokenizer_info?model=tiny/base")[1])
    assert {"eos_token", "bos_token", "pad_token", "chat_template"} <= set(info)
    assert info["model_max_length"] == engine.raw.tokenizer("base").context
    # Written alone, several times, and nothing at all but the prompt's own tokens.
    drawn = client.completions.create(
        model="base", prompt=texts[1], max_tokens=5, n=2, temperature=1.0, seed=3, stop=["zzz"]
    )
    assert drawn.usage is not None
    assert drawn.usage.prompt_tokens == len(ids[1])
    nothing = client.completions.create(model="base", prompt=texts[1], max_tokens=0, echo=True, logprobs=2)
    assert nothing.choices[0].text == texts[1]
    streamed = list(client.completions.create(model="base", prompt=texts[1], max_tokens=3, stream=True))
    assert (
        streamed[0].choices[0].text
        == client.completions.create(model="base", prompt=texts[1], max_tokens=3).choices[0].text
    )


# ---------------------------------------------------------------------------------------------------------------- steering


def test_directions_and_recipes_are_told(page: Served) -> None:
    found = json.loads(ask(f"{page.address}v1/steering")[1])["data"]
    names = {each["model"]: [one["name"] for one in each["directions"]] for each in found}
    assert sorted(names["tiny/chat"]) == ["refusal", "truth"]
    assert all(one["useful"] for each in found for one in each["directions"] if each["model"] == "tiny/chat")
    status, told = post(page, "v1/steering", {"model": "chat", "steering": " 1.50*truth+!refusal"})
    assert (status, told["steering"]) == (200, str(parse("1.5*truth + !refusal")))
    assert told["words"] == page.engine.explain(parse("1.5*truth + !refusal"), "chat")


# ------------------------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("change", "status", "code", "sentence"),
    [
        ({"model": "nothing"}, 404, "model_not_found", "There is no model 'nothing'; /v1/models lists them."),
        ({"model": "chat:1,5*truth"}, 400, "invalid_recipe", "Character 2"),
        ({"steering": "nonsense*"}, 400, "invalid_recipe", "Character"),
        ({"model": None}, 400, None, "model is a text"),
        ({"messages": []}, 400, None, "There is no message to answer"),
        ({"messages": [{"role": "assistant", "content": "Hi"}]}, 400, None, "A message is the system's"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, None, "Only text can be read here"),
        ({"temperature": 9}, 400, None, "The temperature is 0"),
        ({"temperature": 10**400}, 400, None, "temperature is far too large"),
        ({"temperature": math.nan}, 400, None, "temperature is far too large, or no number"),
        ({"max_tokens": "many"}, 400, None, "max_tokens is a whole number"),
        ({"stop": [""]}, 400, None, "A stop string has at least one character."),
        ({"n": 9}, 400, None, "n is between 1 and 8, not 9."),
        ({"logprobs": True, "top_logprobs": 21}, 400, None, "top_logprobs is between 0 and 20"),
        ({"stream": "yes"}, 400, None, "stream is true or false"),
        ({"presence_penalty": 3}, 400, None, "presence_penalty is between -2 and 2."),
        ({"logit_bias": {"a": 1}}, 400, None, "logit_bias is an object: token ids"),
        ({"logit_bias": {"999999": 1}}, 400, None, "chat has no token 999999"),
        ({"model": "chat:\ud800", "steering": ""}, 400, None, "model holds half a character"),
        ({"messages": [{"role": "system", "content": "\ud800"}, *HELLO]}, 400, None, "content holds half a character"),
        ({"messages": [{"role": "system", "content": "x " * 9000}, *HELLO]}, 400, None, "The system prompt alone fills"),
        ({"messages": "x"}, 400, None, "messages is a list"),
        ({"recipe": "1*truth"}, 400, None, "recipe cannot be had here; send steering for it."),
        ({"stop_token_ids": [3]}, 400, None, "stop_token_ids cannot be had here"),
        ({"top_logprobs": 3}, 400, None, "What is read of tokens comes with their logprobs"),
        ({"tiller": {"reading": True}}, 400, None, "tiller is an object"),
        ({"seed": 10**4298}, 400, None, "seed is far too large"),
        ({"tools": [{}]}, 400, None, "tools cannot be had here"),
        ({"messages": [{"role": "user", "content": "x" * 1_000_001}]}, 413, None, "A request has at most 1,000,000 bytes"),
    ],
)  # fmt: skip
def test_what_a_chat_cannot_have_is_said(
    page: Served, change: dict[str, Any], status: int, code: str | None, sentence: str
) -> None:
    found, told = post(page, "v1/chat/completions", {"model": "chat", "messages": HELLO, **change})
    assert told["error"]["message"].startswith(sentence), told
    assert (found, told["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        ({"prompt": []}, None, "prompt is a text, a list of texts"),
        ({"prompt": [[1], "x"]}, None, "prompt is a text, a list of texts"),
        ({"prompt": "a\ud800"}, None, "prompt holds half a character"),
        ({"max_tokens": 10**4298}, None, "max_tokens is far too large"),
        ({"prompt": [[5] * 512] * 256, "max_tokens": 0, "echo": True, "logprobs": 20}, "context_length_exceeded", "131,072 tokens"),
        ({"prompt": [10**7]}, None, "base has no token 10000000"),
        ({"prompt": "word " * 9000}, "context_length_exceeded", "The prompt has"),
        ({"max_tokens": 0}, None, "Nothing would be written or told"),
        ({"logprobs": 50}, None, "logprobs is between 0 and 20"),
        ({"best_of": 3}, None, "best_of is n here"),
        ({"add_special_tokens": False}, None, "add_special_tokens cannot be had here"),
        ({"prompt": ["a"] * 300}, None, "A request has 1 to 256 continuations"),
        ({"prompt": ["a"] * 200, "max_tokens": 4096}, None, "Up to 819,200 tokens would be written"),
    ],
)  # fmt: skip
def test_what_a_raw_prompt_cannot_have_is_said(
    page: Served, change: dict[str, Any], code: str | None, sentence: str
) -> None:
    status, told = post(page, "v1/completions", {"model": "base", "prompt": "Hello", **change})
    assert told["error"]["message"].startswith(sentence), told
    assert (status, told["error"]["code"]) == (400, code)


def test_clients_know_the_classes_of_errors(page: Served, client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="There is no model"):
        client.chat.completions.create(model="nothing", messages=HELLO)  # type: ignore[arg-type]
    with pytest.raises(openai.BadRequestError, match="Character 2"):
        client.completions.create(model="chat:1,5*truth", prompt="Hi")
    status, told = post(page, "v1/completions", None)
    assert (status, told["error"]["message"]) == (405, "/v1/completions takes a POST of JSON; send one.")
    with pytest.raises(openai.NotFoundError, match=r"There is no /v1/responses here"):
        client.responses.create(model="chat", input="Hi")


def test_who_comes_when_too_many_are_answered_is_told_when_to_come_again(
    page: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.v1.routes.MOST", 2)
    body = {"model": "chat", "messages": HELLO, "max_tokens": 2}
    assert ask(f"{page.address}v1/chat/completions", {**body, "n": 2})[0] == 200
    status, text, headers = ask(f"{page.address}v1/chat/completions", {**body, "n": 3})
    assert (status, json.loads(text)["error"]["code"], int(headers["retry-after"]) > 0) == (
        429,
        "rate_limit_exceeded",
        True,
    )


def test_a_server_with_a_key_takes_it_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    engine = Engine(str(steerable(tmp_path_factory.mktemp("keyed") / "tiny")), threads=1)
    with served(engine, api_key="secret") as keyed:
        for headers, status in (
            ({}, 401),
            ({"authorization": "Bearer other"}, 401),
            ({"authorization": "Bearer secret"}, 200),
        ):
            assert ask(f"{keyed.address}v1/models", headers=headers)[0] == status
        # Its model has not been loaded.
        status, _, headers = ask(f"{keyed.address}health")
        assert (status, "retry-after" in headers) == (503, True)


def test_counts_are_told(page: Served) -> None:
    def counts() -> dict[str, int]:
        told = [line.split() for line in ask(f"{page.address}metrics")[1].splitlines()]
        return {name: int(value) for name, value in told}

    before = counts()
    post(page, "v1/chat/completions", {"model": "chat", "messages": HELLO, "max_tokens": 3})
    post(page, "v1/chat/completions", {"model": "nothing", "messages": HELLO})
    ask(f"{page.address}v1/chat/completions", {"model": "chat", "messages": HELLO, "max_tokens": 4, "stream": True})
    post(page, "v1/completions", {"model": "chat", "prompt": "Water", "max_tokens": 2})
    after = counts()
    assert after["tiller_tokens_total"] - before["tiller_tokens_total"] == 3 + 4 + 2
    assert after["tiller_refused_total"] - before["tiller_refused_total"] == 1
    assert after["tiller_running"] == 0


# ----------------------------------------------------------------------------------------------------------- without a page


def test_serve_answers_without_a_page_and_ctrl_c_ends_it() -> None:
    command = [sys.executable, str(ROOT / "launch.py"), "serve", "--port", "0", "--threads", "1"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    command[command.index("--port") + 1] = str(free_port())
    running = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    said = running.stdout.readline()
    while said.startswith("Port"):
        said = running.stdout.readline()
    assert said.startswith("Skiff answers at http://127.0.0.1:")
    address = said.split(" answers at ")[1].split("/v1")[0]
    while True:
        try:
            if ask(f"{address}/health")[0] == 200:
                break
        except OSError:
            assert running.poll() is None
    status, text, _ = ask(f"{address}/v1/chat/completions", {"model": "dpo", "messages": HELLO, "max_tokens": 4})
    assert (status, json.loads(text)["usage"]["completion_tokens"]) == (200, 4)
    assert ask(f"{address}/")[0] == 404
    running.send_signal(signal.SIGINT)
    out, errors = running.communicate(timeout=PATIENCE)
    assert (out.strip(), errors, running.returncode) == ("Stopped.", "", 130)


def test_routes_need_no_gradio() -> None:
    code = "import sys, app.v1.server; sys.exit('gradio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
