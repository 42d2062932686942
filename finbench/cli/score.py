"""`finbench score`: grade stored replies again, or the replies of another tool."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

EPILOG = """\
examples:
  finbench score reports/fin-r1/RUN                                  our run, after the grader improved
  finbench score samples_finqa.jsonl                                 a sample log of finbench or lm-eval
  finbench score replies.json --format generic --task finqa \\
      --question question --gold ground_truth --reply generation     any JSON, JSONL or CSV with such columns

No model is asked. Replies of a run are graded in place and its result files are written again.
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The flags of `finbench score`."""
    parser.description = "Grade stored replies again, without a model."
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("path", type=Path, help="a run folder, a samples_*.jsonl, or a file of replies")
    parser.add_argument(
        "--format", choices=["auto", "generic"], default="auto", help="what a file holds (default: auto)"
    )
    parser.add_argument(
        "--task", default="custom", help="how a file's answers are read: finqa, tfns, ... (default: custom)"
    )
    parser.add_argument("--question", default="question", metavar="COL", help="column of the question")
    parser.add_argument("--gold", default="gold", metavar="COL", help="column of the gold answer")
    parser.add_argument("--gold-display", metavar="COL", help="column of a second gold, as people write it")
    parser.add_argument("--reply", default="output", metavar="COL", help="column of the model's reply")
    parser.add_argument("--id", default="id", metavar="COL", help="column of the sample's id")
    parser.add_argument("--table", action="store_true", help="print one line per sample: verdict, reason, answer, gold")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def main(args: argparse.Namespace) -> int:
    """Score; the exit code."""
    from finbench.cli import console
    from finbench.errors import foreign
    from finbench.runs import rescore

    if args.path.is_dir():
        document, changed, problems = rescore.rescore(args.path)
        if not args.json:
            print(f"{changed:,} verdicts changed")
    else:
        columns = rescore.Columns(args.question, args.gold, args.gold_display, args.reply, args.id)
        log = rescore.read(args.path, args.format, args.task, columns)
        document = rescore.score_samples(args.path, log, console.show_sample if args.table else None)
        problems = log.problems
        console.show_list(log.left_out, "lines do not count")
    if args.json:
        print(json.dumps(document | ({"problems": problems} if problems else {})))
    else:
        with foreign(args.path):
            console.show_results(document, args.path if args.path.is_dir() else None)
    console.show_list(problems, "problems: what they name was not graded")
    return 3 if problems else 0
