"""A leaderboard table as CSV, JSON, Markdown or LaTeX; names and notes are foreign text, escaped for each of them.

Written once, in pieces: `finbench leaderboard build --csv FILE` puts all of them together, and the page's Export the rows
that are shown, in the order in which they are shown.
"""

from __future__ import annotations

import csv
import io
import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from finbench.pages.html import markdown_text, task_title
from finbench.sanitize import shown
from finbench.scores.leaderboard import Cell, Row, Table

COLUMNS = (
    *("model", "params", "kind", "protocol", "rank", "group", "task", "score", "low", "high", "n", "n_assumed"),
    *("printed", "recomputed", "flags", "delta", "delta_low", "delta_high", "p_adjusted", "verdict", "paired"),
    *("source", "url", "notes", "created", "key", "unsure", "range_low", "range_high"),
)
_LATEX = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that stand together, by their number in the table, with the text before and after them."""

    open: str
    rows: tuple[int, ...]
    close: str


@dataclass(frozen=True, slots=True)
class Export:
    """A table as the text of one format, in pieces: any choice of its rows, in any order, is a valid text again.

    The leaderboard's page carries the pieces, so that what it saves is what the command writes (`text` in board.js).
    """

    ending: str
    open: str
    rows: tuple[str, ...]
    between: str
    blocks: tuple[Block, ...]
    close: str

    def text(self) -> str:
        """The whole table."""
        return self.open + "".join(map(self._block, self.blocks)) + self.close

    def _block(self, block: Block) -> str:
        return block.open + self.between.join(self.rows[number] for number in block.rows) + block.close


def exports(table: Table) -> list[Export]:
    """The table in every format, in the order that a page offers them."""
    return [to_csv(table), to_json(table), to_markdown(table), to_latex(table)]


def to_json(table: Table) -> Export:
    """The whole table as it is, but for the folders that its runs lay in."""
    whole = asdict(table)
    rows = [{name: value for name, value in row.items() if name != "run_dir"} for row in whole.pop("rows")]
    head = _json({"schema": 1, **whole}).removesuffix("\n}")
    texts = tuple(textwrap.indent(_json(row), "  ") for row in rows)
    return Export("json", f'{head},\n "rows": [', texts, ",\n", _one_block(table, "\n", "\n "), "]\n}\n")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)


def to_csv(table: Table) -> Export:
    """One line per score, averages included; text that a spreadsheet would take for a formula is made harmless.

    Numbers are written in full, missing scores have no line.
    """
    texts = tuple(_csv(_record(row, task, cell) for task, cell in _cells(table, row)) for row in table.rows)
    return Export("csv", _csv([COLUMNS]), texts, "", _one_block(table, "", ""), "")


def _csv(records: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([csv_text(value) for value in record] for record in records)
    return out.getvalue()


def _one_block(table: Table, before: str, after: str) -> tuple[Block, ...]:
    """All rows in the order of the page."""
    rows = tuple(number for block in blocks_of(table) for number in block)
    return (Block(before, rows, after),) if rows else ()


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
        *(cell.unsure, cell.range_low, cell.range_high),
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


def to_markdown(table: Table) -> Export:
    """One table per protocol, then the notes: every score with its half-width, "not run" where there is none.

    A last column has the share of unsure verdicts and the average's range, where any row has it.
    """
    head = ["rank", "model", *(task_title(task) for task in table.tasks), "average", *_unsure_head(table)]
    rule = _line(["---:", "---", *["---:"] * (len(head) - 2)])
    top = f"{_line([markdown_text(name) for name in head])}\n{rule}\n"
    blocks = tuple(Block(f"**{markdown_text(title)}**\n\n{top}", rows, "\n\n") for title, rows in _blocks(table))
    notes = "".join(f"- {markdown_text(note)}\n" for note in table.notes)
    return Export("md", "", tuple(_markdown_row(table, row) for row in table.rows), "\n", blocks, notes)


def _markdown_row(table: Table, row: Row) -> str:
    scores = [_score(row, row.cells.get(task)) for task in table.tasks]
    cells = [_rank(row), row.model, *scores, _score(row, row.average, average=True)]
    cells += [_unsure(row) for _ in _unsure_head(table)]
    return _line([markdown_text(cell) for cell in cells])


def to_latex(table: Table) -> Export:
    """A `tabular` (booktabs) with a heading per protocol; text is escaped, so nothing in it is a command."""
    titles = ["Model", *(task_title(task) for task in table.tasks), "Average", *_unsure_head(table)]
    width, head = len(titles), " & ".join(map(latex_text, titles))
    top = f"\\begin{{tabular}}{{l{'r' * (width - 1)}}}\n\\toprule\n{head} \\\\\n"
    blocks = tuple(
        Block(f"\\midrule\n\\multicolumn{{{width}}}{{l}}{{\\emph{{{latex_text(title)}}}}} \\\\\n", rows, "\n")
        for title, rows in _blocks(table)
    )
    rows = tuple(_latex_row(table, row) for row in table.rows)
    return Export("tex", top, rows, "\n", blocks, "\\bottomrule\n\\end{tabular}\n")


def _latex_row(table: Table, row: Row) -> str:
    scores = [_score(row, row.cells.get(task), missing="--") for task in table.tasks]
    cells = [row.model, *scores, _score(row, row.average, missing="--", average=True)]
    cells += [_unsure(row) for _ in _unsure_head(table)]
    return " & ".join(latex_text(cell).replace("±", r"$\pm$") for cell in cells) + r" \\"


def latex_text(text: str) -> str:
    r"""Text for LaTeX.

    >>> latex_text("50% of a_b\\c")
    '50\\% of a\\_b\\textbackslash{}c'
    """
    return "".join(_LATEX.get(c, c) for c in " ".join(shown(text).split()))


def _blocks(table: Table) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The numbers of the rows of each protocol, in the order of the page, with a heading."""
    for block in blocks_of(table):
        first = table.rows[block[0]]
        kind = "measured" if first.kind == "measured" else f"reported, {first.source}"
        yield f"{first.title} ({kind})", block


def blocks_of(table: Table) -> list[tuple[int, ...]]:
    """The numbers of the rows of each protocol: measured ones first, then reported ones by what they cover."""
    blocks: dict[tuple[str, str], list[int]] = {}
    for number, row in enumerate(table.rows):
        blocks.setdefault((row.kind, row.protocol), []).append(number)
    return [tuple(block) for block in sorted(blocks.values(), key=lambda block: _importance(table, block))]


def _importance(table: Table, block: Sequence[int]) -> tuple[bool, int, str]:
    rows = [table.rows[number] for number in block]
    return rows[0].kind == "reported", -max(len(row.cells) for row in rows), rows[0].protocol


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


def _unsure_head(table: Table) -> list[str]:
    """The head of the column of unsure verdicts; no column where no row's verdicts say how sure they are."""
    return ["unsure"] if any(row.unsure is not None for row in table.rows) else []


def _unsure(row: Row) -> str:
    """The share of a row's unsure verdicts, and its average from all of them wrong to all of them right."""
    if row.unsure is None:
        return ""
    mean = row.average
    whole = f" ({mean.range_low:.1f} to {mean.range_high:.1f})" if mean and mean.range_low is not None else ""
    return f"{row.unsure:.1f} %{whole}"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
