"""FinQA's test questions as documents: one question over one page of a company report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from finbench.errors import DataError
from finbench.finqa import golds as gold
from finbench.finqa import page, programs
from finbench.tasks import data_files

HERE = Path(__file__).parent
FILES = ("finqa/test.json", "finqa/test.reconstructed.jsonl")

# Golds that readers checked against the page and found wrong, or questions that the page does not answer
# (README, "Defects"). The gold still counts; a report can leave the rows out.
DISPUTED = frozenset(
    {
        "JPM/2018/page_90.pdf-6",
        "SLG/2011/page_91.pdf-6",
        "PPG/2012/page_29.pdf-4",
        "ETFC/2011/page_144.pdf-2",
        "PPG/2018/page_85.pdf-1",
        "DISCA/2011/page_49.pdf-3",
        "UNP/2011/page_24.pdf-4",
        "UPS/2007/page_49.pdf-2",
        "LMT/2014/page_91.pdf-2",
        "ABMD/2012/page_79.pdf-1",
    }
)


def load(**settings: Any) -> dict[str, data_files.Rows]:
    """The test split. Settings: `data` (data_files.locate), `rows` (data_files.selected), `golds: display` (paper)."""
    path = data_files.for_task(FILES, settings, task_dir=HERE)
    only = settings.get("golds")
    if only not in (None, "display"):
        raise DataError(f"golds: {only!r} is not `display`; leave it out to accept both golds")
    rows = data_files.Rows(
        sum(1 for _ in data_files.read(path)), lambda: documents(path, display_only=only == "display")
    )
    return {"test": data_files.selected(rows, settings)}


def documents(path: Path, *, display_only: bool = False) -> Iterator[data_files.Row]:
    """One document a question, in file order."""
    for row in data_files.read(path):
        try:
            yield document(row, display_only=display_only)
        except (KeyError, TypeError) as error:
            raise DataError(f"{path}: row {row.get('id')!r} is not in FinQA's form: {error!r}") from error


def document(row: Mapping[str, Any], *, display_only: bool = False) -> data_files.Row:
    """The document of one row. `display_only` keeps the displayed gold alone, where there is one."""
    qa = row["qa"]
    executed, display = qa["exe_ans"], qa["answer"] or ""
    # One question holds a backslash and an n where a line ended.
    question = page.mend(qa["question"].replace("\\n", " ")).strip()
    related = gold.relation(executed, display)
    golds = gold.golds(executed, display)
    if display_only:
        golds = golds[-1:]
    ran = programs.run(qa["program"], row["table"])
    return {
        "id": row["id"],
        "question": question,
        "gold": golds[0]["text"],
        "golds": golds,
        "answer": gold.answer(question, executed, display, related),
        "cluster": row["filename"],
        "flags": _flags(row, related),
        "facets": {
            "question_type": gold.question_type(question, executed, display),
            "steps": str(len(ran.steps)),
            "gold_relation": related,
        },
        "steps": [programs.text(step.value) for step in ran.steps[:-1]],
        "program": qa["program"],
        **page.page(row),
    }


def _flags(row: Mapping[str, Any], related: str) -> list[str]:
    flags = {
        "known_conflict": gold.contradictory(related),
        "disputed_gold": row["id"] in DISPUTED,
        "context_incomplete": not row.get("provenance", {}).get("context_complete", True),
        "sample": bool(row.get("sample")),
    }
    return [name for name, holds in flags.items() if holds]
