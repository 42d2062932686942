"""Flags: numbers within bounds, one model a command, and typos that are answered by the command they were given to."""

from __future__ import annotations

from pathlib import Path

import pytest

from finbench import cli


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert cli.main(list(words)) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--temperature", "-1"), ("--temperature", "nan"), ("--max-tokens", "0"), ("--max-tokens", "1.5"), ("--top-p", "0"),
        ("--top-p", "2"), ("--limit", "0"), ("--repeats", "0"), ("--max-concurrency", "0"), ("--timeout", "0"),
        ("--gpu-memory-utilization", "1.5"), ("--repetition-penalty", "0"),
    ],
)  # fmt: skip
def test_a_number_out_of_bounds_is_refused_with_the_bounds(
    capsys: pytest.CaptureFixture[str], flag: str, value: str
) -> None:
    assert f"argument {flag}: takes " in refused(capsys, "run", "--model", "baseline/oracle", flag, value)


def test_a_config_file_has_the_same_bounds(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("model: baseline/oracle\ntemperature: -1\n")
    said = refused(capsys, "run", "--config", str(tmp_path / "run.yaml"))
    assert "temperature is" in said
    assert "(takes numbers from 0 on)" in said


def test_a_second_model_is_refused_and_not_taken_silently(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--model: given twice (a, b)" in refused(capsys, "run", "--model", "a", "--model", "b")


def test_a_flag_wins_over_the_model_of_a_config_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("model: baseline/oracle\ntasks: tfns\ndata: sample\n")
    assert cli.main(["run", "--config", str(tmp_path / "run.yaml"), "--model", "baseline/constant", "--dry-run"]) == 0
    assert "model     baseline/constant" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "usage", "near"),
    [
        ("run --modle x", "finbench run", "--model"),
        ("run --model x --temp 0.5", "finbench run", "--temperature"),
        ("leaderboard build --no-reportd", "finbench leaderboard build", "--no-reported"),
        ("compare a b --markdwon", "finbench compare", "--markdown"),
    ],
)
def test_a_typo_in_a_flag_is_answered_by_its_command(
    capsys: pytest.CaptureFixture[str], words: str, usage: str, near: str
) -> None:
    said = refused(capsys, *words.split())
    assert f"usage: {usage} " in said
    assert f"did you mean {near}?" in said
