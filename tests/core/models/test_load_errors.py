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
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AutoModelForImageTextToText,
    DebertaV2Config,
    DebertaV2ForMaskedLM,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from core.errors import TillerError
from core.families import registry
from core.inference import prompts
from core.inference.batch import pad_batch
from core.models import load_errors, loading
from core.models.endless import endless_model, endless_text
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
        ({"model_type": ""}, "its config.json names no model_type; copy that file again"),
        ({"dtype": "torch.bfloat16"}, 'says "dtype": "torch.bfloat16", of which no llama model can be made; correct that value, or copy'),
        ({"max_position_embeddings": None}, 'says "max_position_embeddings": null, of which no llama model can be made'),
        ({"num_hidden_layers": -1}, 'says "num_hidden_layers": -1, of which no llama model can be made'),
        ({"num_attention_heads": 5}, 'says "num_attention_heads": 5, of which'),
        ({"rope_parameters": {"rope_type": "yarn"}}, 'says "rope_parameters": {'),
        ({"id2label": {"a" * 80: 1}}, f'says "id2label": {{"{"a" * 57}…, of which'),
        ({"text_config": {}}, 'says "text_config": {}, of which'),
        ({"text_config": 7}, 'says "text_config": 7, which is no table; copy that file again'),
        # Of two that are wrong neither is the one.
        ({"hidden_act": "none9", "dtype": 7.5, "rms_norm_eps": "x"}, "correct its config.json, or copy that file again"),
        ({"max_position_embeddings": 0}, "allows 0 tokens; correct max_position_embeddings"),
        ({"intermediate_size": 128}, "other shapes than its config.json says; copy that file again from the model itself."),
        ({"hidden_act": "none9"}, 'says "hidden_act": "none9", of which'),
        # Parts of which there would be no end: nothing is made of them.
        ({"num_hidden_layers": 10**9}, 'says "num_hidden_layers": 1000000000, more than any model has; correct that value'),
        ({"text_config": {"n_layer": 1e308}}, 'says "n_layer": 1e+308, more than any model has'),
        ({"num_local_experts": 300_000}, 'says "num_local_experts": 300000, more than any model has'),
        ({"num_labels": 10**6}, 'says "num_labels": 1000000, more than any model has'),
        ({"attention_types": [[["global"], 10**9]]}, 'says "attention_types": 1000000000, more than any model has'),
        ({"num_hidden_layers": 6}, "lack model.layers.4.input_layernorm.weight and more: its config.json says more layers than the 4 that"),
        ({"model_type": "qwen2"}, "k_proj.bias and more: its config.json describes another model (a qwen2 model (LlamaForCausalLM))"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "quantized by GPTQ, which cannot be read here"),
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, "pip install 'gptqmodel'); take the full-precision model"),
    ],
)  # fmt: skip
def test_a_configuration_that_cannot_be_used(
    folder: Path, capfd: pytest.CaptureFixture[str], changes: dict[str, Any], said: str
) -> None:
    config(folder, **changes)
    assert said in refused(folder, capfd)


def tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    """Rewrite a checkpoint's weights."""
    path = folder / "model.safetensors"
    save_file(
        {name: each.contiguous() for name, each in change(load_file(path)).items()}, path, metadata={"format": "pt"}
    )


def headless(found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: each for name, each in found.items() if name != "lm_head.weight"}


@pytest.mark.parametrize(
    ("architecture", "said"),
    [
        ("LlamaForCausalLM", 'lack lm_head.weight; if the model has its embedding in that place, write "tie_word_embeddings": true'),
        ("LlamaForSequenceClassification", "and it sorts texts into classes; take a model for chats"),
        ("LlamaModel", "and it makes vectors of a text"),
    ],
)  # fmt: skip
def test_weights_without_a_head_say_what_they_are_of(folder: Path, architecture: str, said: str) -> None:
    tensors(folder, headless)
    config(folder, architectures=[architecture])
    with pytest.raises(LoadError) as caught:
        load(folder)
    assert said in str(caught.value)


def test_weights_that_the_configuration_has_no_place_for_are_told_of(folder: Path) -> None:
    """transformers leaves them out without a word."""
    assert load(folder).remark == ""
    # What lies beside the blocks is no part of what chats.
    tensors(folder, lambda found: {**found, "vision.layers.0.weight": torch.ones(2)})
    assert load(folder).remark == ""
    config(folder, num_hidden_layers=3)
    assert load(folder).remark.startswith(
        "The weights of chat hold model.layers.3.input_layernorm.weight and more, for which a llama model (LlamaForCausalLM) as its "
        "config.json describes it has no place"
    )
    config(folder, num_hidden_layers=4)
    tensors(folder, lambda found: {**found, "model.layers.0.self_attn.q_proj.bias": torch.ones(32)})
    assert "hold model.layers.0.self_attn.q_proj.bias, for which" in load(folder).remark


def codes(dtype: torch.dtype, scaled: bool) -> Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]:
    def change(found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        one = "model.layers.1.mlp.down_proj.weight"
        return {**found, one: found[one].to(dtype), **({f"{one}_scale_inv": torch.ones(1)} if scaled else {})}

    return change


@pytest.mark.parametrize(("dtype", "scaled"), [(torch.int8, False), (torch.int32, False), (torch.float8_e4m3fn, True)])
def test_codes_of_which_the_configuration_says_nothing_are_no_weights(
    folder: Path, capfd: pytest.CaptureFixture[str], dtype: torch.dtype, scaled: bool
) -> None:
    tensors(folder, codes(dtype, scaled))
    assert "hold codes in place of weights, and config.json does not say what quantized them" in refused(folder, capfd)


def test_eight_bits_without_a_scale_are_numbers(folder: Path) -> None:
    tensors(folder, codes(torch.float8_e4m3fn, scaled=False))
    name = "model.layers.1.mlp.down_proj.weight"
    wanted = load_file(folder / "model.safetensors")[name].float()
    assert torch.equal(load(folder).model.get_parameter(name), wanted)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer_config.json", b"{"), ("tokenizer_config.json", b"[]"), ("generation_config.json", b"{"),
        ("special_tokens_map.json", b"\xff"), ("chat_template.jinja", b"\xe9"),
    ],
)  # fmt: skip
def test_a_file_of_settings_that_cannot_be_read_is_named(
    folder: Path, capfd: pytest.CaptureFixture[str], name: str, content: bytes
) -> None:
    (folder / name).write_bytes(content)
    assert refused(folder, capfd).startswith(f"{name} of checkpoint 'chat' in {folder} cannot be read; correct it")


_BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
_LONGER = {"type": "Replace", "pattern": {"String": "e"}, "content": "e" * 50}


@pytest.mark.parametrize(
    ("part", "steps"),
    [
        ("pre_tokenizer", {"type": "Sequence", "pretokenizers": [_BYTES] * 60}),
        (
            "decoder",
            {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}] * 40},
        ),
        (
            "post_processor",
            {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}] * 3_000},
        ),
        ("normalizer", {"type": "Sequence", "normalizers": [{"type": "Sequence", "normalizers": [_LONGER] * 3}] * 2}),
    ],
)
def test_a_tokenizer_by_which_texts_grow_without_end_is_not_used(
    folder: Path, capfd: pytest.CaptureFixture[str], part: str, steps: dict[str, Any]
) -> None:
    path = folder / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), part: steps}))
    assert refused(folder, capfd).startswith(
        f"The {part} in tokenizer.json of checkpoint 'chat' in {folder} has so many steps"
    )


def test_no_kind_of_model_is_taken_for_one_without_end() -> None:
    made = 0
    for kind in MODEL_FOR_CAUSAL_LM_MAPPING:
        try:
            told = kind().to_dict()
        except Exception:
            # Some have no defaults, or need a package that is not here.
            continue
        made += 1
        assert endless_model(told) == "", kind
    assert made > 100


def test_a_text_at_which_the_tokenizer_gives_up_is_refused_in_a_sentence(folder: Path) -> None:
    path = folder / "tokenizer.json"
    steps = {"type": "Split", "pattern": {"Regex": "(a+)+$|(a|aa)+b"}, "behavior": "Isolated", "invert": False}
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "pre_tokenizer": steps}))
    loaded = load(folder)
    with pytest.raises(LoadError, match=r"The tokenizer of chat gives up at this text .*; write another one"):
        prompts.encode(loaded, "a" * 60 + "!")
    assert prompts.encode(loaded, "b") != ()


def test_what_real_tokenizers_do_to_a_text_has_an_end() -> None:
    spaces = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}
    marks = {"type": "Replace", "pattern": {"String": "``"}, "content": '"'}
    whole = {"normalizer": {"type": "Sequence", "normalizers": [spaces, marks, {"type": "NFKC"}, {"type": "Prepend", "prepend": "▁"}]},
             "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split"}, _BYTES]}}  # fmt: skip
    assert (
        endless_text(whole)
        == endless_text({"normalizer": None, "pre_tokenizer": {"type": "Sequence", "pretokenizers": 5}})
        == ""
    )


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("tokenizer_config.json", {"model_max_length": "4096"}, "('model_max_length' must be a number, not '4096'); correct it"),
        ("tokenizer_config.json", {"padding_side": None}, "('padding_side' must be one of left, right); correct it"),
        ("tokenizer_config.json", {"tokenizer_class": 5}, "('tokenizer_class' must be text in quotes, not 5); correct it"),
        ("generation_config.json", {"pad_token_id": "x"}, "('pad_token_id' must be a whole number, not 'x'); correct it"),
        ("generation_config.json", {"suppress_tokens": 5}, "('suppress_tokens' must be a list, not 5); correct it"),
        # What is not read here is said by transformers, of which at least the file is told.
        ("generation_config.json", {"early_stopping": 1.5}, "correct its generation_config.json, or copy that file again"),
        ("tokenizer_config.json", {"eos_token": [1]}, "correct its tokenizer_config.json or tokenizer.json, or copy that"),
    ],
)  # fmt: skip
def test_a_setting_of_another_kind_is_named_before_anything_is_loaded(
    folder: Path, capfd: pytest.CaptureFixture[str], name: str, changes: dict[str, Any], said: str
) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    assert said in refused(folder, capfd)


def test_a_length_without_an_end_is_one(folder: Path) -> None:
    # So transformers itself writes that there is none.
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "model_max_length": int(1e30)}))
    assert prompts.chat_prompt(load(folder), "Hi")


@pytest.mark.parametrize("ends", ["</s>", [[5]]])
def test_what_ends_a_reply_is_a_number(folder: Path, ends: object) -> None:
    path = folder / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token_id": ends}))
    with pytest.raises(
        LoadError, match=r"ends a reply, which is no token's number; correct eos_token_id in its generation_"
    ):
        load(folder)


def test_half_of_a_vocabulary_is_none(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text('{"a": 0}')
    assert "has vocab.json and no merges.txt; copy tokenizer.json or both" in refused(folder, capfd)


def test_weights_that_say_nothing_are_damaged(folder: Path) -> None:
    tensors(folder, lambda found: {name: torch.zeros_like(each) for name, each in found.items()})
    with pytest.raises(TillerError, match="finds every token equally likely; its weights are damaged"):
        load(folder)


def test_a_tokenizer_of_a_larger_model(folder: Path) -> None:
    larger = tiny_models.tokenizer()
    larger.add_tokens(["<|more|>"])
    larger.save_pretrained(folder)
    loaded = load(folder)
    assert prompts.chat_prompt(loaded, "Hi")
    with pytest.raises(
        LoadError, match=r"of chat writes '<\|more\|>' as token 320, and the model has 320 tokens; copy the tokenizer"
    ):
        pad_batch(loaded, [prompts.chat_prompt(loaded, "Hi <|more|>")])


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


def test_shards_that_are_not_what_their_index_says(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = LlamaForCausalLM.from_pretrained(folder)
    whole = folder / "model.safetensors"
    kept = whole.read_bytes()
    whole.unlink()
    model.save_pretrained(folder, max_shard_size="60KB")
    whole.write_bytes(kept)
    capfd.readouterr()
    assert "has two sets of weights" in refused(folder, capfd)
    whole.unlink()
    first, second = sorted(folder.glob("model-*.safetensors"))[:2]
    first.write_bytes(second.read_bytes())
    assert f"which model.safetensors.index.json says is in {first.name}; copy both files again" in refused(
        folder, capfd
    )


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


def test_what_a_file_says_stands_on_one_line(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config(folder, model_type="new\nmodel\u2028nine")
    assert "new model nine" in refused(folder, capfd)
