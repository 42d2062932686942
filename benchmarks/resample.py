"""FinQA and ConvFinQA over other numbers: how many questions have a variant and why others have none, who answers them,
and one picture.

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

from finbench.finqa import programs, resample
from finbench.finqa.proof import faults
from finbench.finqa.questions import places, questions
from finbench.grading import grade
from finbench.tasks.data_files import locate, read
from finbench.tasks.documents import document_from_row

TASKS = Path(__file__).parents[1] / "tasks"
PICTURED = ("SAMPLE/GRANITE/2012/page_101.pdf-2", 7)


def measure(task: str, data: str, seed: int) -> str:
    """One line per measure for a task and a seed."""
    docs, resampled = module(task, "docs"), module(task, "resampled")
    path = locate(docs.FILES, data, task_dir=TASKS / task)
    rows = {row["id"]: row for row in read(path)}
    started = time.perf_counter()
    made, left_out = resample.variants(rows.values(), seed)
    seconds = time.perf_counter() - started
    originals = {row["id"]: row for row in docs.documents(path)}
    whole = sum(len(questions(row)) == len(questions(rows[row["original"]])) for row in made)
    proven = sum(not faults(rows[row["original"]], row) for row in made)
    asked = [document for row in made for document in resampled.documents(docs, row)]
    right: Counter[str] = Counter()
    for new in asked:
        document = document_from_row(new, f"{task}_resampled")
        right["oracle"] += grade(document, boxed(document.golds[0].text)).correct
        for gold in originals[new["original"]]["golds"]:
            verdict = grade(document, boxed(gold["text"]))
            right[f"remembers the {gold['source']} gold"] += bool(verdict.correct or verdict.lenient)
    return "\n".join(
        [
            f"{task}, seed {seed}: {resample.summary(len(asked), left_out)} ({seconds:.0f} s)",
            f"  pages: {len(made)} of {len(rows)}, {whole} with all their questions, {proven} proven",
            *(f"  {name}: {count} of {len(asked)}" for name, count in right.items()),
        ]
    )


def module(task: str, name: str) -> Any:
    """A module of a task folder."""
    spec = importlib.util.spec_from_file_location(f"{task}_{name}", TASKS / task / f"{name}.py")
    assert spec and spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def boxed(text: str) -> str:
    return "\\boxed{" + text.replace("%", "\\%") + "}"


def picture() -> str:
    """A sample row and its variant as an SVG: what changed is marked, what was drawn is bold."""
    name, seed = PICTURED
    old = next(row for row in read(TASKS / "finqa" / "sample.jsonl") if row["id"] == name)
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
    for (place, a), (_, b) in zip(places(old), places(new), strict=True):
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
    parser.add_argument("--data", help="folder with finqa/ and convfinqa/")
    parser.add_argument("--seeds", default="1", help="comma-separated")
    parser.add_argument("--picture", type=Path, help="write the picture here")
    args = parser.parse_args()
    if args.picture:
        args.picture.parent.mkdir(parents=True, exist_ok=True)
        args.picture.write_text(picture(), encoding="utf-8")
    if args.data:
        for task in ("finqa", "convfinqa"):
            for seed in args.seeds.split(","):
                print(measure(task, args.data, int(seed)))


if __name__ == "__main__":
    main()
