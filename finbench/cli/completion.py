"""`finbench completion`: a script that teaches a shell finbench's words."""

from __future__ import annotations

import argparse
import importlib

EPILOG = """\
examples:
  finbench completion bash > ~/.local/share/bash-completion/completions/finbench
  finbench completion zsh > ~/.zfunc/_finbench          (with fpath+=~/.zfunc in ~/.zshrc)

Needs shtab: pip install 'finbench[completion]'
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The flags of `finbench completion`."""
    parser.description = "Print a completion script for your shell."
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("shell", choices=["bash", "zsh", "tcsh"], help="the shell to write for")


def main(args: argparse.Namespace) -> int:
    """Print the script; the exit code."""
    from finbench.errors import UsageError

    try:
        import shtab
    except ImportError as err:
        raise UsageError("completion needs the package shtab: pip install 'finbench[completion]'") from err
    program = importlib.import_module("finbench.cli")  # one floor up, like every parser: it holds all commands
    print(shtab.complete(program.parser(), shell=args.shell))
    return 0
