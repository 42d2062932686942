"""`finbench run`: the table, the plan without a run, thresholds, going on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finbench import cli
from finbench.engines import choose

RUN = "run --model baseline/oracle --tasks tfns --data sample --limit 5 --no-report --quiet".split()


def main(*words: str) -> int:
    return cli.main(list(words))


def test_a_run_ends_with_a_table_beside_the_reported_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(*RUN, "--output", str(tmp_path)) == 0
    said = capsys.readouterr().out
    assert "SAMPLE ROWS" in said and "DeepSeek-R1" in said and "reported" in said and "results.json" in said


def test_without_a_terminal_a_finished_task_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "run --model baseline/majority --tasks tfns,finqa --data sample --limit 5 --no-report --output"
    assert main(*words.split(), str(tmp_path)) == 0
    said = capsys.readouterr().err
    assert [said.count(f"{task:<24}       5/5") for task in ("tfns", "finqa")] == [1, 1]


def test_a_dry_run_touches_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(*RUN[:-1], "--output", str(tmp_path / "run"), "--dry-run") == 0
    assert "greedy" in capsys.readouterr().out and not (tmp_path / "run").exists()
    assert main(*RUN, "--output", str(tmp_path / "run"), "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["tasks"]["tfns"]["replies"] == 5


def test_a_dry_run_needs_no_engine_and_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "_installed", lambda package: False)
    words = ["run", "--model", "SUFE-AIFLM-Lab/Fin-R1", "--data", "sample", "--limit", "3"]
    assert main(*words, "--dry-run") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "MISSING, nothing here can run SUFE-AIFLM-Lab/Fin-R1" in said
    assert "finance_instruct" in said
    assert main(*words) == 2


def test_a_threshold_that_is_missed_is_exit_code_one(tmp_path: Path) -> None:
    assert main(*RUN, "--output", str(tmp_path), "--fail-under", "100") == 0
    constant = ["baseline/constant" if word == "baseline/oracle" else word for word in RUN]
    assert main(*constant, "--output", str(tmp_path / "other"), "--fail-under", "100") == 1


def test_resume_needs_nothing_but_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(*RUN, "--output", str(tmp_path / "run")) == 0
    capsys.readouterr()
    assert main("run", "--resume", str(tmp_path / "run"), "--json", "--quiet", "--no-report") == 0
    assert json.loads(capsys.readouterr().out)["tasks"]["tfns"]["n"] == 5
