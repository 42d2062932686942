"""What a terminal shows: the plan and the final tables; progress.py has what stands between. Foreign text is neutralised."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from finbench.records import RIGHT_REASONS, Grade, Response
from finbench.sanitize import shown, slug
from finbench.scores import averages
from finbench.scores.tally import judge_gaps

if TYPE_CHECKING:
    from rich.console import Console

    from finbench.runs.execute import Outcome
    from finbench.runs.plan import Plan

LABEL_LEAST = 8  # characters that a label keeps at least
WIDE = 100  # characters from which a cell stands on one line: "44.7 ±11.9", "57.9 to 88.2", "finance_instruct"
NARROW = 80  # characters below which heads are folded further
ROOMY = 120  # characters from which the share of unsure verdicts has its range beside it
MESSAGES, MESSAGE = 5, 300  # kinds of failed requests that are told, and characters of each
HEADS = ("task", "n", "score", "95%\ninterval", "lenient", "unsure", "un-\nreadable", "cut\noff", "failed")
NARROW_HEADS = (*HEADS[:4], "leni-\nent", "un-\nsure\n%", "un-\nread-\nable", *HEADS[7:])
UNSURE = HEADS.index("unsure")  # a column that is left out where no verdict says how sure it is
ADVICE = {"truncated": "cut off before an answer: raise --max-tokens"}


def console(stream: IO[str]) -> Console:
    """A rich console that obeys NO_COLOR; wide where there is no terminal."""
    from rich.console import Console

    width = None if stream.isatty() else 200
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=not stream.isatty())


def draw(
    out: Console, heads: Sequence[str], rows: Sequence[Sequence[str]], title: str = "", words: Sequence[int] = (0,)
) -> None:
    """A table whose columns `words` fold; the others hold numbers, and are never dropped nor clipped.

    Where a terminal is too narrow for the numbers alone the table is wider than it, and the terminal folds the lines.
    """
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table

    gap = 1 if out.width < NARROW else 2
    table = Table(
        title=title or None,
        title_justify="left",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, gap - 1, 0, 0),
    )
    least = 0
    for place, head in enumerate(heads):
        folds = place in words
        table.add_column(head, justify="left" if folds else "right", no_wrap=not folds, overflow="fold")
        lines = "\n".join([head, *(row[place] for row in rows)]).split("\n")
        least += gap + (LABEL_LEAST if folds else max(map(cell_len, lines)))
    for row in rows:
        table.add_row(*row)
    width = out.width
    out.width = max(width, least)
    out.print(table)
    out.width = width


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
    rows = []
    for name, members in grouped(plan):
        sampled = any(member in plan.selection.sampled for member in members) or settings.data == "sample"
        wanted = sum(plan.wanted[member] for member in members)
        held = sum(plan.held.get(member, 0) for member in members)
        sampling = plan.identity["sampling"][members[0]]
        rows.append((
            shown(name) + (" (SAMPLE ROWS, not the benchmark)" if sampled else ""),
            f"{sum(plan.sizes[member] for member in members):,}",
            f"{max(wanted - held, 0):,}",
            f"{held:,}" if held else "",
            _decoding(sampling),
        ))  # fmt: skip
    draw(out, ("task", "documents", "ask", "done", "decoding"), rows, words=(0, 4))


def _decoding(sampling: Mapping[str, Any]) -> str:
    tokens = f"up to {sampling['max_tokens']:,} tokens"
    if sampling["temperature"] == 0:
        return f"greedy, {tokens}"
    extra = f", repetition penalty {sampling['repetition_penalty']}" if sampling["repetition_penalty"] != 1 else ""
    extra += f", presence penalty {sampling['presence_penalty']}" if sampling["presence_penalty"] else ""
    return f"temperature {sampling['temperature']}, top_p {sampling['top_p']}{extra}, {tokens}"


def grouped(plan: Plan) -> list[tuple[str, list[str]]]:
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


def show_outcome(plan: Plan, outcome: Outcome, files: Sequence[Path]) -> None:
    """The final table on standard output, the failures in words, the files, the next command."""
    show_results(outcome.document, outcome.folder)
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


def show_results(document: Mapping[str, Any], folder: Path | None = None) -> None:
    """The tables of a `--json` document: per task, then beside the reported rows; `folder` says why requests failed."""
    out = console(sys.stdout)
    title = f"{shown(document['model'])}, protocol {document['protocol']}"
    if document["tasks"] and set(document["sampled"]) == set(document["tasks"]):
        title += " - SAMPLE ROWS written for finbench: not a benchmark result"
    heads: Sequence[str] = NARROW_HEADS if out.width < NARROW else HEADS
    rows = [_result(out, name, entry, document) for name, entry in document["tasks"].items()]
    average = document["average"]
    if average:
        rows.append(_mean(out, "average of five", average))
    elif part := document.get("comparable_average"):
        rows.append(_mean(out, averages.mean_name(part), part))
    if not any(row[UNSURE] for row in rows):  # verdicts of a judge, of lm-eval or of an earlier version
        heads, *rows = [(*row[:UNSURE], *row[UNSURE + 1 :]) for row in (heads, *rows)]
    draw(out, heads, rows, title)
    _show_reported(document, out)
    for note in document.get("notes", ()):
        out.print(f"note: {shown(note)}")
    for sentence in gaps(document) + failures(document) + (failed_requests(folder, document) if folder else []):
        out.print(sentence)


def gaps(document: Mapping[str, Any]) -> list[str]:
    """What a number is not: why there is no average of five, and which replies the judge has no verdict on."""
    part = document.get("comparable_average")
    out = [shown(averages.in_words(part))] if part else []
    for name, entry in document["tasks"].items():
        if lost := judge_gaps(entry):
            out.append(f"{shown(name)}, judge: {shown(lost)}: the same command asks again")
    return out


def _result(out: Console, name: str, entry: Mapping[str, Any], document: Mapping[str, Any]) -> tuple[str, ...]:
    sampled = " (sample rows)" if name in document["sampled"] else ""
    by = {"judge": " (judge)", "reference": " (reference score)"}.get(entry["verdict_by"], "")
    return (
        shown(name) + sampled + by,
        f"{entry['n']:,}",
        f"{entry['score']:.1f}",
        _interval(out, entry["ci"]),
        f"{entry['lenient']:.1f}",
        _unsure(out, entry),
        str(entry["unreadable"]),
        str(entry["truncated"]),
        str(entry["errors"]),
    )


def _mean(out: Console, name: str, mean: Mapping[str, Any]) -> tuple[str, ...]:
    score = f"{mean['score']:.1f}"
    return (name, "", score, _interval(out, mean["ci"]), "", _unsure(out, mean), "", "", "")


def _unsure(out: Console, entry: Mapping[str, Any]) -> str:
    """The share of unsure verdicts, and where there is room the score from all of them wrong to all of them right."""
    if entry.get("unsure") is None:
        return ""
    if out.width < NARROW:
        return f"{entry['unsure']:.1f}"  # the head says percent
    low, high = entry["range"]
    return f"{entry['unsure']:.1f} %" + (f" ({low:.1f} to {high:.1f})" if out.width >= ROOMY else "")


def _interval(out: Console, ends: Sequence[float]) -> str:
    return f"{ends[0]:.1f} to{' ' if out.width >= WIDE else chr(10)}{ends[1]:.1f}"


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


def failed_requests(folder: Path, document: Mapping[str, Any]) -> list[str]:
    """What the failed requests of a run's samples files have in common, most frequent first, with what can be done."""
    found: dict[str, list[str]] = {}
    for name, entry in document["tasks"].items():
        if entry["errors"]:
            for part in entry.get("subtasks") or [name]:
                for message in _messages(folder / f"samples_{slug(part)}.jsonl"):
                    found.setdefault(re.sub(r"\d[\d,.]*", "#", message), []).append(message)
    ranked = sorted(found.values(), key=len, reverse=True)
    out = [
        f"{'1 request' if len(same) == 1 else f'{len(same):,} requests'} failed: {shown(same[0])[:MESSAGE]}. {_help(same[0])}"
        for same in ranked[:MESSAGES]
    ]
    return out + ([f"and {len(ranked) - MESSAGES} other kinds of failure: see the report"] if ranked[MESSAGES:] else [])


def _messages(path: Path) -> Iterator[str]:
    """The errors of a samples file; none where it cannot be read."""
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if '"error"' in line and (message := json.loads(line)["finbench"].get("error")):
                    yield str(message)


def _help(message: str) -> str:
    """The next step for a failed request.

    >>> _help("HTTP 400: maximum context length is 600 tokens")[:24], _help("HTTP 503: busy")[:16]
    ('Asking again fails again', 'The same command')
    """
    if re.search(r"context.{0,12}length|context of|too long|too many tokens", message, re.IGNORECASE):
        return "Asking again fails again: serve a longer context, or lower --max-tokens"
    if re.match(r"HTTP 4(?!08|09|25|29)\d\d", message):
        return "Asking again fails again as long as the server refuses such a request"
    return "The same command asks again"


def _show_reported(document: Mapping[str, Any], out: Console) -> None:
    """Ours beside the published rows: one column per benchmark, reported rows marked, differences in words."""
    rows = document["reported"]
    columns = [name for name in document["tasks"] if any(name in row["cells"] for row in rows)]
    if not columns:
        return
    key = "average" if document["average"] or not document.get("comparable_average") else "comparable_average"
    average = document.get(key)
    heads = (
        "model",
        *(_heading(out, shown(name.removesuffix("_paper"))) for name in columns),
        averages.mean_name(average),
    )
    ours = [_with_half_width(out, document["tasks"][name]) for name in columns]
    lines = [(f"{shown(document['model'])} (measured)", *ours, _with_half_width(out, average) if average else "")]
    for row in rows:
        cells = [_reported_cell(row["cells"].get(name)) for name in columns]
        lines.append((shown(row["model"]), *cells, _reported_cell(row.get(key))))
    out.print()
    draw(out, heads, lines, "Beside published results (reported, not measured here)")
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
        if row.get(key):
            out.print(f"{averages.mean_name(average)} ({row.get(key)['printed']}): {shown(row.get(key)['sentence'])}")
    if document["protocol"] == "finbench":
        out.print("protocols differ: these rows come from the paper's own evaluation; --protocol paper is nearer to it")


def _heading(out: Console, name: str) -> str:
    """A task's name as the head of a narrow column: folded behind underscores and every nine letters."""
    return name if out.width >= WIDE else "\n".join(re.findall(r"[^_]{1,9}_?|_", name))


def _with_half_width(out: Console, entry: Mapping[str, Any]) -> str:
    between = " " if out.width >= WIDE else "\n"
    return f"{entry['score']:.1f}{between}±{(entry['ci'][1] - entry['ci'][0]) / 2:.1f}"


_MARKS = {
    "better": "+", "worse": "-", "not distinguishable": "=", "agrees": "=", "cannot tell": "?", "not comparable": " "
}  # fmt: skip


def _reported_cell(cell: Mapping[str, Any] | None) -> str:
    """The printed value, * for a flag beyond rounding, and apart from both a mark for our difference."""
    if cell is None:
        return ""
    flagged = "*" if set(cell["flags"]) - {"integer_rounded", "n_unknown"} else ""
    mark = _MARKS.get(cell["verdict"]) or ("+" if cell["delta"] > 0 else "-")
    return f"{cell['printed'] or cell['score']}{flagged or ' '} {mark}"


def show_sample(document: Any, response: Response, verdict: Grade) -> None:
    """One line of `finbench score --table`."""
    golds = " | ".join(dict.fromkeys(gold.text for gold in document.golds))
    mark = "right" if verdict.correct else "lenient" if verdict.lenient else "wrong"
    print(f"{shown(document.id)}\t{mark}\t{verdict.reason}\t{shown(verdict.extracted or '')}\t{shown(golds)}")
