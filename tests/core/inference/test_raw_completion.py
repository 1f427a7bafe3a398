"""Raw prompts that are continued and scored, against transformers' own generate and forward."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core.artefacts import store
from core.artefacts.direction import load_direction
from core.chat.raw import MAX_CONTINUATIONS, RawAnswer, RawRequest, TooLongError
from core.chat.settings import Sampling
from core.errors import TillerError
from core.families import registry
from core.inference import raw_completion
from core.inference.prompts import chat_prompt, encode_text
from core.inference.raw_completion import continue_prompts
from core.models import loading
from core.models.loading import Loaded
from core.recipes.language import Recipe, parse
from core.steering.interventions import RowEdit, compile_recipe
from core.util.progress import finished

TEXTS = ("The capital of France is", "Water", "Two plus two is")
GREEDY = Sampling(max_new_tokens=6)


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return loading.load_model(registry.load_family("skiff"), "dpo")


def edits(loaded: Loaded, recipe: str) -> tuple[RowEdit, ...]:
    def find(name: str, checkpoint: str):
        path = store.find_artefact(loaded.family.places, checkpoint, "direction", name)
        assert path is not None
        return load_direction(path)

    return compile_recipe(parse(recipe), loaded, find)


def asked(loaded: Loaded, recipe: str = "", **more: object) -> list[RawAnswer]:
    given = {"prompts": TEXTS, "sampling": (GREEDY,) * len(TEXTS), **more}
    return finished(continue_prompts(loaded, RawRequest("dpo", Recipe(), **given), edits(loaded, recipe)))  # type: ignore[arg-type]


def test_raw_prompts_go_on_as_generate_does(loaded: Loaded) -> None:
    for text, answer in zip(TEXTS, asked(loaded), strict=True):
        ids = torch.tensor([encode_text(loaded, text)])
        wanted = loaded.model.generate(ids, do_sample=False, max_new_tokens=6, pad_token_id=loaded.pad)[
            0, ids.shape[1] :
        ]
        own = [each for each in wanted.tolist() if each not in loaded.ends]
        assert list(answer.ids) == own[: len(answer.ids)]
        assert answer.prompt == tuple(ids[0].tolist())
        assert answer.reason in ("length", "end")
        assert (
            answer.text == loaded.tokenizer.decode([*answer.prompt, *answer.ids], skip_special_tokens=True)[len(text) :]
        )
        assert answer.scores == ()


@pytest.mark.parametrize("recipe", ["", "1.5*refusal", "2*truth:prompt", "2*truth:reply", "!refusal"])
def test_scores_are_those_of_a_forward_pass(recipe: str, loaded: Loaded) -> None:
    """All three in one batch, padded, against one plain pass each; with a recipe against a pass in which the same is added by hand."""
    answers = asked(loaded, recipe, echo=True, top=3)
    for answer in answers:
        ids = torch.tensor([[*answer.prompt, *answer.ids]])
        made = raw_completion.reply_logits(
            loaded, [answer.prompt], [answer.ids], [edits(loaded, recipe)], None, [ids.shape[1] - 1]
        )
        if not recipe:
            with torch.inference_mode():
                made = [loaded.model(input_ids=ids).logits[0, :-1].float()]
        logprobs = made[0].log_softmax(-1)
        assert [score.id for score in answer.scores] == ids[0].tolist()
        assert (answer.scores[0].logprob, answer.scores[0].top) == (None, ())
        for place, score in enumerate(answer.scores[1:]):
            assert score.logprob == pytest.approx(float(logprobs[place, score.id]), abs=1e-4)
            best = logprobs[place].topk(3)
            assert [each for _, each in score.top] == pytest.approx(best.values.tolist(), abs=1e-4)
        # What was written greedily is the likeliest, exactly.
        for score in answer.scores[len(answer.prompt) :]:
            assert score.logprob == score.top[0][1]


def test_a_steered_prompt_scores_otherwise_where_its_scope_says(loaded: Loaded) -> None:
    plain, steered = (asked(loaded, recipe, echo=True, top=0)[0] for recipe in ("", "2*truth:reply"))
    count = len(plain.prompt)
    assert [each.logprob for each in steered.scores[1:count]] == pytest.approx(
        [each.logprob for each in plain.scores[1:count]], abs=1e-5
    )
    whole = asked(loaded, "2*truth", echo=True, top=0)[0]
    assert [each.logprob for each in whole.scores[1:count]] != pytest.approx(
        [each.logprob for each in plain.scores[1:count]], abs=1e-3
    )


def test_nothing_is_written_where_only_scores_are_wanted(loaded: Loaded) -> None:
    answers = asked(loaded, echo=True, top=1, sampling=(None,) * len(TEXTS))
    for answer, written in zip(answers, asked(loaded, echo=True, top=1), strict=True):
        assert (answer.ids, answer.text, answer.reason) == ((), "", "length")
        assert [each.logprob for each in answer.scores[1:]] == pytest.approx(
            [each.logprob for each in written.scores[1 : len(answer.prompt)]], abs=1e-4
        )


def test_batches_by_what_logits_may_take_change_nothing(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = asked(loaded, echo=True, top=2)
    monkeypatch.setattr(raw_completion, "_LOGITS", 20 * int(loaded.model.config.vocab_size))
    for one, other in zip(asked(loaded, echo=True, top=2), whole, strict=True):
        assert one.ids == other.ids
        assert [each.logprob for each in one.scores[1:]] == pytest.approx(
            [each.logprob for each in other.scores[1:]], abs=1e-4
        )
    with pytest.raises(TooLongError, match="tokens would be scored, and of dpo it is 20 at once"):
        asked(loaded, echo=True, top=2, prompts=("word " * 30,), sampling=(None,))


def test_a_stop_string_ends_a_continuation_and_is_no_part_of_it(loaded: Loaded) -> None:
    long = Sampling(max_new_tokens=24)
    (whole,) = asked(loaded, prompts=TEXTS[:1], sampling=(long,))
    stop = whole.text[3:6]
    (cut,) = asked(loaded, prompts=TEXTS[:1], sampling=(replace(long, stop=(stop,)),))
    assert cut.text == whole.text[: whole.text.find(stop)]
    assert cut.reason == "stop string"


def test_a_stop_string_at_the_very_beginning_leaves_nothing(loaded: Loaded) -> None:
    long = Sampling(max_new_tokens=24)
    (whole,) = asked(loaded, prompts=TEXTS[:1], sampling=(long,))
    assert whole.text.startswith(" "), "it goes on with a word of its own"
    for stop in (" ", whole.text[:2], whole.text[:4]):
        (cut,) = asked(loaded, prompts=TEXTS[:1], sampling=(replace(long, stop=(stop,)),), top=0)
        assert (cut.text, cut.ids, cut.reason, cut.scores) == ("", (), "stop string", ())


@pytest.mark.parametrize("stop", ["and", "flour", "es.", " dough rest"])
def test_a_stop_string_is_found_wherever_it_stands(stop: str, loaded: Loaded) -> None:
    """In the midst of a token, over several, and far behind the beginning: at every step the end alone is looked at."""
    prompt = chat_prompt(loaded, "How do I bake bread?")
    long = Sampling(max_new_tokens=60)
    (whole,) = asked(loaded, prompts=(prompt,), sampling=(long,))
    assert stop in whole.text
    (cut,) = asked(loaded, prompts=(prompt,), sampling=(replace(long, stop=("never said", stop)),))
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.ids == whole.ids[: len(cut.ids)]
    assert len(cut.ids) < len(whole.ids)


def test_what_would_be_scored_is_bounded(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_completion, "_MOST_SCORED", 20)
    with pytest.raises(TooLongError, match="tokens would be scored, and 20 are in one request"):
        asked(loaded, echo=True, top=0)


def test_seeds_draw_and_ids_are_taken_as_they_are(loaded: Loaded) -> None:
    ids = encode_text(loaded, TEXTS[0])
    warm = [Sampling(temperature=1.2, seed=seed, max_new_tokens=8) for seed in (1, 2, 1)]
    one, two, again = asked(loaded, prompts=(ids,) * 3, sampling=tuple(warm))
    assert one.prompt == ids
    assert one.ids == again.ids
    assert one.ids != two.ids


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"prompts": (), "sampling": ()}, "1 to 256 continuations, not 0"),
        ({"prompts": ("a",) * (MAX_CONTINUATIONS + 1), "sampling": (GREEDY,) * (MAX_CONTINUATIONS + 1)}, "not 257"),
        ({"prompts": ((),), "sampling": (GREEDY,)}, "at least one token"),
        ({"prompts": ((1, -4),), "sampling": (GREEDY,)}, "has no token -4"),
        ({"prompts": ((1, 10**6),), "sampling": (GREEDY,)}, "has no token 1000000"),
        ({"prompts": ("word " * 5000,), "sampling": (GREEDY,)}, "send a shorter one"),
    ],
)  # fmt: skip
def test_what_cannot_be_continued_is_said(more: dict[str, object], said: str, loaded: Loaded) -> None:
    with pytest.raises(TillerError, match=said):
        asked(loaded, **more)
