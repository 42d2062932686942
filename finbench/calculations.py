"""Stated calculations: what a text claims to have computed, and whether it did.

"5,829 - 5,735 = 94", `\\frac{94}{5735} \\approx 1.64\\%`, "94 divided by 5,735 is 0.0164", chains a = b = c. Each claim is
computed again, exactly. Model text is never evaluated as code: `closed_form` builds a bounded tree of arithmetic.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from finbench import closed_form
from finbench.closed_form import Tree
from finbench.recompute import Outcome, Side, Verdict, judged
from finbench.stated import NUMBER, Number

MAX_CALCULATIONS = 400
MAX_TOKENS = 120


@dataclass(frozen=True, slots=True)
class Calculation:
    """One claim "expression = result" at `start:end` of the text.

    `operands` and `result` are indexes into the numbers of the text (`result` -1 where the right side is an expression);
    the tree's leaves are ("sym", str(index)). `exact` is the value of the left side as its numbers are written, `stated`
    what the text says it is.
    """

    start: int
    end: int
    tree: Tree
    operands: tuple[int, ...]
    result: int
    exact: Fraction
    stated: Fraction
    verdict: Verdict
    chained: bool = False  # the left side is the right side of the calculation before


# -- runs of arithmetic ----------------------------------------------------------------------------------------------

_HEDGE = r"(?:\s+(?:indeed|exactly|just|also|then|simply|approximately|approx\.?|about|roughly|around|nearly|equal\s+to|an?))*+"
_BECOMES = (
    r"(?:is|are|was|were|be|equals?|equal\s+to|gives?(?:\s+(?:us|me|you))?|giving|gave|yields?|yielding|results?\s+in|"
    r"resulting\s+in|comes?\s+(?:out\s+)?to|amounts?\s+to|makes|to\s+get|we\s+get|I\s+get)"
)
_RELATION = (
    rf"=>|[=≈]|→|\\(?:approx|simeq|sim|cong|equiv|Rightarrow|rightarrow|implies|to)(?![A-Za-z])|"
    rf"(?<![A-Za-z])(?:,?\s*\b(?:which|that|this|it)\s+(?:{_BECOMES}|rounds\s+to){_HEDGE}|(?:would\s+)?{_BECOMES}{_HEDGE}|"
    rf",?\s*(?:\bor|\bi\.e\.,?){_HEDGE})(?![A-Za-z])"
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
_RUN = re.compile(
    rf"(?=[0-9(\[{{=≈*×÷/\\-])(?:{_SKIPPED}|{_RELATION}|\{{,\}}|[\d%$()\[\]{{}}+/^=≈×÷·~&\t *-]|[.,](?=\d)|,\\!|\.\.\.|…|"
    rf"\\(?:%|[dtc]?frac|sqrt|times|cdot|ast|div)(?![A-Za-z])|√|sqrt|{_OPERATOR}|"
    rf"(?<![A-Za-z]){_UNIT}(?![A-Za-z])|(?<=[%t] )of(?= \$?\d)|"
    r"\n\s{0,40}(?=(?:&\s*)?(?:[=≈]|\\(?:approx|times|div|cdot)))|(?<=[=≈])\s?\n\s{0,40})++"
)
_TOKEN = re.compile(
    rf"(?P<skip>{_SKIPPED}|\.\.\.|…)|(?P<n>{NUMBER})|(?P<r>{_RELATION})|(?P<o>{_OPERATOR}|(?<=[%t] )of(?= ))|(?P<a>[(\[{{])|"
    r"(?P<z>[)\]}])|(?P<f>\\[dtc]?frac)|(?P<s>\\?sqrt|√)|(?P<p>\\?%)"
)
_RELATES = re.compile(rf"[=≈→]|\\(?:approx|simeq|cong|equiv)|(?<![A-Za-z]){_BECOMES}(?![A-Za-z])")
_COMPUTES = re.compile(rf"\\[dtc]?frac|√|sqrt|%\s+of|{_OPERATOR}")
_OPERATORS = {"times": "*", "multiplied": "*", "x": "*", "×": "*", "·": "*", "of": "*", "÷": "/", "divided": "/", "plus": "+",
              "minus": "-", "less": "-", "**": "^", "\\times": "*", "\\cdot": "*", "\\ast": "*", "\\div": "/"}  # fmt: skip
_WEAK = re.compile(r"[\s,]*(?:or|i\.e\.|which|that|this|it|→|=>|\\(?:Right|right|implies|to))")
_COMPARES = re.compile(
    r"[\s*]{0,4}(?:of|higher|lower|more|less|above|below|greater|larger|smaller|than|in|for|from|to)\b", re.I
)
_GOES_ON = re.compile(r":|, \d{3}(?![\d.])")
_RANGE = re.compile(r"\d{1,2}\s?-\s?\d{1,2}(?:\s+\w+)?")
_DATE = re.compile(r"\d{1,2}/\d{1,2}/\d{2,4}|\d{4}-\d{2}-\d{2}")

# A token: its kind (n number, o operator, r relation, a/z brackets, f fraction, s root, p percent), payload, place.
Token = tuple[str, str, int, int]


@dataclass(slots=True)
class Found:
    """The calculations of one text, and what the numbers they produced are exactly."""

    numbers: Sequence[Number]
    calculations: list[Calculation] = field(default_factory=list)
    values: dict[tuple[int, int], Fraction] = field(default_factory=dict)  # key of a rounded result -> its exact value


def calculations(text: str, numbers: Sequence[Number]) -> list[Calculation]:
    """The calculations that a (normalised) text states, in order; `numbers` are `stated.numbers(text)`.

    >>> from finbench.stated import numbers
    >>> text = "(5,829 - 5,735) / 5,735 = 94 / 5,735 = 1.64%, and 2 x 3 = 7"
    >>> [(str(c.exact), c.verdict) for c in calculations(text, numbers(text))]
    [('94/5735', 'right'), ('94/5735', 'rounding'), ('6', 'wrong')]
    """
    starts = {number.start + (text[number.start] == "."): index for index, number in enumerate(numbers)}
    found = Found(numbers)
    places = [number.start for number in numbers]
    verbs = _VERB.finditer(text)
    verb = next(verbs, None)
    for run in _RUN.finditer(text):
        piece = run[0]
        while verb is not None and verb.start() < run.start():
            _read_verb(text, verb, places, found)
            verb = next(verbs, None)
        if len(piece) > 4 and _RELATES.search(piece) and _COMPUTES.search(piece):
            _read_run(text, run.start(), run.end(), starts, found)
            if len(found.calculations) >= MAX_CALCULATIONS:
                break
    while verb is not None and len(found.calculations) < MAX_CALCULATIONS:
        _read_verb(text, verb, places, found)
        verb = next(verbs, None)
    return found.calculations


def _read_run(text: str, start: int, end: int, starts: Mapping[int, int], found: Found) -> None:
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text, start, end):
        kind = match.lastgroup
        if kind == "skip" or kind is None:
            continue
        payload = match[0]
        if kind == "n":
            index = starts.get(match.start())
            at = match.start()
            if index is None or (at > 1 and text[at - 1] in ",." and text[at - 2].isdigit()):  # 3,629,4550
                tokens.append(("?", "", match.start(), match.end()))
                continue
            payload = str(index)
        elif kind == "o":
            payload = payload.split()[0].lower()
            payload = _OPERATORS.get(payload, payload)
        tokens.append((kind, payload, match.start(), match.end()))
    for statement in _statements(tokens):
        if len(statement) <= MAX_TOKENS:
            _read_chain(text, statement, end, found)


def _statements(tokens: list[Token]) -> list[list[Token]]:
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


def _read_chain(text: str, tokens: list[Token], end: int, found: Found) -> None:
    """Every equality of one chain, each side against the sides before it."""
    sides: list[Side] = []
    segment: list[Token] = []
    relation: Token | None = None
    relations: list[str] = []
    for place, token in enumerate([*tokens, ("r", "", end, end)]):
        if token[0] != "r":
            segment.append(token)
            continue
        side = _side(text, segment, first=relation is None, found=found)
        if side is not None and relation is not None and sides:
            _compare(text, sides, side, relation[1], place == len(tokens), end, found)
        if side is not None:
            sides.append(side)
            relations.append(relation[1] if relation else "")
        segment, relation = [], token


def _side(text: str, tokens: list[Token], *, first: bool, found: Found) -> Side | None:
    tokens = _trimmed(text, tokens, first)
    if not tokens or any(token[0] == "?" for token in tokens):
        return None
    leaves = tuple(int(token[1]) for token in tokens if token[0] == "n")
    if not leaves:
        return None
    start, end = tokens[0][2], tokens[-1][3]
    if tokens[-1][0] == "n":
        end = max(end, found.numbers[leaves[-1]].end)
    kinds = "".join(token[0] for token in tokens)
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
        tree = closed_form.tree_of(_spelled(tokens))
    if tree is None or not leaves:
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
    """The tokens as `closed_form` wants them; a fraction as a quotient of two brackets, itself in brackets."""
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


# -- claims ----------------------------------------------------------------------------------------------------------


def _compare(text: str, sides: list[Side], right: Side, relation: str, last: bool, end: int, found: Found) -> None:
    """Record the claim that `right` equals the sides before it, unless it is no claim about arithmetic."""
    numbers = found.numbers
    if not right.computed and not any(side.computed for side in sides):
        return
    left = sides[-1]
    weak = bool(_WEAK.match(relation))
    word = relation[:1].isalpha() or relation[:1] in ", "
    if last and word and not right.computed and _COMPARES.match(text, right.end):
        return  # "which is 5% of the total"
    if not left.computed and len(sides) == 1 and (word or _is_name(numbers[left.leaves[0]])):
        return
    if _DATE.search(text, left.start, left.end) or _GOES_ON.match(text, right.end):
        return
    verdict, exact, stated = _verdict(sides, right, relation, text, found)
    if verdict is None:
        return
    if verdict == "wrong" and (weak or _doubtful(text, left, right, word, numbers)):
        return
    chained = len(sides) > 1 or (bool(found.calculations) and found.calculations[-1].end == left.end)
    result = -1
    tree, operands = left.tree, left.leaves
    if not right.computed:
        result = right.leaves[0]
    elif not left.computed:  # 94 = 5,829 - 5,735
        tree, operands, result, exact, stated = right.tree, right.leaves, left.leaves[0], stated, exact
    found.calculations.append(
        Calculation(left.start, right.end, tree, operands, result, exact, stated, verdict, chained)
    )
    if result >= 0 and verdict == "rounding":
        found.values[numbers[result].key] = abs(exact)


def _is_name(number: Number) -> bool:
    """Is the number left of an equality a label: a year, a step, a small count?"""
    if number.year or number.label:
        return True
    return number.digits < 100 and not number.exponent and not number.percent and not number.money


def _doubtful(text: str, left: Side, right: Side, word: bool, numbers: Sequence[Number]) -> bool:
    """Is a false equality probably none? Years ("2015 - 5,735" is a dash after a year), ranges, part of a working."""
    years = [numbers[leaf].year for leaf in left.leaves]
    if all(years) or numbers[right.leaves[0]].year or (any(years) and left.tree[0] in "+-"):
        return True
    if right.computed:
        ours, theirs = [{numbers[leaf].key for leaf in side.leaves} for side in (left, right)]
        if theirs < ours:
            return True  # a + b + c = a + b = ...
        return left.tree[0] == right.tree[0] == "*" and bool(ours & theirs)  # 32 x 296 = 32 x 200 = ..., then the rest
    return word and bool(_RANGE.fullmatch(text, left.start, left.end))


def _verdict(sides: list[Side], right: Side, relation: str, text: str, found: Found) -> Outcome:
    """How `right` stands to the side before it, or to an earlier one of the chain."""
    best: Outcome = (None, Fraction(0), Fraction(0))
    for side in reversed(sides):
        if not side.computed and not right.computed and side is not sides[-1]:
            continue
        outcome = judged(side, right, relation, text[right.end : right.end + 3], found.numbers, found.values)
        if outcome[0] in ("right", "rounding"):
            return outcome
        best = outcome if best[0] is None else best
    return best


# -- calculations told with a verb -------------------------------------------------------------------------------------

_VERB = re.compile(
    r"[SsDdMmAaRr](?<![A-Za-z][A-Za-z])(?:(?P<s>(?<=[Ss])ubtract(?:ing|ed)?)|(?P<d>(?<=[Dd])ivid(?:e|ing|ed))|(?P<m>(?<=[Mm])ultipl(?:y|ying|ied))|"
    r"(?P<a>(?<=[Aa])dd(?:ing|ed)?|(?<=[Ss])um\s+of)|(?P<f>(?<=[Dd])ifference\s+between)|(?P<r>(?<=[Rr])atio\s+of))\b"
)
_BETWEEN = {"s": re.compile(r"\bfrom\b"), "d": re.compile(r"\bby\b"), "m": re.compile(r"\bby\b"),
            "a": re.compile(r"\b(?:and|to|plus)\b"), "f": re.compile(r"\band\b"), "r": re.compile(r"\bto\b")}  # fmt: skip
_MINUS = re.compile(r"(?<![\w)])-\s?\\?\$?$")
_TREES = {"s": "-", "d": "/", "m": "*", "a": "+", "f": "-", "r": "/"}
_LEADS = re.compile(
    rf"(?:\.\s+(?:That|This|It)\b)?[^.;:\n]{{0,24}}?(?:{_RELATION}|\bwe\s+get|\bI\s+get|\bto\s+obtain|\bwe\s+have){_HEDGE}[^A-Za-z\n;]{{0,6}}"
)


def _read_verb(text: str, match: re.Match[str], starts: Sequence[int], found: Found) -> None:
    """ "subtracting 5,735 from 5,829 gives 94", "the difference between 5,829 and 5,735 is 94"."""
    numbers = found.numbers
    place = bisect_left(starts, match.end())
    if place + 2 >= len(numbers) or starts[place] - match.end() > 60:
        return
    one, other, result = numbers[place : place + 3]
    kind = match.lastgroup or ""
    before, between, after = text[match.end() : one.start], text[one.end : other.start], text[other.end : result.start]
    if any(mark in gap for gap in (before, between) for mark in (". ", ";", "\n", "=", "(")) or len(between) > 60:
        return
    if not _BETWEEN[kind].search(between) or (kind in "dm" and " by " in before) or not _LEADS.fullmatch(after):
        return
    left, right = (place + 1, place) if kind == "s" else (place, place + 1)
    tree: Tree = (_TREES[kind], _signed(text, left, numbers), _signed(text, right, numbers))
    side = Side(tree, (left, right), True, match.start(), other.end, frozenset(), "n")
    told = Side(_signed(text, place + 2, numbers), (place + 2,), False, result.start, result.end, frozenset(), "n")
    verdict, exact, stated = judged(side, told, after, text[result.end : result.end + 3], numbers, found.values)
    if verdict == "wrong" and kind == "f" and abs(exact) == abs(stated):
        verdict = "right"
    if verdict is None or (verdict == "wrong" and any(n.year or n.label for n in (one, other, result))):
        return
    found.calculations.append(
        Calculation(match.start(), result.end, tree, (left, right), place + 2, exact, stated, verdict)
    )
    if verdict == "rounding":
        found.values[result.key] = abs(exact)


def _signed(text: str, index: int, numbers: Sequence[Number]) -> Tree:
    """The leaf of a number, negative where a minus sign stands before it or its currency mark."""
    leaf: Tree = ("sym", str(index))
    start = numbers[index].start
    minus = _MINUS.search(text, max(0, start - 4), start)
    return ("-", ("num", Fraction(0)), leaf) if minus else leaf
