"""`finbench compare`: runs question by question."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

EPILOG = """\
examples:
  finbench compare reports/model-a/RUN reports/model-b/RUN
  finbench compare A B C --markdown > comparison.md         each run against the first
  finbench compare A B --html comparison.html

Only questions with the same rows in both runs count; what does not align, and prompts that differ, are said.
exit codes: 0 compared; 1 with --fail-worse when a later run is worse than the first; 5 nothing in common
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The flags of `finbench compare`."""
    parser.description = "Compare runs question by question: difference, interval, McNemar test, flips."
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders; the first is the reference")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON document on standard output")
    form.add_argument("--markdown", action="store_true", help="Markdown on standard output")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write an HTML page")
    parser.add_argument("--fail-worse", action="store_true", help="exit 1 when a later run is worse than the first")


def main(args: argparse.Namespace) -> int:
    """Compare; the exit code."""
    from finbench.errors import UsageError, writing
    from finbench.pages import comparison, report
    from finbench.scores import compare

    if len(args.runs) < 2:
        raise UsageError("compare takes two run folders or more; the first is the reference")
    found = compare.compare(args.runs)
    if args.html:
        with writing(args.html):
            args.html.write_text(report.comparison_html(found), encoding="utf-8")
    if args.json:
        print(json.dumps(compare.to_json(found)))
    elif args.markdown:
        print(comparison.to_markdown(found))
    else:
        print(comparison.to_text(found))
    return 1 if args.fail_worse and compare.is_worse(found) else 0
