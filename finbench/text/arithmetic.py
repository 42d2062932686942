"""Arithmetic over literals, read by a small parser with hard limits and computed exactly.

Model text never reaches `eval`, `sympify` or `parse_expr`: this module builds a tree of tuples or returns None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

MAX_LENGTH = 400
MAX_TOKENS = 120
MAX_DEPTH = 24
MAX_EXPONENT = 400
MAX_BITS = 4096

# ("num", Fraction) | ("sym", name) | ("sqrt", tree) | (operator, left, right)
Tree = tuple[Any, ...]

_TOKEN = re.compile(
    r"\s*(?:(?P<num>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)|(?P<fn>sqrt|√)|(?P<sym>[A-Za-z](?:_\w{1,4})?)|"
    r"(?P<op>\*\*|[-+*/^()×÷·]))"
)
_PERCENT = re.compile(r"\s*%")
_SAME = {"**": "^", "×": "*", "·": "*", "÷": "/"}
_DECIMAL = Context(prec=60)


class _Refused(Exception):
    """The text is no closed form, or too big a one."""


def parse(text: str, *, symbols: bool = False) -> Tree | None:
    """The tree of an arithmetic expression, or None when the text is anything else.

    `symbols` lets single letters stand for unknowns (gold formulas of custom tasks).

    >>> parse("1/2 + 3") is not None, parse("open('x')"), parse("9**9**9") is not None
    (True, None, True)
    """
    if len(text) > MAX_LENGTH:
        return None
    try:
        return _Parser(_tokens(text, symbols)).whole()
    except _Refused:
        return None


def tree_of(tokens: Sequence[tuple[str, str]]) -> Tree | None:
    """The tree of tokens that another reader has made: ("num", "1.5"), ("sym", name), ("fn", "sqrt"), ("op", "+").

    >>> tree_of([("sym", "a"), ("op", "/"), ("num", "100")])
    ('/', ('sym', 'a'), ('num', Fraction(100, 1)))
    """
    try:
        return _Parser(list(tokens)).whole() if len(tokens) <= MAX_TOKENS else None
    except _Refused:
        return None


def evaluate(tree: Tree, values: Mapping[str, Fraction] | None = None) -> Fraction | None:
    """The value of a tree: exact, but for roots that are not rational (60 digits); None when it has none in bounds.

    >>> evaluate(parse("(5829 - 5735) / 5735"))
    Fraction(94, 5735)
    >>> evaluate(parse("9^9^9")), evaluate(parse("1/0"))
    (None, None)
    """
    try:
        return _value(tree, values or {})
    except _Refused:
        return None


def symbols_of(tree: Tree) -> frozenset[str]:
    """The unknowns of a tree."""
    if tree[0] == "sym":
        return frozenset((tree[1],))
    return frozenset().union(*(symbols_of(part) for part in tree[1:] if isinstance(part, tuple)))


def equivalent(gold: Tree, other: Tree) -> bool:
    """Are two trees the same function of their unknowns?

    Both trees come from `parse`, so they hold only bounded arithmetic. Three exact evaluations refuse what differs; sympy
    then proves what agrees (imported here: it is slow to load and only gold formulas need it).
    """
    unknowns = sorted(symbols_of(gold))
    if symbols_of(other) != frozenset(unknowns):
        return False
    for start in (Fraction(7, 5), Fraction(11, 3), Fraction(29, 13)):
        point = {name: start + Fraction(i, 7) for i, name in enumerate(unknowns)}
        left, right = evaluate(gold, point), evaluate(other, point)
        if left is None or right is None or abs(left - right) > abs(left) * Fraction(1, 10**30):
            return False
    import sympy

    difference = sympy.simplify(_sympy(gold, sympy) - _sympy(other, sympy))
    return bool(difference == 0)


def _sympy(tree: Tree, sympy: Any) -> Any:
    kind = tree[0]
    if kind == "num":
        return sympy.Rational(tree[1].numerator, tree[1].denominator)
    if kind == "sym":
        return sympy.Symbol(tree[1], positive=True)
    if kind == "sqrt":
        return sympy.sqrt(_sympy(tree[1], sympy))
    left, right = _sympy(tree[1], sympy), _sympy(tree[2], sympy)
    if kind == "+":
        return left + right
    if kind == "-":
        return left - right
    if kind == "*":
        return left * right
    return left / right if kind == "/" else left**right


def _tokens(text: str, symbols: bool) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or len(tokens) >= MAX_TOKENS or match.lastgroup is None:
            raise _Refused
        kind, piece = match.lastgroup, match.group(match.lastgroup)
        if kind == "sym" and not symbols:
            raise _Refused
        tokens.append((kind, _SAME.get(piece, piece)))
        position = match.end()
        percent = _PERCENT.match(text, position)
        if percent:
            if kind not in ("num", "op") or (kind == "op" and piece != ")"):
                raise _Refused
            tokens += [("op", "/"), ("num", "100")]
            position = percent.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    def whole(self) -> Tree:
        tree = self.sum()
        if self.at != len(self.tokens):
            raise _Refused
        return tree

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("", "")

    def take(self, *operators: str) -> str:
        kind, piece = self.peek()
        if kind == "op" and piece in operators:
            self.at += 1
            return piece
        return ""

    def sum(self) -> Tree:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Refused
        tree = self.product()
        while operator := self.take("+", "-"):
            tree = (operator, tree, self.product())
        self.depth -= 1
        return tree

    def product(self) -> Tree:
        tree = self.signed()
        while True:
            operator = self.take("*", "/")
            if operator:
                tree = (operator, tree, self.signed())
            elif self.peek()[0] in ("fn", "sym") or self.peek() == ("op", "("):  # 2(3 + 4), 2 sqrt(3), r t
                tree = ("*", tree, self.power())
            else:
                return tree

    def signed(self) -> Tree:
        negative = False
        while operator := self.take("+", "-"):
            negative ^= operator == "-"
        tree = self.power()
        return ("-", ("num", Fraction(0)), tree) if negative else tree

    def power(self) -> Tree:
        base = self.atom()
        if not self.take("^"):
            return base
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Refused
        tree = ("^", base, self.signed())
        self.depth -= 1
        return tree

    def atom(self) -> Tree:
        kind, piece = self.peek()
        if kind == "num":
            self.at += 1
            if len(piece) > 60:
                raise _Refused
            return ("num", Fraction(piece.replace(",", "")))
        if kind == "sym":
            self.at += 1
            return ("sym", piece)
        if kind == "fn":
            self.at += 1
            return ("sqrt", self.atom())
        if self.take("("):
            tree = self.sum()
            if not self.take(")"):
                raise _Refused
            return tree
        raise _Refused


def _value(tree: Tree, values: Mapping[str, Fraction]) -> Fraction:
    kind = tree[0]
    if kind == "num":
        value: Fraction = tree[1]
        return value
    if kind == "sym":
        if tree[1] not in values:
            raise _Refused
        return values[tree[1]]
    left = _value(tree[1], values)
    if kind == "sqrt":
        return _root(left)
    right = _value(tree[2], values)
    if kind == "+":
        result = left + right
    elif kind == "-":
        result = left - right
    elif kind == "*":
        result = left * right
    elif kind == "/":
        if right == 0:
            raise _Refused
        result = left / right
    else:
        result = _power(left, right)
    if max(result.numerator.bit_length(), result.denominator.bit_length()) > MAX_BITS:
        raise _Refused
    return result


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator == 2:
        return _power(_root(base), Fraction(exponent.numerator))
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if exponent.denominator != 1 or abs(exponent) > MAX_EXPONENT or size * abs(exponent) > MAX_BITS:
        return _irrational_power(base, exponent)
    if base == 0 and exponent < 0:
        raise _Refused
    return base ** int(exponent)


def _irrational_power(base: Fraction, exponent: Fraction) -> Fraction:
    # CAGR: (5829/5735)^(1/3). Small literals only; the context keeps 60 digits.
    if not 0 < base < 10**12 or abs(exponent) > MAX_EXPONENT:
        raise _Refused
    number = _DECIMAL.divide(Decimal(base.numerator), Decimal(base.denominator))
    power = _DECIMAL.divide(Decimal(exponent.numerator), Decimal(exponent.denominator))
    result = _DECIMAL.power(number, power)
    if not result.is_finite() or not -60 < result.adjusted() < 60:
        raise _Refused
    return Fraction(result)


def _root(value: Fraction) -> Fraction:
    if value < 0 or max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS // 4:
        raise _Refused
    number = _DECIMAL.divide(Decimal(value.numerator), Decimal(value.denominator))
    root = _DECIMAL.sqrt(number)
    return Fraction(root)
