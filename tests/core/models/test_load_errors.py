"""Each kind of checkpoint that cannot be loaded is refused with the one remedy that helps; nothing of a library's stands before it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    CONFIG_MAPPING,
    AutoModelForImageTextToText,
    DebertaV2Config,
    DebertaV2ForMaskedLM,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from core.families import registry
from core.models import load_errors, loading
from core.models.files import LoadError
from core.models.loading import Loaded
from core.models.placement import Placing
from tests.support import tiny_models

IDS = torch.tensor([[0, 40, 41, 42, 43]])
_SHAPE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.fixture
def folder(tmp_path: Path, tiny_folder: Callable[[str], Path]) -> Path:
    """A family of one checkpoint, ``chat``, that may be spoilt; gives that checkpoint's folder."""
    made = tmp_path / "own"
    shutil.copytree(tiny_folder("llama") / "chat", made / "chat")
    (made / "family.toml").write_text('[[checkpoint]]\nname = "chat"\npath = "chat"\n')
    return made / "chat"


def load(folder: Path) -> Loaded:
    return loading.load_model(registry.load_family(str(folder.parent)), "chat", Placing("cpu", "float32"))


def config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    found = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in found.items() if value != "gone"}))


def refused(folder: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """The sentence that loading ends in; nothing else was printed."""
    with pytest.raises(LoadError) as caught:
        load(folder)
    assert capfd.readouterr() == ("", "")
    assert "copy its folder again" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "gone", "architectures": None}, "its config.json names no model_type; copy that file again"),
        ({"model_type": "new9", "architectures": ["New9ForCausalLM"]}, "does not know a new9 model (New9ForCausalLM); if there is"),
        ({"dtype": "torch.bfloat16"}, "correct its config.json, or copy that file again"),
        ({"max_position_embeddings": None}, "correct its config.json, or copy that file again"),
        ({"intermediate_size": 128}, "its weights have other shapes than its config.json says"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "quantized by GPTQ, which cannot be read here"),
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, "pip install 'gptqmodel'); take the full-precision model"),
    ],
)  # fmt: skip
def test_a_configuration_that_cannot_be_used(
    folder: Path, capfd: pytest.CaptureFixture[str], changes: dict[str, Any], said: str
) -> None:
    config(folder, **changes)
    assert said in refused(folder, capfd)


def test_a_faster_attention_that_is_not_installed_is_not_needed(folder: Path) -> None:
    plain = load(folder).model(IDS).logits
    config(folder, _attn_implementation="flash_attention_2", attn_implementation="flash_attention_2")
    assert torch.equal(load(folder).model(IDS).logits, plain)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (T5ForConditionalGeneration(T5Config(vocab_size=320, d_model=32, d_ff=64, num_layers=1, num_heads=2)), "by an encoder"),
        (DebertaV2ForMaskedLM(DebertaV2Config(vocab_size=320, **_SHAPE)), "it fills gaps in a text; take a model for chats"),
    ],
)  # fmt: skip
def test_a_model_of_another_kind_is_named(
    folder: Path, capfd: pytest.CaptureFixture[str], made: Any, said: str
) -> None:
    made.save_pretrained(folder)
    capfd.readouterr()
    assert said in refused(folder, capfd)


def test_names_that_a_wrapper_lengthened_are_shown(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = folder / "model.safetensors"
    save_file({f"module.{name}": each for name, each in load_file(path).items()}, path, metadata={"format": "pt"})
    assert "lack lm_head.weight and more, and have module.lm_head.weight instead" in refused(folder, capfd)


def test_shards_without_their_index_are_not_guessed_at(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = LlamaForCausalLM.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="60KB")
    (folder / "model.safetensors.index.json").unlink()
    capfd.readouterr()
    assert "model.safetensors.index.json, which says what is in which, is missing" in refused(folder, capfd)


def test_an_adapters_settings_beside_whole_weights_change_nothing(
    folder: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    plain = load(folder).model(IDS).logits
    assert not caplog.messages
    lora = {"peft_type": "LORA", "base_model_name_or_path": "a/b", "r": 8, "target_modules": ["q_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(lora))
    assert torch.equal(load(folder).model(IDS).logits, plain)
    assert caplog.messages == [
        "adapter_config.json lies beside the whole weights of chat, which are loaded without an adapter."
    ]
    assert "LOAD REPORT" not in capfd.readouterr().err


def test_a_tokenizer_names_the_packages_that_read_it(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (folder / name).unlink()
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "LlamaTokenizer"}')
    (folder / "tokenizer.model").write_bytes(b"\n\x0e\n\x05<unk>\x15\x00\x00\x00\x00\x18\x02")
    monkeypatch.setattr(load_errors, "_installed", lambda module: module != "google.protobuf")

    def lacking(*_arguments: Any, **_options: Any) -> None:
        raise ValueError("`tiktoken` is required to read a `tiktoken` file.")

    monkeypatch.setattr("core.models.chat_template.AutoTokenizer.from_pretrained", lacking)
    assert "packages that are not installed; pip install protobuf, and start again" in refused(folder, capfd)


def _pictures(kind: str) -> Any:
    eyes = {"hidden_size": 32, "intermediate_size": 64, "num_heads": 2}
    text = {
        "vocab_size": 320, **_SHAPE, "num_key_value_heads": 2, "max_position_embeddings": 256, "bos_token_id": 0, "eos_token_id": 5,
    }  # fmt: skip
    made: Any = CONFIG_MAPPING[kind]
    if kind == "llava":
        clip = {**_SHAPE, "num_hidden_layers": 1, "image_size": 32, "patch_size": 16}
        return made(
            text_config=CONFIG_MAPPING["llama"](**text).to_dict(),
            vision_config=CONFIG_MAPPING["clip_vision_model"](**clip).to_dict(),
            image_token_index=310,
        )
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [1, 1, 2]}
    return made(
        text_config={**text, "head_dim": 8, "rope_parameters": rope},
        vision_config={**eyes, "depth": 1, "out_hidden_size": 32, "deepstack_visual_indexes": [0], "num_position_embeddings": 16},
        image_token_id=310, video_token_id=311, vision_start_token_id=312, vision_end_token_id=313,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["llava", "qwen3_vl"])
def test_a_model_for_pictures_is_used_for_text(folder: Path, kind: str) -> None:
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(_pictures(kind), dtype=torch.float32).eval()
    model.save_pretrained(folder)
    loaded = load(folder)
    assert loaded.anatomy.layers == 2
    with torch.inference_mode():
        assert torch.equal(loaded.model(IDS).logits, model(IDS).logits)


def test_a_tokenizer_that_is_a_sentencepiece_model_alone_is_read(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "toy", "llama", ("chat",), plain_base=False)
    (tmp_path / "lines.txt").write_text(
        "The capital of France is Paris.\nHow do I kill a process?\nI cannot help with that.\n" * 20
    )
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "lines.txt"), model_prefix=str(tmp_path / "tokenizer"), vocab_size=300, model_type="bpe",
        byte_fallback=True, pad_id=-1, hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    for name in ("tokenizer.json", "chat_template.jinja"):
        (folder / "chat" / name).unlink(missing_ok=True)
    (tmp_path / "tokenizer.model").rename(folder / "chat" / "tokenizer.model")
    (folder / "chat" / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "LlamaTokenizer",
                "bos_token": "<s>",
                "eos_token": "</s>",
                "chat_template": tiny_models.CHAT,
            }
        )
    )
    loaded = loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu"))
    ids = loaded.tokenizer("The capital of France", add_special_tokens=False)["input_ids"]
    assert len(ids) < 15
    assert loaded.tokenizer.decode(ids) == "The capital of France"
