"""The intervention as its authors run it: where the vector acts, what stands before a statement, and the effect by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.nie import _layers
from core.directions.activations import states
from core.directions.contrast import ContrastSet, load_contrast
from core.errors import TillerError, UsageError
from core.families import registry
from core.inference import metrics
from core.inference.prompts import encode_text
from core.models.loading import Loaded, load_model
from core.models.placement import Placing
from core.transfer import published_intervention
from core.transfer.published_intervention import mass_mean, published_effect
from core.util.progress import finished
from tests.support import tiny_models

LAYERS = range(1, 3)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    folder = tiny_models.family(tmp_path_factory.mktemp("f") / "tiny", "llama")
    return load_model(registry.load_family(str(folder)), "chat", Placing("cpu", dtype="float32"))


@pytest.fixture(scope="module")
def examples(loaded: Loaded) -> ContrastSet:
    return load_contrast(loaded.family, "truth")


def test_the_vector_is_of_the_other_categories(loaded: Loaded, examples: ContrastSet) -> None:
    category = examples.items[0].category
    read = {
        label: [
            states(loaded, [encode_text(loaded, each.text)], 1)[0, 0, 2].numpy()
            for each in examples.items
            if each.positive == label and each.category != category
        ]
        for label in (True, False)
    }
    expected = np.mean(read[True], axis=0) - np.mean(read[False], axis=0)
    np.testing.assert_allclose(mass_mean(loaded, examples, category, 2), expected, atol=1e-5)


def test_the_last_two_tokens_alone_are_pushed_at_every_layer(loaded: Loaded, examples: ContrastSet) -> None:
    category = examples.items[0].category
    items = [each for each in examples.items if each.category == category]
    ids, steered, _ = published_intervention._prompt(loaded, items[0], items, 0)
    text = loaded.tokenizer.decode(ids)
    assert text.endswith(metrics.QUESTION.format(statement=items[0].text))
    assert loaded.tokenizer.decode(ids[: steered[1]]).endswith(items[0].text)
    assert steered[1] - steered[0] == 2
    shots = text.removesuffix(metrics.QUESTION.format(statement=items[0].text)).strip().splitlines()
    assert len(shots) == 4
    assert sum(each.endswith("TRUE") for each in shots) == 2
    assert items[0].text not in "".join(shots)

    vector = np.random.default_rng(0).standard_normal(loaded.width)
    found = finished(published_effect(loaded, examples, category, vector, LAYERS, coefficient=0.5, most=2))
    pushed: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for label in (True, False):
        for at, item in enumerate([each for each in items if each.positive == label][:2]):
            ids, (start, end), (true, false) = published_intervention._prompt(loaded, item, items, at)
            both = []
            for sign in (0.0, -1.0 if label else 1.0):

                def push(
                    _module: object,
                    _given: object,
                    output: object,
                    sign: float = sign,
                    place: slice = slice(start, end),
                ) -> object:
                    whole = output[0] if isinstance(output, tuple) else output
                    assert isinstance(whole, torch.Tensor)
                    whole[0, place] += sign * 0.5 * torch.tensor(vector, dtype=whole.dtype)
                    return output

                hooks = [loaded.model.model.layers[layer].register_forward_hook(push) for layer in LAYERS]  # type: ignore[union-attr]
                with torch.no_grad():
                    chances = loaded.model(input_ids=torch.tensor([ids])).logits[0, -1].double().softmax(-1)
                for hook in hooks:
                    hook.remove()
                both.append(float(chances[true] - chances[false]))
            pushed[label].append((both[0], both[1]))
    for label, nie in ((True, found.down), (False, found.up)):
        plain, after = np.mean(pushed[label], axis=0)
        assert nie == pytest.approx((after - plain) / ((-1.0 if label else 1.0) - plain), abs=1e-5)
    assert found.mean == (found.down + found.up) / 2
    assert found.statements == 4


def test_a_category_that_is_not_there_is_named(loaded: Loaded, examples: ContrastSet) -> None:
    with pytest.raises(TillerError, match="'cheese' has too few statements to judge by; there is"):
        finished(published_effect(loaded, examples, "cheese", np.zeros(loaded.width), LAYERS))


def test_layers_are_read_as_a_range(tmp_path: Path) -> None:
    assert _layers("", 32) == (8, 12)
    assert _layers("3-5", 8) == (3, 5)
    for wrong in ("5-3", "3", "2-8", "a-b"):
        with pytest.raises(UsageError, match="--layers takes a range such as 8-12, of layers 0 to 7"):
            _layers(wrong, 8)
