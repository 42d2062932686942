"""A task's YAML files read as text: keys that nobody reads, limits that spoil a reasoning model, code that would run.

Nothing is loaded here. lm-eval ignores a mistyped key inside `generation_kwargs`, stops at a blank line when `until` is
missing, and cuts at 256 tokens when nothing else is said; each of these has spoiled published numbers.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from finbench.records import Answer
from finbench.tasks import decoding, table_files, yaml_files
from finbench.tasks.authoring.findings import Finding
from finbench.tasks.trust import consent
from finbench.tasks.trust.merged import Setting

MIN_TOKENS = 1024  # a reasoning model often needs more before it answers
GENERATION_KEYS = decoding.KNOWN | set(decoding.NEUTRAL)
ROWS_DOOR = "finbench.lm_eval.rows"
_STRUCTURE = frozenset({"include", "group", "tag", "task", "task_list", "class"})
_METRIC_KEYS = frozenset({"metric", "aggregation", "higher_is_better", "hf_evaluate"})
_DOOR_KEYS = frozenset({"file", "columns", "answer", "first_option"})


def lint(name: str, chain: Iterable[yaml_files.TaskFile], settings: Mapping[str, Setting]) -> Iterator[Finding]:
    """What is wrong with the text of a task: `chain` are its files, `settings` what they amount to."""
    for file in chain:
        yield from _unknown_keys(name, file, scored="process_results" in settings)
    if _value(settings, "output_type", "generate_until") == "generate_until" and "class" not in settings:
        yield from _generation(name, settings)
    if _value(settings, "custom_dataset") == ROWS_DOOR:
        yield from _door(name, settings)


def _value(settings: Mapping[str, Setting], key: str, default: Any = None) -> Any:
    return settings[key].value if key in settings else default


def _at(name: str, code: str, file: yaml_files.TaskFile, keys: tuple[str, ...], text: str) -> Finding:
    return Finding(code, name, str(file.path), file.lines().get(keys, 0), text)


# -- keys ------------------------------------------------------------------------------------------------------------


def _unknown_keys(name: str, file: yaml_files.TaskFile, *, scored: bool) -> Iterator[Finding]:
    from lm_eval.config.group import GroupConfig
    from lm_eval.config.task import FewshotConfig, TaskConfig

    top = {field.name for field in dataclasses.fields(TaskConfig)} | _STRUCTURE
    if file.kind == "group":
        top |= {field.name for field in dataclasses.fields(GroupConfig)}
    config = file.config
    yield from _strangers(name, file, config, (), top)
    yield from _strangers(name, file, config.get("generation_kwargs"), ("generation_kwargs",), GENERATION_KEYS)
    fewshot = {field.name for field in dataclasses.fields(FewshotConfig)}
    yield from _strangers(name, file, config.get("fewshot_config"), ("fewshot_config",), fewshot)
    metrics = config.get("metric_list")
    if isinstance(metrics, list) and scored:  # otherwise further keys reach the metric itself
        for position, metric in enumerate(metrics):
            yield from _strangers(name, file, metric, ("metric_list", str(position)), _METRIC_KEYS)


def _strangers(
    name: str, file: yaml_files.TaskFile, mapping: Any, above: tuple[str, ...], known: Iterable[str]
) -> Iterator[Finding]:
    if not isinstance(mapping, dict):
        return
    known = sorted(known)
    for key in mapping:
        if str(key) in known:
            continue
        near = difflib.get_close_matches(str(key), known, n=1)
        where = f" in `{'.'.join(above)}`" if above else ""
        hint = f"; did you mean `{near[0]}`?" if near else f"; known are {', '.join(known)}" if above else ""
        yield _at(name, "unknown-key", file, (*above, str(key)), f"nobody reads `{key}`{where}{hint}")


# -- generation ------------------------------------------------------------------------------------------------------


def _generation(name: str, settings: Mapping[str, Setting]) -> Iterator[Finding]:
    setting = settings.get("generation_kwargs")
    if setting is None or not isinstance(setting.value, dict):
        file = setting.file if setting else settings["task"].file
        text = "no `generation_kwargs`: lm-eval stops at a blank line and at 256 tokens; write `until`, `max_gen_toks`"
        yield _at(name, "no-until", file, ("generation_kwargs",) if setting else ("task",), text)
        return
    given, file = setting.value, setting.file
    if "until" not in given:
        text = "no `until`: lm-eval stops at a blank line; write `until: []` to let the model finish"
        yield _at(name, "no-until", file, ("generation_kwargs",), text)
    key = next((key for key in decoding.LENGTHS if key in given), None)
    limit = given.get(key) if key else None
    if key is None:
        text = f"no `max_gen_toks`: plain lm-eval cuts replies at 256 tokens; write the limit, at least {MIN_TOKENS}"
        yield _at(name, "token-limit", file, ("generation_kwargs",), text)
    elif not isinstance(limit, int) or limit < MIN_TOKENS:
        text = f"`{key}: {limit}` cuts reasoning before the answer; give at least {MIN_TOKENS:,} (4096 is usual)"
        yield _at(name, "token-limit", file, ("generation_kwargs", key), text)


# -- the door for rows -----------------------------------------------------------------------------------------------


def _door(name: str, settings: Mapping[str, Setting]) -> Iterator[Finding]:
    setting = settings.get("dataset_kwargs")
    if setting is None or not isinstance(setting.value, dict):
        return  # tables.table says what is missing
    yield from _strangers(name, setting.file, setting.value, ("dataset_kwargs",), _DOOR_KEYS)
    answer = {field.name for field in dataclasses.fields(Answer)}
    yield from _strangers(name, setting.file, setting.value.get("answer"), ("dataset_kwargs", "answer"), answer)
    columns = {field.name for field in dataclasses.fields(table_files.RowsTable)} - {"path", "declared", "first_option"}
    yield from _strangers(name, setting.file, setting.value.get("columns"), ("dataset_kwargs", "columns"), columns)


# -- what would be fetched -------------------------------------------------------------------------------------------


def network_rows(settings: Mapping[str, Setting]) -> str:
    """The data set that loading the task would ask a network for; empty when its rows are here."""
    if "custom_dataset" in settings or "dataset_path" not in settings:
        return ""
    path = str(settings["dataset_path"].value)
    if "://" in str(_value(settings, "dataset_kwargs", "")):
        return path
    return "" if path in consent.FILE_BUILDERS or Path(path).exists() else path
