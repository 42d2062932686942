"""Runs of arithmetic in a text, and what stands on the two sides of their equalities.

"(5,829 - 5,735) / 5,735 = 94 / 5,735 ≈ 1.64%" is one run of three sides; `calculations` judges what they claim.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from finbench.audit.recompute import Side
from finbench.text import arithmetic
from finbench.text.arithmetic import Tree
from finbench.text.stated import NUMBER, Number

MAX_TOKENS = 120

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
_RUN = re.compile(
    rf"(?=[0-9(\[{{=≈*×÷/\\-])(?:(?:{_COMMON})++|{_SKIPPED}|{RELATION}|\{{,\}}|[\[({{}}=≈\t *]|,\\!|\.\.\.|…|"
    rf"\\(?:%|[dtc]?frac|sqrt|times|cdot|ast|div)(?![A-Za-z])|√|sqrt|{_OPERATOR}|"
    rf"(?<![A-Za-z]){_UNIT}(?![A-Za-z])|(?<=[%t] )of(?= \$?\d)|"
    r"\n\s{0,40}(?=(?:&\s*)?(?:[=≈]|\\(?:approx|times|div|cdot)))|(?<=[=≈])\s?\n\s{0,40})++"
)
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
    tokens: list[Token] = []
    bracketed = False
    for match in _TOKEN.finditer(text, start, end):
        kind = match.lastgroup
        if kind == "skip" or kind is None:
            continue
        at, after = match.span()
        payload = match[0]
        if kind == "n":
            index = bisect_right(places, at) - 1
            known = index >= 0 and (places[index] == at or (places[index] == at - 1 and text[at - 1] == "."))  # .5
            if not known or (at > 1 and text[at - 1] in ",." and text[at - 2].isdigit()):  # 3,629,4550
                tokens.append(("?", "", at, after))
                continue
            payload = str(index)
        elif kind == "o":
            payload = payload.split()[0].lower()
            payload = _OPERATORS.get(payload, payload)
        elif kind == "a":
            bracketed = True
        tokens.append((kind, payload, at, after))
    found = _opened(tokens) if bracketed else [tokens]
    return [statement for statement in found if len(statement) <= MAX_TOKENS]


def _opened(tokens: list[Token]) -> list[list[Token]]:
    """The tokens without asides; a bracket that holds an equality of its own ("(29 - 8 = 21)") stands by itself."""
    opened: list[int] = []
    closes: dict[int, int] = {}
    relating: list[bool] = [False]
    inner: list[tuple[int, int]] = []
    for place, token in enumerate(tokens):
        kind = token[0]
        if kind == "a":
            opened.append(place)
            relating.append(False)
        elif kind == "z" and opened:
            first = opened.pop()
            closes[first] = place
            if relating.pop():
                inner.append((first, place))
        elif kind == "r":
            relating[-1] = True
    cut: set[int] = set()
    statements: list[list[Token]] = []
    for first, last in inner:
        statements.append(
            [token for place, token in enumerate(tokens[first + 1 : last], first + 1) if place not in cut]
        )
        cut.update(range(first, last + 1))
    for first, last in closes.items():
        # A number alone in brackets behind a number: a note, a year, the same amount again.
        if last - first == 2 and tokens[first + 1][0] == "n" and first and tokens[first - 1][0] == "n":
            cut.update(range(first, last + 1))
    whole = [token for place, token in enumerate(tokens) if place not in cut] if cut else tokens
    return [*statements, whole]


_NONE: frozenset[int] = frozenset()
_SIMPLE = ("n", "non")  # a number, or two and an operator: nothing to trim


def side_of(text: str, tokens: list[Token], numbers: Sequence[Number], *, first: bool) -> Side | None:
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
    bracketed = _NONE
    if "anz" in kinds:
        bracketed = frozenset(
            int(tokens[i + 1][1])
            for i in range(len(kinds) - 2)
            if kinds[i : i + 3] == "anz" and (i == 0 or kinds[i - 1] in "ao")
        )
    if kinds == "n":
        return Side(("sym", tokens[0][1]), leaves, False, start, end, bracketed, "n")
    if kinds == "non":
        tree: Tree | None = (tokens[1][1], ("sym", tokens[0][1]), ("sym", tokens[2][1]))
    else:
        tree = arithmetic.tree_of(_spelled(tokens))
    if tree is None:
        return None
    return Side(tree, leaves, len(leaves) > 1, start, end, bracketed, kinds[-1])


def _trimmed(text: str, tokens: list[Token], first: bool) -> list[Token]:
    """The tokens of one side without bullets, stray brackets, and what stands beside it without an operator."""
    tokens = list(tokens)
    if first and tokens and tokens[0][0] == "o" and tokens[0][1] in "-+*":
        line = text[max(0, tokens[0][2] - 12) : tokens[0][2]]
        if not text[tokens[0][3] : tokens[0][3] + 1].isspace():
            pass  # a sign
        elif not line.strip() or (not line[line.rfind("\n") + 1 :].strip(" #>*") and "\n" in line):
            tokens = tokens[1:]  # a bullet
    while tokens and tokens[-1][0] in "ofa":  # an operator, a fraction or a bracket that leads on to words
        tokens.pop()
    while tokens and tokens[0][0] == "z":
        tokens.pop(0)
    while tokens and tokens[0][0] == "o" and tokens[0][1] not in "+-":
        if first:
            return []  # the left operand stands in words
        tokens.pop(0)
    depth = 0
    for token in tokens:
        depth += (token[0] == "a") - (token[0] == "z")
    while depth > 0 and tokens and tokens[0][0] == "a":
        tokens.pop(0)
        depth -= 1
    while depth < 0 and tokens and tokens[-1][0] == "z":
        tokens.pop()
        depth += 1
    if depth:
        return []
    for place in range(len(tokens) - 1, 0, -1):
        if tokens[place][0] == "n" and tokens[place - 1][0] in "nzp" and not _inside(tokens, place):
            return tokens[place:] if first else tokens[: _first_gap(tokens)]
    return tokens


def _inside(tokens: list[Token], place: int) -> bool:
    return sum((token[0] == "a") - (token[0] == "z") for token in tokens[:place]) != 0


def _first_gap(tokens: list[Token]) -> int:
    for place in range(1, len(tokens)):
        if tokens[place][0] == "n" and tokens[place - 1][0] in "nzp" and not _inside(tokens, place):
            return place
    return len(tokens)


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
