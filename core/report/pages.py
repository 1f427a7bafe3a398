"""A report as one HTML page that needs nothing else, and as Markdown. No torch."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from html import escape

from core.report.report import Drawing, Finding, PairReport
from core.stats import verdicts
from core.stats.verdicts import DOES_NOT, HOLDS
from core.util.table import Table

_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #ffffff; --pale: #666; --line: #d5d5d5; --soft: #f5f5f3; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e3; --paper: #17191c; --pale: #a0a0a0; --line: #3a3d42; --soft: #202327; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.25rem; border-top: 1px solid var(--line); padding-top: 1.2rem; margin-top: 2.5rem; }
h3 { font-size: 1rem; margin-top: 1.5rem; } .pale { color: var(--pale); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; margin: .6rem 0; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { border: 1px solid var(--line); padding: .25rem .5rem; text-align: left;
  vertical-align: top; }
th { background: var(--soft); } td { font-variant-numeric: tabular-nums; }
figure { margin: 1rem 0; overflow-x: auto; } figure svg { width: 100%; min-width: 34rem; max-width: 48rem; height: auto;
  border: 1px solid var(--line); box-sizing: border-box; }
figcaption { font-size: .85rem; color: var(--pale); } a { color: inherit; }
.state { display: inline-block; padding: .1rem .6rem; border: 2px solid currentColor; border-radius: 1rem; font-weight: 600; }
.holds { color: #00805f; } .does-not { color: #c04c00; } .inconclusive { color: var(--pale); }
@media (prefers-color-scheme: dark) { .holds { color: #2fc79b; } .does-not { color: #ff8a3c; } }
.warning { border-left: 4px solid #D55E00; padding-left: .8rem; } details { margin: .6rem 0; } summary { cursor: pointer; }
@media (max-width: 46rem) {
  .sentences thead { display: none; } .sentences, .sentences tbody, .sentences caption { display: block; }
  .sentences tr { display: block; border: 1px solid var(--line); margin-bottom: .6rem; }
  .sentences td { display: block; border: 0; } .sentences td:empty { display: none; }
  .sentences td::before { content: attr(data-column); display: block; color: var(--pale); font-size: .75rem; }
  table:not(.sentences) { min-width: 34rem; }
}
"""


def html(report: PairReport) -> str:
    """The whole page: no script, and nothing from anywhere else."""
    body = [
        f"<h1>{escape(report.title)}</h1>",
        f'<p class="pale">{escape(report.made)}</p>',
        *(f"<p>{escape(each)}</p>" for each in report.opening),
        _scroll(report.summary),
        _scroll(report.directions),
        *(_section(each) for each in report.findings),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report.title)}</title><style>{_STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )  # fmt: skip


def _section(each: Finding) -> str:
    verdict = each.verdict
    state = {HOLDS: "holds", DOES_NOT: "does-not"}.get(verdict.state, "inconclusive")
    said = f": {escape(each.decided_by or verdict.reason)}" if each.decided_by or verdict.reason else ""
    parts = [
        f'<section id="finding-{each.number}"><h2>{each.number}. {escape(each.title)}</h2>',
        f"<p><strong>{escape(each.claim)}</strong></p>",
        f'<p><span class="state {state}">{escape(verdict.state)}</span>{said}</p>',
    ]
    parts += [f'<p class="warning">{escape(warning)}</p>' for warning in each.warnings]
    parts += [f"<p>{escape(note)}</p>" for note in each.notes]
    if each.parts:
        parts.append(_scroll(verdicts.verdict_table(each.parts, "Parts of the claim")))
    if each.controls:
        parts.append(_scroll(verdicts.verdict_table(each.controls, "Controls, which are meant to fail")))
    parts += [_figure(drawing) for drawing in each.drawings]
    parts += [f"<details><summary>{escape(table.title)}</summary>{_scroll(table)}</details>" for table in each.tables]
    parts.append(f"<h3>Methods</h3><p>{escape(each.methods)}</p></section>")
    return "\n".join(parts)


def _figure(drawing: Drawing) -> str:
    """A plot, and beneath it the plot and its figures as files, which lie in the page itself."""
    kinds = (("SVG", "svg", "image/svg+xml", drawing.svg), ("CSV", "csv", "text/csv;charset=utf-8", drawing.csv))
    links = " · ".join(
        f'<a download="{escape(drawing.name)}.{ending}" href="data:{media};base64,{b64encode(text.encode()).decode()}">{title}</a>'
        for title, ending, media, text in kinds
    )
    return f"<figure>{drawing.svg}<figcaption>Save as {links}</figcaption></figure>"


def _scroll(table: Table) -> str:
    return f'<div class="scroll" tabindex="0">{table.html()}</div>'


def markdown(report: PairReport) -> str:
    """The same as Markdown; plots are named, and stand in the page."""
    lines = [f"# {report.title}", "", report.made, ""]
    for each in report.opening:
        lines += [each, ""]
    lines += [report.summary.markdown(), "", report.directions.markdown(), ""]
    for finding in report.findings:
        lines += _chapter(finding)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _chapter(each: Finding) -> Iterator[str]:
    said = each.decided_by or each.verdict.reason
    yield from (
        f"## {each.number}. {each.title}",
        "",
        f"**{each.claim}**",
        "",
        f"Verdict: **{each.verdict.state}**{f': {said}' if said else ''}",
        "",
    )
    for sentence in (*each.warnings, *each.notes):
        yield from (sentence, "")
    if each.parts:
        yield from (verdicts.verdict_table(each.parts, "Parts of the claim").markdown(), "")
    if each.controls:
        yield from (verdicts.verdict_table(each.controls, "Controls, which are meant to fail").markdown(), "")
    for table in each.tables:
        yield from (table.markdown(), "")
    if each.drawings:
        yield from (f"Plots, in the HTML page: {', '.join(drawing.name for drawing in each.drawings)}.", "")
    yield from ("### Methods", "", each.methods, "")
