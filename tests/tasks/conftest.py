"""The small table of pinned files in the place of the real one, and files that it pins."""

from __future__ import annotations

from pathlib import Path

import pytest
from pinned_files import CONTENT, CSV, ROWS, pin

from finbench.tasks import data_files
from finbench.tasks.data_files import Pinned


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Pinned]:
    """A small pinned table in place of the real one; no data configured."""
    files = [
        pin("finqa", "test.json", ROWS),
        pin("finqa", "test.reconstructed.jsonl", b'{"id": 1}', "reconstructed", url=""),
        pin("finqa", "LICENSE", b"MIT\n", "licence"),
        pin("tfns", "情绪/sent.csv", CSV, "copy"),
    ]
    monkeypatch.setattr(data_files, "pinned", lambda: tuple(files))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    for variable in ("FINBENCH_DATA", "HF_HUB_OFFLINE", "FINBENCH_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    return files


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, content in CONTENT.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "data"
