"""A stranger's task folder against `--trust-task-data`: without it nothing outside the folder is read or fetched."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from finbench import cli
from finbench.errors import FinbenchError
from finbench.tasks import load

SECRET = "root-of-all-evil"
TASK = """\
output_type: generate_until
test_split: test
num_fewshot: 0
fewshot_config: {sampler: first_n, samples: []}
doc_to_text: "{{ text }}"
doc_to_target: "{{ text }}"
process_results: !function finbench.lm_eval.text
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
generation_kwargs: {until: [], max_gen_toks: 2048}
"""
WAYS = {
    "a file of the machine": "dataset_path: text\ndataset_kwargs: {data_files: {test: ABOVE/secret.txt}}",
    "a relative path": "dataset_path: text\ndataset_kwargs: {data_files: {test: [HERE/../secret.txt]}}",
    "a pattern": "dataset_path: text\ndataset_kwargs: {data_files: {test: 'ABOVE/*.txt'}}",
    "a link": "dataset_path: text\ndataset_kwargs: {data_files: {test: HERE/link.txt}}",
    "a pattern over a link": "dataset_path: text\ndataset_kwargs: {data_files: {test: 'HERE/l*.txt'}}",
    "the present folder": "dataset_path: text",
    "the present folder again": "dataset_path: text\ndataset_kwargs: {data_files: {test: ''}, cache_dir: HERE/cache}",
    "a folder": "dataset_path: text\ndataset_kwargs: {data_dir: ABOVE}",
    "a folder with a link": "dataset_path: text\ndataset_kwargs: {data_dir: HERE}",
    "below another folder": "dataset_path: text\ndataset_kwargs: {data_dir: ABOVE, data_files: {test: secret.txt}}",
    "a URL": "dataset_path: text\ndataset_kwargs: {data_files: {test: 'https://example.org/rows.txt'}}",
    "a URL of a file": "dataset_path: text\ndataset_kwargs: {data_files: {test: 'file://ABOVE/secret.txt'}}",
    "a chained URL": "dataset_path: text\ndataset_kwargs: {data_files: {test: 'zip://a.txt::ABOVE/a.zip'}}",
    "a data set of the hub": "dataset_path: somebody/rows",
    "a folder as data set": "dataset_path: ABOVE",
    "another builder": "dataset_path: imagefolder\ndataset_kwargs: {data_dir: HERE/deep}",
    "pickles": "dataset_path: pandas\ndataset_kwargs: {data_files: {test: HERE/deep/x.pkl}}",
    "SQL": "dataset_path: sql\ndataset_kwargs: {sql: 'select 1', con: 'sqlite:///ABOVE/x.db'}",
    "the cache": "dataset_path: text\ndataset_kwargs: {data_files: {test: HERE/mine.txt}, cache_dir: ABOVE/cache}",
    "a token": "dataset_path: text\ndataset_kwargs: {data_files: {test: HERE/mine.txt}, token: true}",
    "storage": "dataset_path: text\ndataset_kwargs: {data_files: {test: HERE/mine.txt}, storage_options: {anon: true}}",
    "prompts": "dataset_path: text\ndataset_kwargs: {data_files: {test: HERE/mine.txt}}\nuse_prompt: ABOVE/p.yaml:x",
    "whom the rows belong to": "custom_dataset: !function finbench.lm_eval.rows\n"
    "dataset_kwargs: {file: s.json, columns: {question: q, answer: a}, answer: {kind: text}, config_source: ABOVE/x.yaml}",
    "where the rows are": "custom_dataset: !function finbench.lm_eval.rows\n"
    "dataset_kwargs: {file: s.json, columns: {question: q, answer: a}, answer: {kind: text}, data: ABOVE}",
}


def written(tmp_path: Path, settings: str, group: bool) -> Path:
    folder = tmp_path / "theirs"
    (folder / "deep").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text(f"{SECRET}\n")
    (tmp_path / "s.json").write_text(json.dumps([{"q": SECRET, "a": "x"}]))
    (folder / "mine.txt").write_text("harmless\n")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    text = (f"{settings}\n{TASK}").replace("HERE", str(folder)).replace("ABOVE", str(tmp_path))
    if group:
        text = "\n".join(f"    {line}" for line in text.splitlines())
        (folder / "evil.yaml").write_text(f"group: evil\ntask:\n  - task: inner\n{text}\n")
    else:
        (folder / "evil.yaml").write_text(f"task: evil\n{text}")
    return folder


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every host that is asked for, which then is not there."""
    asked: list[object] = []

    def refuse(self, address, *rest):
        asked.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **_: refuse(None, host))
    return asked


@pytest.mark.parametrize("group", [False, True], ids=["task", "group"])
@pytest.mark.parametrize("way", WAYS)
def test_nothing_outside_the_folder_is_read_without_consent(tmp_path, way, group, connections, capsys):
    folder = written(tmp_path, WAYS[way], group)
    common = ["--include", str(folder)]
    run = [
        "run",
        "--model",
        "baseline/oracle",
        "--tasks",
        "evil",
        *common,
        "--output",
        str(tmp_path / "run"),
        "--dry-run",
    ]
    assert [cli.main(["tasks", "show", "evil", "--doc", "0", *common]), cli.main(run)] == [2, 2]
    assert "--trust-task-data" in capsys.readouterr().err
    assert cli.main(["tasks", "check", str(folder), "--json"]) == 1
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert "data" in {finding["code"] for finding in report["findings"]}
    assert SECRET not in said.out + said.err and connections == [] and not (tmp_path / "cache").exists()


@pytest.mark.parametrize("way", WAYS)
def test_the_doors_hold_without_the_check_before_them(tmp_path, way, connections, monkeypatch):
    monkeypatch.setattr("finbench.tasks.trust.consent.check", lambda *_, **__: {})
    folder = written(tmp_path, WAYS[way], True)
    with pytest.raises(FinbenchError, match="--trust-task-data"):
        load.load(["evil"], include=[folder], builtins=False)
    assert connections == []


def test_rows_inside_the_folder_need_no_consent_and_others_come_with_it(tmp_path):
    settings = "dataset_path: text\ndataset_kwargs: {data_files: {test: HERE/mine.txt}, cache_dir: HERE/cache}"
    (task,) = load.load(["evil"], include=[written(tmp_path / "a", settings, False)], builtins=False).tasks
    assert [row["text"] for row in task.rows()] == ["harmless"]
    settings = "dataset_path: text\ndataset_kwargs: {data_files: {test: ABOVE/secret.txt}, cache_dir: HERE/cache}"
    folder = written(tmp_path / "b", settings, False)
    (task,) = load.load(["evil"], include=[folder], builtins=False, trust_data=True).tasks
    assert [row["text"] for row in task.rows()] == [SECRET]


def test_a_task_cannot_say_itself_where_finbench_finds_rows(tmp_path):
    """`config_source` and `data` in its metadata would move the folder that its rows have to lie in."""
    settings = (
        "custom_dataset: !function finbench.lm_eval.rows\n"
        "dataset_kwargs: {file: s.json, columns: {question: q, answer: a}, answer: {kind: text}}\n"
        "metadata: {config_source: ABOVE/x.yaml, data: ABOVE}"
    )
    folder = written(tmp_path, settings, True)
    with pytest.raises(FinbenchError, match=r"s\.json.*does not exist in .*theirs"):
        load.load(["evil"], include=[folder], builtins=False)


def test_the_installed_data_sets_library_runs_no_script_and_reads_no_pickle(tmp_path):
    """What pyproject.toml asks of `datasets`: 5.2 is the first that refuses pickles (5.1 still reads them)."""
    import pickle

    import datasets
    from packaging.requirements import Requirement

    project = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    (line,) = [line for line in project.splitlines() if line.strip().startswith('"datasets')]
    asked = Requirement(line.strip().strip('",'))
    assert "5.1.0" not in asked.specifier and datasets.__version__ in asked.specifier
    (tmp_path / "rows.pkl").write_bytes(pickle.dumps([1]))
    (tmp_path / "script.py").write_text("raise SystemExit('it ran')\n")
    with pytest.raises(ValueError, match="Pickle"):
        datasets.load_dataset("pandas", data_files=str(tmp_path / "rows.pkl"), cache_dir=str(tmp_path), streaming=True)[
            "train"
        ]._head(1)
    with pytest.raises(RuntimeError, match="scripts are no longer supported"):
        datasets.load_dataset(str(tmp_path / "script.py"))
