"""Published scores: the shipped files, and what a file of somebody else may not do."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from finbench.errors import DataError
from finbench.scores import published
from finbench.scores.intervals import wilson
from finbench.scores.published import (
    BENCHMARKS,
    COLUMNS,
    DESIGN_EFFECTS,
    FLAGS,
    Protocol,
    ReportedRow,
    ReportedScore,
    folders,
    load,
    model_key,
)

SHIPPED = Path(__file__).parents[2] / "leaderboards" / "reported"
YAML = "house:\n  title: House\n  source: report 12\n  assumed_n: {finqa: 100}\n"
HEAD = ",".join(COLUMNS)


def paper() -> dict[str, ReportedRow]:
    return {row.model: row for row in load([SHIPPED]) if row.protocol.name == "fin-r1"}


def house(folder: Path, *lines: str, protocols: str = YAML) -> Path:
    (folder / "house.yaml").write_text(protocols, encoding="utf-8")
    (folder / "house.csv").write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")
    return folder


def test_the_paper_table_has_eleven_models_on_five_benchmarks() -> None:
    rows = paper()
    assert len(rows) == 11
    assert all(set(row.scores) == set(BENCHMARKS) and row.average for row in rows.values())


@pytest.mark.parametrize(
    ("model", "printed", "recomputed", "mismatch"),
    [
        ("Fin-R1", 75.2, 75.18, False),
        ("DeepSeek-R1-Distill-Llama-70B", 69.2, 68.8, True),
        ("Fin-R1-SFT", 71.9, 71.88, False),
        ("DeepSeek-R1", 78.2, 78.2, False),
        ("Fin-R1-Zero", 67.8, 67.82, False),
    ],
)
def test_averages_stay_as_printed_and_are_recomputed(
    model: str, printed: float, recomputed: float, mismatch: bool
) -> None:
    row = paper()[model]
    assert row.average is not None
    assert row.average.score == printed
    assert row.recomputed == pytest.approx(recomputed)
    assert ("avg_mismatch" in row.average.flags) == mismatch


def test_one_printed_average_only_is_not_the_mean_of_its_columns() -> None:
    flagged = [name for name, row in paper().items() if row.average and "avg_mismatch" in row.average.flags]
    assert flagged == ["DeepSeek-R1-Distill-Llama-70B"]


def test_flags_of_the_paper_stand_on_the_cells_they_belong_to() -> None:
    rows = paper()
    for row in rows.values():
        assert "ant_yesno_ceiling" in row.scores["ant_finance"].flags
        assert "judge_bug_tfns" in row.scores["tfns"].flags
        assert "n_unknown" in row.scores["finance_instruct"].flags
        assert row.scores["finqa"].n == 1000
    assert rows["Fin-R1"].scores["finqa"].half_unit == 0.5  # printed 76.0, rounded to whole points
    assert rows["Fin-R1"].scores["finance_instruct"].half_unit == 0.05
    assert "integer_rounded" not in rows["Fin-R1-Zero"].scores["finqa"].flags


def test_the_shipped_files_hold_the_published_numbers(real_data: Path) -> None:
    """Against the collected table: every score of the paper and the 29 others, fractions as points."""
    import csv

    names = {"Finance-Instruct-500K": "finance_instruct"}
    with (real_data / "reported_results.csv").open(encoding="utf-8", newline="") as file:
        facts = list(csv.DictReader(file))
    wanted = [row for row in facts if row["source"].startswith("arXiv 2503.16252")] + facts[-29:]
    shipped = {
        (row.model, name, score.printed)
        for row in load([SHIPPED])
        for name, score in [*row.scores.items(), *([("average", row.average)] if row.average else [])]
    }
    expected = {(row["model"], names.get(row["benchmark"], row["benchmark"].lower()), row["score"]) for row in wanted}
    assert shipped == expected


def test_the_readme_explains_every_flag() -> None:
    text = (SHIPPED / "README.md").read_text(encoding="utf-8")
    assert all(f"`{flag}`" in text for flag in FLAGS)


def test_every_protocol_names_a_source_and_every_row_its_protocols_or_its_own() -> None:
    for row in load([SHIPPED]):
        assert row.protocol.source
        assert all(score.source for score in row.scores.values())


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("SUFE-AIFLM-Lab/Fin-R1", "Fin-R1", True),
        ("/models/Fin-R1/", "fin_r1", True),
        ("Qwen/Qwen2.5-7B-Instruct", "Qwen-2.5-7B-Instruct", True),
        ("Fin-R1-SFT", "Fin-R1", False),
        ("Qwen2.5-7B-Instruct", "Qwen2.5-7B", False),
    ],
)
def test_models_are_matched_without_organisation_case_and_punctuation(one: str, other: str, same: bool) -> None:
    assert (model_key(one) == model_key(other)) == same


def test_a_house_file_is_read_with_fractions_as_points(tmp_path: Path) -> None:
    protocols = YAML.replace("assumed_n", "scale: 1\n  assumed_n")
    (row,) = load([house(tmp_path, 'house,"Our model, v2",7B,finqa,0.894,,fine_tuned,,', protocols=protocols)])
    score = row.scores["finqa"]
    assert (row.model, score.score, score.half_unit) == ("Our model, v2", 89.4, pytest.approx(0.05))
    assert score.flags == ("fine_tuned", "n_unknown")
    assert row.size("finqa") == 100
    assert score.source == "report 12"
    assert row.average_estimate() is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("house,m,,finqa,101,,,,", r"house.csv:2: score '101' is not a number from 0 to 100"),
        ("house,m,,finqa,nan,,,,", "score 'nan'"),
        ("house,m,,finqa,1e1,,,,", "score '1e1'"),
        ("house,m,,finqa,-5,,,,", "score '-5'"),
        ("house,m,,finqa,50,0,,,", "n '0' is not a number of questions"),
        ("house,m,,finqa,50,1000.0,,,", "n '1000.0'"),
        ("other,m,,finqa,50,,,,", "protocol 'other' is in no yaml file"),
        ("house,,,finqa,50,,,,", "needs a model"),
        ("house,m,,../../etc,50,,,,", "needs a model and a benchmark"),
        ("house,m,,finqa,50,,wrong_flag,,", "unknown flags wrong_flag"),
        ("house,m,,finqa,50", "must have 9 columns"),
        ("house,m,,finqa,50,,,,,,", "must have 9 columns"),
        ('house,"m,,finqa,50,,,,', "not readable as csv"),
    ],
)
def test_a_line_that_does_not_fit_is_refused_with_its_place(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load([house(tmp_path, line)])


def test_a_second_score_of_the_same_cell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"house.csv:3: a second finqa score of m under house"):
        load([house(tmp_path, "house,m,,finqa,50,,,,", "house,m,,finqa,51,,,,")])


@pytest.mark.parametrize(
    ("protocols", "message"),
    [
        ("- a list", "holds no protocols"),
        ("house: {title: x}", "needs at least"),
        ("house: {title: x, source: y, url: 'javascript:alert(1)'}", "must begin with https"),
        ("house: {title: x, source: y, scale: 7}", "scale is 7"),
        ("house: {title: x, source: y, colour: red}", "unknown fields colour"),
        ("house: {title: x, source: y, assumed_n: {finqa: many}}", "assumed_n maps"),
        ("'Bad Name': {title: x, source: y}", "lower case letters"),
        ("house: [", "not readable as YAML"),
        ("house: !!python/object/apply:os.system ['true']", "not readable as YAML"),
    ],
)
def test_a_protocol_that_does_not_fit_is_refused(tmp_path: Path, protocols: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load([house(tmp_path, protocols=protocols)])


def test_hostile_text_is_kept_as_text_without_control_characters(tmp_path: Path) -> None:
    (row,) = load([house(tmp_path, "house,\"=cmd|' /C calc'!A1\x1b[31m\",,finqa,50,,,,<script>alert(1)</script>")])
    assert row.model == "=cmd|' /C calc'!A1\\x1b[31m"
    assert row.scores["finqa"].notes == "<script>alert(1)</script>"


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "big.csv").write_bytes(b"x" * 5_000_001)
    with pytest.raises(DataError, match="larger than"):
        load([tmp_path])


def reported(**sizes: int | None) -> ReportedRow:
    scores = {name: ReportedScore("80.0", 80.0, 0.05, n=n) for name, n in sizes.items()}
    return ReportedRow("m", "7B", Protocol("p", "t", "s", assumed_n={"tfns": 500}), scores, None, None)


def test_a_printed_score_has_the_interval_of_its_size_and_of_its_benchmarks_clusters() -> None:
    row = reported(finqa=1000, tfns=None, convfinqa=1000, house=None)
    alone, assumed, turns = (row.estimate(name) for name in ("finqa", "tfns", "convfinqa"))
    assert alone is not None and assumed is not None and turns is not None
    assert (alone.low, alone.high) == wilson(0.8, 1000)
    assert (alone.mean, alone.n, alone.clusters, alone.design_effect) == (0.8, 1000, 1000, 1.0)
    assert alone.se == pytest.approx((alone.high - alone.low) / (2 * 1.959963984540054))
    assert (assumed.low, assumed.high, assumed.n) == (*wilson(0.8, 500), 500)
    effect = DESIGN_EFFECTS["convfinqa"]
    assert (turns.low, turns.high) == wilson(0.8, 1000 / effect)
    assert (turns.n, turns.clusters, turns.design_effect) == (1000, round(1000 / effect), effect)
    assert row.estimate("house") is None, "no size, no interval"
    assert (row.size("finqa"), row.size("tfns"), row.size("house")) == (1000, 500, None)


def test_an_average_of_columns_needs_all_five_with_a_size() -> None:
    row = reported(**dict.fromkeys(BENCHMARKS, 1000))
    mean = row.average_estimate()
    assert mean is not None and (mean.mean, mean.n) == (pytest.approx(0.8), 5000)
    widths = [one.high - one.mean for name in BENCHMARKS if (one := row.estimate(name))]
    assert mean.high - mean.mean == pytest.approx(math.hypot(*widths) / 5)
    assert reported(**dict.fromkeys(BENCHMARKS[:4], 1000)).average_estimate() is None
    sizes = dict.fromkeys(BENCHMARKS, 1000) | {"finance_instruct": None}
    assert reported(**sizes).average_estimate() is None


def test_what_is_shipped_is_read_first_and_then_the_folder_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (shipped,) = folders()
    assert [row.key for row in load()] == [row.key for row in load([SHIPPED])]
    own = tmp_path / "leaderboards" / "reported"
    own.mkdir(parents=True)
    assert folders() == [shipped, Path("leaderboards", "reported")]
    house(own, "house,mine,7B,finqa,50.0,,,,")
    assert [row.key for row in load()][-1] == "house/mine"
    monkeypatch.chdir(shipped.parents[1])
    assert folders() == [shipped], "the shipped folder is not read twice"


def test_a_file_of_the_largest_size_is_read_and_long_words_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = house(tmp_path, "house,mine,7B,finqa,50.0,,,," + "x" * 1500)
    assert [len(row.scores["finqa"].notes) for row in load([folder])] == [1000]
    monkeypatch.setattr(published, "MAX_BYTES", (folder / "house.csv").stat().st_size)
    assert len(load([folder])) == 1
    monkeypatch.setattr(published, "MAX_BYTES", (folder / "house.csv").stat().st_size - 1)
    with pytest.raises(DataError, match="larger than"):
        load([folder])
