"""The command line: mistakes are told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from compress.cli import app

RUNNER = CliRunner()


@pytest.mark.slow  # torch is imported
@pytest.mark.parametrize(
    ("profile", "detector", "text"),
    [
        ("pi4", "tiny", "did you mean 'pi-4'?"),
        ("pi-4", "no such detector", "no trained detector 'no such detector'"),
    ],
)
def test_run_with_an_unknown_thing_is_one_line_and_exit_code_1(
    tmp_path: Path, profile: str, detector: str, text: str
) -> None:
    arguments = ["run", detector, "--profile", profile, "--out", str(tmp_path / "o"), "--json"]
    done = RUNNER.invoke(app, arguments, env={"ELFOWL_HOME": str(tmp_path / "home")})
    assert done.exit_code == 1
    assert done.stdout == ""
    assert text in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("arguments", [["run"], ["run", "tiny", "--profile", "pi-4"], ["walk"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    done = RUNNER.invoke(app, arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
