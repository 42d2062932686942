"""FinQA's test questions over other numbers (docs/resampled.md): a model that remembers the answers gets them wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from finbench.finqa import resample
from finbench.tasks import data_files

HERE = Path(__file__).parent
SEED = 1


def load(**settings: Any) -> dict[str, data_files.Rows]:
    """The variants of the test split. Settings: `seed` (1) chooses the variant, `data` and `rows` as in docs.load."""
    docs = data_files.module_at(HERE / "docs.py")
    path = data_files.for_task(docs.FILES, settings, task_dir=HERE)
    made = _variants(path, path.stat().st_mtime_ns, int(settings.get("seed", SEED)))
    rows = data_files.Rows(len(made), lambda: (one for row in made for one in documents(docs, row)))
    return {"test": data_files.selected(rows, {key: value for key, value in settings.items() if key != "seed"})}


def documents(docs: ModuleType, row: Mapping[str, Any]) -> Iterator[data_files.Row]:
    """The document of a variant: FinQA's, with the `original` question's id so that reports can pair the two."""
    yield docs.document({**row, "id": row["original"]}) | {"id": row["id"], "original": row["original"]}


@lru_cache(maxsize=1)
def _variants(path: Path, _changed: int, seed: int) -> tuple[Mapping[str, Any], ...]:
    """The variants of a file's rows. They are held: finding out which rows have one costs as much as making them."""
    made, left_out = resample.variants(data_files.read(path), seed)
    data_files.log.info("finqa_resampled, seed %d: %s", seed, resample.summary(len(made), left_out))
    return tuple(made)
