"""A LoRA adapter beside the model: vLLM and transformers must agree on what it changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from asking import chat, replies

pytestmark = pytest.mark.vllm
pytest.importorskip("vllm", reason="vLLM is not installed: make test-vllm builds an environment with the CPU build")
pytest.importorskip("peft", reason="peft is not installed: make test-vllm")

from finbench.engines.hf import LocalHF  # noqa: E402  # after the skip
from finbench.engines.vllm.local import LocalVLLM  # noqa: E402

REQUESTS = [chat(f"r{at}", f"what changed in {2000 + at} ?", max_tokens=12) for at in range(8)]


def write_adapter(tiny: Path, folder: Path) -> Path:
    """An adapter of rank 4 with random weights, strong enough to change what is said."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    settings = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32), settings)
    model.save_pretrained(folder)
    return folder


def said(engine: LocalHF | LocalVLLM) -> list[str]:
    found = replies(engine, REQUESTS)
    engine.close()
    return [found[request.id].text.rstrip("\ufffd") for request in REQUESTS]


def test_the_adapter_changes_the_replies_alike_in_vllm_and_transformers(tiny: Path, tmp_path: Path) -> None:
    adapter = write_adapter(tiny, tmp_path / "adapter")
    plain = said(LocalHF(str(tiny), dtype="float32"))
    adapted = said(LocalHF(str(tiny), dtype="float32", lora=adapter))
    assert sum(one != other for one, other in zip(plain, adapted, strict=True)) >= 6
    in_vllm = LocalVLLM(
        str(tiny), dtype="float32", enforce_eager=True, gpu_memory_utilization=0.25, max_model_len=512, lora=adapter
    )
    assert in_vllm.describe()["lora"] == "adapter"
    # Rank-4 sums are added in another order, so a near tie may fall the other way.
    assert sum(one == other for one, other in zip(said(in_vllm), adapted, strict=True)) >= 7
