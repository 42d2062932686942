"""What the shape of the code is, in numbers: rooms, files, complexity. `python scripts/measure_code.py [FOLDER]`.

Complexity counts a function's branches, boolean operators and comprehensions, plus one; nested functions count for
themselves too. Branches per statement is the median over functions of ten statements or more.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

BRANCHES = (ast.If, ast.For, ast.While, ast.IfExp, ast.ExceptHandler, ast.comprehension, ast.Assert, ast.With)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def branches(function: ast.AST) -> int:
    """Branches, boolean operators and comprehensions inside a function."""
    return sum(
        isinstance(node, BRANCHES) + (len(node.values) - 1 if isinstance(node, ast.BoolOp) else 0)
        for node in ast.walk(function)
    )


def functions(trees: dict[Path, ast.Module]) -> Iterator[tuple[Path, ast.AST, int, int]]:
    """(file, function, complexity, statements) of every function and method."""
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, FUNCTIONS):
                statements = sum(isinstance(inner, ast.stmt) for inner in ast.walk(node)) - 1
                yield path, node, 1 + branches(node), statements


def arrows(package: Path, trees: dict[Path, ast.Module]) -> set[tuple[str, str]]:
    """(room, room it imports), lazy imports included."""
    rooms = {path.name for path in package.iterdir() if (path / "__init__.py").is_file()}
    found = set()
    for path, tree in trees.items():
        room = path.relative_to(package).parts[0]
        for node in ast.walk(tree):
            if room in rooms and isinstance(node, ast.ImportFrom) and (node.module or "").startswith(package.name):
                named = [f"{node.module}.{alias.name}".split(".")[1] for alias in node.names]
                found |= {(room, other) for other in named if other in rooms and other != room}
    return found


def patterns(trees: dict[Path, ast.Module]) -> list[int]:
    """The lengths of the texts given to `re` functions as they stand in the code."""
    lengths = []
    for tree in trees.values():
        for node in ast.walk(tree):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and getattr(called.value, "id", "") == "re" and node.args:
                texts = [part.value for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)]
                lengths.append(sum(len(text) for text in texts if isinstance(text, str)))
    return lengths


def main(package: Path) -> None:
    """Print the measures of a package."""
    files = [path for path in sorted(package.rglob("*.py")) if "shipped" not in path.parts]
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}
    folders = Counter(path.parent for path in files)
    classes = defaultdict(set)
    for path, tree in trees.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                classes[node.name].add(path)
    measured = list(functions(trees))
    shares = defaultdict(list)
    for path, node, _, statements in measured:
        if statements >= 10:
            shares["all"].append(branches(node) / statements)
            shares[path.relative_to(package).parts[0]].append(branches(node) / statements)
    dense = [sum(complexity > most for _, _, complexity, _ in measured) for most in (15, 20)]
    regexes = patterns(trees)
    lines = [path.read_text(encoding="utf-8").count("\n") for path in files]
    shown = [path for path in package.iterdir() if not re.match(r"__pycache__|shipped", path.name)]
    for name, value in {
        "entries in the package's folder": len(shown),
        "files, lines, longest file": f"{len(files)}, {sum(lines)}, {max(lines)}",
        "widest folder, files": max(folders.values()),
        "arrows between rooms": len(arrows(package, trees)),
        "functions over complexity 15, over 20": f"{dense[0]}, {dense[1]}",
        "branches per statement, median": f"{statistics.median(shares['all']):.2f}",
        "class names in two modules": sum(len(paths) > 1 for paths in classes.values()),
        "patterns, characters, over 200": f"{len(regexes)}, {sum(regexes)}, {sum(n > 200 for n in regexes)}",
    }.items():
        print(f"{name:42} {value}")
    for room, found in sorted(shares.items()):
        print(f"  branches per statement in {room:16} {statistics.median(found):.2f}  ({len(found)} functions)")
    for path, node, complexity, _ in sorted(measured, key=lambda one: -one[2])[:40]:
        print(f"  {complexity:3}  {path.relative_to(package)}:{node.lineno} {node.name}")
    for name, paths in sorted(classes.items()):
        if len(paths) > 1:
            print(f"  class {name}: {', '.join(str(path.relative_to(package)) for path in sorted(paths))}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "finbench"))
