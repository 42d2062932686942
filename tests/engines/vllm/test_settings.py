"""The one record of how vLLM loads a model."""

from __future__ import annotations

import pytest

from finbench.engines import choose
from finbench.engines.ray import RayCluster
from finbench.engines.vllm.local import LocalVLLM
from finbench.engines.vllm.settings import VLLMSettings
from finbench.errors import EngineError, UsageError


def test_what_was_not_given_is_left_to_vllm() -> None:
    said = VLLMSettings(max_model_len=512).arguments("m")
    assert said["max_model_len"] == 512 and not {"gpu_memory_utilization", "max_num_seqs"} & set(said)
    assert (said["tokenizer_revision"], said["tensor_parallel_size"]) == (None, 1)


@pytest.mark.parametrize("engine", [LocalVLLM, RayCluster])
def test_both_engines_take_its_fields_and_no_others(engine: type) -> None:
    taken = choose._settings_of(engine)
    assert {"dtype", "max_num_seqs", "long_prompts"} <= taken and "timeout" not in taken


@pytest.mark.parametrize("name", ["local_vllm", "ray_cluster"])
def test_a_flag_that_is_none_of_them_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="--timeout"):
        choose.create(name, "org/m", options={"timeout": 3.0})


def test_copies_of_a_model_in_one_process_are_refused_with_the_ways_out() -> None:
    with pytest.raises(EngineError, match="--serve"):
        LocalVLLM("org/m", data_parallel=2)
