"""What would run and what would be read, in words with file and line, and what a consent was given for."""

from __future__ import annotations

from pathlib import Path

import pytest

from finbench.errors import TaskError
from finbench.tasks import load, yaml_files
from finbench.tasks.trust import consent


def scanned(path: Path, **files: str) -> dict[str, yaml_files.Folder]:
    for name, text in files.items():
        (path / f"{name}.yaml").write_text(text)
    return {name: folder for folder in (load.shipped(), yaml_files.scan(path)) for name in folder.files}


def asked(path: Path, name: str = "g", **files: str) -> list[str]:
    known = scanned(path, **files)
    shipped = load.shipped_folder()
    found = [*consent.code_of(name, known, shipped), *consent.data_of(name, known, shipped)]
    return [f"{item.place().removeprefix(f'{path}/')} {item.kind}" for item in found]


METRIC = "metric_list: [{metric: nobodys}]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("task: g\nprocess_docs: !function utils.x\n", ["g.yaml:2 function"]),
        ("task: g\nprocess_docs: !function finbench.lm_eval.rows\n", []),
        ("task: g\nclass: x.Y\n", ["g.yaml:2 class"]),
        (f"task: g\n{METRIC}\n", ["g.yaml:2 metric"]),
        ("task: g\nmetric_list: [{metric: acc}]\n", []),
        ("task: g\nmetric_list: [{metric: acc, hf_evaluate: true}]\n", ["g.yaml:2 metric"]),
        (f"group: g\ntask: [{{task: tfns, {METRIC}}}]\n", []),  # tfns scores by itself: a label
        ("group: g\ntask:\n  - task: tfns\n    process_results: null\n    metric_list:\n      - metric: nobodys\n",
         ["g.yaml:6 metric"]),
        ("task: g\ndataset_path: x/y\n", ["g.yaml:2 data"]),
        ("group: g\ntask: [{task: tfns, dataset_kwargs: {data: /etc}}]\n", ["g.yaml:2 data"]),
        ("group: g\ntask: [tfns, finqa]\n", []),
        ("task: g\nmetric_list: 3\ndataset_kwargs: [1]\n", ["g.yaml:3 data"]),
    ],
)  # fmt: skip
def test_what_needs_consent_is_named_with_its_place(tmp_path, text, expected):
    assert asked(tmp_path, g=text) == expected


def test_tasks_of_ours_need_none():
    known = {name: load.shipped() for name in load.shipped().files}
    assert consent.check(list(known), known, load.shipped_folder()) == {}


def test_everything_below_the_folder_is_hashed_but_what_python_and_editors_leave(tmp_path):
    scanned(tmp_path, g="task: g\nprocess_docs: !function utils.x\n")
    for name in ("utils.py", "deep/er/data.bin", "__pycache__/utils.pyc", ".git/config"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    known = scanned(tmp_path)
    before = consent.check(["g"], known, load.shipped_folder(), code=True)
    assert {Path(path).name for path in before} == {"g.yaml", "utils.py", "data.bin"}
    (tmp_path / "deep/er/data.bin").write_bytes(b"2")
    after = consent.check(["g"], known, load.shipped_folder(), code=True)
    assert {path for path in before if before[path] != after[path]} == {str(tmp_path / "deep/er/data.bin")}


def test_a_folder_of_too_many_files_is_not_hashed(tmp_path, monkeypatch):
    monkeypatch.setattr(consent, "MAX_FILES", 2)
    for name in "abc":
        (tmp_path / name).write_text("x")
    with pytest.raises(TaskError, match="a folder of its own"):
        consent.hashes([scanned(tmp_path, g="task: g\n")["g"].files["g"]])


def test_one_consent_does_not_give_the_other(tmp_path):
    known = scanned(tmp_path, g="task: g\ndataset_path: x/y\nprocess_docs: !function utils.x\n")
    with pytest.raises(TaskError, match=r"(?s)reads what is not in its folder.*g\.yaml:2.*--trust-task-data"):
        consent.check(["g"], known, load.shipped_folder(), code=True)
    with pytest.raises(TaskError, match=r"(?s)runs Python.*g\.yaml:3.*--trust-task-code"):
        consent.check(["g"], known, load.shipped_folder(), data=True)
