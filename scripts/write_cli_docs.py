"""Write docs/cli.md: the help of every command, as the program prints it. `tests/test_docs.py` checks that it is current."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

TARGET = Path(__file__).parent.parent / "docs" / "cli.md"
HEAD = """\
# Commands

The help of every command, as `finbench COMMAND --help` prints it (written by `python scripts/write_cli_docs.py`).
"""


def text() -> str:
    """The page."""
    os.environ["COLUMNS"] = "110"
    from finbench.cli import COMMANDS, parser

    parts = [HEAD, f"\n## finbench\n\n```text\n{parser('').format_help().rstrip()}\n```\n"]
    for name in COMMANDS:
        top = parser(name)
        subparsers = next(action for action in top._actions if isinstance(action, argparse._SubParsersAction))
        for command, help_text in helps(f"finbench {name}", subparsers.choices[name]):
            parts.append(f"\n## {command}\n\n```text\n{help_text.rstrip()}\n```\n")
    return "".join(parts)


def helps(name: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """(command, its help), the command itself first, then its sub-commands."""
    yield name, parser.format_help()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub, inner in action.choices.items():
                yield from helps(f"{name} {sub}", inner)


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
