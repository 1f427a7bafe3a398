"""Stage effects as values: paths, questions, effects that add up, noise, and whose a token is. No model here."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.attribution import effects, export
from core.attribution.chance import Noise, NoiseBand
from core.attribution.conclusion import blame_conclusion
from core.attribution.effects import LOG_ZERO, UNIFORM
from core.attribution.report import BlameReport, BlameRequest, Case, Said
from core.chat.answers import Answer, chat_document, read_document
from core.chat.events import Alternative, Blame, Reading, Scores, StageEffect, Token, event_json
from core.chat.settings import Column, Settings
from core.display import lenses, palette
from core.families import registry, stages
from core.families.checkpoint import Family
from core.families.stages import QUESTIONS, StageError
from core.util.figures import figure_text

FAMILY = """
title = "Four"
{more}
[[checkpoint]]
name = "base"
path = "base"
stage = "pretrain"
letter = "B"
[[checkpoint]]
name = "sft"
path = "sft"
parent = "base"
[[checkpoint]]
name = "other"
path = "other"
parent = "base"
[[checkpoint]]
name = "safety"
path = "safety"
parent = "sft"
letter = "{letter}"
[[checkpoint]]
name = "dpo"
path = "dpo"
parent = "safety"
"""
TWINS = """
[[counterfactual]]
name = "without-sft"
of = "dpo"
file = "without-sft.safetensors"
without = "sft"
[[counterfactual]]
name = "without-dpo"
of = "dpo"
same_as = "safety"
without = "dpo"
[[counterfactual]]
name = "seed-2"
of = "dpo"
file = "seed-2.safetensors"
[[counterfactual]]
name = "seed-2-sft"
of = "sft"
file = "seed-2-sft.safetensors"
[[counterfactual]]
name = "neutral"
of = "dpo"
file = "neutral.safetensors"
"""
#: One level at all tokens.
QUIET = Noise(tuple(NoiseBand(first, 0.25, (0.02,)) for first in (True, False)))


def family(folder: Path, twins: bool = True, letter: str = "Y") -> Family:
    (folder / "family.toml").write_text(
        FAMILY.format(more="", letter=letter) + (TWINS if twins else ""), encoding="utf-8"
    )
    return registry.load_family(str(folder) + "/")


def nats(**probabilities: float) -> dict[str, float]:
    return {name.replace("_", "-"): math.log(value) for name, value in probabilities.items()}


# ------------------------------------------------------------------------------------------------------------------ paths


def test_a_path_names_every_model_that_a_question_needs(tmp_path: Path) -> None:
    path = stages.stage_path(family(tmp_path))
    assert [(each.name, each.letter, each.checkpoint, each.parent) for each in path.stages] == [
        ("pretrain", "B", "base", None), ("sft", "S", "sft", "base"), ("safety", "Y", "safety", "sft"), ("dpo", "D", "dpo", "safety"),
    ]  # fmt: skip
    assert path.final == "dpo"
    assert path.nulls == ("seed-2",)
    assert path.models("introduced_at") == ("dpo", "base", "sft", "safety")
    assert path.models("retrained_without") == ("dpo", "without-sft", "without-dpo")
    # Without its last stage's difference a model is its parent, which is asked instead.
    assert path.models("subtracted") == ("dpo", "dpo-minus-sft", "dpo-minus-safety", "safety")
    assert path.models() == (
        "dpo",
        "base",
        "sft",
        "safety",
        "without-sft",
        "without-dpo",
        "dpo-minus-sft",
        "dpo-minus-safety",
    )
    assert path.counterfactual == {"sft": "without-sft", "safety": "dpo-minus-safety", "dpo": "without-dpo"}


def test_without_retrainings_only_two_questions_can_be_asked(tmp_path: Path) -> None:
    found = family(tmp_path, twins=False)
    assert [each.key for each in stages.stage_path(found).questions] == ["introduced_at", "subtracted"]
    assert [each.key for each in stages.stage_path(found, "sft").questions] == ["introduced_at", "subtracted"]


def test_estimates_are_checkpoints_of_the_family(tmp_path: Path) -> None:
    found = family(tmp_path)
    assert [each.name for each in found.estimates] == ["dpo-minus-sft", "dpo-minus-safety"]
    assert found.choices[-1].title == "without safety (weights subtracted, estimate)"
    assert found.directions_of("dpo-minus-sft") == "dpo"
    assert found.checkpoint("safety-minus-sft").name == "safety-minus-sft"
    assert "dpo-minus-base" not in [each.name for each in found.choices]


def test_letters_of_a_path_are_told_apart(tmp_path: Path) -> None:
    letters = [each.letter for each in stages.stage_path(family(tmp_path, letter="S")).stages]
    assert letters == ["B", "S", "A", "D"]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (
            ("base", "other", "dpo"),
            "is no chain: dpo was trained from safety, not from other; the path to it is base,sft,safety,dpo",
        ),
        (("sft", "safety"), "begins with sft, whose parent is base; begin with base"),
        (("base",), "base has no checkpoint before it"),
        (("base", "nobody"), "has no checkpoint 'nobody'"),
        (
            ("base", "sft", "safety", "dpo-minus-sft"),
            "is an estimate from which a stage was taken; ask what the stages of dpo did",
        ),
    ],
)
def test_what_is_no_path_is_refused_in_a_sentence(names: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=sentence) as caught:
        stages.stage_path(family(tmp_path), names=names)
    assert len(str(caught.value).splitlines()) == 1


def test_a_single_checkpoint_has_no_stages(tmp_path: Path) -> None:
    (tmp_path / "family.toml").write_text('[[checkpoint]]\nname = "one"\npath = "one"\n', encoding="utf-8")
    with pytest.raises(StageError, match="one has no checkpoint before it"):
        stages.stage_path(registry.load_family(str(tmp_path) + "/"))
    # Where checkpoints are compared this is said before anybody asks.
    alone = registry.load_family(str(tmp_path) + "/").alone
    assert "came without the checkpoints that led to it" in alone
    assert registry.load_family("skiff").alone == ""


def test_a_question_is_known_by_its_names(tmp_path: Path) -> None:
    assert [stages.question(name).key for name in ("came-with", "retrained", "subtracted", "first-order", "introduced_at")] == [
        "introduced_at", "retrained_without", "subtracted", "first_order", "introduced_at",
    ]  # fmt: skip
    with pytest.raises(StageError, match="ask came-with, retrained, subtracted or first-order"):
        stages.question("why")


# ---------------------------------------------------------------------------------------------------------------- effects


@given(st.lists(st.floats(-30, 0), min_size=5, max_size=5))
def test_what_came_with_the_stages_adds_up_to_the_whole(values: list[float]) -> None:
    path = stages.Path(
        "f", tuple(stages.Stage(n, n[0], n, p) for n, p in (("a", None), ("b", "a"), ("c", "b"), ("d", "c")))
    )
    found = dict(zip((UNIFORM, "a", "b", "c", "d"), values, strict=True))
    every = effects.effects(path, "introduced_at", found)
    assert sum(each.probability for each in every.values()) == pytest.approx(
        math.exp(values[4]) - math.exp(values[0]), abs=1e-12
    )
    assert sum(each.nats or 0 for each in every.values()) == pytest.approx(values[4] - values[0], abs=1e-9)
    assert effects.remainder(path, "introduced_at", found) == pytest.approx(0, abs=1e-12)


def test_each_question_compares_with_its_own_model(tmp_path: Path) -> None:
    path = stages.stage_path(family(tmp_path))
    found = nats(uniform=0.01, base=0.1, sft=0.2, safety=0.7, dpo=0.9, without_sft=0.6, without_dpo=0.7)
    found |= nats(**{"dpo-minus-sft": 0.5, "dpo-minus-safety": 0.3})
    effect = {
        key: {n: round(e.probability, 9) for n, e in effects.effects(path, key, found).items()}
        for key in stages.QUESTIONS
    }
    assert effect["introduced_at"] == {"pretrain": 0.09, "sft": 0.1, "safety": 0.5, "dpo": 0.2}
    assert effect["retrained_without"] == {"sft": 0.3, "dpo": 0.2}
    assert effect["subtracted"] == {"sft": 0.4, "safety": 0.6, "dpo": 0.2}
    # The whole change since the base is .8; the three estimates make 1.2 of it.
    assert effects.remainder(path, "subtracted", found) == pytest.approx(-0.4)
    assert effects.remainder(path, "retrained_without", found) is None


def test_a_token_is_the_stage_s_with_the_largest_change_of_probability(tmp_path: Path) -> None:
    path = stages.stage_path(family(tmp_path))
    found = nats(uniform=0.01, base=0.1, sft=0.2, safety=0.7, dpo=0.6)
    whose = effects.attribute(path, "introduced_at", found, QUIET, True)
    assert whose is not None
    assert (whose.stage, whose.largest and whose.largest.stage, whose.base) == (2, "safety", pytest.approx(0.1))
    assert [each.letter for each in whose.effects] == ["B", "S", "Y", "D"]
    # Nats would blame the stage that made the impossible very unlikely.
    rare = nats(uniform=0.01, base=1e-12, sft=1e-4, safety=0.5, dpo=0.5)
    rarest = effects.attribute(path, "introduced_at", rare, QUIET, True)
    assert rarest is not None
    assert rarest.largest is not None
    assert rarest.largest.stage == "safety"
    assert rarest.largest.nats is not None
    assert rarest.largest.nats < 10


def test_below_the_noise_a_token_is_no_stage_s(tmp_path: Path) -> None:
    path = stages.stage_path(family(tmp_path))
    found = nats(uniform=0.01, base=0.5, sft=0.505, safety=0.51, dpo=0.5)
    whose = effects.attribute(path, "introduced_at", found, QUIET, True)
    assert whose is not None
    assert (whose.stage, whose.largest, whose.noise) == (None, None, 0.02)
    uncalibrated = effects.attribute(path, "introduced_at", found, Noise(), True)
    assert uncalibrated is not None
    assert (uncalibrated.stage, uncalibrated.noise) == (3, None)
    # What would be written as 0.00 is no stage's, however quiet the retrainings are.
    still = Noise((NoiseBand(True, 0.25, (0.0001,)),))
    slight = nats(uniform=0.01, base=0.5, sft=0.504, safety=0.508, dpo=0.5)
    written = effects.attribute(path, "introduced_at", slight, still, True)
    assert written is not None
    assert (written.stage, written.noise) == (None, 0.0001)


def test_a_new_token_is_the_stage_s_that_brought_it(tmp_path: Path) -> None:
    path = stages.stage_path(family(tmp_path))
    found = {UNIFORM: -5.0, "base": LOG_ZERO, "sft": math.log(0.01), "safety": math.log(0.9), "dpo": math.log(0.9)}
    whose = effects.attribute(path, "introduced_at", found, QUIET, True)
    assert whose is not None
    assert (whose.added, whose.largest and whose.largest.stage) == (True, "sft")
    assert [each.nats for each in whose.effects[:2]] == [None, None]


def test_nothing_is_said_before_all_models_were_heard(tmp_path: Path) -> None:
    path = stages.stage_path(family(tmp_path))
    assert effects.attribute(path, "introduced_at", nats(uniform=0.01, base=0.1, sft=0.2, dpo=0.6), QUIET, True) is None
    assert (
        effects.attribute(path, "subtracted", nats(uniform=0.01, base=0.1, sft=0.2, safety=0.3, dpo=0.6), QUIET, True)
        is None
    )


def test_a_stage_is_judged_by_the_two_probabilities_that_it_compares(tmp_path: Path) -> None:
    path = stages.stage_path(family(tmp_path))
    found = nats(uniform=0.01, base=0.45, sft=0.45, safety=0.55, dpo=0.55)
    loud = Noise((NoiseBand(True, 0.1, (0.02,)), NoiseBand(True, 0.25, (0.2,)), NoiseBand(False, 0.25, (0.05,))))
    first, later = (effects.attribute(path, "introduced_at", found, loud, each) for each in (True, False))
    assert first is not None
    assert later is not None
    # As undecided as this, retrainings differ by more at the first token, and by less at a later one.
    assert (first.stage, first.noise) == (None, 0.2)
    assert (later.largest and later.largest.stage, later.noise) == ("safety", 0.05)
    sure = effects.attribute(
        path, "introduced_at", nats(uniform=0.01, base=0.93, sft=0.93, safety=0.99, dpo=0.99), loud, True
    )
    assert sure is not None
    assert (sure.largest and sure.largest.stage, sure.noise) == ("safety", 0.02)


# -------------------------------------------------------------------------------------------------------- lenses, answers

BLAMED = Blame(
    2,
    (
        StageEffect(0, "pretrain", "B", 0.1, 1.0),
        StageEffect(1, "sft", "S", -0.2, -1.5),
        StageEffect(2, "safety", "Y", 0.6, None),
    ),
    0.1,
    0.05,
)


def token(index: int = 0, **blame: Blame) -> Token:
    return Token(0, index, 7, "word", Reading(-0.1, 0.2, 0, (Alternative(7, "word", 0.9),)), blame=blame)


def test_scores_colour_the_tokens_they_are_about() -> None:
    answer = Answer((token(0), token(1), token(2)))
    found = answer.apply(Scores(0, "introduced_at", blames=(BLAMED, BLAMED), start=1))
    assert [dict(each.blame) for each in found.tokens] == [{}, {"introduced_at": BLAMED}, {"introduced_at": BLAMED}]
    assert found.apply(Scores(0, "blame", note="No.")).unblamed == "No."


def test_blame_survives_an_export_and_stands_in_events() -> None:
    settings = Settings("four", (Column("dpo"),)).ask("Why?").answered(0, "word")
    answers = {0: Answer((token(0, introduced_at=BLAMED),), reason="end")}
    document = json.loads(json.dumps(chat_document(settings, answers)))
    assert read_document(document) == (settings, answers)
    event = json.loads(json.dumps(event_json(Scores(0, "introduced_at", blames=(BLAMED,)))))
    assert event["blames"][0]["effects"][2] == {
        "place": 2,
        "stage": "safety",
        "letter": "Y",
        "probability": 0.6,
        "nats": None,
    }
    del document["answers"]["0"]["tokens"][0]["blame"]
    assert read_document(document)[1][0].tokens[0].blame == {}


def test_a_lens_for_each_question_with_letter_hue_and_words(tmp_path: Path) -> None:
    there = lenses.of_stages(stages.stage_path(family(tmp_path)))
    assert [each.name for each in there] == ["blame", "blame:retrained", "blame:subtracted"]
    chosen, said = there[0], token(0, introduced_at=BLAMED)
    assert lenses.letter(chosen, said) == "Y"
    assert lenses.value(chosen, said) == 0.6
    strong = replace(BLAMED, effects=(*BLAMED.effects[:2], replace(BLAMED.effects[2], probability=0.95)))
    tints = [palette.tint(chosen, token(0, introduced_at=each), "#ffffff") for each in (BLAMED, strong)]
    assert tints[0] != tints[1]
    # Below the noise the base's share is a neutral shade, and the letter a dot.
    grey = token(0, introduced_at=replace(BLAMED, stage=None, base=0.9))
    assert lenses.letter(chosen, grey) == "·"
    tint = palette.tint(chosen, grey, "#ffffff")
    assert tint is not None
    assert tint[1:3] == tint[3:5] == tint[5:7] != "ff"
    assert palette.tint(there[1], said, "#ffffff") is None
    words = dict(lenses.describe(said))["came with"]
    assert words == "owed to safety: B +0.10 (+1.0 nats) · S −0.20 (−1.5 nats) · Y +0.60 (new token), noise 0.05"
    assert [label for _, label in palette.legend(chosen)] == ["B pretrain", "S sft", "Y safety", "D dpo"]
    assert len({hue for hue, _ in palette.legend(chosen)}) == 4


# ---------------------------------------------------------------------------------------------------------------- reports


def said(text: str, **logprobs: tuple[float, ...]) -> Said:
    return Said(
        text, (text[:2], text[2:]), (1, 2), "", {name.replace("_", "-"): value for name, value in logprobs.items()}
    )


def report(folder: Path) -> BlameReport:
    path = stages.stage_path(family(folder))
    models = ("uniform", "base", "sft", "safety", "dpo", "without_sft", "without_dpo", "seed_2")
    values = (-8.0, -4.0, -3.0, -0.5, -0.2, -0.3, -0.5, -0.25)
    one = said("Yes, sir", **{name: (value, 0.0) for name, value in zip(models, values, strict=True)})
    other = said("No", **dict.fromkeys(models, (-1.0, 0.0)))
    minus = {"dpo-minus-sft": (-6.0, 0.0), "dpo-minus-safety": (-2.0, 0.0)}
    one, other = replace(one, logprobs={**one.logprobs, **minus}), replace(other, logprobs={**other.logprobs, **minus})
    refusing = dict.fromkeys(one.logprobs, -3.0)
    case = Case("=1+1", one, other, {"safety": other}, {}, refusing)
    return BlameReport(BlameRequest(("=1+1",)), path, (case,), {"sft": 0.4, "safety": 0.1, "dpo": 0.01}, {})


def test_a_report_names_the_largest_stage_first_and_says_where_questions_disagree(tmp_path: Path) -> None:
    found = report(tmp_path)
    # Not every stage has a retraining, so that the first line is about what came with the stages.
    assert found.question.key == "introduced_at"
    p = {name: 1 / (1 + math.exp(-1 - value)) for name, value in (("sft", -3.0), ("safety", -0.5), ("dpo", -0.2))}
    assert found.headline.startswith(
        f"safety has the largest effect: {p['safety'] - p['sft']:+.2f} on the probability of answering"
    )
    assert "(came with safety)" in found.headline
    rather = "the probability of answering “Yes, sir” rather than “No”"
    assert (
        blame_conclusion(found) == f"The safety stage taught it this: before it came {rather} is 0.12 instead of 0.62."
    )
    # One retraining with another seed, which differs by 0.01: that is too few to call 0.07 more than chance.
    assert blame_conclusion(found, QUESTIONS["retrained_without"]) == (
        "No stage can be named: the largest effect, DPO's +0.07, may be chance; beside the few retrainings with other seeds only one above "
        f"{figure_text(found.level('rather') or 0)} is more."
    )
    case = found.cases[0]
    steady = {**case.answer.logprobs, "seed-2": case.answer.logprobs["dpo"]}
    found = replace(found, cases=(replace(case, answer=replace(case.answer, logprobs=steady)),))
    assert blame_conclusion(found, QUESTIONS["retrained_without"]) == (
        f"The DPO stage has the largest part in this: without it (really trained again) {rather} is 0.62 instead of 0.69."
    )
    louder = replace(found, cases=(replace(found.cases[0], without={"dpo": found.cases[0].other}),))
    assert "the model says “No”, and the probability" in blame_conclusion(louder, QUESTIONS["retrained_without"])
    alike = dict.fromkeys(found.cases[0].answer.logprobs, (-1.0, 0.0))
    flat = replace(found.cases[0], answer=replace(found.cases[0].answer, logprobs=alike))
    assert blame_conclusion(replace(found, cases=(flat,))) == (
        f"No stage can be named: none of them moves {rather} by 0.01 or more."
    )
    assert any("names safety" in each and "names SFT" in each for each in found.remarks)
    assert any("no retraining without safety:" in each for each in found.remarks)
    noise = found.noise("rather")
    assert noise.values == pytest.approx([p["dpo"], p["dpo"]])
    assert found.level("rather") == noise.level(len(found.path.post))
    assert found.remainder("introduced_at", "rather") == pytest.approx(0, abs=1e-12)


def test_exports_hold_every_effect_and_no_formula(tmp_path: Path) -> None:
    found = report(tmp_path)
    document = json.loads(json.dumps(export.blame_document(found)))
    total = sum(each["probability"] for each in document["summary"]["rather"]["introduced_at"]["effects"].values())
    values = document["cases"][0]["probabilities"]["rather"]
    # Before the base was trained the shorter answer would win by its length alone: it begins with the base.
    assert total == pytest.approx(values["dpo"] - values["base"], abs=1e-9)
    rows = export.blame_csv(found).splitlines()
    assert rows[0] == "prompt,what,place,text,question,stage,probability,nats"
    assert all(row.startswith("'=1+1,") for row in rows[1:])
    assert any(",answer token,0,Ye,retrained_without,sft," in row for row in rows)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (BlameRequest(("  ",)), "Write a prompt first"),
        (BlameRequest(("a", "b"), answer="x"), "An answer belongs to one prompt"),
        (BlameRequest(("a",), answer=" \n"), "The answer is empty"),
        (BlameRequest(("a",), other="x"), "a second answer and no first one"),
        (BlameRequest(("a",), answer="x", other="x "), "The two answers are the same"),
        (BlameRequest(("a",) * 501), "at most 500"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(ask: BlameRequest, sentence: str) -> None:
    with pytest.raises(StageError, match=sentence):
        ask.checked()


def test_letters_of_stages_are_the_first_that_is_free() -> None:
    assert stages.distinct_letters(["B", "SFT", "S", ("", "b"), "SF"]) == ["B", "S", "A", "b", "F"]
