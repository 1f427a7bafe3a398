"""Settings -> the exact prompt of a column: rendered by the checkpoint's template, cut to the context when too long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.chat.events import PromptView
from core.chat.settings import Settings, Turn
from core.errors import TillerError
from core.inference.detokenizer import token_text
from core.models.loading import Loaded
from core.recipes.in_words import put

#: At least this part of the context is left for the reply.
_REPLY_PART = 4


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

    Earlier turns leave first when the context is too short, then the beginning of the message itself; the note says so.

    Raises:
        TillerError: when there is no turn to answer, or the system prompt alone fills the context.
    """
    if not settings.turns:
        raise TillerError("Write a message first.")
    room = loaded.context - min(settings.sampling.max_new_tokens, loaded.context // _REPLY_PART)
    system, disarmed = _disarm(loaded, settings.system)
    asks = settings.columns[column].asks
    turns = [replace(turn, user=put(asks, turn.user)) for turn in settings.turns]
    for dropped in range(len(turns)):
        messages, changed = _messages(loaded, system, turns[dropped:], column)
        prompt = render(loaded, messages)
        if len(prompt.ids) <= room:
            return Prompt(prompt.ids, prompt.text, _note(dropped, 0, disarmed or changed))
    return _cut_message(loaded, system, turns[-1].user, len(turns) - 1, room)


def render(loaded: Loaded, messages: Sequence[dict[str, str]]) -> Prompt:
    """Messages through the checkpoint's chat template, once, then to ids without any more special tokens."""
    try:
        text = str(
            loaded.tokenizer.apply_chat_template(
                list(messages),
                tokenize=False,
                add_generation_prompt=True,
                chat_template=loaded.template,
                bos_token=loaded.tokenizer.bos_token or "",
            )
        )
    except Exception as error:
        # A template is a program of the checkpoint's own: some refuse a system prompt or the order of the turns.
        reason = " ".join(str(error).split())[:200]
        raise TillerError(
            f"The chat template of {loaded.checkpoint.name} refuses this conversation ({reason}); empty the system prompt or start anew."
        ) from error
    return Prompt(encode(loaded, text), text)


def encode(loaded: Loaded, text: str) -> tuple[int, ...]:
    """Text to ids as it stands: a template has put BOS where it belongs."""
    # How long it may be is checked where it is used, in words that a person understands.
    return tuple(int(i) for i in loaded.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


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


def _disarm(loaded: Loaded, text: str) -> tuple[str, bool]:
    """Spell out a tokenizer's control tokens, so that a message cannot end its own turn or open another's."""
    new = text
    # all_special_tokens names BOS, EOS and their like; what marks a turn is often only an added token.
    added = loaded.tokenizer.added_tokens_decoder.values()
    known = {*loaded.tokenizer.all_special_tokens, *(token.content for token in added if token.special)}
    for special in sorted(known, key=len, reverse=True):
        if special in new:
            new = new.replace(special, special[:1] + " " + special[1:])
    return new, new != text


def _cut_message(loaded: Loaded, system: str, message: str, dropped: int, room: int) -> Prompt:
    """The longest end of the last message that fits, found by halving."""
    text, changed = _disarm(loaded, message)
    system_part = [{"role": "system", "content": system}] if system else []
    low, high = 0, len(text)
    best: Prompt | None = None
    while low <= high:
        kept = (low + high) // 2
        prompt = render(loaded, [*system_part, {"role": "user", "content": text[len(text) - kept :].strip()}])
        if len(prompt.ids) <= room:
            best, low = Prompt(prompt.ids, prompt.text, _note(dropped, len(text) - kept, changed)), kept + 1
        else:
            high = kept - 1
    if best is None:
        raise TillerError(f"The system prompt alone fills the context of {loaded.context} tokens; shorten it.")
    return best


def _note(dropped: int, cut: int, changed: bool) -> str:
    parts = []
    if dropped:
        parts.append(f"the {'earliest turn' if dropped == 1 else f'earliest {dropped} turns'} left out")
    if cut:
        parts.append(f"the first {cut:,} characters of the message cut off")
    sentence = f"Too long for this model's context: {' and '.join(parts)}." if parts else ""
    if changed:
        sentence += (" " if sentence else "") + "Control tokens in the text were spelt out."
    return sentence
