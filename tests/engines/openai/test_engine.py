"""OpenAIEngine against the fake server: every fault it can meet, and what becomes of the replies."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asking_servers import DOCUMENT, ask, ask_one, chat, engine, raw
from fake_server import MODES, FakeServer

from finbench.engines.openai import wire
from finbench.errors import EngineError, UsageError
from finbench.records import Message, Request, Sampling

CANARY = "sk-canary-0123456789abcdef"


# the ordinary case


def test_a_reply_carries_text_tokens_time_and_attempts() -> None:
    with FakeServer(latency=0.1) as server:
        reply = ask_one(server)
    assert (reply.text, reply.finish, reply.error, reply.attempts) == ("The answer is \\boxed{42}.", "stop", "", 1)
    assert reply.prompt_tokens == 3 and reply.output_tokens == 7 and reply.seconds > 0.05


def test_every_sampling_field_reaches_the_server() -> None:
    sampling = {"max_tokens": 7, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "repetition_penalty": 1.1, "seed": 3}
    sampling |= {"presence_penalty": 1.5, "frequency_penalty": 0.5, "min_p": 0.1}
    with FakeServer() as server:
        ask_one(server, chat("1", stop=("END",), choices=("a", "b"), **sampling))
    body = server.bodies[0]
    assert body | sampling == body
    assert body["stop"] == ["END"] and body["structured_outputs"] == {"choice": ["a", "b"]}
    assert body["messages"] == [{"role": "user", "content": "question 1"}] and body["model"] == "fake"


@pytest.mark.parametrize(("owner", "expected"), [("vllm", (-1, 1.0, 0.0)), ("openai", (None, None, None))])
def test_servers_that_fill_gaps_from_generation_config_are_told_all_of_it(
    owner: str, expected: tuple[Any, Any]
) -> None:
    with FakeServer(owned_by=owner) as server:
        ask_one(server)
    assert tuple(server.bodies[0].get(name) for name in ("top_k", "repetition_penalty", "min_p")) == expected


def test_the_extra_body_overrides_and_null_removes() -> None:
    with FakeServer() as server:
        ask_one(server, extra_body={"temperature": None, "chat_template_kwargs": {"enable_thinking": False}})
    assert "temperature" not in server.bodies[0]
    assert server.bodies[0]["chat_template_kwargs"] == {"enable_thinking": False}


def test_a_raw_prompt_goes_to_completions() -> None:
    with FakeServer() as server:
        reply = ask_one(server, raw("1", "Once upon"))
    assert reply.text.startswith("The answer") and server.paths["/v1/completions"] == 1
    assert server.bodies[0]["prompt"] == "Once upon"


@pytest.mark.parametrize("mode", ["reasoning", "reasoning-content"])
def test_reasoning_is_kept_apart_under_either_name(mode: str) -> None:
    with FakeServer(mode=mode) as server:
        reply = ask_one(server)
    assert (reply.reasoning, reply.text) == ("I think.", "The answer is \\boxed{42}.")


def test_loglikelihood_sums_the_continuation_and_knows_greedy() -> None:
    requests = [
        raw("good", "The sky is", continuation=" blue", kind="loglikelihood"),
        raw("bad", "The sky is", continuation=" ultramarine", kind="loglikelihood"),
        raw("two", "The sky is", continuation=" so blue", kind="loglikelihood"),
    ]
    with FakeServer() as server:
        replies = ask(server, requests)
    assert (replies["good"].logprob, replies["good"].greedy) == (-1.0, True)
    assert (replies["bad"].logprob, replies["bad"].greedy) == (-11 / 4, False)
    assert (replies["two"].logprob, replies["two"].greedy) == (-1.5, True)


@pytest.mark.parametrize("with_messages", [True, False])
def test_loglikelihood_that_the_server_cannot_give_is_an_engine_error(with_messages: bool) -> None:
    request = raw("1", "The sky is", continuation=" blue", kind="loglikelihood")
    if with_messages:
        request = Request("1", DOCUMENT, (Message("user", "x"),), Sampling(), kind="loglikelihood", continuation="y")
    with FakeServer(mode="no-logprobs") as server, pytest.raises(EngineError, match="log-probabilities"):
        ask_one(server, request)


def test_a_text_without_a_prompt_before_it_cannot_be_scored_by_a_server() -> None:
    request = raw("1", "", continuation="The sky is blue", kind="loglikelihood", whole=True)
    with FakeServer() as server, pytest.raises(EngineError, match=r"first token of a text.*local engine"):
        ask_one(server, request)


def test_choices_fall_back_to_plain_text_when_the_server_refuses_them() -> None:
    with FakeServer(mode="400-structured") as server:
        replies = ask(server, [chat(str(i), choices=("yes", "no")) for i in range(20)])
    assert all(reply.finish == "stop" for reply in replies.values())
    assert "structured_outputs" in server.bodies[0] and "structured_outputs" not in server.bodies[-1]


def test_max_completion_tokens_is_learnt() -> None:
    with FakeServer(mode="400-max-tokens") as server:
        replies = ask(server, [chat(str(i), max_tokens=9) for i in range(20)])
    assert all(reply.finish == "stop" for reply in replies.values())
    assert server.bodies[-1]["max_completion_tokens"] == 9


# the stream contract


def test_requests_are_pulled_lazily_within_the_window() -> None:
    pulled = 0

    def requests() -> Iterator[Request]:
        nonlocal pulled
        for i in range(100):
            pulled += 1
            yield chat(str(i))

    with FakeServer(latency=0.005) as server:
        client = engine(server, max_concurrency=4)
        stream = client.stream(requests())
        for taken, _ in enumerate(stream):
            assert pulled - taken <= 2 * 4
        client.close()
    assert pulled == 100 and server.max_in_flight == 4


def test_none_waits_for_a_reply_to_be_taken_and_then_asks_again() -> None:
    taken: list[str] = []

    def conversation() -> Iterator[Request | None]:
        yield chat("a1")
        yield chat("b1")
        while len(taken) < 2:  # second turns need the first replies
            yield None
        yield chat("a2")
        while len(taken) < 3:
            yield None
        yield chat("b2")

    with FakeServer(latency=0.002) as server:
        client = engine(server)
        for reply in client.stream(conversation()):
            taken.append(reply.request_id)
        client.close()
    assert sorted(taken) == ["a1", "a2", "b1", "b2"] and taken[-1] == "b2"


def test_results_do_not_depend_on_concurrency_or_order() -> None:  # R24
    requests = [chat(str(i)) for i in range(60)]
    texts = []
    for concurrency in (1, 64):
        with FakeServer(latency=0.001, sigma=1.0, answers=lambda prompt: prompt[::-1]) as server:
            replies = ask(server, requests, max_concurrency=concurrency)
        texts.append({name: reply.text for name, reply in replies.items()})
    assert texts[0] == texts[1] == {str(i): f"question {i}"[::-1] for i in range(60)}


def test_an_error_of_the_callers_iterator_is_passed_on() -> None:
    def requests() -> Iterator[Request]:
        yield chat("1")
        raise ZeroDivisionError("mine")

    with FakeServer(latency=0.01) as server:
        client = engine(server, max_concurrency=1)
        with pytest.raises(ZeroDivisionError, match="mine"):
            list(client.stream(requests()))
        client.close()


class _Ahead:
    """Requests that can be made ahead of their turn; making the `broken`th fails."""

    def __init__(self, count: int, broken: int = 0) -> None:
        self.left, self.made, self.broken = iter(range(count)), [], broken
        self.ahead = 0

    def prepare(self) -> bool:
        number = next(self.left, None)
        if number is None:
            return False
        if self.broken and number == self.broken:
            raise ValueError("this row cannot be rendered")
        self.made.append(number)
        self.ahead = max(self.ahead, len(self.made))
        return len(self.made) < 3

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        if not self.made:
            self.prepare()
        if not self.made:
            raise StopIteration
        return chat(str(self.made.pop(0)))


def test_requests_are_made_ahead_while_the_server_thinks() -> None:
    requests = _Ahead(20)
    with FakeServer(latency=0.02) as server:
        client = engine(server, max_concurrency=2)
        replies = sorted(int(reply.request_id) for reply in client.stream(requests))
        assert replies == list(range(20)) and requests.ahead == 3
        assert len(list(client.stream(iter([chat("x")])))) == 1  # and an ordinary iterator is well after that
        client.close()


def test_a_request_that_cannot_be_made_ahead_ends_the_stream_with_its_error() -> None:
    with FakeServer(latency=0.02) as server:
        client = engine(server, max_concurrency=2)
        with pytest.raises(ValueError, match="cannot be rendered"):
            list(client.stream(_Ahead(20, broken=7)))
        client.close()


def test_an_abandoned_stream_leaves_nothing_behind_and_the_engine_usable() -> None:
    with FakeServer(latency=0.05) as server:
        client = engine(server)
        stream = client.stream(chat(str(i)) for i in range(10))
        next(stream)
        stream.close()
        assert [reply.request_id for reply in client.stream(iter([chat("again")]))] == ["again"]
        client.close()
        client.close()


def test_a_signal_handler_runs_while_all_replies_are_awaited() -> None:
    received: list[float] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: received.append(time.monotonic()))
    try:
        with FakeServer(latency=2.0) as server:
            timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
            timer.start()
            ask_one(server)
            assert received and time.monotonic() - received[0] > 0.5  # long before the reply came
    finally:
        signal.signal(signal.SIGUSR1, before)


# faults that pass: R7


PASSING = (
    "429 429-retry-after 429-date 500 502 503 reset early-close truncated-json malformed "
    "null-content no-choices list nan-usage error-200"
)


@pytest.mark.parametrize("mode", PASSING.split())
def test_passing_faults_are_asked_again_until_the_answer_is_that_of_a_well_server(mode: str) -> None:
    requests = [chat(str(i)) for i in range(30)]
    with FakeServer(mode=mode, every=3, faults=1, answers=lambda prompt: prompt) as server:
        replies = ask(server, requests)
        assert {reply.text for reply in replies.values()} == {f"question {i}" for i in range(30)}
        asked = sorted(server.asked.values())
    assert asked[0] == 1 and asked[-1] == 2  # the faulty ones twice, nobody else
    assert sum(asked) == sum(reply.attempts for reply in replies.values())


@pytest.mark.parametrize("mode", ["500", "429", "truncated-json", "null-content", "nan-usage", "list", "deep-json"])
def test_lasting_faults_end_as_errors_of_their_samples_after_so_many_attempts(mode: str) -> None:  # R7, R11
    requests = [chat(str(i)) for i in range(30)]
    with FakeServer(mode=mode, every=3) as server:
        replies = ask(server, requests, retries=2)
        failed = [reply for reply in replies.values() if reply.finish == "error"]
        assert 0 < len(failed) < 30 and len(failed) == sum(count > 1 for count in server.asked.values())
    for reply in failed:
        assert reply.text == "" and reply.attempts == 3 and "gave up after 3 attempts" in reply.error


@pytest.mark.parametrize(
    ("mode", "named"),
    [
        ("malformed", "I am not JSON at all"),
        ("502", "HTTP 502: <html>"),
        ("no-choices", "no choices"),
        ("list", "a list where an object was promised"),
        ("error-200", "upstream fell over"),
        ("nan-usage", "NaN"),
        ("null-content", "no content"),
    ],
)
def test_an_error_names_the_boundary_and_shows_the_head_of_the_body(mode: str, named: str) -> None:
    with FakeServer(mode=mode) as server:
        reply = ask_one(server, retries=0)
    assert reply.finish == "error" and named in reply.error and "Traceback" not in reply.error


def test_retry_after_is_honoured_by_all_requests() -> None:
    with FakeServer(mode="429-retry-after", faults=1, retry_after=2) as server:
        reply = ask_one(server, timeout=60)
    assert reply.finish == "stop" and reply.attempts == 2 and reply.seconds > 1.5


def test_a_retry_after_beyond_max_wait_ends_the_run_with_a_word_about_resuming() -> None:
    with FakeServer(mode="429-retry-after", retry_after=3600) as server, pytest.raises(EngineError, match="resume"):
        ask_one(server, max_wait=0.2)


def test_a_throttling_server_gets_fewer_at_once() -> None:
    with FakeServer(mode="429-retry-after", faults=1, every=2, latency=0.002, retry_after=0.002) as server:
        client = engine(server, max_concurrency=32)
        replies = list(client.stream(chat(str(i)) for i in range(100)))
        limit = client._endpoints.all[0].limit
        client.close()
    assert len(replies) == 100 and limit < 32


# a server that is away: R8


def test_a_server_that_goes_away_is_waited_for_and_nothing_is_lost() -> None:
    server = FakeServer(latency=0.002).start()
    client = engine(server, max_concurrency=8)
    replies = []

    def bounce() -> None:
        server.stop()
        time.sleep(0.3)
        server.start()

    thread = threading.Thread(target=bounce)
    for reply in client.stream(chat(str(i)) for i in range(200)):
        replies.append(reply)
        if len(replies) == 50:
            thread.start()
            time.sleep(0.05)
    thread.join()
    client.close()
    server.stop()
    assert len(replies) == len({reply.request_id for reply in replies}) == 200
    assert {reply.finish for reply in replies} == {"stop"}
    assert max(server.asked.values()) <= 2  # those in flight when it went


def test_an_outage_behind_a_gateway_is_waited_for_too() -> None:
    with FakeServer(mode="503", after=50, span=60) as server:
        replies = ask(server, [chat(str(i)) for i in range(150)], max_concurrency=16, retries=8)
    assert {reply.finish for reply in replies.values()} == {"stop"}


def test_a_server_that_stays_away_stops_the_run_after_max_wait() -> None:
    server = FakeServer().start()
    client = engine(server, max_wait=0.3, max_concurrency=2)
    stream = client.stream(chat(str(i)) for i in range(100))
    next(stream)
    server.stop()
    started = time.monotonic()
    with pytest.raises(EngineError, match=r"no server could be used for 0.3 s .*resume"):
        list(stream)
    assert time.monotonic() - started < 20
    client.close()


def test_no_server_at_all_is_an_error_before_the_first_request() -> None:
    pulled: list[str] = []

    def requests() -> Iterator[Request]:
        pulled.append("1")
        yield chat("1")

    client = engine("http://127.0.0.1:9/v1")
    with pytest.raises(EngineError, match=r"no server answers .*Is it running"):
        list(client.stream(requests()))
    client.close()
    assert not pulled


# a server that takes its time: R9


@pytest.mark.parametrize("mode", ["hang", "slow-loris", "endless-headers"])
def test_the_deadline_is_for_the_whole_request(mode: str) -> None:
    requests = [chat(str(i)) for i in range(12)]
    with FakeServer(mode=mode, every=3) as server:
        started = time.monotonic()
        replies = ask(server, requests, timeout=1)
        assert time.monotonic() - started < 20
    failed = [reply for reply in replies.values() if reply.finish == "error"]
    assert 0 < len(failed) < 12
    assert all("no complete reply within 1 s" in r.error or "broken reply" in r.error for r in failed)


def test_the_deadline_spans_all_attempts() -> None:
    with FakeServer(mode="500", latency=0.05) as server:
        started = time.monotonic()
        reply = ask_one(server, timeout=0.3, retries=1000)
    assert reply.finish == "error" and time.monotonic() - started < 20 and reply.attempts < 10


# answers that concern every request: R10


@pytest.mark.parametrize(
    ("mode", "named"),
    [
        ("401", "api-key-env"),
        ("402", "credit"),
        ("403", "api-key-env"),
        ("404", "asked for 'fake', it offers fake"),
        ("quota", "credit"),
        ("redirect-away", r"redirects to http://127.0.0.2/v1/chat/completions;"),
    ],
)
def test_an_answer_that_concerns_all_requests_stops_the_run_at_once(
    mode: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    with FakeServer(mode=mode) as server, pytest.raises(EngineError, match=named) as caught:
        ask(server, [chat(str(i)) for i in range(20)], max_concurrency=1)
    assert sum(server.asked.values()) <= 1 and CANARY not in str(caught.value)


def test_a_field_that_the_server_does_not_know_stops_the_run_with_its_name() -> None:
    with FakeServer(mode="400-top-k") as server, pytest.raises(EngineError, match="It does not take `top_k`"):
        ask(server, [chat(str(i), top_k=5) for i in range(20)], max_concurrency=1)


def test_a_refusal_after_a_success_is_that_samples_error_only() -> None:
    with FakeServer(mode="403", after=5, span=1) as server:
        replies = ask(server, [chat(str(i)) for i in range(10)], max_concurrency=1)
    assert [reply.error for reply in replies.values() if reply.error] == [f"{server.url}: HTTP 403: not for you"]


# answers that concern one request: R11, R12, R13


def test_a_prompt_over_the_context_is_that_samples_error_and_not_asked_again() -> None:  # R12
    with FakeServer(mode="400-context", every=3) as server:
        replies = ask(server, [chat(str(i)) for i in range(12)])
    failed = [reply for reply in replies.values() if reply.finish == "error"]
    assert 0 < len(failed) < 12 and set(server.asked.values()) == {1}
    assert all("maximum context length" in reply.error for reply in failed)


def test_a_cut_reply_is_marked_and_its_text_kept() -> None:  # R13
    with FakeServer(mode="finish-length") as server:
        reply = ask_one(server)
    assert (reply.finish, reply.text) == ("length", "The answer i")


def test_a_filtered_reply_is_an_error_and_not_asked_again() -> None:  # R13
    with FakeServer(mode="content-filter") as server:
        reply = ask_one(server)
    assert reply.finish == "error" and "content filter" in reply.error and reply.attempts == 1


def test_thinking_that_used_the_whole_budget_is_cut_not_failed() -> None:
    body = b'{"choices": [{"message": {"content": null, "reasoning": "hm"}, "finish_reason": "length"}]}'
    reply = wire.read(chat("1"), body)
    assert (reply.text, reply.reasoning, reply.finish) == ("", "hm", "length")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"message": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}}, ("ab", "stop")),
        ({"message": {"content": None, "refusal": "I cannot"}, "finish_reason": "stop"}, ("I cannot", "stop")),
        ({"message": {"content": "x"}, "finish_reason": "max_tokens"}, ("x", "length")),
        ({"message": {"content": "x"}, "finish_reason": None}, ("x", "stop")),
        ({"message": {"content": ""}, "finish_reason": "stop"}, ("", "stop")),
    ],
)
def test_the_shapes_that_servers_give_a_reply(choice: dict[str, Any], expected: tuple[str, str]) -> None:
    reply = wire.read(chat("1"), json.dumps({"choices": [choice]}).encode())
    assert (reply.text, reply.finish) == expected


def test_a_lone_surrogate_survives() -> None:  # R20
    with FakeServer(mode="surrogate") as server:
        assert ask_one(server).text == "broken \ud800 pair"


def test_the_name_under_which_a_server_answers_is_told_to_the_manifest() -> None:  # R11: a wrong model name
    with FakeServer(mode="other-model") as server:
        client = engine(server)
        list(client.stream(iter([chat("1")])))
        assert client.describe()["replied_as"] == ["someone-else"]
        client.close()


# a hostile server: S13, S17


@pytest.mark.parametrize("mode", ["gzip-bomb", "huge-body"])
def test_a_body_is_never_read_or_unpacked_beyond_the_limit(mode: str) -> None:
    with FakeServer(mode=mode) as server:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        reply = ask_one(server, max_body=1 << 20)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert reply.finish == "error" and "1 MiB" in reply.error and reply.attempts == 1
    assert grown < 300  # MiB; the fake server itself holds 64 of them while it writes


def test_a_huge_header_is_a_broken_reply() -> None:
    with FakeServer(mode="huge-header") as server:
        reply = ask_one(server, retries=1)
    assert reply.finish == "error" and "broken reply" in reply.error and len(reply.error) < 1000


def test_gzip_that_nobody_asked_for_is_unpacked() -> None:
    with FakeServer(mode="gzip") as server:
        assert ask_one(server).finish == "stop"


@pytest.mark.parametrize("mode", MODES)
def test_the_key_reaches_the_server_and_no_text(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", CANARY)
    said = ""
    with FakeServer(mode=mode, key=CANARY) as server:
        client = engine(server, api_key_env="MY_KEY", timeout=0.5, retries=1, max_body=1 << 20, max_wait=0.2)
        try:
            said += "".join(map(repr, client.stream(iter([chat("1"), chat("2")]))))
            said += repr(client.describe())
        except EngineError as error:
            said += str(error)
        client.close()
    assert said and CANARY not in said and f"Bearer {CANARY}" in server.authorizations


def test_the_key_does_not_travel_with_a_redirect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    with FakeServer() as other, FakeServer(mode="redirect-away", away=other.url) as server:
        with pytest.raises(EngineError, match="does not follow"):
            ask_one(server)
        assert not other.authorizations and not other.paths


def test_passwords_header_values_and_query_values_are_redacted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("SUBSCRIPTION", "subscription-secret")
    with FakeServer(mode="secret-echo") as server:
        url = f"http://user:password-secret@127.0.0.1:{server.port}/v1?sig=signature-secret"
        client = engine(url, headers={"X-Subscription": "env:SUBSCRIPTION"})
        said = repr(list(client.stream(iter([chat("1")])))) + repr(client.describe())
        client.close()
    assert "[redacted]" in said and "secret" not in said and "dXNlcj" not in said  # the start of user: in base64


def test_an_unset_header_variable_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOWHERE", raising=False)
    with pytest.raises(UsageError, match="NOWHERE is not set"):
        engine("http://127.0.0.1:9/v1", headers={"X-Key": "env:NOWHERE"})


def test_a_key_with_a_line_break_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{CANARY}\nX-Evil: 1")
    with pytest.raises(UsageError, match="not shown") as caught:
        engine("http://127.0.0.1:9/v1")
    assert CANARY not in str(caught.value)


# limits


def test_requests_per_minute_are_kept() -> None:
    with FakeServer() as server:
        started = time.monotonic()
        ask(server, [chat(str(i)) for i in range(11)], rpm=1200)  # one every 50 ms
        assert 0.4 < time.monotonic() - started < 20


def test_tokens_per_minute_are_kept_by_what_was_really_used() -> None:
    with FakeServer() as server:
        started = time.monotonic()
        ask(server, [chat(str(i), max_tokens=50) for i in range(6)], tpm=60_000, max_concurrency=1)
        assert 0.03 <= time.monotonic() - started < 20


def test_the_fake_server_runs_by_itself_and_logs_every_request(tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text(json.dumps({"contains": "question 1", "answer": "mapped", "reasoning": "because"}) + "\n")
    log = tmp_path / "log.jsonl"
    script = Path(__file__).parents[2] / "fake_server.py"
    command = [
        sys.executable,
        str(script),
        "--answers",
        str(answers),
        "--log",
        str(log),
        "--mode",
        "500",
        "--faults",
        "1",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        reply = ask_one(process.stdout.readline().strip())
        process.terminate()
    assert (reply.text, reply.reasoning, reply.attempts) == ("mapped", "because", 2)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["ask"], line["mode"]) for line in lines] == [(1, "500"), (2, "ok")]
