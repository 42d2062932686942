"""`finbench completion`: a script where shtab is there, a way to it where it is not."""

from __future__ import annotations

import sys

import pytest

from finbench import cli


def test_a_script_knows_the_commands_and_their_flags(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab", reason="shtab is not installed; pip install 'finbench[completion]'")
    assert cli.main(["completion", "bash"]) == 0
    said = capsys.readouterr().out
    assert "leaderboard" in said and "--max-tokens" in said


def test_without_shtab_the_way_to_it_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert cli.main(["completion", "bash"]) == 2
    assert "finbench[completion]" in capsys.readouterr().err
