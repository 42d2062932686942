"""What a terminal shows while a run waits."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from finbench.cli import console


def test_a_run_that_waits_says_how_long_for_what_and_what_the_engine_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = threading.Event()

    def state() -> str:
        if told:
            asked.set()
        told.append(1)
        return "64 under way, 3 retries; http://h/v1 is away\x1b[31m"

    told: list[int] = []
    monkeypatch.setattr(console, "PLAIN_INTERVAL", 0.01)
    plan: Any = SimpleNamespace(selection=SimpleNamespace(groups={}), tasks=(), wanted={}, held={})
    with console.Progress(plan) as progress:
        progress.stage("asking")
        progress.watch(state)
        assert asked.wait(60)
    said = capsys.readouterr().err
    assert "asking, 0m" in said and "without a reply: 64 under way, 3 retries; http://h/v1 is away\\x1b[31m" in said


def test_a_quiet_run_stays_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(console, "PLAIN_INTERVAL", 0.001)
    plan: Any = SimpleNamespace(selection=SimpleNamespace(groups={}), tasks=(), wanted={}, held={})
    with console.Progress(plan, quiet=True) as progress:
        progress.watch(lambda: pytest.fail("asked"))
        threading.Event().wait(0.05)
    assert capsys.readouterr().err == ""
