"""`tasks new`: guesses from the rows, the folder it writes, and that the folder runs here and under plain lm-eval."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from finbench import cli, grading
from finbench.errors import DataError, FinbenchError, UsageError
from finbench.tasks import load, table_files
from finbench.tasks.authoring import draft, scaffold
from finbench.tasks.authoring.draft import Wishes
from finbench.tasks.task import Asking

WISHES = Wishes("q", "a")


def rows_file(path: Path, rows: list[dict], separator: str = ",") -> Path:
    if path.suffix in (".csv", ".tsv"):
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=separator)
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows), encoding="utf-8")
    else:
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def questions(answers: list[object], **further: list[object]) -> list[dict]:
    """Rows with these answers, a question each, and further columns."""
    columns = {"a": answers, **further}
    return [
        {"q": f"Question {number}?", **{name: values[number] for name, values in columns.items()}}
        for number in range(len(answers))
    ]


GUESSES = [
    (["14.2%", "-3%", "0.5 %"], {"kind": "number", "unit": "percent", "gold_form": "percent"}),
    (["$5 million", "€3.2 billion", "12 thousand"], {"kind": "number", "unit": "amount"}),
    (["5", "1,234.5", "-7"], {"kind": "number"}),
    (["yes", "No", "YES"], {"kind": "boolean"}),
    (["是", "否", "是"], {"kind": "boolean"}),
    (["bullish", "bearish", "bullish", "bullish", "neutral", "bullish"] * 2,
     {"kind": "label", "classes": ["bullish", "bearish", "neutral"]}),
    (["the board of directors", "a bond that pays no coupon", "Basel III", "the lessee"], {"kind": "text"}),
    (["1", "2", "3", "4", "n/a"], {"kind": "number"}),
]  # fmt: skip


@pytest.mark.parametrize(("answers", "expected"), GUESSES, ids=[str(case[0][0]) for case in GUESSES])
def test_the_kind_and_unit_of_the_answers_are_guessed(tmp_path, answers, expected):
    made = draft.draft("mine", rows_file(tmp_path / "r.csv", questions(answers)), WISHES)
    assert made.answer == expected and made.rows == len(answers)


@pytest.mark.parametrize(
    ("columns", "answers", "names", "expected"),
    [
        ({"A": ["up", "1"], "B": ["down", "2"]}, ["A", "B"], ["A", "B"], ["A", "B"]),
        ({"option_a": ["up", "1"], "option_b": ["down", "2"]}, ["down", "1"], ["option_a", "option_b"], ["B", "A"]),
        ({"choices": ["up|down", "1|2"]}, ["0", "1"], ["choices"], ["A", "B"]),
        ({"options": ["A. up\nB. down", "A. 1\nB. 2"]}, ["(a)", "B."], ["options"], ["A", "B"]),
        ({"A": ["x", "x"], "B": ["y", "y"], "C": ["z", "z"]}, ["AC", "B, A"], ["A", "B", "C"], ["AC", "AB"]),
        ({"choices": ["up|down", "1|2"]}, ["1", "2"], ["choices"], ["A", "B"]),
    ],
)
def test_options_are_found_and_golds_become_letters(tmp_path, columns, answers, names, expected):
    made = draft.draft("mine", rows_file(tmp_path / "r.csv", questions(answers, **columns)), WISHES)
    assert made.kind == "choice" and made.columns["choices"] == names
    folder = scaffold.write(made, tmp_path)
    (task,) = load.load(["mine"], include=[folder]).tasks
    assert [document.golds[0].text for _, document in task.documents()] == expected


def test_flags_win_over_guesses(tmp_path):
    source = rows_file(tmp_path / "r.csv", questions(["0", "1", "2"] * 2))
    assert draft.draft("mine", source, WISHES).kind == "number"
    made = draft.draft("mine", source, Wishes("q", "a", kind="label"))
    assert made.answer == {"kind": "label", "classes": ["0", "1", "2"]}
    made = draft.draft("mine", source, Wishes("q", "a", kind="number", unit="percent", gold_form="fraction"))
    assert made.answer == {"kind": "number", "unit": "percent", "gold_form": "fraction"}


def test_ids_are_taken_only_from_a_column_without_gaps_and_repeats(tmp_path):
    for values, expected in ((["x", "y"], "ID"), (["x", "x"], None), (["x", ""], None)):
        source = rows_file(tmp_path / "r.csv", questions(["1", "2"], ID=values))
        assert draft.draft("mine", source, WISHES).columns.get("id") == expected


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "json", "parquet"])
def test_every_form_of_rows_makes_a_task_that_runs(tmp_path, suffix):
    rows = questions([1.5, 20.0, -3.25], table=["a\nb", 'with "quotes"', "c, d"])
    source = rows_file(tmp_path / f"r.{suffix}", rows, "\t" if suffix == "tsv" else ",")
    made = draft.draft("mine", source, Wishes("q", "a", context=("table",)))
    folder = scaffold.write(made, tmp_path)
    (task,) = load.load(["mine"], include=[folder]).tasks
    documents = [document for _, document in task.documents()]
    assert [float(document.golds[0].text) for document in documents] == [1.5, 20.0, -3.25]
    assert [document.row["context"] for document in documents] == ["a\nb", 'with "quotes"', "c, d"]


def test_semicolons_and_a_byte_order_mark_of_a_spreadsheet_are_read(tmp_path):
    (tmp_path / "r.csv").write_bytes("\ufeffq;a\nHow much?;5\n".encode())
    made = draft.draft("mine", tmp_path / "r.csv", WISHES)
    folder = scaffold.write(made, tmp_path)
    assert (folder / "rows.csv").read_text(encoding="utf-8") == "q,a\nHow much?,5\n"


BAD = [
    ("r.csv", b"q,a\nx\n", DataError, "1 rows have no question or no answer"),
    ("r.csv", b"q,a\n1,2,3\n", DataError, ":2: more cells"),
    ("r.csv", b"q,a,a\n1,2,3\n", DataError, "more than once"),
    ("r.csv", b"", DataError, "is empty"),
    ("r.csv", b"q,a\n", DataError, "holds no rows"),
    ("r.csv", b"q,a\ncaf\xe9,2\n", DataError, "UTF-8"),
    ("r.csv", b"question,a\n1,2\n", UsageError, "no column 'q'"),
    ("r.jsonl", b'{"q": "x", "a": 1}\n{"q": \n', DataError, ":2: not a JSON line"),
    ("r.jsonl", b"[1]\n", DataError, "expected an object"),
    ("r.json", b'{"q": 1}', DataError, "JSON array"),
    ("r.parquet", b"PAR1", DataError, "parquet"),
    ("r.xlsx", b"x", DataError, ".csv"),
    ("gone.csv", None, DataError, "no such file"),
]


@pytest.mark.parametrize(("name", "content", "error", "named"), BAD)
def test_rows_that_cannot_be_used_are_refused_with_the_place(tmp_path, name, content, error, named):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=named):
        draft.draft("mine", tmp_path / name, WISHES)


@pytest.mark.parametrize("name", ["tfns", "all", "finbench"])
def test_the_name_of_a_shipped_task_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match="comes with finbench"):
        draft.draft(name, rows_file(tmp_path / "r.csv", questions(["1"])), WISHES)


@pytest.mark.parametrize("name", ["123", "no", "null", "1e5"])
def test_a_name_that_yaml_would_read_as_something_else_stays_a_name(tmp_path, name):
    folder = scaffold.write(draft.draft(name, rows_file(tmp_path / "r.csv", questions(["1"])), WISHES), tmp_path)
    assert [task.name for task in load.load([name], include=[folder], builtins=False).tasks] == [name]


def test_chinese_questions_get_a_chinese_prompt(tmp_path):
    source = rows_file(tmp_path / "r.jsonl", [{"q": "毛利率是多少？", "a": "14.2%"}])
    assert "请逐步推理" in scaffold.prompt(draft.draft("mine", source, WISHES))


def test_the_command_writes_the_folder_prints_its_path_and_shows_the_guesses(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    source = rows_file(tmp_path / "fees.csv", questions(["14.2%", "3%"]))
    words = ["tasks", "new", "fees", "--from", str(source), "--question", "q", "--answer", "a"]
    assert cli.main(words) == 0
    captured = capsys.readouterr()
    assert (
        captured.out == "fees\n" and "unit percent" not in captured.err and "every answer has a % sign" in captured.err
    )
    assert sorted(str(path.relative_to("fees")) for path in Path("fees").rglob("*") if path.is_file()) == [
        "README.md", "fees.yaml", "rows.csv", "tests/test_fees.py",
    ]  # fmt: skip
    assert cli.main(words) == 2 and "--force" in capsys.readouterr().err
    assert cli.main([*words, "--force", "--unit", "ratio"]) == 0
    assert yaml.safe_load(Path("fees/fees.yaml").read_text().replace("!function ", ""))["dataset_kwargs"]["answer"] == {
        "kind": "number", "unit": "ratio",
    }  # fmt: skip
    Path("tasks").mkdir()
    capsys.readouterr()
    assert cli.main(words) == 0 and capsys.readouterr().out == "tasks/fees\n"
    assert cli.main([*words, "--into", str(tmp_path / "elsewhere")]) == 0


def test_rows_may_come_from_the_folder_that_is_replaced(tmp_path):
    source = rows_file(tmp_path / "r.csv", questions(["1", "2"]))
    folder = scaffold.write(draft.draft("mine", source, WISHES), tmp_path)
    again = draft.draft("mine", folder / "rows.csv", WISHES)
    scaffold.write(again, tmp_path, force=True)
    assert len(list(table_files.numbered(folder / "rows.csv"))) == 2


def test_four_commands_lead_from_a_csv_to_a_check_a_run_and_a_leaderboard(tmp_path, monkeypatch, capsys):
    """Also the test that `tasks new` writes; the example of docs/custom-tasks.md itself is run by test_docs_run.py."""
    monkeypatch.chdir(tmp_path)
    answers = [f"{number}.5%" for number in range(20)]
    rows_file(tmp_path / "fees.csv", questions(answers))
    assert cli.main(["tasks", "new", "fees", "--from", "fees.csv", "--question", "q", "--answer", "a"]) == 0
    assert cli.main(["tasks", "check", "fees"]) == 0
    words = ["run", "--model", "baseline/oracle", "--tasks", "fees", "--include", "fees", "--json", "--no-report"]
    capsys.readouterr()
    assert cli.main([*words, "--output", "runs/one"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["tasks"]["fees"]["n"] == 20 and document["tasks"]["fees"]["score"] == 100
    assert cli.main(["leaderboard", "build", "runs", "-o", "board.html"]) == 0
    assert "fees" in Path("board.html").read_text(encoding="utf-8")
    namespace: dict = {"__file__": str(tmp_path / "fees" / "tests" / "test_fees.py")}
    exec((tmp_path / "fees/tests/test_fees.py").read_text(), namespace)
    namespace["test_the_task_has_no_problems"]()


def test_plain_lm_eval_runs_the_folder_and_scores_it(tmp_path):
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.tasks import TaskManager

    source = rows_file(tmp_path / "r.csv", questions(["bullish", "bearish", "bullish", "neutral"] * 3))
    made = draft.draft("mood", source, Wishes("q", "a", kind="label"))
    scaffold.write(made, tmp_path)
    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
    found = simple_evaluate(model="dummy", tasks=["mood"], task_manager=manager, bootstrap_iters=0)
    assert {key for key in found["results"]["mood"] if key.endswith(",none") and "stderr" not in key} == {
        "acc,none", "lenient,none", "macro_f1,none",
    }  # fmt: skip
    assert found["results"]["mood"]["acc,none"] == 0


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"file": 5}, "`file`"),
        ({"file": "gone.csv"}, "does not exist"),
        ({"columns": {"question": "q"}}, "`question` and `answer`"),
        ({"columns": {"question": "q", "answer": "a", "contxt": "x"}}, "contxt"),
        ({"columns": {"question": "q", "answer": 5}}, "columns.answer"),
        ({"answer": {"kind": "numeric"}}, "answer.kind"),
        ({"answer": {"kind": "number", "unit": "dollars"}}, "answer.unit"),
        ({"answer": {"kind": "label", "classes": 5}}, "answer.classes"),
        ({"answer": {"kind": "label", "codes": [0]}}, "answer.codes"),
        ({"first_option": 7}, "first_option"),
    ],
)
def test_a_mistake_in_the_yaml_of_the_door_is_named(tmp_path, change, named):
    settings = {
        "config_source": str(rows_file(tmp_path / "rows.csv", questions(["1"])).with_name("t.yaml")),
        "file": "rows.csv",
        "columns": {"question": "q", "answer": "a"},
        "answer": {"kind": "number"},
    }
    assert len(table_files.load(settings)) == 1
    with pytest.raises(DataError, match=named):
        table_files.load(settings | change)


def test_codes_and_classes_that_yaml_reads_as_numbers_and_booleans_become_texts(tmp_path):
    rows_file(tmp_path / "rows.csv", questions(["0", "1"]))
    settings = {
        "config_source": str(tmp_path / "t.yaml"),
        "file": "rows.csv",
        "columns": {"question": "q", "answer": "a"},
        "answer": {"kind": "label", "classes": [True, "down"], "codes": {0: True, 1: "down"}},
    }
    assert table_files.load(settings)[0]["answer"]["codes"] == {"0": "yes", "1": "down"}


def test_data_in_a_folder_of_its_own_wins_over_the_rows_beside_the_yaml(tmp_path):
    folder = scaffold.write(draft.draft("mine", rows_file(tmp_path / "r.csv", questions(["1"])), WISHES), tmp_path)
    private = tmp_path / "private" / "mine"
    private.mkdir(parents=True)
    rows_file(private / "rows.csv", questions(["1", "2", "3"]))
    sizes = [
        len(load.load(["mine"], include=[folder], data=data).tasks[0]) for data in (None, "sample", str(private.parent))
    ]
    assert sizes == [1, 1, 3]


CELL = (
    st.text(max_size=12)
    | st.integers()
    | st.floats()
    | st.none()
    | st.booleans()
    | st.lists(st.text(max_size=3), max_size=3)
)


@settings(max_examples=60)
@given(st.lists(st.fixed_dictionaries({"q": CELL, "a": CELL, "A": CELL, "B": CELL}), min_size=1, max_size=5),
       st.sampled_from([None, *draft.KINDS]))  # fmt: skip
def test_any_rows_make_a_task_that_renders_and_grades_or_one_of_our_errors(tmp_path, rows, kind):
    path = tmp_path / "r.jsonl"
    path.write_bytes("".join(json.dumps(row) + "\n" for row in rows).encode("utf-8", "surrogatepass"))
    try:
        made = draft.draft("fuzz", path, Wishes("q", "a", kind=kind))
        folder = scaffold.write(made, tmp_path, force=True)
        (task,) = load.load(["fuzz"], include=[folder], builtins=False).tasks
        for _, document in task.documents():
            list(task.requests(document, "", Asking("m")))
            grading.grade(document, document.golds[0].text)
    except FinbenchError:
        pass


def test_the_stages_of_a_draft_leave_out_what_nobody_said(tmp_path):
    (tmp_path / "x.csv").write_text("q,a\none?,1%\ntwo?,2%\n")
    wishes = draft.Wishes("q", "a")
    seen = draft._read_whole(tmp_path / "x.csv", wishes)
    assert draft._columns(seen, wishes, []) == {"question": "q", "answer": "a"}
    assert draft._answer("number", seen, wishes, []) == (
        {"unit": "percent", "gold_form": "percent"},
        {"unit": "every answer has a % sign"},
    )
    assert [draft._answer(kind, seen, wishes, [])[0] for kind in ("label", "boolean", "text")] == [
        {"classes": ["1%", "2%"]},
        {},
        {},
    ]
