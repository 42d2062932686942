"""The comparison of two runs or more in words and tables: for a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from finbench.pages.html import markdown_text, reason_words, task_title
from finbench.sanitize import shown
from finbench.scores.compare import Comparison, Flip, Gap, Pair, RunLabel, TaskComparison, UnsureFlips
from finbench.scores.published import BENCHMARKS

HEAD = ("task", "n", "first", "second", "difference", "95% interval", "better", "worse", "p", "p (Holm)", "verdict")
SETTINGS = 12  # settings that differ and are named


def to_text(comparison: Comparison, *, flips: int = 5) -> str:
    """For a terminal: plain characters, control bytes written out."""
    out = [f"first:  {_name(comparison.first)}"]
    for pair in comparison.pairs:
        rows = [HEAD, *_rows(pair)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
        out += [f"second: {_name(pair.second)}", ""]
        for row in rows:
            cells = [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)),
            ]
            out.append("  ".join([*cells, row[-1]]).rstrip())
        out += ["", *_remarks(pair)]
        for task in pair.tasks:
            out += _changes(task, flips)
        out.append("")
    return "\n".join(out).rstrip()


def to_markdown(comparison: Comparison, *, flips: int = 20) -> str:
    """For a page or a pull request: tables, then the remarks and the questions that changed."""
    out = [f"# Comparison with {markdown_text(_name(comparison.first))}", ""]
    for pair in comparison.pairs:
        out += [
            f"## {markdown_text(_name(pair.second))}",
            "",
            _line(HEAD),
            _line(["---", *["---:"] * (len(HEAD) - 2), "---"]),
        ]
        out += [_line([markdown_text(cell) for cell in row]) for row in _rows(pair)]
        out += ["", *(f"- {markdown_text(remark)}" for remark in _remarks(pair)), ""]
        for task in pair.tasks:
            listed = list(_listed(task, flips))
            if listed:
                head = ("question", "first answer", "second answer", "first", "second")
                out += [
                    f"### {markdown_text(task_title(task.task))}: changed answers",
                    "",
                    _line(head),
                    _line(["---"] * 5),
                ]
                out += [
                    _line([
                        markdown_text(_short(flip.question)), _answer(flip.first_answer), _answer(flip.second_answer),
                        _verdict(flip.first_reason, flip.first_certainty), _verdict(flip.second_reason, flip.second_certainty),
                    ])
                    for flip in listed
                ]  # fmt: skip
                out.append("")
    return "\n".join(out).rstrip() + "\n"


def _rows(pair: Pair) -> list[tuple[str, ...]]:
    rows = [_cells(task_title(task.task), task.gap) for task in pair.tasks]
    name = "average" if len(pair.average_of) == len(BENCHMARKS) else f"mean of {len(pair.average_of)}"
    return [*rows, _cells(name, pair.average)] if pair.average else rows


def _cells(name: str, gap: Gap | None) -> tuple[str, ...]:
    if gap is None:
        return (shown(name), "0", *[""] * (len(HEAD) - 3), "nothing to pair")
    return (
        shown(name),
        f"{gap.n:,}",
        f"{gap.first:.1f}",
        f"{gap.second:.1f}",
        f"{gap.difference:+.1f}",
        f"{gap.low:+.1f} to {gap.high:+.1f}",
        str(gap.wins),
        str(gap.losses),
        _p(gap.p),
        _p(gap.p_adjusted),
        gap.verdict,
    )


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _remarks(pair: Pair) -> list[str]:
    """What a reader must know beside the numbers."""
    out = [f"Settings that differ, first and second run: {_settings(pair)}."] if pair.settings else []
    for task in pair.tasks:
        title = shown(task_title(task.task))
        if task.gap and task.gap.verdict == "not distinguishable":
            out.append(
                f"{title}: {task.gap.n:,} questions find a true difference of {task.gap.detectable:.1f} points or more."
            )
        if not task.headline:
            rule = "reference score" if task.verdict_by == "reference" else task.verdict_by
            out.append(f"{title}: by the {rule} in both, which is not the score that both runs print.")
        if words := unsure_words(task.unsure):
            out.append(f"{title}: {words}.")
        if str(task.unaligned):
            out.append(f"{title}: {task.unaligned}.")
    for names, which in ((pair.only_first, "first"), (pair.only_second, "second")):
        if names:
            out.append(f"Only the {which} run has {', '.join(shown(task_title(name)) for name in names)}.")
    return out


def unsure_words(found: UnsureFlips | None) -> str:
    """How many changes hang on an unsure verdict; empty where none does or nothing is known.

    >>> unsure_words(UnsureFlips(40, 9, 2))
    'of 40 changed questions 9 hang on an unsure verdict in one run at least, 2 in both'
    """
    if not found or not found.either:
        return ""
    return (
        f"of {found.of:,} changed questions {found.either:,} {'hangs' if found.either == 1 else 'hang'} on an unsure "
        f"verdict in one run at least, {found.both:,} in both"
    )


def _settings(pair: Pair) -> str:
    """The settings that differ; those of single tasks beyond the first few are counted."""
    named = [f"{name} {first} and {second}" for name, first, second in pair.settings]
    more = f"; and {len(named) - SETTINGS:,} more" if len(named) > SETTINGS else ""
    return "; ".join(named[:SETTINGS]) + more


def _changes(task: TaskComparison, flips: int) -> list[str]:
    """The most frequent changes of reason, and some flips, for the terminal."""
    out = []
    if task.reasons:
        top = ", ".join(f"{a} -> {b} ({count})" for a, b, count in task.reasons[:4])
        out.append(shown(f"{task_title(task.task)}: reasons that changed: {top}"))
    for flip in _listed(task, flips):
        word = "better" if flip.better else "worse "
        answers = f"{_short(str(flip.first_answer), 30)} -> {_short(str(flip.second_answer), 30)}"
        out.append(
            shown(f"  {word} {_short(flip.id, 40)}: {answers} ({flip.second_reason}{_mark(flip.second_certainty)})")
        )
    return out


def _listed(task: TaskComparison, limit: int) -> Iterator[Flip]:
    """Questions that got worse first, since those ask for attention."""
    yield from sorted(task.flips, key=lambda flip: flip.better)[:limit]


def _name(side: RunLabel) -> str:
    return shown(f"{side.model}, protocol {side.protocol}, run {side.run_id}")


def _short(text: str, size: int = 80) -> str:
    text = shown(" ".join(text.split()))
    return text if len(text) <= size else text[: size - 3] + "..."


def _mark(certainty: str) -> str:
    return ", unsure" if certainty == "unsure" else ""


def _verdict(reason: str, certainty: str) -> str:
    return markdown_text(reason_words(reason)) + _mark(certainty)


def _answer(text: str | None) -> str:
    return "(none)" if text is None else markdown_text(_short(text, 40))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
