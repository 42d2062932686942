"""Engines behind Ray on a cluster of this machine: a head without CPUs and two worker nodes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from asking import Conversation, raw, replies

from finbench.errors import EngineError
from finbench.records import Request, Response

pytestmark = pytest.mark.ray
ray = pytest.importorskip("ray", reason="Ray is not installed: make test-vllm")

from finbench.engines.ray import RayCluster  # noqa: E402  # after the skip


class Shouter:
    """A replica's engine that answers in capitals, slowly; a request with `poison` in it kills its process."""

    window = 8

    def stream(self, requests: Iterator[Request | None]) -> Iterator[Response]:
        for request in requests:
            if request is None:
                continue
            if "poison" in request.prompt:
                os._exit(1)
            time.sleep(0.01)
            yield Response(request.id, request.prompt.upper(), "stop")

    def describe(self) -> dict[str, object]:
        return {"engine": "shouter"}


def started(attempts: int = 3) -> Any:
    """A head without CPUs and two worker nodes of one CPU each; tried again where a busy machine is slow."""
    from ray.cluster_utils import Cluster

    try:
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        for _ in range(2):
            cluster.add_node(num_cpus=1)
    except Exception as error:  # Ray raises no narrower one
        if "timed out during startup" not in str(error) or attempts == 1:
            raise
        return started(attempts - 1)
    return cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    cluster = started()
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import this file
    ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="module")
def engine(cluster: Any) -> Iterator[RayCluster]:
    engine = RayCluster("made", replicas=2, make_engine=Shouter, start_timeout=300)
    yield engine
    engine.close()
    engine.close()  # a second call does nothing


def test_rows_come_back_once_each_from_both_nodes_and_before_all_are_asked(engine: RayCluster) -> None:
    asked = 0

    def requests() -> Iterator[Request]:
        nonlocal asked
        for number in range(120):
            asked += 1
            yield raw(f"r{number}", f"word {number}")

    found: dict[str, str] = {}
    for response in engine.stream(requests()):
        if not found:
            assert asked <= 2 * Shouter.window
        assert response.request_id not in found
        found[response.request_id] = response.text
    assert found == {f"r{number}": f"WORD {number}" for number in range(120)}
    assert engine.describe()["nodes"] == 2
    assert engine.describe()["replica"] == {"engine": "shouter"}


def test_requests_that_wait_for_replies_are_asked_again_after_each(engine: RayCluster) -> None:
    conversation = Conversation(turns=4)
    for _ in engine.stream(iter(conversation)):
        conversation.taken += 1
    assert conversation.taken == 4
    assert conversation.asked_in_vain <= 4


def test_a_stream_that_is_left_early_leaves_nothing_to_the_next(engine: RayCluster) -> None:
    stream = engine.stream(raw(f"old{at}", f"word {at}") for at in range(60))
    next(stream)
    stream.close()
    found = replies(engine, [raw(f"new{at}", f"word {at}") for at in range(20)])
    assert {name: response.text for name, response in found.items()} == {f"new{n}": f"WORD {n}" for n in range(20)}


def test_a_request_that_kills_its_replicas_is_given_up_and_takes_no_other_with_it(engine: RayCluster) -> None:
    requests = [raw(f"r{at}", f"word {at}") for at in range(40)]
    requests.insert(10, raw("bad", "poison"))
    found = replies(engine, requests)
    bad = found.pop("bad")
    assert bad.finish == "error" and "5 replicas died" in bad.error
    assert {name: response.text for name, response in found.items()} == {f"r{n}": f"WORD {n}" for n in range(40)}


def test_a_replica_that_cannot_load_ends_the_run_with_its_words(cluster: Any) -> None:
    def make() -> Any:
        raise EngineError("no such model: nowhere")

    with pytest.raises(EngineError, match="no such model: nowhere"):
        RayCluster("made", replicas=2, make_engine=make, cpus_per_replica=0, start_timeout=60)


def test_replicas_that_fit_nowhere_are_named_with_what_the_cluster_has(cluster: Any) -> None:
    with pytest.raises(EngineError, match="each of 1 replicas wants"):
        RayCluster("made", replicas=1, make_engine=Shouter, cpus_per_replica=64, start_timeout=3)


def test_when_a_node_is_lost_its_rows_are_run_again_and_none_twice(cluster: Any, engine: RayCluster) -> None:
    """The last test of the file: it takes a node away."""
    engine._wait_for_replicas()  # the test before may have left a replacement loading
    lost = engine.describe()["replicas_lost"]
    requests = [raw(f"r{number}", f"word {number}") for number in range(300)]
    found: dict[str, Response] = {}
    for response in engine.stream(iter(requests)):
        assert response.request_id not in found
        found[response.request_id] = response
        if len(found) == 60:
            cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
    assert {name: response.text for name, response in found.items()} == {f"r{n}": f"WORD {n}" for n in range(300)}
    assert engine.describe()["replicas_lost"] == lost + 1
    assert any(response.attempts == 2 for response in found.values())
