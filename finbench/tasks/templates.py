"""The jinja environment that task templates are rendered in: cached, sandboxed, with bounded output.

lm-eval compiles a template again for every document and does not sandbox it (its `utils.env`); `install` puts ours in
that place. Templates of finbench's and lm-eval's own tasks are rendered in this process; all others, which may loop for
hours or fill the memory without writing a character, in one beside it with limits (rendering.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from functools import lru_cache, wraps
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from finbench.tasks.trust import rendering

MAX_OUTPUT = 4_000_000  # characters of one rendered prompt; FinQA's longest is under 10,000
MAX_REPEAT = 100_000  # elements that a `*` inside a template may make


# Methods of a text that can make a far longer one out of a small number or a short text.
GROWING = frozenset("ljust rjust center zfill expandtabs replace format format_map join".split())
_WIDTH = re.compile(r"\d{6}|\*")


def _refuse_growth(text: str, arguments: Iterable[Any]) -> None:
    """SecurityError for a width of six digits, or for two texts whose product passes the limit of a prompt."""
    for argument in arguments:
        if isinstance(argument, int) and abs(argument) > MAX_REPEAT:
            raise SecurityError(f"a template asks for a text of {argument:,} characters")
        if hasattr(argument, "__len__") and len(argument) * max(len(text), 1) > MAX_OUTPUT:
            raise SecurityError(f"a template would make more than {MAX_OUTPUT:,} characters")
    if "%" in text or "{" in text:
        fields = re.findall(r"%[^%a-zA-Z]*|\{[^{}]*\}", text)
        if any(_WIDTH.search(field) for field in fields):
            raise SecurityError("a template formats with a width of six digits or more")


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter of jinja's that refuses to make a text beyond the limits."""

    @wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        texts = [arg for arg in args if isinstance(arg, str)]
        _refuse_growth(texts[0] if texts else "", [*args[1:], *kwargs.values()])
        return function(*args, **kwargs)

    return bounded


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
    intercepted_binops = frozenset(["*", "**", "%"])

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, keep_trailing_newline=True)
        self.globals = {"range": self.globals["range"]}
        for name in ("center", "indent", "format", "replace"):
            self.filters[name] = _bounded(self.filters[name])
        self._compiled = lru_cache(maxsize=512)(super().from_string)

    def from_string(self, source: Any, *args: Any, **kwargs: Any) -> Template:
        if args or kwargs or not isinstance(source, str):
            return super().from_string(source, *args, **kwargs)
        return self._compiled(source)

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """A plain dictionary: reading jinja's chain of two costs as much as a whole rendering."""
        return {**self.globals, **(d or {})}

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None
        text = value.__self__

        @wraps(wrapped)
        def checked(*args: Any, **kwargs: Any) -> str:
            _refuse_growth(text, ())
            return wrapped(*args, **kwargs)

        return checked

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(__obj, "__name__", "") in GROWING and isinstance(getattr(__obj, "__self__", None), str):
            _refuse_growth(__obj.__self__, args)
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "**":
            raise SecurityError("`**` is not allowed in a template")
        if operator == "%":
            if isinstance(left, str):
                _refuse_growth(left, ())
            return left % right
        sizes = [len(side) for side in (left, right) if hasattr(side, "__len__")]
        counts = [side for side in (left, right) if isinstance(side, int)]
        if sizes and counts and sizes[0] * max(counts) > MAX_REPEAT:
            raise SecurityError(f"`*` in a template would make more than {MAX_REPEAT:,} elements")
        return left * right


@lru_cache(maxsize=1)
def environment() -> TaskEnvironment:
    """The environment that prompts are rendered in, whichever the process."""
    env = TaskEnvironment()
    env.filters["regex_replace"] = regex_replace
    return env


def regex_replace(string: str, pattern: str, repl: str, count: int = 0) -> str:
    """The one filter that lm-eval adds to jinja's own (its utils.py)."""
    return re.sub(pattern, repl, string, count=count)


# -- whose template --------------------------------------------------------------------------------------------------

_OWN: set[str] = set()  # templates of tasks that come with finbench or lm-eval


def allow_in_process(values: Iterable[Any]) -> None:
    """From now on, render the templates among these settings in this process: they come with finbench or lm-eval."""
    for value in values:
        if isinstance(value, str):
            _OWN.add(value)
        elif isinstance(value, Mapping):
            allow_in_process(value.values())
        elif isinstance(value, list | tuple):
            allow_in_process(value)


class Chosen:
    """What stands at lm-eval's `utils.env`: the environment here for templates of ours, the process beside for others."""

    def from_string(self, source: str) -> Any:
        """Something with a `render(**fields)`."""
        return environment().from_string(source) if source in _OWN else rendering.Confined(source)


def install() -> None:
    """Make lm-eval render through `Chosen`; harmless when called again."""
    from lm_eval import utils

    utils.env = Chosen()


__all__ = ["SecurityError", "TaskEnvironment", "TemplateError", "allow_in_process", "environment", "install"]
