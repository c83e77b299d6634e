"""What people do with streams: added, paused, changed, removed, and told how they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.errors import ConflictError, InputError, NotFoundError
from cloud.settings import Settings
from cloud.store import streams
from cloud.streams.desk import StreamBody, StreamChange, StreamDesk
from cloud.streams.leases import LEASE_S
from cloud.streams.settings import StreamSettings
from tests.cloud.streams.test_book import Scene, told


class Desk(Scene):
    """The scene of one stream, with a desk."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.desk = StreamDesk(self.home.database, self.clock, Settings(home=folder))


@pytest.fixture
def scene(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_stream_shows_no_password_and_how_it_is(scene: Desk) -> None:
    body = StreamBody(
        name="door", address="rtsp://me:secret@192.0.2.7/live", detectors=["persons@1", "persons@v1"]
    )
    made = scene.desk.add(body)
    assert "secret" not in made.model_dump_json()
    assert (made.state, [one.version for one in made.detectors]) == ("starting", [1])
    held = scene.take("w1")
    assert held is not None
    scene.watched("w1", held, scene.clock.now_s())
    assert scene.desk.show("yard").state == "watched"
    scene.clock.advance(LEASE_S + 1)
    silent = scene.desk.show("yard")
    assert (silent.state, silent.reason) == ("not watched", "its process says nothing; another one takes it")
    assert [one.name for one in scene.desk.every()] == ["door", "yard"]


def test_pause_and_resume_are_gaps_of_their_own(scene: Desk) -> None:
    scene.desk.pause("yard", paused=True)
    assert scene.desk.show("yard").state == "paused"
    scene.clock.advance(60.0)
    scene.desk.pause("yard", paused=False)
    scene.desk.pause("yard", paused=False)
    kinds = [(gap.kind, gap.ended is None) for gap in scene.desk.gaps("yard")]
    assert kinds == [("starting", True), ("paused", False)]


def test_removed_stream_is_gone_and_nothing_of_it_stays_open(scene: Desk) -> None:
    held = scene.take("w1")
    assert held is not None
    scene.book.store("w1", told(1, held))
    scene.desk.remove("yard")
    with pytest.raises(NotFoundError):
        scene.desk.show("yard")
    with scene.home.database.read() as session:
        assert streams.open_events(session, "yard") == []
    assert scene.watched("w1", held) == {"str_1"}


def test_changed_settings_reach_whoever_watches(scene: Desk) -> None:
    scene.desk.change("yard", StreamChange(settings=StreamSettings(threshold=0.7)))
    assert scene.book.look().wanted["str_1"].settings.threshold == 0.7
    with pytest.raises(InputError):
        scene.desk.change("yard", StreamChange(address="http://169.254.169.254/"))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"name": "yard"}, ConflictError),
        ({"address": "/etc/passwd"}, InputError),
        ({"detectors": ["nobody"]}, NotFoundError),
        ({"detectors": ["persons@7"]}, NotFoundError),
        ({"detectors": ["persons@x"]}, InputError),
        ({"detectors": ["persons", "persons@1"]}, ConflictError),
    ],
)
def test_stream_that_cannot_be_watched_is_refused(
    scene: Desk, body: dict[str, object], error: type[Exception]
) -> None:
    plain = {"name": "door", "address": "rtsp://192.0.2.7/live", "detectors": ["persons"]}
    with pytest.raises(error):
        scene.desk.add(StreamBody.model_validate(plain | body))
