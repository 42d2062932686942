"""What a run costs, by a price file that the user gives: none is shipped, prices change.

currency: USD
models:                                   # shell patterns; the one with most literal characters wins
  "gpt-4o*": {input: 2.50, output: 10.00}   # per million tokens
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import isfinite
from pathlib import Path
from typing import Any

from finbench.errors import UsageError


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens cost."""

    input: float
    output: float
    currency: str = "USD"

    def of(self, prompt_tokens: int, output_tokens: int) -> float:
        """The cost of so many tokens, in `currency`.

        >>> Price(2.5, 10).of(2_000_000, 100_000)
        6.0
        """
        return (prompt_tokens * self.input + output_tokens * self.output) / 1_000_000


def read(path: Path, model: str) -> Price | None:
    """The price of a model in a YAML or JSON file; None when the file does not know it."""
    import yaml  # reads JSON as well

    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: cannot be read as a price file: {' '.join(str(error).split())}") from None
    models = data.get("models") if isinstance(data, dict) else None
    if not isinstance(models, dict):
        raise UsageError(f"{path}: a price file needs `models:` with a pattern and its prices per line")
    hits = [str(pattern) for pattern in models if fnmatchcase(model.lower(), str(pattern).lower())]
    if not hits:
        return None
    best = max(hits, key=lambda pattern: len(pattern) - pattern.count("*") - pattern.count("?"))
    entry = next(value for pattern, value in models.items() if str(pattern) == best)
    where = f"{path}: models[{best!r}]"
    return Price(_number(entry, "input", where), _number(entry, "output", where), str(data.get("currency") or "USD"))


def _number(entry: Any, field: str, where: str) -> float:
    value = entry.get(field) if isinstance(entry, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value < 0:
        raise UsageError(f"{where}.{field} must be a price per million tokens, not {value!r}")
    return float(value)
