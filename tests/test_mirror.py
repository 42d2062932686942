"""Every module has its test file by its name, in the folder of its room, or stands here with where it is tested and why."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "finbench"
FORMER = "a former name, three lines"
CASES = "a stage of the reader: held by the tables of replies that it decides"
SERVER = "seen through the engine that asks a server, fault by fault"
REAL = "needs its library and a checkpoint: `make test-vllm`"
BASELINE = "seen through the answers of baseline/heuristic on the sample rows"
NUMBERS = "a stage of reading a number: held by tables of texts and their quantities"
COMMAND = "the command's flags and output; what it calls is tested in its room"

# module -> (where it is tested instead, why)
ELSEWHERE = {
    "__main__": ("test_cli", "one line; `python -m finbench` is run by every test of a process"),
    "errors": ("attacks/test_foreign_files", "the boundary around files of others is what there is to test"),
    "records": ("test_serialize", "frozen records; they are made and read back there"),
    "sources": ("test_former_names", FORMER),
    "filings": ("test_former_names", FORMER),
    "programs": ("test_former_names", FORMER),
    "cli/audit": ("audit/test_quality", COMMAND),
    "cli/data": ("test_docs_run", COMMAND),
    "cli/tasks": ("tasks/test_catalogue", COMMAND),
    "engines/hf": ("vllm/test_local_hf", REAL),
    "engines/ray": ("vllm/test_ray_cluster", REAL),
    "engines/vllm/local": ("vllm/test_local_vllm", REAL),
    "engines/vllm/process": ("vllm/test_engine_death", REAL),
    "engines/vllm/served": ("vllm/test_served_vllm", REAL),
    "pages/report_data": ("pages/test_report", "one pass whose counts the report prints"),
    "runs/audit": ("audit/test_quality", "the run's sums of what the room of the audit finds"),
    "runs/manifest": ("runs/test_execute", "what a run leaves, read from its folder"),
    "runs/plan": ("runs/test_execute", "plans are made there for every run"),
    "runs/refusals": ("runs/test_store", "the words of a store that is not opened"),
    "grading/lines": ("test_grade", "the line protocol, through its door"),
    "grading/reference": ("benchmarks/test_finance_instruct", "the reference score of the only benchmark that has one"),
    "grading/verdict": ("grading/test_cases", CASES),
    "grading/kinds/number_reader": ("grading/kinds/test_number", CASES),
    "grading/kinds/between": ("grading/kinds/test_number", CASES),
    **{
        f"engines/baselines/{name}": ("engines/test_offline", BASELINE)
        for name in ("dialogue_rules", "heuristic", "page_figures", "page_rules", "simple")
    },
    **{
        f"engines/openai/{name}": ("engines/openai/test_engine", SERVER)
        for name in ("client", "keys", "limits", "status", "wire")
    },
    **{
        f"grading/{name}": ("grading/test_cases", CASES)
        for name in ("arranged", "asked", "claims", "diagnosis", "discourse", "equality", "reply", "sentences")
    },
    **{
        f"grading/kinds/{name}": ("grading/kinds/test_kinds", CASES)
        for name in ("aliases", "boolean", "choice", "contrast", "guess", "label", "prose", "text")
    },
    **{
        f"text/{name}": ("text/test_quantities", NUMBERS)
        for name in ("arithmetic", "digits", "normalize", "numerals", "stated", "units", "wording")
    },
}


def modules() -> list[str]:
    files = [path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py"))]
    return [
        path.with_suffix("").as_posix() for path in files if path.name != "__init__.py" and path.parts[0] != "shipped"
    ]


def named(module: str) -> Path:
    """The test file that bears a module's name."""
    folder, _, name = module.rpartition("/")
    return ROOT / "tests" / folder / f"test_{name}.py"


@pytest.mark.parametrize("module", modules())
def test_a_module_has_its_test_file_or_a_reason(module: str) -> None:
    if module in ELSEWHERE:
        assert not named(module).exists(), f"{module} has a test file of its own: take it out of ELSEWHERE"
        folder, _, name = ELSEWHERE[module][0].rpartition("/")
        places = (ROOT / "tests" / folder / f"{name}.py", ROOT / "tests" / "cli" / f"{name}.py")
        assert any(place.is_file() for place in places)
    else:
        assert named(module).is_file(), f"tests/{named(module).relative_to(ROOT / 'tests')} is missing"


def test_the_list_names_modules_that_exist() -> None:
    assert set(ELSEWHERE) <= set(modules())
