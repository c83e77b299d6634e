"""A stream that the cloud itself watches, with a detector that was taught for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx

from bench.creating.lessons import read_lessons
from bench.sharing.teach import look_at_tasks, teach_many
from cloud.actions.open_home import open_home
from cloud.detector.files import save_detector
from cloud.detector.full import FullDetector
from cloud.settings import Settings
from cloud.store import detectors
from cloud.store.database import open_database
from cloud.store.streams import STREAM_DEVICE
from cloud.store.tables import StoredEvent
from cloud.subnets.registry import subnet_by_name
from edge_agent.clock import SystemClock
from edge_agent.wire.event import Event

_SUBNET = "efficientnet_lite0"
_NAME = "persons"


def add_taught_detector(settings: Settings) -> None:
    """Teach a light detector of persons and put it into a home folder, before its server starts."""
    subnet = subnet_by_name(_SUBNET)
    tasks = look_at_tasks(read_lessons("persons"), read_lessons("biscuit-box"), subnet)
    (taught,) = teach_many(tasks[:1], subnet, 1)
    home = open_home(settings, SystemClock())
    now_s = home.clock.now_s()
    with home.database.write() as session:
        detector_id = detectors.create(session, name=_NAME, labels=["person"], now_s=now_s).id
        detectors.add_version(session, detector_id=detector_id, version=1, metrics={}, now_s=now_s)
    home.database.close()
    ref = taught.ref.model_copy(update={"id": detector_id, "version": 1})
    spec = taught.spec.model_copy(update={"detector": ref, "architecture": "light_stride8"})
    save_detector(FullDetector(spec, taught.taught_head), settings.detectors_path / detector_id / "v1")


def watch(url: str, settings: Settings, clip: Path) -> None:
    """Let the cloud watch a clip as a stream, at its own speed."""
    settings.recordings_path.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(clip, settings.recordings_path / clip.name)
    stream = {"name": "yard", "address": clip.name, "detectors": [_NAME]}
    httpx.post(f"{url}/api/v1/streams", json=stream, timeout=30.0).raise_for_status()


def confirmed_s(settings: Settings) -> dict[str, float]:
    """Return of each event of streams the time of the picture that confirmed it, UTC seconds since 1970."""
    database = open_database(settings.database_path)
    with database.read() as session:
        rows = session.query(StoredEvent.body).filter(StoredEvent.device == STREAM_DEVICE).all()
    database.close()
    events = [Event.from_json(body) for (body,) in rows]
    return {event.id: event.frame_time for event in events if event.event_type == "new"}
