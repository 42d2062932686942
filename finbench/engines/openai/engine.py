"""Any OpenAI-compatible server: vLLM, SGLang, llama.cpp, Ollama, hosted APIs; one URL or several.

One event loop, driven inside `stream` without a thread: requests are pulled until the window is full, the loop runs
until at least one has finished, and everything that has finished is yielded. The loop stands still while the caller
works on a reply; the sockets keep what arrives meanwhile.

What happens to a failure:

    HTTP status other than 200                      openai/status.py
    status to ask again, broken or malformed reply  asked again, with backoff and full jitter, at most `retries` times
    server cannot be reached                        asked elsewhere, or waited for (openai/endpoints.py), not counted
    no complete reply within `timeout`              that sample's error; the deadline spans all attempts, and the time
                                                    after a 429 in which nobody else is answered
    nothing but 429 for `max_wait`                  the end of the run

A key comes from the environment only, and its value is taken out of every text that leaves this module.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finbench.engines.openai import keys, wire
from finbench.engines.openai.client import Broken, Client, HttpAnswer, Unreachable
from finbench.engines.openai.deadlines import Deadlines
from finbench.engines.openai.endpoints import Endpoint, Endpoints, parse
from finbench.engines.openai.limits import Limits
from finbench.engines.openai.status import GATEWAY, RequestRefused, Retry, meaning
from finbench.errors import EngineError, UsageError
from finbench.records import Finish, Request, Response
from finbench.sanitize import redact

BACKOFF_CAP = 30.0  # seconds between two attempts, at most
MOST_NAMES = 16  # of models that replies came from, as the manifest lists them


@dataclass(slots=True)
class _Asking:
    """One request on its way to a reply; times are the loop's, in seconds."""

    request: Request
    payload: bytes
    estimate: float  # tokens, for --tpm
    started: float
    excused: float = 0.0  # waited for a server, for room at one, or for --rpm and --tpm: not on the request's deadline
    attempts: int = 0
    failures: int = 0  # attempts that count against `retries`
    throttled: bool = False  # was refused with 429, and waits on its own time since
    failed_at: Endpoint | None = None

    def ended(self, now: float, text: str = "", finish: Finish = "error", **fields: Any) -> Response:
        return Response(self.request.id, text, finish, seconds=now - self.started, attempts=self.attempts, **fields)


class OpenAIEngine:
    """Replies of a model behind one or several OpenAI-compatible base URLs.

    `timeout` is the total time of one request in seconds, all attempts together; `max_wait` how long no server at all
    may be usable before the run stops; `connect_wait` the same before the first contact. `max_concurrency` counts
    requests under way at all servers together. `extra_body` is merged into every request (null removes a field).
    `headers` are added as they are; a value `env:NAME` is read from the environment. `rpm`, `tpm`: requests and tokens
    per minute.
    """

    name = "openai_api"

    def __init__(
        self,
        model: str,
        base_urls: Sequence[str] | str,
        *,
        max_concurrency: int = 64,
        timeout: float = 1200.0,
        retries: int = 5,
        max_wait: float = 600.0,
        connect_wait: float = 5.0,
        backoff: float = 0.5,
        probe_every: float = 1.0,
        api_key_env: str = "OPENAI_API_KEY",
        headers: Mapping[str, str] | None = None,
        rpm: float | None = None,
        tpm: float | None = None,
        extra_body: Mapping[str, Any] | None = None,
        max_body: int = 16 << 20,
    ) -> None:
        import uvloop

        urls = [base_urls] if isinstance(base_urls, str) else list(base_urls)
        if not urls:
            raise UsageError("no --base-url given; write it as http://HOST:PORT/v1")
        if max_concurrency < 1:
            raise UsageError(f"--max-concurrency must be at least 1, got {max_concurrency}")
        self.model = model
        self.max_concurrency, self.timeout, self.retries, self.backoff = max_concurrency, timeout, retries, backoff
        self._connect_wait = connect_wait
        self._extra = dict(extra_body or {})
        shared = keys.headers(api_key_env, headers or {})
        endpoints = [parse(url) for url in urls]
        for endpoint in endpoints:
            endpoint.headers = {**shared, **endpoint.headers}
        self._endpoints = Endpoints(endpoints, self._answers, probe_every, max_wait)
        self._secrets = keys.secrets([e.headers for e in endpoints], urls)
        self._limits = Limits(rpm, tpm) if rpm or tpm else None
        self._dialect = wire.Dialect()
        self._names: set[str] = set()  # model names that replies carried
        self._known: frozenset[str] = frozenset()  # those of the replies that this run has already; empty: any may come
        self._retried = 0
        self._last_words = ""  # of the last failure
        self._connected = False
        self._loop = uvloop.new_event_loop()  # a fifth less time per request than asyncio's own
        self._deadlines = Deadlines(self._loop, timeout)
        self._client = self._run(self._open(max_body))
        self._requests: Iterator[Request | None] = iter(())
        self._exhausted = self._blocked = False
        self._slots: set[asyncio.Task[None]] = set()
        self._done: deque[Response] = deque()
        self._failure: BaseException | None = None
        self._ahead: Callable[[], bool] = _nothing  # has a request made before it is wanted
        self._preparing = False
        self._streaming = False  # the loop runs on behalf of `stream`, and stops at every reply

    # the engine contract

    def stream(self, requests: Iterator[Request | None]) -> Generator[Response, None, None]:
        """Yields one Response per request, in order of completion; EngineError when no server can be used at all."""
        self.connect()
        self._requests, self._exhausted, self._blocked = requests, False, False
        self._ahead = getattr(requests, "prepare", _nothing)
        try:
            while True:
                self._blocked = False  # what was done has been taken: the caller may have something to ask again
                while len(self._slots) < self.max_concurrency and (request := self._next()):
                    slot = self._loop.create_task(self._slot(request))
                    self._slots.add(slot)
                    slot.add_done_callback(self._left)
                if self._slots and not self._done:
                    self._streaming = True
                    self._loop.run_forever()  # until a reply, or a failure of the whole engine
                while self._done:
                    yield self._done.popleft()
                if self._failure:
                    raise self._failure
                if self._exhausted and not self._slots:
                    return
        finally:
            self._abandon()

    def connect(self) -> None:
        """Asks every server for its models, once: finds a wrong URL or key before a sample is wasted."""
        if not self._connected:
            self._run(self._introduce())
            self._connected = True

    def resume(self, earlier: Mapping[str, Any]) -> None:
        """Checks that the servers are those that a run was begun with, by what `describe` said of them then.

        Raises EngineError when none of the models that a server offers, or none of the names that replies carry from
        now on, is one of then: replies of two models would stand in one run.
        """
        self.connect()
        names = earlier.get("replied_as")
        self._known = (
            frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()
        )
        self._names |= self._known
        servers = earlier.get("servers")
        lists = (
            [server.get("models") for server in servers if isinstance(server, dict)]
            if isinstance(servers, list)
            else []
        )
        before = {name for listed in lists if isinstance(listed, list) for name in self._offered(listed)}
        for endpoint in self._endpoints.all:
            offered = self._offered(endpoint.offers)
            if before and offered and before.isdisjoint(offered):
                now = f"{endpoint.url} offers {', '.join(sorted(offered))}"
                raise EngineError(self._other_deployment(now, before))

    def describe(self) -> dict[str, object]:
        """What the manifest should know: servers and what they say they serve; no credentials."""
        self.connect()
        servers = [
            {"url": e.url, "models": list(e.offers), "owned_by": e.owner, "max_model_len": e.max_model_len}
            for e in self._endpoints.all
        ]
        return {
            "engine": self.name,
            "model": self.model,
            "servers": servers,
            "replied_as": sorted(self._names),
            "notes": self.notes(),
            "max_concurrency": self.max_concurrency,
            "timeout": self.timeout,
            "retries": self.retries,
            "extra_body": json.loads(self._redact(json.dumps(self._extra))),
        }

    def notes(self) -> list[str]:
        """What readers of the results have to know, as sentences: where a server is, or calls itself, another model."""
        said = [
            f"{e.url} does not list {self.model}; it offers {', '.join(e.offers)}"
            for e in self._endpoints.all
            if e.offers and self.model not in e.offers
        ]
        others = sorted(self._names - {self.model})
        return [*said, *([f"asked for {self.model}, the server answered as {', '.join(others)}"] if others else [])]

    def state(self) -> str:
        """How it goes, in a line for whoever waits: requests under way, retries, servers that are away, the last words."""
        away = [f"{e.url} is away ({e.last_error})" for e in self._endpoints.all if e.down]
        words = [f"{len(self._slots)} under way"]
        words += [f"{self._retried} retries"] if self._retried else []
        return "; ".join([", ".join(words), *(away or [self._last_words])]).rstrip("; ")

    def close(self) -> None:
        """Ends everything under way and closes the connections; safe to call twice."""
        if self._loop.is_closed():
            return
        self._abandon()
        self._run(self._endpoints.stop())
        self._run(self._client.close())
        self._loop.close()

    # one slot of the window, and one request

    def _next(self) -> Request | None:
        """The next request, or None when there is none now (a None in the iterator) or none any more."""
        if self._exhausted or self._blocked or self._failure:
            return None
        try:
            request = next(self._requests)
        except StopIteration:
            self._exhausted = True
            return None
        self._blocked = request is None
        if not self._preparing:
            self._preparing = True
            self._loop.call_soon(self._prepare)
        return request

    def _prepare(self) -> None:
        """Has the next requests rendered between two looks at the sockets, so that a free slot need not wait for that."""
        try:
            self._preparing = not self._failure and self._ahead()
        except Exception as error:  # not the loop's to log
            self._failure, self._preparing = error, False
            self._wake()
        if self._preparing:
            self._loop.call_soon(self._prepare)

    async def _slot(self, request: Request | None) -> None:
        """Asks one request after the other. Pulling here keeps the servers busy while replies wait to be yielded."""
        while request:
            self._done.append(await self._ask(request))
            self._wake()
            request = self._next()

    async def _ask(self, request: Request) -> Response:
        """Tries until there is a reply, or a reason to give up."""
        payload = wire.encode(request, self.model, self._dialect, self._extra)
        estimate = self._limits.estimate(len(payload), request.sampling.max_tokens) if self._limits else 0.0
        one = _Asking(request, payload, estimate, self._loop.time())
        while True:
            endpoint = await self._turn(one)
            try:
                return await self._try(one, endpoint)
            except Retry as failure:
                counted, given_up = failure.counted, self._failed(one, endpoint, failure)
            finally:
                self._endpoints.release(endpoint)
            if given_up:
                return given_up
            if not counted:
                continue
            ceiling = min(BACKOFF_CAP, self.backoff * 2 ** (one.failures - 1))
            await asyncio.sleep(random.uniform(0, ceiling))  # noqa: S311  # full jitter, not a secret

    async def _turn(self, one: _Asking) -> Endpoint:
        """A server that has room for the request. Waiting is excused, but not that of a request that was refused with 429
        for as long as nobody else is answered either: a server that only refuses must not hold it for ever."""
        before = self._loop.time()
        if self._limits:
            await self._limits.wait(one.estimate)
        waiting = self._loop.time()
        endpoint = await self._endpoints.acquire(avoid=one.failed_at)
        excused_until = self._endpoints.answered_at if one.throttled else self._loop.time()
        one.excused += waiting - before + max(0.0, excused_until - waiting)
        return endpoint

    async def _try(self, one: _Asking, endpoint: Endpoint) -> Response:
        """One attempt: the reply, or the error that ends the request; Retry for a failure that another may not have."""
        one.attempts += 1
        try:
            deadline = one.started + one.excused + self.timeout
            reply = await self._deadlines.keep(deadline, self._attempt(endpoint, one.request, one.payload))
        except TimeoutError:
            message = f"no complete reply within {self.timeout:g} s"
            self._endpoints.failed(endpoint, message)
            words = f"{endpoint.url}: {message} ({one.attempts} attempts); raise --timeout if the model needs longer"
            return one.ended(self._loop.time(), error=words)
        except RequestRefused as refusal:
            return one.ended(self._loop.time(), error=self._redact(f"{endpoint.url}: {refusal}"))
        self._endpoints.succeeded(endpoint)
        if self._limits:
            self._limits.used(one.estimate, reply.prompt_tokens, reply.output_tokens)
        self._meet(endpoint, reply.model)
        return one.ended(
            self._loop.time(),
            self._redact(reply.text),
            reply.finish,
            reasoning=self._redact(reply.reasoning),
            prompt_tokens=reply.prompt_tokens,
            output_tokens=reply.output_tokens,
            logprob=reply.logprob,
            greedy=reply.greedy,
        )

    def _failed(self, one: _Asking, endpoint: Endpoint, failure: Retry) -> Response | None:
        """Notes a failed attempt; the error that ends the request when it was one too many, or its time is over."""
        one.failed_at = endpoint
        if not failure.counted:
            one.payload = wire.encode(one.request, self.model, self._dialect, self._extra)
            return None
        one.failures += 1
        one.throttled = one.throttled or failure.status == 429
        self._retried += 1
        self._last_words = self._redact(f"{endpoint.url}: {failure}")
        now = self._loop.time()
        late = now - one.started - one.excused > self.timeout
        if one.failures <= self.retries and not late:
            return None
        why = f"gave up after {one.attempts} attempts" + (f" in {self.timeout:g} s, --timeout" if late else "")
        return one.ended(now, error=f"{self._last_words} ({why})")

    def _meet(self, endpoint: Endpoint, name: str) -> None:
        """Notes the name under which a server replied; EngineError when the replies of this run came from another."""
        if not name or name in self._names:
            return
        name = self._redact(name)
        if self._known and name not in self._known:
            raise EngineError(self._other_deployment(f"{endpoint.url} answers as {name!r}", self._known))
        if len(self._names) < MOST_NAMES:
            self._names.add(name)

    async def _attempt(self, endpoint: Endpoint, request: Request, payload: bytes) -> wire.Completion:
        """One exchange with one server; Retry, Refused or EngineError when it brought no reply."""
        url = endpoint.chat if request.messages else endpoint.completions
        try:
            answer = await self._client.send(endpoint, "POST", url, payload)
            if answer.status == 200:
                return wire.read(request, answer.raw)
        except Unreachable as error:
            message = f"cannot connect ({error})"
            self._endpoints.failed(endpoint, message, unreachable=True)
            raise Retry(message, counted=False) from None
        except Broken as error:
            message = f"broken reply ({error})"
            self._endpoints.failed(endpoint, message)
            raise Retry(message) from None
        except wire.BadReply as error:
            if error.final:
                raise RequestRefused(f"unusable reply: {error}") from None
            raise Retry(f"unusable reply: {error}") from None
        raise self._meaning(endpoint, request, payload, answer)

    def _meaning(self, endpoint: Endpoint, request: Request, payload: bytes, answer: HttpAnswer) -> Exception:
        """What an answer other than 200 means, noted down for its server and for requests to come."""
        if answer.status == 400:
            message, _ = wire.error_of(answer.raw)
            self._dialect.learn(message)
            if wire.encode(request, self.model, self._dialect, self._extra) != payload:
                return Retry(message, counted=False)
        failure = meaning(*answer, endpoint, self.model, self._extra)
        if isinstance(failure, EngineError):
            return EngineError(self._redact(str(failure)))
        if isinstance(failure, Retry):
            if failure.status in GATEWAY:  # these speak against the server rather than the request
                self._endpoints.failed(endpoint, self._redact(str(failure)))
            if failure.status == 429:
                self._endpoints.throttled(endpoint, self.backoff if failure.after is None else failure.after)
            elif failure.after is not None:
                self._endpoints.pause(endpoint, failure.after)
        return failure

    # first contact, and servers that were left out

    async def _introduce(self) -> None:
        deadline = self._loop.time() + self._connect_wait
        while True:
            results = await asyncio.gather(*(self._answers(e) for e in self._endpoints.all))
            if any(results):
                break
            if self._loop.time() >= deadline:
                names = "; ".join(f"{e.url}: {e.last_error}" for e in self._endpoints.all)
                raise EngineError(f"no server answers ({names}). Is it running, and is --base-url right?")
            await asyncio.sleep(min(0.5, self._connect_wait / 5))
        for endpoint, answers in zip(self._endpoints.all, results, strict=True):
            if not answers:
                self._endpoints.failed(endpoint, endpoint.last_error, unreachable=True)
        self._dialect.fills_defaults = any(e.owner in wire.FILLING_SERVERS for e in self._endpoints.all)

    async def _answers(self, endpoint: Endpoint) -> bool:
        """Whether a server is up, by its model list (noted down); one that has no such list is up all the same."""
        try:
            async with asyncio.timeout(10):
                answer = await self._client.send(endpoint, "GET", endpoint.models)
        except (TimeoutError, Unreachable, Broken, wire.BadReply) as error:
            endpoint.last_error = self._redact(str(error) or "no answer within 10 s")
            return False
        message, code = wire.error_of(answer.raw) if answer.status != 200 else ("", "")
        if answer.status >= 500:
            endpoint.last_error = self._redact(f"HTTP {answer.status}: {message}")
            return False
        if answer.status == 401 and not self._connected:  # later, the next request says so itself
            hint = wire.hint(401, message, code, succeeded=False, extra=())
            raise EngineError(self._redact(f"{endpoint.url} answers HTTP 401: {message}. {hint}"))
        if answer.status == 200:
            endpoint.offers, endpoint.owner, endpoint.max_model_len = wire.models(answer.raw, self.model)
        return True

    # machinery

    def _offered(self, names: Sequence[Any]) -> set[str]:
        """What a server is asked as: the model if it lists it, else all that it lists."""
        return {self.model} if self.model in names else {name for name in names if isinstance(name, str)}

    def _other_deployment(self, now: str, before: Iterable[str]) -> str:
        return (
            f"{now}; the replies of this run so far came from {', '.join(sorted(before))}. Two models are not mixed in "
            "one run: name the server it was begun with, or give another --output for a new run"
        )

    async def _open(self, max_body: int) -> Client:
        return Client(self._secrets, max_body)

    def _left(self, slot: asyncio.Task[None]) -> None:
        self._slots.discard(slot)
        if not slot.cancelled() and (error := slot.exception()) and self._failure is None:
            self._failure = error
        self._wake()

    def _wake(self) -> None:
        """Gives `stream` its turn, once: a second stop would be kept for the next run of the loop."""
        if self._streaming:
            self._streaming = False
            self._loop.stop()

    def _abandon(self) -> None:
        """Drops what is under way; those requests count as never answered."""
        self._exhausted = True
        self._streaming = False
        for slot in self._slots:
            slot.cancel()
        while self._slots:
            self._run(asyncio.sleep(0))
        self._done.clear()
        self._failure = None

    def _run(self, work: Any) -> Any:
        return self._loop.run_until_complete(work)

    def _redact(self, text: str) -> str:
        return redact(text, self._secrets)


def _nothing() -> bool:
    return False
