"""Names of models and tasks as file names, foreign text as something a terminal may show, and words without their keys."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qsl, quote, unquote

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_MAX_SLUG = 80


def slug(name: str) -> str:
    """A file name for any text: safe characters only; eight hex digits keep changed names apart on every disk.

    >>> slug("Fin-R1")
    'fin-r1'
    >>> slug("SUFE-AIFLM-Lab/Fin-R1") == slug("SUFE-AIFLM-Lab_Fin-R1")
    False
    >>> slug("../../etc/passwd").startswith("etc_passwd-")
    True
    """
    safe = _UNSAFE.sub("_", name).strip("._-").lower()[:_MAX_SLUG]
    if safe and safe == name.lower():
        return safe
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{safe or 'unnamed'}-{digest}"


def shown(text: object) -> str:
    """The text with control bytes and direction overrides written out, so that a terminal shows and obeys nothing.

    >>> shown("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), str(text))


# Keys in what a user types. Every sink of settings (manifest, configuration, SQLite, report, errors) passes `redacted` or
# `redact`: what is stored is read by others, and a run is continued with its keys given again.

REDACTED = "[redacted]"
_SECRET_NAMES = frozenset(
    "key keys apikey token secret password passwd pwd pass auth authorization credential credentials "
    "header headers bearer sig signature".split()
)
_USERINFO = re.compile(r"(?:://|^|(?<==))([^/?#\s=:]{0,999}:[^/?#\s]{0,999}|(?<=://)[^/?#\s]{1,999})@")
_CHUNK = re.compile(r"\S+")
_NAMED = re.compile(r"""(?<![\w.-])([A-Za-z][\w.-]{0,63})(?:["']?\s*=\s*|["']\s*:\s*|(?<=uthorization)\s*:\s*)""")
_VALUE = re.compile(r""""[^"]*"|'[^']*'|[{\[].*|[^,]*""", re.DOTALL)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def names_secret(name: str) -> bool:
    """Does a setting of this name hold a key?

    >>> [name for name in ("api_key", "x-api-key", "accessToken", "tokenizer", "max_tokens", "monkey") if names_secret(name)]
    ['api_key', 'x-api-key', 'accessToken']
    """
    return not _SECRET_NAMES.isdisjoint(re.split(r"[_.\W]+", _CAMEL.sub("_", name).lower()))


def _secret_spans(word: str) -> Iterator[tuple[int, int]]:
    """Where a word of a command line holds a password, the query of a URL, or the value of a setting named like a key."""
    for found in _USERINFO.finditer(word):
        yield found.span(1)
    for found in _CHUNK.finditer(word):
        address, _, query = found[0].partition("?")
        if "=" in query or "://" in address:
            yield found.end() - len(query), found.end()
    end = 0
    for found in _NAMED.finditer(word):
        if found.start() >= end and names_secret(found[1]):
            value = _VALUE.match(word, found.end())
            assert value is not None  # it matches nothing, too
            end = value.end()
            yield value.span()


def redacted(word: str) -> str:
    """A word of a command line, or the text of a setting, without the keys in it.

    >>> redacted("https://me:pw@host/v1?sig=1"), redacted("pretrained=m,api_key=sk-1,max_tokens=5")
    ('https://[redacted]@host/v1?[redacted]', 'pretrained=m,api_key=[redacted],max_tokens=5')
    """
    out, end = [], 0
    for start, stop in sorted(_secret_spans(word)):
        if stop > end and start < stop:
            out += [word[end:start], REDACTED] if start >= end else []
            end = stop
    return "".join([*out, word[end:]])


def redacted_setting(name: str, value: object) -> object:
    """The value of a setting as it may be stored: mappings and lists inside, texts redacted, other values as they are.

    >>> redacted_setting("settings", {"token": "abc", "url": "http://u:p@h", "n": 3})
    {'token': '[redacted]', 'url': 'http://[redacted]@h', 'n': 3}
    """
    if isinstance(value, Mapping):
        return {key: redacted_setting(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redacted_setting(name, inner) for inner in value]
    if not isinstance(value, str):
        return value
    return REDACTED if value and names_secret(name) else redacted(value)


def secrets_in(words: Iterable[str], shortest: int = 4) -> tuple[str, ...]:
    """The values behind `redacted` in every spelling a library may repeat, longest first; none under `shortest` characters.

    >>> secrets_in(["http://me:password@host", "token=abcd"])
    ('me%3Apassword', 'me:password', 'password', 'abcd')
    """
    found: set[str] = set()
    for word in words:
        for start, stop in _secret_spans(word):
            text = word[start:stop].strip("\"'")
            parts = [text, text.partition(":")[2].strip(), text.split(" ")[-1], *(v for _, v in parse_qsl(text))]
            parts += [inner for pair in re.findall(r"\"([^\"]*)\"|'([^']*)'", text) for inner in pair]
            plain = {spelling for part in parts for spelling in (part, unquote(part))}
            found |= plain | {quote(part, safe="") for part in plain}
    return tuple(sorted({v for v in found if len(v) >= shortest and v != REDACTED}, key=lambda v: (-len(v), v)))


def redact(text: str, values: Iterable[str]) -> str:
    """The text without any of these values.

    >>> redact("Bearer sk-12345678", ["sk-12345678"])
    'Bearer [redacted]'
    """
    for value in values:
        if value in text:
            text = text.replace(value, REDACTED)
    return text
