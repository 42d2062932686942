"""Run folders, configurations and logs of others, mutated at random: a result, or one of our errors in words."""

from __future__ import annotations

import json
import random
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finbench.cli import main
from finbench.errors import DataError, StoreError, UsageError, foreign
from finbench.runs import execute
from finbench.runs.execute import Settings

RUN: dict[str, Any] = {"model": "baseline/heuristic", "tasks": ("tfns", "finqa"), "data": "sample", "limit": 3}
COUNT = 2000  # mutants
SHARES = 20  # tests that they are spread over
FILES = ("run.json", "results.json", "samples_tfns.jsonl", "samples_finqa.jsonl", "config.yaml", "log.jsonl")
JUNK: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    10**30,
    "",
    "x",
    "\ud800",
    "\x1b[31m\0",
    [],
    [[]],
    {},
    {"a": {}},
    [None],
    "a" * 999,
]
RAW = [
    b"NaN",
    b"1e999",
    b"9" * 5000,
    b"[" * 3000,
    b'{"a":' * 3000,
    b"\xff",
    b"\xed\xa0\x80",
    b"\0",
    b"!!timestamp x",
    b"&a [*a]",
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run with its configuration and a log, as an older finbench left them: without digests."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    execute.execute(execute.plan(Settings(**RUN, output=folder)))
    about = json.loads((folder / "run.json").read_text("utf-8"))
    del about["files"]
    (folder / "run.json").write_text(json.dumps(about), encoding="utf-8")
    shutil.copy(folder / "samples_finqa.jsonl", folder / "log.jsonl")
    config = "model: baseline/heuristic\ntasks: tfns\ndata: sample\nlimit: 2\ninclude: []\nquiet: true\nseed: 0\n"
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    return folder


def nodes(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below a JSON value."""
    found: list[tuple[Any, Any]] = []
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(entries):
        found += [(value, key), *nodes(inner)]
    return found


def mutated(text: bytes, draw: random.Random, ending: str) -> bytes:
    """The text with a few of its values replaced or removed (of JSON), or of its bytes."""
    if ending != ".yaml" and draw.random() < 0.7:
        lines = text.splitlines() if ending == ".jsonl" else [text]
        number = draw.randrange(len(lines))
        value = json.loads(lines[number])
        for _ in range(draw.randint(1, 3)):
            container, key = draw.choice(nodes(value) or [({"a": 0}, "a")])
            if draw.random() < 0.3:
                container.pop(key)
                break
            container[key] = draw.choice(JUNK)
        lines[number] = json.dumps(value).encode()
        return b"\n".join(lines) + b"\n"
    place = draw.randrange(len(text))
    kind = draw.randrange(4)
    if kind == 0:
        return text[:place]
    if kind == 1:
        return text[:place] + draw.choice(RAW) + text[place:]
    if kind == 2:
        colon = text.find(b":", place)
        return text[: colon + 1] + b" " + draw.choice(RAW) + b"\n" + text[text.find(b"\n", colon) + 1 :]
    return text[:place] + bytes([draw.randrange(256)]) + text[place + 1 :]


DOORS: dict[str, Callable[[Path, Path], list[str]]] = {
    "score": lambda run, other: ["score", str(run)],
    "report": lambda run, other: ["report", str(run)],
    "compare": lambda run, other: ["compare", str(other), str(run), "--json"],
    "leaderboard": lambda run, other: ["leaderboard", "build", str(run), "-o", str(run / "board.html")],
    "audit": lambda run, other: ["audit", "run", str(run)],
    "log": lambda run, other: ["score", str(run / "log.jsonl"), "--table"],
    # Without a model's name nothing is planned: a changed task name would be looked for in lm-eval's 14,000 files.
    "config": lambda run, other: ["run", "--config", str(run / "config.yaml"), "--model", ""],
    "resume": lambda run, other: ["run", "--resume", str(run)],
}
READ_BY = {"log.jsonl": ("log",), "config.yaml": ("config", "resume")}
OF_RUNS = ("score", "compare", "leaderboard", "audit") * 6 + (
    "report",
)  # which draws plots, and takes ten times as long


@pytest.mark.parametrize("share", range(SHARES))
def test_no_mutant_of_a_file_ends_in_a_traceback(
    whole: Path, tmp_path: Path, share: int, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = []
    for number in range(COUNT // SHARES):
        draw = random.Random(f"{share} {number}")
        name = draw.choice(FILES)
        door = draw.choice(READ_BY.get(name, OF_RUNS))
        folder = tmp_path / str(number)
        shutil.copytree(whole, folder)
        path = folder / name
        path.write_bytes(mutated(path.read_bytes(), draw, path.suffix))
        if door == "resume":  # which takes the model from the file
            path.write_bytes(path.read_bytes().replace(b"model:", b"revision:"))
        try:
            code = main(DOORS[door](folder, whole))
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        except Exception as err:
            place = traceback.extract_tb(err.__traceback__)[-1]
            broken.append(
                f"{share} {number}: {door} of {name}: {type(err).__name__}: {err} ({place.filename}:{place.lineno})"[
                    :500
                ]
            )
            continue
        said = capsys.readouterr()
        assert code in (0, 1, 2, 3, 4, 5)
        assert code in (0, 1) or len(said.err) > 20
        shutil.rmtree(folder)
    assert not broken, "\n".join(broken)


CONFIGS = {
    "broken": ("model: [", "cannot be read"),
    "list": ("- model", "expected flags as keys"),
    "mapping": ("model: {a: b}", "model holds dict, expected one value"),
    "number": ("limit: many", "limit is 'many'"),
    "truth": ("trust_remote_code: 'yes'", "expected true or false"),
    "timestamp": ("model: !!timestamp x", "cannot be read"),
    "deep": ("a: " + "[" * 3000, "cannot be read"),
    "bytes": ("model: \xff", "cannot be read"),
    "python": ("model: !!python/name:os.system", "cannot be read"),
}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("flag", ["--config", "--resume"])
def test_a_damaged_configuration_is_named(
    tmp_path: Path, flag: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text, said = CONFIGS[name]
    path = tmp_path / "config.yaml"
    path.write_bytes(text.encode("latin-1"))
    assert main(["run", flag, str(path if flag == "--config" else tmp_path)]) == 2
    err = capsys.readouterr().err
    assert str(path) in err and said in err


def test_a_samples_file_with_a_bad_byte_is_named_by_the_audit(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    path = folder / "samples_finqa.jsonl"
    path.write_bytes(path.read_bytes().replace(b"the", b"th\xff", 1))
    assert main(["audit", "run", str(folder)]) == 4
    assert f"{folder}: " in (err := capsys.readouterr().err) and "not UTF-8" in err


@pytest.mark.parametrize("door", ["score", "report", "compare", "leaderboard"])
def test_wrong_types_in_results_are_named(
    whole: Path, tmp_path: Path, door: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    about = json.loads((folder / "run.json").read_text("utf-8"))
    results = json.loads((folder / "results.json").read_text("utf-8"))
    del about["sampled"]  # as older runs have it
    results["finbench"] |= {"sampled": [{"a": 1}], "tasks": [{"b": {}}]}
    for name, value in (("run.json", about), ("results.json", results)):
        (folder / name).write_text(json.dumps(value), encoding="utf-8")
    assert main(DOORS[door](folder, whole)) == 4
    assert str(folder) in capsys.readouterr().err


def test_debug_shows_where_a_foreign_file_broke_the_program(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("model: !!timestamp x", encoding="utf-8")
    with pytest.raises(UsageError) as shown:
        main(["--debug", "run", "--config", str(path)])
    assert isinstance(shown.value.__cause__, Exception)


@pytest.mark.parametrize(
    "err", [KeyError("a"), RecursionError(), OverflowError(), UnicodeDecodeError("utf-8", b"", 3, 4, "")]
)
def test_the_boundary_names_the_file_whatever_breaks(err: Exception) -> None:
    with pytest.raises(DataError, match=r"^x\.json: .+; do this$"), foreign("x.json", hint="do this"):
        raise err


def test_the_boundary_lets_our_own_words_and_the_users_stop_pass() -> None:
    with pytest.raises(StoreError, match=r"^mine$"), foreign("x.json"):
        raise StoreError("mine")
    with pytest.raises(KeyboardInterrupt), foreign("x.json"):
        raise KeyboardInterrupt
