"""Settings -> the exact prompt of a column: rendered by the checkpoint's template, cut to the context when too long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from core.chat.events import PromptView
from core.chat.settings import Settings, Turn
from core.errors import TillerError
from core.families.checkpoint import OWN_OR_PLAIN
from core.inference.detokenizer import token_text
from core.models.chat_template import ChatMessage, apply_template, compiles
from core.models.files import LoadError
from core.models.loading import Loaded
from core.recipes.in_words import put

#: At least this part of the context is left for the reply.
_REPLY_PART = 4
#: So many of the latest turns are tried first: most chats have no more.
_FIRST_TURNS = 8
#: Characters a token, of a text that is not even tokenized: it cannot fit, unless it is nothing but white space.
_LONG_TOKENS = 64
#: What to do about a template that cannot be used.
_ANOTHER = 'give the checkpoint template_from or template = "plain" in family.toml'


@dataclass(frozen=True)
class Prompt:
    """A prompt's ids and text, and a sentence on what was cut from it or changed in it, if anything."""

    ids: tuple[int, ...]
    text: str
    note: str = ""

    def view(self, loaded: Loaded) -> PromptView:
        """The prompt as front ends show it."""
        return PromptView(self.text, tuple((token, token_text(loaded, token)) for token in self.ids), self.note)


def build(loaded: Loaded, settings: Settings, column: int) -> Prompt:
    """The prompt of the last turn in ``column``.

    A family's models are sent no more turns than they can follow. Where the context is too short earlier turns leave first, then the
    beginning of the message itself; the note says so.

    Raises:
        TillerError: when there is no turn to answer, or the system prompt alone fills the context.
        LoadError: the settings tell the chat template something that it does not read.
    """
    if not settings.turns:
        raise TillerError("Write a message first.")
    loaded = loaded.telling(settings.template_vars)
    room = loaded.context - min(settings.sampling.max_new_tokens, loaded.context // _REPLY_PART)
    system, disarmed = _disarm(loaded, settings.system)
    asks = settings.columns[column].asks
    follows = loaded.family.turns or len(settings.turns)
    turns = [replace(turn, user=put(asks, turn.user)) for turn in settings.turns[-follows:]]
    known = (
        _unfollowed(loaded) if len(settings.turns) > follows else _untaught(loaded) if len(settings.turns) == 1 else ""
    )

    def attempt(kept: int) -> Prompt | None:
        messages, changed = _messages(loaded, system, turns[-kept:], column)
        prompt = _rendered_within(loaded, messages, room)
        if prompt is None:
            return None
        dropped_system = not _stands_in(system, prompt.text)
        return replace(prompt, note=_note(len(turns) - kept, 0, disarmed or changed, dropped_system))

    found = _largest(1, len(turns), attempt, first=_FIRST_TURNS)
    found = found or _cut_message(loaded, system, turns[-1].user, len(turns) - 1, room)
    return replace(found, note=" ".join(filter(None, (known, found.note, _unread(loaded, found)))))


def _unread(loaded: Loaded, prompt: Prompt) -> str:
    """What is said where a vocabulary has no tokens for a part of a prompt, so that the model does not see it."""
    unknown, token = loaded.tokenizer.unk_token_id, str(loaded.tokenizer.unk_token)
    if unknown is None or prompt.ids.count(unknown) <= prompt.text.count(token):
        return ""
    lost = ""
    if loaded.tokenizer.is_fast:
        read = loaded.tokenized(prompt.text, add_special_tokens=False, return_offsets_mapping=True)
        places = zip(read["input_ids"], read["offset_mapping"], strict=True)
        parts = dict.fromkeys(prompt.text[start:end] for each, (start, end) in places if each == unknown)
        lost = ", ".join(f"“{part}”" for part in list(parts)[:_LOST] if part.strip() and part != token)
    said = f"a part of this text ({lost}{' …' * (len(parts) > _LOST)})" if lost else "a part of this text"
    return f"This model's vocabulary has no tokens for {said}: it does not see what stands there."


def _untaught(loaded: Loaded) -> str:
    """What is said, once a chat, of a model that brings no chat template and is not known to be a base, of which none is expected."""
    checkpoint = loaded.checkpoint
    if checkpoint.template != OWN_OR_PLAIN or loaded.template is None or checkpoint.stage == "pretrain":
        return ""
    return "This model brings no chat template, so that it is asked in a plain one; a copy that has its own answers better."


def _unfollowed(loaded: Loaded) -> str:
    """What is said where earlier turns are not sent since the model could make nothing of them."""
    follows, title = loaded.family.turns, loaded.family.title
    if follows == 1:
        return f"{title} follows one message at a time: this one is answered by itself."
    return f"{title} follows {follows} messages at a time: those before are not sent."


def _largest(least: int, most: int, attempt: Callable[[int], Prompt | None], first: int) -> Prompt | None:
    """The prompt of the largest number from ``least`` to ``most`` for which there is one; None where there is none for any.

    It begins small and doubles, so that nothing is written out that is much larger than what fits, however much there is.
    """
    best: Prompt | None = None
    fits, fails = least - 1, most + 1
    size = min(first, most)
    while fits + 1 < fails:
        prompt = attempt(size)
        if prompt is None:
            fails = size
        else:
            best, fits = prompt, size
        size = min(2 * size, most) if fails > most else (fits + fails) // 2
    return best


def _rendered_within(loaded: Loaded, messages: Sequence[ChatMessage], room: int) -> Prompt | None:
    """The prompt of these messages if it has at most ``room`` tokens; what is far too long is not even tokenized."""
    if sum(len(each["content"]) for each in messages) > room * _LONG_TOKENS:
        return None
    prompt = render(loaded, messages)
    return prompt if len(prompt.ids) <= room else None


def render(loaded: Loaded, messages: Sequence[ChatMessage]) -> Prompt:
    """Messages through the checkpoint's chat template, once, then to ids without any more special tokens.

    Raises:
        TillerError: the template refuses them, is broken, or leaves the last message out.
    """
    name = loaded.checkpoint.name
    try:
        text = _applied(loaded, messages)
    except LoadError:
        raise
    except Exception as error:
        raise TillerError(_refused(loaded, messages, " ".join(str(error).split())[:200])) from error
    if not _stands_in(messages[-1]["content"], text):
        raise TillerError(f"The chat template of {name} leaves the message out; {_ANOTHER}.")
    return Prompt(encode(loaded, text), text)


def _applied(loaded: Loaded, messages: Sequence[ChatMessage]) -> str:
    return apply_template(loaded.tokenizer, loaded.chat_template, messages, parts=loaded.parts)


def _refused(loaded: Loaded, messages: Sequence[ChatMessage], reason: str) -> str:
    """Why a template, which is a program of the checkpoint's own, does not write these messages down, and what does help."""
    said = f"The chat template of {loaded.checkpoint.name}"
    if not compiles(loaded.chat_template):
        return f"{said} is broken ({reason}); correct it, or {_ANOTHER}."

    def works(others: Sequence[ChatMessage]) -> bool:
        try:
            return len(others) < len(messages) and bool(_applied(loaded, others))
        except Exception:
            return False

    if works([each for each in messages if each["role"] != "system"]):
        return f"{said} refuses a system prompt ({reason}); empty the system prompt."
    if works(messages[-1:]):
        return f"{said} refuses this conversation ({reason}); start anew{' without a system prompt' * (messages[0]['role'] == 'system')}."
    return f"{said} fails ({reason}); correct it, or {_ANOTHER}."


def _stands_in(part: str, text: str) -> bool:
    """Whether a template has kept a text, whatever it did to its white space."""
    return "".join(part.split()) in "".join(text.split())


def encode(loaded: Loaded, text: str) -> tuple[int, ...]:
    """Text to ids as it stands: a template has put BOS where it belongs."""
    # How long it may be is checked where it is used, in words that a person understands.
    return tuple(int(i) for i in loaded.tokenized(text, add_special_tokens=False)["input_ids"])


def encode_text(loaded: Loaded, text: str) -> tuple[int, ...]:
    """A bare text to ids, begun as the tokenizer itself begins one."""
    return encode(loaded, loaded.start + text)


def chat_prompt(loaded: Loaded, message: str) -> tuple[int, ...]:
    """The ids of a one-message chat."""
    return render(loaded, [{"role": "user", "content": message}]).ids


def _messages(loaded: Loaded, system: str, turns: Sequence[Turn], column: int) -> tuple[list[dict[str, str]], bool]:
    messages = [{"role": "system", "content": system}] if system else []
    changed = False
    for index, turn in enumerate(turns):
        user, touched = _disarm(loaded, turn.user)
        changed = changed or touched
        messages.append({"role": "user", "content": user})
        if index < len(turns) - 1:
            reply = turn.replies[column] if column < len(turn.replies) else ""
            messages.append({"role": "assistant", "content": _disarm(loaded, reply)[0]})
    return messages, changed


#: Parts of a text that a model does not see, as many as are named.
_LOST = 3
#: What begins a turn, where a template says it in words; and the least that a template says by itself.
_ROLES, _LEAST_SAID = ("system", "developer", "user"), 12
#: A message that no template holds.
_ASKED = "What is asked?"


def template_words(loaded: Loaded) -> str:
    """What a chat template says before a first message, beside what marks turns: a system prompt of its own, a date; or nothing."""
    before = render(loaded, [{"role": "user", "content": _ASKED}]).text.partition(_ASKED)[0]
    for special in _control_tokens(loaded):
        before = before.replace(special, "\n")
    said = "\n".join(line for each in before.splitlines() if (line := each.strip()) and line.lower() not in _ROLES)
    return said if len(said) >= _LEAST_SAID else ""


def _control_tokens(loaded: Loaded) -> list[str]:
    # all_special_tokens names BOS, EOS and their like; what marks a turn is often only an added token.
    added = loaded.tokenizer.added_tokens_decoder.values()
    known = {*loaded.tokenizer.all_special_tokens, *(token.content for token in added if token.special)}
    return sorted(known, key=len, reverse=True)


def _disarm(loaded: Loaded, text: str) -> tuple[str, bool]:
    """Spell out a tokenizer's control tokens, so that a message cannot end its own turn or open another's."""
    new = text
    for special in _control_tokens(loaded):
        if special in new:
            new = new.replace(special, special[:1] + " " + special[1:])
    return new, new != text


def _cut_message(loaded: Loaded, system: str, message: str, dropped: int, room: int) -> Prompt:
    """The longest end of the last message that fits."""
    text, changed = _disarm(loaded, message)
    system_part = [{"role": "system", "content": system}] if system else []

    def attempt(kept: int) -> Prompt | None:
        cut = {"role": "user", "content": text[len(text) - kept :].strip()}
        prompt = _rendered_within(loaded, [*system_part, cut], room)
        if prompt is None:
            return None
        return replace(prompt, note=_note(dropped, len(text) - kept, changed, not _stands_in(system, prompt.text)))

    best = _largest(0, len(text), attempt, first=room)
    if best is None:
        raise TillerError(f"The system prompt alone fills the context of {loaded.context} tokens; shorten it.")
    return best


def _note(dropped: int, cut: int, changed: bool, dropped_system: bool) -> str:
    parts = []
    if dropped:
        parts.append(f"the {'earliest turn' if dropped == 1 else f'earliest {dropped} turns'} left out")
    if cut:
        parts.append(f"the first {cut:,} characters of the message cut off")
    sentence = f"Too long for this model's context: {' and '.join(parts)}." if parts else ""
    notes = [sentence] if sentence else []
    if changed:
        notes.append("Control tokens in the text were spelt out.")
    if dropped_system:
        notes.append(
            "This model's chat template leaves the system prompt out, so that it has no effect; put it into the message."
        )
    return " ".join(notes)
