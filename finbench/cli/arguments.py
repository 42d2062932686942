"""Arguments that say what they take: numbers within bounds, a flag once, a typo with the flag that is near to it.

And flags in files: `--config FILE`, the config.yaml that `run --resume` reads, and what neither may do. Such a file may be
anybody's. What grants something (code of others, a server that gets a key, the variable that holds one) comes from the
command line only: a file that asks for it is refused with the flags to repeat, and what is repeated counts as it stands on
the command line. Files are written without keys, which are given again in the same way.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from finbench.errors import UsageError
from finbench.sanitize import REDACTED, redacted_setting

# --ray-address: whoever runs that cluster may send pickled Python; --model-args: may name servers, keys and remote code.
GRANTS = frozenset(
    "trust_task_code trust_task_data trust_remote_code include base_url judge_base_url api_key_env model_args "
    "ray_address".split()
)
NOT_KEPT = frozenset("command main config save_config resume dry_run json quiet debug".split())


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


# Flags in files


def read_file(command: argparse.ArgumentParser, given: argparse.Namespace, path: Path) -> dict[str, Any]:
    """The values of a YAML file by the flags' own names and types, without those that the command line has to repeat.

    `given` is what the command line alone says. UsageError names the key that no flag has, or whose value does not fit,
    or every flag that has to be repeated.
    """
    actions = {action.dest: action for action in command._actions}
    values: dict[str, Any] = {}
    missing: list[str] = []
    for key, value in _mapping(path).items():
        name = str(key).replace("-", "_").lstrip("_")
        if name not in actions or name in NOT_KEPT:
            flags = f"keys are the flags of `finbench {command.prog.split()[-1]}`"
            raise UsageError(f"{path}: unknown key {str(key)[:80]!r}; {flags}")
        found = _typed(actions[name], key, value, path)
        if name not in GRANTS and not _holds(found, REDACTED):
            values[name] = found
        elif found not in (None, False, "", []) and getattr(given, name) == command.get_default(name):
            missing.append(_repeated(name, found))
    if missing:
        raise UsageError(
            f"{path}: asks for what only the command line grants, or was stored without its key. If you want it, "
            f"give again: {' '.join(missing)}"
        )
    return values


def _mapping(path: Path) -> Mapping[Any, Any]:
    import yaml

    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise UsageError(f"{path}: cannot be read ({err.strerror or err})") from err
    except (
        ValueError,
        AttributeError,
        RecursionError,
        yaml.YAMLError,
    ) as err:  # what PyYAML raises for bad scalars, too
        raise UsageError(f"{path}: cannot be read as YAML ({' '.join(str(err).split())[:300]})") from err
    if not isinstance(given, dict):
        raise UsageError(f"{path}: holds {type(given).__name__}, expected flags as keys, such as `model: NAME`")
    return given


def _typed(action: argparse.Action, key: object, value: Any, path: Path) -> Any:
    """A value of the file as the flag's own parser would give it."""
    if value is None:
        return action.default
    if isinstance(action, argparse._AppendAction):
        return [_scalar(action, key, item, path) for item in (value if isinstance(value, list) else [value])]
    if action.dest == "tasks" and isinstance(value, list):
        return ",".join(str(_scalar(action, key, item, path)) for item in value)
    return _scalar(action, key, value, path)


def _scalar(action: argparse.Action, key: object, value: Any, path: Path) -> Any:
    if not isinstance(value, str | int | float):
        raise UsageError(f"{path}: {key} holds {type(value).__name__}, expected one value as on the command line")
    if action.nargs == 0:  # a switch
        if not isinstance(value, bool):
            raise UsageError(f"{path}: {key} is {value!r}, expected true or false")
        return value
    if action.choices and value not in action.choices:
        raise UsageError(f"{path}: {key} is {value!r}, choose from {', '.join(map(str, action.choices))}")
    kind: Any = action.type or str
    try:
        return kind(str(value))
    except (TypeError, ValueError, OverflowError) as err:
        raise UsageError(f"{path}: {key} is {str(value)[:80]!r} ({err})") from err


def _holds(value: object, text: str) -> bool:
    return any(text in str(item) for item in (value if isinstance(value, list) else [value]))


def _repeated(name: str, value: object) -> str:
    """The flags to type; a key that was taken out of a value stands there as [redacted]."""
    flag = "--" + name.replace("_", "-")
    if value is True:
        return flag
    kept = redacted_setting(name, value) if name != "api_key_env" else value
    return " ".join(f"{flag} {shlex.quote(str(item))}" for item in (kept if isinstance(kept, list) else [kept]))


def flags_of(args: argparse.Namespace) -> dict[str, Any]:
    """The flags that say something, as the keys of a config file, without keys and passwords."""
    return {
        key: redacted_setting("", str(value) if isinstance(value, Path) else value)
        for key, value in sorted(vars(args).items())
        if key not in NOT_KEPT and value not in (None, False, [], "")
    }


def write_file(path: Path, args: argparse.Namespace) -> None:
    """What `--config` and `--resume` read."""
    import yaml

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(flags_of(args), allow_unicode=True), encoding="utf-8")
