"""Graded replies over a made-up page, for the tests of the audit's marks; and texts that try to break out of a page."""

from __future__ import annotations

from typing import Any

from finbench.records import Response
from finbench.runs import scoring
from finbench.tasks.documents import document_from_row

TABLE = [["( in millions )", "2019", "2018"], ["net sales", "$ 3140", "$ 3075"], ["operating income", "251", "272"]]
ROW: dict[str, Any] = {
    "id": "page-1",
    "question": "by how much did net sales grow , against a target of 4.2%?",
    "gold": "2.11%",
    "answer": {"kind": "number"},
    "table": TABLE,
    "cells": ["$ 3140", "$ 3075", "251", "272"],
    "pre_text": ["the company employed 9,400 people ."],
    "program": "subtract(3140, 3075), divide(#0, 3075)",
}

HOSTILE = (
    "<script>window.fired=1</script>",
    "<img src=x onerror=window.fired=1>",
    "</pre></div></td><svg/onload=window.fired=1>",
    "<b>3,140</b>",
    "<a href=javascript:window.fired=1>3,075</a>",
    '" onmouseover="window.fired=1" 3,075',
    "<!-- 3,140 - 3,075 = 66 -->",
    "\x00\x07\x1b[31m3,140\u202e\u2066 - 3,075 = \x0066",
    "{{ 7 * 7 }}{% raw %} 3,140 - 3,075 = 66",
)


def graded(text: str, row: dict[str, Any] | None = None) -> dict[str, Any]:
    """A sample for fake_runs, graded as a run does it."""
    row = row or ROW
    verdict = scoring.grade(document_from_row(row, "finqa"), [Response("1", text, "stop", 1, 1, 1.0)])
    names = ("extracted", "value", "correct", "lenient", "reason", "span", "metrics")
    found = {name: getattr(verdict, name) for name in names}
    return {"id": row["id"], "question": row["question"], "gold": row["gold"], "text": text, "row": row, **found}


def hostile_row(word: str) -> dict[str, Any]:
    table = [[word, "2019", word], [word, "$ 3140", "$ 3075"], ["operating income", f"251 {word}", word]]
    return {
        **ROW,
        "id": word,
        "question": f"{word} 4.2%",
        "table": table,
        "pre_text": [f"{word} 9,400"],
        "program": word,
    }
