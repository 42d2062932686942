"""The leaderboard's table for other programs: foreign text stays text, and any choice of rows is a whole text."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from fake_runs import make_runs, make_samples, make_unsure, write_run

from finbench.pages import exports
from finbench.scores.leaderboard import Table, build
from finbench.scores.published import Protocol, ReportedRow, ReportedScore

HOSTILE = "=cmd|'/C calc'!A1<script>|`x`\\input{/etc/passwd}"


def hostile(tmp_path: Path) -> Table:
    protocol = Protocol("house", HOSTILE, HOSTILE, assumed_n={"finqa": 10})
    row = ReportedRow(HOSTILE, "7B", protocol, {"finqa": ReportedScore("50.0", 50.0, 0.05, notes=HOSTILE)}, None, None)
    run = write_run(tmp_path / "r", HOSTILE + "\x1b[2J\n| new row |", tasks={"finqa": make_samples(20, 0.5)})
    return build([run], reported=[row], reference="house/" + HOSTILE)


def test_csv_cells_are_no_formulas_and_numbers_stay_numbers(tmp_path: Path) -> None:
    lines = list(csv.DictReader(io.StringIO(exports.to_csv(hostile(tmp_path)).text())))
    assert all(not value.startswith(("=", "+", "@")) for line in lines for value in line.values())
    assert [line["task"] for line in lines] == ["finqa", "average", "finqa"]
    assert float(lines[0]["delta"]) == pytest.approx(float(lines[0]["score"]) - 50)


def test_markdown_keeps_hostile_names_in_their_cell(tmp_path: Path) -> None:
    text = exports.to_markdown(hostile(tmp_path)).text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.replace("\\|", "").count("|") == 5 for line in rows)
    assert "<script>" not in text
    assert "\x1b" not in text


def test_latex_keeps_hostile_names_as_text(tmp_path: Path) -> None:
    text = exports.to_latex(hostile(tmp_path)).text()
    assert "\\input" not in text
    assert r"\textbackslash{}input\{/etc/passwd\}" in text


def test_json_holds_the_whole_table(tmp_path: Path) -> None:
    document = json.loads(exports.to_json(build(make_runs(tmp_path, 2, n=20))).text())
    assert {"tasks", "rows", "reference", "notes", "schema"} == set(document)


def test_markdown_shows_the_paper_as_printed_with_its_flags() -> None:
    text = exports.to_markdown(build([])).text()
    fin_r1 = next(line for line in text.splitlines() if line.startswith("| 2 | Fin-R1 |"))
    assert "76.0 ± 2.6" in fin_r1
    assert "81.0 ± 5.4\\*" in fin_r1  # assumed n
    assert "75.2 ± " in fin_r1
    assert "69.2 ± 1.7\\* (columns give 68.8)" in text
    assert "| 71.9 ± " in text


def test_json_names_no_folder_of_the_machine_that_made_it(tmp_path: Path) -> None:
    text = exports.to_json(build(make_runs(tmp_path, 1, n=20))).text()
    assert "run_dir" not in text
    assert str(tmp_path) not in text


@pytest.mark.parametrize("chosen", [(), (0,), (2, 1)])
def test_a_choice_of_rows_is_a_whole_text_again(tmp_path: Path, chosen: tuple[int, ...]) -> None:
    table = build(make_runs(tmp_path, 3, n=20), reported=[])
    made = {export.ending: export for export in exports.exports(table)}
    few = {
        ending: replace(export, blocks=tuple(replace(block, rows=chosen) for block in export.blocks if chosen)).text()
        for ending, export in made.items()
    }
    models = [table.rows[number].model for number in chosen]
    assert [row["model"] for row in json.loads(few["json"])["rows"]] == models
    assert list(dict.fromkeys(line["model"] for line in csv.DictReader(io.StringIO(few["csv"])))) == models
    rows = [line for line in few["md"].splitlines() if line.startswith("|")]
    assert len(rows) == (2 + len(models) if models else 0)
    assert few["tex"].startswith(r"\begin{tabular}") and few["tex"].endswith("\\end{tabular}\n")


def test_every_format_carries_the_unsure_share_and_the_range(tmp_path: Path) -> None:
    table = build([write_run(tmp_path / "r", tasks={"finqa": make_unsure()})], reported=[])
    line = next(csv.DictReader(io.StringIO(exports.to_csv(table).text())))
    assert [float(line[name]) for name in ("unsure", "range_low", "range_high")] == [10, 45, 55]
    cell = json.loads(exports.to_json(table).text())["rows"][0]["cells"]["finqa"]
    assert (cell["unsure"], cell["range_low"], cell["range_high"]) == (10, 45, 55)
    assert "| unsure |" in exports.to_markdown(table).text()
    assert "| 10.0 % (45.0 to 55.0) |" in exports.to_markdown(table).text()
    assert r"& 10.0 \% (45.0 to 55.0) \\" in exports.to_latex(table).text()


def test_rows_older_than_certainty_get_no_column_of_it(tmp_path: Path) -> None:
    table = build(make_runs(tmp_path, 1, n=20))
    assert "unsure" not in exports.to_markdown(table).text() and "unsure" not in exports.to_latex(table).text()
    assert next(csv.DictReader(io.StringIO(exports.to_csv(table).text())))["unsure"] == ""
