"""finbench: evaluation of language models on financial reasoning.

run = finbench.run("baseline/heuristic", ["finqa"], data="sample")
run.table(); run.samples("finqa")
finbench.grade("The margin was 14.2%.", "0.142", question="what is the margin?")
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Run", "__version__", "grade", "load", "run"]

if TYPE_CHECKING:
    from finbench.api import Run, grade, load, run


def __getattr__(name: str) -> Any:
    """The API, imported when first used."""
    if name in ("Run", "grade", "load", "run"):
        from finbench import api

        return getattr(api, name)
    raise AttributeError(f"module 'finbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The API's names, which are imported when first used, beside what is there."""
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """The API's names stay the API's: importing the module `finbench.grade` does not hide the function."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
