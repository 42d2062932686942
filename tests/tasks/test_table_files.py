"""A table with named columns becomes documents: cells, options, golds as letters, and what is refused with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finbench.errors import DataError
from finbench.tasks import table_files

OPTIONS = [
    ("A. up\nB. down", {"A": "up", "B": "down"}, "lettered lines"),
    ("(b) down\n(a) up", {"B": "down", "A": "up"}, "letters in brackets, in any order"),
    ("up\n\ndown", {"A": "up", "B": "down"}, "plain lines"),
    ("A. up\ndown", {"A": "A. up", "B": "down"}, "lines of which one has no letter"),
    ("up | down", {"A": "up", "B": "down"}, "bars"),
    ("up; down; ", {"A": "up", "B": "down"}, "semicolons"),
    ("1;2 | 3", {"A": "1;2", "B": "3"}, "bars before semicolons"),
    (["up", "", "down"], {"A": "up", "C": "down"}, "a list with a gap"),
    ({"a": "up", "b": 2, "note": "x"}, {"A": "up", "B": "2"}, "a mapping"),
    ({"text": ["up", "down"], "label": ["A", "B"]}, {"A": "up", "B": "down"}, "as the hub writes them"),
    ('["up", "down"]', {"A": "up", "B": "down"}, "JSON in a cell"),
    ("[up", {"A": "[up"}, "a text that only begins like JSON"),
    (None, {}, "no cell"),
]


@pytest.mark.parametrize(("cell", "expected", "why"), OPTIONS, ids=[case[2] for case in OPTIONS])
def test_options_are_read_in_every_form_that_people_write(cell, expected, why):
    assert table_files.options(cell) == expected


@pytest.mark.parametrize(
    ("answer", "settings", "expected"),
    [("b", {}, "B"), ("(B).", {}, "B"), ("DOWN", {}, "B"), ("1", {"first": 0}, "B"), ("1", {"first": 1}, "A"),
     ("B, A", {"multi": True}, "AB"), ("ba", {"multi": True}, "AB")],
)  # fmt: skip
def test_a_gold_is_a_letter_however_it_is_written(answer, settings, expected):
    assert table_files.letters_of(answer, {"A": "up", "B": "down"}, **settings) == expected


@pytest.mark.parametrize("answer", ["C", "sideways", "", "AB"])
def test_a_gold_that_is_no_option_is_refused(answer):
    with pytest.raises(ValueError, match="no letter of A, B"):
        table_files.letters_of(answer, {"A": "up", "B": "down"})


def table(path: Path, rows: list[dict[str, object]], **settings: object) -> table_files.RowsTable:
    (path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = {"file": "rows.jsonl", "columns": {"question": "q", "answer": "a"}, "answer": {"kind": "number"}}
    return table_files.table({**given, **settings, "config_source": str(path / "mine.yaml")})


def test_a_row_becomes_a_document_and_a_bad_one_its_error_with_the_line(tmp_path):
    rows = [{"q": "1 plus 1?", "a": 2}, {"q": "", "a": 2}, {"q": "x", "a": None}, {"a": 1}]
    found = list(table(tmp_path, rows).numbered())
    assert [line for line, _ in found] == [1, 2, 3, 4]
    assert (found[0][1]["question"], found[0][1]["gold"], found[0][1]["id"]) == ("1 plus 1?", "2", "1")
    assert [str(error).partition(": ")[2] for _, error in found[1:]] == [
        "no question in column 'q'",
        "no answer in column 'a'",
        "no column 'q'; found a",
    ]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"columns": {"question": "q"}}, "`question` and `answer` are needed"),
        ({"columns": {"question": "q", "answer": "a", "colour": "c"}}, "unknown colour"),
        ({"columns": {"question": "q", "answer": 3}}, "columns.answer is 3"),
        ({"answer": {"kind": "poem"}}, "answer.kind is 'poem'"),
        ({"answer": {"kind": "number", "unit": "ells"}}, "answer.unit is 'ells'"),
        ({"answer": {"kind": "label", "classes": "x"}}, "answer.classes is 'x'"),
        ({"first_option": 2}, "first_option is 2"),
        ({"file": "gone.csv"}, "does not exist"),
        ({"file": "../x.csv"}, "leaves the folder"),
    ],
)
def test_settings_that_say_nothing_are_refused_with_the_key(tmp_path, settings, words):
    with pytest.raises(DataError, match=words):
        table(tmp_path, [{"q": "x", "a": 1}], **settings)
