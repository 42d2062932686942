"""Several servers of one model, balanced by what each still has to answer.

A request goes to the server with the fewest outstanding. One that cannot be reached, or that fails several times in a
row, is left out and asked for its model list until it answers again; meanwhile requests go to the others. When none is
left, requests wait, and after `max_wait` seconds the run ends with an error that says it can be resumed.
"""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from operator import attrgetter
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

from finbench.errors import EngineError, UsageError

FAILURES_IN_A_ROW = 3  # so many, with no success between them, and a server is left out


@dataclass(eq=False, slots=True)
class Endpoint:
    """One server: where it is, what it said about itself, and how it fares."""

    url: str  # without credentials and query, safe to show
    chat: str
    completions: str
    models: str
    headers: dict[str, str] = field(default_factory=dict)
    proxy: str | None = None
    offers: tuple[str, ...] = ()
    owner: str = ""  # who owns the models: "vllm", "sglang", "openai", ...
    max_model_len: int | None = None
    outstanding: int = 0
    failures: int = 0  # in a row
    relapses: int = 0  # how often it was left out since it last answered a request
    succeeded: bool = False  # has ever answered a request
    down: bool = False
    limit: float = math.inf  # requests at once that the server bears, learnt from its 429 answers
    paused_until: float = 0.0  # loop time; the server asked for patience (Retry-After)
    last_error: str = ""


def parse(base_url: str) -> Endpoint:
    """The endpoint behind `--base-url`; `/v1` is added when the URL has no path.

    >>> parse("localhost:8000").chat
    'http://localhost:8000/v1/chat/completions'
    >>> parse("https://me:pw@host/openai/v1?api-version=3").url
    'https://host/openai/v1'
    """
    text = base_url.strip()
    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"--base-url: {error}; write it as http://HOST:PORT/v1") from None
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError("--base-url needs the form http://HOST:PORT/v1 (http or https, and a host)")
    netloc = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    path = parts.path.rstrip("/") or "/v1"
    for ending in ("/chat/completions", "/completions"):
        path = path.removesuffix(ending)

    def at(ending: str) -> str:
        return urlunsplit(SplitResult(parts.scheme, netloc, path + ending, parts.query, ""))

    headers = {}
    if parts.username or parts.password:
        pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    shown = urlunsplit(SplitResult(parts.scheme, netloc, path, "", ""))
    proxy = _proxy(parts.scheme, host)
    return Endpoint(shown, at("/chat/completions"), at("/completions"), at("/models"), headers=headers, proxy=proxy)


def _proxy(scheme: str, host: str) -> str | None:
    """The proxy that the environment names for a host; never one for this machine itself."""
    if host == "localhost" or host.startswith("127.") or host == "::1" or proxy_bypass(host):
        return None
    proxies = getproxies()
    return proxies.get(scheme) or proxies.get("all")


_outstanding = attrgetter("outstanding")


@dataclass(eq=False)
class Endpoints:
    """Chooses the server of each request. `probe` says whether a server that was left out answers again."""

    all: list[Endpoint]
    probe: Callable[[Endpoint], Awaitable[bool]]
    probe_every: float = 1.0  # seconds; doubles up to 30 times that while a server stays away
    max_wait: float = 600.0  # seconds without any server
    answered_at: float = 0.0  # loop time of the last reply of any server
    _refusing_since: float | None = None  # loop time since when every answer was a 429
    _troubled: bool = False  # some server was down or paused once: until then nobody ever has to wait
    _probes: set[asyncio.Task[None]] = field(default_factory=set)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def acquire(self, avoid: Endpoint | None = None) -> Endpoint:
        """The usable server with the fewest outstanding requests; waits for one; EngineError after `max_wait`.

        `avoid` is the server that just failed this request: another one is taken if there is any.
        """
        loop = asyncio.get_running_loop()
        gives_up = 0.0
        while True:
            now = loop.time() if self._troubled else 0.0
            ready = [e for e in self.all if not e.down and e.paused_until <= now and e.outstanding < e.limit]
            if ready:
                others = [e for e in ready if e is not avoid] if avoid else ready
                best = min(others or ready, key=_outstanding)
                best.outstanding += 1
                return best
            busy = any(not e.down and e.paused_until <= now for e in self.all)  # only full: replies will make room
            if busy or not gives_up:
                gives_up = loop.time() + self.max_wait
            await self._wait(gives_up)

    async def _wait(self, gives_up: float) -> None:
        """Until something changes or a pause ends; EngineError when that cannot be in time."""
        now = asyncio.get_running_loop().time()
        ends = min((e.paused_until for e in self.all if not e.down and e.paused_until > now), default=gives_up)
        if now >= gives_up or (ends > gives_up and not any(e.down for e in self.all)):
            raise EngineError(self._outage())
        self._changed.clear()
        try:
            async with asyncio.timeout_at(min(ends, gives_up)):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _outage(self) -> str:
        names = "; ".join(f"{e.url}: {e.last_error or 'asked to wait'}" for e in self.all)
        return (
            f"no server could be used for {self.max_wait:g} s ({names}). The replies so far are kept: "
            "start the server and run the same command again to resume, or wait longer with --max-wait."
        )

    def release(self, endpoint: Endpoint) -> None:
        """The request given to `endpoint` is over, however it ended."""
        endpoint.outstanding -= 1
        if self._troubled:
            self._changed.set()

    def succeeded(self, endpoint: Endpoint) -> None:
        """A request was answered: the server is well, and may get a little more."""
        endpoint.failures = endpoint.relapses = 0
        endpoint.succeeded = True
        endpoint.limit += 1 / endpoint.limit
        self.answered_at = asyncio.get_running_loop().time()
        self._refusing_since = None

    def failed(self, endpoint: Endpoint, error: str, *, unreachable: bool = False) -> None:
        """Counts a failure that speaks against the server itself, and leaves it out when it is one too many."""
        endpoint.failures += 1
        endpoint.last_error = error
        if endpoint.down or not (unreachable or endpoint.failures >= FAILURES_IN_A_ROW):
            return
        endpoint.down = self._troubled = True
        task = asyncio.get_running_loop().create_task(self._until_it_answers(endpoint))
        self._probes.add(task)
        task.add_done_callback(self._probes.discard)

    def throttled(self, endpoint: Endpoint, seconds: float) -> None:
        """The server said "too many": half as many at once, which success slowly raises again, and a pause.

        Raises EngineError when that is all it has said for `max_wait`, and nothing that may still succeed is under way.
        """
        now = asyncio.get_running_loop().time()
        self._refusing_since = now if self._refusing_since is None else self._refusing_since
        if now - self._refusing_since > self.max_wait and sum(e.outstanding for e in self.all) <= 1:
            endpoint.last_error = "HTTP 429, too many requests, and nothing else"
            raise EngineError(self._outage())
        endpoint.limit = max(1.0, endpoint.outstanding / 2)
        self.pause(endpoint, seconds)

    def pause(self, endpoint: Endpoint, seconds: float) -> None:
        """The server asked to be left alone for so long: nobody bothers it, and nobody's retry is spent on it."""
        self._troubled = True
        endpoint.last_error = f"asked to wait {seconds:g} s"
        until = asyncio.get_running_loop().time() + seconds
        endpoint.paused_until = max(endpoint.paused_until, until)

    async def _until_it_answers(self, endpoint: Endpoint) -> None:
        """Probes a server, and takes it back. One whose model list answers but whose requests fail rests longer."""
        longest = 30 * self.probe_every
        if endpoint.relapses:
            await asyncio.sleep(min(self.probe_every * 2**endpoint.relapses, longest))
        pause = self.probe_every
        while not await self.probe(endpoint):
            await asyncio.sleep(pause)
            pause = min(pause * 2, longest)
        endpoint.down = False
        endpoint.relapses += 1
        endpoint.failures = FAILURES_IN_A_ROW - 1  # the next failure is one too many
        self._changed.set()

    async def stop(self) -> None:
        """Ends the probes under way."""
        for task in list(self._probes):
            task.cancel()
        await asyncio.gather(*self._probes, return_exceptions=True)
