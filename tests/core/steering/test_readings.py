"""Gated terms and sets of neurons: exact, in the decode loop and where all tokens are given, beside rows that have neither."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from core.artefacts import store
from core.artefacts.direction import Direction, load_direction
from core.chat.events import Token
from core.chat.settings import Sampling
from core.engine.engine import Engine
from core.errors import TillerError
from core.families import registry
from core.inference.decoding import BatchDecoder, DecodingRow
from core.inference.prompts import chat_prompt
from core.inference.teacher_forcing import reply_logits
from core.models import loading
from core.models.loading import Loaded
from core.models.placement import Placing
from core.recipes.completion import complete
from core.recipes.language import SCOPES, Gate, Recipe, Term, parse
from core.steering.interventions import EditError, RowEdit, compile_recipe
from core.steering.readings import projection
from tests.support import tiny_models

PROMPTS = ("Hi", "What is the capital of France?", "True or false: Lodz is a city in Poland.")
REPLY = (7, 8, 9, 10, 11, 12)
NEURONS = ((0, 3), (0, 5), (2, 1))
MEANS = (0.5, -1.0, 2.0)


def neurons(folder: Path, checkpoint: str, name: str = "entropy", pairs: Any = NEURONS, **details: object) -> Path:
    card = {"kind": "neurons", "name": name, "family": folder.name, "checkpoint": checkpoint}
    card |= {"fingerprint": store.folder_fingerprint(folder / checkpoint), **details}
    path = store.artefact_path(folder.parent, folder.name, checkpoint, "neurons", name)
    tensors = {"neurons": np.array(pairs, np.float32), "means": np.array(MEANS[: len(pairs)], np.float32)}
    store.save_artefact(path, tensors, card)
    return path


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    folder = tiny_models.family(tmp_path_factory.mktemp("gated") / "tiny", request.param)
    for checkpoint in ("base", "chat"):
        tiny_models.direction(folder, checkpoint, "truth", layer=1, seed=1)
        tiny_models.direction(folder, checkpoint, "refusal", layer=2, seed=2)
        neurons(folder, checkpoint)
    return loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu"))


def fetch(loaded: Loaded) -> Callable[[str, str], Direction]:
    def found(name: str, checkpoint: str) -> Direction:
        path = store.find_artefact(loaded.family.places, checkpoint, "direction", name)
        assert path is not None
        return load_direction(path)

    return found


def edits(loaded: Loaded, recipe: str) -> tuple[RowEdit, ...]:
    return compile_recipe(parse(recipe), loaded, fetch(loaded))


def down(loaded: Loaded, layer: int) -> Any:
    model: Any = loaded.model
    return (
        model.transformer.h[layer].mlp.c_proj
        if model.config.model_type == "gpt2"
        else model.model.layers[layer].mlp.down_proj
    )


@torch.inference_mode()
def by_hand(loaded: Loaded, prompt: tuple[int, ...], put: dict[tuple[int, int], float], start: int = 0) -> Tensor:
    """Logits of one unpadded row with neurons set from a position on."""

    def hook_for(layer: int) -> Any:
        def hook(_module: Any, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            states = arguments[0].clone()
            for (at, neuron), value in put.items():
                if at == layer:
                    states[:, start:, neuron] = value
            return (states, *arguments[1:])

        return hook

    handles = [down(loaded, at).register_forward_pre_hook(hook_for(at)) for at in {layer for layer, _ in put}]
    logits: Tensor = loaded.model(torch.tensor([[*prompt, *REPLY]]), use_cache=False).logits
    for handle in handles:
        handle.remove()
    return logits[0, len(prompt) - 1 : -1].float()


# --------------------------------------------------------------------------------------------------------------- neurons


def test_a_set_of_neurons_stands_at_its_means_and_other_rows_are_untouched(loaded: Loaded) -> None:
    prompts = [chat_prompt(loaded, text) for text in PROMPTS]
    put = dict(zip(NEURONS, MEANS, strict=True))
    wanted = [by_hand(loaded, prompt, put) for prompt in prompts]
    rows = [edits(loaded, "!neurons:entropy"), (), edits(loaded, "!neurons:entropy[2]:reply + 0.5*truth")]
    mixed = reply_logits(loaded, prompts, [REPLY] * 3, rows)
    assert (mixed[0] - wanted[0]).abs().max() < 2e-4
    assert torch.equal(mixed[1], reply_logits(loaded, prompts, [REPLY] * 3)[1])
    alone = reply_logits(loaded, prompts[2:], [REPLY], [rows[2]])[0]
    assert (mixed[2] - alone).abs().max() < 2e-4
    plain = by_hand(loaded, prompts[0], {})
    assert (wanted[0] - plain).abs().max() > 0.01, "the set does nothing, so this shows nothing"
    late = reply_logits(loaded, prompts[:1], [REPLY], [edits(loaded, "!neurons:entropy[2]:reply")])[0]
    hand = by_hand(loaded, prompts[0], {NEURONS[2]: MEANS[2]}, start=len(prompts[0]))
    assert (late - hand).abs().max() < 2e-4
    # What predicts the first token of the reply is the prompt's last position, which this leaves alone.
    assert torch.allclose(late[0], plain[0], atol=1e-5)


def test_a_set_that_does_not_fit_is_refused_with_both_named(loaded: Loaded) -> None:
    with pytest.raises(EditError, match=r"chat has no set of neurons 'mood'; .*precompute .*--what confidence"):
        edits(loaded, "!neurons:mood")
    with pytest.raises(EditError, match=r"names no layer with a neuron of this set; it has neurons in layer 0, 2"):
        edits(loaded, "!neurons:entropy[1]")
    path = neurons(loaded.family.folder, "base", "far", [(9, 0)])
    with pytest.raises(EditError, match="name neuron 0 of layer 9, which chat does not have"):
        edits(loaded, "!neurons:far@base")
    path.unlink()
    path = neurons(loaded.family.folder, "base", "old", fingerprint="0123")
    with pytest.raises(EditError, match="found on a tiny/base with fingerprint 0123, which now has"):
        edits(loaded, "!neurons:old@base")
    path.unlink()


# ----------------------------------------------------------------------------------------------------------------- gates


def readings(loaded: Loaded, prompt: tuple[int, ...], reply: tuple[int, ...], name: str = "refusal") -> list[float]:
    """What the unsteered model reads at the prompt's last token and at each token of the reply."""
    own = projection(fetch(loaded)(name, "chat"))
    states = {own.layer: torch.empty(0)}
    reply_logits(loaded, [prompt], [reply], None, states)
    row = states[own.layer][0, len(prompt) - 1 :].float()
    found: list[float] = ((row @ own.unit - own.offset) / own.gap).tolist()
    return found


def between(values: list[float]) -> float:
    """A threshold that some of the values lie above and some below."""
    ordered = sorted(values)
    return (ordered[len(ordered) // 2 - 1] + ordered[len(ordered) // 2]) / 2


@torch.inference_mode()
def gated_by_hand(loaded: Loaded, prompt: tuple[int, ...], threshold: float, strength: float) -> Tensor:
    """``strength*truth?refusal>threshold`` over given tokens: a hook on one unpadded row."""
    read = readings(loaded, prompt, REPLY)
    truth = fetch(loaded)("truth", "chat")
    # BOS is never steered; the prompt goes by its last token, each token of the reply by the one before it.
    opened = [False] + [read[0] > threshold] * (len(prompt) - 1) + [value > threshold for value in read[: len(REPLY)]]
    push = torch.tensor(opened).float()[None, :, None] * torch.from_numpy(truth.vectors[1]) * strength
    model: Any = loaded.model
    block = (model.transformer.h if model.config.model_type == "gpt2" else model.model.layers)[1]

    def hook(_m: Any, _i: Any, out: Any) -> Any:
        return (out[0] + push, *out[1:]) if isinstance(out, tuple) else out + push

    handle = block.register_forward_hook(hook)
    logits: Tensor = loaded.model(torch.tensor([[*prompt, *REPLY]]), use_cache=False).logits
    handle.remove()
    return logits[0, len(prompt) - 1 : -1].float()


def test_a_gated_term_equals_a_hook_written_by_hand(loaded: Loaded) -> None:
    prompts = [chat_prompt(loaded, text) for text in PROMPTS]
    threshold = between([value for prompt in prompts for value in readings(loaded, prompt, REPLY)])
    recipe = f"1.5*truth?refusal>{threshold}"
    mixed = reply_logits(loaded, prompts, [REPLY] * 3, [edits(loaded, recipe), (), edits(loaded, recipe)])
    for index in (0, 2):
        assert (mixed[index] - gated_by_hand(loaded, prompts[index], threshold, 1.5)).abs().max() < 2e-4
    assert torch.equal(mixed[1], reply_logits(loaded, prompts, [REPLY] * 3)[1])


@pytest.mark.parametrize("shadow", [False, True])
def test_a_gate_in_the_decode_loop_reads_the_unsteered_model(loaded: Loaded, shadow: bool) -> None:
    prompts = [chat_prompt(loaded, text) for text in PROMPTS]
    greedy = Sampling(max_new_tokens=len(REPLY))
    threshold = between([value for prompt in prompts for value in readings(loaded, prompt, REPLY)])
    steered = edits(loaded, f"1.5*truth?refusal>{threshold}")
    speakers = [
        DecodingRow(index, prompt, steered if index != 1 else (), greedy, shadow, forced=REPLY)
        for index, prompt in enumerate(prompts)
    ]
    stream, tokens = BatchDecoder(loaded, speakers), []
    while not stream.done:
        tokens += [event for event in stream.step() if isinstance(event, Token)]
    for index in (0, 2):
        logprobs = gated_by_hand(loaded, prompts[index], threshold, 1.5).log_softmax(-1)
        said = [token.reading.logprob for token in tokens if token.column == index]
        assert said == pytest.approx([float(logprobs[place, token]) for place, token in enumerate(REPLY)], abs=2e-4)
        # With a gate there is a shadow, whether it was asked for or not.
        assert all(token.shadow is not None for token in tokens if token.column == index)


def test_a_gate_that_is_always_or_never_open(loaded: Loaded) -> None:
    prompts = [chat_prompt(loaded, text) for text in PROMPTS]
    for recipe in ("2*truth", "!truth", "truth=1", "!neurons:entropy"):
        bare = reply_logits(loaded, prompts, [REPLY] * 3, [edits(loaded, recipe)] * 3)
        always = reply_logits(loaded, prompts, [REPLY] * 3, [edits(loaded, f"{recipe}?refusal>-1e6")] * 3)
        never = reply_logits(loaded, prompts, [REPLY] * 3, [edits(loaded, f"{recipe}?refusal@base<-1e6")] * 3)
        plain = reply_logits(loaded, prompts, [REPLY] * 3)
        for row in range(3):
            assert torch.allclose(always[row], bare[row], atol=1e-5)
            assert torch.allclose(never[row], plain[row], atol=1e-5)


def test_a_gate_given_while_an_answer_is_written_acts_from_the_token_after_next(loaded: Loaded) -> None:
    prompt = chat_prompt(loaded, PROMPTS[1])
    greedy = Sampling(max_new_tokens=len(REPLY))
    stream = BatchDecoder(loaded, [DecodingRow(0, prompt, (), greedy, shadow=True, forced=REPLY)])
    tokens = [event for _ in range(2) for event in stream.step() if isinstance(event, Token)]
    assert stream.set_edits(0, edits(loaded, "3*truth?refusal>-1e6")) == 2
    while not stream.done:
        tokens += [event for event in stream.step() if isinstance(event, Token)]
    moved = [abs(token.reading.logprob - token.shadow.logprob) > 1e-4 for token in tokens if token.shadow]
    assert moved == [False] * 3 + [True] * (len(REPLY) - 3)
    bare = BatchDecoder(loaded, [DecodingRow(0, prompt, (), greedy)])
    bare.step()
    with pytest.raises(EditError, match="press Retry"):
        bare.set_edits(0, edits(loaded, "3*truth?refusal>0"))


# -------------------------------------------------------------------------------------------------- whatever is beside it

STRENGTHS = st.floats(-3, 3).map(lambda value: round(value, 3))
GATES = st.none() | st.builds(
    Gate, st.sampled_from(["truth", "refusal"]), st.booleans(), STRENGTHS, st.sampled_from([None, "base"])
)


@st.composite
def terms(draw: st.DrawFn) -> Term:
    kind = draw(st.sampled_from(["add", "ablate", "hold", "neurons"]))
    name = "entropy" if kind == "neurons" else draw(st.sampled_from(["truth", "refusal"]))
    value = draw(STRENGTHS) if kind in ("add", "hold") else 1.0
    # The set has neurons in layers 0 and 2.
    layers = draw(st.none() | st.sets(st.integers(0, 3), max_size=3).map(lambda found: tuple(sorted({0, *found}))))
    source, scope = draw(st.sampled_from([None, "base"])), draw(st.sampled_from(SCOPES))
    return Term(kind, name, value, source, layers, scope, draw(GATES))


RECIPES = st.lists(terms(), max_size=3).map(lambda found: str(Recipe(tuple(found))))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(RECIPES, min_size=3, max_size=3), st.integers(1, len(REPLY)), st.integers(1, 5))
def test_a_row_says_the_same_whatever_stands_beside_it_before_it_or_behind_it(
    loaded: Loaded, recipes: list[str], length: int, more: int
) -> None:
    prompts = [chat_prompt(loaded, text) for text in PROMPTS]
    made = [edits(loaded, recipe) for recipe in recipes]
    replies = [REPLY[:length], REPLY, REPLY[: length + more]]
    # Prompts of unequal length are padded on the left, in front of other rows' recipes; longer replies stand to the right.
    together = reply_logits(loaded, prompts, replies, made)
    for prompt, edit, own in zip(prompts, made, together, strict=True):
        alone = reply_logits(loaded, [prompt], [REPLY[:length]], [edit])[0]
        assert (alone - own[:length]).abs().max() < 2e-3 * max(1.0, float(alone.abs().max()))


# ------------------------------------------------------------------------------------------------- what the screens are told


def test_what_such_a_recipe_does_is_said_in_words(loaded: Loaded) -> None:
    engine = Engine(str(loaded.family.folder))
    assert (
        engine.explain(parse("2*truth?refusal>0.5"), "chat") == "layer 1, all tokens, only after refusal read above 0.5"
    )
    said = engine.explain(parse("!neurons:entropy[0]:reply?truth@base<-1"), "chat")
    assert said == "2 neurons of layer 0 at their means, the reply, only after truth read below -1"
    assert engine.neuron_sets("chat") == ("entropy",)
    with pytest.raises(TillerError, match="chat has no set of neurons 'mood'; it has entropy"):
        engine.explain(parse("!neurons:mood"), "chat")
    with pytest.raises(TillerError, match="chat has no direction 'mood'; it has"):
        engine.explain(parse("2*truth?mood>0"), "chat")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("2*truth?", ("truth", "refusal")),
        ("2*truth?re", ("refusal",)),
        ("!", ("truth", "refusal")),
        ("!ne", ("neurons:",)),
        ("!neurons:", ("entropy",)),
        ("! neurons:en", ("entropy",)),
        ("1*truth + ne", ()),
        ("2*truth?refusal@b", ("base",)),
        ("truth:", ("all", "prompt", "reply", "last")),
    ],
)
def test_names_are_completed(text: str, names: tuple[str, ...]) -> None:
    assert complete(text, ("truth", "refusal"), ("base", "chat"), ("entropy",)).names == names
