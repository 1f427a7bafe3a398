"""What a Space is made of: the program, the families that it shows, and the files by which it is built and started there. No torch."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from core.artefacts import store
from core.artefacts.store import SHIPPED, user_folder
from core.errors import TillerError
from core.families.checkpoint import Family
from core.families.family_toml import read_family
from core.spaces.hardware import Hardware
from core.util.files import read_text
from core.util.version import PROGRAM

#: Beside launch.py: what the program consists of. Families and sets of examples lie in vectors/, of which only some are needed.
PROGRAM_PARTS = ("launch.py", "pyproject.toml", "LICENSE", "app", "benchmarks", "core", "tui", "vectors/contrast")
#: What starts on a Space. It bears no name of a package.
START = "space.py"
ROOT = SHIPPED.parent
#: By this tag a Space is known as one that was made here.
TAG = "tiller"
#: A push is refused whose short description is longer.
LONGEST_DESCRIPTION = 60
_ONE_FILE, _AGAIN = "index.html", "get the whole of Tiller again"


@dataclass(frozen=True)
class Piece:
    """One file of a Space: its path there, with ``/`` between its parts, and its bytes, or the file on this computer that has them."""

    path: str
    source: Path | bytes

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size

    @property
    def blob(self) -> bytes:
        """The bytes themselves."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


@dataclass(frozen=True)
class SpaceContents:
    """All files of a Space, by their paths, and which kind of Space it is: ``gradio`` or ``static``."""

    pieces: tuple[Piece, ...]
    sdk: str

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(each.size for each in self.pieces)

    def write(self, folder: Path) -> None:
        """Write them below a folder."""
        for each in self.pieces:
            path = folder / each.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(each.blob)


def running(
    family: Family, words: Sequence[str], hardware: Hardware, along: Sequence[Family], learnt: Iterable[Path] = ()
) -> SpaceContents:
    """A Space that runs the browser app.

    Args:
        family: the one that opens.
        words: the command line by which it does.
        along: the families whose folders go along.
        learnt: files of a person's own data folder that go along, too.

    Raises:
        TillerError: a family's weights lie where they cannot be taken along.
    """
    pieces = [
        Piece("README.md", _front(family, hardware).encode()),
        Piece("requirements.txt", requirements(hardware).encode()),
        Piece(START, _start(words).encode()),
    ]
    for part in PROGRAM_PARTS:
        pieces += _below(ROOT / part, part)
    for each in along:
        pieces += _of_family(each)
    own = user_folder()
    # What is a person's own hides what ships under its name, here as there.
    pieces += [Piece(f"vectors/{file.relative_to(own).as_posix()}", file) for file in learnt]
    return SpaceContents(_by_path(pieces), "gradio")


def still(title: str, page: str) -> SpaceContents:
    """A Space of one page that runs nothing."""
    front = _yaml(
        title=title, emoji="⛵", colorFrom="blue", colorTo="yellow", sdk="static", app_file=_ONE_FILE, license="mit",
        short_description=_described(f"{title}: sliders, and which stage taught it that"), tags=[TAG, "interpretability"],
    )  # fmt: skip
    text = f"{front}\nRecorded runs of {title}, written by {PROGRAM}: the page asks nothing of anywhere.\n"
    return SpaceContents(_by_path([Piece("README.md", text.encode()), Piece(_ONE_FILE, page.encode())]), "static")


def learnt_files(family: Family) -> tuple[Path, ...]:
    """Everything of a family that a person has learnt or measured on this computer."""
    drawer = user_folder() / family.name
    return tuple(sorted((*drawer.glob("*/artefacts/*.safetensors"), *drawer.glob("shared/*.safetensors"))))


def learnt_by_name(family: Family, named: Iterable[tuple[str, str]]) -> tuple[Path, ...]:
    """The files of directions, each by its checkpoint and name, that a person has learnt on this computer; others ship with the family."""
    found = (store.find_artefact(family.places, checkpoint, "direction", name) for checkpoint, name in named)
    return tuple(each for each in found if each is not None and each.is_relative_to(user_folder()))


def requirements(hardware: Hardware) -> str:
    """What is installed on such a machine: what Tiller needs, with the build of PyTorch that the machine has or is small there."""
    lines = [*hardware.indices]
    for line in _required():
        name = re.split(r"[^A-Za-z0-9_-]", line, maxsplit=1)[0]
        lines.append(hardware.torch if name == "torch" and hardware.torch else line)
    return "\n".join(lines) + "\n"


# --------------------------------------------------------------------------------------------------------------- its parts


def _required() -> list[str]:
    """The lines of requirements.txt; of an installed Tiller, which has none, what the installation says."""
    file = ROOT / "requirements.txt"
    if not file.is_file():
        return [each for each in metadata.requires("tiller") or () if ";" not in each]
    lines = read_text(file, _AGAIN).splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def _gradio() -> str:
    return next(line.partition("==")[2] for line in _required() if line.startswith("gradio=="))


def _front(family: Family, hardware: Hardware) -> str:
    # As the file names them: of weights that came from a package, this computer has another place.
    tables = tomllib.loads(read_text(family.folder / "family.toml", _AGAIN))["checkpoint"]
    models = sorted({table["hub"] for table in tables if "hub" in table})
    head = _yaml(
        title=f"Tiller · {family.title}", emoji="⛵", colorFrom="blue", colorTo="yellow", sdk="gradio", sdk_version=_gradio(),
        python_version=hardware.python, app_file=START, license="mit", suggested_hardware=hardware.name, hf_oauth=True,
        short_description=_described(f"Steer {family.title}, and see which stage taught it that"),
        tags=[TAG, "interpretability", "steering-vectors"], models=models,
    )  # fmt: skip
    return (
        f"{head}\n# {family.title}\n\nSteer a chat with it by sliders, and see which stage of its training to thank or to blame. "
        f"Made by {PROGRAM}.\n"
    )


def _described(text: str) -> str:
    return text if len(text) <= LONGEST_DESCRIPTION else f"{text[: LONGEST_DESCRIPTION - 1].rstrip()}…"


def _yaml(**values: str | bool | list[str]) -> str:
    """A file's front matter. A text in JSON's quotes is one in YAML's, too, and so is a list."""
    lines = (f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items() if value)
    return "\n".join(["---", *lines, "---", ""])


def _start(words: Sequence[str]) -> str:
    listed = "".join(f"\n    {json.dumps(each, ensure_ascii=False)}," for each in words)
    return (
        '"""What this Space starts. `launch.py space` wrote it; edit it like any other file."""\n\nimport sys\n\nimport launch\n\n'
        f"sys.argv[1:] = [{listed}\n]\nsys.exit(launch.console())\n"
    )


def _below(source: Path, path: str, whole: Path | None = None) -> Iterator[Piece]:
    """A file, or the files of a folder: none that is hidden, nor what Python compiled. Raises TillerError for a link, whatever it
    leads to may be nobody else's business."""
    whole = whole or source
    if source.is_symlink() and source != whole:
        raise TillerError(
            f"{source} is a link, and only what lies in {whole.name} itself is put on a Space; copy there what it leads to, or remove it."
        )
    if source.is_file():
        yield Piece(path, source)
    elif source.is_dir():
        for each in sorted(source.iterdir()):
            if not each.name.startswith(".") and each.name != "__pycache__":
                yield from _below(each, f"{path}/{each.name}", whole)


def _of_family(family: Family) -> Iterator[Piece]:
    """What stands beside a family's family.toml."""
    # As the file has it, without what this computer adds.
    whole = read_family(family.folder / "family.toml")
    outside = [
        each.source
        for checkpoint in (*whole.checkpoints, *whole.counterfactuals)
        for each in (checkpoint.weights, *checkpoint.adapters)
        if each.local and checkpoint.package is None and not Path(each.source).is_relative_to(family.folder)
    ]
    if outside:
        raise TillerError(
            f"{outside[0]} is on this computer alone, where a Space cannot read it; put it on the Hub (`hf upload OWNER/NAME FOLDER`) and "
            "name it as OWNER/NAME, or into the folder of its family.toml."
        )
    yield from _below(family.folder, f"vectors/{family.name}")


def _by_path(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """One a path, the last one given."""
    found = {each.path: each for each in pieces}
    return tuple(found[path] for path in sorted(found))
