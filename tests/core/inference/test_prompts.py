"""The prompt of a chat is as much of its end as fits, and finding that out costs about as much as what fits, however long the chat is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast

from core.chat.settings import Column, Sampling, Settings, Turn
from core.errors import TillerError
from core.inference import prompts
from core.models.chat_template import ChatMessage
from core.models.loading import Loaded
from core.util.limits import MAX_MESSAGE, MAX_TURNS

WORDS = st.integers(1, 30).map(lambda count: "lorem " * count)


def long_chat(turns: Sequence[Turn], system: str = "") -> Settings:
    return Settings(
        "llama",
        (Column("chat"),),
        sampling=Sampling(max_new_tokens=16),
        system=system,
        turns=(*turns, Turn("And now?")),
    )


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.builds(lambda user, reply: Turn(user, (reply,)), WORDS, WORDS), max_size=30))
def test_as_many_of_the_latest_turns_as_fit_are_kept(tiny_loaded: Callable[[str], Loaded], turns: list[Turn]) -> None:
    loaded = tiny_loaded("llama")
    chat = long_chat(turns)
    room = loaded.context - 16
    for left_out in range(len(chat.turns)):
        wanted = prompts.render(loaded, prompts._messages(loaded, "", chat.turns[left_out:], 0)[0])
        if len(wanted.ids) <= room:
            break
    found = prompts.build(loaded, chat, 0)
    assert found.ids == wanted.ids
    assert found.note == (f"Too long for this model's context: {_said(left_out)}." if left_out else "")


def _said(left_out: int) -> str:
    return f"the {'earliest turn' if left_out == 1 else f'earliest {left_out} turns'} left out"


@pytest.mark.parametrize(
    "turn", [Turn("Hi", ("Yes",)), Turn("lorem " * 3_000, ("ipsum " * 3_000,))], ids=["many", "long"]
)
def test_a_chat_of_any_length_costs_about_what_fits(
    tiny_loaded: Callable[[str], Loaded], monkeypatch: pytest.MonkeyPatch, turn: Turn
) -> None:
    """Each turn was once written out for each turn that was left out: 400 turns took half a minute on the engine's thread."""
    loaded = tiny_loaded("llama")
    written: list[int] = []
    render = prompts.render

    def counted(loaded: Loaded, messages: Sequence[ChatMessage]) -> prompts.Prompt:
        written.append(sum(len(each["content"]) for each in messages))
        return render(loaded, messages)

    monkeypatch.setattr(prompts, "render", counted)
    found = prompts.build(loaded, long_chat([turn] * (MAX_TURNS - 1)), 0)
    assert found.note
    assert len(written) <= 16
    assert sum(written) <= 16 * prompts._LONG_TOKENS * loaded.context


def test_the_end_of_a_message_of_any_length_is_kept(tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded("llama")
    message = "".join(chr(ord("a") + index % 26) for index in range(MAX_MESSAGE))
    chat = Settings("llama", (Column("chat"),), sampling=Sampling(max_new_tokens=16), turns=(Turn(message),))
    found = prompts.build(loaded, chat, 0)
    cut = int(found.note.split("the first ")[1].split(" characters")[0].replace(",", ""))
    assert len(found.ids) <= loaded.context - 16
    assert message[cut:] in found.text
    # One character more would not have fitted.
    more = prompts.render(loaded, [{"role": "user", "content": message[cut - 1 :]}])
    assert len(more.ids) > loaded.context - 16


def test_a_system_prompt_that_fills_the_context_is_named(tiny_loaded: Callable[[str], Loaded]) -> None:
    for system in ("lorem " * 300, "lorem " * 3_000):
        with pytest.raises(TillerError, match="system prompt alone fills the context of"):
            prompts.build(tiny_loaded("llama"), long_chat([], system), 0)


@pytest.mark.parametrize(
    ("follows", "said"),
    [
        (1, "My models follows one message at a time: this one is answered by itself."),
        (2, "My models follows 2 messages at a time: those before are not sent."),
        (3, ""),
        (None, ""),
    ],
)
def test_no_more_turns_are_sent_than_the_family_follows(
    tiny_loaded: Callable[[str], Loaded], follows: int | None, said: str
) -> None:
    """Behind another message Skiff answered badly 19 times of 30: it has learnt to answer one."""
    plain = tiny_loaded("llama")
    loaded = replace(plain, family=replace(plain.family, title="My models", turns=follows))
    chat = long_chat([Turn("Hi", ("Hello.",)), Turn("Who are you?", ("A model.",))])
    kept = chat.turns[-follows:] if follows else chat.turns
    found = prompts.build(loaded, chat, 0)
    assert found.ids == prompts.build(plain, replace(chat, turns=kept), 0).ids
    assert found.note == said
    # Nothing is said where nothing is left out.
    assert prompts.build(loaded, replace(chat, turns=kept), 0).note == ""


@pytest.mark.parametrize(
    ("begins", "words"),
    [
        ("", ""),
        ("User: ", ""),
        ("<|user|>system\nYou are Tiny, and you help.<|end|>\n<|user|>user\n", "You are Tiny, and you help."),
        (
            "<|user|>\n\nKnowledge until 2023\nToday is {{ strftime_now('%Y') }}.\n<|end|>",
            "Knowledge until 2023\nToday is 2",
        ),
    ],
    ids=["nothing", "a marker", "a system prompt", "dates"],
)
def test_what_a_template_says_before_a_first_message(
    tiny_loaded: Callable[[str], Loaded], begins: str, words: str
) -> None:
    template = begins + "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    found = prompts.template_words(replace(tiny_loaded("llama"), template=template))
    assert found.startswith(words)
    assert bool(found) == bool(words)


def test_what_a_vocabulary_has_no_tokens_for_is_said(tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded("llama")
    words = Tokenizer(WordLevel({"<unk>": 0, "hello": 1, "there": 2, "<s>": 3, ":": 4}, unk_token="<unk>"))
    words.pre_tokenizer = Whitespace()
    few = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>")
    few.chat_template = "{% for message in messages %}hello: {{ message['content'] }}{% endfor %}"
    narrow = replace(loaded, tokenizer=few, template=None)

    def note(message: str) -> str:
        return prompts.build(narrow, Settings("llama", (Column("chat"),), turns=(Turn(message),)), 0).note

    assert note("hello there") == ""
    assert note("hello Wal there Zebra Wal") == (
        "This model's vocabulary has no tokens for a part of this text (“Wal”, “Zebra”): it does not see what stands there."
    )
    assert "(“a”, “b”, “c” …)" in note("a b c d")
    # Who writes the token itself loses nothing by it; a vocabulary of bytes has a token for everything.
    assert note("<unk>") == "" or "Control tokens" in note("<unk>")
    assert prompts.build(loaded, Settings("llama", (Column("chat"),), turns=(Turn("Wal 🐋"),)), 0).note == ""
