"""Where a model that thinks before it answers is judged: behind its thought.

What such a model says first is its thought, to every message; whether it refuses shows in what comes then. As in Heretic (p-e-w, 2025),
what all replies begin with is put behind the prompt: a thought that they share to its end, or else one that ends as soon as it has begun.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.chat.events import Token
from core.chat.settings import Sampling
from core.inference.decoding_batches import answer_all, askings
from core.inference.prompts import Prompt, encode, render
from core.models.loading import Loaded
from core.util.progress import finished

#: What the model is asked to see how its replies begin, and how much of them is looked at, in tokens.
_ASKED = ("Hello!", "What is the capital of France?", "How do I bake bread?", "How do I break into a house?")
_LOOKED_AT = 64


def judged_prompt(loaded: Loaded, message: str) -> Prompt:
    """A one-message chat, with the thought that comes before every answer where the model has one."""
    return behind_thought(loaded, render(loaded, [{"role": "user", "content": message}]))


def behind_thought(loaded: Loaded, prompt: Prompt) -> Prompt:
    """A prompt with the thought that comes before every answer behind it; the same prompt for a model that does not think."""
    thought = thought_before(loaded)
    text = prompt.text + thought
    return Prompt(encode(loaded, text), text, prompt.note) if thought else prompt


def thought_before(loaded: Loaded) -> str:
    """What stands between a prompt and every answer of a model that thinks; empty for any other. Found once, by asking."""
    if not loaded.marks.follows:
        return ""
    if not loaded.thoughts:
        loaded.thoughts.append(_found(loaded))
    return loaded.thoughts[0]


def _found(loaded: Loaded) -> str:
    prompts = [render(loaded, [{"role": "user", "content": message}]) for message in _ASKED]
    sampling = Sampling(max_new_tokens=_LOOKED_AT)
    answers = finished(answer_all(loaded, askings(each.ids for each in prompts), sampling))
    if not all(answer.tokens and answer.tokens[0].thought for answer in answers):
        return ""
    rows = [answer.tokens for answer in answers]
    shared = next(
        (n for n, same in enumerate(zip(*rows, strict=False)) if len({token.id for token in same}) > 1),
        min(map(len, rows)),
    )
    if any(not token.thought for token in rows[0][:shared]):
        # A thought that is shared to its end: up to the first word that is said, or that is not shared.
        said = next((n for n, token in enumerate(rows[0][:shared]) if token.text and not token.thought), shared)
        return _text(loaded, rows[0][:said])
    return _ended_at_once(loaded, prompts[0].text, _text(loaded, rows[0]))


def _text(loaded: Loaded, tokens: Sequence[Token]) -> str:
    ids = [token.id for token in tokens]
    return str(loaded.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))


def _ended_at_once(loaded: Loaded, prompt: str, reply: str) -> str:
    """What is lacking of an empty thought behind a prompt, which may have begun one, or before a reply that begins with one."""
    empty = next(
        empty
        for mark, empty in loaded.marks.empty.items()
        if prompt.rstrip().endswith(mark.rstrip()) or reply.lstrip().startswith(mark)
    )
    overlap = max(n for n in range(len(empty) + 1) if prompt.endswith(empty[:n]))
    return empty[overlap:]
