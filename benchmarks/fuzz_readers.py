"""Every reader of what comes from outside, with what makes spoilt cases of it for :mod:`benchmarks.fuzzing`."""

from __future__ import annotations

import atexit
import io
import json
import shutil
import struct
import tempfile
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.fuzzing import Make, Read, Spoiler


def readers(folder: Path) -> Mapping[str, tuple[Make, Read]]:
    """Every reader of what comes from outside, by what it reads; files lie in ``folder``, which need not be there before one is read."""
    return {
        "recipes": (_of_text(_RECIPES), _recipe),
        "links": (_link, lambda blob: _settings(blob.decode())),
        "chats": (lambda spoiler: spoiler.json(_exported()), lambda blob: _chat(blob.decode("utf-8", "replace"))),
        "family.toml": (_of_text((_FAMILY,)), _through(folder / "family" / "family.toml", _family)),
        "examples": (_examples, _contrast(folder)),
        "boxes": (lambda spoiler: spoiler.json(_BOXES), _boxes),
        "safetensors": (_safetensors, _through(folder / "v.safetensors", _vectors)),
        "gguf": (lambda spoiler: spoiler.blob(_gguf()), _through(folder / "v.gguf", _vectors)),
        "pt": (lambda spoiler: spoiler.blob(spoiler.random.choice(_torch_files())), _through(folder / "v.pt", _vectors)),
        "npy": (lambda spoiler: spoiler.blob(_npy()), _through(folder / "v.npy", _vectors)),
        "training logs": (
            lambda spoiler: spoiler.json(_LOG), _through(folder / "log" / "training_log.json", _log)
        ),
        "model folders": (_model_files, _opened(folder / "model")),
        "command lines": (_command_line, _options),
    }  # fmt: skip


def _of_text(seeds: Sequence[str]) -> Make:
    return lambda spoiler: spoiler.text(spoiler.random.choice(seeds)).encode("utf-8", "surrogatepass")


def _through(path: Path, read: Callable[[Path], object]) -> Read:
    def written(blob: bytes) -> object:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(blob)
        return read(path)

    return written


_RECIPES = (
    "1.5*refusal", "-0.5*truth[3-5]:reply", "refusal=0", "2*refusal@other/dpo", "2*truth?refusal>0.5", "!neurons:entropy",
    "-1.1*truth@base:prompt + !refusal", "a[1,3-5]=-1?b@c<-2e3",
)  # fmt: skip


def _recipe(blob: bytes) -> None:
    from core.recipes.language import parse

    recipe = parse(blob.decode("utf-8", "surrogatepass"))
    if parse(str(recipe)) != recipe:
        raise AssertionError("what is written does not read back")


@cache
def _exported() -> dict[str, Any]:
    from core.chat.answers import Answer, chat_document
    from core.chat.events import Alternative, Reading, Token
    from core.chat.settings import Column, Sampling, Settings, Turn
    from core.recipes.language import parse

    columns = (Column("dpo", parse("1*truth")), Column("base", asks="Say {message}"))
    turns = (Turn("Hi", ("a", "b")), Turn("And now?", ("a", "b")))
    settings = Settings("skiff", columns, sampling=Sampling(temperature=0.5, stop=("x",)), turns=turns)
    reading = Reading(-0.5, 1.0, 0, (Alternative(7, " a", 0.6),), {"truth": 0.25})
    answer = Answer(tokens=(Token(0, 0, 7, " a", reading, reading, True),), reason="end", seconds=0.5)
    found: dict[str, Any] = json.loads(json.dumps(chat_document(settings, {0: answer})))
    return found


def _chat(text: str) -> None:
    from core.chat.answers import load_chat

    load_chat(text)


def _link(spoiler: Spoiler) -> bytes:
    code = urlsafe_b64encode(zlib.compress(spoiler.json(_exported()["settings"])))
    link = spoiler.random.choice([b"s=", b"", b"http://127.0.0.1:7860/?s=", b"https://x/?a=1&s="]) + code
    return link if spoiler.random.random() < 0.9 else spoiler.text(link.decode()).encode("utf-8", "replace")


def _settings(link: str) -> None:
    from core.chat.settings import Settings

    found = Settings.from_link(link)
    if Settings.from_link(found.to_link()) != found:
        raise AssertionError("what is written does not read back")


_FAMILY = """title = "My model"
licence = "Apache 2.0"
[[checkpoint]]
name = "base"
path = "base"
stage = "pretrain"
template = "plain"
[[checkpoint]]
name = "chat"
path = "chat"
parent = "base"
stage = "sft"
[[checkpoint]]
name = "ad"
hub = "o/m"
adapter_of = "base"
[[counterfactual]]
name = "w"
of = "chat"
same_as = "base"
without = "sft"
[[example]]
title = "t"
message = "m"
recipe = "1*truth"
"""


def _family(path: Path) -> None:
    from core.families import registry

    found = registry.load_family(str(path.parent))
    for each in found.choices:
        found.path(each.name)


def _examples(spoiler: Spoiler) -> bytes:
    rows = [{"text": f"example {index}", "label": index % 2, "category": f"c{index % 5}"} for index in range(40)]
    if spoiler.random.random() < 0.5:
        lines = [json.dumps(row) for row in rows]
        at = spoiler.random.randrange(len(lines))
        lines[at] = json.dumps(spoiler.document(rows[at]))
        return b"J" + "\n".join(lines).encode("utf-8", "surrogatepass")
    lines = ["text,label,category", *(f'"{row["text"]}",{row["label"]},{row["category"]}' for row in rows)]
    at = spoiler.random.randrange(len(lines))
    lines[at] = '"' + "x" * 140_000 + lines[at] if spoiler.random.random() < 0.1 else spoiler.text(lines[at])
    blob = spoiler.random.choice(["\n", "\r\n", "\r"]).join(lines).encode("utf-8", "surrogatepass")
    return b"C" + (spoiler.blob(blob) if spoiler.random.random() < 0.3 else blob)


def _contrast(folder: Path) -> Read:
    def read(blob: bytes) -> None:
        from core.directions import contrast_files

        path = folder / ("x.jsonl" if blob[:1] == b"J" else "x.csv")
        path.write_bytes(blob[1:])
        contrast_files.read_table(str(path), "mood")

    return read


_BOXES: dict[str, Any] = {
    "name": "mood", "positive": "\n".join(f"glad {n}" for n in range(6)), "negative": "\n".join(f"sad {n}" for n in range(6)), "layer": "3",
}  # fmt: skip


def _boxes(blob: bytes) -> None:
    from core.directions.request import learn_request, parse_layer

    try:
        found = json.loads(blob)
    except (ValueError, RecursionError):
        return
    if isinstance(found, dict) and all(isinstance(found.get(key), str) for key in _BOXES):
        learn_request(found["name"], found["positive"], found["negative"], layer=parse_layer(found["layer"]))


def _vectors(path: Path) -> None:
    from core.exchange.vector_files import read_vectors

    read_vectors(path)


def _safetensors(spoiler: Spoiler) -> bytes:
    import numpy as np
    from safetensors.numpy import save

    ones = np.ones((3, 8), np.float32)
    card = {"format": 1, "kind": "direction", "name": "x", "family": "skiff", "checkpoint": "dpo", "layer": 1}
    seed = spoiler.random.choice(
        [
            save({"direction.1": ones[0], "direction.2": ones[1]}),
            save({"v": ones.astype(np.float16)}),
            save({"vectors": ones, "positive": ones, "negative": 0 * ones}, metadata={"tiller": json.dumps(card)}),
        ]
    )
    length = int(struct.unpack("<Q", seed[:8])[0])
    header = json.dumps(spoiler.document(json.loads(seed[8 : 8 + length]))).encode("utf-8", "surrogatepass")
    spoilt = struct.pack("<Q", len(header)) + header + seed[8 + length :]
    return spoilt if spoiler.random.random() < 0.8 else spoiler.blob(spoilt)


def _gguf() -> bytes:
    import numpy as np

    from core.exchange.gguf import to_bytes

    return to_bytes({1: np.ones(8, np.float32), 2: np.ones(8, np.float32)}, "llama", {"layer": 1, "name": "x"})


def _torch_files() -> list[bytes]:
    import torch

    found: list[bytes] = []
    for what, more in (
        (torch.ones(8), {}), ({"a": torch.ones(3)}, {}), (torch.ones(3, 8), {"_use_new_zipfile_serialization": False})
    ):  # fmt: skip
        file = io.BytesIO()
        torch.save(what, file, **more)
        found.append(file.getvalue())
    return found


def _npy() -> bytes:
    import numpy as np

    file = io.BytesIO()
    np.save(file, np.ones((3, 8), np.float32))
    return file.getvalue()


_LOG: dict[str, Any] = {
    "tiller": "training log", "format": 1, "stage": "sft", "parent": "base", "rates": [[0.1, 0.1], [0.1, 0.05]], "batches": [[1, 2], ["x"]],
    "optimizer": {
        "kind": "AdamW", "reset": True, "clip": 1.0,
        "groups": [
            {"parameters": ["a", "b"], "weight_decay": 0.01, "betas": [0.9, 0.999], "eps": 1e-8}, {"parameters": ["c"], "weight_decay": 0.0}
        ],
    },
}  # fmt: skip


def _log(path: Path) -> None:
    from core.attribution.training_log import read_log

    read_log(path.parent).decayed({})


#: The files of a model's folder that say what its weights and its words are.
_SAID = ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json")


@cache
def _model() -> Path:
    """The folder of a model that is so small that it is there at once, with Skiff's tokenizer."""
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    from core.families import registry

    folder = Path(tempfile.mkdtemp(prefix="tiller-fuzzed-model-"))
    source = Path(registry.load_family("skiff").final.source)
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LlamaConfig(
        **{**json.loads((source / "config.json").read_text("utf-8")), "num_key_value_heads": 2, "head_dim": 8, **shape}
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    GenerationConfig(
        eos_token_id=config.eos_token_id, pad_token_id=config.pad_token_id, do_sample=True, temperature=0.7
    ).save_pretrained(folder)
    for name in (*_SAID[1:3], "chat_template.jinja"):
        shutil.copy(source / name, folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _model_files(spoiler: Spoiler) -> bytes:
    name = spoiler.random.choice(_SAID)
    return name.encode() + b"\0" + spoiler.json(json.loads((_model() / name).read_text("utf-8")))


def _opened(folder: Path) -> Read:
    def read(blob: bytes) -> None:
        """Open the model, and let it say some words."""
        from core.chat.settings import Sampling
        from core.families import registry
        from core.inference.decoding import BatchDecoder, DecodingRow
        from core.inference.prompts import chat_prompt
        from core.models.adhoc_family import one_model
        from core.models.loading import load_model
        from core.models.placement import Placing

        name, _, spoilt = blob.partition(b"\0")
        shutil.copytree(_model(), folder, dirs_exist_ok=True)
        (folder / name.decode()).write_bytes(spoilt)
        family = registry.load_family(one_model(str(folder)))
        loaded = load_model(family, family.final.name, Placing("cpu"))
        row = DecodingRow(0, chat_prompt(loaded, "Hello"), sampling=Sampling(max_new_tokens=2, temperature=0.5))
        decoder = BatchDecoder(loaded, [row])
        while not decoder.done:
            decoder.step()

    return read


_WORDS = (
    "chat", "tui", "web", "learn", "families", "test", "--", "-", "--json", "--port", "--host", "--recipe", "--family", "--base", "--post",
    "--stage", "--checkpoint", "--max-memory", "--threads", "--temperature", "--seed", "--max-tokens", "--system", "--quantize", "--device",
    "--budget", "--effort", "--model", "x", "0", "-1", "65536", "1e9", "nan", "inf", "", "20GB", "0:20GB,cpu:1GB", "9" * 400, "5m",
    "9" * 400 + "GB", "١", "²", "--port=", "--port=7", "sft=x", "=x", "--seed=" + "9" * 5_000, "\ud800", "\x00", "1.5*refusal", "-1*truth",
    "cuda:999", "8bit",
)  # fmt: skip


def _command_line(spoiler: Spoiler) -> bytes:
    words = [spoiler.random.choice(_WORDS) for _ in range(spoiler.random.randint(0, 6))]
    words = [spoiler.text(word) if spoiler.random.random() < 0.15 else word for word in words]
    return "\x1f".join(words).encode("utf-8", "surrogatepass")


def _options(blob: bytes) -> None:
    from core.cli.command_line import read_command_line
    from core.cli.verbs import every, later

    begun = later("core.cli.chat", "chat")
    read_command_line(blob.decode("utf-8", "surrogatepass").split("\x1f"), every(begun, begun, begun, begun))
