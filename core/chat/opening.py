"""Whether a chat that comes from a link or a file can be opened with the family that is at hand. No torch."""

from __future__ import annotations

from core.chat.settings import Settings, SettingsError
from core.families import registry
from core.families.checkpoint import Family


def check_family(settings: Settings, family: Family) -> None:
    """Refuse settings of another family, or with a checkpoint that this one does not have.

    Raises:
        SettingsError: how Tiller has to be started to open it; of a family that was put together on another computer, how to do so here.
        FamilyError: a checkpoint that is not there.
    """
    if settings.family != family.name:
        name = settings.family
        if name in registry.names():
            raise SettingsError(
                f"This is a chat with the family {name!r}; open that family first and then this chat, or start Tiller with --family {name}."
            )
        if name.startswith((registry.TOGETHER, registry.ALONE)):
            raise SettingsError(registry.unknown_family(name))
        shown = name if len(name) <= 100 else name[:100] + "…"
        raise SettingsError(
            f"This is a chat with the family {shown!r}, which Tiller does not know here; start Tiller with --family ./{shown}, the "
            "folder that holds its family.toml, and then open this chat."
        )
    for column in settings.columns:
        family.checkpoint(column.checkpoint)
