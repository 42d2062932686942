"""The failures a user can act on.

Every message says what was found, where, and what to do next; `cli.py` prints it without a traceback and exits with
`exit_code`. A wrong answer is never an error: it is a grade.
"""


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
