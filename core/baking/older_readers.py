"""What else a baked folder holds, so that programs with transformers 4 (servers, mergers) read it as transformers 5 does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from core.models.files import TOKENIZERS
from core.util.files import read_json, write_bytes

#: What a tokenizer consists of beside its vocabulary.
_BESIDE = (
    *("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt"),
    *("chat_template.jinja", "chat_template.json", "additional_chat_templates"),
)


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """A tokenizer's own files, as they are: baking changes nothing in them, and saved anew they name classes of transformers 5.

    What was not loaded from a folder, or by code that the folder would lack, is saved anew. Raises OSError.
    """
    source = Path(str(tokenizer.name_or_path))
    if (
        type(tokenizer).__module__.startswith("transformers_modules.")
        or not (source / "tokenizer_config.json").is_file()
    ):
        tokenizer.save_pretrained(folder)
    else:
        _copy(source, folder)
    path = folder / "tokenizer_config.json"
    config: dict[str, Any] = read_json(path)
    if config.get("tokenizer_class") == "TokenizersBackend":
        # The later name of the same class, and of the list beside it.
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
        if isinstance(config.get("extra_special_tokens"), list):
            config["additional_special_tokens"] = config.pop("extra_special_tokens")
        write_bytes(path, (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode())


def _copy(source: Path, folder: Path) -> None:
    for name in (*TOKENIZERS, *_BESIDE):
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name)
        elif (source / name).is_file():
            shutil.copyfile(source / name, folder / name)


def name_for_older_readers(path: Path) -> None:
    """Write the angles of the rotary embedding, and the dtype, into a config.json under their earlier names as well.

    transformers 4 knows ``rope_theta``, ``rope_scaling``, ``rope_local_base_freq`` (of sliding windows) and ``partial_rotary_factor`` in
    place of ``rope_parameters``, and takes its defaults, without a word, where they are missing.
    """
    config: dict[str, Any] = read_json(path)
    for place in (config, config.get("text_config")):
        if not isinstance(place, dict):
            continue
        if "dtype" in place:
            place["torch_dtype"] = place["dtype"]
        rope = place.get("rope_parameters") or {}
        if isinstance(sliding := rope.get("sliding_attention"), dict) and "rope_theta" in sliding:
            place["rope_local_base_freq"] = sliding["rope_theta"]
        rope = rope.get("full_attention") or rope
        place |= {key: rope[key] for key in ("rope_theta", "partial_rotary_factor") if key in rope}
        if rope.get("rope_type", "default") != "default":
            place["rope_scaling"] = {key: value for key, value in rope.items() if key != "rope_theta"}
    write_bytes(path, (json.dumps(config, indent=2) + "\n").encode())
