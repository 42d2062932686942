"""What is still to be asked: nothing that the store holds, and documents scored together are asked together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from finbench.records import Answer, Document, Gold, Grade, Request, Response, Sampling
from finbench.runs.pending import AHEAD, Choice, Feed
from finbench.runs.store import Store


def likelihoods(parts: int) -> Any:
    """A task of one document that is scored from so many log-likelihoods."""
    document = Document("d", "t", "?", Answer("lm_eval"), (Gold("a"),), row={"id": "d"})

    def requests(*_: object) -> Iterator[Request]:
        for part in range(parts):
            yield Request(
                f"r{part}", document, (), Sampling(), prompt="?", part=part, kind="loglikelihood", continuation="a"
            )

    documents = lambda limit, seed: iter([(0, document)])  # noqa: E731
    return SimpleNamespace(
        name="t",
        own_history=False,
        output_type="loglikelihood",
        documents=documents,
        requests=requests,
        repeats=lambda asked: 1,
        together=lambda document: 1,
    )


@pytest.mark.parametrize("parts", [1, 3])
def test_answered_likelihoods_are_not_asked_again_and_a_gap_asks_all_of_them(tmp_path: Path, parts: int) -> None:
    task = likelihoods(parts)
    with Store(tmp_path, {}) as store:
        for held in range(parts + 1):
            feed = Feed([task], store, {"t": None}, Choice())  # type: ignore[dict-item]
            asked = [request for request in feed if request]
            assert len(asked) == (parts if held < parts else 0) and feed.kept == (held == parts)
            if asked:
                found = feed.take(Response(asked[held].id, "", "stop", logprob=-1.0, greedy=False))
                assert found is not None
                store.append(
                    0, found.request, Response(found.request.id, "", "stop", logprob=-1.0), Grade(True, "equal")
                )


@pytest.mark.parametrize("parts", [1, 3])
def test_likelihoods_that_a_kill_left_without_a_verdict_are_asked_again(tmp_path: Path, parts: int) -> None:
    with Store(tmp_path, {}) as store:
        for _ in range(2):
            feed = Feed([likelihoods(parts)], store, {"t": None}, Choice())  # type: ignore[dict-item]
            asked = [request for request in feed if request]
            assert len(asked) == parts
            for request in asked:
                store.append(0, request, Response(request.id, "", "stop", logprob=-1.0), None)
        store.set_grade("t", 0, 0, Grade(True, "equal"))
        assert not list(Feed([likelihoods(parts)], store, {"t": None}, Choice()))  # type: ignore[dict-item]


def generations(count: int) -> Any:
    """A task of so many documents, one request each."""
    documents = [Document(f"d{n}", "t", "?", Answer("number"), (Gold("1"),), row={"id": f"d{n}"}) for n in range(count)]

    def requests(document: Document, *_: object) -> Iterator[Request]:
        yield Request(document.id, document, (), Sampling(), prompt="?")

    return SimpleNamespace(
        name="t",
        own_history=False,
        output_type="generate_until",
        documents=lambda limit, seed: enumerate(documents),
        requests=requests,
        repeats=lambda asked: asked,
        together=lambda document: 1,
    )


def test_requests_made_ahead_come_in_the_same_order_and_are_not_asked_after_a_stop(tmp_path: Path) -> None:
    count = AHEAD + 5
    names = [f"d{number}" for number in range(count)]
    with Store(tmp_path, {}) as store:
        feed = Feed([generations(count)], store, {"t": None}, Choice())  # type: ignore[dict-item]
        assert feed.begin()
        made = 1
        while feed.prepare():
            made += 1
        assert made == AHEAD and not feed.underway
        assert next(feed).id == "d0"  # type: ignore[union-attr]
        assert feed.prepare() and not feed.prepare()
        assert [request.id for request in feed if request] == names[1:]
        assert not feed.prepare()

        stopped = Feed([generations(count)], store, {"t": None}, Choice())  # type: ignore[dict-item]
        assert stopped.begin() and stopped.prepare()
        stopped.stop()
        assert not stopped.prepare() and list(stopped) == []


def test_there_is_nothing_to_begin_where_all_is_answered(tmp_path: Path) -> None:
    with Store(tmp_path, {}) as store:
        feed = Feed([generations(3)], store, {"t": None}, Choice())  # type: ignore[dict-item]
        for position, request in enumerate(feed):
            assert request
            store.append(position, request, Response(request.id, "1", "stop"), Grade(True, "equal"))
        again = Feed([generations(3)], store, {"t": None}, Choice())  # type: ignore[dict-item]
        assert not again.begin() and again.kept == 3


def voted(size: int) -> Any:
    """A task of one document whose replies are scored `size` at a time."""
    document = Document("d", "t", "?", Answer("lm_eval"), (Gold("1"),), row={"id": "d"})

    def requests(_: Document, __: str, ___: object, repeats: int, ____: int) -> Iterator[Request]:
        for repeat in range(repeats):
            yield Request(f"r{repeat}", document, (), Sampling(), prompt="?", repeat=repeat)

    return SimpleNamespace(
        name="t",
        own_history=False,
        output_type="generate_until",
        documents=lambda limit, seed: iter([(0, document)]),
        requests=requests,
        repeats=lambda asked: asked * size,
        together=lambda document: size,
    )


def test_replies_that_are_scored_together_come_back_once_all_are_there_in_their_order(tmp_path: Path) -> None:
    with Store(tmp_path, {}) as store:
        feed = Feed([voted(3)], store, {"t": None}, Choice(repeats=2))  # type: ignore[dict-item]
        asked = [request.id for request in feed if request]
        assert asked == ["r0", "r1", "r2", "r3", "r4", "r5"]
        found = []
        for name in ("r5", "r1", "r2", "r3", "r0", "r4"):
            response = Response(name, name, "stop")
            underway = feed.take(response)
            assert underway
            together = feed.complete(underway, response)
            found.append((underway.first, [reply.text for reply in together] if together else None))
    assert found == [(3, None), (0, None), (0, None), (3, None), (0, ["r0", "r1", "r2"]), (3, ["r3", "r4", "r5"])]


def test_only_the_missing_ones_of_replies_scored_together_are_asked_again(tmp_path: Path) -> None:
    with Store(tmp_path, {}) as store:
        for request in Feed([voted(3)], store, {"t": None}, Choice()):  # type: ignore[dict-item]
            assert request
            if request.repeat != 1:
                store.append(0, request, Response(request.id, "1", "stop"), None)
        again = Feed([voted(3)], store, {"t": None}, Choice())  # type: ignore[dict-item]
        assert [request.id for request in again if request] == ["r1"] and again.kept == 2
        response = Response("r1", "1", "stop")
        underway = again.take(response)
        assert underway and again.complete(underway, response) is None  # the summary grades it with the stored ones
