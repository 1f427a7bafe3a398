"""The page of what holds: a section is put in its place, and the rest of the page stays."""

from __future__ import annotations

from pathlib import Path

from benchmarks import validation, validation_statistics


def test_a_section_takes_the_place_of_the_one_of_its_title(tmp_path: Path) -> None:
    page = tmp_path / "validation.md"
    page.write_text("# Validation\n\nWords.\n\n## Statistics\n\nold\n\n## Replies\n\nothers'\n", encoding="utf-8")
    validation.write_section("Statistics", "new", page)
    assert (
        page.read_text(encoding="utf-8") == "# Validation\n\nWords.\n\n## Statistics\n\nnew\n\n## Replies\n\nothers'\n"
    )
    validation.write_section("More", "last", page)
    assert page.read_text(encoding="utf-8").endswith("## Replies\n\nothers'\n\n## More\n\nlast\n")


def test_the_ceiling_of_grouped_statements_is_found_where_single_ones_have_none() -> None:
    row = validation_statistics.reliability_row()
    assert row.good
    assert float(row.before) < 0.1
    assert row.cells()[-1] == "yes"
