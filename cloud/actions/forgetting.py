"""Deletes events for good: on request, and those that are older than they may become."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import CursorResult, delete, func, select
from sqlalchemy.orm import Session

from cloud.errors import InputError
from cloud.settings import Settings
from cloud.store import alerts, audit, corrections
from cloud.store.alert_tables import AlertJudgedRow
from cloud.store.database import Database
from cloud.store.tables import EventState, StoredCorrection, StoredEvent, Thumbnail
from edge_agent.clock import Clock
from edge_agent.wire.correction import Correction

_AT_ONCE = 500


@dataclass(frozen=True)
class Doomed:
    """Which events are deleted: all that is given must hold, and something must be given.

    Attributes:
        before_s: Last seen before this, UTC seconds since 1970.
        camera: Seen by a camera of this name.
        device: Sent by this device.
        received_before_s: Came here before this, whenever it was seen.
    """

    before_s: float | None = None
    camera: str | None = None
    device: str | None = None
    received_before_s: float | None = None

    def __post_init__(self) -> None:
        if not str(self):
            message = "say which events to delete: before a time, of a camera or of a device"
            raise InputError(message)

    def holds(self, correction: Correction) -> bool:
        """Return whether what was said of a moment, not of an event, is about this time and place."""
        return (
            correction.time is not None
            and (self.before_s is None or correction.time < self.before_s)
            and self.camera in {None, correction.camera}
            and self.device in {None, correction.device}
        )

    def __str__(self) -> str:
        """Return which ones, for the audit log."""
        parts = (
            ("before", self.before_s),
            ("camera", self.camera),
            ("device", self.device),
            ("received before", self.received_before_s),
        )
        return ", ".join(f"{word} {value}" for word, value in parts if value is not None)


@dataclass(frozen=True)
class Deleted:
    """What was deleted: events, their documents, their small pictures, and corrections with key frames."""

    events: int = 0
    documents: int = 0
    pictures: int = 0
    corrections: int = 0


@dataclass
class _Count:
    events: int = 0
    documents: int = 0
    pictures: int = 0
    corrections: int = 0
    files: list[str] = field(default_factory=list)


def count_doomed(session: Session, doomed: Doomed) -> int:
    """Return how many events would be deleted."""
    return session.scalar(select(func.count()).select_from(EventState).where(*_wanted(doomed))) or 0


def delete_events(
    database: Database,
    settings: Settings,
    clock: Clock,
    doomed: Doomed,
    *,
    keep_corrections: bool = False,
    who: str | None = None,
) -> Deleted:
    """Delete events with all that came with them, some at a time, so that others can write between.

    Args:
        database: Where they lie.
        settings: Where key frames lie.
        clock: For the audit log.
        doomed: Which ones.
        keep_corrections: Keep what people said of them, with the key frames: examples to learn from.
        who: Who asked for it, for the audit log.
    """
    count = _Count()
    while _delete_some(database, settings, doomed, count, keep_corrections=keep_corrections):
        pass
    if not keep_corrections:
        with database.write(durable=True) as session:
            _delete_corrections(session, _of_moments(session, doomed), count)
        _unlink(settings, count)
    done = Deleted(count.events, count.documents, count.pictures, count.corrections)
    if done != Deleted():
        with database.write(durable=True) as session:
            detail = f"{doomed}: {done.events} events, {done.corrections} corrections"
            audit.note(
                session, "events deleted", now_s=clock.now_s(), device=doomed.device, who=who, detail=detail
            )
    return done


def delete_said_of(database: Database, settings: Settings, event_ids: Sequence[str]) -> None:
    """Delete what people said of events, with the key frames."""
    count = _Count()
    with database.write(durable=True) as session:
        for begin in range(0, len(event_ids), _AT_ONCE):
            _delete_corrections(session, _of_events(session, event_ids[begin : begin + _AT_ONCE]), count)
    _unlink(settings, count)


def _delete_some(
    database: Database, settings: Settings, doomed: Doomed, count: _Count, *, keep_corrections: bool
) -> bool:
    with database.write(durable=True) as session:
        some = select(EventState.device, EventState.event_id).where(*_wanted(doomed)).limit(_AT_ONCE)
        by_device: dict[str, list[str]] = {}
        for device, event_id in session.execute(some):
            by_device.setdefault(device, []).append(event_id)
        for device, ids in by_device.items():
            count.pictures += _delete_from(session, Thumbnail, device, ids)
            count.documents += _delete_from(session, StoredEvent, device, ids)
            count.events += _delete_from(session, EventState, device, ids)
            _delete_from(session, AlertJudgedRow, device, ids)
            alerts.forget_events(session, device, ids)
            if not keep_corrections:
                _delete_corrections(session, _of_events(session, ids), count)
    _unlink(settings, count)
    return bool(by_device)


def _delete_from(session: Session, table: Any, device: str, ids: Sequence[str]) -> int:  # noqa: ANN401 - a table
    done = session.execute(delete(table).where(table.device == device, table.event_id.in_(ids)))
    return done.rowcount if isinstance(done, CursorResult) else 0


def _of_events(session: Session, ids: Sequence[str]) -> list[StoredCorrection]:
    return list(session.scalars(select(StoredCorrection).where(StoredCorrection.event_id.in_(ids))))


def _of_moments(session: Session, doomed: Doomed) -> list[StoredCorrection]:
    """Return what was said of moments: something was missed there; no event tells of it."""
    rows = select(StoredCorrection).where(
        StoredCorrection.event_id.is_(None), StoredCorrection.device.is_not(None)
    )
    return [row for row in session.scalars(rows) if doomed.holds(corrections.document_of(row))]


def _delete_corrections(session: Session, rows: Iterable[StoredCorrection], count: _Count) -> None:
    for row in rows:
        count.corrections += 1
        if row.key_frame_path is not None:
            count.files.append(row.key_frame_path)
        session.delete(row)


def _unlink(settings: Settings, count: _Count) -> None:
    # After the commit: a file without its row would be lost for ever, a row without its file is an error.
    for path in count.files:
        (settings.home / path).unlink(missing_ok=True)
    count.files.clear()


def _wanted(doomed: Doomed) -> list[Any]:
    wanted: list[Any] = []
    if doomed.before_s is not None:
        wanted.append(EventState.frame_time < doomed.before_s)
    if doomed.camera is not None:
        wanted.append(EventState.camera == doomed.camera)
    if doomed.device is not None:
        wanted.append(EventState.device == doomed.device)
    if doomed.received_before_s is not None:
        wanted.append(EventState.received < doomed.received_before_s)
    return wanted
