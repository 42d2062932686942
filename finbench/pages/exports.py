"""A leaderboard table as CSV, JSON, Markdown or LaTeX; names and notes are foreign text, escaped for each of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from finbench.pages.html import markdown_text, task_title
from finbench.sanitize import shown
from finbench.scores.leaderboard import Cell, Row, Table

COLUMNS = (
    *("model", "params", "kind", "protocol", "rank", "group", "task", "score", "low", "high", "n", "n_assumed"),
    *("printed", "recomputed", "flags", "delta", "delta_low", "delta_high", "p_adjusted", "verdict", "paired"),
    *("source", "url", "notes", "created", "key"),
)
_LATEX = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
}  # fmt: skip


def to_json(table: Table) -> str:
    """The whole table, as it is."""
    return json.dumps({"schema": 1, **asdict(table)}, ensure_ascii=False, indent=1) + "\n"


def to_csv(table: Table) -> str:
    """One line per score, averages included; text that a spreadsheet would take for a formula is made harmless.

    Numbers are written in full, missing scores have no line.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in table.rows:
        for task, cell in _cells(table, row):
            writer.writerow([csv_text(value) for value in _record(row, task, cell)])
    return out.getvalue()


def _cells(table: Table, row: Row) -> Iterator[tuple[str, Cell]]:
    for task in table.tasks:
        if task in row.cells:
            yield task, row.cells[task]
    if row.average:
        yield "average", row.average
    if row.comparable_average:
        yield "comparable_average", row.comparable_average


def _record(row: Row, task: str, cell: Cell) -> list[Any]:
    delta = cell.delta
    changes = [delta.mean, delta.low, delta.high, delta.p, delta.verdict, delta.paired] if delta else [None] * 6
    return [
        *(row.model, row.params, row.kind, row.protocol, row.rank, row.group, task),
        *(cell.score, cell.low, cell.high, cell.n, cell.n_assumed, cell.printed, cell.recomputed, " ".join(cell.flags)),
        *changes,
        *(cell.source or row.source, row.url, cell.notes, row.created, row.key),
    ]


def csv_text(value: object) -> object:
    """A cell of a csv file: text that begins like a formula gets an apostrophe before it (OWASP, CSV injection).

    >>> csv_text("=1+1"), csv_text(-1.5), csv_text("Fin-R1")
    ("'=1+1", -1.5, 'Fin-R1')
    """
    if not isinstance(value, str):
        return value
    text = " ".join(shown(value).split())
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "|", "%")) else text


def to_markdown(table: Table) -> str:
    """One table per protocol, then the notes: every score with its half-width, "not run" where there is none."""
    out: list[str] = []
    for title, rows in _blocks(table):
        head = ["rank", "model", *(task_title(task) for task in table.tasks), "average"]
        out += [f"**{markdown_text(title)}**", "", _line([markdown_text(name) for name in head])]
        out.append(_line(["---:", "---", *["---:"] * (len(head) - 2)]))
        for row in rows:
            scores = [_score(row, row.cells.get(task)) for task in table.tasks]
            cells = [_rank(row), row.model, *scores, _score(row, row.average, average=True)]
            out.append(_line([markdown_text(cell) for cell in cells]))
        out.append("")
    return "\n".join([*out, *(f"- {markdown_text(note)}" for note in table.notes)]).rstrip() + "\n"


def to_latex(table: Table) -> str:
    """A `tabular` (booktabs) with a heading per protocol; text is escaped, so nothing in it is a command."""
    width = len(table.tasks) + 2
    head = ["Model", *(task_title(task) for task in table.tasks), "Average"]
    out = [rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}", r"\toprule", " & ".join(map(latex_text, head)) + r" \\"]
    for title, rows in _blocks(table):
        out += [r"\midrule", rf"\multicolumn{{{width}}}{{l}}{{\emph{{{latex_text(title)}}}}} \\"]
        for row in rows:
            scores = [_score(row, row.cells.get(task), missing="--") for task in table.tasks]
            cells = [row.model, *scores, _score(row, row.average, missing="--", average=True)]
            out.append(" & ".join(latex_text(cell).replace("±", r"$\pm$") for cell in cells) + r" \\")
    return "\n".join([*out, r"\bottomrule", r"\end{tabular}"]) + "\n"


def latex_text(text: str) -> str:
    r"""Text for LaTeX.

    >>> latex_text("50% of a_b\\c")
    '50\\% of a\\_b\\textbackslash{}c'
    """
    return "".join(_LATEX.get(c, c) for c in " ".join(shown(text).split()))


def _blocks(table: Table) -> Iterator[tuple[str, list[Row]]]:
    """Rows by protocol, in the order of the table, each with its heading."""
    blocks: dict[tuple[str, str], list[Row]] = {}
    for row in table.rows:
        blocks.setdefault((row.kind, row.protocol), []).append(row)
    for rows in blocks.values():
        kind = "measured" if rows[0].kind == "measured" else f"reported, {rows[0].source}"
        yield f"{rows[0].title} ({kind})", rows


def _rank(row: Row) -> str:
    return "" if row.rank is None else str(row.rank)


def _score(row: Row, cell: Cell | None, *, missing: str = "", average: bool = False) -> str:
    """A score with its half-width; a star marks an assumed n, a second number the recomputed average."""
    if cell is None:
        return missing or ("" if average else "not run" if row.kind == "measured" else "not reported")
    half = (cell.high - cell.low) / 2
    text = f"{cell.printed or f'{cell.score:.1f}'} ± {half:.1f}{'*' if cell.n_assumed else ''}"
    if "avg_mismatch" in cell.flags and cell.recomputed is not None:
        text += f" (columns give {cell.recomputed:.1f})"
    return text


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
