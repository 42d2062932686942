"""Where numbers come from when several rules hold, unstated steps, and what an answer rests on."""

from __future__ import annotations

import pytest

from finbench.audit import page_index
from finbench.audit.calculations import calculations
from finbench.audit.provenance import Support, Tracing
from finbench.text.normalize import normalise
from finbench.text.stated import numbers

ROW = {"table": [["", "2019", "2018"], ["net sales", "3140", "3075"], ["income", "251", "272"]], "pre_text": []}


def traced(text: str, question: str = "") -> Tracing:
    shown = normalise(text)
    found = numbers(shown)
    page = page_index.of_page(ROW, ())
    work = Tracing(shown, found, calculations(shown, found), page, page_index.of_question(question))
    work.trace_all()
    return work


def last(text: str) -> tuple[str, str, str]:
    """Kind, place and manner of a text's last number."""
    trace = traced(text).traces[-1]
    return trace.kind, trace.where, trace.how


ORIGINS = [
    ("of 251", ("cell", "income | 2019", ""), "a cell"),
    ("0.251 thousand", ("cell", "income | 2019", "scaled"), "a cell of the same value in other words"),
    ("3,391 - 3,140 = 251", ("computed", "calculation 1", ""), "a result that is a cell as well"),
    ("3,391 - 3,140 = 251. Then 251 / 3", ("count", "", ""), "a count as an operand"),
    ("65 / 3,075 = 0.02114. Hence 2.114%", ("computed", "calculation 1", ""), "an earlier result in percent"),
    ("65 / 3,075 = 0.02114. Hence 2.1%", ("computed", "calculation 1", ""), "an earlier result, rounded"),
    ("65 / 3,075 = 0.02114. Hence 2.2%", ("nothing", "", ""), "no rounding of it"),
    ("(3,140 - 3,075) / 3,075 = 2.11%, of 65", ("computed", "calculation 1", ""), "a part of an expression"),
    ("3,140 over 3,075, so 65 more", ("implied", "difference of 3,140 and 3,075", ""), "a difference in one sentence"),
    ("3,140 over 3,075. That is 65 more", ("nothing", "", ""), "two digits do not reach into the last sentence"),
    ("3,140 and 3,075. That is 6,215", ("implied", "sum of 3,140 and 3,075", ""), "four digits do"),
    ("3,140 and 3,075 differ by 2.11%", ("implied", "change of 3,140 and 3,075", ""), "a change"),
    ("it was 8,641", ("nothing", "", ""), "nothing"),
    ("times 100", ("constant", "", ""), "a constant"),
    ("$100 of it", ("nothing", "", ""), "an amount of money is no constant"),
    ("in 2017", ("year", "", ""), "a year"),
    ("2. And", ("label", "", ""), "a label"),
]


@pytest.mark.parametrize(("text", "expected", "why"), ORIGINS, ids=[case[2] for case in ORIGINS])
def test_a_number_has_the_first_origin_that_holds(text: str, expected: tuple[str, str, str], why: str) -> None:
    assert last(text) == expected


def test_an_operand_is_the_sound_result_before_it_and_else_the_page() -> None:
    sound = traced("272 - 21 = 251. Then 251 - 21 = 230", question="less 21")
    assert sound.traces[3].kind == "computed"
    unsound = traced("9,999 - 9,748 = 251. Then 251 - 21 = 230", question="less 21")
    assert unsound.traces[3].kind == "cell"


def test_what_rests_on_an_invented_number_is_not_sound() -> None:
    assert traced("251 - 9,999 = -9,748. -9,748 × 2 = -19,496").sound == [False, False]
    assert traced("251 - 272 = -21. -21 × 2 = -42").sound == [True, True]
    assert traced("251 - 272 = -22. -22 × 2 = -44").sound == [False, False], "right, but of a wrong result"


def support(text: str, answer: str) -> Support:
    (number,) = numbers(answer)
    return traced(text).support(number)


SUPPORTS = [
    ("251 + 272 = 523", "523", Support(True, 0), "a sound calculation"),
    ("65 / 3,075 = 0.0211 for 3,140 - 3,075 = 65", "2.11%", Support(False, 0), "of a number that nothing gives yet"),
    ("251 + 272 = 524", "523", Support(False, 0), "a misstated one whose true value it is"),
    ("251 + 272 = 524. 251 + 272 = 523", "523", Support(True, 1), "mended afterwards"),
    ("251 + 272 = 524", "524", Support(False, 0), "a false result"),
    ("251 / 272 = 0.923", "92.3%", Support(True, 0), "in percent"),
    ("251 × 1,000 = 251,000", "251", Support(True, 0), "in another scale"),
    ("It is so", "272", Support(True, -1), "the page"),
    ("It is so", "273", Support(False, -1), "nothing"),
    ("251 less 272, so 21 less", "21", Support(True, -1), "an unstated step"),
    ("251 - 251 = 5", "0", Support(False, 0), "zero, misstated"),
]


@pytest.mark.parametrize(("text", "answer", "expected", "why"), SUPPORTS, ids=[case[3] for case in SUPPORTS])
def test_an_answer_rests_on_a_calculation_the_page_or_nothing(
    text: str, answer: str, expected: Support, why: str
) -> None:
    assert support(text, answer) == expected


def test_the_calculations_that_give_an_answer_are_those_of_its_value_or_its_digits() -> None:
    work = traced("251 + 272 = 523; 3,140 / 3,075 = 1.02; 524 - 1 = 523")
    (answer,) = numbers("523")
    assert work.giving(answer) == [0, 2]
