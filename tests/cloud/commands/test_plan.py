"""`elfowl-cloud plan`, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloud.cli import app
from cloud.errors import InputError
from tests.fakes.console import Console

RUNNER = Console()


def test_plan_as_json_tells_machines_and_where_figures_come_from(tmp_path: Path) -> None:
    asked = ["--streams", "5000", "--detectors", "20000", "--gpu", "a100"]
    drawn = tmp_path / "plan.svg"
    result = RUNNER.invoke(app, ["plan", *asked, "--json", "--chart", str(drawn)])
    made = json.loads(result.output)
    assert made["first_wall"].startswith("decoding")
    assert {figure["kind"] for figure in made["figures"]} >= {"measured", "assumed", "published"}
    assert drawn.read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("options", "named"),
    [(["--picture", "8k"], "picture"), (["--gpu", "abacus"], "abacus"), (["--fps", "0"], "fps")],
)
def test_plan_of_something_impossible_says_what(options: list[str], named: str) -> None:
    result = RUNNER.invoke(app, ["plan", "--streams", "1", "--detectors", "1", *options])
    assert isinstance(result.exception, InputError)
    assert named in str(result.exception)
