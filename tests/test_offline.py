"""From rows to HTML without a network: a process in which every socket is refused runs, grades, compares and draws."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

BLOCKED = """
import socket, sys

def refuse(*args, **kwargs):
    raise AssertionError("a socket was opened")

socket.socket.connect = socket.socket.connect_ex = socket.create_connection = socket.getaddrinfo = refuse
from finbench.cli import main
sys.exit(main(sys.argv[1:]))
"""


def offline(*words: str, cwd: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", BLOCKED, *words]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_run_score_compare_report_and_leaderboard_open_no_socket(tmp_path: Path) -> None:
    for model in ("baseline/heuristic", "baseline/majority"):
        said = offline("run", "--model", model, "--data", "sample", "--output", model, "--quiet", cwd=tmp_path)
        assert "finance_instruct" in said and "DeepSeek-R1" in said
    assert "verdicts changed" in offline("score", "baseline/heuristic", cwd=tmp_path)
    assert "FinQA" in offline("compare", "baseline/heuristic", "baseline/majority", "--html", "both.html", cwd=tmp_path)
    offline("report", "baseline/heuristic", "--plots", "plots", cwd=tmp_path)
    assert list((tmp_path / "plots").glob("*.svg"))
    offline("leaderboard", "build", "baseline", "-o", "board.html", cwd=tmp_path)
    page = (tmp_path / "board.html").read_text("utf-8")
    assert "baseline/heuristic" in page and "Fin-R1" in page and "https://cdn" not in page
