"""The documentation's commands are run: page by page, in the order of the page, in a folder of its own, without a network.

Commands of code blocks run as they stand; those named in a sentence run when they have arguments, else they have to
exist. What follows a line with `$ ` is its output, word for word. Python blocks are executed, YAML blocks are read by
what reads them in earnest. A model server is tests/fake_server.py; the publishers of the data are stood in for by the
sample rows, in the publishers' own files. What cannot run here stands in EXCUSED, and nowhere else.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from fake_server import FakeServer

from finbench import cli
from finbench.runs import cost
from finbench.tasks import data_files, download
from finbench.tasks.authoring import check

ROOT = Path(__file__).parent.parent
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (
        *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md")),
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "tasks").glob("*/README.md")),
    )
    if path.name != "cli.md"  # the program's own help
}

GPU = "needs a GPU and a model's weights"
EXCUSED = {
    "finbench run --model SUFE-AIFLM-Lab/Fin-R1": GPU,
    "finbench run --model /models/Fin-R1": GPU,
    "finbench run --model FOLDER": GPU,
    'finbench run --model "$1" --serve --data-parallel 8 --output "$HOME/reports/$(basename "$1")"': "Slurm, eight GPUs",
    'srun --overlap --nodes=1 --ntasks=1 -w "$head" finbench run --model "$1" --engine ray --ray-address "$head:6379"'
    ' --replicas 32 --output "$HOME/reports/$(basename "$1")"': "Slurm, Ray on four nodes",
    "entrypoint: finbench run --model /models/fin-r1 --engine ray --ray-address auto --replicas 16 --output /reports/fin-r1": (
        "KubeRay"
    ),
    "finbench run --model MODEL --tasks gsm8k": "downloads lm-eval's data set",
    "finbench run --model NAME --engine lm-eval:hf --model-args pretrained=NAME,dtype=bfloat16 --tasks tfns": GPU,
    "lm_eval --model vllm --model_args pretrained=MODEL --include_path tasks --tasks tfns --apply_chat_template": GPU,
    "RUN finbench data unpack /tmp/pack.tar --into /data && finbench data verify /data && rm /tmp/pack.tar": "a container",
    "podman run --rm --network none finbench run --model baseline/heuristic --data sample": "a container",
    'podman run --rm --network none --user "$(id -u):$(id -g)" -v "$PWD:/work" finbench run --model baseline/heuristic'
    " --tasks finqa,tfns": "a container",
}

# lm-eval's program without the index of its own task files; no page but one asks for one of those.
LM_EVAL = """
import functools, sys
from lm_eval import __main__ as program, tasks
tasks.TaskManager.__init__ = functools.partialmethod(tasks.TaskManager.__init__, include_defaults=False)
sys.exit(program.cli_evaluate())
"""

BEGINS = re.compile(r"(?:\w+=\S+ )*(?:\S*/)?(?:finbench |python -m finbench|lm_eval )")
HOLDS = re.compile(rf"(?<![\w./-])finbench (?:{'|'.join(cli.COMMANDS)})\b")
PLACEHOLDER = re.compile(r"(?<![\w/{$.-])[A-Z][A-Z_]*(?![\w/=.-])|(?<==)[A-Z_]+\b")


class Piece(NamedTuple):
    """One thing a page asks of its reader: a command, a mention of one, a line `export K=V`, or a block of a language."""

    kind: str  # command | mention | export | python | yaml | ...
    text: str
    line: int
    output: str | None = None  # of a command shown with `$ `


def pieces(text: str) -> list[Piece]:
    """What a page holds, from top to bottom."""
    found = []
    for part in re.finditer(r"^```(\w*)\n(.*?)^```|(?<!`)`([^`]+)`(?!`)", text, re.M | re.S):
        line = text.count("\n", 0, part.start()) + 1
        language, block, span = part.groups()
        if span is not None:
            words = " ".join(span.split())
            if re.match(r"finbench \w|python -m finbench|lm_eval -", words):
                named = all(word.isalpha() and word.islower() for word in words.split())
                found.append(Piece("mention" if named else "command", words, line))
            continue
        if language in ("python", "yaml"):
            found.append(Piece(language, block, line))
        if language != "python":
            found += _lines(block, line)
    return found


def _lines(block: str, line: int) -> Iterator[Piece]:
    """The commands and exports of a block. In a block with `$ `, only what follows that is typed; the rest is output."""
    typed = re.compile(r"^\$ ", re.M)
    shown = typed.split(block)[1:] if typed.search(block) else []
    for part in shown:
        command, output = re.fullmatch(r"((?:[^\n]*\\\n)*[^\n]*\n)(.*)", part, re.S).groups()  # type: ignore[union-attr]
        yield Piece("command", _joined(command), line, output)
    for text in () if shown else re.sub(r"\\\n\s*", "", block).splitlines():
        bare = _joined(re.split(r"\s#", text)[0])
        if bare.startswith("export "):
            yield Piece("export", bare, line)
        elif BEGINS.match(bare) or HOLDS.search(bare):
            yield Piece("command", bare, line)


def _joined(text: str) -> str:
    return " ".join(text.replace("\\\n", " ").split())


# -- what stands for the world ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class World:
    """What a reader of the pages has: data as its publishers have it, two runs, two servers."""

    published: Path
    runs: tuple[Path, Path]
    servers: tuple[FakeServer, FakeServer]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    publish(folder / "published")
    runs = []
    for model in ("heuristic", "majority"):
        words = f"run --model baseline/{model} --tasks finqa,tfns --data sample --quiet --no-report --output"
        with contextlib.redirect_stdout(io.StringIO()):
            assert cli.main([*words.split(), str(folder / model)]) == 0
        runs.append(folder / model)
    names = ("my-model", "JUDGE_MODEL", "baseline/heuristic", "SUFE-AIFLM-Lab/Fin-R1")
    with FakeServer(models=names) as first, FakeServer(models=names) as second:
        yield World(folder / "published", (runs[0], runs[1]), (first, second))


def publish(folder: Path) -> None:
    """The sample rows under the names and in the formats of the publishers."""
    rows = {
        task: [json.loads(line) for line in (ROOT / "tasks" / task / "sample.jsonl").open(encoding="utf-8")]
        for task in ("finqa", "convfinqa", "tfns", "finance_instruct", "ant_finance")
    }
    for path, task in (("finqa/test", "finqa"), ("convfinqa/dev", "convfinqa"), ("finance_instruct/train",) * 2):
        write(folder / f"{path}.json", json.dumps(rows[task.partition("/")[0]]))
    write(folder / "tfns" / "sent_valid.csv", table(["text", "label"], rows["tfns"]))
    names = tasks_docs("ant_finance")
    for subtask, item in names.SUBTASKS.items():
        of_it = [row for row in rows["ant_finance"] if row["subtask"] == subtask]
        path = folder / "ant_finance" / names.CATEGORIES[item.category] / f"{item.title}.csv"
        write(path, table([key for key in of_it[0] if key not in ("subtask", "sample")], of_it))


def tasks_docs(name: str) -> Any:
    return data_files.module_at(ROOT / "tasks" / name / "docs.py")


def table(columns: list[str], rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def pins(folder: Path) -> tuple[data_files.Pinned, ...]:
    """The pinned table of the stand-in publisher."""
    found = []
    for path in sorted(file for file in folder.rglob("*") if file.is_file()):
        name, content = path.relative_to(folder).as_posix(), path.read_bytes()
        digest, url = hashlib.sha256(content).hexdigest(), f"https://publisher.invalid/{name}"
        found.append(data_files.Pinned(name.split("/")[0], name, "official", 1, len(content), digest, "", "MIT", url))
    return tuple(found)


# -- one page --------------------------------------------------------------------------------------------------------


class Reader:
    """Somebody who types what a page says, in a folder with what the page presupposes."""

    def __init__(self, page: str, world: World, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.page, self.capsys, self.patch = page, capsys, patch
        named = dict.fromkeys(re.findall(r"http://\w+:\d+/v1", PAGES[page]))  # the first two are two servers
        self.addresses = {url: world.servers[min(at, 1)].url for at, url in enumerate(named)}
        run_a, run_b = map(str, world.runs)
        self.values = {
            "MODEL": "baseline/heuristic", "RUN": run_a, "RUN_A": run_a, "RUN_B": run_b, "A": run_a, "B": run_b,
            "DIR": str(data_files.cache_dir()), "URL": world.servers[0].url, "JUDGE_MODEL": "JUDGE_MODEL",
            "PATHS": str(world.runs[0].parent), "FILE": "written.html",
        }  # fmt: skip

    def read(self) -> None:
        for piece in pieces(PAGES[self.page]):
            if piece.kind != "command" or piece.text not in EXCUSED:
                getattr(self, f"_{piece.kind}")(piece)

    def where(self, piece: Piece) -> str:
        return f"{self.page}:{piece.line}: {piece.text.strip()}"

    def _export(self, piece: Piece) -> None:
        for pair in shlex.split(piece.text)[1:]:
            name, _, value = pair.partition("=")
            self.patch.setenv(name, value)

    def _mention(self, piece: Piece) -> None:
        with pytest.raises(SystemExit) as end:
            cli.main([*shlex.split(piece.text)[1:], "--help"])
        assert end.value.code == 0, f"{self.where(piece)}: no such command"

    def _command(self, piece: Piece) -> None:
        text = re.sub(r"[\[\]]|\.\.\.", "", piece.text)  # [PATHS...]: may be left out
        text = text.replace("--model vllm --model_args pretrained=MODEL", "--model dummy")
        for named, real in self.addresses.items():
            text = text.replace(named, real)
        text = PLACEHOLDER.sub(self._value, text) if "'" not in text else text
        self.capsys.readouterr()
        try:
            code = self._run(text)
        except SystemExit as end:
            code = end.code
        said = self.capsys.readouterr()
        assert code == 0, f"{self.where(piece)}\n{said.err[-3000:]}"
        if piece.output is not None:
            got = [line.rstrip() for line in (said.err + said.out).splitlines()]
            assert got == [line.rstrip() for line in piece.output.splitlines()], self.where(piece)

    def _value(self, match: re.Match[str]) -> str:
        assert match[0] in self.values, f"{self.page}: {match.string}: no value for the placeholder {match[0]}"
        return self.values[match[0]]

    def _run(self, text: str) -> Any:
        """In this process where that makes no difference, else in a shell.

        lm-eval reads its own 14,000 task files at each start, which takes twelve seconds: it may do so once.
        """
        if text.split()[0].endswith("finbench") and not re.search(r"[|<>*]", text):
            return cli.main(shlex.split(text)[1:])
        if self.page != "docs/custom-tasks.md":
            text = text.replace("lm_eval ", f"python -c {shlex.quote(LM_EVAL)} ")
        programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = os.environ | {"PATH": programs, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(["bash", "-c", text], env=environment, capture_output=True, text=True, check=False)
        print(done.stdout, end="")
        print(done.stderr, end="", file=sys.stderr)
        return done.returncode

    def _python(self, piece: Piece) -> None:
        exec(compile(piece.text, self.where(piece), "exec"), {"__name__": "__main__"})

    def _yaml(self, piece: Piece) -> None:
        read = next((read for mark, read in READS_YAML.items() if mark in piece.text), None)
        assert read, f"{self.where(piece)}: say in READS_YAML what reads this"
        read(piece.text)


def _prices(text: str) -> None:
    write(Path("prices.yaml"), text)
    assert cost.read(Path("prices.yaml"), "my-hosted-model-2")


def _task(text: str) -> None:
    """A task file of the page, over the rows that the page made before."""
    folder = Path("fees-by-hand")
    shutil.copytree("fees", folder)
    (folder / "fees.yaml").unlink()
    write(folder / "by_hand.yaml", f"task: by_hand\ntest_split: test\ndoc_to_text: '{{{{question}}}}'\ndoc_to_target: gold\n"
          f"output_type: generate_until\n{text}")  # fmt: skip
    assert not check.check(folder).findings


def _parts(text: str) -> None:
    """Filter and metric of a task that keeps lm-eval's own scoring."""
    write(Path("parts/rows.jsonl"), '{"q": "What is the margin in percent?", "a": "14.2%"}\n')
    write(Path("parts/parts.yaml"), "task: parts\ndataset_path: json\ndataset_kwargs: {data_files: {test: parts/rows.jsonl}}\n"
          "test_split: test\noutput_type: generate_until\ndoc_to_text: '{{q}}'\ndoc_to_target: '{{a}}'\n"
          f"generation_kwargs: {{until: [], max_gen_toks: 1024}}\n{text}")  # fmt: skip
    assert cli.main("run --model baseline/oracle --tasks parts --include parts --quiet --fail-under 100".split()) == 0


READS_YAML: dict[str, Callable[[str], object]] = {
    "currency:": _prices,
    "custom_dataset:": _task,
    "filter_list:": _parts,
    "apiVersion: ray.io": yaml.safe_load,  # KubeRay reads it; its entrypoint is excused above
}


def block(page: str, begins: str) -> str:
    """The code block of a page that begins so."""
    return re.search(rf"^```\w*\n({re.escape(begins)}.*?)^```", PAGES[page], re.M | re.S)[1]  # type: ignore[index]


@pytest.fixture
def folder(request: pytest.FixtureRequest, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the pages name, data fetched (but for pages that fetch it themselves), and no network."""
    page = request.getfixturevalue("page")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("FINBENCH_DATA", "FINBENCH_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    known = pins(world.published)
    monkeypatch.setattr(data_files, "pinned", lambda: known)
    monkeypatch.setattr(
        download, "_https", lambda url: (world.published / url.removeprefix("https://publisher.invalid/")).open("rb")
    )
    if page not in FETCHES:
        shutil.copytree(world.published, data_files.cache_dir())
    write(tmp_path / "rows.csv", "q,a\nWhat is the fee in percent?,0.75%\nWhat is the margin in percent?,14.2%\n")
    write(tmp_path / "fees.csv", block("docs/custom-tasks.md", "qid,question"))
    for name in ("train.jsonl", "more.jsonl"):
        write(tmp_path / name, '{"text": "An invented text without any question of a benchmark in it."}\n')
    if page in NEEDS_TASKS:
        shutil.copytree(ROOT / "tasks", tmp_path / "tasks")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for words in BEFORE.get(page, ()):
            assert cli.main(words.split()) == 0
    connect = socket.socket.connect

    def at_home(self: socket.socket, address: Any) -> None:
        assert self.family == socket.AF_UNIX or address[0].startswith("127."), f"{address}: a page's command goes out"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", at_home)
    return tmp_path


FETCHES = ("README.md", "docs/air-gapped.md")
NEEDS_TASKS = {page for page, text in PAGES.items() if "--include_path tasks" in text}
BEFORE = {
    "docs/lm-eval.md": (
        "tasks new mine --from rows.csv --question q --answer a --into my_tasks",
        "tasks new fees --from fees.csv --question question --answer answer --id qid",
    ),
}


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_says_works_in_the_order_of_the_page(
    page: str, folder: Path, world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Reader(page, world, capsys, monkeypatch).read()


def test_every_excuse_is_for_a_command_that_a_page_holds() -> None:
    held = {piece.text for text in PAGES.values() for piece in pieces(text)}
    assert not set(EXCUSED) - held


def test_the_outline_of_the_json_document_has_its_keys_and_no_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"run --model baseline/heuristic --data sample --json --quiet --no-report --output {tmp_path}"
    assert cli.main(words.split()) == 0
    document = json.loads(capsys.readouterr().out)
    keys = set(document).union(*document["tasks"].values())
    named = set(re.findall(r'"(\w+)"(?!\?)', block("docs/run.md", '{"schema"')))
    assert named == keys - {"judge", "subtasks"} | {
        "left_out"
    }  # of `comparable_average`, which sample rows have none of
