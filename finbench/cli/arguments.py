"""Arguments that say what they take: numbers within bounds, a flag once, a typo with the flag that is near to it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from finbench.errors import UsageError


class Parser(argparse.ArgumentParser):
    """A parser that takes flags in full only, and whose errors are UsageErrors after the usage of that command."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        """The usage on standard error, then the failure."""
        self.print_usage(sys.stderr)
        raise UsageError(f"{message}; `{self.prog} --help` teaches the command")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:  # argparse's own shows the top's usage
        """The parsed words; what is unknown is refused by the command that it was given to."""
        words = list(sys.argv[1:] if args is None else args)
        found, unknown = self.parse_known_args(words, namespace)
        if unknown:
            command = self._command(words)
            command.error(f"unknown {' '.join(unknown)}{command.suggestion(unknown)}")
        return found

    def _command(self, words: Sequence[str]) -> Parser:
        """The parser of the command, or of its action, that the words name."""
        choices = {
            name: parser
            for action in self._actions
            if isinstance(action, argparse._SubParsersAction)
            for name, parser in action.choices.items()
        }
        for at, word in enumerate(words):
            if word in choices:
                chosen: Parser = choices[word]
                return chosen._command(words[at + 1 :])
        return self

    def suggestion(self, unknown: Sequence[str]) -> str:
        """What the first unknown flag was meant to be, or nothing."""
        flag = unknown[0].partition("=")[0]
        flags = [one for one in self._option_string_actions if one.startswith("--")]
        near = [one for one in flags if flag.startswith("--") and one.startswith(flag)]
        near = near or get_close_matches(flag, flags, n=1)
        return f"; did you mean {' or '.join(near[:3])}?" if near else ""


class Once(argparse.Action):
    """A flag that may be given once: of two values the last would win without a word."""

    _given: argparse.Namespace | None = None

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        """Store the value; refused when this parse has seen one."""
        if self._given is namespace:
            first = getattr(namespace, self.dest)
            raise argparse.ArgumentError(self, f"given twice ({first}, {values}); one command runs one of them")
        self._given = namespace
        setattr(namespace, self.dest, values)


def number(
    kind: type[int] | type[float], low: float, high: float | None = None, *, above: bool = False
) -> Callable[[Any], float]:
    """A reader of numbers from `low` (with `above`: over it) to `high`, for a flag and for a config file.

    >>> number(float, 0)("0.7"), number(int, 1)("12")
    (0.7, 12)
    >>> number(float, 0, 1, above=True)("0")
    Traceback (most recent call last):
    finbench.cli.arguments.Refused: takes numbers above 0 and up to 1
    """
    bounds = (f"above {low:g}" if above else f"from {low:g} on") + (f" and up to {high:g}" if high is not None else "")
    words = f"takes {'whole numbers' if kind is int else 'numbers'} {bounds}"

    def read(text: Any) -> float:
        try:
            value = kind(text)
        except (TypeError, ValueError):
            raise Refused(words) from None
        if not (value > low if above else value >= low) or (high is not None and value > high):
            raise Refused(words)
        return value

    return read


class Refused(argparse.ArgumentTypeError, ValueError):
    """A value that a flag does not take: argparse shows its words, a config file's reader expects a ValueError."""
