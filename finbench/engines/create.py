"""An engine from its name and the user's flags: each gets what it knows, and a flag that it does not know is refused."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from finbench import engines
from finbench.engines import Choice, Engine
from finbench.errors import UsageError

FOREIGN = "lm-eval:"  # --engine lm-eval:NAME runs any model class of lm-eval
COMMON = ("max_concurrency", "revision", "chat", "seed")  # an engine that has no use for these ignores them


def choose(model: str, engine: str, base_urls: Sequence[str], options: Mapping[str, Any]) -> Choice:
    """The engine for a run, and why; see `engines.choose`."""
    if engine.startswith(FOREIGN):
        return Choice("lm_eval_model", f"asked for with --engine {engine}")
    return engines.choose(
        model,
        engine,
        base_urls=base_urls,
        ray_address=options.get("ray_address"),
        data_parallel=options.get("data_parallel") or 1,
    )


def create(
    name: str,
    model: str,
    *,
    engine: str = "auto",
    base_urls: Sequence[str] = (),
    common: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Engine:
    """The engine of that name. `common` holds settings of every run, `options` the flags that the user gave.

    Raises UsageError for an option that this engine does not have, EngineError when it cannot start.
    """
    make = engines.engine_class(name)
    given = {key: value for key, value in (common or {}).items() if key in COMMON and value not in (None, "")}
    options = dict(options or {})
    if name == "offline":
        return make(model)
    if name == "lm_eval_model":
        return make(engine.removeprefix(FOREIGN), options.get("model_args", ""))
    if name == "openai_api":
        options["base_urls"] = list(base_urls)
    parameters = inspect.signature(make).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return make(model, **options)
    unknown = sorted(set(options) - set(parameters))
    if unknown:
        flags = ", ".join("--" + key.replace("_", "-") for key in unknown)
        raise UsageError(f"{flags}: the engine {name} has no such setting; leave it out or choose another --engine")
    return make(model, **options, **{key: value for key, value in given.items() if key in parameters})
