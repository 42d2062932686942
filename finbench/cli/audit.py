"""`finbench audit`: what stands behind a score. `audit run` reads the reasoning of a run, `audit overlap` looks for the
benchmark in training texts."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finbench.audit.contamination import Overlap

OVERLAP_EPILOG = """\
examples:
  finbench audit overlap train.jsonl                            the five benchmarks
  finbench audit overlap sft/*.jsonl --tasks finqa,convfinqa --data ~/data --json

Each line of a file is a JSON object; all texts in it count. Nothing leaves this machine. What an overlap does and does
not say: docs/resampled.md.
"""

RUN_EPILOG = """\
examples:
  finbench audit run reports/my-model/2025-01-01-a                  what a run's replies rest on, no engine needed
  finbench audit run RUN --json
  finbench audit run RUN --judge JUDGE --judge-base-url http://localhost:8000/v1    with a judge's marks on the reasoning

What the columns mean: docs/audit.md.
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The sub-commands of `finbench audit`."""
    parser.description = "What stands behind a score."
    audits = parser.add_subparsers(dest="audit", metavar="AUDIT", required=True)
    add_run(audits.add_parser("run", help="where the numbers of a run's replies come from, and its calculations"))
    add_overlap(audits.add_parser("overlap", help="n-grams that training or few-shot files share with the benchmarks"))


def main(args: argparse.Namespace) -> int:
    """Audit; the exit code."""
    return AUDITS[args.audit](args)


def add_overlap(parser: argparse.ArgumentParser) -> None:
    """The flags of `finbench audit overlap`."""
    from finbench.audit.contamination import N

    parser.description = "Contamination hint: rows of the benchmarks that share a run of words with the files."
    parser.epilog = OVERLAP_EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="JSONL (or JSON, CSV) of training texts")
    parser.add_argument("--tasks", default="finbench", help="comma-separated tasks or groups (default: the benchmarks)")
    parser.add_argument("--data", metavar="sample|DIR", help="rows: the shipped sample, or a folder (default: search)")
    parser.add_argument("--subtasks", action="store_true", help="list the sub-tasks of a group too")
    parser.add_argument("--n", type=int, default=N, help=f"words in a row that have to agree (default {N})")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def add_run(parser: argparse.ArgumentParser) -> None:
    """The flags of `finbench audit run`."""
    parser.description = "Reasoning audit: numbers traced, calculations computed again, reasoning marked."
    parser.epilog = RUN_EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder")
    parser.add_argument("--judge", metavar="MODEL", help="a model that marks the reasoning (four of seven criteria)")
    parser.add_argument("--judge-base-url", action="append", default=[], metavar="URL", help="the judge's server")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(args: argparse.Namespace) -> int:
    """Audit the replies of a run; the exit code."""
    from finbench.runs import audit

    marks = audit.judge(args.run, args.judge, args.judge_base_url) if args.judge else None
    found = audit.examine(args.run, marks)
    if args.json:
        tasks = {findings.task: findings.as_json() for findings in found}
        print(json.dumps({"schema": 1, "run": str(args.run), "judge": args.judge, "tasks": tasks}))
    else:
        print(audit.as_text(found))
    return 0


def overlap(args: argparse.Namespace) -> int:
    """Look for the benchmarks in files; the exit code."""
    from dataclasses import asdict

    from finbench.audit.contamination import find, grouped
    from finbench.tasks.load import load

    names = [name.strip() for name in args.tasks.split(",") if name.strip()]
    selection = load(names, data=args.data)
    benchmarks = {task.name: _documents(task) for task in selection.tasks}
    found = grouped(find(benchmarks, _records(args.files), args.n), selection.groups)
    if args.json:
        document = {"schema": 1, "n": args.n, "files": [str(path) for path in args.files]}
        print(json.dumps(document | {"tasks": [asdict(item) for item in found], "sampled": list(selection.sampled)}))
        return 0
    for name in selection.sampled:
        print(f"{name}: its rows were not found, its sample rows were compared")
    show_overlap(found, args.n, subtasks=args.subtasks)
    return 0


def show_overlap(found: list[Overlap], n: int, *, subtasks: bool) -> None:
    """A table on standard output; a group is one line, its sub-tasks stand indented below it when they are wanted."""
    from finbench.sanitize import shown

    lines = []
    for item in found:
        lines += [(shown(item.task), item)]
        lines += [(f"  {shown(part.task)}", part) for part in item.subtasks if subtasks]
    width = max((len(name) for name, _ in lines), default=4)
    print(f"rows that share {n} words in a row with the files")
    print(f"{'task':{width}}  {'rows':>7}  {'in question':>15}  {'in page':>15}  {'half of page':>15}")
    for name, item in lines:
        cells = (f"{count:,} ({share(count, item.rows)})" for count in (item.questions, item.pages, item.mostly))
        print(f"{name:{width}}  {item.rows:>7,}  " + "  ".join(f"{cell:>15}" for cell in cells))
    for item in found:
        for example in item.examples:
            print(f"\n{shown(item.task)} {shown(example.row)} in {shown(example.place)}:\n  {shown(example.words)}")


def share(count: int, rows: int) -> str:
    """A percentage with one decimal; a dash without rows.

    >>> share(1, 8), share(0, 0)
    ('12.5%', '-')
    """
    return f"{100 * count / rows:.1f}%" if rows else "-"


def _documents(task: Any) -> Any:
    return lambda: (document for _, document in task.documents())


def _records(files: list[Path]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    from finbench.errors import DataError
    from finbench.tasks import data_files

    for path in files:
        try:
            for number, record in enumerate(data_files.read(path), 1):
                yield f"{path}, record {number}", record
        except OSError as err:
            raise DataError(f"{path}: cannot be read ({err.strerror})") from err


AUDITS = {"overlap": overlap, "run": run}
