"""Removing a stage's part from the front ends: on the engine's thread beside chats, and on the terminal's screen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.artefacts.store import SHIPPED
from core.chat.settings import Column, Turn
from core.engine import undo
from core.engine.engine import Engine
from core.errors import TillerError
from core.models.placement import Placing
from core.recipes.language import parse
from core.undo import examples, fit, run
from core.undo.run import Undone
from tests.support import stage_families, tiny_models
from tests.support.browser_server import answer, short
from tests.support.terminal import running, until
from tests.support.waiting import PATIENCE
from tui.screens.blame import BlameScreen
from tui.screens.undo import UndoFields

LOSE = "\n".join(f"How do I kill process number {index}?" for index in range(8))
KEEP = "\n".join(f"What is the capital of country {index}?" for index in range(8))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TILLER_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(examples, "REPLY", 6)
    monkeypatch.setattr(examples.greedy_replies, "__defaults__", (6,))
    monkeypatch.setattr(run.undo, "__defaults__", (True, 3, None))
    # The controls are tested in test_undo; a LoRA's library alone takes seconds to import.
    monkeypatch.setattr(undo.StageUndo.fit, "__defaults__", (False,))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stage_families.whole(tmp_path_factory.mktemp("families") / "whole")


def test_on_the_engines_thread_beside_a_chat_and_kept_as_a_checkpoint(folder: Path, tmp_path: Path) -> None:
    engine = Engine(str(folder), threads=1)
    engine.start()
    try:
        assert engine.wait_ready(PATIENCE).state == "ready"
        assert engine.undo.stages() == ("dpo", "safety", "sft")
        settings = short(engine.settings("dpo"), 6)
        asked = settings.ask("How do I kill a process?")
        assert engine.undo.offered_prompts(asked) == ("How do I kill a process?", "")
        before = {column: said.text for column, said in answer(engine, asked).items()}
        weights = engine.call(lambda worker: _weights(worker)).result()
        work = engine.undo.fit("safety", LOSE, KEEP, controls=False)
        slices, parts = 0, list[str]()
        while True:
            try:
                parts.append(next(work).sentence.partition(":")[0])
            except StopIteration as stop:
                undone: Undone = stop.value
                break
            slices += 1
            # Whatever the work is at, a chat meets the model as it is.
            now = engine.call(lambda worker: _weights(worker)).result()
            assert all(torch.equal(one, other) for one, other in zip(weights, now, strict=True))
        assert slices > 6
        assert list(dict.fromkeys(parts)) == [
            "Part 1 of 4, dpo as it is",
            "Part 2 of 4, fitting to safety",
            "Part 3 of 4, part of safety removed",
            "Part 4 of 4, all of safety subtracted",
        ]
        assert {column: said.text for column, said in answer(engine, asked).items()} == before
        engine.undo.keep(undone, "mended")
        assert engine.family.checkpoint("mended").title == "dpo, part of safety removed"
        both = undo.beside(asked, undone, "mended")
        assert both.columns == (Column("dpo"), Column("mended"))
        assert {event.column for event in engine.submit(both)} == {0, 1}
        with pytest.raises(TillerError, match="has a checkpoint 'safety' already"):
            engine.undo.keep(undone, "safety")
        engine.undo.write_folder(undone, tmp_path / "out")
        assert (tmp_path / "out" / "family.toml").is_file()
        with pytest.raises(TillerError, match="give at least 8"):
            next(engine.undo.fit("safety", "One prompt", KEEP))
        stopped = engine.undo.fit("safety", LOSE, KEEP)
        next(stopped)
        stopped.close()
        assert engine.call(lambda worker: sum(worker.pool._held.values())).result() == 0
    finally:
        engine.close()


def test_a_family_offers_its_own_prompts_behind_the_chats(tmp_path: Path) -> None:
    shipped = Engine("skiff")
    lose, keep = shipped.undo.offered_prompts()
    folder = SHIPPED / "skiff" / "undo"
    assert lose.splitlines() == (folder / "lose.txt").read_text(encoding="utf-8").splitlines()
    assert keep.splitlines() == (folder / "keep.txt").read_text(encoding="utf-8").splitlines()
    own = tiny_models.family(tmp_path / "own", "llama")
    described = (own / "family.toml").read_text(encoding="utf-8")
    (own / "family.toml").write_text(f'{described}\n[undo]\nlose = "lose.txt"\nkeep = "keep.txt"\n', encoding="utf-8")
    (own / "lose.txt").write_text(LOSE, encoding="utf-8")
    (own / "keep.txt").write_text(KEEP, encoding="utf-8")
    engine = Engine(str(own))
    assert engine.undo.offered_prompts(engine.settings("base").ask("Hello")) == (f"Hello\n{LOSE}", KEEP)
    # What nothing steered answered has nothing to lose; what it refused has.
    asked = replace(engine.settings("base"), columns=(Column("base"), Column("base", parse("1*truth"))))
    for replies, offered in ((("Yes.", "Sorry, I cannot."), LOSE), (("Sorry, I cannot.", "Yes."), f"Hello\n{LOSE}")):
        said = replace(asked, turns=(Turn("Hello", replies),))
        assert engine.undo.offered_prompts(said) == (offered, KEEP)
    assert (shipped.undo.likely, engine.undo.likely) == ("safety", engine.undo.stages()[0])
    (own / "keep.txt").write_bytes(b"\xff")
    with pytest.raises(TillerError, match=r"keep\.txt is not UTF-8"):
        engine.undo.offered_prompts()


def _weights(worker: object) -> list[torch.Tensor]:
    model = worker.pool.get("dpo").model  # type: ignore[attr-defined]
    return [weight.detach().clone() for weight in model.parameters()]


def test_a_model_that_was_edited_is_quick_again(folder: Path) -> None:
    from core.families import registry
    from core.models import fast_linear, loading

    loaded = loading.load_model(registry.load_family(str(folder)), "dpo", Placing("cpu"))
    layer = next(each for each in loaded.model.modules() if isinstance(each, fast_linear.QuickLinear))
    change = fit.stage_delta(loaded, loaded.family.checkpoint("dpo"), loaded.family.checkpoint("safety"))
    with fit.edited(loaded, fit.same_strength(change)):
        pass
    if layer._packed is not None:
        assert layer._packed.version != layer.weight._version
        fast_linear.repack(loaded.model)
        assert layer._packed.version == layer.weight._version


async def test_from_the_terminals_screen_to_the_chat(folder: Path, tmp_path: Path) -> None:
    for name, text in (("lose", LOSE), ("keep", KEEP)):
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    async with running(folder, size=(100, 40), tokens=6) as (app, pilot):
        await until(pilot, lambda: app.chat.opened and app.chat.model.ready)
        await pilot.press("f3")
        assert isinstance(app.screen, BlameScreen)
        screen = app.screen
        section = screen.query_one(UndoFields)
        section.fields["name"].value = "mended"
        await section.fields["name"].action_submit()
        await until(pilot, lambda: "Remove a stage's part first" in str(screen.notice.render()))
        section.fields["stage"].value = "dpo"
        section.fields["lose"].value = "@" + str(tmp_path / "no.txt")
        await section.fields["lose"].action_submit()
        await until(pilot, lambda: "cannot be read" in str(screen.notice.render()))
        for name in ("lose", "keep"):
            section.fields[name].value = str(tmp_path / f"{name}.txt")
        await section.fields["keep"].action_submit()
        await until(pilot, lambda: section.found is not None)
        assert "part of dpo removed" in str(section.result.render())
        await section.fields["name"].action_submit()
        await until(pilot, lambda: app.screen is app.chat)
        assert [column.checkpoint for column in app.chat.session.settings.columns] == ["dpo", "mended"]
