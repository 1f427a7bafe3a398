"""Directions in and out: what others wrote is read exactly, what they read is written, and what cannot be used is one sentence."""

from __future__ import annotations

import json
import os
import pickle
import shlex
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFReader, GGUFWriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import save_file

from core.artefacts import store
from core.artefacts.direction import Direction, load_direction
from core.directions import card
from core.errors import TillerError
from core.exchange import exchange
from core.families import registry
from core.families.checkpoint import Family
from core.models.loading import Loaded
from core.recipes.language import parse
from core.steering.interventions import compile_recipe
from core.steering.readings import projection
from tests.core.steering import test_interventions as by_hand
from tests.support import tiny_models
from tests.support.command import verb

Array = np.ndarray[Any, Any]
LAYERS, WIDTH = tiny_models.LAYERS, tiny_models.WIDTH


@pytest.fixture
def family(tiny_folder: Callable[[str], Path]) -> Family:
    return registry.load_family(str(tiny_folder("llama")))


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def as_repeng_writes(
    path: Path, vectors: dict[int, Array], architecture: str = "controlvector", blocks: int = 0
) -> Path:
    """A control vector as repeng and llama.cpp's cvector-generator write it; a model has a number of ``blocks``."""
    writer = GGUFWriter(path, architecture)
    if blocks:
        writer.add_block_count(blocks)
    writer.add_string("controlvector.model_hint", "mistral")
    writer.add_uint32("controlvector.layer_count", len(vectors))
    for layer, vector in vectors.items():
        writer.add_tensor(f"direction.{layer}", vector)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def imported(family: Family, name: str) -> Direction:
    path = store.find_artefact(family.places, "chat", "direction", name)
    assert path is not None
    assert path.is_relative_to(store.user_folder())
    return load_direction(path)


def files(folder: Path) -> list[Path]:
    return sorted(each for each in folder.rglob("*") if each.is_file())


# --------------------------------------------------------------------------------------------------------------------- in


def test_a_control_vector_of_repeng_becomes_a_direction(family: Family, tmp_path: Path) -> None:
    vectors = {layer: numbers(WIDTH, seed=layer) for layer in (1, 2, 3)}
    done = exchange.import_vector(family, "", as_repeng_writes(tmp_path / "happy.gguf", vectors), "happy")
    found = imported(family, "happy")
    assert done.path == found.card.path
    for layer, vector in vectors.items():
        assert np.array_equal(found.vectors[layer], vector)
    assert not found.vectors[0].any()
    # Nothing was measured: the middle one, and it says so; there are no class means, so a projection of 0 reads 0.
    assert found.card.layer == 2
    assert "nothing was measured" in found.card.details["criterion"]
    assert found.card.details["unit"] == exchange.UNIT
    assert found.card.details["imported"]["file"] == "happy.gguf"
    assert any("made for a mistral" in each for each in done.sentences)
    text = card.card_text(found.card)
    assert "imported from happy.gguf, a GGUF control vector, on" in text
    assert "because of" not in text
    reading = projection(found)
    vector = torch.from_numpy(vectors[2])
    assert float((vector @ reading.unit - reading.offset) / reading.gap) == pytest.approx(1, abs=1e-5)


def test_a_strength_of_one_adds_the_vector_as_llama_cpp_does(
    family: Family, tmp_path: Path, tiny_loaded: Callable[[str], Loaded]
) -> None:
    vectors = {layer: numbers(WIDTH, seed=layer) for layer in (1, 2, 3)}
    exchange.import_vector(family, "chat", as_repeng_writes(tmp_path / "v.gguf", vectors), "mine", scale=0.5)
    edits = compile_recipe(parse("1*mine[1,3]"), tiny_loaded("llama"), lambda name, _from: imported(family, name))
    assert [(edit.site, edit.kind, edit.reach) for edit in edits] == [
        (("resid_post", 1), "add", "all"),
        (("resid_post", 3), "add", "all"),
    ]
    for edit, layer in zip(edits, (1, 3), strict=True):
        assert np.array_equal(edit.vector, 0.5 * vectors[layer])
    with pytest.raises(TillerError, match="names layer 0, where this direction has no vector"):
        compile_recipe(parse("1*mine[0]"), tiny_loaded("llama"), lambda name, _from: imported(family, name))


def _saved(folder: Path, way: str, row: Array, rows: Array) -> Path:
    """A file as another program writes it: its one vector, or its vectors by layer."""
    path = folder / f"{way.replace(' ', '-')}.any"
    by_layer = {layer: torch.from_numpy(rows[layer]) for layer in range(LAYERS)}
    if way == "row of torch":
        torch.save(torch.from_numpy(row[None]).half(), path)
    elif way == "row of safetensors":
        save_file({"v": row[None]}, path)
    elif way == "array":
        with path.open("wb") as file:
            np.save(file, row)
    elif way == "one of a dictionary":
        torch.save({"layer": 2, "dir": torch.from_numpy(row)}, path)
    elif way == "dictionary":
        torch.save(by_layer, path)
    elif way == "saklas":
        save_file({f"layer_{layer}": rows[layer] for layer in reversed(range(LAYERS))}, path)
    else:
        torch.save(torch.from_numpy(np.concatenate([numbers(1, WIDTH, seed=9), rows])), path)
    return path


@pytest.mark.parametrize("way", ["row of torch", "row of safetensors", "array", "one of a dictionary"])
def test_one_vector_as_other_programs_write_it(family: Family, tmp_path: Path, way: str) -> None:
    row = numbers(WIDTH).astype(np.float16).astype(np.float32)
    path = _saved(tmp_path, way, row, numbers(LAYERS, WIDTH))
    with pytest.raises(TillerError, match="does not say where it belongs; add --layer L, from 0 to 3"):
        exchange.import_vector(family, "chat", path, "mine")
    exchange.import_vector(family, "chat", path, "mine", layer=2)
    found = imported(family, "mine")
    assert np.array_equal(found.vectors[2], row)
    assert not found.vectors[[0, 1, 3]].any()


@pytest.mark.parametrize("way", ["dictionary", "saklas", "hidden states"])
def test_vectors_of_every_layer_as_other_programs_write_them(family: Family, tmp_path: Path, way: str) -> None:
    rows = numbers(LAYERS, WIDTH)
    done = exchange.import_vector(family, "chat", _saved(tmp_path, way, rows[0], rows), "mine")
    assert np.array_equal(imported(family, "mine").vectors, rows)
    assert "At all its layers, as most programs add such vectors: the recipe mine[0-3]." in done.sentences


@pytest.mark.parametrize(("prefix", "maker"), [("direction", "repeng"), ("layer_activations", "steering-vectors")])
def test_the_shapes_of_two_libraries_as_safetensors(family: Family, tmp_path: Path, prefix: str, maker: str) -> None:
    vectors = {layer: numbers(WIDTH, seed=layer) for layer in (0, 2)}
    save_file({f"{prefix}.{layer}": vector for layer, vector in vectors.items()}, tmp_path / "v.safetensors")
    done = exchange.import_vector(family, "chat", tmp_path / "v.safetensors", "mine", layer=2)
    found = imported(family, "mine")
    assert maker in done.sentences[0]
    assert found.card.layer == 2
    assert np.array_equal(found.vectors, np.stack([vectors[0], 0 * vectors[0], vectors[2], 0 * vectors[0]]))


def test_a_tensor_of_torch_of_one_layer_or_of_all(family: Family, tmp_path: Path) -> None:
    one, every = torch.from_numpy(numbers(WIDTH)), torch.from_numpy(numbers(LAYERS, WIDTH)).double()
    torch.save(one, tmp_path / "one.pt")
    torch.save(torch.nn.Parameter(every), tmp_path / "every.bin")
    exchange.import_vector(family, "chat", tmp_path / "one.pt", "one", layer=3)
    assert imported(family, "one").card.layer == 3
    assert np.array_equal(imported(family, "one").vectors[3], one.numpy())
    exchange.import_vector(family, "chat", tmp_path / "every.bin", "every")
    assert np.array_equal(imported(family, "every").vectors, every.float().numpy())
    # One vector does not say where it belongs; the one before is not touched by what is refused.
    with pytest.raises(TillerError, match="add --layer L, from 0 to 3"):
        exchange.import_vector(family, "chat", tmp_path / "one.pt", "again")


def test_what_an_imported_direction_does_to_logits(
    family: Family, tmp_path: Path, tiny_loaded: Callable[[str], Loaded]
) -> None:
    loaded = tiny_loaded("llama")
    torch.save(torch.from_numpy(numbers(WIDTH)), tmp_path / "one.pt")
    exchange.import_vector(family, "chat", tmp_path / "one.pt", "one", layer=1)
    prompt, reply = by_hand.chat_prompt(loaded, "Hi"), by_hand.reply_ids(loaded)
    for recipe in ("2*one", "!one", "one=1:reply"):
        text = recipe.replace("one=1:reply", "one:reply=1")
        edits = compile_recipe(parse(text), loaded, by_hand.directions(loaded))
        found = by_hand.reply_logits(loaded, [prompt], [reply], [edits])[0]
        assert (found - by_hand.logits_by_hand(loaded, prompt, reply, text)).abs().max() < 2e-4


# -------------------------------------------------------------------------------------------------------------------- out


def test_an_export_is_what_llama_cpp_accepts(family: Family, tmp_path: Path) -> None:
    done = exchange.export_direction(family, "chat", "truth", tmp_path / "truth.gguf")
    found = GGUFReader(tmp_path / "truth.gguf")
    keys = {name: field.contents() for name, field in found.fields.items() if not name.startswith("GGUF.")}
    assert keys["general.architecture"] == "controlvector"
    assert keys["controlvector.model_hint"] == "llama"
    assert keys["controlvector.layer_count"] == 3
    direction = by_hand_direction(family)
    # llama.cpp refuses a direction.0, and wants float32 in one dimension.
    assert {each.name for each in found.tensors} == {"direction.1", "direction.2", "direction.3"}
    for each in found.tensors:
        assert (each.tensor_type.name, each.data.ndim) == ("F32", 1)
        assert np.array_equal(each.data, direction.vectors[int(each.name[-1])])
    assert "--control-vector-layer-range 1 1" in done.sentences[1]


def by_hand_direction(family: Family, name: str = "truth", checkpoint: str = "chat") -> Direction:
    path = store.find_artefact(family.places, checkpoint, "direction", name)
    assert path is not None
    return load_direction(path)


def test_a_control_vector_of_ours_comes_back_to_where_it_was(family: Family, tmp_path: Path) -> None:
    exchange.export_direction(family, "base", "refusal", tmp_path / "refusal.gguf")
    exchange.import_vector(family, "", tmp_path / "refusal.gguf", "back")
    path = store.find_artefact(family.places, "base", "direction", "back")
    assert path is not None, "the file names its checkpoint"
    before, after = by_hand_direction(family, "refusal", "base"), load_direction(path)
    assert np.array_equal(after.vectors[1:], before.vectors[1:])
    assert (after.card.layer, after.card.details["criterion"]) == (before.card.layer, "as the file says")


def test_safetensors_of_ours_keep_all_that_is_known(family: Family, tmp_path: Path) -> None:
    details = {"dose_response": {"strengths": [0.0]}, "method": "mean_difference", "reading_range": [-1.0, 2.0]}
    before = by_hand_direction(family)
    path = store.artefact_path(store.user_folder(), family.name, "chat", "direction", "judged")
    store.save_artefact(path, exchange._tensors(before), {**before.card.details, "name": "judged", **details})
    exchange.export_direction(family, "chat", "judged", tmp_path / "judged.safetensors")
    exchange.remove(family, "own/chat/direction.judged")
    assert store.find_artefact(family.places, "chat", "direction", "judged") is None
    exchange.import_vector(family, "", tmp_path / "judged.safetensors", "again")
    after = imported(family, "again")
    for name in ("vectors", "positive", "negative"):
        assert np.array_equal(getattr(after, name), getattr(before, name))
    assert {key: after.card.details[key] for key in details} == details
    with pytest.raises(TillerError, match="leave out --layer"):
        exchange.import_vector(family, "", tmp_path / "judged.safetensors", "third", layer=2)


@given(
    vectors=arrays.arrays(np.float32, (LAYERS, WIDTH), elements=st.floats(-1e4, 1e4, width=32, allow_subnormal=False)),
    how=st.sampled_from(["gguf", "safetensors", "rows", "pt"]),
)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_numbers_come_through_every_kind_of_file(
    vectors: Array, how: str, family: Family, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    vectors[1, 0] = 1.0
    if how == "gguf":
        vectors[0] = 0
        path = as_repeng_writes(folder / "v", {at: each for at, each in enumerate(vectors) if at})
    elif how == "pt":
        path = folder / "v"
        torch.save(torch.from_numpy(vectors), path)
    else:
        path = folder / "v"
        rows = {"all": vectors} if how == "rows" else {f"direction.{at}": each for at, each in enumerate(vectors)}
        save_file(rows, path)
    done = exchange.import_vector(family, "chat", path, "any")
    assert np.array_equal(load_direction(done.path).vectors, vectors)
    exchange.remove(family, "own/chat/direction.any")


# ---------------------------------------------------------------------------------------------------------------- refused


class Harm:
    """What a pickle may run."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, tuple[str, int]]:
        return os.open, (self.path, os.O_CREAT)


def cut(path: Path, to: int = -8) -> None:
    path.write_bytes(path.read_bytes()[:to])


def too_large(folder: Path) -> None:
    """Small files that would become gigabytes, were they read before they are looked at."""
    header = json.dumps({"v": {"dtype": "F32", "shape": [10**9, 0], "data_offsets": [0, 0]}}).encode()
    (folder / "rows.0.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    torch.save(torch.empty(10**9, 0), folder / "rows.0.pt")
    np.save(folder / "rows.0.npy", np.empty((10**9, 0), np.float32))
    np.save(folder / "long.npy", np.zeros(8, np.float32))
    text = (folder / "long.npy").read_bytes().replace(b"(8,), }" + b" " * 12, b"(8000000000000,), }")
    (folder / "long.npy").write_bytes(text)
    torch.save(torch.ones(1).expand(100, 60_000), folder / "view.pt")
    torch.save(torch.ones(1001, 2), folder / "tall.pt")
    often = torch.zeros(60_000)
    torch.save({f"layer_{index}": often for index in range(1000)}, folder / "often.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(torch.nested.nested_tensor([torch.ones(3), torch.ones(4)]), folder / "nested.pt")
    torch.save(torch.ones(4), folder / "packed.pt")
    with zipfile.ZipFile(folder / "packed.pt", "a", zipfile.ZIP_DEFLATED) as packed, packed.open("more", "w") as more:
        for _ in range(201):
            more.write(bytes(1_000_000))


def spoilt(folder: Path) -> dict[str, str]:
    """Files that cannot be used, and what is said of each."""
    good = {layer: numbers(WIDTH, seed=layer) for layer in (1, 2)}
    nan = good[1].copy()
    nan[3] = np.nan
    as_repeng_writes(folder / "wide.gguf", {1: numbers(WIDTH + 1)})
    as_repeng_writes(folder / "deep.gguf", {LAYERS: numbers(WIDTH)})
    as_repeng_writes(folder / "nan.gguf", {1: nan})
    as_repeng_writes(folder / "model.gguf", good, architecture="llama")
    as_repeng_writes(folder / "zeros.gguf", {1: 0 * good[1]})
    cut(as_repeng_writes(folder / "cut.gguf", good))
    cut(as_repeng_writes(folder / "stump.gguf", good), 30)
    save_file({"direction.1": good[1], "direction.2": numbers(WIDTH + 2)}, folder / "uneven.safetensors")
    save_file({"model.norm.weight": good[1], "lm_head.weight": good[2]}, folder / "others.safetensors")
    save_file({"v": numbers(LAYERS + 2, WIDTH)}, folder / "rows.safetensors")
    save_file({"v": numbers(2, 2, WIDTH)}, folder / "cube.safetensors")
    save_file({"v": np.ones(WIDTH, np.int64)}, folder / "whole.safetensors")
    save_file({"direction.1": good[1]}, folder / "cut.safetensors")
    cut(folder / "cut.safetensors")
    (folder / "text.safetensors").write_text("direction", "utf-8")
    (folder / "empty.safetensors").write_bytes(b"")
    (folder / "header.safetensors").write_bytes(struct.pack("<Q", 2**60) + b"{")
    (folder / "pointer.gguf").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "utf-8")
    torch.save({"vector": torch.ones(WIDTH)}, folder / "dict.pt")
    torch.save({"harmful_0": torch.ones(WIDTH), "harmless_0": torch.ones(WIDTH)}, folder / "both.pt")
    torch.save({"layer": 2}, folder / "none.pt")
    (folder / "README.md").write_text("# A model card", "utf-8")
    np.save(folder / "objects.npy", np.array([{}]), allow_pickle=True)
    whole = as_repeng_writes(folder / "whole.gguf", good, architecture="llama", blocks=4)
    assert whole.is_file()
    torch.save(torch.full((LAYERS, WIDTH), torch.inf), folder / "infinite.pt")
    torch.save(torch.ones(WIDTH), folder / "cut.pt")
    cut(folder / "cut.pt", 100)
    torch.save(Harm(folder / "harmed"), folder / "zip.pt")
    (folder / "pickle.pt").write_bytes(pickle.dumps(Harm(folder / "harmed")))
    too_large(folder)
    return {
        "wide.gguf": f"{WIDTH + 1} wide, and the model is a llama of {LAYERS} layers of width {WIDTH}",
        "deep.gguf": "a vector at layer 4",
        "nan.gguf": "not finite at layer 1",
        "model.gguf": "architecture 'llama'",
        "zeros.gguf": "nothing but zeros",
        "cut.gguf": "cut off",
        "stump.gguf": "cut off",
        "uneven.safetensors": "several widths",
        "others.safetensors": "holds 2 tensors such as",
        "rows.safetensors": "one row a layer",
        "cube.safetensors": r"shape \[2, 2, 32\]",
        "whole.safetensors": "torch.int64",
        "cut.safetensors": "cut off",
        "text.safetensors": r"holds no vectors that are known here: read are \.safetensors, \.gguf, \.pt .* and \.npy",
        "README.md": "holds no vectors that are known here",
        "empty.safetensors": "holds no vectors that are known here",
        "header.safetensors": "not a safetensors file",
        "pointer.gguf": "Git LFS pointer",
        "dict.pt": "holds one vector and does not say where it belongs; add --layer L",
        "both.pt": "holds 2 tensors such as 'harmful_0'",
        "none.pt": "holds a dict without tensors",
        "objects.npy": "no array of plain numbers",
        "whole.gguf": r"whole.gguf is a model \(llama\), not a vector; open it with --model ",
        "infinite.pt": "not finite",
        "cut.pt": "cut off",
        "zip.pt": "it can run code",
        "pickle.pt": "it can run code",
        "rows.0.safetensors": r"shape \[1000000000, 0\]; vectors are of at most 1,000 layers",
        "rows.0.pt": r"shape \[1000000000, 0\]; vectors are of at most 1,000 layers",
        "rows.0.npy": r"shape \[1000000000, 0\]; vectors are of at most 1,000 layers",
        "long.npy": "cut off or no array",
        "view.pt": "repeats its numbers",
        "tall.pt": r"shape \[1001, 2\]",
        "often.pt": "holds 60,000,000 numbers; a direction has at most 50,000,000",
        "nested.pt": "torch.float32, not of plain",
        "packed.pt": "holds more than 200 MB",
        "missing.gguf": "cannot be read",
        ".": "cannot be read",
    }


def test_every_file_that_cannot_be_used_is_one_sentence_and_writes_nothing(family: Family, tmp_path: Path) -> None:
    for name, said in spoilt(tmp_path).items():
        with pytest.raises(TillerError, match=said) as refused:
            exchange.import_vector(
                family, "chat", tmp_path / name, "mine", layer=2 if name == "whole.safetensors" else None
            )
        sentence = str(refused.value)
        assert sentence.endswith("."), name
        assert "\n" not in sentence, name
    assert files(store.user_folder()) == []
    assert not (tmp_path / "harmed").exists(), "a pickle ran"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"name": "truth"}, "chat has a direction 'truth' that everybody uses"),
        ({"name": "no way"}, "cannot be the name of a direction"),
        ({"name": "../truth"}, "cannot be the name of a direction"),
        ({"name": "mine", "layer": 9}, "There is no layer 9"),
        ({"name": "mine", "layer": 3}, "has no vector at layer 3; it has some at 1-2"),
        ({"name": "mine", "scale": 0.0}, "leaves nothing to steer by"),
        ({"name": "mine", "scale": float("nan")}, "leaves nothing to steer by"),
        ({"name": "mine", "scale": 1e38}, "too large for float32"),
        ({"name": "mine", "scale": 1e-46}, "nothing is left of"),
    ],
)
def test_what_does_not_fit_is_one_sentence_and_writes_nothing(
    more: dict[str, Any], said: str, family: Family, tmp_path: Path
) -> None:
    path = as_repeng_writes(tmp_path / "v.gguf", {1: 9 * numbers(WIDTH), 2: numbers(WIDTH)})
    with pytest.raises(TillerError, match=said):
        exchange.import_vector(family, "chat", path, **more)
    assert files(store.user_folder()) == []


@pytest.mark.parametrize("ending", [".gguf", ".safetensors"])
def test_a_direction_of_other_weights_is_refused_with_both_named(family: Family, tmp_path: Path, ending: str) -> None:
    exchange.export_direction(family, "base", "truth", tmp_path / f"truth{ending}")
    now, meant = (store.folder_fingerprint(family.folder / name) for name in ("chat", "base"))
    with pytest.raises(TillerError, match=f"llama/base with fingerprint {meant}, and chat has {now}"):
        exchange.import_vector(family, "chat", tmp_path / f"truth{ending}", "mine")
    assert files(store.user_folder()) == []


def test_what_cannot_be_written_is_said_and_what_is_there_stays(family: Family, tmp_path: Path) -> None:
    there = tmp_path / "truth.gguf"
    there.write_text("mine", "utf-8")
    tiny_models.direction(family.folder, "base", "first", layer=0)
    for name, checkpoint, to, said in (
        ("truth", "chat", there, "is there already"),
        ("truth", "chat", tmp_path / "truth.bin", "should end in .gguf"),
        (
            "kindness",
            "chat",
            tmp_path / "k.gguf",
            "There is no direction kindness of llama/chat; there is refusal, truth",
        ),
        ("first", "base", tmp_path / "first.gguf", "acts at layer 0"),
        ("truth", "chat", there / "inside.gguf", "cannot be written"),
    ):
        with pytest.raises(TillerError, match=said):
            exchange.export_direction(family, checkpoint, name, to)
    (family.folder / "base" / "artefacts" / "direction.first.safetensors").unlink()
    assert files(tmp_path) == [there]
    assert there.read_text("utf-8") == "mine"


def test_only_what_is_ones_own_is_deleted(family: Family, tmp_path: Path) -> None:
    exchange.import_vector(family, "chat", as_repeng_writes(tmp_path / "v.gguf", {1: numbers(WIDTH)}), "mine")
    path = imported(family, "mine").card.path
    # One of one's own that hides a shipped one, and that cannot be read any more.
    own = store.artefact_path(store.user_folder(), family.name, "chat", "direction", "truth")
    own.write_bytes(b"spoilt")
    assert "used again" not in " ".join(exchange.remove(family, "own/chat/direction.mine").sentences)
    assert "used again" in " ".join(exchange.remove(family, "own/chat/direction.truth").sentences)
    assert not path.exists()
    assert not own.exists()
    for key, said in (
        ("own/chat/direction.mine", "not in the library any more"),
        ("shipped/chat/direction.truth", "everybody's"),
    ):
        with pytest.raises(TillerError, match=said):
            exchange.remove(family, key)
    assert by_hand_direction(family).card.name == "truth"


# ------------------------------------------------------------------------------------------------------------ command line


def test_the_verbs(family: Family, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whose = ["--family", str(family.folder), "--checkpoint", "chat"]
    out = tmp_path / "truth.gguf"
    assert verb("export", ["truth", "--to", str(out), *whose]) == 0
    assert f"Written to {out}" in capsys.readouterr().out
    assert verb("import", [str(out), "--name", "back", "--layer", "2", *whose]) == 0
    assert "It acts at layer 2" in capsys.readouterr().out
    assert np.array_equal(imported(family, "back").vectors[1:], by_hand_direction(family).vectors[1:])
    assert json.loads(json.dumps(imported(family, "back").card.details))["imported"]["kind"] == "a GGUF control vector"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["v.gguf"], "--name"),
        (["v.gguf", "--name", "mine", "--layer", "-1"], "--layer takes a whole number"),
        (["v.gguf", "--name", "mine", "--scale", "much"], "--scale takes a number"),
        (["v.gguf", "--name", "mine", "--device", "cpu"], "--device"),
    ],
)
def test_mistakes_on_the_command_line(arguments: list[str], said: str) -> None:
    with pytest.raises(TillerError, match=said):
        verb("import", arguments)


def test_the_command_for_llama_cpp_can_be_pasted(family: Family, tmp_path: Path) -> None:
    vectors = {layer: numbers(WIDTH, seed=layer) for layer in (1, 2, 3)}
    exchange.import_vector(family, "chat", as_repeng_writes(tmp_path / "v.gguf", vectors), "mine")
    done = exchange.export_direction(family, "chat", "mine", tmp_path / "Jane's vector.gguf")
    command = done.sentences[-1].partition(": ")[2]
    assert shlex.split(command)[:3] == ["llama-cli", "--control-vector", "Jane's vector.gguf"]
