"""An OpenAI-compatible server that lies on demand: standard library only (uvloop if importable), hand-written HTTP/1.1.

Answer, latency and fault of a request depend on its prompt and on how often that prompt was asked, never on the order
of arrival (`--after`/`--for` excepted, which count arrivals). Every request is logged, so a test can count who was
asked twice. In a test:

    with FakeServer(mode="429", faults=1) as server:       # every prompt fails once, then succeeds
        engine = OpenAIEngine("fake", [server.url]) ...
        assert max(server.asked.values()) == 2

On the command line (prints `http://127.0.0.1:PORT/v1` on the first line):

    python tests/fake_server.py --port 0 --latency 0.02 --mode 500 --every 3 --answers answers.jsonl --log asked.jsonl

`answers.jsonl` holds {"prompt": whole last user message | "contains": part of it, "answer": text, and optionally
"reasoning": text, "finish": reason} per line. MODES below lists the faults.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import email.utils
import functools
import gzip
import hashlib
import json
import math
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

# status codes with their body, then faults of the connection, then faults of the content
MODES = (
    *("ok", "400", "400-context", "400-max-tokens", "400-structured", "400-top-k", "401", "402", "403", "404", "500"),
    *(
        "429",
        "429-retry-after",
        "429-date",
        "quota",
        "502",
        "503",
        "reset",
        "early-close",
        "truncated-json",
        "malformed",
    ),
    *("hang", "slow-loris", "huge-header", "endless-headers", "gzip-bomb", "huge-body", "gzip", "finish-length"),
    *(
        "content-filter",
        "null-content",
        "no-choices",
        "list",
        "nan-usage",
        "error-200",
        "secret-echo",
        "secret-content",
    ),
    *("redirect-away", "reasoning", "reasoning-content", "other-model", "surrogate", "no-logprobs", "deep-json"),
)

Answer = str | dict[str, Any]


class FakeServer:
    """The server's settings (which a test may change while it runs), its counters, and its life in a thread."""

    def __init__(
        self,
        *,
        mode: str = "ok",
        every: int = 1,  # only prompts whose hash is divisible by this are faulty
        faults: int = 0,  # a faulty prompt fails this often, then succeeds; 0: always
        after: int = 0,  # the fault begins after so many chat requests ...
        span: int = 0,  # ... and lasts for so many; 0: for ever
        latency: float = 0.0,  # seconds
        sigma: float = 0.0,  # > 0: lognormal latency with this median and spread, drawn from the prompt
        retry_after: float = 0.01,
        answers: list[dict[str, Any]] | Callable[[str], Answer] = (),  # type: ignore[assignment]
        default: str = "The answer is \\boxed{42}.",
        models: tuple[str, ...] = ("fake",),
        owned_by: str = "fake",
        away: str = "http://127.0.0.2:9/v1",  # where redirect-away points
        key: str = "",  # when set, requests without it get 401
        port: int = 0,
        log: str = "",
        seed: int = 0,
        reshape: Callable[[dict[str, Any]], dict[str, Any]] = dict,  # the last word on the body of a good reply
    ) -> None:
        assert mode in MODES, f"unknown mode {mode}; one of {MODES}"
        self.mode, self.every, self.faults, self.after, self.span = mode, every, faults, after, span
        self.latency, self.sigma, self.retry_after, self.default = latency, sigma, retry_after, default
        self.models, self.owned_by, self.away, self.key, self.port, self.seed = models, owned_by, away, key, port, seed
        self.pick = answers if callable(answers) else _lookup(answers)
        self.reshape = reshape
        self.asked: Counter[str] = Counter()  # prompt -> how often
        self.bodies: list[dict[str, Any]] = []  # the last 1,000 bodies received
        self.paths: Counter[str] = Counter()
        self.authorizations: set[str] = set()
        self.in_flight = self.max_in_flight = 0
        self.total = 0
        self.first = self.last = 0.0  # monotonic seconds of the first request and of the last answer
        self.connections: set[_Connection] = set()
        self._log = open(log, "a", buffering=1, encoding="utf-8") if log else None  # noqa: SIM115
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self, loop), "127.0.0.1", self.port, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def start(self) -> FakeServer:
        """Serve from a thread; returns when the port is open. A stopped server starts again on the same port."""
        ready = threading.Event()

        def run() -> None:
            self._loop = _new_loop()
            asyncio.set_event_loop(self._loop)
            server = self._loop.run_until_complete(self.serve())
            ready.set()
            self._loop.run_forever()
            server.close()
            for connection in list(self.connections):
                connection.transport.abort()
            self._loop.run_until_complete(asyncio.sleep(0.01))
            self._loop.close()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        assert ready.wait(10), "the fake server did not start"
        return self

    def stop(self) -> None:
        if self._loop and self._thread and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)

    def __enter__(self) -> FakeServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def arrived(self, prompt: str, path: str, body: dict[str, Any]) -> tuple[str, int]:
        """Counts a request; gives its fault mode and its hash."""
        now = time.monotonic()
        self.first = self.first or now
        self.total += 1
        self.asked[prompt] += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        if len(self.bodies) < 1000:
            self.bodies.append(body)
        digest = int.from_bytes(
            hashlib.blake2b(f"{self.seed}\0{prompt}".encode("utf-8", "replace"), digest_size=8).digest(), "big"
        )
        ask = self.asked[prompt]
        mode = self._fault(ask, digest)
        if self._log:
            record = {"n": self.total, "ask": ask, "mode": mode, "path": path, "time": now, "key": f"{digest:016x}"}
            self._log.write(json.dumps(record | {"prompt": prompt[-200:]}) + "\n")
        return mode, digest

    def _fault(self, ask: int, digest: int) -> str:
        if self.mode == "ok" or digest % self.every:
            return "ok"
        if self.total <= self.after or (self.span and self.total > self.after + self.span):
            return "ok"
        return "ok" if self.faults and ask > self.faults else self.mode

    def delay(self, digest: int) -> float:
        if not self.sigma:
            return self.latency
        quantile = NormalDist().inv_cdf((digest % 9973 + 0.5) / 9973)
        return self.latency * math.exp(self.sigma * quantile)


class _Connection(asyncio.Protocol):
    """One keep-alive connection: parses requests, answers one after the other."""

    def __init__(self, server: FakeServer, loop: asyncio.AbstractEventLoop) -> None:
        self.server, self.loop, self.buffer = server, loop, b""
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self.open = False  # a request is being answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.connections.discard(self)
        self._done()

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end]
        length = _content_length(head)
        if len(self.buffer) < end + 4 + length:
            return
        body = self.buffer[end + 4 : end + 4 + length]
        self.buffer = self.buffer[end + 4 + length :]
        method, path = head.split(b" ", 2)[:2]
        self.handle(method.decode(), path.decode("latin-1").split("?")[0], head, body)

    def handle(self, method: str, path: str, head: bytes, raw: bytes) -> None:
        server = self.server
        server.paths[path] += 1
        found = re.search(rb"(?i)\r\nauthorization: *([^\r\n]*)", head)
        authorization = found[1].decode("latin-1") if found else ""
        server.authorizations.add(authorization)
        if path == "/health":
            return self.reply(b"{}")
        if server.key and authorization != f"Bearer {server.key}":
            return self.reply(_error("bad key", "invalid_api_key"), 401)
        if path.endswith("/models") and server.mode == "401":
            return self.reply(_error("Incorrect API key provided", "invalid_api_key"), 401)
        if path.endswith("/models"):
            rows = [
                {"id": m, "object": "model", "owned_by": server.owned_by, "max_model_len": 4096} for m in server.models
            ]
            return self.reply(json.dumps({"object": "list", "data": rows}).encode())
        if method != "POST" or not path.endswith("/completions"):
            return self.reply(_error(f"no such path {path}"), 404)
        body = json.loads(raw)
        prompt = str(body["messages"][-1]["content"] if "messages" in body else body["prompt"])
        mode, digest = server.arrived(prompt, path, body)
        self.open = True
        delay = server.delay(digest)
        arguments = (mode, prompt, body, authorization, digest)
        if delay > 0:
            self.loop.call_later(delay, self.answer, *arguments)
        else:
            self.answer(*arguments)

    def answer(self, mode: str, prompt: str, body: dict[str, Any], authorization: str, digest: int) -> None:
        if self.transport.is_closing():
            return
        server = self.server
        if mode in STATUS:
            status, page = STATUS[mode]
            return self.reply(page.encode() if isinstance(page, str) else _error(*page), status)
        if mode in ("429-retry-after", "429-date"):
            date = email.utils.formatdate(time.time() + server.retry_after, usegmt=True)
            value = date if mode == "429-date" else f"{server.retry_after:g}"
            return self.reply(_error("slow down"), 429, f"Retry-After: {value}\r\n")
        if mode == "400-max-tokens" and "max_tokens" in body:
            return self.reply(_error("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."), 400)
        if mode == "400-structured" and "structured_outputs" in body:
            return self.reply(_error("Unrecognized request argument supplied: structured_outputs"), 400)
        if mode == "400-top-k" and "top_k" in body:
            return self.reply(_error("Unrecognized request argument supplied: top_k"), 400)
        if mode == "secret-echo":
            return self.reply(_error(f"cannot serve a request with {authorization}"), 400)
        if mode == "redirect-away":
            return self.reply(b"", 307, f"Location: {server.away}/chat/completions?token=1\r\n")
        if mode in WIRE:
            return WIRE[mode](self)
        payload = self.completion(mode, prompt, body, authorization, digest)
        if mode == "early-close":
            self.transport.write(_head(200, len(payload)) + payload[: len(payload) // 2])
            return self.transport.close()
        if mode == "truncated-json":
            return self.reply(payload[: len(payload) // 2])
        if mode == "gzip":
            return self.reply(gzip.compress(payload), 200, "Content-Encoding: gzip\r\n")
        self.reply(payload)

    def completion(self, mode: str, prompt: str, body: dict[str, Any], authorization: str, digest: int) -> bytes:
        server = self.server
        if mode in CONTENT:
            return CONTENT[mode]
        answer = server.pick(prompt)
        if answer is None:
            answer = server.default
        if isinstance(answer, str):
            answer = {"answer": answer}
        text, finish = answer["answer"], answer.get("finish", "stop")
        choices = (body.get("structured_outputs") or {}).get("choice")
        if choices and text not in choices:
            text = choices[digest % len(choices)]
        if mode == "finish-length":
            text, finish = text[: len(text) // 2], "length"
        if mode == "secret-content":
            text = f"your header was {authorization}"
        if mode == "surrogate":
            text = "broken \ud800 pair"
        usage: dict[str, Any] = {"prompt_tokens": len(prompt) // 4 + 1, "completion_tokens": len(text) // 4 + 1}
        if mode == "nan-usage":
            usage = {"prompt_tokens": math.nan, "completion_tokens": math.nan}
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
        if "messages" in body:
            choice["message"] = {"role": "assistant", "content": text}
            thinking = answer.get("reasoning", "I think." if mode.startswith("reasoning") else "")
            if thinking:
                choice["message"]["reasoning_content" if mode == "reasoning-content" else "reasoning"] = thinking
        else:
            choice["text"] = prompt + " x" if body.get("echo") else text
            if body.get("echo") and body.get("logprobs") and mode != "no-logprobs":
                choice["logprobs"] = _logprobs(prompt)
        name = "someone-else" if mode == "other-model" else body.get("model")
        body = {"id": f"r{server.total}", "model": name, "choices": [choice], "usage": usage}
        return json.dumps(server.reshape(body)).encode()

    def reply(self, payload: bytes, status: int = 200, extra: str = "") -> None:
        self.transport.write(_head(status, len(payload), extra) + payload)
        self._done()
        if self.buffer:
            self.data_received(b"")

    def _done(self) -> None:
        if self.open:
            self.open = False
            self.server.in_flight -= 1
            self.server.last = time.monotonic()

    # faults of the connection

    def reset(self) -> None:
        self.transport.abort()

    def hang(self) -> None:
        """Says nothing, for ever."""

    def slow_loris(self) -> None:
        self.transport.write(_head(200, 100_000))
        self._drip(b" ")

    def endless_headers(self) -> None:
        self.transport.write(b"HTTP/1.1 200 OK\r\n")
        self._drip(b"X-More: and more\r\n")

    def _drip(self, piece: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(piece)
            self.loop.call_later(0.005, self._drip, piece)

    def huge_header(self) -> None:
        self.reply(b"{}", 200, "X-Huge: " + "h" * 1_000_000 + "\r\n")

    def gzip_bomb(self) -> None:
        self.reply(_bomb(), 200, "Content-Encoding: gzip\r\n")

    def huge_body(self) -> None:
        piece = b" " * (1 << 20)
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        for _ in range(64):
            self.transport.write(piece)
        self.transport.close()


STATUS: dict[str, tuple[int, str | tuple[str, ...]]] = {
    "400": (400, ("something is wrong with this request",)),
    "400-context": (
        400,
        ("This model's maximum context length is 4096 tokens. Your prompt has 9000.", "context_length_exceeded"),
    ),
    "401": (401, ("Incorrect API key provided", "invalid_api_key")),
    "402": (402, ("Insufficient Balance",)),
    "403": (403, ("not for you",)),
    "404": (404, ("The model does not exist", "model_not_found")),
    "429": (429, ("slow down",)),
    "quota": (429, ("You exceeded your current quota", "insufficient_quota")),
    "500": (500, ("internal error",)),
    "502": (502, "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"),
    "503": (503, ("no capacity",)),
}
WIRE: dict[str, Callable[[_Connection], None]] = {
    "reset": _Connection.reset,
    "hang": _Connection.hang,
    "slow-loris": _Connection.slow_loris,
    "endless-headers": _Connection.endless_headers,
    "huge-header": _Connection.huge_header,
    "gzip-bomb": _Connection.gzip_bomb,
    "huge-body": _Connection.huge_body,
}
CONTENT: dict[str, bytes] = {
    "malformed": b"I am not JSON at all",
    "null-content": b'{"choices": [{"message": {"role": "assistant", "content": null}, "finish_reason": "stop"}]}',
    "no-choices": b'{"choices": [], "usage": {}}',
    "list": b'[{"message": "a list where an object should be"}]',
    "error-200": b'{"error": {"message": "upstream fell over", "code": 502}}',
    "deep-json": b"[" * 200_000,
    "content-filter": b'{"choices": [{"message": {"content": "as I was"}, "finish_reason": "content_filter"}]}',
}
_REASONS = {200: "OK", 307: "Temporary Redirect", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}


@functools.cache
def _bomb() -> bytes:
    """A megabyte that unpacks to a gigabyte: gzip members may follow each other."""
    return gzip.compress(b" " * (64 << 20), 6) * 16


def _head(status: int, length: int, extra: str = "") -> bytes:
    reason = _REASONS.get(status, "Status")
    fixed = f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
    return f"{fixed}{extra}\r\n".encode()


def _error(message: str, code: str = "") -> bytes:
    return json.dumps({"error": {"message": message, "type": "fake", "code": code or None}}).encode()


def _content_length(head: bytes) -> int:
    at = head.lower().find(b"\r\ncontent-length:")
    return int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def _lookup(answers: list[dict[str, Any]]) -> Callable[[str], Answer | None]:
    exact = {a["prompt"]: a for a in answers if "prompt" in a}
    parts = [(a["contains"], a) for a in answers if "contains" in a]

    def pick(prompt: str) -> Answer | None:
        if prompt in exact:
            return exact[prompt]
        return next((a for part, a in parts if part in prompt), None)

    return pick


def _logprobs(prompt: str) -> dict[str, Any]:
    """Words as tokens, with log-probabilities that depend on the word; one generated token at the end."""
    tokens = [*re.findall(r"\s*\S+|\s+$", prompt), " x"]
    offsets = [sum(map(len, tokens[:i])) for i in range(len(tokens))]
    scores = [None] + [-len(t.strip()) / 4 for t in tokens[1:]]
    tops = [None] + [{t: s} if len(t.strip()) < 6 else {"better": -0.01, t: s} for t, s in zip(tokens[1:], scores[1:])]
    return {"tokens": tokens, "token_logprobs": scores, "top_logprobs": tops, "text_offset": offsets}


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("port", 0), ("every", 1), ("faults", 0), ("after", 0), ("for", 0), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name in ("latency", "sigma", "retry-after"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    parser.add_argument("--mode", choices=MODES, default="ok")
    parser.add_argument("--answers", help="JSON lines: prompt|contains, answer, reasoning, finish")
    parser.add_argument("--default", default="The answer is \\boxed{42}.")
    parser.add_argument("--model", action="append", help="served model name (repeatable)")
    parser.add_argument("--owned-by", default="fake")
    parser.add_argument("--key", default="")
    parser.add_argument("--log", default="", help="file that gets one JSON line per request")
    options = parser.parse_args()
    settings = {k: v for k, v in vars(options).items() if k not in ("for", "answers", "model")}
    if options.answers:
        with open(options.answers, encoding="utf-8") as lines:
            settings["answers"] = [json.loads(line) for line in lines if line.strip()]
    if options.model:
        settings["models"] = tuple(options.model)
    server = FakeServer(span=getattr(options, "for"), **settings)
    loop = _new_loop()
    loop.run_until_complete(server.serve())
    print(server.url, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        loop.run_forever()


if __name__ == "__main__":
    main()
