"""Does every word earn its place? Each lexicon phrase and each row of the decision table is taken out in turn.

    python benchmarks/knockout.py [--section act.refuse] [--rows]

Prints what changes no verdict of tests/cases: a phrase or row that no case needs. A run over every section starts one process
a section and takes minutes; nothing is written.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]


def lines() -> list[str]:
    """The labelled lines of tests/cases."""
    return [
        line
        for file in sorted((ROOT / "tests" / "cases").glob("*.jsonl"))
        for line in file.read_text("utf-8").splitlines()
        if line.strip()
    ]


def verdicts() -> list[tuple[Any, ...]]:
    """What the reader says of every line."""
    from finbench.grade import grade_line

    return [tuple(grade_line(line)[key] for key in ("correct", "reason", "extracted")) for line in lines()]


def idle_rows() -> list[str]:
    """The rows of the table without which no verdict changes."""
    from finbench.grading import decide

    whole, idle = verdicts(), []
    for name in ("EXPLICIT", "PROSE"):
        table = getattr(decide, name)
        for row in table:
            setattr(decide, name, tuple(other for other in table if other is not row))
            try:
                if row.name != "explicit" and verdicts() == whole:
                    idle.append(row.name)
            except StopIteration:
                pass  # the last row of the table: needed
            setattr(decide, name, table)
    return idle


def without(section: str, phrase: str | None) -> list[tuple[Any, ...]]:
    """The verdicts of a fresh process whose lexicon lacks a phrase."""
    code = (
        f"import sys, json; sys.path[:0] = {[str(ROOT), str(ROOT / 'tests'), str(ROOT / 'benchmarks')]!r}; "
        f"from finbench.text import lexicon; lexicon.sections()[{section!r}].pop({phrase!r}, None); "
        "import knockout; print(json.dumps(knockout.verdicts()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return [tuple(row) for row in json.loads(done.stdout)] if done.returncode == 0 else []


def main() -> int:
    """Prints what no case needs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--section", action="append", help="a section of the lexicon (default: every one)")
    parser.add_argument("--rows", action="store_true", help="the decision table only")
    options = parser.parse_args()
    if not options.section:
        print("rows that no case needs:", ", ".join(idle_rows()) or "none")
    if options.rows:
        return 0
    from finbench.text import lexicon

    whole = [tuple(row) for row in json.loads(json.dumps(verdicts()))]
    for section in options.section or lexicon.sections():
        phrases = list(lexicon.sections()[section])
        idle = [phrase for phrase in phrases if without(section, phrase) == whole]
        print(f"{section}: {len(idle)} of {len(phrases)} change nothing: {', '.join(idle)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
