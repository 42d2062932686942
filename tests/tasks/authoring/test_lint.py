"""What the text of a task file says to somebody who knows lm-eval's habits."""

from __future__ import annotations

from pathlib import Path

import pytest

from finbench.tasks import yaml_files
from finbench.tasks.authoring import lint
from finbench.tasks.trust import merged

SOUND = "task: t\ncustom_dataset: !function finbench.lm_eval.rows\ngeneration_kwargs: {until: [], max_gen_toks: 4096}\n"


def findings(path: Path, text: str) -> list[tuple[str, int]]:
    (path / "t.yaml").write_text(text)
    folder = yaml_files.scan(path)
    settings = merged.effective(folder.files["t"], folder)
    return [(found.code, found.line) for found in lint.lint("t", folder.chain("t"), settings)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SOUND, []),
        (SOUND + "desciption: x\n", [("unknown-key", 4)]),
        (SOUND.replace("until", "untill"), [("unknown-key", 3), ("no-until", 3)]),
        (SOUND.replace("4096", "256"), [("token-limit", 3)]),
        (SOUND.replace("4096", '"{{ x }}"'), [("token-limit", 3)]),
        ("task: t\n", [("no-until", 1)]),
        ("task: t\ngeneration_kwargs: 3\n", [("no-until", 2)]),
        ("task: t\noutput_type: multiple_choice\n", []),
        (SOUND + "dataset_kwargs: {fiel: x}\n", [("unknown-key", 4)]),
        (SOUND + "metric_list: [{metric: acc, weight: 2}]\nprocess_results: !function x.y\n", [("unknown-key", 4)]),
    ],
)
def test_each_mistake_is_found_on_its_line(tmp_path, text, expected):
    assert findings(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("task: t\ndataset_path: somebody/rows\n", "somebody/rows"),
        ("task: t\ndataset_path: json\ndataset_kwargs: {data_files: https://x.org/y}\n", "json"),
        ("task: t\ndataset_path: json\ndataset_kwargs: {data_files: rows.json}\n", ""),
        (SOUND, ""),
    ],
)
def test_rows_that_a_run_would_fetch_are_named(tmp_path, text, expected):
    (tmp_path / "t.yaml").write_text(text)
    folder = yaml_files.scan(tmp_path)
    assert lint.network_rows(merged.effective(folder.files["t"], folder)) == expected
