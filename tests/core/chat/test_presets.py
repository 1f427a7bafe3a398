"""Presets: kept, found, replaced, forgotten; and what is said of a name or a file that is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.artefacts import store
from core.chat.presets import PresetError, find_preset, forget_preset, keep_preset, preset_chat, presets, steered_beside
from core.chat.settings import Column, Settings, Turn
from core.families.checkpoint import Family
from core.recipes.language import parse

CHAT = Settings("toy", (Column("base"), Column("dpo", parse("1.5*refusal"))), selected=1, system="Be brief.")


TOY = Family("toy", "Toy", Path("toy"), (), (), (), "", "")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLER_DATA", str(tmp_path))


def test_a_column_is_kept_and_comes_back_beside_the_plain_one() -> None:
    assert presets(TOY) == ()
    assert keep_preset(TOY, "  my \n sceptic ", CHAT).title == "my sceptic: dpo · 1.5*refusal, with a system prompt"
    chat = preset_chat(
        Settings("toy", (Column("base"),), turns=(Turn("Hello", ("Hi",)),)), find_preset(TOY, "my sceptic")
    )
    assert chat.columns == (Column("dpo"), Column("dpo", parse("1.5*refusal")))
    assert (chat.selected, chat.system) == (1, "Be brief.")
    # The last message is asked anew: its old answer was another model's.
    assert [(turn.user, turn.replies) for turn in chat.turns] == [("Hello", ())]


def test_the_same_name_replaces_and_a_preset_is_forgotten() -> None:
    keep_preset(TOY, "b", CHAT)
    keep_preset(TOY, "A", CHAT)
    keep_preset(TOY, "b", steered_beside(CHAT, "base", parse("!truth")))
    assert [(each.name, each.recipe) for each in presets(TOY)] == [("A", "1.5*refusal"), ("b", "!truth")]
    forget_preset(TOY, "A")
    assert [each.name for each in presets(TOY)] == ["b"]
    assert presets(replace(TOY, name="other")) == ()


def test_what_is_no_preset() -> None:
    with pytest.raises(PresetError, match="Give the preset a name"):
        keep_preset(TOY, " \n", CHAT)
    with pytest.raises(PresetError, match="There is no preset 'x'; there are none"):
        find_preset(TOY, "x")
    with pytest.raises(PresetError, match="no preset 'x' any more"):
        forget_preset(TOY, "x")
    keep_preset(TOY, "x", CHAT)
    (store.user_folder() / "toy" / "presets.json").write_text('{"presets": [3]}')
    with pytest.raises(PresetError, match="no list of presets any more; move it away"):
        presets(TOY)
