"""The one jinja environment that task templates are rendered in: cached, sandboxed, with bounded output.

lm-eval compiles a template again for every document and does not sandbox it (its `utils.env`); `install` puts ours in
that place. `tests/test_sandbox.py` fails when lm-eval stops using that name.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError

MAX_OUTPUT = 4_000_000  # characters of one rendered prompt; FinQA's longest is under 10,000
MAX_REPEAT = 100_000  # elements that a `*` inside a template may make


class BoundedTemplate(Template):
    """A template whose rendering stops when the output grows past `MAX_OUTPUT`."""

    def render(self, *args: Any, **kwargs: Any) -> str:
        parts: list[str] = []
        size = 0
        for part in self.generate(*args, **kwargs):
            size += len(part)
            if size > MAX_OUTPUT:
                raise SecurityError(f"the template writes more than {MAX_OUTPUT:,} characters")
            parts.append(part)
        return "".join(parts)


class TaskEnvironment(ImmutableSandboxedEnvironment):
    """Sandboxed, strict about missing fields, without globals, and each template compiled once."""

    template_class = BoundedTemplate
    intercepted_binops = frozenset(["*", "**"])

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, keep_trailing_newline=True)
        self.globals = {"range": self.globals["range"]}
        self._compiled = lru_cache(maxsize=512)(super().from_string)

    def from_string(self, source: Any, *args: Any, **kwargs: Any) -> Template:
        if args or kwargs or not isinstance(source, str):
            return super().from_string(source, *args, **kwargs)
        return self._compiled(source)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "**":
            raise SecurityError("`**` is not allowed in a template")
        sizes = [len(side) for side in (left, right) if hasattr(side, "__len__")]
        counts = [side for side in (left, right) if isinstance(side, int)]
        if sizes and counts and sizes[0] * max(counts) > MAX_REPEAT:
            raise SecurityError(f"`*` in a template would make more than {MAX_REPEAT:,} elements")
        return left * right


@lru_cache(maxsize=1)
def environment() -> TaskEnvironment:
    """The environment that every prompt of this process is rendered in."""
    env = TaskEnvironment()
    from lm_eval.utils import regex_replace

    env.filters["regex_replace"] = regex_replace  # the one filter that lm-eval adds to jinja's own
    return env


def install() -> None:
    """Make lm-eval render with `environment()`; harmless when called again."""
    from lm_eval import utils

    utils.env = environment()


__all__ = ["SecurityError", "TaskEnvironment", "TemplateError", "environment", "install"]
