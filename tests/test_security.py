"""The model of trust (SECURITY.md), one test a row of its table; what concerns tasks, data and the terminal."""

from __future__ import annotations

import io
import json
import re
import socket
import tarfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from finbench import cli
from finbench.errors import DataError, FinbenchError, TaskError
from finbench.tasks import load, templates, yaml_files
from finbench.tasks.task import Asking

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "finbench"
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "shipped" not in path.parts)
ROWS = '{"q": "What is 1 plus 1?", "a": "2"}\n'
TASK = """\
task: {name}
custom_dataset: !function finbench.lm_eval.rows
dataset_kwargs: {{file: rows.jsonl, columns: {{question: q, answer: a}}, answer: {{kind: number}}}}
output_type: generate_until
test_split: test
num_fewshot: 0
fewshot_config: {{sampler: first_n, samples: []}}
doc_to_text: "{{{{ question }}}}"
doc_to_target: gold
process_results: !function finbench.lm_eval.number
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
generation_kwargs: {{until: [], max_gen_toks: 2048}}
metadata: {{version: 1.0}}
"""


def folder(path: Path, name: str = "mine", text: str = TASK, rows: str = ROWS) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / f"{name}.yaml").write_text(text.format(name=name) if text is TASK else text, encoding="utf-8")
    (path / "rows.jsonl").write_text(rows, encoding="utf-8")
    return path


def with_marker(path: Path, module: str = "utils.py") -> Path:
    """Python that leaves a file behind when it runs; that file."""
    marker = path / "it_ran"
    target = path / module
    target.parent.mkdir(parents=True, exist_ok=True)
    code = f"open({str(marker)!r}, 'w').close()\ndef run(*args, **kwargs):\n    return {{}}\nnumber = rows = run\n"
    target.write_text(code, encoding="utf-8")
    return marker


def try_everything(path: Path, name: str) -> None:
    """List, show, check and load a task without consent; failures are fine, as long as they are ours."""
    for words in (
        ["tasks", "list", "--all", "--include", str(path)],
        ["tasks", "show", name, "--include", str(path)],
        ["tasks", "show", name, "--doc", "0", "--include", str(path)],
        ["tasks", "check", str(path)],
    ):
        cli.main(words)
    with suppress(FinbenchError):
        load.load([name], include=[path], builtins=False)


# -- S1 --------------------------------------------------------------------------------------------------------------

FUNCTIONS = {
    "beside": "task: evil\nprocess_docs: !function utils.run\n",
    "importable": "task: evil\nprocess_docs: !function os.system\n",
    "absolute": "task: evil\nprocess_docs: !function {path}/utils.run\n",
    "class": "task: evil\nclass: !function utils.run\n",
    "in a filter": "task: evil\nfilter_list: [{{name: f, filter: [{{function: !function utils.run}}]}}]\n",
    "in a metric": "task: evil\nmetric_list: [{{metric: !function utils.run}}]\n",
    "in an include": "task: evil\ninclude: part.yaml\n",
}


@pytest.mark.parametrize("way", FUNCTIONS)
def test_s1_python_of_a_foreign_folder_does_not_run_without_consent(tmp_path, way, capsys):
    folder(tmp_path, "evil", FUNCTIONS[way].format(path=tmp_path))
    (tmp_path / "part.yaml").write_text("process_docs: !function utils.run\n")
    marker = with_marker(tmp_path)
    try_everything(tmp_path, "evil")
    assert not marker.exists()
    with pytest.raises(TaskError, match="--trust-task-code"):
        load.load(["evil"], include=[tmp_path], builtins=False)


def test_s1_check_lists_what_would_run_with_its_hash(tmp_path, capsys):
    folder(tmp_path, "evil", FUNCTIONS["beside"])
    marker = with_marker(tmp_path)
    assert cli.main(["tasks", "check", str(tmp_path), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert list(report["would_run"]) == [str(tmp_path / "utils.py")] and not marker.exists()
    assert [(f["line"], f["text"]) for f in report["findings"] if f["code"] == "python"] == [
        (2, "would run `!function utils.run`")
    ]


def test_s1_consent_is_recorded_with_the_hash_of_each_file(tmp_path):
    text = TASK.format(name="mine").replace("finbench.lm_eval.number", "utils.number")
    folder(tmp_path, "mine", text)
    marker = with_marker(tmp_path)
    selection = load.load(["mine"], include=[tmp_path], trust=True)
    assert marker.exists() and str(tmp_path / "utils.py") in selection.consent


def test_s1_a_folder_cannot_shadow_finbenchs_own_doors(tmp_path):
    folder(tmp_path)
    marker = with_marker(tmp_path, "finbench/lm_eval.py")
    try_everything(tmp_path, "mine")
    assert not marker.exists()


def test_s4_a_file_that_we_refuse_is_not_loaded_through_a_group_either(tmp_path):
    marker = with_marker(tmp_path / "outside")
    (tmp_path / "outside" / "base.yaml").write_text("custom_dataset: !function utils.run\ntest_split: test\n")
    folder(tmp_path / "inside", "evil", "task: evil\ninclude: ../outside/base.yaml\n")
    folder(tmp_path / "inside", "group", "group: group\ntask: [evil]\n")
    try_everything(tmp_path / "inside", "group")
    assert not marker.exists()


def test_s1_loading_a_task_does_not_run_the_code_of_a_metric(tmp_path):
    marker = with_marker(tmp_path, "evil/evil.py")
    metric = f"[{{metric: {tmp_path}/evil, hf_evaluate: true, aggregation: mean, higher_is_better: true}}]"
    text = re.sub(r"process_results.*\nmetric_list: .*\n", f"metric_list: {metric}\n", TASK.format(name="mine"))
    folder(tmp_path, "mine", text)
    try_everything(tmp_path, "mine")
    assert not marker.exists()


def test_s1_a_task_inside_a_group_file_needs_consent_too(tmp_path):
    text = "group: evil\ntask:\n  - task: inner\n    custom_dataset: !function utils.run\n    test_split: test\n"
    folder(tmp_path, "evil", text)
    marker = with_marker(tmp_path)
    try_everything(tmp_path, "evil")
    assert not marker.exists()


def test_s1_an_override_in_a_group_file_needs_consent_too(tmp_path):
    folder(tmp_path)
    folder(tmp_path, "evil", "group: evil\ntask:\n  - task: mine\n    process_results: !function utils.run\n")
    marker = with_marker(tmp_path)
    try_everything(tmp_path, "evil")
    assert not marker.exists()


def test_s1_a_metric_that_lm_eval_would_fetch_and_run_needs_consent(tmp_path, capsys):
    marker = with_marker(tmp_path, "evil/evil.py")
    metric = f"[{{{{metric: {tmp_path}/evil, hf_evaluate: true, aggregation: mean, higher_is_better: true}}}}]"
    text = re.sub(r"process_results.*\nmetric_list: .*\n", f"metric_list: {metric}\n", TASK).format(name="mine")
    folder(tmp_path, "mine", text)
    assert cli.main(["tasks", "check", str(tmp_path)]) == 1
    assert "python" in capsys.readouterr().out and not marker.exists()


# -- S2, S3 ----------------------------------------------------------------------------------------------------------


def test_s2_a_template_reaches_nothing_and_its_error_names_task_and_document(tmp_path):
    marker = tmp_path / "it_ran"
    attack = f"{{{{ cycler.__init__.__globals__.os.popen('touch {marker}').read() }}}}"
    for field in ("doc_to_text", "description", "gen_prefix"):
        text = TASK.format(name="mine").replace('doc_to_text: "{{ question }}"', f'doc_to_text: q\n{field}: "{attack}"')
        folder(tmp_path / field, "mine", text.replace("doc_to_text: q\ndoc_to_text", "doc_to_text"))
        with pytest.raises(TaskError, match="mine"):
            (task,) = load.load(["mine"], include=[tmp_path / field], builtins=False).tasks
            document = next(iter(task.documents()))[1]
            list(task.requests(document, "", Asking("m")))
        assert not marker.exists()


def test_s2_a_template_cannot_write_without_end():
    began = time.monotonic()
    for template in ("{{ 'A' * 300000000 }}", "{% for i in range(99999) %}{{ 'A' * 99999 }}{% endfor %}"):
        with pytest.raises(templates.SecurityError):
            templates.environment().from_string(template).render()
    assert time.monotonic() - began < 20


def test_s3_data_is_never_rendered_as_a_template(tmp_path):
    hostile = "{{ 7 * 7 }} {% for x in y %} {{ cycler.__init__ }}"
    folder(tmp_path, rows=json.dumps({"q": hostile, "a": "{{ 7 }}"}) + "\n")
    (task,) = load.load(["mine"], include=[tmp_path]).tasks
    document = next(iter(task.documents()))[1]
    (request,) = task.requests(document, "", Asking("m"))
    assert request.messages[-1].content == hostile and document.golds[0].text == "{{ 7 }}"


# -- S4 --------------------------------------------------------------------------------------------------------------


def test_s4_a_file_that_we_refuse_is_not_loaded_by_lm_eval_either(tmp_path):
    """lm-eval would follow this include out of the folder; the name is unknown to us, so it is never asked."""
    marker = with_marker(tmp_path / "outside")
    (tmp_path / "outside" / "base.yaml").write_text("task: evil\nprocess_docs: !function utils.run\n")
    folder(tmp_path / "inside", "evil", "task: evil\ninclude: ../outside/base.yaml\n")
    assert "leaves the task folder" in " ".join(yaml_files.scan(tmp_path / "inside").broken.values())
    try_everything(tmp_path / "inside", "evil")
    assert not marker.exists()


def test_s4_rows_outside_the_folder_do_not_reach_a_prompt(tmp_path):
    (tmp_path / "secret.jsonl").write_text(ROWS)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    for name in ("../secret.jsonl", str(tmp_path / "secret.jsonl"), "link.jsonl"):
        folder(tmp_path / "in", "mine", TASK.format(name="mine").replace("rows.jsonl", name))
        with pytest.raises(DataError, match="leaves the folder"):
            load.load(["mine"], include=[tmp_path / "in"])


# -- S5, S6 ----------------------------------------------------------------------------------------------------------


def test_s5_nothing_evaluates_text():
    """No eval, exec, compile, sympify or parse_expr call anywhere in the package."""
    pattern = re.compile(r"(?<![\w.])(?:eval|exec|compile|sympify|parse_expr|parse_latex|literal_eval)\(")
    offenders = [
        f"{path.name}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line.split("#")[0])
    ]
    assert offenders == []


def test_s6_a_row_of_a_hundred_thousand_characters_is_read_in_time(tmp_path):
    """The check's own patterns are linear: `leak` looks at questions and contexts."""
    long = "answer" * 15_000 + ":" * 10_000 + " (" * 10_000
    folder(tmp_path, rows=json.dumps({"q": long, "a": "5"}) + "\n")
    began = time.monotonic()
    cli.main(["tasks", "check", str(tmp_path)])
    assert time.monotonic() - began < 60


# -- S10, S11 --------------------------------------------------------------------------------------------------------


def test_s10_control_bytes_of_files_do_not_reach_the_terminal(tmp_path, capsys):
    hostile = "\x1b]0;owned\x07\x1b[31mred[/] \u202e"
    folder(tmp_path, rows=json.dumps({"q": hostile, "a": "5", hostile: 1}) + "\n")
    (tmp_path / "README.md").write_text(f"{hostile} summary\n", encoding="utf-8")
    (tmp_path / "bad.yaml").write_text(
        f'task: "{hostile.encode("unicode_escape").decode()}"\ntask2: [\n', encoding="utf-8"
    )
    cli.main(["tasks", "show", "mine", "--doc", "0", "--include", str(tmp_path)])
    cli.main(["tasks", "list", "--include", str(tmp_path)])
    cli.main(["tasks", "check", str(tmp_path)])
    cli.main(["tasks", "show", hostile])
    source = tmp_path / "rows.jsonl"
    cli.main(
        ["tasks", "new", "made", "--from", str(source), "--question", "q", "--answer", hostile, "--into", str(tmp_path)]
    )
    captured = capsys.readouterr()
    for stream in (captured.out, captured.err):
        assert "\x1b" not in stream and "\x07" not in stream and "\u202e" not in stream
    assert "\\x1b" in captured.out


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "a/b", "", "..", "a b", "-rf", "--help", "$(id)", "x" * 100, "a\x00"]
)
def test_s11_a_task_name_is_never_a_path(tmp_path, name, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    rows = tmp_path / "rows.jsonl"
    rows.write_text(ROWS)
    words = ["tasks", "new", "--from", str(rows), "--question", "q", "--answer", "a", "--into", "in", "--", name]
    assert cli.main(words) == 2
    assert list((tmp_path / "in").iterdir()) == [] and sorted(p.name for p in tmp_path.iterdir()) == [
        "in",
        "rows.jsonl",
    ]


# -- S12 -------------------------------------------------------------------------------------------------------------


def test_s12_an_archive_that_leaves_its_folder_puts_nothing_in_place(tmp_path, capsys):
    for name, kind in (("../evil.txt", tarfile.REGTYPE), ("finqa/link", tarfile.SYMTYPE)):
        pack = tmp_path / "evil.tar"
        with tarfile.open(pack, "w") as tar:
            manifest = json.dumps(
                {"schema": 1, "files": [{"path": name, "size": 1, "sha256": "0", "dataset": "finqa"}]}
            )
            info = tarfile.TarInfo("MANIFEST.json")
            info.size = len(manifest)
            tar.addfile(info, io.BytesIO(manifest.encode()))
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            member.size = 1 if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(b"x"))
        assert cli.main(["data", "unpack", str(pack), "--into", str(tmp_path / "data")]) == 2
        assert not (tmp_path / "evil.txt").exists() and not any((tmp_path / "data").iterdir())


# -- S13 to S16, S19 -------------------------------------------------------------------------------------------------


def test_s13_doctor_says_whether_a_key_is_set_and_never_what_it_is(monkeypatch, capsys):
    canary = "sk-canary-1234567890"
    for name in ("OPENAI_API_KEY", "HF_TOKEN", "VLLM_API_KEY"):
        monkeypatch.setenv(name, canary)
    cli.main(["doctor"])
    cli.main(["doctor", "--json"])
    captured = capsys.readouterr()
    assert canary not in captured.out + captured.err and "OPENAI_API_KEY" in captured.out


def test_s15_no_task_file_turns_remote_code_on():
    offenders = [
        str(path) for path in load.shipped_folder().rglob("*.yaml") if "trust_remote_code" in path.read_text("utf-8")
    ]
    assert offenders == []


def test_s16_finbench_neither_writes_nor_reads_pickles():
    pattern = re.compile(
        r"\b(?:import|from)\s+(?:pickle|dill|cloudpickle|shelve|marshal|joblib)\b|torch\.load\(|allow_pickle"
    )
    offenders = [path.name for path in SOURCES if pattern.search(path.read_text(encoding="utf-8"))]
    assert offenders == []


def test_s16_a_pickle_as_rows_is_refused(tmp_path):
    import pickle

    marker = tmp_path / "it_ran"

    class Bomb:
        def __reduce__(self):
            return (open, (str(marker), "w"))

    (tmp_path / "rows.pkl").write_bytes(pickle.dumps(Bomb()))
    for suffix in ("pkl", "parquet", "jsonl", "csv"):
        path = tmp_path / f"bomb.{suffix}"
        path.write_bytes((tmp_path / "rows.pkl").read_bytes())
        words = ["tasks", "new", "x", "--from", str(path), "--question", "q", "--answer", "a", "--into", str(tmp_path)]
        assert cli.main(words) == 2
    assert not marker.exists()


def test_s19_no_process_is_started_through_a_shell():
    pattern = re.compile(r"shell\s*=\s*True|os\.system\(|os\.popen\(|getoutput\(")
    assert [path.name for path in SOURCES if pattern.search(path.read_text(encoding="utf-8"))] == []


# -- no network ------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_network(monkeypatch):
    """Every attempt to reach a network fails the test; the addresses that were tried."""
    tried = []

    def refuse(*args, **kwargs):
        tried.append(args)
        raise OSError("the test allows no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    return tried


def test_everything_of_this_half_but_fetching_works_without_a_network(tmp_path, no_network, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text(ROWS * 3)
    new = ["tasks", "new", "mine", "--from", "rows.jsonl", "--question", "q", "--answer", "a"]
    for words in (
        new,
        ["tasks", "check", "mine"],
        ["tasks", "list", "--include", "."],
        ["tasks", "show", "mine", "--include", ".", "--doc", "0"],
        ["tasks", "check", "tfns", "--data", "sample"],
        ["data", "list"],
        ["doctor"],
    ):
        assert cli.main(words) == 0, words
    assert no_network == []


def test_a_task_whose_rows_are_a_url_makes_no_request_when_checked(tmp_path, no_network, capsys):
    text = re.sub(r"custom_dataset.*\ndataset_kwargs.*\n",
                  "dataset_path: json\ndataset_kwargs: {data_files: {test: 'https://example.org/rows.jsonl'}}\n",
                  TASK.format(name="mine"))  # fmt: skip
    folder(tmp_path, "mine", text)
    assert cli.main(["tasks", "check", str(tmp_path)]) == 1
    assert "network" in capsys.readouterr().out and no_network == []


def test_offline_switches_forbid_fetching(monkeypatch, no_network, tmp_path, capsys):
    for name in ("HF_HUB_OFFLINE", "FINBENCH_OFFLINE"):
        monkeypatch.setenv(name, "1")
        assert cli.main(["data", "fetch", "tfns", "--into", str(tmp_path)]) == 2
        monkeypatch.delenv(name)
    assert no_network == []
