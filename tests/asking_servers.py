"""Requests for a fake server, and the engine that asks it with short waits."""

from __future__ import annotations

from typing import Any

from fake_server import FakeServer

from finbench.engines.openai.engine import OpenAIEngine
from finbench.records import Answer, Document, Gold, Message, Request, Response, Sampling

DOCUMENT = Document("d", "t", "q", Answer("number"), (Gold("42"),))


def chat(name: str, **sampling: Any) -> Request:
    return Request(name, DOCUMENT, (Message("user", f"question {name}"),), Sampling(**sampling))


def raw(name: str, prompt: str, **fields: Any) -> Request:
    return Request(name, DOCUMENT, (), Sampling(), prompt=prompt, **fields)


def engine(server: FakeServer | str, **settings: Any) -> OpenAIEngine:
    quick = {
        "backoff": 0.002,
        "probe_every": 0.01,
        "connect_wait": 0.3,
        "timeout": 10.0,
        "max_wait": 60.0,
        "retries": 3,
    }
    return OpenAIEngine("fake", server if isinstance(server, str) else server.url, **{**quick, **settings})


def ask(server: FakeServer | str, requests: list[Request], **settings: Any) -> dict[str, Response]:
    """The replies by request id; checks that there is exactly one each."""
    client = engine(server, **settings)
    try:
        replies = list(client.stream(iter(requests)))
    finally:
        client.close()
    assert sorted(reply.request_id for reply in replies) == sorted(request.id for request in requests)
    return {reply.request_id: reply for reply in replies}


def ask_one(server: FakeServer | str, request: Request | None = None, **settings: Any) -> Response:
    return ask(server, [request or chat("1")], **settings)["1"]
