"""Labelled outputs, written for these tests and none of them a dataset row: one JSON object a line.

Each holds the fields of the line protocol, `correct` (the verdict a careful reader gives), `extracted` where the shown
form matters, and `why` where the reason is not plain.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def load(name: str = "*") -> list[dict[str, Any]]:
    """The rows of one table, or of all."""
    files = sorted(Path(__file__).parent.glob(f"{name}.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
