"""Families put together on the command line: found again by name, adapters recognised, every mistake a sentence."""

from __future__ import annotations

import importlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import errors
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from core.artefacts import store
from core.chat.settings import Settings
from core.cli.options import Options
from core.cli.runner import run_verb
from core.engine.engine import Engine
from core.errors import UsageError
from core.families import registry
from core.families.checkpoint import TEMPLATES, Family, FamilyError, Source
from core.models import adhoc_family, loading
from core.models.placement import Placing
from tests.support import tiny_models
from tests.support.command import read

#: The library that the Hub's client speaks to the network through.
http: Any = importlib.import_module(errors.HfHubHTTPError.__mro__[1].__module__.partition(".")[0])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the whole models ``base``, ``sft`` and ``post``, and the adapter ``lora`` of ``base``."""
    folder = tiny_models.family(tmp_path_factory.mktemp("models"), "llama", ("base", "sft", "post"))
    bare = AutoModelForCausalLM.from_pretrained(folder / "base")
    get_peft_model(bare, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(folder / "lora")
    (folder / "family.toml").unlink()
    return folder


def options(models: Path, **names: str) -> Options:
    stages = tuple((name, str(models / text)) for name, text in names.items() if name not in ("base", "post"))
    return Options(base=str(models / names["base"]), post=str(models / names["post"]), stages=stages)


def named(options: Options) -> str:
    return adhoc_family.put_together(options.base, options.stages, options.post)


def together(models: Path, **names: str) -> Family:
    return registry.load_family(named(options(models, **names)))


def test_a_base_a_stage_and_a_post(models: Path) -> None:
    family = together(models, base="base", sft="sft", post="post")
    assert [each.name for each in family.path("post")] == ["base", "sft", "post"]
    assert [Path(each.source) for each in family.checkpoints] == [models / "base", models / "sft", models / "post"]
    assert [(each.stage, each.letter) for each in family.checkpoints] == [
        ("pretrain", "B"),
        ("sft", "S"),
        ("post", "P"),
    ]
    assert family.title == "post"
    assert family.name.startswith("pair-post-")
    assert loading.load_model(family, "post", Placing("cpu")).tokenizer.chat_template == tiny_models.CHAT
    base = loading.load_model(family, "base", Placing("cpu"))
    assert (base.template, base.stops) == TEMPLATES["plain"]


def test_a_base_with_a_template_keeps_it(models: Path) -> None:
    loaded = loading.load_model(together(models, base="sft", post="post"), "base", Placing("cpu"))
    assert (loaded.template, loaded.stops) == (None, ())


def test_the_same_is_found_again_by_the_same_name(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    family = together(models, base="base", post="post")
    path = store.artefact_path(store.user_folder(), family.name, "post", "direction", "truth")
    learnt = tiny_models.direction(models, "post", "truth")
    path.parent.mkdir(parents=True)
    learnt.rename(path)
    # What a person changes in the file stays.
    file = family.folder / "family.toml"
    file.write_text(file.read_text().replace('title = "post"', 'title = "Mine"'))
    monkeypatch.chdir(models)
    again = registry.load_family(named(Options(base="./base", post="post")))
    assert (again.name, again.title) == (family.name, "Mine")
    engine = Engine(again.name, threads=1)
    assert [card.name for card in engine.directions("post")] == ["truth"]
    assert engine.settings(recipe="2*truth").family == again.name
    others = [together(models, base="base", post="sft"), together(models, base="base", x="sft", post="post")]
    others.append(together(models, base="base", y="sft", post="post"))
    assert len({again.name, *(each.name for each in others)}) == 4


def test_an_adapter_is_added_to_the_checkpoint_that_it_was_trained_on(models: Path) -> None:
    family = together(models, base="base", sft="sft", post="lora")
    post = family.checkpoint("post")
    assert (post.parent, Path(post.source), post.adapters[0].source) == ("sft", models / "base", str(models / "lora"))
    assert post.template == "own-or-plain"
    assert loading.load_model(family, "post", Placing("cpu")).template == TEMPLATES["plain"][0]


def test_an_adapter_that_does_not_say_so_is_added_to_the_one_before_it(models: Path, tmp_path: Path) -> None:
    own = tmp_path / "lora"
    own.mkdir()
    config = json.loads((models / "lora" / "adapter_config.json").read_text())
    (own / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "someone/model"}))
    found = registry.load_family(
        named(Options(base=str(models / "base"), stages=(("sft", str(models / "sft")),), post=str(own)))
    )
    assert Path(found.checkpoint("post").source) == models / "sft"


def test_an_adapter_is_no_base(models: Path) -> None:
    with pytest.raises(FamilyError, match=r"lora is a PEFT adapter and cannot be the --base; name the model .*/base\)"):
        together(models, base="lora", post="post")
    assert not [name for name in registry.names() if name.startswith("pair-")]


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("./nowhere", r"There is no folder ./nowhere; check the path, or name a model .* as owner/model"),
        ("/no/where", "There is no folder /no/where"),
        ("~nobody/x", "There is no folder"),
        ("a/b/c", "There is no folder a/b/c"),
        ("my model", "There is no folder my model"),
        ("x" * 5_000, "There is no folder x{200}…; check"),
        (__file__, "is no GGUF file; name the folder"),
    ],
)
def test_what_is_no_source(text: str, fix: str, models: Path) -> None:
    with pytest.raises(FamilyError, match=fix):
        named(Options(base=str(models / "base"), post=text))


def test_models_of_the_hub_are_named_with_their_revision() -> None:
    assert adhoc_family.source("owner/model") == Source("owner/model", False)
    assert adhoc_family.source("owner/model.v1@refs/pr/1") == Source("owner/model.v1", False, "refs/pr/1")
    assert adhoc_family.source("gpt2") == Source("gpt2", False)


def test_names_fit_files_and_links() -> None:
    one = adhoc_family.adhoc_name([("base", Source("/a/b", True)), ("post", Source("C:\\models\\Größe 7 (x)!", True))])
    assert one.startswith("pair-gr-e-7-x-")
    assert (store.user_folder() / one).parent == store.user_folder()
    assert adhoc_family.adhoc_name([("post", Source("/a/???", True))]).startswith("model-model-")


def test_a_link_opened_elsewhere_says_what_to_do(models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine = Engine(named(options(models, base="base", post="post")), threads=1)
    link = engine.settings().ask("Hello?").to_link()
    monkeypatch.setenv("TILLER_DATA", str(tmp_path / "elsewhere"))
    opened = Settings.from_link(link)
    assert opened.family == engine.family.name
    with pytest.raises(
        FamilyError, match=r"was put together by --base, --stage and --post and is not on this computer; start"
    ) as caught:
        registry.load_family(opened.family)
    assert "\n" not in str(caught.value)


# --------------------------------------------------------------------------------------------------------- command line


def test_what_is_typed() -> None:
    line = ["chat", "hi", "--base", "./b", "--stage", "sft=./s", "--stage=dpo=a/b=c", "--post", "p/q", "--offline"]
    found = read([*line, "--trust-remote-code", "p/q", "--trust-remote-code", "./b"]).options
    assert (found.base, found.post, found.stages) == ("./b", "p/q", (("sft", "./s"), ("dpo", "a/b=c")))
    assert (found.offline, found.trusted) == (True, ("p/q", "./b"))


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        (["--base", "b"], "--base and --post go together; add --post"),
        (["--post", "b"], "add --base"),
        (["--stage", "s=b"], "go together"),
        (["--base", "b", "--post", "p", "--family", "skiff"], "leave it out, or leave out --base"),
        (["--base", "b", "--post", "p", "--stage", "s"], "takes a name and a model"),
        (["--base", "b", "--post", "p", "--stage", "a b=c"], "takes a name and a model"),
        (["--base", "b", "--post", "p", "--stage", "s="], "takes a name and a model"),
        (["--base", "b", "--post", "p", "--stage", "post=c"], "write --post c"),
        (["--base", "b", "--post", "p", "--stage", "s=c", "--stage", "s=d"], "Two stages are called 's'"),
    ],
)
def test_mistakes_get_one_sentence(line: list[str], fix: str) -> None:
    with pytest.raises(UsageError, match=fix):
        read(line)
    with pytest.raises(UsageError, match=fix):
        read(["trace", *line])


def test_a_link_brings_its_own_family() -> None:
    with pytest.raises(UsageError, match="The link brings its own base"):
        read(["tui", "?s=abc", "--base", "b", "--post", "p"])


@pytest.mark.parametrize("verb", ["chat", "trace", "families"])
def test_every_verb_gets_the_family_that_was_put_together(
    verb: str, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.models.hub.trust", lambda models: trusted.append(models))
    monkeypatch.setattr("core.models.hub.go_offline", lambda: trusted.append("offline"))
    trusted: list[object] = []
    seen: list[Options] = []
    line = ["--base", str(models / "base"), "--post", str(models / "post"), "--stage", f"sft={models / 'sft'}"]
    if verb == "families":
        with pytest.raises(UsageError, match="--base does not go with families"):
            read([verb, *line])
        return
    command = read([verb, *line, "--offline", "--trust-remote-code", "a/b"])
    run_verb(replace(command, verb=replace(command.verb, run=seen.append)))
    assert seen[0].family == named(options(models, base="base", sft="sft", post="post"))
    assert trusted == ["offline", ("a/b",)]
    plain = read([verb]).options
    assert (plain.family, plain.base, plain.stages, plain.offline, plain.trusted) == ("skiff", "", (), False, ())


def test_the_hub_is_asked_what_a_model_is_that_is_not_here(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"maker/model": ["config.json", "model.safetensors"], "maker/lora": ["adapter_config.json", "README.md"]}

    def listed(model: str, revision: str | None, timeout: float) -> SimpleNamespace:
        if model not in files:
            raise errors.LocalEntryNotFoundError("no network")
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=name) for name in files[model]])

    def fetched(model: str, name: str, revision: str | None = None) -> str:
        assert (model, name, revision) == ("maker/lora", "adapter_config.json", "v2")
        path = models / "fetched.json"
        path.write_text('{"base_model_name_or_path": "maker/model"}')
        return str(path)

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.model_info", listed)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fetched)
    middle = (("sft", str(models / "sft")),)
    family = registry.load_family(named(Options(base="maker/model", stages=middle, post="maker/lora@v2")))
    post = family.checkpoint("post")
    assert (post.weights, post.adapters) == (Source("maker/model", False), (Source("maker/lora", False, "v2"),))
    before = registry.names()
    with pytest.raises(FamilyError, match="maker/none is not whole on this computer, and the Hugging Face Hub cannot"):
        named(Options(base="maker/model", post="maker/none"))
    assert registry.names() == before


def test_without_a_network_the_hub_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def unreachable(_: object, url: str, **__: object) -> None:
        asked.append(url)
        raise http.ConnectError("no network")

    def wait(seconds: float) -> None:
        raise AssertionError(f"{seconds} s are waited")

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(f"{http.__name__}.Client.get", unreachable)
    monkeypatch.setattr("time.sleep", wait)
    with pytest.raises(
        FamilyError, match=r"^maker/none is not whole on this computer, and the Hugging Face Hub cannot be reached"
    ):
        adhoc_family.one_model("maker/none")
    # The client may ask other things of its own, once.
    assert [each for each in asked if "/models/" in each] == ["https://huggingface.co/api/models/maker/none"]


def test_the_same_model_twice_is_refused(models: Path) -> None:
    same = r"^base and post are the same model \(.*/post\); name another one, or open it alone by --model\.$"
    with pytest.raises(FamilyError, match=same):
        adhoc_family.put_together(str(models / "post"), (), str(models / "sft" / ".." / "post"))
    with pytest.raises(FamilyError, match=r"^sft and post are the same model \(maker/x@v2\)"):
        adhoc_family.put_together(str(models / "base"), (("sft", "maker/x@v2"),), "maker/x@v2")
    # Two revisions are two models.
    assert adhoc_family.adhoc_name([("base", Source("maker/x", False, "v1")), ("post", Source("maker/x", False, "v2"))])


def test_one_model_is_a_family_of_one_checkpoint(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(models / "post", models / "Tiny-2B-Instruct-DPO")
    family = registry.load_family(adhoc_family.one_model(str(models / "Tiny-2B-Instruct-DPO")))
    assert [(each.name, each.stage, each.letter) for each in family.checkpoints] == [("dpo", "dpo", "D")]
    assert family.title == "Tiny-2B-Instruct-DPO"
    assert family.name.startswith("model-tiny-2b-instruct-d-")
    for text, name, stage in (
        ("maker/Model-3-8B-it", "instruct", "instruct"),
        ("maker/model-base", "base", "pretrain"),
        ("gpt2", "model", "model"),
        ("maker/model@v2::Model-Chat.Q4_K_M.gguf", "chat-q4_k_m", "chat-q4_k_m"),
    ):
        monkeypatch.setattr(adhoc_family, "_is_adapter", lambda _: False)
        made = registry.load_family(adhoc_family.one_model(text)).final
        assert (made.name, made.stage) == (name, stage)


def test_an_adapter_alone_is_no_model(models: Path) -> None:
    with pytest.raises(
        FamilyError,
        match=r"lora is a PEFT adapter and cannot be the --model; name the model .* and the adapter as --post",
    ):
        adhoc_family.one_model(str(models / "lora"))


def test_a_path_in_the_place_of_a_family_or_a_verb_is_one_model(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Options] = []

    def run(*words: str) -> Options:
        command = read(list(words))
        run_verb(replace(command, verb=replace(command.verb, run=seen.append)))
        return seen[-1]

    path = str(models / "post")
    name = adhoc_family.one_model(path)
    assert run("chat", "--model", path, "Hi").family == name
    assert run(path).family == name
    assert capsys.readouterr().err == ""
    assert run("chat", "--family", path, "Hi").family == name
    assert "has no family.toml, and is opened as one model, as --model does." in capsys.readouterr().err
    for words, said in (
        (("--model", "x", "--base", "y"), "--model names one model; leave it out, or leave out --base."),
        (("--model", "x", "--family", "y"), "--model names one model; leave it out, or leave out --family."),
        (("gtp2",), "'gtp2' is not something Tiller does"),
    ):
        with pytest.raises(UsageError, match=re.escape(said)):
            read(list(words))
