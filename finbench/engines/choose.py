"""Which engine runs a model, and how it is made: each gets what it knows, and a flag that it does not know is refused."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

from finbench.engines.vllm import read_ahead
from finbench.errors import EngineError, UsageError
from finbench.records import Request, Response

ENGINES = {
    "openai_api": "finbench.engines.openai.engine:OpenAIEngine",
    "served_vllm": "finbench.engines.vllm.served:ServedVLLM",
    "local_vllm": "finbench.engines.vllm.local:LocalVLLM",
    "local_hf": "finbench.engines.hf:LocalHF",
    "ray_cluster": "finbench.engines.ray:RayCluster",
    "lm_eval_model": "finbench.engines.lm_eval:LmEvalModel",
    "offline": "finbench.engines.offline:OfflineEngine",
}
SHORT_NAMES = {
    "openai": "openai_api",
    "serve": "served_vllm",
    "vllm": "local_vllm",
    "hf": "local_hf",
    "ray": "ray_cluster",
}


def install(extra: str) -> str:
    """The command that brings an extra, from a package index or from a checkout.

    >>> install("hf")
    "pip install 'finbench[hf]' (in a checkout: pip install -e '.[hf]')"
    """
    return f"pip install 'finbench[{extra}]' (in a checkout: pip install -e '.[{extra}]')"


INSTALL = {
    "openai_api": "pip install aiohttp",
    "served_vllm": install("vllm"),
    "local_vllm": install("vllm"),
    "local_hf": install("hf"),
    "ray_cluster": install("ray"),
}
FOREIGN = "lm-eval:"  # --engine lm-eval:NAME runs any model class of lm-eval
COMMON = ("max_concurrency", "revision", "chat", "seed")  # an engine that has no use for these ignores them


class Engine(Protocol):
    """What the conductor needs of an engine."""

    name: str

    def stream(self, requests: Iterator[Request | None]) -> Iterator[Response]:
        """Pulls requests lazily within a bounded window and yields exactly one Response for each, as they finish.

        A None among the requests means that nothing can be asked until a reply has been taken. A failed request is a
        Response with finish "error"; only an engine that cannot go on at all raises EngineError. Where the iterator
        has `prepare()` (runs/pending.Feed), an engine that waits may call it to have a request made ahead, while it says True.
        """
        ...

    def close(self) -> None:
        """Frees what the engine holds; safe to call twice."""
        ...

    def describe(self) -> dict[str, object]:
        """Facts for the manifest (versions, revision, hardware, servers); no secrets."""
        ...


class EngineChoice(NamedTuple):
    """An engine's name in ENGINES, and why it was taken, in words for the plan."""

    engine: str
    why: str


class NoEngine(UsageError):
    """Nothing on this machine can run the model."""


def choose(
    model: str,
    engine: str = "auto",
    *,
    base_urls: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> EngineChoice:
    """The engine for a model; UsageError when the flags contradict each other or nothing that could run it is here.

    `options` are the engine's flags that the user gave; `ray_address` and `data_parallel` count here.

    >>> choose("baseline/oracle")
    EngineChoice(engine='offline', why='baseline/oracle is built in')
    >>> choose("m", base_urls=["http://localhost:8000/v1"]).engine
    'openai_api'
    """
    if engine.startswith(FOREIGN):
        return EngineChoice("lm_eval_model", f"asked for with --engine {engine}")
    if engine != "auto":
        return _named(engine, base_urls)
    if model.startswith(("baseline/", "replay:")):
        if model.startswith("baseline/"):
            _known(model)
        return EngineChoice("offline", f"{model} is built in")
    if base_urls:
        return EngineChoice("openai_api", "--base-url is given")
    options = options or {}
    data_parallel = options.get("data_parallel") or 1
    if options.get("ray_address"):
        return EngineChoice("ray_cluster", "--ray-address is given")
    if _installed("vllm") and data_parallel > 1:
        return EngineChoice("served_vllm", f"--data-parallel {data_parallel} needs several engines behind one server")
    if _installed("vllm"):
        return EngineChoice("local_vllm", "vLLM is installed and no --base-url is given")
    if _installed("torch") and _installed("transformers"):
        return EngineChoice(
            "local_hf", f"transformers is installed, vLLM is not (faster on a GPU: {INSTALL['local_vllm']})"
        )
    raise NoEngine(
        f"nothing here can run {model}: neither vLLM nor transformers is installed. Give a running server "
        f"with --base-url, or {INSTALL['local_vllm']}, or try --model baseline/heuristic --data sample."
    )


def _known(model: str) -> None:
    """EngineError for a baseline that there is not, said before a run folder is made."""
    from finbench.engines.baselines.simple import rule_of

    rule_of(model)


def _named(engine: str, base_urls: Sequence[str]) -> EngineChoice:
    """The engine that --engine names; UsageError for an unknown one, and for one that does not fit --base-url."""
    name = SHORT_NAMES.get(engine, engine)
    if name not in ENGINES:
        raise UsageError(f"--engine {engine}: no such engine; there are auto, {', '.join((*SHORT_NAMES, *ENGINES))}")
    if base_urls and name != "openai_api":
        raise UsageError(f"--base-url goes with --engine openai, not with {engine}; leave one of the two out")
    if name == "openai_api" and not base_urls:
        raise UsageError("--engine openai needs the server's address: --base-url http://HOST:PORT/v1")
    return EngineChoice(name, f"asked for with --engine {engine}")


def engine_class(name: str) -> Callable[..., Engine]:
    """What makes the engine of that name in ENGINES, imported now; EngineError when a package it needs is missing."""
    module, _, attribute = ENGINES[name].partition(":")
    try:
        make: Callable[..., Engine] = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        how = f"; install it with: {INSTALL[name]}" if name in INSTALL else ""
        raise EngineError(f"the engine {name} needs the package {error.name}, which is not installed{how}") from error
    return make


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
    if name in read_ahead.LOCAL and (why := read_ahead.why_absent(model)):  # vLLM takes a minute to say so
        raise EngineError(why)
    make = engine_class(name)
    given = {key: value for key, value in (common or {}).items() if key in COMMON and value not in (None, "")}
    options = dict(options or {})
    if name == "offline":
        return make(model)
    if name == "lm_eval_model":
        return make(engine.removeprefix(FOREIGN), options.get("model_args", ""))
    if name == "openai_api":
        options["base_urls"] = list(base_urls)
    parameters = _settings_of(make)
    unknown = sorted(set(options) - set(parameters))
    if unknown:
        flags = ", ".join("--" + key.replace("_", "-") for key in unknown)
        raise UsageError(f"{flags}: the engine {name} has no such setting; leave it out or choose another --engine")
    return make(model, **options, **{key: value for key, value in given.items() if key in parameters})


def _settings_of(make: Callable[..., Engine]) -> set[str]:
    """The settings that an engine takes: its parameters, and the fields of its `settings_type` where it has one."""
    record = getattr(make, "settings_type", None)
    return set(inspect.signature(make).parameters) | {one.name for one in (fields(record) if record else ())}


def _installed(package: str) -> bool:
    return find_spec(package) is not None
