"""Do the tests notice when the code is changed? Small changes, one at a time, and the share of them that a test fails on.

    python benchmarks/mutation.py                                   # scores, grading, runs/scoring; 20 changes a module
    python benchmarks/mutation.py --module finbench/scores --n 40 --seed 1

A change flips a comparison, adds one to a number, negates a condition, turns `and` into `or`, + into -, or returns nothing.
Each runs in a copy of the repository against the module's own tests: tests/<room>/test_<module>.py and the module's
doctests, or where there is no such file every test file that imports the module; the reader's modules also against the
tables of replies. A change that survives is printed; some
are equivalent, as one in a number that bounds a cache. A run that takes longer than --limit seconds hangs, and counts as
killed.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
COPIED = ("finbench", "tests", "tasks", "benchmarks", "docs", "leaderboards", "scripts")  # and the files beside them
TABLES = ("grading/test_cases.py", "grading/kinds/test_number.py")  # the tests of the reader are tables of replies
Change = tuple[int, str, Callable[[], None], Callable[[], None]]  # line, what in words, do it, undo it

COMPARED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
COMPUTED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}  # fmt: skip


def changes(tree: ast.Module) -> Iterator[Change]:
    """All changes of a module, in order; type hints, decorators and texts are left alone."""

    def put(node: ast.AST, name: str, value: object, what: str) -> Change:
        old = getattr(node, name)
        return getattr(node, "lineno", 0), what, lambda: setattr(node, name, value), lambda: setattr(node, name, old)

    for node in code(tree):
        if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
            new = COMPARED[type(node.ops[0])]
            what = f"{type(node.ops[0]).__name__} -> {new.__name__}"
            yield put(node, "ops", [new(), *node.ops[1:]], what)
        elif isinstance(node, ast.BinOp) and type(node.op) in COMPUTED:
            new = COMPUTED[type(node.op)]
            yield put(node, "op", new(), f"{type(node.op).__name__} -> {new.__name__}")
        elif isinstance(node, ast.BoolOp):
            new = ast.Or if isinstance(node.op, ast.And) else ast.And
            yield put(node, "op", new(), f"{type(node.op).__name__} -> {new.__name__}")
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield put(node, "value", node.value + 1, f"{node.value} -> {node.value + 1}")
        elif isinstance(node, ast.If | ast.IfExp | ast.While):
            yield put(node, "test", ast.UnaryOp(ast.Not(), node.test), "the condition negated")
        elif isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "None":
            yield put(node, "value", ast.Constant(None), f"return {ast.unparse(node.value)[:50]} -> return None")


def code(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that decide something when the module runs."""
    yield node
    for name, field in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in field if isinstance(field, list) else [field]:
            hints_only = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
            if isinstance(child, ast.AST) and not hints_only:
                yield from code(child)


def tests_of(module: Path, root: Path) -> list[str]:
    """The files that test a module, its doctests first: its own test file, or else all that import it."""
    room, name = module.relative_to("finbench").parent, module.stem
    own = root / "tests" / room / f"test_{name}.py"
    dotted = re.escape(".".join(("finbench", *room.parts)))
    importing = re.compile(rf"{dotted}\.{name}\b|from {dotted} import .*\b{name}\b")
    found = [own] if own.is_file() else sorted(
        path for path in (root / "tests").rglob("test_*.py") if importing.search(path.read_text(encoding="utf-8"))
    )  # fmt: skip
    found += [root / "tests" / path for path in TABLES if room.parts[:1] == ("grading",)]
    return [str(module), *dict.fromkeys(str(path.relative_to(root)) for path in found)]


def passes(root: Path, tests: list[str], limit: float) -> bool:
    """Do all these tests pass? No when they take longer than the limit."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ran = subprocess.run(command, cwd=root, capture_output=True, timeout=limit, check=False, env=environment)
    except subprocess.TimeoutExpired:
        return False
    return ran.returncode == 0


def measure(module: Path, root: Path, n: int, seed: int, limit: float) -> tuple[int, int]:
    """(changes killed, changes tried) of one module; survivors are printed."""
    path, tests = root / module, tests_of(module, root)
    source = path.read_text(encoding="utf-8")
    if not passes(root, tests, 10 * limit):
        print(f"{module}: its tests fail without any change: {' '.join(tests)}")
        return 0, 0
    tree = ast.parse(source)
    every = list(changes(tree))
    drawn = random.Random(f"{seed}/{module}").sample(every, min(n, len(every)))
    killed = 0
    for line, what, do, undo in sorted(drawn, key=lambda change: change[0]):
        do()
        path.write_text(ast.unparse(ast.fix_missing_locations(tree)), encoding="utf-8")
        undo()
        survived = passes(root, tests, limit)
        killed += not survived
        if survived:
            print(f"  survived  {module}:{line}  {what}", flush=True)
    path.write_text(source, encoding="utf-8")
    print(f"{module}: {killed} of {len(drawn)} killed ({len(every)} changes there are)", flush=True)
    return killed, len(drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", action="append", help="a file or a folder of finbench (default: the three rooms)")
    parser.add_argument("--n", type=int, default=20, help="changes a module")
    parser.add_argument("--seed", type=int, default=20250320)
    parser.add_argument("--limit", type=float, default=120, help="seconds after which a run hangs")
    args = parser.parse_args()
    named = args.module or ["finbench/scores", "finbench/grading", "finbench/runs/scoring.py"]
    modules = [
        path.relative_to(ROOT)
        for name in named
        for path in (sorted((ROOT / name).rglob("*.py")) if (ROOT / name).is_dir() else [ROOT / name])
        if path.name != "__init__.py"
    ]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in COPIED:
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        for path in ROOT.iterdir():
            if path.is_file() and path.name != ".git":
                shutil.copy(path, root / path.name)
        found = [measure(module, root, args.n, args.seed, args.limit) for module in modules]
    killed, tried = (sum(column) for column in zip(*found, strict=True))
    print(f"{killed} of {tried} killed ({100 * killed / max(1, tried):.0f} %)")


if __name__ == "__main__":
    main()
