"""What a model thinks before it answers is told apart from the answer, and a model that thinks is judged behind its thought."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from core.artefacts import store
from core.artefacts.direction import load_direction
from core.chat.answers import Answer, chat_document, read_document, to_markdown
from core.chat.events import Done, Reading, Started
from core.chat.settings import Column, Sampling, Settings
from core.errors import TillerError
from core.inference import metrics
from core.inference.batch import check_finite
from core.inference.behind_thought import judged_prompt, thought_before
from core.inference.decoding import BatchDecoder, DecodingRow
from core.inference.detokenizer import Detokenizer
from core.inference.prompts import chat_prompt, encode
from core.inference.teacher_forcing import reply_logits
from core.models.hooks import locate
from core.models.loading import Loaded
from core.models.thoughts import marks_of
from core.recipes.language import parse
from core.steering.interventions import EditError, compile_recipe
from core.util.progress import finished
from tests.support import tiny_models

HARMONY = (
    "{% for m in messages %}<|start|>{{ m['role'] }}{% if m['role'] == 'assistant' %}<|channel|>final{% endif %}<|message|>"
    "{{ m['content'] }}<|end|>{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
#: How a model says that it has thought "hm", and then "Hello!", with the tokens that mark it: special ones, or not.
SAID = {
    "<think>\n hm\n</think>\n\n Hello!": (["<think>", "</think>"], False, tiny_models.CHAT),
    "[THINK]hm[/THINK]Hello!": (["[THINK]", "[/THINK]"], True, tiny_models.CHAT),
    "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Hello!": (
        ["<|start|>", "<|channel|>", "<|message|>", "<|return|>"],
        True,
        HARMONY,
    ),
    # Marks that are no tokens, but stand in the template.
    "<think>hm</think>Hello!": ([], False, tiny_models.CHAT + "{# <think></think> #}"),
}


def tokenizer(more: Sequence[str], special: bool, template: str) -> PreTrainedTokenizerFast:
    made = tiny_models.tokenizer()
    made.add_tokens(list(more), special_tokens=special)
    made.chat_template = template
    return made


def speaking(loaded: Loaded, more: Sequence[str], special: bool, template: str) -> Loaded:
    """A tiny model that speaks like this."""
    return replace(loaded, tokenizer=tokenizer(more, special, template), template=None, texts={}, thoughts=[])


def heard(loaded: Loaded, said: Sequence[int], prompt: Sequence[int] = (), stop: tuple[str, ...] = ()) -> Answer:
    """The answer that a model gives by saying these tokens."""
    reply = Detokenizer(loaded, 0, Sampling(stop=stop), prompt)
    answer = Answer().apply(Started(0, 1))
    for token in said:
        for shown in reply.push(token, Reading(-1.0, 1.0, 0), None, False):
            answer = answer.apply(shown)
        if reply.reason:
            break
    for shown in reply.finish("end") if reply.reason is None else ():
        answer = answer.apply(shown)
    assert [token.index for token in answer.tokens] == list(range(len(answer.tokens)))
    assert reply.reason is not None
    return answer.apply(Done(0, reply.reason, reply.count, 0.0))


@pytest.mark.parametrize("said", SAID)
def test_thought_and_answer_are_told_apart(said: str, tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = speaking(tiny_loaded("llama"), *SAID[said])
    ids = encode(loaded, said)
    answer = heard(loaded, ids)
    assert (answer.text, answer.thinking) == ("Hello!", "hm")
    # Every token is there, so that an answer can go on from any of them.
    assert tuple(token.id for token in answer.tokens) == ids
    assert all(token.thought == (token.index < len(ids) - len(encode(loaded, " Hello!" if " Hello" in said else "Hello!")))
               for token in answer.tokens if token.text)  # fmt: skip


@pytest.mark.parametrize("said", SAID)
def test_a_thought_that_is_cut_off_is_no_answer(said: str, tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = speaking(tiny_loaded("llama"), *SAID[said])
    answer = heard(loaded, encode(loaded, said[: said.index("hm") + 2]))
    assert (answer.text, answer.thinking) == ("", "hm")


def test_what_ends_a_message_of_the_thought_does_not_end_the_reply(tiny_loaded: Callable[[str], Loaded]) -> None:
    """In harmony one token ends the thought and the turn; an ordinary end ends a thought too."""
    said = next(each for each in SAID if "<|channel|>" in each)
    loaded = speaking(tiny_loaded("llama"), *SAID[said])
    end = loaded.tokenizer.convert_tokens_to_ids("<|end|>")
    assert end in loaded.ends
    answer = heard(loaded, [*encode(loaded, said), end, *encode(loaded, "never")])
    assert (answer.text, answer.thinking, answer.reason) == ("Hello!", "hm", "end")
    thinks = speaking(tiny_loaded("llama"), ["<think>", "</think>"], False, tiny_models.CHAT)
    assert heard(thinks, [*encode(thinks, "<think>hm"), end, *encode(thinks, "never")]).reason == "end"


def test_a_thought_that_the_prompt_has_begun(tiny_loaded: Callable[[str], Loaded]) -> None:
    opens = tiny_models.CHAT.replace("<|assistant|>\n{% endif %}", "<|assistant|>\n<think>\n{% endif %}")
    loaded = speaking(tiny_loaded("llama"), ["<think>", "</think>"], False, opens)
    answer = heard(loaded, encode(loaded, "hm</think>Hello!"), chat_prompt(loaded, "Hi"))
    assert (answer.text, answer.thinking) == ("Hello!", "hm")
    # What a person writes begins no thought.
    plain = speaking(tiny_loaded("llama"), ["<think>", "</think>"], False, tiny_models.CHAT)
    assert heard(plain, encode(plain, "Hello!"), chat_prompt(plain, "<think>")).text == "Hello!"


def test_stop_strings_and_marks_in_parts(tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = speaking(tiny_loaded("llama"), *SAID["<think>hm</think>Hello!"])
    assert heard(loaded, encode(loaded, "a < b <thin </ think> c")).text == "a < b <thin </ think> c"
    answer = heard(loaded, encode(loaded, "<think>hm</think>Hello STOP!"), stop=("STOP",))
    assert (answer.text, answer.thinking, answer.reason) == ("Hello ", "hm", "stop string")


def test_a_model_without_marks_has_none(tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded("llama")
    assert not loaded.marks.follows
    assert thought_before(loaded) == ""
    assert heard(loaded, encode(loaded, "<think>hm</think>")).text == "<think>hm</think>"


def test_a_line_end_in_two_tokens_is_one(tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded("llama")
    assert heard(loaded, encode(loaded, "c\r\nd\r\r\ne\n\nf")).text == "c\nd\n\ne\n\nf"


def test_a_thought_is_exported_apart_and_not_sent_back(tiny_loaded: Callable[[str], Loaded]) -> None:
    said = "[THINK]hm[/THINK]Hello!"
    loaded = speaking(tiny_loaded("llama"), *SAID[said])
    answer = heard(loaded, encode(loaded, said))
    settings = Settings("f", (Column("chat"),)).ask("Hi").answered(0, answer.text)
    assert settings.turns[0].replies == ("Hello!",)
    document: dict[str, Any] = chat_document(settings, {0: answer})
    assert document["answers"]["0"]["thinking"] == "hm"
    assert [each.get("thought", False) for each in document["answers"]["0"]["tokens"]][-1] is False
    assert read_document(document) == (settings, {0: answer})
    assert "Thought:\n\n    hm\n\nSaid:\n\n    Hello!" in to_markdown(settings, {0: answer})


# ------------------------------------------------------------------------------------------------------ behind the thought


def chain(loaded: Loaded, tokens: Sequence[int]) -> Loaded:
    """A model that says what follows a token in ``tokens``, whatever came before: nothing is written behind the embedding."""
    torch.manual_seed(0)
    size = len(loaded.tokenizer)
    config = LlamaConfig(
        vocab_size=size, hidden_size=128, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2
    )
    model = LlamaForCausalLM(config).eval()
    block: Any = model.model.layers[0]
    block.self_attn.o_proj.weight.data.zero_()
    block.mlp.down_proj.weight.data.zero_()
    rows = torch.nn.functional.normalize(torch.randn(size, 128))
    model.model.embed_tokens.weight.data.copy_(rows)
    head = torch.zeros(size, 128)
    for now, then in pairwise(tokens):
        head[then] += 4 * rows[now]
    model.lm_head.weight.data.copy_(head)
    return replace(loaded, model=model, anatomy=locate(model), thoughts=[], context=256)


def token(loaded: Loaded, text: str) -> int:
    (found,) = encode(loaded, text)
    return found


@pytest.mark.parametrize(
    ("begun", "said", "found"),
    [
        # The same thought every time is taken as it is; one that does not end is ended at once; no thought is none.
        ("", "<think>h</think>y<|end|>", "<think>h</think>"),
        ("", "<think>aba", "<think>\n\n</think>\n\n"),
        ("<think>", "aba", "\n\n</think>\n\n"),
        ("", "y<|end|>", ""),
    ],
)
def test_what_stands_before_every_answer(
    begun: str, said: str, found: str, tiny_loaded: Callable[[str], Loaded]
) -> None:
    template = tiny_models.CHAT.replace("<|assistant|>\n{% endif %}", f"<|assistant|>{begun}{{% endif %}}")
    loaded = speaking(tiny_loaded("llama"), ["<think>", "</think>"], False, template)
    last = token(loaded, begun or "<|assistant|>")
    loaded = chain(loaded, [last, *encode(loaded, said)])
    assert thought_before(loaded) == found
    prompt = judged_prompt(loaded, "Hi")
    assert prompt.text == f"<s><|user|>\nHi<|end|>\n<|assistant|>{begun}{found}"
    assert prompt.ids == encode(loaded, prompt.text)


def test_a_refusal_behind_a_thought_is_seen(tiny_loaded: Callable[[str], Loaded]) -> None:
    """A model that thinks and then refuses is found to refuse, as one is that refuses at once."""
    template = tiny_models.CHAT.replace("<|assistant|>\n{% endif %}", "<|assistant|>{% endif %}")
    loaded = speaking(tiny_loaded("llama"), ["[THINK]", "[/THINK]"], True, template)
    opens, closes = token(loaded, "[THINK]"), token(loaded, "[/THINK]")
    refusal = encode(loaded, "I cannot")
    thinks = chain(loaded, [token(loaded, "<|assistant|>"), opens, *encode(loaded, "hm"), closes, *refusal])
    asked = metrics.chat_prompts(thinks, ["Hi", "Hello"])
    assert [each.text[-len("[THINK]hm[/THINK]") :] for each in asked] == ["[THINK]hm[/THINK]"] * 2
    # No space is put behind a mark.
    assert metrics.continuation(thinks, asked[0], "I cannot") == refusal
    assert bool((finished(metrics.refusal_probability(thinks, asked)) > 0.9).all())


def test_the_empty_thought_of_every_style_ends() -> None:
    for more, special, template in SAID.values():
        made = marks_of(tokenizer(more, special, template), template)
        for empty in made.empty.values():
            assert made.follows[max(made.follows, key=empty.rfind)] is False


# ------------------------------------------------------------------------------------------------------ numbers that overflow


def test_numbers_that_overflow_are_said(tiny_loaded: Callable[[str], Loaded]) -> None:
    """No empty answer, no NaN among the readings, no direction: one sentence."""
    made = LlamaForCausalLM(tiny_models.configs()["llama"]).half().eval()
    # Located first: at the few tokens that loading reads, a model may be sound.
    anatomy = locate(made)
    layer: Any = made.model.layers[1]
    layer.mlp.down_proj.weight.data[3] = 60000
    layer.mlp.gate_proj.weight.data.fill_(1)
    layer.mlp.up_proj.weight.data.fill_(1)
    layer.post_attention_layernorm.weight.data.fill_(30)
    loaded = replace(tiny_loaded("llama"), model=made, anatomy=anatomy)
    prompt = chat_prompt(loaded, "Hi")
    said = "The numbers of chat overflow in float16; use --dtype bfloat16."
    with pytest.raises(TillerError, match=said):
        BatchDecoder(loaded, [DecodingRow(0, prompt)]).step()
    with pytest.raises(TillerError, match=said):
        reply_logits(loaded, [prompt], [(40, 41)])


@pytest.mark.parametrize(
    ("steered", "fix"),
    [((False, True), "take a lower strength"), ((True, False), "its weights are damaged, so copy its folder again")],
)
def test_what_to_do_about_overflow(steered: tuple[bool, ...], fix: str, tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded("llama")
    check_finite(loaded, torch.tensor([1.0, 2.0]), steered)
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(TillerError, match=fix):
            check_finite(loaded, torch.tensor([1.0, wrong]), steered)


def test_a_vector_too_long_for_a_norm_is_refused(tiny_loaded: Callable[[str], Loaded]) -> None:
    """A norm would make nothing of it, and the model would say nothing, in finite numbers."""
    loaded = tiny_loaded("llama")
    path = store.find_artefact(loaded.family.places, "chat", "direction", "truth")
    assert path is not None
    found = load_direction(path)
    long = replace(found, vectors=found.vectors * np.float32(1e19))
    with pytest.raises(EditError, match="so long that its square overflows; take a lower strength"):
        compile_recipe(parse("10*truth"), loaded, lambda _name, _checkpoint: long)
