"""Several servers of one model: balance, servers that die, and servers that come back."""

from __future__ import annotations

import asyncio
import time

import pytest
from asking_servers import ask, chat
from fake_server import FakeServer

from finbench.engines.openai.endpoints import Endpoint, Endpoints, parse
from finbench.engines.openai.engine import OpenAIEngine
from finbench.engines.openai.limits import Limits, Pace
from finbench.errors import EngineError, UsageError


@pytest.mark.parametrize(
    ("given", "chat_url", "shown"),
    [
        ("http://h:8000/v1", "http://h:8000/v1/chat/completions", "http://h:8000/v1"),
        ("http://h:8000/v1/", "http://h:8000/v1/chat/completions", "http://h:8000/v1"),
        ("h:8000", "http://h:8000/v1/chat/completions", "http://h:8000/v1"),
        ("https://h/v1/chat/completions", "https://h/v1/chat/completions", "https://h/v1"),
        ("https://u:p@h/x?key=1", "https://h/x/chat/completions?key=1", "https://h/x"),
        ("http://[::1]:80/v1", "http://[::1]:80/v1/chat/completions", "http://[::1]:80/v1"),
    ],
)
def test_a_base_url_is_understood_in_all_its_spellings(given: str, chat_url: str, shown: str) -> None:
    endpoint = parse(given)
    assert (endpoint.chat, endpoint.url) == (chat_url, shown)


@pytest.mark.parametrize("given", ["ftp://h/v1", "http://", "http://h:port/v1", ""])
def test_a_base_url_that_is_none_is_a_usage_error(given: str) -> None:
    with pytest.raises(UsageError, match="--base-url"):
        parse(given)


def test_a_proxy_is_used_for_other_machines_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    proxies = [
        parse(f"http://{host}/v1").proxy for host in ("outside.example", "inside.example", "127.0.0.1", "localhost")
    ]
    assert proxies == ["http://proxy:3128", None, None, None]


async def _never(_: Endpoint) -> bool:
    return False


async def _up(endpoint: Endpoint) -> None:
    while endpoint.down:
        await asyncio.sleep(0.005)


def test_the_server_with_the_fewest_outstanding_is_taken() -> None:
    async def scenario() -> list[str]:
        endpoints = Endpoints([parse("a:1"), parse("b:1"), parse("c:1")], _never)
        taken = [await endpoints.acquire() for _ in range(6)]
        endpoints.release(taken[1])
        return [endpoint.url[7] for endpoint in [*taken, await endpoints.acquire()]]

    assert asyncio.run(scenario()) == [*"abcabc", "b"]


def test_three_failures_in_a_row_leave_a_server_out_until_it_answers_the_probe() -> None:
    answers = iter([False, False, True])

    async def probe(_: Endpoint) -> bool:
        return next(answers)

    async def scenario() -> None:
        endpoints = Endpoints([parse("a:1"), parse("b:1")], probe, probe_every=0.01)
        a, b = endpoints.all
        for outcome in (endpoints.failed, endpoints.failed):
            outcome(a, "HTTP 503")
        endpoints.succeeded(a)
        endpoints.failed(a, "HTTP 503")
        assert not a.down
        endpoints.failed(a, "HTTP 503")
        endpoints.failed(a, "HTTP 503")
        assert a.down
        assert [await endpoints.acquire() for _ in range(3)] == [b, b, b]
        await asyncio.wait_for(_up(a), 10)
        assert await endpoints.acquire() is a

    asyncio.run(scenario())


def test_nobody_waits_longer_than_max_wait() -> None:
    async def scenario() -> None:
        endpoints = Endpoints([parse("a:1")], _never, probe_every=0.01, max_wait=0.05)
        endpoints.failed(endpoints.all[0], "cannot connect", unreachable=True)
        try:
            with pytest.raises(
                EngineError, match=r"no server could be used for 0.05 s \(http://a:1/v1: cannot connect"
            ):
                await endpoints.acquire()
        finally:
            await endpoints.stop()

    asyncio.run(scenario())


def test_waiting_for_room_at_a_throttling_server_is_not_an_outage() -> None:
    async def scenario() -> None:
        endpoints = Endpoints([parse("a:1")], _never, max_wait=0.02)
        first = await endpoints.acquire()
        endpoints.throttled(first, 0.0)
        asyncio.get_running_loop().call_later(0.1, endpoints.release, first)
        assert first.limit == 1
        assert await endpoints.acquire() is first

    asyncio.run(scenario())


def test_requests_are_spread_over_all_servers() -> None:
    with FakeServer(latency=0.005) as one, FakeServer(latency=0.005) as two:
        assert _ask_both(one, two, 100) == ["stop"] * 100
    assert one.total + two.total == 100 and min(one.total, two.total) >= 25


def _ask_both(one: FakeServer, two: FakeServer, count: int) -> list[str]:
    client = OpenAIEngine(
        "fake", [one.url, two.url], max_concurrency=8, backoff=0.002, probe_every=0.01, connect_wait=0.3
    )
    try:
        return [reply.finish for reply in client.stream(chat(str(i)) for i in range(count))]
    finally:
        client.close()


def test_a_slow_server_gets_fewer_requests() -> None:
    with FakeServer(latency=0.002) as fast, FakeServer(latency=1.0) as slow:
        _ask_both(fast, slow, 200)
    assert fast.total > 3 * slow.total  # four at a time in a second, on any machine


def test_requests_of_a_server_that_dies_go_elsewhere_and_it_is_used_again_when_it_is_back() -> None:
    with FakeServer(latency=0.003) as stays:
        dies = FakeServer(latency=0.003).start()
        client = OpenAIEngine("fake", [stays.url, dies.url], max_concurrency=8, backoff=0.002, probe_every=0.01)
        requests = (chat(str(i)) for i in range(1_000_000))
        stream = client.stream(requests)
        finishes = [next(stream).finish for _ in range(100)]
        dies.stop()
        before = dies.total
        finishes += [next(stream).finish for _ in range(100)]
        assert dies.total == before
        dies.start()
        deadline = time.monotonic() + 10
        while dies.total < before + 50 and time.monotonic() < deadline:
            finishes.append(next(stream).finish)
        stream.close()
        client.close()
        dies.stop()
    assert before > 20 and dies.total >= before + 50
    assert set(finishes) == {"stop"}
    asked = stays.asked + dies.asked
    assert max(asked.values()) <= 2 and sum(count == 2 for count in asked.values()) <= 8  # only those it had


def test_one_of_two_servers_missing_from_the_start_is_left_out() -> None:
    with FakeServer() as server:
        client = OpenAIEngine("fake", ["http://127.0.0.1:9/v1", server.url], connect_wait=0.3, probe_every=0.01)
        assert [reply.finish for reply in client.stream(chat(str(i)) for i in range(20))] == ["stop"] * 20
        client.close()


def test_a_server_that_only_fails_is_left_out_while_another_is_well() -> None:
    with FakeServer() as well, FakeServer(mode="502") as ill:
        assert set(_ask_both(well, ill, 200)) == {"stop"}
    assert well.total == 200 and ill.total < 50


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_must_be_positive(limit: float) -> None:
    with pytest.raises(UsageError, match="positive"):
        Pace(limit)


def test_no_minute_holds_more_than_the_limit() -> None:
    pace = Pace(600)
    sent = [now + pace.reserve(1, now) for now in [0.0] * 700 + [65.0] * 700]
    for start in range(0, 120, 7):
        assert sum(start <= at < start + 59.999 for at in sent) <= 600  # the last one is due at second 60


def test_an_estimate_that_was_too_high_is_given_back() -> None:
    limits = Limits(tpm=60)
    assert limits.estimate(400, 4096) == 100 + 512
    limits.used(612, 100, 20)
    assert limits.estimate(400, 4096) == 100 + 20
    assert limits.estimate(400, 10) == 100 + 10


def test_errors_of_all_servers_are_named_together() -> None:
    with FakeServer() as server:
        gone = server.url
    with pytest.raises(EngineError, match="no server answers"):
        ask(gone, [chat("1")])
