"""A vLLM replica behind Ray says what vLLM says without it."""

from __future__ import annotations

from pathlib import Path

import pytest
from asking import mixed, replies

pytestmark = [pytest.mark.vllm, pytest.mark.ray, pytest.mark.slow]
pytest.importorskip("vllm", reason="vLLM is not installed: make test-vllm builds an environment with the CPU build")
pytest.importorskip("ray", reason="Ray is not installed: make test-vllm")

from finbench.engines.hf import LocalHF  # noqa: E402  # after the skip
from finbench.engines.ray import RayCluster  # noqa: E402


def test_a_replica_answers_as_the_model_does(tiny: Path) -> None:
    requests = mixed(20)
    expected = replies(LocalHF(str(tiny), dtype="float32"), requests)
    engine = RayCluster(
        str(tiny),
        dtype="float32",
        enforce_eager=True,
        gpu_memory_utilization=0.25,
        max_model_len=1024,
        max_num_seqs=16,
        start_timeout=400,
    )
    try:
        about = engine.describe()["replica"]
        found = replies(engine, requests)
    finally:
        engine.close()
    assert isinstance(about, dict) and about["engine"] == "vllm"
    for request in requests:
        # vLLM leaves out a last character that is incomplete.
        assert expected[request.id].text.startswith(found[request.id].text.rstrip("\ufffd"))
        assert found[request.id].output_tokens == expected[request.id].output_tokens
