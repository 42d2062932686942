"""Names that task folders, documentation and YAMLs of others use keep working."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("former", "names"),
    [
        ("finbench.sources", "Row Rows for_task locate read read_json read_jsonl selected DataMissing"),
        ("finbench.filings", "answer clean_cell contradictory golds mend page question_type relation"),
        ("finbench.programs", "ProgramError Step Table Value run row number text"),
        ("finbench.errors", "DataError EngineError FinbenchError StoreError TaskError UsageError"),
        ("finbench.lm_eval", "number choice boolean text label macro_f1 rows AnswerFilter correct"),
        ("finbench.grade", "grade_line main TASKS"),
        ("finbench", "run grade load Run"),
    ],
)
def test_a_former_name_still_serves(former: str, names: str) -> None:
    code = f"from {former} import {', '.join(names.split())}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_former_names_are_the_things_themselves() -> None:
    from finbench import filings, programs, sources
    from finbench.finqa import golds
    from finbench.finqa import programs as at_home
    from finbench.tasks import data_files

    assert (sources.Rows, filings.relation, programs.run) == (data_files.Rows, golds.relation, at_home.run)
