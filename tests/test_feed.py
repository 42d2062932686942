"""What is still to be asked: nothing that the store holds, and documents scored together are asked together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from finbench.feed import Choice, Feed
from finbench.records import Answer, Document, Gold, Grade, Request, Response, Sampling
from finbench.store import Store


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
        name="t", own_history=False, output_type="loglikelihood", documents=documents, requests=requests
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
