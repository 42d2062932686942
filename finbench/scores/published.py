"""Published scores: the csv and yaml files of leaderboards/reported/, checked line by line.

Nothing is corrected here: scores stay as printed, and what is odd about them becomes a flag. The files' format is
described in leaderboards/reported/README.md. Scores are points from 0 to 100.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from finbench.errors import DataError
from finbench.sanitize import shown
from finbench.scores.intervals import Z95, Estimate, average_of, wilson
from finbench.scores.significance import half_unit

BENCHMARKS = ("finqa", "convfinqa", "ant_finance", "tfns", "finance_instruct")
COLUMNS = ("protocol", "model", "params", "benchmark", "score", "n", "flags", "source", "notes")
FLAGS = {
    "avg_mismatch": "the printed average is not the mean of the printed columns",
    "n_unknown": "the number of questions is not stated",
    "integer_rounded": "rounded to a whole number, whatever digits are printed",
    "ant_yesno_ceiling": "its harness could not score yes/no items: at most 91.1 was possible",
    "judge_bug_tfns": "its harness misread the judge's verdicts; probably too low",
    "below_constant": "below always giving the most frequent answer",
    "n_inferred": "the number of questions is worked out from the digits",
    "secondary_source": "read on a page that quotes the source",
    "self_judged": "judge and candidate are the same model",
    "fine_tuned": "trained on this benchmark's training split",
    "other_metric": "not an accuracy",
}
# Turns of one conversation succeed and fail together: measured on two public full runs of the development split.
DESIGN_EFFECTS = {"convfinqa": 2.7}
MAX_BYTES = 5_000_000
MAX_TEXT = 1_000  # characters of a cell
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_SCORE = re.compile(r"\d{1,3}(\.\d{1,8})?")


@dataclass(frozen=True, slots=True)
class Protocol:
    """How published numbers were made; `scale` is 100 for points and 1 for fractions."""

    name: str
    title: str
    source: str
    url: str = ""
    scale: int = 100
    metric: str = ""
    note: str = ""
    assumed_n: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReportedScore:
    """One printed number; `score` and `half_unit` (what rounding may hide) in points, `n` None when not stated."""

    printed: str
    score: float
    half_unit: float
    n: int | None = None
    flags: tuple[str, ...] = ()
    source: str = ""
    notes: str = ""


@dataclass(frozen=True, slots=True)
class ReportedRow:
    """A model under one protocol. `recomputed` is the mean of the five printed columns, None where one is missing."""

    model: str
    params: str
    protocol: Protocol
    scores: Mapping[str, ReportedScore]
    average: ReportedScore | None
    recomputed: float | None

    @property
    def key(self) -> str:
        return f"{self.protocol.name}/{self.model}"

    def size(self, benchmark: str) -> int | None:
        """The number of questions of a score, stated or assumed; None when neither is known."""
        return self.scores[benchmark].n or self.protocol.assumed_n.get(benchmark)

    def estimate(self, benchmark: str) -> Estimate | None:
        """A score with the interval that its size allows (0..1 scale)."""
        n, effect = self.size(benchmark), DESIGN_EFFECTS.get(benchmark, 1.0)
        if n is None:
            return None
        mean = self.scores[benchmark].score / 100
        low, high = wilson(mean, n / effect)
        return Estimate(mean, low, high, n, (high - low) / (2 * Z95), round(n / effect), effect)

    def average_estimate(self, columns: Sequence[str] = BENCHMARKS) -> Estimate | None:
        """The mean of printed columns, recomputed, with its interval; None unless all are there and all accuracies."""
        held = [name for name in columns if name in self.scores and "other_metric" not in self.scores[name].flags]
        known = [part for name in held if (part := self.estimate(name)) is not None]
        return average_of(known) if known and len(known) == len(columns) else None


def model_key(name: str) -> str:
    """A model's name without organisation, case and punctuation; equal keys are taken for the same model.

    >>> model_key("SUFE-AIFLM-Lab/Fin-R1"), model_key("/models/Qwen-2.5-7B/") == model_key("Qwen2.5-7b")
    ('finr1', True)
    """
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return "".join(c for c in last.casefold() if c.isalnum())


def folders() -> list[Path]:
    """Where published scores lie: what finbench ships, then ./leaderboards/reported."""
    inside = Path(__file__).parents[1] / "shipped" / "leaderboards" / "reported"
    shipped = inside if inside.is_dir() else Path(__file__).parents[2] / "leaderboards" / "reported"
    own = Path("leaderboards", "reported")
    return [shipped, *([own] if own.is_dir() and own.resolve() != shipped.resolve() else [])]


def load(places: Sequence[Path] | None = None) -> list[ReportedRow]:
    """All rows, in the order of the files; DataError names file and line of what does not fit."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for folder in folders() if places is None else places:
        protocols: dict[str, Protocol] = {}
        for path in sorted(folder.glob("*.yaml")):
            protocols |= _protocols(path)
        for path in sorted(folder.glob("*.csv")):
            for line, (protocol, model, params, benchmark, score) in _lines(path, protocols):
                row = rows.setdefault((protocol.name, model), {"params": params, "protocol": protocol, "scores": {}})
                if benchmark in row["scores"]:
                    raise DataError(f"{path}:{line}: a second {benchmark} score of {model} under {protocol.name}")
                row["scores"][benchmark] = score
    return [_row(model, **row) for (_, model), row in rows.items()]


def _row(model: str, params: str, protocol: Protocol, scores: dict[str, ReportedScore]) -> ReportedRow:
    average = scores.pop("average", None)
    recomputed = None
    if all(name in scores for name in BENCHMARKS):
        recomputed = sum(scores[name].score for name in BENCHMARKS) / len(BENCHMARKS)
    # A tiny allowance keeps 0.05 from failing as 0.05000000000001.
    if average and recomputed is not None and abs(average.score - recomputed) > average.half_unit + 1e-9:
        average = replace(average, flags=(*average.flags, "avg_mismatch"))
    return ReportedRow(model, params, protocol, scores, average, recomputed)


def _protocols(path: Path) -> dict[str, Protocol]:
    import yaml

    try:
        entries = yaml.safe_load(_text(path))
    except yaml.YAMLError as error:
        raise DataError(f"{path}: not readable as YAML ({' '.join(str(error).split())})") from error
    if not isinstance(entries, dict):
        raise DataError(f"{path}: holds no protocols; the format is in leaderboards/reported/README.md")
    return {str(name): _protocol(f"{path}: {name}", str(name), entry) for name, entry in entries.items()}


def _protocol(where: str, name: str, entry: object) -> Protocol:
    if not _NAME.fullmatch(name):
        raise DataError(f"{where}: a protocol's name is lower case letters, digits and ._- only")
    if not isinstance(entry, dict) or not {"title", "source"} <= set(entry):
        raise DataError(f"{where}: needs at least `title` and `source`")
    unknown = set(entry) - {"title", "source", "url", "scale", "metric", "note", "assumed_n"}
    if unknown:
        raise DataError(f"{where}: unknown fields {', '.join(sorted(map(str, unknown)))}")
    scale, url, sizes = entry.get("scale", 100), str(entry.get("url", "")), entry.get("assumed_n") or {}
    if scale not in (1, 100):
        raise DataError(f"{where}: scale is {scale!r}; 100 for points, 1 for fractions")
    if url and not url.startswith(("https://", "http://")):
        raise DataError(f"{where}: url must begin with https:// or http://")
    if not isinstance(sizes, dict) or not all(isinstance(n, int) and n > 0 for n in sizes.values()):
        raise DataError(f"{where}: assumed_n maps benchmarks to numbers of questions")
    words = {key: _clean(entry.get(key, "")) for key in ("title", "source", "metric", "note")}
    return Protocol(name, words["title"], words["source"], _clean(url), scale, words["metric"], words["note"], sizes)


Line = tuple[Protocol, str, str, str, ReportedScore]


def _lines(path: Path, protocols: Mapping[str, Protocol]) -> Iterator[tuple[int, Line]]:
    reader = csv.DictReader(_text(path).splitlines(), strict=True)
    try:
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise DataError(f"{path}: the first line must be {','.join(COLUMNS)}")
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if None in row or None in row.values():
                raise DataError(f"{where}: must have {len(COLUMNS)} columns")
            yield reader.line_num, _line(where, row, protocols)
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: not readable as csv ({error})") from error


def _line(where: str, row: Mapping[str, str], protocols: Mapping[str, Protocol]) -> Line:
    protocol, model, benchmark = protocols.get(row["protocol"]), _clean(row["model"]), row["benchmark"]
    if protocol is None:
        raise DataError(f"{where}: protocol {row['protocol']!r} is in no yaml file of this folder")
    if not model or not _NAME.fullmatch(benchmark):
        raise DataError(f"{where}: needs a model and a benchmark (a task's name, or average)")
    if not _SCORE.fullmatch(row["score"]) or float(row["score"]) > protocol.scale:
        raise DataError(f"{where}: score {row['score']!r} is not a number from 0 to {protocol.scale}")
    if row["n"] and not re.fullmatch(r"[1-9]\d{0,8}", row["n"]):
        raise DataError(f"{where}: n {row['n']!r} is not a number of questions; leave it empty when not stated")
    flags = tuple(row["flags"].split())
    unknown = [flag for flag in flags if flag not in FLAGS]
    if unknown:
        raise DataError(f"{where}: unknown flags {', '.join(unknown)}; known are {', '.join(FLAGS)}")
    if not row["n"] and benchmark != "average":
        flags = (*flags, "n_unknown")
    factor = 100 // protocol.scale
    score = ReportedScore(
        printed=row["score"],
        score=round(float(row["score"]) * factor, 10),
        half_unit=0.5 if "integer_rounded" in flags else factor * half_unit(row["score"]),
        n=int(row["n"]) if row["n"] else None,
        flags=flags,
        source=_clean(row["source"]) or protocol.source,
        notes=_clean(row["notes"]),
    )
    return protocol, model, _clean(row["params"]), benchmark, score


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: larger than {MAX_BYTES:,} bytes")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not readable as UTF-8 ({error})") from error


def _clean(value: object) -> str:
    """One line without control characters, of bounded length."""
    return shown(" ".join(str(value).split()))[:MAX_TEXT]
