"""Suggestions for a detector in a home folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloud.actions.frozen import write_split
from cloud.actions.media import Role, import_file
from cloud.actions.open_home import Home
from cloud.cli import app
from cloud.errors import InputError
from cloud.evaluation.split import FrameMark, FrozenSplit
from cloud.store import labels
from cloud.store import media as media_store
from cloud.store.labels import FrameLabels
from cloud.training.config import CancelledError
from cloud.worker.suggest import suggest
from tests.cloud.homes import add_detector, jpeg, make_home
from tests.fakes.console import Console


def add_pictures(home: Home, detector_id: str, folder: Path, count: int, role: Role = "teach") -> list[str]:
    ids = []
    for number in range(count):
        path = folder / f"{role}{number}.jpg"
        path.write_bytes(jpeg(grey=40 + 20 * number))
        with home.database.write() as session:
            row = import_file(
                session, home.settings, detector_id=detector_id, source=path, now_s=1.0, role=role
            )
            ids.append(row.id)
    return ids


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home")


@pytest.mark.slow
def test_unlabelled_frames_are_suggested_before_there_is_a_version_and_none_that_tests(
    home: Home, tmp_path: Path
) -> None:
    detector_id = add_detector(home)
    media = add_pictures(home, detector_id, tmp_path, 4)
    with home.database.write() as session:
        labels.put(
            session, media_id=media[1], frame_index=0, revision=0, labels=FrameLabels((), True), now_s=1.0
        )
    environment = {"ELFOWL_HOME": str(home.settings.home)}
    done = Console().invoke(
        app, ["detector", "suggest", "persons", "--count", "9", "--json"], env=environment
    )
    found = json.loads(done.stdout)
    with home.database.read() as session:
        frozen = FrameMark(file=media_store.find(session, media[3]).sha256)
    write_split(home, detector_id, FrozenSplit(test=(frozen,)))
    after = suggest(home, "persons", count=9)
    assert (found["version"], found["looked_at"]) == (None, 4)
    assert {one["media"] for one in found["frames"]} == {*media} - {media[1]}
    assert {one["media"] for one in after["frames"]} == {media[0], media[2]}
    assert suggest(home, "persons", count=1)["frames"] == after["frames"][:1]
    with pytest.raises(CancelledError):
        suggest(home, "persons", cancelled=lambda: True)


@pytest.mark.parametrize("role", ["test", None])
def test_detector_without_footage_to_learn_from_says_so(
    home: Home, tmp_path: Path, role: Role | None
) -> None:
    detector_id = add_detector(home)
    if role is not None:
        add_pictures(home, detector_id, tmp_path, 1, role)
    with pytest.raises(InputError, match="no footage"):
        suggest(home, "persons")
