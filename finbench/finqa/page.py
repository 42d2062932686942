"""A page of a company report as a prompt shows it: what the dataset's tokenizer broke is mended, nothing else changes.

FinQA and ConvFinQA publish the same pages: sentences before a table, the table, sentences after it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from finbench.finqa.programs import Table

# Characters lost their backslash-u in the published files: `2019s` was ’s. Only what cannot be a year is mended;
# `2014`, `2013` and `2022` alone may be dashes, bullets or years, and stay.
_TYPOGRAPHY = (
    (re.compile(r"\s?\b2019(s|t|re|ve|ll|d|m)\b"), r"'\1"),
    (re.compile(r"\b201c ?"), '"'),
    (re.compile(r"\s?\b201d\b"), '"'),
)
# Cells repeat a negative number or a percentage in parentheses: `-32 ( 32 )`, `27% ( 27 % )`, `( 5 ) % (  % )`.
_REPEATED = re.compile(r"(-?)([\d,.]+)(%?) \( \2 ?\3 \)")
_EMPTY_PERCENT = re.compile(r" ?\(\s+% ?\)")
_OPEN_PERCENT = re.compile(r"\( ([\d,.]+) \) ?%")


def page(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a document that come from the page: for the prompt `text_before`, `table_markdown`, `text_after`;
    for diagnoses `cells` (below the header, right of the row names); the raw fields as the dataset has them."""
    table = row["table"]
    return {
        "text_before": prose(row["pre_text"]),
        "table_markdown": markdown(table),
        "text_after": prose(row["post_text"]),
        "cells": [shown for cells in table[1:] for cell in cells[1:] if (shown := clean_cell(cell))],
        "table": table,
        "pre_text": row["pre_text"],
        "post_text": row["post_text"],
    }


def prose(sentences: Sequence[str]) -> str:
    """The sentences as one paragraph, without repetitions, unambiguous typography mended; a lone `.` is no sentence.

    >>> prose(["management 2019s 201coutlook 201d for 2019 is 5.0% ( 5.0 % ) .", "."])
    'management\\'s "outlook" for 2019 is 5.0% .'
    """
    return mend(_once(" ".join(sentence for sentence in sentences if sentence.strip(" ."))))


def mend(text: str) -> str:
    """The text with apostrophes and quotation marks where only their code points are left."""
    if "201" not in text:  # spares nearly every cell the search
        return text
    for broken, whole in _TYPOGRAPHY:
        text = broken.sub(whole, text)
    return text


def clean_cell(cell: str) -> str:
    """The cell without the repetition that the dataset's tokenizer left in it.

    >>> [clean_cell(cell) for cell in ("$ -32 ( 32 )", "27% ( 27 % )", "( 5 ) % (  % )", "2016 ( 1 )")]
    ['$ -32', '27%', '(5)%', '2016 ( 1 )']
    """
    if "(" in cell:
        cell = _OPEN_PERCENT.sub(r"(\1)%", _EMPTY_PERCENT.sub("", _once(cell)))
    return mend(cell).strip()


def _once(text: str) -> str:
    """A plain number before the same number in parentheses is left alone: `2016 ( 1 )` is a note."""
    return _REPEATED.sub(lambda found: "".join(found.group(1, 2, 3)) if found[1] or found[3] else found[0], text)


def markdown(table: Table) -> str:
    """The table in Markdown, its first row as the header; short rows are filled up, `|` and line breaks are escaped.

    >>> print(markdown([["", "2019"], ["net loss", "-32 ( 32 )"]]))
    |  | 2019 |
    | --- | --- |
    | net loss | -32 |
    """
    width = max((len(cells) for cells in table), default=0)
    if not width:
        return ""
    lines = [[_escaped(cell) for cell in cells] + [""] * (width - len(cells)) for cells in table]
    lines.insert(1, ["---"] * width)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _escaped(cell: str) -> str:
    return clean_cell(" ".join(cell.split())).replace("|", "\\|")
