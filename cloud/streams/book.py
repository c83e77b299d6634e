"""What a worker reads and writes about streams: each method is one transaction.

What time it is they ask once they may write: a beat that had to wait for others is a beat of now.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy.orm import Session

from cloud.accounts.workspaces import HOME
from cloud.ingest.batches import store_batch
from cloud.notify.outbox import note_events
from cloud.store import streams
from cloud.store.database import Database
from cloud.store.stream_tables import StreamGapRow, StreamLeaseRow, StreamRow
from cloud.store.streams import STREAM_DEVICE
from cloud.streams.gaps import Gap, GapKind, Settled, Sight, settle
from cloud.streams.leases import LEASE_S, SETTLED_S, Lease, is_fresh, is_held, is_lost, may_take
from cloud.streams.placement import Placed, cost_of
from cloud.streams.settings import StreamSettings
from edge_agent.clock import Clock
from edge_agent.wire.event import Event
from edge_agent.wire.sync import BatchItem, EventBatch

DetectorKey = tuple[str, int]
"""Id and version of a detector."""


@dataclass(frozen=True)
class Wanted:
    """A stream that is to be watched; `detectors` as they are in use now, `missing`: why one is not there."""

    stream_id: str
    name: str
    address: str
    settings: StreamSettings
    detectors: tuple[DetectorKey, ...]
    missing: str | None = None
    workspace_id: str = HOME

    @property
    def source(self) -> tuple[str, float, str]:
        """Return what the stream must be opened anew for when it changes."""
        return self.address, self.settings.fps, self.settings.rtsp_transport


@dataclass(frozen=True)
class Held:
    """A stream and the token under which a worker holds it."""

    wanted: Wanted
    token: int

    @property
    def epoch(self) -> str:
        """Return the epoch of the events that are told under this token."""
        return f"{self.wanted.stream_id}-{self.token}"


@dataclass(frozen=True)
class Told:
    """One event of a stream, numbered within its token, and its small picture."""

    seq: int
    event: Event
    jpeg: bytes | None = None


@dataclass(frozen=True)
class Overview:
    """All streams that are to be watched, who watches them, and which workers live."""

    wanted: Mapping[str, Wanted]
    leases: Mapping[str, Lease]
    workers: tuple[str, ...]
    now_s: float

    def placed(self) -> list[Placed]:
        """Return the streams as placement sees them."""
        return [
            Placed(
                one.stream_id,
                frozenset(f"{detector}@{version}" for detector, version in one.detectors),
                cost_of(one.settings.fps, len(one.detectors)),
                lease.holder if is_held(lease := self.leases[one.stream_id], self.now_s) else None,
            )
            for one in self.wanted.values()
        ]

    def may_take(self, stream_id: str) -> bool:
        """Return whether a worker may begin to watch a stream now."""
        return may_take(self.leases[stream_id], self.now_s)


class Book:
    """The database, as workers see it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def bury(self, name: str) -> int:
        """Free what a dead worker held, and forget it, so that nothing is left to it; return how much it was.

        Args:
            name: Of the worker; or of its seat, or of whoever kept it, that its own name begins with.
        """
        with self._database.write() as session:
            now_s = self._clock.now_s()
            found = streams.leases_of_holders(session, name)
            for lease in found:
                _free_lost(session, lease, now_s)
            streams.forget_workers_of(session, name)
        return len(found)

    def any_free(self) -> bool:
        """Return whether a stream waits for somebody to watch it; far quicker than to look at all of them."""
        with self._database.read() as session:
            return streams.any_free(session, now_s=self._clock.now_s(), fresh_s=LEASE_S)

    def look(self, *, bury: bool = True) -> Overview:
        """Return all streams that are to be watched; what the dead held is freed, unless `bury` is false."""
        now_s = self._clock.now_s()
        with self._database.read() as session:
            if not bury or not any(is_lost(lease_in(row), now_s) for _, row in streams.every(session)):
                return _overview(session, now_s)
        with self._database.write() as session:
            now_s = self._clock.now_s()
            for _, row in streams.every(session):
                if is_lost(lease_in(row), now_s):
                    _free_lost(session, row, now_s)
            dead = [row.id for row in streams.workers(session) if not is_fresh(row.beat, now_s)]
            streams.forget_workers(session, dead)
            session.flush()
            return _overview(session, now_s)

    def take(self, worker_id: str, wanted: Wanted, lease: Lease) -> Held | None:
        """Begin to hold a stream; none when another worker was faster."""
        with self._database.write(durable=True) as session:
            now_s = self._clock.now_s()
            free = streams.take_lease(
                session, wanted.stream_id, holder=worker_id, token=lease.token, now_s=now_s
            )
            if not free:
                return None
            row = streams.lease_of(session, wanted.stream_id)
            if streams.open_gap(session, wanted.stream_id) is None:
                streams.add_gap(
                    session, wanted.stream_id, began=row.watched, kind="starting", why="it was being started"
                )
            held = Held(wanted, lease.token + 1)
            end_orphans(session, wanted.name, f"{held.epoch}-ends", row.watched, now_s)
        return held

    def keep_waiting(self, leases: Sequence[Lease], why: str) -> None:
        """Say of streams that nobody holds why nobody takes them."""
        silent = [one.stream_id for one in leases if one.reason != why]
        if not silent:
            return
        with self._database.write() as session:
            now_s = self._clock.now_s()
            for row in streams.free_without(session, silent, why):
                row.status, row.reason, row.since = "offline", why, now_s
                begin_gap(session, row, "starting", why, now_s)

    def beat(
        self, worker_id: str, sights: Mapping[str, tuple[int, Sight, Mapping[str, float]]]
    ) -> frozenset[str]:
        """Say that a worker lives, and how its streams are; return those that it does not hold any more.

        Args:
            worker_id: Whose.
            sights: By stream: token, how it is, figures.
        """
        lost = set()
        # Not alone: all workers beat every second, each on rows of its own.
        with self._database.write(alone=False) as session:
            now_s = self._clock.now_s()
            streams.beat(session, worker_id, now_s=now_s)
            # Two questions for all streams together: this is asked every second.
            held = streams.held_leases(session, worker_id, sights)
            lasting = streams.open_gaps(session, held)
            for stream_id, (token, sight, figures) in sights.items():
                row = held.get(stream_id)
                if row is None or row.token != token:
                    lost.add(stream_id)
                else:
                    _note_sight(session, row, lasting.get(stream_id), sight, now_s)
                    row.figures = dict(figures)
        return frozenset(lost)

    def let_go(self, worker_id: str, held: Held, sight: Sight, kind: GapKind, why: str) -> None:
        """Hold a stream no longer; from when it was watched last, the gap begins."""
        with self._database.write(durable=True) as session:
            now_s = self._clock.now_s()
            row = streams.held_lease(session, held.wanted.stream_id, worker_id, held.token)
            if row is None:
                return
            _note_sight(session, row, streams.open_gap(session, row.stream_id), sight, now_s)
            row.holder, row.status, row.reason, row.since = None, "starting", why, now_s
            session.flush()
            begin_gap(session, row, kind, why, now_s)

    def leave(self, worker_id: str) -> None:
        """Say goodbye."""
        with self._database.write() as session:
            streams.forget_workers(session, [worker_id])

    def store(self, worker_id: str, told: Iterable[tuple[Held, Sequence[Told]]]) -> tuple[Event, ...]:
        """Store events, and what alerts make of them; return those whose state is news.

        Of a stream that somebody else holds now, nothing is stored: the other one tells of it.

        Raises:
            StorageError: The disk is full; nothing was stored.
        """
        news: list[Event] = []
        with self._database.write(durable=True) as session:
            now_s = self._clock.now_s()
            for held, some in told:
                if streams.held_lease(session, held.wanted.stream_id, worker_id, held.token) is None:
                    continue
                stored = store_batch(session, _batch(held.epoch, some), now_s=now_s)
                note_events(session, stored.news, now_s)
                news += stored.news
        return tuple(news)


def lease_in(row: StreamLeaseRow) -> Lease:
    """Return what a row says of a holder."""
    return Lease(row.stream_id, row.holder, row.token, row.beat, row.losses, row.lost, row.reason)


def wanted_in(session: Session, rows: Sequence[StreamRow]) -> list[Wanted]:
    """Return streams as they are to be watched, with the versions of their detectors that are in use now."""
    versions = streams.versions(session, {detector_id for row in rows for detector_id, _ in row.detectors})
    return [_wanted(row, versions) for row in rows]


def _wanted(row: StreamRow, versions: Mapping[str, streams.Known]) -> Wanted:
    found: list[DetectorKey] = []
    missing: str | None = None
    for detector_id, version in row.detectors:
        known = versions.get(detector_id)
        chosen = None if known is None else known.version(version)
        if chosen is None:
            missing = f"its detector {detector_id} is gone or not trained; give the stream another one"
        else:
            found.append((detector_id, chosen))
    settings = StreamSettings.model_validate_json(row.settings)
    return Wanted(row.id, row.name, row.address, settings, tuple(found), missing, row.workspace_id)


def _overview(session: Session, now_s: float) -> Overview:
    rows = [(row, lease) for row, lease in streams.every(session) if not row.paused]
    return Overview(
        wanted={one.stream_id: one for one in wanted_in(session, [row for row, _ in rows])},
        leases={row.id: lease_in(lease) for row, lease in rows},
        workers=tuple(row.id for row in streams.workers(session) if is_fresh(row.beat, now_s)),
        now_s=now_s,
    )


def begin_gap(session: Session, row: StreamLeaseRow, kind: GapKind, why: str, now_s: float) -> None:
    """Note that a stream is not watched any more; what a person decides ends other reasons."""
    lasting = streams.open_gap(session, row.stream_id)
    if lasting is not None and kind in {"paused", "starting"} and lasting.kind != kind:
        lasting.ended = max(lasting.began, now_s)
        streams.add_gap(session, row.stream_id, began=lasting.ended, kind=kind, why=why)
    elif lasting is None:
        streams.add_gap(session, row.stream_id, began=row.watched, kind=kind, why=why)


def _free_lost(session: Session, row: StreamLeaseRow, now_s: float) -> None:
    why = "the process that watched it ended without a word"
    watched_long = row.beat - row.taken > SETTLED_S
    row.losses, row.lost = (1 if watched_long else row.losses + 1), now_s
    row.holder, row.status, row.reason, row.since = None, "starting", why, now_s
    session.flush()
    begin_gap(session, row, "lost", why, now_s)


def _note_sight(
    session: Session, row: StreamLeaseRow, open_row: StreamGapRow | None, sight: Sight, now_s: float
) -> None:
    known = None if open_row is None else gap_in(open_row)
    _note_gaps(session, row.stream_id, open_row, settle(known, sight, row.watched, now_s))
    row.beat, row.status, row.reason, row.since = now_s, sight.status, sight.reason, sight.since_s
    row.watched = row.watched if sight.watched_s is None else sight.watched_s
    if now_s - row.taken > SETTLED_S:
        row.losses = 0


def _note_gaps(session: Session, stream_id: str, row: StreamGapRow | None, settled: Settled) -> None:
    if row is not None and settled.open_gap is not None:
        row.ended, row.why = settled.open_gap.ended_s, settled.open_gap.why
    for gap in settled.others:
        streams.add_gap(session, stream_id, began=gap.began_s, kind=gap.kind, why=gap.why, ended=gap.ended_s)


def gap_in(row: StreamGapRow) -> Gap:
    """Return a gap as rows keep it."""
    return Gap(row.began, cast("GapKind", row.kind), row.why, row.ended)


def end_orphans(session: Session, camera: str, epoch: str, watched_s: float, now_s: float) -> None:
    """End the events of a stream that were begun: nobody follows those things any more."""
    ends = []
    for seq, state in enumerate(streams.open_events(session, camera), 1):
        event = Event.from_json(state.body)
        end_s = max(watched_s, event.start_time)
        ends.append(Told(seq, event.model_copy(update={"event_type": "end", "end_time": end_s})))
    if ends:
        stored = store_batch(session, _batch(epoch, ends), now_s=now_s)
        note_events(session, stored.news, now_s)


def _batch(epoch: str, told: Sequence[Told]) -> EventBatch:
    items = tuple(
        BatchItem(
            seq=one.seq,
            event=one.event,
            thumbnail_jpeg_base64=None if one.jpeg is None else base64.b64encode(one.jpeg).decode(),
        )
        for one in told
    )
    return EventBatch(device=STREAM_DEVICE, epoch=epoch, items=items)
