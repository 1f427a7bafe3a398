"""What fits into memory and in what order: plans, limits, eviction, turns, and loading that is cancelled."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from core.chat.events import Done, Event, Failed, RecipeChanged, Started, Status, Token
from core.chat.settings import Column, Sampling, Settings
from core.cli import chat as cli
from core.cli.options import ChatOptions
from core.engine.engine import Engine
from core.engine.run import Run
from core.families import registry
from core.families.checkpoint import FamilyRef
from core.models import loading, memory, placement, weight_swap
from core.models.account import MemoryAccount
from core.models.files import LoadError, LoadingCancelled, Progress
from core.models.memory import MemoryTextError, Room
from core.models.placement import DoesNotFit, Need, Placing, Plan
from core.models.pool import ModelPool, NoRoomNow
from core.recipes.language import parse
from tests.support import tiny_models
from tests.support.waiting import PATIENCE, answers_held, wait_for
from tui.widgets.header import Header

#: What a checkpoint of the tiny Llama takes in float32, in 8 and in 4 bit, as test_quantized.py measures it.
WHOLE, EIGHT, FOUR = 230_528, 82_496, 91_232


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.family(tmp_path_factory.mktemp("pool") / "toy", "llama", ("base", "sft", "dpo", "chat"))


@pytest.fixture
def shelf_of(folder: Path) -> Callable[..., ModelPool]:
    def make(limit: str = "", **options: object) -> ModelPool:
        return ModelPool(FamilyRef(registry.load_family(str(folder))), Placing("cpu", max_memory=limit), **options)  # type: ignore[arg-type]

    return make


# ---------------------------------------------------------------------------------------------------------------- amounts


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("20GB", {"": 20 * 10**9}),
        ("1.5 GiB", {"": 3 * 2**29}),
        ("500", {"": 500}),
        ("0:20GB,cpu:30gb", {"cuda:0": 20 * 10**9, "cpu": 30 * 10**9}),
        ("cuda:1:8M", {"cuda:1": 8 * 10**6}),
    ],
)
def test_amounts_are_read(text: str, found: dict[str, int]) -> None:
    assert memory.parse_memory(text) == found


@pytest.mark.parametrize("text", ["much", "20XB", "-3GB", "0:", "gpu:20GB", "20GB 30", "1e9"])
def test_what_is_no_amount_is_said(text: str) -> None:
    with pytest.raises(MemoryTextError, match="is no amount of memory; write 20GB, or 0:20GB,cpu:30GB"):
        memory.parse_memory(text)


def test_one_limit_among_several_needs_its_device() -> None:
    with pytest.raises(MemoryTextError, match="without naming it"):
        memory.parse_memory("20GB,cpu:30GB")


def test_free_memory_is_the_least_of_the_machines_and_the_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10**12))
    assert memory.free_cpu() <= 10**12
    for name, text in (("max", "100000000"), ("current", "70000000"), ("stat", "anon 1\ninactive_file 20000000\n")):
        (tmp_path / f"memory.{name}").write_text(text)
    (tmp_path / "memory").mkdir()
    for name, text in (
        ("limit_in_bytes", "80000000"),
        ("usage_in_bytes", "70000000"),
        ("stat", "total_inactive_file 5\n"),
    ):
        (tmp_path / "memory" / f"memory.{name}").write_text(text)
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    lines = Path("/proc/self/cgroup").read_text() if Path("/proc/self/cgroup").exists() else ""
    expected = [50_000_000] * ("0::" in lines) + [10_000_005] * (":memory:" in lines)
    assert memory.free_cpu() == min([10**12, *expected])


def test_room_is_what_is_free_less_some_to_work_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_free", {"cuda:0": 24 * 10**9, "cpu": 10**9}.__getitem__)
    assert memory.room(("cuda:0",), {}).usable == 23 * 10**9
    assert memory.room(("cpu",), {}).usable == 9 * 10**8
    assert memory.room(("cuda:0",), {"": 20 * 10**9}).usable == 20 * 10**9
    assert memory.room(("cuda:0",), {"": 20 * 10**9}, held=15 * 10**9).usable == 5 * 10**9
    both = memory.room(("cuda:0", "cpu"), {"cuda:0": 2 * 10**9, "cpu": 30 * 10**9})
    assert (both.usable, both.where) == (239 * 10**8, "cuda:0 + cpu")


# ------------------------------------------------------------------------------------------------------------------ plans


def need(name: str, size: float, quantize: str = "4bit") -> Need:
    return Need(name, quantize, "bfloat16", int(size * 10**9))


def test_a_plan_reads_as_a_sentence() -> None:
    there = Room({"cuda:0": 22_100_000_000}, 21_100_000_000)
    assert str(Plan((need("base", 5.6), need("post", 5.6)), there)) == (
        "base 4-bit 5.6 GB + post 4-bit 5.6 GB on cuda:0, 22.1 GB free"
    )
    four = Plan(tuple(need(name, 5.6) for name in ("base", "sft", "dpo", "final")), there)
    assert str(four).endswith("22.1 GB free; they take turns, 3 at a time")
    assert four.large
    assert not Plan((need("base", 0.1, "none"),), there).large


def make(usable: float, quantize: str, sizes: dict[str, float]) -> Plan:
    family = registry.load_family("skiff")
    there = Room({"cuda:0": int(usable * 10**9)}, int(usable * 10**9))
    return placement.make(family, ["base", "dpo"], there, lambda name, how: need(name, sizes[how], how), quantize)


def test_what_does_not_fit_is_refused_with_what_does() -> None:
    sizes = {"none": 16.1, "8bit": 9.1, "4bit": 5.6}
    assert make(40, "none", sizes).at_once == 2
    assert make(17, "none", sizes).at_once == 1
    with pytest.raises(DoesNotFit) as caught:
        make(8, "none", sizes)
    assert str(caught.value) == (
        "base does not fit: it needs 16.1 GB in bfloat16, and 8.0 GB can be used on cuda:0; use --quantize 4bit, which needs 5.6 GB."
    )
    with pytest.raises(DoesNotFit, match=r"use --quantize 8bit, which needs 9\.1 GB"):
        make(10, "none", sizes)
    with pytest.raises(DoesNotFit, match=r"a smaller family than Skiff: even --quantize 4bit needs 5\.6 GB"):
        make(2, "8bit", sizes)


def test_a_checkpoint_that_does_not_fit_is_not_loaded(folder: Path) -> None:
    with pytest.raises(DoesNotFit, match="does not fit: it needs 231 kB in float32, and 100 kB can be used on cpu"):
        loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu", max_memory="100KB"))


def test_a_checkpoint_is_spread_over_what_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which device gets what, as it is asked of accelerate; that it does so on GPUs has not been run."""
    monkeypatch.setattr(loading, "pick_device", torch.device)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert loading.places("cuda", "") == loading.places("cuda", "20GB") == ("cuda:0", "cuda:1")
    assert loading.places("cuda", "1:8GB,cpu:30GB") == ("cuda:1", "cpu")
    assert loading.places("cuda:1", "") == ("cuda:1",)
    assert loading.places("cpu", "0:8GB") == ("cpu",)
    gpu, room = torch.device("cuda"), Room({"cuda:0": 24, "cuda:1": 20, "cpu": 90}, 100)
    spread = ("cuda:0", "cuda:1", "cpu")
    limits = {"cuda:0": 10, "cpu": 30}
    assert loading._map(gpu, spread, room, limits, "none") == {
        "device_map": "sequential", "max_memory": {0: 10, 1: 20, "cpu": 30},
    }  # fmt: skip
    with pytest.raises(LoadError, match="not split between a GPU and the CPU; leave cpu out of --max-memory"):
        loading._map(gpu, spread, room, limits, "4bit")
    one = ("cuda:1",)
    assert loading._map(torch.device("cuda:1"), one, room, {}, "4bit") == {"device_map": {"": "cuda:1"}}
    assert loading._map(torch.device("cpu"), ("cpu",), room, {}, "none") == {}
    with pytest.raises(
        LoadError, match="A Mac's GPU does not run quantized models; use --quantize none or --device cpu"
    ):
        loading._map(torch.device("mps"), ("mps",), room, {}, "8bit")


def test_an_unknown_dtype_is_named(folder: Path) -> None:
    with pytest.raises(LoadError, match="no dtype 'int3'; use auto, float32, bfloat16, float16"):
        loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu", "int3"))


# ------------------------------------------------------------------------------------------------------------------ pool


def test_all_are_kept_while_there_is_room(shelf_of: Callable[..., ModelPool]) -> None:
    pool = shelf_of()
    first = pool.get("base")
    pool.get("chat")
    assert pool.get("base") is first
    assert pool.names == ("chat", "base")


def test_the_longest_unused_is_given_up_and_its_memory_is_free(shelf_of: Callable[..., ModelPool]) -> None:
    pool = shelf_of("500KB")
    weights = weakref.ref(pool.get("base").model)
    pool.get("sft")
    pool.get("base")
    pool.get("dpo")
    assert pool.names == ("base", "dpo")
    pool.get("chat")
    assert pool.names == ("dpo", "chat")
    gc.collect()
    assert weights() is None


def test_what_is_in_use_is_never_given_up(shelf_of: Callable[..., ModelPool]) -> None:
    busy = {"base", "sft"}
    pool = shelf_of("500KB", busy=lambda: busy)
    pool.get("base")
    pool.get("sft")
    with pytest.raises(NoRoomNow, match="chat needs 231 kB, and what is answering now leaves 39 kB; wait for it"):
        pool.get("chat")
    assert pool.names == ("base", "sft")
    busy.discard("sft")
    pool.get("chat")
    assert pool.names == ("base", "chat")
    busy.clear()
    with pool.held("base"):
        pool.get("sft")
        assert pool.names == ("base", "sft")
        with pool.held("sft"), pytest.raises(NoRoomNow):
            pool.get("dpo")


def test_pools_of_one_account_share_its_limit_and_take_what_idles(shelf_of: Callable[..., ModelPool]) -> None:
    account, busy = MemoryAccount("500KB"), set[str]()
    first, second = (shelf_of(account=account, busy=lambda: busy) for _ in range(2))
    first.get("base")
    weights = weakref.ref(first.get("sft").model)
    assert account.size == 2 * WHOLE
    # What was taken in this turn may be in use by whoever took it.
    with pytest.raises(NoRoomNow, match="chat needs 231 kB, and what is answering now leaves 39 kB; wait for it"):
        second.get("chat")
    busy.add("base")
    first.settle()
    second.get("chat")
    assert (first.names, second.names, account.size) == (("base",), ("chat",), 2 * WHOLE)
    assert weights() is None
    busy.clear()
    # Another family's is given up before one's own; what is held is not.
    first.settle()
    second.get("dpo")
    assert (first.names, second.names) == ((), ("chat", "dpo"))
    second.settle()
    with first.held("base"):
        assert second.names == ("dpo",)
        first.settle()
        second.get("sft")
        assert (first.names, second.names) == (("base",), ("sft",))
    del first
    gc.collect()
    assert account.size == WHOLE


def test_what_is_being_loaded_counts_before_it_is_there(shelf_of: Callable[..., ModelPool]) -> None:
    account, seen = MemoryAccount(), list[tuple[int, int]]()
    pool = shelf_of(account=account, say=lambda *_: seen.append((account.size, account.unread)))
    pool.get("chat")
    assert {size for size, _ in seen} == {WHOLE}
    unread = [rest for _, rest in seen]
    assert unread[0] == WHOLE
    assert unread == sorted(unread, reverse=True)
    assert unread[-1] == account.unread == 0
    with pytest.raises(LoadingCancelled):
        pool.get("base", wanted=lambda: False)
    assert (account.size, account.unread) == (WHOLE, 0)


def test_memory_that_others_take_is_not_counted_on(
    shelf_of: Callable[..., ModelPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = shelf_of()
    pool.get("base")
    monkeypatch.setattr(memory, "_free", lambda _place: 300_000 - 200_000 * ("base" in pool.names))
    pool.get("sft")
    assert pool.names == ("sft",)
    monkeypatch.setattr(memory, "_free", lambda _place: 1_000)
    with pytest.raises(DoesNotFit, match="dpo does not fit"):
        pool.get("dpo")


def test_loading_ends_when_nobody_wants_it(shelf_of: Callable[..., ModelPool]) -> None:
    said: list[tuple[str, float | None]] = []
    pool = shelf_of(say=lambda sentence, part: said.append((sentence, part)))
    with pytest.raises(LoadingCancelled, match="Loading Tiny chat was cancelled; send a message to load it after all"):
        pool.get("chat", wanted=lambda: len(said) < 4)
    assert pool.names == ()
    assert len(said) == 4
    pool.get("chat")
    assert said[0] == ("Looking for the files of Tiny chat.", None)
    assert said[-1] == ("Setting Tiny chat up.", None), "no 100 % that stands for a while"


def test_nothing_of_a_cancelled_load_stays(shelf_of: Callable[..., ModelPool], monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[weakref.ref[object]] = []
    import core.models.weights

    before = core.models.weights._read
    monkeypatch.setattr(core.models.weights, "_read", lambda stored: _seen(before(stored), read))
    pool = shelf_of()
    with pytest.raises(LoadingCancelled):
        pool.get("chat", wanted=lambda: len(read) < 10)
    assert len(read) >= 10
    wait_for(lambda: not any(each() is not None for each in read), "the end of what was read")


def _seen(tensor: object, read: list[weakref.ref[object]]) -> object:
    read.append(weakref.ref(tensor))
    return tensor


def test_a_download_says_how_far_it_is(shelf_of: Callable[..., ModelPool], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, float | None]] = []
    pool = shelf_of(say=lambda sentence, part: said.append((sentence, part)))
    monkeypatch.setattr(
        loading, "load_model", lambda *_family, watch, **_how: watch(Progress(12 * 10**8, 56 * 10**8, 0, 0))
    )
    pool.get("chat")
    assert said[-1] == ("Downloading Tiny chat: 1.2 GB of 5.6 GB.", pytest.approx(12 / 56))
    monkeypatch.setattr(loading, "load_model", lambda *_family, watch, **_how: watch(Progress(1, 4, 2, 3)))
    pool.get("sft")
    assert said[-1] == ("Loading Tiny sft: shard 2 of 3.", 0.25)


# ----------------------------------------------------------------------------------------------------------------- engine


def opened(folder: Path, **options: str) -> Engine:
    made = Engine(str(folder), device="cpu", threads=1, **options)  # type: ignore[arg-type]
    made.start()
    made.wait_ready(PATIENCE)
    return made


@pytest.fixture
def engines() -> Iterator[list[Engine]]:
    made: list[Engine] = []
    yield made
    for each in made:
        each.close()


def chat(*names: str, tokens: int = 4) -> Settings:
    made = Settings("toy", tuple(Column(name) for name in names), sampling=Sampling(max_new_tokens=tokens))
    return made.ask("What is the capital of France?")


def until_end(run: Run) -> list[Event]:
    events: list[Event] = []

    def over() -> bool:
        events.extend(run.poll(0.1))
        return run.finished

    wait_for(over, "the end of a run")
    return events


def test_checkpoints_that_do_not_fit_together_answer_in_turn(folder: Path, engines: list[Engine]) -> None:
    wide, narrow = opened(folder), opened(folder, max_memory="500KB")
    engines += [wide, narrow]
    assert narrow.status.plan.startswith(
        "base fp32 231 kB + sft fp32 231 kB + dpo fp32 231 kB + chat fp32 231 kB on cpu, "
    )
    assert narrow.status.plan.endswith("free; they take turns, 2 at a time")
    assert wide.status.plan == ""
    settings = chat("base", "sft", "dpo", "chat")
    found = [until_end(engine.submit(settings)) for engine in (wide, narrow)]
    said = [
        {column: [e.id for e in events if isinstance(e, Token) and e.column == column] for column in range(4)}
        for events in found
    ]
    assert said[0] == said[1]
    assert sum(isinstance(event, Done) for event in found[1]) == 4
    notes = {event.column: event.note for event in found[1] if isinstance(event, Started)}
    assert notes[0] == notes[1] == ""
    assert "they answer in turn" in notes[2]
    ends = [index for index, event in enumerate(found[1]) if isinstance(event, Done) and event.column < 2]
    starts = [index for index, event in enumerate(found[1]) if isinstance(event, Started) and event.column >= 2]
    assert max(ends) < min(starts)


def test_engines_of_one_account_take_turns_and_answer_as_alone(
    folder: Path, engines: list[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.models.pool._LET_GO", PATIENCE)
    account = MemoryAccount("350KB")
    for _ in range(2):
        made = Engine(str(folder), device="cpu", threads=1, max_memory="350KB", account=account)
        engines.append(made)
        made.start()
        assert made.wait_ready(PATIENCE).state == "ready"
    said = []
    for engine in (*engines, *engines, *engines):
        events = until_end(engine.submit(chat("chat")))
        assert not [event for event in events if isinstance(event, Failed)]
        said.append([event.id for event in events if isinstance(event, Token)])
        assert account.size == WHOLE
        use = engine.memory_use
        assert use is not None
        assert use.held == WHOLE
        weights = engine.call(lambda worker: weakref.ref(worker.pool.get("chat").model)).result()
        other = next(each for each in engines if each is not engine)
        other.call(lambda worker: worker.load("chat").quantize).result()
        assert weights() is None, "nothing of the other engine's holds it"
    assert said == [said[0]] * len(said)


def test_an_answer_keeps_its_checkpoint_while_another_engine_lacks_room(folder: Path, engines: list[Engine]) -> None:
    account = MemoryAccount("350KB")
    first, second = (Engine(str(folder), device="cpu", threads=1, max_memory="350KB", account=account) for _ in "ab")
    engines += [first, second]
    first.start()
    first.wait_ready(PATIENCE)
    with answers_held(3):
        run = first.submit(chat("chat", tokens=20))
        wait_for(lambda: any(isinstance(event, Started) for event in run.poll(0.1)), "the first word of it")
        second.start()
        assert second.wait_ready(PATIENCE).detail == (
            "chat needs 231 kB, and what is answering now leaves 119 kB; wait for it."
        )
        assert account.size == WHOLE
    assert [event.reason for event in until_end(run) if isinstance(event, Done)] == ["length"]


def test_two_people_with_different_checkpoints_take_turns(folder: Path, engines: list[Engine]) -> None:
    engine = opened(folder, max_memory="250KB")
    engines.append(engine)
    runs = [engine.submit(chat(name, tokens=40)) for name in ("base", "sft", "chat")]
    for run in runs:
        events = until_end(run)
        assert not [event for event in events if isinstance(event, Failed)]
        assert [event.column for event in events if isinstance(event, Done)] == [0]


def test_a_column_that_waits_is_steered_and_stopped_like_any_other(folder: Path, engines: list[Engine]) -> None:
    engine = opened(folder, max_memory="250KB")
    engines.append(engine)
    events: list[Event] = []

    def came(kind: type[Event]) -> bool:
        events.extend(run.poll(0.1))
        return any(isinstance(event, kind) for event in events)

    with answers_held(9):
        run = engine.submit(chat("base", "chat", tokens=200))
        wait_for(lambda: came(Token))
        run.set_recipe(1, parse(""))
        wait_for(lambda: came(RecipeChanged))
        run.cancel()
        events += until_end(run)
    assert {event.column for event in events if isinstance(event, Done) and event.reason == "stopped"} == {0, 1}


class Gate:
    """Weights are read while it is open; closed, it lets a few tensors through."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import core.models.weights

        self._before, self._open, self._through = core.models.weights._read, threading.Event(), 0
        self.open()
        monkeypatch.setattr(core.models.weights, "_read", self._read)

    def open(self) -> None:
        self._open.set()

    def close(self) -> None:
        self._through = 0
        self._open.clear()

    def _read(self, stored: object) -> object:
        self._through += 1
        if self._through > 3:
            assert self._open.wait(PATIENCE)
        return self._before(stored)  # type: ignore[arg-type]


def loading_now(engine: Engine) -> Status:
    def loads() -> bool:
        return engine.status.state == "loading" and engine.status.progress is not None

    wait_for(loads, "the loading")
    return engine.status


def test_the_first_load_can_be_cancelled_and_a_message_loads_after_all(
    folder: Path, engines: list[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    gate.close()
    engine = Engine(str(folder), device="cpu", threads=1, quantize="8bit")
    engines.append(engine)
    engine.cancel_loading()
    engine.start()
    status = loading_now(engine)
    assert status.plan.startswith("base 8-bit 82 kB + ")
    engine.cancel_loading()
    gate.open()
    ready = engine.wait_ready(PATIENCE)
    assert (ready.state, ready.detail) == (
        "ready", "Loading Tiny chat was cancelled; send a message to load it after all.",
    )  # fmt: skip
    assert [event.reason for event in until_end(engine.submit(chat("chat"))) if isinstance(event, Done)]
    assert engine.status.detail == "Ready."


def test_stopping_a_run_or_loading_ends_what_it_waits_for(
    folder: Path, engines: list[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    engine = opened(folder)
    engines.append(engine)
    gate.close()
    stopped = engine.submit(chat("base"))
    loading_now(engine)
    stopped.cancel()
    gate.open()
    assert [(event.column, event.reason) for event in until_end(stopped) if isinstance(event, Done)] == [(0, "stopped")]
    # Else what is said of the first loading would be taken for the second one's.
    wait_for(lambda: engine.status.state == "ready", "the end of the first loading")
    gate.close()
    cancelled = engine.submit(chat("sft"))
    loading_now(engine)
    engine.cancel_loading()
    gate.open()
    (failure,) = until_end(cancelled)
    assert failure == Failed("Loading Tiny sft was cancelled; send a message to load it after all.")
    assert until_end(engine.submit(replace(chat("sft"), selected=0)))[-1].reason  # type: ignore[union-attr]


def test_the_command_line_says_the_plan_and_the_terminal_the_progress(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ChatOptions(
        str(folder), message="Hello", max_tokens=2, device="cpu", threads=1, quantize="8bit", max_memory="2GB"
    )
    cli.run_chat(options)
    assert capsys.readouterr().err.startswith(
        "base 8-bit 82 kB + sft 8-bit 82 kB + dpo 8-bit 82 kB + chat 8-bit 82 kB on cpu, "
    )
    header = Header()
    header.status = Status("loading", "Loading Tiny chat: shard 2 of 4.", 0.43)
    assert header.sentence() == "Loading Tiny chat: shard 2 of 4 43 %"
    header.status = Status(
        "ready", "Loading Tiny chat was cancelled; send a message to load it after all.", None, 9.0, "cpu"
    )
    assert header.sentence() == "Loading Tiny chat was cancelled; send a message to load it after all."
    header.status = Status("ready", "Ready.", None, 9.0, "cpu", 2, "a plan")
    assert header.sentence() == "ready · cpu · 2 threads · 9 tok/s"
    # What is slow is not nothing.
    header.status = Status("ready", "Ready.", None, 0.34, "cpu", 2, "a plan")
    assert header.sentence() == "ready · cpu · 2 threads · 0.34 tok/s"


def test_a_family_that_never_fits_says_so_at_once(folder: Path, engines: list[Engine]) -> None:
    engine = opened(folder, max_memory="85KB")
    engines.append(engine)
    assert engine.status.state == "failed"
    assert "use --quantize 8bit, which needs 82 kB" in engine.status.detail


# -------------------------------------------------------------------- quantized: one checkpoint that becomes the others


def quantized(folder: Path, limit: str = "", **options: object) -> ModelPool:
    return ModelPool(
        FamilyRef(registry.load_family(str(folder))), Placing("cpu", quantize="8bit", max_memory=limit), **options
    )  # type: ignore[arg-type]


@torch.inference_mode()
def test_what_makes_a_quantized_checkpoint_another_is_read_once(folder: Path) -> None:
    pool, ids = quantized(folder), torch.tensor([[0, 40, 41, 42]])
    own = pool.get("chat").model(ids).logits
    # A slice for every matrix, so that a chat goes on meanwhile.
    assert len(list(pool.prepare("chat", "dpo"))) > 7 * tiny_models.LAYERS
    assert list(pool.prepare("chat", "dpo")) == []
    # Without its last stage a checkpoint is its parent, of which all is known.
    assert list(pool.prepare("chat", "chat-minus-chat")) == []
    assert list(pool.prepare("chat", "chat")) == []
    found = {}
    for name in ("dpo", "chat-minus-chat", "sft"):
        with pool.swapped("chat", name) as other:
            assert other.checkpoint.name == name
            found[name] = other.model(ids).logits
        with weight_swap.swapped_weights(
            loading.load_model(pool.family, "chat", Placing("cpu", quantize="8bit")), name
        ) as other:
            assert torch.equal(found[name], other.model(ids).logits)
        assert torch.equal(pool.get("chat").model(ids).logits, own)
    assert torch.equal(found["dpo"], found["chat-minus-chat"])
    assert not torch.equal(found["dpo"], found["sft"])
    pool.drop("chat")
    assert len(list(pool.prepare("chat", "dpo"))) > 7 * tiny_models.LAYERS


def test_there_is_room_for_what_is_in_use_first(folder: Path) -> None:
    # Two checkpoints and one difference: the second difference takes the place of the first, a third checkpoint takes all there is.
    pool = quantized(folder, f"{3 * EIGHT}")
    pool.get("base")
    for name in ("dpo", "sft", "dpo"):
        assert list(pool.prepare("chat", name))
    assert pool.names == ("base", "chat")
    pool.get("sft")
    assert list(pool.prepare("chat", "dpo"))
    assert pool.names == ("sft", "chat")


def test_a_difference_that_does_not_fit_is_a_sentence(folder: Path) -> None:
    with pytest.raises(
        DoesNotFit, match=r"Asking dpo beside chat needs 82 kB, and \d+ kB can be used on cpu; free some memory or"
    ):
        list(quantized(folder, f"{EIGHT + EIGHT // 2}").prepare("chat", "dpo"))
    pool = quantized(folder, f"{5 * EIGHT // 2}", busy=lambda: ("base",))
    pool.get("base")
    with pytest.raises(NoRoomNow, match="Asking dpo beside chat needs 82 kB, and what is answering now leaves"):
        list(pool.prepare("chat", "dpo"))


def test_reading_a_difference_can_be_given_up(folder: Path) -> None:
    pool = quantized(folder, f"{2 * EIGHT}")
    work = pool.prepare("chat", "dpo")
    next(work)
    work.close()
    # Nothing of it is left to take room.
    assert list(pool.prepare("chat", "sft"))
