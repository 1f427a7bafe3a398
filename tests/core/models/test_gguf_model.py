"""Models in GGUF files: the logits of the weights that they were made of, and one sentence for whatever cannot be opened."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM

from core.chat.settings import Column, Settings, Turn
from core.errors import TillerError
from core.families import registry
from core.families.checkpoint import FamilyRef
from core.inference import prompts
from core.models import adhoc_family, gguf_model, memory
from core.models.files import LoadingCancelled
from core.models.gguf_file import look
from core.models.loading import Placing, load_model
from core.models.memory import Room
from core.models.pool import ModelPool
from tests.support import tiny_gguf, tiny_models
from tests.support.paths import ROOT

ROPE = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
PROMPT = "<|user|>The whale is a mammal.<|end|><|assistant|>"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TILLER_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def _wide() -> Any:
    """A model whose rows hold whole blocks of 256 numbers, as the K-quantizations need."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=tiny_models.VOCABULARY, hidden_size=256, intermediate_size=256, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def _gemma3() -> Any:
    """As its makers arrange it: of six layers, five see a window, and the sixth stretches positions."""
    config = tiny_models.configs()["gemma3"].to_dict()
    said = {key: config[key] for key in config if key not in ("layer_types", "rope_parameters", "num_hidden_layers")}
    torch.manual_seed(0)
    made = Gemma3TextConfig(**said, num_hidden_layers=6)
    made.rope_parameters["full_attention"] |= {"rope_type": "linear", "factor": 8.0}
    return Gemma3ForCausalLM(made).eval()


def _llama3() -> Any:
    """With positions turned as Llama 3.1 does, and a head wide enough that frequencies are divided by several numbers."""
    torch.manual_seed(0)
    config = tiny_models.configs()["llama"].to_dict()
    rope = {**ROPE, "rope_type": "llama3", "rope_theta": 10_000.0}
    return LlamaForCausalLM(LlamaConfig(**{**config, "rope_parameters": rope, "head_dim": 32})).eval()


def _divisors(model: Any) -> list[float]:
    """What each frequency is divided by, as llama.cpp's converter writes it."""
    plain = 10_000.0 ** (-torch.arange(16, dtype=torch.float64) / 16)
    return [float(each) for each in plain / model.model.rotary_emb.inv_freq.double()]


def opened(path: Path) -> Any:
    family = registry.load_family(adhoc_family.one_model(str(path)))
    return load_model(family, family.final.name, Placing("cpu", "float32"))


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        ("llama", "F32"), ("llama", "F16"), ("llama", "BF16"), ("llama", "Q8_0"), ("llama", "Q4_0"), ("llama", "Q4_1"), ("llama", "Q5_0"),
        ("llama", "Q5_1"), ("wide", "Q4_K"), ("wide", "Q6_K"), ("wide", "Q2_K"), ("mistral", "F16"), ("qwen2", "Q8_0"), ("qwen3", "F32"),
        ("gemma2", "F32"), ("gemma3", "F16"), ("phi3", "Q8_0"), ("gpt2", "F32"), ("llama3", "F32"),
    ],
)  # fmt: skip
def test_a_file_gives_the_logits_of_its_weights(kind: str, numbers: str, tmp_path: Path) -> None:
    path = tmp_path / f"Tiny-Chat.{numbers}.gguf"
    makers = {"wide": _wide, "gemma3": _gemma3, "llama3": _llama3}
    made = makers[kind]() if kind in makers else tiny_models.model(kind)
    more: dict[str, Any] = {"gemma3": {"rope.scaling.type": "linear", "rope.scaling.factor": 8.0}}.get(kind, {})
    if kind == "llama3":
        more = {"rope_freqs": _divisors(made)}
    model = tiny_gguf.write(path, made, "llama" if kind in ("wide", "llama3") else kind, numbers, **more)
    loaded = opened(path)
    ids = torch.tensor([tiny_models.tokenizer()(PROMPT, add_special_tokens=False)["input_ids"]])
    with torch.no_grad():
        wanted, found = model(ids).logits, loaded.model(ids).logits
    # float16 keeps 11 bits of every weight; what was not quantized is kept as it is.
    assert torch.allclose(found, wanted, atol=1e-5 if numbers == "F32" else 2e-2 * float(wanted.std()), rtol=0)
    assert loaded.tokenizer.chat_template == tiny_models.CHAT
    if "gemma" not in kind:
        # Gemma's files have another kind of tokenizer than the one that is written here.
        assert loaded.tokenizer(PROMPT, add_special_tokens=False)["input_ids"] == ids[0].tolist()
    assert loaded.checkpoint.name == f"chat-{numbers.lower()}"


def _tiny(path: Path, **more: Any) -> Path:
    tiny_gguf.write(path, tiny_models.model("llama"), **more)
    return path


def _header(path: Path, architecture: str, **fields: int) -> Path:
    writer = gguf.GGUFWriter(path, architecture)
    for name, value in fields.items():
        writer.add_uint16(name.replace("_", "."), value)
    writer.add_tensor("a", np.ones(4, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_what_is_no_model_gets_one_sentence(tmp_path: Path, data: Path) -> None:
    whole = _tiny(tmp_path / "whole.gguf").read_bytes()
    for cut in (100, len(whole) // 2, len(whole) - 100):
        (tmp_path / "cut.gguf").write_bytes(whole[:cut])
        with pytest.raises(TillerError, match=r"cut\.gguf is cut off or not a GGUF file; copy it again\."):
            look(tmp_path / "cut.gguf")
    for architecture, fields, said in (
        ("controlvector", {}, "is a control vector and no model; bring it by import"),
        ("clip", {}, "is the part of a model that sees pictures"),
        ("llama", {"split_count": 3}, "is one of 3 parts; join them first"),
        ("warp9", {}, "is of the architecture 'warp9', which transformers does not read from GGUF"),
        ("t5", {}, "is of the architecture 't5'"),
        ("llama", {}, "has no tokenizer"),
    ):
        path = _header(tmp_path / "odd.gguf", architecture, **fields)
        with pytest.raises(TillerError, match=f"odd.gguf {said}"):
            adhoc_family.one_model(str(path))
    assert not (data / "converted").exists(), "of a file that is refused nothing stays"


def test_positions_that_are_turned_otherwise_are_refused(tmp_path: Path) -> None:
    for more in ({"rope_freqs": [1.0, 2.0, 3.0, 4.0]}, {"rope.scaling.type": "longrope", "rope.scaling.factor": 4.0}):
        path = _tiny(tmp_path / f"{len(more)}.gguf", **more)
        with pytest.raises(TillerError, match="turns positions in a way that is not read from GGUF here"):
            opened(path)


def test_a_file_without_a_template_is_talked_to_plainly(tmp_path: Path) -> None:
    loaded = opened(_tiny(tmp_path / "base.gguf", chat=False))
    assert loaded.template is not None
    assert "User: " in loaded.template
    assert loaded.checkpoint.name == "base"


@pytest.mark.parametrize(
    ("name", "chat", "noted"), [("talker", False, True), ("talker", True, False), ("tiny-base", False, False)]
)
def test_that_there_is_no_template_is_said_once_a_chat(name: str, chat: bool, noted: bool, tmp_path: Path) -> None:
    loaded = opened(_tiny(tmp_path / f"{name}.gguf", chat=chat))
    asked = Settings("mine", (Column(loaded.checkpoint.name),)).ask("Where?")
    note = prompts.build(loaded, asked, 0).note
    assert note.startswith("This model brings no chat template, so that it is asked in a plain one") == noted
    assert noted or not note
    again = replace(asked, turns=(Turn("Where?", ("There.",)),)).ask("And when?")
    assert not prompts.build(loaded, again, 0).note, "one was told already"


def test_what_is_converted_is_kept_and_a_changed_file_is_another_model(
    tmp_path: Path, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = _tiny(tmp_path / "one" / "tiny.gguf")
    first = opened(path)
    numbers = first.model.num_parameters()
    kept, meanwhile = (memory.size_in_words(each * numbers) for each in (4, 6))
    assert caplog.messages == [
        f"tiny.gguf (F32, {memory.size_in_words(path.stat().st_size)}) is converted this once and kept there, {kept} in "
        f"{first.checkpoint.source}; meanwhile it takes about {meanwhile} of memory."
    ]
    opened(path)
    assert len(caplog.messages) == 1
    assert [each.name for each in (data / "converted").iterdir()] == [Path(first.checkpoint.source).name]
    assert not list((data / "converted").glob("*/.converting-*"))
    tiny_gguf.write(path, tiny_models.model("llama", seed=1), numbers="Q8_0")
    second = opened(path)
    assert second.checkpoint.source != first.checkpoint.source
    assert second.fingerprint != first.fingerprint
    path.unlink()
    again = load_model(first.family, first.checkpoint.name)
    assert again.fingerprint == first.fingerprint


def test_a_header_is_gone_through_once_for_a_conversion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    family = registry.load_family(adhoc_family.one_model(str(_tiny(tmp_path / "tiny.gguf"))))
    read, found = gguf.GGUFReader._build_fields, list[str]()

    def counted(reader: gguf.GGUFReader, *given: Any) -> Any:
        found.append(type(reader).__name__)
        return read(reader, *given)

    monkeypatch.setattr(gguf.GGUFReader, "_build_fields", counted)
    whole = gguf.GGUFReader
    loaded = load_model(family, family.final.name)
    assert found == ["WholeReader"]
    assert gguf.GGUFReader is whole
    assert loaded.model.config.model_type == "llama"


def test_a_conversion_that_is_cancelled_leaves_nothing_half_made(tmp_path: Path, data: Path) -> None:
    family = registry.load_family(adhoc_family.one_model(str(_tiny(tmp_path / "tiny.gguf"))))

    said: list[str] = []

    def say(sentence: str, part: float | None) -> None:
        said.append(sentence)
        if part:
            pool.cancel.set()

    pool = ModelPool(FamilyRef(family), Placing("cpu"), say=say)
    with pytest.raises(LoadingCancelled, match=r"Converting tiny model was cancelled; send a message"):
        pool.get("model")
    assert said[0].startswith("Converting tiny model, this once: 0 B of ")
    folder = Path(family.final.source)
    assert [each.name for each in folder.iterdir()] == ["gguf.json"]
    pool = ModelPool(FamilyRef(family), Placing("cpu"))
    assert pool.get("model").context == 256


def test_room_is_asked_for_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _tiny(tmp_path / "tiny.gguf")
    family = registry.load_family(adhoc_family.one_model(str(path)))
    monkeypatch.setattr(gguf_model.memory, "room", lambda *_: Room({"cpu": 1000}, 1000))
    with pytest.raises(
        TillerError, match=r"tiny\.gguf takes about .* of memory while it is converted, and 1 kB are free"
    ):
        load_model(family, family.final.name)
    monkeypatch.undo()
    monkeypatch.setenv("TILLER_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(gguf_model.shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(
        TillerError, match=r"on the disk when it is converted, and 0 B are free at .*; make room, or set TILLER_DATA"
    ):
        load_model(family, family.final.name)


def test_which_file_is_meant(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    with pytest.raises(TillerError, match=r"There is no file .*lost\.gguf; check the path"):
        adhoc_family.source(str(folder / "lost.gguf"))
    one = _tiny(folder / "a-Q8_0.gguf", numbers="Q8_0")
    assert adhoc_family.source(str(folder)) == adhoc_family.source(str(one))
    _tiny(folder / "b.gguf")
    with pytest.raises(TillerError, match=r"models holds 2 GGUF files; name one, as .*models::a-Q8_0\.gguf"):
        adhoc_family.source(str(folder))
    assert adhoc_family.source(f"{folder}::a-Q8_0.gguf") == adhoc_family.source(str(one))
    with pytest.raises(TillerError, match=r"There is no file c\.gguf in .*models; check its name\."):
        adhoc_family.source(f"{folder}::c.gguf")
    for nothing in ("::", "x::", "owner/name::", "::a.gguf", "owner/name::model.bin", f"{folder}::"):
        with pytest.raises(
            TillerError, match=r"names no GGUF file; write folder::file\.gguf, or owner/model::file\.gguf"
        ):
            adhoc_family.source(nothing)
    (folder / "notes.txt").write_text("no model")
    with pytest.raises(
        TillerError, match=r"notes\.txt is no GGUF file; name the folder of the model that it lies in\."
    ):
        adhoc_family.source(str(folder / "notes.txt"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(TillerError, match=r"There is no model in .*empty: neither a config\.json nor a \.gguf file"):
        adhoc_family.source(str(tmp_path / "empty"))
    standing = adhoc_family.source("owner/model@main::c-Q4_K_M.gguf")
    assert json.loads((Path(standing.source) / "gguf.json").read_text()) == {
        "file": "c-Q4_K_M.gguf", "folder": "", "hub": "owner/model", "revision": "main",
    }  # fmt: skip


def test_a_converted_copy_is_forgotten_and_made_again_but_never_the_last_of_a_model(tmp_path: Path) -> None:
    path = _tiny(tmp_path / "Tiny-Chat.F16.gguf", numbers="F16")
    opened(path)
    folder = gguf_model.folder_of(gguf_model.GgufOrigin(path.name, str(tmp_path)))
    # What a conversion left that was cut off goes, too.
    (folder / ".converting-left").mkdir()
    size = gguf_model.copy_size(folder)
    assert size > gguf_model.size_on_disk(look(path))
    assert gguf_model.drop_copy(folder) == size
    assert ([each.name for each in folder.iterdir()], gguf_model.copy_size(folder)) == ([gguf_model.ORIGIN], 0)
    opened(path)
    assert gguf_model.copy_size(folder) == size
    path.unlink()
    with pytest.raises(TillerError, match="is all that there is of it; put the file back first"):
        gguf_model.drop_copy(folder)
    assert gguf_model.copy_size(folder) == size


def test_without_keeping_the_copy_goes_with_the_program(tmp_path: Path, data: Path) -> None:
    path = _tiny(tmp_path / "Tiny-Chat.F16.gguf", numbers="F16")
    program = (
        "import sys; from core.models import adhoc_family, gguf_model; from core.families import registry; from pathlib import Path; "
        "gguf_model.keep_nothing(); family = registry.load_family(adhoc_family.one_model(sys.argv[1])); "
        "folder = Path(family.final.source); gguf_model.make_whole(folder); print(gguf_model.copy_size(folder), "
        "gguf_model.copy_said(1000, folder.parent))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    size, said = done.stdout.split(maxsplit=1)
    assert int(size) > 0
    assert said.strip() == f"removed when Tiller ends, 1 kB in {data / 'converted'}"
    assert [each.name for each in (data / "converted").glob("*/*")] == [gguf_model.ORIGIN]
