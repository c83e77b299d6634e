"""Corrections from the command line, on a home folder and on a running cloud."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import Result

from cloud.actions.open_home import Home
from cloud.cli import app
from cloud.commands.correct import parse_box
from cloud.errors import InputError, NotFoundError
from cloud.ingest.batches import store_batch
from tests.cloud.homes import DEVICE, add_detector, add_device, batch, item, make_home
from tests.fakes.console import Console
from tests.fakes.events import make_event

EVENT = make_event(1)


def run(home: Home, *arguments: str) -> Result:
    return Console().invoke(app, list(arguments), env={"ELFOWL_HOME": str(home.settings.home)})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path)
    add_device(home)
    add_detector(home)
    with home.database.write() as session:
        store_batch(session, batch(item(1, 1)), now_s=1.0)
    return home


def test_correction_is_recorded_listed_and_taken_back(home: Home) -> None:
    said = json.loads(
        run(
            home, "correct", "wrong", "--event", EVENT.id, "--detector", "persons", "--author", "me", "--json"
        ).stdout
    )
    assert (said["standing"], said["correction"]["source"], said["correction"]["author"]) == (
        "waiting", "cli", "me",
    )  # fmt: skip
    listed = run(home, "corrections", "persons").stdout
    assert [word in listed for word in ("wrong", "by me (cli)", "about v1", "waits for")] == [True] * 4
    correction_id = said["correction"]["id"]
    assert "taken back" in run(home, "withdraw", correction_id).stdout
    assert json.loads(run(home, "corrections", "persons", "--json").stdout) == []
    kept = json.loads(run(home, "corrections", "persons", "--withdrawn", "--json").stdout)
    assert [one["standing"] for one in kept] == ["withdrawn"]


def test_missed_object_with_a_box_is_recorded(home: Home) -> None:
    place = ["--device", DEVICE, "--camera", "front", "--time", "5", "--box", "0.1,0.2,0.3,0.4"]
    said = json.loads(run(home, "correct", "missed", *place, "--detector", "persons", "--json").stdout)
    assert (said["correction"]["box"], said["correction"]["label"]) == ([0.1, 0.2, 0.3, 0.4], "person")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (["wrong"], InputError, "event_id"),
        (["maybe", "--event", EVENT.id], InputError, "verdict"),
        (["missed", "--camera", "front"], InputError, "time"),
        (["wrong", "--event", "nix"], NotFoundError, "no event"),
        (["wrong", "--event", EVENT.id, "--detector", "nix"], NotFoundError, "nix"),
    ],
)
def test_correction_that_makes_no_sense_is_one_clear_line(
    home: Home, arguments: list[str], error: type[Exception], words: str
) -> None:
    failed = run(home, "correct", *arguments)
    assert isinstance(failed.exception, error)
    assert words in str(failed.exception)
    assert len(str(failed.exception).splitlines()) == 1


@pytest.mark.parametrize("text", ["", "1,2,3,4", "0.1,0.2,0.3", "a,b,c,d", "0.1,0.2,0.3,0.4,0.5"])
def test_box_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="fractions"):
        parse_box(text)
