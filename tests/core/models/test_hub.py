"""The Hub: what its client raises becomes a sentence with the fix, and what is in its cache is found and loaded without a network."""

from __future__ import annotations

import errno
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import errors
from huggingface_hub.utils import hf_raise_for_status
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from core.families import registry
from core.families.checkpoint import Checkpoint, Source
from core.models import at_hand, hub, load_errors, loading, memory
from core.models.files import LoadError
from core.models.placement import Placing
from tests.support import tiny_models
from tests.support.fake_hub import put
from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE

#: The library that the Hub's client speaks to the network through.
http: Any = importlib.import_module(errors.HfHubHTTPError.__mro__[1].__module__.partition(".")[0])


def checkpoint(gated: str = "") -> Checkpoint:
    return Checkpoint("chat", "maker/model", False, None, "sft", "S", "", "v9", "", "chat", gated=gated)


def answered(status: int, **headers: str) -> Exception:
    """What the Hub's client raises for an answer of the Hub."""
    address = "https://huggingface.co/api/models/maker/model/revision/v9"
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    response = http.Response(status, headers=given, request=http.Request("GET", address))
    with pytest.raises(errors.HfHubHTTPError) as caught:
        hf_raise_for_status(response)
    return caught.value


def said(error: BaseException, gated: str = "") -> str:
    """The sentence for an error as transformers passes it on: as the cause of one of its own."""
    each = checkpoint(gated)

    def fail() -> None:
        try:
            raise error
        except type(error) as cause:
            raise OSError("We couldn't connect to 'https://huggingface.co' to load the files.") from cause

    with pytest.raises(LoadError) as caught:
        load_errors.explained(each, fail)
    sentence = str(caught.value)
    with pytest.raises(LoadError) as caught:
        load_errors.explained(each, lambda: (_ for _ in ()).throw(error))
    assert str(caught.value) == sentence
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (
            answered(401, X_Error_Code="GatedRepo"),
            errors.GatedRepoError,
            "maker/model is gated: accept its licence at https://huggingface.co/maker/model, log in with `hf auth login`",
        ),
        (answered(403, X_Error_Code="GatedRepo"), errors.GatedRepoError, "maker/model is gated: accept its licence at"),
        (
            answered(404, X_Error_Code="RepoNotFound"),
            errors.RepositoryNotFoundError,
            "There is no model 'maker/model' on the Hugging Face Hub, or it is private; check how it is spelt, or log in with `hf",
        ),
        (answered(401), errors.RepositoryNotFoundError, "There is no model 'maker/model'"),
        (
            answered(404, X_Error_Code="RevisionNotFound"),
            errors.RevisionNotFoundError,
            "maker/model has no revision 'v9'; take one of https://huggingface.co/maker/model/refs",
        ),
        (
            answered(401, X_Error_Message="Invalid credentials in Authorization header"),
            errors.HfHubHTTPError,
            "does not accept your token for maker/model; log in anew with `hf auth login`.",
        ),
        (
            answered(403, X_Error_Message="no"),
            errors.HfHubHTTPError,
            "Your Hugging Face token may not read maker/model",
        ),
        (
            answered(404, X_Error_Code="EntryNotFound"),
            errors.EntryNotFoundError,
            "maker/model lacks a file that belongs",
        ),
        (answered(429), errors.HfHubHTTPError, "asks you to wait before it sends more of maker/model"),
        (answered(503), errors.HfHubHTTPError, "cannot send maker/model now (error 503); try again later"),
        (
            errors.LocalTokenNotFoundError("no token"),
            OSError,
            "maker/model needs you to be logged in; log in with `hf auth",
        ),
        (
            errors.HFValidationError("no id"),
            ValueError,
            "'maker/model' is no model of the Hugging Face Hub, which are called",
        ),
        (
            errors.NotASafetensorsRepoError("none"),
            Exception,
            "has no safetensors weights on the Hub, and pickled ones (.bin)",
        ),
        (
            errors.LocalEntryNotFoundError("not in the cache"),
            FileNotFoundError,
            "maker/model is not whole on this computer, and the Hugging Face Hub cannot be reached; connect to the network",
        ),
        (http.ConnectError("no route"), http.HTTPError, "and the Hugging Face Hub cannot be reached"),
        (http.ReadTimeout("slow"), http.HTTPError, "and the Hugging Face Hub cannot be reached"),
        (ConnectionResetError("gone"), OSError, "and the Hugging Face Hub cannot be reached"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            OSError,
            "The disk is full, and maker/model is not whole; free",
        ),
    ],
)
def test_every_error_of_the_hub_is_a_sentence_with_the_fix(
    error: Exception, kind: type[Exception], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(hub.OFFLINE, raising=False)
    assert isinstance(error, kind)
    assert sentence in said(error)


def test_the_page_of_a_licence_is_that_of_the_family_file() -> None:
    page = "https://example.org/licence"
    for error in (answered(401, X_Error_Code="GatedRepo"), answered(401)):
        assert f"accept its licence at {page}, log in" in said(error, page)


def test_offline_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(hub.OFFLINE, "1")
    for error in (errors.OfflineModeIsEnabled("off"), errors.LocalEntryNotFoundError("not here")):
        sentence = said(error)
        assert (
            "maker/model is not on this computer, and --offline (HF_HUB_OFFLINE) keeps Tiller from fetching it"
            in sentence
        )
        assert "`hf download maker/model`" in sentence


def test_what_is_no_error_of_the_hub_keeps_its_reason() -> None:
    with pytest.raises(LoadError, match=r"hf download maker/model`, or take another revision\. \(ValueError: odd\)"):
        load_errors.explained(checkpoint(), lambda: (_ for _ in ()).throw(ValueError("odd")))
    assert hub.hub_sentence(checkpoint(), Source("a/b", False), KeyError("x")) is None


def test_the_hubs_adapter_is_named_and_not_the_weights_below_it() -> None:
    error = answered(404, X_Error_Code="RevisionNotFound")
    with pytest.raises(LoadError, match="me/lora has no revision 'v2'"):
        load_errors.explained(checkpoint(), lambda: (_ for _ in ()).throw(error), Source("me/lora", False, "v2"))


# --------------------------------------------------------------------------------------------------------- code of its own


def test_a_models_own_code_is_refused_unless_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_models.family(tmp_path / "own", "llama", ("chat",), plain_base=False)
    config = folder / "chat" / "config.json"
    code = {"AutoConfig": "configuration_own.OwnConfig", "AutoModelForCausalLM": "modeling_own.OwnForCausalLM"}
    config.write_text(json.dumps({**json.loads(config.read_text()), "model_type": "own", "auto_map": code}))
    (folder / "chat" / "configuration_own.py").write_text(
        "from transformers import LlamaConfig\nclass OwnConfig(LlamaConfig):\n    model_type = 'own'\n"
    )
    (folder / "chat" / "modeling_own.py").write_text(
        "from transformers import LlamaForCausalLM\nfrom .configuration_own import OwnConfig\n"
        "class OwnForCausalLM(LlamaForCausalLM):\n    config_class = OwnConfig\n    ran = True\n"
    )
    family = registry.load_family(str(folder))
    with pytest.raises(LoadError, match="brings Python code of its own, which is not run; read it") as caught:
        loading.load_model(family, "chat", Placing("cpu"))
    assert f"start with --trust-remote-code {folder / 'chat'}" in str(caught.value)
    monkeypatch.setenv(hub.TRUSTED, "")
    hub.trust([str(tmp_path / "other")])
    with pytest.raises(LoadError, match="brings Python code of its own"):
        loading.load_model(family, "chat", Placing("cpu"))
    monkeypatch.chdir(folder)
    hub.trust([str(tmp_path / "other"), "./chat"])
    assert loading.load_model(family, "chat", Placing("cpu")).model.ran


def test_a_model_of_the_hub_is_trusted_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(hub.TRUSTED, "maker/model\nmaker/third@v1")
    assert hub.trusted(Source("maker/model", False))
    assert hub.trusted(Source("maker/third", False, "v1"))
    assert not hub.trusted(Source("maker/third", False))
    assert not hub.trusted(Source("maker/other", False))
    assert not hub.trusted(Source("/maker/model", True))


# --------------------------------------------------------------------------------------------------------- the Hub's cache


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with a base and a post-trained model in shards, an adapter of the base, and some that are not whole."""
    made = tiny_models.family(tmp_path_factory.mktemp("made"), "llama")
    for name in ("base", "chat"):
        model = AutoModelForCausalLM.from_pretrained(made / name)
        (made / name / "model.safetensors").unlink()
        model.save_pretrained(made / name, max_shard_size=60_000)
    adapter = get_peft_model(AutoModelForCausalLM.from_pretrained(made / "base"), LoraConfig(target_modules=["q_proj"]))
    adapter.peft_config["default"].base_model_name_or_path = "maker/base"
    adapter.save_pretrained(made / "lora")
    cache = tmp_path_factory.mktemp("cache")
    put(cache, "maker/base", made / "base", "b" * 40)
    put(cache, "maker/chat", made / "chat", "c" * 40, ("main", "v1"))
    put(cache, "maker/lora", made / "lora", "d" * 40)
    cut = put(cache, "maker/cut", made / "chat", "e" * 40)
    next(cut.glob("model-00002*")).unlink()
    bare = put(cache, "maker/bare", made / "chat", "f" * 40)
    for path in bare.glob("model*"):
        path.unlink()
    return cache


def run(cache: Path, home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, which reads where the cache is, and that it is offline, when it imports the Hub's client."""
    environment = {**os.environ, "HF_HUB_CACHE": str(cache), "TILLER_DATA": str(home), "TILLER_STATE": str(home)}
    environment.pop(hub.OFFLINE, None)
    whole = [sys.executable, *command]
    return subprocess.run(
        whole, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
    )


def chat(cache: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = ["chat", "Where?", "--max-tokens", "4", "--offline", "--threads", "1", "--device", "cpu"]
    return run(cache, home, "launch.py", *line, *arguments)


def test_an_adapter_of_the_hub_answers_from_the_cache(cache: Path, tmp_path: Path) -> None:
    line = ["--base", "maker/base", "--stage", "sft=maker/chat@v1", "--post", "maker/lora"]
    done = chat(cache, tmp_path, *line)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    (family,) = (each for each in tmp_path.iterdir() if each.is_dir())
    text = (family / "family.toml").read_text()
    assert 'adapter_of = "base"' in text
    assert 'revision = "v1"' in text


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (
            "maker/none",
            "maker/none is not on this computer, and --offline (HF_HUB_OFFLINE) keeps Tiller from fetching it",
        ),
        ("maker/chat@v2", "maker/chat is not on this computer"),
    ],
)
def test_what_is_not_in_the_cache_is_said(model: str, sentence: str, cache: Path, tmp_path: Path) -> None:
    done = chat(cache, tmp_path, "--base", "maker/base", "--post", model)
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


LOADED = """
import sys
from core.models import at_hand, hub
hub.go_offline()
from core.cli import families
from core.models import at_hand
from core.families.registry import load_family
family = load_family("tests")
print(families.row(family)[:5])
print([each.name for each in family.checkpoints if at_hand.local(each).files])
print("torch" in sys.modules)
import torch
from core.models.loading import load_model
from core.models.placement import Placing
from tests.support import tiny_models
from tests.support.fake_hub import put
from core.errors import TillerError
from tests.support import tiny_models
from tests.support.fake_hub import put
ids = torch.tensor([[0, 40, 41]])
for seed, name in enumerate(("base", "chat")):
    loaded = load_model(family, name, Placing("cpu"))
    with torch.inference_mode():
        print(torch.equal(loaded.model(ids).logits, tiny_models.model("llama", seed)(ids).logits), loaded.fingerprint)
print(load_model(family, "lora", Placing("cpu", quantize="8bit")).quantize)
for name in ("cut", "bare", "none", "lost"):
    try:
        load_model(family, name, Placing("cpu"))
    except TillerError as error:
        print(error)
"""


def test_what_is_in_the_cache_is_listed_as_here_and_loads_and_the_rest_is_said(cache: Path, tmp_path: Path) -> None:
    names = ("base", "chat", "cut", "bare", "none")
    text = "".join(f'[[checkpoint]]\nname = "{name}"\nhub = "maker/{name}"\ntemplate = "plain"\n' for name in names)
    text += '[[checkpoint]]\nname = "lora"\nhub = "maker/lora"\nadapter_of = "base"\ntemplate_from = "chat"\n'
    text += '[[checkpoint]]\nname = "lost"\nhub = "maker/none"\nadapter_of = "base"\ntemplate_from = "chat"\n'
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "family.toml").write_text(text)
    done = run(cache, tmp_path, "-c", LOADED)
    assert done.returncode == 0, done.stderr
    weights = ("models--maker--base", "models--maker--chat", "models--maker--lora")
    size = sum(path.stat().st_size for each in weights for path in (cache / each / "snapshots").rglob("*.safetensors"))
    parameters = sum(each.numel() for each in tiny_models.model("llama").parameters())
    absent = "is not on this computer, and --offline (HF_HUB_OFFLINE) keeps Tiller from fetching it; leave --offline out, or fetch it first"
    assert done.stdout.splitlines() == [
        str(("tests", at_hand.parameter_count(parameters), "3/7", memory.size_in_words(size), "–")),
        "['base', 'chat', 'lora']",
        "False",
        "True maker/base@main",
        "True maker/chat@main",
        "8bit",
        *(f"maker/{name} {absent} with `hf download maker/{name}`." for name in ("cut", "bare", "none", "none")),
    ]
