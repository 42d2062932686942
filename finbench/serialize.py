"""Records as JSON and back, and texts as SQLite keeps them, with a digest that finds every damage.

JSON is written by msgspec, ten times as fast as the standard library, wherever it keeps every value. The standard library
writes what msgspec refuses (lone surrogates, integers beyond 64 bits) or would lose (NaN and infinities, which it writes
as null), and reads what it wrote. No text here contains a line break of any kind, so a record is a line.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any, TypeVar

import msgspec

from finbench.records import Grade, Response

LM_EVAL = "lm-eval"  # the rule of a grade by lm-eval's own code, whose metrics may be of any kind
LONG = 160  # characters from which deflating a text repays its 8 bytes of frame
LEVEL = 3  # of zlib: 6 makes a filing page 5 % smaller and takes half as long again (90 us for 5 kB)
# JSON leaves these as they are; str.splitlines breaks a line at each.
_BREAKS = ("\x85".encode(), "\u2028".encode(), "\u2029".encode())

_dump = json.JSONEncoder(separators=(",", ":"), default=asdict).encode
_encode = msgspec.json.Encoder().encode
_value = msgspec.json.Decoder().decode
_response = msgspec.json.Decoder(Response).decode
_grade = msgspec.json.Decoder(Grade).decode


def compact(value: object) -> str:
    """Any JSON-able value or record without blanks, in ASCII: lone surrogates, NaN and infinities survive.

    >>> compact({"a": ["é", float("nan")]})
    '{"a":["\\\\u00e9",NaN]}'
    """
    return _dump(value)


def packed(value: object) -> str:
    """The same for a value without NaN or infinity, in a tenth of the time.

    >>> packed({"a": "é", "b": "\\ud800"}), packed("é\\u2028")
    ('{"a":"\\\\u00e9","b":"\\\\ud800"}', '"\\\\u00e9\\\\u2028"')
    """
    try:
        raw = _encode(value)
    except (UnicodeEncodeError, OverflowError):
        return compact(value)
    if raw.isascii() or not any(mark in raw for mark in _BREAKS):
        return raw.decode()
    return compact(value)


def value_from(text: str | bytes) -> Any:
    """The value that `compact` or `packed` wrote."""
    try:
        return _value(text)
    except msgspec.DecodeError:
        return json.loads(text)


def response_json(response: Response) -> str:
    """A response as JSON; a log-likelihood may be minus infinity."""
    return packed(response) if response.logprob is None else compact(response)


def response_from(text: str | bytes) -> Response:
    """The response that `response_json` wrote; fields that this version does not know are passed over."""
    return _record(text, Response, _response)


def grade_json(grade: Grade) -> str:
    """A grade as JSON."""
    return compact(grade) if grade.rule == LM_EVAL else packed(grade)


def grade_from(text: str | bytes) -> Grade:
    """The grade that `grade_json` wrote; fields that this version does not know are passed over."""
    return _record(text, Grade, _grade)


Record = TypeVar("Record", Response, Grade)


def _record(text: str | bytes, kind: type[Record], decode: Callable[[str | bytes], Record]) -> Record:
    """msgspec passes over unknown fields by itself; what it cannot read takes the slow way with the same rule."""
    try:
        return decode(text)
    except msgspec.DecodeError:
        known = {field.name for field in fields(kind)}
        given = {name: value for name, value in json.loads(text).items() if name in known}
        if given.get("span"):
            given["span"] = tuple(given["span"])
        return kind(**given)


def stowed(text: str, like: str = "") -> str | bytes:
    """A text as a column of SQLite: as it is when short, else deflated; `like` is a text that it repeats.

    Lone surrogates, which SQLite refuses, survive inside the bytes.

    >>> stowed("revenue"), stowed("\\ud800")[:1], unstowed(stowed("\\ud800")) == "\\ud800"
    ('revenue', b'x', True)
    """
    raw = text.encode("utf-8", "surrogatepass")
    if len(text) < LONG and _plain(text):
        return text
    packer = zlib.compressobj(LEVEL, zdict=_dictionary(like)) if like else zlib.compressobj(LEVEL)
    return packer.compress(raw) + packer.flush()


def unstowed(value: str | bytes, like: str = "") -> str:
    """The text that `stowed` made a column of. Raises ValueError for what it did not make."""
    if isinstance(value, str):
        return value
    if not isinstance(value, bytes):
        raise ValueError(f"holds {type(value).__name__}, expected a text")
    try:
        unpacker = zlib.decompressobj(zdict=_dictionary(like)) if like else zlib.decompressobj()
        raw = unpacker.decompress(value)
        if not unpacker.eof or unpacker.unused_data:
            raise ValueError("is cut short or too long")
        return raw.decode("utf-8", "surrogatepass")
    except zlib.error as err:
        raise ValueError(str(err)) from err


def digest(*parts: object) -> bytes:
    """16 bytes over texts and numbers; None counts as the empty text.

    >>> digest("a", 1) == digest("a", "1") != digest("a1", "")
    True
    """
    text = "\0".join(["" if part is None else str(part) for part in parts])
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _plain(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _dictionary(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
