"""A YAML's `generation_kwargs` as a `Sampling`; what no engine here knows is named, never dropped silently.

The names and what they mean together follow lm-eval's own reading of them (`normalize_gen_kwargs` in its
models/utils.py, 0.4.13), but for the length of a reply: lm-eval takes 256 tokens where none is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finbench.records import Sampling

DEFAULT_MAX_TOKENS = 4096
LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")  # the first one given holds
NUMBERS = ("top_p", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty")
KNOWN = frozenset({"until", "do_sample", "temperature", "top_k", *LENGTHS, *NUMBERS})
# Names that only transformers knows, with the value that changes nothing.
NEUTRAL = {"num_beams": 1, "num_return_sequences": 1, "n": 1, "use_cache": True}


def sampling_of(settings: Mapping[str, Any] | None) -> Sampling:
    """The settings as a Sampling; `temperature` counts unless `do_sample` is false, as in lm-eval.

    >>> found = sampling_of({"do_sample": False, "temperature": 0.5, "until": "Q:", "min_p": 0.1, "max_new_tokens": 9})
    >>> found.temperature, found.stop, found.min_p, found.max_tokens
    (0.0, ('Q:',), 0.1, 9)
    """
    given = {name: value for name, value in (settings or {}).items() if value is not None}
    sampled = given.get("do_sample", "temperature" in given)
    until = given.get("until", ())
    numbers: dict[str, Any] = {name: float(given[name]) for name in NUMBERS if name in given}
    return Sampling(
        max_tokens=int(next((given[name] for name in LENGTHS if name in given), DEFAULT_MAX_TOKENS)),
        temperature=float(given.get("temperature", 0.0)) if sampled else 0.0,
        top_k=max(0, int(given.get("top_k", 0))),  # vLLM writes -1 for no limit
        stop=(until,) if isinstance(until, str) else tuple(until),
        **numbers,
    )


def unknown(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """The settings that change replies under lm-eval and that no engine here knows, as written.

    >>> unknown({"until": [], "num_beams": 1, "no_repeat_ngram_size": 3})
    {'no_repeat_ngram_size': 3}
    """
    return {
        name: value
        for name, value in (settings or {}).items()
        if name not in KNOWN and value is not None and NEUTRAL.get(name, ...) != value
    }
