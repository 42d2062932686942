"""ConvFinQA's development conversations as documents: one a turn, with the earlier turns as its history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from finbench.errors import DataError
from finbench.finqa import golds as gold
from finbench.finqa import page as report
from finbench.finqa import programs
from finbench.finqa.programs import Value
from finbench.tasks import data_files

HERE = Path(__file__).parent
FILES = ("convfinqa/dev.json", "convfinqa/dev.reconstructed.jsonl")

# Turns whose gold answers another question than the one asked (czyssrs/ConvFinQA issue 5: merged turns).
DISPUTED = frozenset({"Double_AOS/2004/page_11.pdf#1", "Double_VLO/2018/page_25.pdf#1"})


def load(**settings: Any) -> dict[str, data_files.Rows]:
    """The development split, turn by turn. Settings: `data` (data_files.locate), `rows` (data_files.selected),
    `golds: executed` (paper), `own_history: true`: rows name the turn they depend on."""
    path = data_files.for_task(FILES, settings, task_dir=HERE)
    only = settings.get("golds")
    if only not in (None, "executed"):
        raise DataError(f"golds: {only!r} is not `executed`; leave it out to accept both golds")
    own = bool(settings.get("own_history"))
    if own and not settings.get("finbench"):
        data_files.log.warning("convfinqa_own_history: lm-eval cannot wait for replies; the history holds the golds")
    turns = sum(len(row["annotation"]["dialogue_break"]) for row in data_files.read(path))
    rows = data_files.Rows(turns, lambda: documents(path, executed_only=only == "executed", own_history=own))
    return {"test": data_files.selected(rows, settings)}


def documents(path: Path, *, executed_only: bool = False, own_history: bool = False) -> Iterator[data_files.Row]:
    """One document a turn, conversations in file order."""
    for row in data_files.read(path):
        try:
            yield from conversation(row, executed_only=executed_only, own_history=own_history)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path}: row {row.get('id')!r} is not in ConvFinQA's form: {error!r}") from error


def conversation(
    row: Mapping[str, Any], *, executed_only: bool = False, own_history: bool = False
) -> Iterator[data_files.Row]:
    """The documents of one conversation, first turn first. With `own_history`, `depends_on` is the document whose
    reply has to be there before this one can be asked (None for the first turn)."""
    notes = row["annotation"]
    page = report.page(row)
    history: list[dict[str, str]] = []
    earlier: str | None = None
    last = len(notes["dialogue_break"])
    turns = zip(
        notes["dialogue_break"],
        notes["turn_program"],
        notes["exe_ans_list"],
        displays(row),
        notes["qa_split"],
        strict=True,
    )
    for number, (question, program, executed, display, part) in enumerate(turns, 1):
        identity = f"{row['id']}#{number}"
        question = report.mend(question).strip()
        related = gold.relation(executed, display)
        golds = gold.golds(executed, display)[: 1 if executed_only else None]
        ran = programs.run(program, row["table"])
        flags = {
            "final_turn": number == last,
            "known_conflict": gold.contradictory(related),
            "disputed_gold": identity in DISPUTED,
            "sample": bool(row.get("sample")),
        }
        document = {
            "id": identity,
            "question": question,
            "gold": golds[0]["text"],
            "golds": golds,
            "answer": _answer(question, program, executed, display, related),
            "cluster": row["id"],
            "flags": [name for name, holds in flags.items() if holds],
            "facets": {
                "question_type": gold.question_type(question, executed, display),
                "steps": str(len(ran.steps)),
                "turn": str(number),
                "qa_split": str(int(part)),
                "page": row["filename"] if "filename" in row else _page(row["id"]),
                "gold_relation": related,
            },
            "steps": [programs.text(step.value) for step in ran.steps[:-1]],
            "program": program,
            "history": list(history),
            **page,
        }
        yield document | ({"depends_on": earlier} if own_history else {})
        history.append({"question": question, "answer": _told(executed, display, related, executed_only)})
        earlier = identity


def displays(row: Mapping[str, Any]) -> list[str]:
    """The displayed answer of every turn, empty where there is none.

    Only our reconstructed file has them all (`answer_list`). The official one keeps FinQA's own, which belongs to the
    last turn of the question's part of the conversation: in `qa`, or for two questions in `qa_0` and `qa_1`.
    """
    notes = row["annotation"]
    if "answer_list" in notes:
        return [answer or "" for answer in notes["answer_list"]]
    parts = [int(part) for part in notes["qa_split"]]
    shown = [""] * len(parts)
    for part in set(parts):
        question = row.get("qa") if max(parts) == 0 and "qa" in row else row.get(f"qa_{part}")
        shown[len(parts) - 1 - parts[::-1].index(part)] = (question or {}).get("answer") or ""
    return shown


def _answer(question: str, program: str, executed: Value, display: str, related: str) -> dict[str, str]:
    """As FinQA's; a cell picked with its percent sign is a percentage even where only the program shows the sign."""
    if program.strip().endswith("%") and not display:
        return gold.answer(question, executed, program, gold.relation(executed, program.strip()))
    return gold.answer(question, executed, display, related)


def _told(executed: Value, display: str, related: str, executed_only: bool) -> str:
    """The answer that later turns see: as displayed, unless later programs build on another number."""
    if executed_only or not display or gold.contradictory(related):
        return programs.text(executed)
    return display.strip()


def _page(conversation_id: str) -> str:
    """The filing page in an id.

    >>> _page("Single_MRO/2007/page_134.pdf-1"), _page("Double_AOS/2004/page_11.pdf")
    ('MRO/2007/page_134.pdf', 'AOS/2004/page_11.pdf')
    """
    return conversation_id.partition("_")[2].partition(".pdf")[0] + ".pdf"
