"""What all tests share: the folder of this file on the path, and where real benchmark data lies, if anywhere."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """A folder with the real rows; the test is skipped, aloud, where there is none."""
    named = os.environ.get("FINBENCH_DATA", "")
    for folder in (
        Path(named) if named and named != "sample" else None,
        Path(__file__).parent.parent.parent / "shared" / "data",
    ):
        if folder is not None and (folder / "finqa").is_dir():
            return folder
    pytest.skip("real benchmark rows are not here; point FINBENCH_DATA at a data folder")
