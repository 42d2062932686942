"""`finbench leaderboard build`: one page from runs and published results."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

EPILOG = """\
examples:
  finbench leaderboard build                                   every run below reports/, beside the published rows
  finbench leaderboard build RUN_A RUN_B -o board.html         these runs only
  finbench leaderboard build --csv scores.csv --latex table.tex    the same table for other programs
"""

EXPORTS = {  # flag: the ending of its text in the page's Export, and its name
    "csv": ("csv", "CSV, one line per score"),
    "json": ("json", "JSON"),
    "markdown": ("md", "Markdown"),
    "latex": ("tex", "LaTeX (booktabs)"),
}


def add(parser: argparse.ArgumentParser) -> None:
    """The flags of `finbench leaderboard`."""
    parser.description = "One HTML file that opens without a network: models, intervals, samples with their reasons."
    actions = parser.add_subparsers(dest="action", metavar="build", required=True)
    build = actions.add_parser(
        "build",
        help="write the page",
        description=parser.description,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    build.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="run folders or folders of runs (default: reports)"
    )
    build.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("reports/leaderboard.html"),
        metavar="FILE",
        help="the page (default: reports/leaderboard.html)",
    )
    for flag, (_, words) in EXPORTS.items():
        build.add_argument(f"--{flag}", type=Path, metavar="FILE", help=f"also write the table as {words}")
    build.add_argument("--no-reported", action="store_true", help="leave the published rows out")
    build.add_argument(
        "--max-mb", type=float, default=25, help="size of the page; samples beyond it go to files beside it"
    )


def main(args: argparse.Namespace) -> int:
    """Build; the exit code."""
    from finbench.errors import NothingSelected, writing
    from finbench.pages import leaderboard
    from finbench.sanitize import shown

    runs = list(dict.fromkeys(run for path in args.paths or [Path("reports")] for run in find_runs(path)))
    if not runs and args.paths:
        raise NothingSelected(f"no finished run below {', '.join(map(str, args.paths))}; `finbench run` makes one")
    with writing(args.output):
        built = leaderboard.build(runs, args.output, reported=not args.no_reported, max_mb=args.max_mb)
    print(f"{len(runs)} run{'s' * (len(runs) != 1)}, {built.bytes / 1e6:.1f} MB", file=sys.stderr)
    print(shown(args.output))
    for flag, (ending, _) in EXPORTS.items():
        path: Path | None = getattr(args, flag)
        if path:
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(built.exports[ending], encoding="utf-8", newline="\n")
            print(shown(path))
    return 0


def find_runs(path: Path) -> list[Path]:
    """The run folders at or below a path: those that hold run.json and results.json."""
    return sorted(file.parent for file in path.rglob("run.json") if (file.parent / "results.json").is_file())
