"""Which figures a report has, and what stands in them; `plots` draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from finbench.pages import html, plots
from finbench.records import RIGHT_REASONS
from finbench.sanitize import slug
from finbench.scores.intervals import Estimate, estimate

if TYPE_CHECKING:
    from finbench.pages import report_data

FACET_VALUES = 24  # parts drawn per breakdown, the largest ones


def plots_of(
    entries: Mapping[str, Mapping[str, Any]], gathered: Mapping[str, report_data.Gathered], results: Mapping[str, Any]
) -> list[plots.Plot]:
    """The figures, in the order of the report; those without values are left out."""
    if not entries:
        return []
    titles = {name: html.task_title(name) for name in entries}
    points = [plots.PlotPoint(titles[name], e["score"], e["ci"][0], e["ci"][1], e["n"]) for name, e in entries.items()]
    average = results.get("average")
    if average:
        points.append(plots.PlotPoint("average", average["score"], *average["ci"]))
    wrong = {
        titles[name]: {reason: count for reason, count in entry["reasons"].items() if reason not in RIGHT_REASONS}
        for name, entry in entries.items()
    }
    sizes = {titles[name]: sum(entry["reasons"].values()) for name, entry in entries.items()}
    out = [plots.forest(points, _reported_points(results)), plots.reasons(wrong, sizes, html.short_reason)]
    both = [(titles[n], e["score"], e["lenient"]) for n, e in entries.items() if e.get("lenient") is not None]
    if both:
        out.append(plots.strictness(both))
    counted = {titles[n]: (one.tokens, entries[n]["truncated"]) for n, one in gathered.items() if one.tokens}
    if counted:
        out.append(plots.tokens(counted))
    bins = {titles[n]: made for n, one in gathered.items() if (made := _bins(one.lengths))}
    if bins:
        out.append(plots.by_length(bins))
    return out + breakdowns(entries, gathered)


def _reported_points(results: Mapping[str, Any]) -> dict[str, list[plots.PlotPoint]]:
    """Published scores by the label of the line that they stand on in the forest plot."""
    out: dict[str, list[plots.PlotPoint]] = {}
    for row in results.get("reported") or []:
        for name, cell in [*row["cells"].items(), ("average", row["average"])]:
            if cell:
                out.setdefault(html.task_title(name), []).append(plots.PlotPoint(row["model"], cell["score"]))
    return out


def _bins(lengths: Sequence[tuple[int, bool, str]], count: int = 5) -> list[tuple[int, int, plots.PlotPoint]]:
    """Equally filled bins of output tokens with their accuracy; empty when all replies are of one length.

    >>> four = [(1, True, ""), (2, False, ""), (3, True, ""), (4, True, "")]
    >>> [(low, high, point.score) for low, high, point in _bins(four, 2)]
    [(1, 2, 50.0), (3, 4, 100.0)]
    """
    ordered = sorted(lengths)
    starts = sorted({ordered[len(ordered) * part // count][0] for part in range(count)}) if ordered else []
    if len(starts) < 2:
        return []
    out = []
    for low, after in zip(starts, [*starts[1:], ordered[-1][0] + 1], strict=True):
        inside = [one for one in ordered if low <= one[0] < after]
        found = estimate([right for _, right, _ in inside], [cluster for _, _, cluster in inside])
        out.append((low, inside[-1][0], _point("", found)))
    return out


def _point(label: str, found: Estimate) -> plots.PlotPoint:
    return plots.PlotPoint(label, 100 * found.mean, 100 * found.low, 100 * found.high, found.n)


FACET_TITLES = {
    "question_type": "type of question",
    "steps": "number of program steps",
    "turn": "turn of the conversation",
    "category": "category",
}


def breakdowns(entries: Mapping[str, Any], gathered: Mapping[str, report_data.Gathered]) -> list[plots.Plot]:
    """A figure per task and facet with more than one value; sub-tasks of a group are one more facet."""
    out = []
    for name, one in gathered.items():
        parts: dict[str, list[plots.PlotPoint]] = {}
        subtasks = entries[name].get("subtasks") or {}
        for facet, values in sorted(one.facets.items()):
            if 1 < len(values) <= 60 and not (facet == "subtask" and subtasks):
                parts[FACET_TITLES.get(facet, html.readable(facet))] = [
                    _point(value, scores.estimate()) for value, scores in sorted(values.items(), key=_natural)
                ]
        if len(subtasks) > 1:
            parts["sub-task"] = [
                plots.PlotPoint(part, e["score"], e["ci"][0], e["ci"][1], e["n"])
                for part, e in sorted(subtasks.items())
            ]
        for words, points in parts.items():
            title = f"{html.task_title(name)} by {words}"
            shown = points if len(points) <= FACET_VALUES else sorted(points, key=lambda p: -(p.n or 0))[:FACET_VALUES]
            out.append(plots.breakdown(slug(f"{name} by {words}"), title, shown))
    return out


def _natural(item: tuple[str, Any]) -> tuple[bool, int, str]:
    """Numbers by size, before words."""
    return not item[0].isdecimal(), int(item[0]) if item[0].isdecimal() else 0, item[0]
