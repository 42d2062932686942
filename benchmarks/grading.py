"""Accuracy and speed of the grader beside four others, on the labelled outputs of tests/cases, in one run.

    python benchmarks/grading.py [--file LINES.jsonl] [--seconds 2]

The others are restated from their sources, with the wording of each rule in its docstring; Math-Verify is the package.
They see the gold and the output only, as they do at home. `--file` takes further labelled lines (those of the line
protocol with `correct`, or `expect: {correct}`).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

Row = dict[str, Any]
Verdict = tuple[bool, str | None]  # right or wrong, and what was extracted
_NUMBER = re.compile(r"-?\$?\d[\d,]*(?:\.\d+)?%?|-?\.\d+%?")


def finbench(row: Row) -> Verdict:
    """finbench's line protocol, decoding of the line included."""
    from finbench.grade import grade_line

    verdict = grade_line(row["line"])
    return verdict["correct"], verdict["extracted"]


def last_number(row: Row) -> Verdict:
    """lm-eval's flexible-extract: the last number of the output, compared as text without `,`, `$` and a final dot."""
    found = re.findall(r"-?[$0-9.,]{2,}|-?[0-9]+", row["output"])
    if not found:
        return False, None
    return re.sub(r"[,$]|\.$", "", found[-1]) == re.sub(r"[,$]|\.$", "", row["gold"]), found[-1]


def five_decimals(row: Row) -> Verdict:
    """FinQA's evaluate.py compares executed values rounded to five decimals; here on the last number, % as /100."""
    shown = _last(row["output"])
    gold = _value(row["gold"])
    if shown is None or gold is None:
        return row["output"].strip().lower() == row["gold"].lower(), shown
    return round(_value(shown) or 0.0, 5) == round(gold, 5), shown


def program_of_thoughts(row: Row) -> Verdict:
    """Program-of-Thoughts' finqa_equal: 0.1 % of tolerance, and a factor of 100 either way."""
    shown = _last(row["output"])
    gold = _value(row["gold"])
    if shown is None or gold is None:
        return row["output"].strip().lower() == row["gold"].lower(), shown
    value = _value(shown) or 0.0
    return any(abs(value - g) <= 0.001 * abs(g) for g in (gold, gold * 100, gold / 100)), shown


def math_verify(row: Row) -> Verdict:
    """Math-Verify's parse and verify with their defaults; one that takes over five seconds counts as a refusal."""
    from math_verify import parse, verify

    answer = parse(row["output"], parsing_timeout=5)
    right = verify(parse(row["gold"], parsing_timeout=5), answer, timeout_seconds=5)
    return bool(right), str(answer[1]) if len(answer) > 1 else None


def whole_string(row: Row) -> Verdict:
    """PIXIU's exact match: the output is the gold, letter by letter."""
    return row["output"].strip().lower() == row["gold"].strip().lower(), row["output"]


def _last(text: str) -> str | None:
    found = _NUMBER.findall(text)
    return found[-1] if found else None


def _value(text: str) -> float | None:
    bare = text.strip().replace(",", "").replace("$", "")
    try:
        return float(bare[:-1]) / 100 if bare.endswith("%") else float(bare)
    except ValueError:
        return None


GRADERS: dict[str, Callable[[Row], Verdict]] = {
    "finbench": finbench,
    "Math-Verify parse + verify": math_verify,
    "last number (lm-eval flexible-extract)": last_number,
    "FinQA's five decimals, last number": five_decimals,
    "Program-of-Thoughts relaxed, last number": program_of_thoughts,
    "whole string (PIXIU)": whole_string,
}


def rows_of(files: list[Path]) -> list[Row]:
    """The labelled rows of the files, each with the protocol line it makes."""
    rows = [
        json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines() if line.strip()
    ]
    for row in rows:
        row["correct"] = row.get("expect", row)["correct"]
        row["line"] = json.dumps(
            {k: row.get(k, "") for k in ("id", "task", "question", "gold", "gold_display", "output")}
        )
    return [row for row in rows if isinstance(row.get("output"), str)]


def measure(grader: Callable[[Row], Verdict], rows: list[Row], seconds: float) -> tuple[int, int, float, float]:
    """False positives, false negatives, cases per second of processor time, and the 99th percentile in ms."""
    for row in rows[:20]:
        grader(row)
    positives = negatives = 0
    times = []
    for row in rows:
        start = time.perf_counter()
        right, _ = grader(row)
        times.append(time.perf_counter() - start)
        positives += right and not row["correct"]
        negatives += row["correct"] and not right
    done, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        for row in rows:
            grader(row)
            done += 1
            if done % 16 == 0 and time.process_time() - start >= seconds:
                break
    rate = done / (time.process_time() - start)
    return positives, negatives, rate, sorted(times)[int(len(times) * 0.99)] * 1e3


def main() -> int:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, action="append", help="labelled lines instead of tests/cases")
    parser.add_argument("--seconds", type=float, default=2.0, help="processor time for each grader's throughput")
    options = parser.parse_args()
    rows = rows_of(options.file or sorted((ROOT / "tests" / "cases").glob("*.jsonl")))
    right = sum(row["correct"] for row in rows)
    print(f"{len(rows)} labelled outputs, {right} right and {len(rows) - right} wrong\n")
    print("| grader | accuracy | false positives | false negatives | cases/s | p99 ms |")
    print("|---|---|---|---|---|---|")
    for name, grader in GRADERS.items():
        if grader is math_verify and importlib.util.find_spec("math_verify") is None:
            print(f"| {name} | not installed: pip install 'finbench[bench]' | | | | |")
            continue
        positives, negatives, rate, tail = measure(grader, rows, options.seconds)
        accuracy = 1 - (positives + negatives) / len(rows)
        wrong = len(rows) - right
        print(
            f"| {name} | {accuracy:.1%} | {positives / wrong:.1%} | {negatives / right:.1%} | {rate:,.0f} | {tail:.2f} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
