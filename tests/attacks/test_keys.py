"""A key that is typed on the command line stands in no file that a run leaves, on no terminal, and in no error."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fake_server import FakeServer

from finbench import cli
from finbench.sanitize import redacted, secrets_in

PASSWORD, KEY, TOKEN, JUDGE = "canary-password", "canary-query-key", "canary-token", "canary-judge"
CANARIES = (PASSWORD, KEY, TOKEN, JUDGE)


def run(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> int:
    """The program with these words, as a shell would start it."""
    monkeypatch.setattr(sys, "argv", ["finbench", *words])
    return cli.main()


def command(server: FakeServer, folder: Path) -> list[str]:
    base = f"http://user:{PASSWORD}@127.0.0.1:{server.port}/v1?api_key={KEY}"
    judge = f"--judge-base-url=http://{JUDGE}@127.0.0.1:{server.port}/v1"
    rows = ["--data", "sample", "--tasks", "tfns", "--limit", "3", "--task-setting", f"token={TOKEN}"]
    return ["run", "--model", "fake", "--base-url", base, "--judge", "fake", judge, *rows, "--output", str(folder)]


def leaks(folder: Path) -> list[str]:
    """The files below a folder that hold one of the canaries, in whatever encoding a library writes."""
    spellings = [form for canary in CANARIES for form in (canary.encode(), canary.encode("utf-16-le"))]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path.name for path in files if any(form in path.read_bytes() for form in spellings)]


@pytest.mark.parametrize("mode", ["ok", "secret-echo", "secret-content", "500", "redirect-away", "other-model"])
def test_no_file_of_a_run_and_no_terminal_shows_a_key(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeServer(mode=mode) as server:
        more = ["--save-config", str(tmp_path / "saved.yaml"), "--retries", "0"]
        run(monkeypatch, [*command(server, tmp_path / "run"), *more])
    run(monkeypatch, ["report", str(tmp_path / "run")])
    run(monkeypatch, ["leaderboard", "build", str(tmp_path / "run"), "-o", str(tmp_path / "board.html")])
    said = capsys.readouterr()
    assert leaks(tmp_path) == []
    assert not [canary for canary in CANARIES if canary in said.out + said.err]


def test_a_run_whose_keys_were_taken_out_resumes_when_they_are_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    with FakeServer() as server:
        words = command(server, folder)
        assert run(monkeypatch, [*words, "--quiet"]) == 0
        asked = server.total
        assert run(monkeypatch, [*words, "--quiet"]) == 0 and server.total == asked
        capsys.readouterr()
        assert run(monkeypatch, ["run", "--resume", str(folder)]) == 2
        assert "--base-url 'http://[redacted]@127.0.0.1" in capsys.readouterr().err
        again = [*words[3:5], words[7], "--task-setting", "token=another-key"]
        assert run(monkeypatch, ["run", "--resume", str(folder), *again, "--quiet"]) == 0 and server.total == asked
    assert leaks(tmp_path) == []


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--no-such-flag=token=canary-token"],
        ["run", "--model", "m", "--task-setting", "=canary-token,token=canary-token"],
        ["run", "--model", "m", "--base-url", f"http://u:{PASSWORD}@127.0.0.1:99999/v1"],
        ["run", "--model", "m", "--base-url", f"ftp://u:{PASSWORD}@127.0.0.1/v1"],
        ["run", "--model", "m", "--base-url", "http://127.0.0.1:9/v1", "--api-key-env", "sk-canary-token"],
        ["run", "--model", "m", "--engine", "lm-eval:no-such-class", "--model-args", "x=1,api_key=canary-token"],
    ],
)
def test_no_error_shows_a_key(
    tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        assert run(monkeypatch, [*words, "--data", "sample", "--tasks", "tfns", "--limit", "2"]) in (2, 4)
    except SystemExit as ended:  # argparse's way
        assert ended.code == 2
    said = capsys.readouterr()
    assert said.err and "canary" not in (said.out + said.err).replace(str(tmp_path), "")


@pytest.mark.parametrize(
    "word",
    [
        f"http://user:{PASSWORD}@host/v1",
        f"user:{PASSWORD}@host:8000/v1",
        f"https://{PASSWORD}@host",
        f"http://host/v1?sig={PASSWORD}&x=1",
        f"http://host/v1?{PASSWORD}",
        f"--model-args=pretrained=m,api_key={PASSWORD},x=1",
        f'header={{"X": 1, "Authorization": "Bearer {PASSWORD}"}}',
        f"hf_token='{PASSWORD}, {PASSWORD}'",
        f"accessToken={PASSWORD}",
        f"Authorization: Bearer {PASSWORD}",
    ],
)
def test_every_way_to_write_a_key_is_known(word: str) -> None:
    assert PASSWORD not in redacted(word)
    assert any(PASSWORD in value for value in secrets_in([word]))


@pytest.mark.parametrize(
    "word",
    [
        "org/model@main",
        "http://127.0.0.1:8000/v1",
        "http://[::1]:8000/v1",
        "pretrained=m,max_gen_toks=5,tokenizer=t,max_tokens=7",
        "Answer with the key figure: what is a = b? Say so.",
        "replay:/data/a@b.jsonl",
        "",
    ],
)
def test_a_word_without_a_key_stays_as_it_is(word: str) -> None:
    assert redacted(word) == word and secrets_in([word]) == ()
