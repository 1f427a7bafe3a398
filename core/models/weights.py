"""Tensors of a checkpoint, read from its safetensors files one at a time, in full precision.

transformers maps whole files into memory while it loads, so that a checkpoint that is quantized passes through memory at full
size. Here a tensor's bytes are read when it is asked for, and belong to whoever asked. What reads or edits weights of a quantized
model (its own are packed) takes them from :func:`weights_of`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers.modeling_utils
from torch import Tensor

from core.families.checkpoint import Checkpoint, Counterfactual, Subtracted
from core.models import deltas, files, fingerprints, lora, memory, packed, stage_embedding
from core.models.files import LoadError, Progress, Stored, Watch
from core.models.packed import Packed

_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
    "F8_E8M0": torch.float8_e8m0fnu,
}  # fmt: skip
#: The module that opens the files of a checkpoint, by a name of its own.
_TRANSFORMERS: Any = transformers.modeling_utils
_CPU = torch.device("cpu")
#: Before a tensor of more bytes is read, what the last one left is given back: quantizing a matrix frees ten times what it keeps.
_LARGE = 10**6


class Weights(Mapping[str, Tensor]):
    """A checkpoint's tensors by name, each read from disk, as it is stored, whenever it is asked for; a retrained one with its
    difference, and one of adapters with these. Of files that are quantized they are the weights, in float32, unless ``as_stored``.

    They are on ``device``. ``weights["model.layers.0.mlp.down_proj.weight"]`` also finds what is stored without the ``model.`` in
    front, or with it.
    """

    def __init__(
        self, checkpoint: Checkpoint, folder: Path, device: torch.device = _CPU, *, as_stored: bool = False
    ) -> None:
        self.checkpoint, self._device = checkpoint, device
        self.stored = files.stored_tensors(checkpoint, folder)
        if not as_stored:
            config = files.read_config(checkpoint, folder)
            self.stored = packed.unpacked(config, self.stored)
            packed.check_readable(checkpoint, config, self.stored)
        self._change: Callable[[str, Tensor], Tensor] | None = None
        self._parts: tuple[Weights, Weights, Weights] | None = None
        self._shapes: Mapping[str, tuple[int, ...]] = {}
        self._carried: Callable[[str, Tensor, Callable[[], Tensor]], Tensor] | None = None
        if isinstance(checkpoint, Subtracted):
            self._parts = (
                Weights(checkpoint.whole, folder, device), weights_of(checkpoint.minus, device), weights_of(checkpoint.plus, device),
            )  # fmt: skip
            if checkpoint.embedding is not None:
                self._carried = stage_embedding.taken_out(checkpoint, fingerprints.model_fingerprint(checkpoint.whole))
        elif isinstance(checkpoint, Counterfactual) and checkpoint.difference is not None:
            self._change = deltas.delta_change(checkpoint)
        elif checkpoint.adapters:
            config = files.read_config(checkpoint, folder)
            self._change, self._shapes = lora.adapter_change(checkpoint, self.stored, config)

    def __getitem__(self, name: str) -> Tensor:
        """A tensor as it is stored, or in float32 where it is made of several, or a difference or an adapter is added.

        Raises:
            LoadError: it is not there.
        """
        if self._parts is not None:
            if self._carried is not None:
                whole, minus, plus = self._parts
                # A part is kept by the names in the files of the checkpoint.
                return self._carried(
                    whole._named(name), whole.full(name), lambda: _difference(whole, minus, plus, name)
                )
            return _subtracted(*self._parts, name)
        found = self._named(name)
        tensor = _read(self.stored[found])
        return (tensor if self._change is None else self._change(found, tensor)).to(self._device)

    def full(self, name: str) -> Tensor:
        """A tensor in float32, whatever it is stored in. Raises LoadError for one that is not there."""
        return self[name].float()

    @property
    def vocabulary(self) -> int | None:
        """How many rows the embeddings have, where an adapter brought more than the configuration says."""
        return next((shape[0] for shape in self._shapes.values()), None)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, by its name in the files."""
        return self._shapes.get(name, self.stored[name].shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self.stored)

    def __len__(self) -> int:
        return len(self.stored)

    def _named(self, name: str) -> str:
        if name in self.stored:
            return name
        # A file may have been saved from the model without its head, and then lacks the first part of every name.
        alike = [each for each in self.stored if name.endswith(f".{each}") or each.endswith(f".{name}")]
        if len(alike) != 1:
            raise LoadError(
                f"{self.checkpoint.name} has no tensor {name!r}; its files name such as {next(iter(self.stored))!r}."
            )
        return alike[0]


def distance(checkpoint: Checkpoint, before: Checkpoint) -> float:
    """‖θ − θ_before‖ / ‖θ_before‖ over all tensors that both store, one at a time; rows that only one has are left out.

    Raises:
        LoadError: a checkpoint has no whole weights, or other shapes.
    """
    new, old = weights_of(checkpoint), weights_of(before)
    moved = whole = 0.0
    for name in old:
        if name not in new.stored:
            continue
        one, other = new[name], old[name]
        if one.shape[1:] != other.shape[1:]:
            raise _unlike(before.name, name, tuple(other.shape), tuple(one.shape))
        # Some rows at a time in float32: whole matrices would take several times what is stored.
        one, other = (each if each.ndim else each[None] for each in (one, other))
        rows, step = min(len(one), len(other)), max(1, _LARGE * len(other) // max(1, other.numel()))
        for start in range(0, rows, step):
            these = slice(start, min(start + step, rows))
            moved += float((one[these].float() - other[these].float()).norm()) ** 2
            whole += float(other[these].float().norm()) ** 2
        if other.numel() > _LARGE:
            del one, other
            memory.trim()
    return float((moved / whole) ** 0.5) if whole else 0.0


def weights_of(checkpoint: Checkpoint, device: torch.device = _CPU) -> Weights:
    """The weights of a checkpoint in full precision, from its files, however it was loaded; each is read to ``device``.

    Raises:
        LoadError: there are no whole safetensors files.
        StoreError, DifferenceError: a retrained checkpoint's difference is not there, or belongs to other weights.
    """
    return Weights(checkpoint, files.checkpoint_folder(checkpoint), device)


#: What an output matrix is called, which a model with tied embeddings need not store, and what its input matrix is called.
_OUTPUTS = ("lm_head.weight", "embed_out.weight")
_INPUTS = ("embed_tokens.weight", "wte.weight", "word_embeddings.weight", "embed_in.weight")


def like(weights: Weights, name: str, shape: tuple[int, ...]) -> Tensor:
    """A tensor in float32 for a model in which it has this shape, whose vocabulary may be another.

    Rows that the checkpoint lacks, for tokens that a later stage added, are the mean of those it has, as transformers makes them when
    it enlarges a vocabulary; rows beyond the model's are left out. A tied matrix is found by its other name.

    Raises:
        LoadError: there is no such tensor, or the two differ in more than their rows.
    """
    found = weights.full(_stored_as(weights, name))
    if found.shape == shape:
        return found
    embedding = name.endswith((*_OUTPUTS, *_INPUTS))
    if not embedding or found.shape[1:] != shape[1:]:
        raise _unlike(weights.checkpoint.name, name, tuple(found.shape), shape)
    if len(found) > shape[0]:
        return found[: shape[0]]
    return torch.cat([found, found.mean(0, keepdim=True).expand(shape[0] - len(found), -1)])


def holds(weights: Weights, name: str) -> bool:
    """Whether a checkpoint stores a tensor, or the one that it is tied to."""
    try:
        _stored_as(weights, name)
    except LoadError:
        return False
    return True


def untied(weights: Weights) -> bool:
    """Whether a checkpoint has an output matrix of its own: it stores one, and its configuration does not tie it to the input's."""
    config = files.read_config(weights.checkpoint, files.small_files(weights.checkpoint))
    tied = config.get("tie_word_embeddings", (config.get("text_config") or {}).get("tie_word_embeddings", False))
    return not tied and any(name.endswith(_OUTPUTS) for name in weights.stored)


def _stored_as(weights: Weights, name: str) -> str:
    """The name under which a tensor, or the one that it is tied to, is stored. Raises LoadError."""
    if name.endswith(_OUTPUTS):
        # transformers may call it otherwise in memory than in the file.
        for ends in (_OUTPUTS, _INPUTS):
            alike = [each for each in weights.stored if each.endswith(ends)]
            if len(alike) == 1:
                return alike[0]
    return weights._named(name)


def _unlike(checkpoint: str, name: str, own: tuple[int, ...], other: tuple[int, ...]) -> LoadError:
    return LoadError(
        f"{checkpoint} has {name} of shape {' × '.join(map(str, own))}, where the final checkpoint has {' × '.join(map(str, other))}; "
        "stages are told apart between checkpoints of one shape only, so correct path or hub in family.toml."
    )


def _subtracted(whole: Weights, minus: Weights, plus: Weights, name: str) -> Tensor:
    """whole − (minus − plus) in float32. What a stage added to the vocabulary stays as it is: there is nothing to go back to."""
    # In this order the sum is exactly ``plus`` where ``whole`` is ``minus``: without its last stage a model is its parent.
    found = whole.full(name)
    if _added(found, -1, minus, name) and _added(found, 1, plus, name):
        return found
    # A vocabulary that grew: only here are all three in memory at once.
    found = whole.full(name)
    after, before = (each.full(_stored_as(each, name)) for each in (minus, plus))
    if not name.endswith((*_OUTPUTS, *_INPUTS)) or not found.shape[1:] == after.shape[1:] == before.shape[1:]:
        other = after if after.shape != found.shape else before
        raise _unlike(whole.checkpoint.name, name, tuple(found.shape), tuple(other.shape))
    rows = min(len(found), len(after), len(before))
    found[:rows].sub_(after[:rows]).add_(before[:rows])
    return found


def _difference(whole: Weights, minus: Weights, plus: Weights, name: str) -> Tensor:
    """minus − plus in float32, in the shape of ``whole``: nothing where a vocabulary grew."""
    found = whole.full(name)
    return found - _subtracted(whole, minus, plus, name)


def _read(stored: Stored) -> Tensor:
    """A tensor's own copy of its bytes in the file, or the weight that several stand for."""
    if isinstance(stored, Packed):
        return packed.weight(stored, _read)
    if stored.dtype not in _DTYPES:
        raise LoadError(f"{stored.file} holds numbers of the kind {stored.dtype}, which Tiller cannot read.")
    assert stored.file is not None
    buffer = torch.empty(stored.size, dtype=torch.uint8)
    view = memoryview(buffer.numpy().data)
    with stored.file.open("rb", buffering=0) as file:
        file.seek(stored.start)
        while view:
            count = file.readinto(view)
            if not count:
                raise LoadError(f"{stored.file} became shorter while it was read; copy it again.")
            view = view[count:]
    return buffer.view(_DTYPES[stored.dtype]).reshape(stored.shape)


def _added(found: Tensor, sign: int, other: Weights, name: str) -> bool:
    """Add a tensor of other weights to one in place, where the shapes agree; whether they do."""
    more = other.full(_stored_as(other, name))
    if more.shape != found.shape:
        return False
    found.add_(more, alpha=sign)
    return True


@contextmanager
def read_by(weights: Weights, watch: Watch | None) -> Iterator[None]:
    """Inside, transformers takes a checkpoint's tensors from ``weights``, and ``watch`` is told of every one.

    transformers opens files through a name of its own module, which is another one inside: hold
    :data:`core.models.load_lock.ONE_LOAD_AT_A_TIME` round it. It takes a ``state_dict`` instead only without the folder, from which it
    has the model's own code and the tokens that end a reply, and would read all of a mapping before it begins.
    """
    count = _Count(weights, watch)
    before = _TRANSFORMERS.safe_open
    _TRANSFORMERS.safe_open = lambda file, **_options: _Opened(weights, Path(file).name, count)
    try:
        yield
    finally:
        _TRANSFORMERS.safe_open = before


class _Count:
    """Counts the bytes that have been read; several of transformers' threads read at once."""

    def __init__(self, weights: Weights, watch: Watch | None) -> None:
        self._watch = watch
        self._shards = len({each.file for each in weights.stored.values()})
        # In the order in which they are first read, which is that of the model's layers.
        self._begun: dict[Path | None, int] = {}
        self._total = sum(each.size for each in weights.stored.values())
        self._done = 0
        self._lock = threading.Lock()

    def add(self, stored: Stored) -> None:
        """Another tensor has been read."""
        with self._lock:
            self._done += stored.size
            if stored.size > _LARGE:
                memory.trim()
            if self._watch is not None:
                self._begun.setdefault(stored.file, len(self._begun) + 1)
                self._watch(Progress(self._done, self._total, len(self._begun), self._shards))


class _Opened:
    """Stands in for a file that safetensors' ``safe_open`` has opened."""

    def __init__(self, weights: Weights, file: str, count: _Count) -> None:
        self._weights, self._count = weights, count
        self._names = [
            name for name, each in weights.stored.items() if each.file is not None and each.file.name == file
        ]

    def keys(self) -> list[str]:
        """The names of the tensors in the file."""
        return self._names

    def metadata(self) -> dict[str, str]:
        """Where the tensors come from, as safetensors files say it."""
        return {"format": "pt"}

    def get_slice(self, name: str) -> _Slice:
        """A tensor that is read when it is indexed."""
        return _Slice(self._weights.stored[name], self._weights.shape(name), lambda: self._weights[name], self._count)

    def get_tensor(self, name: str) -> Tensor:
        """A tensor."""
        return self._weights[name]

    def __enter__(self) -> _Opened:
        return self

    def __exit__(self, *_error: object) -> None:
        return None


class _Slice:
    """Stands in for a slice of a file: transformers asks for ``slice[...]``."""

    def __init__(self, stored: Stored, shape: tuple[int, ...], read: Callable[[], Tensor], count: _Count) -> None:
        self._stored, self._shape, self._read, self._count = stored, shape, read, count

    def __getitem__(self, index: Any) -> Tensor:
        self._count.add(self._stored)
        return self._read()[index]

    def get_shape(self) -> list[int]:
        """The tensor's shape."""
        return list(self._shape)

    def get_dtype(self) -> str:
        """The tensor's dtype by safetensors' name."""
        return self._stored.dtype
