"""What goes wrong while a checkpoint is read or downloaded, as one sentence that names the fix."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import TillerError
from core.families.checkpoint import Checkpoint, Source
from core.models import hub, packed
from core.models.files import INDEX, LoadError
from core.util.files import read_json

#: What other kinds of model are for, by the end of the name of their class, and what of them is lacking here.
_KINDS = {
    "ConditionalGeneration": "it reads its input by an encoder, or other things than text",
    "MaskedLM": "it fills gaps in a text",
    "SequenceClassification": "it sorts texts into classes",
    "TokenClassification": "it sorts tokens into classes",
    "QuestionAnswering": "it finds answers in a text",
    "Model": "it makes vectors of a text, or reads other things than text",
}
#: The packages that read a tokenizer's file which tokenizer.json is not there for, by the names under which they are imported.
_READERS: Mapping[str, Mapping[str, str]] = {
    "tekken.json": {"mistral_common": "mistral-common"},
    "tiktoken.model": {"tiktoken": "tiktoken"},
    "qwen.tiktoken": {"tiktoken": "tiktoken"},
    **{
        name: {"sentencepiece": "sentencepiece", "google.protobuf": "protobuf"}
        for name in ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model.v3")
    },
}
#: The output matrix, which a model that ties it to its embedding need not store.
_OUTPUTS = ("lm_head.weight", "embed_out.weight")
#: What a tensor of a block is called: the list of blocks, and the block's number.
_BLOCK = re.compile(r"(.*?(?:layers|blocks|h)\.)([0-9]+)\.")
#: Libraries that say at a warning's level what either is no matter, or stands in the sentence.
_TALKATIVE = ("bitsandbytes.backends.cpu.ops", "bitsandbytes.autograd._functions")


def explained(checkpoint: Checkpoint, call: Callable[[], Any], source: Source | None = None, file: str = "") -> Any:
    """Run what transformers or the Hub's client does for a checkpoint, and turn its many errors into one sentence.

    ``source`` is what the call is about: the checkpoint's weights, unless it is one of its adapters; ``file`` the one that it reads,
    where that is no weights.
    """
    about = source or checkpoint.weights
    quiet_libraries()
    try:
        return call()
    except TillerError:
        raise
    except MemoryError as error:
        raise LoadError(
            f"{checkpoint.name} does not fit into memory; use --quantize 4bit or a smaller family."
        ) from error
    except Exception as error:
        # transformers, safetensors and the Hub's client raise a dozen unrelated types here; all mean "cannot be loaded".
        if known := hub.needs_code(about, error) or (
            None if about.local else hub.hub_sentence(checkpoint, about, error)
        ):
            raise LoadError(known) from error
        said = " ".join(str(error).split())
        file = file or _file_read(error)
        raise LoadError(
            f"Checkpoint {checkpoint.name!r} cannot be loaded from {about}: "
            + (
                _reason(about, error, said)
                or (_setting(about) if file == "config.json" else "")
                or f"{_remedy_of(checkpoint, file)}. ({type(error).__name__}: {said[:300]})"
            )
        ) from error


def quiet_libraries() -> None:
    """Keep what transformers and bitsandbytes would print from standing before the sentence; the sentence says what matters of it."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    if "transformers" in sys.modules and "TRANSFORMERS_VERBOSITY" not in os.environ:
        from transformers.utils import logging as transformers_logging

        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()


def remedy(checkpoint: Checkpoint) -> str:
    """What to do about weights that are not whole."""
    return (
        "copy its folder again"
        if checkpoint.local
        else f"fetch it again with `hf download {checkpoint.source}`, or take another revision"
    )


def _remedy_of(checkpoint: Checkpoint, file: str) -> str:
    return (
        f"correct its {file}, or copy that file again from the model that it was made of"
        if file
        else remedy(checkpoint)
    )


def missing_weights(
    checkpoint: Checkpoint, missing: Sequence[str], unexpected: Sequence[str], held: Collection[str]
) -> LoadError:
    """What is said of weights that a model has and the files, which hold ``held``, have not, and of what they have instead."""
    lacking = (
        f"The weights of checkpoint {checkpoint.name!r} lack {missing[0]}{' and more' if len(missing) > 1 else ''}"
    )
    # A wrapper that was trained in (FSDP, torch.compile, a training framework's own) puts its name before or into each of them.
    alike = next((each for each in unexpected if each.endswith(missing[0].rpartition("model.")[2])), None)
    if alike:
        return LoadError(
            f"{lacking}, and have {alike} instead: they were saved from within a wrapper; save them again from the model itself, or rename "
            "them in the files."
        )
    if file := _said_to_hold(checkpoint, missing[0]):
        return LoadError(f"{lacking}, which {INDEX} says is in {file}; copy both files again.")
    config = _config(checkpoint.weights)
    if (other := _other_kind(config)) and other != _KINDS["ConditionalGeneration"]:
        return LoadError(f"{lacking}: it is {_said_kind(config)}, and {other}; take a model for chats.")
    if all(name.endswith(_OUTPUTS) for name in missing):
        return LoadError(
            f'{lacking}; if the model has its embedding in that place, write "tie_word_embeddings": true into its config.json, else '
            f"{remedy(checkpoint)}."
        )
    blocks = {int(found[2]) for name in held if (found := _BLOCK.match(name))}
    wanted = [int(found[2]) if (found := _BLOCK.match(name)) else -1 for name in missing]
    if blocks and min(wanted) > max(blocks):
        return LoadError(
            f"{lacking}: its config.json says more layers than the {len(blocks)} that are there; correct that number, or copy the files "
            "again."
        )
    parts = Counter(_BLOCK.sub("", name) for name in missing if _BLOCK.match(name))
    if len(blocks) > 1 and len(blocks) in parts.values():
        # A file that was lost takes whole blocks with it, and not the same part of each.
        return LoadError(
            f"{lacking}: its config.json describes another model ({_said_kind(config)}) than the files hold; copy that file again from the "
            "model itself."
        )
    return LoadError(f"{lacking}; {remedy(checkpoint)}.")


def _said_to_hold(checkpoint: Checkpoint, name: str) -> str:
    """The file that is said to hold a tensor; empty where nothing says it."""
    folder = hub.hub_folder(checkpoint.weights)
    index = read_json(folder / INDEX) if folder and (folder / INDEX).is_file() else {}
    return str(index.get("weight_map", {}).get(name, ""))


def left_over(checkpoint: Checkpoint, unexpected: Sequence[str], held: Collection[str]) -> str:
    """That a part of a model's blocks is in the files, which hold ``held``, and not in the model; empty where nothing is left over.

    transformers leaves it out without a word, and what chats is another model than was saved. What lies beside the blocks, such as a
    tower for pictures, is left out on purpose.
    """
    lists = {found[1] for name in held if name not in unexpected and (found := _BLOCK.match(name))}
    lost = [name for name in unexpected if (found := _BLOCK.match(name)) and found[1] in lists]
    if not lost:
        return ""
    kind = _said_kind(_config(checkpoint.weights))
    return (
        f"The weights of {checkpoint.name} hold {lost[0]}{' and more' if len(lost) > 1 else ''}, for which {kind} as its config.json "
        "describes it has no place, so that this is another model than was saved; copy config.json again from the model itself."
    )


# ------------------------------------------------------------------------------------------------------------ what is known


def _reason(about: Source, error: Exception, said: str) -> str | None:
    """What is wrong and what would do, for the errors that copying the folder again does not mend."""
    config = _config(about)
    kind = _said_kind(config)
    if method := packed.unreadable_method(config):
        return (
            f"its files are quantized by {method}, which cannot be read here{_wanted(said)}; take the full-precision model that it was "
            "made of."
        )
    if "Unrecognized configuration class" in said:
        what = _other_kind(config)
        return f"it is {kind}, which does not go on with a text{what and f': {what}'}; take a model for chats."
    nameless = not (isinstance(named := config.get("model_type"), str) and named)
    if nameless and ("model_type" in said or "does not recognize" in said):
        return "its config.json names no model_type; copy that file again from the model that it was made of."
    if "does not recognize this architecture" in said:
        from transformers import __version__

        return (
            f"transformers {__version__} does not know {kind}; if there is a newer one that does, install it (pip install --upgrade "
            "transformers), else correct model_type in its config.json."
        )
    if packages := _tokenizer_readers(about):
        return f"its tokenizer is read by packages that are not installed; pip install {' '.join(packages)}, and start again."
    if isinstance(error, ImportError):
        return f"a package is missing{_wanted(said)}; install it and start again. ({said[:200]})"
    if "size mismatch" in said or "ignore_mismatched_sizes" in said:
        return "its weights have other shapes than its config.json says; copy that file again from the model itself."
    return None


def _setting(about: Source) -> str:
    """Which value of a config.json is to be corrected; empty where it is not one alone."""
    from core.models.configuration import wrong_setting

    config = _config(about)
    setting = wrong_setting(config)
    return (
        f"its config.json says {setting}, of which no {config.get('model_type')} model can be made; correct that value, or copy the file "
        "again from the model that it was made of."
        if setting
        else ""
    )


def _said_kind(config: Mapping[str, Any]) -> str:
    return f"a {config.get('model_type')} model ({', '.join(_names(config)) or 'of no class'})"


def _other_kind(config: Mapping[str, Any]) -> str:
    """What a model is for that does not go on with a text, by the name of its class; empty for one that does."""
    names = [each for each in _names(config) if not each.endswith("LMHeadModel")]
    return next((text for end, text in _KINDS.items() if any(each.endswith(end) for each in names)), "")


def _file_read(error: Exception) -> str:
    """The file that says what nothing could be made of, if it is none of the weights: where the model's class could not be made of its
    configuration, or what transformers itself would generate by."""
    frames = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    if any(Path(each.co_filename).parts[-2:] == ("generation", "configuration_utils.py") for each in frames):
        return "generation_config.json"
    built = any(each.co_name == "__init__" and Path(each.co_filename).name.startswith("modeling_") for each in frames)
    return "config.json" if built else ""


def _wanted(said: str) -> str:
    """What to install, where an error says so."""
    found = re.search(r"pip install (?:-U |--upgrade )?['\"]?([A-Za-z0-9_.>=<\[\]-]+)", said)
    return f" without a package more (pip install '{found[1]}')" if found else ""


def _names(config: Mapping[str, Any]) -> list[str]:
    found = config.get("architectures")
    return [str(each) for each in found] if isinstance(found, list) else []


def _config(about: Source) -> Mapping[str, Any]:
    """A checkpoint's config.json, as far as it can be read; another sentence says that it cannot."""
    path = hub.here(about, "config.json")
    try:
        found = read_json(path) if path else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _tokenizer_readers(about: Source) -> list[str]:
    """The packages that are not installed, of those that the tokenizer needs; none where tokenizer.json is there, which needs none."""
    folder: Path | None = hub.hub_folder(about)
    if folder is None or (folder / "tokenizer.json").is_file():
        return []
    file = next((name for name in _READERS if (folder / name).is_file()), "")
    return [package for module, package in _READERS.get(file, {}).items() if not _installed(module)]


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        # The package above it is not there.
        return False
