"""What all tests share: the folder of this file on the path, and where real benchmark data lies, if anywhere."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

# No test may depend on the pace of the machine, and what failed must fail again.
# `pytest --hypothesis-profile=search` looks with new examples each time.
CALM = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("search", deadline=None, suppress_health_check=CALM)
settings.register_profile("repeatable", settings.get_profile("search"), derandomize=True)
settings.load_profile("repeatable")


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
