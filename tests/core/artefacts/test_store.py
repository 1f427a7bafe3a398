"""Artefacts on disk: exact, whole or refused, never half-written, never unpickled."""

from __future__ import annotations

import json
import os
import pickle
import resource
import shutil
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from core.artefacts import store
from core.artefacts.direction import load_direction
from core.errors import StoreError
from core.exchange import exchange
from core.families import registry
from tests.support import tiny_models

DETAILS = {
    "kind": "direction",
    "name": "truth",
    "family": "toy",
    "checkpoint": "base",
    "layer": 1,
    "fingerprint": "0" * 16,
}


def tensors(layers: int = 3, width: int = 5) -> dict[str, store.Array]:
    made = np.random.default_rng(0)
    vectors, negative = (made.normal(size=(layers, width)).astype(np.float32) for _ in range(2))
    return {"vectors": vectors, "positive": negative + vectors, "negative": negative}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    where = store.artefact_path(tmp_path, "toy", "base", "direction", "truth")
    store.save_artefact(where, tensors(), DETAILS)
    return where


def test_a_direction_reads_back_exactly(path: Path) -> None:
    direction = load_direction(path)
    for name, array in tensors().items():
        assert getattr(direction, name).dtype == np.float32
        assert np.array_equal(getattr(direction, name), array)
    assert direction.card.details == {"format": store.FORMAT, **DETAILS}
    assert direction.gap(1) == pytest.approx(np.linalg.norm(tensors()["vectors"][1]), rel=1e-6)
    assert np.linalg.norm(direction.unit(1).astype(np.float64)) == pytest.approx(1, abs=1e-7)
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_file_cut_off_anywhere_is_refused(path: Path) -> None:
    blob = path.read_bytes()
    header = 8 + struct.unpack("<Q", blob[:8])[0]
    for length in (0, 1, 7, 8, 9, header // 2, header - 1, header, header + 1, header + 60, len(blob) - 1):
        path.write_bytes(blob[:length])
        for read in (store.read_card, load_direction):
            with pytest.raises(StoreError, match=r"again\.$"):
                read(path)
    path.write_bytes(blob)
    load_direction(path)


def with_header(header: object) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    "blob",
    [
        pickle.dumps({"vectors": [1.0]}),
        b"PK\x03\x04" + bytes(100),
        b"\x00" * 100,
        b"\xff" * 100,
        bytes(range(256)),
        struct.pack("<Q", 2**63) + b"{}",
        with_header([]),
        with_header({"a": 3}),
        with_header({"a": {"data_offsets": "xy"}}),
        with_header({"__metadata__": 3}),
        with_header({"__metadata__": {"tiller": "{"}}),
        with_header({"__metadata__": {"tiller": "[1]"}}),
        with_header({"__metadata__": {"tiller": json.dumps({"format": 1})}}),
        struct.pack("<Q", 50_000) + b"[" * 50_000,
    ],
)
def test_what_is_no_artefact_is_refused_with_its_name(blob: bytes, tmp_path: Path) -> None:
    path = tmp_path / "direction.truth.safetensors"
    path.write_bytes(blob)
    with pytest.raises(StoreError, match=r"direction\.truth\.safetensors .*(again|import it)"):
        load_direction(path)


def test_an_lfs_pointer_is_said(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1234\n")
    with pytest.raises(StoreError, match="git lfs pull"):
        load_direction(path)


def test_a_missing_file_and_a_folder_in_its_place_are_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not there"):
        store.read_card(tmp_path / "none.safetensors")
    with pytest.raises(StoreError, match="cannot be read"):
        store.read_card(tmp_path)


def test_another_format_names_both_numbers(path: Path) -> None:
    path.write_bytes(save(tensors(), metadata={"tiller": json.dumps({**DETAILS, "format": 7})}))
    with pytest.raises(StoreError, match="has format 7, this version reads 1"):
        load_direction(path)


def test_a_strangers_safetensors_is_not_taken_for_ours(path: Path) -> None:
    path.write_bytes(save(tensors()))
    with pytest.raises(StoreError, match="not one of Tiller's"):
        load_direction(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["vectors", "positive", "negative"])
def test_values_that_are_not_finite_are_refused(bad: float, part: str, path: Path) -> None:
    changed = tensors()
    changed[part][2, 3] = bad
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(save(changed, metadata={"tiller": json.dumps({"format": store.FORMAT, **DETAILS})}))
    with pytest.raises(StoreError, match="not finite"):
        load_direction(path)


def test_tensors_that_do_not_fit_together_are_refused(path: Path) -> None:
    store.save_artefact(path, {**tensors(), "negative": tensors(2)["negative"]}, DETAILS)
    with pytest.raises(StoreError, match="unequal shape"):
        load_direction(path)
    store.save_artefact(path, {"vectors": tensors()["vectors"]}, DETAILS)
    with pytest.raises(StoreError, match="lacks a tensor"):
        load_direction(path)
    store.save_artefact(path, tensors(), {**DETAILS, "kind": "map"})
    with pytest.raises(StoreError, match="holds a map"):
        load_direction(path)


@pytest.mark.parametrize("layer", [None, 3, -1, "1", 0])
def test_a_layer_that_is_not_there_or_where_nothing_differs_is_refused(layer: object, path: Path) -> None:
    changed = tensors()
    changed["vectors"][0] = 0
    store.save_artefact(path, changed, {**DETAILS, "layer": layer})
    with pytest.raises(StoreError, match="names no layer"):
        load_direction(path)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(path: Path) -> None:
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A limit on the size of files is a disk that is full: the operating system itself fails half-way through the write.
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
    try:
        with pytest.raises(StoreError, match="cannot be written"):
            store.save_artefact(path, tensors(100, 100), DETAILS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_place_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="choose another folder"):
        store.save_artefact(tmp_path / "file" / "a" / "d.safetensors", tensors(), DETAILS)
    closed = Path("/proc/tiller") if sys.platform == "linux" else Path("/tiller-test")
    with pytest.raises(StoreError, match="choose another folder"):
        store.save_artefact(closed / "d.safetensors", tensors(), DETAILS)


def test_a_persons_own_hides_the_shipped_one_and_broken_files_are_left_out(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    own = store.artefact_path(store.user_folder(), "toy", "base", "direction", "truth")
    assert store.find_artefact(store.family_folders("toy", folder), "base", "direction", "truth") == path
    store.save_artefact(own, tensors(), {**DETAILS, "layer": 2})
    (path.parent / "direction.broken.safetensors").write_bytes(b"x")
    (path.parent / "direction.stranger.safetensors").write_bytes(
        with_header({"__metadata__": {"tiller": '{"format":1}'}})
    )
    assert store.find_artefact(store.family_folders("toy", folder), "base", "direction", "truth") == own
    assert [(card.name, card.layer) for card in store.cards(store.family_folders("toy", folder), "base")] == [
        ("truth", 2)
    ]
    assert store.cards(store.family_folders("toy", folder), "sft") == ()
    assert store.find_artefact(store.family_folders("toy", folder), "base", "direction", "mood") is None


def test_a_fingerprint_is_of_config_and_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(StoreError, match="no safetensors"):
        store.folder_fingerprint(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    first = store.folder_fingerprint(tmp_path)
    assert len(first) == 16
    assert store.folder_fingerprint(tmp_path) == first
    (tmp_path / "model.safetensors").write_bytes(b"weightz")
    second = store.folder_fingerprint(tmp_path)
    (tmp_path / "config.json").write_text("{ }")
    assert len({first, second, store.folder_fingerprint(tmp_path)}) == 3
    (tmp_path / "config.json").unlink()
    with pytest.raises(StoreError, match=r"config\.json"):
        store.folder_fingerprint(tmp_path)


@pytest.mark.parametrize("where", ["tensor", "figure"])
def test_what_is_not_finite_is_not_stored(where: str, tmp_path: Path) -> None:
    path = tmp_path / "direction.u.safetensors"
    bad = float("nan")
    vectors = np.array([[bad if where == "tensor" else 1.0]], np.float32)
    with pytest.raises(StoreError, match="not finite, and is not stored"):
        store.save_artefact(path, {"vectors": vectors}, {"damage": [bad if where == "figure" else 1.0]})
    assert not path.exists()


def test_two_families_in_folders_of_one_name_keep_their_artefacts_apart(tmp_path: Path) -> None:
    folders = [
        tiny_models.family(tmp_path / run / "mine", "llama", ("chat",), plain_base=False) for run in ("one", "two")
    ]
    vector = np.ones(tiny_models.WIDTH, np.float32)
    save_file({"v": vector}, tmp_path / "u.safetensors")
    first = registry.load_family(str(folders[0]))
    exchange.import_vector(first, "chat", tmp_path / "u.safetensors", "u", layer=1)
    second = registry.load_family(str(folders[1]))
    assert (first.name, registry.load_family(str(folders[0])).name) == ("mine", "mine")
    assert second.name != "mine"
    assert store.find_artefact(second.places, "chat", "direction", "u") is None
    exchange.import_vector(second, "chat", tmp_path / "u.safetensors", "u", layer=2)
    found = [store.find_artefact(each.places, "chat", "direction", "u") for each in (first, second)]
    assert [store.read_card(path).layer for path in found if path] == [1, 2]
    # A folder that was moved keeps what was learnt on it.
    moved = folders[0].rename(tmp_path / "mine")
    assert registry.load_family(str(moved)).name == "mine"


def test_what_an_earlier_version_kept_is_found_by_the_folders_name(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "mine", "llama", ("chat",), plain_base=False)
    kept = shutil.copytree(tiny_models.direction(folder, "chat", "u").parents[1], store.user_folder() / "mine" / "chat")
    family = registry.load_family(str(folder))
    assert (
        store.find_artefact(family.places, "chat", "direction", "u") == kept / "artefacts" / "direction.u.safetensors"
    )
    assert not (store.user_folder() / "mine" / "folder.txt").exists()
