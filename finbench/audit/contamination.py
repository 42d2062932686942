"""How much of a benchmark stands in a file of training or few-shot texts: shared n-grams of words.

A hint, not a proof: a shared run of 13 words is rarely chance, but a page quoted elsewhere need not have been trained on
with its question, and a paraphrase shares nothing. Thirteen words are the custom since GPT-3's report (Brown et al.
2020, arXiv 2005.14165, appendix C).

Memory holds the hashes of the benchmark's n-grams and nothing that grows with the training file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finbench.errors import UsageError
from finbench.records import Document

N = 13
SHORTEST = 8  # a text of 8 to 12 words is looked for as a whole; below that agreement says nothing
EXAMPLES = 3
MOSTLY = 0.5  # the share of a row's n-grams from which the row counts as known

# One token is a word, a number, or one Chinese, Japanese or Korean character: those scripts put no spaces.
_TOKEN = re.compile(r"[぀-ヿ㐀-䶿一-鿿가-힣]|\d+(?:\.\d+)?|[^\W\d_぀-ヿ㐀-䶿一-鿿가-힣]+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
# Fields of a row that are no text a model is shown, or whose text stands in another field too.
_NO_CONTEXT = frozenset({"id", "question", "gold", "program", "original", "cluster", "depends_on", "category"})


@dataclass(frozen=True, slots=True)
class Example:
    """A row's first shared n-gram and the place in the training file where it was met first."""

    row: str
    place: str  # "FILE, record N"
    words: str


@dataclass(frozen=True, slots=True)
class Overlap:
    """What a task shares with the training texts. Counts are rows; a row's page holds its question and its context."""

    task: str
    rows: int
    questions: int  # with a shared n-gram in the question
    pages: int  # with one anywhere in question and context
    mostly: int  # with half of the page's n-grams or more
    examples: tuple[Example, ...]
    subtasks: tuple[Overlap, ...] = ()  # of a group, whose counts are their sums


def tokens(text: str) -> list[str]:
    """The words of a text in lower case: NFKC, no punctuation, no thousands separators.

    >>> tokens("Net revenue ($5,829) grew 1.6%: 净收入增长")
    ['net', 'revenue', '5829', 'grew', '1.6', '净', '收', '入', '增', '长']
    """
    plain = _THOUSANDS.sub("", unicodedata.normalize("NFKC", text).lower())
    return _TOKEN.findall(plain)


def grams(words: Sequence[str], n: int) -> Iterator[str]:
    """The n-grams of a text; a shorter one is a gram as a whole, unless it is too short to say anything.

    >>> list(grams(["a", "b", "c"], 2)), list(grams(["a", "b", "c"], 9))
    (['a b', 'b c'], [])
    """
    if len(words) < n:
        if len(words) >= min(SHORTEST, n):
            yield " ".join(words)
        return
    for start in range(len(words) - n + 1):
        yield " ".join(words[start : start + n])


def find(
    benchmarks: Mapping[str, Callable[[], Iterable[Document]]],
    training: Iterable[tuple[str, Mapping[str, Any]]],
    n: int = N,
) -> list[Overlap]:
    """The overlap of each benchmark (a fresh pass over its documents per call) with training records (place, record).

    Raises UsageError for an n below 2.
    """
    if n < 2:
        raise UsageError(f"--n {n}: an n-gram has two words at least; 13 is customary")
    shortest = min(SHORTEST, n)
    wanted: set[int] = set()
    starts: set[int] = set()  # of the first words of what is wanted: nearly every place of a text fails here
    lengths = {n}
    for documents in benchmarks.values():
        for document in documents():
            for text in (document.question, *context(document)):
                words = tokens(text)
                lengths.add(min(n, max(len(words), shortest)))
                wanted.update(map(hash, grams(words, n)))
                starts.update(hash(" ".join(words[i : i + shortest])) for i in range(len(words) - shortest + 1))
    met: dict[int, str] = {}
    for place, record in training:
        for text in texts(record):
            words = tokens(text)
            for start in range(len(words) - shortest + 1):
                if hash(" ".join(words[start : start + shortest])) not in starts:
                    continue
                for length in lengths:
                    gram = hash(" ".join(words[start : start + length]))
                    if start + length <= len(words) and gram in wanted:
                        met.setdefault(gram, place)
    return [_overlap(task, documents(), met, n) for task, documents in benchmarks.items()]


def grouped(found: Sequence[Overlap], groups: Mapping[str, Sequence[str]]) -> list[Overlap]:
    """The overlaps in order, those of a group's members (group -> members) summed where the first of them stands."""
    owner = {member: group for group, members in groups.items() for member in members}
    parts: dict[str, list[Overlap]] = {}
    for item in found:
        parts.setdefault(owner.get(item.task, item.task), []).append(item)
    return [_summed(name, items) if name in groups else items[0] for name, items in parts.items()]


def _summed(group: str, parts: Sequence[Overlap]) -> Overlap:
    return Overlap(
        group,
        rows=sum(part.rows for part in parts),
        questions=sum(part.questions for part in parts),
        pages=sum(part.pages for part in parts),
        mostly=sum(part.mostly for part in parts),
        examples=tuple(example for part in parts for example in part.examples)[:EXAMPLES],
        subtasks=tuple(parts),
    )


def _overlap(task: str, documents: Iterable[Document], met: Mapping[int, str], n: int) -> Overlap:
    rows = questions = pages = mostly = 0
    examples: list[Example] = []
    for document in documents:
        rows += 1
        asked = list(grams(tokens(document.question), n))
        page = asked + [gram for text in context(document) for gram in grams(tokens(text), n)]
        shared = [gram for gram in page if hash(gram) in met]
        questions += any(hash(gram) in met for gram in asked)
        pages += bool(shared)
        mostly += bool(page) and len(shared) >= MOSTLY * len(page)
        if shared and len(examples) < EXAMPLES:
            examples.append(Example(document.id, met[hash(shared[0])], shared[0]))
    return Overlap(task, rows, questions, pages, mostly, tuple(examples))


def context(document: Document) -> list[str]:
    """The texts of a row beside its question that a prompt may show: its text fields and its choices."""
    row = document.row
    fields = [value for key, value in row.items() if isinstance(value, str) and key not in _NO_CONTEXT]
    answer = row.get("answer")
    choices = answer.get("choices") if isinstance(answer, Mapping) else None
    return fields + ([" ".join(map(str, choices.values()))] if isinstance(choices, Mapping) else [])


def texts(value: Any) -> Iterator[str]:
    """Every text inside a JSON value, field by field: no n-gram runs from one field into the next."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
