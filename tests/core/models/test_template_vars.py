"""Variables of chat templates: from family.toml, a command line or a chat's settings into the prompt, the notes and the card."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from core.artefacts.direction import load_direction
from core.chat.settings import Column, Settings, SettingsError
from core.directions import learn
from core.directions.card import card_text
from core.directions.effort import QUICK
from core.engine.engine import Engine
from core.engine.precompute import BUILDERS, BuildRequest
from core.errors import UsageError
from core.families import registry
from core.families.checkpoint import FamilyError, TemplateVars
from core.inference import prompts
from core.models import loading
from core.models.files import LoadError
from core.models.loading import Loaded
from core.models.placement import Placing
from core.util.progress import finished
from tests.support import tiny_models
from tests.support.command import read

#: As Qwen3's and gpt-oss's: thinks unless it is told not to, and writes how hard.
THINKS = (
    "{%- set effort = reasoning_effort if reasoning_effort is defined else 'medium' %}\n{{ bos_token }}({{ effort }})"
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n{% endfor %}{% if add_generation_prompt %}<|assistant|>\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
OFF: TemplateVars = (("enable_thinking", False),)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tiny_models.family(tmp_path_factory.mktemp("told") / "toy", "llama")
    tiny_models.contrast(made, examples=4)
    (made / "chat" / "chat_template.jinja").write_text(THINKS)
    return made


@pytest.fixture
def family_toml(folder: Path) -> Iterable[Path]:
    path = folder / "family.toml"
    text = path.read_text()
    yield path
    path.write_text(text)


def opened(folder: Path, name: str = "chat", told: TemplateVars = ()) -> Loaded:
    return loading.load_model(registry.load_family(str(folder)), name, Placing("cpu", template_vars=told))


def asked(loaded: Loaded, told: TemplateVars = ()) -> str:
    return prompts.build(loaded, Settings("toy", (Column("chat"),), template_vars=told).ask("Hi"), 0).text


PLAIN = "<s>(medium)<|user|>\nHi<|end|>\n<|assistant|>\n"


def test_the_file_is_told_less_than_the_command_line_and_that_less_than_a_chat(folder: Path, family_toml: Path) -> None:
    assert asked(opened(folder)) == PLAIN
    family_toml.write_text(
        family_toml.read_text() + '\ntemplate_vars = { enable_thinking = false, reasoning_effort = "low \\"é\\" %}" }\n'
    )
    loaded = opened(folder)
    assert asked(loaded) == PLAIN.replace("medium", 'low "é" %}') + "<think>\n\n</think>\n\n"
    loaded = opened(folder, told=(("reasoning_effort", 3),))
    assert asked(loaded) == PLAIN.replace("medium", "3") + "<think>\n\n</think>\n\n"
    assert asked(loaded, (("reasoning_effort", "high"), ("enable_thinking", True))) == PLAIN.replace("medium", "high")
    assert loading.speaking(loaded, "chat").variables == loaded.variables


def test_what_a_template_does_not_read_is_refused_with_what_it_reads(folder: Path, family_toml: Path) -> None:
    said = r"^The chat template of chat has no variable thinking; it has enable_thinking, reasoning_effort\.$"
    with pytest.raises(LoadError, match=said):
        opened(folder, told=(("thinking", False),))
    with pytest.raises(LoadError, match=said):
        asked(opened(folder), (("thinking", False),))
    # Tiller's own template is told nothing by a command line, which is meant for all checkpoints of a family; by the file it is refused.
    assert opened(folder, "base", OFF).variables == ()
    toml = family_toml.read_text().replace('template = "plain"', 'template = "plain"\ntemplate_vars = { thinking = 1 }')
    family_toml.write_text(toml)
    with pytest.raises(LoadError, match=r"of base has no variable thinking; it has none that could be set\."):
        opened(folder, "base")
    family_toml.write_text(toml.replace("thinking = 1", "thinking = [1]"))
    with pytest.raises(FamilyError, match=r"'thinking' of 'template_vars' .* must be text, a number, true or false"):
        registry.load_family(str(folder))


def test_on_the_command_line() -> None:
    typed = "--template-var enable_thinking=False --template-var n=3 --template-var x=-.5 --template-var how=low=er --template-var e="
    wanted = (("enable_thinking", False), ("n", 3), ("x", -0.5), ("how", "low=er"), ("e", ""))
    for verb in ("chat", "learn truth", "precompute", "blame", "bake --out x", "web"):
        assert read([*typed.split(), *verb.split()]).options.placing.template_vars == wanted
    assert type(read(["--template-var", "n=3"]).options.template_vars[0][1]) is int
    for wrong in ("enable_thinking", "a b=1", "=1"):
        with pytest.raises(UsageError, match=r"takes a name and a value, as in enable_thinking=false, not "):
            read(["--template-var", wrong])
    with pytest.raises(UsageError, match="transfer asks checkpoints as their family says"):
        read(["transfer", "--template-var", "n=3"])
    with pytest.raises(UsageError, match="link brings its own template-var"):
        read(["tui", "s=abc", "--template-var", "n=3"])


def test_a_link_carries_what_the_chat_was_told(folder: Path) -> None:
    settings = Engine(str(folder), template_vars=OFF).settings()
    assert settings.template_vars == OFF
    assert Settings.from_link(settings.to_link()) == settings
    assert "template_vars" not in Settings("toy", (Column("chat"),)).to_json()
    with pytest.raises(SettingsError, match="has a name of letters"):
        Settings.from_json({**settings.to_json(), "template_vars": [["a b", 1]]})


@pytest.mark.parametrize("kind", ["truth", "refusal"])
def test_what_is_learnt_depends_on_it(kind: str, folder: Path, tmp_path: Path) -> None:
    plain, told = opened(folder), opened(folder, told=OFF)
    order = BuildRequest(plain.family, "chat", tmp_path / "vectors", effort=QUICK)
    given = (order.contrast(kind), order.unrelated())
    assert learn.notebook(kind, plain, *given).folder != learn.notebook(kind, told, *given).folder
    finished(BUILDERS[kind].run(order, told))
    card = load_direction(order.path(kind)).card
    assert card.details["template_vars"] == {"enable_thinking": False}
    assert "its chat template was told enable_thinking=false" in card_text(card)
    there = BUILDERS[kind].there
    assert there(replace(order, told=OFF), told.fingerprint, "none")
    assert not there(order, told.fingerprint, "none")
