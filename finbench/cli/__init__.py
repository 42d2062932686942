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

from finbench.cli.arguments import Parser, read_file
from finbench.errors import FinbenchError, StoreError
from finbench.sanitize import redact, secrets_in

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
        return int(args.main(_with_files(top, words, args)))
    except FinbenchError as err:
        if "--debug" in words:
            raise
        _say(redact(f"finbench: {err}", secrets_in(words)))
        return err.exit_code
    except BrokenPipeError:  # `finbench ... | head`: the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as err:  # a full disk, a folder that is gone or that nobody may write to, wherever it shows
        if "--debug" in words:
            raise
        where = f"{err.filename}: " if err.filename else ""
        _say(f"finbench: {where}{err.strerror or err}; what was stored is kept, the same command continues")
        return StoreError.exit_code
    except KeyboardInterrupt:
        _say("finbench: stopped; everything answered so far is kept, the same command continues")
        return 130


def _with_files(top: argparse.ArgumentParser, words: Sequence[str], args: argparse.Namespace) -> argparse.Namespace:
    """Parse again with the values of `--resume` and `--config` as defaults, so that flags win over both."""
    files = [args.resume / "config.yaml"] if getattr(args, "resume", None) else []
    files += [args.config] if getattr(args, "config", None) else []
    if not files:
        return args
    command = _subparser(top, words)
    for path in files:
        command.set_defaults(**read_file(command, args, path))
    return top.parse_args(list(words))


def _subparser(top: argparse.ArgumentParser, words: Sequence[str]) -> argparse.ArgumentParser:
    subparsers = next(a for a in top._actions if isinstance(a, argparse._SubParsersAction))
    command: argparse.ArgumentParser = next(subparsers.choices[word] for word in words if word in subparsers.choices)
    return command


def _say(text: str) -> None:
    from finbench.sanitize import shown

    print("\n".join(shown(line) for line in text.split("\n")), file=sys.stderr)
