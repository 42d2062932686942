"""How a model wants to be asked: system prompt, decoding, thinking tags, context length; one small YAML per family.

A profile is matched by the model's name (the patterns are shell patterns over the lower-case name; the one with most
literal characters wins), shown in the plan, and overridable by flags. See docs/protocols.md, "Model profiles".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from finbench.errors import UsageError
from finbench.records import Sampling

FOLDER = Path(__file__).parent / "profiles"
DECODING = {f.name for f in fields(Sampling)} - {"seed", "stop", "choices"}


@dataclass(frozen=True, slots=True)
class Thinking:
    """Where a model thinks. `opened` says that the chat template writes the opening tag, so replies begin inside it."""

    open: str = "<think>"
    close: str = "</think>"
    opened: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """One model family. `sampling` holds fields of records.Sampling; what it leaves out, the task decides."""

    name: str
    match: tuple[str, ...] = ()
    system: str = ""
    sampling: Mapping[str, float | int] = field(default_factory=dict)
    thinking: Thinking | None = None
    context_length: int | None = None  # tokens, prompt and reply together
    sources: tuple[str, ...] = ()
    note: str = ""


def find(name: str, *, exact: bool = False) -> Profile:
    """The profile of a model's name; with `exact`, the profile of that name, or in the YAML file at that path.

    A fine-tuned or quantized model keeps its family's profile as long as its name says what it is.

    >>> find("SUFE-AIFLM-Lab/Fin-R1").name, find("/models/Fin-R1-GPTQ-Int4").name, find("gpt-4o").name
    ('fin-r1', 'fin-r1', 'default')
    """
    if exact:
        if name.endswith((".yaml", ".yml")):
            return load(Path(name))
        if name not in shipped():
            raise UsageError(
                f"--profile {name}: no such profile; there are {', '.join(shipped())}, or give a YAML file"
            )
        return shipped()[name]
    parts = [part for part in re.split(r"[/\\]", name.lower()) if part]
    hits = [
        (len(re.sub(r"[*?]", "", pattern)), profile)
        for profile in shipped().values()
        for pattern in profile.match
        if parts and fnmatchcase(parts[-1], pattern)
    ]
    return max(hits, key=lambda hit: hit[0])[1] if hits else shipped()["default"]


@cache
def shipped() -> Mapping[str, Profile]:
    """The profiles that come with finbench, by name."""
    return {path.stem: load(path) for path in sorted(FOLDER.glob("*.yaml"))}


def load(path: Path) -> Profile:
    """The profile in a YAML file; UsageError names what is wrong with it."""
    data = _checked(path, _mapping(path))
    thinking = data.get("thinking")
    return Profile(
        path.stem,
        match=tuple(str(pattern).lower() for pattern in data.get("match") or ()),
        system=str(data.get("system") or "").strip(),
        sampling=data.get("sampling") or {},
        thinking=Thinking(**thinking) if thinking else None,
        context_length=data.get("context_length"),
        sources=tuple(map(str, data.get("sources") or ())),
        note=" ".join(str(data.get("note") or "").split()),
    )


def _mapping(path: Path) -> dict[str, Any]:
    """The YAML as it is."""
    import yaml

    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: cannot be read as a model profile: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise UsageError(f"{path}: a model profile is a mapping of fields, not {type(data).__name__}")
    return data


def _checked(path: Path, data: dict[str, Any]) -> dict[str, Any]:
    """The same, once every field is known and every number is one."""
    sampling, context = data.get("sampling") or {}, data.get("context_length")
    _only(path, "field", data, {f.name for f in fields(Profile)} - {"name"})
    _only(path, "field in sampling", sampling, DECODING)
    _only(path, "field in thinking", data.get("thinking") or {}, {f.name for f in fields(Thinking)})
    for key, value in sampling.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(f"{path}: sampling.{key} must be a number, not {value!r}")
    if context is not None and (not isinstance(context, int) or context < 1):
        raise UsageError(f"{path}: context_length must be a number of tokens, not {context!r}")
    return data


def _only(path: Path, what: str, data: Any, known: set[str]) -> None:
    if not isinstance(data, dict):
        raise UsageError(f"{path}: a mapping was expected, not {data!r}")
    unknown = sorted(set(map(str, data)) - known)
    if unknown:
        raise UsageError(f"{path}: unknown {what} {', '.join(unknown)}; known are {', '.join(sorted(known))}")
