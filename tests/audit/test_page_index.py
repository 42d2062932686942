"""Where a number stands on a page: as it is, in percent, in another scale, rounded, or nowhere."""

from __future__ import annotations

import pytest

from finbench.audit import page_index
from finbench.text.normalize import normalise
from finbench.text.stated import numbers

ROW = {
    "table": [["( in millions )", "2019", "2018"], ["net sales", "$ 8630.9", "7 630"], ["margin", "12.5%", "9"]],
    "pre_text": ["9,400 people work here ."],
    "post_text": ["a rate of 31 % applied to 12.5 ."],
}
PAGE = page_index.of_page(ROW, ())

FOUND = [
    ("8,630.9", ("net sales | 2019", ""), "as it is"),
    ("8.6309 billion", ("net sales | 2019", "scaled"), "with a scale word"),
    ("0.125", ("margin | 2019", "scaled"), "a percentage as a fraction"),
    ("12.5", ("margin | 2019", ""), "a cell before a sentence"),
    ("8,631", ("net sales | 2019", "rounded"), "rounded to four digits"),
    ("8.63 billion", ("net sales | 2019", "rounded"), "rounded and scaled"),
    ("8.6 billion", ("net sales | 2019", "rounded"), "two digits with a scale word"),
    ("86", None, "two digits without one"),
    ("0.31", ("sentence 2", "scaled"), "two digits of a percentage as a fraction"),
    ("310", None, "two digits, a place away"),
    ("3,100", ("sentence 2", "scaled"), "an amount of four digits"),
    ("9,400", ("sentence 1", ""), "a sentence"),
    ("86,309", None, "one power of ten away is no scale"),
    ("8,632", None, "another number"),
]


@pytest.mark.parametrize(("text", "expected", "why"), FOUND, ids=[case[2] for case in FOUND])
def test_a_number_is_found_by_its_digits(text: str, expected: tuple[str, str] | None, why: str) -> None:
    (number,) = numbers(normalise(text))
    hit = page_index.find(number, PAGE)
    assert (hit and (hit[0].where, hit[1])) == expected


def test_a_place_names_row_and_column_or_the_sentence() -> None:
    (number,) = numbers("9")
    place, how = page_index.find(number, PAGE) or (None, "")
    assert place is not None
    assert (place.kind, place.row, place.column, how) == ("cell", 2, 2, "")


def test_of_several_scales_the_nearest_counts() -> None:
    page = page_index.of_page({"table": [["a", "b"], ["in thousands", "8631000"], ["in percent", "863100"]]}, ())
    (number,) = numbers("8,631")
    place, how = page_index.find(number, page) or (None, "")
    assert place is not None and (place.where, how) == ("in percent | b", "scaled")


def test_the_question_and_earlier_turns_are_a_source() -> None:
    asked = page_index.of_question("what of 4.2%?", [{"question": "and 777?", "answer": "8641.77"}])
    found = [page_index.find(number, asked) for text in ("4.2%", "777", "8,641.77", "5") for number in numbers(text)]
    assert [hit and hit[0].where for hit in found] == ["the question", "turn 1, question", "turn 1, answer", None]


def test_bare_cells_and_plain_texts_are_a_page_too() -> None:
    assert page_index.table_of({}, ("1", "2")) == (("cells", "1", "2"),)
    assert page_index.table_of({"table": [1, 2]}, ("1",)) == (("cells", "1"),), "no table of rows"
    assert page_index.sentences_of({"context": "a .", "text_before": "b ."}) == ("b .", "a .")
