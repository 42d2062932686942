"""Why a store is not opened or written: in words, with what to do."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finbench.errors import StoreError


def lock(path: Path) -> Any:
    """The lock file of a run folder, held for this process until it is closed; it tells others which process that is.

    Raises StoreError while another process holds it.
    """
    handle = path.open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as err:
        handle.seek(0)
        holder = handle.read().strip() or "another process"
        handle.close()
        raise StoreError(
            f"{path.parent}: process {holder} is writing this run; wait for it, or give another --output"
        ) from err
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()
    return handle


def other_settings(folder: Path, stored: Any, wanted: Any) -> None:
    """Raises StoreError with every setting that differs between the run in a folder and the one asked for."""
    differences = list(_differences(stored, wanted))
    if differences:
        raise StoreError(
            f"{folder}: holds a run with other settings:\n"
            + "\n".join(f"  {line}" for line in differences)
            + "\nGive these settings to continue it, or another --output for a new run."
        )


def _differences(stored: Any, wanted: Any, name: str = "") -> Iterator[str]:
    if isinstance(stored, dict) and isinstance(wanted, dict):
        for key in sorted(set(stored) | set(wanted)):
            yield from _differences(stored.get(key), wanted.get(key), f"{name}.{key}" if name else key)
    elif stored != wanted:
        yield f"{name}: {stored!r} there, {wanted!r} asked for"


def damaged(path: Path, err: Exception) -> StoreError:
    """SQLite could not open the file."""
    return StoreError(
        f"{path}: SQLite cannot read it ({err}); `sqlite3 {path.name} .recover` may save replies, "
        "or give another --output to begin again"
    )


def other_schema(path: Path, found: str, known: int) -> StoreError:
    """The tables of another version of finbench."""
    return StoreError(
        f"{path}: written by another version of finbench (schema {found[:20]!r}, this one reads 1 to {known}); "
        "use that version, or give another --output"
    )


def without_digests(path: Path) -> None:
    """Said once, when a store of an older finbench is opened for writing and gets its digests."""
    logging.getLogger("finbench").warning(
        "%s: written before replies had digests; they have them from now on. What was damaged before shows only where it "
        "cannot be read",
        path,
    )


def cannot_write(path: Path, err: Exception) -> StoreError:
    """SQLite could not write to it: a full disk, a folder that is gone."""
    return StoreError(
        f"{path}: cannot be written ({err}); all replies before the last second are kept. "
        "Make room or restore the folder, and run the same command again"
    )
