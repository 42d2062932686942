"""A table file with named columns -> rows of the contract (docs/custom-tasks.md), one at a time.

A task folder needs no Python for it: `custom_dataset: !function finbench.lm_eval.rows`, and `dataset_kwargs` say

    file: rows.csv                      # .csv, .jsonl or .json, inside the folder of the YAML
    columns: {question: Question, answer: Answer}      # further: id, context, choices, cluster, facets
    answer: {kind: number, unit: percent}              # fields of records.Answer, the same for all rows
    first_option: 0                     # only where the answer column counts the options: the number of the first
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from finbench.errors import DataError
from finbench.tasks.data_files import MAX_ROW, SAMPLE, Row, Rows, read_json

KINDS = ("number", "choice", "label", "boolean", "text")
UNITS = ("percent", "ratio", "amount", "count")
FORMS = ("fraction", "percent")
SUFFIXES = (".csv", ".jsonl", ".json")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SINGLE = ("question", "answer", "id", "cluster")
_SEVERAL = ("context", "choices", "facets")
_OPTION = re.compile(r"^\s*\(?([A-Za-z])\s*[.):、．：]\s*(.+)$")  # "A. text", "(b) text"
_LETTER = re.compile(r"^\s*\(?([A-Za-z])\)?\s*[.。]?\s*$")
_LETTERS = re.compile(r"^\s*[A-Za-z](?:[\s,;/、，；&]*[A-Za-z])+\s*$")


@dataclass(frozen=True, slots=True)
class RowsTable:
    """A rows file and what its columns mean."""

    path: Path
    question: str
    answer: str
    declared: Mapping[str, Any]  # fields of records.Answer for every row
    id: str = ""
    cluster: str = ""
    context: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()  # one column per option, or one that holds them all
    facets: tuple[str, ...] = ()
    first_option: int | None = None

    def numbered(self) -> Iterator[tuple[int, Row | DataError]]:
        """(line, document) for every row; a row that cannot be used comes as the DataError that says why."""
        for position, (line, cells) in enumerate(numbered(self.path), start=1):
            try:
                yield line, self.document(cells, position)
            except ValueError as err:
                yield line, DataError(f"{self.path}:{line}: {err}")

    def documents(self) -> Iterator[Row]:
        """The documents in file order; raises the DataError of the first row that cannot be used."""
        for _, document in self.numbered():
            if isinstance(document, DataError):
                raise document
            yield document

    def document(self, cells: Mapping[str, Any], position: int) -> Row:
        """The document of one row; ValueError in words when a cell is missing or no answer of the declared kind."""
        question = cell_text(self._cell(cells, self.question))
        answer = cell_text(self._cell(cells, self.answer))
        if not question:
            raise ValueError(f"no question in column {self.question!r}")
        if not answer:
            raise ValueError(f"no answer in column {self.answer!r}")
        declared = dict(self.declared)
        choices = self._choices(cells)
        if declared.get("kind") == "choice":
            if not choices:
                raise ValueError(f"no options in columns {', '.join(self.choices) or '(name them in columns.choices)'}")
            declared["choices"] = choices
            answer = letters_of(answer, choices, first=self.first_option, multi=bool(declared.get("multi")))
        return {
            "id": (cell_text(self._cell(cells, self.id)) if self.id else "") or str(position),
            "question": question,
            "context": "\n\n".join(text for name in self.context if (text := cell_text(self._cell(cells, name)))),
            "options": "\n".join(f"{letter}. {text}" for letter, text in choices.items()),
            "labels": ", ".join(map(str, declared.get("classes", ()))),
            "gold": answer,
            "answer": declared,
            "cluster": cell_text(self._cell(cells, self.cluster)) if self.cluster else "",
            "facets": {name: cell_text(self._cell(cells, name)) for name in self.facets},
            "fields": dict(cells),
        }

    def _cell(self, cells: Mapping[str, Any], name: str) -> Any:
        if name not in cells:
            raise ValueError(f"no column {name!r}; found {', '.join(map(str, cells))[:300]}")
        return cells[name]

    def _choices(self, cells: Mapping[str, Any]) -> dict[str, str]:
        if len(self.choices) == 1:
            return options(self._cell(cells, self.choices[0]))
        return lettered([cell_text(self._cell(cells, name)) for name in self.choices])


def table(settings: Mapping[str, Any]) -> RowsTable:
    """The RowsTable that a task's settings describe; DataError for whatever is missing, unknown or outside the folder."""
    source = str(settings.get("config_source", ""))
    if not source.endswith(".yaml"):
        raise DataError("rows beside a task file need a task file: load the task by its name from --include DIR")
    yaml_path = Path(source)
    columns, declared = settings.get("columns"), settings.get("answer")
    if not isinstance(columns, dict) or not isinstance(declared, dict) or not isinstance(settings.get("file"), str):
        raise DataError(f"{yaml_path}: dataset_kwargs need `file`, `columns` and `answer`; see docs/custom-tasks.md")
    unknown = set(map(str, columns)) - {*_SINGLE, *_SEVERAL}
    if unknown or not {"question", "answer"} <= set(columns):
        what = f"unknown {', '.join(sorted(unknown))}" if unknown else "`question` and `answer` are needed"
        raise DataError(f"{yaml_path}: columns: {what}; known are {', '.join((*_SINGLE, *_SEVERAL))}")
    first = settings.get("first_option")
    if first not in (None, 0, 1):
        raise DataError(f"{yaml_path}: first_option is {first!r}, expected 0 or 1")
    single = {key: _name(columns[key], key, yaml_path) for key in _SINGLE if key in columns}
    several = {key: _names(columns[key], key, yaml_path) for key in _SEVERAL if key in columns}
    path = _file(settings, yaml_path)
    return RowsTable(path, declared=_declared(declared, yaml_path), first_option=first, **single, **several)  # type: ignore[arg-type]


def load(settings: Mapping[str, Any]) -> Rows:
    """The documents that a task's settings describe, lazily."""
    found = table(settings)
    return Rows(sum(1 for _ in numbered(found.path)), found.documents)


def _declared(answer: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The `answer` of the YAML with texts where YAML wrote numbers or booleans (`codes: {0: bearish}`, `- yes`)."""
    for key in ("choices", "synonyms", "codes"):
        if not isinstance(answer.get(key, {}), dict):
            raise DataError(f"{path}: answer.{key} is {answer[key]!r}, expected a mapping")
    for key in ("classes", "aliases"):
        if not isinstance(answer.get(key, []), list):
            raise DataError(f"{path}: answer.{key} is {answer[key]!r}, expected a list")
    if answer.get("kind") not in KINDS:
        raise DataError(f"{path}: answer.kind is {answer.get('kind')!r}, expected one of {', '.join(KINDS)}")
    for key, allowed in (("unit", UNITS), ("gold_form", FORMS)):
        if answer.get(key) not in (None, *allowed):
            raise DataError(f"{path}: answer.{key} is {answer[key]!r}, expected one of {', '.join(allowed)}")
    declared = dict(answer)
    for key, value in answer.items():
        if isinstance(value, dict):
            declared[key] = {cell_text(name): cell_text(item) for name, item in value.items()}
        elif isinstance(value, list):
            declared[key] = [cell_text(item) for item in value]
    return declared


def _name(value: object, key: str, path: Path) -> str:
    if not isinstance(value, str) or not value:
        raise DataError(f"{path}: columns.{key} is {value!r}, expected the name of a column")
    return value


def _names(value: object, key: str, path: Path) -> tuple[str, ...]:
    return tuple(_name(item, key, path) for item in (value if isinstance(value, list) else [value]))


def _file(settings: Mapping[str, Any], yaml_path: Path) -> Path:
    """`file` below the folder of the YAML, or of that name below DATA/<folder>/ where --data DIR holds it.

    It may not lead out of the folder: its text goes into prompts, and so to whoever serves the model.
    """
    folder = yaml_path.parent.resolve()
    name = settings["file"]
    data = settings.get("data") or os.environ.get("FINBENCH_DATA")
    places = [Path(data).resolve() / folder.name] if data and data != SAMPLE else []
    for place in (*places, folder):
        path: Path = (place / name).resolve()
        if not path.is_relative_to(place):
            raise DataError(f"{yaml_path}: `file: {name}` leaves the folder {place}; copy the rows into it")
        if path.is_file():
            return path
    raise DataError(f"{yaml_path}: `file: {name}` does not exist in {' or '.join(map(str, (*places, folder)))}")


# -- cells -----------------------------------------------------------------------------------------------------------


def cell_text(value: Any) -> str:
    """A cell as text: numbers without exponents, yes and no for booleans, tables as Markdown lines.

    >>> cell_text(1e-05), cell_text(True), cell_text(None), cell_text([["a", 1], ["b", 2]])
    ('0.00001', 'yes', '', '| a | 1 |\\n| b | 2 |')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        decimal = Decimal(repr(value))
        return f"{decimal:f}" if decimal.is_finite() and -20 < decimal.adjusted() < 40 else str(value)
    if isinstance(value, list) and value and all(isinstance(item, list) for item in value):
        return "\n".join("| " + " | ".join(map(cell_text, line)) + " |" for line in value)
    if isinstance(value, list):
        return "\n".join(map(cell_text, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value).strip()


def lettered(texts: list[str]) -> dict[str, str]:
    """Option texts by letter; empty ones keep their letter free."""
    return {letter: text for letter, text in zip(LETTERS, texts) if text}


def options(cell: Any) -> dict[str, str]:
    """The options that one cell holds: a list, a mapping, JSON text, lettered lines, or texts between | or ;.

    >>> options("A. up\\nB. down"), options("up | down"), options({"text": ["up", "down"], "label": ["A", "B"]})
    ({'A': 'up', 'B': 'down'}, {'A': 'up', 'B': 'down'}, {'A': 'up', 'B': 'down'})
    """
    if isinstance(cell, str) and cell.strip()[:1] in ("[", "{"):
        with suppress(ValueError, RecursionError):  # a text that only begins with a bracket
            cell = json.loads(cell)
    if isinstance(cell, dict):
        return _options_by_key(cell)
    if isinstance(cell, list):
        return lettered([cell_text(item) for item in cell])
    return _options_in_text(cell_text(cell))


def _options_by_key(cell: Mapping[Any, Any]) -> dict[str, str]:
    """The options of a mapping: letter to text, or lists of texts and labels as the hub's data sets write them."""
    if isinstance(cell.get("text"), list):
        return lettered([cell_text(item) for item in cell["text"]])
    return {str(key).upper(): cell_text(value) for key, value in cell.items() if str(key).upper() in set(LETTERS)}


def _options_in_text(text: str) -> dict[str, str]:
    """The options of a text: lines, lettered or not, or one line that `|` or else `;` parts."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        return lettered([part.strip() for part in text.split("|" if "|" in text else ";")])
    found = [match for line in lines if (match := _OPTION.match(line))]
    if len(found) == len(lines):
        return {match[1].upper(): match[2].strip() for match in found}
    return lettered([line.strip() for line in lines])


def letters_of(answer: str, choices: Mapping[str, str], *, first: int | None = None, multi: bool = False) -> str:
    """The letter (or, with `multi`, letters) of a gold that is written as letter, as number, or as option text.

    >>> letters_of("(b)", {"A": "up", "B": "down"}), letters_of("down", {"A": "up", "B": "down"})
    ('B', 'B')
    >>> letters_of("0", {"A": "up", "B": "down"}, first=0), letters_of("B, A", {"A": "up", "B": "down"}, multi=True)
    ('A', 'AB')
    """
    if first is not None and answer.isdecimal() and 0 <= int(answer) - first < len(LETTERS):
        answer = LETTERS[int(answer) - first]
    single = _LETTER.match(answer)
    if single and single[1].upper() in choices:
        return single[1].upper()
    if multi and _LETTERS.match(answer):
        named = sorted({character.upper() for character in answer if character.isalpha()})
        if set(named) <= set(choices):
            return "".join(named)
    same = [letter for letter, text in choices.items() if text.casefold() == answer.casefold()]
    if len(same) == 1:
        return same[0]
    raise ValueError(f"the answer {answer[:80]!r} is no letter of {', '.join(choices)} and not one option's text")


# -- files -----------------------------------------------------------------------------------------------------------


def numbered(path: Path, separator: str = ",") -> Iterator[tuple[int, Row]]:
    """(line that the row begins on, cells) of a .csv, .jsonl or .json file (there: the number of the row)."""
    suffix = path.suffix.lower()
    try:
        if suffix in (".csv", ".tsv"):
            yield from _csv(path, separator)
        elif suffix == ".jsonl":
            yield from _jsonl(path)
        elif suffix == ".json":
            yield from enumerate(read_json(path), start=1)
        else:
            raise DataError(f"{path}: rows are read from {', '.join(SUFFIXES)} files")
    except UnicodeDecodeError as err:
        raise DataError(f"{path}: not UTF-8 near byte {err.start}; save it as UTF-8 (Excel: `CSV UTF-8`)") from err
    except (csv.Error, RecursionError, ValueError) as err:  # ValueError: integers of more digits than Python reads
        raise DataError(f"{path}: cannot be read ({err})") from err
    except OSError as err:
        raise DataError(f"{path}: cannot be read ({err.strerror})") from err


def _csv(path: Path, separator: str) -> Iterator[tuple[int, Row]]:
    csv.field_size_limit(MAX_ROW)  # the default refuses a filing page of more than 128 kB
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, restval="", delimiter=separator)
        header = reader.fieldnames or []
        repeated = sorted({name for name in header if header.count(name) > 1})
        if repeated:
            raise DataError(f"{path}:1: the header names {', '.join(map(repr, repeated))} more than once")
        for row in reader:
            cells = [cell for cell in row.values() if isinstance(cell, str)]
            line = reader.line_num - sum(cell.count("\n") for cell in cells)
            if None in row:
                raise DataError(f"{path}:{line}: more cells than the header has columns; quote cells that hold commas")
            yield line, row


def _jsonl(path: Path) -> Iterator[tuple[int, Row]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as err:
                raise DataError(f"{path}:{number}: not a JSON line: {err.msg}") from err
            if not isinstance(row, dict):
                raise DataError(f"{path}:{number}: holds {type(row).__name__}, expected an object")
            yield number, row
