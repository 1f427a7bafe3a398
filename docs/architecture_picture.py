"""Draws docs/architecture.svg: the packages of the program as boxes, and who imports whom, read from the source itself.

    python docs/architecture_picture.py            writes the picture
    python docs/architecture_picture.py --check    writes nothing; exit status 1 where the picture is out of date

Standard library only. Every import counts, wherever in a file it stands. A package imports what stands below it; an arrow that others
already imply (A → B → C makes A → C needless) is left out, so that the picture can be read.
"""

from __future__ import annotations

import ast
import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = Path(__file__).resolve().with_name("architecture.svg")

#: The packages, lowest first, with what is in them: each may import those before it. What stands in core/ goes by its short name.
ORDER: Mapping[str, str] = {
    "errors": "the one error",
    "util": "progress, tables",
    "stats": "intervals, verdicts",
    "install": "the environment, pip",
    "recipes": "the recipe language",
    "artefacts": "what is learnt",
    "families": "family.toml, stages",
    "chat": "settings, events",
    "display": "lenses, colours, SVG",
    "training": "half-finished ones",
    "models": "loading, hooks, pool",
    "steering": "interventions",
    "inference": "decoding, scoring",
    "directions": "learning, controls",
    "exchange": "GGUF, safetensors, pt",
    "transfer": "across checkpoints",
    "knowledge": "causal tracing",
    "confidence": "entropy neurons",
    "attribution": "stage effects",
    "baking": "recipe to weights",
    "undo": "remove a stage's part",
    "report": "four findings",
    "engine": "thread, runs, jobs",
    "spaces": "Spaces of the Hub",
    "cli": "verbs of launch.py",
    "skiff": "the shipped family",
    "smollm2": "a real one, our stages",
    "app": "the browser app",
    "tui": "the terminal app",
    "benchmarks": "measurements",
    "launch": "the one door",
}
#: Packages outside core/.
_OUTER = ("app", "tui", "benchmarks", "launch")
_HEAVY = ("torch", "transformers")

_WIDTH, _HEIGHT, _GAP, _ROW, _MARGIN = 168, 52, 10, 108, 20
_LIGHT, _TORCH, _INK, _LINE = "#dbe9f6", "#fbe3c8", "#1b1b1b", "#7d7d7d"

Edges = dict[str, set[str]]


class PictureError(Exception):
    """A package that ORDER does not know, or an import against it."""


# ------------------------------------------------------------------------------------------------------------- the source


def files(root: Path) -> dict[str, list[Path]]:
    """The Python files of every package. Raises PictureError for one that ORDER does not name."""
    found: dict[str, list[Path]] = {}
    for path in sorted((root / "core").iterdir()):
        if path.suffix == ".py" and path.name != "__init__.py":
            found[path.stem] = [path]
        elif path.is_dir() and list(path.glob("*.py")):
            found[path.name] = sorted(path.rglob("*.py"))
    for name in _OUTER:
        found[name] = sorted((root / name).rglob("*.py")) or [root / f"{name}.py"]
    if unknown := [name for name in found if name not in ORDER]:
        raise PictureError(f"{', '.join(unknown)}: say in ORDER of {Path(__file__).name} where it belongs.")
    return found


def imported(path: Path) -> Iterator[str]:
    """The dotted names that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package(dotted: str) -> str:
    """The package that an imported name belongs to; "" where it is none of ours."""
    parts = dotted.split(".")
    if parts[0] == "core" and len(parts) > 1:
        return parts[1]
    return parts[0] if parts[0] in _OUTER else ""


def read(root: Path) -> tuple[Edges, set[str]]:
    """Which package imports which, and those of which some file imports torch. Raises PictureError for an import against the order."""
    place = {name: number for number, name in enumerate(ORDER)}
    edges: Edges = {}
    heavy: set[str] = set()
    for name, own in files(root).items():
        edges[name] = set()
        for path in own:
            for dotted in imported(path):
                other = package(dotted)
                if dotted.split(".")[0] in _HEAVY:
                    heavy.add(name)
                elif other in ORDER and other != name:
                    if place[other] > place[name]:
                        raise PictureError(f"{path.relative_to(root)} imports {dotted}, which stands above {name}.")
                    edges[name].add(other)
    return edges, heavy


def reduced(edges: Edges) -> Edges:
    """The edges that no longer way implies."""
    below: dict[str, set[str]] = {}
    for name in ORDER:
        if name in edges:
            below[name] = set().union(edges[name], *(below[other] for other in edges[name]))
    return {
        name: {each for each in others if not any(each in below[other] for other in others)}
        for name, others in edges.items()
    }


# ------------------------------------------------------------------------------------------------------------- the layout


def rows_of(edges: Edges) -> list[list[str]]:
    """The packages in rows, each one row above the highest that it imports; the lowest row first."""
    level: dict[str, int] = {}
    for name in ORDER:
        if name in edges:
            level[name] = 1 + max((level[other] for other in edges[name]), default=-1)
    return [[name for name in level if level[name] == row] for row in range(max(level.values()) + 1)]


def chained(rows: list[list[str]], edges: Edges) -> list[tuple[str, str]]:
    """Links between neighbouring rows only: an arrow over several rows gets a point, ``from>to>row``, in each that it passes."""
    at = {name: number for number, row in enumerate(rows) for name in row}
    links = []
    for name, others in edges.items():
        for other in sorted(others):
            above = name
            for row in range(at[name] - 1, at[other], -1):
                point = f"{name}>{other}>{row}"
                rows[row].append(point)
                links.append((above, point))
                above = point
            links.append((above, other))
    return links


def crossings(rows: Sequence[Sequence[str]], links: Iterable[tuple[str, str]]) -> int:
    """How many arrows cross."""
    at = {name: (number, place) for number, row in enumerate(rows) for place, name in enumerate(row)}
    spans = [(at[a][0], at[a][1], at[b][1]) for a, b in links]
    return sum(
        one[0] == other[0] and (one[1] - other[1]) * (one[2] - other[2]) < 0
        for one, other in itertools.combinations(spans, 2)
    )


def ordered(rows: list[list[str]], links: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The rows sorted so that few arrows cross: by the mean place of what a box is linked to, down and up again."""
    best = fewest = None
    for sweep in range(40):
        down = sweep % 2 == 0
        for number in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            other = {name: place for place, name in enumerate(rows[number - 1 if down else number + 1])}
            near: dict[str, list[int]] = {name: [] for name in rows[number]}
            for above, below in links:
                own, far = (above, below) if down else (below, above)
                if own in near and far in other:
                    near[own].append(other[far])
            middle = {
                name: sum(places) / len(places) if places else float(place)
                for place, (name, places) in enumerate(near.items())
            }
            rows[number].sort(key=lambda name: middle[name])
        count = crossings(rows, links)
        if fewest is None or count < fewest:
            best, fewest = [list(row) for row in rows], count
    return best or rows


def spread(rows: Sequence[Sequence[str]], links: Sequence[tuple[str, str]]) -> dict[str, float]:
    """The horizontal middle of every box and point: near what it is linked to, never on another."""
    x: dict[str, float] = {}
    for row in rows:
        start = 0.0
        for name in row:
            x[name] = start + _wide(name) / 2
            start += _wide(name) + _GAP
    near: dict[str, list[str]] = {name: [] for name in x}
    for above, below in links:
        # Long arrows are to be straight: their points pull at each other more than boxes do.
        times = 8 if ">" in above and ">" in below else 1
        near[above] += [below] * times
        near[below] += [above] * times
    for _ in range(200):
        for row in (*rows, *reversed(rows)):
            wanted = [sum(x[each] for each in near[name]) / len(near[name]) if near[name] else x[name] for name in row]
            x.update(zip(row, _apart(wanted, [_wide(name) for name in row]), strict=True))
    left = min(x[name] - _wide(name) / 2 for name in x)
    return {name: value - left + _MARGIN for name, value in x.items()}


def _wide(name: str) -> float:
    return 8 if ">" in name else _WIDTH


def _apart(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """The places nearest to the wanted ones at which nothing overlaps (least squares: pooling of adjacent violators)."""
    offsets = [0.0]
    for before, after in itertools.pairwise(widths):
        offsets.append(offsets[-1] + (before + after) / 2 + _GAP)
    pools: list[list[float]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        pools.append([want - offset])
        while len(pools) > 1 and sum(pools[-2]) / len(pools[-2]) > sum(pools[-1]) / len(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    flat = [sum(pool) / len(pool) for pool in pools for _ in pool]
    return [value + offset for value, offset in zip(flat, offsets, strict=True)]


# ------------------------------------------------------------------------------------------------------------ the picture


def picture(root: Path) -> str:
    """The picture as SVG. Raises PictureError."""
    every, heavy = read(root)
    edges = reduced(every)
    rows = rows_of(edges)
    links = chained(rows, edges)
    rows = ordered(rows, links)
    x = spread(rows, links)
    top = _MARGIN + _HEIGHT + 40
    y = {name: top + (len(rows) - 1 - number) * _ROW for number, row in enumerate(rows) for name in row}
    width = max(x[name] + _wide(name) / 2 for name in x) + _MARGIN
    height = max(y.values()) + _HEIGHT + _MARGIN
    parts = [_arrow(name, other, x, y) for name, others in edges.items() for other in sorted(others)]
    parts += [_box(x[name], y[name], name, ORDER[name], name in heavy) for name in edges]
    parts += _legend()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        'font-family="system-ui, sans-serif" role="img">\n'
        "<title>The packages of Tiller and what each imports</title>\n"
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{_LINE}"/></marker></defs>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _arrow(name: str, other: str, x: Mapping[str, float], y: Mapping[str, float]) -> str:
    stops = [(x[name], y[name] + _HEIGHT)]
    points = [each for each in x if each.startswith(f"{name}>{other}>")]
    for point in sorted(points, key=lambda each: y[each]):
        stops += [(x[point], y[point]), (x[point], y[point] + _HEIGHT)]
    stops.append((x[other], y[other] - 2))
    path = f"M{stops[0][0]:.0f} {stops[0][1]:.0f}"
    for index in range(1, len(stops), 2):
        (x0, y0), (x1, y1) = stops[index - 1], stops[index]
        middle = (y0 + y1) / 2
        path += f"C{x0:.0f} {middle:.0f} {x1:.0f} {middle:.0f} {x1:.0f} {y1:.0f}"
        if index + 1 < len(stops):
            path += f"L{stops[index + 1][0]:.0f} {stops[index + 1][1]:.0f}"
    return f'<path d="{path}" fill="none" stroke="{_LINE}" stroke-width="1.4" marker-end="url(#head)"/>'


def _box(middle: float, top: float, name: str, what: str, heavy: bool, width: float = _WIDTH) -> str:
    fill = _TORCH if heavy else _LIGHT
    return (
        f'<g><rect x="{middle - width / 2:.0f}" y="{top:.0f}" width="{width:.0f}" height="{_HEIGHT}" rx="6" fill="{fill}" '
        f'stroke="{_LINE}"/>'
        f'<text x="{middle:.0f}" y="{top + 22:.0f}" text-anchor="middle" font-size="17" font-weight="600" fill="{_INK}">'
        f"{escape(name)}</text>"
        f'<text x="{middle:.0f}" y="{top + 41:.0f}" text-anchor="middle" font-size="14.5" fill="{_INK}">{escape(what)}</text></g>'
    )


def _legend() -> list[str]:
    said = (
        ("an arrow", "imports; implied ones are left out", False),
        ("no torch", "no file of it imports torch", False),
        ("torch", "some file of it imports torch", True),
    )
    return [
        _box(_MARGIN + 125 + place * 260, _MARGIN, name, what, heavy, 250)
        for place, (name, what, heavy) in enumerate(said)
    ]


def main(arguments: Sequence[str]) -> int:
    """Write the picture, or check it; returns the exit status."""
    try:
        made = picture(ROOT)
    except PictureError as problem:
        print(problem, file=sys.stderr)
        return 1
    if "--check" not in arguments:
        PICTURE.write_text(made, encoding="utf-8")
        return 0
    if PICTURE.is_file() and PICTURE.read_text(encoding="utf-8") == made:
        return 0
    print("docs/architecture.svg is out of date; run python docs/architecture_picture.py.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
