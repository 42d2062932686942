"""The tables of a terminal: no number is dropped or clipped at any width, and failures say what helps."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from finbench.cli import console

NAMES = ("finqa", "convfinqa", "ant_finance", "tfns", "finance_instruct")


def entry(score: float, n: int = 1147) -> dict[str, Any]:
    return {
        "n": n, "score": score, "ci": [score - 1.5, 100.0], "lenient": 98.7, "unreadable": 123, "truncated": 456,
        "errors": 0, "verdict_by": "reference", "reasons": {"equal": n},
    }  # fmt: skip


def beside(score: float, verdict: str, *flags: str) -> dict[str, Any]:
    return {"score": score, "printed": f"{score:.1f}", "flags": flags, "verdict": verdict, "delta": 1, "sentence": "s"}


@pytest.fixture
def document() -> dict[str, Any]:
    """Five benchmarks with long labels, an average, and a published row whose values have a flag and a comparison."""
    cells = {
        name: beside(90.1 + at, ("better", "worse", "not distinguishable")[at % 3], "odd")
        for at, name in enumerate(NAMES)
    }
    row = {
        "model": "DeepSeek-R1-Distill-Llama-70B",
        "cells": cells,
        "average": beside(99.1, "worse", "odd"),
        "same_model": False,
    }
    return {
        "model": "org/a-model-of-a-long-name", "protocol": "finbench", "sampled": [],
        "tasks": {name: entry(61.2 + at, 71315) for at, name in enumerate(NAMES)},
        "average": {"score": 63.2, "ci": [60.1, 66.3]}, "reported": [row],
    }  # fmt: skip


def printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int, document: Any
) -> list[str]:
    monkeypatch.setattr(console, "console", lambda _: Console(file=sys.stdout, width=width, highlight=False))
    console.show_results(document)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_no_number_is_dropped_or_clipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], document: dict[str, Any], width: int
) -> None:
    lines = printed(monkeypatch, capsys, width, document)
    said = "\n".join(lines)
    assert max(map(len, lines)) <= width
    assert "…" not in said
    numbers = re.findall(r"[\d.,]*\d", said)
    for at, _ in enumerate(NAMES):
        assert f"{61.2 + at:.1f}" in numbers and f"{59.7 + at:.1f}" in numbers and f"{90.1 + at:.1f}" in numbers
    assert numbers.count("71,315") == numbers.count("98.7") == numbers.count("123") == numbers.count("456") == 5
    assert {"63.2", "99.1", "60.1", "66.3", "±3.1"[1:]} <= set(numbers)


@pytest.mark.parametrize("width", [60, 80])
def test_a_label_is_folded_and_stands_there_in_full(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], document: dict[str, Any], width: int
) -> None:
    lines = printed(monkeypatch, capsys, width, document)
    start = next(at for at, line in enumerate(lines) if line.startswith("finance"))
    edge = len(lines[start]) - len(lines[start].split(maxsplit=1)[1])
    label = "".join(line[:edge] for line in lines[start : start + 4])
    assert "".join(label.split()).startswith("finance_instruct(reference")


def test_a_flag_and_a_comparison_stand_apart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], document: dict[str, Any]
) -> None:
    said = "\n".join(printed(monkeypatch, capsys, 120, document))
    assert "90.1* +" in said
    assert not re.search(r"\*[-+=?]", said)


def failing(folder: Path, messages: list[str]) -> dict[str, Any]:
    """The document of a run whose samples file holds these errors."""
    lines = [json.dumps({"finbench": {"error": message}}) for message in [*messages, None]]
    (folder / "samples_finqa.jsonl").write_text("\n".join(lines) + "\n")
    return {"tasks": {"finqa": {"errors": len(messages)}}}


def test_failures_are_grouped_by_their_message_whatever_its_numbers(tmp_path: Path) -> None:
    long = "HTTP 400: This model's maximum context length is 600 tokens, you asked for {}"
    document = failing(tmp_path, [long.format(812), "HTTP 503: busy", long.format("1,024")])
    first, second = console.failed_requests(tmp_path, document)
    assert first.startswith("2 requests failed: HTTP 400: This model's maximum context length is 600")
    assert "Asking again fails again" in first and "--max-tokens" in first
    assert second == "1 request failed: HTTP 503: busy. The same command asks again"


def test_more_kinds_of_failure_than_a_screen_holds_are_counted(tmp_path: Path) -> None:
    document = failing(tmp_path, [f"odd failure {'x' * n}" for n in range(9)])
    said = console.failed_requests(tmp_path, document)
    assert len(said) == console.MESSAGES + 1
    assert said[-1].startswith("and 4 other")


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_the_unsure_share_is_never_clipped_and_has_its_range_where_there_is_room(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], document: dict[str, Any], width: int
) -> None:
    document["tasks"]["finqa"] |= {"unsure": 12.3, "range": [55.4, 67.7]}
    document["average"] |= {"unsure": 3.2, "range": [58.8, 64.4]}
    lines = printed(monkeypatch, capsys, width, document)
    said = "\n".join(lines)
    assert max(map(len, lines)) <= width and "…" not in said
    assert {"12.3", "3.2"} <= set(re.findall(r"[\d.,]*\d", said))
    assert ("12.3 %" in said) == (said.count("unsure") == 1) == (width >= console.NARROW)
    assert ("12.3 % (55.4 to 67.7)" in said) == ("3.2 % (58.8 to 64.4)" in said) == (width >= console.ROOMY)
    assert {"71,315", "98.7", "123", "456"} <= set(re.findall(r"[\d.,]*\d", said))


def test_verdicts_that_do_not_say_how_sure_they_are_get_no_column(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], document: dict[str, Any]
) -> None:
    document["tasks"]["finqa"] |= {"unsure": None, "range": None}
    assert "unsure" not in "\n".join(printed(monkeypatch, capsys, 120, document))
