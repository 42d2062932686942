"""ConvFinQA's conversations over other numbers (docs/resampled.md): a model that remembers the answers gets them wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from finbench.errors import DataError
from finbench.finqa import resample
from finbench.tasks import data_files

HERE = Path(__file__).parent
SEED = 1


def load(**settings: Any) -> dict[str, data_files.Rows]:
    """The turns that have a variant. Settings: `seed` (1) chooses the variant, `data` and `rows` as in docs.load.

    The history holds the new golds. The model's own answers cannot stand there: turns that measure nothing are shown
    and not asked, so they have no reply.
    """
    if settings.get("own_history"):
        raise DataError(
            "convfinqa_resampled shows the gold history only: leave own_history out, or run convfinqa_own_history"
        )
    docs = data_files.module_at(HERE / "docs.py")
    path = data_files.for_task(docs.FILES, settings, task_dir=HERE)
    made = _variants(path, path.stat().st_mtime_ns, int(settings.get("seed", SEED)))
    turns = sum(len(row["asked"]) for row in made)
    rows = data_files.Rows(turns, lambda: (turn for row in made for turn in documents(docs, row)))
    return {"test": data_files.selected(rows, {key: value for key, value in settings.items() if key != "seed"})}


def documents(docs: ModuleType, row: Mapping[str, Any]) -> Iterator[data_files.Row]:
    """ConvFinQA's documents of the turns to be asked, with the `original` turn's id so that reports can pair the two.

    The last of them is the conversation's final turn here.
    """
    seed = row["id"].rpartition("#")[2]
    asked = set(row["asked"])
    for number, turn in enumerate(docs.conversation({**row, "id": row["original"]}), 1):
        if number in asked:
            flags = [flag for flag in turn["flags"] if flag != "final_turn"]
            final = ["final_turn"] if number == max(asked) else []
            yield turn | {"id": f"{turn['id']}#{seed}", "original": turn["id"], "flags": final + flags}


@lru_cache(maxsize=1)
def _variants(path: Path, _changed: int, seed: int) -> tuple[Mapping[str, Any], ...]:
    """The variants of a file's rows. They are held: finding out which rows have one costs as much as making them."""
    displays = data_files.module_at(HERE / "docs.py").displays
    rows = ({**row, "annotation": {**row["annotation"], "answer_list": displays(row)}} for row in data_files.read(path))
    made, left_out = resample.variants(rows, seed)
    turns = sum(len(row["asked"]) for row in made)
    data_files.log.info("convfinqa_resampled, seed %d: %s", seed, resample.summary(turns, left_out))
    return tuple(made)
