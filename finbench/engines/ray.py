"""Many machines on Ray: one engine per replica, rows handed out and taken back by this process.

Actors with a small dispatcher rather than Ray Data: a Ray Data pipeline reads its input ahead and returns whole blocks,
while a run needs each reply as it finishes and asks some questions only after the answers to others. Every replica has
one call under way, `exchange`, which brings it new requests and takes home what has finished; its own engine keeps one
continuous batch. When a replica or its node dies, the requests it had are handed out again. A request belongs to one
replica at a time and nothing is accepted from one that was given up, so no reply is lost and none comes twice.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from finbench.engines.prompts import first_line, read_template
from finbench.engines.vllm.settings import VLLMSettings
from finbench.errors import EngineError
from finbench.records import Request, Response

WINDOW = 64  # requests at one replica whose engine states no window of its own
LINGER = 0.2  # seconds that a replica gathers further replies after the first; one round trip takes about 0.005
GRACE = 60.0  # seconds that a run waits for the other replicas once the first is ready
# A request may be what kills its replica. One that has seen two die is a suspect: it waits for an empty replica and is
# tried there in company that shrinks by SHRINK each time, until it is given up, so that the others get their replies.
MAX_ATTEMPTS = 5
SUSPECT = 2
SHRINK = 8
FORWARDED = ("VLLM_", "HF_HUB_OFFLINE", "HF_HOME", "FINBENCH_")  # environment that replicas share with this process
SECRET = ("KEY", "TOKEN", "SECRET", "PASSWORD")

NOT_INSTALLED = "--engine ray needs Ray: pip install 'finbench[ray]'; without it, use several --base-url"


@dataclass(slots=True)
class _Ask:
    """A request and how often it has been handed out."""

    request: Request
    attempts: int = 0


@dataclass(slots=True, eq=False)
class _Member:
    """A replica as this process sees it; `call` is the answer awaited from it, None while it is idle."""

    actor: Any
    call: Any
    window: int = 0  # 0: still loading
    about: dict[str, object] = field(default_factory=dict)
    asks: dict[str, _Ask] = field(default_factory=dict)  # request id -> what it is to answer
    unsent: list[Request] = field(default_factory=list)
    quarantined: bool = False  # has suspects on board, and takes nothing else before it is empty

    def give(self, ask: _Ask) -> None:
        """Puts a request on board; the next call takes it along."""
        ask.attempts += 1
        self.asks[ask.request.id] = ask
        self.unsent.append(ask.request)


class RayCluster:
    """An engine over `replicas` engines, each in a Ray actor of its own."""

    name = "ray"
    settings_type = VLLMSettings

    def __init__(
        self,
        model: str,
        *,
        replicas: int = 1,
        ray_address: str | None = None,
        make_engine: Callable[[], Any] | None = None,
        cpus_per_replica: float = 1,
        start_timeout: float = 1800.0,
        max_restarts: int | None = None,
        **settings: Any,
    ) -> None:
        """Connects and loads the replicas; EngineError when none is ready within `start_timeout` seconds.

        `settings` are LocalVLLM's, whose paths must hold on every node; `make_engine` makes another
        engine at each replica instead. `max_restarts` (default MAX_ATTEMPTS and three per replica) bounds how often
        dead replicas are replaced over the whole run.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as error:
            raise EngineError(NOT_INSTALLED) from error
        self._ray = ray
        self._ours = not ray.is_initialized()
        if self._ours:
            try:
                ray.init(address=ray_address, include_dashboard=False, log_to_driver=False, logging_level="error")
            except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
                raise EngineError(f"no Ray cluster at {ray_address or 'this machine'}: {first_line(error)}") from error
        how = VLLMSettings(**settings)
        template = read_template(how.chat_template)  # here: no node has the file
        self._make = make_engine or _vllm_maker(model, **settings | {"chat_template": template})
        self._timeout = start_timeout
        self._restarts = MAX_ATTEMPTS + 3 * replicas if max_restarts is None else max_restarts
        self._members: list[_Member] = []
        self._again: deque[_Ask] = deque()  # asks that came back from dead replicas
        self._suspects: deque[_Ask] = deque()
        self._replicas, self._died = replicas, 0
        self._about: dict[str, object] = {}
        try:
            self._options = self._placement(how.tensor_parallel * how.pipeline_parallel, cpus_per_replica)
            for _ in range(replicas):
                self._start()
            self._wait_for_replicas()
        except BaseException:
            self.close()
            raise

    def stream(self, requests: Iterator[Request | None]) -> Iterator[Response]:
        """Replies of all replicas as they come home; raises EngineError when no replica is left."""
        source = _Source(requests)
        ready_at = time.monotonic()
        try:
            while True:
                self._hand_out(source)
                if not self._again and not self._suspects and not self._under_way():
                    if source.exhausted:
                        return
                    if self._loaded():
                        continue  # None while nothing was under way: ask again at once
                if self._loaded():
                    ready_at = time.monotonic()
                elif time.monotonic() - ready_at > self._timeout:
                    raise EngineError(f"no replica has been ready for {self._timeout:.0f} s; {self._resources()}")
                for response in self._receive(1.0):
                    source.held = False
                    yield response
        finally:
            self._forget()

    def close(self) -> None:
        """Ends the replicas, and leaves the cluster when this engine joined it; a second call does nothing."""
        while self._members:
            self._ray.kill(self._members.pop().actor)
        if self._ours and self._ray.is_initialized():
            self._ray.shutdown()

    def describe(self) -> dict[str, object]:
        """Ray's version, the replicas, and what one of them says of itself, for the manifest."""
        return {
            "engine": self.name,
            "ray": self._ray.__version__,
            "replicas": self._replicas,
            "replicas_lost": self._died,
            "nodes": len({one.about.get("node") for one in self._loaded()}),
            "replica": self._about,
        }

    def _loaded(self) -> list[_Member]:
        return [one for one in self._members if one.window]

    def _placement(self, gpus: int, cpus: float) -> dict[str, Any]:
        """Actor options: all GPUs of a replica on one node, or one CPU where the cluster has no GPU at all."""
        environment = {
            key: value
            for key, value in os.environ.items()
            if key.startswith(FORWARDED) and not any(word in key for word in SECRET)
        }
        options: dict[str, Any] = {
            "num_cpus": cpus,
            "scheduling_strategy": "SPREAD",
            "runtime_env": {"env_vars": environment},
        }
        largest = max((node["Resources"].get("GPU", 0) for node in self._ray.nodes() if node["Alive"]), default=0)
        if not largest:
            return options
        if gpus > largest:
            raise EngineError(
                f"a replica needs {gpus} GPUs on one node and the largest node has {largest:.0f}; for a model across "
                "nodes start `vllm serve` there and use --base-url (docs/cluster.md)"
            )
        return {**options, "num_gpus": gpus}

    def _start(self) -> None:
        actor = self._ray.remote(_Replica).options(**self._options).remote()
        # Loading is a call of its own: an exception in an actor's constructor would arrive without its class.
        self._members.append(_Member(actor, actor.load.remote(self._make)))

    def _wait_for_replicas(self) -> None:
        """Returns with all replicas ready, or with some once GRACE has passed since the first, so that they share."""
        begun = time.monotonic()
        first_at: float | None = None
        while len(self._loaded()) < len(self._members):
            for _ in self._receive(1.0):
                raise AssertionError("a reply before any request")
            now = time.monotonic()
            if self._loaded() and first_at is None:
                first_at = now
            if first_at is not None and now - first_at > GRACE:
                return
            if first_at is None and now - begun > self._timeout:
                raise EngineError(f"no replica was ready within {self._timeout:.0f} s; {self._resources()}")

    def _hand_out(self, source: _Source) -> None:
        """Gives each idle replica work up to its window, fewest requests first, and starts its next call."""
        idle = [one for one in self._loaded() if one.call is None]
        for one in idle:
            if not one.asks:
                self._quarantine(one)
        takers = [one for one in idle if not one.quarantined]
        while takers:
            one = min(takers, key=lambda member: len(member.asks))
            if len(one.asks) >= one.window:
                break
            ask = self._again.popleft() if self._again else source.take(self._under_way())
            if ask is None:
                break
            one.give(ask)
        for one in idle:
            if one.asks:
                one.call = one.actor.exchange.remote([_slim(request) for request in one.unsent])
                one.unsent = []

    def _quarantine(self, one: _Member) -> None:
        """Gives suspects to an empty replica, if there are any."""
        one.quarantined = bool(self._suspects)
        if one.quarantined:
            company = max(1, one.window // SHRINK ** (self._suspects[0].attempts - SUSPECT + 1))
            while self._suspects and len(one.asks) < company:
                one.give(self._suspects.popleft())

    def _forget(self) -> None:
        """Nothing of a stream that was left early reaches the next one; replies still on their way are dropped."""
        self._again.clear()
        self._suspects.clear()
        for one in self._members:
            one.asks.clear()
            one.unsent.clear()

    def _under_way(self) -> bool:
        return any(one.asks for one in self._members)

    def _receive(self, timeout: float) -> Iterator[Response]:
        """What the first replica to answer within `timeout` seconds brings home."""
        calls = {one.call: one for one in self._members if one.call is not None}
        if not calls:
            return
        ready, _ = self._ray.wait(list(calls), num_returns=1, timeout=timeout)
        for call in ready:
            one = calls[call]
            try:
                answer = self._ray.get(call)
            except self._ray.exceptions.RayError as error:
                yield from self._replace(one, error)
                continue
            one.call = None
            if isinstance(answer, dict):
                one.about, one.window = answer, int(answer["window"])
                self._about = {key: value for key, value in answer.items() if key not in ("window", "node")}
                continue
            for response in answer:
                ask = one.asks.pop(response.request_id, None)
                if ask is not None:
                    yield replace(response, attempts=ask.attempts) if ask.attempts > 1 else response

    def _replace(self, one: _Member, error: Exception) -> Iterator[Response]:
        """Takes the requests of a dead replica back and starts another; replies for those that are given up."""
        cause = getattr(error, "cause", None) or error
        if not self._about and isinstance(error, self._ray.exceptions.RayTaskError):  # no replica has ever loaded
            words = str(cause) if isinstance(cause, EngineError) else first_line(cause)
            raise EngineError(f"a replica could not load the model: {words}") from error
        self._members.remove(one)
        self._ray.kill(one.actor)
        self._died += 1
        for ask in one.asks.values():
            if ask.attempts < MAX_ATTEMPTS:
                (self._again if ask.attempts < SUSPECT else self._suspects).append(ask)
                continue
            words = f"{ask.attempts} replicas died while they had this request, the last one with {first_line(cause)}"
            yield Response(ask.request.id, text="", finish="error", error=words, attempts=ask.attempts)
        if self._restarts > 0:
            self._restarts -= 1
            self._start()
        elif not self._members:
            raise EngineError(f"all replicas died, the last with {first_line(cause)}; run the same command to continue")

    def _resources(self) -> str:
        have = {key: value for key, value in self._ray.cluster_resources().items() if key in ("CPU", "GPU")}
        want = {key: value for key, value in self._options.items() if key in ("num_cpus", "num_gpus")}
        return f"the cluster has {have or 'nothing'}, each of {self._replicas} replicas wants {want}"


class _Source:
    """The requests of a run, one by one."""

    def __init__(self, requests: Iterator[Request | None]) -> None:
        self._requests = requests
        self.exhausted = False
        self.held = False  # the next request waits for a reply

    def take(self, under_way: bool) -> _Ask | None:
        """The next request, or None when there is none now."""
        if self.exhausted or self.held:
            return None
        try:
            request = next(self._requests)
        except StopIteration:
            self.exhausted = True
            return None
        if request is None:
            self.held = under_way
            return None
        return _Ask(request)


class _Replica:
    """The actor: an engine, its stream, and the requests that wait to be pulled by it."""

    def __init__(self) -> None:
        self._waiting: deque[Request] = deque()
        self._under_way = 0

    def load(self, make: Callable[[], Any]) -> dict[str, object]:
        """Makes the engine; what it says of itself, with `node` and `window`."""
        import ray

        engine = make()
        self._replies = engine.stream(self._pull())
        node = ray.get_runtime_context().get_node_id()
        return {**engine.describe(), "node": node, "window": getattr(engine, "window", WINDOW)}

    def exchange(self, requests: list[Request]) -> list[Response]:
        """Takes requests on board and returns at least one reply, with those that finish within LINGER seconds."""
        self._waiting.extend(requests)
        self._under_way += len(requests)
        finished: list[Response] = []
        until = time.monotonic() + LINGER
        while self._under_way and (not finished or time.monotonic() < until):
            finished.append(next(self._replies))
            self._under_way -= 1
        return finished

    def _pull(self) -> Iterator[Request | None]:
        while True:
            yield self._waiting.popleft() if self._waiting else None


def _vllm_maker(model: str, **settings: Any) -> Callable[[], Any]:
    def make() -> Any:
        from finbench.engines.vllm.local import LocalVLLM

        return LocalVLLM(model, **settings)

    return make


def _slim(request: Request) -> Request:
    """The request without the document's raw row, which no model reads."""
    return replace(request, document=replace(request.document, row={}))
