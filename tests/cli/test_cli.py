"""The program: exit codes, words instead of tracebacks, config files that equal flags."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from finbench import cli
from finbench.engines import choose

ROOT = Path(__file__).parents[2]
RUN = [
    "run",
    "--model",
    "baseline/oracle",
    "--tasks",
    "tfns",
    "--data",
    "sample",
    "--limit",
    "5",
    "--no-report",
    "--quiet",
]


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


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["run"], 2, "--model"),
        (["run", "--model", "baseline/nothing", "--data", "sample"], 4, "no such baseline"),
        (["run", "--model", "m", "--tasks", "tfnss", "--data", "sample"], 2, "did you mean tfns"),
        (["run", "--model", "baseline/oracle", "--data", "/nowhere", "--tasks", "tfns"], 2, "/nowhere"),
        (["run", "--model", "baseline/oracle", "--limit", "0", "--data", "sample"], 2, "--limit"),
        (["run", "--resume", "/nowhere"], 2, "config.yaml"),
        (["score", "/nowhere"], 2, "no such file"),
        (["compare", "/nowhere"], 2, "two run folders"),
        (["compare", "/nowhere", "/nothing"], 4, "/nowhere"),
        (["leaderboard", "build", "/nowhere"], 5, "no finished run"),
    ],
)
def test_failures_are_words_and_codes(
    words: list[str],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(*words) == code
    captured = capsys.readouterr()
    assert said in captured.err and "Traceback" not in captured.err


def test_a_threshold_that_is_missed_is_exit_code_one(tmp_path: Path) -> None:
    assert main(*RUN, "--output", str(tmp_path), "--fail-under", "100") == 0
    constant = ["baseline/constant" if word == "baseline/oracle" else word for word in RUN]
    assert main(*constant, "--output", str(tmp_path / "other"), "--fail-under", "100") == 1


def test_a_config_file_equals_the_flags_and_flags_win(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = tmp_path / "run.yaml"
    assert main(*RUN, "--output", str(tmp_path / "one"), "--save-config", str(saved)) == 0
    assert yaml.safe_load(saved.read_text("utf-8"))["limit"] == 5
    capsys.readouterr()
    assert (
        main("run", "--config", str(saved), "--output", str(tmp_path / "two"), "--limit", "3", "--json", "--quiet") == 0
    )
    assert json.loads(capsys.readouterr().out)["tasks"]["tfns"]["n"] == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modle: x", "unknown key 'modle'"),
        ("[1, 2]", "expected flags as keys"),
        ("a: [", "cannot be read"),
        ("limit: many", "limit"),
    ],
)
def test_a_bad_config_is_refused_with_the_key(
    tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    assert main("run", "--config", str(path)) == 2
    assert said in capsys.readouterr().err


def test_resume_needs_nothing_but_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(*RUN, "--output", str(tmp_path / "run")) == 0
    capsys.readouterr()
    assert main("run", "--resume", str(tmp_path / "run"), "--json", "--quiet", "--no-report") == 0
    assert json.loads(capsys.readouterr().out)["tasks"]["tfns"]["n"] == 5


def test_score_grades_a_run_again_and_writes_the_same_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(*RUN, "--output", str(tmp_path)) == 0
    before = json.loads((tmp_path / "results.json").read_text("utf-8"))["finbench"]
    assert main("score", str(tmp_path)) == 0
    assert "0 verdicts changed" in capsys.readouterr().out
    assert json.loads((tmp_path / "results.json").read_text("utf-8"))["finbench"] == before


def test_score_reads_sample_logs_and_plain_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(*RUN, "--output", str(tmp_path)) == 0
    capsys.readouterr()
    assert main("score", str(tmp_path / "samples_tfns.jsonl"), "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)["tasks"].values()
    assert entry["score"] == 100.0 and entry["n"] == 5
    table = tmp_path / "replies.csv"
    table.write_text("q,a,r\nwhat is the margin?,0.142,So it is 14.2%.\nwhat is the margin?,0.142,1420%\n", "utf-8")
    words = ["--format", "generic", "--task", "finqa", "--question", "q", "--gold", "a", "--reply", "r"]
    assert main("score", str(table), *words, "--table") == 0
    said = capsys.readouterr().out
    assert "\tright\tpercent_form\t" in said and "\tlenient\toff_by_100\t" in said and "50.0" in said


def test_a_broken_pipe_is_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m finbench run --model baseline/oracle --tasks tfns --data sample --limit 5 --no-report --quiet "
        f"--output {tmp_path} | head -1",
        shell=True, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr


def test_a_plain_encoding_is_enough(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "finbench", *RUN, "--output", str(tmp_path)],
        cwd=ROOT, capture_output=True, check=False, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
