"""The rows of a leaderboard table as a page prints them: words, marks, places. Everything is worked out here.

A template gets plain values and does no arithmetic; the script of the page gets the same numbers in `row_data`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from finbench.pages import html
from finbench.pages.exports import blocks_of
from finbench.scores.leaderboard import partial_mean
from finbench.scores.published import FLAGS

if TYPE_CHECKING:
    from finbench.scores.leaderboard import Cell, Row, Table

ROW_FLAGS = {
    "partial": "the run was not finished",
    "sample_rows": "sample rows written for finbench, not the benchmark: the score says nothing about the model",
    "reference_score": "a reference score, no accuracy: no judge has read the replies",
}
COST = (
    {"key": "tokens", "head": "tokens", "title": "output tokens per sample, mean"},
    {"key": "unsure", "head": "unsure", "title": "verdicts that the grader is not sure of, percent"},
    {"key": "unreadable", "head": "unread.", "title": "replies without a readable answer, percent"},
    {"key": "truncated", "head": "cut off", "title": "replies cut off at the token limit, percent"},
    {"key": "errors", "head": "failed", "title": "failed requests, percent; they count as wrong"},
)
SOURCE = ({"key": "date", "head": "date"}, {"key": "version", "head": "version"}, {"key": "config", "head": "config"})


@dataclass(frozen=True, slots=True)
class Place:
    """What the page knows of a row beside the table: its samples and where it came from.

    `number` is its key in the packed samples, None for reported rows; `tasks` are the columns with samples, `by` says
    whose verdict a score is.
    """

    number: int | None
    tasks: tuple[int, ...] = ()
    variants: tuple[int, ...] = ()
    by: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    config: str = ""
    run: str = ""


def key_of(row: Row) -> str:
    """Eight hex digits that name a row in the page's address, the same in every build."""
    return hashlib.sha256(f"{row.kind} {row.protocol} {row.key}".encode("utf-8", "surrogatepass")).hexdigest()[:8]


def layout(table: Table, places: Sequence[Place]) -> dict[str, Any]:
    """What the template prints; `places` runs along the rows of the table."""
    notes = _Notes()
    scale = _scale(table.rows)
    sizes = {name: _common_size(table.rows, name) for name in table.tasks}
    repeated = {name for name, count in Counter((row.model, row.protocol) for row in table.rows).items() if count > 1}
    ties: Counter[tuple[Any, ...]] = Counter((row.kind, row.protocol, row.group) for row in table.rows)
    groups = []
    for indices in blocks_of(table):
        rows = [table.rows[index] for index in indices]
        common = _common_flags(rows)
        lines = [
            _line(index, table, places[index], sizes, scale, notes, common)
            | {
                "sub": _sub(
                    table.rows[index], places[index], (table.rows[index].model, table.rows[index].protocol) in repeated
                )
            }
            | _rank(table.rows[index], ties)
            for index in indices
        ]
        note, more = _block_note(rows[0], common)
        groups.append({"title": rows[0].title, "note": note, "more": more, "rows": lines, "kind": rows[0].kind})
    assumed = any(cell.n_assumed for row in table.rows for cell in row.cells.values())
    return {
        "title": "Leaderboard",
        "lead": _lead([row.kind for row in table.rows]),
        "tasks": [{"title": html.task_title(name), "n": sizes[name] and f"{sizes[name]:,}"} for name in table.tasks],
        "cost": COST,
        "source": SOURCE,
        "columns": 2 + len(table.tasks) + len(COST) + len(SOURCE),
        "groups": groups,
        "explain": _explain(scale, assumed),
        "footnotes": notes.texts,
    }


def row_data(row: Row, place: Place, tasks: Sequence[str]) -> dict[str, Any]:
    """What the script knows of a row: scores as [score, low, high, n], and which columns have samples."""
    return {
        "key": key_of(row),
        "number": place.number,
        "model": row.model,
        "kind": row.kind,
        "protocol": row.protocol,
        "source": row.source,
        "run": place.run,
        "scores": [_numbers(row.cells.get(name)) for name in tasks],
        "average": _numbers(row.average),
        "cells": place.tasks,
        "variants": place.variants,
    }


def _numbers(cell: Cell | None) -> list[float] | None:
    if cell is None:
        return None
    return [round(cell.score, 4), round(cell.low, 4), round(cell.high, 4), cell.n]


class _Notes:
    """Footnotes, lettered as they first appear."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def mark(self, text: str) -> str:
        if text not in self.texts:
            self.texts.append(text)
        return letter(self.texts.index(text))


def letter(index: int) -> str:
    """A footnote mark: a to z, then aa.

    >>> letter(0), letter(26)
    ('a', 'aa')
    """
    return (letter(index // 26 - 1) if index >= 26 else "") + chr(ord("a") + index % 26)


def _common_flags(rows: Sequence[Row]) -> frozenset[str]:
    """Flags on half of a block's scores or more: they are said once, above it."""
    cells = [cell for row in rows for cell in row.cells.values()]
    counts = Counter(flag for cell in cells for flag in cell.flags)
    return frozenset(flag for flag, count in counts.items() if 2 * count >= len(cells) and len(cells) > 1)


def _block_note(row: Row, common: frozenset[str]) -> tuple[str, str]:
    """What stands beside a block's name, and what is folded behind it."""
    words = [flag_words(flag) for flag in sorted(common)]
    if row.kind == "measured":
        return "; ".join(["measured here", *words]), ""
    more = " ".join(part.rstrip(".") + "." for part in (row.note, *(word.capitalize() for word in words)) if part)
    return "; ".join(part for part in ("reported, not measured here", row.source) if part), more


def flag_words(flag: str) -> str:
    """A flag of a row or a score as a sentence part."""
    return ROW_FLAGS.get(flag) or FLAGS.get(flag) or html.readable(flag)


def _rank(row: Row, ties: Counter[tuple[Any, ...]]) -> dict[str, str]:
    if row.rank is None:
        return {"rank": "", "rank_title": "not ranked"}
    shared = ties[row.kind, row.protocol, row.group] > 1
    words = f"rank {row.rank} of its block" + (", shared with rows that cannot be told from it" if shared else "")
    return {"rank": f"{row.rank}{'=' if shared else ''}", "rank_title": words}


def _sub(row: Row, place: Place, repeated: bool) -> str:
    """The small line below a model's name."""
    if row.kind == "reported":
        return "" if row.params in row.model else row.params
    return place.run if repeated else ""


def _line(
    index: int,
    table: Table,
    place: Place,
    sizes: Mapping[str, int | None],
    scale: tuple[float, float],
    notes: _Notes,
    common: frozenset[str],
) -> dict[str, Any]:
    row = table.rows[index]
    cells = [_cell(row, row.average, scale, None, None, notes, common)]
    for number, name in enumerate(table.tasks):
        task = number if number in place.tasks else None
        cell = _cell(row, row.cells.get(name), scale, sizes[name], task, notes, common)
        if cell and place.by.get(name, "grader") != "grader":
            cell["note"] = f"by {place.by[name]}"
        cells.append(cell)
    cost = (row.output_tokens, row.unsure, row.unreadable, row.truncated, row.errors)
    digits = (0, 1, 1, 1, 1)
    return {
        "index": index,
        "kind": row.kind,
        "model": row.model,
        "protocol": row.title,
        "marks": [
            *(notes.mark(flag_words(flag)) for flag in row.flags if flag not in common),
            *([notes.mark(partial_mean(row.comparable_average))] if row.comparable_average else []),
        ],
        "cells": cells,
        "cost": [
            {"value": value, "text": html.number(value, places) if value is not None else ""}
            for value, places in zip(cost, digits, strict=True)
        ],
        "source": (html.day(row.created), place.version, place.config),
    }


def _cell(
    row: Row,
    cell: Cell | None,
    scale: tuple[float, float],
    size: int | None,
    task: int | None,
    notes: _Notes,
    common: frozenset[str],
) -> dict[str, Any] | None:
    if cell is None:
        return None
    flags = [flag for flag in cell.flags if flag not in common and flag not in row.flags]
    if cell.n_assumed and "n_unknown" in flags:
        flags.remove("n_unknown")  # the question mark says it
    alone = row.kind == "measured" and row.average is not cell and cell.n != size
    return {
        "value": round(100 * cell.estimate.mean, 4),  # what is sorted by: a recomputed average, as ranks have it
        "score": printed(cell),
        "half": f"±{(cell.high - cell.low) / 2:.1f}{'?' if cell.n_assumed else ''}",
        **_span(cell, scale),
        "n": f"{cell.n:,}" if alone else "",
        "note": recomputed(cell),
        "odd": "avg_mismatch" in cell.flags,
        "marks": [notes.mark(flag_words(flag)) for flag in flags],
        "task": task,
        "title": _title(cell, opens=task is not None),
    }


def _span(cell: Cell, scale: tuple[float, float]) -> dict[str, str]:
    """The interval line in percent of its scale: where it begins, its width, and the place of the score."""
    low, high = scale
    left, middle, right = ((value - low) / (high - low) * 100 for value in (cell.low, cell.score, cell.high))
    return {"left": f"{left:.1f}", "width": f"{right - left:.1f}", "middle": f"{middle:.1f}"}


def _title(cell: Cell, *, opens: bool) -> str:
    """What a score says when it is pointed at."""
    words = [
        f"95 % interval {cell.low:.1f} to {cell.high:.1f}",
        f"n {cell.n:,}" + (", assumed" if cell.n_assumed else ""),
    ]
    if cell.unsure is not None:
        words.append(
            f"{cell.unsure:.1f} % of the verdicts are unsure: {cell.range_low:.1f} with all of them wrong, "
            f"{cell.range_high:.1f} with all of them right"
        )
    if cell.design_effect > 1.05:
        words.append(f"design effect of clusters {cell.design_effect:.1f}")
    words += [flag_words(flag) for flag in cell.flags] + [text for text in (cell.source, cell.notes) if text]
    return ", ".join([*words, *(["open the samples"] if opens else [])])


def printed(cell: Cell) -> str:
    """The score with the digits of its source; fractions as points.

    A reported 62.9 stays 62.9, and 0.894 becomes 89.4.
    """
    digits = len(cell.printed.partition(".")[2])
    if cell.printed and abs(float(cell.printed) - cell.score) > 1e-9:
        digits = max(0, digits - 2)
    return f"{cell.score:.{min(digits, 2) if cell.printed else 1}f}"


def recomputed(cell: Cell) -> str:
    """The mean of the printed columns, where the printed average does not show it in full.

    75.2 is printed for 75.18, and 69.2 for what is 68.8.
    """
    if cell.recomputed is None or abs(cell.recomputed - cell.score) < 0.005:
        return ""
    return f"{cell.recomputed:.2f}".rstrip("0").rstrip(".") + " recomputed"


def _scale(rows: Sequence[Row]) -> tuple[float, float]:
    """The ends of the small interval lines: the ten below the lowest end of any interval on the page, and 100."""
    cells = [cell for row in rows for cell in (*row.cells.values(), row.average) if cell]
    return max(0.0, min((cell.low for cell in cells), default=0) // 10 * 10), 100.0


def _common_size(rows: Sequence[Row], task: str) -> int | None:
    """The n of a task when all measured rows share it."""
    sizes = {row.cells[task].n for row in rows if row.kind == "measured" and task in row.cells}
    return sizes.pop() if len(sizes) == 1 else None


def _lead(kinds: Sequence[str]) -> str:
    counts = Counter(kinds)
    rows = f"{counts['measured']} {'row' if counts['measured'] == 1 else 'rows'} measured with finbench"
    if counts["reported"]:
        rows += f", {counts['reported']} reported elsewhere and not measured here"
    return rows + ". Choose a score to read its samples, a reference row to see differences."


def _explain(scale: tuple[float, float], assumed: bool) -> list[str]:
    text = (
        "Scores are percent right; ± is half of the 95 % interval, which follows conversations and filing pages. "
        f"The small line shows it on a scale from {scale[0]:.0f} to 100. "
        "n counts questions; failed requests stay in it as wrong."
    )
    if assumed:
        text += " ±? stands where the source states no n and one is assumed; the score's title says which."
    ranks = (
        "Ranks count within a block only; rows that cannot be told from the best of their group share one (=). "
        "A benchmark that was not run is missing, never zero, and leaves the average empty."
    )
    return [text, ranks]
