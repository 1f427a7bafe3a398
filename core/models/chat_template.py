"""How a checkpoint reads and writes a chat: its tokenizer, its chat template, and what ends a reply."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from core.families.checkpoint import OWN_OR_PLAIN, TEMPLATES, Checkpoint, Family
from core.models import files, hub, lora
from core.models.files import LoadError
from core.models.load_errors import explained


def tokenizer_of(checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
    """A checkpoint's tokenizer, without its weights. Raises LoadError."""
    folder = explained(checkpoint, lambda: files.small_files(checkpoint))
    options = {"trust_remote_code": hub.trusted(checkpoint.weights), "local_files_only": True}
    return tokenizer_in(checkpoint, folder, options)


def tokenizer_in(checkpoint: Checkpoint, folder: Path, options: Mapping[str, Any]) -> PreTrainedTokenizerBase:
    """A checkpoint's tokenizer: its adapter's where that brings one, else that of its weights in ``folder``. Raises LoadError."""
    for source in reversed(checkpoint.adapters):
        own = explained(checkpoint, partial(lora.adapter_folder, source), source)
        if files.has_tokenizer(own):
            folder = own
            break
    files.check_tokenizer(checkpoint, folder)
    found: PreTrainedTokenizerBase = explained(checkpoint, lambda: AutoTokenizer.from_pretrained(folder, **options))
    return found


def template_of(
    family: Family, checkpoint: Checkpoint, tokenizer: PreTrainedTokenizerBase
) -> tuple[str | None, tuple[str, ...], frozenset[int]]:
    """The template that a checkpoint does not have from its own tokenizer, and the strings and further ids at which its replies end.

    Raises:
        LoadError: there is no template, neither its own nor one from elsewhere.
    """
    if checkpoint.template == OWN_OR_PLAIN:
        return (None, (), frozenset()) if tokenizer.chat_template else (*TEMPLATES["plain"], frozenset())
    if checkpoint.template:
        return (*TEMPLATES[checkpoint.template], frozenset())
    if checkpoint.template_from:
        return _borrowed(family, family.checkpoint(checkpoint.template_from), tokenizer)
    if not tokenizer.chat_template:
        raise LoadError(
            f'{checkpoint.name} has no chat template; give it template = "plain" in {family.folder / "family.toml"}.'
        )
    return None, (), frozenset()


def _borrowed(
    family: Family, lender: Checkpoint, tokenizer: PreTrainedTokenizerBase
) -> tuple[str | None, tuple[str, ...], frozenset[int]]:
    """The template of another checkpoint, for a ``tokenizer`` that has none of its own, or another one."""
    other = tokenizer_of(lender)
    template, stops, _ = template_of(family, lender, other)
    # A reply ends where the lender's does, as far as this tokenizer knows that token.
    end = tokenizer.get_vocab().get(str(other.eos_token))
    return template or str(other.chat_template), stops, frozenset(() if end is None else (end,))


def ends_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
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
