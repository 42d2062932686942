"""`finbench report`: the HTML and Markdown report of a run."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """The flags of `finbench report`."""
    parser.description = "Write report.html and report.md of a run, from its result files."
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="also write each plot as an SVG file")


def main(args: argparse.Namespace) -> int:
    """Write; the exit code."""
    from finbench.pages import report

    for path in report.write(args.run, plots_dir=args.plots):
        print(path)
    return 0
