"""Real engines on a tiny random model. `make test-vllm` runs these; each file says aloud what it misses and skips.

The settings are for a machine with few cores and no GPU: one OpenMP thread, no binding, the engine in this process
(three imports of vLLM otherwise), little memory. They are set before anything imports torch.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SETTINGS = {
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "HF_HUB_OFFLINE": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
for key, value in SETTINGS.items():
    os.environ.setdefault(key, value)

sys.path.insert(0, str(Path(__file__).parent))  # for `asking`
sys.path.insert(0, str(Path(__file__).parent.parent))  # for `tiny_model`


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the tiny checkpoint."""
    pytest.importorskip("torch", reason="torch is not installed: make test-vllm builds an environment with it")
    pytest.importorskip("transformers", reason="transformers is not installed: make test-vllm")
    from tiny_model import write_tiny_model

    yield write_tiny_model(tmp_path_factory.mktemp("tiny") / "model")
