"""A module imports only from the floors below its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "finbench"

# From the ground up. What stands on one floor does not know its neighbours.
FLOORS = [
    {"errors"},
    {"records", "names", "refusals"},
    {"characters", "closed_form", "numerals", "figures", "stats", "stated", "codec"},  # letters, numerals, sums
    {"units", "wording", "replies", "discourse", "recompute"},  # the words around a number, the parts of a reply
    {"statements", "equations", "digits"},
    {"arranged"},
    {"sentences"},
    {
        "quantity",
        "extract",
        "significance",
        "calculations",
        "origins",
    },  # text -> number, reply -> answer, scores -> difference
    {
        "rows",
        "sources",
        "programs",
        "profiles",
        "taskfiles",
        "sandbox",
        "prices",
        "reported",
        "pages",
        "findings",
        "footing",
        "mentions",
        "tracing",
    },
    {
        "grading",
        "task",
        "packs",
        "filings",
        "tables",
        "against",
        "questions",
        "drill",
        "plots",
        "layout",
        "overlap",
        "consent",
        "recovery",
    },
    {"tasks", "engines", "store", "linting", "coherence", "aligned", "audit"},
    {"feed", "score", "leaderboard", "authoring", "marking", "draws"},
    {
        "results",
        "judge",
        "planning",
        "catalogue",
        "exports",
        "scaffold",
        "resample",
        "graders",
        "digest",
        "charts",
        "packing",
    },
    {"manifest", "checking", "report", "site", "compare", "lm_eval", "grade", "quality"},
    {"conductor", "imports", "console", "auditing"},
    {"api"},
    {"commands"},
    {"cli"},
    {"__main__", "__init__"},
]
FLOOR_OF = {module: floor for floor, modules in enumerate(FLOORS) for module in modules}


def imports(path: Path) -> set[str]:
    """The finbench modules that a file imports, at top level or inside functions, without type-checking blocks."""
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and getattr(block.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "finbench":
            found.update(alias.name for alias in node.names if alias.name != "__version__")
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("finbench."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found.update(a.name.split(".")[1] for a in node.names if a.name.startswith("finbench."))
    return found


def module_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(path for path in PACKAGE.rglob("*.py") if "shipped" not in path.parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_point_downwards(path: Path) -> None:
    module = module_of(path)
    assert module in FLOOR_OF, f"{module} has no floor; give it one in FLOORS"
    for imported in imports(path):
        if imported == module:
            continue  # members of one package
        assert imported in FLOOR_OF, f"{path} imports {imported}, which has no floor"
        assert FLOOR_OF[imported] < FLOOR_OF[module], f"{module} (floor {FLOOR_OF[module]}) imports {imported}"
