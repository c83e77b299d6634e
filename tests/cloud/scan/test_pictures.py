"""Small pictures of what a scan saw come out of the recording, when somebody looks."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import func, select

from cloud.actions.open_home import Home
from cloud.actions.recorded_pictures import small_picture
from cloud.actions.scans import note_file
from cloud.errors import NotFoundError
from cloud.scan.recording import picture_at
from cloud.store import scans
from cloud.store.scan_tables import RecordingRow
from cloud.store.scans import SCAN_DEVICE
from cloud.store.tables import EventState, Thumbnail
from cloud.training.config import CancelledError
from cloud.worker.scan import scan_recording
from edge_agent.wire.event import Event
from tests.cloud.homes import make_home
from tests.cloud.scan.squares import COUNT, FPS, SquareEyes, write_squares
from tests.cloud.scan.test_scan import BEGAN, SETTINGS


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_squares(tmp_path / "squares.mp4")


@pytest.fixture
def home(tmp_path: Path, video: Path) -> Home:
    home = make_home(tmp_path / "home")
    note_file(home, video, BEGAN)
    return home


def scanned(home: Home) -> list[EventState]:
    with home.database.read() as session:
        row = next(iter(scans.of_cameras(session, _cameras(home)).values()))
    scan_recording(home, row, SquareEyes(), settings=SETTINGS)
    with home.database.read() as session:
        return list(session.scalars(select(EventState).order_by(EventState.start_time)))


def _cameras(home: Home) -> list[str]:
    with home.database.read() as session:
        return list(session.scalars(select(RecordingRow.camera)))


def test_picture_shows_what_was_seen_where_it_was_seen(home: Home, video: Path) -> None:
    events = scanned(home)
    assert len(events) == 2
    for event in events:
        brightness = np.asarray(Image.open(io.BytesIO(small_picture(home, event.event_id))).convert("L"))
        left = int(np.nonzero(brightness.max(axis=0) > 180)[0].min()) / brightness.shape[1]
        with home.database.read() as session:
            state = session.get_one(EventState, (SCAN_DEVICE, event.event_id))
        assert left == pytest.approx(_box_left(state), abs=0.03)
        assert state.has_thumbnail

    video.unlink()
    assert small_picture(home, events[0].event_id).startswith(b"\xff\xd8\xff")


def test_event_of_a_recording_that_is_gone_has_no_picture(home: Home, video: Path) -> None:
    events = scanned(home)
    video.unlink()
    with pytest.raises(NotFoundError, match="no longer at"):
        small_picture(home, events[0].event_id)


def test_picture_of_a_glance_goes_with_it(home: Home) -> None:
    def look_at_glances(share: float, _message: str) -> None:
        if share > 0.0:
            with home.database.read() as session:
                ids = session.scalars(select(EventState.event_id)).all()
            for event_id in ids:
                small_picture(home, event_id)
            raise CancelledError

    with home.database.read() as session:
        row = next(iter(scans.of_cameras(session, _cameras(home)).values()))
    with pytest.raises(CancelledError):
        scan_recording(home, row, SquareEyes(), settings=SETTINGS, tell=look_at_glances)
    assert _pictures(home) > 0
    scan_recording(home, row, SquareEyes(), settings=SETTINGS)
    assert _pictures(home) == 0


@pytest.mark.parametrize("frame", [0, 31, 69, 70, COUNT - 1])
def test_picture_at_a_time_is_that_of_its_number(video: Path, frame: int) -> None:
    rgb = picture_at(video, frame / FPS)
    lefts = np.nonzero(rgb[:, :, 1].max(axis=0) > 180)[0]
    expected = [4 + 2 * (frame - first) for first, end in ((30, 70), (110, 160)) if first <= frame < end]
    found = [int(lefts.min())] if len(lefts) else []
    assert found == pytest.approx(expected, abs=1)


def _box_left(state: EventState) -> float:
    return Event.from_json(state.body).box[0]


def _pictures(home: Home) -> int:
    with home.database.read() as session:
        return session.scalar(select(func.count()).select_from(Thumbnail)) or 0
