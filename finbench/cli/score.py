"""`finbench score`: grade stored replies again, or the replies of another tool."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

EPILOG = """\
examples:
  finbench score reports/fin-r1/RUN                                  our run, after the grader improved
  finbench score samples_finqa.jsonl                                 a sample log of finbench or lm-eval
  finbench score logs/*.eval predictions.jsonl                       logs of inspect_ai and evalscope
  finbench score replies.json --format generic --task finqa \\
      --question question --gold ground_truth --reply generation     any JSON, JSONL or CSV with such columns

No model is asked. Replies of a run are graded in place and its result files are written again.
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The flags of `finbench score`."""
    parser.description = "Grade stored replies again, without a model."
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "path",
        nargs="+",
        type=Path,
        help="a run folder, or logs of lm-eval, evalscope, inspect_ai, OpenCompass, promptfoo",
    )
    parser.add_argument(
        "--format", choices=["auto", "generic"], default="auto", help="what a file holds (default: auto)"
    )
    parser.add_argument(
        "--task", default="custom", help="how a file's answers are read: finqa, tfns, ... (default: custom)"
    )
    parser.add_argument(
        "--filter", default="", metavar="NAME", help="rows of an lm-eval log that count (default: its first)"
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
    from finbench.errors import UsageError, foreign
    from finbench.runs import logs, rescore

    folder = args.path[0] if args.path[0].is_dir() else None
    if folder and len(args.path) > 1:
        raise UsageError("score takes one run folder, or files")
    if folder:
        document, changed, problems = rescore.rescore(folder)
        if not args.json:
            print(f"{changed:,} verdicts changed")
    else:
        columns = logs.Columns(args.question, args.gold, args.gold_display, args.reply, args.id)
        read = [logs.read(path, args.format, args.task, columns, args.filter) for path in _files(args.path)]
        document = rescore.score_logs(read, console.show_sample if args.table else None)
        problems = [words for log in read for words in log.problems]
        console.show_list([words for log in read for words in log.left_out], "lines do not count")
    if args.json:
        print(json.dumps(document | ({"problems": problems} if problems else {})))
    else:
        with foreign(args.path[0]):
            console.show_results(document, folder)
    console.show_list(problems, "problems: what they name was not graded")
    return 3 if problems else 0


def _files(named: list[Path]) -> list[Path]:
    """The files of a command line; a pattern that no shell has opened is opened here."""
    return [path for name in named for path in _opened(name)]


def _opened(name: Path) -> list[Path]:
    if name.exists() or not any(mark in str(name) for mark in "*?["):
        return [name]
    return sorted(name.parent.glob(name.name)) or [name]
