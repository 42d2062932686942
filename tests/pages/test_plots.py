"""Figures: text of names, colours of the page, the numbers beside them."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from finbench.pages import plots


@pytest.mark.parametrize("name", ["$x_1$ \\frac{", "<b>&amp;", "模型甲", "a\x00b\x1b[31m", "x" * 300, ""])
def test_names_in_figures_are_text(name: str) -> None:
    point = plots.PlotPoint(name, 50.0, 40.0, 60.0, 10)
    made = plots.forest([point], {name: [plots.PlotPoint(name, 55.0)]})
    assert ET.fromstring(made.svg).tag.endswith("svg")
    page = plots.inline(made)
    assert "<b>" not in page
    assert "$x_1$" in page or "$" not in name
    assert "<metadata" not in page
    assert plots.forest([point], {name: [plots.PlotPoint(name, 55.0)]}) == made


def test_figures_follow_the_colours_of_the_page() -> None:
    made = plots.inline(plots.strictness([("FinQA", 50.0, 55.0)]))
    assert "currentColor" in made
    assert plots.INK not in made
    assert 'role="img"' in made
    assert "<desc>" in made


def test_a_figure_comes_with_its_numbers_as_a_table() -> None:
    made = plots.breakdown(
        "turns", "by turn", [plots.PlotPoint("1", 50.0, 40.0, 60.0, 1200), plots.PlotPoint("2", 25.0)]
    )
    assert made.rows == (("1", "1,200", "50.0", "40.0 to 60.0"), ("2", "–", "25.0", "–"))


def test_reasons_beyond_the_colours_are_drawn_as_one() -> None:
    tally = {f"reason_{number}": 10 - number for number in range(len(plots.SERIES) + 2)}
    made = plots.reasons({"FinQA": tally}, {"FinQA": 100}, str.upper)
    assert "other" in made.svg
    assert [row[0] for row in made.rows] == [name.upper() for name in tally]
