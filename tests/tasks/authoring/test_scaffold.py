"""The folder of a draft: what is in it, where it goes, and what is not overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from finbench.errors import TaskError
from finbench.tasks import yaml_files
from finbench.tasks.authoring import draft, scaffold


@pytest.fixture
def made(tmp_path: Path) -> draft.Draft:
    (tmp_path / "fees.csv").write_text("q,a,c\nWhat fee?,0.5%,Fees: 3\nAnd then?,1.5%,Fees: 4\n")
    return draft.draft("fees", tmp_path / "fees.csv", draft.Wishes("q", "a", context=("c",)))


def test_the_folder_holds_rows_a_task_a_readme_and_a_test(tmp_path, made):
    folder = scaffold.write(made, tmp_path)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert files == ["README.md", "fees.yaml", "rows.csv", "tests/test_fees.py"]
    file = yaml_files.scan(folder).files["fees"]
    assert file.foreign_functions() == [] and file.config["dataset_kwargs"]["columns"]["context"] == ["c"]


def test_a_folder_that_is_there_is_kept_and_force_replaces_only_what_is_written(tmp_path, made):
    folder = scaffold.write(made, tmp_path)
    (folder / "notes.txt").write_text("mine")
    (folder / "README.md").write_text("mine")
    with pytest.raises(TaskError, match="--force"):
        scaffold.write(made, tmp_path)
    scaffold.write(made, tmp_path, force=True)
    assert (folder / "notes.txt").read_text() == "mine" and (folder / "README.md").read_text() != "mine"


def test_new_folders_go_below_tasks_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (scaffold.destination(None), scaffold.destination(Path("x"))) == (Path(), Path("x"))
    (tmp_path / "tasks").mkdir()
    assert scaffold.destination(None) == Path("tasks")


@pytest.mark.parametrize("kind", scaffold.ENDINGS)
def test_every_kind_of_answer_has_a_prompt_in_two_languages(kind):
    english, chinese = scaffold.ENDINGS[kind]
    assert "\\boxed{" in english and "\\boxed{" in chinese and "{{" not in english.replace("{{ labels }}", "")


@pytest.mark.parametrize("name", ["no", "123", "fees"])
def test_the_yaml_is_one_mapping_with_the_name_as_text(tmp_path, made, name):
    text = scaffold.task_yaml(draft.Draft(name, made.source, 2, made.columns, made.answer, why=made.why))
    assert yaml.load(text, Loader=yaml_files.YamlLoader)["task"] == name
