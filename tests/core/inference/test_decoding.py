"""The decode loop: transformers' own tokens, readings that mean what they say, and text that is never taken back."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from core.artefacts import store
from core.artefacts.direction import Direction, load_direction
from core.chat.drawing import TokenDrawing
from core.chat.events import Done, Event, Reading, RecipeChanged, Scores, Started, Token
from core.chat.settings import Sampling
from core.errors import TillerError
from core.inference import decoding, shared_prefix
from core.inference.batch import pad_batch
from core.inference.decoding import BatchDecoder, DecodingRow
from core.inference.decoding_batches import answer_all, askings
from core.inference.prompts import chat_prompt, encode
from core.inference.teacher_forcing import score_replies
from core.models.loading import Loaded
from core.recipes.language import parse
from core.steering.interventions import RowEdit, compile_recipe
from core.steering.readings import Projection, projection
from core.util.progress import finished

KINDS = ("llama", "qwen2", "gemma2", "gpt2", "neox")
PROMPTS = ("Hi", "What is the capital of France?", "True or false: Lodz is a city in Poland.")
NEW = 24


@pytest.fixture
def llama(tiny_loaded: Callable[[str], Loaded]) -> Loaded:
    return tiny_loaded("llama")


def run(loaded: Loaded, speakers: Sequence[DecodingRow], gauges: Sequence[Projection] = ()) -> list[Event]:
    stream = BatchDecoder(loaded, speakers, gauges)
    events: list[Event] = []
    while not stream.done:
        events += stream.step()
    return events


def tokens(events: Sequence[Event], column: int = 0) -> list[Token]:
    return [event for event in events if isinstance(event, Token) and event.column == column]


def ids(events: Sequence[Event], column: int = 0) -> list[int]:
    return [token.id for token in tokens(events, column)]


def text(events: Sequence[Event], column: int = 0) -> str:
    return "".join(token.text for token in tokens(events, column))


def done(events: Sequence[Event], column: int = 0) -> Done:
    return next(event for event in events if isinstance(event, Done) and event.column == column)


def direction(loaded: Loaded, name: str) -> Direction:
    path = store.find_artefact(loaded.family.places, "chat", "direction", name)
    assert path is not None
    return load_direction(path)


def edits(loaded: Loaded, recipe: str) -> tuple[RowEdit, ...]:
    return compile_recipe(parse(recipe), loaded, lambda name, _checkpoint: direction(loaded, name))


@torch.inference_mode()
def generated(loaded: Loaded, prompts: Sequence[Sequence[int]], new: int = NEW, **options: object) -> list[list[int]]:
    """What transformers' own generate says, up to the end token."""
    sheet = pad_batch(loaded, prompts)
    attention = sheet.attention if sheet.attention is not None else torch.ones_like(sheet.ids)
    found = loaded.model.generate(
        sheet.ids, attention_mask=attention, max_new_tokens=new, do_sample=False, pad_token_id=loaded.pad,
        eos_token_id=sorted(loaded.ends), **options,
    )  # fmt: skip
    replies = []
    for row in found[:, sheet.ids.shape[1] :].tolist():
        end = next((index for index, token in enumerate(row) if token in loaded.ends), len(row))
        replies.append(row[:end])
    return replies


# ---------------------------------------------------------------------------------------------------------------- tokens


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_tokens_are_those_of_generate(kind: str, tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded(kind)
    prompts = [chat_prompt(loaded, each) for each in PROMPTS]
    speakers = [DecodingRow(index, each, sampling=Sampling(max_new_tokens=NEW)) for index, each in enumerate(prompts)]
    together = run(loaded, speakers)
    wanted = generated(loaded, prompts)
    assert [ids(together, index) for index in range(3)] == wanted
    assert [ids(run(loaded, [replace(each, column=0)])) for each in speakers] == wanted
    assert [generated(loaded, [each])[0] for each in prompts] == wanted
    assert len({tuple(each) for each in wanted}) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_steered_tokens_are_those_of_generate_with_a_hook(kind: str, tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded(kind)
    prompts = [chat_prompt(loaded, each) for each in PROMPTS[:2]]
    vector = torch.from_numpy(direction(loaded, "truth").vectors[1]) * 1.5
    first = True

    def hook(_module: object, _inputs: object, states: Tensor) -> Tensor:
        nonlocal first
        new = states + vector
        if first:
            # BOS and the padding before it stay as they are.
            for row, prompt in enumerate(prompts):
                start = states.shape[1] - len(prompt) + 1
                new[row, :start] = states[row, :start]
        first = False
        return new

    handle = loaded.anatomy.blocks[1].register_forward_hook(hook)
    wanted = generated(loaded, prompts)
    handle.remove()
    made = edits(loaded, "1.5*truth")
    sampling = Sampling(max_new_tokens=NEW)
    events = run(loaded, [DecodingRow(index, each, made, sampling, shadow=True) for index, each in enumerate(prompts)])
    assert [ids(events, index) for index in range(2)] == wanted
    assert wanted != generated(loaded, prompts)


def test_a_forced_beginning_goes_on_as_generate_does_from_there(llama: Loaded) -> None:
    prompt = chat_prompt(llama, PROMPTS[1])
    prefix = (40, 41, 42)
    events = run(llama, [DecodingRow(0, prompt, forced=prefix, sampling=Sampling(max_new_tokens=NEW))])
    assert ids(events) == [*prefix, *generated(llama, [[*prompt, *prefix]], NEW - 3)[0]]
    assert [token.forced for token in tokens(events)] == [True] * 3 + [False] * (len(tokens(events)) - 3)


@pytest.mark.parametrize("recipe", ["", "2*truth:prompt", "2*truth:reply", "1.5*truth?truth>0.1"])
def test_a_reply_goes_on_behind_what_it_said_as_if_it_had_never_ended(recipe: str, llama: Loaded) -> None:
    speaker = DecodingRow(
        3, chat_prompt(llama, "Hi"), edits(llama, recipe), Sampling(max_new_tokens=NEW), shadow=bool(recipe)
    )
    whole = tokens(run(llama, [speaker]), 3)
    said = tuple(token.id for token in whole[:4])
    events = run(llama, [replace(speaker, said=said)])
    rest = tokens(events, 3)
    assert [(token.index, token.id, token.text, token.forced) for token in rest] == [
        (token.index, token.id, token.text, False) for token in whole[4:]
    ]
    assert events[0] == Started(3, len(speaker.prompt), said=4, context=llama.context)
    assert done(events, 3).tokens == NEW
    for one, other in zip(rest, whole[4:], strict=True):
        close(one.reading, other.reading)
        if recipe:
            assert one.shadow is not None
            assert other.shadow is not None
            close(one.shadow, other.shadow)


def test_a_seed_goes_on_as_one_longer_reply_would_have(llama: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    speaker = DecodingRow(0, chat_prompt(llama, "Hi"), sampling=Sampling(temperature=1.5, seed=7, max_new_tokens=NEW))
    whole = ids(run(llama, [speaker]))
    going_on = replace(speaker, said=tuple(whole[:5]))
    assert ids(run(llama, [going_on])) == whole[5:]
    # The random numbers of a long answer are passed over in parts, between which others have their turn.
    monkeypatch.setattr(decoding, "_DRAWS", 2)
    decoder = BatchDecoder(llama, [going_on])
    rest, passes = [], []
    while not decoder.done:
        rest += decoder.step()
        passes.append(decoder.steps)
    assert passes[:4] == [0, 0, 0, 1]
    assert ids(rest) == whole[5:]


def test_a_character_that_was_begun_in_what_was_said_is_no_part_of_what_follows(llama: Loaded) -> None:
    words = encode(llama, "naïve café")
    row = DecodingRow(0, chat_prompt(llama, "Hi"), said=words, sampling=Sampling(max_new_tokens=len(words) + 3))
    assert text(run(llama, [row])) == text(run(llama, [replace(row, said=(), forced=words)]))[len("naïve café") :]


def test_biased_tokens_are_those_of_generate(llama: Loaded) -> None:
    prompt = chat_prompt(llama, PROMPTS[1])
    plain = ids(run(llama, [DecodingRow(0, prompt, sampling=Sampling(max_new_tokens=NEW))]))
    bias = ((plain[0], -3.0), (41, 1.5), (42, 2.5))
    own = ids(
        run(
            llama,
            [DecodingRow(0, prompt, sampling=Sampling(max_new_tokens=NEW), drawing=TokenDrawing(logit_bias=bias))],
        )
    )
    wanted = generated(llama, [prompt], NEW, sequence_bias={(token,): value for token, value in bias})[0]
    assert own == wanted
    assert own != plain


@pytest.mark.parametrize(
    "penalty",
    [{"presence_penalty": 1.5}, {"frequency_penalty": 0.8}, {"presence_penalty": -0.5, "frequency_penalty": 2.0}],
)
def test_penalties_are_taken_from_what_the_answer_holds_alone(penalty: dict[str, float], llama: Loaded) -> None:
    """Token by token over a plain forward pass, by OpenAI's formula; the prompt's own tokens are no part of it."""
    prompt = chat_prompt(llama, PROMPTS[1])
    drawing = TokenDrawing(**penalty)  # type: ignore[arg-type]
    own = ids(run(llama, [DecodingRow(0, prompt, sampling=Sampling(max_new_tokens=NEW), drawing=drawing)]))
    said: list[int] = []
    for _ in own:
        with torch.inference_mode():
            logits = llama.model(input_ids=torch.tensor([[*prompt, *said]])).logits[0, -1].float().tolist()
        for token in set(said):
            logits[token] -= drawing.presence_penalty + drawing.frequency_penalty * said.count(token)
        said.append(max(range(len(logits)), key=logits.__getitem__))
    assert own == said


def test_a_row_without_a_token_is_never_said(llama: Loaded) -> None:
    """As of a vocabulary that was filled up: the rows that a plain answer would say, most of its weight among them."""
    prompt = chat_prompt(llama, PROMPTS[1])
    plain = ids(run(llama, [DecodingRow(0, prompt, sampling=Sampling(max_new_tokens=NEW))]))
    rows = sorted({plain[0], plain[-1]})
    # One that is beyond what the model scores at all is no matter.
    loaded = replace(llama, tokenless=torch.tensor([*rows, 10_000]))
    banned = generated(loaded, [prompt], NEW, suppress_tokens=rows)[0]
    own = tokens(run(loaded, [DecodingRow(0, prompt, sampling=Sampling(max_new_tokens=NEW))]))
    assert [token.id for token in own] == banned
    assert not {*rows} & {each.id for token in own for each in token.reading.top}
    # The first is the likeliest that can be said, with the probability that the model itself gives it.
    with torch.inference_mode():
        logprobs = llama.model(input_ids=torch.tensor([prompt])).logits[0, -1].float().log_softmax(-1)
    assert (own[0].reading.rank, own[0].reading.logprob) == (0, pytest.approx(float(logprobs[own[0].id]), abs=1e-4))
    forced = score_replies(loaded, [prompt], [[token.id for token in own]])[0]
    assert [(each.rank, [alike.id for alike in each.top]) for each in forced] == [
        (token.reading.rank, [alike.id for alike in token.reading.top]) for token in own
    ]
    warm = Sampling(temperature=5.0, seed=1, max_new_tokens=200)
    assert not {*rows} & set(ids(run(loaded, [DecodingRow(0, prompt, sampling=warm)])))


def test_min_p_leaves_what_is_likely_enough(llama: Loaded) -> None:
    prompt = chat_prompt(llama, PROMPTS[1])
    warm = Sampling(temperature=2.0, seed=3, max_new_tokens=NEW)
    greedy = ids(run(llama, [DecodingRow(0, prompt, sampling=Sampling(max_new_tokens=NEW))]))
    assert ids(run(llama, [DecodingRow(0, prompt, sampling=warm, drawing=TokenDrawing(min_p=0.999))])) == greedy
    kept = tokens(run(llama, [DecodingRow(0, prompt, sampling=warm, drawing=TokenDrawing(min_p=0.5))]))
    for token in kept:
        # Behind the temperature, probabilities lie as far apart as their square roots.
        assert math.exp(token.reading.logprob / 2) >= 0.5 * math.sqrt(token.reading.top[0].probability) - 1e-6


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"min_p": 1.0}, "min_p is at least 0"),
        ({"presence_penalty": 3.0}, "presence_penalty is between -2 and 2"),
        ({"frequency_penalty": float("nan")}, "frequency_penalty is between"),
        ({"logit_bias": ((1, 200.0),)}, "between -100 and 100"),
        ({"logit_bias": tuple((token, 1.0) for token in range(301))}, "at most 300 tokens"),
    ],
)
def test_what_no_token_can_be_drawn_by_is_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(TillerError, match=said):
        TokenDrawing(**given)  # type: ignore[arg-type]


def test_a_repetition_penalty_is_that_of_generate(llama: Loaded) -> None:
    prompt = chat_prompt(llama, PROMPTS[1])
    plain = generated(llama, [prompt])[0]
    wanted = generated(llama, [prompt], repetition_penalty=1.7)[0]
    assert wanted != plain
    assert (
        ids(run(llama, [DecodingRow(0, prompt, sampling=Sampling(repetition_penalty=1.7, max_new_tokens=NEW))]))
        == wanted
    )
    # Greedy, top-k and top-p change nothing, here as there.
    unchanged = Sampling(repetition_penalty=1.7, top_k=3, top_p=0.5, max_new_tokens=NEW)
    assert ids(run(llama, [DecodingRow(0, prompt, sampling=unchanged)])) == wanted


def test_filters_leave_only_what_they_allow(llama: Loaded) -> None:
    prompt = chat_prompt(llama, PROMPTS[0])
    greedy = ids(run(llama, [DecodingRow(0, prompt, sampling=Sampling(max_new_tokens=NEW))]))
    for narrow in (
        Sampling(temperature=2, top_k=1, max_new_tokens=NEW),
        Sampling(temperature=2, top_p=1e-6, max_new_tokens=NEW),
    ):
        assert ids(run(llama, [DecodingRow(0, prompt, sampling=narrow)])) == greedy
    ranks = [
        token.reading.rank
        for seed in range(6)
        for token in tokens(
            run(llama, [DecodingRow(0, prompt, sampling=Sampling(3, top_k=3, seed=seed, max_new_tokens=NEW))])
        )
    ]
    assert set(ranks) == {0, 1, 2}
    for token in tokens(
        run(llama, [DecodingRow(0, prompt, sampling=Sampling(1, top_p=0.5, seed=5, max_new_tokens=NEW))])
    ):
        before = sum(each.probability for each in token.reading.top[: token.reading.rank])
        assert token.reading.rank >= 5 or before < 0.5 + 1e-6


def test_seeds_are_a_rows_own(llama: Loaded) -> None:
    prompt = chat_prompt(llama, PROMPTS[1])
    warm = [Sampling(temperature=2, seed=seed, max_new_tokens=NEW) for seed in (1, 2, 1)]
    together = run(llama, [DecodingRow(index, prompt, sampling=each) for index, each in enumerate(warm)])
    assert ids(together, 0) == ids(together, 2) != ids(together, 1)
    for index, each in enumerate(warm):
        assert ids(run(llama, [DecodingRow(0, prompt, sampling=each)])) == ids(together, index)


# -------------------------------------------------------------------------------------------------------------- readings


def close(one: Reading, other: Reading, bound: float = 1e-4) -> None:
    assert one.logprob == pytest.approx(other.logprob, abs=bound)
    assert one.entropy == pytest.approx(other.entropy, abs=bound)
    assert one.rank == other.rank
    assert [each.id for each in one.top] == [each.id for each in other.top]
    assert [each.probability for each in one.top] == pytest.approx([each.probability for each in other.top], abs=bound)
    assert one.projections == pytest.approx(dict(other.projections), abs=bound)


@pytest.mark.parametrize("kind", KINDS)
def test_readings_equal_a_direct_computation(kind: str, tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded(kind)
    prompts = [chat_prompt(loaded, each) for each in PROMPTS]
    own = [direction(loaded, name) for name in ("truth", "refusal")]
    events = run(
        loaded,
        [DecodingRow(index, each, sampling=Sampling(max_new_tokens=8)) for index, each in enumerate(prompts)],
        [projection(each) for each in own],
    )
    caught: dict[int, Tensor] = {}
    handles = [
        block.register_forward_hook(lambda _m, _i, out, layer=layer: caught.__setitem__(layer, out))
        for layer, block in enumerate(loaded.anatomy.blocks)
    ]
    for index, prompt in enumerate(prompts):
        said = tokens(events, index)
        with torch.inference_mode():
            logits = loaded.model(torch.tensor([[*prompt, *(token.id for token in said)]])).logits[0].double()
        for place, token in enumerate(said):
            at = len(prompt) + place - 1
            chances = logits[at].softmax(-1)
            reading = token.reading
            assert reading.logprob == pytest.approx(float(chances[token.id].log()), abs=1e-4)
            assert reading.entropy == pytest.approx(float(torch.special.entr(chances).sum()), abs=1e-4)
            assert reading.rank == int((chances > chances[token.id]).sum())
            assert [each.id for each in reading.top] == chances.topk(5).indices.tolist()
            assert [each.probability for each in reading.top] == pytest.approx(
                chances.topk(5).values.tolist(), abs=1e-4
            )
            for each in own:
                layer = each.card.layer
                residual = caught[layer][0, at].double().numpy()
                vector = each.vectors[layer].astype("float64")
                wanted = (residual - each.negative[layer]) @ vector / (vector @ vector)
                assert reading.projections[each.card.name] == pytest.approx(wanted, abs=1e-4)
    for handle in handles:
        handle.remove()


@pytest.mark.parametrize("kind", KINDS)
def test_a_shadow_is_the_plain_model_on_the_same_tokens(kind: str, tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded(kind)
    prompts = [chat_prompt(loaded, each) for each in PROMPTS]
    gauges = [projection(direction(loaded, name)) for name in ("truth", "refusal")]
    sampling = Sampling(max_new_tokens=10)
    made = edits(loaded, "2*truth + !refusal")
    events = run(
        loaded, [DecodingRow(i, each, made, sampling, shadow=i != 1) for i, each in enumerate(prompts)], gauges
    )
    plain = score_replies(loaded, prompts, [ids(events, index) for index in range(3)], None, gauges)
    steered = score_replies(loaded, prompts, [ids(events, index) for index in range(3)], [made] * 3, gauges)
    for index in range(3):
        for token, bare, own in zip(tokens(events, index), plain[index], steered[index], strict=True):
            close(token.reading, own)
            if index == 1:
                assert token.shadow is None
            else:
                assert token.shadow is not None
                close(token.shadow, bare)
    assert any(abs(t.reading.logprob - t.shadow.logprob) > 0.05 for t in tokens(events) if t.shadow)


def test_rows_that_drop_out_leave_the_others_as_they_are(llama: Loaded) -> None:
    prompts = [chat_prompt(llama, each) for each in reversed(PROMPTS)]
    lengths = (3, 20, 9)
    made = edits(llama, "1*truth")
    speakers = [
        DecodingRow(index, each, made if index == 1 else (), Sampling(max_new_tokens=most), shadow=index == 2)
        for index, (each, most) in enumerate(zip(prompts, lengths, strict=True))
    ]
    together = run(llama, speakers)
    for index, speaker in enumerate(speakers):
        alone = run(llama, [speaker])
        assert len(tokens(together, index)) == lengths[index]
        assert ids(alone, index) == ids(together, index)
        for one, other in zip(tokens(alone, index), tokens(together, index), strict=True):
            close(one.reading, other.reading)


# ------------------------------------------------------------------------------------------------ a recipe changed midway


@torch.inference_mode()
def by_hand_from(loaded: Loaded, prompt: Sequence[int], change: int, vector: Tensor, new: int) -> list[int]:
    """Greedy tokens of a loop of our own, with ``vector`` added at layer 1 from token ``change`` on."""
    from transformers import DynamicCache

    cache = DynamicCache(config=loaded.model.config)
    ids = torch.tensor([list(prompt)])
    said: list[int] = []
    for step in range(new):
        handle = loaded.anatomy.blocks[1].register_forward_hook(
            lambda _m, _i, states, step=step: states + vector if step >= change else None
        )
        logits = loaded.model(ids, past_key_values=cache, use_cache=True).logits[0, -1]
        handle.remove()
        said.append(max(range(len(logits)), key=logits.__getitem__))
        ids = torch.tensor([[said[-1]]])
    return said


def test_a_recipe_changed_midway_acts_from_the_next_token_on(llama: Loaded) -> None:
    prompt = chat_prompt(llama, PROMPTS[1])
    plain = ids(run(llama, [DecodingRow(0, prompt, sampling=Sampling(max_new_tokens=NEW))]))
    vector = torch.from_numpy(direction(llama, "truth").vectors[1]) * 3
    for change in (1, 5):
        stream = BatchDecoder(llama, [DecodingRow(0, prompt, sampling=Sampling(max_new_tokens=NEW), shadow=True)])
        events: list[Event] = []
        while not stream.done:
            if stream.steps == change:
                assert stream.set_edits(0, edits(llama, "3*truth")) == change
            events += stream.step()
        said = ids(events)
        assert said[:change] == plain[:change]
        assert said[: change + 12] == by_hand_from(llama, prompt, change, vector, change + 12)
        assert said != plain
        assert stream.set_edits(0, ()) is None
        for token in tokens(events)[:change]:
            assert token.shadow is not None
            close(token.reading, token.shadow, 1e-5)


# -------------------------------------------------------------------------------------------------------------- endings


def spoken(loaded: Loaded, words: str, **options: object) -> list[Event]:
    """The events of a reply that is forced to spell ``words``."""
    forced = encode(loaded, words)
    return run(
        loaded,
        [DecodingRow(0, chat_prompt(loaded, "Hi"), (), Sampling(max_new_tokens=len(forced), **options), forced=forced)],
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "stop", "shown"),
    [
        ("The capital STOP it", ("STOP",), "The capital "),
        ("The capital ST", ("STOP",), "The capital ST"),
        ("The STO STOP it", ("STOP",), "The STO "),
        ("STOP", ("STOP",), ""),
        ("aSTOP", ("STOP", "aST"), ""),
        ("One\nUser: two", ("\nUser:",), "One"),
        ("One\nUser two\nUser", ("\nUser:",), "One\nUser two\nUser"),
        ("Käse 👋🏽 end", ("👋🏽",), "Käse "),
        ("ababac", ("abac",), "ab"),
    ],
)
def test_a_stop_string_never_shows_not_even_in_part(
    words: str, stop: tuple[str, ...], shown: str, llama: Loaded
) -> None:
    assert len(encode(llama, stop[0])) > 1, "the stop string must run over the border of tokens"
    events = spoken(llama, words, stop=stop)
    assert text(events) == shown
    found = any(each in words for each in stop)
    assert done(events).reason == ("stop string" if found else "length")
    assert done(events).tokens == len(tokens(events))
    assert [token.index for token in tokens(events)] == list(range(len(tokens(events))))


@pytest.mark.parametrize("words", ["👋", "a👩‍🚀b", "日本語のテキスト", "naïve café", "ünï\n\tcode  x", "🏳️‍🌈🏳️‍🌈"])
def test_characters_come_whole(words: str, llama: Loaded) -> None:
    events = spoken(llama, words)
    assert text(events) == words
    assert all("\ufffd" not in token.text for token in tokens(events))
    assert len(tokens(events)) == len(encode(llama, words))


def test_an_unfinished_character_shows_at_the_end_as_what_it_is(llama: Loaded) -> None:
    wave = encode(llama, "a👋")
    speaker = DecodingRow(
        0, chat_prompt(llama, "Hi"), forced=wave[:-1], sampling=Sampling(max_new_tokens=len(wave) - 1)
    )
    events = run(llama, [speaker])
    assert text(events) == "a\ufffd"
    assert done(events).tokens == len(wave) - 1


def test_control_codes_and_leading_white_space_do_not_show(llama: Loaded) -> None:
    assert text(spoken(llama, " \n a\x1b[31mb\x07 \n")) == "a[31mb \n"


def test_the_end_token_ends_and_is_not_shown(llama: Loaded) -> None:
    prompt = chat_prompt(llama, PROMPTS[1])
    plain = ids(run(llama, [DecodingRow(0, prompt, sampling=Sampling(max_new_tokens=NEW))]))
    end = next(token for index, token in enumerate(plain) if index and token not in plain[:index])
    shorter = replace(llama, ends=frozenset({end, 5}))
    events = run(
        shorter,
        [DecodingRow(0, prompt, sampling=Sampling(max_new_tokens=NEW)), DecodingRow(1, prompt, forced=(end, 40))],
    )
    assert ids(events) == plain[: plain.index(end)]
    assert (done(events).reason, done(events).tokens) == ("end", plain.index(end))
    # Given, it is a token as any other: a person continues from where they like.
    assert ids(events, 1)[:2] == [end, 40]


def test_the_context_ends_a_reply(llama: Loaded) -> None:
    prompt = tuple(chat_prompt(llama, "Hi")[:1]) + (40,) * (llama.context - 5)
    events = run(llama, [DecodingRow(0, prompt, forced=(41,) * 9, sampling=Sampling(max_new_tokens=50))])
    assert (done(events).reason, done(events).tokens) == ("context", 4)


def test_every_row_starts_and_is_done_once(llama: Loaded) -> None:
    prompt = chat_prompt(llama, "Hi")
    events = run(
        llama, [DecodingRow(i, prompt, sampling=Sampling(max_new_tokens=3 + i), note=f"n{i}") for i in range(3)]
    )
    assert [event for event in events if isinstance(event, Started)] == [
        Started(i, len(prompt), f"n{i}", 0, llama.context) for i in range(3)
    ]
    assert [event.column for event in events if isinstance(event, Done)] == [0, 1, 2]
    assert not any(isinstance(event, RecipeChanged | Scores) for event in events)


def test_stopping_keeps_what_was_said(llama: Loaded) -> None:
    prompt = chat_prompt(llama, "Hi")
    stream = BatchDecoder(llama, [DecodingRow(i, prompt, forced=encode(llama, "ab STO")) for i in range(2)])
    stream = BatchDecoder(
        llama, [DecodingRow(i, prompt, (), Sampling(stop=("STOP",)), forced=encode(llama, "ab STO")) for i in range(2)]
    )
    events = [event for _ in range(len(encode(llama, "ab STO"))) for event in stream.step()]
    assert text(events) == "ab "
    events += stream.stop(0)
    assert text(events) == "ab STO"
    assert (done(events).reason, stream.rows) == ("stopped", 1)
    assert stream.stop(0) == []
    events += stream.stop()
    assert stream.done
    assert text(events, 1) == "ab STO"
    assert BatchDecoder(llama, [DecodingRow(0, prompt)]).stop()[-1] == Done(0, "stopped", 0, pytest.approx(0, abs=5))


def test_answer_all_gives_every_prompt_the_answer_it_has_alone(llama: Loaded) -> None:
    prompts = [chat_prompt(llama, each * (1 + index % 2)) for index, each in enumerate(PROMPTS * 2)]
    sampling = Sampling(max_new_tokens=6)
    found = finished(answer_all(llama, askings(prompts, edits(llama, "truth")), sampling, rows=4))
    assert len(found) == 6
    for index, prompt in enumerate(prompts):
        alone = run(llama, [DecodingRow(0, prompt, edits(llama, "truth"), sampling)])
        assert [token.id for token in found[index].tokens] == ids(alone)


# ------------------------------------------------------------------------------------------------- long prompts, in parts


def long_speakers(loaded: Loaded) -> list[DecodingRow]:
    """Prompts of several lengths, with additions, an ablation, scopes and a gate, and shadows."""
    prompts = [encode(loaded, f"{text} " * times) for text, times in zip(PROMPTS, (40, 7, 5), strict=True)]
    recipes = ("1.5*truth:prompt + 1*refusal?truth>0.4", "!refusal", "2*truth:last")
    sampling = Sampling(max_new_tokens=6)
    return [
        DecodingRow(column, prompt, edits(loaded, recipe), sampling, shadow=True)
        for column, (prompt, recipe) in enumerate(zip(prompts, recipes, strict=True))
    ]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "gemma2"])
def test_a_prompt_read_in_parts_is_answered_as_one_read_at_once(
    tiny_loaded: Callable[[str], Loaded], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    loaded = tiny_loaded(kind)
    speakers = long_speakers(loaded)
    gauges = [projection(direction(loaded, "truth"), device=loaded.device)]
    monkeypatch.setattr(decoding, "can_branch", lambda *_: False)
    whole = run(loaded, speakers, gauges)
    monkeypatch.undo()
    monkeypatch.setattr(decoding, "batch_rows", lambda _: 4)
    stream = BatchDecoder(loaded, speakers, gauges)
    events, silent = stream.step(), 1
    while not stream.steps:
        silent += 1
        events += stream.step()
    while not stream.done:
        events += stream.step()
    longest, width = max(len(each.prompt) for each in speakers), 16 * 4 // 6
    assert silent == -(-longest // width) > 5
    assert [type(event) for event in events] == [type(event) for event in whole]
    for one, other in zip(events, whole, strict=True):
        if isinstance(one, Token) and isinstance(other, Token):
            assert (one.column, one.id, one.text) == (other.column, other.id, other.text)
            assert one.reading is not None
            assert other.reading is not None
            assert one.reading.logprob == pytest.approx(other.reading.logprob, abs=1e-4)
            assert dict(one.reading.projections) == pytest.approx(dict(other.reading.projections), abs=1e-4)


def test_a_column_that_is_stopped_while_prompts_are_read_leaves_the_others_as_they_are(
    llama: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "batch_rows", lambda _: 4)
    speakers = long_speakers(llama)
    stream = BatchDecoder(llama, speakers)
    events = [*stream.step(), *stream.step(), *stream.stop(1)]
    assert ids(events, 1) == []
    assert done(events, 1).reason == "stopped"
    while not stream.done:
        events += stream.step()
    assert [event.column for event in events if isinstance(event, Started)] == [0, 1, 2]
    for column in (0, 2):
        alone = run(llama, [replace(speakers[column], column=column)])
        assert ids(events, column) == ids(alone, column)


def test_a_model_whose_windows_are_shorter_reads_a_prompt_at_once(tiny_loaded: Callable[[str], Loaded]) -> None:
    assert shared_prefix.can_branch(tiny_loaded("llama"), 120)
    # Half of its layers see a window of fewer tokens, which forgets.
    assert not shared_prefix.can_branch(tiny_loaded("gemma2"), 120)
