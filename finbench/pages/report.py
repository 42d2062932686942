"""The report of one run, `report.html` and `report.md`: scores against reported rows, why answers fail, what it took.

Everything is read from the run folder (run.json, results.json, samples_*.jsonl); writing it again gives the same bytes.
`comparison_html` draws the comparison of two runs on the same paper.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finbench.audit.reply import METRICS
from finbench.errors import DataError, run_files, writing
from finbench.pages import audit_marks, charts, html, plots, report_data
from finbench.pages.comparison import unsure_words
from finbench.records import RIGHT_REASONS, UNREADABLE_REASONS
from finbench.sanitize import slug
from finbench.scores import averages, resampled
from finbench.scores.intervals import Estimate
from finbench.scores.samples import read_results
from finbench.scores.tally import judge_gaps

if TYPE_CHECKING:
    from finbench.scores.compare import Comparison


def write(run_dir: Path, *, plots_dir: Path | None = None) -> list[Path]:
    """Write report.html and report.md into the run folder; with `plots_dir` the figures as SVG files too.

    The paths that were written. Raises StoreError when the folder has no readable results.
    """
    report = gather(run_dir)
    with run_files(run_dir), writing(run_dir):
        return _written(run_dir, report, plots_dir)


def _written(run_dir: Path, report: Mapping[str, Any], plots_dir: Path | None) -> list[Path]:
    style = "".join(map(html.template_text, ("base.css", "report.css", "marks.css")))
    figures = {plot.name: plots.inline(plot) for plot in report["plots"]}
    words = {"legend": audit_marks.LEGEND, "verdicts": audit_marks.VERDICTS, "signs": audit_marks.SIGNS}
    text = html.render("report.html.jinja", report=report, figures=figures, style=style, policy=html.policy(), **words)
    written = [run_dir / "report.html", run_dir / "report.md"]
    written[0].write_text(text, encoding="utf-8", newline="\n")
    written[1].write_text(html.render("report.md.jinja", report=report), encoding="utf-8", newline="\n")
    if plots_dir is not None:
        plots_dir.mkdir(parents=True, exist_ok=True)
        for plot in report["plots"]:
            path = plots_dir / f"{plot.name}.svg"
            path.write_text(plot.svg, encoding="utf-8", newline="\n")
            written.append(path)
    return written


def gather(run_dir: Path) -> dict[str, Any]:
    """Everything the templates print, worked out: they do no arithmetic. StoreError when the files are no run's."""
    with run_files(run_dir):
        return _gather(run_dir)


def _gather(run_dir: Path) -> dict[str, Any]:
    manifest, results = read_results(run_dir)
    sample_data = bool(results.get("sampled")) or results.get("data") == "sample"
    if sample_data:  # scores on written rows say nothing beside published ones
        results["reported"] = []
    entries = results["tasks"]
    costly: list[dict[str, Any]] = []
    gathered = {name: report_data.gather(run_dir, name, entry, costly) for name, entry in entries.items()}
    tasks = [_task(name, entry) for name, entry in entries.items()]
    report = {
        "model": manifest["model"],
        "protocol": manifest["protocol"],
        "status": manifest.get("status", ""),
        "date": html.day(manifest.get("created")),
        "sample_data": sample_data,
        "average": _average(results.get("average")),
        "comparable": _average(results.get("comparable_average")),
        "tasks": tasks,
        "summary": [*map(str, results.get("notes") or ()), *_sentences(entries)],
        "reported": _reported(results),
        "resampled": _resampled(run_dir, entries),
        "audit": _audit(gathered),
        "plots": charts.plots_of(entries, gathered, results),
        "breakdowns": [plot.name for plot in charts.breakdowns(entries, gathered)],
        "examples": _examples(gathered, entries),
        "unsure": [
            {"task": html.task_title(name), "samples": one.unsure} for name, one in gathered.items() if one.unsure
        ],
        "judged": _judged(entries, gathered),
        "errors": [
            {"task": html.task_title(name), "text": text, "count": count}
            for name, one in gathered.items()
            for text, count in sorted(one.errors.items(), key=lambda item: (-item[1], item[0]))[:5]
        ],
        "slowest": report_data.slowest(costly),
        "longest": report_data.longest(costly),
        "provenance": provenance(manifest),
        "command": command(manifest.get("command") or ()),
    }
    _anchor(report)
    return report


def _anchor(report: Mapping[str, Any]) -> None:
    """Name the samples that are drawn with marks, for the links inside them."""
    parts = [*report["examples"], *(report["audit"]["notable"] if report["audit"] else ())]
    samples = (sample for part in parts for group in part["groups"] for sample in group["samples"])
    for number, sample in enumerate(samples, 1):
        sample["anchor"] = f"m{number}"


def _task(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """One line of the summary table."""
    replies = entry.get("replies") or sum(entry["reasons"].values()) or entry["n"]
    unreadable = sum(
        count for reason, count in entry["reasons"].items() if reason in UNREADABLE_REASONS and reason != "error"
    )
    share = {"unreadable": unreadable, "truncated": entry["truncated"], "errors": entry["errors"]}
    return {
        "name": name,
        "title": html.task_title(name),
        "n": f"{entry['n']:,}",
        "score": f"{entry['score']:.1f}",
        "half": f"±{_half(entry['ci']):.1f}",
        "interval": f"{entry['ci'][0]:.1f} to {entry['ci'][1]:.1f}",
        "lenient": html.number(entry.get("lenient") if entry.get("verdict_by", "grader") == "grader" else None),
        "by": entry.get("verdict_by", "grader"),
        **_doubt(entry),
        "design_effect": f"{entry['design_effect']:.2f}",
        "tokens": html.number(entry.get("output_tokens_mean"), 0),
        "metrics": _metrics(entry["metrics"]),
        "subtasks": [_task(part, one) for part, one in (entry.get("subtasks") or {}).items()],
        **{key: f"{100 * count / replies:.1f}" for key, count in share.items()},
    }


def _doubt(entry: Mapping[str, Any]) -> dict[str, str]:
    """The share of unsure verdicts and the score from all of them wrong to all of them right; a dash where unknown."""
    if entry.get("unsure") is None:
        return {"unsure": "–", "range": ""}
    low, high = entry["range"]
    return {"unsure": f"{entry['unsure']:.1f} %", "range": f"{low:.1f} to {high:.1f}"}


def _metrics(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The further numbers of a task, each with its interval; the grader's two have columns."""
    out = []
    for key, value in found.items():
        if key in ("acc", "lenient") or (key.endswith("_ci") and key.removesuffix("_ci") in found):
            continue
        interval = found.get(f"{key}_ci")
        words = f" ({interval[0]:.4g} to {interval[1]:.4g})" if interval else ""
        out.append((html.readable(key), _plain(value) + words))
    return out


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {count}" for key, count in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _half(interval: Sequence[float]) -> float:
    return (interval[1] - interval[0]) / 2


def _resampled(run_dir: Path, names: Iterable[str]) -> list[dict[str, Any]]:
    """Every benchmark that was asked with its published numbers and with new ones: both scores and the drop, paired."""
    out = []
    for name in names:
        original, variants = (run_dir / f"samples_{slug(part)}.jsonl" for part in (name, f"{name}_resampled"))
        if not (original.is_file() and variants.is_file()):
            continue
        try:
            found = resampled.pairs(original, variants)
        except DataError:
            continue  # with --limit, the two may share no question
        drop = found.drop
        change = {"score": _points(drop.mean), "interval": f"{_points(drop.low)} to {_points(drop.high)}"}
        out.append(
            {
                "title": html.task_title(name),
                "n": f"{found.n:,}",
                "rows": [
                    ("published numbers", _share(found.original)),
                    ("new numbers", _share(found.resampled)),
                    ("drop", change),
                ],
                "sentence": f"{found.only_original:,} are right with the published numbers only, {found.only_resampled:,} "
                f"with the new ones only. The interval of the drop {memory_words(drop.low, drop.high)}.",
            }
        )
    return out


def memory_words(low: float, high: float) -> str:
    """What the interval of a drop says of memory; its mean says nothing by itself.

    >>> memory_words(-0.01, 0.09)
    'holds 0: no evidence of memory'
    """
    if low > 0:
        return "lies above 0: a sign of memory"
    return "lies below 0: the new numbers were easier" if high < 0 else "holds 0: no evidence of memory"


def _points(share: float) -> str:
    return html.signed(100 * share).lstrip("+")


def _average(average: Mapping[str, Any] | None) -> dict[str, str] | None:
    if not average:
        return None
    interval = f"{average['ci'][0]:.1f} to {average['ci'][1]:.1f}"
    found = {"score": f"{average['score']:.1f}", "half": f"±{_half(average['ci']):.1f}", "interval": interval}
    found |= _doubt(average)
    if average.get("left_out"):
        titles = ", ".join(html.task_title(name) for name in average["tasks"])
        found |= {"name": averages.mean_name(average), "tasks": titles, "why": averages.in_words(average)}
    return found


def _sentences(entries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What stands out, in words, one sentence per finding with the benchmarks it is true of."""
    failed, unjudged, cut, form, common = [], [], [], [], []
    for name, entry in entries.items():
        title, n = html.task_title(name), max(1, sum(entry["reasons"].values()))
        if entry["errors"]:
            failed.append(f"{title} {entry['errors']:,} of {n:,}")
        if lost := judge_gaps(entry):
            unjudged.append(f"{title} {lost}")
        if entry["truncated"] / n >= 0.01:
            cut.append(f"{title} {100 * entry['truncated'] / n:.1f} %")
        lenient = entry.get("lenient")
        if lenient is not None and lenient - entry["score"] >= FORM and entry.get("verdict_by", "grader") == "grader":
            form.append(f"{title} {lenient - entry['score']:.1f}")
        wrong = {reason: count for reason, count in entry["reasons"].items() if reason not in RIGHT_REASONS}
        reason = max(wrong, key=lambda key: (wrong[key], key), default="")
        if reason and reason != "different" and wrong[reason] / n >= 0.03:
            common.append(f"{title} {html.reason_words(reason)} ({100 * wrong[reason] / n:.0f} %)")
    findings = (
        ("Failed requests, counted as wrong (run again to ask them once more): ", failed),
        ("Judge requests that failed or were never sent (run again to ask them): ", unjudged),
        ("Replies cut off at the token limit (a larger --max-tokens may help): ", cut),
        ("Points lost to form alone, that is scale, sign by wording or conflicting golds: ", form),
        ("Most frequent failure: ", common),
    )
    return [words + ", ".join(found) + "." for words, found in findings if found]


FORM = 2.0  # points between strict and lenient from which the report mentions form


def _reported(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """The table beside reported rows: this run first, then the same model's published rows, then others by average."""
    rows, entries = results.get("reported") or [], results["tasks"]
    if not rows:
        return None
    names = list(entries)
    average, part = results.get("average"), results.get("comparable_average")
    key = "comparable_average" if part and not average else "average"
    average = results.get(key)
    own = [{"text": f"{entries[name]['score']:.1f}", "note": f"±{_half(entries[name]['ci']):.1f}"} for name in names]
    own.append({"text": f"{average['score']:.1f}", "note": f"±{_half(average['ci']):.1f}"} if average else EMPTY)
    notes: list[str] = []
    lines = [{"kind": "own", "label": "this run", "marks": [], "cells": own}]
    ordered = sorted(rows, key=lambda row: (not row["same_model"], -_mean(row), row["model"], row["protocol"]))
    for row in ordered:
        note = f"{row['title']}: {row['source']}. {row['note']}".strip()
        if note not in notes:
            notes.append(note)
        lines.append(
            {
                "kind": "reported",
                "label": row["model"] if row["params"] in row["model"] else f"{row['model']} {row['params']}",
                "marks": [chr(ord("a") + notes.index(note) % 26)],
                "cells": [_beside(row["cells"].get(name)) for name in names] + [_beside(row.get(key))],
            }
        )
    verdicts = [
        f"{html.task_title(name)}, {row['title']} ({cell['printed']}): {cell['sentence']}"
        for row in ordered
        if row["same_model"]
        for name, cell in [*row["cells"].items(), (averages.mean_name(average), row.get(key))]
        if cell
    ]
    return {
        "note": "Reported, not measured here: prompts, decoding and grading differ, so a difference is a question "
        "before it is a finding. Small figures are this run minus the reported score, "
        "▲ and ▼ where the difference is clear.",
        "head": [*(html.task_title(name) for name in names), averages.mean_name(average)],
        "rows": lines,
        "verdicts": verdicts,
        "notes": notes,
    }


EMPTY = {"text": "–", "note": ""}
MARKS = {"better": "▲ ", "worse": "▼ ", "differs": "≠ "}


def _mean(row: Mapping[str, Any]) -> float:
    return float(row["average"]["score"]) if row["average"] else -1.0


def _beside(cell: Mapping[str, Any] | None) -> dict[str, str]:
    """A reported score as printed, with our difference; a printed average that is not its columns' mean says so."""
    if not cell:
        return EMPTY
    text = cell["printed"]
    if cell["recomputed"] is not None and abs(cell["recomputed"] - cell["score"]) >= 0.051:
        text += f" ({cell['recomputed']:.1f} recomputed)"
    return {"text": text, "note": MARKS.get(cell["verdict"], "") + html.signed(cell["delta"])}


def _examples(gathered: Mapping[str, report_data.Gathered], entries: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Wrong samples by task and reason, the most frequent reason first."""
    out = []
    for name, one in gathered.items():
        tally = entries[name]["reasons"]
        reasons = sorted(one.examples, key=lambda reason: (-tally.get(reason, 0), reason))
        if reasons:
            groups = [{"reason": r, "count": f"{tally.get(r, 0):,}", "samples": one.examples[r]} for r in reasons]
            out.append({"task": html.task_title(name), "groups": groups})
    return out


def _audit(gathered: Mapping[str, report_data.Gathered]) -> dict[str, Any] | None:
    """What the reasoning audit found: a line per task with intervals, and the samples worth a look; None without any."""
    audited = {name: one for name, one in gathered.items() if one.audit}
    if not audited:
        return None
    rows = [
        (
            html.task_title(name),
            [_share(one.audit[metric].estimate()) if metric in one.audit else None for metric in METRICS],
        )
        for name, one in audited.items()
    ]
    notable = [
        {"task": html.task_title(name), "groups": groups}
        for name, one in audited.items()
        if (groups := [{"words": w, "samples": one.notable[w]} for w in report_data.NOTABLE if one.notable.get(w)])
    ]
    return {"head": list(METRICS.values()), "rows": rows, "notable": notable}


def _share(found: Estimate) -> dict[str, str]:
    interval = f"{100 * found.low:.1f} to {100 * found.high:.1f}"
    return {"score": f"{100 * found.mean:.1f}", "interval": interval, "n": f"{found.n:,}"}


def _judged(entries: Mapping[str, Any], gathered: Mapping[str, report_data.Gathered]) -> list[dict[str, Any]]:
    """Where a judge was asked: its 2x2 table with the grader, kappa, and samples on which they differ."""
    return [
        {"task": html.task_title(name), "failed": 0, **entry["judge"], "disputed": gathered[name].disputed}
        for name, entry in entries.items()
        if entry.get("judge")
    ]


def provenance(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What somebody needs to repeat the run, as (name, value) lines."""
    versions = manifest.get("versions") or {}
    tokens = manifest.get("tokens") or {}
    lines = [
        ("run", manifest.get("run_id")),
        ("model", manifest.get("model")),
        ("model revision", manifest.get("model_revision")),
        ("engine", manifest.get("engine")),
        ("protocol", manifest.get("protocol")),
        ("judge", manifest.get("judge")),
        ("status", manifest.get("status")),
        ("started", manifest.get("created")),
        ("finished", manifest.get("finished")),
        ("versions", ", ".join(f"{name} {value}" for name, value in versions.items())),
        ("finbench commit", manifest.get("git_commit")),
        ("hardware", _flat(manifest.get("hardware"))),
        ("engine details", _flat(manifest.get("engine_details"))),
        ("settings", _flat(manifest.get("settings"))),
        ("timings", _flat(manifest.get("timings"))),
        ("tokens", ", ".join(f"{name} {count:,}" for name, count in tokens.items() if isinstance(count, int))),
    ]
    for name, task in (manifest.get("tasks") or {}).items():
        lines.append((f"task {name}", _flat(task)))
    return [(name, str(value)) for name, value in lines if value not in (None, "")]


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_flat(one)}" for key, one in value.items() if one not in (None, "", [], {}))
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flat, value)) + "]"
    return "" if value is None else str(value)


def command(words: Sequence[str]) -> str:
    """The command line to type, quoted for a shell.

    >>> command(["finbench", "run", "--model", "a b"])
    "finbench run --model 'a b'"
    """
    return shlex.join(str(word) for word in words)


def comparison_html(comparison: Comparison) -> str:
    """The comparison of runs (compare.compare) as one HTML page."""
    style = html.template_text("base.css") + html.template_text("report.css")
    values = {"comparison": comparison, "style": style, "policy": html.policy(), "unsure_words": unsure_words}
    return html.render("comparison.html.jinja", **values)
