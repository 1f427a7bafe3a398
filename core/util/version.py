"""The one version of the program, of the artefacts that it writes and of what it exports. Standard library only."""

from __future__ import annotations

VERSION = "0.2.0"
