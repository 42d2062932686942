"""Files that a command writes where the user said: made with their folders, or refused in one line with exit code 4."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from finbench.errors import StoreError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Around what writes `path`: its folder is made before; StoreError when the system refuses either."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as err:
        where = f" ({err.filename})" if err.filename and str(err.filename) != str(path) else ""
        raise StoreError(
            f"{path}: cannot be written, {err.strerror or err}{where}; name a file in a folder that you may write to"
        ) from err


def write(path: Path, text: str) -> None:
    """Write a text as UTF-8 with the line ends that it has; StoreError as `writing`."""
    with writing(path):
        path.write_text(text, encoding="utf-8", newline="\n")
