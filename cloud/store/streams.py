"""Queries about streams that the cloud watches."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, delete, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from cloud.accounts.workspaces import HOME
from cloud.errors import ConflictError, NotFoundError
from cloud.store import detectors, scope, sources
from cloud.store.ids import new_id
from cloud.store.stream_tables import StreamGapRow, StreamLeaseRow, StreamRow, StreamWorkerRow
from cloud.store.tables import Detector, EventState, Version

STREAM_DEVICE = "cloud-stream"
"""What events of streams that the cloud watches name as their device."""


def add(session: Session, row: StreamRow) -> StreamRow:
    """Note a stream that nobody watches yet.

    Raises:
        ConflictError: Another one has its name.
    """
    if session.scalar(select(StreamRow.id).where(StreamRow.name == row.name)) is not None:
        message = f"there is a stream {row.name!r} already; give this one another name"
        raise ConflictError(message)
    # Its events name a device that all workspaces share, and the stream as their camera.
    sources.claim(session, STREAM_DEVICE, row.name, scope.workspace_of(session) or HOME)
    session.add(row)
    session.flush()
    session.add(
        StreamLeaseRow(
            stream_id=row.id,
            holder=None,
            token=0,
            taken=0.0,
            beat=0.0,
            watched=row.created,
            status="starting",
            reason="nobody watches it yet",
            since=row.created,
            losses=0,
            lost=0.0,
            figures={},
        )
    )
    session.flush()
    return row


def find(session: Session, name_or_id: str) -> StreamRow:
    """Return one stream, by id or name.

    Raises:
        NotFoundError: There is none.
    """
    row = session.get(StreamRow, name_or_id)
    row = row or session.scalar(select(StreamRow).where(StreamRow.name == name_or_id))
    if row is None:
        message = f"there is no stream {name_or_id!r}"
        raise NotFoundError(message)
    return row


def every(session: Session) -> list[tuple[StreamRow, StreamLeaseRow]]:
    """Return all streams with their leases, by name."""
    rows = select(StreamRow, StreamLeaseRow).join(StreamLeaseRow, StreamLeaseRow.stream_id == StreamRow.id)
    return [(row, lease) for row, lease in session.execute(rows.order_by(StreamRow.name))]


def any_wanted(session: Session) -> bool:
    """Return whether any stream is to be watched."""
    return session.scalar(select(StreamRow.id).where(StreamRow.paused.is_(False)).limit(1)) is not None


def any_free(session: Session, *, now_s: float, fresh_s: float) -> bool:
    """Return whether a stream is to be watched that nobody holds, or whose holder says nothing for `fresh_s`.

    One question however many streams there are: workers ask it every second.
    """
    silent = (StreamLeaseRow.beat <= now_s - fresh_s) | (StreamLeaseRow.beat >= now_s + fresh_s)
    free = (
        select(StreamLeaseRow.stream_id)
        .join(StreamRow, StreamRow.id == StreamLeaseRow.stream_id)
        .where(StreamRow.paused.is_(False), StreamLeaseRow.holder.is_(None) | silent)
    )
    return session.scalar(free.limit(1)) is not None


def free_without(session: Session, stream_ids: Collection[str], why: str) -> list[StreamLeaseRow]:
    """Return the leases of those of some streams that nobody holds, and that give another reason for it."""
    free = select(StreamLeaseRow).where(
        StreamLeaseRow.stream_id.in_(sorted(stream_ids)),
        StreamLeaseRow.holder.is_(None),
        StreamLeaseRow.reason != why,
    )
    return list(session.scalars(free.order_by(StreamLeaseRow.stream_id).with_for_update()))


def lease_of(session: Session, stream_id: str) -> StreamLeaseRow:
    """Return the lease of a stream.

    Raises:
        NotFoundError: There is no such stream.
    """
    row = session.get(StreamLeaseRow, stream_id)
    if row is None:
        message = f"there is no stream {stream_id!r}"
        raise NotFoundError(message)
    return row


def leases_of_holders(session: Session, name: str) -> list[StreamLeaseRow]:
    """Return the leases of a worker, or of all whose names begin with that name as a whole."""
    return list(session.scalars(select(StreamLeaseRow).where(_is_of(StreamLeaseRow.holder, name))))


def held_lease(session: Session, stream_id: str, holder: str, token: int) -> StreamLeaseRow | None:
    """Return a lease that is locked until the session ends; none when somebody else has it, or nobody."""
    query = select(StreamLeaseRow).where(
        StreamLeaseRow.stream_id == stream_id,
        StreamLeaseRow.holder == holder,
        StreamLeaseRow.token == token,
    )
    return session.scalar(query.with_for_update())


def held_leases(session: Session, holder: str, stream_ids: Collection[str]) -> dict[str, StreamLeaseRow]:
    """Return those of some leases that a holder has, by stream; they are locked until the session ends."""
    query = select(StreamLeaseRow).where(
        StreamLeaseRow.stream_id.in_(sorted(stream_ids)), StreamLeaseRow.holder == holder
    )
    # In one order, so that two who lock several never wait for each other.
    locked = session.scalars(query.order_by(StreamLeaseRow.stream_id).with_for_update())
    return {row.stream_id: row for row in locked}


def take_lease(session: Session, stream_id: str, *, holder: str, token: int, now_s: float) -> bool:
    """Let a worker hold a stream that nobody holds, if `token` is still its last; return whether it was."""
    changing = update(StreamLeaseRow).where(
        StreamLeaseRow.stream_id == stream_id,
        StreamLeaseRow.token == token,
        StreamLeaseRow.holder.is_(None),
    )
    news = {"holder": holder, "token": token + 1, "taken": now_s, "beat": now_s}
    says = {"status": "starting", "reason": "being opened", "since": now_s}
    result = session.execute(changing.values(**news, **says).execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", result).rowcount == 1


def beat(session: Session, worker_id: str, *, now_s: float) -> None:
    """Note that a worker lives."""
    row = session.get(StreamWorkerRow, worker_id)
    if row is None:
        session.add(StreamWorkerRow(id=worker_id, began=now_s, beat=now_s))
    else:
        row.beat = now_s


def workers(session: Session) -> list[StreamWorkerRow]:
    """Return all workers that ever beat and did not say goodbye."""
    return list(session.scalars(select(StreamWorkerRow).order_by(StreamWorkerRow.id)))


def forget_workers(session: Session, ids: Sequence[str]) -> None:
    """Forget workers."""
    session.execute(delete(StreamWorkerRow).where(StreamWorkerRow.id.in_(ids)))


def forget_workers_of(session: Session, name: str) -> None:
    """Forget a worker, or all whose names begin with that name as a whole."""
    session.execute(delete(StreamWorkerRow).where(_is_of(StreamWorkerRow.id, name)))


def _is_of(column: InstrumentedAttribute[Any], name: str) -> ColumnElement[bool]:
    # `pool-1.12` is not `pool-1.123`, nor `pool-12`.
    begins = (column.startswith(f"{name}{sign}", autoescape=True) for sign in ".-")
    return or_(column == name, *begins)


def open_gap(session: Session, stream_id: str) -> StreamGapRow | None:
    """Return the gap of a stream that lasts."""
    return session.scalar(
        select(StreamGapRow)
        .where(StreamGapRow.stream_id == stream_id, StreamGapRow.ended.is_(None))
        .order_by(StreamGapRow.began.desc())
        .limit(1)
    )


def open_gaps(session: Session, stream_ids: Collection[str]) -> dict[str, StreamGapRow]:
    """Return the gaps of some streams that last, by stream."""
    query = select(StreamGapRow).where(
        StreamGapRow.stream_id.in_(sorted(stream_ids)), StreamGapRow.ended.is_(None)
    )
    return {row.stream_id: row for row in session.scalars(query.order_by(StreamGapRow.began))}


def add_gap(
    session: Session, stream_id: str, *, began: float, kind: str, why: str, ended: float | None = None
) -> None:
    """Note a time in which a stream was not watched."""
    row = StreamGapRow(id=new_id("gap"), stream_id=stream_id, began=began, ended=ended, kind=kind, why=why)
    session.add(row)
    session.flush()


def gaps(session: Session, stream_id: str, *, since: float = 0.0, limit: int = 100) -> list[StreamGapRow]:
    """Return the newest gaps of a stream that lasted beyond `since`, newest first."""
    query = select(StreamGapRow).where(
        StreamGapRow.stream_id == stream_id,
        StreamGapRow.ended.is_(None) | (StreamGapRow.ended > since),
    )
    return list(session.scalars(query.order_by(StreamGapRow.began.desc(), StreamGapRow.id).limit(limit)))


def name_of_detector(session: Session, detector_id: str) -> str | None:
    """Return what people call a detector; none when it is gone."""
    return session.scalar(select(Detector.name).where(Detector.id == detector_id))


@dataclass(frozen=True)
class Known:
    """The versions of a detector that there are, and the one in use."""

    numbers: frozenset[int]
    in_use: int | None

    def version(self, wanted: int | None) -> int | None:
        """Return a version that is wanted (none: the one in use), if it is there."""
        if wanted is None:
            return self.in_use
        return wanted if wanted in self.numbers else None


def versions(session: Session, detector_ids: Collection[str]) -> dict[str, Known]:
    """Return what there is of detectors, by one query however many they are."""
    rows: dict[str, list[Version]] = {}
    for row in session.scalars(select(Version).where(Version.detector_id.in_(sorted(detector_ids)))):
        rows.setdefault(row.detector_id, []).append(row)
    return {detector_id: _known(some) for detector_id, some in rows.items()}


def _known(rows: Sequence[Version]) -> Known:
    newest = detectors.in_use(rows)
    return Known(frozenset(row.version for row in rows), None if newest is None else newest.version)


def open_events(session: Session, camera: str) -> list[EventState]:
    """Return the events of a stream that were begun and not ended."""
    query = select(EventState).where(
        EventState.device == STREAM_DEVICE, EventState.camera == camera, EventState.end_time.is_(None)
    )
    return list(session.scalars(query.order_by(EventState.event_id)))
