"""A page as a prompt shows it: typography and repetitions mended, the table in Markdown."""

from __future__ import annotations

import pytest
from finqa_rows import page as row

from finbench.finqa import page


def test_the_parts_of_a_page_are_text_table_text_and_its_cells() -> None:
    found = page.page(row())
    assert found["text_before"].startswith("net sales grew 12.3% to $ 6.4 billion in 2019 , see note 12 .")
    assert found["text_after"] == "the loss was $ 36.2 million ."
    assert found["table_markdown"].splitlines()[2] == "| net sales | $ 6421.5 | $ 5718.2 |"
    assert found["cells"][-2:] == ["-36.2", "-41.8"] and "( in millions )" not in found["cells"]
    assert found["table"] == row()["table"]


CELLS = [
    ("$ -32 ( 32 )", "$ -32", "a negative number twice"),
    ("27% ( 27 % )", "27%", "a percentage twice"),
    ("( 5 ) % (  % )", "(5)%", "an empty percent sign"),
    ("2016 ( 1 )", "2016 ( 1 )", "a note"),
    ("32 ( 32 )", "32 ( 32 )", "a plain number before the same one is a note"),
    ("-32 ( 33 )", "-32 ( 33 )", "two numbers"),
    ("company 2019s", "company's", "typography"),
]


@pytest.mark.parametrize(("cell", "shown", "why"), CELLS, ids=[case[2] for case in CELLS])
def test_a_cell_loses_what_the_tokenizer_repeated(cell: str, shown: str, why: str) -> None:
    assert page.clean_cell(cell) == shown


def test_a_table_with_short_rows_pipes_and_line_breaks_stays_a_table() -> None:
    assert page.markdown([["", "a|b"], ["x\ny"]]).splitlines() == ["|  | a\\|b |", "| --- | --- |", "| x y |  |"]
    assert page.markdown([]) == page.markdown([[]]) == ""


def test_a_sentence_that_is_a_lone_point_is_none() -> None:
    assert page.prose(["a .", ".", " . ", "b ."]) == "a . b ."
