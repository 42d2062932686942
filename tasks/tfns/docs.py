"""TFNS rows: the validation tweets, read with a csv reader because 43 texts contain line breaks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finbench.errors import DataError
from finbench.tasks.data_files import Row, Rows, for_task, read, selected

HERE = Path(__file__).parent
FILES = ["tfns/sent_valid.csv"]
CLASSES = {"0": "bearish", "1": "bullish", "2": "neutral"}
# Codes and synonyms are those that the prompts offer, and no others.
ANSWER = {
    "kind": "label",
    "classes": list(CLASSES.values()),
    "codes": CLASSES,
    "synonyms": {"negative": "bearish", "positive": "bullish"},
}


def load(**settings: Any) -> dict[str, Rows]:
    """{"test": the tweets in file order}. Settings: `data` (data_files.locate), `rows` (data_files.selected).

    Raises DataError for an unknown label.
    """
    path = for_task(FILES, settings, task_dir=HERE)

    def rows() -> Iterator[Row]:
        for number, line in enumerate(read(path)):
            yield _row(number, line, path)

    return {"test": selected(Rows(sum(1 for _ in read(path)), rows), settings)}


def _row(number: int, line: Row, path: Path) -> Row:
    code = str(line["label"]).strip()
    if code not in CLASSES:
        raise DataError(f"{path}: record {number} has the label {code!r}, expected one of {', '.join(CLASSES)}")
    return {
        "id": str(line.get("id") or f"valid/{number}"),
        "tweet": line["text"].strip(),
        "question": line["text"].strip(),
        "gold": CLASSES[code],
        "answer": ANSWER,
        "cluster": "",
        "flags": ["sample"] if line.get("sample") else [],
        "facets": {"class": CLASSES[code]},
    }
