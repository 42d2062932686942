"""Figures of a report: plain values in, SVG text out, the same values giving the same text.

matplotlib is imported when the first figure is drawn. `inline` prepares a figure for a page: its ink follows the
page's light or dark colours, it carries a title and a description, and it is as wide as the page allows.
"""

from __future__ import annotations

import io
import re
import textwrap
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from finbench.sanitize import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours for the eyes of everybody, and four inks that a page replaces by its own.
BLUE, ORANGE, GREEN, VERMILLION, SKY, PURPLE = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7"
INK, MUTED, LINE, PAPER = "#1b1f24", "#59626c", "#dfe2e5", "#fdfdfc"
THEMED = {INK: "currentColor", MUTED: "var(--muted)", LINE: "var(--line)", PAPER: "var(--paper)", BLUE: "var(--dot)"}
WIDTH, HALF_WIDTH = 8.6, 5.2  # inches of a figure across the page, and of one of a pair; 72 user units each
SERIES = (VERMILLION, ORANGE, PURPLE, GREEN, SKY, "#8c6d31", "#7f7f7f", "#b7bdc3")


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure with the words and numbers that belong beside it. `name` is its file name without the ending."""

    name: str
    title: str
    description: str
    svg: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class PlotPoint:
    """A score from 0 to 100 with its 95 % interval; `low` and `high` are None where none is known."""

    label: str
    score: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


def forest(points: Sequence[PlotPoint], reported: Mapping[str, Sequence[PlotPoint]], name: str = "scores") -> Plot:
    """Scores with intervals, a line each; `reported` holds published scores by the label of the line they belong to."""

    def draw(axes: Axes) -> None:
        for place, point in enumerate(points):
            for other in reported.get(point.label, ()):
                axes.plot(other.score, place, "o", mfc=PAPER, mec=MUTED, mew=0.9, ms=5, zorder=2)
            _band(axes, [point.low, point.high], [place, place])
            axes.plot(point.score, place, "o", color=BLUE, ms=6.5, zorder=3)
        _lines(axes, [point.label for point in points])
        _percent(axes)
        marks = [axes.plot([], [], "o-", color=BLUE, ms=6, lw=3, label="this run, with its 95 % interval")[0]]
        if any(reported.values()):
            marks.append(axes.plot([], [], "o", mfc=PAPER, mec=MUTED, ms=5, label="reported, not measured here")[0])
        axes.legend(handles=marks, loc="upper left", bbox_to_anchor=(0, -0.12 - 0.35 / len(points)), ncol=2)

    rows = [
        (
            p.label,
            _n(p.n),
            f"{p.score:.1f}",
            _interval(p),
            ", ".join(f"{o.score:.1f}" for o in reported.get(p.label, ())),
        )
        for p in points
    ]
    return Plot(
        name,
        "Scores with their intervals",
        "A dot and a bar for the score of each benchmark with its 95 % interval; hollow circles are reported scores.",
        _svg(name, draw, 0.42 * len(points) + 1.0),
        ("benchmark", "n", "score", "95 % interval", "reported"),
        tuple(rows),
    )


def reasons(tallies: Mapping[str, Mapping[str, int]], sizes: Mapping[str, int], words: Callable[[str], str]) -> Plot:
    """Why answers were not right, in percent of a task's samples: a stacked bar per task, the largest reasons named."""
    totals: dict[str, float] = {}
    for task, tally in tallies.items():
        for reason, count in tally.items():
            totals[reason] = totals.get(reason, 0) + count / max(1, sizes[task])
    ranked = sorted(totals, key=lambda reason: (-totals[reason], reason))
    named, rest = ranked[: len(SERIES) - 1], ranked[len(SERIES) - 1 :]
    series = [(words(reason), [reason]) for reason in named] + ([("other", rest)] if rest else [])
    tasks = list(tallies)
    shares = [[100 * sum(tallies[t].get(r, 0) for r in group) / max(1, sizes[t]) for t in tasks] for _, group in series]

    def draw(axes: Axes) -> None:
        left = [0.0] * len(tasks)
        for (label, _), values, colour in zip(series, shares, SERIES, strict=False):
            axes.barh(range(len(tasks)), values, left=left, height=0.56, color=colour, label=label, ec=PAPER, lw=0.8)
            left = [start + value for start, value in zip(left, values, strict=True)]
        _lines(axes, tasks)
        axes.set_xlim(0, max([*left, 1]) * 1.04)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} %")
        if series:
            axes.legend(loc="upper left", bbox_to_anchor=(0, -0.12 - 0.35 / len(tasks)), ncol=4)

    return Plot(
        "reasons",
        "Why answers were not right",
        "One bar per benchmark: the share of samples that are not right, divided by the grader's reason.",
        _svg("reasons", draw, 0.5 * len(tasks) + 1.3),
        ("reason", *tasks),
        tuple((words(r), *(f"{tallies[t].get(r, 0):,}" for t in tasks)) for r in ranked),
    )


def strictness(rows: Sequence[tuple[str, float, float]]) -> Plot:
    """Strict and lenient score per task, joined by a line whose length is what form alone costs."""

    def draw(axes: Axes) -> None:
        for place, (_, strict, lenient) in enumerate(rows):
            axes.plot([strict, lenient], [place, place], color=MUTED, lw=1.2, zorder=1)
            axes.plot(lenient, place, "D", mfc=PAPER, mec=ORANGE, mew=1.6, ms=6, zorder=2)
            axes.plot(strict, place, "o", color=BLUE, ms=6.5, zorder=3)
        _lines(axes, [label for label, _, _ in rows])
        _percent(axes)
        marks = [
            axes.plot([], [], "o", color=BLUE, ms=6, label="strict")[0],
            axes.plot([], [], "D", mfc=PAPER, mec=ORANGE, mew=1.6, ms=6, label="lenient")[0],
        ]
        axes.legend(handles=marks, loc="upper left", bbox_to_anchor=(0, -0.12 - 0.35 / len(rows)), ncol=2)

    table = tuple(
        (label, f"{strict:.1f}", f"{lenient:.1f}", f"{lenient - strict:.1f}") for label, strict, lenient in rows
    )
    return Plot(
        "strictness",
        "Strict against lenient",
        "The strict score (dot) and the lenient one (diamond), which forgives scale and conflicting golds.",
        _svg("strictness", draw, 0.42 * len(rows) + 1.0),
        ("benchmark", "strict", "lenient", "difference"),
        table,
    )


def tokens(counts: Mapping[str, tuple[Sequence[int], int]]) -> Plot:
    """How long the replies are: per task a histogram of output tokens; the second number says how many were cut off."""
    top = max((max(values) for values, _ in counts.values() if values), default=1)
    edges = _edges(top)
    panels = {
        task: ([sum(low <= v < high for v in values) for low, high in pairwise(edges)], cut)
        for task, (values, cut) in counts.items()
    }

    def draw(axes: Axes, task: str) -> None:
        bars, cut = panels[task]
        axes.bar(range(len(bars)), bars, width=0.92, color=BLUE)
        ticks = range(0, len(edges), max(1, len(edges) // 4))
        axes.set_xticks([tick - 0.5 for tick in ticks], [f"{edges[tick]:,}" for tick in ticks])
        axes.set_title(f"{_short(task, 24)}" + (f"\n{cut:,} cut off" if cut else "\nnone cut off"), **TITLE)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)

    rows = []
    for task, (values, cut) in counts.items():
        ordered = sorted(values)
        marks = [
            f"{ordered[min(len(ordered) - 1, int(q * len(ordered)))]:,}" if ordered else "–" for q in (0.5, 0.9, 0.99)
        ]
        rows.append((task, f"{len(ordered):,}", *marks, f"{ordered[-1]:,}" if ordered else "–", f"{cut:,}"))
    return Plot(
        "tokens",
        "Length of the replies",
        "One histogram of output tokens per benchmark, and how many replies were cut off at the token limit.",
        _panels("tokens", draw, list(counts)),
        ("benchmark", "replies", "median", "90 %", "99 %", "longest", "cut off"),
        tuple(rows),
    )


def by_length(series: Mapping[str, Sequence[tuple[int, int, PlotPoint]]]) -> Plot:
    """Accuracy by how long the model wrote: per task the bins (from, to, point) of output tokens."""

    def draw(axes: Axes, task: str) -> None:
        bins = series[task]
        for place, (_, _, point) in enumerate(bins):
            _band(axes, [place, place], [point.low, point.high])
        axes.plot(range(len(bins)), [point.score for _, _, point in bins], "o-", color=BLUE, ms=4.5, lw=1)
        axes.set_xticks(range(len(bins)), [f"{high:,}" for _, high, _ in bins], fontsize=7.5)
        axes.set_ylim(0, 100)
        axes.set_yticks([0, 50, 100])
        axes.set_xlim(-0.5, len(bins) - 0.5)
        axes.grid(axis="y")
        axes.set_title(_short(task, 24), **TITLE)

    return Plot(
        "length",
        "Accuracy by length of the reply",
        "Per benchmark the score, with its interval, in five equally filled bins of output tokens, reasoning included.",
        _panels("length", draw, list(series)),
        ("benchmark", "output tokens", "n", "score", "95 % interval"),
        tuple(
            (task, f"{low:,} to {high:,}", _n(point.n), f"{point.score:.1f}", _interval(point))
            for task, bins in series.items()
            for low, high, point in bins
        ),
    )


def breakdown(name: str, title: str, points: Sequence[PlotPoint]) -> Plot:
    """Accuracy of the parts of one task (question types, program steps, turns, categories)."""

    def draw(axes: Axes) -> None:
        for place, point in enumerate(points):
            _band(axes, [point.low, point.high], [place, place])
            axes.plot(point.score, place, "o", color=BLUE, ms=6)
        _lines(axes, [f"{_short(point.label, 30)}  ({_n(point.n)})" for point in points])
        axes.set_xlim(-1, 101)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} %")

    return Plot(
        name,
        title,
        "Score and 95 % interval of each part; the number of samples stands in brackets.",
        _svg(name, draw, 0.27 * len(points) + 0.5, HALF_WIDTH),
        ("part", "n", "score", "95 % interval"),
        tuple((p.label, _n(p.n), f"{p.score:.1f}", _interval(p)) for p in points),
    )


def inline(plot: Plot) -> str:
    """The figure as an element of an HTML page, in the page's colours, labelled for those who do not see it."""
    svg = plot.svg[plot.svg.index("<svg") :]
    for colour, themed in THEMED.items():
        svg = svg.replace(colour, themed)
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert size is not None
    words = f"<title>{escape(plot.title)}</title><desc>{escape(plot.description)}</desc>"
    limit = f"max-width:{float(size[1]) * 1.6:.0f}px;min-width:{float(size[1]) * 0.9:.0f}px"
    label = f'role="img" aria-label="{escape(plot.title)}"'
    head = f'<svg class="plot" style="{limit}" viewBox="0 0 {size[1]} {size[2]}" {label}>{words}'
    return head + re.sub(r'<g id="[^"]*"', "<g", svg[svg.index(">") + 1 :])


TITLE: dict[str, Any] = {"loc": "left", "fontsize": 9, "color": INK}
STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # names are foreign text: a dollar sign is a dollar sign
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelcolor": MUTED,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.7,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 1.4,
    "legend.columnspacing": 1.6,
    "legend.borderaxespad": 0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


def _svg(name: str, draw: Callable[[Axes], None], height: float, width: float = WIDTH) -> str:
    return _figure(name, (width, height), lambda figure: draw(figure.subplots()))


def _panels(name: str, draw: Callable[[Axes, str], None], tasks: Sequence[str]) -> str:
    """Small multiples, at most five beside each other."""
    across = max(1, min(5, len(tasks)))
    down = max(1, -(-len(tasks) // across))

    def fill(figure: Figure) -> None:
        grid = figure.subplots(down, across, squeeze=False)
        for place, axes in enumerate(grid.flat):
            if place < len(tasks):
                draw(axes, tasks[place])
            else:
                axes.set_visible(False)

    return _figure(name, (WIDTH, 1.75 * down), fill)


def _figure(name: str, size: tuple[float, float], fill: Callable[[Figure], None]) -> str:
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**STYLE, "svg.hashsalt": f"finbench {name}"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the reader's browser has the glyphs
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        fill(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return re.sub(r"\s*<metadata>.*?</metadata>", "", out.getvalue(), flags=re.DOTALL)


def _band(axes: Axes, x: Sequence[float | None], y: Sequence[float | None]) -> None:
    """An interval, where it is known."""
    known_x, known_y = ([value for value in ends if value is not None] for ends in (x, y))
    if len(known_x) == len(known_y) == 2:
        axes.plot(known_x, known_y, color=BLUE, lw=3, alpha=0.45, solid_capstyle="round")


def _lines(axes: Axes, labels: Sequence[str]) -> None:
    """One named line each, from the top down."""
    axes.set_yticks(range(len(labels)), [_short(label, 44) for label in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def _percent(axes: Axes) -> None:
    low, high = axes.get_xlim()
    axes.set_xlim(max(-1.0, low // 10 * 10), min(101.0, -(-high // 10) * 10))
    axes.locator_params(axis="x", integer=True, steps=[1, 2, 5, 10])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} %")


def _edges(top: int) -> list[int]:
    """About 24 equal bins from 0 to a round number above `top`.

    >>> _edges(95)[:3], _edges(95)[-1]
    ([0, 5, 10], 100)
    """
    step = next(s for power in range(12) for s in (10**power, 2 * 10**power, 5 * 10**power) if s * 24 > top)
    return list(range(0, (top // step + 1) * step + 1, step))


def _short(text: str, size: int) -> str:
    """A label of one line; control characters are written out."""
    return textwrap.shorten(shown(text), size, placeholder="…") if " " in text else shown(text)[:size]


def _n(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _interval(point: PlotPoint) -> str:
    return "–" if point.low is None or point.high is None else f"{point.low:.1f} to {point.high:.1f}"
