"""Moves old events out of the database into Parquet files, and deletes them from there.

An event is in a file exactly when the row of that file is there: the row is written, and the event deleted,
in one transaction, after the file is on the disk. A file without a row counts for nothing and is swept away.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from cloud.actions.forgetting import Doomed, delete_said_of
from cloud.actions.open_home import Home
from cloud.search.aged import Aged
from cloud.search.chosen import Chosen
from cloud.search.export import COLUMNS, Row, row_of, write_parquet
from cloud.store.aged_tables import AgedFileRow
from cloud.store.alert_tables import AlertJudgedRow
from cloud.store.files import write_file
from cloud.store.ids import new_id
from cloud.store.sources import Places, places_of
from cloud.store.tables import EventState, StoredEvent, Thumbnail

FILE_EVENTS = 10_000
"""So many events go into one file at most: about what a database deletes without others waiting long."""

_ALL_COLUMNS = {**COLUMNS, "received": "DOUBLE", "body": "VARCHAR"}
_START = list(_ALL_COLUMNS).index("start_time")
_IDS_AT_ONCE = 500
_STALE_S = 3600.0


def move_old(home: Home, before_s: float, most: int = FILE_EVENTS) -> int:
    """Move all events into files that were last seen, and came, before a time; return how many.

    Their small pictures are deleted; what people said of them stays.
    """
    _sweep(home)
    moved = 0
    while some := _move_some(home, before_s, most):
        moved += some
    return moved


def delete_aged(home: Home, doomed: Doomed, *, keep_corrections: bool = False, dry_run: bool = False) -> int:
    """Delete events out of the files, with what people said of them, or only count them; return how many."""
    gone = 0
    with home.database.read() as session:
        files = session.scalars(select(AgedFileRow).where(*_may_hold(doomed))).all()
        places = places_of(session)
    for file in files:
        named = [
            dict(zip(_ALL_COLUMNS, row, strict=True)) for row in _rows_in(home.settings.home / file.path)
        ]
        goes = [_is_doomed(row, doomed) and _is_own(row, places) for row in named]
        doomed_ids = [str(row["event_id"]) for row, gone_too in zip(named, goes, strict=True) if gone_too]
        gone += len(doomed_ids)
        if doomed_ids and not dry_run:
            # First what was said: if this is killed, the file still names the events.
            if not keep_corrections:
                delete_said_of(home.database, home.settings, doomed_ids)
            _replace(
                home,
                file,
                [tuple(row.values()) for row, gone_too in zip(named, goes, strict=True) if not gone_too],
            )
    return gone


def _replace(home: Home, file: AgedFileRow, left: Sequence[Row]) -> None:
    """Put a file with these rows in the place of one, or none when there are no rows."""
    fresh = _write(home, left) if left else None
    with home.database.write(durable=True) as session:
        session.execute(delete(AgedFileRow).where(AgedFileRow.id == file.id))
        if fresh is not None:
            session.add(fresh)
    (home.settings.home / file.path).unlink(missing_ok=True)


def _may_hold(doomed: Doomed) -> list[ColumnElement[bool]]:
    """Return which files are read: an event was last seen, and came, after it began."""
    ends = (doomed.before_s, doomed.received_before_s)
    return [AgedFileRow.first_start < end_s for end_s in ends if end_s is not None]


def _move_some(home: Home, before_s: float, most: int) -> int:
    with home.database.read() as session:
        old = (EventState.received < before_s) & (EventState.frame_time < before_s)
        states = session.scalars(
            select(EventState).where(old).order_by(EventState.received).limit(most)
        ).all()
    if not states:
        return 0
    file = _write(home, [(*row_of(state), state.received, state.body) for state in states])
    with home.database.write(durable=True) as session:
        # Whatever changed while the file was written stays, with all others: they are moved the next time.
        if not _are_as_before(session, states):
            (home.settings.home / file.path).unlink(missing_ok=True)
            return 0
        session.add(file)
        _delete(session, states)
    return len(states)


def _write(home: Home, rows: Sequence[Row]) -> AgedFileRow:
    """Write a file, and return the row that makes it count."""
    ident = new_id("aged")
    path = Path("aged") / f"{ident}.parquet"
    home.settings.cache_path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.settings.cache_path) as folder:
        made = Path(folder) / path.name
        write_parquet(rows, made, _ALL_COLUMNS)
        write_file(home.settings.home / path, made.read_bytes())
    starts_s = [float(str(row[_START])) for row in rows]
    return AgedFileRow(
        id=ident, path=str(path), events=len(rows), first_start=min(starts_s), last_start=max(starts_s),
        created=home.clock.now_s(),
    )  # fmt: skip


def _rows_in(path: Path) -> list[Row]:
    return list(Aged((path,), Chosen()).rows(", ".join(_ALL_COLUMNS), end="ORDER BY start_time"))


def _is_doomed(row: dict[str, object], doomed: Doomed) -> bool:
    before_s, came_before_s = doomed.before_s, doomed.received_before_s
    return (
        (before_s is None or float(str(row["last_seen"])) < before_s)
        and (came_before_s is None or float(str(row["received"])) < came_before_s)
        and doomed.camera in {None, row["camera"]}
        and doomed.device in {None, row["device"]}
    )


def _is_own(row: dict[str, object], places: Places | None) -> bool:
    return places is None or places.holds(str(row["device"]), str(row["camera"]))


def _are_as_before(session: Session, states: Sequence[EventState]) -> bool:
    columns = (EventState.device, EventState.event_id, EventState.received, EventState.body)
    now = {
        tuple(row)
        for device, ids in _by_device(states)
        for row in session.execute(
            select(*columns).where(EventState.device == device, EventState.event_id.in_(ids))
        )
    }
    return now == {(one.device, one.event_id, one.received, one.body) for one in states}


def _delete(session: Session, states: Sequence[EventState]) -> None:
    for device, ids in _by_device(states):
        for table in (Thumbnail, StoredEvent, EventState, AlertJudgedRow):
            session.execute(delete(table).where(table.device == device, table.event_id.in_(ids)))


def _by_device(states: Sequence[EventState]) -> Iterator[tuple[str, list[str]]]:
    devices: dict[str, list[str]] = {}
    for one in states:
        devices.setdefault(one.device, []).append(one.event_id)
    for device, ids in devices.items():
        for begin in range(0, len(ids), _IDS_AT_ONCE):
            yield device, ids[begin : begin + _IDS_AT_ONCE]


def _sweep(home: Home) -> None:
    """Remove files that never came to count; one that is new may be about to."""
    with home.database.read() as session:
        known = set(session.scalars(select(AgedFileRow.path)))
    for path in (home.settings.home / "aged").glob("*.parquet"):
        is_stale = path.stat().st_mtime < home.clock.now_s() - _STALE_S
        if is_stale and str(path.relative_to(home.settings.home)) not in known:
            path.unlink(missing_ok=True)
