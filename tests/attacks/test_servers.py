"""Servers that lie about numbers, about who they are, and about when to come back: no reply of theirs ends a run for ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asking_servers import ask, ask_one, chat, engine, raw
from fake_server import FakeServer

from finbench import cli
from finbench.engines.openai import wire
from finbench.engines.openai.endpoints import Endpoint, Endpoints, parse
from finbench.engines.openai.wire import BadReply
from finbench.errors import EngineError

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


# another model


def test_a_server_that_answers_as_another_model_is_named_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeServer(mode="other-model", models=("something",)) as server:
        assert run(server, tmp_path / "run") == 0
        sentences = [
            f"{server.url} does not list fake; it offers something",
            "asked for fake, the server answered as someone-else",
        ]
    said = capsys.readouterr()
    assert sentences[0] in said.err and all(f"note: {sentence}" in said.out for sentence in sentences)
    assert results(tmp_path / "run")["notes"] == sentences
    assert cli.main(["score", str(tmp_path / "run")]) == 0 and results(tmp_path / "run")["notes"] == sentences
    assert cli.main(["report", str(tmp_path / "run")]) == 0
    for name in ("report.html", "report.md"):
        assert "answered as someone" in (tmp_path / "run" / name).read_text("utf-8")


def test_a_model_under_its_own_name_needs_no_note(tmp_path: Path) -> None:
    with FakeServer() as server:
        assert run(server, tmp_path / "run", "--quiet") == 0
    assert results(tmp_path / "run")["notes"] == []


@pytest.mark.parametrize("other", [{"models": ("other",)}, {"mode": "other-model"}])
def test_two_deployments_are_not_mixed_in_one_run(
    tmp_path: Path, other: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeServer(mode="500", after=2) as first:
        assert run(first, tmp_path / "run", "--quiet", "--retries", "0") == 3
        kept = dict(results(tmp_path / "run")["tasks"]["tfns"]["reasons"])
    with FakeServer(**other) as second:
        assert run(second, tmp_path / "run", "--quiet") == 4
    assert "Two models are not mixed" in capsys.readouterr().err
    assert results(tmp_path / "run")["tasks"]["tfns"]["reasons"] == kept
    with FakeServer() as same:
        assert run(same, tmp_path / "run", "--quiet") == 0


@pytest.mark.parametrize(
    "earlier",
    [{}, {"servers": 3, "replied_as": 3}, {"servers": [4, {"models": 5}, {"models": [[], 6]}], "replied_as": [7]}],
)
def test_a_store_that_says_anything_of_its_servers_is_no_traceback(earlier: dict[str, Any]) -> None:
    with FakeServer() as server:
        client = engine(server)
        client.resume(earlier)
        assert [reply.finish for reply in client.stream(iter([chat("1")]))] == ["stop"]
        client.close()


# 429 without end


def test_refusals_count_into_the_time_of_a_request() -> None:
    with FakeServer(mode="429") as server:
        replies = ask(server, [chat(str(i)) for i in range(8)], timeout=0.5, max_wait=60, retries=10**6, backoff=0.05)
    assert {reply.finish for reply in replies.values()} == {"error"}
    assert all("429" in reply.error and "--timeout" in reply.error for reply in replies.values())


def test_a_pause_that_the_server_asks_for_counts_too() -> None:
    with FakeServer(mode="429-retry-after", retry_after=1) as server:
        reply = ask_one(server, timeout=0.5, max_wait=60, retries=10**6)
    assert "429" in reply.error and "--timeout" in reply.error


def test_nothing_but_refusals_for_max_wait_ends_the_run() -> None:
    with FakeServer(mode="429") as server, pytest.raises(EngineError, match=r"429, too many requests.*resume"):
        ask(server, [chat(str(i)) for i in range(40)], timeout=600, max_wait=0.5, retries=10**6, backoff=0.05)


def test_refusals_between_answers_are_no_outage() -> None:
    async def never(_: Endpoint) -> bool:
        return False

    async def scenario() -> None:
        endpoints = Endpoints([parse("a:1")], never, max_wait=0.0)
        first, _second = await endpoints.acquire(), await endpoints.acquire()
        endpoints.throttled(first, 0.0)
        await asyncio.sleep(0.01)
        endpoints.throttled(first, 0.0)  # the other request may still be answered
        endpoints.release(first)
        endpoints.succeeded(first)
        endpoints.throttled(first, 0.0)  # the first refusal since
        await asyncio.sleep(0.01)
        with pytest.raises(EngineError, match="429"):
            endpoints.throttled(first, 0.0)

    asyncio.run(scenario())
