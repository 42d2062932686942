"""Numbers on a page: which may change, and how another one is written in their place."""

from __future__ import annotations

from decimal import Decimal

import pytest

from finbench.finqa.figures import cell, figures, rewrite, rounded, written


@pytest.mark.parametrize(
    ("text", "free"),
    [
        ("$ 151.7 million", ["151.7"]),
        ("-36 ( 36 )", ["36", "36"]),
        ("( 5 ) % (  % )", ["5"]),
        ("5.2% ( 5.2 % )", ["5.2", "5.2"]),
        ("sales of 1,310 and .2", ["1,310", ".2"]),
        ("$ 2012", ["2012"]),
        ("in 2012 and 2011-2013", []),
        ("june 30 , 2012", []),
        ("30 june 2012", []),
        ("12/31/10", []),
        ("note 14 and item 7", []),
        ("sfas no . 123", []),
        ("debt ( 2 )", []),
        ("the 10-k , a 5-year lease , q4", []),
        ("$ 100.00 invested , 1000 units of 1", []),
        ("0.1 and 0.01", ["0.1", "0.01"]),
        ("a317million", []),
        ("10.5x", ["10.5"]),
    ],
)
def test_years_dates_notes_words_and_constants_are_fixed(text, free):
    assert [figure.text for figure in figures(text) if not figure.fixed] == free


@pytest.mark.parametrize(
    ("text", "percent", "scale"),
    [
        ("8.6 billion", False, 9),
        ("8.6 %", True, 0),
        ("8.6 percent", True, 0),
        ("0.9 percentage points", False, 0),
        ("3 millions", False, 6),
    ],
)
def test_a_figure_knows_its_percent_sign_and_its_scale(text, percent, scale):
    assert (figures(text)[0].percent, figures(text)[0].scale) == (percent, scale)


@pytest.mark.parametrize(
    ("value", "like", "shown"),
    [
        ("5829.4", "1,310", "5,829"),
        ("0.25", ".20", ".25"),
        ("7", "42.0", "7.0"),
        ("1234567", "12", "1234567"),
        ("0.5", "0", "1"),
    ],
)
def test_a_new_number_is_written_as_the_old_one(value, like, shown):
    assert written(Decimal(value), like) == shown


def test_only_figures_are_rewritten():
    assert rewrite("-36 ( 36 ) of 2011", lambda figure: None if figure.fixed else "41") == "-41 ( 41 ) of 2011"
    assert rounded(Decimal("0.125"), 2) == Decimal("0.13")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$ -36 ( 36 )", "-36"),
        ("( 9.9 )", "-9.9"),
        ("( 5 ) % (  % )", "-5"),
        ("1976", "1976"),
        ("2014", None),
        ("-", None),
        ("n/a", None),
        ("1 and 2", None),
        ("december 31", None),
        ("$ 9.9 million", None),
    ],
)
def test_a_cell_is_a_number_only_when_it_holds_nothing_else(text, value):
    found = cell(text)
    assert (found and found[0]) == (Decimal(value) if value else None)
