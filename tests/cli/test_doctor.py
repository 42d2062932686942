"""`finbench doctor`: what is broken decides the exit code, and no key is shown."""

from __future__ import annotations

import json

import pytest

from finbench import cli
from finbench.cli import doctor


def findings(capsys: pytest.CaptureFixture[str], code: int) -> dict[str, dict[str, str]]:
    assert cli.main(["doctor", "--json"]) == code
    return {one["what"]: one for one in json.loads(capsys.readouterr().out)["findings"]}


def test_what_every_run_needs_and_is_not_there_is_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert findings(capsys, 0)["lm-eval"]["status"] == "ok"
    version = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name in ("scipy", "ray") else version(name))
    found = findings(capsys, 1)
    assert found["scipy"]["status"] == "broken" and "pip install" in found["scipy"]["fix"]
    assert found["ray"]["status"] == "missing" and "-e '.[ray]'" in found["ray"]["fix"]


def test_an_lm_eval_of_another_line_is_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    version = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: "0.5.1" if name == "lm-eval" else version(name))
    assert findings(capsys, 1)["lm-eval"]["fix"] == "pip install 'lm-eval>=0.4.13,<0.5'"


def test_a_key_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    assert cli.main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "OPENAI_API_KEY" in said and "sk-secret" not in said
