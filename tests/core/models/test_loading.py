"""Loading checkpoints, finding their parts, and prompts by their own templates."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedModel

from core.chat.settings import Column, Settings
from core.engine import thread_count
from core.engine.engine import Engine
from core.errors import TillerError
from core.families import registry
from core.families.checkpoint import TEMPLATES
from core.inference import prompts
from core.inference.batch import pad_batch
from core.models import loading
from core.models.files import LoadError
from core.models.hooks import AnatomyError, hooked, locate
from core.models.loading import Loaded
from core.models.placement import Placing
from tests.support import tiny_models
from tests.support.command import read

KINDS = ("llama", "qwen2", "gemma2", "gpt2", "neox")


def load(folder: Path, name: str = "chat", **options: str) -> Loaded:
    return loading.load_model(registry.load_family(str(folder)), name, Placing("cpu", **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_loaded_is_the_model_that_was_saved(kind: str, tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded(kind)
    saved = tiny_models.model(kind, seed=1)
    ids = torch.tensor([[0, 40, 41, 42]])
    with torch.inference_mode():
        assert torch.equal(loaded.model(ids).logits, saved(ids).logits)
    assert (loaded.width, loaded.anatomy.layers, loaded.context) == (tiny_models.WIDTH, tiny_models.LAYERS, 256)
    assert loaded.ends == {5}
    assert loaded.model.dtype == torch.float32
    assert not loaded.model.training
    assert all(down is not None for down in loaded.anatomy.down)


def test_tied_embeddings_are_not_missing(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "tied", "llama", ("chat",), plain_base=False)
    config = LlamaConfig(**{**tiny_models.configs()["llama"].to_dict(), "tie_word_embeddings": True})
    AutoModelForCausalLM.from_config(config).save_pretrained(folder / "chat")
    loaded = load(folder)
    embedding = loaded.model.get_input_embeddings().weight
    assert loaded.anatomy.unembedding.weight is embedding


def test_the_model_of_a_bare_family_needs_a_template(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "bare", "llama")
    text = (folder / "family.toml").read_text()
    (folder / "family.toml").write_text(text.replace('template = "plain"\n', ""))
    with pytest.raises(LoadError, match=r'base has no chat template; give it template = "plain" in .*family.toml'):
        load(folder, "base")


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "pickled", "llama", ("chat",), plain_base=False)
    (folder / "chat" / "model.safetensors").rename(folder / "chat" / "pytorch_model.bin")
    with pytest.raises(LoadError, match="weights are pickled and are not read, since they can run code") as caught:
        load(folder)
    command = str(caught.value).partition('python -c "')[2].rstrip('"')
    torch.save(tiny_models.model("llama").state_dict(), folder / "chat" / "pytorch_model.bin")
    subprocess.run([sys.executable, "-c", command], check=True, capture_output=True)
    ids = torch.tensor([[0, 40, 41]])
    with torch.inference_mode():
        assert torch.equal(load(folder).model(ids).logits, tiny_models.model("llama")(ids).logits)


def test_a_folder_without_a_tokenizer(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "bare", "llama", ("chat",), plain_base=False)
    (folder / "chat" / "tokenizer.json").unlink()
    with pytest.raises(LoadError, match=r"'chat' has no tokenizer in .*chat; copy tokenizer.json .* from the model"):
        load(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_pointer_in_place_of_a_file(name: str, tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "pointer", "llama", ("chat",), plain_base=False)
    (folder / "chat" / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    with pytest.raises(LoadError, match=rf"{name} of checkpoint 'chat' is a Git LFS pointer, .*; run git lfs pull"):
        load(folder)


def test_checkpoints_of_one_family_have_one_shape(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "odd", "llama")
    tiny_models.model("gemma2").save_pretrained(folder / "chat")
    load(folder, "base")
    with pytest.raises(LoadError) as caught:
        load(folder, "chat")
    assert str(caught.value) == (
        f"chat ({folder / 'chat'}) is a gemma2 of 4 layers of width 32, and base ({folder / 'base'}) is a llama of 4 layers of width "
        f"32; checkpoints of one family have one shape, so correct path or hub in {folder / 'family.toml'}."
    )
    # Where nothing of the other is here, nothing can be said.
    text = (folder / "family.toml").read_text().replace('path = "base"', 'hub = "maker/none"')
    (folder / "family.toml").write_text(text)
    load(folder, "chat")


def test_a_template_of_another_checkpoint(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "shared", "llama")
    text = (folder / "family.toml").read_text()
    (folder / "family.toml").write_text(text.replace('template = "plain"', 'template_from = "chat"'))
    own = tiny_models.tokenizer()
    own.eos_token = "<s>"
    own.save_pretrained(folder / "chat")
    base = load(folder, "base")
    assert (base.template, base.stops, base.ends) == (tiny_models.CHAT, (), {0, 5})
    settings = Settings("shared", (Column("base"),)).ask("Where?")
    assert prompts.build(base, settings, 0).ids == prompts.build(load(folder, "chat"), settings, 0).ids
    (folder / "family.toml").write_text(
        text.replace('template = "plain"', 'template_from = "chat"').replace(
            '"chat"\npath', '"chat"\ntemplate = "plain"\npath'
        )
    )
    base = load(folder, "base")
    assert (base.template, base.stops) == TEMPLATES["plain"]


@pytest.mark.parametrize(("chat", "template"), [(True, None), (False, TEMPLATES["plain"][0])])
def test_a_plain_template_for_want_of_another(chat: bool, template: str | None, tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "either", "llama")
    text = (folder / "family.toml").read_text()
    (folder / "family.toml").write_text(text.replace('template = "plain"', 'template = "own-or-plain"'))
    tiny_models.tokenizer(chat).save_pretrained(folder / "base")
    assert load(folder, "base").template == template


def test_a_family_whose_name_has_a_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLER_DATA", str(tmp_path))
    folder = tiny_models.family(tmp_path / "tiny2.5-0.5b", "llama")
    tiny_models.direction(folder, "chat", "truth")
    engine = Engine("tiny2.5-0.5b", threads=1)
    settings = engine.settings(recipe="2*truth")
    assert Settings.from_link(settings.to_link()) == settings
    assert settings.family == "tiny2.5-0.5b"
    assert [card.name for card in engine.directions("chat")] == ["truth"]
    assert read(["--family", "tiny2.5-0.5b"]).options.family == "tiny2.5-0.5b"


@pytest.mark.parametrize("damage", ["", "{", "[]"])
def test_a_config_that_cannot_be_used_is_one_sentence(damage: str, tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "odd", "llama", ("chat",), plain_base=False)
    (folder / "chat" / "config.json").write_text(damage)
    with pytest.raises(LoadError, match=r"Checkpoint 'chat' cannot be loaded from .*: copy its folder again") as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize(("told", "most"), [("1", 1), ("1,4", 1), ("0", 4096), ("many", 4096), ("", 4096)])
def test_threads_are_no_more_than_was_told(told: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert 1 <= loading.threads() <= most


def test_of_several_numbers_of_threads_the_fastest_is_taken(
    tiny_loaded: Callable[[str], Loaded], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of two times that were measured for each, the better one counts.
    seconds = {1: iter([3.0, 3.0]), 4: iter([9.0, 1.0]), 8: iter([2.0, 2.0])}
    monkeypatch.setattr(thread_count, "threads", lambda: 8)
    monkeypatch.setattr(thread_count, "_measure", lambda _loaded, count: next(seconds[count]))
    before = torch.get_num_threads()
    try:
        assert thread_count.choose(tiny_loaded("llama")) == 4
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)


# --------------------------------------------------------------------------------------------------------------- anatomy


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


@pytest.mark.parametrize("kind", KINDS)
def test_hooks_are_gone_afterwards_whatever_happened(kind: str, tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded(kind)
    before = hooks(loaded.model)
    ids = torch.tensor([[0, 40, 41]])
    with torch.inference_mode():
        plain = loaded.model(ids).logits
        with hooked(loaded.anatomy, {("resid_post", 1): lambda states: states * 0}):
            assert not torch.equal(loaded.model(ids).logits, plain)
        with pytest.raises(ZeroDivisionError), hooked(loaded.anatomy, {("resid_pre", 0): lambda _states: 1 // 0}):
            loaded.model(ids)
        with (
            pytest.raises(AnatomyError, match="no layer 4; this model has layers 0 to 3"),
            hooked(loaded.anatomy, {("resid_post", 0): lambda _s: None, ("written", 4): lambda _s: None}),
        ):
            pass
        assert hooks(loaded.model) == before
        assert torch.equal(loaded.model(ids).logits, plain)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_are_no_numbers_are_named(kind: str) -> None:
    model: Any = tiny_models.model(kind)
    model.get_input_embeddings().weight.data[:, 0] = torch.nan
    with pytest.raises(AnatomyError, match=r"overflow in float32; its weights are damaged"):
        locate(model)
    half: Any = tiny_models.model(kind)
    half.get_input_embeddings().weight.data[:, 0] = 1e30
    with pytest.raises(AnatomyError, match=r"overflow in float16; use --dtype bfloat16"):
        locate(half.to(torch.float16))


@pytest.mark.parametrize(("pad", "wanted"), [("<pad>", 1), ("[PAD]", 5), (None, 5)])
def test_what_fills_up_shorter_rows_has_a_row_in_the_embedding(
    pad: str | None, wanted: int, tiny_loaded: Callable[[str], Loaded]
) -> None:
    """The first chat models made of LLaMA have their [PAD] behind the embedding's last row."""
    tokenizer = tiny_models.tokenizer()
    if pad == "[PAD]":
        tokenizer.add_special_tokens({"pad_token": pad})
        assert tokenizer.pad_token_id == tiny_models.VOCABULARY
    tokenizer.pad_token = pad
    loaded = replace(tiny_loaded("llama"), tokenizer=tokenizer)
    assert loaded.pad == wanted
    assert int(pad_batch(loaded, [[0, 7], [0, 7, 8]]).ids.max()) < tiny_models.VOCABULARY


# --------------------------------------------------------------------------------------------------------------- prompts


def chat(*messages: str) -> Settings:
    made = Settings("toy", (Column("chat"),))
    for index, message in enumerate(messages):
        made = made.ask(message)
        made = made.answered(0, f"Reply {index}.") if index < len(messages) - 1 else made
    return made


def test_a_prompt_is_rendered_once_with_one_bos(tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded("llama")
    prompt = prompts.build(loaded, replace(chat("One", "Two"), system="Be kind."), 0)
    assert prompt.text == (
        "<s><|system|>\nBe kind.<|end|>\n<|user|>\nOne<|end|>\n<|assistant|>\nReply 0.<|end|>\n"
        "<|user|>\nTwo<|end|>\n<|assistant|>\n"
    )
    assert prompt.ids.count(0) == 1
    assert loaded.tokenizer.decode(prompt.ids) == prompt.text


def test_a_template_that_refuses_says_why(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "strict", "llama", ("chat",), plain_base=False)
    strict = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
        + tiny_models.CHAT
    )
    file = folder / "chat" / "chat_template.jinja"
    if file.is_file():
        file.write_text(strict)
    else:
        path = folder / "chat" / "tokenizer_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": strict}))
    loaded = load(folder)
    assert prompts.build(loaded, chat("Hi"), 0).ids
    with pytest.raises(
        TillerError, match=r"refuses a system prompt \(System role not supported\); empty the system prompt"
    ):
        prompts.build(loaded, replace(chat("Hi"), system="Be kind."), 0)


def test_many_loads_at_once_leave_transformers_as_it_was(tmp_path: Path) -> None:
    """transformers takes ``tie_weights`` away from its class while it loads; two loads at once once left it away for good."""
    folder = tiny_models.family(tmp_path / "tied", "llama", ("chat",), plain_base=False)
    config = LlamaConfig(**{**tiny_models.configs()["llama"].to_dict(), "tie_word_embeddings": True})
    AutoModelForCausalLM.from_config(config).save_pretrained(folder / "chat")
    before = PreTrainedModel.tie_weights
    with ThreadPoolExecutor(4) as pool:
        models = [each.model for each in pool.map(lambda _: load(folder), range(12))]
    assert PreTrainedModel.tie_weights is before
    assert all(model.get_output_embeddings().weight is model.get_input_embeddings().weight for model in models)
