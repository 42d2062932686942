"""`finbench tasks`: list, show, make and check tasks."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

EPILOG = """\
examples:
  finbench tasks list
  finbench tasks show finqa --doc 0 --data sample
  finbench tasks new fees --from fees.csv --question Question --answer Answer
  finbench tasks check tasks/fees
"""

LIST_EPILOG = """\
examples:
  finbench tasks list                       what comes with finbench, and where its rows were found
  finbench tasks list --include my_tasks    with a folder of yours
  finbench tasks list --all --json          every sub-task, for a script

lm-eval's own tasks run here too and are not listed: `lm_eval ls tasks` names them.
"""

SHOW_EPILOG = """\
examples:
  finbench tasks show tfns                        settings, and what its README says
  finbench tasks show tfns --doc 3 --data sample  the fourth row's prompt and gold
  finbench tasks show fees --include my_tasks --doc q17
"""

NEW_EPILOG = """\
examples:
  finbench tasks new fees --from fees.csv --question Question --answer Answer
  finbench tasks new exam --from exam.jsonl --question stem --answer key --choices A,B,C,D
  finbench tasks new mood --from tweets.parquet --question text --answer label --type label
  finbench tasks new growth --from growth.csv --question q --answer a --unit percent --context table --id qid

The kind of answer, its unit and the options are guessed from the rows and shown; flags correct the guess. The folder
holds the rows, a YAML, a README with blanks to fill and a test. Then:

  finbench tasks check tasks/fees
  finbench run --model baseline/heuristic --tasks fees --include tasks
  lm_eval --model dummy --include_path tasks --tasks fees
"""

CHECK_EPILOG = """\
examples:
  finbench tasks check tasks/fees                      a folder, or one YAML
  finbench tasks check finqa --data sample             a task by name
  finbench tasks check fees --include tasks --junit check.xml

Every prompt is rendered and every gold answer is graded against itself, which has to come out right. A finding that you
mean to live with is left out with --allow CODE. Python of the folder does not run without --trust-task-code; what would
run is listed with its hash. Rows outside the folder are not read without --trust-task-data; they are listed too.
exit codes: 0 nothing found; 1 problems; 2 the task cannot be read
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The flags of `finbench tasks ...`."""
    parser.description = "List, show, make and check tasks."
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_list(_action(actions, "list", "tasks and groups, their rows, licence and where the data is", LIST_EPILOG))
    _add_show(_action(actions, "show", "one task: settings, README, a rendered prompt", SHOW_EPILOG))
    _add_new(_action(actions, "new", "make a task from a file of questions and answers", NEW_EPILOG))
    _add_check(_action(actions, "check", "render every prompt, grade every gold, find mistakes", CHECK_EPILOG))


def _action(actions: Any, name: str, text: str, epilog: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = actions.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return made


def _add_include(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--include", action="append", default=[], metavar="DIR", help="further folder of tasks; repeatable"
    )


def _add_source(parser: argparse.ArgumentParser) -> None:
    _add_include(parser)
    parser.add_argument("--data", metavar="sample|DIR", help="rows: the shipped sample, or a folder (default: search)")
    parser.add_argument("--trust-task-code", action="store_true", help="let the Python of the task's folder run")
    parser.add_argument("--trust-task-data", action="store_true",
                        help="let the task read files outside its folder, URLs and data sets of the hub")  # fmt: skip


def _add_list(parser: argparse.ArgumentParser) -> None:
    _add_include(parser)
    parser.add_argument(
        "--data", metavar="DIR", help="folder to look for rows in (default: FINBENCH_DATA and the cache)"
    )
    parser.add_argument("--all", action="store_true", help="also the members of groups")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def _add_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="task or group")
    parser.add_argument("--doc", metavar="K", help="render this document: its position from 0, or its id")
    _add_source(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def _add_new(parser: argparse.ArgumentParser) -> None:
    from finbench.tasks.table_files import FORMS, KINDS, UNITS

    parser.add_argument("name", help="name of the task: letters, digits, _ and -")
    parser.add_argument("--from", dest="source", type=Path, required=True, metavar="FILE",
                        help="rows: .csv, .tsv, .jsonl, .json or .parquet")  # fmt: skip
    parser.add_argument("--question", required=True, metavar="COL", help="column of the question")
    parser.add_argument("--answer", required=True, metavar="COL", help="column of the right answer")
    parser.add_argument("--type", choices=KINDS, help="kind of answer (default: guessed from the answers)")
    parser.add_argument("--unit", choices=UNITS, help="what a number is (default: guessed, or read from each question)")
    parser.add_argument("--gold-form", choices=FORMS, help="with --unit percent: are bare golds 14.2 or 0.142")
    parser.add_argument(
        "--choices", type=_columns, default=(), metavar="COLS", help="columns of the options, by commas"
    )
    parser.add_argument(
        "--context", type=_columns, default=(), metavar="COLS", help="columns shown before the question"
    )
    parser.add_argument(
        "--id", metavar="COL", help="column of an id that never changes (default: guessed, or row number)"
    )
    parser.add_argument(
        "--cluster", metavar="COL", help="column that rows share when they share a source, for intervals"
    )
    parser.add_argument(
        "--facets", type=_columns, default=(), metavar="COLS", help="columns to break the score down by"
    )
    parser.add_argument(
        "--into", type=Path, metavar="DIR", help="folder to write NAME into (default: tasks/, if it is here)"
    )
    parser.add_argument("--force", action="store_true", help="replace the files of an existing folder")


def _columns(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="PATH|NAME", help="a task folder, a YAML, or the name of a task or group")
    _add_source(parser)
    parser.add_argument("--context-length", type=int, default=32_768, metavar="N",
                        help="tokens that prompt and reply may take together (default 32768)")  # fmt: skip
    parser.add_argument("--allow", action="append", default=[], metavar="CODE", help="leave out findings of this code")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write a JUnit XML file")


def main(args: argparse.Namespace) -> int:
    """Run one of the actions; the exit code."""
    return {"list": _list, "show": _show, "new": _new, "check": _check}[args.action](args)


def _list(args: argparse.Namespace) -> int:
    from finbench.sanitize import shown
    from finbench.tasks import catalogue

    entries, broken = catalogue.entries([Path(folder) for folder in args.include], args.data)
    if not args.all:
        inside = {member for entry in entries if entry.kind == "group" for member in entry.members}
        entries = [entry for entry in entries if entry.name not in inside]
    if args.json:
        print(json.dumps({"schema": 1, "tasks": [catalogue.as_json(entry) for entry in entries], "broken": broken}))
        return 0
    lines = [("task", "kind", "rows", "protocol", "data", "licence")]
    lines += [
        (shown(e.name), e.described(), f"{e.rows:,}" if e.rows else "", e.protocol, e.data, shown(e.licence))
        for e in entries
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        cells = [
            cell.rjust(width) if i == 2 else cell.ljust(width) for i, (cell, width) in enumerate(zip(line, widths))
        ]
        print("  ".join(cells).rstrip())
    for reason in broken:
        print(f"left out: {shown(reason)}", file=sys.stderr)
    if any(entry.data in ("missing", "sample only") for entry in entries):
        print("rows that are missing: finbench data fetch NAME, or --data DIR; to try without them: --data sample",
              file=sys.stderr)  # fmt: skip
    return 0


def _show(args: argparse.Namespace) -> int:
    from finbench.sanitize import shown
    from finbench.tasks import catalogue

    described = catalogue.describe(args.name, [Path(folder) for folder in args.include])
    if args.doc is not None:
        include = [Path(folder) for folder in args.include]
        described["document"] = catalogue.rendered(
            args.name, args.doc, include, args.data, trust=args.trust_task_code, trust_data=args.trust_task_data
        )
    if args.json:
        print(json.dumps({"schema": 1, **described}, default=str))
        return 0
    print(f"{shown(described['name'])}: {described['kind']}, {shown(described['file'])}")
    if described["summary"]:
        print(f"\n{shown(described['summary'])}")
    for key, value in described["settings"].items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        print(f"\n{shown(key)}:\n" + "\n".join(f"  {shown(line)}" for line in text.split("\n")) if "\n" in text
              else f"{shown(key)}: {shown(text)}")  # fmt: skip
    if document := described.get("document"):
        print(f"\n--- document {shown(document['id'])} (position {document['position']}) ---")
        for turn in document["prompt"]:
            print(f"[{turn['role']}]\n{shown(turn['content'])}\n")
        print(f"[gold] {shown(' | '.join(document['golds']))}   ({document['answer']})")
    return 0


def _new(args: argparse.Namespace) -> int:
    from finbench.errors import UsageError
    from finbench.tasks.authoring import draft, scaffold

    if args.gold_form and args.unit not in (None, "percent"):
        raise UsageError("--gold-form says how percentages are written; it goes with --unit percent")
    wishes = draft.Wishes(
        question=args.question,
        answer=args.answer,
        kind=args.type or ("number" if args.unit else None),
        context=args.context,
        choices=args.choices,
        unit=args.unit or ("percent" if args.gold_form else None),
        gold_form=args.gold_form,
        id=args.id,
        cluster=args.cluster,
        facets=args.facets,
    )
    made = draft.draft(args.name, args.source, wishes)
    folder = scaffold.write(made, scaffold.destination(args.into), force=args.force)
    print("\n".join(made.lines()), file=sys.stderr)
    print(f"next: finbench tasks check {folder}", file=sys.stderr)
    print(folder)
    return 0


def _check(args: argparse.Namespace) -> int:
    from finbench.tasks.authoring import check, findings

    report = check.check(
        args.target,
        include=[Path(folder) for folder in args.include],
        data=args.data,
        trust=args.trust_task_code,
        trust_data=args.trust_task_data,
        context_length=args.context_length,
        allow=args.allow,
    )
    if args.junit:
        findings.write_junit(report, args.junit)
    if args.json:
        print(json.dumps(findings.as_json(report)))
    else:
        print(findings.as_text(report))
    return report.exit_code
