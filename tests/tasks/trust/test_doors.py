"""The doors: where they stand in lm-eval, whose settings they look at, and that they are open outside `guard`."""

from __future__ import annotations

from pathlib import Path

import pytest

from finbench.errors import TaskError
from finbench.tasks import load
from finbench.tasks.trust import doors


def guarded(folder: Path, **settings: object) -> doors.Guard:
    readable = frozenset(path.resolve() for path in folder.rglob("*.yaml"))
    return doors.Guard(load.shipped_folder(), (folder,), readable, **settings)  # type: ignore[arg-type]


def test_lm_eval_still_has_every_place_that_a_door_stands_in():
    import inspect

    from lm_eval.api import task as api
    from lm_eval.tasks import _factory, _yaml_loader

    with doors.guard(doors.Guard(Path("/"))):
        pass
    for place in (
        _yaml_loader._import_func_in_yml,
        _factory.TaskFactory.build,
        _factory.TaskFactory._build_task,
        api.ConfigurableTask.__init__,
        api.ConfigurableTask.download,
        api.get_metric,
        api.get_prompt,
    ):
        assert place.__module__ == doors.__name__
    text = inspect.getsource(api)
    assert text.count("load_dataset(") == 2  # Task.download, of classes, and ConfigurableTask.download
    assert "evaluate.load" not in text and "import evaluate" not in text


def test_outside_guard_lm_eval_does_as_it_does(tmp_path):
    from lm_eval.tasks import _yaml_loader

    (tmp_path / "utils.py").write_text("def x():\n    return 1\n")
    with doors.guard(guarded(tmp_path)), pytest.raises(TaskError, match="--trust-task-code"):
        _yaml_loader._import_func_in_yml("utils.x", tmp_path)
    assert _yaml_loader._import_func_in_yml("utils.x", tmp_path)() == 1
    with doors.guard(guarded(tmp_path, code=True)):
        assert _yaml_loader._import_func_in_yml("utils.x", tmp_path)() == 1


@pytest.mark.parametrize(
    ("file", "above", "overrides", "gives"),
    [
        (load.shipped_folder() / "tfns" / "tfns.yaml", None, None, {}),
        (load.shipped_folder() / "tfns" / "tfns.yaml", "g.yaml", {"task": "tfns", "x": 1}, {"x": True, "y": False}),
        ("t.yaml", None, None, {"x": True}),
        (None, "g.yaml", {"x": 1}, {"x": True, "y": False}),
    ],
)
def test_the_origin_of_a_setting_is_the_file_or_the_group_that_gives_it(tmp_path, file, above, overrides, gives):
    for name in ("t.yaml", "g.yaml"):
        (tmp_path / name).write_text("task: x\n")
    path = tmp_path / file if isinstance(file, str) else file
    group = doors.GivenBy(tmp_path / above) if above else doors.OURS
    origin = doors._origin_of(guarded(tmp_path), path, group, overrides)
    assert {key: origin.gives((key,)) for key in gives} == gives and bool(gives) == (origin.file is not None)


def test_a_file_that_finbench_has_not_read_is_not_built(tmp_path):
    with pytest.raises(TaskError, match="cannot be read as a task file"):
        doors._origin_of(guarded(tmp_path), tmp_path / "broken.yaml", doors.OURS, None)
