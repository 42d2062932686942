"""What a terminal shows: the plan, the progress, the final table. Text from models and files is neutralised."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from finbench.records import RIGHT_REASONS, UNREADABLE_REASONS, Grade, Response
from finbench.sanitize import shown

if TYPE_CHECKING:
    from rich.console import Console

    from finbench.runs.execute import Outcome
    from finbench.runs.plan import Plan

PLAIN_INTERVAL = 30.0  # seconds between progress lines where there is no terminal
LIVE_INTERVAL = 0.25

ADVICE = {
    "truncated": "cut off before an answer: raise --max-tokens",
    "error": "failed for good: the same command asks them again",
}


def console(stream: IO[str]) -> Console:
    """A rich console that never wraps numbers and obeys NO_COLOR; wide where there is no terminal."""
    from rich.console import Console

    width = None if stream.isatty() else 200
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=not stream.isatty())


def show_plan(plan: Plan, stream: IO[str]) -> None:
    """What would be asked, how, and where the answers go."""
    settings = plan.settings
    out = console(stream)
    lines = [
        f"model     {shown(settings.model)}" + (f" @ {shown(settings.revision)}" if settings.revision else ""),
        f"engine    {plan.engine}: {plan.why}",
        f"protocol  {settings.protocol}" + ("" if settings.chat else ", plain text prompts"),
        f"profile   {plan.profile.name}",
    ]
    if settings.judge:
        lines.append(f"judge     {shown(settings.judge)}")
    lines.append(f"output    {shown(plan.folder)}")
    for line in lines:
        out.print(line)
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (
        ("task", "left"),
        ("documents", "right"),
        ("ask", "right"),
        ("done", "right"),
        ("decoding", "left"),
    ):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for name, members in _grouped(plan):
        sampled = any(member in plan.selection.sampled for member in members) or settings.data == "sample"
        wanted = sum(plan.wanted[member] for member in members)
        held = sum(plan.held.get(member, 0) for member in members)
        sampling = plan.identity["sampling"][members[0]]
        table.add_row(
            shown(name) + (" (SAMPLE ROWS, not the benchmark)" if sampled else ""),
            f"{sum(plan.sizes[member] for member in members):,}",
            f"{max(wanted - held, 0):,}",
            f"{held:,}" if held else "",
            _decoding(sampling),
        )
    out.print(table)


def _decoding(sampling: Mapping[str, Any]) -> str:
    tokens = f"up to {sampling['max_tokens']:,} tokens"
    if sampling["temperature"] == 0:
        return f"greedy, {tokens}"
    extra = f", repetition penalty {sampling['repetition_penalty']}" if sampling["repetition_penalty"] != 1 else ""
    extra += f", presence penalty {sampling['presence_penalty']}" if sampling["presence_penalty"] else ""
    return f"temperature {sampling['temperature']}, top_p {sampling['top_p']}{extra}, {tokens}"


def _grouped(plan: Plan) -> list[tuple[str, list[str]]]:
    """(shown name, task names): groups as one line."""
    owner = {member: group for group, members in plan.selection.groups.items() for member in members}
    lines: dict[str, list[str]] = {}
    for task in plan.tasks:
        lines.setdefault(owner.get(task.name, task.name), []).append(task.name)
    return list(lines.items())


def plan_document(plan: Plan) -> dict[str, Any]:
    """The plan as `--dry-run --json` prints it."""
    return {
        "schema": 1,
        "model": plan.settings.model,
        "engine": plan.engine,
        "why": plan.why,
        "protocol": plan.settings.protocol,
        "profile": asdict(plan.profile),
        "run_dir": str(plan.folder),
        "tasks": {
            name: {"documents": plan.sizes[name], "replies": plan.wanted[name], "held": plan.held.get(name, 0)}
            for name in plan.sizes
        },
        "settings": plan.identity,
    }


class Progress:
    """Live lines on a terminal's standard error; one plain line every half minute elsewhere."""

    def __init__(self, plan: Plan, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._lines = {
            name: _Line(sum(plan.wanted[m] for m in members), sum(plan.held.get(m, 0) for m in members))
            for name, members in _grouped(plan)
        }
        self._owner = {member: name for name, members in _grouped(plan) for member in members}
        self._started = self._shown = time.monotonic()
        self._stage = ""
        self._tokens = 0
        live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")
        self._live: Any = None
        if live and not quiet:
            from rich.live import Live

            self._live = Live(console=console(sys.stderr), auto_refresh=False, transient=True)

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def stage(self, text: str) -> None:
        """A new part of the run."""
        self._stage = text
        if text != "asking":
            self._say(f"{text} ...")

    def reply(self, task: str, verdict: Grade | None, response: Response) -> None:
        """One more reply is graded and kept."""
        line = self._lines.setdefault(self._owner.get(task, task), _Line(0, 0))
        line.count(verdict, response)
        self._tokens += response.output_tokens or 0
        now = time.monotonic()
        if now - self._shown < (LIVE_INTERVAL if self._live else PLAIN_INTERVAL) and not line.finished():
            return
        self._shown = now
        self._draw(now - self._started)

    def _draw(self, seconds: float) -> None:
        rate = f"{self._tokens / seconds:,.0f} tokens/s" if self._tokens else ""
        started = {name: line for name, line in self._lines.items() if line.done}
        if self._live:
            from rich.text import Text

            texts = [line.text(name, seconds) for name, line in started.items()]
            self._live.update(Text("\n".join([*texts, rate])), refresh=True)
        elif not self._quiet:
            for name, line in started.items():
                if not line.told:
                    print(line.text(name, seconds), file=sys.stderr)
                    line.told = line.finished()

    def _say(self, text: str) -> None:
        if self._quiet:
            return
        if self._live:
            from rich.text import Text

            self._live.update(Text(shown(text)), refresh=True)
        else:
            print(shown(text), file=sys.stderr)


class _Line:
    """The counts of one task or group."""

    def __init__(self, wanted: int, held: int) -> None:
        self.wanted, self.held = wanted, held
        self.done = self.right = self.unreadable = self.errors = self.retries = 0
        self.told = False  # its last line stands in the log of a run without a terminal

    def count(self, verdict: Grade | None, response: Response) -> None:
        self.done += 1
        self.retries += response.attempts - 1
        self.errors += response.finish == "error"
        if verdict:
            self.right += verdict.correct
            self.unreadable += verdict.reason in UNREADABLE_REASONS

    def finished(self) -> bool:
        return self.held + self.done == self.wanted

    def text(self, name: str, seconds: float) -> str:
        total = self.held + self.done
        share = 100 * total / self.wanted if self.wanted else 100.0
        left = self.wanted - total
        eta = f", {_duration(left * seconds / self.done)} left" if left > 0 and self.done else ""
        score = 100 * self.right / self.done
        half = 196 * (max(self.right / self.done * (1 - self.right / self.done), 0.25 / self.done) / self.done) ** 0.5
        notes = [
            f"{count:,} {what}"
            for count, what in ((self.unreadable, "unreadable"), (self.errors, "errors"), (self.retries, "retries"))
            if count
        ]
        return f"{shown(name):<24} {total:>7,}/{self.wanted:,} {share:5.1f}%  right {score:.1f} ±{half:.1f}{eta}" + (
            f"  [{', '.join(notes)}]" if notes else ""
        )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s"


def show_outcome(plan: Plan, outcome: Outcome, files: Sequence[Path]) -> None:
    """The final table on standard output, the failures in words, the files, the next command."""
    show_results(outcome.document)
    out = console(sys.stdout)
    if outcome.status == "interrupted":
        out.print("interrupted: the same command continues this run")
    about = json.loads((outcome.folder / "run.json").read_text("utf-8"))
    if about["cost"]:
        out.print(f"estimated cost {about['cost']['amount']:,.2f} {shown(about['cost']['currency'])}")
    for name in ("run.json", "results.json"):
        out.print(f"wrote {shown(outcome.folder / name)}")
    for path in files:
        out.print(f"wrote {shown(path)}")
    out.print(f"next: finbench compare {shown(outcome.folder)} OTHER_RUN, or finbench leaderboard build")


def show_list(lines: Sequence[str], what: str, most: int = 20) -> None:
    """Lines about a file on standard error, the first ones in full, under a heading with their number; nothing for none."""
    if lines:
        print(f"{len(lines):,} {what}", file=sys.stderr)
    for line in lines[:most]:
        print(f"  {shown(line)}", file=sys.stderr)
    if len(lines) > most:
        print(f"  ... and {len(lines) - most:,} more", file=sys.stderr)


def show_results(document: Mapping[str, Any]) -> None:
    """The tables of a `--json` document: per task, then beside the reported rows."""
    from rich.table import Table

    out = console(sys.stdout)
    title = f"{shown(document['model'])}, protocol {document['protocol']}"
    if document["tasks"] and set(document["sampled"]) == set(document["tasks"]):
        title += " - SAMPLE ROWS written for finbench: not a benchmark result"
    table = Table(title=title, title_justify="left", header_style="bold", pad_edge=False)
    for column in ("task", "n", "score", "95% interval", "lenient", "unreadable", "cut off", "failed"):
        table.add_column(column, justify="left" if column == "task" else "right", no_wrap=True)
    for name, entry in document["tasks"].items():
        sampled = " (sample rows)" if name in document["sampled"] else ""
        by = {"judge": " (judge)", "reference": " (reference score)"}.get(entry["verdict_by"], "")
        table.add_row(
            shown(name) + sampled + by,
            f"{entry['n']:,}",
            f"{entry['score']:.1f}",
            f"{entry['ci'][0]:.1f} to {entry['ci'][1]:.1f}",
            f"{entry['lenient']:.1f}",
            str(entry["unreadable"]),
            str(entry["truncated"]),
            str(entry["errors"]),
        )
    average = document["average"]
    if average:
        low, high = average["ci"]
        table.add_row("average of five", "", f"{average['score']:.1f}", f"{low:.1f} to {high:.1f}", "", "", "", "")
    out.print(table)
    _show_reported(document, out)
    for sentence in failures(document):
        out.print(sentence)


def failures(document: Mapping[str, Any]) -> list[str]:
    """Why replies were wrong, per task, most frequent first; then what can be done about it.

    >>> reasons = {"equal": 8, "truncated": 2, "different": 3}
    >>> failures({"tasks": {"finqa": {"reasons": reasons}}})
    ['why wrong, finqa: different 3, truncated 2', 'finqa: 2 replies cut off before an answer: raise --max-tokens']
    """
    counts, advice = [], []
    for name, entry in document["tasks"].items():
        wrong = sorted(
            ((r, n) for r, n in entry["reasons"].items() if r not in RIGHT_REASONS), key=lambda item: -item[1]
        )
        if wrong:
            counts.append(f"why wrong, {shown(name)}: " + ", ".join(f"{reason} {n:,}" for reason, n in wrong))
        for reason, n in wrong:
            if reason in ADVICE:
                advice.append(f"{shown(name)}: {'1 reply' if n == 1 else f'{n:,} replies'} {ADVICE[reason]}")
    return counts + advice


def _show_reported(document: Mapping[str, Any], out: Console) -> None:
    """Ours beside the published rows: one column per benchmark, reported rows marked, differences in words."""
    from rich.table import Table

    rows = document["reported"]
    columns = [name for name in document["tasks"] if any(name in row["cells"] for row in rows)]
    if not columns:
        return
    table = Table(title="Beside published results (reported, not measured here)", title_justify="left", pad_edge=False)
    for name in ("model", "", *(shown(name.removesuffix("_paper")) for name in columns), "average"):
        table.add_column(name, justify="left" if name in ("model", "") else "right", no_wrap=True)
    ours = [_with_half_width(document["tasks"][name]) for name in columns]
    average = document["average"]
    table.add_row(shown(document["model"]), "measured", *ours, _with_half_width(average) if average else "")
    for row in rows:
        cells = [_reported_cell(row["cells"].get(name)) for name in columns]
        table.add_row(shown(row["model"]), "reported", *cells, _reported_cell(row["average"]))
    out.print(table)
    out.print("+ we are higher, - lower, = not distinguishable at 95 %; * a printed value with a known flag")
    if document["sampled"]:
        out.print(
            "no mark: ours are sample rows, the published scores are not; `finbench data fetch` brings the benchmarks"
        )
    own = [row for row in rows if row["same_model"]]
    for row in own[:1]:
        for name in columns:
            if name in row["cells"]:
                out.print(f"{shown(name)}: {shown(row['cells'][name]['sentence'])}")
    if document["protocol"] == "finbench":
        out.print("protocols differ: these rows come from the paper's own evaluation; --protocol paper is nearer to it")


def _with_half_width(entry: Mapping[str, Any]) -> str:
    return f"{entry['score']:.1f} ±{(entry['ci'][1] - entry['ci'][0]) / 2:.1f}"


_MARKS = {
    "better": "+", "worse": "-", "not distinguishable": "=", "agrees": "=", "cannot tell": "?", "not comparable": " "
}  # fmt: skip


def _reported_cell(cell: Mapping[str, Any] | None) -> str:
    """The printed value, a mark for our difference, and * for a flag beyond rounding."""
    if cell is None:
        return ""
    flagged = "*" if set(cell["flags"]) - {"integer_rounded", "n_unknown"} else ""
    mark = _MARKS.get(cell["verdict"]) or ("+" if cell["delta"] > 0 else "-")
    return f"{cell['printed'] or cell['score']}{flagged or ' '}{mark}"


def show_sample(document: Any, response: Response, verdict: Grade) -> None:
    """One line of `finbench score --table`."""
    golds = " | ".join(dict.fromkeys(gold.text for gold in document.golds))
    mark = "right" if verdict.correct else "lenient" if verdict.lenient else "wrong"
    print(f"{shown(document.id)}\t{mark}\t{verdict.reason}\t{shown(verdict.extracted or '')}\t{shown(golds)}")
