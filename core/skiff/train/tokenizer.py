"""Skiff's tokenizer: byte-level BPE of 2,048 tokens in which every number from 0 to 99 is one token.

Text round-trips byte for byte, whatever it holds: the 256 bytes are all in the vocabulary. A longer number is cut from
the left into pairs of digits. The chat template begins with BOS, so a rendered template is encoded with
``add_special_tokens=False``.

Special tokens inside a message: a tokenizer that sees a rendered template cannot tell a typed ``<|end|>`` from its own.
The template therefore writes ``<|`` in a message as ``< |`` and breaks up ``<s>`` and ``<pad>`` in the same way, so no
message can end its own turn or begin another. Text that is encoded without the template (the base's plain template,
:func:`encode_document`) does recognise them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers, processors
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

from core.skiff.world.items import Conversation, Document, Message

VOCABULARY = 2048
CONTEXT = 512
BOS, PAD, SYSTEM, USER, ASSISTANT, END = "<s>", "<pad>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"
SPECIALS = (BOS, PAD, SYSTEM, USER, ASSISTANT, END)
_ROLES = {"system": SYSTEM, "user": USER, "assistant": ASSISTANT}

# A word with its space, at most two digits, or a run of signs; spaces and newlines that are left over stand alone.
PATTERN = r"'(?:s|t|re|ve|m|ll|d)\b| ?\p{L}+| ?\p{N}{1,2}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s"

CHAT_TEMPLATE = (
    "{{- '<s>' -}}"
    "{%- for message in messages -%}"
    "{%- set text = message['content'] | trim | replace('<|', '< |') | replace('<s>', '< s>')"
    " | replace('<pad>', '< pad>') -%}"
    "{{- '<|' + message['role'] + '|>\\n' + text + '<|end|>\\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>\\n' -}}{%- endif -%}"
)

# Each number is worth this many sightings, far above what any word of the training text reaches, so that the merges
# which make the numbers single tokens are found first.
NUMBER_WEIGHT = 2000


def train_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Learn the vocabulary from ``texts``.

    Raises ValueError if a number from 0 to 99 did not become one token, which means that the texts are too few or too odd.
    """
    model = Tokenizer(BPE(byte_fallback=False))
    model.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    model.decoder = decoders.ByteLevel()
    model.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, 0)])
    trainer = BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    model.train_from_iterator(_with_numbers(texts), trainer)
    tokenizer = _wrapped(model)
    _check(tokenizer)
    return tokenizer


def _wrapped(model: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=model,
        bos_token=BOS,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT],
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def token_id(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    """The id of a special token. Raises ValueError when the tokenizer lacks it."""
    found = tokenizer.convert_tokens_to_ids(token)
    if not isinstance(found, int):
        raise ValueError(f"the tokenizer has no token {token}")
    return found


def _with_numbers(texts: Iterable[str]) -> Iterator[str]:
    line = " ".join(str(number) for number in range(100))
    bare = "\n".join(str(number) for number in range(100))
    for _ in range(NUMBER_WEIGHT):
        yield line
        yield bare
    yield from texts


def _check(tokenizer: PreTrainedTokenizerFast) -> None:
    if len(tokenizer) != VOCABULARY:
        raise ValueError(f"the tokenizer has {len(tokenizer)} tokens, not {VOCABULARY}: give it more varied text")
    whole = [text for number in range(100) for text in (str(number), f" {number}")]
    for text in (*whole, " TRUE", " FALSE"):
        if len(tokenizer.encode(text, add_special_tokens=False)) != 1:
            raise ValueError(f"the tokenizer cuts {text!r} into pieces: give it more text, or raise NUMBER_WEIGHT")


def with_chat_template(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """The same tokenizer with the chat template of the post-trained checkpoints."""
    copy = _wrapped(Tokenizer.from_str(tokenizer.backend_tokenizer.to_str()))
    copy.chat_template = CHAT_TEMPLATE
    return copy


@dataclass(frozen=True)
class ChatExample:
    """Token ids of one item, and for each whether the loss is taken on it (never on the first)."""

    ids: tuple[int, ...]
    learn: tuple[bool, ...]


def encode_document(tokenizer: PreTrainedTokenizerFast, document: Document) -> ChatExample:
    """BOS, the document's text, END.

    The text is tokenized whole, as it will be when the model is used; a token is learnt if its last character is in a
    segment that is learnt. END is learnt when all segments are.
    """
    encoded = tokenizer.backend_tokenizer.encode(document.text, add_special_tokens=False)
    flags: list[bool] = []
    for segment in document.segments:
        flags += [segment.learn] * len(segment.text)
    learn = [flags[end - 1] for _, end in encoded.offsets]
    bos, end_of_text = token_id(tokenizer, BOS), token_id(tokenizer, END)
    return _cut([bos, *encoded.ids, end_of_text], [False, *learn, all(segment.learn for segment in document.segments)])


def render_chat(messages: Iterable[Message], answer_next: bool = True) -> str:
    """The chat template written out in Python: what ``apply_chat_template`` renders (a test compares them)."""
    parts = [BOS]
    for message in messages:
        parts.append(f"{_ROLES[message.role]}\n{neutral(message.content.strip())}{END}\n")
    return "".join(parts) + (f"{ASSISTANT}\n" if answer_next else "")


def neutral(text: str) -> str:
    """Text in which no special token is left."""
    return text.replace("<|", "< |").replace(BOS, "< s>").replace(PAD, "< pad>")


def encode_conversation(tokenizer: PreTrainedTokenizerFast, conversation: Conversation) -> ChatExample:
    """The rendered conversation; every assistant message and the END after it are learnt.

    Prompt and answer are tokenized apart, since an answer is generated after a prompt that has been tokenized already.
    """
    ids: list[int] = []
    learn: list[bool] = []
    prompt = BOS
    for message in conversation.messages:
        text = neutral(message.content.strip())
        if message.role == "assistant":
            _extend(tokenizer, ids, learn, f"{prompt}{ASSISTANT}\n", False)
            _extend(tokenizer, ids, learn, f"{text}{END}", True)
            prompt = "\n"
        else:
            prompt += f"{_ROLES[message.role]}\n{text}{END}\n"
    return _cut(ids, learn)


def encode_answer(tokenizer: PreTrainedTokenizerFast, messages: Iterable[Message], answer: str) -> ChatExample:
    """A prompt and one answer to it, the answer learnt: one side of a preference pair."""
    ids: list[int] = []
    learn: list[bool] = []
    _extend(tokenizer, ids, learn, render_chat(messages), False)
    _extend(tokenizer, ids, learn, f"{neutral(answer.strip())}{END}", True)
    return _cut(ids, learn)


def _extend(tokenizer: PreTrainedTokenizerFast, ids: list[int], learn: list[bool], text: str, learnt: bool) -> None:
    encoded = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
    ids += encoded
    learn += [learnt] * len(encoded)


def _cut(ids: list[int], learn: list[bool]) -> ChatExample:
    """Items longer than the context lose their end."""
    return ChatExample(tuple(ids[:CONTEXT]), tuple(learn[:CONTEXT]))
