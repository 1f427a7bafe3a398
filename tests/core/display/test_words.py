"""The help knows every word that stands on the screens."""

from __future__ import annotations

from core.chat.screens import TABS
from core.display import lenses
from core.display.words import WORDS
from core.families import registry
from core.families.stages import stage_path

#: What the page says beside names of a family.
_SAID = (
    "direction", "strength", "recipe", "plain", "effect", "damage", "useful", "elsewhere", "learnt on", "remove", "probability",
    "temperature", "seed", "longest answer", "stop strings", "system prompt", "exact prompt", "repetition penalty", "recorded", "tok/s",
)  # fmt: skip


def test_every_word_stands_once_and_has_a_sentence() -> None:
    words = [word for group in WORDS.values() for word, _ in group]
    assert len(words) == len(set(words))
    assert all(meaning.endswith(".") for group in WORDS.values() for _, meaning in group)


def test_the_help_knows_tabs_lenses_checkpoints_and_what_the_page_says() -> None:
    words = {word for group in WORDS.values() for word, _ in group}
    family = registry.load_family("skiff")
    shown = {each.title for each in TABS[1:]} | set(_SAID)
    shown |= {each.name for each in family.checkpoints} | {each.stage for each in family.checkpoints}
    # "blame: retrained" is two words.
    shown |= {part for each in lenses.lenses(("truth", "refusal")) for part in each.title.split(": ")}
    shown |= {part for each in lenses.of_stages(stage_path(family)) for part in each.title.split(": ")}
    assert shown - words == set()
