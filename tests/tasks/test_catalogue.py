"""`tasks list` and `show`, `data`, `doctor`, `completion`: what they print, and their exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from finbench import cli
from finbench.tasks import catalogue, data_files

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def bare_machine(tmp_path, monkeypatch):
    """No data in the cache and none in the environment."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("FINBENCH_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def output(capsys, *words: str) -> dict:
    assert cli.main([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    return document


def test_the_list_has_every_benchmark_with_rows_licence_protocol_and_where_its_data_is(capsys):
    listed = {entry["name"]: entry for entry in output(capsys, "tasks", "list")["tasks"]}
    facts = {name: (entry["rows"], entry["protocol"], entry["data"]) for name, entry in listed.items()}
    assert facts["finqa"] == (1147, "finbench", "sample only")
    assert facts["ant_finance"] == (2343, "finbench", "sample only")
    assert facts["tfns_paper"] == (1000, "paper", "sample only")
    assert facts["finance_instruct"][0] == 1000
    assert listed["finbench"]["kind"] == "suite" and "ant_finance_terms" not in listed
    assert {"ant_finance_terms", "ant_finance_logic"} <= {
        e["name"] for e in output(capsys, "tasks", "list", "--all")["tasks"]
    }


def test_rows_are_found_where_the_flag_points(capsys, tmp_path):
    (tmp_path / "rows" / "tfns").mkdir(parents=True)
    (tmp_path / "rows" / "tfns" / "sent_valid.csv").write_text("text,label\nx,0\n")
    listed = output(capsys, "tasks", "list", "--data", str(tmp_path / "rows"))["tasks"]
    assert {entry["name"]: entry["data"] for entry in listed}["tfns"] == "found"
    sets = output(capsys, "data", "list", "--data", str(tmp_path / "rows"))["datasets"]
    assert [entry["dataset"] for entry in sets if entry["found"]] == ["tfns"]


def test_a_task_of_a_folder_is_listed_and_a_broken_file_is_named(capsys, tmp_path):
    (tmp_path / "rows.csv").write_text("q,a\nx,1\ny,2\n")
    assert cli.main(["tasks", "new", "mine", "--from", "rows.csv", "--question", "q", "--answer", "a"]) == 0
    (tmp_path / "mine" / "broken.yaml").write_text("[\n")
    capsys.readouterr()
    document = output(capsys, "tasks", "list", "--include", "mine")
    mine = next(entry for entry in document["tasks"] if entry["name"] == "mine")
    assert (mine["rows"], mine["protocol"], mine["data"]) == (2, "own", "found")
    assert "broken.yaml:2" in document["broken"][0]
    (tmp_path / "mine" / "rows.csv").unlink()
    assert {e.name: e.data for e in catalogue.entries([Path("mine")], None)[0]}["mine"] == "missing"


def test_show_prints_settings_and_a_rendered_document_by_position_or_id(capsys):
    shown = output(capsys, "tasks", "show", "tfns", "--doc", "1", "--data", "sample")
    assert shown["settings"]["generation_kwargs"]["until"] == [] and shown["document"]["position"] == 1
    again = output(capsys, "tasks", "show", "tfns", "--doc", shown["document"]["id"], "--data", "sample")
    assert again["document"] == shown["document"]
    assert shown["document"]["prompt"][0]["role"] == "user" and shown["document"]["golds"] == ["bearish"]


@pytest.mark.parametrize("words", [["nothing_like_it"], ["tfns", "--doc", "999999"], ["ant_finance", "--doc", "0"]])
def test_show_of_what_is_not_there_is_exit_code_2(capsys, words):
    assert cli.main(["tasks", "show", *words, "--data", "sample"]) == 2
    assert capsys.readouterr().err.startswith("finbench: ")


def test_verify_without_data_says_how_to_get_some(capsys, tmp_path):
    assert cli.main(["data", "verify"]) == 1
    assert "data fetch" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert cli.main(["data", "verify", "empty"]) == 1
    assert cli.main(["data", "verify", "gone"]) == 2


def test_verify_finds_the_damaged_file(capsys, tmp_path):
    (tmp_path / "rows" / "tfns").mkdir(parents=True)
    (tmp_path / "rows" / "tfns" / "sent_valid.csv").write_text("text,label\nx,0\n")
    assert cli.main(["data", "verify", "rows", "--json"]) == 1
    (verdict,) = json.loads(capsys.readouterr().out)["files"]
    assert verdict["path"] == "tfns/sent_valid.csv" and verdict["status"] == "damaged"


@pytest.mark.parametrize(
    "words", [["fetch", "nothing"], ["pack", "--tasks", "nothing", "-o", "p.tar"], ["unpack", "gone.tar"]]
)
def test_data_commands_on_what_is_not_there_are_exit_code_2_and_leave_nothing(capsys, tmp_path, words):
    assert cli.main(["data", *words]) == 2
    assert not (tmp_path / "p.tar").exists()


@pytest.mark.skipif(not (DATA / "tfns").is_dir(), reason="no benchmark rows beside the repository: ../shared/data")
def test_a_pack_carries_the_rows_to_another_machine(capsys, tmp_path):
    assert cli.main(["data", "pack", "--tasks", "tfns", "--data", str(DATA), "-o", "pack.tar"]) == 0
    assert cli.main(["data", "unpack", "pack.tar"]) == 0
    assert data_files.locate(["tfns/sent_valid.csv"], None, task_dir=tmp_path).is_file()
    assert cli.main(["data", "verify"]) == 0
    assert "0 damaged" in capsys.readouterr().err


def test_doctor_names_a_command_for_what_is_missing_and_is_content_with_a_working_machine(capsys):
    found = {finding["what"]: finding for finding in output(capsys, "doctor")["findings"]}
    assert found["lm-eval"]["status"] == found["Python"]["status"] == "ok"
    assert found["data: tfns"] | {"detail": ""} == {
        "what": "data: tfns", "status": "missing", "detail": "", "fix": "finbench data fetch tfns",
    }  # fmt: skip
    assert all(finding["fix"] for finding in found.values() if finding["status"] != "ok")


def test_doctor_fails_when_a_needed_package_is_gone(monkeypatch, capsys):
    from finbench.cli import doctor

    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "rich" else "0.4.13")
    assert cli.main(["doctor"]) == 1
    assert "pip install" in capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_knows_the_commands(capsys, shell):
    pytest.importorskip("shtab")
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "finbench" in script and "doctor" in script and "--trust-task-code" in script


def test_completion_without_shtab_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert cli.main(["completion", "bash"]) == 2
    assert "finbench[completion]" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["tasks", "--help"], ["tasks", "new", "--help"], ["data", "--help"], ["doctor", "--help"]]
)
def test_help_loads_nothing_heavy_and_shows_examples(words):
    code = (
        "import sys\nfrom finbench import cli\n"
        f"try:\n    cli.main({words!r})\nexcept SystemExit:\n    pass\n"
        "heavy = {'pandas', 'numpy', 'datasets', 'lm_eval', 'matplotlib', 'torch', 'sympy', 'rich', 'scipy'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60, check=True
    )
    assert "examples:" in done.stdout and "heavy: []" in done.stdout


def test_the_list_of_tasks_does_not_load_lm_eval():
    code = (
        "import sys\nfrom finbench import cli\ncli.main(['tasks', 'list'])\n"
        "print('heavy:', sorted({'datasets', 'lm_eval', 'torch', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60, check=True
    )
    assert "heavy: []" in done.stdout
