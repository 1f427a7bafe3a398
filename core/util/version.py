"""The one version of the program: what pyproject.toml, exports, cards of artefacts and reports carry."""

from __future__ import annotations

VERSION = "0.2.0"
#: As files say it: by which program they were written.
PROGRAM = f"Tiller {VERSION}"
