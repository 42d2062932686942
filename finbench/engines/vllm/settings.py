"""How vLLM loads a model: one record for the engine in this process and for its replicas on a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finbench.engines.prompts import LongPrompts


@dataclass(frozen=True, slots=True)
class VLLMSettings:
    """The engine's flags of `finbench run`, with vLLM's own defaults; `extra` are further arguments of its EngineArgs."""

    revision: str | None = None
    dtype: str = "auto"
    quantization: str | None = None
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    data_parallel: int = 1
    lora: str | Path | None = None
    gpu_memory_utilization: float | None = None
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    enforce_eager: bool = False
    trust_remote_code: bool = False
    seed: int = 0
    long_prompts: LongPrompts = "error"
    chat_template: str | Path | None = None
    template_args: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def arguments(self, model: str) -> dict[str, Any]:
        """vLLM's EngineArgs; what was not given is left to vLLM."""
        limits = {
            "gpu_memory_utilization": self.gpu_memory_utilization,
            "max_model_len": self.max_model_len,
            "max_num_seqs": self.max_num_seqs,
        }
        return {
            "model": model,
            "revision": self.revision,
            "tokenizer_revision": self.revision,
            "dtype": self.dtype,
            "quantization": self.quantization,
            "tensor_parallel_size": self.tensor_parallel,
            "pipeline_parallel_size": self.pipeline_parallel,
            "enforce_eager": self.enforce_eager,
            "trust_remote_code": self.trust_remote_code,
            "seed": self.seed,
            **{name: value for name, value in limits.items() if value is not None},
        }
