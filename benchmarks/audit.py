"""What the reasoning audit finds and what it costs, on traces written from FinQA programs (tests/traces.py).

    python benchmarks/audit.py [--data DIR] [--rows N]

Six voices per program; clean, and with a planted fault: a wrong digit in one result, an amount from nowhere, a right answer
on a wrong last step. Without real rows the sample rows of the task are used.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tasks" / "finqa")]
import traces  # noqa: E402

import docs  # noqa: E402
from finbench.audit.reply import Audit, audit  # noqa: E402
from finbench.records import Grade  # noqa: E402
from finbench.tasks import data_files  # noqa: E402
from finbench.tasks.documents import document_from_row  # noqa: E402

FOUND = {
    "digit": lambda found: found.wrong > 0,
    "nowhere": lambda found: found.grounded < found.counted,
    "lucky": lambda found: bool(found.lucky),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="sample", help="a data folder (default: the shipped sample)")
    parser.add_argument("--rows", type=int, default=1147)
    options = parser.parse_args()
    path = data_files.for_task(docs.FILES, {"data": options.data}, task_dir=docs.HERE)
    rows = list(islice(docs.documents(path), options.rows))
    stated = recognised = clean = alarms = characters = 0
    seconds = 0.0
    planted, caught = dict.fromkeys(FOUND, 0), dict.fromkeys(FOUND, 0)
    for row in rows:
        document = document_from_row(row, "finqa")
        for seed in range(len(traces.VOICES)):
            for fault in ("", *FOUND):
                trace = traces.write(row, seed, fault)
                if trace is None:
                    continue
                grade = Grade(fault != "digit", "equal", extracted=trace.answer)
                started = time.perf_counter()
                found: Audit = audit(document, trace.text, grade)
                seconds += time.perf_counter() - started
                characters += len(trace.text)
                if fault:
                    planted[fault] += 1
                    caught[fault] += FOUND[fault](found)
                    continue
                clean += 1
                stated += trace.calculations
                recognised += min(len(found.calculations), trace.calculations)
                alarms += bool(found.wrong or found.lucky or found.grounded < found.counted)
    print(f"{len(rows)} rows of {path.name}, {clean} clean traces")
    print(f"calculations recognised: {recognised} of {stated}")
    print(f"clean traces with an alarm: {alarms} ({100 * alarms / clean:.2f} %)")
    for fault in FOUND:
        print(f"{fault} found: {caught[fault]} of {planted[fault]} ({100 * caught[fault] / planted[fault]:.1f} %)")
    print(f"{1000 * seconds / (clean * 4):.3f} ms a trace, {1e6 * seconds / characters:.3f} ms per 1,000 characters")


if __name__ == "__main__":
    main()
