"""Home folders, devices and batches for tests."""

from __future__ import annotations

import io
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from cloud.actions.open_home import Home, open_home
from cloud.settings import Settings
from cloud.store import detectors, devices
from cloud.store.database import open_database
from cloud.store.tables import Device
from edge_agent.wire.event import Event, EventType
from edge_agent.wire.sync import BatchItem, DroppedRange, EventBatch
from tests.fakes.clock import FakeClock
from tests.fakes.events import make_event
from tests.fakes.postgres_homes import own_database, own_server

DEVICE = "porch"


def make_home(folder: Path, clock: FakeClock | None = None) -> Home:
    """Return a fresh home folder.

    Where a test of PostgreSQL runs other tests again, the tables are there.
    """
    if own_server() is not None:
        return open_home(Settings(home=folder, database=own_database(folder)), clock or FakeClock())
    return open_home(Settings(home=with_tables(folder)), clock or FakeClock())


def with_tables(folder: Path) -> Path:
    """Return the home folder, with fresh tables if it had none: to make them takes a quarter of a second."""
    path = Settings(home=folder).database_path
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_fresh_tables())
    return folder


@cache
def _fresh_tables() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fresh.sqlite"
        open_database(path).close()
        # What lies in the write-ahead log belongs into the file.
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.read_bytes()


def add_detector(home: Home, name: str = "persons") -> str:
    """Return the id of a fresh detector."""
    with home.database.write() as session:
        return detectors.create(session, name=name, labels=["person"], now_s=home.clock.now_s()).id


def add_device(home: Home, name: str = DEVICE, profile: str = "pi-4", public_key_pem: str = "key") -> None:
    """Note an enrolled device."""
    row = Device(
        name=name,
        public_key_pem=public_key_pem,
        profile=profile,
        arch="aarch64",
        agent_version="0.1.0",
        state="enrolled",
        enrolled=home.clock.now_s(),
        online=False,
    )
    with home.database.write() as session:
        devices.enrol(session, row)


def item(seq: int, number: int = 1, event_type: EventType = "new", thumbnail: str | None = None) -> BatchItem:
    """Return one event of a batch."""
    return BatchItem(
        seq=seq, event=make_event(number, event_type=event_type), thumbnail_jpeg_base64=thumbnail
    )


def batch(
    *items: BatchItem, dropped: tuple[DroppedRange, ...] = (), oldest_seq: int | None = None
) -> EventBatch:
    """Return a batch of one epoch."""
    return EventBatch(device=DEVICE, epoch="epoch-1", items=items, dropped=dropped, oldest_seq=oldest_seq)


def later(event: Event, seconds: float, event_type: EventType = "update") -> Event:
    """Return a later document of the same event."""
    changes = {"frame_time": event.frame_time + seconds, "event_type": event_type}
    return event.model_copy(update=changes)


def jpeg(width_px: int = 64, height_px: int = 48, grey: int = 128) -> bytes:
    """Return a JPEG of one colour."""
    stream = io.BytesIO()
    Image.fromarray(np.full((height_px, width_px, 3), grey, np.uint8)).save(stream, "JPEG")
    return stream.getvalue()
