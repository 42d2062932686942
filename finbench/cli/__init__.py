"""The `finbench` program: parses, calls one command, turns failures into words and exit codes.

In go the words of a command line; out come results on standard output, progress on standard error, and an exit code. One
file per command adds its flags and runs it; heavy imports wait until it does. Read first: this file, then run.py.
console.py draws tables and progress. Nothing of finbench imports this room but the doors.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finbench.cli.arguments import Parser
from finbench.errors import FinbenchError, UsageError

COMMANDS = {
    "run": "run a model on benchmarks and compare",
    "score": "grade stored replies again, or those of another tool",
    "compare": "two or more runs, question by question",
    "report": "write the HTML and Markdown report of a run",
    "leaderboard": "build one HTML page from runs and published results",
    "audit": "what stands behind a score: benchmark rows in training files",
    "tasks": "list, show, make and check tasks",
    "data": "list, fetch, verify, pack and unpack benchmark data",
    "doctor": "what this machine has and what is missing",
    "completion": "print a completion script for your shell",
}

atexit.register(gc.freeze)  # or the last collections walk through every object of every library: up to half a second


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """The parser; with `only`, the flags of that one command (the others are named, not built)."""
    top = Parser(
        prog="finbench",
        description="Evaluation of language models on financial reasoning.",
        epilog="`finbench COMMAND --help` teaches a command. Start with: finbench run --model baseline/heuristic --data sample",
    )
    top.add_argument("--version", action="version", version=f"finbench {version()}")
    top.add_argument("--debug", action="store_true", help="show tracebacks")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text)
        if only is None or only == name:
            module = importlib.import_module(f"finbench.cli.{name}")
            module.add(command)
            command.set_defaults(main=module.main)
    return top


def version() -> str:
    """The version of the installed finbench."""
    from finbench import __version__

    return __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 shows \xb1 for a plus-minus sign
    chosen = next((word for word in words if word in COMMANDS), None)
    top = parser(chosen or "")
    try:
        args = top.parse_args(words)
        if not chosen:
            top.print_help()
            return 2
        if getattr(args, "config", None):
            args = _with_config(top, words, args.config)
        return int(args.main(args))
    except FinbenchError as err:
        if "--debug" in words:
            raise
        _say(f"finbench: {err}")
        return err.exit_code
    except BrokenPipeError:  # `finbench ... | head`: the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        _say("finbench: stopped; everything answered so far is kept, the same command continues")
        return 130


def _with_config(top: argparse.ArgumentParser, words: Sequence[str], path: Path) -> argparse.Namespace:
    """Parse again with the values of a YAML file as defaults, so that flags win over it."""
    import yaml

    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
        raise UsageError(f"{path}: cannot be read as YAML ({err})") from err
    if not isinstance(given, dict):
        raise UsageError(f"{path}: holds {type(given).__name__}, expected flags as keys, such as `model: NAME`")
    command = _subparser(top, words)
    actions: dict[str, Any] = {action.dest: action for action in command._actions}
    for key, value in given.items():
        name = str(key).replace("-", "_").lstrip("_")
        if name not in actions:
            raise UsageError(
                f"{path}: unknown key {key!r}; keys are the flags of `finbench {command.prog.split()[-1]}`"
            )
        action = actions[name]
        if isinstance(action, argparse._AppendAction) and not isinstance(value, list):
            value = [value]
        if name == "tasks" and isinstance(value, list):
            value = ",".join(map(str, value))
        if action.choices and value not in action.choices:
            raise UsageError(f"{path}: {key} is {value!r}, choose from {', '.join(map(str, action.choices))}")
        try:
            value = action.type(value) if action.type and value is not None and not isinstance(value, list) else value
        except (TypeError, ValueError) as err:
            raise UsageError(f"{path}: {key} is {value!r} ({err})") from err
        command.set_defaults(**{name: value})
    return top.parse_args(list(words))


def _subparser(top: argparse.ArgumentParser, words: Sequence[str]) -> argparse.ArgumentParser:
    subparsers = next(a for a in top._actions if isinstance(a, argparse._SubParsersAction))
    command: argparse.ArgumentParser = next(subparsers.choices[word] for word in words if word in subparsers.choices)
    return command


def _say(text: str) -> None:
    from finbench.sanitize import shown

    print("\n".join(shown(line) for line in text.split("\n")), file=sys.stderr)
