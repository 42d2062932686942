"""Accuracy, certainty and speed of the grader, per source and beside four others, on labelled outputs.

    python benchmarks/grading.py [--file LINES.jsonl[.gz]] [--seconds 2] [--by source]

The others are restated from their sources, with the wording of each rule in its docstring; Math-Verify is the package.
They see the gold and the output only, as they do at home. `--file` takes further labelled lines (those of the line
protocol with `correct`, or `expected: {correct, extracted}`; rows marked `debatable` are left out). The first table has a line
per source (the field that `--by` names), with Wilson intervals; only rows that nobody built on say how good it is.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import math
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
    rows = []
    for file in files:
        raw = file.read_bytes()
        text = (gzip.decompress(raw) if file.suffix == ".gz" else raw).decode("utf-8")
        name = file.name.partition(".")[0]
        rows += [{"file": name, **json.loads(line)} for line in text.split("\n") if line.strip()]
    rows = [row for row in rows if isinstance(row.get("output"), str) and not row.get("debatable")]
    for row in rows:
        label = row.get("expected") or row.get("expect") or row
        row["correct"], row["shown"] = label["correct"], label.get("extracted")
        row["gold"], row["gold_display"] = str(row["gold"]), str(row.get("gold_display") or "")
        row["line"] = json.dumps(
            {k: row.get(k, "") for k in ("id", "task", "question", "gold", "gold_display", "output")}
        )
    return rows


def wilson(hits: int, n: int) -> str:
    """The 95 % interval of a share, in percent (Wilson 1927)."""
    z, p = 1.96, hits / n
    middle, width = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return f"{100 * (middle - width) / (1 + z * z / n):.1f} to {100 * (middle + width) / (1 + z * z / n):.1f}"


def per_source(rows: list[Row], by: str) -> None:
    """Prints a line per source: accuracy, false positives and negatives, extraction, and what certainty is worth."""
    from finbench.grade import grade_line

    groups: dict[str, list[tuple[Row, dict[str, Any]]]] = {}
    for row in rows:
        groups.setdefault(str(row.get(by) or row["file"]), []).append((row, grade_line(row["line"])))
    groups = dict(sorted(groups.items())) | {"all": [pair for pairs in groups.values() for pair in pairs]}
    print("| source | n | accuracy | 95 % | FP | FN | extracted | unsure | sure and right | errors that are unsure |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, pairs in groups.items():
        right = sum(row["correct"] == verdict["correct"] for row, verdict in pairs)
        positives = sum(verdict["correct"] and not row["correct"] for row, verdict in pairs)
        unsure = [pair for pair in pairs if pair[1]["certainty"] == "unsure"]
        sure = len(pairs) - len(unsure)
        caught = sum(row["correct"] != verdict["correct"] for row, verdict in unsure)
        shown = [_bare(row["shown"]) == _bare(verdict["extracted"]) for row, verdict in pairs if row["shown"]]
        errors = len(pairs) - right
        print(
            f"| {name} | {len(pairs)} | {right / len(pairs):.1%} | {wilson(right, len(pairs))} | {positives} | "
            f"{errors - positives} | {f'{sum(shown) / len(shown):.1%}' if shown else '-'} | {len(unsure) / len(pairs):.1%} | "
            f"{f'{1 - (errors - caught) / sure:.1%}' if sure else '-'} | {caught} of {errors} |"
        )
    print()


def _bare(shown: Any) -> str:
    """An extracted form without blanks, marks and grouping: "$1,234" and "1234" are one."""
    return re.sub(r"[\s,$€£¥*]|\.0+(?=\D|$)", "", str(shown or "")).lower()


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
    parser.add_argument("--by", default="source", help="the field of a row that names its source (else: its file)")
    options = parser.parse_args()
    rows = rows_of(options.file or sorted((ROOT / "tests" / "cases").glob("*.jsonl")))
    right = sum(row["correct"] for row in rows)
    print(f"{len(rows)} labelled outputs, {right} right and {len(rows) - right} wrong\n")
    per_source(rows, options.by)
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
