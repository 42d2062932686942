"""TFNS's documents: records, not lines; labels as the prompts offer them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from finbench.errors import DataError
from finbench.tasks import templates, yaml_files
from finbench.tasks.data_files import module_at
from finbench.tasks.documents import document_from_row

TASK = Path(__file__).parents[2] / "tasks" / "tfns"


def load_docs() -> ModuleType:
    return module_at(TASK / "docs.py")


docs = load_docs()


def write(data: Path, text: str) -> None:
    (data / "tfns").mkdir()
    (data / "tfns" / "sent_valid.csv").write_bytes(text.encode())


def read(data: Path | str, **settings: Any) -> list[dict[str, Any]]:
    return list(docs.load(data=str(data), finbench=True, **settings)["test"])


def test_a_line_break_inside_quotes_ends_no_record(tmp_path: Path) -> None:
    write(tmp_path, 'text,label\r\n"$X - falls\nhttps://t.co/a",0\r\nplain,2\r\n')
    assert [(row["tweet"], row["gold"]) for row in read(tmp_path)] == [
        ("$X - falls\nhttps://t.co/a", "bearish"),
        ("plain", "neutral"),
    ]


def test_an_unknown_label_is_an_error_that_names_the_record(tmp_path: Path) -> None:
    write(tmp_path, "text,label\r\na,0\r\nb,3\r\n")
    with pytest.raises(DataError, match="record 1 has the label '3', expected one of 0, 1, 2"):
        read(tmp_path)


def test_the_sample_has_tweets_of_each_class_and_all_are_marked() -> None:
    rows = read("sample")
    assert len(rows) >= 40
    assert min(Counter(row["gold"] for row in rows).values()) >= 10
    assert all(row["flags"] == ["sample"] for row in rows)
    assert len({row["tweet"] for row in rows}) == len(rows)


@pytest.mark.parametrize("name", ["tfns", "tfns_paper"])
def test_codes_and_synonyms_that_are_accepted_stand_in_the_prompt(name: str) -> None:
    template = yaml_files.read(TASK / f"{name}.yaml", TASK).config["doc_to_text"]
    row = read("sample")[0]
    shown = templates.environment().from_string(template).render(**row)
    answer = document_from_row(row, "tfns").answer
    for word in (*answer.classes, *answer.codes, *answer.synonyms, row["tweet"]):
        assert word in shown


def test_the_paper_protocol_takes_the_first_rows(tmp_path: Path) -> None:
    write(tmp_path, "text,label\r\n" + "".join(f"tweet {n},{n % 3}\r\n" for n in range(1100)))
    metadata = yaml_files.read(TASK / "tfns_paper.yaml", TASK).config["metadata"]
    rows = read(tmp_path, **metadata)
    assert [row["id"] for row in rows] == [f"valid/{n}" for n in range(1000)]


def test_the_real_file_holds_2388_tweets(real_data: Path) -> None:
    rows = docs.load(data=str(real_data), finbench=True)["test"]
    assert len(rows) == 2388
    assert Counter(row["gold"] for row in rows) == {"neutral": 1566, "bullish": 475, "bearish": 347}
    first = Counter(row["gold"] for row in read(real_data, rows="first"))
    assert first["neutral"] == 626
