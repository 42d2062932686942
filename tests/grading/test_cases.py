"""Every labelled output of tests/cases gets its verdict, through the line protocol."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cases import load

from finbench.grade import grade_line
from finbench.records import REASONS

TABLES = (
    "extraction",
    "number",
    "chinese",
    "choice",
    "boolean",
    "label",
    "text",
    "mixed",
    "variants",
    "arranged",
    "worded",
    "kinds",
    "japanese",
)


@pytest.mark.parametrize("table", TABLES)
def test_every_case_gets_its_verdict(table: str) -> None:
    wrong = []
    for row in load(table):
        verdict = grade_line(json.dumps(row))
        assert verdict["reason"] in REASONS
        if verdict["correct"] is not row["correct"]:
            wrong.append((row["gold"], row["output"], verdict))
        elif "extracted" in row and verdict["extracted"] != row["extracted"]:
            wrong.append((row["extracted"], row["output"], verdict))
    assert not wrong


WRAPPINGS = [
    "{}",
    "**{}**",
    "\\boxed{{{}}}",
    "\\boxed{{\\text{{{}}}}}",
    "$\\boxed{{{}}}$",
    "The answer is {}.",
    "**Final Answer:** {}",
    "<think>hm, 3 or 4</think>\n<answer>{}</answer>",
    "答案：{}",
    "Some work first.\n#### {}",
    '{{"answer": "{}"}}',
    "<answer>\nAs computed:\n\\boxed{{{}}}\n</answer>",
]


def short_answers() -> list[dict[str, Any]]:
    """Cases whose output is the bare answer, so that it can be wrapped."""
    return [
        r for t in ("number", "choice", "label") for r in load(t) if len(r["output"]) < 12 and r["output"].isascii()
    ]


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_markup_does_not_change_the_verdict(wrapping: str) -> None:
    changed = []
    for row in short_answers():
        if any(c in row["output"] for c in '\\"'):
            continue
        output = row["output"]
        if "boxed" in wrapping:
            output = output.replace("%", "\\%").replace("$", "\\$")
        verdict = grade_line(json.dumps(row | {"output": wrapping.format(output)}))
        if verdict["correct"] is not row["correct"]:
            changed.append((row["gold"], wrapping.format(output), verdict))
    assert not changed
