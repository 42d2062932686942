"""The leaderboard page: measured runs and reported rows in one table, with every sample behind it, in one HTML file.

The page works from a file, without a network and, for reading, without JavaScript. The same inputs give the same
bytes. Samples lie in the page as packed chunks; those beyond its size go to `samples/*.js` beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finbench import drill, pages
from finbench.errors import StoreError, UsageError
from finbench.names import slug

SCRIPTS = ("core.js", "paired.js", "board.js", "samples.js", "versus.js", "main.js")
BENCHMARKS = ("finqa", "convfinqa", "ant_finance", "tfns", "finance_instruct")


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What was built: the page, the files beside it, and how much is in them."""

    path: Path
    bytes: int  # of the page alone
    sidecars: tuple[Path, ...]
    rows: int
    samples: int  # graded samples behind the table
    replies: int  # of which the page carries the text


@dataclass(frozen=True, slots=True)
class Score:
    """A number of the table, 0 to 100, as it is shown. `low` and `high` are None where no interval is known."""

    score: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    note: str = ""

    @property
    def half(self) -> float | None:
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, before it is laid out."""

    key: str
    model: str
    kind: str  # "measured" or "reported"
    protocol: str
    group: tuple[str, str]  # title and note of the block it stands in
    scores: Mapping[str, Score]
    average: Score | None
    rank: str = ""
    rank_title: str = ""
    sub: str = ""
    source: str = ""
    flags: tuple[str, ...] = ()
    cost: tuple[tuple[float | None, str], ...] = ((None, ""),) * 4
    provenance: tuple[str, str, str] = ("", "", "")
    sources: Mapping[str, drill.Source] | None = None


def build(runs: Sequence[Path], output: Path, *, reported: bool = True, max_mb: float = 25) -> BuildReport:
    """Write the leaderboard of `runs` (run folders) to `output` and say what is in it.

    Raises UsageError when there is nothing to show and StoreError for a run folder that cannot be read.
    """
    rows = [measured(run) for run in runs]
    if not rows:
        raise UsageError("no runs to show; give run folders, or leave reported rows on")
    rows.sort(key=lambda row: (row.kind, row.protocol, -(row.average.score if row.average else -1), row.model, row.key))
    tasks = _tasks(rows)
    sources = {
        (index, tasks.index(name)): source
        for index, row in enumerate(rows)
        for name, source in (row.sources or {}).items()
        if name in tasks
    }
    shell = page(rows, tasks, drill.Packed({}, {}, 0, 0), {}, {})
    room = int(max_mb * 1e6) - len(shell.encode()) - 300 * (len(sources) * 3 + len(tasks) * 4)
    made = drill.pack(sources, room)
    inline, outside = _placed(made.chunks, room)
    sidecars = _sidecars(outside, output)
    text = page(rows, tasks, made, inline, sidecars)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8", newline="\n")
    files = tuple(output.parent / path for path in sidecars.values())
    return BuildReport(output, len(text.encode()), files, len(rows), made.samples, made.replies)


def _tasks(rows: Sequence[Row]) -> list[str]:
    """The columns: the five benchmarks first, then others by name."""
    names = {name for row in rows for name in row.scores}
    return [name for name in BENCHMARKS if name in names] + sorted(names - set(BENCHMARKS))


def _placed(chunks: Mapping[str, str], room: int) -> tuple[dict[str, str], dict[str, str]]:
    """Chunks for the page and for files beside it: what every view needs comes first, replies last."""
    order = ("verdicts", "docs", "answers", "prompts", "replies")
    inline: dict[str, str] = {}
    outside: dict[str, str] = {}
    for key in sorted(chunks, key=lambda key: order.index(key.split(":")[0])):
        fits = len(chunks[key]) <= room
        (inline if fits else outside)[key] = chunks[key]
        room -= len(chunks[key]) if fits else 0
    return inline, outside


def _sidecars(chunks: Mapping[str, str], output: Path) -> dict[str, str]:
    """Write one file per chunk into `samples/` beside the page; their paths relative to it, by key."""
    paths = {key: f"samples/{slug(output.stem)}-{key.replace(':', '-')}.js" for key in chunks}
    for key, text in chunks.items():
        path = output.parent / paths[key]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"finbenchChunk({pages.inline_json(key)},{pages.inline_json(text)});\n", encoding="ascii")
    return paths


def page(
    rows: Sequence[Row], tasks: Sequence[str], made: drill.Packed, inline: Mapping[str, str], sidecars: Mapping[str, str]
) -> str:
    """The whole page as text."""
    script = '"use strict";\n(() => {\n' + "\n".join(pages.template_text(name) for name in SCRIPTS) + "})();\n"
    style = pages.template_text("base.css") + pages.template_text("site.css")
    data = {
        "tasks": [{"name": name, "title": pages.task_title(name)} for name in tasks],
        "rows": [_row_data(index, row, tasks, made) for index, row in enumerate(rows)],
        "reasons": sorted(pages.REASON_WORDS.items()),
        "sidecars": sorted(sidecars.items()),
        "t": T_QUANTILES,
    }
    return pages.render(
        "site.html.jinja",
        page=_layout(rows, tasks),
        policy=pages.policy(script, sidecars=bool(sidecars)),
        style=style,
        script=script,
        data=pages.inline_json(data),
        chunks=list(inline.items()),
    )


# The 97.5 % quantiles of Student's t for 1 to 30 degrees of freedom (scipy.stats.t.ppf(0.975, df)).
T_QUANTILES = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
    2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
    2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
)  # fmt: skip


def _row_data(index: int, row: Row, tasks: Sequence[str], made: drill.Packed) -> dict[str, Any]:
    """What the script knows of a row: scores as [score, low, high, n], tasks with samples and their prompts."""
    cells = [task for task, name in enumerate(tasks) if (index, task) in made.variants]
    return {
        "key": row.key,
        "model": row.model,
        "kind": row.kind,
        "protocol": row.protocol,
        "source": row.source,
        "scores": [_numbers(row.scores.get(name)) for name in tasks],
        "average": _numbers(row.average),
        "cells": cells,
        "variants": [made.variants[index, task] for task in cells],
    }


def _numbers(score: Score | None) -> list[float | None] | None:
    if score is None:
        return None
    return [_rounded(score.score), _rounded(score.low), _rounded(score.high), score.n]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


COST = (
    {"key": "tokens", "head": "tokens", "title": "output tokens per sample, mean"},
    {"key": "unreadable", "head": "unread.", "title": "replies without a readable answer, percent"},
    {"key": "truncated", "head": "cut off", "title": "replies cut off at the token limit, percent"},
    {"key": "errors", "head": "failed", "title": "failed requests, percent; they count as wrong"},
)
SOURCE = ({"key": "date", "head": "date"}, {"key": "version", "head": "version"}, {"key": "config", "head": "config"})


def _layout(rows: Sequence[Row], tasks: Sequence[str]) -> dict[str, Any]:
    """Everything the template prints, worked out: it does no arithmetic."""
    footnotes: list[str] = []
    scale = _scale(rows)
    sizes = {name: _common_size(rows, name) for name in tasks}
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(row.group, []).append(_line(index, row, tasks, sizes, scale, footnotes))
    kinds = [row.kind for row in rows]
    return {
        "title": "Leaderboard",
        "lead": _lead(kinds),
        "tasks": [{"title": pages.task_title(name), "n": f"{sizes[name]:,}" if sizes[name] else ""} for name in tasks],
        "cost": COST,
        "source": SOURCE,
        "columns": 2 + len(tasks) + len(COST) + len(SOURCE),
        "groups": [
            {"title": title, "note": note, "rows": lines, "kind": lines[0]["kind"]}
            for (title, note), lines in groups.items()
        ],
        "explain": [
            "Scores are percent right, ± is half of the 95 % interval; ConvFinQA and FinQA intervals follow "
            "conversations and filing pages. The small line shows the interval on a scale from "
            f"{scale[0]:.0f} to 100. n is the number of questions; failed requests stay in it and count as wrong.",
            "Ranks are ranges within a block: rows that cannot be told apart share them. "
            "A benchmark that was not run is missing, never zero, and leaves the average empty.",
        ],
        "footnotes": footnotes,
    }


def _lead(kinds: Sequence[str]) -> str:
    count = kinds.count("measured")
    text = f"{count} {'row' if count == 1 else 'rows'} measured with finbench"
    if "reported" in kinds:
        text += f", {kinds.count('reported')} reported elsewhere and not measured here"
    return text + ". Choose a score to read its samples, a reference to see differences."


def _scale(rows: Sequence[Row]) -> tuple[float, float]:
    """The ends of the small interval lines: from ten points or more below the lowest interval to 100."""
    lows = [s.low if s.low is not None else s.score for row in rows for s in row.scores.values()]
    return max(0.0, min(lows, default=0) // 10 * 10), 100.0


def _common_size(rows: Sequence[Row], task: str) -> int | None:
    """The n of a task when all measured rows share it."""
    sizes = {row.scores[task].n for row in rows if row.kind == "measured" and task in row.scores}
    return sizes.pop() if len(sizes) == 1 else None


def _line(
    index: int,
    row: Row,
    tasks: Sequence[str],
    sizes: Mapping[str, int | None],
    scale: tuple[float, float],
    footnotes: list[str],
) -> dict[str, Any]:
    cells = [_cell(row.average, scale, None, None, False)]
    for number, name in enumerate(tasks):
        has_samples = name in (row.sources or {})
        cells.append(_cell(row.scores.get(name), scale, sizes[name], number, has_samples))
    marks = []
    for flag in row.flags:
        if flag not in footnotes:
            footnotes.append(flag)
        marks.append(_letter(footnotes.index(flag)))
    return {
        "index": index,
        "kind": row.kind,
        "model": row.model,
        "protocol": row.protocol,
        "rank": row.rank,
        "rank_title": row.rank_title,
        "sub": row.sub,
        "marks": marks,
        "samples": bool(row.sources),
        "cells": cells,
        "cost": [{"value": value, "text": text} for value, text in row.cost],
        "source": row.provenance,
    }


def _letter(index: int) -> str:
    """A footnote mark: a to z, then aa.

    >>> _letter(0), _letter(26)
    ('a', 'aa')
    """
    return (_letter(index // 26 - 1) if index >= 26 else "") + chr(ord("a") + index % 26)


def _cell(
    score: Score | None, scale: tuple[float, float], size: int | None, task: int | None, samples: bool
) -> dict[str, Any] | None:
    if score is None:
        return None
    low, high = scale
    half, width = score.half, 0.0
    words = [f"{score.score:.1f}"]
    left = place = (min(max(score.score, low), high) - low) / (high - low) * 100
    if score.low is not None and score.high is not None:
        left = (max(score.low, low) - low) / (high - low) * 100
        width = (score.high - max(score.low, low)) / (high - low) * 100
        words.append(f"95 % interval {score.low:.1f} to {score.high:.1f}")
    if score.n:
        words.append(f"n {score.n:,}")
    if samples:
        words.append("open the samples")
    return {
        "value": round(score.score, 4),
        "score": f"{score.score:.1f}",
        "half": "" if half is None else f"±{half:.1f}",
        "left": f"{left:.1f}",
        "width": f"{width:.1f}" if width else None,
        "middle": f"{place:.1f}",
        "n": f"{score.n:,}" if score.n and score.n != size else "",
        "note": score.note,
        "task": task,
        "samples": samples,
        "title": ", ".join(words),
    }


def measured(run: Path) -> Row:
    """A run folder as a row of the table."""
    try:
        manifest = json.loads((run / "run.json").read_text(encoding="utf-8"))
        results = json.loads((run / "results.json").read_text(encoding="utf-8"))["finbench"]
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(f"{run}: no readable run.json and results.json ({error}); run `finbench score {run}`") from error
    entries = results["tasks"]
    scores = {name.removesuffix("_paper"): _score(entry) for name, entry in entries.items()}
    sources = {}
    for name, entry in entries.items():
        parts = tuple(run / f"samples_{slug(part)}.jsonl" for part in entry.get("subtasks") or [name])
        if all(path.exists() for path in parts):
            sources[name.removesuffix("_paper")] = drill.Source(parts, entry.get("verdict_by") == "judge")
    average = results.get("average")
    n = sum(entry["n"] for entry in entries.values())
    share = {
        key: 100 * sum(entry.get(key) or 0 for entry in entries.values()) / n if n else None
        for key in ("unreadable", "truncated", "errors")
    }
    tokens = [(entry["output_tokens_mean"], entry["n"]) for entry in entries.values() if entry.get("output_tokens_mean")]
    mean = sum(value * count for value, count in tokens) / sum(count for _, count in tokens) if tokens else None
    config = hashlib.sha256(json.dumps(manifest.get("settings"), sort_keys=True).encode()).hexdigest()[:8]
    return Row(
        key=hashlib.sha256(f"{manifest['run_id']} {run.name}".encode()).hexdigest()[:8],
        model=manifest["model"],
        kind="measured",
        protocol=manifest["protocol"],
        group=(f"{manifest['protocol']} protocol", "measured here"),
        scores=scores,
        average=_score(average | {"n": None}) if average else None,
        sub=pages.day(manifest.get("created")),
        source=run.name,
        cost=(
            (mean, pages.number(mean, 0)),
            *((value, pages.number(value, 1)) for value in share.values()),
        ),
        provenance=(pages.day(manifest.get("created")), str(manifest.get("versions", {}).get("finbench", "")), config),
        sources=sources,
    )


def _score(entry: Mapping[str, Any]) -> Score:
    return Score(entry["score"], entry["ci"][0], entry["ci"][1], entry.get("n"))
