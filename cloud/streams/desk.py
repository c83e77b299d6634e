"""What people do with streams, whoever asks: API or command line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from cloud.accounts.workspaces import HOME, current
from cloud.errors import ConflictError, InputError
from cloud.settings import Settings
from cloud.store import detectors, streams
from cloud.store.database import Database
from cloud.store.ids import new_id
from cloud.store.stream_tables import StreamGapRow, StreamLeaseRow, StreamRow
from cloud.streams.address import AddressRules, recordings_of
from cloud.streams.book import begin_gap, end_orphans, lease_in
from cloud.streams.leases import is_held
from cloud.streams.settings import StreamSettings
from cloud.streams.shared_clock import clock_of
from edge_agent.camera.uri import redact
from edge_agent.clock import Clock
from edge_agent.wire.base import Name

_MOST_DETECTORS = 200


class StreamBody(BaseModel):
    """A stream to be watched.

    `address`: `rtsp://…`, `http(s)://…` (HLS, MJPEG, JPEG), or a file in the folder of recordings.
    `detectors`: names or ids, with `@version` or of the version that is in use; they share all that they can.
    """

    model_config = ConfigDict(extra="forbid")

    name: Name
    address: str = Field(min_length=1, max_length=2_000)
    detectors: list[str] = Field(min_length=1, max_length=_MOST_DETECTORS)
    settings: StreamSettings = StreamSettings()


class StreamChange(BaseModel):
    """What shall be different; what is not given stays as it is."""

    model_config = ConfigDict(extra="forbid")

    address: str | None = Field(None, min_length=1, max_length=2_000)
    detectors: list[str] | None = Field(None, min_length=1, max_length=_MOST_DETECTORS)
    settings: StreamSettings | None = None


class GapView(BaseModel):
    """A time in which nobody watched, UTC seconds since 1970; `ended` is none while it lasts.

    `kind`: `starting`, `source` (nothing came), `lost` (its process died), `stopped` (the cloud was stopped),
    `moved`, `changed`, `paused`. `why` says it in words.
    """

    began: float
    ended: float | None
    kind: str
    why: str


class WatchedBy(BaseModel):
    """A detector of a stream; `version` none: the one in use."""

    id: str
    name: str
    version: int | None


class StreamView(BaseModel):
    """How a stream is; its address is shown without user name and password.

    `state`: `watched`, `starting`, `not watched` or `paused`; `reason` says why. `watched` is until when it
    was watched, UTC seconds since 1970. Its events name the device `device` and, as camera, its name.
    """

    id: str
    name: str
    device: str
    address: str
    detectors: list[WatchedBy]
    settings: StreamSettings
    state: str
    reason: str
    since: float
    watched: float
    worker: str | None
    figures: dict[str, float]
    created: float


class StreamDesk:
    """Adds, lists, changes, pauses and removes streams."""

    def __init__(self, database: Database, clock: Clock, settings: Settings) -> None:
        # What workers go by: whether one still lives must not depend on which machine is asked.
        self._database, self._clock = database, clock_of(database, clock)
        self._rules = AddressRules(recordings_of(settings, current() or HOME), settings.stream_hosts)

    def add(self, body: StreamBody) -> StreamView:
        """Watch a stream from now on.

        Raises:
            InputError: Its address may not be watched, or its rules name what there is not.
            NotFoundError: There is no such detector or version.
            ConflictError: Another stream has its name.
        """
        self._rules.check(body.address)
        now_s = self._clock.now_s()
        with self._database.write(durable=True) as session:
            row = StreamRow(
                id=new_id("str"),
                name=body.name,
                address=body.address.strip(),
                detectors=_named(session, body.detectors),
                settings=body.settings.model_dump_json(),
                paused=False,
                created=now_s,
            )
            streams.add(session, row)
            return _view(session, row, streams.lease_of(session, row.id), now_s)

    def every(self) -> list[StreamView]:
        """Return all streams, by name."""
        now_s = self._clock.now_s()
        with self._database.read() as session:
            return [_view(session, row, lease, now_s) for row, lease in streams.every(session)]

    def show(self, name_or_id: str) -> StreamView:
        """Return one stream.

        Raises:
            NotFoundError: There is none.
        """
        now_s = self._clock.now_s()
        with self._database.read() as session:
            row = streams.find(session, name_or_id)
            return _view(session, row, streams.lease_of(session, row.id), now_s)

    def gaps(self, name_or_id: str, *, since: float = 0.0, limit: int = 100) -> list[GapView]:
        """Return when a stream was not watched, newest first.

        Raises:
            NotFoundError: There is no such stream.
        """
        with self._database.read() as session:
            rows = streams.gaps(session, streams.find(session, name_or_id).id, since=since, limit=limit)
        return [_gap_view(row) for row in rows]

    def change(self, name_or_id: str, change: StreamChange) -> StreamView:
        """Watch a stream otherwise; rules and detectors take effect without a gap.

        Raises:
            NotFoundError: There is no such stream or detector.
            InputError: Its address may not be watched.
        """
        if change.address is not None:
            self._rules.check(change.address)
        now_s = self._clock.now_s()
        with self._database.write(durable=True) as session:
            row = streams.find(session, name_or_id)
            row.address = row.address if change.address is None else change.address.strip()
            if change.detectors is not None:
                row.detectors = _named(session, change.detectors)
            if change.settings is not None:
                row.settings = change.settings.model_dump_json()
            return _view(session, row, streams.lease_of(session, row.id), now_s)

    def pause(self, name_or_id: str, *, paused: bool) -> StreamView:
        """Watch a stream no longer, or again.

        Raises:
            NotFoundError: There is no such stream.
        """
        now_s = self._clock.now_s()
        with self._database.write(durable=True) as session:
            row = streams.find(session, name_or_id)
            lease = streams.lease_of(session, row.id)
            if row.paused != paused:
                row.paused = paused
                if not paused:
                    begin_gap(session, lease, "starting", "it was being started again", now_s)
                elif not is_held(lease_in(lease), now_s):
                    begin_gap(session, lease, "paused", "somebody paused it", now_s)
            return _view(session, row, lease, now_s)

    def remove(self, name_or_id: str) -> None:
        """Watch a stream no longer and forget it; its events stay.

        Raises:
            NotFoundError: There is no such stream.
        """
        now_s = self._clock.now_s()
        with self._database.write(durable=True) as session:
            row = streams.find(session, name_or_id)
            lease = streams.lease_of(session, row.id)
            end_orphans(session, row.name, f"{row.id}-{lease.token}-gone", lease.watched, now_s)
            session.delete(lease)
            session.flush()
            session.delete(row)


def standing(row: StreamRow, lease: StreamLeaseRow, now_s: float) -> tuple[str, str]:
    """Return how a stream is, and why, in words; who is silent for longer than its lease does not count."""
    if row.paused:
        return "paused", "somebody paused it"
    if lease.holder is not None and not is_held(lease_in(lease), now_s):
        return "not watched", "its process says nothing; another one takes it"
    words = {"online": "watched", "offline": "not watched"}
    return words.get(lease.status, "starting"), lease.reason


def _view(session: Session, row: StreamRow, lease: StreamLeaseRow, now_s: float) -> StreamView:
    state, reason = standing(row, lease, now_s)
    return StreamView(
        id=row.id,
        name=row.name,
        device=streams.STREAM_DEVICE,
        address=redact(row.address),
        detectors=[_watched_by(session, *pair) for pair in row.detectors],
        settings=StreamSettings.model_validate_json(row.settings),
        state=state,
        reason=reason,
        since=lease.since,
        watched=lease.watched,
        worker=lease.holder,
        figures={name: float(value) for name, value in lease.figures.items()},
        created=row.created,
    )


def _named(session: Session, references: Sequence[str]) -> list[list[str | int | None]]:
    """Return ids and versions of detectors that are named, each once.

    Raises:
        NotFoundError: There is no such detector, or it is not trained.
        InputError: A version is no number.
        ConflictError: One is named with two versions.
    """
    found: dict[str, int | None] = {}
    for reference in references:
        name, version = _split(reference)
        detector = detectors.find(session, name)
        detectors.find_version(session, detector.id, version)
        if detector.id in found and found[detector.id] != version:
            message = f"detector {detector.name!r} is named with two versions; name it once"
            raise ConflictError(message)
        found[detector.id] = version
    return [[detector_id, version] for detector_id, version in found.items()]


def _split(reference: str) -> tuple[str, int | None]:
    matched = re.fullmatch(r"(.+)@v?([0-9]{1,9})", reference)
    if matched:
        return matched[1], int(matched[2])
    if "@" in reference:
        message = f"{reference!r}: write a version as NAME@2"
        raise InputError(message)
    return reference, None


def _watched_by(session: Session, detector_id: str, version: int | None) -> WatchedBy:
    name = streams.name_of_detector(session, detector_id)
    return WatchedBy(id=detector_id, name=name or "a detector that is gone", version=version)


def _gap_view(row: StreamGapRow) -> GapView:
    return GapView(began=row.began, ended=row.ended, kind=row.kind, why=row.why)
