"""What `make` installs is pinned file by file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def pinned(name: str) -> dict[str, str]:
    """Package -> version of a requirements file."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = [re.match(r"([A-Za-z0-9_.-]+)==([^ ;\\]+)", line) for line in lines]
    return {re.sub(r"[-_.]+", "-", one[1]).lower(): one[2] for one in found if one}


@pytest.mark.parametrize("name", ["locks/run.txt", "locks/all.txt"])
def test_every_package_of_a_lock_has_its_hashes_and_the_constrained_version(name: str) -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / name).read_text(encoding="utf-8").strip())
    assert len(entries) > 60
    assert not [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry]
    wanted, there = pinned("constraints.txt"), pinned(name)
    assert {package: version for package, version in there.items() if wanted.get(package, version) != version} == {}


def test_the_lock_of_the_tests_holds_the_lock_of_the_run() -> None:
    run, everything = pinned("locks/run.txt"), pinned("locks/all.txt")
    assert run.items() <= everything.items()


def test_make_installs_by_hash_only() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = [line for line in text.splitlines() if "pip install" in line and ".venv-sbom" not in line]
    assert installs and all("--no-deps" in line for line in installs)
    assert "--require-hashes" in text
