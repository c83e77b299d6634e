"""`elfowl-cloud attribute`: what the command line does with attributes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import Result

from cloud.actions.attributes import add_attribute, attributes_of
from cloud.actions.media import import_file
from cloud.actions.open_home import Home
from cloud.cli import app
from cloud.errors import InputError
from cloud.store import detectors
from tests.cloud.homes import add_detector, jpeg, make_home
from tests.fakes.console import Console


def run(home: Home, *arguments: str) -> Result:
    return Console().invoke(app, ["attribute", *arguments, "--home", str(home.settings.home)])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path / "home")
    add_detector(home, "cans")
    with home.database.write() as session:
        detectors.add_labels(session, detectors.find(session, "cans").id, ["can"])
    add_attribute(home, "cans", "kind", ("can",), ("diet", "regular"))
    return home


def add_picture(home: Home, path: Path) -> str:
    path.write_bytes(jpeg())
    with home.database.write() as session:
        found = detectors.find(session, "cans").id
        return import_file(session, home.settings, detector_id=found, source=path, now_s=0.0).id


def test_example_is_shown_listed_and_taken_back(home: Home, tmp_path: Path) -> None:
    media_id = add_picture(home, tmp_path / "a.jpg")
    shown = run(home, "example", "cans", "kind", "diet", "--media", media_id, "--box", "0.1,0.1,0.5,0.5")
    listed = json.loads(run(home, "examples", "cans", "kind", "--json").stdout)
    back = run(home, "take-back", "cans", "kind", listed[0]["id"])
    assert "diet (1), regular (0); not taught yet" in shown.stdout
    assert [(one["value"], one["media_id"]) for one in listed] == [("diet", media_id)]
    assert "diet (0), regular (0)" in back.stdout
    assert "no examples yet" in run(home, "examples", "cans", "kind").stdout


def test_attribute_is_renamed_with_its_values(home: Home) -> None:
    arguments = ("--name", "sort", "--rename", "diet=light", "--values", "light, cherry")
    changed = run(home, "change", "cans", "kind", *arguments)
    assert "sort of can: light (0), cherry (0)" in changed.stdout
    assert [one.slug for one in attributes_of(home, "cans")] == ["sort"]


def test_rename_without_a_new_name_is_refused(home: Home) -> None:
    refused = run(home, "change", "cans", "kind", "--rename", "diet")
    assert isinstance(refused.exception, InputError)
    assert "as diet=light" in str(refused.exception)
