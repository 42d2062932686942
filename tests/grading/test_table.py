"""The printed decision table: every row shows what it does, and docs/grading.md is current."""

from __future__ import annotations

from pathlib import Path

import pytest

from finbench.grading.asked import Asked
from finbench.grading.decide import EXPLICIT, PROSE, Found, Row, find, printed
from finbench.grading.kinds.number_reader import NumberReader
from finbench.grading.reply import open_reply

ROWS = (*EXPLICIT, *PROSE)


def read(reply: str) -> Found | None:
    return find(open_reply(reply), NumberReader(Asked()))


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_every_row_decides_its_example(row: Row) -> None:
    found = read(row.example)
    assert found is not None
    assert (found.reading.problem or str(found.reading.shown)) in row.shown
    assert found.row == row.name


# The other side of each row: a reply that looks alike, and is decided by another.
OTHERS = [
    ("thinking-on", "The answer is 5. But wait, does that hold? It does.", "explicit"),
    ("offered-both", "\\boxed{0.226} or \\boxed{22.6\\%}", "explicit"),
    ("corrected", "The answer is 4. Let me double check: 2 + 2 = 4, which is correct.", "explicit"),
    ("last-word", "The answer is 4. So in total it is 4.", "explicit"),
    ("explicit", "It was 4 before. It is 5 now.", "last-sentence"),
    ("refused", "For 2014 it cannot be determined directly, but it can be inferred. Therefore, it is 5.", "concluded"),
    ("both", "It is 5. By cost it is 6.", "last-sentence"),
    ("cut-off", "Revenue was 100. Therefore the growth rate of the company is 5%", "concluded"),
    ("concluded", "It grew 5%. The table is on page 7.", "last-sentence"),
    ("line-by-line", "5\n5", "bare"),
    ("bare", "It was 5%. Net sales were 100 before.", "last-sentence"),
]


@pytest.mark.parametrize(("row", "reply", "other"), OTHERS, ids=[case[0] for case in OTHERS])
def test_a_row_leaves_its_neighbour_to_another(row: str, reply: str, other: str) -> None:
    found = read(reply)
    assert found is not None
    assert found.row == other != row


def test_a_sentence_that_rather_adds_context_is_read_where_no_other_says_a_number() -> None:
    found = read("The statement lists it. The report for the year was drawn up late, at 5.")
    assert found is not None and found.reading.shown == "5"


def test_the_documents_print_the_table_of_the_code() -> None:
    text = (Path(__file__).parents[2] / "docs" / "grading.md").read_text("utf-8")
    assert text.partition("<!-- rows -->\n")[2].partition("<!-- /rows -->")[0].strip() == printed()
