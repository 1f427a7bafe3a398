"""Learning in slices: interrupted and gone on with, in the background between chats, and what the command line says of it."""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from core.artefacts import store
from core.artefacts.direction import Direction, load_direction
from core.chat.events import Done, Failed, Token
from core.directions import contrast, controls, learn, learn_refusal, reply_rates
from core.directions.effort import QUICK
from core.directions.places import BESIDE
from core.engine import jobs
from core.engine import precompute as parts
from core.engine.background import LearningTask
from core.engine.engine import Engine
from core.engine.jobs import Job, JobView, Offer
from core.engine.precompute import BUILDERS, BuildRequest
from core.errors import StoreError, TillerError, UsageError
from core.families import registry
from core.inference import metrics
from core.inference.batch import batch_rows
from core.models import loading
from core.models.loading import Loaded
from core.models.placement import Placing
from core.util import files, resume
from core.util.progress import Cost, Pace, Step, duration, finished
from core.util.resume import ResumeNotes
from tests.support import tiny_models
from tests.support.command import verb
from tests.support.waiting import PATIENCE, learning_held, wait_for

KINDS = ("refusal", "truth")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A family of two checkpoints without directions, and examples of its own."""
    made = tiny_models.family(tmp_path_factory.mktemp("learning") / "bare", "llama")
    tiny_models.contrast(made, examples=2)
    return made


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Loaded:
    return loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu"))


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer tokens to read refusal at, every one of which is tried at every layer, and fewer controls."""
    monkeypatch.setattr(learn_refusal, "MOST_POSITIONS", 2)
    monkeypatch.setattr(controls, "CONTROLS", 2)
    monkeypatch.setattr(reply_rates, "REPLY_TOKENS", 4)
    # An answer is written as a whole: one that was interrupted is begun anew.
    monkeypatch.setattr(controls, "SAMPLE_TOKENS", 4)


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[Engine]:
    """One for all tests; each has a data folder of its own, where it finds nothing learnt."""
    opened = Engine(str(folder), device="cpu", threads=1)
    opened.start()
    assert opened.wait_ready(PATIENCE).state == "ready"
    yield opened
    opened.close()


@pytest.fixture
def order(loaded: Loaded) -> BuildRequest:
    return BuildRequest(loaded.family, "chat", store.user_folder())


def run_out(kind: str, order: BuildRequest, loaded: Loaded) -> tuple[list[Step], list[str]]:
    """Every step of a part, and what it says in the end."""
    steps, work = [], BUILDERS[kind].run(order, loaded)
    while True:
        try:
            steps.append(next(work))
        except StopIteration as stop:
            return steps, list(stop.value)


def direction(order: BuildRequest, kind: str) -> Direction:
    return load_direction(store.artefact_path(order.root, order.family.name, order.checkpoint, "direction", kind))


def notes() -> list[Path]:
    return [path for path in files.cache_folder().rglob("*") if path.is_file()]


@contextmanager
def counted(loaded: Loaded) -> Iterator[list[int]]:
    """The tokens of every forward pass meanwhile."""
    passes: list[int] = []
    handle = loaded.model.register_forward_pre_hook(
        lambda _module, _args, kwargs: passes.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    yield passes
    handle.remove()


def full_disk(monkeypatch: pytest.MonkeyPatch, when: Callable[[Path], bool]) -> None:
    """Writing fails as on a full disk where ``when`` says so of the place."""
    replace = os.replace

    def refuse(source: str, target: Path) -> None:
        if when(Path(target)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)


# ---------------------------------------------------------------------------------------------------------------- pace


def test_what_is_left_is_reckoned_from_what_was_computed() -> None:
    now = [100.0]
    pace = Pace(1000, clock=lambda: now[0])
    assert pace.left is None
    pace.add(Step(500, "Remembered.", remembered=True))
    assert (pace.part, pace.left) == (0.5, None)
    now[0] += 2
    pace.add(Step(100, "Computed."))
    assert (pace.part, pace.left) == (0.6, pytest.approx(8))
    # A chat came between; it is no part of the work.
    now[0] += 1000
    pace.go()
    now[0] += 4
    pace.add(Step(100, "Computed."))
    assert (pace.part, pace.left) == (0.7, pytest.approx(9))
    pace.add(Step(900, "More than was planned."))
    assert pace.part < 1
    assert pace.left == 0


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 s"), (42.4, "42 s"), (240, "4 min"), (4_000, "67 min"), (9_000, "2.5 h")]
)
def test_lengths_of_time(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_costs_add_up() -> None:
    assert Cost(1, 2, 3, 4) + Cost(10, 20, 30, 40).times(2) == Cost(21, 42, 63, 84)


# ------------------------------------------------------------------------------------------------------------ notebook


def test_a_notebook_remembers_and_forgets(tmp_path: Path) -> None:
    book = ResumeNotes(tmp_path / "notes" / "one")
    calls: list[int] = []

    def work() -> Iterator[int]:
        calls.append(1)
        yield 5
        yield 6
        return {"figure": 0.1 + 0.2}

    def twice() -> list[tuple[list[Step], object]]:
        found = []
        for _ in range(2):
            steps, learning = [], book.once("a.note", work, "Trying.")  # type: ignore[arg-type]
            while True:
                try:
                    steps.append(next(learning))
                except StopIteration as stop:
                    found.append((steps, stop.value))
                    break
        return found

    (first, made), (second, remembered) = twice()
    assert made == remembered == {"figure": 0.1 + 0.2}
    assert calls == [1]
    assert first == [Step(5, "Trying."), Step(6, "Trying.")]
    assert second == [Step(11, "Trying.", remembered=True)]
    # One that is cut off is made again.
    note = tmp_path / "notes" / "one" / "a.note.json"
    note.write_text(note.read_text()[:-3])
    twice()
    assert calls == [1, 1]
    arrays = {"x": np.random.default_rng(0).normal(size=(3, 2))}
    book.keep_arrays("arrays", arrays)
    kept = book.recall_arrays("arrays")
    assert kept is not None
    assert np.array_equal(kept["x"], arrays["x"])
    old, new = tmp_path / "notes" / "old", tmp_path / "notes" / "new"
    old.mkdir(), new.mkdir()
    long_ago = time.time() - resume.FORGOTTEN - 10
    os.utime(old, (long_ago, long_ago))
    book.forget()
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["new"]


def test_notes_depend_on_everything_that_they_were_made_from(loaded: Loaded) -> None:
    examples = contrast.load_contrast(loaded.family, "truth")
    other = contrast.ContrastSet("truth", examples.items, "other")
    places = {
        learn.notebook(kind, loaded, made, unrelated).folder
        for kind in KINDS
        for made in (examples, other)
        for unrelated in ([], ["Hello"])
    }
    assert len(places) == 8


@pytest.mark.parametrize("kind", KINDS)
def test_the_plan_is_what_is_computed_and_an_interrupted_learning_goes_on_and_finds_the_same(
    kind: str, order: BuildRequest, loaded: Loaded
) -> None:
    plan = BUILDERS[kind].plan(order, loaded)
    with counted(loaded) as needed:
        whole, _ = run_out(kind, order, loaded)
    # Replies may be shorter than the longest that was planned for, and their prompts are computed only once.
    assert sum(step.tokens for step in whole) == pytest.approx(plan.tokens, rel=0.05)
    assert sum(needed) == pytest.approx(plan.tokens, rel=0.1)
    wanted = direction(order, kind)
    assert plan.size < wanted.card.path.stat().st_size < plan.size + 30_000
    for part in (0.2, 0.9):
        wanted.card.path.unlink()
        assert notes() == []
        work = BUILDERS[kind].run(order, loaded)
        for _ in range(int(len(whole) * part)):
            next(work)
        work.close()
        assert notes()
        assert not wanted.card.path.exists(), "nothing half-written"
        with counted(loaded) as passes:
            steps, said = run_out(kind, order, loaded)
        assert any(step.remembered for step in steps)
        # What was begun is begun anew, and the replies to unrelated messages are written again.
        again = 6 + reply_rates.REPLY_TOKENS + metrics.DAMAGE_TOKENS
        computed = sum(not step.remembered for step in steps)
        assert computed <= len(whole) - int(len(whole) * part) + again, "the last piece, not all"
        assert len(passes) < len(needed) * (1 - part) * 1.2 + 20
        found = direction(order, kind)
        assert np.array_equal(found.vectors, wanted.vectors)
        assert found.card.details == wanted.card.details
        assert f"written to {found.card.path}" in said[-1]
    assert notes() == []


@pytest.mark.parametrize("where", ["notes", "artefact"])
def test_a_full_disk_is_one_sentence_and_the_work_goes_on_later(
    where: str, order: BuildRequest, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        full_disk(
            patch, lambda path: path.suffix == ".safetensors" if where == "artefact" else path.name == "layer.2.json"
        )
        if where == "artefact":
            patch.setattr(ResumeNotes, "keep_arrays", lambda *_: None)
        with pytest.raises(
            StoreError, match=r"No space left on device.*started again, the work goes on from here"
        ) as error:
            run_out("truth", order, loaded)
        assert "\n" not in str(error.value)
    assert list(store.user_folder().rglob("*.safetensors")) == []
    assert list(store.user_folder().rglob(".writing-*")) == []
    steps, _ = run_out("truth", order, loaded)
    assert any(step.remembered for step in steps)
    assert direction(order, "truth").card.name == "truth"


def test_large_models_get_few_rows_on_a_cpu(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = metrics.chat_prompts(loaded, [f"Question {index}?" for index in range(40)])
    plain = finished(metrics.refusal_probability(loaded, asked))
    monkeypatch.setattr("core.inference.batch._QUICK", 5_000)
    assert batch_rows(loaded) < 20
    assert torch.allclose(finished(metrics.refusal_probability(loaded, asked)), plain, rtol=1e-4)


# ---------------------------------------------------------------------------------------------------------- background


def ended(job: Job) -> JobView:
    view = job.wait(PATIENCE)
    assert view.over, view
    return view


def test_what_is_offered_is_what_is_lacking(engine: Engine) -> None:
    wait_for(lambda: (offer := engine.offer("chat")) is not None and offer.seconds is not None)
    offer = engine.offer("chat")
    assert offer is not None
    assert offer.kinds == KINDS
    assert offer.seconds > 0
    assert offer.sentence.startswith("Learn refusal and truth now (about ")
    assert engine.offer("base") == Offer("base", KINDS, offer.seconds), "of one shape, so they take as long"
    with pytest.raises(TillerError, match="no checkpoint 'rlhf'"):
        engine.offer("rlhf")
    with pytest.raises(TillerError, match="no checkpoint 'rlhf'"):
        engine.learn("rlhf")


def test_learning_in_the_background_and_steering_by_it_at_once(engine: Engine) -> None:
    with pytest.raises(TillerError, match="no direction 'truth'"):
        engine.settings("chat", "1*truth")
    job = engine.learn("chat")
    views = list(job)
    for measuring in (False, True):
        parts = [view.part for view in views if view.usable == measuring]
        assert parts == sorted(parts)
    ready = next(view for view in views if view.usable)
    assert ready.state == "running"
    assert ready.said.startswith("Ready to steer by; what it does is being measured: 0 %")
    assert len({view.part for view in views}) > 5
    assert any(view.left is not None for view in views)
    assert views[-1] == ended(job) == engine.learning("chat")
    assert (views[-1].state, views[-1].part) == ("done", 1.0)
    assert views[-1].said == "Learnt refusal and truth on chat."
    assert engine.offer("chat") is None
    assert {card.name for card in engine.directions("chat")} == set(KINDS)
    events = list(engine.submit(engine.settings("chat", "1*truth").ask("Hello")))
    assert sum(isinstance(event, Done) for event in events) == 2
    assert not any(isinstance(event, Failed) for event in events)
    tokens = [event for event in events if isinstance(event, Token)]
    assert {name for event in tokens for name in event.reading.projections} == set(KINDS)
    assert all(path.is_relative_to(store.user_folder()) for path in (card.path for card in engine.directions("chat")))


def test_chats_go_first(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    answering = engine.call(lambda worker: worker.answering).result(PATIENCE)
    step, chats = LearningTask.step, []
    monkeypatch.setattr(LearningTask, "step", lambda lesson: (chats.append(len(answering.runs)), step(lesson)))
    with learning_held(0.1):
        job = engine.learn("base")
        wait_for(lambda: job.view.part >= 0.1)
        events = list(engine.submit(engine.settings("chat").ask("Hello")))
        assert sum(isinstance(event, Done) for event in events) == 1
        assert not job.view.over
    assert ended(job).state == "done"
    # The answer came as a whole: no slice of the learning fell into it.
    assert len(chats) > 2
    assert set(chats) == {0}


def test_one_learning_for_all_who_ask(engine: Engine) -> None:
    job = engine.learn("chat")
    assert engine.learn("chat") is job
    other = engine.learn("base")
    assert other is not job
    assert ended(job).state == ended(other).state == "done"
    again = engine.learn("chat")
    assert again is not job
    assert ended(again).said == "Nothing is lacking: chat has its directions."


def test_cancelling_keeps_what_was_found_out(engine: Engine) -> None:
    with learning_held(0.3):
        job = engine.learn("chat")
        wait_for(lambda: job.view.part >= 0.3)
        engine.cancel_learning("chat")
        view = ended(job)
    assert view.state == "cancelled"
    assert "kept for the next time" in view.sentence
    assert engine.offer("chat") is not None
    assert list(store.user_folder().rglob("*.safetensors")) == []
    assert notes()
    again = engine.learn("chat")
    assert ended(again).state == "done"
    assert engine.offer("chat") is None
    # One that waits behind another can be cancelled too.
    with learning_held(0.1):
        first, second = engine.learn("base"), engine.learn("chat", ["truth"])
        second.cancel()
        assert ended(second).state == "cancelled"
        assert not first.view.over
        first.cancel()
        assert ended(first).state == "cancelled"


def test_what_goes_wrong_is_a_sentence_and_chats_go_on(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    full_disk(monkeypatch, lambda path: path.name.startswith("direction."))
    view = ended(engine.learn("chat"))
    assert view.state == "failed"
    assert "No space left on device" in view.sentence
    assert view.said == view.sentence
    assert engine.offer("chat") is not None
    assert list(store.user_folder().rglob("*")) == [] or not list(store.user_folder().rglob("*.safetensors"))
    assert any(isinstance(event, Token) for event in engine.submit(engine.settings("chat").ask("Hello")))
    monkeypatch.undo()


def test_a_fault_is_a_sentence_too(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Iterator[Step]:
        yield Step(1, "Trying.")
        raise RuntimeError("out\nof luck")

    monkeypatch.setitem(
        BUILDERS, "truth", parts.ArtefactBuilder("", lambda *_: False, lambda *_: Cost(tokens=2), broken)
    )  # type: ignore[arg-type]
    view = ended(engine.learn("chat", ["truth"]))
    assert view.state == "failed"
    assert "RuntimeError: out of luck" in view.sentence
    assert "\n" not in view.sentence


def test_closing_ends_a_learning(folder: Path) -> None:
    engine = Engine(str(folder), device="cpu", threads=1)
    engine.start()
    engine.wait_ready(PATIENCE)
    assert engine.learning("chat") is None
    with learning_held(0.1):
        job = engine.learn("chat")
        wait_for(lambda: job.view.part >= 0.1)
        engine.close()
        assert ended(job).state == "cancelled"
    late = engine.learn("base")
    assert ended(late).state == "failed"
    assert "closing" in late.view.sentence


def test_a_chat_takes_the_memory_of_a_learning_and_gives_it_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.models import memory
    from core.models.memory import Room

    one = None

    def tight(_places: object, _limits: object, held: int = 0, _unread: int = 0) -> Room:
        # Room for one checkpoint and a half.
        size = one if one is not None else 10**12
        return Room({"cpu": 10**12}, max(0, size * 3 // 2 - held))

    engine = Engine(str(folder), device="cpu", threads=1)
    engine.start()
    assert engine.wait_ready(PATIENCE).state == "ready"
    one = engine.call(lambda worker: worker.pool._need("chat", "none").size).result(PATIENCE)
    monkeypatch.setattr(memory, "room", tight)
    try:
        with learning_held(0.1):
            job = engine.learn("chat")
            wait_for(lambda: job.view.part >= 0.1)
            settings = engine.settings("base").ask("Hello")
            events = list(engine.submit(settings))
            assert any(isinstance(event, Token) for event in events), events
            assert not job.view.over
        view = ended(job)
        assert view.state == "done", view
        assert engine.call(lambda worker: worker.pool.names).result(PATIENCE) == ("chat",)
    finally:
        engine.close()


def test_an_offers_words() -> None:
    assert Offer("chat", ("truth",), 250.0).sentence == "Learn truth now (about 4 min)"
    assert Offer("chat", ("truth",)).sentence == "Learn truth now"
    assert Offer("chat", KINDS).lacking == "directions for refusal and truth"
    assert (
        JobView("chat", KINDS, 0.25, 61, state="running", sentence="Trying layer 3.").said
        == "25 % · about 1 min left · Trying layer 3."
    )
    assert set(jobs.OFFERED) < set(BUILDERS)


# ------------------------------------------------------------------------------------------------------ the command line


def arguments(folder: Path, *more: str) -> list[str]:
    return ["--family", str(folder), "--device", "cpu", "--threads", "1", *more]


def test_a_dry_run_says_what_it_would_take_and_writes_nothing(
    folder: Path, order: BuildRequest, loaded: Loaded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verb("precompute", arguments(folder, "--dry-run")) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "To load: base, chat."
    assert [line.split(",")[0] for line in said[1:4]] == ["truth", "refusal", "confidence"]
    assert all("on 2 checkpoints" in line and "forward passes" in line and "tokens" in line for line in said[1:4])
    assert said[4].startswith("All of it: about ")
    assert "measured on base" in said[4]
    assert list(store.user_folder().rglob("*")) == []
    assert notes() == []
    # What is there is not counted.
    run_out("truth", order, loaded)
    verb("precompute", arguments(folder, "--dry-run", "--checkpoint", "chat"))
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["chat truth: there already.", "To load: chat."]
    assert said[2].startswith("refusal, on 1 checkpoint:")
    run_out("refusal", order, loaded)
    run_out("confidence", order, loaded)
    verb("precompute", arguments(folder, "--dry-run", "--checkpoint", "chat"))
    assert capsys.readouterr().out.splitlines()[-1] == "Nothing is left to do."


def test_a_dry_run_of_what_is_not_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "far").mkdir()
    text = '[[checkpoint]]\nname = "base"\nhub = "nobody/nothing"\n'
    (tmp_path / "far" / "family.toml").write_text(text)
    assert verb("precompute", arguments(tmp_path / "far", "--dry-run")) == 0
    said = capsys.readouterr().out
    assert "To load: base." in said
    assert "none of these checkpoints is on this machine yet" in said


def test_only_what_was_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verb("precompute", arguments(folder, "--what", "truth", "--checkpoint", "chat")) == 0
    assert [path.name for path in store.user_folder().rglob("*.safetensors")] == ["direction.truth.safetensors"]
    assert verb("precompute", arguments(folder, "--what", "truth", "--checkpoint", "chat")) == 0
    assert capsys.readouterr().out.endswith("chat truth: there already.\n")
    with pytest.raises(
        UsageError, match="--what takes truth, refusal, confidence, noise, recorded, with commas between, not 'blame'"
    ):
        verb("precompute", arguments(folder, "--what", "truth,blame"))


def test_own_examples(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.csv"
    lines = [
        f"Number {index} is {'a number' if label else 'a fruit'}.,{label}" for index in range(16) for label in (0, 1)
    ]
    path.write_text("statement,label\n" + "\n".join(lines) + "\n")
    options = arguments(folder, "--what", "truth", "--checkpoint", "chat", "--contrast", f"truth={path}")
    assert verb("precompute", options) == 0
    card = store.read_card(next(store.user_folder().rglob("direction.truth.safetensors")))
    assert card.details["contrast"]["split"] == "groups, by hash"
    assert card.details["contrast"]["n"] == 16, "sixteen of each, of which four are held out twice"
    assert verb("precompute", options) == 0
    assert "chat truth: there already." in capsys.readouterr().out
    # The family's own examples are others.
    verb("precompute", arguments(folder, "--what", "truth", "--checkpoint", "chat"))
    assert "written to" in capsys.readouterr().out


def test_a_part_that_is_added_is_made_and_planned(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(order: BuildRequest, loaded: Loaded) -> Iterator[Step]:
        yield Step(7, "Mapping.")
        return [f"{order.checkpoint} map: made of {loaded.anatomy.layers} layers"]

    part = parts.ArtefactBuilder("a map", lambda *_: False, lambda *_: Cost(3, 2, 7, 11), run)  # type: ignore[arg-type]
    monkeypatch.setitem(BUILDERS, "map", part)
    assert verb("precompute", arguments(folder, "--what", "map", "--checkpoint", "chat", "--dry-run")) == 0
    assert "map, on 1 checkpoint: 3 prompts in 2 forward passes, 7 tokens" in capsys.readouterr().out
    assert verb("precompute", arguments(folder, "--what", "map", "--checkpoint", "chat")) == 0
    assert capsys.readouterr().out == f"chat map: made of {tiny_models.LAYERS} layers\n"


def test_one_bar_over_everything(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert verb("precompute", arguments(folder)) == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)
    drawn = re.findall(r"\d+ % · [^\r\n]*", plain)
    percents = [int(line.split("%")[0].split()[-1]) for line in drawn]
    assert percents == sorted(percents)
    assert percents[0] == 0
    assert 90 <= percents[-1] <= 100
    assert any("base truth: " in line and "left" in line for line in drawn)
    half = [percent for line, percent in zip(drawn, percents, strict=True) if "base confidence" in line][-1]
    assert 40 < half < 60


def test_an_interrupt_from_the_keyboard_and_the_same_command_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = folder.parent / "interrupted"
    shutil.copytree(folder, other)
    keep, kept = ResumeNotes.keep, []

    def pull_the_plug(self: ResumeNotes, name: str, note: dict[str, object]) -> None:
        keep(self, name, note)
        kept.append(name)
        if name == "layer.2":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ResumeNotes, "keep", pull_the_plug)
        with pytest.raises(KeyboardInterrupt):
            verb("precompute", arguments(other, "--checkpoint", "chat"))
    before = len(kept)
    monkeypatch.setattr(ResumeNotes, "keep", lambda self, name, note: (keep(self, name, note), kept.append(name)))
    assert verb("precompute", arguments(other, "--checkpoint", "chat", "--what", "truth")) == 0
    assert "plain" not in kept[before:]
    assert "layer.1" not in kept[before:]
    assert "layer.3" in kept[before:]
    assert notes() == []


def test_what_was_learnt_quickly_is_measured_when_it_is_asked_for(engine: Engine) -> None:
    family = engine.family
    loaded = loading.load_model(family, "base", Placing("cpu"))
    for kind in KINDS:
        run_out(kind, BuildRequest(family, "base", store.user_folder(), effort=QUICK), loaded)
    # Quick tries a handful of places; with the time of confidence's first round it once took the first one.
    tried = [re.findall(r"\((\d+) of \d+ layers", card.details["criterion"]) for card in engine.directions("base")]
    assert tried == [[str(2 + BESIDE)], []], "two tokens of one layer, and what is beside the best"
    offer = engine.offer("base")
    assert offer is not None
    assert (offer.sentence, offer.lacking) == (
        "Measure what refusal and truth do",
        "whole measurement of refusal and truth",
    )
    views = list(engine.learn("base"))
    assert views[-1].state == "done"
    assert {card.details["effort"] for card in engine.directions("base")} == {"measured"}
    assert views[-1].written >= len(KINDS) * 2
    assert engine.offer("base") is None
