"""Task files that nobody wrote on purpose, and some that somebody did: words of finbench for each, never a traceback."""

from __future__ import annotations

import contextlib
import io
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from finbench import cli
from finbench.errors import TaskError
from finbench.tasks import archive, download, load

TASK = """\
task: evil
custom_dataset: !function finbench.lm_eval.rows
dataset_kwargs: {file: rows.jsonl, columns: {question: q, answer: a}, answer: {kind: number}}
output_type: generate_until
test_split: test
num_fewshot: 0
fewshot_config: {sampler: first_n, samples: []}
doc_to_text: "{{ question }}"
doc_to_target: gold
process_results: !function finbench.lm_eval.number
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
generation_kwargs: {until: [], max_gen_toks: 2048}
metadata: {version: 1.0}
"""
CYCLE = {"evil.yaml": "task: evil\ninclude: part.yaml\n", "part.yaml": "include: evil.yaml\ndoc_to_text: q\n"}
FILES = {
    "an include cycle": (CYCLE, "includes itself"),
    "a group that holds itself": ({"evil.yaml": "group: evil\ntask: [other]\n", "o.yaml": "group: other\ntask: [evil]\n"},
                                  "contains itself"),
    "a limit that is a template": ({"evil.yaml": TASK.replace("2048", '"{{ x }}"')}, "generation_kwargs"),
    "a limit that is infinite": ({"evil.yaml": TASK.replace("2048", ".inf")}, "generation_kwargs"),
    "a bad date": ({"evil.yaml": TASK + "x: !!timestamp yesterday\n"}, "cannot be read as YAML"),
    "a bad boolean": ({"evil.yaml": TASK + "x: !!bool maybe\n"}, "cannot be read as YAML"),
    "a bad integer": ({"evil.yaml": TASK + "x: !!int ''\n"}, "cannot be read as YAML"),
    "an alias of itself": ({"evil.yaml": "group: evil\ntask: &a [{group: g, task: *a}]\n"}, "an alias that holds itself"),
    "laughs below the limit of aliases": (
        {"evil.yaml": "task: evil\nx0: &x0 [a, a]\n" + "".join(f"x{i}: &x{i} [*x{i-1}, *x{i-1}]\n" for i in range(1, 30))},
        "values, aliases written out",
    ),
}  # fmt: skip


def folder(path: Path, files: dict[str, str]) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (path / name).write_text(text, encoding="utf-8")
    (path / "rows.jsonl").write_text('{"q": "1 plus 1?", "a": "2"}\n')
    return path


@pytest.mark.parametrize("case", FILES)
def test_a_damaged_task_file_is_named_by_every_command(tmp_path, case, capsys):
    files, words = FILES[case]
    place = folder(tmp_path / "theirs", files)
    assert cli.main(["tasks", "list", "--include", str(place)]) == 0
    listed = capsys.readouterr()
    shown = cli.main(["tasks", "show", "evil", "--include", str(place), "--doc", "0"])
    assert shown == 2 and words in capsys.readouterr().err
    assert cli.main(["tasks", "check", str(place)]) in (1, 2)
    assert words in capsys.readouterr().out
    if "generation" not in words:  # the text alone does not say that: the list loads nothing
        assert words in listed.err


def test_a_limit_that_is_no_number_stops_a_run_in_words(tmp_path, capsys):
    place = folder(tmp_path / "theirs", FILES["a limit that is a template"][0])
    words = ["run", "--model", "baseline/oracle", "--tasks", "evil", "--include", str(place)]
    assert cli.main([*words, "--output", str(tmp_path / "run"), "--dry-run"]) == 2
    assert "generation_kwargs" in capsys.readouterr().err


def test_a_broken_include_is_named_before_lm_evals_tasks_are_searched(tmp_path, monkeypatch):
    def searched(**_: object) -> None:
        raise AssertionError("lm-eval's folder was searched")

    monkeypatch.setattr("lm_eval.tasks.TaskManager", searched)
    for name, text in (("evil.yaml", "task: [\n"), ("other.yaml", "task: evil\nx: !!timestamp no\n")):
        place = folder(tmp_path / name, {name: text})
        with pytest.raises(TaskError, match=rf"(?s)unknown task 'evil'.*{name}"):
            load.load(["evil"], include=[place])


# -- remains of killed processes -------------------------------------------------------------------------------------


def test_what_a_killed_unpack_and_a_killed_fetch_left_is_removed_by_the_next(tmp_path):
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    gone = int(ended.stdout)
    data = tmp_path / "data"
    (data / "finqa").mkdir(parents=True)
    for owner in (gone, os.getpid()):
        (data / f".unpack-{owner}-x" / "finqa").mkdir(parents=True)
        (data / "finqa" / f".test.json.{owner}.part").write_text("half")
    (data / ".unpack-old").mkdir()
    with contextlib.suppress(Exception):
        archive.unpack(tmp_path / "no.tar", data)
    with download.written(data / "finqa" / "test.json") as part:
        part.write_text("[]")
    left = sorted(str(path.relative_to(data)) for path in data.rglob("*") if path.name.startswith("."))
    assert left == [f".unpack-{os.getpid()}-x"]  # and its own part has become the file


def test_a_killed_unpack_leaves_nothing_for_long(tmp_path):
    """A process that is killed with its staging folder in place, then another unpack."""
    code = (
        "import sys, time; from pathlib import Path; from finbench.tasks import archive\n"
        "archive._unpack_checked = lambda *_: (print('there', flush=True), time.sleep(60))\n"
        "archive.unpack(Path('x.tar'), Path(sys.argv[1]))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "data")], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"there\n"
    assert len(list((tmp_path / "data").glob(".unpack-*"))) == 1
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with contextlib.suppress(Exception):
        archive.unpack(tmp_path / "no.tar", tmp_path / "data")
    assert not list((tmp_path / "data").glob(".unpack-*"))


# -- two thousand mutants --------------------------------------------------------------------------------------------

SEED, MUTANTS = 20261201, 2_000
VALUES = """\
null|~|true|-1|0|1e999|.nan|.inf|99999999999999999999999|0x10|!!timestamp x|!!bool x|!!int x|!!float x|!!binary ?|\
!!set {a}|!!omap [a: 1]|!!python/object:os.system ls|!function x|!function|!function a.b|[]|{}|[[]]|{a: {b: []}}|[null]|\
""|"{{"|"{{ x }}"|"{% for"|"\\x00"|2024-99-99|2024-01-01|&a [*a]|*b|'|`|@|%|{? [a] : b}|[1, x, {y: z}]|tfns|evil|../x.yaml|\
/etc/passwd|text|json|acc|mean|*|<<|generate_until|multiple_choice|loglikelihood|[{metric: acc}]|[{metric: x}]|\
[{group: evil}]|[{task: tfns, x: 1}]\
""".split("|")
GROUP = """\
group: evil
group_alias: e
task:
  - tfns
  - task: finqa
    num_fewshot: 0
  - group: inner
    task: [tfns]
metadata: {}
"""
CHOICE = """\
task: evil
dataset_path: json
dataset_kwargs: {data_files: {test: HERE/rows.jsonl}, cache_dir: HERE/cache}
output_type: multiple_choice
test_split: test
doc_to_text: "{{q}}"
doc_to_choice: ["1", "2"]
doc_to_target: "{{a}}"
metric_list: [{metric: acc, aggregation: mean}]
"""
OTHERS = """include tag class filter_list process_docs repeats use_prompt description gen_prefix until max_gen_toks temperature
columns answer kind file sampler samples metric aggregation version"""
KEYS = sorted({line.split(":")[0].strip("- ") for line in (TASK + GROUP + CHOICE).splitlines()} | set(OTHERS.split()))


def mutant(draw: random.Random) -> str:
    """One of three task files with one to four faults: of a value, a line, a character."""
    text = draw.choice([TASK, TASK, GROUP, CHOICE])
    for _ in range(draw.randint(1, 4)):
        lines = text.splitlines()
        place = draw.randrange(len(lines) or 1)
        kind = draw.randrange(6)
        if kind == 0 and ":" in lines[place]:
            lines[place] = f"{lines[place].split(':')[0]}: {draw.choice(VALUES)}"
        elif kind == 1:
            lines.insert(place, f"{draw.choice(KEYS)}: {draw.choice(VALUES)}")
        elif kind == 2:
            del lines[place : place + 1]
        elif kind == 3:
            lines[place : place + 1] = [" " * draw.randrange(5) + line for line in lines[place : place + 1]] * 2
        elif kind == 4:  # one value inside a flow collection
            words = lines[place : place + 1] and lines[place].split(" ")
            if words:
                words[draw.randrange(len(words))] = draw.choice(VALUES)
                lines[place] = " ".join(words)
        else:
            at = draw.randrange(len(text) or 1)
            lines = (
                text[:at] + draw.choice("{}[]:,&*!|>'\"%@`#-\t\x00\x85é") + text[at + draw.randrange(2) :]
            ).splitlines()
        text = "\n".join(lines) + "\n"
    return text


def quiet(words: list[str]) -> int:
    """A command without its output; a failure that is none of finbench's comes through."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return cli.main(words)


@pytest.mark.slow
def test_two_thousand_mutants_of_task_files_end_in_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw = random.Random(SEED)
    place = folder(tmp_path / "theirs", {})
    bad = []
    for number in range(MUTANTS):
        text = mutant(draw).replace("HERE", str(place))
        (place / "evil.yaml").write_text(text, encoding="utf-8")
        words = [["tasks", "list", "--include", str(place)], ["tasks", "show", "evil", "--include", str(place)],
                 ["tasks", "check", str(place)]]  # fmt: skip
        for command in words:
            try:
                code = quiet(command)
            except Exception as err:
                bad.append((number, command[1], f"{type(err).__name__}: {err}", text))
                continue
            if code not in (0, 1, 2):
                bad.append((number, command[1], f"exit code {code}", text))
    assert not bad, f"{len(bad)} of the mutants; the first: {bad[0]}"
