"""A small table of pinned files, as tests of download and archive put it in the place of the real one."""

from __future__ import annotations

import hashlib
from pathlib import Path

from finbench.tasks.data_files import Pinned

ROWS = b'[{"id": 1}]'
CSV = "text,label\r\n多行,0\r\n".encode()


def git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def pin(dataset: str, name: str, content: bytes, standing: str = "official", url: str | None = None) -> Pinned:
    path = f"{dataset}/{name}"
    return Pinned(
        dataset=dataset,
        path=path,
        standing=standing,  # type: ignore[arg-type]
        rows=None if standing in ("licence", "archive") else 1,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        git_blob=git_blob(content),
        licence="MIT",
        url=f"https://example.org/{path}" if url is None else url,
    )


CONTENT = {"finqa/test.json": ROWS, "finqa/LICENSE": b"MIT\n", "tfns/情绪/sent.csv": CSV}


def left_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
