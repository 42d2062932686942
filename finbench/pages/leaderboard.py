"""The leaderboard page: measured runs and reported rows in one table, with every sample behind it, in one HTML file.

The page works from a file, without a network and, for reading, without JavaScript. The same inputs give the same
bytes. Samples lie in the page as packed chunks; those beyond its size go to `samples/*.js` beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from finbench.errors import StoreError, UsageError, run_files, writing
from finbench.pages import audit_marks, drilldown, exports, html
from finbench.pages.leaderboard_rows import Place, layout, row_data
from finbench.sanitize import shown, slug
from finbench.scores import leaderboard
from finbench.scores.samples import SampleFiles, read, read_results
from finbench.scores.significance import Difference

SCRIPTS = ("core.js", "paired.js", "board.js", "marks.js", "samples.js", "versus.js", "main.js")
STYLES = ("base.css", "site.css", "marks.css")
CHUNK_FRAME = 120  # bytes of the script element around a chunk

# The 97.5 % quantiles of Student's t for 1 to 30 degrees of freedom (scipy.stats.t.ppf(0.975, df)).
T_QUANTILES = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
    2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
    2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What was built: the page, the files beside it, and how much is in them."""

    path: Path
    bytes: int  # of the page alone
    sidecars: tuple[Path, ...]
    rows: int
    samples: int  # graded samples behind the table
    replies: int  # of which the page carries the text
    exports: Mapping[str, str]  # the table as text by ending: csv, json, md, tex


@dataclass(frozen=True, slots=True)
class BoardRun:
    """A run folder as the page needs it beside its row: its samples by column, and what it was made with."""

    folder: Path
    name: str
    order: tuple[str, ...]
    sources: Mapping[str, SampleFiles]
    version: str
    config: str


def build(runs: Sequence[Path], output: Path, *, reported: bool = True, max_mb: float = 25) -> BuildReport:
    """Write the leaderboard of `runs` (run folders) to `output` and say what is in it.

    Raises UsageError when there is nothing to show and StoreError for a run folder that cannot be read.
    """
    with run_files(", ".join(str(path) for path in runs)):
        return _build(runs, output, reported, max_mb)


def _build(runs: Sequence[Path], output: Path, reported: bool, max_mb: float) -> BuildReport:
    folders = sorted({path.resolve(): read_run(path) for path in runs}.values(), key=lambda run: run.order)
    columns = sorted({name for run in folders for name in run.sources})
    numbers = {str(run.folder): number for number, run in enumerate(folders)}
    samples = read(
        {
            (number, columns.index(name)): source
            for number, run in enumerate(folders)
            for name, source in run.sources.items()
        }
    )

    def pair(run: str, other: str, task: str) -> Difference | None:
        return samples.paired(numbers[run], numbers[other], columns.index(task)) if task in columns else None

    chosen = None if reported else ()
    table = leaderboard.build([run.folder for run in folders], reported=chosen, pair=pair)
    if not table.rows:
        raise UsageError("nothing to show: no run folders and no reported rows")

    shell = page(table, columns, folders, drilldown.Packed({}, {}, 0, 0), {}, {})
    written = exports.exports(table)
    saved = {"exports": html.packed([asdict(export) for export in written])}
    room = int(max_mb * 1e6) - len(shell.encode()) - CHUNK_FRAME * (3 * len(samples.cells) + 2 * len(columns) + 2)
    made = drilldown.pack(samples, room - len(saved["exports"]))
    inline, outside = _placed(saved | made.chunks, room)
    sidecars = _sidecars(outside, output)
    text = page(table, columns, folders, made, inline, sidecars)
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8", newline="\n")
    files = tuple(output.parent / path for path in sidecars.values())
    texts = {export.ending: export.text() for export in written}
    return BuildReport(output, len(text.encode()), files, len(table.rows), made.samples, made.replies, texts)


def read_run(folder: Path) -> BoardRun:
    """What the page needs of a run folder; StoreError when it has no readable results."""
    try:
        manifest, results = read_results(folder)
        entries = results["tasks"]
        sources = {}
        for name, entry in entries.items():
            parts = tuple(folder / f"samples_{slug(part)}.jsonl" for part in entry.get("subtasks") or [name])
            if all(path.exists() for path in parts):
                sources[name.removesuffix("_paper")] = SampleFiles(parts, entry.get("verdict_by", "grader"))
        config = json.dumps(manifest.get("settings"), sort_keys=True).encode()
        return BoardRun(
            folder,
            shown(manifest["run_id"]),
            tuple(str(manifest.get(name)) for name in ("model", "protocol", "created", "run_id")),
            sources,
            shown((manifest.get("versions") or {}).get("finbench", "")),
            hashlib.sha256(config).hexdigest()[:8],
        )
    except (OSError, ValueError, KeyError, AttributeError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise StoreError(
            f"{folder}: no readable run.json and results.json ({problem}); try `finbench score {folder}`"
        ) from error


def _placed(chunks: Mapping[str, str], room: int) -> tuple[dict[str, str], dict[str, str]]:
    """Chunks for the page and for files beside it: what every view needs comes first, replies last."""
    order = ("exports", "verdicts", "docs", "answers", "prompts", "replies")
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
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"finbenchChunk({html.inline_json(key)},{html.inline_json(text)});\n", encoding="ascii")
    return paths


def page(
    table: leaderboard.Table,
    columns: Sequence[str],
    runs: Sequence[BoardRun],
    made: drilldown.Packed,
    inline: Mapping[str, str],
    sidecars: Mapping[str, str],
) -> str:
    """The whole page as text. Rows and columns keep in the chunks the numbers that they were packed under."""
    script = '"use strict";\n(() => {\n' + "\n".join(html.template_text(name) for name in SCRIPTS) + "})();\n"
    places = [_place(row, table.tasks, columns, runs, made) for row in table.rows]
    data = {
        "tasks": [
            {"name": name, "title": html.task_title(name), "number": columns.index(name) if name in columns else None}
            for name in table.tasks
        ],
        "rows": [row_data(row, place, table.tasks) for row, place in zip(table.rows, places, strict=True)],
        "reasons": sorted(html.REASON_WORDS.items()),
        "marks": {"legend": audit_marks.LEGEND, "verdicts": audit_marks.VERDICTS, "signs": audit_marks.SIGNS},
        "sidecars": sorted(sidecars.items()),
        "t": T_QUANTILES,
    }
    return html.render(
        "site.html.jinja",
        page=layout(table, places),
        policy=html.policy(script, sidecars=bool(sidecars)),
        style="".join(html.template_text(name) for name in STYLES),
        script=script,
        data=html.inline_json(data),
        chunks=list(inline.items()),
    )


def _place(
    row: leaderboard.Row, tasks: Sequence[str], columns: Sequence[str], runs: Sequence[BoardRun], made: drilldown.Packed
) -> Place:
    """Where the samples of a row are, and what made it."""
    if row.kind == "reported":
        return Place(None)
    number, run = next((number, run) for number, run in enumerate(runs) if str(run.folder) == row.run_dir)
    there = {task: columns.index(name) for task, name in enumerate(tasks) if name in run.sources}
    variants = tuple(made.variants.get((number, column), 0) for column in there.values())
    by = {tasks[task]: run.sources[tasks[task]].by for task in there}
    return Place(number, tuple(there), variants, by, run.version, run.config, run.name)
