"""FinQA over other numbers: how many rows have a variant and why others have none, who answers them, and one picture.

    python benchmarks/resample.py --data DIR --seeds 1,7,42       # counts, oracle, the answerer that remembers
    python benchmarks/resample.py --picture docs/images/resampled.svg

The picture shows a written sample row, no dataset row.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections import Counter
from html import escape
from pathlib import Path
from typing import Any

from finbench import programs, resample, sources
from finbench.grading import grade
from finbench.rows import document_from_row

TASK = Path(__file__).parents[1] / "tasks" / "finqa"
PICTURED = ("SAMPLE/GRANITE/2012/page_101.pdf-2", 7)


def measure(data: str, seed: int) -> str:
    """One line per measure for a seed."""
    spec = importlib.util.spec_from_file_location("finqa_docs", TASK / "docs.py")
    assert spec and spec.loader
    docs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(docs)
    path = sources.locate(docs.FILES, data, task_dir=TASK)
    rows = {row["id"]: row for row in sources.read(path)}
    started = time.perf_counter()
    made, left_out = resample.variants(rows.values(), seed)
    seconds = time.perf_counter() - started
    right: Counter[str] = Counter()
    for new in made:
        document = document_from_row(docs.document(new), "finqa_resampled")
        before = rows[new["original"]]["qa"]
        old = {"executed": programs.text(before["exe_ans"]), "displayed": before["answer"] or ""}
        right["proven"] += not resample.faults(rows[new["original"]], new)
        right["oracle"] += grade(document, boxed(document.golds[0].text)).correct
        for name, text in old.items():
            verdict = grade(document, boxed(text)) if text else None
            right[f"remembers the {name} gold"] += bool(verdict and (verdict.correct or verdict.lenient))
    lines = [f"seed {seed}: {resample.summary(len(made), left_out)} ({seconds:.0f} s)"]
    return "\n".join([*lines, *(f"  {name}: {count} of {len(made)}" for name, count in right.items())])


def boxed(text: str) -> str:
    return "\\boxed{" + text.replace("%", "\\%") + "}"


def picture() -> str:
    """A sample row and its variant as an SVG: what changed is marked, what was drawn is bold."""
    name, seed = PICTURED
    old = next(row for row in sources.read(TASK / "sample.jsonl") if row["id"] == name)
    found = resample.variant(old, seed)
    assert isinstance(found, resample.Variant), found
    new = found.row
    width, line = 900, 24
    parts: list[str] = []
    y = 60

    def text(x: int, content: str, anchor: str = "start", style: str = "") -> None:
        parts.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}" {style}>{escape(content)}</text>')

    def pair(x: int, a: str, b: str, anchor: str) -> None:
        """The new content at x; when it differs, marked, with the old one struck through before it."""
        if a != b:
            spans = f'<tspan class="old">{escape(a)}</tspan> <tspan class="new">{escape(b)}</tspan>'
            parts.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}">{spans}</text>')
        else:
            text(x, a, anchor)

    text(24, old["qa"]["question"], style='class="head"')
    for cells, changed in zip(old["table"], new["table"], strict=True):
        y += line
        text(24, cells[0])
        for column, (a, b) in enumerate(zip(cells[1:], changed[1:], strict=True)):
            pair(560 + 276 * column, plain(a), plain(b), "end")
    y += line // 2
    for (place, a), (_, b) in zip(resample.places(old), resample.places(new), strict=True):
        if a != b and place[0] != "table":
            y += line
            text(24, a, style='class="old"')
            y += line
            text(24, b, style='class="new"')
    for label, a, b in (
        ("program", old["qa"]["program"], new["qa"]["program"]),
        ("executed", programs.text(old["qa"]["exe_ans"]), programs.text(new["qa"]["exe_ans"])),
        ("gold", old["qa"]["answer"], new["qa"]["answer"]),
    ):
        y += line + 4
        text(24, label, style='class="label"')
        pair(130, a, b, "start")
    style = (
        "text{font:15px system-ui,sans-serif;fill:#1c2430}.head{font-weight:600}.label{fill:#5b6675}"
        ".old{fill:#9aa3af;text-decoration:line-through}.new{fill:#0b6b4f;font-weight:600}"
    )
    title = '<text x="24" y="30" class="label">a written sample row and its variant: old numbers struck through</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y + 24}" role="img" '
        f'aria-label="A FinQA-like row and its variant over other numbers"><style>{style}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/>{title}{"".join(parts)}</svg>\n'
    )


def plain(cell: str) -> str:
    """A cell without the repetition in parentheses."""
    return cell.partition(" (")[0]


def main() -> None:
    parser: Any = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder with finqa/")
    parser.add_argument("--seeds", default="1", help="comma-separated")
    parser.add_argument("--picture", type=Path, help="write the picture here")
    args = parser.parse_args()
    if args.picture:
        args.picture.parent.mkdir(parents=True, exist_ok=True)
        args.picture.write_text(picture(), encoding="utf-8")
    if args.data:
        for seed in args.seeds.split(","):
            print(measure(args.data, int(seed)))


if __name__ == "__main__":
    main()
