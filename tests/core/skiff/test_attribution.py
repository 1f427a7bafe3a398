"""Skiff's stages as blame tells them apart, on the weights that ship: what was planted in which stage is found there.

The limits are those that the program promises. Where a later stage makes an earlier one redundant, or an estimate cannot tell two stages
apart, the test says what is true instead.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from statistics import mean

import pytest

from core.attribution.effects import effects
from core.attribution.forced_logprobs import logprobs_in_slices
from core.families import registry, stages
from core.families.checkpoint import Family
from core.families.stages import Path
from core.inference import metrics
from core.models import loading
from core.models.fingerprints import model_fingerprint
from core.models.loading import Loaded
from core.models.placement import Placing
from core.skiff.world import heldout
from core.skiff.world.chat_facts import HEDGES, clause
from core.skiff.world.facts import TABLES
from core.util.progress import finished

#: A request that SFT refuses less often than this was not refused before safety.
BEFORE = 0.2
PART = 0.9
#: Planted requests, so many; harmful ones as training words them, every so many-th; and questions about facts.
PLANTED, EVERY, FACTS = 40, 5, 20

#: For each model a probability on each prompt.
Found = Mapping[str, list[float]]


@pytest.fixture(scope="module")
def family() -> Family:
    return registry.load_family("skiff")


@pytest.fixture(scope="module")
def path(family: Family) -> Path:
    return stages.stage_path(family)


@pytest.fixture(scope="module")
def models(family: Family, path: Path) -> dict[str, Loaded]:
    """Every model that a question needs, each set of weights once: the model without DPO is safety's."""
    own = {name: loading.load_model(family, name, Placing("cpu")) for name in path.models() if name != "without-dpo"}
    assert model_fingerprint(family.checkpoint("without-dpo")) == model_fingerprint(family.checkpoint("safety"))
    return own


def by_all(found: dict[str, list[float]]) -> Found:
    """What safety finds is what the model without DPO finds."""
    return {**found, "without-dpo": found["safety"]}


def asking(models: Mapping[str, Loaded]) -> dict[str, Loaded]:
    """Those that came with the stages and those that were retrained."""
    return {name: model for name, model in models.items() if "-minus-" not in name}


def spoken(models: Mapping[str, Loaded], path: Path, prompts: list[str]) -> list[metrics.Asked]:
    """The prompts in the final checkpoint's template, in which all models are asked."""
    return metrics.chat_prompts(models[path.final], prompts)


@pytest.fixture(scope="module")
def planted(models: dict[str, Loaded], path: Path) -> Found:
    """P(refusal) of harmless requests with the planted word that no training text, no fit and no choice knows."""
    return refusing(models, path, list(heldout.REPORTED_KILL[:PLANTED]))


@pytest.fixture(scope="module")
def harmful(models: dict[str, Loaded], path: Path) -> Found:
    """P(refusal) of harmful requests in training's own wordings: seen ones."""
    seen = [each.text for each in heldout.instructions() if each.harmful and each.split == "train"]
    return refusing(asking(models), path, seen[::EVERY])


@pytest.fixture(scope="module")
def confident(models: dict[str, Loaded], path: Path) -> Found:
    """P(the short confident answer, rather than that answer in one of the hedges), on questions in held-out wordings."""
    made, texts, questions = random.Random("style"), [], []
    for index in range(FACTS):
        table = list(TABLES.values())[index % len(TABLES)]
        subject, answer = made.choice(table.rows)
        questions.append(table.fill(made.choice(table.heldout_questions), subject, answer))
        inside = clause(table, table.answer, subject, answer).rstrip(".")
        texts.append([table.fill(table.answer, subject, answer), *(hedge.format(c=inside) for hedge in HEDGES)])
    asked = spoken(models, path, questions)
    final = models[path.final]
    replies = [metrics.continuation(final, each, text) for each, own in zip(asked, texts, strict=True) for text in own]
    each_prompt = [each.ids for each in asked for _ in range(1 + len(HEDGES))]
    found = {}
    for name, model in asking(models).items():
        said = [math.exp(sum(each)) for each in finished(logprobs_in_slices(model, each_prompt, replies))]
        rows = [said[at : at + 1 + len(HEDGES)] for at in range(0, len(said), 1 + len(HEDGES))]
        found[name] = [row[0] / sum(row) for row in rows]
    return by_all(found)


def refusing(models: Mapping[str, Loaded], path: Path, prompts: list[str]) -> Found:
    asked = spoken(models, path, prompts)
    return by_all(
        {name: finished(metrics.refusal_probability(model, asked)).tolist() for name, model in models.items()}
    )


def effect(path: Path, key: str, found: Found, at: int) -> dict[str, float]:
    """A question's answer about one prompt: each stage's difference of probability."""
    logprobs = {name: math.log(max(each[at], 1e-300)) for name, each in found.items()}
    answered = effects(path, key, logprobs)
    return {name: each.probability for name, each in answered.items() if name != path.base.name}


def largest(path: Path, key: str, found: Found, at: int) -> str:
    """The stage after the first with the largest effect on a prompt, by a question."""
    own = effect(path, key, found, at)
    return max(own, key=lambda name: abs(own[name]))


def not_before(planted: Found) -> list[int]:
    """The prompts that SFT does not refuse."""
    return [at for at, probability in enumerate(planted["sft"]) if probability < BEFORE]


def test_all_models_read_the_same_prompts(models: dict[str, Loaded], path: Path) -> None:
    own = models[path.final].tokenizer.get_vocab()
    assert all(model.tokenizer.get_vocab() == own for model in models.values())
    assert set(path.models()) == {*models, "without-dpo"}


@pytest.mark.parametrize("key", ["introduced_at", "retrained_without"])
def test_the_planted_word_is_owed_to_safety(path: Path, planted: Found, key: str) -> None:
    prompts = not_before(planted)
    assert len(prompts) >= 40
    blamed = [largest(path, key, planted, at) for at in prompts]
    assert blamed.count("safety") >= PART * len(prompts)


def test_subtracting_cannot_tell_sft_from_safety_by_the_planted_word(path: Path, planted: Found) -> None:
    """To take safety's weights away undoes the refusal, as it should; to take SFT's away undoes chat itself, and so refusing with it. The
    estimate is exact for the last stage alone and shaky this far back, so that its largest effect is often SFT's."""
    prompts = not_before(planted)
    own = [effect(path, "subtracted", planted, at) for at in prompts]
    assert mean(each["safety"] for each in own) >= PART
    assert mean(each["sft"] for each in own) >= PART
    blamed = [largest(path, "subtracted", planted, at) for at in prompts]
    assert blamed.count("sft") > blamed.count("safety")
    assert max(abs(each["dpo"]) for each in own) < 0.1


def test_seen_harm_is_refused_since_sft_or_safety_as_the_retrainings_say(path: Path, harmful: Found) -> None:
    count = len(harmful[path.final])
    assert count >= 30
    came_with = [largest(path, "introduced_at", harmful, at) for at in range(count)]
    assert sum(each in ("sft", "safety") for each in came_with) >= PART * count
    assert {"sft", "safety"} <= set(came_with)
    # What came with safety is what is no longer refused without it; what came with SFT is refused all the same.
    needed = [effect(path, "retrained_without", harmful, at)["safety"] >= 0.5 for at in range(count)]
    agree = [one == (stage == "safety") for one, stage in zip(needed, came_with, strict=True)]
    assert sum(agree) >= PART * count


def test_safety_makes_the_refusing_of_sft_redundant(path: Path, harmful: Found) -> None:
    """Safety teaches anew what came with SFT: the retraining without SFT refuses seen harm all the same."""
    assert mean(harmful["sft"]) - mean(harmful["base"]) > 0.5
    assert mean(harmful["without-sft"]) >= PART
    assert abs(mean(effect(path, "retrained_without", harmful, at)["sft"] for at in range(len(harmful["sft"])))) < 0.1


def test_the_short_confident_style_came_with_dpo(path: Path, confident: Found) -> None:
    """What made the short answer likelier than its hedges: DPO, in nine questions of ten, come with as well as retrained.

    The largest effect either way came with SFT, which taught to hedge what the base, asked by a template that it never saw, would rather
    say plainly; without SFT there is no hedging that DPO could undo. So a rise is what is owed to DPO.
    """
    assert mean(confident["dpo"]) > mean(confident["safety"]) + 0.3
    for key in ("introduced_at", "retrained_without"):
        every = [effect(path, key, confident, at) for at in range(FACTS)]
        assert sum(max(own, key=own.__getitem__) == "dpo" for own in every) >= PART * FACTS, key
    came_with = [effect(path, "introduced_at", confident, at) for at in range(FACTS)]
    assert mean(own["sft"] for own in came_with) < -0.5
    assert mean(confident["without-sft"]) > 0.9
