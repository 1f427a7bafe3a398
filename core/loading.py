"""A checkpoint of a family -> a model in memory, with its tokenizer, template and anatomy."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from core import differences
from core.errors import TillerError
from core.families import TEMPLATES, Checkpoint, Counterfactual, Family
from core.linear import quicken
from core.residual import Anatomy, locate

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
#: Models below this many parameters run in float32 on a CPU: they are small, and faster so.
_SMALL = 60_000_000
#: Held round every ``from_pretrained`` of a model. transformers switches the tying of embeddings (and torch's default dtype) off for the
#: whole process while it loads; two loads at once can leave them off for good.
ONE_LOAD_AT_A_TIME = threading.RLock()


class LoadError(TillerError):
    """A checkpoint that cannot be loaded: one sentence with the fix."""


@dataclass(frozen=True)
class Loaded:
    """A checkpoint in memory. ``stops`` are the strings at which a reply ends; ``context`` the longest sequence in
    tokens; ``texts`` remembers the text of single tokens."""

    family: Family
    checkpoint: Checkpoint
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    anatomy: Anatomy
    template: str | None
    stops: tuple[str, ...]
    ends: frozenset[int]
    context: int
    fingerprint: str = field(repr=False)
    texts: dict[int, str] = field(default_factory=dict, repr=False)

    @property
    def width(self) -> int:
        """The width of the residual stream."""
        return int(self.model.config.get_text_config().hidden_size)

    @property
    def device(self) -> torch.device:
        """Where token ids go: the input embedding's device."""
        weight = self.model.get_input_embeddings().weight
        assert isinstance(weight, torch.Tensor)
        return weight.device

    @cached_property
    def pad(self) -> int:
        """The id that fills up shorter rows; masked, so any id would do."""
        found = self.tokenizer.pad_token_id
        return int(found if isinstance(found, int) else next(iter(self.ends), 0))


def threads() -> int:
    """Cores this process may use: the smallest of the host's, the affinity mask's and the control group's."""
    counts = [os.cpu_count() or 1]
    if hasattr(os, "sched_getaffinity"):
        counts.append(len(os.sched_getaffinity(0)))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        if quota != "max":
            counts.append(max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        # No control group of version 2 limits this process; the other counts stand.
        pass
    return min(counts)


def pick_device(wanted: str) -> torch.device:
    """The device for ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``. Raises LoadError when it is not there."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise LoadError(f"There is no device {wanted!r} here; use --device cpu.") from error
    return device


def load(
    family: Family, name: str, *, device: str = "auto", dtype: str = "auto", trust_remote_code: bool = False
) -> Loaded:
    """Load a checkpoint, from a folder or the Hub, into memory.

    Args:
        dtype: ``auto`` (float32 for small models on a CPU, else bfloat16), or a name of :data:`DTYPES`.

    Raises:
        LoadError: a missing or cut-off file, pickled weights, no network, an unknown device or dtype.
        StoreError, DifferenceError: a counterfactual's difference is not there, or belongs to other weights.
    """
    checkpoint = family.checkpoint(name)
    place = pick_device(device)
    _check_source(checkpoint)
    options: dict[str, Any] = {"revision": checkpoint.revision} if checkpoint.revision else {}
    options |= {"trust_remote_code": trust_remote_code, "local_files_only": checkpoint.local}
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    config = _from(checkpoint, lambda: AutoConfig.from_pretrained(checkpoint.source, **options))
    kind = _dtype(dtype, place, config)
    retrained = checkpoint if isinstance(checkpoint, Counterfactual) and checkpoint.difference else None
    tokenizer = _from(checkpoint, lambda: AutoTokenizer.from_pretrained(checkpoint.source, **options))
    with ONE_LOAD_AT_A_TIME:
        model, report = _from(
            checkpoint,
            lambda: AutoModelForCausalLM.from_pretrained(
                checkpoint.source,
                config=config,
                # A difference is added in float32, and the sum rounded.
                dtype=torch.float32 if retrained else kind,
                use_safetensors=True,
                output_loading_info=True,
                **options,
            ),
        )
    if missing := sorted(report["missing_keys"]):
        # transformers fills what is missing with random numbers and goes on.
        raise LoadError(
            f"The weights of checkpoint {name!r} lack {missing[0]}{' and more' if len(missing) > 1 else ''}; "
            f"{_remedy(checkpoint)}."
        )
    if retrained:
        differences.restore(model, retrained)
        model = model.to(kind)
    model = model.to(place).eval().requires_grad_(False)
    quicken(model)
    template, stops = TEMPLATES[checkpoint.template] if checkpoint.template else (None, ())
    if template is None and not tokenizer.chat_template:
        raise LoadError(f'{name} has no chat template; give it template = "plain" in {family.folder / "family.toml"}.')
    return Loaded(
        family=family,
        checkpoint=checkpoint,
        model=model,
        tokenizer=tokenizer,
        anatomy=locate(model),
        template=template,
        stops=stops,
        ends=_ends(model, tokenizer),
        context=_context(model.config.get_text_config()),
        fingerprint=differences.fingerprint(checkpoint)
        if checkpoint.local
        else f"{checkpoint.source}@{checkpoint.revision or 'main'}",
    )


def _from(checkpoint: Checkpoint, call: Callable[[], Any]) -> Any:
    """Run a ``from_pretrained`` and turn its many errors into one sentence."""
    try:
        return call()
    except MemoryError as error:
        raise LoadError(
            f"{checkpoint.name} does not fit into memory; use --dtype bfloat16 or a smaller family."
        ) from error
    except Exception as error:
        # transformers, safetensors and the Hub's client raise a dozen unrelated types here; all mean "cannot be loaded".
        reason = " ".join(str(error).split())[:300]
        raise LoadError(
            f"Checkpoint {checkpoint.name!r} cannot be loaded from {checkpoint.source}: {_remedy(checkpoint)}. "
            f"({type(error).__name__}: {reason})"
        ) from error


def _remedy(checkpoint: Checkpoint) -> str:
    return (
        "copy its folder again" if checkpoint.local else "check the name, the revision, the network and hf auth login"
    )


def _check_source(checkpoint: Checkpoint) -> None:
    if not checkpoint.local:
        return
    folder = Path(checkpoint.source)
    if not (folder / "config.json").is_file():
        raise LoadError(
            f"Checkpoint {checkpoint.name!r} is not at {folder}: there is no config.json; "
            "restore the folder, or correct path in family.toml."
        )
    weights = list(folder.glob("*.safetensors"))
    if not weights:
        pickled = (
            " Its .bin weights are pickled and are not read; convert them to safetensors."
            if list(folder.glob("*.bin"))
            else ""
        )
        raise LoadError(
            f"Checkpoint {checkpoint.name!r} has no safetensors weights in {folder}; restore them.{pickled}"
        )
    for path in weights:
        _check_whole(checkpoint, path)


def _check_whole(checkpoint: Checkpoint, path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if start == b"version ":
            raise LoadError(
                f"{path.name} of checkpoint {checkpoint.name!r} is a Git LFS pointer, not the file itself; run git lfs pull."
            )
        try:
            header = json.loads(file.read(length)) if len(start) == 8 and length < size else None
            ends = [value["data_offsets"][1] for key, value in (header or {}).items() if key != "__metadata__"]
            whole = header is not None and size >= 8 + length + max(ends, default=0)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            whole = False
    if not whole:
        raise LoadError(
            f"{path.name} of checkpoint {checkpoint.name!r} is cut off ({size:,} bytes); copy {path} again."
        )


def _dtype(wanted: str, place: torch.device, config: Any) -> torch.dtype:
    if wanted != "auto":
        if wanted not in DTYPES:
            raise LoadError(f"There is no dtype {wanted!r}; use auto, {', '.join(DTYPES)}.")
        return DTYPES[wanted]
    text = config.get_text_config()
    size = text.hidden_size * (text.vocab_size + 12 * text.hidden_size * text.num_hidden_layers)
    return torch.float32 if place.type == "cpu" and size < _SMALL else torch.bfloat16


def _context(text: Any) -> int:
    """The longest sequence in tokens, for a text model's configuration."""
    longest = int(getattr(text, "max_position_embeddings", 2048))
    rope = getattr(text, "rope_parameters", None) or {}
    if rope.get("rope_type") == "longrope":
        # Beyond its first length such a model (Phi-3's long ones) turns every token by other angles, those in the cache included,
        # and every row of a batch with the longest: a reply would change its own past.
        first = rope.get("original_max_position_embeddings", getattr(text, "original_max_position_embeddings", None))
        longest = min(longest, int(first)) if first else longest
    return longest


def _ends(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Every id that ends a reply: the generation config's, the model config's and the tokenizer's."""
    found: set[int] = set()
    for value in (
        getattr(model.generation_config, "eos_token_id", None),
        # A configuration for pictures and text keeps it with its text, or has one of its own as well.
        getattr(model.config, "eos_token_id", None),
        getattr(model.config.get_text_config(), "eos_token_id", None),
        tokenizer.eos_token_id,
    ):
        if value is not None:
            found.update(value if isinstance(value, list) else [int(value)])
    return frozenset(found)
