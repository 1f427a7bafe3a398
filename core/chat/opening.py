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
        if settings.family.startswith(registry.TOGETHER) and settings.family not in registry.names():
            raise SettingsError(registry.unknown_family(settings.family))
        raise SettingsError(
            f"This is a chat with the family {settings.family!r}; start Tiller with --family {settings.family} to open it."
        )
    for column in settings.columns:
        family.checkpoint(column.checkpoint)
