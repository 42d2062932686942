"""`finbench tasks new`: the folder of a draft, which runs at once, here and under plain lm-eval.

It holds no Python that a run executes: the rows file, a YAML that says what its columns mean, a README with blanks to
fill, and a test.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from finbench.errors import TaskError
from finbench.tasks.authoring import draft
from finbench.tasks.authoring.draft import Draft


def destination(into: Path | None) -> Path:
    """Where new task folders go: `into`, else the current folder's `tasks/`, else the current folder."""
    if into is not None:
        return into
    return Path("tasks") if Path("tasks").is_dir() else Path()


def write(made: Draft, into: Path, *, force: bool = False) -> Path:
    """Write the folder of a draft below `into`; its path. `force` replaces the files that this function writes."""
    folder = into / made.name
    if folder.exists() and not force:
        raise TaskError(
            f"{folder}: exists; choose another name, or --force to replace the files that `tasks new` writes"
        )
    try:
        (folder / "tests").mkdir(parents=True, exist_ok=True)
        _write_rows(made, folder / made.rows_file)
        (folder / f"{made.name}.yaml").write_text(task_yaml(made), encoding="utf-8")
        (folder / "README.md").write_text(readme(made), encoding="utf-8")
        (folder / "tests" / f"test_{made.name.replace('-', '_')}.py").write_text(TEST, encoding="utf-8")
    except OSError as err:
        raise TaskError(f"{folder}: cannot be written ({err.strerror})") from err
    return folder


def _write_rows(made: Draft, path: Path) -> None:
    part = path.with_name(f".{path.name}.part")  # --from may be the very file that is replaced
    if made.rows_file.endswith(".csv"):
        with part.open("w", encoding="utf-8", newline="") as file:
            rows = (cells for _, cells in draft.read(made.source))
            first = next(rows)
            writer = csv.DictWriter(file, list(first), lineterminator="\n")
            writer.writeheader()
            writer.writerow(first)
            writer.writerows(rows)
    else:
        with part.open("w", encoding="utf-8") as file:
            for _, cells in draft.read(made.source):
                file.write(json.dumps(cells, ensure_ascii=False, default=str) + "\n")
    part.replace(path)


ENDINGS = {  # by kind: in English, in Chinese
    "number": [
        """\
Work it out step by step: find the figures you need, write down the calculation, and carry it out. Then end with one
line that holds only your final answer in \\boxed{}, with its sign and its unit (write % for a percentage).""",
        "请逐步推理：找出所需数字，写出算式并计算。最后单独一行，用 \\boxed{} 写出答案，带正负号和单位（百分比写 %）。",
    ],
    "choice": [
        "Think it through briefly. Then end with one line that holds only the letter of your choice in \\boxed{}.",
        "请先简要说明理由，最后单独一行，用 \\boxed{} 只写出所选选项的字母。",
    ],
    "several": [
        """\
More than one option may be right. Think it through briefly. Then end with one line that holds only the letters of all
right options in \\boxed{}, such as \\boxed{AC}.""",
        "可能有多个正确选项。请先简要说明理由，最后单独一行，用 \\boxed{} 写出所有正确选项的字母，例如 \\boxed{AC}。",
    ],
    "label": [
        """\
The answer is one of these labels: {{ labels }}. Think it through briefly. Then end with one line that holds only the
label in \\boxed{}.""",
        "答案是下列标签之一：{{ labels }}。请先简要说明理由，最后单独一行，用 \\boxed{} 只写出标签。",
    ],
    "boolean": [
        "Think it through briefly. Then end with one line that holds only yes or no in \\boxed{}.",
        "请先简要说明理由，最后单独一行，用 \\boxed{} 只写出“是”或“否”。",
    ],
    "text": [
        """\
Think it through briefly. Then end with one line that holds only your final answer, as short as possible, in
\\boxed{}.""",
        "请先简要说明理由，最后单独一行，用 \\boxed{} 写出最终答案，尽量简短。",
    ],
}


def prompt(made: Draft) -> str:
    """The jinja template of the question."""
    ending = ENDINGS["several" if made.answer.get("multi") else made.kind][made.chinese].replace("\n", " ")
    parts = []
    if made.columns.get("context"):
        asked = "问题：" if made.chinese else "Question: "
        parts.append("{% if context %}{{ context }}\n\n{% endif %}" + asked + "{{ question }}")
    else:
        parts.append("{{ question }}")
    if made.kind == "choice":
        parts.append("{{ options }}")
    return "\n\n".join([*parts, ending])


def task_yaml(made: Draft) -> str:
    """The task file, for finbench and for plain lm-eval."""
    import yaml

    settings: dict[str, Any] = {"file": made.rows_file, "columns": dict(made.columns), "answer": dict(made.answer)}
    if made.first_option is not None:
        settings["first_option"] = made.first_option
    kwargs = yaml.safe_dump(settings, allow_unicode=True, sort_keys=False, width=1000)
    metrics = ["acc, aggregation: mean", "lenient, aggregation: mean"]
    if made.kind == "label":
        metrics.append("macro_f1, aggregation: !function finbench.lm_eval.macro_f1")
    listed = "\n".join(f"  - {{metric: {metric}, higher_is_better: true}}" for metric in metrics)
    return (
        f"# {made.name}: written by `finbench tasks new`; change what it guessed, then run `finbench tasks check`.\n"
        f"{yaml.safe_dump({'task': made.name})}"  # quoted where YAML would read a number or a boolean
        "custom_dataset: !function finbench.lm_eval.rows\n"
        f"dataset_kwargs:\n{_indented(kwargs)}\n"
        "output_type: generate_until\n"
        "test_split: test\n"
        "num_fewshot: 0\n"
        "fewshot_config: {sampler: first_n, samples: []}\n"
        f"doc_to_text: |-\n{_indented(prompt(made))}\n"
        "doc_to_target: gold\n"
        f"process_results: !function finbench.lm_eval.{made.kind}\n"
        f"metric_list:\n{listed}\n"
        "generation_kwargs: {until: [], do_sample: false, temperature: 0.0, max_gen_toks: 4096}\n"
        "# Raise the version whenever the rows, the prompt or the answer type change: scores of two versions differ.\n"
        'metadata: {version: 1.0, licence: ""}\n'
    )


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.rstrip("\n").split("\n"))


def readme(made: Draft) -> str:
    """The README, with blanks where only the author knows."""
    return f"""# {made.name}

_One sentence: what does a model have to be able to do to score well here?_

| | |
|---|---|
| rows | {made.rows:,}, in `{made.rows_file}` |
| answers | {made.kind} |
| source of the rows | _who wrote them, when, from what_ |
| licence | _of the rows; also as `metadata.licence` in the YAML_ |
| paper or contact | _where to ask_ |
| known defects | _questions that are ambiguous, golds in doubt, duplicates_ |
| may a model have seen them? | _public since when, or never published_ |

From this folder:

```
finbench tasks check {made.name} --include ..
finbench run --model baseline/heuristic --tasks {made.name} --include ..
lm_eval --model dummy --include_path .. --tasks {made.name}
```
"""


TEST = '''"""Every prompt of this task can be rendered and every gold answer is graded right (pytest runs this)."""

from pathlib import Path

from finbench.cli import main


def test_the_task_has_no_problems():
    assert main(["tasks", "check", str(Path(__file__).parent.parent)]) == 0
'''
