"""Files that a command writes: made with their folders, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from finbench.cli.files import write, writing
from finbench.errors import StoreError


def test_folders_are_made_and_line_ends_kept(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b.csv", "x\r\n± 1\n")
    assert (tmp_path / "a" / "b.csv").read_bytes() == "x\r\n± 1\n".encode()


@pytest.mark.parametrize("name", ["file/x", "folder"])
def test_what_cannot_be_written_is_named_with_its_reason(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match=f"{name}: cannot be written, ") as found:
        write(tmp_path / name, "x")
    assert found.value.exit_code == 4


def test_a_failure_of_another_file_on_the_way_is_named_too(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="other"), writing(tmp_path / "one"):
        raise OSError(28, "No space left on device", "other")
