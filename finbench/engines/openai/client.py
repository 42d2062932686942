"""HTTP by aiohttp: one exchange with one server. Bodies come back bounded, unpacked and without secrets."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from finbench.engines.openai import wire
from finbench.engines.openai.endpoints import Endpoint
from finbench.sanitize import redact


class Unreachable(Exception):
    """No connection: the request never arrived."""


class Broken(Exception):
    """A connection, and no whole answer over it."""


class HttpAnswer(NamedTuple):
    """What a server said, whatever it says."""

    status: int
    headers: Mapping[str, str]
    raw: bytes


class Client:
    """Requests over kept connections; to be made, used and closed inside the event loop.

    Raises Unreachable, Broken, or wire.BadReply for a body beyond `max_body` bytes, packed or unpacked. Redirects are
    answers: the key does not travel. `secrets` are taken out of bodies and errors.
    """

    def __init__(self, secrets: Sequence[str], max_body: int) -> None:
        import aiohttp

        self._aiohttp, self._secrets, self._max_body = aiohttp, secrets, max_body
        # Idle connections are dropped before uvicorn drops them (5 s), which would look like a broken reply.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=4.0, socket_factory=_socket)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=20.0),
            auto_decompress=False,  # unpacked by hand, with a limit
        )

    async def send(self, endpoint: Endpoint, method: str, url: str, payload: bytes | None = None) -> HttpAnswer:
        """One request to a server, and its whole answer."""
        aiohttp = self._aiohttp
        try:
            async with self._session.request(
                method, url, data=payload, headers=endpoint.headers, proxy=endpoint.proxy, allow_redirects=False
            ) as answer:
                return HttpAnswer(answer.status, answer.headers, await self._body(answer))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unreachable(self._words(error)) from None
        except aiohttp.ClientError as error:
            raise Broken(self._words(error)) from None

    async def close(self) -> None:
        """Drops the connections."""
        await self._session.close()

    async def _body(self, answer: Any) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while chunk := await answer.content.readany():
            chunks.append(chunk)
            size += len(chunk)
            if size > self._max_body:
                answer.close()
                raise wire.BadReply(f"the body is larger than {self._max_body >> 20} MiB", final=True)
        raw = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        encoding = answer.headers.get("Content-Encoding")
        if encoding:
            raw = wire.inflate(raw, encoding.strip().lower(), self._max_body)
        for secret in self._secrets:  # here too, lest the head of a body shows half a key
            if secret.encode() in raw:
                raw = raw.replace(secret.encode(), b"[redacted]")
        return raw

    def _words(self, error: BaseException) -> str:
        """An exception in one line."""
        text = f"{type(error).__name__}: {error}".encode("utf-8", "replace")
        return redact(wire.head(text).rstrip(": "), self._secrets)


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket that notices within about a minute that its peer is gone, and keeps a slow reply alive behind NAT."""
    connection = socket.socket(*address[:3])
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return connection
