"""Named presets: a checkpoint, a recipe and a system prompt that a person keeps, by family, in the data folder. No torch.

Both front ends and the command line see the same ones.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from core.chat.settings import Column, Settings
from core.errors import TillerError
from core.families.checkpoint import Family
from core.recipes.language import Recipe, parse
from core.util.files import json_text, read_json, write_bytes
from core.util.text import clean

#: A name is a line that a list can show.
LONGEST_NAME = 60


class PresetError(TillerError):
    """A preset that cannot be kept or read."""


@dataclass(frozen=True)
class Preset:
    """What is kept of a column: ``recipe`` as it is written, empty for none."""

    name: str
    checkpoint: str
    recipe: str
    system: str = ""

    @property
    def title(self) -> str:
        """What a list says of it."""
        system = ", with a system prompt" if self.system else ""
        return f"{self.name}: {self.checkpoint} · {self.recipe or 'plain'}{system}"


def presets(family: Family) -> tuple[Preset, ...]:
    """The presets of a family, by name. Raises PresetError where the file cannot be read."""
    path = _path(family)
    if not path.is_file():
        return ()
    try:
        found = read_json(path)
        return tuple(Preset(**{key: str(value) for key, value in each.items()}) for each in found["presets"])
    except (TillerError, ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        raise PresetError(f"{path} is no list of presets any more; move it away, and keep them anew.") from error


def keep_preset(family: Family, name: str, settings: Settings) -> Preset:
    """Keep the selected column by a name; another one of that name goes. Raises PresetError for a name that is none."""
    called = " ".join(clean(name).split())
    if not called or len(called) > LONGEST_NAME:
        raise PresetError(f"Give the preset a name of 1 to {LONGEST_NAME} characters, such as my sceptical model.")
    column = settings.column
    made = Preset(called, column.checkpoint, str(column.recipe), settings.system)
    _write(family, [*(each for each in presets(family) if each.name != called), made])
    return made


def forget_preset(family: Family, name: str) -> None:
    """Take a preset away. Raises PresetError where there is none of that name."""
    there = presets(family)
    if name not in {each.name for each in there}:
        raise PresetError(f"There is no preset {name!r} any more.")
    _write(family, [each for each in there if each.name != name])


def find_preset(family: Family, name: str) -> Preset:
    """A preset by its name. Raises PresetError naming those there are."""
    there = presets(family)
    for each in there:
        if each.name == name:
            return each
    raise PresetError(f"There is no preset {name!r}; there are {', '.join(each.name for each in there) or 'none'}.")


def preset_chat(settings: Settings, preset: Preset) -> Settings:
    """The chat that a preset opens: the plain checkpoint, and beside it the preset. Raises TillerError for a recipe that is none."""
    chat = steered_beside(settings, preset.checkpoint, parse(preset.recipe))
    return replace(chat, system=preset.system)


def steered_beside(settings: Settings, checkpoint: str, recipe: Recipe) -> Settings:
    """A checkpoint plain and beside it steered, with the chat's last message asked anew where there is one."""
    columns = (Column(checkpoint), Column(checkpoint, recipe))
    chat = replace(settings, columns=columns, selected=1, turns=(), tab="chat")
    return chat.ask(settings.turns[-1].user) if settings.turns else chat


def _path(family: Family) -> Path:
    # What a visitor of a server keeps is for him alone.
    return family.root / family.name / "presets.json"


def _write(family: Family, every: list[Preset]) -> None:
    found = sorted(every, key=lambda each: each.name.casefold())
    write_bytes(_path(family), json_text({"presets": [asdict(each) for each in found]}, indent=1).encode())
