"""The lines of a running run: a score is an estimate only from enough replies on."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from finbench.cli import progress
from finbench.cli.progress import ESTIMATE_FROM, _Line
from finbench.records import Grade, Response


def line(right: int, wrong: int) -> _Line:
    made = _Line(1000, 0)
    for correct in [True] * right + [False] * wrong:
        made.count(Grade(correct, "equal" if correct else "different"), Response("r", "text", "stop"))
    return made


def test_one_reply_is_a_count_and_no_estimate() -> None:
    assert "0 of 1 right" in line(0, 1).text("finqa")
    assert "±" not in line(0, 1).text("finqa")


@pytest.mark.parametrize("right", [0, 10, ESTIMATE_FROM])
def test_from_twenty_replies_on_it_is_an_estimate(right: int) -> None:
    assert line(right, ESTIMATE_FROM - right).score().startswith(f"right {100 * right / ESTIMATE_FROM:.1f} ±")


def test_nineteen_replies_are_counted() -> None:
    assert line(9, ESTIMATE_FROM - 10).score() == "9 of 19 right"


def test_a_failed_request_is_counted_once_and_as_the_table_does() -> None:
    made = _Line(10, 0)
    made.count(Grade(False, "error"), Response("r", "", "error"))
    assert made.text("finqa").endswith("[1 failed]")


PLAN: Any = SimpleNamespace(selection=SimpleNamespace(groups={}), tasks=(), wanted={}, held={})


def test_a_run_that_waits_says_how_long_for_what_and_what_the_engine_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[int] = []
    twice = threading.Event()

    def state() -> str:
        if told:
            twice.set()
        told.append(1)
        return "64 under way, 3 retries; http://h/v1 is away\x1b[31m"

    monkeypatch.setattr(progress, "PLAIN_INTERVAL", 0.01)
    with progress.Progress(PLAN) as shown:
        shown.stage("asking")
        shown.watch(state)
        assert twice.wait(60)
    said = capsys.readouterr().err
    assert "asking, 0m" in said and "without a reply: 64 under way, 3 retries; http://h/v1 is away\\x1b[31m" in said


def test_a_quiet_run_stays_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[int] = []
    monkeypatch.setattr(progress, "PLAIN_INTERVAL", 0.001)
    with progress.Progress(PLAN, quiet=True) as shown:
        shown.watch(lambda: str(asked.append(1)))
        threading.Event().wait(0.05)
    assert capsys.readouterr().err == "" and not asked
