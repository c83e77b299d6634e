"""Queries about recordings, and how far they were looked through."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cloud.accounts.workspaces import HOME
from cloud.errors import NotFoundError
from cloud.store import scope, sources
from cloud.store.ids import new_id
from cloud.store.scan_tables import RecordingRow, ScanRow
from cloud.store.tables import EventState, StoredEvent, Thumbnail

SCAN_DEVICE = "scan"
"""What events of recordings name as their device."""


def note(session: Session, row: RecordingRow) -> RecordingRow:
    """Note a recording; one whose content is known stays what it is, and lies where it was seen last."""
    known = session.scalar(select(RecordingRow).where(RecordingRow.sha256 == row.sha256))
    if known is None:
        workspace_id = scope.workspace_of(session) or HOME
        row.camera = _own_camera(row, workspace_id)
        sources.claim(session, SCAN_DEVICE, row.camera, workspace_id)
        session.add(row)
        session.flush()
        return row
    known.path, known.media_id = row.path, row.media_id or known.media_id
    return known


def _own_camera(row: RecordingRow, workspace_id: str) -> str:
    """Return what events name as their camera: the same recording has another name in each workspace."""
    if workspace_id == HOME:
        return row.camera
    own = hashlib.sha256(f"{workspace_id}/{row.sha256}".encode()).hexdigest()
    return f"{row.camera.rpartition('-')[0]}-{own[:8]}"


def find_recording(session: Session, recording_id: str) -> RecordingRow:
    """Return one recording.

    Raises:
        NotFoundError: There is none.
    """
    row = session.get(RecordingRow, recording_id)
    if row is None:
        message = f"there is no recording {recording_id!r}"
        raise NotFoundError(message)
    return row


def of_cameras(session: Session, cameras: Collection[str]) -> dict[str, RecordingRow]:
    """Return recordings by the camera that their events name."""
    rows = session.scalars(select(RecordingRow).where(RecordingRow.camera.in_(sorted(cameras))))
    return {row.camera: row for row in rows}


def scan_of(session: Session, recording_id: str, detector: tuple[str, int, str], *, now_s: float) -> ScanRow:
    """Return how far a version has looked through a recording; `detector`: id, version, name."""
    detector_id, version, name = detector
    known = session.scalar(
        select(ScanRow).where(
            ScanRow.recording_id == recording_id,
            ScanRow.detector_id == detector_id,
            ScanRow.detector_version == version,
        )
    )
    if known is not None:
        return known
    row = ScanRow(
        id=new_id("scan"),
        recording_id=recording_id,
        detector_id=detector_id,
        detector_version=version,
        detector_name=name,
        glanced=False,
        until=0.0,
        looks=0,
        done=False,
        created=now_s,
        updated=now_s,
    )
    session.add(row)
    session.flush()
    return row


def every(session: Session) -> list[tuple[ScanRow, RecordingRow]]:
    """Return all scans with their recordings, newest first."""
    rows = select(ScanRow, RecordingRow).join(RecordingRow, RecordingRow.id == ScanRow.recording_id)
    return [(scan, one) for scan, one in session.execute(rows.order_by(ScanRow.created.desc(), ScanRow.id))]


def drop_glances(
    session: Session, *, device: str, camera: str, epoch: str, before: float | None = None
) -> None:
    """Forget what key frames showed, before a start time or altogether: whoever went through knows better."""
    ids = select(StoredEvent.event_id).where(StoredEvent.device == device, StoredEvent.epoch == epoch)
    gone = [EventState.device == device, EventState.camera == camera, EventState.event_id.in_(ids)]
    if before is not None:
        gone.append(EventState.start_time < before)
    of_these = select(EventState.event_id).where(*gone)
    session.execute(delete(Thumbnail).where(Thumbnail.device == device, Thumbnail.event_id.in_(of_these)))
    session.execute(delete(EventState).where(*gone))
    if before is None:
        session.execute(delete(StoredEvent).where(StoredEvent.device == device, StoredEvent.epoch == epoch))
