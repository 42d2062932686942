"""The house has rooms on floors (the docstring of each says what is in it): a room imports lower rooms only, and of
another room only what its `__init__` lists. The doors at the top may enter every room."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "finbench"
FLOORS = ["text scores", "grading finqa", "audit tasks engines", "runs pages", "cli"]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms.split()}
DOORS = {"__init__", "__main__", "api", "grade", "lm_eval", "sources", "filings", "programs"}
GROUND = {"errors", "records", "sanitize", "serialize"}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "shipped" not in path.parts)


def imported(path: Path) -> set[tuple[str, ...]]:
    """The dotted names below finbench that a file imports, lazily or not."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)]
    dotted = [f"{node.module}.{alias.name}" for node in nodes if node.module for alias in node.names]
    return {tuple(name.split(".")[1:]) for name in dotted if name.startswith("finbench.")}


def listed(room: str) -> set[str]:
    """What the `__init__` of a room lists."""
    tree = ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))
    named = [node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"]
    return set(ast.literal_eval(named[0])) if named else {"main"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_lower_rooms_only_and_what_they_list(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for other, *names in imported(path):
        if other in FLOOR_OF and other != room:
            assert room in DOORS or FLOOR_OF[other] < FLOOR_OF.get(room, -1), f"{room} imports {other}"
            assert not names or names[0] in listed(other), f"{other}/__init__.py does not list {names[0]}"


@pytest.mark.parametrize("room", FLOOR_OF)
def test_every_room_says_what_it_is(room: str) -> None:
    text = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert "Read first" in text and "In go" in text
    for name in listed(room) - {"main", "grade", "stated_answer"}:
        assert (PACKAGE / room / f"{name}.py").is_file() or (PACKAGE / room / name).is_dir(), name


def test_the_top_of_the_package_is_rooms_doors_and_ground() -> None:
    top = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py"}
    assert top == DOORS | GROUND
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == set(FLOOR_OF)


def test_no_folder_holds_more_than_fifteen_files() -> None:
    for folder in {path.parent for path in FILES}:
        assert len([path for path in FILES if path.parent == folder]) <= 15, folder
