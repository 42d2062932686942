"""The FinQA program language: values to five decimals, steps, and failures in words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from finbench.finqa import programs
from finbench.finqa.programs import ProgramError
from finbench.tasks.data_files import read

TABLE = [
    ["", "2019", "2018"],
    ["net sales", "$ 3140", "$ 3075"],
    ["charges , net ( in millions )", "-18 ( 18 )", "-7 ( 7 )"],
    ["rate", "27% ( 27 % )", "22% ( 22 % )"],
    ["shares", "1,234.5", "none"],
    ["twice", "1", "2"],
    ["twice", "3", "4"],
]


@pytest.mark.parametrize(
    ("program", "value", "why"),
    [
        ("subtract(5829, 5735)", 94.0, "one step"),
        ("subtract(5829, 5735), divide(#0, 5735)", 0.01639, "flat, rounded to five decimals"),
        ("divide(subtract(5829, 5735), 5735)", 0.01639, "nested"),
        ("divide(add(1, 2), subtract(9, 3))", 0.5, "nested on both sides"),
        ("add(1, 2), divide(subtract(9, 3), #0)", 2.0, "mixed"),
        ("divide(3, 401362)", 1e-05, "a tiny quotient keeps one digit"),
        ("multiply(20.0, 5.75%)", 1.15, "a percent literal is divided by a hundred"),
        ("divide(const_100, const_1000)", 0.1, "constants"),
        ("multiply(4.9, const_m1)", -4.9, "const_m1 is minus one"),
        ("subtract(-291, -599)", 308.0, "negative literals"),
        ("add(1,234, 1)", None, "a comma separates arguments, so thousands have none"),
        ("exp(1.03, const_2), multiply(#0, 100)", 106.09, "a power"),
        ("greater(608, 595)", "yes", "comparison"),
        ("greater(595, 595)", "no", "equal is not greater"),
        ("table_max(net sales, none)", 3140.0, "a row by name, dollars stripped"),
        ("table_sum(charges , net ( in millions ), none)", -25.0, "a row name with commas and parentheses"),
        ("table_average(rate, none)", 0.245, "percent cells are fractions"),
        ("table_min(rate, none), multiply(#0, const_100)", 22.0, "a table step as an argument"),
        ("divide(table_sum(net sales, none), const_2)", 3107.5, "a table operation nested"),
        ("table_sum(twice, none)", 7.0, "the last row of a name counts, as in the official dictionary"),
        ("60.94", 60.94, "ConvFinQA: a number picked"),
        ("13.4%", 0.134, "ConvFinQA: a percentage picked"),
        ("  add( 1 , 2 )  ", 3.0, "blanks do not matter"),
    ],
)
def test_a_program_has_the_value_of_the_official_evaluator(program, value, why):
    if value is None:
        with pytest.raises(ProgramError):
            programs.run(program, TABLE)
    else:
        assert programs.run(program, TABLE).value == value, why


def test_every_step_comes_back_with_its_arguments_flattened():
    flat = programs.run("subtract(5829, 5735), divide(#0, 5735)")
    assert [(step.operation, step.arguments) for step in flat.steps] == [
        ("subtract", ("5829", "5735")),
        ("divide", ("#0", "5735")),
    ]
    assert flat == programs.run("divide(subtract(5829, 5735), 5735)")
    assert flat.steps[1].value == 94 / 5735, "steps are not rounded"
    assert programs.run("60.94").steps == ()


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("", "expected an operation or a number"),
        ("divide(1, 0)", "division by zero"),
        ("add(1, 2", "not closed"),
        ("add(1)", "two arguments"),
        ("add(1, 2, 3)", "not closed after two"),
        ("add(1, 2) add(3, 4)", "expected a comma"),
        ("add(1, 2),", "expected an operation"),
        ("sqrt(4)", "'sqrt' is not a number"),
        ("add(#0, 1)", "no earlier step"),
        ("add(#-1, 1)", "no earlier step"),
        ("add(#999999999999, 1)", "no earlier step"),
        ("greater(2, 1), add(#0, 1)", "yes/no is no argument"),
        ("table_sum(net profit, none)", "no row 'net profit'"),
        ("table_sum(shares, none)", "'none' is not a number"),
        ("table_sum(net sales)", "a row's name and `none`"),
        ("exp(10, 1000)", "range error"),
        ("exp(-8, 0.5)", "math domain error"),
        ("multiply(1e308, 1e308)", "not a finite number"),
        ("add(nan, 1)", "not a finite number"),
        ("add(inf, 1)", "not a finite number"),
        ("add(__import__, 1)", "not a number"),
        ("add(" * 60 + "1", "nested deeper"),
        ("1" * 20_000, "the limit is 10000"),
    ],
)
def test_a_program_without_a_result_fails_in_words(program, words):
    with pytest.raises(ProgramError, match=words):
        programs.run(program, TABLE)


def test_an_empty_table_row_has_no_average():
    with pytest.raises(ProgramError):
        programs.run("table_average(header only, none)", [["header only"]])


@pytest.mark.parametrize(
    ("value", "shown"),
    [(94.0, "94.0"), (1e-05, "0.00001"), (36003776400000.0, "36003776400000.0"), (-0.5, "-0.5"), ("yes", "yes")],
)
def test_values_are_written_without_an_exponent(value, shown):
    assert programs.text(value) == shown


def test_official_nested_programs_equal_their_flat_form():
    data = Path(os.environ.get("FINBENCH_DATA") or Path(__file__).parents[3] / "shared" / "data")
    path = data / "finqa" / "test.sample100.json"
    if not path.is_file():
        pytest.skip(f"no official FinQA records at {path}: set FINBENCH_DATA to try them")
    for row in read(path):
        flat = programs.run(row["qa"]["program"], row["table"])
        assert flat.value == row["qa"]["exe_ans"]
        assert programs.run(row["qa"]["program_re"], row["table"]).value == flat.value
