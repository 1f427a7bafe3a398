"""How a checkpoint reads and writes a chat: its tokenizer, its chat template, and what ends a reply."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import meta
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils.chat_template_utils import _compile_jinja_template

from core.families.checkpoint import OWN_OR_PLAIN, TEMPLATES, Checkpoint, Family, TemplateVars
from core.models import files, hub, lora
from core.models.files import LoadError
from core.models.load_errors import explained

#: What a template that asks for the date is told, so that a prompt is the same on every day: the day that Llama's templates fall back on.
TODAY = datetime.datetime(2024, 7, 26)
#: A conversation by which a template is tried: what was said in it is looked for in what comes out.
_ASKED, _SAID, _ASKED_THEN = "What is a question?", "This is an answer", "What is another question?"

#: A message of a chat, as templates read it.
ChatMessage = Mapping[str, str]


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
    found: PreTrainedTokenizerBase = explained(
        checkpoint,
        lambda: AutoTokenizer.from_pretrained(folder, **options),
        file="tokenizer_config.json or tokenizer.json",
    )
    return found


def template_of(
    family: Family, checkpoint: Checkpoint, tokenizer: PreTrainedTokenizerBase
) -> tuple[str | None, tuple[str, ...], frozenset[int]]:
    """The template that a checkpoint does not have from its own tokenizer, and the strings and further ids at which its replies end.

    Raises:
        LoadError: there is no template, neither its own nor one from elsewhere.
    """
    if checkpoint.template == OWN_OR_PLAIN:
        return (
            (None, *turn_end(tokenizer, own))
            if (own := own_template(tokenizer))
            else (*TEMPLATES["plain"], frozenset())
        )
    if checkpoint.template:
        return (*TEMPLATES[checkpoint.template], frozenset())
    if checkpoint.template_from:
        return _borrowed(family, family.checkpoint(checkpoint.template_from), tokenizer)
    if not (own := own_template(tokenizer)):
        raise LoadError(
            f'{checkpoint.name} has no chat template; give it template = "plain" in {family.folder / "family.toml"}.'
        )
    return None, *turn_end(tokenizer, own)


def own_template(tokenizer: PreTrainedTokenizerBase) -> str:
    """A tokenizer's own chat template, of several named ones the default; empty when it has none.

    Raises:
        LoadError: it has named ones, and none of them is the default.
    """
    found: str | Mapping[str, str] | None = tokenizer.chat_template
    if isinstance(found, Mapping):
        if "default" not in found:
            raise LoadError(
                f"{tokenizer.name_or_path} has chat templates named {', '.join(sorted(found))} and none named default; "
                "name the one to use default in its tokenizer_config.json."
            )
        found = found["default"]
    return str(found or "")


def variables_of(
    checkpoint: Checkpoint, tokenizer: PreTrainedTokenizerBase, template: str | None, told: TemplateVars
) -> TemplateVars:
    """What a checkpoint's chat template is told: what its family's file says, and what was ``told`` beside that, which counts more.

    What is told beside the file is for every checkpoint of a family, and nothing to one whose template is Tiller's own.

    Raises:
        LoadError: the template does not read such a variable.
    """
    ours = template in [own for own, _ in TEMPLATES.values()]
    wanted = dict(checkpoint.template_vars) | ({} if ours else dict(told))
    there = _read_by(tokenizer, template or own_template(tokenizer)) if wanted else []
    for name in wanted:
        if name not in there:
            named = ", ".join(there) or "none that could be set"
            raise LoadError(f"The chat template of {checkpoint.name} has no variable {name}; it has {named}.")
    return tuple(wanted.items())


def told_of(family: Family, name: str, told: TemplateVars) -> TemplateVars:
    """The same (:func:`variables_of`), of a checkpoint that is not in memory. Raises LoadError."""
    checkpoint = family.checkpoint(name)
    if not (told or checkpoint.template_vars):
        return ()
    tokenizer = tokenizer_of(checkpoint)
    return variables_of(checkpoint, tokenizer, template_of(family, checkpoint, tokenizer)[0], told)


def _read_by(tokenizer: PreTrainedTokenizerBase, template: str) -> list[str]:
    """The variables that a template reads beside those that every template is given."""
    if not compiles(template):
        return []
    environment = _compile_jinja_template(template).environment
    given = {"messages", "tools", "documents", "add_generation_prompt", "strftime_now", *tokenizer.special_tokens_map}
    return sorted(meta.find_undeclared_variables(environment.parse(template)) - given)


def with_variables(template: str, variables: TemplateVars) -> str:
    """A template that begins by being told some variables, so that whatever depends on the template depends on them."""
    # Jinja writes texts, numbers and truth values as JSON does, and takes the end of a line away behind a statement.
    return (
        "".join(f"{{% set {key} = {json.dumps(value, ensure_ascii=False)} %}}\n" for key, value in variables) + template
    )


def apply_template(
    tokenizer: PreTrainedTokenizerBase,
    template: str,
    messages: Sequence[ChatMessage],
    opens: bool = True,
    parts: bool = False,
) -> str:
    """Messages as a chat template writes them down, with the reply opened where ``opens``. Raises whatever the template does.

    ``parts`` gives each message as a list of one part, as templates of models for pictures and text want it.
    """
    given: Any = [
        {**message, "content": [{"type": "text", "text": message["content"]}] if parts else message["content"]}
        for message in messages
    ]
    # transformers hands a template data only; what it may call are globals of the compiled one, which is kept and used again.
    _compile_jinja_template(template).globals["strftime_now"] = TODAY.strftime
    text = tokenizer.apply_chat_template(
        given,
        tokenize=False,
        add_generation_prompt=opens,
        chat_template=template,
        bos_token=tokenizer.bos_token or "",
    )
    return str(text)


def compiles(template: str) -> bool:
    """Whether a chat template is a program at all."""
    try:
        _compile_jinja_template(template)
    except Exception:
        return False
    return True


def reads_parts(tokenizer: PreTrainedTokenizerBase, template: str) -> bool:
    """Whether a template leaves out a message that is a text, and not one that is a list of parts."""

    def comes_out(parts: bool) -> bool:
        try:
            return _ASKED in apply_template(tokenizer, template, [{"role": "user", "content": _ASKED}], parts=parts)
        except Exception:
            # What it refuses is said when it refuses what a person wrote.
            return False

    return not comes_out(False) and comes_out(True)


def turn_end(tokenizer: PreTrainedTokenizerBase, template: str) -> tuple[tuple[str, ...], frozenset[int]]:
    """What a template writes behind an assistant's turn: strings and ids at which a reply ends, whatever the configurations say.

    Of what follows a reply, alone or before another message, the first token that was added to the vocabulary; where a closing mark is
    no token of this tokenizer, as one that was borrowed may be, the mark as a string.
    """
    parts = reads_parts(tokenizer, template)
    talk = [{"role": "user", "content": _ASKED}, {"role": "assistant", "content": _SAID}]
    stops: set[str] = set()
    ends: set[int] = set()
    added = sorted(tokenizer.added_tokens_decoder.items(), key=lambda each: -len(each[1].content))
    for more in ([], [{"role": "user", "content": _ASKED_THEN}]):
        try:
            text = apply_template(tokenizer, template, [*talk, *more], opens=False, parts=parts)
        except Exception:
            # Some templates want other roles, or an order; what they refuse is said when a person's own chat is rendered.
            continue
        _, said, after = text.rpartition(_SAID)
        after = after.strip()
        first = next(
            (token for token, entry in added if entry.content.strip() and after.startswith(entry.content)), None
        )
        if first is not None:
            ends.add(first)
        elif said and after and not more:
            stops.add(after)
    return tuple(sorted(stops)), frozenset(ends)


def _borrowed(
    family: Family, lender: Checkpoint, tokenizer: PreTrainedTokenizerBase
) -> tuple[str | None, tuple[str, ...], frozenset[int]]:
    """The template of another checkpoint, for a ``tokenizer`` that has none of its own, or another one."""
    other = tokenizer_of(lender)
    template, stops, _ = template_of(family, lender, other)
    whole = template or own_template(other)
    closing, ends = turn_end(tokenizer, whole)
    # A reply ends where the lender's does, as far as this tokenizer knows that token.
    end = tokenizer.get_vocab().get(str(other.eos_token))
    return whole, (*stops, *closing), ends | frozenset(() if end is None else (end,))


def ends_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Every id that ends a reply: the generation config's, the model config's and the tokenizer's. Raises LoadError for what is no id."""
    found: set[int] = set()
    for value in (
        getattr(model.generation_config, "eos_token_id", None),
        # A configuration for pictures and text keeps it with its text, or has one of its own as well.
        getattr(model.config, "eos_token_id", None),
        getattr(model.config.get_text_config(), "eos_token_id", None),
        tokenizer.eos_token_id,
    ):
        if value is None:
            continue
        ids = value if isinstance(value, list) else [value]
        if not all(isinstance(each, int) for each in ids):
            raise LoadError(
                f"{tokenizer.name_or_path} says that {value!r} ends a reply, which is no token's number; correct eos_token_id in its "
                "generation_config.json."
            )
        found.update(ids)
    return frozenset(found)


def rows_without_token(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """The rows of a model's vocabulary that no token stands for: those by which it was filled up to a round size, say."""
    known = set(tokenizer.get_vocab().values())
    missing = (each for each in range(int(model.config.get_text_config().vocab_size)) if each not in known)
    return tuple(each for each in missing if not _spelt(tokenizer, each))


def _spelt(tokenizer: PreTrainedTokenizerBase, token: int) -> bool:
    """Whether a tokenizer has a token of this number all the same; not every kind lists all that it has."""
    try:
        return bool(tokenizer.convert_ids_to_tokens(token))
    except Exception:
        # Whatever its library makes of a number beyond its table.
        return False
