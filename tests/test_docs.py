"""The documentation's commands exist as written, its links lead somewhere, and the help page is the program's own help."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from finbench import cli

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
HELP = ROOT / "docs" / "cli.md"  # held against the program as a whole, below
PAGES += sorted((ROOT / "tasks").glob("*/README.md"))
BLOCK = re.compile(r"^```[a-z]*\n(.*?)^```", re.M | re.S)


def commands(path: Path) -> list[str]:
    """The finbench commands of a page's code blocks, continued lines joined, comments left out."""
    found = []
    for block in BLOCK.findall(path.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            line = line.strip().removeprefix("$ ")
            if line.startswith("finbench "):
                found.append(re.split(r" #| > | \| |   +", line)[0].strip())
    return found


# A "..." or a placeholder in capitals stands for words of the reader's own.
LISTED = sorted({(page.name, command) for page in PAGES if page != HELP for command in commands(page)})


@pytest.mark.parametrize(("page", "command"), LISTED, ids=lambda value: value[:70])
def test_every_command_of_the_docs_is_one_that_the_program_takes(page: str, command: str) -> None:
    words = shlex.split(command.replace("...", ""))[1:]
    if words and words[0].isupper():
        pytest.skip(f"{command}: a placeholder")
    name = next((word for word in words if word in cli.COMMANDS), None)
    if any(flag in words for flag in ("--help", "--version", "-h")):
        return
    assert name, f"{page}: {command}: no such command"
    try:
        cli.parser(name).parse_args(words)
    except SystemExit:
        pytest.fail(f"{page}: `{command}` is refused by the program")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


FOREIGN = set(
    "--apply_chat_template --build-arg --gpus --network --ulimit --gres --nodes --requeue".split()
)  # of lm-eval, podman, Slurm


@pytest.mark.parametrize("page", [page for page in PAGES if page != HELP], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_flag_in_a_sentence_is_one_of_the_programs(page: Path) -> None:
    known = FOREIGN | set(re.findall(r"--[a-z][a-z-]+", HELP.read_text("utf-8")))
    prose = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    spans = [span for span in re.findall(r"`([^`]+)`", prose) if not span.startswith(("python ", "hf "))]
    assert set(re.findall(r"--[a-z][a-z_-]+", " ".join(spans))) <= known


SCRIPTS = sorted({(page.name, path) for page in PAGES
                  for path in re.findall(r"\b(?:benchmarks|scripts)/\w+\.(?:py|sh)", page.read_text("utf-8"))})  # fmt: skip
TARGETS = sorted({(page.name, target) for page in PAGES
                  for target in re.findall(r"^make (\S+)|`make ([a-z-]+)`", page.read_text("utf-8"), re.M)})  # fmt: skip


@pytest.mark.parametrize(("page", "path"), SCRIPTS)
def test_the_scripts_of_the_docs_exist(page: str, path: str) -> None:
    assert (ROOT / path).is_file(), f"{page}: {path}"


@pytest.mark.parametrize(("page", "targets"), TARGETS)
def test_the_make_targets_of_the_docs_exist(page: str, targets: tuple[str, str]) -> None:
    (target,) = filter(None, targets)
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{page}: make {target}: {done.stderr}"


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="argparse formats its help differently in every Python")
def test_the_help_page_is_the_programs_own_help() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import runpy; print(runpy.run_path('scripts/write_cli_docs.py')['text'](), end='')"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == (ROOT / "docs" / "cli.md").read_text("utf-8"), "run: python scripts/write_cli_docs.py"


def test_help_and_version_import_nothing_heavy() -> None:
    heavy = "pandas sympy datasets matplotlib torch vllm lm_eval numpy scipy rich aiohttp jinja2".split()
    for words in (["--version"], ["--help"], ["run", "--help"]):
        code = (
            "import sys; from finbench.cli import main\n"
            f"try:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
            f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stderr.strip() == "[]", words
