"""`python -m finbench.grade`: grades JSON lines from standard input, one verdict a line, at once (grading/lines.py)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from finbench.grading.lines import TASKS as TASKS
from finbench.grading.lines import grade_line as grade_line


def main(lines: Iterable[str] | None = None, out: TextIO | None = None) -> int:
    """Grades every line as it arrives."""
    target = out or sys.stdout
    for result in _results(lines if lines is not None else _stdin()):
        target.write(json.dumps(result, ensure_ascii=False) + "\n")
        target.flush()
    return 0


def _stdin() -> Iterator[str]:
    stream = sys.stdin.buffer
    while chunk := stream.readline():
        yield chunk.decode("utf-8", "replace")


def _results(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.strip():
            yield grade_line(line)


if __name__ == "__main__":
    sys.exit(main())
