"""A file of rows -> the draft of a task: what its columns mean and what kind of answers they hold.

What the author did not say is guessed from the rows, and every guess carries its reason; `scaffold.write` makes the
folder of a draft.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finbench.errors import DataError, UsageError
from finbench.sanitize import shown
from finbench.tasks import table_files
from finbench.tasks.data_files import Row
from finbench.text import quantities

KINDS = table_files.KINDS
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
MAX_CLASSES = 12
MAX_CLASS_LENGTH = 40
_BOOLEANS = frozenset(("yes", "no", "true", "false", "y", "n", "是", "否", "对", "错", "正确", "错误"))
_ID_COLUMNS = ("id", "uid", "qid", "question_id", "example_id", "sample_id")
_OPTION_COLUMNS = ("choices", "options")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_SEVERAL_LETTERS = re.compile(r"[A-Za-z](?:[\s,;/、，；&]*[A-Za-z])+")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the author said; None and empty are left to the rows."""

    question: str
    answer: str
    kind: str | None = None
    context: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    unit: str | None = None
    gold_form: str | None = None
    id: str | None = None
    cluster: str | None = None
    facets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A task that could be written: `columns` and `answer` are those of the YAML; `why` explains each guess."""

    name: str
    source: Path
    rows: int
    columns: Mapping[str, Any]
    answer: Mapping[str, Any]
    first_option: int | None = None
    chinese: bool = False
    why: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The kind of answer."""
        return str(self.answer["kind"])

    @property
    def rows_file(self) -> str:
        """The name of the rows file in the folder: CSV stays CSV, all else becomes JSON lines."""
        return "rows.csv" if self.source.suffix.lower() == ".csv" else "rows.jsonl"

    def lines(self) -> list[str]:
        """What was found and guessed, with the flag that corrects it, for people to read."""
        choices = self.columns.get("choices")
        lines = [
            f"rows      {self.rows:,} from {shown(self.source)}",
            f"answers   {self.kind}: {shown(self.why['kind'])}   [--type]",
        ]
        if self.kind == "number":
            lines.append(
                f"unit      {self.answer.get('unit') or 'read from each question'}: {self.why['unit']}   [--unit]"
            )
        if self.answer.get("gold_form"):
            form = {"percent": "14.2 means 14.2%", "fraction": "0.142 means 14.2%"}[str(self.answer["gold_form"])]
            lines.append(f"golds     {form}   [--gold-form]")
        if self.kind == "label":
            lines.append(f"labels    {shown(', '.join(self.answer['classes']))}")
        if choices:
            lines.append(f"choices   {shown(', '.join(choices))}   [--choices]")
        if self.first_option is not None:
            lines.append(f"options   are counted from {self.first_option} in the answers")
        lines.append(f"ids       {shown(self.columns.get('id', 'the number of the row'))}   [--id]")
        return lines


# -- reading the author's file ---------------------------------------------------------------------------------------


def read(path: Path) -> Iterator[tuple[int, Row]]:
    """(line, cells) of the author's file: .csv (comma, semicolon or tab), .jsonl, .json or .parquet."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; --from takes a .csv, .jsonl, .json or .parquet file")
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet(path)
    if suffix in (".csv", ".tsv"):
        return _separated(path)
    if suffix in (".jsonl", ".json"):
        return table_files.numbered(path)
    raise DataError(f"{path}: rows are read from .csv, .tsv, .jsonl, .json and .parquet files; save it as one of these")


def _separated(path: Path) -> Iterator[tuple[int, Row]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
    except (OSError, UnicodeDecodeError) as err:
        raise DataError(f"{path}: cannot be read as UTF-8 ({err}); save it as UTF-8 (Excel: `CSV UTF-8`)") from err
    if not header.strip():
        raise DataError(f"{path}: is empty; its first line has to name the columns")
    separator = max(",;\t", key=header.count)  # where two are as frequent, the comma comes first
    return table_files.numbered(path, separator)


def _parquet(path: Path) -> Iterator[tuple[int, Row]]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            line = 0
            for batch in file.iter_batches(batch_size=1000):
                for row in batch.to_pylist():
                    line += 1
                    yield line, row
    except (pyarrow.ArrowException, OSError, ValueError) as err:
        raise DataError(f"{path}: cannot be read as parquet ({err})") from err


# -- guessing --------------------------------------------------------------------------------------------------------


def draft(name: str, source: Path, wishes: Wishes) -> Draft:
    """The task that these rows make. Raises UsageError for names and columns, DataError for rows without an answer."""
    _check_name(name)
    seen = _read_whole(source, wishes)
    choices = list(wishes.choices) or (seen.option_columns() if wishes.kind in (None, "choice") else [])
    kind, why = (wishes.kind, "as you said") if wishes.kind else seen.kind(choices)
    if kind == "choice" and not choices:
        raise UsageError(
            "--type choice needs the columns of the options: --choices A,B,C,D (or one column that holds all)"
        )
    details, reasons = _answer(kind, seen, wishes, choices)
    columns = _columns(seen, wishes, choices if kind == "choice" else [])
    first = seen.first_option() if kind == "choice" else None
    return Draft(
        name, source, seen.rows, columns, {"kind": kind, **details}, first, seen.chinese(), {"kind": why, **reasons}
    )


def _read_whole(source: Path, wishes: Wishes) -> _Seen:
    """What one pass over the rows sees; DataError where there are none, or where some have no answer."""
    seen = _Seen(source, wishes)
    if not seen.rows:
        raise DataError(f"{source}: holds no rows")
    if seen.gaps:
        listed = ", ".join(f"{source}:{line}" for line in seen.gaps[:5])
        raise DataError(f"{len(seen.gaps)} rows have no question or no answer ({listed}); fill or delete them")
    return seen


def _answer(kind: str, seen: _Seen, wishes: Wishes, choices: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """What the YAML says of the answers besides their kind, and why."""
    if kind == "label":
        return {"classes": seen.classes()}, {}
    if kind == "choice":
        return ({"multi": True} if seen.several(choices) else {}), {}
    if kind != "number":
        return {}, {}
    unit, why = (wishes.unit, "as you said") if wishes.unit else seen.unit()
    form = wishes.gold_form or (seen.gold_form() if unit == "percent" else None)
    return _given(unit=unit, gold_form=form), {"unit": why}


def _columns(seen: _Seen, wishes: Wishes, choices: Sequence[str]) -> dict[str, Any]:
    """What each column means; those that nobody named are left out."""
    return _given(
        question=wishes.question,
        answer=wishes.answer,
        id=wishes.id or seen.id_column(),
        cluster=wishes.cluster,
        context=list(wishes.context),
        choices=list(choices),
        facets=list(wishes.facets),
    )


def _given(**settings: Any) -> dict[str, Any]:
    """The settings that say something."""
    return {key: value for key, value in settings.items() if value}


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        near = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_-")[:64].lower()
        hint = f"; for example {near!r}" if near else ""
        raise UsageError(f"{shown(name)!r} is no task name: letters, digits, _ and -, at most 64, no spaces{hint}")
    from finbench.tasks import load

    if name in load.shipped().files or name == "all":
        raise UsageError(f"{name!r} is a task that comes with finbench; choose another name")


class _Seen:
    """One pass over the rows: what the guesses need, in bounded memory but for the ids and distinct answers."""

    def __init__(self, source: Path, wishes: Wishes) -> None:
        self.rows = 0
        self.gaps: list[int] = []
        self._distinct: dict[str, int] = {}
        self._columns: list[str] = []
        self._cells: Row = {}
        self._parsed = self._percent_signs = self._money = self._fractions = self._chinese = 0
        self._ids: dict[str, set[str]] = {}
        for line, cells in read(source):
            if not self._columns:
                self._begin(cells, source, wishes)
            self._see(line, cells, wishes)

    def _begin(self, cells: Row, source: Path, wishes: Wishes) -> None:
        self._columns = [str(name) for name in cells]
        self._cells = cells
        single = [wishes.question, wishes.answer, wishes.id, wishes.cluster]
        for name in [*filter(None, single), *wishes.context, *wishes.choices, *wishes.facets]:
            if name not in self._columns:
                raise UsageError(f"{source}: no column {name!r}; its columns are {', '.join(self._columns)[:500]}")
        self._ids = {name: set() for name in self._columns if name.lower() in _ID_COLUMNS}

    def _see(self, line: int, cells: Row, wishes: Wishes) -> None:
        self.rows += 1
        question, answer = (
            table_files.cell_text(cells.get(wishes.question)),
            table_files.cell_text(cells.get(wishes.answer)),
        )
        if not question or not answer:
            self.gaps.append(line)
            return
        self._distinct[answer] = self._distinct.get(answer, 0) + 1
        self._chinese += bool(_CHINESE.search(question))
        for name, seen in self._ids.items():
            seen.add(table_files.cell_text(cells.get(name)))
        number = quantities.whole(answer)
        if number is None:
            return
        self._parsed += 1
        self._percent_signs += number.unit == "percent"
        self._money += bool(number.currency) or number.scale != 1
        self._fractions += abs(number.number) <= 1

    def kind(self, choices: Sequence[str]) -> tuple[str, str]:
        """The kind of the answers, and the reason."""
        if choices:
            return "choice", f"options stand in {', '.join(choices)}"
        distinct = list(self._distinct)
        if {answer.lower() for answer in distinct} <= _BOOLEANS:
            return "boolean", f"every answer is one of {', '.join(sorted(distinct)[:6])}"
        if self._parsed == self.rows:
            return "number", "every answer is a number"
        if self._parsed >= 0.8 * self.rows:
            return (
                "number",
                f"{self._parsed:,} of {self.rows:,} answers are numbers; `finbench tasks check` lists the others",
            )
        few = len(distinct) <= min(MAX_CLASSES, max(2, self.rows // 3))
        if few and all(len(answer) <= MAX_CLASS_LENGTH for answer in distinct):
            return "label", f"{len(distinct)} different answers in {self.rows:,} rows"
        return "text", f"{len(distinct):,} different answers that are not numbers"

    def unit(self) -> tuple[str | None, str]:
        """The unit of the numbers, None when the question has to be read for it."""
        if self._percent_signs == self.rows:
            return "percent", "every answer has a % sign"
        if self._money == self.rows:
            return "amount", "every answer has a currency or a scale such as million"
        return None, "the answers alone do not say"

    def gold_form(self) -> str | None:
        """Whether bare golds of a percent task are percents or fractions; None when they carry their sign."""
        if self._percent_signs:
            return "percent"
        return "fraction" if self._fractions >= 0.9 * self.rows else "percent"

    def classes(self) -> list[str]:
        """The labels, most frequent first."""
        if len(self._distinct) > 200:
            raise UsageError(
                f"--type label: {len(self._distinct):,} different answers are no set of labels; try --type text"
            )
        return sorted(self._distinct, key=lambda answer: (-self._distinct[answer], answer))

    def first_option(self) -> int | None:
        """0 or 1 when the answers count the options, None when they name them."""
        if not all(answer.isdecimal() for answer in self._distinct):
            return None
        return 0 if "0" in self._distinct else 1

    def several(self, choices: Sequence[str]) -> bool:
        """Whether some answer names several letters, and is not an option's text."""
        texts = {table_files.cell_text(self._cells.get(name)).casefold() for name in choices}
        return any(
            _SEVERAL_LETTERS.fullmatch(answer)
            and answer.isupper()
            and answer.casefold() not in texts
            and len(answer) <= 16
            for answer in self._distinct
        )

    def option_columns(self) -> list[str]:
        """The columns that look like options: A, B, C, ...; option_a, ...; or one named choices or options."""
        by_name = {name.strip().lower(): name for name in self._columns}
        for pattern in ("{}", "option_{}", "option {}", "choice_{}", "choice {}", "option{}", "choice{}"):
            for marks in ("abcdefghij", "123456789"):
                found: list[str] = []
                for mark in marks:
                    if pattern.format(mark) not in by_name:
                        break
                    found.append(by_name[pattern.format(mark)])
                if len(found) >= 2:
                    return found
        return next(([by_name[name]] for name in _OPTION_COLUMNS if name in by_name), [])

    def id_column(self) -> str | None:
        """A column of that name whose values are all there and all different."""
        return next((name for name, seen in self._ids.items() if len(seen) == self.rows and "" not in seen), None)

    def chinese(self) -> bool:
        """Whether the questions are mostly Chinese."""
        return self._chinese > self.rows / 2
