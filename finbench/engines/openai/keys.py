"""Keys: read from the environment, sent in headers, and taken out of every text by their value."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from finbench.errors import UsageError
from finbench.sanitize import secrets_in

SHORTEST = 8  # characters: what is shorter stands in too many innocent replies to be taken out of them


def headers(api_key_env: str, given: Mapping[str, str]) -> dict[str, str]:
    """Headers of every request; secrets come from the environment."""
    sent = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "identity",  # a compressed body would buy nothing and could be a bomb
        "User-Agent": "finbench",
    }
    key = os.environ.get(api_key_env, "").strip() if api_key_env else ""
    if key:
        sent["Authorization"] = f"Bearer {key}"
    for name, value in given.items():
        if value.startswith("env:"):
            variable = value.removeprefix("env:")
            if variable not in os.environ:
                raise UsageError(f"header {name}: the environment variable {variable} is not set")
            value = os.environ[variable].strip()
        sent[name] = value
    for name, value in sent.items():
        if not (name + value).isprintable() or not value.isascii():
            raise UsageError(f"header {name}: its value holds characters that a header cannot carry (value not shown)")
    return sent


def secrets(sent_headers: Sequence[Mapping[str, str]], urls: Sequence[str]) -> tuple[str, ...]:
    """Values that no text may show: keys, header values, passwords and query values of URLs, longest first."""
    plain = {"Content-Type", "Accept", "Accept-Encoding", "User-Agent"}
    values = [value for sent in sent_headers for name, value in sent.items() if name not in plain]
    values += [value.split(" ")[-1] for value in values]  # without "Bearer" or "Basic"
    values += [quote(value, safe="") for value in values]
    values += secrets_in((url if "://" in url else f"http://{url}" for url in urls), SHORTEST)
    return tuple(sorted({v for v in values if len(v) >= SHORTEST}, key=len, reverse=True))
