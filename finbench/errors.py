"""The failures a user can act on.

Every message says what was found, where, and what to do next; `cli.py` prints it without a traceback and exits with
`exit_code`. A wrong answer is never an error: it is a grade.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class FinbenchError(Exception):
    """Any failure that finbench reports in words."""

    exit_code = 2


class UsageError(FinbenchError):
    """Flags or configuration that do not fit together."""


class TaskError(FinbenchError):
    """A task folder that cannot be loaded or rendered."""


class DataError(FinbenchError):
    """Rows that are missing, damaged or not the pinned ones."""


class StoreError(FinbenchError):
    """A run folder that is locked, damaged or belongs to other settings."""

    exit_code = 4


class EngineError(FinbenchError):
    """A model that cannot be loaded, or a server that cannot be reached."""

    exit_code = 4


@contextmanager
def run_files(where: object) -> Iterator[None]:
    """Around the reading of a run's files, which may be anybody's: what is missing or of another shape becomes a StoreError."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as err:
        raise StoreError(
            f"{where}: its files are damaged or not those of a run ({type(err).__name__}: {err}); "
            "`finbench score RUN` writes the files of a run again from its stored replies"
        ) from err


@contextmanager
def writing(path: object) -> Iterator[None]:
    """Around the writing of a file: what the disk or the folder refuses becomes a StoreError in words."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as err:
        raise StoreError(
            f"{path}: cannot be written ({err.strerror or err}); stored replies are kept. "
            "Make room or name another place, and run the same command again"
        ) from err


class NothingSelected(FinbenchError):
    """The selection of tasks or samples is empty."""

    exit_code = 5
