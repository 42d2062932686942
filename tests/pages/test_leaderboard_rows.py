"""The rows of the page: one scale for every interval, order and words."""

from __future__ import annotations

from pathlib import Path

from fake_runs import make_samples, make_unsure, write_run

from finbench.pages import leaderboard_rows
from finbench.pages.leaderboard_rows import Place, layout
from finbench.scores.leaderboard import build


def test_the_interval_lines_share_one_scale_over_all_rows(tmp_path: Path) -> None:
    """Rows without an average were clamped to the left edge of a scale made from the others: 28.6, 10.0 and 1.5 alike."""
    tasks = ("finqa", "convfinqa", "ant_finance", "tfns", "finance_instruct")
    runs = [write_run(tmp_path / "full", "tests/full", tasks={name: make_samples(200, 0.9) for name in tasks})]
    for share in (0.286, 0.1, 0.015):
        samples = make_samples(200, 0)
        for one in samples[: round(200 * share)]:
            one["correct"] = True
        runs.append(write_run(tmp_path / str(share), f"tests/{share}", tasks={"finqa": samples}))
    table = build(runs)
    page = layout(table, [Place(None)] * len(table.rows))
    cells = [cell for group in page["groups"] for row in group["rows"] for cell in row["cells"] if cell]
    ends = [(float(cell["left"]), float(cell["middle"]), float(cell["width"])) for cell in cells]
    assert all(0 <= left <= middle <= left + width + 0.1 <= 100.2 for left, middle, width in ends)
    low, high = leaderboard_rows._scale(table.rows)
    for cell, (_, middle, _) in zip(cells, ends, strict=True):
        assert abs(low + middle / 100 * (high - low) - float(cell["score"])) < 0.5


def test_footnotes_are_lettered_beyond_z() -> None:
    assert [leaderboard_rows.letter(index) for index in (0, 25, 26, 52)] == ["a", "z", "aa", "ba"]


def test_a_row_has_its_share_of_unsure_verdicts_and_a_cell_its_range(tmp_path: Path) -> None:
    old = write_run(tmp_path / "old", "tests/old", tasks={"finqa": make_samples(20, 0.5)})
    new = write_run(tmp_path / "new", "tests/new", tasks={"finqa": make_unsure(), "tfns": make_samples(20, 0.5)})
    table = build([old, new], reported=[])
    page = layout(table, [Place(None)] * 2)
    column = [one["key"] for one in leaderboard_rows.COST].index("unsure")
    rows = {row["model"]: row for row in page["groups"][0]["rows"]}
    assert rows["tests/new"]["cost"][column] == {"value": 10.0, "text": "10.0"}, "of the benchmarks that say it"
    assert rows["tests/old"]["cost"][column] == {"value": None, "text": ""}
    titles = {model: row["cells"][1]["title"] for model, row in rows.items()}
    assert "10.0 % of the verdicts are unsure: 45.0 with all of them wrong, 55.0 with all" in titles["tests/new"]
    assert "unsure" not in titles["tests/old"]
