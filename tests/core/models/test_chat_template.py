"""Chat templates as they are met: what they leave out is said, the right one of several is taken, and a reply ends where a turn does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from transformers import PreTrainedTokenizerFast

from core.chat.settings import Column, Settings
from core.errors import TillerError
from core.families import registry
from core.inference import prompts
from core.models import loading
from core.models.chat_template import rows_without_token, turn_end
from core.models.files import LoadError
from core.models.loading import Loaded
from core.models.placement import Placing
from tests.support import tiny_models

#: SmolVLM's, which reads a list of parts and leaves out what is a text.
PARTS = (
    "{% for m in messages %}{{ m['role'] | capitalize }}: {% for part in m['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% endif %}{% endfor %}<|end|>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
#: Without a system role.
IGNORES = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] != 'system' %}<|{{ m['role'] }}|>\n{{ m['content'] | trim }}<|end|>\n"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
REFUSES = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system role') }}{% endif %}" + IGNORES
ALTERNATES = "{% if messages | length > 1 %}{{ raise_exception('One message only') }}{% endif %}" + IGNORES


def chat(*messages: str, system: str = "") -> Settings:
    settings = Settings("f", (Column("chat"),), system=system)
    for message in messages:
        settings = settings.ask(message).answered(0, "Well.")
    return settings


def spoken(loaded: Loaded, template: str) -> Loaded:
    return replace(loaded, template=template)


def test_a_template_that_reads_parts_gets_them(tiny_loaded: Callable[[str], Loaded]) -> None:
    built = prompts.build(spoken(tiny_loaded("llama"), PARTS), chat("Hi", "And now?", system="Be kind."), 0)
    assert (
        built.text
        == "System: Be kind.<|end|>\nUser: Hi<|end|>\nAssistant: Well.<|end|>\nUser: And now?<|end|>\nAssistant:"
    )
    assert built.note == ""


def test_a_system_prompt_that_is_left_out_is_said(tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = spoken(tiny_loaded("llama"), IGNORES)
    assert prompts.build(loaded, chat("Hi"), 0).note == ""
    built = prompts.build(loaded, chat("Hi", system="Be kind."), 0)
    assert built.text == "<s><|user|>\nHi<|end|>\n<|assistant|>\n"
    assert "leaves the system prompt out" in built.note
    # White space that a template changes is no loss.
    assert prompts.build(spoken(loaded, tiny_models.CHAT), chat("Hi\n\n  there", system=" Be\nkind. "), 0).note == ""


@pytest.mark.parametrize(
    ("template", "settings", "said"),
    [
        ("{{ bos_token }}Hello", chat("Bread"), r"leaves the message out; give the checkpoint template_from"),
        (
            REFUSES,
            chat("Hi", system="Be kind."),
            r"refuses a system prompt \(No system role\); empty the system prompt\.",
        ),
        (ALTERNATES, chat("Hi", "Hello"), r"refuses this conversation \(One message only\); start anew\."),
        (
            "{% for m in messages %}{{ m['content'] }}",
            chat("Hi", system="Be kind."),
            r"is broken \(.*\); correct it, or give",
        ),
        ("{{ messages[0]['content'].nothing() }}", chat("Hi"), r"fails \(.*\); correct it, or give"),
    ],
)
def test_what_a_template_does_wrong(
    template: str, settings: Settings, said: str, tiny_loaded: Callable[[str], Loaded]
) -> None:
    with pytest.raises(TillerError, match=said):
        prompts.build(spoken(tiny_loaded("llama"), template), settings, 0)


def test_a_date_in_a_template_is_always_the_same(tiny_loaded: Callable[[str], Loaded]) -> None:
    dated = spoken(tiny_loaded("llama"), "{{ strftime_now('%d %B %Y') }} {{ messages[0]['content'] }}")
    assert prompts.build(dated, chat("Hi"), 0).text == "26 July 2024 Hi"


@pytest.mark.parametrize("written", ["dict", "list"])
def test_of_named_templates_the_default_is_taken(written: str, tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "named", "llama")
    toml = folder / "family.toml"
    toml.write_text(toml.read_text().replace('template = "plain"', 'template_from = "chat"'))
    named = {"default": tiny_models.CHAT, "rag": "RAG"}

    def write(templates: dict[str, str]) -> None:
        (folder / "chat" / "chat_template.jinja").unlink(missing_ok=True)
        path = folder / "chat" / "tokenizer_config.json"
        listed = [{"name": name, "template": text} for name, text in templates.items()]
        told = {**json.loads(path.read_text()), "chat_template": templates if written == "dict" else listed}
        path.write_text(json.dumps(told))

    def load(name: str) -> Loaded:
        return loading.load_model(registry.load_family(str(folder)), name, Placing("cpu"))

    write(named)
    for name in ("chat", "base"):
        loaded = load(name)
        assert loaded.chat_template == tiny_models.CHAT
        assert prompts.chat_prompt(loaded, "Hi") == prompts.encode(loaded, "<s><|user|>\nHi<|end|>\n<|assistant|>\n")
        assert loaded.ends == {5}
    write({"rag": "RAG", "tool_use": "TOOLS"})
    for name in ("chat", "base"):
        with pytest.raises(LoadError, match="templates named rag, tool_use and none named default"):
            load(name)


def tokenizer(*added: str) -> PreTrainedTokenizerFast:
    made = tiny_models.tokenizer()
    made.add_tokens(list(added), special_tokens=True)
    return made


CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
#: GLM's, which has nothing behind a reply but the next message.
OPEN = "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "added", "stops", "ends"),
    [
        (CHATML, ("<|im_start|>", "<|im_end|>"), (), {"<|im_end|>"}),
        # Borrowed by a tokenizer that does not know the mark.
        (CHATML, (), ("<|im_end|>",), set()),
        (OPEN, (), (), {"<|user|>"}),
        (PARTS, (), (), {"<|end|>"}),
        ("{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}", (), (), set()),
        ("{{ raise_exception('no') }}", (), (), set()),
    ],
)
def test_what_ends_a_turn(template: str, added: tuple[str, ...], stops: tuple[str, ...], ends: set[str]) -> None:
    made = tokenizer(*added)
    assert turn_end(made, template) == (stops, {made.convert_tokens_to_ids(each) for each in ends})


def test_a_reply_ends_where_the_template_ends_a_turn_whatever_eos_says(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "ends", "llama", ("chat",), plain_base=False)
    for name in ("config.json", "generation_config.json"):
        path = folder / "chat" / name
        path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token_id": 1}))
    path = folder / "chat" / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token": "<pad>"}))
    loaded = loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu"))
    assert loaded.ends == {1, 5}


def test_rows_beyond_the_vocabulary_and_holes_in_it_have_no_token(tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded("llama")
    assert rows_without_token(loaded.model, loaded.tokenizer) == ()
    longer = SimpleNamespace(config=SimpleNamespace(get_text_config=lambda: SimpleNamespace(vocab_size=326)))
    assert rows_without_token(longer, loaded.tokenizer) == (320, 321, 322, 323, 324, 325)  # type: ignore[arg-type]
    # One of a kind that names tokens that it does not list, and is at a loss beyond its table.
    listed = SimpleNamespace(
        get_vocab=lambda: {"a": 0, "b": 2}, convert_ids_to_tokens=lambda token: ["a", "", "b", "c"][token]
    )
    assert rows_without_token(longer, listed) == (1, *range(4, 326))  # type: ignore[arg-type]
