"""What lm-eval is about to build, told from the files alone, and the same as what it then builds."""

from __future__ import annotations

from pathlib import Path

import pytest

from finbench.errors import TaskError
from finbench.tasks import load, yaml_files
from finbench.tasks.trust import merged


def known(path: Path, files: dict[str, str]) -> dict[str, yaml_files.Folder]:
    for name, text in files.items():
        (path / f"{name}.yaml").write_text(text)
    folder = yaml_files.scan(path)
    return {name: at for at in (load.shipped(), folder) for name in at.files}


def values(path: Path, files: dict[str, str], name: str = "g") -> dict[str, dict[str, object]]:
    return {
        task.name: {key: setting.value for key, setting in task.settings.items()}
        for task in merged.built(name, known(path, files))
    }


def test_later_includes_win_and_the_file_itself_over_all(tmp_path):
    files = {"a": "x: 1\ny: 1\nz: 1\n", "b": "x: 2\ny: 2\n", "g": "task: g\ninclude: [a.yaml, b.yaml]\nx: 3\n"}
    assert values(tmp_path, files)["g"] == {"task": "g", "x": 3, "y": 2, "z": 1}


def test_a_groups_settings_reach_its_members_and_those_of_the_list_win(tmp_path):
    files = {"t": "task: t\nx: 0\n", "g": "group: g\nx: 1\nmetadata: {v: 1}\ntask:\n  - t\n  - {task: new, x: 2}\n"}
    built = values(tmp_path, files)
    assert built == {"t": {"task": "t", "x": 1}, "g::new": {"x": 2}}  # a group's own fields are not its members'


def test_inline_groups_are_named_below_their_group(tmp_path):
    files = {"g": "group: g\ntask:\n  - group: in\n    task: [{task: a, x: 1}]\n"}
    assert values(tmp_path, files) == {"g::in::a": {"x": 1}}


def test_a_setting_knows_its_file_and_its_place(tmp_path):
    found = known(tmp_path, {"g": "group: g\ntask:\n  - tfns\n  - task: tfns\n    metric_list: []\n"})
    (_, override) = merged.built("g", found)
    setting = override.settings["metric_list"]
    assert (setting.file.path.name, setting.file.lines()[setting.keys]) == ("g.yaml", 5)


@pytest.mark.parametrize(
    "files",
    [
        {"g": "group: g\ntask: [h]\n", "h": "group: h\ntask: [g]\n"},
        {"g": "task: g\ninclude: p.yaml\n", "p": "include: q.yaml\n", "q": "include: p.yaml\n"},
    ],
)
def test_a_cycle_is_said(tmp_path, files):
    with pytest.raises(TaskError, match="itself"):
        list(merged.built("g", known(tmp_path, files)))


def test_the_sources_of_a_group_are_all_files_that_reach_it(tmp_path):
    files = {"p": "x: 1\n", "t": "task: t\ninclude: p.yaml\n", "g": "group: g\ntask: [{group: in, task: [t]}]\n"}
    assert {file.path.stem for file in merged.sources("g", known(tmp_path, files))} == {"g", "t", "p"}


def test_what_is_told_is_what_lm_eval_builds(tmp_path):
    """The shipped groups, and one that overrides: the merged settings equal lm-eval's own configuration."""
    files = {"g": "group: g\nrepeats: 2\ntask:\n  - {task: tfns, description: d}\n  - {task: finqa, repeats: 3}\n"}
    told = values(tmp_path, files)
    for task in load.load(["g"], include=[tmp_path], data="sample").tasks:
        for key in ("repeats", "description", "output_type", "doc_to_text"):
            if key in told[task.name]:
                assert getattr(task._config, key) == told[task.name][key]
