"""`vllm serve` started, asked and stopped by us, beside the same model in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from asking import chat, mixed, raw, replies, score

pytestmark = [pytest.mark.vllm, pytest.mark.slow]
pytest.importorskip("vllm", reason="vLLM is not installed: make test-vllm builds an environment with the CPU build")

from finbench.engines.vllm.local import LocalVLLM  # noqa: E402  # after the skip
from finbench.engines.vllm.served import ServedVLLM  # noqa: E402


def test_a_served_model_says_what_the_model_in_process_says(tiny: Path) -> None:
    words = ("right", "wrong")
    requests = [
        *mixed(30),
        *[chat(f"c{at}", f"verdict {at} ?", choices=words) for at in range(4)],
        *[chat(f"s{at}", "say", temperature=1.0, seed=at, top_k=40, repetition_penalty=1.1) for at in range(4)],
        raw("raw", "net sales were"),
        score("score", "the tweet is", " bullish"),
    ]
    local = LocalVLLM(
        str(tiny), dtype="float32", enforce_eager=True, gpu_memory_utilization=0.25, max_model_len=1024, max_num_seqs=16
    )
    inside = replies(local, requests)
    local.close()
    served = ServedVLLM(
        str(tiny),
        dtype="float32",
        gpu_memory_utilization=0.25,
        max_model_len=1024,
        max_num_seqs=16,
        arguments=["--enforce-eager"],
        start_timeout=400,
    )
    try:
        outside = replies(served, requests)
    finally:
        served.close()
    for request in requests:
        ours, theirs = inside[request.id], outside[request.id]
        assert theirs.finish == ours.finish, (request.id, theirs)
        assert theirs.prompt_tokens == ours.prompt_tokens
        if request.kind == "loglikelihood":
            assert theirs.logprob == pytest.approx(ours.logprob, abs=1e-3)
        else:
            assert theirs.text == ours.text, request.id
