"""A chat from a link or a file belongs to the family that is at hand, or a sentence says how to open it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.artefacts import store
from core.chat.opening import check_family
from core.chat.settings import Column, Settings
from core.errors import TillerError
from core.families import registry
from tests.support import tiny_models


def test_a_chat_of_another_family_says_how_to_open_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TILLER_DATA", str(tmp_path))
    family = registry.load_family("skiff")
    own = Settings("skiff", (Column("dpo"), Column("dpo-minus-safety")))
    check_family(own, family)
    with pytest.raises(TillerError, match=r"does not know here; start Tiller with --family \./olmo, the folder"):
        check_family(replace(own, family="olmo"), family)
    with pytest.raises(
        TillerError, match="open that family first and then this chat, or start Tiller with --family skiff-small"
    ):
        check_family(replace(own, family="skiff-small"), family)
    with pytest.raises(TillerError, match="has no checkpoint 'nobody'"):
        check_family(replace(own, columns=(Column("nobody"),)), family)
    # One that was put together on the command line can only be put together again, unless it is here.
    with pytest.raises(TillerError, match="start Tiller with the same --base"):
        check_family(replace(own, family="pair-model-0123abcd"), family)
    tiny_models.family(store.user_folder() / "pair-model-0123abcd")
    with pytest.raises(TillerError, match="--family pair-model-0123abcd"):
        check_family(replace(own, family="pair-model-0123abcd"), family)
