"""Runs of arithmetic in a text, and what stands on the two sides of their equalities.

"(5,829 - 5,735) / 5,735 = 94 / 5,735 ≈ 1.64%" is one run of three sides; `calculations` judges what they claim.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from finbench.audit.recompute import EquationSide
from finbench.text import arithmetic
from finbench.text.arithmetic import Tree
from finbench.text.stated import NUMBER, Number

MAX_TOKENS = 120  # of a statement; a longer one is no calculation that a reader could follow, and would cost time

HEDGE = r"(?:\s+(?:indeed|exactly|just|also|then|simply|approximately|approx\.?|about|roughly|around|nearly|equal\s+to|an?))*+"
_BECOMES = (
    r"(?:is|are|was|were|be|equals?|equal\s+to|gives?(?:\s+(?:us|me|you))?|giving|gave|yields?|yielding|results?\s+in|"
    r"resulting\s+in|comes?\s+(?:out\s+)?to|amounts?\s+to|makes|to\s+get|we\s+get|I\s+get)"
)
RELATION = (
    rf"=>|[=≈]|→|\\(?:approx|simeq|sim|cong|equiv|Rightarrow|rightarrow|implies|to)(?![A-Za-z])|"
    rf"(?<![A-Za-z])(?:,?\s*\b(?:which|that|this|it)\s+(?:{_BECOMES}|rounds\s+to){HEDGE}|(?:would\s+)?{_BECOMES}{HEDGE}|"
    rf",?\s*(?:\bor|\bi\.e\.,?){HEDGE})(?![A-Za-z])"
)
_OPERATOR = (
    r"\*\*(?=\d)(?<=\d..)|[+*/×÷·^-]|\\(?:times|cdot|ast|div)(?![A-Za-z])|"
    r"(?<![A-Za-z])(?:plus|minus|less|times|multiplied\s+by|divided\s+by)(?![A-Za-z])|(?<=[\d)%} ])[xX](?=\s*[\d($\\])"
)
_UNIT = (
    r"(?:thousand|million|billion|trillion|bn|mn|dollars?|USD|shares?|years?|months?|quarters?|days?|weeks?|bps?|"
    r"percent(?:age)?(?:\s+points?)?|basis\s+points?|per[ -](?:share|year|annum|month|quarter|day|unit)|annually|each|times)"
)
_ASIDE = r"\((?:(?:in\s|for\s|from\s|at\s|FY|fiscal|Q\d)[^()=+*/\n]{0,40}|[A-Za-z][^()=+*/\n\d]{0,40})\)"
_SKIPPED = (
    r"\\(?:[,;!: ()\[\]{}\\$]|left|right|[bB]igg?[lr]?|quad|qquad|boxed|textbf|mathbf|boldsymbol|displaystyle)(?![A-Za-z])"
    rf"|\\(?:text|mathrm)\s?\{{[\s/]*(?:{_UNIT}[\s/]*)*\}}|\*\*(?!\d)|(?<!\d)\*\*|{_ASIDE}"
)
# What no other branch below can begin with, taken at once: this is for speed alone.
_COMMON = r"[\d%$)\]}+/^×÷·&~-]|[ \t](?![\sA-Za-z])|[.,](?=\d)"
_ARITHMETIC = "|".join(
    (
        rf"(?:{_COMMON})++",
        _SKIPPED,
        RELATION,
        r"\{,\}|[\[({}=≈\t *]|,\\!|\.\.\.|…",
        r"\\(?:%|[dtc]?frac|sqrt|times|cdot|ast|div)(?![A-Za-z])|√|sqrt",
        _OPERATOR,
        rf"(?<![A-Za-z]){_UNIT}(?![A-Za-z])",
        r"(?<=[%t] )of(?= \$?\d)",
        r"\n\s{0,40}(?=(?:&\s*)?(?:[=≈]|\\(?:approx|times|div|cdot)))",  # a line that goes on with a relation
        r"(?<=[=≈])\s?\n\s{0,40}",
    )
)
_RUN = re.compile(rf"(?=[0-9(\[{{=≈*×÷/\\-])(?:{_ARITHMETIC})++")
_TOKEN = re.compile(
    rf"(?P<n>{NUMBER})|[$~& \t](?![\sA-Za-z])|(?P<skip>{_SKIPPED}|\.\.\.|…)|(?P<r>{RELATION})|"
    rf"(?P<o>{_OPERATOR}|(?<=[%t] )of(?= ))|(?P<a>[(\[{{])|"
    r"(?P<z>[)\]}])|(?P<f>\\[dtc]?frac)|(?P<s>\\?sqrt|√)|(?P<p>\\?%)"
)
_STATES = re.compile(r"[=≈→\\A-Za-z]")  # a run without any of these relates nothing
_RELATES = re.compile(rf"[=≈→]|\\(?:approx|simeq|cong|equiv)|(?<![A-Za-z]){_BECOMES}(?![A-Za-z])")
_COMPUTES = re.compile(rf"\\[dtc]?frac|√|sqrt|%\s+of|{_OPERATOR}")
_OPERATORS = {"times": "*", "multiplied": "*", "x": "*", "×": "*", "·": "*", "of": "*", "÷": "/", "divided": "/", "plus": "+",
              "minus": "-", "less": "-", "**": "^", "\\times": "*", "\\cdot": "*", "\\ast": "*", "\\div": "/"}  # fmt: skip

# A token: its kind (n number, o operator, r relation, a/z brackets, f fraction, s root, p percent, ? none), payload, place.
Token = tuple[str, str, int, int]


def runs(text: str) -> Iterator[tuple[int, int]]:
    """Where a (normalised) text holds arithmetic with a relation in it."""
    for run in _RUN.finditer(text):
        piece = run[0]
        if len(piece) > 4 and _STATES.search(piece) and _RELATES.search(piece) and _COMPUTES.search(piece):
            yield run.span()


def statements(text: str, start: int, end: int, places: Sequence[int]) -> list[list[Token]]:
    """The statements of a run as tokens; `places` are where the numbers of the text start."""
    tokens = [token for match in _TOKEN.finditer(text, start, end) if (token := _token(text, match, places))]
    bracketed = any(token[0] == "a" for token in tokens)
    found = _opened(tokens) if bracketed else [tokens]
    return [statement for statement in found if len(statement) <= MAX_TOKENS]


def _token(text: str, match: re.Match[str], places: Sequence[int]) -> Token | None:
    """The token of a match, a number's payload being its index; "?" for digits that are no number of the text."""
    kind = match.lastgroup
    if kind == "skip" or kind is None:
        return None
    at, after = match.span()
    if kind == "n":
        index = bisect_right(places, at) - 1
        known = index >= 0 and (places[index] == at or (places[index] == at - 1 and text[at - 1] == "."))  # .5
        part_of_more = at > 1 and text[at - 1] in ",." and text[at - 2].isdigit()  # 3,629,4550
        return (kind, str(index), at, after) if known and not part_of_more else ("?", "", at, after)
    if kind == "o":
        word = match[0].split()[0].lower()
        return kind, _OPERATORS.get(word, word), at, after
    return kind, match[0], at, after


def _opened(tokens: list[Token]) -> list[list[Token]]:
    """The tokens without asides; a bracket that holds an equality of its own ("(29 - 8 = 21)") stands by itself."""
    closes, relating = _brackets(tokens)
    cut: set[int] = set()
    statements: list[list[Token]] = []
    for first in relating:  # an inner one before the one that holds it
        last = closes[first]
        statements.append([tokens[place] for place in range(first + 1, last) if place not in cut])
        cut.update(range(first, last + 1))
    for first, last in closes.items():
        # A number alone in brackets behind a number: a note, a year, the same amount again.
        if last - first == 2 and tokens[first + 1][0] == "n" and first and tokens[first - 1][0] == "n":
            cut.update(range(first, last + 1))
    whole = [token for place, token in enumerate(tokens) if place not in cut] if cut else tokens
    return [*statements, whole]


def _brackets(tokens: list[Token]) -> tuple[dict[int, int], list[int]]:
    """Where each bracket that is closed closes, inner ones first, and which of them hold a relation of their own."""
    opened: list[int] = []
    closes: dict[int, int] = {}
    holds_relation = [False]  # of the text outside all brackets, and of each open bracket
    relating: list[int] = []
    for place, (kind, *_) in enumerate(tokens):
        if kind == "a":
            opened.append(place)
            holds_relation.append(False)
        elif kind == "z" and opened:
            closes[opened[-1]] = place
            if holds_relation.pop():
                relating.append(opened[-1])
            opened.pop()
        elif kind == "r":
            holds_relation[-1] = True
    return closes, relating


_NONE: frozenset[int] = frozenset()
_SIMPLE = ("n", "non")  # a number, or two and an operator: nothing to trim


def side_of(text: str, tokens: list[Token], numbers: Sequence[Number], *, first: bool) -> EquationSide | None:
    """One side of an equality; None when no arithmetic can be made of its tokens."""
    kinds = "".join([token[0] for token in tokens])
    if kinds not in _SIMPLE:
        tokens = _trimmed(text, tokens, first)
        kinds = "".join([token[0] for token in tokens])
        if "n" not in kinds or "?" in kinds:
            return None
    leaves = tuple([int(token[1]) for token in tokens if token[0] == "n"])
    start, end = tokens[0][2], tokens[-1][3]
    if kinds[-1] == "n":
        end = max(end, numbers[leaves[-1]].end)
    bracketed = _bracketed(tokens, kinds) if "anz" in kinds else _NONE
    if kinds == "n":
        return EquationSide(("sym", tokens[0][1]), leaves, False, start, end, bracketed, "n")
    if kinds == "non":
        tree: Tree | None = (tokens[1][1], ("sym", tokens[0][1]), ("sym", tokens[2][1]))
    else:
        tree = arithmetic.tree_of(_spelled(tokens))
    if tree is None:
        return None
    return EquationSide(tree, leaves, len(leaves) > 1, start, end, bracketed, kinds[-1])


def _bracketed(tokens: list[Token], kinds: str) -> frozenset[int]:
    """The numbers that stand alone in brackets, as accounting writes negative ones; after a number it is a note."""
    return frozenset(
        int(tokens[i + 1][1])
        for i in range(len(kinds) - 2)
        if kinds[i : i + 3] == "anz" and (i == 0 or kinds[i - 1] in "ao")
    )


def _trimmed(text: str, tokens: list[Token], first: bool) -> list[Token]:
    """The tokens of one side without bullets, stray brackets, and what stands beside it without an operator.

    `first` is the side left of the first relation: what counts there is its end, elsewhere its beginning. Empty when no
    side is left.
    """
    if first and tokens and _is_bullet(text, tokens[0]):
        tokens = tokens[1:]
    tokens = _from_its_operand(_without_loose_ends(tokens), first)
    return _beside_no_other(_balanced(tokens), first)


def _is_bullet(text: str, token: Token) -> bool:
    """Is a sign the bullet of a list, "- 5,829 - 5,735", and not the sign of a number, "-5,829"?"""
    kind, sign, at, after = token
    if kind != "o" or sign not in "-+*" or not text[after : after + 1].isspace():
        return False
    before = text[max(0, at - 12) : at]
    _, line_break, line = before.rpartition("\n")
    return not before.strip() or bool(line_break and not line.strip(" #>*"))


def _without_loose_ends(tokens: list[Token]) -> list[Token]:
    """Without the operator, fraction or bracket at the end that leads on to words, and brackets closed at the start."""
    start, end = 0, len(tokens)
    while end and tokens[end - 1][0] in "ofa":
        end -= 1
    while start < end and tokens[start][0] == "z":
        start += 1
    return tokens[start:end]


def _from_its_operand(tokens: list[Token], first: bool) -> list[Token]:
    """Without operators at the start that are no signs; a first side is then none, for its left operand is in words."""
    start = 0
    while start < len(tokens) and tokens[start][0] == "o" and tokens[start][1] not in "+-":
        start += 1
    return [] if start and first else tokens[start:]


def _balanced(tokens: list[Token]) -> list[Token]:
    """Without brackets at the start that nothing closes and at the end that nothing opens; empty if others remain."""
    depth = sum(map(_turn, tokens))
    start, end = 0, len(tokens)
    while depth > 0 and start < end and tokens[start][0] == "a":
        start += 1
        depth -= 1
    while depth < 0 and start < end and tokens[end - 1][0] == "z":
        end -= 1
        depth += 1
    return [] if depth else tokens[start:end]


def _turn(token: Token) -> int:
    """What a token adds to the depth of brackets."""
    return (token[0] == "a") - (token[0] == "z")


def _beside_no_other(tokens: list[Token], first: bool) -> list[Token]:
    """Of several expressions beside each other without an operator ("2014 5,829 - 5,735 =") the one at the relation."""
    gaps = []
    depth = 0
    for place, token in enumerate(tokens):
        if place and not depth and token[0] == "n" and tokens[place - 1][0] in "nzp":
            gaps.append(place)
        depth += _turn(token)
    if not gaps:
        return tokens
    return tokens[gaps[-1] :] if first else tokens[: gaps[0]]


def _spelled(tokens: list[Token]) -> list[tuple[str, str]]:
    """The tokens as text/arithmetic.py wants them; a fraction as a quotient of two brackets, itself in brackets."""
    spelled: list[tuple[str, str]] = []
    opened: list[str] = []  # what each open bracket is: "" plain, "upper" or "lower" part of a fraction
    expected = ""
    for kind, payload, _, _ in tokens:
        if kind == "n":
            spelled.append(("sym", payload))
        elif kind == "o":
            spelled.append(("op", payload))
        elif kind == "a":
            opened.append(expected)
            expected = ""
            spelled.append(("op", "("))
        elif kind == "z":
            spelled.append(("op", ")"))
            part = opened.pop() if opened else ""
            if part == "upper":
                spelled.append(("op", "/"))
                expected = "lower"
            elif part == "lower":
                spelled.append(("op", ")"))
        elif kind == "f":
            spelled.append(("op", "("))
            expected = "upper"
        elif kind == "s":
            spelled.append(("fn", "sqrt"))
        elif kind == "p" and spelled and spelled[-1] == ("op", ")"):
            spelled += [("op", "/"), ("num", "100")]
    return spelled
