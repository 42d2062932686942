"""Names of models and tasks as file names, and foreign text as something a terminal may show."""

from __future__ import annotations

import hashlib
import re

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
