"""A recording is looked through once, finds everything in it, and goes on where it was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cloud.actions.open_home import Home
from cloud.actions.scans import note_file, videos_in
from cloud.api.search import search_view
from cloud.errors import InputError
from cloud.notify.rule import AlertRule
from cloud.scan.plan import ScanSettings
from cloud.store import alerts, scans
from cloud.store.scan_tables import RecordingRow
from cloud.store.tables import EventState
from cloud.training.config import CancelledError
from cloud.worker.scan import scan_recording
from edge_agent.wire.detection import DetectorRef
from tests.cloud.homes import make_home
from tests.cloud.scan.squares import APPEARANCES, COUNT, FPS, SquareEyes, write_squares

BEGAN = 1_700_000_000.0
SETTINGS = ScanSettings(window=10, glance_every_s=4.0, glance_from_s=0.0)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_squares(tmp_path_factory.mktemp("video") / "squares at the gate.mp4")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home")


@pytest.fixture
def recording(home: Home, video: Path) -> RecordingRow:
    return note_file(home, video, BEGAN)


def told(home: Home) -> list[tuple[str, float, float]]:
    """Return what is known of squares: id, and from when until when, in seconds of the video."""
    with home.database.read() as session:
        rows = session.scalars(select(EventState).order_by(EventState.start_time))
        return [(row.event_id, row.start_time - BEGAN, row.frame_time - BEGAN) for row in rows]


def test_everything_that_came_is_found_by_a_part_of_the_pictures(home: Home, recording: RecordingRow) -> None:
    eyes = SquareEyes()
    looked = scan_recording(home, recording, eyes, settings=SETTINGS)

    ends = [moment_s for _, begin, end in told(home) for moment_s in (begin, end)]
    expected = [frame / FPS for first, end in APPEARANCES for frame in (first, end - 1)]
    assert ends == pytest.approx(expected, abs=0.3)
    assert looked == eyes.looks < COUNT / 3
    with home.database.read() as session:
        view = search_view(session, "square", now_s=BEGAN + 60)
        ((scan, _),) = scans.every(session)
    recorded = [moment.events[0].recorded for moment in view.moments]
    found = [one for one in recorded if one is not None]
    assert {one.recording for one in found} == {recording.id}
    assert [one.frame for one in found] == pytest.approx([first for first, _ in reversed(APPEARANCES)], abs=3)
    assert (scan.done, scan.glanced, scan.looks) == (True, True, looked)


def test_version_that_looked_looks_no_more_and_another_one_does(home: Home, recording: RecordingRow) -> None:
    scan_recording(home, recording, SquareEyes(), settings=SETTINGS)
    before, again = told(home), SquareEyes()

    assert scan_recording(home, recording, again, settings=SETTINGS) == again.looks == 0
    assert told(home) == before

    newer = SquareEyes(DetectorRef(id="det_squares", name="squares", version=2))
    assert scan_recording(home, recording, newer, settings=SETTINGS) > 0
    assert len(told(home)) == 2 * len(before)


@pytest.mark.parametrize("breaks_at", [3, 12, 20])
def test_scan_that_was_killed_goes_on_and_tells_the_same(
    home: Home, recording: RecordingRow, tmp_path: Path, breaks_at: int
) -> None:
    whole = make_home(tmp_path / "whole")
    other = note_file(whole, Path(recording.path), BEGAN)
    undisturbed = SquareEyes()
    scan_recording(whole, other, undisturbed, settings=SETTINGS)

    broken, second = SquareEyes(breaks_at=breaks_at), SquareEyes()
    with pytest.raises(KeyboardInterrupt):
        scan_recording(home, recording, broken, settings=SETTINGS)
    scan_recording(home, recording, second, settings=SETTINGS)

    assert [times for _, *times in told(home)] == [times for _, *times in told(whole)]
    assert broken.looks + second.looks <= undisturbed.looks + 2 * SETTINGS.window


def test_glance_is_found_before_the_recording_was_gone_through_and_gives_way(
    home: Home, recording: RecordingRow
) -> None:
    seen: list[list[Any]] = []

    def stop_later(share: float, _message: str) -> None:
        seen.append(told(home))
        if share > 0.3:
            message = "enough"
            raise CancelledError(message)

    with pytest.raises(CancelledError):
        scan_recording(home, recording, SquareEyes(), settings=SETTINGS, tell=stop_later)

    glances = [event for event in seen[1] if "-g" in event[0]]
    assert [begin for _, begin, _ in glances] == [4.0, 12.0]
    scan_recording(home, recording, SquareEyes(), settings=SETTINGS)
    assert not [event for event in told(home) if "-g" in event[0]]


def test_alert_that_wants_recordings_is_told_of_each_event_once_also_after_a_kill(
    home: Home, recording: RecordingRow
) -> None:
    with home.database.write() as session:
        for wants in (True, False):
            rule = AlertRule(name=f"wants {wants}", channels=("json://a/",), recordings=wants)
            alerts.add_rule(session, name=rule.name, body=rule.model_dump_json(), now_s=BEGAN)
    with pytest.raises(KeyboardInterrupt):
        scan_recording(home, recording, SquareEyes(breaks_at=15), settings=SETTINGS)
    scan_recording(home, recording, SquareEyes(), settings=SETTINGS)

    with home.database.read() as session:
        (message,) = alerts.newest_messages(session)
    assert message.rule_name == "wants True"
    assert sorted(event for _, event in message.events) == sorted(event for event, *_ in told(home))


def test_folder_is_its_videos_and_one_without_any_is_refused(tmp_path: Path, video: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    with pytest.raises(InputError, match="holds no video"):
        videos_in([tmp_path])
    (inner / "one.MP4").write_bytes(b"")
    (inner / "notes.txt").write_bytes(b"")
    assert videos_in([tmp_path, video]) == [inner / "one.MP4", video]


def test_same_content_under_another_name_is_the_same_recording(
    home: Home, recording: RecordingRow, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(Path(recording.path).read_bytes())
    again = note_file(home, copy)
    assert (again.id, again.path, again.began) == (recording.id, str(copy), BEGAN)
