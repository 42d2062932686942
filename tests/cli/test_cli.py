"""The program: exit codes, words instead of tracebacks, config files that equal flags."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from finbench import cli

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
