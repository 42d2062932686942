"""What an HTTP answer other than 200 means: ask again, give up on this request, or on the engine. Pure functions.

401, 402, 404, a redirect, a spent quota        EngineError: it concerns every request
403, a field the server does not know           EngineError before the first success, afterwards that sample's error
other 4xx                                       RequestRefused: that sample's error, not asked again
408 409 425 429 5xx                             Retry
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from finbench.engines.openai import wire
from finbench.engines.openai.endpoints import Endpoint
from finbench.errors import EngineError

TRANSIENT = {408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}
GATEWAY = {502, 503, 504}


class Retry(Exception):
    """An attempt that failed in a way that another may not.

    `counted` is False when the request never arrived; `status` is the HTTP status where there was one, and `after` the
    seconds that the server asked to be left alone for.
    """

    def __init__(self, message: str, *, counted: bool = True, status: int = 0, after: float | None = None) -> None:
        super().__init__(message)
        self.counted, self.status, self.after = counted, status, after


class RequestRefused(Exception):
    """An answer that will not change by asking again."""


def meaning(
    status: int, headers: Mapping[str, str], raw: bytes, endpoint: Endpoint, model: str, extra: Iterable[str]
) -> Retry | RequestRefused | EngineError:
    """The failure that an answer stands for; its words may hold what the server echoes, keys too."""
    if 300 <= status < 400:
        place = _place(headers.get("Location", ""))
        return EngineError(
            f"{endpoint.url} redirects to {place}; finbench does not follow, because the key would travel along. "
            "Give the final address as --base-url."
        )
    message, code = wire.error_of(raw)
    said = f"HTTP {status}: {message}"
    hint = wire.hint(status, message, code, succeeded=endpoint.succeeded, extra=extra)
    if status == 404:
        offers = ", ".join(endpoint.offers) or "no list of models"
        hint = f"Check --base-url and --model: asked for {model!r}, it offers {offers}."
    if hint:
        return EngineError(f"{endpoint.url} answers {said.rstrip('.')}. {hint}")
    if status not in TRANSIENT:
        return RequestRefused(said)
    return Retry(said, status=status, after=wire.retry_after(headers.get("Retry-After")))


def _place(location: str) -> str:
    """Where a redirect leads, without credentials and query.

    >>> _place("https://me:pw@host/v1?key=1"), _place("/v2"), _place("http://[")
    ('https://host/v1', '/v2', 'an address that is none')
    """
    try:
        target = urlsplit(location)
    except ValueError:
        return "an address that is none"
    return f"{target.scheme}://{target.hostname}{target.path}" if target.hostname else target.path
