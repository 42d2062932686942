"""Model profiles: which one a name gets, what is in them, and how a user's own is read."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from finbench.errors import UsageError
from finbench.records import Sampling
from finbench.runs import profiles


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("SUFE-AIFLM-Lab/Fin-R1", "fin-r1"),
        ("/data/models/Fin-R1-GPTQ-Int4/", "fin-r1"),
        ("deepseek-ai/DeepSeek-R1", "deepseek-r1"),
        ("deepseek-ai/DeepSeek-R1-0528", "deepseek-r1-0528"),
        ("deepseek-ai/DeepSeek-R1-0528-Qwen3-8B", "deepseek-r1-0528"),
        ("deepseek-reasoner", "deepseek-r1"),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "deepseek-r1-distill"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "deepseek-r1-distill"),
        ("Qwen/Qwen2.5-7B-Instruct", "qwen2.5-instruct"),
        ("Qwen/Qwen2.5-32B-Instruct-AWQ", "qwen2.5-instruct"),
        ("Qwen/Qwen2.5-1.5B-Instruct", "qwen2.5-instruct-small"),
        ("Qwen/Qwen2.5-0.5B-Instruct-AWQ", "qwen2.5-instruct-small"),
        ("Qwen/Qwen2.5-7B", "default"),  # a base model has no chat decoding
        ("Qwen/Qwen3-8B", "qwen3"),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", "qwen3-instruct"),
        ("Qwen/Qwen3-4B-Thinking-2507", "qwen3-thinking"),
        ("Qwen/Qwen3-8B-Base", "default"),
        ("Qwen/Qwen3.5-35B-A3B", "qwen3.5"),
        ("Qwen/Qwen3.8-27B-FP8", "qwen3.5"),
        ("Qwen/Qwen3.5-9B", "qwen3.5"),
        ("Qwen/Qwen3.5-9B-Base", "default"),
        ("Qwen/Qwen3.5-2B", "default"),  # its chat template closes the thinking at once
        ("Qwen/Qwen3.5-0.8B", "default"),
        ("Qwen/Qwen3.5-35B-A3B-Base", "default"),
        ("Qwen/QwQ-32B", "qwq"),
        ("Qwen/QwQ-32B-Preview", "default"),
        ("openai/gpt-oss-20b", "gpt-oss"),
        ("google/gemma-3-27b-it", "gemma-3"),
        ("google/gemma-3-27b-pt", "default"),
        ("mistralai/Mistral-Small-3.2-24B-Instruct-2506", "mistral-small-3"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "llama-3"),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama-3.1"),
        ("Llama-3.1-8B", "default"),
        ("baseline/oracle", "default"),
        ("replay:runs/Fin-R1", "fin-r1"),
        ("gpt-4o", "default"),
        ("", "default"),
        ("[", "default"),
    ],
)
def test_a_models_name_finds_its_profile(model: str, expected: str) -> None:
    assert profiles.find(model).name == expected


def test_fin_r1_is_asked_as_its_card_says() -> None:
    profile = profiles.find("SUFE-AIFLM-Lab/Fin-R1")
    expected = {"temperature": 0.7, "top_p": 0.8, "repetition_penalty": 1.05, "max_tokens": 4000}
    assert profile.sampling == expected
    assert all(tag in profile.system for tag in ("<think>", "</think>", "<answer>", "</answer>"))


@pytest.mark.parametrize(
    ("model", "opened"),
    [
        ("DeepSeek-R1", True),
        ("DeepSeek-R1-0528", False),
        ("DeepSeek-R1-Distill-Qwen-7B", True),
        ("Fin-R1", False),
        ("QwQ-32B", True),
        ("Qwen3-8B", False),
        ("Qwen3-4B-Thinking-2507", True),
        ("Qwen3.5-27B", True),
    ],
)
def test_it_is_known_who_writes_the_opening_tag(model: str, opened: bool) -> None:
    thinking = profiles.find(model).thinking
    assert thinking is not None and thinking.opened is opened


@pytest.mark.parametrize("name", sorted(profiles.shipped()))
def test_a_shipped_profile_is_sound(name: str) -> None:
    profile = profiles.shipped()[name]
    Sampling(**profile.sampling)  # type: ignore[arg-type]
    json.dumps(asdict(profile))
    if name == "default":
        assert not profile.sampling and not profile.system
        return
    assert profile.match and profile.sources, "a profile says whom it is for and where it was read"
    assert all(pattern == pattern.lower() for pattern in profile.match)
    assert 0 <= profile.sampling["temperature"] <= 1 and 0 < profile.sampling.get("top_p", 1) <= 1
    assert profile.context_length and profile.sampling["max_tokens"] < profile.context_length


def test_a_profile_can_be_named_or_given_as_a_file(tmp_path: Path) -> None:
    assert profiles.find("qwen3", exact=True).name == "qwen3"
    mine = tmp_path / "house.yaml"
    mine.write_text("system: Be brief.\nsampling: {temperature: 0}\nthinking: {opened: true}\n", "utf-8")
    profile = profiles.find(str(mine), exact=True)
    assert (profile.name, profile.system, profile.sampling) == ("house", "Be brief.", {"temperature": 0})
    assert profile.thinking == profiles.Thinking("<think>", "</think>", True)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="fin-r1"):
        profiles.find("nobody", exact=True)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("sampling: {temprature: 1}", "temprature"),
        ("sampling: {temperature: hot}", "must be a number"),
        ("sampling: {temperature: true}", "must be a number"),
        ("sampling: [1]", "mapping"),
        ("sampling: {seed: 1}", "seed"),
        ("sytem: x", "sytem"),
        ("thinking: {start: x}", "start"),
        ("context_length: long", "context_length"),
        ("- a", "not list"),
        ("a: [", "cannot be read"),
        ("!!python/object/apply:os.system ['true']", "cannot be read"),
    ],
)
def test_a_faulty_profile_is_named_with_its_fault(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=named) as caught:
        profiles.find(str(path), exact=True)
    assert "mine.yaml" in str(caught.value)


def test_a_missing_profile_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        profiles.find(str(tmp_path / "none.yaml"), exact=True)
