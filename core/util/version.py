"""The one version of the program: what pyproject.toml, exports, cards of artefacts and reports carry."""

from __future__ import annotations

VERSION = "0.2.0"
