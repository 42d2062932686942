"""Requests for the engine tests."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any

from finbench.records import Answer, Document, Gold, Message, Request, Response, Sampling

DOCUMENT = Document("d", "made", "?", Answer("number"), (Gold("1"),))


def chat(name: str, text: str, **sampling: Any) -> Request:
    """A chat request with a system turn."""
    turns = (Message("system", "Answer in few words."), Message("user", text))
    return Request(name, DOCUMENT, turns, Sampling(**{"max_tokens": 16, **sampling}))


def raw(name: str, text: str, **sampling: Any) -> Request:
    """A request with raw text."""
    return Request(name, DOCUMENT, (), Sampling(**{"max_tokens": 16, **sampling}), prompt=text)


def score(name: str, context: str, continuation: str, *, turns: tuple[Message, ...] = ()) -> Request:
    """A loglikelihood request."""
    return Request(name, DOCUMENT, turns, Sampling(), context, kind="loglikelihood", continuation=continuation)


def mixed(count: int, seed: int = 3) -> list[Request]:
    """Prompts of 40 to 400 tokens, budgets of 4 to 64 tokens, in no order."""
    draw = random.Random(seed)
    questions = [f"Revenue was {draw.randint(100, 9999)} in {2000 + at}; what changed? " for at in range(count)]
    return [
        chat(f"r{at}", question * draw.randint(1, 12), max_tokens=draw.randint(4, 64))
        for at, question in enumerate(questions)
    ]


def replies(engine: Any, requests: Iterable[Request | None]) -> dict[str, Response]:
    """All replies by request id; fails when one comes twice."""
    found: dict[str, Response] = {}
    for response in engine.stream(iter(requests)):
        assert response.request_id not in found, f"{response.request_id} came twice"
        found[response.request_id] = response
    return found


class Conversation:
    """Requests that depend on replies: the next turn is asked only after the reply to the one before it was taken."""

    def __init__(self, turns: int) -> None:
        self.turns, self.taken, self.asked_in_vain = turns, 0, 0

    def __iter__(self) -> Iterator[Request | None]:
        for turn in range(self.turns):
            while self.taken < turn:
                self.asked_in_vain += 1
                yield None
            yield chat(f"turn{turn}", f"turn {turn} after {self.taken} replies", max_tokens=4)
