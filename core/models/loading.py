"""A checkpoint of a family -> a model in memory, with its tokenizer, template and anatomy."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from core.families.checkpoint import Checkpoint, Family, TemplateVars
from core.models import files, fingerprints, hub, lora, memory, packed, placement, shapes
from core.models import quantization as quantizing
from core.models.chat_template import (
    ends_of,
    own_template,
    reads_parts,
    rows_without_token,
    template_of,
    tokenizer_in,
    tokenizer_of,
    variables_of,
    with_variables,
)
from core.models.configuration import class_for, read_configuration
from core.models.fast_linear import quicken, straighten
from core.models.files import LoadError, Watch
from core.models.hooks import Anatomy, embedding_rows, input_device, locate
from core.models.load_errors import explained, left_over, missing_weights
from core.models.load_lock import ONE_LOAD_AT_A_TIME
from core.models.placement import Placing
from core.models.thoughts import Marks, marks_of
from core.models.weights import Weights, read_by

_log = logging.getLogger(__name__)
_AUTO = Placing()
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
#: A folder in which transformers finds no adapter.
_NO_ADAPTER = "no-adapter"


@dataclass(frozen=True)
class Loaded:
    """A checkpoint in memory. ``template`` is a chat template from elsewhere, None where the tokenizer's own is used; ``stops`` are the
    strings at which a reply ends; ``context`` the longest sequence in tokens; ``texts`` remembers the text of single tokens, and
    ``thoughts`` what was found to be thought before every answer (:mod:`core.inference.behind_thought`); ``fingerprint`` is that of
    the weights on disk, ``quantize`` says what was made of them; ``variables`` are what the chat template is told, ``told`` those of
    them that the family's file does not say; ``remark`` is a sentence that goes with every answer; ``tokenless`` are the rows of the
    vocabulary [rows] that no token stands for, in rising order, which are never said."""

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
    quantize: str = "none"
    thoughts: list[str] = field(default_factory=list, repr=False)
    variables: TemplateVars = ()
    told: TemplateVars = ()
    remark: str = ""
    tokenless: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.long), repr=False, compare=False)

    @cached_property
    def start(self) -> str:
        """What the tokenizer itself puts before a text: its beginning-of-text token, or nothing. To name such a token is not to use it."""
        token = self.tokenizer.bos_token
        found = self.tokenized("a")["input_ids"]
        return str(token) if token and found[:1] == [self.tokenizer.bos_token_id] else ""

    def tokenized(self, text: str, **how: bool) -> Mapping[str, Any]:
        """What the tokenizer makes of a text. Raises LoadError where its library gives up, which is no ``Exception`` of Python's: an
        expression of its tokenizer.json takes endless steps, say."""
        try:
            found: Mapping[str, Any] = self.tokenizer(text, verbose=False, **how)
        except BaseException as error:
            if type(error).__name__ != "PanicException":
                raise
            raise LoadError(
                f"The tokenizer of {self.checkpoint.name} gives up at this text ({' '.join(str(error).split())[:100]}); write another one, "
                "or copy tokenizer.json again from the model that it was made of."
            ) from error
        return found

    @property
    def width(self) -> int:
        """The width of the residual stream."""
        return int(self.model.config.get_text_config().hidden_size)

    @cached_property
    def chat_template(self) -> str:
        """The chat template, from wherever it is, with what it is told."""
        return with_variables(self.template or own_template(self.tokenizer), self.variables)

    def telling(self, more: TemplateVars) -> Loaded:
        """The same model, whose chat template is told more. Raises LoadError for what it does not read."""
        if not more:
            return self
        variables = variables_of(self.checkpoint, self.tokenizer, self.template, told := (*self.told, *more))
        return replace(self, variables=variables, told=told, thoughts=[])

    @cached_property
    def parts(self) -> bool:
        """Whether the chat template wants messages as lists of parts."""
        return reads_parts(self.tokenizer, self.chat_template)

    @cached_property
    def marks(self) -> Marks:
        """How the model marks what it thinks before it answers."""
        return marks_of(self.tokenizer, self.chat_template)

    @property
    def device(self) -> torch.device:
        """Where token ids go: where the input embedding is, or is brought to when it is used."""
        return input_device(self.model)

    @cached_property
    def pad(self) -> int:
        """The id that fills up shorter rows. It is masked, so any would do that has a row in the embedding."""
        rows, own = embedding_rows(self.model), self.tokenizer.pad_token_id
        wanted = (*((own,) if isinstance(own, int) else ()), *sorted(self.ends))
        return next((each for each in wanted if 0 <= each < rows), 0)


def seen_by(family: Family, loaded: Loaded) -> Loaded:
    """The same checkpoint, with its family as somebody sees it: whose directions are meant is a matter of the family."""
    if loaded.family is family:
        return loaded
    seen = copy.copy(loaded)
    # What has been found out about the model stays with it, which dataclasses.replace would leave behind.
    object.__setattr__(seen, "family", family)
    return seen


def threads() -> int:
    """Cores this process may use: the smallest of the host's, the affinity mask's, the control group's and ``OMP_NUM_THREADS``."""
    counts = [os.cpu_count() or 1]
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if told.isdecimal() and int(told):
        counts.append(int(told))
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


def places(device: str, max_memory: str) -> tuple[str, ...]:
    """Where the parts of a checkpoint may go, by name: one device, or every GPU, and behind them the CPU if ``max_memory`` names it.

    Raises:
        LoadError: the device is not there.
        MemoryTextError: ``max_memory`` cannot be read.
    """
    place = pick_device(device)
    if place.type != "cuda":
        return (place.type,)
    named = memory.parse_memory(max_memory)
    every = tuple(f"cuda:{index}" for index in range(torch.cuda.device_count()))
    gpus = (
        (f"cuda:{place.index}",)
        if place.index is not None
        else tuple(each for each in every if not named or "" in named or each in named)
    )
    return (*gpus, *(("cpu",) if "cpu" in named else ()))


def load_model(
    family: Family,
    name: str,
    placing: Placing = _AUTO,
    *,
    differentiable: bool = False,
    unpack: bool = False,
    trust_remote_code: bool = False,
    watch: Watch | None = None,
) -> Loaded:
    """Load a checkpoint, from a folder or the Hub, into memory, one tensor after another.

    Args:
        placing: where, and in which numbers. Its ``dtype``, of what is not quantized, is ``auto`` (float32 for small models on a CPU,
            else bfloat16) or a name of :data:`DTYPES`; its ``quantize`` is ``none``, ``8bit`` or ``4bit``
            (:mod:`core.models.quantization`); its ``max_memory`` is what may be used, as in ``20GB`` or ``0:20GB,cpu:30GB``: several
            places share a checkpoint that is not quantized.
        differentiable: whether gradients will be taken; a 4-bit model then answers more slowly on a CPU.
        unpack: whether a checkpoint that is quantized in its files is to be full weights in memory, which can be changed.
        watch: told of every tensor that was read; what it raises ends the loading, and nothing is left in memory.

    Raises:
        LoadError: a missing or cut-off file, pickled weights, no network, an unknown device or dtype, too little memory.
        QuantizedError: bitsandbytes does not run here.
        StoreError, DifferenceError: a counterfactual's difference is not there, or belongs to other weights.
    """
    checkpoint = family.checkpoint(name)
    quantize = placing.quantize
    place = pick_device(placing.device)
    spread, limits = places(placing.device, placing.max_memory), memory.parse_memory(placing.max_memory)
    room = memory.room(spread, limits)
    need = _checked(family, checkpoint, place, room, placing, unpack)
    kind = need.dtype
    shapes.check_shape(family, checkpoint)
    trusted = trust_remote_code or hub.trusted(checkpoint.weights)
    folder = explained(checkpoint, lambda: files.checkpoint_folder(checkpoint, watch, ("*.py",) if trusted else ()))
    options: dict[str, Any] = {"trust_remote_code": trusted, "local_files_only": True}
    if not checkpoint.adapters and (folder / lora.CONFIG).is_file():
        _log.warning(
            "%s lies beside the whole weights of %s, which are loaded without an adapter.", lora.CONFIG, checkpoint.name
        )
    config = explained(checkpoint, lambda: read_configuration(folder, options), file="config.json")
    # A faster attention that a configuration may name needs packages of its own, and not every model has it.
    config._attn_implementation = None
    tokenizer = tokenizer_in(checkpoint, folder, options)
    template, stops, turn_ends = template_of(family, checkpoint, tokenizer)
    variables = variables_of(checkpoint, tokenizer, template, placing.template_vars)
    model, lost = _model(
        _weights(checkpoint, folder, config, place, need, unpack),
        folder,
        config,
        DTYPES[kind],
        quantizing.quantization_config(quantize),
        _map(place, spread, room, limits, quantize),
        options,
        watch,
    )
    if len(spread) == 1 and quantize == "none":
        model = model.to(place)
    model = model.eval().requires_grad_(False)
    quantizing.steady(model, differentiable)
    quicken(model, memory.room(spread, limits, model.get_memory_footprint()).usable)
    straighten(model)
    return Loaded(
        family=family,
        checkpoint=checkpoint,
        model=model,
        tokenizer=tokenizer,
        anatomy=locate(model),
        template=template,
        stops=stops,
        ends=ends_of(model, tokenizer) | turn_ends,
        context=shapes.context_of(checkpoint, model.config.get_text_config()),
        fingerprint=fingerprints.model_fingerprint(checkpoint),
        quantize=quantize,
        variables=variables,
        told=placing.template_vars,
        tokenless=torch.tensor(rows_without_token(model, tokenizer), dtype=torch.long),
        remark=lost
        or (lora.trained_on_others(checkpoint, fingerprints.below_adapters(checkpoint)) if checkpoint.adapters else ""),
    )


def speaking(loaded: Loaded, name: str) -> Loaded:
    """The same model with the tokenizer and the chat template of another checkpoint of its family.

    Raises:
        LoadError: there is no tokenizer, or no template.
    """
    checkpoint = loaded.family.checkpoint(name)
    tokenizer = tokenizer_of(checkpoint)
    template, stops, turn_ends = template_of(loaded.family, checkpoint, tokenizer)
    ends = ends_of(loaded.model, tokenizer) | turn_ends
    return replace(
        loaded,
        checkpoint=checkpoint,
        tokenizer=tokenizer,
        template=template,
        stops=stops,
        ends=ends,
        texts={},
        thoughts=[],
        variables=variables_of(checkpoint, tokenizer, template, loaded.told),
        tokenless=torch.tensor(rows_without_token(loaded.model, tokenizer), dtype=torch.long),
    )


def _checked(
    family: Family, checkpoint: Checkpoint, place: torch.device, room: memory.Room, placing: Placing, unpack: bool
) -> placement.Need:
    """What a checkpoint takes, once it is known to fit. Raises LoadError with what would fit."""

    def takes(_name: str, how: str) -> placement.Need:
        found: placement.Need = explained(
            checkpoint, lambda: placement.need(checkpoint, place.type, placing.dtype, how, unpack)
        )
        return found

    return placement.make(family, [checkpoint.name], room, takes, placing.quantize).needs[0]


def _weights(
    checkpoint: Checkpoint, folder: Path, config: Any, place: torch.device, need: placement.Need, unpack: bool
) -> Weights:
    """What the model is made of; where it is not to stay as it is quantized in its files, ``config`` no longer says that it is."""
    described, tensors = files.read_config(checkpoint, folder), files.stored_tensors(checkpoint, folder)
    tensors = packed.unpacked(described, tensors)
    stays = placement.stays_packed(checkpoint, described, tensors, place.type, need.dtype, need.quantize, unpack)
    found = Weights(checkpoint, folder, as_stored=stays)
    if not stays:
        if made := [each.size for each in tensors.values() if isinstance(each, packed.Packed)]:
            _log.warning(
                "%s of %s are quantized in its files (%s); its weights are computed from them, and it takes %s of memory.",
                memory.size_in_words(sum(made)), checkpoint.name, packed.in_words(described), memory.size_in_words(need.size),
            )  # fmt: skip
        for each in (config, config.get_text_config()):
            each.__dict__.pop("quantization_config", None)
    if found.vocabulary:
        config.get_text_config().vocab_size = found.vocabulary
    return found


def _model(
    stored: Weights,
    folder: Path,
    config: Any,
    kind: torch.dtype,
    quantization: Any,
    device_map: Any,
    options: Mapping[str, Any],
    watch: Watch | None,
) -> tuple[Any, str]:
    """The model, its tensors read one at a time and quantized as they come, and a sentence on those left over. Raises LoadError."""
    checkpoint = stored.checkpoint
    with ONE_LOAD_AT_A_TIME, read_by(stored, watch):
        model, report = explained(
            checkpoint,
            lambda: class_for(config).from_pretrained(
                folder,
                config=config,
                dtype=kind,
                quantization_config=quantization,
                use_safetensors=True,
                output_loading_info=True,
                # Adapters are merged by Tiller; what is left of one beside whole weights would be put on top of them.
                adapter_kwargs={"subfolder": _NO_ADAPTER},
                **device_map,
                **options,
            ),
        )
    # What transformers' threads read last is given back too.
    memory.trim()
    if missing := sorted(report["missing_keys"]):
        # transformers fills what is missing with random numbers and goes on.
        raise missing_weights(checkpoint, missing, sorted(report["unexpected_keys"]), stored)
    return model, left_over(checkpoint, sorted(report["unexpected_keys"]), stored)


def _map(
    place: torch.device, spread: tuple[str, ...], room: memory.Room, limits: Mapping[str, int], quantize: str
) -> dict[str, Any]:
    """What says where the parts of a model go: nothing for a model that is moved as a whole.

    Raises:
        LoadError: a quantized model that would be split between a GPU and the CPU, or on a device that does not quantize.
    """
    if len(spread) > 1:
        if quantize != "none" and "cpu" in spread:
            raise LoadError(
                "A quantized checkpoint is not split between a GPU and the CPU; leave cpu out of --max-memory."
            )
        # Each is filled before the next one is begun.
        most = {name: min(free, limits.get(name, limits.get("", free))) for name, free in room.free.items()}
        named: dict[int | str, int] = {}
        for name, size in most.items():
            named["cpu" if name == "cpu" else int(name.removeprefix("cuda:"))] = size
        return {"device_map": "sequential", "max_memory": named}
    if quantize == "none":
        return {} if place.type in ("cpu", "mps") else {"device_map": {"": str(place)}}
    if place.type == "mps":
        raise LoadError("A Mac's GPU does not run quantized models; use --quantize none or --device cpu.")
    return {"device_map": {"": str(place)}}
