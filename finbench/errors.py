"""The failures a user can act on.

Every message says what was found, where, and what to do next; `cli.py` prints it without a traceback (`--debug` shows
one) and exits with `exit_code`. A wrong answer is never an error: it is a grade.

Two boundaries turn what others and the machine did into such failures: `foreign` around everything that reads a file
which somebody else may have written, `writing` around everything that leaves a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager


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


class NothingSelected(FinbenchError):
    """The selection of tasks or samples is empty."""

    exit_code = 5


@contextmanager
def foreign(where: object, error: type[FinbenchError] = DataError, hint: str = "") -> Iterator[None]:
    """Around the reading of a file that may be anybody's: whatever goes wrong becomes `error`, "WHERE: what; hint".

    Everything is caught on purpose, and only here: the shapes that a foreign file can have are not to be foreseen
    (too deep, too long a number, a list where a mapping was). Our own failures pass as they are.
    """
    try:
        yield
    except (FinbenchError, BrokenPipeError):
        raise
    except Exception as err:
        raise error(f"{where}: {in_words(err)}" + (f"; {hint}" if hint else "")) from err


def run_files(where: object) -> AbstractContextManager[None]:
    """`foreign` for the files of a run folder: what is missing or of another shape becomes a StoreError."""
    return foreign(
        f"{where}: its files are damaged or not those of a run",
        StoreError,
        "`finbench score RUN` writes the files of a run again from its stored replies",
    )


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


def in_words(err: BaseException) -> str:
    """What an exception says of the file that caused it.

    >>> in_words(KeyError("tasks")), in_words(RecursionError("maximum ..."))
    ("lacks 'tasks'", 'is nested too deeply')
    """
    if isinstance(err, KeyError):
        return f"lacks {err}"
    if isinstance(err, RecursionError):
        return "is nested too deeply"
    if isinstance(err, UnicodeDecodeError):
        return f"byte {err.start} is not UTF-8"
    if isinstance(err, OSError):
        return f"cannot be read ({err.strerror or err})"
    return f"cannot be read ({type(err).__name__}: {err})"[:400]
