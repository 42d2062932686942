"""Numbers in any writing read back to their value, unit, scale and sign."""

from __future__ import annotations

import random
import re
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finbench.text import arithmetic, numerals, wording
from finbench.text.lexicon import words
from finbench.text.normalize import normalise, plain
from finbench.text.quantities import Quantity, directed, scan, whole


def one(text: str) -> Quantity:
    found = whole(plain(normalise(text)))
    assert found is not None, text
    return found


VALUES = [
    ("1,234.5", "1234.5", "thousands"),
    ("1 234,5", "1234.5", "blank groups, decimal comma"),
    ("1\u202f234.5", "1234.5", "narrow no-break space"),
    ("1'234.5", "1234.5", "Swiss"),
    ("12,34,567", "1234567", "Indian"),
    ("1.234,5", "1234.5", "European"),
    ("1.234.567", "1234567", "European groups"),
    ("14,2", "14.2", "a comma before one digit cannot group"),
    ("0,142", "0.142", "nor one after a leading zero"),
    ("1{,}234", "1234", "LaTeX group"),
    ("2,\\!424", "2424", "LaTeX thin negative space"),
    ("１２．５", "12.5", "full width"),
    ("٣٫١٤", "3.14", "Arabic digits"),
    ("3.1²", "9.61", "a raised digit is a power"),
    ("50¹", "50", "or a note mark"),
    ("-5", "-5", "hyphen"),
    ("−5", "-5", "minus"),
    ("–5", "-5", "dash"),
    ("(5)", "-5", "accounting"),
    ("$(5.2)", "-5.2", "accounting after a currency"),
    ("-$5", "-5", "sign before currency"),
    ("$-5", "-5", "sign after currency"),
    ("negative 5", "-5", "word"),
    ("负5", "-5", "Chinese word"),
    ("1.2e6", "1200000", "exponent"),
    ("1.2×10^6", "1200000", "power of ten"),
    ("1.2 \\times 10^{6}", "1200000", "LaTeX power of ten"),
    ("1.2 × 10⁻³", "0.0012", "raised exponent"),
    ("3/8", "0.375", "fraction"),
    ("\\frac{3}{8}", "0.375", "LaTeX fraction"),
    ("1 1/2", "1.5", "mixed number"),
    ("1\\frac{1}{2}", "1.5", "LaTeX mixed number"),
    ("(5829 - 5735) / 94", "1", "closed form"),
    ("\\sqrt{16}", "4", "root"),
    ("2^{10}", "1024", "power"),
    ("1.73:1", "1.73", "ratio to one"),
    ("fourteen point two", "14.2", "words"),
    ("minus three thousand and twelve", "-3012", "words"),
    ("一千二百三十四", "1234", "Chinese numeral"),
    ("二十三点五", "23.5", "Chinese numeral with decimals"),
]


@pytest.mark.parametrize(("text", "value", "why"), VALUES)
def test_a_number_reads_back(text: str, value: str, why: str) -> None:
    assert one(text).value == Fraction(value), why


SCALED = [
    ("$3,321.7 million", 3321.7e6, "USD"),
    ("US$ 5bn", 5e9, "USD"),
    ("5.2M", 5.2e6, ""),
    ("5m", 5e6, ""),
    ("12 thousand dollars", 12e3, "USD"),
    ("3.5亿元", 3.5e8, "CNY"),
    ("3亿3217万元", 332170000, "CNY"),
    ("35600万元", 3.56e8, "CNY"),
    ("1.2万亿元", 1.2e12, "CNY"),
    ("€1.5 trillion", 1.5e12, "EUR"),
    ("one hundred twenty million dollars", 1.2e8, "USD"),
]


@pytest.mark.parametrize(("text", "value", "currency"), SCALED)
def test_scale_words_and_currencies_are_read(text: str, value: float, currency: str) -> None:
    found = one(text)
    assert found.value == Fraction(Decimal(repr(value)))
    assert found.currency == currency


UNITS = [
    ("14.2%", "percent"),
    ("14.2 percent", "percent"),
    ("14.2\\,\\%", "percent"),
    ("14.2％", "percent"),
    ("百分之14.2", "percent"),
    ("百分之十四点二", "percent"),
    ("14.2 percentage points", "points"),
    ("14.2 percent points", "points"),
    ("14.2个百分点", "points"),
    ("25 bps", "bp"),
    ("25 basis points", "bp"),
    ("25个基点", "bp"),
    ("1.5x", "times"),
    ("1.5 times", "times"),
    ("1.5倍", "times"),
]


@pytest.mark.parametrize(("text", "unit"), UNITS)
def test_units_are_read(text: str, unit: str) -> None:
    assert one(text).unit == unit


def test_a_number_glued_to_letters_is_a_name_and_not_a_quantity() -> None:
    assert [q.shown for q in scan("In Q4 the form 10-K showed CO2 at 5%") if not q.reference] == ["5%"]


def test_dates_pages_and_list_numbers_are_references() -> None:
    text = "1. On December 31, 2014 (page 45, note 7) it was 12 units"
    assert [q.shown for q in scan(text) if not q.reference and not q.year] == ["12"]


def test_a_hyphen_between_numbers_is_no_minus() -> None:
    assert all(q.number > 0 for q in scan("from 2014-2015, 20-25"))


DIRECTIONS = [
    ("decreased by 5%", -1),
    ("fell approximately 5%", -1),
    ("a loss of $5 million", -1),
    ("a 5% decline", -1),
    ("5% lower", -1),
    ("下降了5%", -1),
    ("a drop of 487 million, or 2.1%", -1),
    ("rose 5%", 1),
    ("an increase of 5%", 1),
    ("增长5%", 1),
    ("decreased to 5%", 0),
    ("the rate is 5%", 0),
]


@pytest.mark.parametrize(("text", "direction"), DIRECTIONS)
def test_words_of_change_give_the_direction(text: str, direction: int) -> None:
    assert directed(scan(text)[-1], text).direction == direction


@pytest.mark.parametrize(
    "text", ["more than 20%", "at least 20%", "over $20", "20%+", "20% or more", "超过20%", "20%以上"]
)
def test_bounds_are_marked(text: str) -> None:
    assert scan(text)[0].bound


@pytest.mark.parametrize("text", ["about 20%", "approximately 20%", "~20%", "约20%", "nearly 20%"])
def test_approximations_are_points(text: str) -> None:
    assert not scan(text)[0].bound


numbers = st.decimals(min_value=Decimal("-999999999"), max_value=Decimal("999999999"), allow_nan=False, places=3)


def swiss(text: str) -> str:
    return text.replace(",", "'")


def european(text: str) -> str:
    return text.replace(",", "_").replace(".", ",").replace("_", ".")


def blanks(text: str) -> str:
    return text.replace(",", "\u202f")


def wide(text: str) -> str:
    return text.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789.,-"})


def latex(text: str) -> str:
    return text.replace(",", "{,}")


def unicode_minus(text: str) -> str:
    return text.replace("-", "\u2212")


def accounting(text: str) -> str:
    return f"({text[1:]})" if text.startswith("-") else text


def dollars(text: str) -> str:
    return f"-${text[1:]}" if text.startswith("-") else f"${text}"


FORMATS = [str, swiss, european, blanks, wide, latex, unicode_minus, accounting, dollars]


@given(numbers, st.sampled_from(FORMATS))
def test_any_value_in_any_format_reads_back(value: Decimal, form: object) -> None:
    # Two decimals: "1,234" alone may group thousands, "1,23" can only be a decimal comma.
    value = value.quantize(Decimal("0.01"))
    text = form(f"{value:,.2f}")  # type: ignore[operator]
    if value == 0 and text[0] in "-−（－(":
        return
    assert one(text).value == Fraction(value), text


@given(numbers, st.sampled_from(["%", " percent", "\\%", "％", " per cent"]))
def test_any_percent_reads_back(value: Decimal, sign: str) -> None:
    found = one(f"{value:.2f}{sign}")
    assert found.unit == "percent"
    assert found.number == Fraction(f"{value:.2f}")


@given(st.integers(0, 10**12 - 1))
def test_any_integer_in_english_words_reads_back(value: int) -> None:
    assert numerals.english(in_english(value)) == value


@given(st.integers(0, 10**12 - 1))
def test_any_integer_in_chinese_reads_back(value: int) -> None:
    assert numerals.chinese(in_chinese(value)) == value


def in_english(value: int) -> str:
    if value < 20:
        return next(word for word, small in numerals.SMALL.items() if small == value)
    if value < 100:
        tens = next(word for word, small in numerals.SMALL.items() if small == value // 10 * 10)
        return tens if value % 10 == 0 else f"{tens}-{in_english(value % 10)}"
    for word, size in (("billion", 10**9), ("million", 10**6), ("thousand", 1000), ("hundred", 100)):
        if value >= size:
            rest = f" and {in_english(value % size)}" if value % size else ""
            return f"{in_english(value // size)} {word}{rest}"
    raise AssertionError


def in_chinese(value: int) -> str:
    digits = "零一二三四五六七八九"
    if value < 10:
        return digits[value]
    for word, size in (("亿", 10**8), ("万", 10**4), ("千", 1000), ("百", 100), ("十", 10)):
        if value >= size:
            rest = value % size
            gap = "零" if rest and rest < size // 10 else ""
            return in_chinese(value // size) + word + (gap + in_chinese(rest) if rest else "")
    raise AssertionError


@given(st.text(max_size=300))
def test_no_text_raises(text: str) -> None:
    scan(text)
    whole(text)
    plain(normalise(text))


@settings(max_examples=300)
@given(st.text(alphabet="0123456789+-*/^().,% sqrt\\frac{}$×", max_size=120))
def test_no_sum_raises(text: str) -> None:
    tree = arithmetic.parse(plain(text))
    if tree is not None:
        arithmetic.evaluate(tree)


@pytest.mark.parametrize("text", ["9^9^9^9", "9**9**9", "1/0", "0^-1", "(-1)^0.5", "(" * 300, "2^" * 60 + "2", "1e5"])
def test_sums_beyond_the_limits_have_no_value(text: str) -> None:
    tree = arithmetic.parse(text)
    assert tree is None or arithmetic.evaluate(tree) is None


@pytest.mark.parametrize("text", ["__import__('os')", "open(chr(47))", "x+1", "1;2", "lambda:0", "[1]", "1_000"])
def test_what_is_no_arithmetic_is_not_parsed(text: str) -> None:
    assert arithmetic.parse(text) is None


def test_formulas_are_compared_as_functions() -> None:
    def tree(text: str) -> arithmetic.Tree:
        parsed = arithmetic.parse(text, symbols=True)
        assert parsed is not None
        return parsed

    assert arithmetic.equivalent(tree("P(1+r)^n"), tree("P*(r+1)^n"))
    assert arithmetic.equivalent(tree("(a+b)^2"), tree("a^2 + 2 a b + b^2"))
    assert not arithmetic.equivalent(tree("P(1+r)^n"), tree("P(1+r n)"))
    assert not arithmetic.equivalent(tree("x"), tree("y"))


def test_no_match_is_lost_by_looking_at_endings_and_stems_first() -> None:
    """wording.py tries its long patterns only where one of their words stands; every word of theirs is tried here."""
    patterns = (wording._BOUND_BEFORE, wording._REFERENCE_BEFORE, wording._DOWN_BEFORE, wording._UP_BEFORE)
    source = " ".join(pattern.pattern for pattern in patterns)
    listed = sorted(
        {*re.findall(r"[a-z&]+\.?|[\u4e00-\u9fff]+", source), *words("reference"), *"<>≥≤=[#", "s", "ed", "es", "ing"}
    )
    chance = random.Random(5)
    counts = dict.fromkeys(range(4), 0)
    for _ in range(60_000):
        text = "".join(
            chance.choice(listed) + chance.choice(("", " ", " ", "  ", "\u3000", " $", "*"))
            for _ in range(chance.randint(1, 4))
        )
        low = text.lower()
        tried = (
            wording.bound_before(text),
            wording.reference_before(text),
            any(map(low.__contains__, wording._DOWN_STEMS)),
            any(map(low.__contains__, wording._UP_STEMS)),
        )
        for at, pattern in enumerate(patterns):
            if pattern.search(text):
                counts[at] += 1
                assert tried[at], (text, pattern.pattern[:40])
    assert min(counts.values()) > 1000
