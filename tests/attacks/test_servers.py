"""Servers that lie about numbers, about who they are, and about when to come back: no reply of theirs ends a run for ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asking_servers import ask_one, chat, raw
from fake_server import FakeServer

from finbench import cli
from finbench.engines.openai import wire
from finbench.engines.openai.wire import BadReply

YEAR = 366 * 86_400.0  # seconds
Reshape = Callable[[dict[str, Any]], dict[str, Any]]


def run(server: FakeServer, folder: Path, *more: str) -> int:
    """`finbench run` on three sample rows against a server."""
    words = ["run", "--model", "fake", "--base-url", server.url, "--data", "sample", "--tasks", "tfns", "--limit", "3"]
    return cli.main([*words, "--output", str(folder), *more])


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text("utf-8"))["finbench"]
    return found


# numbers


def counting(value: object) -> Reshape:
    """Replies whose usage is this number throughout."""
    return lambda body: body | {"usage": {"prompt_tokens": value, "completion_tokens": value}}


@pytest.mark.parametrize("value", [10**400, 2**63, 10**9 + 1, -1, -(10**400), 1.5, True, "7", [7]])
def test_a_count_that_cannot_be_one_is_no_count_and_the_report_is_written(tmp_path: Path, value: object) -> None:
    with FakeServer(reshape=counting(value)) as server:
        assert run(server, tmp_path / "run", "--quiet") == 0
    assert results(tmp_path / "run")["tasks"]["tfns"]["tokens"] in (None, {})
    assert cli.main(["report", str(tmp_path / "run")]) == 0


@pytest.mark.parametrize("value", [0, 10**9])
def test_a_count_within_bounds_is_kept(value: int) -> None:
    with FakeServer(reshape=counting(value)) as server:
        assert ask_one(server).output_tokens == value


@pytest.mark.parametrize("value", [10**400, -(10**400), 3.0, "1e999", "-1e999"])
def test_a_log_probability_that_is_none_is_no_reply(value: object) -> None:
    request = raw("1", "ab", kind="loglikelihood", continuation=" cd")
    scores = {"tokens": ["ab", " cd"], "token_logprobs": [None, "HERE"], "text_offset": [0, 2]}
    body = {"choices": [{"logprobs": scores | {"top_logprobs": [None, {" cd": -1}]}}]}
    with pytest.raises(BadReply, match="log-probabilities"):
        wire.read(request, json.dumps(body).replace('"HERE"', str(value)).encode())


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("999999999", YEAR),
        ("Fri, 31 Dec 9999 23:59:59 GMT", YEAR),
        ("-5", None),
        ("1e400", None),
        ("9" * 5000, None),
        ("Mon, 99 Foo 0000 99:99:99 +9999999999", None),
        (",", None),
    ],
)
def test_a_retry_after_is_bounded(header: str, expected: float | None) -> None:
    assert wire.retry_after(header) == expected


# several choices


def choice(index: object, text: str) -> dict[str, Any]:
    return {"index": index, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}


@pytest.mark.parametrize(
    "choices",
    [
        [choice(1, "other"), choice(0, "ours")],
        [choice(0, "ours"), choice(0, "again")],
        [None, choice(0, "ours")],
        [choice(2, "other"), choice(None, "ours")],
    ],
)
def test_the_choice_of_index_0_counts_wherever_it_stands(choices: list[Any]) -> None:
    assert wire.read(chat("1"), json.dumps({"choices": choices}).encode()).text == "ours"


def test_choices_without_index_0_are_no_reply() -> None:
    with pytest.raises(BadReply, match="no choices"):
        wire.read(chat("1"), json.dumps({"choices": [choice(1, "other")]}).encode())
