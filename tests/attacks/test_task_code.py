"""A stranger's task folder against `--trust-task-code`: nothing of it is imported or run without, and with it only what was
read. An audit hook of Python's sees every file whose code begins to run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from finbench import cli
from finbench.errors import FinbenchError
from finbench.tasks import load

ROWS = '{"q": "What is 1 plus 1?", "a": "2"}\n'
DOOR = "custom_dataset: !function finbench.lm_eval.rows"
SCORING = "process_results: !function finbench.lm_eval.number"
SETTINGS = {
    "dataset_kwargs": "{file: rows.jsonl, columns: {question: q, answer: a}, answer: {kind: number}}",
    "output_type": "generate_until",
    "test_split": "test",
    "num_fewshot": "0",
    "fewshot_config": "{sampler: first_n, samples: []}",
    "doc_to_text": "question",
    "doc_to_target": "gold",
    "generation_kwargs": "{until: [], max_gen_toks: 2048}",
    "metadata": "{version: 1.0}",
}
LABELS = "metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]"

RAN: list[str] = []
_watching: list[Path] = []


def _hook(event: str, arguments: tuple) -> None:
    if event == "exec" and _watching:
        file = getattr(arguments[0], "co_filename", "")
        if any(file.startswith(str(folder)) for folder in _watching) or "/modules/evaluate_modules/" in file:
            RAN.append(file)


sys.addaudithook(_hook)


@contextmanager
def watched(folder: Path) -> Iterator[list[str]]:
    """The files of a folder whose code runs meanwhile, and those of metrics that were fetched."""
    RAN.clear()
    _watching.append(folder)
    try:
        yield RAN
    finally:
        _watching.clear()


def lines(**changes: str) -> str:
    return "\n".join(f"{key}: {value}" for key, value in {**SETTINGS, **changes}.items())


def indented(text: str, by: int) -> str:
    return "\n".join(" " * by + line for line in text.split("\n"))


def hostile(path: Path, name: str, text: str) -> Path:
    """A folder with one YAML, its rows, and Python in every place from which it might be run."""
    code = "import evaluate\nclass M(evaluate.Metric): pass\n"
    code += "open(__file__ + '.ran', 'w').close()\ndef run(*a, **k): return {}\n"
    for place in ("utils.py", "evil/evil.py", "deep/pkg/__init__.py"):
        (path / place).parent.mkdir(parents=True, exist_ok=True)
        (path / place).write_text(code)
    (path / "rows.jsonl").write_text(ROWS)
    (path / f"{name}.yaml").write_text(text.replace("HERE", str(path)))
    return path


BY_FLAG = "metric_list: [{metric: HERE/evil, hf_evaluate: true, aggregation: mean, higher_is_better: true}]"
FETCHED = "metric_list: [{metric: HERE/evil, aggregation: mean, higher_is_better: true}]"
INLINE = f"- task: inner\n{indented(lines(), 2)}\n  {DOOR}\n  "
WAYS = {
    "a metric of a task in a group's list": f"group: evil\ntask:\n{indented(INLINE + FETCHED, 2)}\n",
    "the same in an inline group": f"group: evil\ntask:\n  - group: in\n    task:\n{indented(INLINE + FETCHED, 6)}\n",
    "hf_evaluate": f"group: evil\ntask:\n{indented(INLINE + BY_FLAG, 2)}\n",
    "an override of a task of ours": f"group: evil\ntask:\n  - task: tfns\n    process_results: null\n    {FETCHED}\n",
    "an override for all members": f"group: evil\nprocess_results: null\n{FETCHED}\ntask: [tfns]\n",
    "an override of a group of ours": f"group: evil\ntask:\n  - group: ant_finance\n    process_results: null\n    {FETCHED}\n",
    "a name that nobody has": f"group: evil\n{DOOR}\n{lines()}\n{FETCHED}\ntask: [nobody]\n",
    "an included part of a group": "group: evil\ninclude: part.yaml\ntask: [tfns]\n",
    "a function in a group's list": f"group: evil\ntask:\n{indented(INLINE + 'process_docs: !function utils.run', 2)}\n",
    "a metric of a plain task": f"task: evil\n{DOOR}\n{lines()}\n{FETCHED}\n",
    "a function": f"task: evil\n{DOOR}\n{lines()}\n{LABELS}\nprocess_results: !function utils.run\n",
    "a class": "task: evil\nclass: !function utils.M\n",
}


@pytest.mark.parametrize("way", WAYS)
def test_no_code_of_a_stranger_runs_without_consent(tmp_path, way, capsys):
    folder = hostile(tmp_path / "theirs", "evil", WAYS[way])
    (folder / "part.yaml").write_text(f"process_results: null\n{FETCHED}\n".replace("HERE", str(folder)))
    common = ["--include", str(folder), "--data", "sample"]
    run = ["run", "--model", "baseline/oracle", "--tasks", "evil", *common, "--output", str(tmp_path / "run")]
    with watched(folder) as ran:
        refused = [
            cli.main(["tasks", "show", "evil", "--doc", "0", *common]),
            cli.main([*run, "--dry-run"]),
            cli.main(run),
        ]
        checked = cli.main(["tasks", "check", str(folder), "--json"])
        cli.main(["tasks", "list", "--include", str(folder)])
    assert ran == [] and not list(tmp_path.rglob("*.ran"))
    assert refused == [2, 2, 2]
    said = capsys.readouterr()
    assert "--trust-task-code" in said.err and f"{folder}" in said.err
    report = json.loads(next(line for line in said.out.splitlines() if line.startswith('{"schema"')))
    assert checked == 1 and "python" in {finding["code"] for finding in report["findings"]}


@pytest.mark.parametrize("way", WAYS)
def test_the_doors_hold_without_the_check_before_them(tmp_path, way, monkeypatch):
    """Should lm-eval merge a configuration in another way than we do, its own values are judged at its own doors."""
    folder = hostile(tmp_path / "theirs", "evil", WAYS[way])
    (folder / "part.yaml").write_text(f"process_results: null\n{FETCHED}\n".replace("HERE", str(folder)))
    monkeypatch.setattr("finbench.tasks.trust.consent.check", lambda *_, **__: {})
    with watched(folder) as ran, pytest.raises(FinbenchError, match="--trust-task-code"):
        load.load(["evil"], include=[folder], data="sample", builtins=False)
    assert ran == []


def test_a_group_of_a_stranger_may_hold_tasks_of_ours_and_plain_overrides(tmp_path):
    text = "group: mild\ntask:\n  - tfns\n  - task: finqa\n    generation_kwargs: {until: [], max_gen_toks: 99}\n"
    selection = load.load(["mild"], include=[hostile(tmp_path, "mild", text)], data="sample")
    assert {task.name for task in selection.tasks} == {"tfns", "finqa"} and not selection.consent


def test_a_metric_that_is_only_a_label_needs_no_consent(tmp_path):
    label = LABELS.replace("acc", "strict")
    text = f"task: mine\n{DOOR}\n{lines()}\n{SCORING}\n{label}\n"
    assert len(load.load(["mine"], include=[hostile(tmp_path, "mine", text)], builtins=False).tasks[0]) == 1


# -- consent is bound to content -------------------------------------------------------------------------------------

TRUSTED = f"task: mine\n{DOOR}\n{lines()}\n{LABELS}\nprocess_results: !function utils.score\n"
UTILS = """\
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from helpers.deep import add


def score(doc, results):
    return {"acc": add(0, 1)}
"""


def trusted(path: Path) -> Path:
    (path / "helpers").mkdir(parents=True)
    (path / "mine.yaml").write_text(TRUSTED)
    (path / "rows.jsonl").write_text(ROWS)
    (path / "utils.py").write_text(UTILS)
    (path / "helpers" / "__init__.py").write_text("")
    (path / "helpers" / "deep.py").write_text("def add(a, b):\n    return a + b\n")
    (path / "helpers" / "weights.bin").write_bytes(b"\x00\x01")
    return path


@pytest.mark.parametrize("changed", ["helpers/deep.py", "helpers/weights.bin", "utils.py"])
def test_a_changed_helper_is_refused_on_resume_by_its_name(tmp_path, changed, capsys):
    folder, run = trusted(tmp_path / "theirs"), tmp_path / "run"
    words = ["run", "--model", "baseline/oracle", "--tasks", "mine", "--include", str(folder), "--output", str(run)]
    assert cli.main([*words, "--trust-task-code"]) == 0
    assert cli.main([*words, "--trust-task-code"]) == 0  # nothing changed
    (folder / changed).write_bytes((folder / changed).read_bytes() + b"\n# another\n")
    capsys.readouterr()
    assert cli.main(["run", "--resume", str(run), "--include", str(folder), "--trust-task-code"]) == 4
    assert changed in capsys.readouterr().err


def test_what_was_imported_from_elsewhere_in_an_include_folder_is_hashed_too(tmp_path):
    folder = trusted(tmp_path / "theirs" / "task")
    (tmp_path / "theirs" / "beside.py").write_text("x = 1\n")
    text = f"import sys\nsys.path.insert(0, {str(tmp_path / 'theirs')!r})\nimport beside\n"
    (folder / "utils.py").write_text(text + "def score(doc, results):\n    return {'acc': beside.x}\n")
    selection = load.load(["mine"], include=[tmp_path / "theirs"], trust=True, builtins=False)
    assert str(tmp_path / "theirs" / "beside.py") in selection.consent
